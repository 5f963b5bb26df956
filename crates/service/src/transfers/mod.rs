//! Transfers between regions (P19): opened, judged, approved, logged, and then moved.
//!
//! [`steps`] records what people do, [`mover`] does what they approved. Both read the whole chain first, and neither goes
//! on without a basis on that day; [`lapsing`] notes where one ended, and [`withdrawing`] deletes a copy that was given up.
//! Only the gate re-wraps keys, and it believes neither. [`across`] takes data to a region of another node.

mod across;
mod ailing;
mod beside;
mod claim;
mod course;
mod error;
pub mod faults;
mod lapsing;
mod mover;
mod ports;
mod steps;
mod view;
mod withdrawing;

use std::sync::Arc;

use casework::{promise::Reviewers, rulebook::Rulebook};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use store::transfers::TransferStore;

pub use across::OtherNode;
pub use ailing::{Ailing, Ailment};
pub use beside::{MOVES_MAX, PATIENCE};
pub use error::TransferError;
pub(crate) use error::UNKNOWN_HINT;
pub use ports::{TransferPort, Wrapping};
pub use steps::NewTransfer;
pub use view::{Counted, RecordView, TransferView};

use crate::{
    app::{
        clock::{Clock, Entropy},
        ports::DocketPort,
    },
    vault::Vault,
};
use faults::Faults;

/// The result of a step of a transfer.
pub type Result<T> = std::result::Result<T, TransferError>;

/// Everything that transfers work with.
pub struct Parts {
    /// Their chains.
    pub store: TransferStore,
    /// The docket.
    pub docket: Arc<dyn DocketPort>,
    /// The vault.
    pub vault: Vault,
    /// The gate.
    pub gate: Arc<dyn TransferPort>,
    /// The other nodes.
    pub others: Vec<Arc<dyn OtherNode>>,
    /// Whose signatures count. The gate has its own list and checks again.
    pub reviewers: Reviewers,
    /// The law.
    pub rulebook: &'static Rulebook,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Injected failures: [`faults::NoFaults`] in service.
    pub faults: Arc<dyn Faults>,
}

/// Transfers between regions. Cheap to clone.
#[derive(Clone)]
pub struct Transfers {
    parts: Arc<Parts>,
    /// Room for moves that requests began.
    moves: Arc<tokio::sync::Semaphore>,
}

impl Transfers {
    /// Transfers over these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            moves: Arc::new(tokio::sync::Semaphore::new(beside::MOVES_MAX)),
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// The day, in UTC: whose law a transfer is judged by.
    pub fn today(&self) -> Date {
        self.now().to_zoned(TimeZone::UTC).date()
    }
}

#[cfg(test)]
pub(crate) mod tests;
