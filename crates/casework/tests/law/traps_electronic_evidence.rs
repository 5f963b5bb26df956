//! Traps 11 to 18, on the Regulation on electronic evidence.

use casework::{
    demand::Category,
    finding::{DutyKind, Effect},
    rulebook::Rulebook,
};
use serde_json::{Value, json};

use crate::{asks, judge, known};

const TODAY: &str = "2026-11-21";

/// A Spanish order to a provider in the Netherlands.
pub(crate) fn epoc(instrument: &str, kind: &str, categories: &[&str], with: Value) -> Value {
    let mut demand = asks(
        instrument,
        "ES",
        kind,
        categories,
        json!({
            "offence": { "provision": "Código Penal 248", "max_sentence_months": 48 },
            "epoc": { "addressee_country": "NL", "domestic_link": true,
                      "processor_addressed_because": "it might harm the investigation" }
        }),
    );
    crate::lay_over(&mut demand, with);
    demand
}

#[test]
fn trap_11_traffic_and_content_need_a_judge_even_in_an_emergency() {
    let emergency = json!({ "danger_to_life": true, "statement": "a bomb" });
    let facts = known("NL", json!({}));
    for with in [json!({}), json!({ "emergency": emergency })] {
        for kind in ["prosecutor", "police", "agency", "security"] {
            let demand = epoc(
                "eu.epoc.traffic_content",
                kind,
                &["traffic", "content"],
                with.clone(),
            );
            assert_eq!(judge(&demand, &facts, TODAY).releases(), [], "{kind}");
        }
        let judge_s = epoc("eu.epoc.traffic_content", "court", &["traffic"], with.clone());
        assert_eq!(judge(&judge_s, &facts, TODAY).releases(), [Category::Traffic]);
        let account = epoc(
            "eu.epoc.subscriber_id",
            "prosecutor",
            &["subscriber"],
            with.clone(),
        );
        assert_eq!(judge(&account, &facts, TODAY).releases(), [Category::Subscriber]);
        assert!(judge(&epoc("eu.epoc_pr", "prosecutor", &[], with), &facts, TODAY).owes(DutyKind::Preserve));
    }
}

#[test]
fn trap_12_one_log_line_is_identification_or_traffic_by_its_purpose() {
    let address = json!({ "subjects": [{ "type": "ip", "address": "198.51.100.7", "port": 40112, "at": "2026-04-01T12:00:00Z" }] });
    let facts = known("NL", json!({}));
    let to_identify = epoc(
        "eu.epoc.subscriber_id",
        "prosecutor",
        &["identification"],
        address.clone(),
    );
    assert_eq!(
        judge(&to_identify, &facts, TODAY).releases(),
        [Category::Identification]
    );
    let as_traffic = epoc(
        "eu.epoc.subscriber_id",
        "prosecutor",
        &["traffic"],
        address.clone(),
    );
    assert!(judge(&as_traffic, &facts, TODAY).finds("eu.epoc.subscriber_id.category"));
    let by_judge = epoc("eu.epoc.traffic_content", "court", &["traffic"], address);
    assert_eq!(judge(&by_judge, &facts, TODAY).releases(), [Category::Traffic]);
}

#[test]
fn trap_13_a_notified_order_has_a_first_day_as_well_as_a_last() {
    let notified = |cleared: bool| {
        epoc(
            "eu.epoc.traffic_content",
            "court",
            &["content"],
            json!({ "epoc": { "domestic_link": false, "enforcing_authority_notified": true,
                              "enforcing_authority_cleared": cleared } }),
        )
    };
    let facts = known("NL", json!({}));
    let held = judge(&notified(false), &facts, "2026-10-10");
    assert_eq!(
        held.falls("eu.epoc.traffic_content.not_before").unwrap(),
        "2026-10-19",
        "day 10 is a Saturday"
    );
    assert_eq!(held.falls("eu.epoc.deadline").unwrap(), "2026-10-19");
    assert!(
        judge(&notified(true), &facts, "2026-10-10")
            .falls("eu.epoc.traffic_content.not_before")
            .is_none()
    );
}

#[test]
fn trap_14_privilege_does_not_stop_the_clock_and_a_defect_or_foreign_law_does() {
    let order = |with| epoc("eu.epoc.traffic_content", "court", &["traffic"], with);
    let privileged = judge(
        &order(json!({})),
        &known("NL", json!({ "privileged": true })),
        TODAY,
    );
    assert!(privileged.finds("eu.epoc.privileged") && privileged.falls("eu.epoc.deadline").is_some());
    assert!(!privileged.owes(DutyKind::Preserve) && !privileged.releases().is_empty());
    let defective = judge(&order(json!({ "window": null })), &known("NL", json!({})), TODAY);
    assert!(defective.finds("eu.epoc.incomplete") && defective.owes(DutyKind::Preserve));
    let abroad = judge(&order(json!({})), &known("SG", json!({})), TODAY);
    assert!(abroad.finds("eu.epoc.third_country_law") && abroad.owes(DutyKind::Preserve));
}

#[test]
fn trap_15_the_person_is_not_told_and_the_controller_is_unless_they_are_one() {
    let order = epoc("eu.epoc.subscriber_id", "court", &["subscriber"], json!({}));
    let company = judge(&order, &known("NL", json!({})), TODAY);
    assert!(company.owes(DutyKind::DoNotTellPerson) && company.owes(DutyKind::NotifyTenant));
    assert!(!company.owes(DutyKind::DoNotTellTenant));
    let individual = judge(&order, &known("NL", json!({ "tenant_kind": "consumer" })), TODAY);
    assert!(individual.owes(DutyKind::DoNotTellPerson) && individual.owes(DutyKind::DoNotTellTenant));
    assert!(!individual.owes(DutyKind::NotifyTenant));
}

#[test]
fn trap_16_the_provider_does_not_argue_fundamental_rights_and_misses_no_reasons() {
    // Nothing of section M is in a demand, and nothing about it is found missing.
    let judged = judge(
        &epoc("eu.epoc.traffic_content", "court", &["content"], json!({})),
        &known("NL", json!({})),
        TODAY,
    );
    assert_eq!(judged.found(Effect::Ground, ""), Vec::<&str>::new());
    for rule in Rulebook::builtin()
        .rules()
        .filter(|rule| rule.effect == Effect::Ground)
    {
        let citation = &rule.citation;
        assert!(
            !citation.contains("16(4)(g)") && !citation.contains("12(1)(b)"),
            "{}: `{citation}`",
            rule.id
        );
    }
}

#[test]
fn trap_17_annex_iii_is_the_only_form_and_comes_within_the_eight_hours() {
    let emergency = json!({ "emergency": { "danger_to_life": true, "statement": "a bomb" } });
    let order = epoc("eu.epoc.traffic_content", "court", &["content"], emergency);
    let judged = judge(&order, &known("US", json!({})), TODAY);
    let first = judged.at("eu.epoc.emergency_first").unwrap();
    assert_eq!(Some(first), judged.at("eu.epoc.emergency_deadline"));
    assert!(first < judged.at("eu.epoc.third_country_law.object_by").unwrap());
    for rule in Rulebook::builtin().rules() {
        assert!(
            !rule.explanation.contains("Annex IV"),
            "{}: the list of offences is no form",
            rule.id
        );
    }
}

#[test]
fn trap_18_an_unanswered_question_suspends_one_order_and_ends_the_other() {
    let asked = json!({ "epoc": { "clarification_unanswered_since": "2026-10-12" } });
    let facts = known("NL", json!({}));
    let produce = epoc(
        "eu.epoc.subscriber_id",
        "prosecutor",
        &["subscriber"],
        asked.clone(),
    );
    for day in ["2026-10-12", "2026-10-19", "2027-10-19"] {
        let judged = judge(&produce, &facts, day);
        assert!(
            judged.finds("eu.epoc.suspended") && judged.releases().is_empty(),
            "{day}"
        );
    }
    let keep = epoc("eu.epoc_pr", "prosecutor", &[], asked);
    // Five days from Monday the 12th end on Saturday, so on Monday the 19th.
    assert!(judge(&keep, &facts, "2026-10-19").owes(DutyKind::Preserve));
    let exempt = judge(&keep, &facts, "2026-10-20");
    assert!(exempt.finds("eu.epoc_pr.exempt") && !exempt.owes(DutyKind::Preserve));
}
