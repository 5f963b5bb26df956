//! The customer's keyholder, over its real transport: what it answers, what it refuses, and what a gate believes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by stopping"
)]

#[path = "s3/signer.rs"]
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the tests of S3 use the rest of it"
)]
mod signer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router, body::Bytes, extract::State, http::HeaderMap, response::IntoResponse as _, routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::{
    demand::CountryCode,
    facts::TenantKind,
    ids::{CaseId, Digest, ProviderId, RecordId},
    record::label,
    rulebook::Rulebook,
    testkit::World,
};
use ed25519_dalek::SigningKey;
use envelope::{
    keys::{RegionRoot, WrappedAccount, WrappedChain},
    opening_reason::OwnerRequest,
    secrets::DeploymentKey,
};
use jiff::{SignedDuration, Timestamp};
use service::{
    deployment::create_key,
    gate::{
        Clock, EmbeddedGate, Ledger, RegionRoots, ReleaseRequest,
        owner::{OwnerGate as _, OwnerKeys},
    },
    keys::{
        HolderError, KeyPlace, KeyProvider, Providers, Reason, Why,
        keyholder::{Keyholder, Server, decisions::Decisions, ledger, router, wire},
    },
    vault::Vault,
};
use store::{blobs::DiskBlobs, gate_memory::GateMemory, vault::VaultStore};

const GATE: [u8; 32] = [3; 32];

/// A clock that a test sets.
#[derive(Clone)]
struct Hands(Arc<Mutex<Timestamp>>);

impl Hands {
    fn new() -> Self {
        Self(Arc::new(Mutex::new("2026-11-22T10:00:00Z".parse().unwrap())))
    }
    fn clock(&self) -> Clock {
        let hands = Arc::clone(&self.0);
        Arc::new(move || *hands.lock().unwrap())
    }
    fn advance(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }
}

/// A customer's folder.
struct Customer {
    dir: tempfile::TempDir,
    hands: Hands,
}

impl Customer {
    fn new(allow: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        create_key(&dir.path().join("wrap.key")).unwrap();
        create_key(&dir.path().join("sign.key")).unwrap();
        let customer = Self {
            dir,
            hands: Hands::new(),
        };
        customer.allow(allow);
        customer
    }
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    /// Writes the configuration with this allow-list.
    fn allow(&self, allow: &str) {
        let gate = STANDARD.encode(SigningKey::from_bytes(&GATE).verifying_key().to_bytes());
        let text = format!(
            "schema = \"amparo.keyholder/1\"\nlisten = \"127.0.0.1:0\"\nkeys = [\"wrap.key\"]\nsigning_key = \"sign.key\"\n\
             log = \"log\"\ndecisions = \"decisions\"\ngates = [\"{gate}\"]\n{allow}"
        );
        std::fs::write(self.path("keyholder.toml"), text).unwrap();
    }
    fn open(&self) -> Arc<Server> {
        let opened = Server::open(&self.path("keyholder.toml"), self.hands.clock(), |_| {});
        Arc::new(opened.unwrap())
    }
    /// Serves; gives the URL, the public key of answers, and what stops it.
    async fn serve(&self) -> (String, String, tokio::task::JoinHandle<()>) {
        let server = self.open();
        let public = server.public();
        let (url, task) = serve(router(server)).await;
        (url, public, task)
    }
    fn log(&self) -> Vec<String> {
        let mut outcomes = Vec::new();
        ledger::check(&self.path("log"), |entry| outcomes.push(entry.outcome.clone())).unwrap();
        outcomes
    }
    fn gate(&self, url: &str, public: &str) -> Keyholder {
        gate(url, public, GATE, self.hands.clock())
    }
}

async fn serve(router: Router) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, task)
}

fn gate(url: &str, public: &str, seed: [u8; 32], clock: Clock) -> Keyholder {
    Keyholder::new(
        ProviderId::new("contoso-keys").unwrap(),
        url,
        reqwest::Client::builder(),
        SigningKey::from_bytes(&seed),
        wire::public_key(public).unwrap(),
        clock,
    )
    .unwrap()
}

fn place() -> KeyPlace {
    KeyPlace::tenant("eu-de", "contoso")
}

fn owner(account: &str) -> Reason {
    Reason::Owner {
        credential: "AK1".into(),
        request: "r1".into(),
        account: account.into(),
    }
}

fn release() -> Reason {
    Reason::Release {
        case: CaseId(uuid::Uuid::from_u128(1)),
        record: RecordId(uuid::Uuid::from_u128(2)),
        digest: Digest([5; 32]),
    }
}

const OWNER: &str = "[[allow]]\nreason = \"owner\"\ntenants = [\"contoso\"]\n";

fn why<T>(answer: Result<T, HolderError>) -> Why {
    answer.err().expect("the holder gave a key").why
}

#[tokio::test]
async fn it_gives_what_the_list_allows_and_writes_down_each_request() {
    let customer = Customer::new(OWNER);
    let (url, public, _task) = customer.serve().await;
    let gate = customer.gate(&url, &public);
    let blob = gate.wrap(&place(), &owner("alice"), &[7; 60]).await.unwrap();
    assert_eq!(
        *gate.unwrap(&place(), &owner("alice"), &blob).await.unwrap(),
        [7; 60]
    );
    // Another tenant, another reason, another place for the same blob, other bytes.
    let other = KeyPlace::tenant("eu-de", "fabrikam");
    assert!(matches!(
        why(gate.unwrap(&other, &owner("alice"), &blob).await),
        Why::Denied(_)
    ));
    assert!(
        matches!(why(gate.unwrap(&place(), &release(), &blob).await), Why::Denied(said) if said.contains("release"))
    );
    let elsewhere = KeyPlace::tenant("us-east", "contoso");
    assert_eq!(
        why(gate.unwrap(&elsewhere, &owner("alice"), &blob).await),
        Why::NotHere
    );
    assert_eq!(
        why(gate.unwrap(&place(), &owner("alice"), &[1; 60]).await),
        Why::NotHere
    );
    assert!(gate.health().await.unwrap().weakness.is_none());
    let log = customer.log();
    assert_eq!(log.len(), 6, "{log:?}");
    assert_eq!((&*log[0], &*log[1], &*log[4]), ("given", "given", "not here"));
    assert!(log[2].starts_with("denied: ") && log[3].starts_with("denied: "));

    // A list that is emptied counts from the next request; so does one that cannot be read.
    customer.allow("");
    assert!(
        matches!(why(gate.unwrap(&place(), &owner("alice"), &blob).await), Why::Denied(said) if said.contains("empty"))
    );
    assert!(gate.health().await.unwrap().weakness.is_some());
    customer.allow("nonsense = 1");
    assert!(matches!(
        why(gate.unwrap(&place(), &owner("alice"), &blob).await),
        Why::Away(_)
    ));
}

#[tokio::test]
async fn a_person_is_asked_about_each_release_where_the_rule_says_so() {
    let customer = Customer::new(
        "[[allow]]\nreason = \"release\"\ntenants = [\"contoso\"]\ndecide = \"ask\"\n[[allow]]\nreason = \"owner\"\ntenants = [\"contoso\"]\n",
    );
    let (url, public, _task) = customer.serve().await;
    let gate = customer.gate(&url, &public);
    let blob = gate.wrap(&place(), &owner("alice"), &[7; 60]).await.unwrap();
    let Why::Waiting(id) = why(gate.unwrap(&place(), &release(), &blob).await) else {
        panic!("nobody was asked");
    };
    let decisions = Decisions::at(&customer.path("decisions"));
    let waiting = decisions.waiting().unwrap();
    assert_eq!(
        (waiting.len(), &waiting[0].id, &waiting[0].reason),
        (1, &id, &release())
    );
    assert!(
        decisions
            .decide("../../etc/passwd", true, (customer.hands.clock())())
            .is_err()
    );
    decisions.decide(&id, true, (customer.hands.clock())()).unwrap();
    assert!(gate.unwrap(&place(), &release(), &blob).await.is_ok());
    assert_eq!(decisions.waiting().unwrap(), []);
    // It holds for this release, for a day.
    customer.hands.advance(25 * 3600);
    assert!(
        matches!(why(gate.unwrap(&place(), &release(), &blob).await), Why::Waiting(again) if again == id)
    );
    decisions.decide(&id, false, (customer.hands.clock())()).unwrap();
    assert!(
        matches!(why(gate.unwrap(&place(), &release(), &blob).await), Why::Denied(said) if said.contains("person"))
    );
}

/// A request and its answer, each with its headers.
type Passed = (HeaderMap, Bytes, HeaderMap, Bytes);

/// A stand-in between gate and keyholder, which keeps what passes and may answer with something else.
#[derive(Clone)]
struct Between {
    url: String,
    seen: Arc<Mutex<Vec<Passed>>>,
    replay: Arc<Mutex<Option<usize>>>,
}

impl Between {
    async fn before(url: &str) -> (Self, String) {
        let between = Self {
            url: format!("{url}{}", wire::PATH),
            seen: Arc::default(),
            replay: Arc::default(),
        };
        let router = Router::new()
            .route(wire::PATH, post(pass))
            .with_state(between.clone());
        let (url, _) = serve(router).await;
        (between, url)
    }
    async fn send(&self, headers: &HeaderMap, body: &Bytes) -> (u16, HeaderMap, Bytes) {
        let sent = reqwest::Client::new()
            .post(&self.url)
            .header(wire::SIGNATURE, headers[wire::SIGNATURE].clone())
            .body(body.clone())
            .send()
            .await
            .unwrap();
        (
            sent.status().as_u16(),
            sent.headers().clone(),
            sent.bytes().await.unwrap(),
        )
    }
}

async fn pass(State(between): State<Between>, headers: HeaderMap, body: Bytes) -> axum::response::Response {
    let (_, answered, answer) = between.send(&headers, &body).await;
    let mut seen = between.seen.lock().unwrap();
    seen.push((headers, body, answered, answer));
    let which = between.replay.lock().unwrap().unwrap_or(seen.len() - 1);
    let (_, _, answered, answer) = seen[which].clone();
    let mut headers = HeaderMap::new();
    headers.insert(wire::SIGNATURE, answered[wire::SIGNATURE].clone());
    (headers, answer).into_response()
}

#[tokio::test]
async fn replayed_requests_and_swapped_answers_are_refused() {
    let customer = Customer::new(OWNER);
    let (url, public, _task) = customer.serve().await;
    let (between, between_url) = Between::before(&url).await;
    let gate = customer.gate(&between_url, &public);
    let one = gate.wrap(&place(), &owner("alice"), &[1; 60]).await.unwrap();
    let two = gate.wrap(&place(), &owner("alice"), &[2; 60]).await.unwrap();
    assert_eq!(
        *gate.unwrap(&place(), &owner("alice"), &one).await.unwrap(),
        [1; 60]
    );
    // The answer to the question before, to another question.
    *between.replay.lock().unwrap() = Some(2);
    let answer = why(gate.unwrap(&place(), &owner("alice"), &two).await);
    assert!(matches!(answer, Why::Wrong(said) if said.contains("not signed")));

    // The very request, sent again by somebody who saw it: at once, and later.
    let (headers, body, _, _) = between.seen.lock().unwrap()[2].clone();
    let outcome = |bytes: &Bytes| {
        let answer: wire::Answer = serde_json::from_slice(bytes).unwrap();
        answer.outcome
    };
    assert_eq!(
        outcome(&between.send(&headers, &body).await.2),
        wire::Outcome::Replayed
    );
    customer.hands.advance(61);
    assert_eq!(
        outcome(&between.send(&headers, &body).await.2),
        wire::Outcome::Stale
    );
    // One byte of it changed, or signed by a gate that the customer does not know.
    let mut altered = body.to_vec();
    let last = altered.len() - 3;
    altered[last] ^= 1;
    assert_eq!(between.send(&headers, &altered.into()).await.0, 403);
    let stranger = crate::gate(&url, &public, [9; 32], customer.hands.clock());
    assert!(
        matches!(why(stranger.unwrap(&place(), &owner("alice"), &one).await), Why::Wrong(said) if said.contains("403"))
    );
    // A keyholder that is somebody else.
    let other = STANDARD.encode(SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes());
    let fooled = customer.gate(&url, &other);
    assert!(matches!(
        why(fooled.unwrap(&place(), &owner("alice"), &one).await),
        Why::Wrong(_)
    ));
}

#[tokio::test]
async fn a_request_from_before_its_start_or_of_another_time_is_not_answered() {
    let customer = Customer::new(OWNER);
    let (url, public, _task) = customer.serve().await;
    let late = Hands(Arc::new(Mutex::new((customer.hands.clock())())));
    let gate = gate(&url, &public, GATE, late.clock());
    let blob = gate.wrap(&place(), &owner("alice"), &[7; 60]).await.unwrap();
    late.advance(-1);
    assert!(
        matches!(why(gate.unwrap(&place(), &owner("alice"), &blob).await), Why::Wrong(said) if said.contains("clock"))
    );
    late.advance(62);
    assert!(
        matches!(why(gate.unwrap(&place(), &owner("alice"), &blob).await), Why::Wrong(said) if said.contains("clock"))
    );
    late.advance(-1);
    assert!(gate.unwrap(&place(), &owner("alice"), &blob).await.is_ok());
}

#[tokio::test]
async fn stopped_it_is_away_and_started_again_it_goes_on_with_its_log() {
    let customer = Customer::new(OWNER);
    let (url, public, task) = customer.serve().await;
    let gate = customer.gate(&url, &public);
    let blob = gate.wrap(&place(), &owner("alice"), &[7; 60]).await.unwrap();
    task.abort();
    let _ = task.await;
    let answer = why(gate.unwrap(&place(), &owner("alice"), &blob).await);
    assert!(matches!(answer, Why::Away(_)), "{answer:?}");
    let (url, public, _task) = customer.serve().await;
    let gate = customer.gate(&url, &public);
    assert!(gate.unwrap(&place(), &owner("alice"), &blob).await.is_ok());
    assert_eq!(customer.log(), ["given", "given"]);
}

#[tokio::test]
async fn only_https_or_this_machine_is_asked() {
    for (url, usable) in [
        ("http://127.0.0.1:1", true),
        ("http://[::1]:1", true),
        ("https://keys.contoso.example", true),
        ("http://keys.contoso.example", false),
        ("ftp://127.0.0.1", false),
        ("nonsense", false),
    ] {
        let made = Keyholder::new(
            ProviderId::new("k").unwrap(),
            url,
            reqwest::Client::builder(),
            SigningKey::from_bytes(&GATE),
            SigningKey::from_bytes(&GATE).verifying_key(),
            Hands::new().clock(),
        );
        assert_eq!(made.is_ok(), usable, "{url}");
    }
    assert!(Server::open(Path::new("/nonexistent"), Hands::new().clock(), |_| {}).is_err());
}

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
