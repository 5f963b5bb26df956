//! What each instrument may compel, whole: by who issues it, in an emergency or not, and where customer and data are.
//!
//! What `us.emergency.2702` opens it permits, and compels nobody. The table is a snapshot to be read by counsel. A line that changes is a change of the law, or a mistake.

use std::collections::BTreeMap;

use casework::rulebook::{Instrument, Rulebook};
use serde_json::{Value, json};

use crate::{asks, judge, known};

const TODAY: &str = "2026-11-21";
const CATEGORIES: [&str; 7] = [
    "subscriber",
    "identification",
    "traffic",
    "content",
    "realtime",
    "assistance",
    "non_personal",
];
const ISSUERS: [&str; 8] = [
    "court",
    "prosecutor",
    "grand_jury",
    "police",
    "agency",
    "security",
    "private",
    "unknown",
];
/// Customer, data and person in one country: of the requester's own, and others.
const PLACES: [&str; 4] = ["US", "FR", "GB", "CN"];

/// A demand without a fault but who issues it.
fn flawless(id: &str, row: &Instrument, issuer: &str, emergency: bool) -> Value {
    let country = match id.split('.').next() {
        Some("us") => "US",
        Some("eu") => "FR",
        Some("uk") => "GB",
        Some("coe") => "JP",
        _ => "CN",
    };
    let emergency = emergency.then(|| json!({ "danger_to_life": true, "statement": "a bomb" }));
    let title = row.titles.first();
    asks(
        id,
        country,
        issuer,
        &CATEGORIES,
        json!({
            "issuer": { "kind": issuer, "name": "somebody", "title": title },
            "showing": { "probable_cause": true, "specific_facts": true, "particularity": true, "certified": true,
                         "statute_named": true, "review_rights_notified": true, "treaty": "an agreement" },
            "offence": { "provision": "fraud", "max_sentence_months": 120 },
            "epoc": { "addressee_country": "DE", "domestic_link": true, "processor_addressed_because": "a reason" },
            "emergency": emergency
        }),
    )
}

fn compelled(id: &str, row: &Instrument, issuer: &str, emergency: bool, place: &str) -> String {
    let mut facts = known(
        place,
        json!({ "person_country": place, "us_person": place == "US" }),
    );
    crate::lay_over(&mut facts, json!({ "controller_consents": true }));
    let judged = judge(&flawless(id, row, issuer, emergency), &facts, TODAY);
    let words: Vec<String> = judged
        .releases()
        .iter()
        .map(|category| {
            serde_json::to_value(category)
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}

#[test]
fn what_each_instrument_may_compel() {
    let mut table = String::new();
    for (id, row) in Rulebook::builtin().instruments().filter(|(_, row)| row.built) {
        let kind = serde_json::to_value(row.kind).unwrap();
        table.push_str(&format!("{id}, of kind {}\n", kind.as_str().unwrap()));
        // Issuers who get the same everywhere stand in one line.
        let mut alike: BTreeMap<Vec<(String, String)>, Vec<&str>> = BTreeMap::new();
        for issuer in ISSUERS {
            let mut cells: Vec<(String, String)> = Vec::new();
            for place in PLACES {
                let calm = compelled(id.as_str(), row, issuer, false, place);
                let urgent = compelled(id.as_str(), row, issuer, true, place);
                if calm == urgent {
                    cells.push((place.to_owned(), calm));
                } else {
                    cells.push((place.to_owned(), calm));
                    cells.push((format!("{place} in an emergency"), urgent));
                }
            }
            alike.entry(cells).or_default().push(issuer);
        }
        let mut lines: Vec<String> = Vec::new();
        for (cells, issuers) in alike {
            let mut by_result: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (place, result) in &cells {
                by_result.entry(result).or_default().push(place);
            }
            for (result, places) in by_result {
                let places = if places.len() == cells.len() {
                    "everywhere".to_owned()
                } else {
                    places.join(", ")
                };
                lines.push(format!("  {}: {places}: {result}\n", issuers.join(", ")));
            }
        }
        lines.sort();
        table.extend(lines);
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_page_for_requesters_is_what_the_rules_say() {
    let page = include_str!("../../../../docs/what-we-need-from-you.md");
    let written = Rulebook::builtin().what_we_need();
    if page != written && std::env::var_os("AMPARO_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/what-we-need-from-you.md");
        #[allow(
            clippy::disallowed_methods,
            reason = "a test writes what it is then compared with"
        )]
        std::fs::write(path, written).unwrap();
        return;
    }
    assert!(
        page == written,
        "docs/what-we-need-from-you.md is stale: write it anew with `amparo rulebook page > docs/what-we-need-from-you.md`"
    );
}

/// Each instrument stands under the heading of some jurisdiction, or requesters would not find it.
#[test]
fn every_instrument_has_its_place_on_the_page() {
    let page = Rulebook::builtin().what_we_need();
    for (id, _) in Rulebook::builtin().instruments() {
        assert!(page.contains(&format!("`{id}`, under")), "`{id}`");
    }
}
