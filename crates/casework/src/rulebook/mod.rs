//! The law as data: validated Cedar policies with their citations, and dated tables.
//!
//! Nothing in this module knows a country. A rulebook is a folder of files; this reads them, refuses them where they
//! do not hold together ([`Rulebook::load`]), and applies them to a demand ([`Rulebook::assess`]). `docs/law.md` says
//! how to write one.

mod assess;
mod builtin;
mod calendar;
mod coherence;
mod context;
mod example;
mod load;
mod matrix;
mod page;
mod reporting;
mod rule;
mod running;
mod table;
pub(crate) mod transfers;

use std::collections::BTreeMap;

use cedar_policy::{Entity, PolicySet, Schema};
use jiff::civil::Date;

use crate::{
    demand::Demand,
    facts::Facts,
    finding::Assessment,
    ids::{Digest, InstrumentId, RuleId},
};

pub use example::ExampleFailure;
pub use load::{FILE_BYTES_MAX, FILES_MAX};
pub use reporting::{Band, Bucket, Length, Period, Structure};
pub use rule::{About, Rule, Source};
pub use table::{GagMode, Instrument, InstrumentKind, Jurisdiction, Work};
pub use transfers::{BasisKind, BasisRow, Check, Mark, Regime, Role, Roles, UseCase};

/// Version of the rulebook language: what annotations and tables mean.
pub const LANGUAGE: &str = "amparo.rulebook/1";

/// A checked rulebook.
pub struct Rulebook {
    digest: Digest,
    names: context::Names,
    schema: Schema,
    tables: table::Tables,
    default_calendar: String,
    rules: BTreeMap<RuleId, Rule>,
    /// For each known instrument, the policies that can match it.
    parts: BTreeMap<InstrumentId, Part>,
    /// The policies that can match an unknown one.
    unknown: Part,
    instrument_entities: BTreeMap<InstrumentId, Entity>,
    examples: Vec<example::ExampleFile>,
}

/// The policies that can match an instrument. Those that say the same whatever the category are asked once for all.
struct Part {
    whole: PolicySet,
    by_category: PolicySet,
}

/// Why files are not a rulebook: everything that was found wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a rulebook: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct RulebookError {
    /// One line each.
    pub problems: Vec<Problem>,
}

/// One thing wrong with a rulebook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("`{file}`: {reason}")]
pub struct Problem {
    /// Which file or row; empty for the rulebook as a whole.
    pub file: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// Why a demand could not be assessed. The rulebook's fault, never the demand's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}` could not be applied: {reason}; nothing may be released until the rulebook is mended")]
pub struct AssessError {
    /// Which rule; empty where it was none in particular.
    pub rule: String,
    /// Why.
    pub reason: String,
}

impl Rulebook {
    /// Reads and checks a rulebook: each file's path inside its folder, with `/`, and its bytes.
    ///
    /// # Errors
    /// [`RulebookError`] with everything that does not hold together: an annotation missing, an id used twice, a name
    /// in no table, a policy that the schema refuses, an example of no rule.
    pub fn load(files: &[(String, Vec<u8>)]) -> Result<Self, RulebookError> {
        load::load(files)
    }

    /// The rulebook that this program carries.
    pub fn builtin() -> &'static Self {
        builtin::rulebook()
    }

    /// What identifies it: SHA-256 over its files, examples apart.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Applies the law of `as_of` to a demand and to what the provider knows.
    ///
    /// Subjects that `facts` does not resolve bar every release (P6); so does a requester whom an emergency request
    /// needs confirmed and who is not. Findings come as bars, grounds, duties, clocks, by rule id within each, and
    /// are equal on every machine.
    ///
    /// # Errors
    /// When a rule fails to evaluate; then nothing may be released.
    pub fn assess(&self, demand: &Demand, facts: &Facts, as_of: Date) -> Result<Assessment, AssessError> {
        self.apply(demand, Some(facts), false, as_of)
    }

    /// Applies the law of `as_of` to a demand on its face: before anybody looked up an account. Its subjects are taken
    /// to be one account each, of which nothing is known. Without `facts`, nothing is known of the requester either,
    /// and that bars nothing. Never enough for a release.
    ///
    /// # Errors
    /// As [`Rulebook::assess`].
    pub fn assess_on_its_face(
        &self,
        demand: &Demand,
        facts: Option<&Facts>,
        as_of: Date,
    ) -> Result<Assessment, AssessError> {
        self.apply(demand, facts, true, as_of)
    }

    /// Every rule, by id.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// One rule.
    pub fn explain(&self, id: &RuleId) -> Option<&Rule> {
        self.rules.get(id)
    }

    /// Runs every example that the rulebook carries, looks for rules that have none, and tries each instrument with each
    /// issuer and category against its row (P5). Empty when all is well.
    pub fn check_examples(&self) -> Vec<ExampleFailure> {
        let mut failures = example::check(self);
        failures.extend(matrix::check(self));
        failures
    }

    /// Which course a case under an instrument takes: only one of disclosure can ever release anything.
    pub fn course(&self, instrument: &InstrumentId) -> InstrumentKind {
        let row = self.tables.instrument.get(instrument);
        row.filter(|row| row.built)
            .map_or(InstrumentKind::Unknown, |row| row.kind)
    }

    /// The rule that says until when what an instrument preserves is kept, where its law has one.
    pub fn keeping_rule(&self, instrument: &InstrumentId) -> Option<&RuleId> {
        self.tables.instrument.get(instrument)?.keeping_rule.as_ref()
    }

    /// The law that has the authority pay what answering under an instrument costs, as cited, where there is one.
    pub fn costs(&self, instrument: &InstrumentId) -> Option<&str> {
        self.tables.instrument.get(instrument)?.costs.as_deref()
    }

    /// The works that a citation names, each with its full title and where to read it, as far as the tables list them.
    pub fn works<'a>(&'a self, citation: &'a str) -> impl Iterator<Item = (&'a str, &'a Work)> {
        let works = self.tables.work.iter();
        works
            .filter(move |(name, _)| citation.contains(name.as_str()))
            .map(|(name, work)| (name.as_str(), work))
    }

    /// How many examples it carries.
    pub fn example_count(&self) -> usize {
        self.examples.iter().map(example::ExampleFile::count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inside this crate every request is held against the schema too, so that what rules are validated against is
    /// what they are given.
    #[test]
    fn the_examples_come_out_and_their_requests_fit_the_schema() {
        let failures = Rulebook::builtin().check_examples();
        for failure in &failures {
            println!("{failure}");
        }
        assert!(failures.is_empty(), "{} failures", failures.len());
    }
}
