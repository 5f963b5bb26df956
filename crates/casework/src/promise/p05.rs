//! P5, legal process fits the data: the rulebook, applied here and now, bars no category of the record.

use std::fmt;

use jiff::{ToSpan as _, civil::Date};

use super::{BrokenPromise, Hearing, InPlay};
use crate::{
    canonical::to_canonical_json,
    demand::{Category, Demand},
    facts::Facts,
    finding::{Assessment, Promise::P5},
};

/// How old an assessment may be, in days, when a release rests on it. The law of the gate's own day is applied besides.
pub const ASSESSMENT_DAYS_MAX: i64 = 30;

/// Evidence that the process fits.
#[derive(Debug)]
pub struct LegalProcess {
    as_of: Date,
    today: Date,
    findings: usize,
}

impl fmt::Display for LegalProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the rulebook, applied again as of {} and of {}, bars nothing released ({} findings, equal to those recorded)",
            self.as_of, self.today, self.findings
        )
    }
}

/// Applies the rulebook again.
///
/// # Errors
/// When the assessment is missing, stale, too old or not what the rulebook gives, or a category is barred.
pub fn process_fits(hearing: &Hearing<'_>) -> Result<(LegalProcess, InPlay), BrokenPromise> {
    let broken = |reason: String, hint| Err(BrokenPromise::new(P5, reason, hint));
    let record = hearing.record;
    let Some(judged) = hearing.file.current_assessment() else {
        return broken(
            "the case was not assessed as it now stands".to_owned(),
            "assess the case again",
        );
    };
    let (as_of, today) = (judged.assessment.rulebook.as_of, hearing.today());
    if record.rulebook != judged.assessment.rulebook {
        return broken(
            "the record names another assessment than the case's last".to_owned(),
            "draw up a new record",
        );
    }
    if hearing.rulebook.digest() != record.rulebook.digest {
        return broken(
            "the rulebook at hand is not the one that the record names".to_owned(),
            "give the gate that rulebook, or assess under this one",
        );
    }
    let oldest = today.checked_sub(ASSESSMENT_DAYS_MAX.days()).unwrap_or(Date::MIN);
    let newest = today.checked_add(1.day()).unwrap_or(Date::MAX);
    if as_of < oldest || as_of > newest {
        return broken(
            format!("the assessment is as of {as_of}, and today is {today}"),
            "assess the case again",
        );
    }
    let again = assess(hearing, &judged.demand, &judged.facts, as_of)?;
    let canonical = |assessment| to_canonical_json(assessment).ok();
    let (recorded, recomputed) = (canonical(&judged.assessment), canonical(&again));
    if recorded.is_none() || recorded != recomputed {
        return broken(
            "the recorded assessment is not what the rulebook gives".to_owned(),
            "assess the case again with the rulebook it names",
        );
    }
    let Some((demand, facts)) = hearing.file.as_it_stands() else {
        return broken(
            "the subjects were not looked up".to_owned(),
            "resolve them, and assess again",
        );
    };
    let today_finds = if as_of == today && demand == judged.demand && facts == judged.facts {
        again.clone()
    } else {
        assess(hearing, &demand, &facts, today)?
    };
    let in_play = InPlay {
        recorded: again,
        today: today_finds,
    };
    for category in record
        .categories
        .iter()
        .chain(record.objects.iter().map(|object| &object.category))
    {
        if !in_play.is_free(*category) {
            return Err(barred(&in_play, *category));
        }
    }
    let findings = in_play.recorded.findings.len();
    Ok((
        LegalProcess {
            as_of,
            today,
            findings,
        },
        in_play,
    ))
}

/// Names the promise of the rule that bars, which need not be this one.
fn barred(in_play: &InPlay, category: Category) -> BrokenPromise {
    let bars = in_play.bars(category);
    let rules = bars
        .iter()
        .map(|finding| format!("`{}`", finding.rule))
        .collect::<Vec<_>>()
        .join(", ");
    let by = if rules.is_empty() {
        "not released by this instrument".to_owned()
    } else {
        format!("barred by {rules}")
    };
    BrokenPromise::new(
        bars.first().map_or(P5, |finding| finding.promise),
        format!("category `{}` is {by}", category.name()),
        "leave that category out, or reject the demand",
    )
}

pub(super) fn assess(
    hearing: &Hearing<'_>,
    demand: &Demand,
    facts: &Facts,
    as_of: Date,
) -> Result<Assessment, BrokenPromise> {
    hearing.rulebook.assess(demand, facts, as_of).map_err(|error| {
        BrokenPromise::new(
            P5,
            format!("the rulebook gives no answer: {error}"),
            "mend the rulebook",
        )
    })
}
