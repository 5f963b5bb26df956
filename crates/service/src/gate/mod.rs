//! The gate: the one place that holds root keys, and the only way to any object's key.
//!
//! It has two doors through which keys leave. [`owner`]: a tenant's own authenticated request. [`release`]: a release
//! record that two people signed and the docket holds, after the gate itself recomputed the case. There is no third.
//! What [`rewrapping`] does for a rotation, and [`transfer`] for a move between regions, takes keys from under one key to
//! under another, and gives none out.

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
    gate::{Refusal, TrustPolicy},
    ids::{CaseId, Digest, ObjectId},
    rulebook::Rulebook,
};
use envelope::keys::Wrapped;
use jiff::Timestamp;
use store::gate_memory::{MemoryError, Remembers};
use tokio::sync::Mutex;
use translog::Checkpoint;

pub use ledger::{Ledger, LedgerGate};
pub use release::{Opened, ReleaseRequest};
pub use rewrapping::{RewrapAccounts, RewrapObjects};
pub use roots::RegionRoots;
pub use transfer::TransferRequest;

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
        }
    }

    /// The root keys, for the owner's door.
    pub(in crate::gate) fn roots(&self) -> &RegionRoots {
        &self.roots
    }
}
