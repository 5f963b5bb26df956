//! Whether a rulebook's tables and rules hold together: every name is known, no date runs backwards, no rule is out of
//! reach, and no two rules contradict each other as far as that can be decided without a demand.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Policy;

use super::{
    load::{NOT_BUILT, UNKNOWN, groups_of},
    rule::{About, Rule},
    table::{Instrument, InstrumentKind, Span, Tables, backwards},
    transfers,
};
use crate::{
    finding::{DutyKind, Effect},
    ids::RuleId,
};

/// Where something is wrong, and what.
type Found = Vec<(String, String)>;

/// Everything that does not hold together. `calendar` is the rulebook's own.
pub(super) fn check(tables: &Tables, rules: &[(&Rule, &Policy)], calendar: Option<&str>) -> Found {
    let mut found = Vec::new();
    instruments(tables, rules, calendar, &mut found);
    clocks(tables, rules, &mut found);
    dates(tables, &mut found);
    names(tables, rules, &mut found);
    citations(tables, rules, &mut found);
    reach(tables, rules, &mut found);
    contradictions(rules, &mut found);
    transfers::check(tables, &mut found);
    found
}

fn instruments(tables: &Tables, rules: &[(&Rule, &Policy)], calendar: Option<&str>, found: &mut Found) {
    for (id, row) in &tables.instrument {
        let mut wrong = |reason: String| found.push((format!("instrument {id}"), reason));
        if !tables.calendar.contains_key(&row.calendar) {
            wrong(format!("calendar `{}` is in no table", row.calendar));
        }
        for (list, kind) in [(&row.country_list, "list")] {
            if let Some(list) = list.as_ref().filter(|list| !tables.list.contains_key(*list)) {
                wrong(format!("{kind} `{list}` is in no table"));
            }
        }
        if let Some(clock) = row
            .answer_clock
            .as_ref()
            .filter(|id| !tables.clock.contains_key(*id))
        {
            wrong(format!("clock `{clock}` is in no table"));
        }
        for id in row.questions.iter().chain(&row.keeping_rule) {
            if !rules.iter().any(|(rule, _)| rule.id == *id) {
                wrong(format!("`{id}` is no rule"));
            }
        }
        if row.basis.trim().is_empty() || row.name.trim().is_empty() {
            wrong("`name` and `basis` must not be empty".to_owned());
        }
        if row.kind != InstrumentKind::Disclosure && !row.categories.is_empty() {
            wrong(
                "it lists categories, and only an instrument of kind `disclosure` can reach any; take them out"
                    .to_owned(),
            );
        }
        if row.pending && (row.from.is_some() || row.until.is_some()) {
            wrong("`pending` means that no day is known yet; keep it, or `from` and `until`".to_owned());
        }
    }
    if let Some(name) = calendar.filter(|name| !tables.calendar.contains_key(*name)) {
        found.push((
            "rulebook.toml".to_owned(),
            format!("calendar `{name}` is in no table"),
        ));
    }
}

fn clocks(tables: &Tables, rules: &[(&Rule, &Policy)], found: &mut Found) {
    for (id, row) in &tables.clock {
        let mut wrong = |reason: String| found.push((format!("clock {id}"), reason));
        let calendar = row.calendar.as_ref();
        if let Some(name) = calendar.filter(|name| !tables.calendar.contains_key(*name)) {
            wrong(format!("calendar `{name}` is in no table"));
        }
        let lengths = [row.days, row.hours, row.months, row.working_days];
        if lengths.iter().flatten().count() != 1 {
            wrong("give `days`, `working_days`, `months` or `hours`, one of them".to_owned());
        }
        let known = |id: &RuleId| rules.iter().any(|(rule, _)| rule.id == *id);
        for id in row.rests_for.iter().filter(|id| !known(id)) {
            wrong(format!("it rests for `{id}`, and there is no such rule"));
        }
        if (row.renewal_days.is_some() || row.renewals_max.is_some()) && row.extendable {
            wrong("it is renewed for a length of its own, or extended to any day; keep one".to_owned());
        }
        if row.renewal_days.is_some() != row.renewals_max.is_some() {
            wrong("`renewal_days` and `renewals_max` go together".to_owned());
        }
        let by_rule = rules.iter().any(|(rule, _)| rule.clock.as_ref() == Some(id));
        let by_row = || {
            tables
                .instrument
                .values()
                .any(|row| row.answer_clock.as_ref() == Some(id))
        };
        if !by_rule && !by_row() {
            wrong("no rule uses it".to_owned());
        }
    }
}

/// A period that ends before it begins, or one country or fact twice on one day: then the law of a day is in doubt.
fn dates(tables: &Tables, found: &mut Found) {
    const BACKWARDS: &str = "`until` comes before `from`";
    for (id, row) in &tables.instrument {
        if backwards(row.from, row.until) {
            found.push((format!("instrument {id}"), BACKWARDS.to_owned()));
        }
    }
    let mut spans: BTreeMap<String, Vec<&Span>> = BTreeMap::new();
    for (id, list) in &tables.list {
        if list.citation.trim().is_empty() {
            found.push((format!("list {id}"), "`citation` must not be empty".to_owned()));
        }
        for entry in &list.entries {
            let place = format!("list {id}, country {}", entry.country.as_str());
            spans.entry(place).or_default().push(&entry.span);
        }
    }
    for (id, fact) in &tables.fact {
        if fact.citation.trim().is_empty() {
            found.push((format!("fact {id}"), "`citation` must not be empty".to_owned()));
        }
        spans.entry(format!("fact {id}")).or_default().extend(&fact.spans);
    }
    for (place, periods) in transfers::spans(tables) {
        spans.entry(place).or_default().extend(periods);
    }
    for (place, spans) in spans {
        if spans.iter().any(|span| span.backwards()) {
            found.push((place.clone(), BACKWARDS.to_owned()));
        }
        let overlap = spans.iter().enumerate().any(|(at, span)| {
            spans
                .iter()
                .skip(at.saturating_add(1))
                .any(|other| span.overlaps(other))
        });
        if overlap {
            found.push((
                place,
                "two of its periods overlap; end one before the next begins".to_owned(),
            ));
        }
    }
}

/// Every name that a rule speaks of must be in a table: a misspelt one would quietly never match.
fn names(tables: &Tables, rules: &[(&Rule, &Policy)], found: &mut Found) {
    let mut groups: BTreeSet<&str> = BTreeSet::from([UNKNOWN, NOT_BUILT]);
    groups.extend(InstrumentKind::ALL.map(InstrumentKind::group));
    let named = tables.instrument.values().flat_map(|row| &row.groups);
    groups.extend(named.map(String::as_str));
    for (rule, policy) in rules {
        let mut wrong =
            |reason: String| found.push((rule.file.clone(), format!("rule `{}`: {reason}", rule.id)));
        if let Some(clock) = rule
            .clock
            .as_ref()
            .filter(|clock| !tables.clock.contains_key(*clock))
        {
            wrong(format!("clock `{clock}` is in no table"));
        }
        for literal in policy.entity_literals() {
            let id = literal.id().unescaped();
            let kind = literal.type_name().to_string();
            let known = match kind.as_str() {
                "Instrument" => tables.instrument.keys().any(|known| known.as_str() == id),
                "Group" => groups.contains(id),
                "List" => tables.list.contains_key(id),
                "Fact" => tables.fact.contains_key(id),
                "Country" => crate::demand::CountryCode::new(id).is_ok(),
                _ => true,
            };
            if !known {
                wrong(format!("{kind} `{id}` is in no table"));
            }
        }
    }
}

/// In a folder that lists the works that its rules cite, a citation of any other is misspelt, or cites nothing.
fn citations(tables: &Tables, rules: &[(&Rule, &Policy)], found: &mut Found) {
    for (rule, _) in rules {
        let folder = rule.file.split('/').next().unwrap_or_default();
        if !tables.folders_with_works.contains(folder) {
            continue;
        }
        for part in rule.citation.split("; ") {
            if !tables.work.keys().any(|work| part.contains(work.as_str())) {
                found.push((
                    rule.file.clone(),
                    format!(
                        "rule `{}`: it cites `{part}`, and no table of works has that; name the work as the table \
                         does, or add it",
                        rule.id
                    ),
                ));
            }
        }
    }
}

/// A rule that no day and no instrument can bring about.
fn reach(tables: &Tables, rules: &[(&Rule, &Policy)], found: &mut Found) {
    let rows: Vec<(&str, &Instrument, Vec<String>)> = tables
        .instrument
        .iter()
        .map(|(id, row)| (id.as_str(), row, groups_of(row)))
        .collect();
    for (rule, _) in rules {
        let mut wrong =
            |reason: &str| found.push((rule.file.clone(), format!("rule `{}`: {reason}", rule.id)));
        if backwards(rule.from, rule.until) {
            wrong("`@until` comes before `@from`, so it is never law");
            continue;
        }
        let about: Vec<&Instrument> = match &rule.about {
            About::Any => continue,
            About::Group(group) if group == UNKNOWN || group == NOT_BUILT => continue,
            About::Group(group) => {
                let held = rows.iter().filter(|(_, _, groups)| groups.contains(group));
                held.map(|(_, row, _)| *row).collect()
            }
            About::Instrument(about) => {
                let held = rows.iter().filter(|(id, row, _)| id == about && row.built);
                held.map(|(_, row, _)| *row).collect()
            }
        };
        if about.is_empty() {
            wrong("out of reach: no instrument that has rules is one of those it is about");
        } else if !about.iter().any(|row| {
            !backwards(
                rule.from.max(row.from),
                match (rule.until, row.until) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                },
            )
        }) {
            wrong("out of reach: it is law only on days on which its instrument is not");
        }
    }
}

/// Two rules under one condition that cannot both be right, or that say one thing twice.
fn contradictions(rules: &[(&Rule, &Policy)], found: &mut Found) {
    let mut by_condition: BTreeMap<String, Vec<&Rule>> = BTreeMap::new();
    for (rule, _) in rules {
        let condition = rule.text.split_whitespace().collect::<Vec<_>>().join(" ");
        by_condition.entry(condition).or_default().push(rule);
    }
    for same in by_condition.values().filter(|same| same.len() > 1) {
        for (at, rule) in same.iter().enumerate() {
            for other in same.iter().skip(at.saturating_add(1)) {
                if let Some(reason) = clash(rule, other) {
                    found.push((
                        other.file.clone(),
                        format!(
                            "rule `{}`: {reason}, under the same condition as `{}`",
                            other.id, rule.id
                        ),
                    ));
                }
            }
        }
    }
}

fn clash(rule: &Rule, other: &Rule) -> Option<&'static str> {
    if let (Some(one), Some(two)) = (rule.duty, other.duty) {
        return opposite(one, two).then_some("the opposite duty");
    }
    let same_day = !backwards(
        rule.from.max(other.from),
        match (rule.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
    );
    (rule.effect == Effect::Bar && other.effect == Effect::Bar && same_day).then_some("a second bar")
}

/// Whether nobody can do both.
pub(super) fn opposite(one: DutyKind, two: DutyKind) -> bool {
    use DutyKind::{DoNotTellTenant, NotifyTenant};
    matches!(
        (one, two),
        (NotifyTenant, DoNotTellTenant) | (DoNotTellTenant, NotifyTenant)
    )
}
