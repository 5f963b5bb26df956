//! One demand under several laws: of the requester, of the place where the data lies, of the customer.

use casework::{demand::Category, finding::Effect};
use serde_json::{Value, json};

use crate::{asks, judge, known};

const TODAY: &str = "2026-11-21";

/// Content, on an order as good as its own law can make it.
fn order(instrument: &str, country: &str, with: Value) -> Value {
    let mut demand = asks(
        instrument,
        country,
        "court",
        &["content"],
        json!({
            "issuer": { "kind": "court", "name": "a court", "validated_by": "court" },
            "showing": { "probable_cause": true, "particularity": true, "specific_facts": true, "certified": true,
                         "statute_named": true, "review_rights_notified": true },
            "offence": { "provision": "fraud", "max_sentence_months": 120 },
            "epoc": { "domestic_link": true, "processor_addressed_because": "the controller cannot be identified" }
        }),
    );
    crate::lay_over(&mut demand, with);
    demand
}

/// Where the customer is, where the data lies, and where the person lives.
fn place(customer: &str, data: &str) -> Value {
    let mut facts = known(
        customer,
        json!({ "region_country": data, "person_country": customer, "us_person": customer == "US" }),
    );
    crate::lay_over(&mut facts, json!({ "controller_consents": true }));
    facts
}

#[test]
fn each_conflict_is_found_by_the_law_that_makes_it() {
    let treaty = json!({ "showing": { "treaty": "an agreement" } });
    for (demand, facts, grounds, bars) in [
        // An American order: the customer's law and the place's.
        (
            order("us.warrant.sca", "US", json!({})),
            place("US", "US"),
            vec![],
            vec![],
        ),
        (
            order("us.warrant.sca", "US", json!({})),
            place("DE", "DE"),
            vec!["us.comity.common_law", "us.gdpr_48"],
            vec![],
        ),
        (
            order("us.warrant.sca", "US", json!({})),
            place("US", "NL"),
            vec!["us.comity.common_law", "us.gdpr_48"],
            vec![],
        ),
        (
            order("us.warrant.sca", "US", json!({})),
            place("GB", "GB"),
            vec!["us.cloud_act.comity_motion"],
            vec![],
        ),
        (
            order("us.warrant.sca", "US", json!({})),
            place("GB", "IE"),
            vec!["us.cloud_act.comity_motion", "us.comity.common_law", "us.gdpr_48"],
            vec![],
        ),
        (
            order("us.warrant.sca", "US", json!({})),
            place("JP", "US"),
            vec!["us.comity.common_law"],
            vec![],
        ),
        // A British one.
        (
            order("uk.opo", "GB", treaty.clone()),
            place("GB", "US"),
            vec!["uk.process.data_abroad"],
            vec![],
        ),
        (
            order("uk.opo", "GB", treaty.clone()),
            place("US", "US"),
            vec!["uk.process.data_abroad"],
            vec!["uk.process.us_person"],
        ),
        (
            order("uk.opo", "GB", json!({})),
            place("GB", "US"),
            vec!["uk.process.data_abroad"],
            vec!["uk.process.us_blocking"],
        ),
        (
            order("uk.opo", "GB", treaty.clone()),
            place("DE", "US"),
            vec!["uk.process.data_abroad", "uk.process.gdpr_48"],
            vec![],
        ),
        (
            order("uk.opo", "GB", json!({})),
            place("GB", "IE"),
            vec!["uk.process.data_abroad", "uk.process.gdpr_48"],
            vec!["uk.opo.no_agreement", "uk.process.data_in_eea"],
        ),
        (
            order("uk.ipa.warrant_or_cd", "GB", json!({})),
            place("FR", "GB"),
            vec!["any.silence.against_gdpr_28", "uk.process.gdpr_48"],
            vec![],
        ),
        // A European one.
        (
            order("eu.epoc.traffic_content", "FR", json!({})),
            place("DE", "DE"),
            vec![],
            vec![],
        ),
        (
            order("eu.epoc.traffic_content", "FR", json!({})),
            place("CH", "DE"),
            vec!["eu.epoc.third_country_law"],
            vec![],
        ),
        (
            order("eu.epoc.traffic_content", "FR", json!({})),
            place("DE", "US"),
            vec!["eu.epoc.third_country_law", "eu.epoc.us_blocking"],
            vec![],
        ),
        (
            order("eu.domestic_order", "FR", json!({})),
            place("FR", "US"),
            vec!["eu.domestic_order.data_abroad", "eu.domestic_order.us_blocking"],
            vec![],
        ),
        (
            order("eu.domestic_order", "FR", json!({})),
            place("DE", "DE"),
            vec!["eu.domestic_order.data_abroad"],
            vec!["eu.domestic_order.across_a_border"],
        ),
        // A third country's.
        (
            order("xx.foreign_order.personal", "IN", treaty.clone()),
            place("DE", "DE"),
            vec![
                "xx.foreign_order.personal.chapter_v",
                "xx.foreign_order.personal.data_abroad",
            ],
            vec![],
        ),
        (
            order("xx.foreign_order.personal", "IN", json!({})),
            place("IN", "DE"),
            vec![
                "xx.foreign_order.personal.chapter_v",
                "xx.foreign_order.personal.data_abroad",
                "xx.foreign_order.personal.no_treaty.challenge",
            ],
            vec!["xx.foreign_order.personal.no_treaty"],
        ),
        (
            order("xx.foreign_order.personal", "CH", treaty),
            place("CH", "US"),
            vec!["xx.foreign_order.personal.data_abroad"],
            vec!["xx.foreign_order.personal.us_blocking"],
        ),
    ] {
        let judged = judge(&demand, &facts, TODAY);
        let what = format!("{} {}", demand["instrument"], facts["resolved"][0]);
        assert_eq!(judged.found(Effect::Ground, ""), grounds, "{what}");
        assert_eq!(judged.found(Effect::Bar, ""), bars, "{what}");
        let released: &[Category] = if bars.is_empty() {
            &[Category::Content]
        } else {
            &[]
        };
        assert_eq!(judged.releases(), released, "{what}");
    }
}

#[test]
fn two_accounts_in_two_places_are_each_judged_by_their_own_law() {
    let mut demand = order(
        "uk.opo",
        "GB",
        json!({ "showing": { "treaty": "US-UK Data Access Agreement" } }),
    );
    demand["subjects"] =
        json!([{ "type": "account", "value": "bo" }, { "type": "phone", "value": "+442079460000" }]);
    let mut facts = place("GB", "US");
    let other = place("IE", "IE")["resolved"][0].clone();
    facts["resolved"].as_array_mut().unwrap().push(other);
    let judged = judge(&demand, &facts, TODAY);
    assert_eq!(judged.found(Effect::Bar, "uk"), ["uk.opo.no_agreement"]);
    assert!(judged.finds("uk.process.gdpr_48") && judged.releases().is_empty());
}

#[test]
fn what_nobody_knows_of_a_person_is_asked_and_not_guessed() {
    let facts = known("AU", json!({}));
    let judged = judge(&order("us.mlat.3512", "US", json!({})), &facts, TODAY);
    assert!(judged.finds("us.cloud_act.comity_motion_open") && !judged.finds("us.cloud_act.comity_motion"));
    assert!(
        judged.falls("us.cloud_act.motion_by").is_some(),
        "the fourteen days run all the same"
    );
}
