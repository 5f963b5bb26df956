//! When a clock of the table falls: its period counted in a calendar, less the time it rested, plus what made it longer.
//!
//! What happened after the day of assessment is not known on it: a question asked later has not stopped the clock yet.

use jiff::{Timestamp, ToSpan, civil::Date};

use super::{
    calendar::Calendar,
    table::{ClockRow, Start},
};
use crate::{
    demand::{Demand, Gag},
    finding::Clock,
    ids::RuleId,
};

/// One clock, and everything that bears on it.
pub(super) struct Running<'a> {
    pub(super) row: &'a ClockRow,
    pub(super) calendar: &'a Calendar,
    pub(super) demand: &'a Demand,
    /// The prohibition of notice that it runs for, where it runs for one.
    pub(super) gag: Option<&'a Gag>,
    /// The rule whose date it is: extensions name it.
    pub(super) rule: &'a RuleId,
    pub(super) as_of: Date,
    /// Since when a question to the issuer is unanswered.
    pub(super) asked: Option<Date>,
}

/// A time during which the period rests. Open: up to the day of assessment, and at least.
struct Rest<'a> {
    from: Timestamp,
    until: Timestamp,
    open: bool,
    why: &'a str,
}

impl Running<'_> {
    /// The date; nothing where there is nothing to count from, or it runs past the calendar.
    pub(super) fn falls(&self) -> Option<Clock> {
        let rests = self.rests()?;
        let at_rest = rests.iter().any(|rest| rest.open);
        let counted = match self.row.hours {
            Some(hours) => self.in_hours(hours, &rests)?,
            None => self.in_days(&rests)?,
        };
        Some(Clock {
            kind: self.row.kind,
            at: counted.at,
            on: counted.on,
            counted: counted.words,
            at_rest,
        })
    }

    /// The day that is not counted itself, and how to call it.
    fn start(&self) -> Option<(Date, &'static str)> {
        let demand = self.demand;
        let served = || self.calendar.date_of(demand.served_at);
        Some(match self.row.start {
            Start::Service => (served(), "service on"),
            Start::ReturnDate => (demand.return_on?, "the date on the instrument,"),
            Start::Clarification => (self.asked?, "the question to the issuer on"),
            Start::GagEnd => (self.gag?.until?, "the last day of the prohibition,"),
            Start::Silence => match demand.sequel.silence_reviewed_on {
                Some(on) if on <= self.as_of => (on, "the last review on"),
                _ => match self.gag {
                    Some(gag) => (gag.from, "the first day of the prohibition,"),
                    None => (served(), "service on"),
                },
            },
            Start::SilenceObjected => (
                demand.sequel.silence_objected_on?,
                "the day on which the authority was told,",
            ),
        })
    }

    fn in_hours(&self, hours: u16, rests: &[Rest<'_>]) -> Option<super::calendar::Counted> {
        let begin = self.demand.served_at;
        let mut counted = self.calendar.hours_after(begin, "service", hours)?;
        for rest in rests.iter().filter(|rest| rest.until > begin) {
            let from = rest.from.max(begin);
            if from > counted.at {
                break;
            }
            counted.at = counted.at.checked_add(rest.until.duration_since(from)).ok()?;
            counted.on = self.calendar.date_of(counted.at);
            counted.words.push_str(&rest.words(self.calendar));
        }
        Some(counted)
    }

    fn in_days(&self, rests: &[Rest<'_>]) -> Option<super::calendar::Counted> {
        let (row, calendar) = (self.row, self.calendar);
        let (from, start) = self.start()?;
        let (mut last, mut words) = match (row.months, row.working_days) {
            (Some(months), _) => calendar.months_after(from, start, months)?,
            (None, Some(days)) => calendar.working_days_after(from, start, days)?,
            (None, None) => calendar.days_after(from, start, row.days?)?,
        };
        for rest in rests {
            let (begin, end) = (
                calendar.date_of(rest.from).max(from),
                calendar.date_of(rest.until),
            );
            // A question on the very last day still stops it, and that day may have rolled.
            let ends_now = if row.roll {
                calendar.rolled(from, last, &mut String::new())?
            } else {
                last
            };
            if begin > ends_now {
                break;
            }
            if end > begin {
                last = last.checked_add((end - begin).get_days().days()).ok()?;
            }
            words.push_str(&rest.words(calendar));
        }
        let longer = self.longer(last, &mut words)?;
        let on = if row.roll && longer.is_none() {
            calendar.rolled(from, last, &mut words)?
        } else {
            longer.unwrap_or(last)
        };
        calendar.ending(on, words)
    }

    /// The last day after every renewal and extension that came in time; nothing where none did.
    fn longer(&self, last: Date, words: &mut String) -> Option<Option<Date>> {
        let mut extensions: Vec<_> = self
            .demand
            .sequel
            .extensions
            .iter()
            .filter(|extension| extension.clock == *self.rule && extension.on <= self.as_of)
            .collect();
        extensions.sort_by_key(|extension| extension.on);
        let mut now = None;
        let mut used = 0_u8;
        for extension in extensions {
            let end = now.unwrap_or(last);
            let on = extension.on;
            if on > end {
                words.push_str(&format!(
                    "; what came on {on} came after the end and makes nothing longer"
                ));
                continue;
            }
            match (self.row.renewal_days, extension.until) {
                (Some(_), _) if self.row.renewals_max.is_some_and(|max| used >= max) => {
                    words.push_str(&format!(
                        "; the law knows no further renewal, so that of {on} counts for nothing"
                    ));
                }
                (Some(days), _) => {
                    used = used.saturating_add(1);
                    now = Some(end.checked_add(i32::from(days).days()).ok()?);
                    words.push_str(&format!("; renewed on {on}, {days} days more"));
                }
                (None, Some(until)) if self.row.extendable && until > end => {
                    now = Some(until);
                    words.push_str(&format!("; extended to {until}, asked for on {on}"));
                }
                (None, _) => {}
            }
        }
        Some(now)
    }

    /// The times during which it rests, in order, none overlapping another.
    fn rests(&self) -> Option<Vec<Rest<'_>>> {
        let asked = self.demand.epoc.as_ref();
        let asked = asked
            .and_then(|epoc| epoc.clarification_unanswered_since)
            .filter(|since| self.row.rests_while_asked && *since <= self.as_of);
        if self.demand.sequel.pauses.is_empty() && asked.is_none() {
            return Some(Vec::new());
        }
        let today = self.calendar.ending(self.as_of, String::new())?.at;
        let known = self.demand.sequel.pauses.iter().filter(|pause| {
            self.row.rests_for.contains(&pause.by) && self.calendar.date_of(pause.from) <= self.as_of
        });
        let mut rests: Vec<Rest<'_>> = known
            .map(|pause| match pause.until.filter(|until| *until <= today) {
                Some(until) => Rest {
                    from: pause.from,
                    until: until.max(pause.from),
                    open: false,
                    why: pause.by.as_str(),
                },
                None => Rest {
                    from: pause.from,
                    until: today.max(pause.from),
                    open: true,
                    why: pause.by.as_str(),
                },
            })
            .collect();
        if let Some(since) = asked {
            rests.push(Rest {
                from: self.calendar.ending(since, String::new())?.at,
                until: today,
                open: true,
                why: "a question to the issuer",
            });
        }
        rests.sort_by_key(|rest| rest.from);
        let mut apart: Vec<Rest<'_>> = Vec::new();
        for rest in rests {
            match apart.last_mut().filter(|before| rest.from <= before.until) {
                Some(before) => {
                    before.until = before.until.max(rest.until);
                    before.open |= rest.open;
                }
                None => apart.push(rest),
            }
        }
        Some(apart)
    }
}

impl Rest<'_> {
    fn words(&self, calendar: &Calendar) -> String {
        let (from, until) = (calendar.date_of(self.from), calendar.date_of(self.until));
        if self.open {
            format!(
                "; at rest since {from} for {}: it moves on with every day until that ends",
                self.why
            )
        } else {
            format!("; at rest from {from} to {until} for {}", self.why)
        }
    }
}
