//! Demands as they might come, each judged by hand first: what must be found, what must not, what may be released.

use casework::finding::{DutyKind, Effect};
use serde_json::{Value, json};

use crate::{Judged, asks, judge, known, lay_over};

const TODAY: &str = "2026-11-21";

fn words(judged: &Judged) -> Vec<&'static str> {
    judged.releases().iter().map(|category| category.name()).collect()
}

fn emergency() -> Value {
    json!({ "emergency": { "danger_to_life": true, "statement": "a kidnapping" } })
}

fn american(instrument: &str, kind: &str, categories: &[&str], with: Value) -> Value {
    let mut demand = asks(
        instrument,
        "US",
        kind,
        categories,
        json!({ "showing": { "probable_cause": true, "particularity": true, "specific_facts": true, "statute_named": true } }),
    );
    lay_over(&mut demand, with);
    demand
}

fn epoc(instrument: &str, country: &str, kind: &str, categories: &[&str], with: Value) -> Value {
    let mut demand = asks(
        instrument,
        country,
        kind,
        categories,
        json!({ "offence": { "provision": "fraud", "max_sentence_months": 48 },
                "epoc": { "addressee_country": "NL", "domestic_link": true, "processor_addressed_because": "a reason" } }),
    );
    lay_over(&mut demand, with);
    demand
}

#[test]
fn a_letter_signed_one_rank_too_low_for_more_than_letters_reach_and_silent_all_the_same() {
    let letter = american(
        "us.nsl",
        "security",
        &["subscriber", "traffic"],
        json!({ "issuer": { "kind": "security", "name": "FBI Boston", "title": "Assistant Special Agent in Charge" },
                "showing": { "certified": true, "review_rights_notified": true },
                "gag": { "basis": "us.nsl", "from": "2026-10-06", "forbids": ["tenant", "person", "public"] } }),
    );
    let judged = judge(&letter, &known("US", json!({})), TODAY);
    assert!(words(&judged).is_empty());
    for rule in [
        "us.nsl.rank",
        "us.nsl.rank.challenge",
        "us.nsl.category",
        "us.nsl.excess",
        "us.nsl.gag.endless",
    ] {
        assert!(judged.finds(rule), "{rule}");
    }
    assert!(judged.owes(DutyKind::DoNotTellTenant) && !judged.owes(DutyKind::NotifyTenant));
    assert_eq!(
        judged.falls("us.nsl.gag.review_at_three_years").unwrap(),
        "2029-10-06"
    );
    assert!(
        judged.falls("us.nsl.government_applies_by").is_none(),
        "nobody told it yet"
    );
}

#[test]
fn old_mail_on_an_order_with_notice_is_still_content() {
    let order = american(
        "us.order.2703d",
        "court",
        &["subscriber", "traffic", "content"],
        json!({ "return_on": "2026-11-30" }),
    );
    let judged = judge(&order, &known("US", json!({})), TODAY);
    assert_eq!(words(&judged), ["subscriber", "traffic"]);
    assert_eq!(judged.found(Effect::Bar, "us"), ["us.order.2703d.content"]);
}

#[test]
fn everybody_at_a_place_for_ten_minutes_is_escalated_on_a_warrant_and_refused_on_less() {
    let place = json!({ "location": true, "subjects": [{ "type": "selector", "kind": "area", "value": "the bank" }],
                        "window": { "from": "2026-03-01T12:00:00Z", "until": "2026-03-01T12:10:00Z" } });
    let nobody = json!({ "requester": "confirmed", "resolved": [{ "outcome": "unspecific" }] });
    for (instrument, kind) in [
        ("us.warrant.sca", "court"),
        ("us.order.2703d", "court"),
        ("us.subpoena.grand_jury", "grand_jury"),
    ] {
        let judged = judge(
            &american(instrument, kind, &["traffic"], place.clone()),
            &nobody,
            TODAY,
        );
        assert!(words(&judged).is_empty(), "{instrument}");
        assert!(
            !judged.found(Effect::Ground, "").is_empty(),
            "{instrument}: challenged"
        );
    }
    let judged = judge(
        &american("us.warrant.sca", "court", &["traffic"], place),
        &nobody,
        TODAY,
    );
    assert!(judged.finds("us.warrant.sca.reverse_search") && judged.owes(DutyKind::SeniorReview));
    let one_hour = american(
        "us.order.2703d",
        "court",
        &["traffic"],
        json!({ "location": true }),
    );
    assert!(
        words(&judge(&one_hour, &known("US", json!({})), TODAY)).is_empty(),
        "where somebody was takes a warrant"
    );
}

#[test]
fn foreign_police_in_an_emergency_get_no_content_and_nobody_unconfirmed_gets_anything() {
    let mexican = asks(
        "us.emergency.2702",
        "MX",
        "police",
        &["subscriber", "content"],
        emergency(),
    );
    let judged = judge(&mexican, &known("US", json!({})), TODAY);
    assert_eq!(words(&judged), ["subscriber"]);
    assert!(
        judged.finds("us.emergency.2702.foreign_content")
            && judged.finds("us.emergency.2702.foreign_records")
    );
    let mut unchecked = known("US", json!({}));
    unchecked["requester"] = json!("unchecked");
    let american = american("us.emergency.2702", "police", &["subscriber"], emergency());
    let judged = judge(&american, &unchecked, TODAY);
    assert!(words(&judged).is_empty() && judged.owes(DutyKind::CallBack));
}

#[test]
fn police_without_validation_in_an_emergency_get_account_data_and_no_more() {
    let facts = known("NL", json!({}));
    let account = epoc(
        "eu.epoc.subscriber_id",
        "FR",
        "police",
        &["subscriber", "identification"],
        emergency(),
    );
    assert_eq!(
        words(&judge(&account, &facts, TODAY)),
        ["subscriber", "identification"]
    );
    let traffic = epoc(
        "eu.epoc.traffic_content",
        "FR",
        "police",
        &["traffic"],
        emergency(),
    );
    assert!(words(&judge(&traffic, &facts, TODAY)).is_empty());
    let mut calm = account;
    calm.as_object_mut().unwrap().remove("emergency");
    assert!(
        words(&judge(&calm, &facts, TODAY)).is_empty(),
        "without an emergency somebody must validate first"
    );
    let validated = json!({ "issuer": { "kind": "police", "name": "BKA", "validated_by": "prosecutor" } });
    let traffic = epoc("eu.epoc.traffic_content", "FR", "police", &["traffic"], validated);
    assert!(
        words(&judge(&traffic, &facts, TODAY)).is_empty(),
        "a prosecutor's validation is not a judge's"
    );
}

#[test]
fn a_small_offence_opens_no_traffic_unless_it_is_listed() {
    let facts = known("NL", json!({}));
    for (offence, releases) in [
        (json!({ "provision": "theft", "max_sentence_months": 35 }), false),
        (json!({ "provision": "theft", "max_sentence_months": 36 }), true),
        (
            json!({ "provision": "attack on systems", "max_sentence_months": 24, "epoc_listed": true }),
            true,
        ),
        (
            json!({ "provision": "theft", "max_sentence_months": null }),
            false,
        ),
    ] {
        let order = epoc(
            "eu.epoc.traffic_content",
            "FR",
            "court",
            &["traffic"],
            json!({ "offence": offence }),
        );
        assert_eq!(
            !words(&judge(&order, &facts, TODAY)).is_empty(),
            releases,
            "{offence}"
        );
    }
}

#[test]
fn denmark_is_out_ireland_is_in_and_home_is_not_abroad() {
    let facts = known("NL", json!({}));
    for (from, to, releases) in [
        ("DK", "NL", false),
        ("FR", "DK", false),
        ("IE", "NL", true),
        ("FR", "IE", true),
        ("NL", "NL", false),
        ("CH", "NL", false),
        ("FR", "US", false),
    ] {
        let order = epoc(
            "eu.epoc.subscriber_id",
            from,
            "court",
            &["subscriber"],
            json!({ "epoc": { "addressee_country": to } }),
        );
        assert_eq!(
            !words(&judge(&order, &facts, TODAY)).is_empty(),
            releases,
            "{from} to {to}"
        );
    }
    let early = epoc(
        "eu.epoc.subscriber_id",
        "FR",
        "court",
        &["subscriber"],
        json!({ "served_at": "2026-08-10T10:00:00Z", "issued_on": "2026-08-09" }),
    );
    assert!(
        words(&judge(&early, &facts, "2026-08-17")).is_empty(),
        "it applies from 18 August"
    );
}

#[test]
fn ten_days_run_over_christmas_and_eight_hours_through_a_sunday_night() {
    let served = |at: &str, to: &str, with: Value| {
        let mut order = epoc(
            "eu.epoc.subscriber_id",
            "FR",
            "court",
            &["subscriber"],
            json!({ "served_at": at, "epoc": { "addressee_country": to } }),
        );
        lay_over(&mut order, with);
        judge(&order, &known(to, json!({})), "2026-12-31")
    };
    for (at, to, last) in [
        // Friday the 25th, then Saturday and Sunday.
        ("2026-12-15T10:00:00Z", "NL", "2026-12-28"),
        // Only Poland keeps the 24th.
        ("2026-12-14T10:00:00Z", "PL", "2026-12-28"),
        ("2026-12-14T10:00:00Z", "DE", "2026-12-24"),
        // Half past midnight in Athens is still the day before in Dublin.
        ("2026-12-01T22:30:00Z", "GR", "2026-12-14"),
        ("2026-12-01T22:30:00Z", "IE", "2026-12-11"),
    ] {
        assert_eq!(
            served(at, to, json!({})).falls("eu.epoc.deadline").unwrap(),
            last,
            "{at} {to}"
        );
    }
    let night = served("2026-12-27T21:00:00Z", "NL", emergency());
    assert_eq!(
        night.at("eu.epoc.emergency_deadline").unwrap().to_string(),
        "2026-12-28T05:00:00Z"
    );
    // Asked before Christmas, an authority in a country with three holidays and a weekend has two working days.
    let asked = json!({ "epoc": { "clarification_unanswered_since": "2026-12-23" } });
    assert_eq!(
        served("2026-12-21T10:00:00Z", "LT", asked.clone())
            .falls("eu.epoc.answer_by")
            .unwrap(),
        "2026-12-29"
    );
    assert_eq!(
        served("2026-12-21T10:00:00Z", "NL", asked)
            .falls("eu.epoc.answer_by")
            .unwrap(),
        "2026-12-28"
    );
}

#[test]
fn a_british_order_does_not_aim_at_americans_nor_at_small_offences() {
    let order = |with: Value| {
        let mut demand = asks(
            "uk.opo",
            "GB",
            "court",
            &["content"],
            json!({
            "issuer": { "kind": "court", "name": "Crown Court" },
            "showing": { "certified": true, "treaty": "US-UK Data Access Agreement", "particularity": true },
            "offence": { "provision": "fraud", "max_sentence_months": 84 } }),
        );
        lay_over(&mut demand, with);
        demand
    };
    let of = |tenant: &str, us_person: bool| {
        known(
            tenant,
            json!({ "region_country": "US", "us_person": us_person, "person_country": tenant }),
        )
    };
    assert_eq!(
        words(&judge(&order(json!({})), &of("GB", false), TODAY)),
        ["content"]
    );
    assert!(
        words(&judge(&order(json!({})), &of("GB", true), TODAY)).is_empty(),
        "an American in London"
    );
    let small = judge(
        &order(json!({ "offence": { "max_sentence_months": 24 } })),
        &of("GB", false),
        TODAY,
    );
    assert!(small.finds("uk.opo.not_serious"));
    let after = judge(
        &order(json!({ "served_at": "2027-10-11T10:00:00Z", "issued_on": "2027-10-08" })),
        &of("GB", false),
        "2027-10-12",
    );
    assert!(
        words(&after).is_empty(),
        "the agreement's term is over, as far as is known"
    );
}

#[test]
fn a_silence_of_exactly_a_year_is_a_year_also_over_a_leap_day() {
    let until = |until: &str| {
        let gag = json!({ "gag": { "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true,
                                   "from": "2027-03-01", "until": until, "forbids": ["tenant"] } });
        let warrant = american("us.warrant.sca", "court", &["content"], gag);
        judge(&warrant, &known("US", json!({})), "2027-03-02").finds("us.gag.2705b.too_long")
    };
    assert!(!until("2028-02-29") && !until("2028-03-01") && until("2028-03-02"));
}

#[test]
fn two_silences_are_each_judged_and_the_stricter_counts() {
    let court = |from: &str, until: &str, individual: bool| {
        json!({ "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": individual,
                "from": from, "until": until, "forbids": ["tenant"] })
    };
    let letter = json!({ "from": "2026-10-07", "until": "2027-12-31", "forbids": ["tenant", "public"] });
    let warrant = |gag: Value, further: Value| {
        american(
            "us.warrant.sca",
            "court",
            &["content"],
            json!({ "gag": gag, "sequel": { "gags": further } }),
        )
    };
    let american = known("US", json!({}));
    // A court's order until May beside an endless request that binds nobody.
    let both = warrant(letter.clone(), json!([court("2026-10-07", "2027-05-01", true)]));
    let now = judge(&both, &american, TODAY);
    assert!(now.owes(DutyKind::DoNotTellTenant) && !now.owes(DutyKind::NotifyTenant));
    assert!(
        now.finds("us.gag.2705b.no_court") && !now.finds("us.gag.2705b.omnibus")
            || now.finds("any.gag.not_binding")
    );
    assert_eq!(now.falls("any.gag.expires").unwrap(), "2027-05-01");
    let after = judge(&both, &american, "2027-05-02");
    assert!(after.owes(DutyKind::NotifyTenant) && !after.owes(DutyKind::DoNotTellTenant));
    // One over, its successor in force; then a day between the two on which nothing stands.
    let gap = warrant(
        court("2026-10-07", "2027-05-01", true),
        json!([court("2027-05-03", "2027-09-01", false)]),
    );
    for (day, silent) in [
        ("2027-05-01", true),
        ("2027-05-02", false),
        ("2027-05-03", true),
        ("2027-09-01", true),
        ("2027-09-02", false),
    ] {
        let judged = judge(&gap, &american, day);
        assert_eq!(judged.owes(DutyKind::DoNotTellTenant), silent, "{day}");
        assert_eq!(judged.owes(DutyKind::NotifyTenant), !silent, "{day}");
    }
    assert!(
        judge(&gap, &american, "2027-06-01").finds("us.gag.2705b.omnibus"),
        "the second is the omnibus one"
    );
}

#[test]
fn a_motion_may_be_filed_later_where_that_was_agreed_in_time() {
    let british = known("GB", json!({ "person_country": "GB", "us_person": false }));
    let with = |on: &str, until: &str| {
        let extended = json!({ "sequel": { "extensions": [{ "clock": "us.cloud_act.motion_by", "on": on, "until": until }] } });
        judge(
            &american("us.warrant.sca", "court", &["content"], extended),
            &british,
            TODAY,
        )
        .falls("us.cloud_act.motion_by")
        .unwrap()
    };
    assert_eq!(
        with("2026-10-21", "2026-11-30"),
        "2026-11-30",
        "asked for on the last day"
    );
    assert_eq!(with("2026-10-22", "2026-11-30"), "2026-10-21", "a day too late");
    assert_eq!(
        with("2026-10-20", "2026-10-15"),
        "2026-10-21",
        "nothing makes it shorter"
    );
}

#[test]
fn a_customer_in_germany_and_a_chinese_order_that_forbids_telling_it() {
    let order = asks(
        "xx.foreign_order.personal",
        "CN",
        "police",
        &["subscriber"],
        json!({ "gag": { "basis": "xx.secrecy", "court_ordered": true, "individual_findings": true, "from": "2026-10-06",
                         "until": "2027-10-06", "forbids": ["tenant"] } }),
    );
    let judged = judge(&order, &known("DE", json!({})), TODAY);
    assert!(words(&judged).is_empty() && judged.finds("xx.foreign_order.personal.no_treaty"));
    assert!(judged.owes(DutyKind::NotifyTenant) && !judged.owes(DutyKind::DoNotTellTenant));
    assert!(judged.owes(DutyKind::ControllerInstructions));
}

#[test]
fn an_authority_of_another_state_keeps_its_data_from_an_order_and_a_lawyer_pleads_privilege() {
    let order = epoc("eu.epoc.traffic_content", "FR", "court", &["content"], json!({}));
    let authority = judge(
        &order,
        &known("NL", json!({ "tenant_kind": "public_body" })),
        TODAY,
    );
    assert!(words(&authority).is_empty() && authority.finds("eu.epoc.public_authority"));
    let own = judge(
        &order,
        &known(
            "FR",
            json!({ "tenant_kind": "public_body", "region_country": "NL" }),
        ),
        TODAY,
    );
    assert_eq!(words(&own), ["content"]);
    let lawyer = judge(&order, &known("NL", json!({ "privileged": true })), TODAY);
    assert!(lawyer.finds("eu.epoc.privileged") && lawyer.falls("eu.epoc.deadline").is_some());
}

#[test]
fn process_for_another_state_needs_what_its_own_kind_needs_and_old_business_records_are_no_cloud() {
    let facts = known("US", json!({}));
    let weak = american(
        "us.mlat.3512",
        "court",
        &["subscriber", "content"],
        json!({ "showing": { "probable_cause": false } }),
    );
    let judged = judge(&weak, &facts, TODAY);
    assert!(!words(&judged).contains(&"content"));
    let records = american("us.fisa.1861", "court", &["subscriber"], json!({}));
    assert!(
        !judge(&records, &facts, TODAY)
            .found(Effect::Ground, "us.fisa.1861")
            .is_empty()
    );
    let agency = american("us.subpoena.civil", "agency", &["subscriber"], json!({}));
    assert!(
        words(&judge(&agency, &facts, TODAY)).is_empty(),
        "a government uses 2703(c)"
    );
    let litigant = asks(
        "us.subpoena.civil",
        "US",
        "private",
        &["subscriber", "content"],
        json!({}),
    );
    assert_eq!(words(&judge(&litigant, &facts, TODAY)), ["subscriber"]);
}
