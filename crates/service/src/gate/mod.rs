//! The gate: the one place that holds root keys, and the only way to any object's key.
//!
//! It has two doors through which keys leave. [`owner`]: a tenant's own authenticated request. [`release`]: a release
//! record that two people signed and the docket holds, after the gate itself recomputed the case. There is no third.
//! What [`rewrapping`] does for a rotation, and [`transfer`] for a move between regions, takes keys from under one key to
//! under another, and gives none out; [`handing`] gives them to the gate of another node alone, sealed.

pub mod handing;
pub mod ledger;
pub mod owner;
pub mod release;
pub mod remote;
mod rewrapping;
mod roots;
pub mod transfer;

use std::sync::Arc;

use async_trait::async_trait;
use casework::{
    event::Header,
    gate::{Memory, Refusal, TrustPolicy},
    ids::{CaseId, Digest, ObjectId, RecordId},
    record::AccountRef,
    rulebook::Rulebook,
};
use envelope::{
    held::WrappedTenant,
    keys::{TenantKey, Wrapped, WrappedAccount},
};
use jiff::Timestamp;
use store::gate_memory::{MemoryError, Remembers};
use tokio::sync::Mutex;
use translog::Checkpoint;

use crate::keys::Reason;

pub use handing::{Batch, Offer, TakingOver};
pub use ledger::{Ledger, LedgerGate};
pub use release::{Opened, ReleaseRequest};
pub use rewrapping::{RewrapAccounts, RewrapObjects};
pub use roots::RegionRoots;
pub use transfer::TransferRequest;

use owner::GateError;

/// What tells the gate the time: its own machine's clock, never the caller's word.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The doors for the provider, as the desk and the mover see them: embedded, or in a process of its own.
#[async_trait]
pub trait ReleaseGate: Send + Sync {
    /// Opens exactly the keys that a release record names, once.
    ///
    /// # Errors
    /// [`NotReleased`]: refused, or no answer.
    async fn release(&self, request: ReleaseRequest) -> Result<Opened, NotReleased>;

    /// Wraps keys anew for a transfer between regions, in the order given. No key leaves the gate.
    ///
    /// # Errors
    /// [`NotReleased`]: refused, or no answer. Then nothing was wrapped, or nobody has what was.
    async fn transfer(&self, request: TransferRequest) -> Result<Vec<(ObjectId, Wrapped)>, NotReleased>;

    /// A public key for one batch of a transfer that comes here from another node's region.
    ///
    /// # Errors
    /// [`NotReleased`]: refused, or no answer.
    async fn offer(&self, request: TransferRequest) -> Result<Offer, NotReleased>;

    /// Seals keys to an offer of another node's gate. No key leaves the gate but sealed so.
    ///
    /// # Errors
    /// [`NotReleased`]: refused, or no answer.
    async fn hand_over(&self, request: TransferRequest, offer: Offer) -> Result<Batch, NotReleased>;

    /// Wraps keys that another node's gate sealed to an offer of this one, in the order given. No key leaves the gate.
    ///
    /// # Errors
    /// [`NotReleased`]: refused, or no answer; then ask for another offer.
    async fn take_over(&self, request: TakingOver) -> Result<Vec<(ObjectId, Wrapped)>, NotReleased>;

    /// Notes how far a case, or a transfer, has come, by the headers that follow on what is known of it. What is known
    /// already, or is shorter, changes nothing.
    ///
    /// # Errors
    /// When they do not follow on it, the memory cannot be written, or no answer comes.
    async fn observe(&self, case: CaseId, headers: Vec<Header>) -> Result<(), NoAnswer>;

    /// How far the gate knows a case to have come.
    ///
    /// # Errors
    /// When the memory cannot be read, or no answer comes.
    async fn known(&self, case: CaseId) -> Result<Option<(u64, Digest)>, NoAnswer>;

    /// The checkpoint of a log that the gate remembers: prove the receipt's consistent with this one.
    ///
    /// # Errors
    /// When the memory cannot be read, or no answer comes.
    async fn remembered(&self, origin: &str) -> Result<Option<Checkpoint>, NoAnswer>;
}

/// Why nothing was released.
#[derive(Debug, thiserror::Error)]
pub enum NotReleased {
    /// The gate refused, naming the promise or invariant. No key opened; where the reason says so, the record is used up.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The gate did not answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
}

/// The gate gave no answer. Says so where it may have acted all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

impl From<MemoryError> for NoAnswer {
    fn from(error: MemoryError) -> Self {
        Self(error.to_string())
    }
}

/// A gate in this process.
pub struct EmbeddedGate {
    roots: Arc<RegionRoots>,
    memory: Arc<dyn Remembers>,
    policy: Arc<TrustPolicy>,
    rulebooks: Vec<Arc<Rulebook>>,
    clock: Clock,
    /// One release at a time: each is decided against what the one before it left in memory.
    turn: Mutex<()>,
    /// What it deals with other gates by, where it may.
    handing: Option<handing::Handing>,
}

impl EmbeddedGate {
    /// A gate that trusts `policy`, with the built-in rulebook and `rulebooks` at hand.
    pub fn new(
        roots: Arc<RegionRoots>,
        memory: Arc<dyn Remembers>,
        policy: TrustPolicy,
        rulebooks: Vec<Arc<Rulebook>>,
        clock: Clock,
    ) -> Self {
        Self {
            roots,
            memory,
            policy: Arc::new(policy),
            rulebooks,
            clock,
            turn: Mutex::new(()),
            handing: None,
        }
    }

    /// The same, which hands keys over to the gates of other nodes that the policy names, and takes them over, signing with
    /// this key.
    #[must_use]
    pub fn handing_over(mut self, key: Option<ed25519_dalek::SigningKey>) -> Self {
        self.handing = key.map(handing::Handing::new);
        self
    }

    /// The root keys, for the owner's door.
    pub(in crate::gate) fn roots(&self) -> &RegionRoots {
        &self.roots
    }

    /// Decides afresh, against what is remembered of a record of these accounts.
    async fn decided<T: Send + 'static>(
        &self,
        (record, case): (RecordId, CaseId),
        accounts: &[AccountRef],
        decide: impl FnOnce(&TrustPolicy, &[&Rulebook], &Memory, Timestamp) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let mut memory = self.memory.recall(record, case).await.map_err(not_remembered)?;
        memory.moved = self.memory.moved(accounts).await.map_err(not_remembered)?;
        let (policy, rulebooks, now) = (Arc::clone(&self.policy), self.rulebooks.clone(), (self.clock)());
        // Seconds of hashing for a release of 100,000 objects: not on a thread that serves requests.
        let decided = tokio::task::spawn_blocking(move || {
            let mut at_hand: Vec<&Rulebook> = vec![Rulebook::builtin()];
            at_hand.extend(rulebooks.iter().map(Arc::as_ref));
            decide(&policy, &at_hand, &memory, now)
        });
        decided
            .await
            .map_err(|_| Refusal::invariant(7, "the decision was interrupted", "present it again"))?
    }

    /// Opens the keys of these accounts' tenants, each once, asking whoever holds one.
    async fn tenants<'a>(
        &self,
        accounts: impl Iterator<Item = &'a WrappedAccount> + Send,
        reason: &Reason,
    ) -> Result<Tenants, Refusal> {
        let mut tenants = Tenants(Vec::new());
        for account in accounts {
            if tenants.above(account).is_some() {
                continue;
            }
            let opened = self
                .roots
                .tenant_key(account.place(), &account.tenant_key, reason)
                .await;
            let key = opened.map_err(|error| not_given(&error, account))?;
            tenants.0.push((account.clone(), key));
        }
        Ok(tenants)
    }
}

/// Keys of tenants, each by an account that is below it as it is wrapped.
struct Tenants(Vec<(WrappedAccount, TenantKey)>);

impl Tenants {
    fn above(&self, account: &WrappedAccount) -> Option<&TenantKey> {
        let same = |known: &WrappedAccount| {
            (&known.region, &known.tenant, &known.tenant_key)
                == (&account.region, &account.tenant, &account.tenant_key)
        };
        self.0.iter().find(|(known, _)| same(known)).map(|(_, key)| key)
    }

    fn must_be_above(&self, account: &WrappedAccount, hint: &'static str) -> Result<&TenantKey, Refusal> {
        self.above(account)
            .ok_or_else(|| Refusal::invariant(2, "the key of a tenant was not opened before", hint))
    }
}

/// A tenant's key did not open. Nothing was remembered yet.
fn not_given(error: &GateError, account: &WrappedAccount) -> Refusal {
    let tenant = &account.tenant;
    let (reason, hint) = match (error, &account.tenant_key) {
        (GateError::Holder(holder), WrappedTenant::Held(_)) if holder.is_refusal() => (
            format!("the key of tenant `{tenant}` is held by its own provider: {holder}"),
            "nothing was opened and the record is not used up; it is for the key's holder to decide",
        ),
        (GateError::Holder(holder), _) => (
            format!("the key of tenant `{tenant}` is held by its own provider: {holder}"),
            "nothing was opened and the record is not used up; ask again when the provider answers",
        ),
        (other, _) => (
            format!("the key of tenant `{tenant}` does not open: {other}"),
            "nothing was opened and the record is not used up; compare the database with its backup",
        ),
    };
    Refusal::invariant(2, reason, hint)
}

fn not_remembered(error: MemoryError) -> Refusal {
    tracing::error!(%error, "the gate's memory refused; nothing was opened");
    match error {
        MemoryError::Used(_) => Refusal::invariant(
            2,
            "the record was used before; each opens its keys once",
            "draw up a new record",
        ),
        MemoryError::Moved => Refusal::invariant(3, error.to_string(), "present it again"),
        other => Refusal::invariant(
            7,
            other.to_string(),
            "nothing was opened; mend the gate's disk. The record may be used up: if it is refused, draw up a new one",
        ),
    }
}
