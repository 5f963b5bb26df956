//! Points at which a test lets the sequencer fail.

use async_trait::async_trait;

/// The sequencer's steps, in order. Each is durable before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The batch and its entries' places are kept.
    Stage,
    /// Bundles and tiles are written.
    Write,
    /// The checkpoint is signed and kept.
    Sign,
    /// Cosignatures are gathered and kept.
    Cosign,
    /// `checkpoint` is replaced.
    Publish,
    /// It is kept that it was.
    Record,
    /// Partial files that full ones replace are removed.
    Sweep,
}

/// All steps.
pub const STEPS: [Step; 7] = [
    Step::Stage,
    Step::Write,
    Step::Sign,
    Step::Cosign,
    Step::Publish,
    Step::Record,
    Step::Sweep,
];

/// Where in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing of it is done.
    Before,
    /// All of it is done and durable, but nobody knows.
    After,
}

/// Decides at each point whether the sequencer goes on. It may also never return: then the step hangs there.
#[async_trait]
pub trait Faults: Send + Sync {
    /// `true` to fail here.
    async fn fails(&self, step: Step, moment: Moment) -> bool;
}

/// Never fails.
pub struct NoFaults;

#[async_trait]
impl Faults for NoFaults {
    async fn fails(&self, _: Step, _: Moment) -> bool {
        false
    }
}
