//! Which step about a date of the law may follow which.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{NotNow, need};
use crate::{
    case::{Case, CaseFile},
    demand::EXTENSIONS_MAX,
    event::Actor,
    finding::{ClockKind, Promise},
    ids::RuleId,
};

const P14: Promise = Promise::P14;

/// What makes a period longer has arrived, and not on a day to come.
pub(super) fn extended(file: &CaseFile, at: Timestamp, on: Date, until: Option<Date>) -> Result<(), NotNow> {
    need(
        file.demand().is_some(),
        P14,
        "there is no demand yet",
        "parse the demand first",
    )?;
    need(
        file.extensions().len() < EXTENSIONS_MAX,
        P14,
        &format!("{EXTENSIONS_MAX} renewals and extensions are recorded, the most that a case may have"),
        "a further request is a new case",
    )?;
    // A day's grace: it may be tomorrow already where the authority is.
    let today = at.to_zoned(TimeZone::UTC).date();
    need(
        on <= today.tomorrow().unwrap_or(today),
        P14,
        "the day on which it arrived is yet to come",
        "check the year",
    )?;
    need(
        until.is_none_or(|until| until >= on),
        P14,
        "the new last day comes before the day on which it arrived",
        "check the year",
    )
}

/// A date of the last assessment, passed, for something that was not done; once.
pub(super) fn fell_due(
    case: &Case,
    at: Timestamp,
    actor: &Actor,
    (rule, what, due): (&RuleId, ClockKind, Timestamp),
) -> Result<(), NotNow> {
    need(
        *actor == Actor::System,
        P14,
        "that a date passed is the program's to record",
        "record a note instead",
    )?;
    need(
        case.fallen_due(at)
            .iter()
            .any(|found| found.rule == *rule && found.kind == what && found.at == due),
        P14,
        "no such date passed, or it was recorded, or what it was for is done",
        "nothing is to be recorded",
    )
}
