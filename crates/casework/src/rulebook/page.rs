//! "What we need from you": what each instrument takes, by country, in words written from the rules themselves.
//!
//! The page in `docs/` is this text and nothing else, so that what requesters are told and what the gate does cannot
//! part ways.

use std::fmt::Write as _;

use super::{
    Rulebook,
    context::word,
    load::groups_of,
    rule::{About, Rule},
    table::{Instrument, InstrumentKind, Jurisdiction},
};
use crate::{finding::Effect, ids::InstrumentId};

const INTRODUCTION: &str = "\
# What we need from you

For courts, prosecutors, police and agencies. This page is written from the rules that decide each demand; nobody edits it
by hand (`amparo rulebook page` prints it). It is no legal advice.

Name accounts, and not people at a place or users of a word. Sign what you send. Say which law you rely on, which data you
want and of which time. We ask first that you go to our customer, tell the customer unless a law that binds us forbids it,
and object wherever a rule below gives a ground.
";

const HEADINGS: [(Effect, &str); 3] = [
    (Effect::Bar, "Turned down, or in part, where:"),
    (Effect::Ground, "Objected to where:"),
    (Effect::Clock, "Dates:"),
];

impl Rulebook {
    /// The page, in Markdown.
    pub fn what_we_need(&self) -> String {
        let mut page = INTRODUCTION.to_owned();
        for (key, jurisdiction) in &self.tables.jurisdiction {
            self.section(key, jurisdiction, &mut page);
        }
        page.push_str("\n## Whatever you send\n\nNothing is released where one of these holds.\n\n");
        let general = self.rules.values().filter(|rule| rule.about == About::Any);
        for rule in general.filter(|rule| rule.effect == Effect::Bar) {
            line(&mut page, rule, "the instrument", "its law", "", "");
        }
        page
    }

    /// The names of the jurisdictions that its tables have, by the first part of their instruments' ids.
    pub fn jurisdictions(&self) -> impl Iterator<Item = (&str, &Jurisdiction)> {
        self.tables
            .jurisdiction
            .iter()
            .map(|(id, row)| (id.as_str(), row))
    }

    fn section(&self, key: &str, jurisdiction: &Jurisdiction, page: &mut String) {
        let _ = write!(page, "\n## {}\n", jurisdiction.title);
        if !jurisdiction.introduction.is_empty() {
            let _ = write!(page, "\n{}\n", jurisdiction.introduction);
        }
        let rows = self.tables.instrument.iter();
        for (id, row) in rows.filter(|(id, _)| id.as_str().split('.').next() == Some(key)) {
            self.instrument_entry(id, row, page);
        }
        self.shared_rules(key, page);
    }

    /// Rules about several instruments, once for the jurisdiction whose folder states them.
    fn shared_rules(&self, key: &str, page: &mut String) {
        let stated = self
            .rules
            .values()
            .filter(|rule| rule.file.split('/').next() == Some(key));
        let shared: Vec<(&Rule, Vec<String>)> = stated
            .filter(|rule| matches!(rule.effect, Effect::Bar | Effect::Ground))
            .map(|rule| (rule, self.instruments_of(rule)))
            .filter(|(_, ids)| !ids.is_empty())
            .collect();
        if shared.is_empty() {
            return;
        }
        page.push_str("\n### Rules about several instruments\n");
        for (effect, heading) in HEADINGS {
            let of_effect: Vec<_> = shared.iter().filter(|(rule, _)| rule.effect == effect).collect();
            if !of_effect.is_empty() {
                let _ = write!(page, "\n{heading}\n\n");
            }
            for (rule, ids) in of_effect {
                line(
                    page,
                    rule,
                    "the instrument",
                    "its law",
                    "",
                    &format!(" For {}.", ids.join(", ")),
                );
            }
        }
    }

    fn instruments_of(&self, rule: &Rule) -> Vec<String> {
        let About::Group(group) = &rule.about else {
            return Vec::new();
        };
        let rows = self.tables.instrument.iter();
        rows.filter(|(_, row)| row.built && groups_of(row).contains(group))
            .map(|(id, _)| format!("`{id}`"))
            .collect()
    }

    fn instrument_entry(&self, id: &InstrumentId, row: &Instrument, page: &mut String) {
        let _ = write!(page, "\n### {}\n\n`{id}`, under {}.\n", row.name, row.basis);
        if !row.built {
            page.push_str(
                "\nKnown by name alone. Counsel handles it by hand; nothing is released on it here.\n",
            );
            return;
        }
        page.push('\n');
        if !row.issuers.is_empty() {
            let _ = writeln!(page, "- Issued by: {}", words(row.issuers.iter().map(word)));
        }
        if !row.validators.is_empty() {
            let _ = writeln!(
                page,
                "- Or validated by: {}",
                words(row.validators.iter().map(word))
            );
        }
        let _ = writeln!(page, "- Open to: {}", self.open_to(row));
        let _ = writeln!(page, "- Reaches: {}", reaches(row));
        if let Some(costs) = &row.costs {
            let _ = writeln!(page, "- Costs: asked back from the authority ({costs})");
        }
        match (row.pending, row.from, row.until) {
            (true, ..) => page.push_str("- In force: not yet\n"),
            (false, None, None) => {}
            (false, from, until) => {
                let from = from.map_or(String::new(), |day| format!(" from {day}"));
                let until = until.map_or(String::new(), |day| format!(" until {day}"));
                let _ = writeln!(page, "- In force:{from}{until}");
            }
        }
        for (effect, heading) in HEADINGS {
            let rules: Vec<&Rule> = self
                .rules
                .values()
                .filter(|rule| rule.effect == effect && rule.about == About::Instrument(id.to_string()))
                .collect();
            if !rules.is_empty() {
                let _ = write!(page, "\n{heading}\n\n");
            }
            for rule in rules {
                line(page, rule, &row.name, &row.basis, id.as_str(), "");
            }
        }
    }

    fn open_to(&self, row: &Instrument) -> String {
        match &row.country_list {
            Some(list) => {
                let entries = self
                    .tables
                    .list
                    .get(list)
                    .map_or(&[][..], |list| list.entries.as_slice());
                words(entries.iter().map(|entry| entry.country.as_str().to_owned()))
            }
            None if row.countries.is_empty() => "authorities of any country".to_owned(),
            None => words(row.countries.iter().map(|country| country.as_str().to_owned())),
        }
    }
}

fn reaches(row: &Instrument) -> String {
    match row.kind {
        InstrumentKind::Disclosure => words(row.categories.iter().map(word)),
        InstrumentKind::Preservation => "nothing: data is kept, and none disclosed".to_owned(),
        InstrumentKind::Interception => "nothing here: it is for data from now on".to_owned(),
        InstrumentKind::Capability => "nothing: no key and no way in is given".to_owned(),
        InstrumentKind::Freezing => "nothing: an account is frozen, and nothing disclosed".to_owned(),
        InstrumentKind::Removal => "nothing: content is removed, and nothing disclosed".to_owned(),
        InstrumentKind::Silence => "nothing: it forbids telling".to_owned(),
        InstrumentKind::Request | InstrumentKind::Unknown => "nothing: it is no process".to_owned(),
    }
}

/// One rule as an item: what it says, where that stands, and what else there is to add.
fn line(page: &mut String, rule: &Rule, name: &str, basis: &str, id: &str, more: &str) {
    let text = rule
        .explanation
        .replace("{name}", name)
        .replace("{basis}", basis)
        .replace("{instrument}", id)
        .replace("{country}", "the country that asks")
        .replace("{requester}", "the requester");
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let _ = writeln!(page, "- {first}{} _({})_{more}", letters.as_str(), rule.citation);
}

fn words(list: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = list.map(|word| word.replace('_', " ")).collect();
    if words.is_empty() {
        "nobody so far".to_owned()
    } else {
        words.join(", ")
    }
}
