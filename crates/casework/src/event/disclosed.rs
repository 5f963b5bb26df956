//! Which events a package opens, and who entered the demand by one.

use super::{Actor, Body};
use crate::ids::StaffId;

impl Body {
    /// Whether a disclosure package must open an event of this kind: all that bears on what was demanded, on what was left
    /// of it, and on who entered it. The kinds that work towards one release ([`Body::Proposed`], [`Body::Approved`],
    /// [`Body::Logged`]) are not among them: a package opens its own record's, without which it proves nothing, and another
    /// record may name what its recipient must not learn of. Nor are counsel's reasons, gags, findings, and what is known
    /// of a person.
    pub fn is_disclosed(&self) -> bool {
        match self {
            Self::Received { .. }
            | Self::Parsed { .. }
            | Self::Narrowed { .. }
            | Self::Superseded { .. }
            | Self::Reopened { .. }
            | Self::Withdrawn { .. }
            | Self::Rejected { .. } => true,
            Self::Unreadable { .. }
            | Self::SenderChecked { .. }
            | Self::SignatureVerified { .. }
            | Self::RequesterChecked { .. }
            | Self::Resolved { .. }
            | Self::Assessed { .. }
            | Self::Redirected { .. }
            | Self::RedirectAnswered { .. }
            | Self::RedirectBarred { .. }
            | Self::GagRecorded { .. }
            | Self::GagObjected { .. }
            | Self::GagUnopposed { .. }
            | Self::GagDecided { .. }
            | Self::GagEnded { .. }
            | Self::GagReviewed { .. }
            | Self::Extended { .. }
            | Self::ProductionConfirmed { .. }
            | Self::FellDue { .. }
            | Self::Notified { .. }
            | Self::NoticeBarred { .. }
            | Self::ObjectionFiled { .. }
            | Self::ObjectionDecided { .. }
            | Self::Appealed { .. }
            | Self::NotExecuted { .. }
            | Self::NoticeServed { .. }
            | Self::NoticeFailed { .. }
            | Self::Linked { .. }
            | Self::FollowedBy { .. }
            | Self::Preserved { .. }
            | Self::SnapshotEnded { .. }
            | Self::MeasureTaken { .. }
            | Self::MeasureEnded { .. }
            | Self::EmergencyReviewed { .. }
            | Self::BreachAssessed { .. }
            | Self::CostsClaimed { .. }
            | Self::CostsSettled { .. }
            | Self::GroundAnswered { .. }
            | Self::Proposed { .. }
            | Self::Approved { .. }
            | Self::Logged { .. }
            | Self::Refused { .. }
            | Self::PackageFlagged { .. }
            | Self::Released { .. }
            | Self::Delivered { .. }
            | Self::Closed { .. }
            | Self::Note { .. } => false,
        }
    }

    /// Who entered the demand by this event, recorded by `actor`: staff or counsel who took it in or typed it, and who
    /// therefore never review it (P7).
    pub fn entered_by<'a>(&'a self, actor: &'a Actor) -> impl Iterator<Item = &'a StaffId> {
        let named = match self {
            Self::Received { entered_by, .. } => entered_by.as_ref(),
            _ => None,
        };
        let recorded = match (self, actor) {
            (Self::Received { .. } | Self::Parsed { .. }, Actor::Staff(staff) | Actor::Counsel(staff)) => {
                Some(staff)
            }
            _ => None,
        };
        named.into_iter().chain(recorded)
    }
}
