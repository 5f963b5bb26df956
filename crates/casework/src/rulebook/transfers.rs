//! The law of transfers between countries, as tables: whose law asks for a basis, which bases there are and from when to
//! when, and which situations the assessment may fall under. `crate::transfer` applies them; nothing here knows a country.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    Rulebook,
    rule::Source,
    table::{Span, Tables, within},
};
use crate::{demand::CountryCode, ids::RuleId};

/// The regime that speaks where no other does.
pub(crate) const NO_REGIME: &str = "any";

/// A body of law on moving personal data out of the countries that it governs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regime {
    /// What lawyers call it.
    pub title: String,
    /// The lists of countries whose law it is. None: it speaks for those that no other regime governs.
    #[serde(default)]
    pub countries: Vec<String>,
    /// The lists of countries within which no basis is needed.
    #[serde(default)]
    pub free: Vec<String>,
    /// The provision behind each check that it makes.
    pub citations: BTreeMap<Check, String>,
    /// When it was last checked.
    pub verified_on: Date,
    /// What was read to check it.
    #[serde(default)]
    pub source: Source,
}

/// Something that may carry a transfer: a decision, clauses, binding rules, a derogation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasisRow {
    /// Whose law it belongs to.
    pub regime: String,
    /// Of which kind it is.
    pub kind: BasisKind,
    /// What lawyers call it.
    pub name: String,
    /// The one country that it is about.
    #[serde(default)]
    pub country: Option<CountryCode>,
    /// The list of countries that it is about.
    #[serde(default)]
    pub country_list: Option<String>,
    /// What must be shown of the importer: names of the table of marks.
    #[serde(default)]
    pub needs: Vec<String>,
    /// For clauses: whom they bind.
    #[serde(default)]
    pub roles: Option<Roles>,
    /// For clauses: the last day on which they could be concluded.
    #[serde(default)]
    pub concluded_until: Option<Date>,
    /// Where it is laid down.
    pub citation: String,
    /// In plain words.
    pub explanation: String,
    /// When it was last checked.
    pub verified_on: Date,
    /// What was read to check it.
    #[serde(default)]
    pub source: Source,
    /// First and last days on which it carried transfers.
    pub(super) spans: Vec<Span>,
}

/// Kinds of basis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BasisKind {
    /// Somebody empowered found the country's protection adequate, for all or for some importers.
    Adequacy,
    /// Clauses adopted or approved for the purpose.
    Clauses,
    /// A group's own rules, approved.
    BindingRules,
    /// An exception for single cases.
    Derogation,
}

/// Whom clauses bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Who sends.
    pub exporter: Role,
    /// Who receives.
    pub importer: Role,
}

/// What somebody is with regard to the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Decides on purposes and means.
    Controller,
    /// Acts on a controller's behalf.
    Processor,
}

/// A situation that an assessment may fall under, and whether measures can help in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseCase {
    /// What it is.
    pub title: String,
    /// Whether effective technical measures could be found.
    pub effective: bool,
    /// What must be shown for it to be the situation.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Where it is described.
    pub citation: String,
    /// In plain words.
    pub explanation: String,
    #[serde(rename = "verified_on")]
    _verified_on: Date,
    #[serde(default, rename = "source")]
    _source: Source,
}

/// Something to be shown of an importer, or of a transfer: a certificate, say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// What it is.
    pub title: String,
    /// Where it is laid down.
    pub citation: String,
    #[serde(rename = "verified_on")]
    _verified_on: Date,
    #[serde(default, rename = "source")]
    _source: Source,
}

/// What a transfer is checked for. The program makes the check; the tables say on what law, and in which words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Nothing is needed: the data stays where it moves freely.
    Free,
    /// No law of the table speaks of it: a person must decide.
    Undecided,
    /// A person decided.
    Decided,
    /// No basis of this regime was stated.
    NoBasis,
    /// The basis stated is in no table, or of another kind than it is said to be.
    UnknownBasis,
    /// The basis is not in force on that day.
    NotInForce,
    /// The basis is about another country.
    OtherCountry,
    /// The importer is not shown to be one of those that it covers.
    OutsideScope,
    /// The clauses bind others than those who send and receive.
    WrongModule,
    /// The clauses were not concluded by that day, or no longer could be.
    NotConcluded,
    /// No assessment, or one with a step left out.
    AssessmentMissing,
    /// The assessment is due anew.
    AssessmentDue,
    /// The situation is not shown to be the one that the assessment says.
    UseCaseUnfit,
    /// The law there gets in the way and no measure was found to be effective.
    NoEffectiveMeasure,
    /// The law there gets in the way and no technical measure was taken.
    MeasureMissing,
    /// The law there gets in the way on paper, and is said not to in practice: a person must decide.
    PracticeOnly,
    /// A derogation for what is not occasional.
    NotOccasional,
    /// A derogation for a bulk move.
    Bulk,
}

impl Check {
    pub(super) const ALL: [Self; 18] = [
        Self::Free,
        Self::Undecided,
        Self::Decided,
        Self::NoBasis,
        Self::UnknownBasis,
        Self::NotInForce,
        Self::OtherCountry,
        Self::OutsideScope,
        Self::WrongModule,
        Self::NotConcluded,
        Self::AssessmentMissing,
        Self::AssessmentDue,
        Self::UseCaseUnfit,
        Self::NoEffectiveMeasure,
        Self::MeasureMissing,
        Self::PracticeOnly,
        Self::NotOccasional,
        Self::Bulk,
    ];
    /// Its name in rule ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Undecided => "undecided",
            Self::Decided => "decided",
            Self::NoBasis => "no_basis",
            Self::UnknownBasis => "unknown_basis",
            Self::NotInForce => "not_in_force",
            Self::OtherCountry => "other_country",
            Self::OutsideScope => "outside_scope",
            Self::WrongModule => "wrong_module",
            Self::NotConcluded => "not_concluded",
            Self::AssessmentMissing => "assessment_missing",
            Self::AssessmentDue => "assessment_due",
            Self::UseCaseUnfit => "use_case_unfit",
            Self::NoEffectiveMeasure => "no_effective_measure",
            Self::MeasureMissing => "measure_missing",
            Self::PracticeOnly => "practice_only",
            Self::NotOccasional => "not_occasional",
            Self::Bulk => "bulk",
        }
    }
}

/// What a check says when it comes out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) explanation: String,
}

impl BasisRow {
    /// The last day on which it carries transfers, counted from `on`; an error where it does not on that day.
    pub(crate) fn in_force(&self, on: Date) -> Result<Option<Date>, ()> {
        let mut until = self.spans.iter().find(|span| span.holds(on)).ok_or(())?.until;
        // Periods that follow on one another are one to who relies on them.
        while let Some(end) = until {
            let next = end.tomorrow().ok();
            let going_on = |span: &&Span| next.is_some_and(|next| span.from == Some(next));
            match self.spans.iter().find(going_on) {
                Some(span) => until = span.until,
                None => break,
            }
        }
        Ok(until)
    }

    /// The days on which it was, is or will be in force, for people.
    pub fn periods(&self) -> impl Iterator<Item = (Option<Date>, Option<Date>)> {
        self.spans.iter().map(|span| (span.from, span.until))
    }
}

impl Rulebook {
    /// The regimes that govern what leaves this country on that day, by name.
    pub fn regimes<'a>(
        &'a self,
        country: &'a CountryCode,
        on: Date,
    ) -> impl Iterator<Item = (&'a str, &'a Regime)> {
        let regimes = self.tables.regime.iter();
        regimes
            .filter(move |(_, regime)| self.stands_on_any(&regime.countries, country, on))
            .map(|(name, regime)| (name.as_str(), regime))
    }

    /// Whether the country stands on the list on that day.
    pub fn stands_on(&self, list: &str, country: &CountryCode, on: Date) -> bool {
        self.tables
            .list
            .get(list)
            .is_some_and(|list| list.holds(country, on))
    }

    /// Whether the country stands on one of the lists on that day.
    pub(crate) fn stands_on_any(&self, lists: &[String], country: &CountryCode, on: Date) -> bool {
        lists.iter().any(|list| self.stands_on(list, country, on))
    }

    /// A basis, by its id.
    pub fn basis(&self, id: &RuleId) -> Option<&BasisRow> {
        self.tables.basis.get(id)
    }

    /// Every basis.
    pub fn bases(&self) -> impl Iterator<Item = (&RuleId, &BasisRow)> {
        self.tables.basis.iter()
    }

    /// A situation that assessments fall under, by its id.
    pub fn use_case(&self, id: &RuleId) -> Option<&UseCase> {
        self.tables.use_case.get(id)
    }

    /// Every such situation.
    pub fn use_cases(&self) -> impl Iterator<Item = (&RuleId, &UseCase)> {
        self.tables.use_case.iter()
    }

    /// What can be shown of an importer or a transfer.
    pub fn marks(&self) -> impl Iterator<Item = (&str, &Mark)> {
        self.tables.mark.iter().map(|(name, mark)| (name.as_str(), mark))
    }

    /// The provision behind a check, and its words; those for countries without a regime where this one has none.
    pub(crate) fn on_check(&self, regime: &str, check: Check) -> (String, String) {
        let cites = |name: &str| self.tables.regime.get(name)?.citations.get(&check).cloned();
        let citation = cites(regime).or_else(|| cites(NO_REGIME)).unwrap_or_default();
        let words = self.tables.transfer_check.get(&check);
        let explanation = words.map(|words| words.explanation.clone());
        (citation, explanation.unwrap_or_default())
    }
}

/// Everything in these tables that does not hold together.
pub(super) fn check(tables: &Tables, found: &mut Vec<(String, String)>) {
    if tables.regime.is_empty() && tables.basis.is_empty() && tables.use_case.is_empty() {
        return;
    }
    regimes(tables, found);
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let unknown = |needs: &[String]| {
        needs
            .iter()
            .find(|name| !tables.mark.contains_key(*name))
            .cloned()
    };
    for (id, row) in &tables.basis {
        let mut wrong = |reason: String| found.push((format!("basis {id}"), reason));
        used.extend(row.needs.iter().map(String::as_str));
        if !tables.regime.contains_key(&row.regime) {
            wrong(format!("regime `{}` is in no table", row.regime));
        }
        if let Some(mark) = unknown(&row.needs) {
            wrong(format!("mark `{mark}` is in no table"));
        }
        if let Some(list) = row
            .country_list
            .as_ref()
            .filter(|list| !tables.list.contains_key(*list))
        {
            wrong(format!("list `{list}` is in no table"));
        }
        let countries = usize::from(row.country.is_some()) + usize::from(row.country_list.is_some());
        if (row.kind == BasisKind::Adequacy) != (countries == 1) || countries > 1 {
            wrong("`country` or `country_list` belongs to bases of kind `adequacy`, one of them".to_owned());
        }
        if (row.roles.is_some() || row.concluded_until.is_some()) && row.kind != BasisKind::Clauses {
            wrong("`roles` and `concluded_until` belong to bases of kind `clauses`".to_owned());
        }
        if [&row.name, &row.citation, &row.explanation]
            .iter()
            .any(|text| text.trim().is_empty())
        {
            wrong("`name`, `citation` and `explanation` must not be empty".to_owned());
        }
        if row.spans.is_empty() {
            wrong("no `spans`: say from when to when it is in force".to_owned());
        }
    }
    for (id, row) in &tables.use_case {
        used.extend(row.needs.iter().map(String::as_str));
        if let Some(mark) = unknown(&row.needs) {
            found.push((format!("use_case {id}"), format!("mark `{mark}` is in no table")));
        }
        if row.title.trim().is_empty() || row.citation.trim().is_empty() {
            found.push((
                format!("use_case {id}"),
                "`title` and `citation` must not be empty".to_owned(),
            ));
        }
    }
    for (name, mark) in &tables.mark {
        if !used.contains(name.as_str()) {
            found.push((format!("mark {name}"), "nothing needs it".to_owned()));
        }
        if mark.title.trim().is_empty() || mark.citation.trim().is_empty() {
            found.push((
                format!("mark {name}"),
                "`title` and `citation` must not be empty".to_owned(),
            ));
        }
    }
    works(tables, found);
}

fn regimes(tables: &Tables, found: &mut Vec<(String, String)>) {
    for (name, regime) in &tables.regime {
        let mut wrong = |reason: String| found.push((format!("regime {name}"), reason));
        for list in regime.countries.iter().chain(&regime.free) {
            if !tables.list.contains_key(list) {
                wrong(format!("list `{list}` is in no table"));
            }
        }
        if regime.countries.is_empty() != (name == NO_REGIME) {
            wrong(format!(
                "`countries` says whose law it is; only `{NO_REGIME}` has none"
            ));
        }
        let needed = |check: &Check| match name.as_str() {
            NO_REGIME => matches!(check, Check::Free | Check::Undecided | Check::Decided),
            _ => !matches!(check, Check::Undecided | Check::Decided),
        };
        for check in Check::ALL.iter().filter(|check| needed(check)) {
            if regime
                .citations
                .get(check)
                .is_none_or(|text| text.trim().is_empty())
            {
                wrong(format!(
                    "no citation for `{}`: say on which provision it rests",
                    check.name()
                ));
            }
        }
        if RuleId::new(format!("{name}.transfer.free")).is_err() {
            wrong("its name cannot begin a rule's id".to_owned());
        }
    }
    if !tables.regime.contains_key(NO_REGIME) {
        let reason = "missing: it speaks where no other regime does";
        found.push((format!("regime {NO_REGIME}"), reason.to_owned()));
    }
    for check in Check::ALL {
        if !tables.transfer_check.contains_key(&check) {
            let reason = "no words for it".to_owned();
            found.push((format!("transfer_check {}", check.name()), reason));
        }
    }
}

/// Citations name works that some table has, as those of rules do.
fn works(tables: &Tables, found: &mut Vec<(String, String)>) {
    let regimes = tables.regime.iter().flat_map(|(name, regime)| {
        let citations = regime.citations.values();
        citations.map(move |text| (format!("regime {name}"), text))
    });
    let bases = tables
        .basis
        .iter()
        .map(|(id, row)| (format!("basis {id}"), &row.citation));
    let cases = tables
        .use_case
        .iter()
        .map(|(id, row)| (format!("use_case {id}"), &row.citation));
    for (place, citation) in regimes.chain(bases).chain(cases) {
        for part in citation.split("; ") {
            if !tables.work.keys().any(|work| part.contains(work.as_str())) {
                let reason = format!("it cites `{part}`, and no table of works has that");
                found.push((place.clone(), reason));
            }
        }
    }
}

/// The periods of every basis, for the checks that all dated tables share.
pub(super) fn spans(tables: &Tables) -> impl Iterator<Item = (String, &Vec<Span>)> {
    tables
        .basis
        .iter()
        .map(|(id, row)| (format!("basis {id}"), &row.spans))
}

/// Whether a day lies within the time in which clauses could be concluded.
pub(crate) fn concluded_in_time(row: &BasisRow, on: Date) -> bool {
    within(on, None, row.concluded_until)
}
