//! The register of transfers: what each rests on, and which hang on a basis that no longer holds.

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use super::{Lapse, Opening, Outcome, Stage, Transfer, Verdict, judge};
use crate::{
    ids::{CaseId, StaffId},
    promise::Reviewers,
    rulebook::Rulebook,
};

/// One transfer in the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The transfer.
    pub transfer: CaseId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// What moves, from where, to where.
    pub opening: Opening,
    /// Where it stands.
    pub stage: Stage,
    /// Who approved the record on its way, or the last one.
    pub approved_by: Vec<StaffId>,
    /// Objects of it that lie in the other region, or copies, where somebody counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lies_there: Option<u64>,
    /// Whether it has a basis on the day asked for.
    pub verdict: Verdict,
    /// Whether data has moved, or moves, that has no basis on that day.
    pub hanging: Hanging,
    /// That its basis ended, as its chain says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lapsed: Option<Lapse>,
}

/// Whether data hangs in the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hanging {
    /// It has a basis, or nothing has moved.
    No,
    /// It is moving, or stopped half-way, without one: the mover goes no further.
    Moving,
    /// It lies there without one: bring it back, end it, or state another basis.
    LyingThere,
    /// A copy lies there without one: delete it, or state another basis.
    CopyLyingThere,
}

/// The register as of a day. `transfers` comes with the number of objects that lie in the other region, where it was
/// counted: none left means that nothing hangs.
pub fn register<'a>(
    transfers: impl IntoIterator<Item = (&'a Transfer, Option<u64>)>,
    rulebook: &Rulebook,
    reviewers: &Reviewers,
    as_of: Date,
) -> Vec<Entry> {
    let transfers = transfers.into_iter();
    transfers
        .map(|(transfer, lies_there)| {
            let verdict = judge(transfer, rulebook, reviewers, as_of);
            let gone = lies_there == Some(0) && transfer.stage() != Stage::Running;
            let hanging = match transfer.stage() {
                _ if !transfer.has_moved() || gone || verdict.outcome == Outcome::Based => Hanging::No,
                Stage::Running => Hanging::Moving,
                _ if transfer.opening().mode.is_move() => Hanging::LyingThere,
                _ => Hanging::CopyLyingThere,
            };
            Entry {
                transfer: transfer.id(),
                opened_at: transfer.opened_at(),
                opening: transfer.opening().clone(),
                stage: transfer.stage(),
                approved_by: transfer
                    .approvals()
                    .iter()
                    .map(|approval| approval.reviewer.clone())
                    .collect(),
                lies_there,
                verdict,
                hanging,
                lapsed: transfer.lapsed().cloned(),
            }
        })
        .collect()
}
