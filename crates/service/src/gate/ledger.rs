//! The access ledger, as the gate keeps it: an entry is durable before the account's key that it tells of opens.
//!
//! Openings of an account share an entry for a second, and every entry that waits shares one commit, so that a busy
//! account costs one durable write for each time that its key is opened, [`super::owner::ACCOUNT_KEY_TTL`] apart. Which of
//! its objects were opened follows within [`BATCH_AFTER`], in entries of many. Nothing is dropped: where the queue is
//! full, or the database fails, openings wait, and then fail.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use casework::{
    event::Event,
    gate::Refusal,
    ids::{AccountId, CaseId, ObjectId, RegionId, TenantId},
    ledger::{Actor, Entered, Entry, Keys, OBJECTS_MAX, Opening, Reason, heads::NewestHead, telling},
};
use envelope::{
    keys::{Place, WrappedAccount},
    opening_reason::OwnerRequest,
};
use jiff::SignedDuration;
use store::{
    database::Database,
    gate_memory::{GateMemory, MemoryError, Remembers as _},
    ledger::{LedgerStore, LedgerStoreError},
};
use tokio::sync::{Notify, Semaphore, oneshot};

use super::{
    Clock,
    owner::{ACCOUNT_KEY_TTL_MAX, GateError},
};

/// How long an entry stands for further openings of the same kind.
pub const COVERS: Duration = Duration::from_secs(1);
/// When the objects opened are entered, at the latest, where the database answers.
pub const BATCH_AFTER: Duration = Duration::from_millis(500);
/// Most openings of objects that wait to be entered.
pub const QUEUE_MAX: usize = 65_536;
/// How long an opening waits for room in the queue before it fails.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Most kinds of openings whose newest entry is remembered.
const COVERED_MAX: usize = 10_000;
/// Time between tries to write what could not be written.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// Why the ledger did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Its database.
    #[error(transparent)]
    Store(#[from] LedgerStoreError),
    /// What the gate remembers of the case.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The case does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A remote gate did not answer.
    #[error(transparent)]
    NoAnswer(#[from] super::NoAnswer),
    /// The check was interrupted.
    #[error("the case could not be checked")]
    Interrupted,
}

/// The ledger, as those beside the gate see it: they read it, have the days' slots written, and show cases whose gags may have
/// ended. Nobody but the gate enters anything.
#[async_trait]
pub trait LedgerGate: Send + Sync {
    /// A tenant's entries, beginning after number `after`.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn page(
        &self,
        tenant: &TenantId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, LedgerError>;

    /// How far each tenant's ledger has come, by tenant, beginning after `after`; empty at the end.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn heads(&self, after: Option<&TenantId>) -> Result<Vec<NewestHead>, LedgerError>;

    /// Writes the slots of days that are over, and begins the ledgers that are not there yet.
    ///
    /// # Errors
    /// When it cannot be written.
    async fn keep_slots(&self, tenants: &[TenantId]) -> Result<(), LedgerError>;

    /// Cases with something sealed, by id, beginning after `after`; empty at the end.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn sealed(&self, after: Option<CaseId>) -> Result<Vec<CaseId>, LedgerError>;

    /// Unseals what a case's gags sealed, towards each customer whom nothing forbids to be told any more, by the gate's own
    /// clock and reading of the whole chain. Where a gag stands, nothing changes.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] where the chain does not hold, or is shorter than the gate knows it to be.
    async fn unseal(&self, case: CaseId, chain: Vec<Event>) -> Result<(), LedgerError>;
}

/// What is opened, and why, apart from the moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Matter {
    tenant: TenantId,
    region: RegionId,
    account: Option<AccountId>,
    actor: Actor,
    reason: Reason,
}

impl Matter {
    /// An owner's request to one of its accounts.
    pub(super) fn owner(owner: &OwnerRequest, chain: &WrappedAccount) -> Result<Self, GateError> {
        Ok(Self {
            actor: Actor::Tenant {
                access_key: owner.credential().to_owned(),
            },
            reason: Reason::OwnRequest,
            ..Self::provider(chain.place(), Some(&chain.account), Reason::OwnRequest)?
        })
    }

    /// The provider's own doing at a place.
    pub(super) fn provider(
        place: Place<'_>,
        account: Option<&str>,
        reason: Reason,
    ) -> Result<Self, GateError> {
        let refused = |_| GateError::Refused;
        Ok(Self {
            tenant: TenantId::new(place.tenant).map_err(refused)?,
            region: RegionId::new(place.region).map_err(refused)?,
            account: account.map(AccountId::new).transpose().map_err(refused)?,
            actor: Actor::Provider,
            reason,
        })
    }
}

/// The ledger in this process.
pub struct Ledger {
    inner: Arc<Inner>,
    writing: tokio::task::AbortHandle,
}

struct Inner {
    store: LedgerStore,
    memory: GateMemory,
    clock: Clock,
    state: Mutex<State>,
    /// Room in the queue.
    room: Semaphore,
    /// Something waits.
    woken: Notify,
    /// Somebody waits for it.
    urgent: Notify,
    /// One write at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Until when the newest entry of a kind stands.
    covered: HashMap<(Matter, Keys), Instant>,
    asked: Vec<(Matter, Keys, oneshot::Sender<bool>)>,
    batches: BTreeMap<Matter, Batch>,
}

struct Batch {
    from: jiff::Timestamp,
    until: jiff::Timestamp,
    objects: BTreeSet<ObjectId>,
    /// Room that it takes in the queue.
    noted: usize,
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.writing.abort();
    }
}

impl Ledger {
    /// The ledgers in the gate's database. What it is told is written by a task of its own, in the runtime that it is opened
    /// in.
    pub fn open(database: Database, clock: Clock) -> Self {
        let inner = Arc::new(Inner {
            store: LedgerStore::new(database.clone()),
            memory: GateMemory::new(database),
            clock,
            state: Mutex::default(),
            room: Semaphore::new(QUEUE_MAX),
            woken: Notify::new(),
            urgent: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
        });
        let writing = tokio::spawn(write_on(Arc::clone(&inner))).abort_handle();
        Self { inner, writing }
    }

    /// Writes what still waits.
    ///
    /// # Errors
    /// When it cannot be written; it waits on.
    pub async fn flush(&self) -> Result<(), LedgerError> {
        Ok(self.inner.write().await?)
    }

    /// Returns once an entry about this is durable: one of this very moment, or of the second before it.
    pub(super) async fn enter(&self, matter: Matter, keys: Keys) -> Result<(), GateError> {
        let key = (matter, keys);
        let (done, entered) = oneshot::channel();
        {
            let mut state = self.inner.state();
            if state
                .covered
                .get(&key)
                .is_some_and(|until| Instant::now() < *until)
            {
                return Ok(());
            }
            state.asked.push((key.0, key.1, done));
        }
        self.inner.urgent.notify_one();
        self.inner.woken.notify_one();
        match tokio::time::timeout(PATIENCE, entered).await {
            Ok(Ok(true)) => Ok(()),
            _ => Err(GateError::NotEntered),
        }
    }

    /// Notes that an object's key is about to be opened. Waits for room.
    pub(super) async fn note(&self, matter: Matter, object: [u8; 16]) -> Result<(), GateError> {
        let room = tokio::time::timeout(PATIENCE, self.inner.room.acquire()).await;
        let Ok(Ok(room)) = room else {
            return Err(GateError::NotEntered);
        };
        room.forget();
        let now = (self.inner.clock)();
        let mut state = self.inner.state();
        let batch = state.batches.entry(matter).or_insert_with(|| Batch {
            from: now,
            until: now,
            objects: BTreeSet::new(),
            noted: 0,
        });
        batch.until = batch.until.max(now);
        batch.objects.insert(ObjectId(uuid::Uuid::from_bytes(object)));
        batch.noted += 1;
        drop(state);
        self.inner.woken.notify_one();
        Ok(())
    }
}

async fn write_on(inner: Arc<Inner>) {
    loop {
        inner.woken.notified().await;
        // What nobody waits for waits for company.
        let _ = tokio::time::timeout(BATCH_AFTER, inner.urgent.notified()).await;
        while let Err(error) = inner.write().await {
            tracing::error!(%error, "the access ledger cannot be written; no key opens until it can");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes everything that waits, in one commit. Who waits is told either way; what nobody waits for is kept where it
    /// could not be written.
    async fn write(&self) -> Result<(), LedgerStoreError> {
        let _turn = self.turn.lock().await;
        let (asked, batches) = {
            let mut state = self.state();
            (
                std::mem::take(&mut state.asked),
                std::mem::take(&mut state.batches),
            )
        };
        if asked.is_empty() && batches.is_empty() {
            return Ok(());
        }
        let (now, begun) = ((self.clock)(), Instant::now());
        let kinds: BTreeSet<_> = asked.iter().map(|(matter, keys, _)| (matter, *keys)).collect();
        let mut entered: Vec<Entered> = kinds
            .iter()
            .map(|(matter, keys)| asked_for(matter, *keys, now))
            .collect();
        entered.extend(batches.iter().flat_map(|(matter, batch)| opened(matter, batch)));
        let written = self.store.enter(&entered, now).await;
        let mut state = self.state();
        match &written {
            Ok(()) => {
                if state.covered.len() + kinds.len() > COVERED_MAX {
                    state.covered.retain(|_, until| begun < *until);
                }
                if state.covered.len() + kinds.len() <= COVERED_MAX {
                    let kinds = kinds.iter().map(|(matter, keys)| ((*matter).clone(), *keys));
                    state.covered.extend(kinds.map(|kind| (kind, begun + COVERS)));
                }
                self.room
                    .add_permits(batches.values().map(|batch| batch.noted).sum());
            }
            Err(_) => {
                for (matter, batch) in batches {
                    match state.batches.entry(matter) {
                        std::collections::btree_map::Entry::Vacant(place) => {
                            place.insert(batch);
                        }
                        std::collections::btree_map::Entry::Occupied(mut place) => {
                            let newer = place.get_mut();
                            newer.from = newer.from.min(batch.from);
                            newer.objects.extend(batch.objects);
                            newer.noted += batch.noted;
                        }
                    }
                }
            }
        }
        drop(state);
        for (_, _, done) in asked {
            let _ = done.send(written.is_ok());
        }
        written
    }
}

/// The entry before a key above objects opens. An account's key is then kept for a while, which the entry says.
fn asked_for(matter: &Matter, keys: Keys, now: jiff::Timestamp) -> Entered {
    let kept = match (keys, &matter.reason) {
        (Keys::Account, Reason::OwnRequest) => COVERS + ACCOUNT_KEY_TTL_MAX,
        _ => COVERS,
    };
    let until = SignedDuration::try_from(kept).map_or(now, |kept| now.saturating_add(kept).unwrap_or(now));
    entry(matter, keys, (now, until), Vec::new())
}

fn opened<'a>(matter: &'a Matter, batch: &'a Batch) -> impl Iterator<Item = Entered> {
    let objects: Vec<_> = batch.objects.iter().copied().collect();
    let entries: Vec<_> = objects
        .chunks(OBJECTS_MAX)
        .map(|objects| entry(matter, Keys::Objects, (batch.from, batch.until), objects.to_vec()))
        .collect();
    entries.into_iter()
}

fn entry(
    matter: &Matter,
    keys: Keys,
    (from, until): (jiff::Timestamp, jiff::Timestamp),
    objects: Vec<ObjectId>,
) -> Entered {
    Entered {
        tenant: matter.tenant.clone(),
        sealed: None,
        opening: Opening {
            actor: matter.actor.clone(),
            reason: matter.reason.clone(),
            keys,
            region: matter.region.clone(),
            account: matter.account.clone(),
            from,
            until,
            objects,
        },
    }
}

#[async_trait]
impl LedgerGate for Ledger {
    async fn page(
        &self,
        tenant: &TenantId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, LedgerError> {
        Ok(self.inner.store.page(tenant, after, limit).await?)
    }

    async fn heads(&self, after: Option<&TenantId>) -> Result<Vec<NewestHead>, LedgerError> {
        Ok(self.inner.store.heads(after).await?)
    }

    async fn keep_slots(&self, tenants: &[TenantId]) -> Result<(), LedgerError> {
        let now = (self.inner.clock)();
        Ok(self.inner.store.keep_slots(tenants, now).await?)
    }

    async fn sealed(&self, after: Option<CaseId>) -> Result<Vec<CaseId>, LedgerError> {
        Ok(self.inner.store.sealed(after).await?)
    }

    async fn unseal(&self, case: CaseId, chain: Vec<Event>) -> Result<(), LedgerError> {
        let tenants = self.inner.store.sealed_from(case).await?;
        if tenants.is_empty() {
            return Ok(());
        }
        let nobody = casework::ids::RecordId(uuid::Uuid::nil());
        let memory = self.inner.memory.recall(nobody, case).await?;
        // What is sealed was sealed with a release, and that the gate remembers.
        if memory.seen.is_none() {
            return Err(LedgerError::Refused(Refusal::promise(
                casework::finding::Promise::P14,
                "the gate remembers nothing of this case",
                "restore the gate's memory",
            )));
        }
        let now = (self.inner.clock)();
        let checked = tokio::task::spawn_blocking(move || telling(case, chain, &memory, tenants, now));
        let telling = checked.await.map_err(|_| LedgerError::Interrupted)??;
        Ok(self.inner.store.unseal(&telling).await?)
    }
}

#[cfg(test)]
mod tests;
