//! A bucket whose keys a keyholder holds: what owners and authorities get when it says no, or nothing.

use super::*;

/// How long the gate of the tests below keeps an account's key open.
const KEPT_OPEN: Duration = Duration::from_millis(500);

fn roots_with(keyholder: Keyholder, region: &casework::ids::RegionId) -> Arc<RegionRoots> {
    let providers = Providers::new([Arc::new(keyholder) as Arc<dyn KeyProvider>]);
    let roots = RegionRoots::new([(region.clone(), RegionRoot::from_random([1; 32]))]);
    Arc::new(roots.with_providers(Arc::new(providers)))
}

/// The gate's ledger, in a database of its own.
async fn ledger(dir: &Path) -> Arc<Ledger> {
    let database = store::testkit::database(&dir.join("ledger.db")).await;
    Arc::new(Ledger::open(database, Arc::new(Timestamp::now)))
}

/// A customer's bucket over S3, whose keys the customer's keyholder holds.
struct Bucket {
    signer: signer::Signer,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

impl Bucket {
    async fn held_by(keyholder: Keyholder) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let region = "eu-de".parse().unwrap();
        let country = CountryCode::new("DE").unwrap();
        let database = store::testkit::database(&dir.path().join("vault.db")).await;
        let ledger = ledger(dir.path()).await;
        let door = OwnerKeys::new(roots_with(keyholder, &region), ledger).keeping_open(KEPT_OPEN);
        let blobs = Arc::new(DiskBlobs::open(&dir.path().join("blobs")).await.unwrap());
        let store = VaultStore::new(database).await.unwrap();
        let vault = Vault::new(store, blobs, Arc::new(door), DeploymentKey::from_random([8; 32]));
        vault.create_region(&region, &country).await.unwrap();
        let tenant = "contoso".parse().unwrap();
        vault
            .create_tenant(&tenant, TenantKind::Enterprise, &country)
            .await
            .unwrap();
        let holder = ProviderId::new("contoso-keys").unwrap();
        vault.set_holder(&tenant, Some(&holder), true).await.unwrap();
        vault
            .add_access_key(&tenant, "AKCONTOSO", "secret")
            .await
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let config = service::s3::S3Config::new(region);
        tokio::spawn(service::s3::serve(
            listener,
            vault,
            config,
            std::future::pending(),
        ));
        let signer = signer::Signer {
            access_key: "AKCONTOSO".into(),
            secret_key: "secret".into(),
            region: "eu-de".into(),
            host,
        };
        Self {
            signer,
            http: reqwest::Client::new(),
            _dir: dir,
        }
    }

    async fn ask(&self, method: &str, target: &str, body: &[u8]) -> (u16, String) {
        let answer = self.signer.sign(method, target, &[], body).send(&self.http).await;
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Asks until it no longer succeeds, and for no longer than the key may be kept open; gives the refusal.
    async fn refused(&self, since: Instant) -> (u16, String) {
        loop {
            let asked = since.elapsed();
            let answer = self.ask("GET", "/mail/letter", b"").await;
            if answer.0 != 200 {
                return answer;
            }
            assert!(asked <= KEPT_OPEN, "it was read {asked:?} after the holder ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

const OWNER_AND_NEW: &str = "[[allow]]\nreason = \"owner\"\ntenants = [\"contoso\"]\n\
    [[allow]]\nreason = \"provisioning\"\ntenants = [\"contoso\"]\n";

#[tokio::test]
async fn with_the_keyholder_stopped_or_saying_no_a_get_fails_and_says_so() {
    let customer = Customer::new(OWNER_AND_NEW);
    let (url, public, task) = customer.serve().await;
    let bucket = Bucket::held_by(customer.gate(&url, &public)).await;
    assert_eq!(bucket.ask("PUT", "/mail", b"").await.0, 200);
    assert_eq!(bucket.ask("PUT", "/mail/letter", b"dear").await.0, 200);
    assert_eq!(bucket.ask("GET", "/mail/letter", b"").await, (200, "dear".into()));
    // The list is emptied: what is open stays open for its time, and not longer.
    customer.allow("");
    let (status, body) = bucket.refused(Instant::now()).await;
    assert_eq!(status, 403);
    assert!(
        body.contains("AccessDenied") && body.contains("said no: the allow-list is empty"),
        "{body}"
    );
    customer.allow(OWNER_AND_NEW);
    assert_eq!(bucket.ask("GET", "/mail/letter", b"").await.0, 200);
    task.abort();
    let _ = task.await;
    let (status, body) = bucket.refused(Instant::now()).await;
    assert_eq!(status, 503);
    assert!(
        body.contains("ServiceUnavailable") && body.contains("`contoso-keys` does not answer"),
        "{body}"
    );
    // Nor can anything be stored, for its key would be under one that nobody gives.
    assert_eq!(bucket.ask("PUT", "/mail/other", b"dear").await.0, 503);
}

#[tokio::test]
async fn with_the_keyholder_stopped_or_saying_no_an_approved_release_is_refused() {
    let mut world = World::new(Rulebook::builtin(), 3);
    let place = world.objects[0].account.clone();
    let allow = |reasons: &[&str]| {
        let rule = |reason: &&str| {
            format!(
                "[[allow]]\nreason = \"{reason}\"\ntenants = [\"{}\"]\n",
                place.tenant
            )
        };
        reasons.iter().map(rule).collect::<String>()
    };
    let customer = Customer::new(&allow(&["owner", "provisioning"]));
    let (url, public, task) = customer.serve().await;
    let shared = roots_with(customer.gate(&url, &public), &place.region);
    let dir = tempfile::tempdir().unwrap();
    let door = OwnerKeys::new(Arc::clone(&shared), ledger(dir.path()).await);
    let holder = ProviderId::new("contoso-keys").unwrap();
    let tenant_key = door
        .new_tenant_key(&place.region, &place.tenant, Some(&holder))
        .await
        .unwrap();
    let mut keys = Vec::new();
    for object in &mut world.objects {
        let account = &object.account.account;
        let account_key = door
            .new_account_key(&place.region, &place.tenant, account, &tenant_key)
            .await
            .unwrap();
        let account = WrappedAccount {
            region: place.region.to_string(),
            tenant: place.tenant.to_string(),
            account: account.to_string(),
            tenant_key: tenant_key.clone(),
            account_key,
        };
        let owner = OwnerRequest::new(place.tenant.as_str(), "AK", "r");
        let (id, label) = (
            *object.object.0.as_bytes(),
            label(object.category, object.concerns_at),
        );
        let (_, object_key) = door.new_object_key(&owner, &account, &id, &label).await.unwrap();
        object.key = Digest(object_key.digest());
        keys.push(WrappedChain {
            account,
            object: id,
            label,
            object_key,
        });
    }
    let database = store::testkit::database(&dir.path().join("gate.db")).await;
    let now = world.now;
    let memory = Arc::new(GateMemory::new(database.clone()));
    let gate = EmbeddedGate::new(shared, memory, world.policy(), vec![], Arc::new(move || now));
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(&steps, record.clone());
    let release = async || {
        let shown = shown.clone();
        let request = ReleaseRequest {
            chain: shown.events,
            record: shown.record,
            salt: shown.salt,
            receipt: shown.receipt,
            consistency: shown.consistency,
            keys: keys.clone(),
        };
        gate.release(request).await
    };
    // The owner's keys are open in this very process; a release does not go by them.
    let refusal = release().await.err().unwrap();
    assert!(
        refusal.reason.contains("said no: no rule allows `release`"),
        "{refusal}"
    );
    task.abort();
    let _ = task.await;
    let refusal = release().await.err().unwrap();
    assert!(refusal.reason.contains("does not answer"), "{refusal}");
    assert!(refusal.hint.contains("not used up"), "{refusal}");
    let last = {
        let mut last = None;
        ledger::check(&customer.path("log"), |entry| last = Some(entry.clone())).unwrap();
        last.unwrap()
    };
    // The customer knows exactly what was wanted.
    let wanted = Reason::Release {
        case: record.case,
        record: record.id,
        digest: record.digest().unwrap(),
    };
    assert_eq!(
        (last.reason, &*last.outcome),
        (wanted, "denied: no rule allows `release` here")
    );
}
