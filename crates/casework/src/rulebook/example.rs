//! Examples: the demands that are a rule's tests, carried beside it.
//!
//! A file gives a base demand and base facts; each example changes a few fields and says which rules must and must not
//! be found.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use super::{Problem, Rulebook, coherence::opposite, context::word, table::InstrumentKind};
use crate::{
    demand::{self, Category, Demand},
    facts::Facts,
    finding::{Assessment, DutyKind, Effect, Finding, Promise},
    ids::RuleId,
};

/// An example that did not come out as it says, or a rule that has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {example}: {reason}")]
pub struct ExampleFailure {
    /// The file of examples, or the rule's own file.
    pub file: String,
    /// The example's name, or the rule.
    pub example: String,
    /// What differs.
    pub reason: String,
}

pub(super) struct ExampleFile {
    path: String,
    base: Value,
    facts: Option<Value>,
    as_of: Date,
    examples: Vec<Example>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The day whose law is applied.
    as_of: Date,
    demand: Value,
    /// Left out: the demand is read on its face.
    #[serde(default)]
    facts: Option<Value>,
    example: Vec<Example>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    name: String,
    #[serde(default)]
    as_of: Option<Date>,
    /// Fields of the demand to change, by path: `"showing.signed" = false`.
    #[serde(default)]
    set: BTreeMap<String, Value>,
    /// Fields of the demand to leave out.
    #[serde(default)]
    unset: Vec<String>,
    /// Fields of the facts to change, by path.
    #[serde(default)]
    facts: BTreeMap<String, Value>,
    /// Fields of the facts to leave out.
    #[serde(default)]
    facts_unset: Vec<String>,
    /// Read the demand on its face, without facts.
    #[serde(default)]
    on_its_face: bool,
    /// Rules that must be found.
    #[serde(default)]
    present: Vec<String>,
    /// Rules that must not: an id, or a beginning with `*`, which spares those in `present`.
    #[serde(default)]
    absent: Vec<String>,
    /// What must be releasable, exactly.
    #[serde(default)]
    releasable: Option<Vec<Category>>,
    /// Dates that clocks must give.
    #[serde(default)]
    dates: BTreeMap<String, Date>,
}

impl ExampleFile {
    pub(super) fn read(path: &str, text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        Ok(Self {
            path: path.to_owned(),
            base: file.demand,
            facts: file.facts,
            as_of: file.as_of,
            examples: file.example,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.examples.len()
    }

    /// Ids that no rule has.
    pub(super) fn dangling(&self, known: &BTreeSet<&RuleId>) -> Vec<Problem> {
        let named = self.examples.iter().flat_map(|example| {
            let ids = example
                .present
                .iter()
                .chain(&example.absent)
                .chain(example.dates.keys());
            ids.map(move |id| (&example.name, id))
        });
        named
            .filter(|(_, id)| match id.strip_suffix('*') {
                Some(beginning) => !known.iter().any(|rule| rule.as_str().starts_with(beginning)),
                None => !known.iter().any(|rule| rule.as_str() == id.as_str()),
            })
            .map(|(name, id)| Problem {
                file: self.path.clone(),
                reason: format!("example `{name}` names rule `{id}`, and there is none"),
            })
            .collect()
    }

    fn assess(&self, example: &Example, rulebook: &Rulebook) -> Result<(Demand, Assessment), String> {
        let mut demand = self.base.clone();
        change(&mut demand, &example.set, &example.unset)?;
        let bytes = serde_json::to_vec(&demand).map_err(|e| e.to_string())?;
        let demand = demand::parse(&bytes).map_err(|e| e.to_string())?;
        let as_of = example.as_of.unwrap_or(self.as_of);
        if example.on_its_face {
            let assessed = rulebook.assess_on_its_face(&demand, None, as_of);
            return assessed.map(|found| (demand, found)).map_err(|e| e.to_string());
        }
        let mut facts = self
            .facts
            .clone()
            .unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        change(&mut facts, &example.facts, &example.facts_unset)?;
        let facts: Facts = serde_json::from_value(facts).map_err(|e| format!("facts: {e}"))?;
        let assessed = rulebook.assess(&demand, &facts, as_of);
        assessed.map(|found| (demand, found)).map_err(|e| e.to_string())
    }
}

impl Example {
    fn differences(&self, assessment: &Assessment) -> Vec<String> {
        let found: BTreeSet<&str> = assessment.findings.iter().map(|f| f.rule.as_str()).collect();
        let mut differences = Vec::new();
        for id in self.present.iter().filter(|id| !found.contains(id.as_str())) {
            differences.push(format!("`{id}` should be found and is not"));
        }
        for id in found.iter().filter(|id| self.forbids(id)) {
            differences.push(format!("`{id}` is found and should not be"));
        }
        if let Some(expected) = &self.releasable {
            let expected: BTreeSet<_> = expected.iter().copied().collect();
            let got: BTreeSet<_> = assessment.releasable.iter().copied().collect();
            for category in expected.difference(&got) {
                let bars = assessment
                    .findings
                    .iter()
                    .filter(|finding| finding.effect == Effect::Bar && finding.categories.contains(category));
                for bar in bars {
                    let category = word(category);
                    differences.push(format!(
                        "it expects `{category}` to be released, and `{}` bars that: one contradicts the other",
                        bar.rule
                    ));
                }
            }
            if expected != got {
                differences.push(format!(
                    "{got:?} are releasable, not {expected:?}; found {found:?}"
                ));
            }
        }
        for (id, expected) in &self.dates {
            let finding = assessment.findings.iter().find(|f| f.rule.as_str() == id);
            let got = finding.and_then(|f| f.clock.as_ref()).map(|clock| clock.on);
            if got != Some(*expected) {
                differences.push(format!("`{id}` should fall on {expected}, not on {got:?}"));
            }
        }
        differences
    }

    /// Whether the example says that this rule must not be found.
    fn forbids(&self, id: &str) -> bool {
        self.absent.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => id.starts_with(beginning) && !self.present.iter().any(|p| p == id),
            None => pattern == id,
        })
    }
}

/// Two findings about one account that nobody can follow both. Accounts of several kinds may well differ.
fn contradiction(demand: &Demand, assessment: &Assessment) -> Option<String> {
    if demand.subjects.len() > 1 {
        return None;
    }
    let duties = || {
        let findings = assessment.findings.iter();
        findings.filter_map(|finding| Some((&finding.rule, finding.duty?)))
    };
    duties().find_map(|(rule, duty)| {
        let (other, _) = duties().find(|(_, other)| opposite(duty, *other))?;
        Some(format!(
            "`{rule}` and `{other}` contradict each other: nobody can do both"
        ))
    })
}

/// Runs all examples; then every rule must have been found by one, and kept quiet in another, and every instrument that
/// discloses must have been accepted in one, and refused in part or whole in another.
pub(super) fn check(rulebook: &Rulebook) -> Vec<ExampleFailure> {
    let mut failures = Vec::new();
    let mut accepted = BTreeSet::new();
    let mut refused = BTreeSet::new();
    let mut shown = BTreeSet::new();
    let mut quiet = BTreeSet::new();
    for file in &rulebook.examples {
        for example in &file.examples {
            let differences = match file.assess(example, rulebook) {
                Ok((demand, assessment)) => {
                    let asked = demand.categories.len();
                    if assessment.releasable.len() < asked || asked == 0 {
                        refused.insert(demand.instrument.clone());
                    }
                    let kind = rulebook.course(&demand.instrument);
                    if !assessment.releasable.is_empty() || takes_its_course(kind, &assessment) {
                        accepted.insert(demand.instrument.clone());
                    }
                    let mut differences = example.differences(&assessment);
                    differences.extend(contradiction(&demand, &assessment));
                    differences
                }
                Err(reason) => vec![reason],
            };
            failures.extend(differences.into_iter().map(|reason| ExampleFailure {
                file: file.path.clone(),
                example: example.name.clone(),
                reason,
            }));
            shown.extend(
                example
                    .present
                    .iter()
                    .chain(example.dates.keys())
                    .map(String::as_str),
            );
            let ids = rulebook.rules.keys().map(RuleId::as_str);
            quiet.extend(ids.filter(|id| example.forbids(id)));
        }
    }
    for (id, row) in rulebook.instruments().filter(|(_, row)| row.built) {
        // No key is ever given, and a letter is no process: there is nothing to accept of these.
        let can = !matches!(row.kind, InstrumentKind::Capability | InstrumentKind::Request) && !row.pending;
        let reason = match (accepted.contains(id) || !can, refused.contains(id)) {
            (true, true) => continue,
            (false, _) => {
                "no example in which something is released on it, or it takes its own course: a rule bars it always, or one \
                 is missing"
            }
            (true, false) => "no example in which something is refused",
        };
        failures.push(ExampleFailure {
            file: format!("instrument {id}"),
            example: row.name.clone(),
            reason: reason.to_owned(),
        });
    }
    for rule in rulebook.rules.values() {
        let (shown, quiet) = (shown.contains(rule.id.as_str()), quiet.contains(rule.id.as_str()));
        let reason = match (shown, quiet) {
            (true, true) => continue,
            (false, true) => "no example in which it applies: out of reach, or one is missing",
            (true, false) => "no example in which it does not apply",
            (false, false) => "no example",
        };
        failures.push(ExampleFailure {
            file: rule.file.clone(),
            example: rule.id.to_string(),
            reason: reason.to_owned(),
        });
    }
    failures
}

/// Whether a demand that is not for disclosure is followed: the duty of its kind, and no ground that its issuer or process
/// does not fit.
fn takes_its_course(kind: InstrumentKind, assessment: &Assessment) -> bool {
    let duty = match kind {
        InstrumentKind::Preservation => DutyKind::Preserve,
        InstrumentKind::Interception | InstrumentKind::Freezing | InstrumentKind::Removal => {
            DutyKind::ActApart
        }
        InstrumentKind::Silence => DutyKind::ObjectToGag,
        InstrumentKind::Disclosure
        | InstrumentKind::Capability
        | InstrumentKind::Request
        | InstrumentKind::Unknown => return false,
    };
    let findings = &assessment.findings;
    let misfit = |finding: &Finding| finding.effect == Effect::Ground && finding.promise == Promise::P5;
    findings.iter().any(|finding| finding.duty == Some(duty)) && !findings.iter().any(misfit)
}

fn change(value: &mut Value, set: &BTreeMap<String, Value>, unset: &[String]) -> Result<(), String> {
    for path in unset {
        let (parent, last) = path.rsplit_once('.').unwrap_or(("", path));
        match at(value, parent)
            .and_then(Value::as_object_mut)
            .map(|object| object.remove(last))
        {
            Some(Some(_)) => {}
            _ => return Err(format!("`{path}` is not there to leave out")),
        }
    }
    for (path, new) in set {
        let (parent, last) = path.rsplit_once('.').unwrap_or(("", path));
        let missing = !parent.is_empty() && !parent.contains('.') && value.get(parent).is_none();
        if let Some(object) = value.as_object_mut().filter(|_| missing) {
            object.insert(parent.to_owned(), Value::Object(serde_json::Map::new()));
        }
        match at(value, parent) {
            Some(Value::Object(object)) => {
                object.insert(last.to_owned(), new.clone());
            }
            Some(Value::Array(list)) => match last.parse().ok().and_then(|i: usize| list.get_mut(i)) {
                Some(place) => *place = new.clone(),
                None => return Err(format!("`{path}` is not there to change")),
            },
            _ => return Err(format!("`{path}` is not there to change")),
        }
    }
    Ok(())
}

fn at<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.')
        .filter(|step| !step.is_empty())
        .try_fold(value, |value, step| match value {
            Value::Array(list) => step.parse().ok().and_then(|i: usize| list.get_mut(i)),
            other => other.get_mut(step),
        })
}
