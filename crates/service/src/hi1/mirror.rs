//! Statuses, as the case really stands.

use std::collections::BTreeSet;

use casework::{
    event::{Body, Outcome},
    ids::{Digest, RecordId},
};
use hi1::{Code, Failure, Kind};
use jiff::Timestamp;

use super::PART_BYTES;
use crate::app::EventView;

/// Most parts of one package.
const PARTS_MAX: u64 = 10_000;

/// How a case stands, in the words of no dictionary yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is being reviewed.
    Reviewed,
    /// It waits for a person before anything else.
    Held,
    /// Two people signed; the docket and the gate have not had it yet.
    Approved,
    /// The gate released it.
    Released,
    /// Rejected, successfully objected to, or sent to the customer.
    Rejected,
    /// Withdrawn.
    Withdrawn,
    /// Nothing is held.
    Nothing,
}

/// A package that the gate released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Released {
    pub(super) record: RecordId,
    pub(super) package: Digest,
    pub(super) size: u64,
    pub(super) delivered: bool,
}

impl Released {
    /// How many delivery objects it is given in.
    pub(super) fn parts(&self) -> u64 {
        self.size.div_ceil(PART_BYTES).clamp(1, PARTS_MAX)
    }
}

/// A case, as its authority may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirrored {
    pub(super) standing: Standing,
    /// When that last changed.
    pub(super) since: Timestamp,
    /// What the authority is told of it.
    pub(super) reason: Option<String>,
    pub(super) released: Vec<Released>,
}

/// Reads a case's events. `None` where there is none to read: the case was erased.
pub(super) fn of(events: &[EventView]) -> Option<Mirrored> {
    let mut mirrored = Mirrored {
        standing: Standing::Reviewed,
        since: events.first()?.at,
        reason: None,
        released: Vec::new(),
    };
    let mut signed: BTreeSet<&str> = BTreeSet::new();
    for event in events {
        let body = event.body.as_ref()?;
        let (standing, reason) = match body {
            Body::Unreadable { reason } => (Standing::Held, Some(reason.clone())),
            Body::Parsed { .. } => (Standing::Reviewed, None),
            Body::Approved { reviewer, .. } => {
                signed.insert(reviewer.as_str());
                if signed.len() < 2 {
                    continue;
                }
                (Standing::Approved, None)
            }
            Body::Proposed { .. } | Body::Refused { .. } => {
                signed.clear();
                (Standing::Reviewed, None)
            }
            // What is signed lapses when the case changes.
            Body::Resolved { .. }
            | Body::Assessed { .. }
            | Body::Narrowed { .. }
            | Body::RequesterChecked { .. }
            | Body::GagRecorded { .. }
            | Body::ObjectionFiled { .. }
            | Body::ObjectionDecided { .. }
            | Body::Redirected { .. }
            | Body::RedirectAnswered { .. }
                if mirrored.standing == Standing::Approved =>
            {
                signed.clear();
                (Standing::Reviewed, None)
            }
            Body::Released {
                record,
                package,
                size,
            } => {
                mirrored.released.push(Released {
                    record: *record,
                    package: *package,
                    size: *size,
                    delivered: false,
                });
                (Standing::Released, None)
            }
            Body::Delivered { record, .. } => {
                let of = mirrored
                    .released
                    .iter_mut()
                    .filter(|released| released.record == *record);
                of.for_each(|released| released.delivered = true);
                continue;
            }
            Body::Rejected { explanation, .. } => (Standing::Rejected, Some(explanation.clone())),
            Body::Withdrawn { .. } => (Standing::Withdrawn, None),
            Body::Closed { outcome } => match outcome {
                Outcome::Disclosed | Outcome::PartlyDisclosed => (Standing::Released, None),
                Outcome::Rejected => continue,
                Outcome::ObjectionUpheld => (Standing::Rejected, Some("an objection was upheld".to_owned())),
                Outcome::Redirected => (Standing::Rejected, Some("please turn to the customer".to_owned())),
                Outcome::Withdrawn => (Standing::Withdrawn, None),
                Outcome::NoData => (Standing::Nothing, None),
                Outcome::Superseded => (
                    Standing::Withdrawn,
                    Some("another demand took its place".to_owned()),
                ),
                Outcome::AbilityRefused => continue,
                // What was preserved was, and its time is over; measures are carried out elsewhere and not told of here.
                Outcome::Preserved | Outcome::Intercepted | Outcome::Frozen | Outcome::Removed => continue,
            },
            Body::Superseded { .. } => (
                Standing::Withdrawn,
                Some("another demand took its place".to_owned()),
            ),
            Body::Reopened { .. } => (Standing::Reviewed, None),
            _ => continue,
        };
        // What was released stays released, whatever else is then reviewed.
        let stays = mirrored.standing == Standing::Released
            && matches!(standing, Standing::Reviewed | Standing::Held | Standing::Approved);
        if !stays && mirrored.standing != standing {
            mirrored.since = event.at;
        }
        if !stays {
            mirrored.standing = standing;
            mirrored.reason = reason;
        }
    }
    Some(mirrored)
}

impl Mirrored {
    /// The status of an object of this kind whose case it is. A disclosure's words never stand on a preservation.
    pub(super) fn status(&self, kind: Kind) -> &'static str {
        match (kind, self.standing) {
            (Kind::LpTask, Standing::Rejected) => "Rejected",
            (Kind::LpTask, Standing::Withdrawn) => "Cancelled",
            (Kind::LpTask, Standing::Nothing) => "PreservationNotAvailable",
            (Kind::LpTask, _) => "AwaitingPreservation",
            (Kind::LdTask, Standing::Approved) => "AwaitingDisclosure",
            (Kind::LdTask, Standing::Released) => "Disclosed",
            (Kind::LdTask, Standing::Nothing) => "DisclosureNotAvailable",
            (_, Standing::Approved | Standing::Released | Standing::Nothing) => "Approved",
            (_, Standing::Rejected) => "Rejected",
            (_, Standing::Withdrawn) => "Cancelled",
            (_, Standing::Reviewed | Standing::Held) => "AwaitingApproval",
        }
    }

    /// The reason, as the standard carries one.
    pub(super) fn failure(&self) -> Option<Failure> {
        let reason = self.reason.as_deref()?;
        Some(Failure::new(Code::BusinessLogic, reason))
    }
}
