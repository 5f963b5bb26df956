//! The law of a day: what was it the day before, and the day after.

use casework::{finding::Effect, rulebook::Rulebook};
use serde_json::{Value, json};

use crate::{FILES, Judged, asks, judge, judge_by, known};

/// A rule that is found on one day and not on the one before, or the other way about.
fn turns(demand: &Value, facts: &Value, rule: &str, day_before: &str, day: &str, begins: bool) {
    let found = |on: &str| judge(demand, facts, on).finds(rule);
    assert_eq!(found(day_before), !begins, "`{rule}` on {day_before}");
    assert_eq!(found(day), begins, "`{rule}` on {day}");
}

/// Served before every day of these tests.
fn old(instrument: &str, country: &str, kind: &str, categories: &[&str], with: Value) -> Value {
    let mut demand = asks(
        instrument,
        country,
        kind,
        categories,
        json!({ "served_at": "2018-01-01T10:00:00Z",
        "issued_on": null, "window": { "from": "2017-01-01T00:00:00Z", "until": "2017-06-01T00:00:00Z" } }),
    );
    crate::lay_over(&mut demand, with);
    demand
}

#[test]
fn section_702_lapsed_and_its_certifications_run_out() {
    let directive = old(
        "us.fisa.702",
        "US",
        "security",
        &["content"],
        json!({ "issuer": { "kind": "security", "name": "both", "title": "Attorney General and Director of National Intelligence" } }),
    );
    let facts = known("US", json!({}));
    turns(
        &directive,
        &facts,
        "us.fisa.702.lapsed",
        "2026-06-11",
        "2026-06-12",
        true,
    );
    turns(
        &directive,
        &facts,
        "us.fisa.702.certifications_over",
        "2027-03-17",
        "2027-03-18",
        true,
    );
    for day in ["2026-06-11", "2026-06-12", "2027-03-18"] {
        assert_eq!(
            judge(&directive, &facts, day).found(Effect::Bar, ""),
            Vec::<&str>::new(),
            "never rejected by date"
        );
    }
}

#[test]
fn governments_qualify_from_a_day_and_until_one() {
    let warrant = old(
        "us.warrant.sca",
        "US",
        "court",
        &["content"],
        json!({ "showing": { "probable_cause": true, "particularity": true } }),
    );
    let of = |country: &str| known(country, json!({ "person_country": country, "us_person": false }));
    let rule = "us.cloud_act.comity_motion";
    turns(&warrant, &of("GB"), rule, "2022-10-02", "2022-10-03", true);
    turns(&warrant, &of("GB"), rule, "2027-10-02", "2027-10-03", false);
    turns(&warrant, &of("AU"), rule, "2024-01-30", "2024-01-31", true);
    turns(
        &warrant,
        &of("GB"),
        "us.comity.common_law",
        "2022-10-02",
        "2022-10-03",
        false,
    );
}

#[test]
fn the_agreement_of_the_united_kingdom_carries_its_orders_for_its_term() {
    let order = old(
        "uk.opo",
        "GB",
        "court",
        &["content"],
        json!({ "showing": { "treaty": "US-UK Data Access Agreement" } }),
    );
    let facts = known("US", json!({ "us_person": false, "person_country": "GB" }));
    turns(
        &order,
        &facts,
        "uk.opo.agreement_not_in_force",
        "2022-10-02",
        "2022-10-03",
        false,
    );
    turns(
        &order,
        &facts,
        "uk.opo.agreement_not_in_force",
        "2027-10-02",
        "2027-10-03",
        true,
    );
    turns(
        &order,
        &facts,
        "uk.process.us_blocking",
        "2027-10-02",
        "2027-10-03",
        true,
    );
}

#[test]
fn adequacy_has_its_days() {
    let order = |country: &str| {
        old(
            "xx.foreign_order.personal",
            country,
            "court",
            &["content"],
            json!({ "showing": { "treaty": "one" } }),
        )
    };
    let facts = known("DE", json!({}));
    let rule = "xx.foreign_order.personal.chapter_v";
    turns(&order("GB"), &facts, rule, "2021-06-27", "2021-06-28", false);
    turns(&order("GB"), &facts, rule, "2031-12-27", "2031-12-28", true);
    turns(&order("BR"), &facts, rule, "2026-01-26", "2026-01-27", false);
    turns(&order("KR"), &facts, rule, "2021-12-16", "2021-12-17", false);
}

#[test]
fn european_law_begins_on_its_day() {
    for (instrument, categories) in [
        ("eu.epoc.subscriber_id", &["subscriber"][..]),
        ("eu.epoc.traffic_content", &["content"]),
        ("eu.epoc_pr", &[]),
    ] {
        let order = old(instrument, "FR", "court", categories, json!({}));
        turns(
            &order,
            &known("DE", json!({})),
            "any.process.not_in_force",
            "2026-08-17",
            "2026-08-18",
            false,
        );
    }
    let order = old(
        "xx.foreign_order.nonpersonal",
        "CN",
        "agency",
        &["non_personal"],
        json!({}),
    );
    turns(
        &order,
        &known("DE", json!({})),
        "xx.foreign_order.nonpersonal.tests_failed",
        "2025-09-11",
        "2025-09-12",
        true,
    );
}

#[test]
fn the_old_section_215_ended_with_its_amendments() {
    let order = old("us.fisa.1861", "US", "court", &["subscriber"], json!({}));
    turns(
        &order,
        &known("US", json!({})),
        "us.fisa.1861.not_a_covered_business",
        "2020-03-14",
        "2020-03-15",
        true,
    );
}

/// The Protocol is in force nowhere yet. When it is, its first day and its Parties are entered, and nothing else changes.
#[test]
fn the_protocol_enters_into_force_by_its_tables_alone() {
    let order = asks(
        "coe.224.art7",
        "JP",
        "prosecutor",
        &["subscriber"],
        json!({ "showing": { "statute_named": true } }),
    );
    let facts = known("NL", json!({}));
    assert!(judge(&order, &facts, "2099-01-01").finds("any.process.not_in_force"));
    let files: Vec<(String, Vec<u8>)> = FILES
        .iter()
        .map(|(path, bytes)| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let text = text.replace("pending = true\n", "from = \"2027-03-01\"\n");
            let text = text.replace(
                "entries = []",
                "entries = [{ country = \"JP\", from = \"2027-05-01\" }]",
            );
            ((*path).to_owned(), text.into_bytes())
        })
        .collect();
    let rulebook = Rulebook::load(&files).unwrap();
    let on = |day: &str| -> Judged { judge_by(&rulebook, &order, &facts, day) };
    assert!(on("2027-02-28").finds("any.process.not_in_force"));
    let in_force = on("2027-04-30");
    assert!(!in_force.finds("any.process.not_in_force") && in_force.finds("coe.224.art7.not_a_party"));
    assert!(!on("2027-05-01").releases().is_empty());
}
