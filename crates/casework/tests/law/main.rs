//! The law of the built-in rulebook, put to demands that are not its own examples.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says so by failing"
)]

mod conflicts;
mod country;
mod dates;
mod table;
mod traps;
mod traps_electronic_evidence;
mod unseen;

use casework::{
    demand,
    demand::Category,
    facts,
    finding::{Assessment, DutyKind, Effect},
    rulebook::Rulebook,
};
use jiff::civil::Date;
use serde_json::{Value, json};

/// Every file of the built-in rulebook: path and bytes.
pub(crate) static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/rulebook_files.rs"));

/// An assessment, and what tests ask of it.
pub(crate) struct Judged(Assessment);

impl Judged {
    pub(crate) fn finds(&self, rule: &str) -> bool {
        self.0
            .findings
            .iter()
            .any(|finding| finding.rule.as_str() == rule)
    }
    pub(crate) fn owes(&self, duty: DutyKind) -> bool {
        self.0.findings.iter().any(|finding| finding.duty == Some(duty))
    }
    pub(crate) fn releases(&self) -> &[Category] {
        &self.0.releasable
    }
    /// Ids of the rules with this effect, among those that begin so.
    pub(crate) fn found(&self, effect: Effect, beginning: &str) -> Vec<&str> {
        let of_effect = self.0.findings.iter().filter(|finding| finding.effect == effect);
        let ids = of_effect.map(|finding| finding.rule.as_str());
        ids.filter(|id| id.starts_with(beginning)).collect()
    }
    pub(crate) fn falls(&self, rule: &str) -> Option<String> {
        let finding = self
            .0
            .findings
            .iter()
            .find(|finding| finding.rule.as_str() == rule)?;
        Some(finding.clock.as_ref()?.on.to_string())
    }
    pub(crate) fn at(&self, rule: &str) -> Option<jiff::Timestamp> {
        let finding = self
            .0
            .findings
            .iter()
            .find(|finding| finding.rule.as_str() == rule)?;
        Some(finding.clock.as_ref()?.at)
    }
    pub(crate) fn explains(&self, rule: &str) -> &str {
        let finding = self
            .0
            .findings
            .iter()
            .find(|finding| finding.rule.as_str() == rule);
        finding.map_or("", |finding| finding.explanation.as_str())
    }
}

/// Judges a demand on the law of a day, in the built-in rulebook.
pub(crate) fn judge(demand: &Value, facts: &Value, as_of: &str) -> Judged {
    judge_by(Rulebook::builtin(), demand, facts, as_of)
}

pub(crate) fn judge_by(rulebook: &Rulebook, demand: &Value, facts: &Value, as_of: &str) -> Judged {
    let demand = demand::parse(demand.to_string().as_bytes()).unwrap();
    let facts = facts::parse(facts.to_string().as_bytes()).unwrap();
    let as_of: Date = as_of.parse().unwrap();
    Judged(rulebook.assess(&demand, &facts, as_of).unwrap())
}

/// A demand about one account, signed, changed by `with` (an object laid over it; `null` takes a field out).
pub(crate) fn asks(instrument: &str, country: &str, kind: &str, categories: &[&str], with: Value) -> Value {
    let mut demand = json!({
        "schema": "amparo.demand/1", "instrument": instrument, "served_at": "2026-10-07T10:00:00Z",
        "requester": { "authority": "an authority", "country": country, "kind": kind },
        "issued_on": "2026-10-06",
        "subjects": [{ "type": "account", "value": "bo@fabrikam.example" }],
        "categories": categories,
        "window": { "from": "2026-03-01T00:00:00Z", "until": "2026-05-01T00:00:00Z" },
        "showing": { "signed": true }
    });
    lay_over(&mut demand, with);
    demand
}

/// What is known of the account: an organisation of one country, with its data there too.
pub(crate) fn known(country: &str, with: Value) -> Value {
    let mut account = json!({
        "outcome": "one", "tenant": "fabrikam", "account": "bo", "tenant_kind": "enterprise",
        "tenant_country": country, "region": "somewhere", "region_country": country
    });
    lay_over(&mut account, with);
    json!({ "requester": "confirmed", "resolved": [account] })
}

pub(crate) fn lay_over(value: &mut Value, with: Value) {
    let (Value::Object(into), Value::Object(with)) = (value, with) else {
        return;
    };
    for (key, new) in with {
        match (into.get_mut(&key), new) {
            (_, Value::Null) => {
                into.remove(&key);
            }
            (Some(old @ Value::Object(_)), new @ Value::Object(_)) => lay_over(old, new),
            (_, new) => {
                into.insert(key, new);
            }
        }
    }
}
