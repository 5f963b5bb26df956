//! What is owed beside the way to a release: preserving, measures of their own law, looking back at an emergency.

use jiff::{Timestamp, tz::TimeZone};

use super::{Owed, Step, owe};
use crate::{
    case::{CaseFile, MeasureCourse},
    event::Measure,
    finding::{ClockKind, DutyKind, Finding, Promise},
};

/// What a demand is owed on which no category can be released because it is for something else; `None` where it is not, and
/// is to be rejected.
pub(super) fn own_course(file: &CaseFile, findings: &[Finding], now: Timestamp) -> Option<Owed> {
    let further = file.further();
    let (snapshots, measures) = (further.snapshots(), further.measures());
    if snapshots.is_empty()
        && let Some(owed) = preserve(file, findings)
    {
        return Some(owed);
    }
    let apart = findings
        .iter()
        .find(|finding| finding.duty == Some(DutyKind::ActApart));
    if let Some(apart) = apart {
        let step = match measures.iter().find(|one| !one.ended) {
            Some(one) => standing(one, now),
            None if measures.is_empty() => Some(owe(
                Promise::P4,
                Step::ActApart,
                "not for disclosure: counsel has it carried out outside this system and records the measure, or rejects it",
            )),
            None => None,
        };
        if let Some(owed) = step {
            return Some(Owed {
                rule: Some(apart.rule.clone()),
                ..owed
            });
        }
    }
    if further.standing_snapshot().is_some() {
        let clocks = findings.iter().filter(|finding| finding.gags.is_empty());
        let ends = clocks
            .filter_map(|finding| finding.clock.as_ref())
            .filter(|clock| clock.kind == ClockKind::Expires)
            .map(|clock| clock.at)
            .min();
        return Some(Owed {
            by: ends,
            ..owe(
                Promise::P14,
                Step::Wait,
                "what was preserved is kept, until its time is over or a linked demand asks for it",
            )
        });
    }
    (!snapshots.is_empty() || !measures.is_empty()).then(|| {
        owe(
            Promise::P14,
            Step::Close,
            "what the demand was for is done: close the case with its outcome",
        )
    })
}

/// What a measure that was taken and not ended asks for. Removal is done when it is done.
fn standing(one: &MeasureCourse, now: Timestamp) -> Option<Owed> {
    let today = now.to_zoned(TimeZone::UTC).date();
    if one.measure == Measure::Removal {
        None
    } else if one.until.is_some_and(|until| until < today) {
        Some(owe(
            Promise::P4,
            Step::EndMeasure,
            format!("the measure of event {} has run out: record its end", one.seq),
        ))
    } else {
        Some(owe(
            Promise::P4,
            Step::Wait,
            format!("the measure of event {} runs", one.seq),
        ))
    }
}

/// A duty to preserve that no snapshot fulfils yet.
pub(super) fn preserve(file: &CaseFile, findings: &[Finding]) -> Option<Owed> {
    let duty = findings
        .iter()
        .find(|finding| finding.duty == Some(DutyKind::Preserve))?;
    if file.further().standing_snapshot().is_some() {
        return None;
    }
    Some(Owed {
        rule: Some(duty.rule.clone()),
        ..owe(
            duty.promise,
            Step::Preserve,
            "freeze what there is now of the accounts named",
        )
    })
}

/// What is owed before a case can be closed.
pub(super) fn before_closing(file: &CaseFile, list: &mut Vec<Owed>) {
    if let Some(by) = file.owes_a_breach_assessment() {
        list.push(Owed {
            by: Some(by),
            ..owe(
                Promise::P15,
                Step::AssessBreach,
                "data went to somebody who is not who they said: weigh it as a breach, and tell the supervisory authority",
            )
        });
    }
    if file.owes_a_look_at_the_emergency() {
        list.push(owe(
            Promise::P7,
            Step::ReviewEmergency,
            "ask for the legal process behind the emergency, and record whether there was one",
        ));
    }
    if let Some(snapshot) = file.further().standing_snapshot() {
        list.push(owe(
            Promise::P14,
            Step::EndSnapshot,
            format!(
                "end the snapshot of event {}: nothing needs it any more",
                snapshot.seq
            ),
        ));
    }
}
