//! Whether a package that the gate released may still be handed over, after what the case says since.

use casework::{
    event::{Body, Decision, EmergencyFinding},
    facts::RequesterCheck,
    ids::RecordId,
};

use crate::app::EventView;

/// Whether a package may be handed over now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandOver {
    /// It may.
    May,
    /// It was, by one way or another.
    Was,
    /// Something that came after the release stands against it.
    MayNot(&'static str),
}

/// What the case says since the gate released this record; the first that stands against it is what counts. `None` where
/// nothing was released, or the case was erased.
pub(super) fn hand_over(events: &[EventView], record: RecordId) -> Option<HandOver> {
    let mut since = since(events, record).peekable();
    since.peek()?;
    let mut against = None;
    for body in since {
        let body = body?;
        if matches!(body, Body::Delivered { record: delivered, .. } if *delivered == record) {
            return Some(HandOver::Was);
        }
        against = against.or_else(|| objection(body));
    }
    let against =
        against.or_else(|| is_in_doubt(events, record).then_some("who asks is in doubt since the release"));
    Some(against.map_or(HandOver::May, HandOver::MayNot))
}

/// Whether it turned out, since the gate released this record, that it is not clear who asks: the last check did not confirm
/// them, or a claimed emergency was a stranger's.
pub(super) fn is_in_doubt(events: &[EventView], record: RecordId) -> bool {
    let mut doubted = false;
    for body in since(events, record).flatten() {
        match body {
            Body::RequesterChecked { outcome, .. } => doubted = *outcome != RequesterCheck::Confirmed,
            Body::EmergencyReviewed {
                finding: EmergencyFinding::Fraudulent,
                ..
            } => doubted = true,
            _ => {}
        }
    }
    doubted
}

/// The release's event, and those that came after it.
fn since(events: &[EventView], record: RecordId) -> impl Iterator<Item = Option<&Body>> {
    let is_release =
        move |body: &Body| matches!(body, Body::Released { record: released, .. } if *released == record);
    events
        .iter()
        .map(|event| event.body.as_ref())
        .skip_while(move |body| !body.is_some_and(is_release))
}

/// Why nothing is handed over after this. Every kind of event is named: who adds one decides here.
fn objection(body: &Body) -> Option<&'static str> {
    Some(match body {
        Body::Withdrawn { .. } => "the demand was withdrawn after the release",
        Body::Rejected { .. } => "the demand was rejected after the release",
        Body::Superseded { .. } => "another demand took its place after the release",
        Body::Received { .. } | Body::Parsed { .. } | Body::Unreadable { .. } => {
            "the demand was read anew after the release"
        }
        Body::Resolved { .. } | Body::Assessed { .. } => "the demand was judged anew after the release",
        Body::Narrowed { .. } => "the demand was narrowed after the release",
        Body::GagRecorded { .. } => "a gag was recorded after the release",
        Body::ObjectionFiled { .. } | Body::Appealed { .. } => {
            "an objection or appeal was filed after the release"
        }
        Body::ObjectionDecided {
            outcome: Decision::Won | Decision::Partly,
            ..
        } => "an objection was upheld after the release",
        Body::Redirected { .. } => "the authority was asked to go to the customer after the release",
        Body::NotExecuted { .. } => "the authority was told after the release that the order is not executed",
        Body::EmergencyReviewed {
            finding: EmergencyFinding::Unfounded | EmergencyFinding::Fraudulent,
            ..
        } => "the emergency that was claimed was none",
        Body::BreachAssessed { .. } => "the disclosure was assessed as wrongful",
        Body::Closed { .. } => "the case was closed",
        // Who asks is judged by the last check, not by each.
        Body::RequesterChecked { .. }
        | Body::SenderChecked { .. }
        | Body::SignatureVerified { .. }
        | Body::RedirectAnswered { .. }
        | Body::RedirectBarred { .. }
        | Body::GagObjected { .. }
        | Body::GagUnopposed { .. }
        | Body::GagDecided { .. }
        | Body::GagEnded { .. }
        | Body::GagReviewed { .. }
        | Body::Extended { .. }
        | Body::ProductionConfirmed { .. }
        | Body::FellDue { .. }
        | Body::Notified { .. }
        | Body::NoticeServed { .. }
        | Body::NoticeFailed { .. }
        | Body::NoticeBarred { .. }
        | Body::ObjectionDecided {
            outcome: Decision::Lost,
            ..
        }
        | Body::GroundAnswered { .. }
        | Body::Linked { .. }
        | Body::FollowedBy { .. }
        | Body::Preserved { .. }
        | Body::SnapshotEnded { .. }
        | Body::MeasureTaken { .. }
        | Body::MeasureEnded { .. }
        | Body::EmergencyReviewed {
            finding: EmergencyFinding::Genuine,
            ..
        }
        | Body::CostsClaimed { .. }
        | Body::CostsSettled { .. }
        | Body::Proposed { .. }
        | Body::Approved { .. }
        | Body::Logged { .. }
        | Body::Refused { .. }
        | Body::PackageFlagged { .. }
        | Body::Released { .. }
        | Body::Delivered { .. }
        | Body::Reopened { .. }
        | Body::Note { .. } => return None,
    })
}
