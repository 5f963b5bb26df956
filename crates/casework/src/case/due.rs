//! Dates of the law: which of the last assessment's still run, and which have passed.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{Case, CaseFile};
use crate::{
    finding::{Clock, ClockKind, Finding},
    ids::RuleId,
};

/// How long before its day a review is asked for.
pub(super) const REVIEW_NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A date that matters now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The rule that gives it.
    pub rule: RuleId,
    /// What kind of date.
    pub kind: ClockKind,
    /// The instant.
    pub at: Timestamp,
    /// The civil day, in the law's own zone.
    pub on: Date,
    /// A question or an objection is open: the date moves on with every day.
    pub at_rest: bool,
}

impl Case {
    /// Dates that run: whose purpose is not fulfilled, whether they have passed or not. In order of the findings.
    pub fn dates(&self) -> Vec<Due> {
        let file = self.file();
        let Some(judged) = file.judged().filter(|_| !matches!(self, Case::Closed(_))) else {
            return Vec::new();
        };
        let findings = judged.assessment.findings.iter();
        let clocks = findings.filter_map(|finding| Some((finding, finding.clock.as_ref()?)));
        clocks
            .filter(|(finding, clock)| self.matters(finding, clock))
            .map(|(finding, clock)| Due {
                rule: finding.rule.clone(),
                kind: clock.kind,
                at: clock.at,
                on: clock.on,
                at_rest: clock.at_rest,
            })
            .collect()
    }

    /// Dates that have passed and are not recorded as passed yet.
    pub fn fallen_due(&self, now: Timestamp) -> Vec<Due> {
        let fallen = self.file().fallen();
        let mut due = self.dates();
        due.retain(|due| !due.at_rest && due.at <= now && !fallen.contains(&(due.rule.clone(), due.at)));
        due
    }

    /// When the next date passes, or a review is to be asked for.
    pub fn next_date(&self, now: Timestamp) -> Option<Timestamp> {
        let notices = |due: &Due| {
            let asked = due.at.checked_sub(REVIEW_NOTICE).ok();
            asked.filter(|_| due.kind == ClockKind::ReviewBy)
        };
        let dates = self.dates();
        let instants = dates.iter().filter(|due| !due.at_rest);
        instants
            .flat_map(|due| [Some(due.at), notices(due)])
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    fn matters(&self, finding: &Finding, clock: &Clock) -> bool {
        let file = self.file();
        let answered =
            file.is_ended() || matches!(self, Case::AwaitingDelivery(_) | Case::AwaitingClosure(_));
        match clock.kind {
            ClockKind::Deadline | ClockKind::NotBefore => !answered,
            ClockKind::ObjectBy => !answered && file.has_an_open_ground(),
            // A gag's end is an event of its own.
            ClockKind::Expires => finding.gags.is_empty(),
            ClockKind::ReviewBy => {
                finding.gags.is_empty()
                    || file
                        .gags()
                        .iter()
                        .any(|entry| !entry.is_lifted() && file.rests_on(finding, entry))
            }
        }
    }
}

impl CaseFile {
    /// Whether some ground was neither filed, answered nor settled yet.
    fn has_an_open_ground(&self) -> bool {
        self.grounds().values().any(|course| {
            course.filed.is_none()
                && course.decided.is_none()
                && course.settled.is_none()
                && course.answers.is_empty()
        })
    }
}
