//! The desk's dates, as a calendar shows them.
//!
//! A calendar is often kept by somebody else. So an entry names its case by its id, and says what is due in words that are
//! the same for every case: no person, no customer, no authority, no instrument.

use casework::{
    case::Case,
    finding::ClockKind,
    ids::{CaseId, Digest},
};
use jiff::{SignedDuration, Timestamp};
use store::cases::{CaseFilter, PAGE_MAX};

use super::{
    Desk, Result,
    icalendar::{self, Moment},
};
use crate::auth::Role;

/// Most open cases that one calendar is made from, newest first.
pub const CASES_MAX: usize = 2_000;

/// How long a date that passed unanswered stays in the calendar.
const PAST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a date is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Answer,
    NotBefore,
    Object,
    Ends,
    Review,
    SilenceEnds,
}

impl What {
    fn of(kind: ClockKind) -> Self {
        match kind {
            ClockKind::Deadline => Self::Answer,
            ClockKind::NotBefore => Self::NotBefore,
            ClockKind::ObjectBy => Self::Object,
            ClockKind::Expires => Self::Ends,
            ClockKind::ReviewBy => Self::Review,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Answer => ("Answer due", "The last moment to answer or to produce."),
            Self::NotBefore => ("Nothing before", "Nothing may be produced before this moment."),
            Self::Object => ("Objection due", "The last moment to object or to file."),
            Self::Ends => (
                "A period ends",
                "A period of the law ends: see the case's findings.",
            ),
            Self::Review => (
                "Silence to be reviewed",
                "Look whether a silence without a last day must go on.",
            ),
            Self::SilenceEnds => (
                "Silence ends",
                "A prohibition of notice ends; the customer is told then.",
            ),
        }
    }

    /// Whether a role acts on it.
    fn concerns(self, role: Role) -> bool {
        match role {
            Role::Reviewer | Role::SeniorReviewer | Role::Auditor => true,
            Role::Counsel => self != Self::NotBefore,
            Role::Intake => self == Self::Answer,
            Role::Operator | Role::TenantAdmin | Role::Requester => false,
        }
    }
}

impl Desk {
    /// The dates of every open case that concern a role, as an iCalendar file.
    ///
    /// # Errors
    /// When a case cannot be read.
    pub async fn calendar(&self, role: Role) -> Result<String> {
        let now = self.now();
        let mut moments = Vec::new();
        let mut filter = CaseFilter {
            open: Some(true),
            told: None,
            before: None,
            limit: PAGE_MAX,
        };
        let mut looked_at = 0_usize;
        while looked_at < CASES_MAX {
            let rows = self.list(&filter).await?;
            for row in rows.iter().filter(|row| !row.erased) {
                match self.chain(row.id).await {
                    Ok(chain) => moments.extend(dates(row.id, chain.case(), role, now)),
                    // One that does not hold must not take everybody's dates away; `doctor` names it.
                    Err(error) => {
                        tracing::error!(case = %row.id, %error, "a case is missing from the calendars")
                    }
                }
            }
            looked_at = looked_at.saturating_add(rows.len());
            match rows.last() {
                Some(last) if rows.len() >= usize::try_from(PAGE_MAX).unwrap_or(usize::MAX) => {
                    filter.before = Some(last.id);
                }
                _ => break,
            }
        }
        moments.sort_by(|a, b| (a.at, &a.uid).cmp(&(b.at, &b.uid)));
        let name = format!("{}: dates of the desk", self.parts.provider);
        Ok(icalendar::write(&name, now, &moments))
    }
}

fn dates(id: CaseId, case: &Case, role: Role, now: Timestamp) -> Vec<Moment> {
    let file = case.file();
    let ends = file
        .gags()
        .iter()
        .filter(|gag| !gag.is_lifted())
        .filter_map(|gag| {
            Some((
                What::SilenceEnds,
                format!("gag {}", gag.seq),
                file.gag_end(gag)?,
                false,
            ))
        });
    let clocks = case.dates().into_iter().enumerate();
    let clocks = clocks.map(|(place, due)| {
        // Of a rule that gives two dates, one for each silence, each is told apart by its place.
        (
            What::of(due.kind),
            format!("{} {place}", due.rule),
            due.at,
            due.at_rest,
        )
    });
    let horizon = now.checked_sub(PAST).unwrap_or(Timestamp::MIN);
    clocks
        .chain(ends)
        .filter(|(what, _, at, _)| what.concerns(role) && *at >= horizon)
        .map(|(what, name, at, tentative)| {
            let (summary, description) = what.words();
            // The rule's name is hashed: it would say which law, and of some processes the law forbids to say even that.
            let name = Digest::of(&[b"amparo/calendar/v1\n", id.0.as_bytes(), name.as_bytes()]).to_string();
            let name: String = name.chars().take(24).collect();
            Moment {
                uid: format!("{name}@amparo"),
                at,
                summary: format!("{summary}: case {id}"),
                description: format!("{description} Case {id}."),
                tentative,
            }
        })
        .collect()
}
