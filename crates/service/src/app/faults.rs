//! Points at which a test makes the release path fail, hang or crash. In service nothing is ever injected.

use async_trait::async_trait;

/// A step of the release path that touches something outside this process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The demand's bytes and first event are committed.
    KeepDemand,
    /// What was read from them is committed.
    ReadDemand,
    /// An approval, and with the second one the record's entry for the docket, is committed.
    Approve,
    /// The docket's receipt is awaited.
    AwaitDocket,
    /// The event that the record is logged is committed.
    RecordLogged,
    /// The gate opens the keys, after it has noted that the record is used.
    OpenKeys,
    /// The encrypted package is written under a temporary name.
    WritePackage,
    /// The package's digest is committed.
    SealPackage,
    /// The package takes its final name.
    RenamePackage,
    /// The event of the release and the package's row are committed.
    RecordReleased,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Step; 10] = [
        Step::KeepDemand,
        Step::ReadDemand,
        Step::Approve,
        Step::AwaitDocket,
        Step::RecordLogged,
        Step::OpenKeys,
        Step::WritePackage,
        Step::SealPackage,
        Step::RenamePackage,
        Step::RecordReleased,
    ];
}

/// Before a step: it fails. After it: it fails although it persisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// The step was not begun.
    Before,
    /// The step is durable, and its caller does not know.
    After,
}

/// An injected failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("injected failure {1:?} {0:?}")]
pub struct Injected(pub Step, pub When);

/// Decides what fails. An implementation may also never return: the caller's deadline or crash then ends the step.
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
