//! The release door against faults: whatever fails, and wherever it stops, nothing is released twice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what went wrong by stopping"
)]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use casework::{
    event::Header,
    gate::{Breach, Memory, Moved, Remember},
    ids::{CaseId, Digest, RecordId},
    ledger::{Actor, Body, Opening, Reason},
    record::{AccountRef, label},
    rulebook::Rulebook,
    testkit::World,
};
use envelope::keys::{AccountKey, ObjectKey, Place, RegionRoot, TenantKey, WrappedAccount, WrappedChain};
use jiff::Timestamp;
use service::gate::{EmbeddedGate, RegionRoots, ReleaseGate, ReleaseRequest};
use store::{
    database::Database,
    gate_memory::{GateMemory, MemoryError, Remembers},
    ledger::LedgerStore,
};

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// Where the memory fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Nowhere,
    Recall,
    BeforeWriting,
    /// Written, and reported as failed: the commit's answer was lost.
    AfterWriting,
    /// Written, and the process stops before it goes on.
    Crash,
}

struct Faulty {
    inner: GateMemory,
    fault: Fault,
    writes: AtomicU32,
}

fn broken() -> MemoryError {
    MemoryError::Corrupt("row")
}

#[async_trait]
impl Remembers for Faulty {
    async fn recall(&self, record: RecordId, case: CaseId) -> Result<Memory, MemoryError> {
        if self.fault == Fault::Recall {
            return Err(broken());
        }
        self.inner.recall(record, case).await
    }
    async fn moved(&self, accounts: &[AccountRef]) -> Result<Vec<Moved>, MemoryError> {
        self.inner.moved(accounts).await
    }
    async fn observe(&self, case: CaseId, headers: &[Header]) -> Result<(), MemoryError> {
        self.inner.observe(case, headers).await
    }
    async fn remember_batch(
        &self,
        decision: &Remember,
        headers: &[Header],
        to: &[AccountRef],
    ) -> Result<(), MemoryError> {
        self.inner.remember_batch(decision, headers, to).await
    }
    async fn remember(&self, decision: &Remember) -> Result<(), MemoryError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::BeforeWriting => Err(broken()),
            Fault::AfterWriting => {
                self.inner.remember(decision).await?;
                Err(broken())
            }
            Fault::Crash => {
                self.inner.remember(decision).await?;
                std::future::pending().await
            }
            Fault::Nowhere | Fault::Recall => self.inner.remember(decision).await,
        }
    }
}

/// A world whose objects have real keys under a real root.
struct Deployment {
    world: World,
    keys: Vec<WrappedChain>,
    _dir: tempfile::TempDir,
    database: Database,
}

const ROOT: [u8; 32] = [11; 32];

impl Deployment {
    async fn new() -> Self {
        let mut world = World::new(Rulebook::builtin(), 4);
        let mut keys = Vec::new();
        for (number, object) in world.objects.iter_mut().enumerate() {
            let place = Place {
                region: object.account.region.as_str(),
                tenant: object.account.tenant.as_str(),
            };
            let account_name = object.account.account.as_str();
            let (tenant, account) = (TenantKey::from_random([1; 32]), AccountKey::from_random([2; 32]));
            let id = *object.object.0.as_bytes();
            let key = ObjectKey::from_random([u8::try_from(number).unwrap(); 32]);
            let label = label(object.category, object.concerns_at);
            let object_key = key
                .wrap(&account, place, account_name, &id, &label, [3; 12])
                .unwrap();
            let chain = WrappedChain {
                account: WrappedAccount {
                    region: place.region.to_owned(),
                    tenant: place.tenant.to_owned(),
                    account: account_name.to_owned(),
                    tenant_key: tenant
                        .wrap(&RegionRoot::from_random(ROOT), place, [4; 12])
                        .unwrap()
                        .into(),
                    account_key: account.wrap(&tenant, place, account_name, [5; 12]).unwrap(),
                },
                object: id,
                label,
                object_key,
            };
            object.key = Digest(chain.object_key.digest());
            keys.push(chain);
        }
        let dir = tempfile::tempdir().unwrap();
        let database = store::testkit::database(&dir.path().join("gate.sqlite")).await;
        Self {
            world,
            keys,
            _dir: dir,
            database,
        }
    }

    /// The openings that the customer's ledger tells of.
    async fn told(&self) -> Vec<Opening> {
        let tenant = &self.world.objects[0].account.tenant;
        let entries = LedgerStore::new(self.database.clone())
            .page(tenant, None, 10)
            .await;
        let entries = entries.unwrap().into_iter();
        let openings = entries.filter_map(|entry| match entry.body {
            Body::Opening { opening } => Some(opening),
            Body::Slot { .. } => None,
        });
        openings.collect()
    }

    fn gate(&self, fault: Fault) -> EmbeddedGate {
        let region = self.world.objects[0].account.region.clone();
        let memory = GateMemory::new(self.database.clone());
        EmbeddedGate::new(
            Arc::new(RegionRoots::new([(region, RegionRoot::from_random(ROOT))])),
            Arc::new(Faulty {
                inner: memory,
                fault,
                writes: AtomicU32::new(0),
            }),
            self.world.policy(),
            vec![],
            std::sync::Arc::new(now),
        )
    }

    fn request(&mut self) -> impl Fn() -> ReleaseRequest + use<> {
        let steps = self.world.steps();
        let record = self.world.record(&steps);
        let shown = self.world.show(&steps, record);
        let keys = self.keys.clone();
        move || {
            let shown = shown.clone();
            ReleaseRequest {
                chain: shown.events,
                record: shown.record,
                salt: shown.salt,
                receipt: shown.receipt,
                consistency: shown.consistency,
                keys: keys.clone(),
            }
        }
    }
}

#[tokio::test]
async fn invariant_02_a_release_opens_exactly_the_keys_named_and_once() {
    let mut deployment = Deployment::new().await;
    let request = deployment.request();
    let gate = deployment.gate(Fault::Nowhere);
    let opened = gate
        .release(request())
        .await
        .unwrap_or_else(|refusal| panic!("{refusal}"));
    let named: Vec<_> = deployment
        .world
        .objects
        .iter()
        .map(|object| object.object)
        .collect();
    assert_eq!(
        opened.keys.iter().map(|(object, _)| *object).collect::<Vec<_>>(),
        named
    );
    assert_eq!(opened.kept.len(), 10);
    let told = deployment.told().await;
    let record = request().record;
    assert_eq!(
        (told.len(), &told[0].objects, &told[0].actor, &told[0].reason),
        (
            1,
            &named,
            &Actor::Provider,
            &Reason::Release {
                case: record.case,
                record: record.id,
                digest: record.digest().unwrap(),
            }
        )
    );
    assert_eq!(
        gate.remembered("docket.test").await.unwrap().unwrap(),
        deployment.world.docket.checkpoint()
    );
    let again = gate.release(request()).await.err().unwrap();
    assert_eq!(again.breach, Breach::Invariant(2));
    assert!(again.reason.contains("used before"));
    // Nor at another gate on the same memory.
    assert!(deployment.gate(Fault::Nowhere).release(request()).await.is_err());
}

#[tokio::test]
async fn invariant_02_keys_that_the_record_does_not_name_are_refused_before_it_is_used() {
    let mut deployment = Deployment::new().await;
    let request = deployment.request();
    let gate = deployment.gate(Fault::Nowhere);
    type Alter = fn(&mut Vec<WrappedChain>);
    let table: [(&str, Alter); 5] = [
        ("does not name object", |keys| {
            let mut extra = keys[0].clone();
            extra.object = [77; 16];
            keys.push(extra);
        }),
        ("is missing", |keys| keys.truncate(1)),
        ("has two keys", |keys| keys.push(keys[0].clone())),
        ("not the one that the record names", |keys| {
            keys[0].object_key = keys[1].object_key.clone()
        }),
        ("not the one that the record names", |keys| {
            keys[0].account.tenant = "fabrikam".to_owned()
        }),
    ];
    for (says, alter) in table {
        let mut altered = request();
        alter(&mut altered.keys);
        let refusal = gate.release(altered).await.err().unwrap();
        assert_eq!(refusal.breach, Breach::Invariant(2));
        assert!(refusal.reason.contains(says), "{refusal}");
    }
    gate.release(request())
        .await
        .unwrap_or_else(|refusal| panic!("{refusal}"));
}

/// For each fault: what the first attempt gives, and whether a second may still succeed. A second success after a first
/// would be a double release; the table holds none.
#[tokio::test]
async fn invariant_07_no_fault_of_the_memory_releases_twice() {
    let table = [
        (Fault::Nowhere, true, false),
        (Fault::Recall, false, true),
        (Fault::BeforeWriting, false, true),
        (Fault::AfterWriting, false, false),
        (Fault::Crash, false, false),
    ];
    for (fault, first, second) in table {
        let mut deployment = Deployment::new().await;
        let request = deployment.request();
        let attempt = deployment.gate(fault);
        let patience = std::time::Duration::from_secs(if fault == Fault::Crash { 5 } else { 60 });
        // Dropping the attempt is the crash: nothing after that point runs.
        let outcome = tokio::time::timeout(patience, attempt.release(request())).await;
        let released = matches!(outcome, Ok(Ok(_)));
        assert_eq!(released, first, "{fault:?}, first attempt");
        if let Ok(Err(refusal)) = outcome {
            assert_eq!(refusal.breach, Breach::Invariant(7), "{fault:?}: {refusal}");
        }
        drop(attempt);
        // The customer's ledger tells of it exactly where the record is used up: before any key opened.
        assert_eq!(deployment.told().await.is_empty(), second, "{fault:?}");
        let outcome = deployment.gate(Fault::Nowhere).release(request()).await;
        assert_eq!(outcome.is_ok(), second, "{fault:?}, second attempt");
        assert!(!(first && second));
    }
}

#[tokio::test]
async fn p10_a_gagged_release_is_sealed_from_the_customer_in_the_same_transaction() {
    let mut deployment = Deployment::new().await;
    deployment.world.demand.gag = Some(World::gag(Some("2026-11-30")));
    let request = deployment.request();
    let opened = deployment.gate(Fault::Nowhere).release(request()).await;
    assert!(opened.is_ok());
    assert_eq!(deployment.told().await, []);
    let ledger = LedgerStore::new(deployment.database.clone());
    assert_eq!(ledger.sealed(None).await.unwrap(), [deployment.world.case]);
}

#[tokio::test]
async fn two_releases_at_once_of_one_record_give_one() {
    let mut deployment = Deployment::new().await;
    let request = deployment.request();
    let (one, two) = (deployment.gate(Fault::Nowhere), deployment.gate(Fault::Nowhere));
    let (a, b) = tokio::join!(one.release(request()), two.release(request()));
    assert_eq!(u8::from(a.is_ok()) + u8::from(b.is_ok()), 1);
}
