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
    /// A batch of copies is recorded.
    RecordCopies,
    /// The event that all was verified is committed.
    RecordVerified,
    /// Old copies are removed.
    RemoveOld,
    /// Keys that were left behind are destroyed.
    ForgetKeys,
    /// The event that it is done is committed.
    RecordDone,
    /// The other node says whether a transfer may come.
    Expect,
    /// A piece of a body is sent, and read back there.
    SendBody,
    /// What leaves is frozen.
    Freeze,
    /// A batch of keys goes from gate to gate, with its rows.
    HandOver,
    /// The other node shows what it has.
    Adopt,
    /// That it does is noted here.
    NoteShown,
    /// A batch of rows goes here.
    LetGo,
    /// The other node thaws it, for nothing is left here.
    Welcome,
    /// The event that a copy is given up is committed.
    RecordWithdrawn,
    /// A batch of copies is forgotten.
    DropCopies,
    /// Their pieces are deleted.
    DeleteCopies,
    /// The event that a copy is deleted is committed.
    RecordRemoved,
}

impl Step {
    /// Every step of a move, in order.
    pub const MOVE: [Step; 9] = [
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
    /// Every step of a move to another node, in order.
    pub const ACROSS: [Step; 13] = [
        Step::RecordStarted,
        Step::Expect,
        Step::SendBody,
        Step::Freeze,
        Step::HandOver,
        Step::Adopt,
        Step::NoteShown,
        Step::LetGo,
        Step::Welcome,
        Step::RecordVerified,
        Step::RemoveOld,
        Step::ForgetKeys,
        Step::RecordDone,
    ];
    /// Every step of a copy, in order.
    pub const COPY: [Step; 7] = [
        Step::RecordStarted,
        Step::Copy,
        Step::Rewrap,
        Step::RecordCopies,
        Step::RecordVerified,
        Step::RemoveOld,
        Step::RecordDone,
    ];
    /// Every step by which a copy is deleted, in order.
    pub const WITHDRAW: [Step; 5] = [
        Step::RecordWithdrawn,
        Step::DropCopies,
        Step::DeleteCopies,
        Step::ForgetKeys,
        Step::RecordRemoved,
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
