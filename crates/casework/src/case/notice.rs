//! Gags: when one stands, when it ends, whom it keeps from being told (P9, P10).

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{CaseFile, GagEntry};
use crate::{
    demand::NoticeTo,
    event::Decision,
    facts::{Resolution, TenantKind},
    finding::{Clock, ClockKind, DutyKind},
    ids::TenantId,
};

impl GagEntry {
    /// The first instant at which it no longer stands by its own date; `None` where it has no date.
    ///
    /// The rulebook counts the end of the day in the law's own time zone, so its clock is used where it has one for
    /// that day; else the day ends in UTC.
    pub fn ends_at<'a>(&self, clocks: impl Iterator<Item = &'a Clock>) -> Option<Timestamp> {
        let last_day = self.until()?;
        let mut clocks = clocks;
        clocks
            .find(|clock| clock.kind == ClockKind::Expires && clock.on == last_day)
            .map(|clock| clock.at)
            .or_else(|| end_of_day_utc(last_day))
    }

    /// Its last day as it stands now: its own, or the earlier one that a court left it.
    pub fn until(&self) -> Option<Date> {
        match (self.gag.until, self.shortened_to) {
            (Some(own), Some(shortened)) => Some(own.min(shortened)),
            (own, shortened) => own.or(shortened),
        }
    }

    /// Whether a court struck it down or its end was recorded.
    pub fn is_lifted(&self) -> bool {
        self.ended || self.decision == Some(Decision::Won)
    }
}

impl CaseFile {
    /// Gags that keep `to` from being told at `at`: with a basis in law, begun, not ended, not struck down, and
    /// forbidding exactly that recipient.
    pub fn gags_forbidding(&self, to: NoticeTo, at: Timestamp) -> impl Iterator<Item = &GagEntry> {
        self.gags().iter().filter(move |entry| {
            entry.gag.basis.is_some()
                && entry.gag.forbids.contains(&to)
                && !entry.is_lifted()
                && has_begun(entry.gag.from, at)
                && self.gag_end(entry).is_none_or(|end| at < end)
        })
    }

    /// Whether telling `to` about `tenant`'s data is forbidden at `at`.
    ///
    /// The rulebook says which gags bind, so its last findings decide; a gag's end counts at once, before anybody
    /// assesses again. Before the first assessment every gag with a basis in law is respected.
    pub fn notice_forbidden(&self, to: NoticeTo, tenant: &TenantId, at: Timestamp) -> bool {
        if self.judged().is_none() {
            return self.gags_forbidding(to, at).next().is_some();
        }
        let some_gag_stands = self
            .gags()
            .iter()
            .any(|entry| !entry.is_lifted() && self.gag_end(entry).is_none_or(|end| at < end));
        match to {
            NoticeTo::Tenant if self.has_duty(DutyKind::DoNotTellTenant) => {
                // Both duties at once: accounts of several customers, and a gag that forbids telling the person reaches
                // the customer only where the two are one.
                let reaches = !self.has_duty(DutyKind::NotifyTenant) || self.is_consumer(tenant);
                reaches && (some_gag_stands || self.gags().is_empty())
            }
            NoticeTo::Tenant => false,
            NoticeTo::Person => self.has_duty(DutyKind::DoNotTellPerson),
            NoticeTo::Public => self.gags_forbidding(to, at).next().is_some(),
        }
    }

    fn is_consumer(&self, tenant: &TenantId) -> bool {
        self.facts().is_some_and(|facts| {
            facts.resolved.iter().any(|resolution| {
                matches!(resolution, Resolution::One(account)
                    if account.tenant == *tenant && account.tenant_kind == TenantKind::Consumer)
            })
        })
    }

    /// When a gag of this case ends by its date.
    pub fn gag_end(&self, entry: &GagEntry) -> Option<Timestamp> {
        let clocks = self.judged().into_iter().flat_map(|judged| {
            judged
                .assessment
                .findings
                .iter()
                .filter_map(|finding| finding.clock.as_ref())
        });
        entry.ends_at(clocks)
    }

    /// Gags whose end by date has come, but has not been recorded: each owes a `GagEnded`.
    pub fn gags_run_out(&self, at: Timestamp) -> impl Iterator<Item = &GagEntry> {
        self.gags()
            .iter()
            .filter(move |entry| !entry.is_lifted() && self.gag_end(entry).is_some_and(|end| end <= at))
    }
}

/// A gag's first day has begun somewhere on Earth (UTC+14): an order of today is obeyed today.
fn has_begun(from: Date, at: Timestamp) -> bool {
    let earliest = from.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).ok().and_then(|day| {
        day.timestamp()
            .checked_sub(jiff::SignedDuration::from_hours(14))
            .ok()
    });
    earliest.is_none_or(|earliest| earliest <= at)
}

fn end_of_day_utc(day: Date) -> Option<Timestamp> {
    let next = day.tomorrow().ok()?;
    Some(next.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?.timestamp())
}
