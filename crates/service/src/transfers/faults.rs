//! Points at which a test makes a transfer fail. In service nothing is ever injected.

use async_trait::async_trait;

pub use crate::app::faults::When;

/// A step of the mover that touches something outside this process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The event that it began is committed.
    RecordStarted,
    /// What is stored from now on goes to the other region.
    Redirect,
    /// An object's pieces are copied and read back.
    Copy,
    /// The gate wraps a batch of keys anew.
    Rewrap,
    /// A batch of rows changes region.
    Relocate,
    /// The event that all was verified is committed.
    RecordVerified,
    /// Old copies are removed.
    RemoveOld,
    /// Keys that were left behind are destroyed.
    ForgetKeys,
    /// The event that it is done is committed.
    RecordDone,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Step; 9] = [
        Step::RecordStarted,
        Step::Redirect,
        Step::Copy,
        Step::Rewrap,
        Step::Relocate,
        Step::RecordVerified,
        Step::RemoveOld,
        Step::ForgetKeys,
        Step::RecordDone,
    ];
}

/// An injected failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("injected failure {1:?} {0:?}")]
pub struct Injected(pub Step, pub When);

/// Decides what fails.
#[async_trait]
pub trait Faults: Send + Sync {
    /// Called around each step.
    ///
    /// # Errors
    /// To make the step fail there.
    async fn at(&self, step: Step, when: When) -> Result<(), Injected>;
}

/// Nothing is injected.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

#[async_trait]
impl Faults for NoFaults {
    async fn at(&self, _step: Step, _when: When) -> Result<(), Injected> {
        Ok(())
    }
}
