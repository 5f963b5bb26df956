//! Gags: when one stands, when it ends, whom it keeps from being told (P9, P10).

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{CaseFile, GagEntry, Judged, NotNow, order};
use crate::{
    demand::NoticeTo,
    event::Decision,
    facts::{Resolution, TenantKind},
    finding::{ClockKind, DutyKind, Finding},
    ids::TenantId,
};

/// That a customer may be told of a case now. Only [`CaseFile::may_be_told`] makes one, and a letter to a customer takes one: none
/// is written while a gag, or the law, forbids it (P9).
#[derive(Debug, Clone, Copy)]
pub struct MayBeTold<'a> {
    file: &'a CaseFile,
    tenant: &'a TenantId,
}

impl<'a> MayBeTold<'a> {
    /// The case.
    pub fn file(&self) -> &'a CaseFile {
        self.file
    }
    /// The customer.
    pub fn tenant(&self) -> &'a TenantId {
        self.tenant
    }
}

impl GagEntry {
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
            entry.gag.basis.is_some() && entry.gag.forbids.contains(&to) && self.stands(entry, at)
        })
    }

    /// Begun, not lifted, and not past its last day.
    pub fn stands(&self, entry: &GagEntry, at: Timestamp) -> bool {
        !entry.is_lifted() && has_begun(entry.gag.from, at) && self.gag_end(entry).is_none_or(|end| at < end)
    }

    /// That `tenant` may be told at `at`.
    ///
    /// # Errors
    /// [`NotNow`] where the demand does not concern that customer, or something forbids it.
    pub fn may_be_told<'a>(&'a self, tenant: &'a TenantId, at: Timestamp) -> Result<MayBeTold<'a>, NotNow> {
        order::may_be_told(self, NoticeTo::Tenant, tenant, at)?;
        Ok(MayBeTold { file: self, tenant })
    }

    /// Whether telling `to` about `tenant`'s data is forbidden at `at`.
    ///
    /// The rulebook says which gags bind, so its last findings decide, gag by gag: a gag's end counts at once, before
    /// anybody assesses again, and ends what rests on it alone. A gag that came after is respected until it is assessed.
    /// What the law forbids without a gag (an EPOC's Art. 13) no gag's end lifts.
    pub fn notice_forbidden(&self, to: NoticeTo, tenant: &TenantId, at: Timestamp) -> bool {
        let Some(judged) = self.judged() else {
            return self.gags_forbidding(to, at).next().is_some();
        };
        let by_findings = || {
            self.silences(judged, to, tenant).any(|finding| {
                finding.gags.is_empty()
                    || finding
                        .gags
                        .iter()
                        .filter_map(|place| self.gag_at(judged, *place))
                        .any(|entry| !entry.is_lifted() && self.gag_end(entry).is_none_or(|end| at < end))
            })
        };
        let by_a_later_gag = || {
            let later = self
                .gags()
                .iter()
                .filter(|entry| !judged.gags.contains(&entry.seq));
            later.filter(|entry| self.stands(entry, at)).any(|entry| {
                let person_is_customer = to == NoticeTo::Tenant && self.is_consumer(tenant);
                entry.gag.forbids.contains(&to)
                    || (person_is_customer && entry.gag.forbids.contains(&NoticeTo::Person))
            })
        };
        match to {
            NoticeTo::Public => self.gags_forbidding(to, at).next().is_some(),
            NoticeTo::Tenant | NoticeTo::Person => by_findings() || by_a_later_gag(),
        }
    }

    /// Whether `tenant` is to be told: before the release, after it, or once it is no longer forbidden. Not where the law
    /// leaves telling to the authority for good: a prohibition without any gag that could end.
    pub fn owes_notice_to(&self, tenant: &TenantId) -> bool {
        let Some(judged) = self.judged() else { return false };
        let mut silences = self.silences(judged, NoticeTo::Tenant, tenant).peekable();
        if silences.peek().is_some() {
            return silences.all(|finding| !finding.gags.is_empty());
        }
        self.has_duty(DutyKind::NotifyTenant) || self.has_duty(DutyKind::NotifyTenantAfterwards)
    }

    /// Findings of the last assessment that forbid telling `to` about this customer's data.
    fn silences<'a>(
        &'a self,
        judged: &'a Judged,
        to: NoticeTo,
        tenant: &TenantId,
    ) -> impl Iterator<Item = &'a Finding> {
        let duty = match to {
            NoticeTo::Tenant => Some(DutyKind::DoNotTellTenant),
            NoticeTo::Person => Some(DutyKind::DoNotTellPerson),
            NoticeTo::Public => None,
        };
        // Both duties at once: accounts of several customers, and what forbids telling the person reaches the customer only
        // where the two are one.
        let reaches =
            to != NoticeTo::Tenant || !self.has_duty(DutyKind::NotifyTenant) || self.is_consumer(tenant);
        let findings = judged.assessment.findings.iter();
        findings.filter(move |finding| reaches && duty.is_some() && finding.duty == duty)
    }

    fn is_consumer(&self, tenant: &TenantId) -> bool {
        self.facts().is_some_and(|facts| {
            facts.resolved.iter().any(|resolution| {
                matches!(resolution, Resolution::One(account)
                    if account.tenant == *tenant && account.tenant_kind == TenantKind::Consumer)
            })
        })
    }

    /// The gag that a finding names by its place.
    fn gag_at(&self, judged: &Judged, place: u32) -> Option<&GagEntry> {
        let seq = judged.gags.get(usize::try_from(place).ok()?)?;
        self.gags().iter().find(|entry| entry.seq == *seq)
    }

    /// Whether a finding of the last assessment rests on this gag.
    pub fn rests_on(&self, finding: &Finding, entry: &GagEntry) -> bool {
        self.judged().is_some_and(|judged| {
            let places = finding.gags.iter();
            places
                .filter_map(|place| self.gag_at(judged, *place))
                .any(|found| found.seq == entry.seq)
        })
    }

    /// The first instant at which a gag no longer stands by its own date; `None` where it has no date.
    ///
    /// The rulebook counts the end of the day in the law's own time zone, so its clock for this very gag is used where it
    /// has one for that day; else the day is over when it is over everywhere on Earth.
    pub fn gag_end(&self, entry: &GagEntry) -> Option<Timestamp> {
        let last_day = entry.until()?;
        let findings = self
            .judged()
            .map_or(&[][..], |judged| &judged.assessment.findings);
        let clocks = findings.iter().filter(|finding| self.rests_on(finding, entry));
        clocks
            .filter_map(|finding| finding.clock.as_ref())
            .find(|clock| clock.kind == ClockKind::Expires && clock.on == last_day)
            .and_then(|clock| clock.at.checked_add(SignedDuration::from_secs(1)).ok())
            .or_else(|| end_of_day_everywhere(last_day))
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
    let earliest = from
        .at(0, 0, 0, 0)
        .to_zoned(TimeZone::UTC)
        .ok()
        .and_then(|day| day.timestamp().checked_sub(SignedDuration::from_hours(14)).ok());
    earliest.is_none_or(|earliest| earliest <= at)
}

/// The first instant at which that day is over also where days end last (UTC-12).
fn end_of_day_everywhere(day: Date) -> Option<Timestamp> {
    let next = day.tomorrow().ok()?;
    let midnight = next.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?.timestamp();
    midnight.checked_add(SignedDuration::from_hours(12)).ok()
}
