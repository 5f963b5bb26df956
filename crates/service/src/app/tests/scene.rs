//! A desk over a real database and directory, with a docket, vault and gate that a test can look into.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use casework::{
    demand::Category,
    event::{Actor, Body, Channel, Event, Header, approval_message},
    finding::{Assessment, Finding, Promise, RulebookRef},
    gate::Refusal,
    ids::{CaseId, Digest, RecordId, StaffId},
    promise::Reviewers,
    record::{Recipient, ReleaseRecord},
    rulebook::Rulebook,
};
use ed25519_dalek::{Signer as _, SigningKey};
use envelope::case_file::CaseRoot;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use store::cases::{CaseStore, Connection};
use translog::{entry::Salt, proof::Receipt};

use crate::app::{
    Desk, Parts,
    clock::{Entropy, NoEntropy, SteppedClock},
    course::Plan,
    faults::{Faults, Injected, NoFaults, Step, When},
    ports::*,
};

mod vault;

use vault::object_key;
pub(crate) use vault::{TestVault, account};

pub(crate) const START: &str = "2026-11-02T09:00:00Z";
/// A made recipient; its secret was thrown away.
pub(crate) const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

pub(crate) struct Scene {
    pub(crate) dir: Arc<tempfile::TempDir>,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) docket: Arc<TestDocket>,
    pub(crate) vault: Arc<TestVault>,
    pub(crate) gate: Arc<TestGate>,
    pub(crate) desk: Desk,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(NoFaults)).await
    }

    pub(crate) async fn with(faults: Arc<dyn Faults>) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(SteppedClock::new(START.parse().unwrap()));
        let (docket, vault, gate) = (
            Arc::default(),
            Arc::new(TestVault::new()),
            Arc::new(TestGate::default()),
        );
        let desk = open(&dir, &clock, &docket, &vault, &gate, faults).await;
        Self {
            dir,
            clock,
            docket,
            vault,
            gate,
            desk,
        }
    }

    /// The process ends and another begins over what is on the disk.
    pub(crate) async fn restart(&mut self, faults: Arc<dyn Faults>) {
        self.desk = open(
            &self.dir,
            &self.clock,
            &self.docket,
            &self.vault,
            &self.gate,
            faults,
        )
        .await;
    }

    /// A case whose demand names `alice`, looked up, and judged to allow everything.
    pub(crate) async fn ready(&self) -> CaseId {
        let intake = self
            .desk
            .intake(&demand("alice"), Channel::Paper, Some(staff("ines")))
            .await
            .unwrap();
        self.judge(intake.case).await;
        intake.case
    }

    pub(crate) async fn judge(&self, case: CaseId) {
        self.judge_with(case, Vec::new()).await;
    }

    pub(crate) async fn judge_with(&self, case: CaseId, findings: Vec<Finding>) {
        self.desk
            .resolve(case, Actor::Staff(staff("ruth")), &[])
            .await
            .unwrap();
        self.assessed(case, findings).await;
    }

    /// An assessment of the test's own, after which content may be released.
    pub(crate) async fn assessed(&self, case: CaseId, findings: Vec<Finding>) {
        let assessment = Assessment {
            rulebook: RulebookRef {
                digest: Rulebook::builtin().digest(),
                as_of: "2026-11-02".parse().unwrap(),
                language: "test".into(),
            },
            findings,
            releasable: vec![Category::Content],
        };
        let body = Body::Assessed { assessment };
        self.desk
            .step(case, |_| Ok(Some(Plan::new(Actor::System, body.clone()))))
            .await
            .unwrap();
    }

    pub(crate) async fn propose(&self, case: CaseId) -> ReleaseRecord {
        let recipient = Recipient {
            name: "District Court".into(),
            age: AGE.into(),
        };
        self.desk
            .propose(
                case,
                Actor::Staff(staff("ruth")),
                recipient,
                SignedDuration::from_hours(24),
            )
            .await
            .unwrap()
    }

    pub(crate) async fn approve(
        &self,
        case: CaseId,
        record: &ReleaseRecord,
        who: &str,
    ) -> crate::app::Result<()> {
        let signature = sign(who, &approval_message(&record.digest().unwrap()));
        self.desk.approve(case, record.id, &staff(who), &signature).await
    }

    pub(crate) async fn approved(&self, case: CaseId) -> RecordId {
        let record = self.propose(case).await;
        for who in ["ruth", "sven"] {
            self.approve(case, &record, who).await.unwrap();
        }
        record.id
    }
}

async fn open(
    dir: &tempfile::TempDir,
    clock: &Arc<SteppedClock>,
    docket: &Arc<TestDocket>,
    vault: &Arc<TestVault>,
    gate: &Arc<TestGate>,
    faults: Arc<dyn Faults>,
) -> Desk {
    let database = store::testkit::database(&dir.path().join("amparo.db")).await;
    let packages = dir.path().join("packages");
    std::fs::create_dir_all(&packages).unwrap();
    Desk::new(Parts {
        provider: "Example Cloud".into(),
        cases: CaseStore::new(database.clone(), Arc::new(CaseRoot::from_bytes([1; 32]))),
        docket: docket.clone(),
        vault: vault.clone(),
        gate: gate.clone(),
        reviewers: reviewers(),
        rulebook: Rulebook::builtin(),
        packages,
        clock: clock.clone(),
        entropy: Arc::new(Counted),
        faults,
    })
}

pub(crate) fn staff(id: &str) -> StaffId {
    StaffId::new(id).unwrap()
}

pub(crate) fn demand(account: &str) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({
        "schema": "amparo.demand/1",
        "instrument": "us.warrant.sca",
        "reference": "26-mj-100",
        "served_at": START,
        "issued_on": "2026-10-30",
        "requester": {"authority": "District Court", "country": "US", "kind": "court"},
        "subjects": [{"type": "account", "value": account}],
        "categories": ["content"],
        "window": {"from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"},
    }))
    .unwrap()
}

fn key_of(who: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(who).into())
}

pub(crate) fn sign(who: &str, message: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(key_of(who).sign(message).to_bytes())
}

fn reviewers() -> Reviewers {
    let key = |who: &&str| (staff(who), key_of(who).verifying_key().to_bytes());
    Reviewers {
        keys: ["ruth", "sven", "ines"].iter().map(key).collect(),
        senior: BTreeSet::from([staff("sven")]),
        counsel: ["clara"].iter().map(key).collect(),
    }
}

/// Different bytes on every call, also after a restart: what matters is that they never repeat.
struct Counted;

static DRAWN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl Entropy for Counted {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let number = DRAWN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        for (block, piece) in bytes.chunks_mut(32).enumerate() {
            let hash = Sha256::digest(format!("{number}/{block}"));
            piece.copy_from_slice(&hash[..piece.len()]);
        }
        Ok(())
    }
}

/// Everything enqueued is logged at once, unless the docket is held up.
#[derive(Default)]
pub(crate) struct TestDocket {
    pub(crate) entries: Mutex<Vec<(&'static str, Digest)>>,
    pub(crate) held_up: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl DocketPort for TestDocket {
    async fn enqueue(
        &self,
        _tx: &mut Connection,
        kind: &'static str,
        digest: Digest,
    ) -> Result<i64, PortError> {
        let mut entries = self.entries.lock().unwrap();
        entries.push((kind, digest));
        Ok(entries.len() as i64)
    }
    async fn receipt(&self, entry: i64) -> Result<Option<Issued>, PortError> {
        if self.held_up.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(None);
        }
        let receipt = Receipt {
            extra: None,
            index: entry as u64,
            path: Vec::new(),
            checkpoint: "test.example/docket\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n".into(),
        };
        Ok(Some(Issued {
            receipt,
            salt: Salt([3; 32]),
        }))
    }
    async fn wait(&self, entry: i64, _patience: Duration) -> Result<Option<Issued>, PortError> {
        self.receipt(entry).await
    }
}

/// Opens whatever is presented, once, and insists that the case says it is logged.
#[derive(Default)]
pub(crate) struct TestGate {
    pub(crate) used: Mutex<BTreeSet<RecordId>>,
    pub(crate) refuses: Mutex<Option<&'static str>>,
    pub(crate) observed: Mutex<BTreeMap<CaseId, (u64, Digest)>>,
    /// Cases of which something is sealed in a customer's ledger.
    pub(crate) sealed: Mutex<BTreeSet<CaseId>>,
    /// How long each case was when it was shown to have its ledger entries unsealed.
    pub(crate) shown: Mutex<BTreeMap<CaseId, usize>>,
}

#[async_trait]
impl GatePort for TestGate {
    async fn release(&self, request: GateRequest) -> Result<GateAnswer, PortError> {
        let record = request.record.id;
        let logged = |body: &Body| matches!(body, Body::Logged { record: logged, .. } if *logged == record);
        assert!(
            request.chain.iter().any(|event| logged(&event.body)),
            "presented before it was logged"
        );
        if let Some(reason) = *self.refuses.lock().unwrap() {
            return Ok(GateAnswer::Refused(Refusal::promise(
                Promise::P8,
                reason,
                "redirect first",
            )));
        }
        if !self.used.lock().unwrap().insert(record) {
            return Ok(GateAnswer::Refused(Refusal::invariant(
                2,
                "the record was used before",
                "draw up a new one",
            )));
        }
        let keys = request
            .record
            .objects
            .iter()
            .map(|object| (object.object, object_key()));
        Ok(GateAnswer::Opened(keys.collect()))
    }
    async fn observe(&self, case: CaseId, headers: Vec<Header>) -> Result<(), PortError> {
        let mut observed = self.observed.lock().unwrap();
        let known = observed.get(&case).copied();
        let came = casework::chain::follow(case, known, &headers).map_err(|error| PortError {
            part: "gate",
            reason: error.to_string(),
        })?;
        observed.extend(came.map(|came| (case, came)));
        Ok(())
    }
    async fn known(&self, case: CaseId) -> Result<Option<(u64, Digest)>, PortError> {
        Ok(self.observed.lock().unwrap().get(&case).copied())
    }
    async fn sealed(&self, after: Option<CaseId>) -> Result<Vec<CaseId>, PortError> {
        let sealed = self.sealed.lock().unwrap();
        Ok(sealed
            .iter()
            .filter(|case| after.is_none_or(|after| **case > after))
            .copied()
            .collect())
    }
    async fn unseal(&self, case: CaseId, chain: Vec<Event>) -> Result<(), PortError> {
        self.shown.lock().unwrap().insert(case, chain.len());
        Ok(())
    }
}

/// Fails, or hangs for ever, the first time that a step comes by.
pub(crate) struct Script {
    pub(crate) step: Step,
    pub(crate) when: When,
    pub(crate) hangs: bool,
    pub(crate) struck: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Faults for Script {
    async fn at(&self, step: Step, when: When) -> Result<(), Injected> {
        let here = step == self.step && when == self.when;
        if !here || self.struck.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return Ok(());
        }
        if self.hangs {
            futures::future::pending::<()>().await;
        }
        Err(Injected(step, when))
    }
}

pub(crate) fn now() -> Timestamp {
    START.parse().unwrap()
}
