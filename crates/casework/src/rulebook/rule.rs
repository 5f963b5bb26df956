//! A rule, as its Cedar policy and annotations state it.

use cedar_policy::{Policy, PolicyId, ResourceConstraint};
use jiff::civil::Date;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    finding::{DutyKind, Effect, Promise},
    ids::RuleId,
};

/// Annotations that every rule carries.
const REQUIRED: [&str; 7] = [
    "id",
    "effect",
    "promise",
    "citation",
    "explanation",
    "verified_on",
    "source",
];
/// Annotations that some rules carry.
const OPTIONAL: [&str; 4] = ["duty", "clock", "from", "until"];

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// What it does.
    pub effect: Effect,
    /// The promise it serves.
    pub promise: Promise,
    /// Statute, case or guideline.
    pub citation: String,
    /// In plain words. `{instrument}`, `{name}` and `{basis}` stand for those of the demand's instrument.
    pub explanation: String,
    /// The day on which somebody last checked it against its source.
    pub verified_on: Date,
    /// What was read to check it.
    pub source: Source,
    /// For duties: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duty: Option<DutyKind>,
    /// For clocks: the row of the clocks' table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// First day on which it is law.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day on which it is law.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// What it is about: one instrument, a family of instruments, or any.
    pub about: About,
    /// The file that states it.
    pub file: String,
    /// The condition, as the file writes it.
    pub text: String,
}

/// How well a rule was checked against the law.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Read in the primary text.
    Primary,
    /// Read in a secondary source only.
    Secondary,
    /// Not read: written from memory. Counsel must check it first.
    #[default]
    Memory,
    /// No law: a promise to the customer, or this program's own caution.
    Promise,
}

/// Which instruments a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// One.
    Instrument(String),
    /// Those of a group of the instruments' table.
    Group(String),
    /// All.
    Any,
}

impl Rule {
    /// Reads a rule from a policy.
    pub(super) fn read(policy: &Policy, file: &str) -> Result<Self, String> {
        if policy.effect() != cedar_policy::Effect::Permit {
            return Err("a rule is a `permit`; `forbid` has no meaning here".to_owned());
        }
        for (key, _) in policy.annotations() {
            if !REQUIRED.contains(&key) && !OPTIONAL.contains(&key) {
                return Err(format!(
                    "annotation `@{key}` means nothing; use {REQUIRED:?} and {OPTIONAL:?}"
                ));
            }
        }
        let needed = |key: &str| match optional(policy, key) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(format!("annotation `@{key}` is missing or empty")),
        };
        let rule = Self {
            id: needed("id")?.parse().map_err(|e| format!("{e}"))?,
            effect: read_as("effect", needed("effect")?)?,
            promise: read_as("promise", needed("promise")?)?,
            citation: needed("citation")?,
            explanation: needed("explanation")?,
            verified_on: read_as("verified_on", needed("verified_on")?)?,
            source: read_as("source", needed("source")?)?,
            duty: optional(policy, "duty")
                .map(|text| read_as("duty", text))
                .transpose()?,
            clock: optional(policy, "clock"),
            from: optional(policy, "from")
                .map(|text| read_as("from", text))
                .transpose()?,
            until: optional(policy, "until")
                .map(|text| read_as("until", text))
                .transpose()?,
            about: about(policy)?,
            file: file.to_owned(),
            text: policy.to_cedar().map(|text| condition(&text)).unwrap_or_default(),
        };
        if (rule.effect == Effect::Duty) != rule.duty.is_some() {
            return Err("`@duty` belongs to rules with `@effect(\"duty\")`, and to all of them".to_owned());
        }
        if (rule.effect == Effect::Clock) != rule.clock.is_some() {
            return Err("`@clock` belongs to rules with `@effect(\"clock\")`, and to all of them".to_owned());
        }
        Ok(rule)
    }

    /// Whether it may say otherwise for another prohibition of notice, or without one.
    pub(super) fn turns_on_gags(&self) -> bool {
        self.text.contains("has gag") || self.text.contains("context.gag")
    }

    /// The id under which Cedar knows it.
    pub(super) fn policy_id(&self) -> PolicyId {
        PolicyId::new(self.id.as_str())
    }
}

/// An annotation's text, its line breaks and indents made single spaces.
fn optional(policy: &Policy, key: &str) -> Option<String> {
    let text = policy.annotation(key)?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn read_as<T: DeserializeOwned>(key: &str, text: String) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text)).map_err(|e| format!("annotation `@{key}`: {e}"))
}

fn about(policy: &Policy) -> Result<About, String> {
    let (uid, one) = match policy.resource_constraint() {
        ResourceConstraint::Any => return Ok(About::Any),
        ResourceConstraint::Eq(uid) => (uid, true),
        ResourceConstraint::In(uid) => (uid, false),
        ResourceConstraint::Is(_) | ResourceConstraint::IsIn(..) => {
            return Err(
                "write `resource`, `resource == Instrument::\"..\"` or `resource in Group::\"..\"`"
                    .to_owned(),
            );
        }
    };
    let id = uid.id().unescaped().to_owned();
    match (uid.type_name().to_string().as_str(), one) {
        ("Instrument", true) => Ok(About::Instrument(id)),
        ("Group", false) => Ok(About::Group(id)),
        _ => Err("write `resource == Instrument::\"..\"` or `resource in Group::\"..\"`".to_owned()),
    }
}

/// The policy without its annotations.
fn condition(text: &str) -> String {
    text.find("permit")
        .and_then(|at| text.get(at..))
        .unwrap_or(text)
        .trim()
        .to_owned()
}
