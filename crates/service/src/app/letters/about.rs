//! What letters say of a demand, and the plainer letters.

use std::collections::BTreeSet;

use casework::{
    case::{CaseFile, MayBeTold},
    demand::{Category, Demand, Window},
    ids::{Digest, RuleId},
    rejection::RejectionCode,
};
use jiff::{Timestamp, tz::TimeZone};
use stationery::{Facts, Ground, visible};

use super::{Letterhead, NotWritten, no_demand, word};

impl Letterhead<'_> {
    pub(super) fn received(&self, bytes: Digest, size: u64) -> Facts {
        let mut facts = Facts::default();
        facts
            .values
            .insert("received_at", self.now.strftime("%Y-%m-%d %H:%M:%S").to_string());
        facts.values.insert("bytes", bytes.to_string());
        facts.values.insert("size", size.to_string());
        facts
    }

    pub(super) fn to_the_customer(
        &self,
        language: &str,
        file: &CaseFile,
        answer_by: Option<Timestamp>,
    ) -> Result<Facts, NotWritten> {
        let mut facts = self.about_demand(language, file)?;
        let tenants: BTreeSet<String> = file
            .scope()
            .accounts
            .into_iter()
            .map(|(tenant, _)| tenant.into())
            .collect();
        let customers = list(tenants).unwrap_or_else(|| word(language, "a_customer").to_owned());
        facts.values.insert("customers", customers);
        if let Some(by) = answer_by {
            facts.values.insert("answer_by", minute(by));
        }
        Ok(facts)
    }

    pub(super) fn telling(&self, language: &str, told: MayBeTold<'_>) -> Result<Facts, NotWritten> {
        let (file, tenant) = (told.file(), told.tenant());
        let mut facts = self.about_demand(language, file)?;
        facts.values.insert("tenant", tenant.to_string());
        let accounts = file.scope().accounts.into_iter().filter(|(of, _)| of == tenant);
        set(
            &mut facts,
            "accounts",
            list(accounts.map(|(_, account)| account.to_string())),
        );
        let barred = file.notice_bars().iter().any(|bar| bar.tenant == *tenant);
        if barred || !file.gags().is_empty() {
            facts.flags.insert("was_forbidden");
        }
        if file.tenants_released().contains(tenant) {
            let released = file.drawn_up().iter().filter(|drawn| drawn.released.is_some());
            let objects: usize = released
                .map(|drawn| {
                    let objects = drawn.record.objects.iter();
                    objects.filter(|object| object.account.tenant == *tenant).count()
                })
                .sum();
            facts
                .values
                .insert("disclosed", counted(language, "objects", objects));
        }
        Ok(facts)
    }

    pub(super) fn rejecting(
        &self,
        language: &str,
        file: &CaseFile,
        rules: &[RuleId],
        codes: &[RejectionCode],
        explanation: &str,
    ) -> Facts {
        let mut facts = self.about_demand(language, file).unwrap_or_default();
        facts.values.insert("explanation", explanation.to_owned());
        let reasons = codes
            .iter()
            .map(|code| word(language, &format!("code.{}", code.name())).to_owned());
        facts.items.insert("reasons", reasons.collect());
        set(&mut facts, "rules", list(rules.iter().map(ToString::to_string)));
        let found = findings(file).filter(|finding| rules.contains(&finding.rule));
        facts.grounds.insert("grounds", found.map(ground).collect());
        facts
    }

    /// What is known of a demand.
    pub(super) fn about_demand(&self, language: &str, file: &CaseFile) -> Result<Facts, NotWritten> {
        let demand: &Demand = file.demand().ok_or_else(no_demand)?;
        let scope = file.scope();
        let authority = visible(&demand.requester.authority);
        let country = demand.requester.country.as_str().to_owned();
        let mut rows = self.rulebook.instruments();
        let instrument = rows
            .find(|(id, _)| **id == demand.instrument)
            .map_or_else(|| demand.instrument.to_string(), |(_, row)| row.name.clone());
        let mut facts = Facts {
            instrument: Some(demand.instrument.to_string()),
            ..Facts::default()
        };
        facts
            .values
            .insert("requester", format!("{authority} ({country})"));
        facts.values.insert("authority", authority);
        facts.values.insert("country", country);
        facts.values.insert("instrument", instrument);
        facts.values.insert("served_on", day(demand.served_at));
        facts
            .values
            .insert("window", window(language, scope.window.or(demand.window)));
        if file.has_released() {
            facts.flags.insert("released");
        }
        set(&mut facts, "reference", demand.reference.as_deref().map(visible));
        set(
            &mut facts,
            "issued_on",
            demand.issued_on.map(|day| day.to_string()),
        );
        set(
            &mut facts,
            "return_on",
            demand.return_on.map(|day| day.to_string()),
        );
        // Before anybody looked the accounts up, what is asked for is all that there is to say.
        let categories = match file.facts() {
            Some(_) => &scope.categories,
            None => &demand.categories,
        };
        set(&mut facts, "categories", kinds_of_data(language, categories));
        Ok(facts)
    }
}

/// The findings of the last assessment.
pub(super) fn findings(file: &CaseFile) -> impl Iterator<Item = &casework::finding::Finding> {
    let judged = file.judged().into_iter();
    judged.flat_map(|judged| judged.assessment.findings.iter())
}

/// A finding as a letter states it.
pub(super) fn ground(finding: &casework::finding::Finding) -> Ground {
    Ground {
        rule: finding.rule.to_string(),
        source: finding.citation.clone(),
        text: finding.explanation.clone(),
    }
}

/// Says a fact where there is one.
pub(super) fn set(facts: &mut Facts, name: &'static str, value: Option<String>) {
    if let Some(value) = value {
        facts.values.insert(name, value);
    }
}

/// Joined by commas; `None` of nothing.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> Option<String> {
    let joined = items.into_iter().collect::<Vec<_>>().join(", ");
    (!joined.is_empty()).then_some(joined)
}

pub(super) fn kinds_of_data(language: &str, categories: &[Category]) -> Option<String> {
    let name = |category: &Category| word(language, &format!("category.{}", category.name())).to_owned();
    list(categories.iter().map(name))
}

pub(super) fn window(language: &str, window: Option<Window>) -> String {
    match window {
        None => word(language, "no_dates").to_owned(),
        Some(window) => word(language, "window")
            .replace("{from}", &window.from.to_string())
            .replace("{until}", &window.until.to_string()),
    }
}

pub(super) fn counted(language: &str, name: &str, count: impl ToString) -> String {
    word(language, name).replace("{count}", &count.to_string())
}

/// A moment to the minute, UTC.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// The day of a moment, UTC.
pub(super) fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).date().to_string()
}
