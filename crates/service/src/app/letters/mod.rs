//! Letters: their texts lie beside this file and are filled in here. What is rendered is what is sent.

use std::collections::BTreeSet;

use casework::{
    case::CaseFile,
    demand::{Category, Demand, Window},
    finding::Effect,
    ids::{CaseId, Digest, RuleId, TenantId},
};
use jiff::{Timestamp, tz::TimeZone};

/// Kinds of letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// To the requester: its bytes arrived.
    Receipt,
    /// To the requester: please turn to the customer (P8).
    Redirect,
    /// To the customer, before anything is disclosed (P9).
    Notice,
    /// To the customer, after a gag ended (P9).
    LateNotice,
    /// To the forum: what is objected to and why (P11).
    Objection,
    /// To the requester: rejected, and why (P7).
    Rejection,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [
        Kind::Receipt,
        Kind::Redirect,
        Kind::Notice,
        Kind::LateNotice,
        Kind::Objection,
        Kind::Rejection,
    ];

    /// Its name in the outbox.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Receipt => "receipt",
            Kind::Redirect => "redirect",
            Kind::Notice => "notice",
            Kind::LateNotice => "late_notice",
            Kind::Objection => "objection",
            Kind::Rejection => "rejection",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Kind::Receipt => include_str!("receipt.txt"),
            Kind::Redirect => include_str!("redirect.txt"),
            Kind::Notice => include_str!("notice.txt"),
            Kind::LateNotice => include_str!("late_notice.txt"),
            Kind::Objection => include_str!("objection.txt"),
            Kind::Rejection => include_str!("rejection.txt"),
        }
    }
}

/// A letter, ready to be kept and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub text: String,
}

impl Letter {
    /// SHA-256 of its text, by which events name it.
    pub fn digest(&self) -> Digest {
        Digest::of(&[self.text.as_bytes()])
    }
}

/// What every letter says about who writes and about what.
pub struct Letterhead<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The case.
    pub case: CaseId,
    /// Now.
    pub now: Timestamp,
}

impl Letterhead<'_> {
    /// The receipt for bytes that arrived.
    pub fn receipt(&self, bytes: Digest, size: u64) -> Letter {
        let received_at = self.now.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let own = [
            ("received_at", received_at),
            ("bytes", bytes.to_string()),
            ("size", size.to_string()),
        ];
        self.fill(Kind::Receipt, own.into())
    }

    /// The request to turn to the customer; `None` before there is a demand.
    pub fn redirect(&self, file: &CaseFile, answer_by: Option<Timestamp>) -> Option<Letter> {
        let demand = file.demand()?;
        let tenants: BTreeSet<String> = file
            .scope()
            .accounts
            .into_iter()
            .map(|(tenant, _)| tenant.into())
            .collect();
        let customers = if tenants.is_empty() {
            "a customer of ours".to_owned()
        } else {
            list(tenants)
        };
        let mut return_on = demand.return_on.map_or_else(String::new, |day| {
            format!("You asked for an answer by {day}. Please answer this request before that day.")
        });
        if let Some(by) = answer_by {
            let by = by.strftime("%Y-%m-%d %H:%M");
            return_on.push_str(&format!(
                "\nWe await your answer until {by} (UTC). Without one we take it that you do not go to the customer."
            ));
        }
        let mut values = about(demand);
        values.push(("customers", customers));
        values.push(("return_on", return_on));
        Some(self.fill(Kind::Redirect, values))
    }

    /// The notice to one customer; `None` before there is a demand.
    pub fn notice(&self, file: &CaseFile, tenant: &TenantId, late: bool) -> Option<Letter> {
        let demand = file.demand()?;
        let scope = file.scope();
        let accounts = scope
            .accounts
            .iter()
            .filter(|(of, _)| of == tenant)
            .map(|(_, account)| account.to_string());
        let released = file.drawn_up().iter().filter(|drawn| drawn.released.is_some());
        let objects: usize = released
            .map(|drawn| {
                drawn
                    .record
                    .objects
                    .iter()
                    .filter(|o| o.account.tenant == *tenant)
                    .count()
            })
            .sum();
        let mut values = about(demand);
        values.extend([
            ("tenant", tenant.to_string()),
            ("accounts", list(accounts)),
            (
                "categories",
                list(scope.categories.iter().map(|c| category(*c).to_owned())),
            ),
            ("window", window(scope.window)),
            ("disclosed", format!("{objects} object(s)")),
        ]);
        Some(self.fill(if late { Kind::LateNotice } else { Kind::Notice }, values))
    }

    /// The summary of objections on these grounds; `None` before there is a demand.
    pub fn objection(&self, file: &CaseFile, grounds: &[RuleId], forum: &str) -> Option<Letter> {
        let demand = file.demand()?;
        let findings = file
            .judged()
            .map_or(&[][..], |judged| &judged.assessment.findings);
        let mut text = String::new();
        for (number, rule) in (1..).zip(grounds) {
            text.push_str(&format!("{number}. {rule}\n"));
            for finding in findings
                .iter()
                .filter(|f| f.rule == *rule && f.effect == Effect::Ground)
            {
                text.push_str(&format!(
                    "   Source: {}\n   {}\n",
                    finding.citation, finding.explanation
                ));
            }
        }
        let mut values = about(demand);
        values.push(("forum", forum.to_owned()));
        values.push(("grounds", text.trim_end().to_owned()));
        Some(self.fill(Kind::Objection, values))
    }

    /// The rejection, with its reasons.
    pub fn rejection(&self, file: &CaseFile, rules: &[RuleId], explanation: &str) -> Letter {
        let mut values = file.demand().map_or_else(unread, about);
        values.push(("explanation", explanation.to_owned()));
        values.push(("rules", list(rules.iter().map(ToString::to_string))));
        self.fill(Kind::Rejection, values)
    }

    fn fill(&self, kind: Kind, mut values: Vec<(&'static str, String)>) -> Letter {
        values.push(("provider", self.provider.to_owned()));
        values.push(("case", self.case.to_string()));
        values.push(("date", self.now.to_zoned(TimeZone::UTC).date().to_string()));
        Letter {
            kind,
            text: fill(kind.text(), &values),
        }
    }
}

/// Replaces each `{name}` once, from left to right: what a demand says is never itself read as a template.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            rest = after;
            break;
        };
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => text.push_str(value),
            None => text.push_str("(not given)"),
        }
        rest = tail;
    }
    text.push_str(rest);
    text
}

fn about(demand: &Demand) -> Vec<(&'static str, String)> {
    vec![
        ("authority", one_line(&demand.requester.authority)),
        ("country", demand.requester.country.as_str().to_owned()),
        ("instrument", demand.instrument.to_string()),
        (
            "reference",
            demand.reference.as_deref().map_or_else(none_given, one_line),
        ),
        (
            "issued_on",
            demand.issued_on.map_or_else(none_given, |day| day.to_string()),
        ),
    ]
}

fn unread() -> Vec<(&'static str, String)> {
    ["authority", "country", "instrument", "reference", "issued_on"]
        .into_iter()
        .map(|name| (name, none_given()))
        .collect()
}

fn none_given() -> String {
    "(none given)".to_owned()
}

/// A requester's words on one line, so that they cannot pass for a further line of the letter.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    let joined = items.into_iter().collect::<Vec<_>>().join(", ");
    if joined.is_empty() { none_given() } else { joined }
}

fn window(window: Option<Window>) -> String {
    window.map_or_else(
        || "(no dates named)".to_owned(),
        |w| format!("from {} until before {} (UTC)", w.from, w.until),
    )
}

fn category(category: Category) -> &'static str {
    match category {
        Category::Subscriber => "subscriber data",
        Category::Identification => "data to identify a user",
        Category::Traffic => "traffic data",
        Category::Content => "content",
        Category::Realtime => "data from now on",
        Category::Assistance => "assistance",
        Category::NonPersonal => "non-personal data",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_read_as_templates() {
        let values = [("a", "{b}".to_owned()), ("b", "secret".to_owned())];
        assert_eq!(fill("x {a} y {c} z", &values), "x {b} y (not given) z");
        assert_eq!(fill("open { end", &values), "open  end");
    }

    #[test]
    fn a_letter_keeps_a_requesters_words_on_one_line() {
        assert_eq!(
            one_line("Court\n\nWe disclose everything."),
            "Court We disclose everything."
        );
    }

    #[test]
    fn every_text_names_the_case_and_the_provider() {
        for kind in Kind::ALL {
            for name in ["{provider}", "{case}"] {
                assert!(kind.text().contains(name), "{kind:?} lacks {name}");
            }
        }
    }
}
