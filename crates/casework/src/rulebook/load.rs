//! Reading a rulebook, and refusing one that does not hold together.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    ActionConstraint, Entity, EntityUid, Policy, PolicySet, Schema, ValidationMode, Validator,
};
use serde::Deserialize;

use super::{
    LANGUAGE, Part, Problem, Rulebook, RulebookError, coherence,
    context::Names,
    example::ExampleFile,
    rule::{About, Rule},
    table::{Instrument, Tables},
};
use crate::ids::{Digest, RuleId};

/// Most files in a rulebook.
pub const FILES_MAX: usize = 2_000;
/// Longest file in a rulebook, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Most problems that are listed before reading stops.
const PROBLEMS_MAX: usize = 100;

/// Group of instruments in no table.
pub(super) const UNKNOWN: &str = "unknown";
/// Group of instruments in a table whose rules are not written.
pub(super) const NOT_BUILT: &str = "not_built";

/// `rulebook.toml`: what the folder is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cover {
    language: String,
    #[serde(rename = "title")]
    _title: String,
    /// For clocks that count on an instrument in no table.
    calendar: String,
}

#[derive(Default)]
struct Reading {
    problems: Vec<Problem>,
    cover: Option<Cover>,
    schema: Option<Schema>,
    tables: Tables,
    rules: BTreeMap<RuleId, (Rule, Policy)>,
    examples: Vec<ExampleFile>,
}

/// Reads and checks all files.
pub(super) fn load(files: &[(String, Vec<u8>)]) -> Result<Rulebook, RulebookError> {
    let mut reading = Reading::default();
    let mut sorted: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
        .collect();
    sorted.sort_unstable();
    if sorted.len() > FILES_MAX {
        reading.problem(
            "",
            format!("{} files; at most {FILES_MAX} are read", sorted.len()),
        );
        sorted.truncate(0);
    }
    for (path, bytes) in &sorted {
        reading.file(path, bytes);
    }
    let digest = digest(&sorted);
    reading.finish(digest)
}

/// SHA-256 over every file's path and digest, by path. Examples are left out: they change no result.
fn digest(sorted: &[(&str, &[u8])]) -> Digest {
    let mut list = String::new();
    for (path, bytes) in sorted.iter().filter(|(path, _)| is_law(path)) {
        list.push_str(&format!("{} {path}\n", Digest::of(&[bytes])));
    }
    Digest::of(&[b"amparo/rulebook/v1\n", list.as_bytes()])
}

fn is_law(path: &str) -> bool {
    !path.contains("examples/") && !path.ends_with(".md")
}

impl Reading {
    fn problem(&mut self, file: &str, reason: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem {
                file: file.to_owned(),
                reason: reason.into(),
            });
        }
    }

    fn file(&mut self, path: &str, bytes: &[u8]) {
        if path.ends_with(".md") {
            return;
        }
        if bytes.len() > FILE_BYTES_MAX {
            return self.problem(
                path,
                format!("{} bytes; at most {FILE_BYTES_MAX} are read", bytes.len()),
            );
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.problem(path, "not UTF-8");
        };
        let read = if path.ends_with(".cedar") {
            self.policies(path, text)
        } else if path.ends_with(".cedarschema") {
            self.schema(text)
        } else if path == "rulebook.toml" {
            self.cover(text)
        } else if path.ends_with(".toml") && path.contains("examples/") {
            ExampleFile::read(path, text).map(|file| self.examples.push(file))
        } else if path.ends_with(".toml") {
            self.tables(path, text)
        } else {
            Err("neither .cedar, .cedarschema, .toml nor .md; take it out of the folder".to_owned())
        };
        if let Err(reason) = read {
            self.problem(path, reason);
        }
    }

    fn cover(&mut self, text: &str) -> Result<(), String> {
        let cover: Cover = toml::from_str(text).map_err(|e| e.to_string())?;
        if cover.language != LANGUAGE {
            return Err(format!(
                "language `{}` is not `{LANGUAGE}`, the one this program reads",
                cover.language
            ));
        }
        self.cover = Some(cover);
        Ok(())
    }

    fn schema(&mut self, text: &str) -> Result<(), String> {
        let (schema, _warnings) = Schema::from_cedarschema_str(text).map_err(|e| e.to_string())?;
        match self.schema.replace(schema) {
            None => Ok(()),
            Some(_) => Err("a second schema; keep one".to_owned()),
        }
    }

    fn tables(&mut self, path: &str, text: &str) -> Result<(), String> {
        let read: Tables = toml::from_str(text).map_err(|e| e.to_string())?;
        let into = &mut self.tables;
        if !read.work.is_empty() {
            let folder = path.split('/').next().unwrap_or_default();
            into.folders_with_works.insert(folder.to_owned());
        }
        merge("instrument", &mut into.instrument, read.instrument)?;
        merge("clock", &mut into.clock, read.clock)?;
        merge("calendar", &mut into.calendar, read.calendar)?;
        merge("list", &mut into.list, read.list)?;
        merge("fact", &mut into.fact, read.fact)?;
        merge("jurisdiction", &mut into.jurisdiction, read.jurisdiction)?;
        merge("work", &mut into.work, read.work)?;
        merge("reporting", &mut into.reporting, read.reporting)?;
        merge("regime", &mut into.regime, read.regime)?;
        merge("basis", &mut into.basis, read.basis)?;
        merge("use_case", &mut into.use_case, read.use_case)?;
        merge("mark", &mut into.mark, read.mark)?;
        for (check, words) in read.transfer_check {
            if into.transfer_check.insert(check, words).is_some() {
                return Err(format!(
                    "transfer_check `{}` stands in two tables; keep one",
                    check.name()
                ));
            }
        }
        Ok(())
    }

    fn policies(&mut self, path: &str, text: &str) -> Result<(), String> {
        let set: PolicySet = text
            .parse()
            .map_err(|e: cedar_policy::ParseErrors| format!("{:?}", miette_free(&e)))?;
        if set.templates().next().is_some() {
            return Err("a policy template (`?principal`); write the rule out".to_owned());
        }
        for policy in set.policies() {
            match Rule::read(policy, path) {
                Err(reason) => {
                    let id = policy.annotation("id").unwrap_or("(no id)");
                    self.problem(path, format!("rule `{id}`: {reason}"));
                }
                Ok(rule) => {
                    let policy = policy.new_id(rule.policy_id());
                    if let Some((old, _)) = self.rules.insert(rule.id.clone(), (rule, policy)) {
                        self.problem(
                            path,
                            format!(
                                "rule `{}` stands in `{}` already; ids are used once",
                                old.id, old.file
                            ),
                        );
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, digest: Digest) -> Result<Rulebook, RulebookError> {
        if self.cover.is_none() {
            self.problem(
                "rulebook.toml",
                format!("missing or unread; it must say `language = \"{LANGUAGE}\"`"),
            );
        }
        let rules: Vec<(&Rule, &Policy)> = self.rules.values().map(|(rule, policy)| (rule, policy)).collect();
        let calendar = self.cover.as_ref().map(|cover| cover.calendar.as_str());
        for (file, reason) in coherence::check(&self.tables, &rules, calendar) {
            self.problem(&file, reason);
        }
        let known: BTreeSet<&RuleId> = self.rules.keys().collect();
        let dangling: Vec<Problem> = self
            .examples
            .iter()
            .flat_map(|file| file.dangling(&known))
            .collect();
        self.problems.extend(dangling);
        let policies = PolicySet::from_policies(self.rules.values().map(|(_, policy)| policy.clone()));
        match (&self.schema, policies) {
            (Some(schema), Ok(policies)) => {
                let found = validate(schema, &policies, &self.rules);
                self.problems.extend(found);
            }
            (None, _) => self.problem("", "no schema: a rulebook has one `.cedarschema` file"),
            (_, Err(e)) => self.problem("", e.to_string()),
        }
        let names = match Names::new() {
            Ok(names) if self.problems.is_empty() => names,
            Ok(_) => {
                return Err(RulebookError {
                    problems: self.problems,
                });
            }
            Err(reason) => {
                self.problem("", reason);
                return Err(RulebookError {
                    problems: self.problems,
                });
            }
        };
        self.build(digest, names)
    }

    fn build(self, digest: Digest, names: Names) -> Result<Rulebook, RulebookError> {
        let mut parts = BTreeMap::new();
        let fail = |reason: String| RulebookError {
            problems: vec![Problem {
                file: String::new(),
                reason,
            }],
        };
        let unknown = part(&self.rules, "", &[UNKNOWN.to_owned()]).map_err(fail)?;
        let mut instrument_entities = BTreeMap::new();
        for (id, row) in &self.tables.instrument {
            let groups = groups_of(row);
            parts.insert(id.clone(), part(&self.rules, id.as_str(), &groups).map_err(fail)?);
            instrument_entities.insert(id.clone(), instrument_entity(&names, id.as_str(), &groups));
        }
        let schema = self.schema.ok_or_else(|| fail("no schema".to_owned()))?;
        let cover = self.cover.ok_or_else(|| fail("no rulebook.toml".to_owned()))?;
        Ok(Rulebook {
            digest,
            names,
            schema,
            default_calendar: cover.calendar,
            tables: self.tables,
            rules: self.rules.into_iter().map(|(id, (rule, _))| (id, rule)).collect(),
            parts,
            unknown,
            instrument_entities,
            examples: self.examples,
        })
    }
}

/// The groups in which an instrument stands: its row's and its kind's, or that of those without rules.
pub(super) fn groups_of(row: &Instrument) -> Vec<String> {
    if !row.built {
        return vec![NOT_BUILT.to_owned()];
    }
    let mut groups = row.groups.clone();
    groups.push(row.kind.group().to_owned());
    groups
}

/// The policies that can match one instrument: its own, its groups', and those about any.
fn part(
    rules: &BTreeMap<RuleId, (Rule, Policy)>,
    instrument: &str,
    groups: &[String],
) -> Result<Part, String> {
    let matching = rules.values().filter(|(rule, _)| match &rule.about {
        About::Any => true,
        About::Group(group) => groups.contains(group),
        About::Instrument(id) => id == instrument,
    });
    let (by_category, whole): (Vec<_>, Vec<_>) =
        matching.partition(|(rule, policy)| turns_on_category(rule, policy));
    let set = |rules: Vec<&(Rule, Policy)>| {
        PolicySet::from_policies(rules.into_iter().map(|(_, policy)| policy.clone()))
            .map_err(|e| e.to_string())
    };
    Ok(Part {
        whole: set(whole)?,
        by_category: set(by_category)?,
    })
}

/// Whether a rule may say otherwise for another category: it names the action, or asks whether the category fits. In
/// doubt it may.
fn turns_on_category(rule: &Rule, policy: &Policy) -> bool {
    policy.action_constraint() != ActionConstraint::Any
        || rule.text.matches("action").count() != 1
        || rule.text.contains("category_fits")
}

pub(super) fn instrument_entity(names: &Names, id: &str, groups: &[String]) -> Entity {
    let parents = groups.iter().map(|group| names.uid(&names.group, group));
    Entity::new_no_attrs(
        names.uid(&names.instrument, id),
        parents.collect::<std::collections::HashSet<EntityUid>>(),
    )
}

/// What Cedar's validator says, once for each rule: it repeats itself for every category.
fn validate(schema: &Schema, policies: &PolicySet, rules: &BTreeMap<RuleId, (Rule, Policy)>) -> Vec<Problem> {
    let result = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    let errors = result.validation_errors().map(|e| (e.policy_id(), e.to_string()));
    let warnings = result
        .validation_warnings()
        .map(|w| (w.policy_id(), w.to_string()));
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (id, reason) in errors.chain(warnings) {
        let first = found
            .entry(AsRef::<str>::as_ref(id).to_owned())
            .or_insert_with(|| reason.clone());
        if reason < *first {
            *first = reason;
        }
    }
    let file = |id: &str| {
        RuleId::new(id)
            .ok()
            .and_then(|id| rules.get(&id))
            .map(|(rule, _)| rule.file.clone())
    };
    found
        .into_iter()
        .map(|(id, reason)| Problem {
            file: file(&id).unwrap_or_default(),
            reason,
        })
        .collect()
}

/// Cedar's parse errors, one after the other.
fn miette_free(errors: &cedar_policy::ParseErrors) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn merge<K: Ord + std::fmt::Display, V>(
    what: &str,
    into: &mut BTreeMap<K, V>,
    from: BTreeMap<K, V>,
) -> Result<(), String> {
    for (key, value) in from {
        if into.contains_key(&key) {
            return Err(format!("{what} `{key}` stands in two tables; keep one"));
        }
        into.insert(key, value);
    }
    Ok(())
}

impl Rulebook {
    /// The instruments of its tables, by id.
    pub fn instruments(&self) -> impl Iterator<Item = (&crate::ids::InstrumentId, &Instrument)> {
        self.tables.instrument.iter()
    }
}
