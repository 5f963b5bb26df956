//! Twenty ways in which people get this law wrong, each with a demand that falls into it; traps 11 to 18 stand in
//! `traps_electronic_evidence`.

use casework::{
    demand::Category,
    finding::{DutyKind, Effect},
    rulebook::{Band, InstrumentKind, Rulebook, Structure},
};
use jiff::civil::date;
use serde_json::{Value, json};

use crate::{asks, judge, known, traps_electronic_evidence::epoc};

const TODAY: &str = "2026-11-21";

fn structure(id: &str) -> &'static Structure {
    let mut all = Rulebook::builtin().reporting();
    all.find(|(found, _)| *found == id).unwrap().1
}

fn warrant(categories: &[&str], with: Value) -> Value {
    let mut demand = asks(
        "us.warrant.sca",
        "US",
        "police",
        categories,
        json!({
            "issuer": { "kind": "court", "name": "U.S. District Court, N.D. Ill." },
            "showing": { "probable_cause": true, "particularity": true }
        }),
    );
    crate::lay_over(&mut demand, with);
    demand
}

#[test]
fn trap_01_figures_go_out_in_bands_of_one_structure_and_nothing_is_in_the_first() {
    for (id, width) in [
        ("us.1874.a1", 1000),
        ("us.1874.a2", 500),
        ("us.1874.a3", 250),
        ("us.1874.a4", 100),
    ] {
        let structure = structure(id);
        let band = |least| Band {
            least,
            most: least + width - 1,
        };
        assert_eq!(structure.band_of(0), band(0), "{id}");
        assert_eq!(structure.band_of(1), band(0), "{id}");
        assert_eq!(structure.band_of(width - 1), band(0), "{id}");
        assert_eq!(structure.band_of(width), band(width), "{id}");
        assert_eq!(structure.band_of(7 * width + 3), band(7 * width), "{id}");
    }
    assert_eq!(structure("us.1874.a1").bucket.len(), 6);
    assert_eq!(structure("us.1874.a3").bucket.len(), 2);
    assert_eq!(
        structure("us.1874.a1").band_of(u64::MAX).least % 1000,
        0,
        "no figure is too large"
    );
}

#[test]
fn trap_02_each_figure_has_its_own_delay() {
    let on = date(2027, 1, 31);
    let period = |id: &str, bucket: &str| structure(id).period(bucket, on).unwrap();
    for id in ["us.1874.a1", "us.1874.a2"] {
        let letters = period(id, "nsl");
        assert_eq!(
            (letters.first, letters.last),
            (date(2026, 8, 4), date(2027, 1, 30))
        );
        let orders = period(id, "fisa_content");
        assert_eq!((orders.first, orders.last), (date(2026, 2, 6), date(2026, 8, 4)));
    }
    assert_eq!(period("us.1874.a3", "all").last, date(2027, 1, 30));
    let yearly = period("us.1874.a4", "all");
    assert_eq!((yearly.first, yearly.last), (date(2025, 2, 1), date(2026, 1, 31)));
    let counts = |id: &str, bucket, new| structure(id).counts_from(bucket, date(2026, 1, 1), new).unwrap();
    assert_eq!(
        counts("us.1874.a1", "nsl", true),
        date(2026, 1, 2),
        "letters do not lag"
    );
    assert_eq!(counts("us.1874.a2", "fisa_content", false), date(2026, 6, 30));
    assert_eq!(
        counts("us.1874.a2", "fisa_content", true),
        date(2027, 6, 25),
        "540 days"
    );
    assert_eq!(counts("us.1874.a3", "all", true), date(2026, 1, 2));
    assert_eq!(counts("us.1874.a4", "all", true), date(2027, 1, 1));
    assert!(structure("us.1874.a3").period("nsl", on).is_none());
}

#[test]
fn trap_03_a_gag_that_ends_tells_and_one_without_a_date_is_challenged() {
    let with_gag = |from: &str, until: &str| {
        asks(
            "us.order.2703d",
            "US",
            "prosecutor",
            &["traffic"],
            json!({
                "issuer": { "kind": "court", "name": "U.S. District Court, D. Mass." }, "showing": { "specific_facts": true },
                "gag": { "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true, "from": from,
                         "until": until, "forbids": ["tenant"] }
            }),
        )
    };
    let facts = known("US", json!({}));
    let first = with_gag("2026-10-07", "2027-01-05");
    assert!(
        judge(&first, &facts, "2027-01-05").owes(DutyKind::DoNotTellTenant),
        "the last day"
    );
    let over = judge(&first, &facts, "2027-01-06");
    assert!(over.owes(DutyKind::NotifyTenant) && !over.owes(DutyKind::DoNotTellTenant));
    let renewed = with_gag("2027-01-06", "2027-04-05");
    assert!(
        judge(&renewed, &facts, "2027-01-06").owes(DutyKind::DoNotTellTenant),
        "a new order"
    );
    // Neither has a date of its own.
    for (instrument, kind, issuer) in [
        (
            "us.pentrap",
            "prosecutor",
            json!({ "kind": "court", "name": "a court" }),
        ),
        (
            "us.nsl",
            "security",
            json!({ "kind": "security", "name": "FBI", "title": "Assistant Director" }),
        ),
    ] {
        let demand = asks(
            instrument,
            "US",
            kind,
            &["subscriber"],
            json!({ "issuer": issuer, "showing": { "certified": true, "review_rights_notified": true },
                    "gag": { "from": "2026-10-07", "forbids": ["tenant", "person"] } }),
        );
        let later = judge(&demand, &facts, "2031-10-07");
        assert!(
            later.falls("any.gag.expires").is_none(),
            "{instrument} ends on no day"
        );
        assert!(
            later.owes(DutyKind::DoNotTellTenant) && later.owes(DutyKind::ObjectToGag),
            "{instrument}"
        );
    }
}

#[test]
fn trap_04_the_ninety_days_of_2705_a_do_not_end_a_gag_under_2705_b() {
    let gagged = |until: Value| {
        warrant(
            &["content"],
            json!({ "gag": { "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true,
                             "from": "2026-10-07", "until": until, "forbids": ["tenant"] } }),
        )
    };
    let facts = known("US", json!({}));
    let half_a_year = judge(&gagged(json!("2027-04-06")), &facts, "2027-01-06");
    assert!(half_a_year.owes(DutyKind::DoNotTellTenant), "day 91");
    assert_eq!(
        half_a_year.found(Effect::Ground, "us.gag"),
        Vec::<&str>::new(),
        "180 days are no ground"
    );
    let endless = judge(&gagged(Value::Null), &facts, "2027-11-21");
    assert!(
        endless.owes(DutyKind::DoNotTellTenant),
        "it does not lapse by itself"
    );
    assert!(endless.finds("us.gag.2705b.endless"), "it is challenged");
}

#[test]
fn trap_05_a_grand_jury_subpoena_alone_does_not_silence() {
    let subpoena = |court: bool| {
        asks(
            "us.subpoena.grand_jury",
            "US",
            "prosecutor",
            &["subscriber"],
            json!({ "gag": { "court_ordered": court, "individual_findings": true, "basis": court.then_some("us.gag.2705b"),
                             "from": "2026-10-07", "until": "2027-04-07", "forbids": ["tenant", "person", "public"] } }),
        )
    };
    let facts = known("US", json!({ "tenant_kind": "consumer" }));
    let alone = judge(&subpoena(false), &facts, TODAY);
    assert!(alone.owes(DutyKind::NotifyTenant) && !alone.owes(DutyKind::DoNotTellTenant));
    assert!(alone.finds("us.gag.2705b.no_court") && alone.finds("any.gag.not_binding"));
    assert_eq!(alone.releases(), [Category::Subscriber]);
    let ordered = judge(&subpoena(true), &facts, TODAY);
    assert!(ordered.owes(DutyKind::DoNotTellTenant) && !ordered.owes(DutyKind::NotifyTenant));
}

#[test]
fn trap_06_an_omnibus_gag_does_not_fit_the_process() {
    let gag = json!({ "court_ordered": true, "individual_findings": false, "basis": "us.gag.2705b",
                      "from": "2026-10-07", "until": "2027-04-07", "forbids": ["tenant"] });
    for (instrument, kind) in [
        ("us.subpoena.grand_jury", "grand_jury"),
        ("us.subpoena.admin", "agency"),
    ] {
        let demand = asks(
            instrument,
            "US",
            kind,
            &["subscriber"],
            json!({ "gag": gag, "showing": { "statute_named": true } }),
        );
        assert!(
            judge(&demand, &known("US", json!({})), TODAY).finds("us.gag.2705b.omnibus"),
            "{instrument}"
        );
    }
    let apart = |process: Value| {
        let mut gag = gag.clone();
        crate::lay_over(
            &mut gag,
            json!({ "individual_findings": true, "process": process }),
        );
        asks(
            "us.gag.2705b",
            "US",
            "court",
            &[],
            json!({ "subjects": [], "gag": gag }),
        )
    };
    let nobody = json!({ "requester": "confirmed" });
    assert!(
        judge(&apart(Value::Null), &nobody, TODAY).finds("us.gag.2705b.no_process"),
        "no parent"
    );
    let fitting = judge(&apart(json!("GJ 26-118")), &nobody, TODAY);
    assert!(!fitting.finds("us.gag.2705b.no_process") && !fitting.finds("us.gag.2705b.omnibus"));
}

#[test]
fn trap_07_the_motion_is_for_content_of_a_qualifying_country_within_14_days() {
    let of = |country: &str| known(country, json!({ "person_country": country, "us_person": false }));
    let content = warrant(&["content", "traffic"], json!({}));
    let british = judge(&content, &of("GB"), TODAY);
    assert!(british.finds("us.cloud_act.comity_motion"));
    assert_eq!(british.falls("us.cloud_act.motion_by").unwrap(), "2026-10-21");
    for country in ["DE", "FR", "IE", "CH", "JP"] {
        let judged = judge(&content, &of(country), TODAY);
        assert!(
            !judged.finds("us.cloud_act.comity_motion") && judged.falls("us.cloud_act.motion_by").is_none()
        );
        assert!(judged.finds("us.comity.common_law"), "{country}");
    }
    let records = judge(&warrant(&["traffic", "subscriber"], json!({})), &of("AU"), TODAY);
    assert!(!records.finds("us.cloud_act.comity_motion"), "content alone");
    let american = known("AU", json!({ "person_country": "AU", "us_person": true }));
    assert!(!judge(&content, &american, TODAY).finds("us.cloud_act.comity_motion"));
}

#[test]
fn trap_08_while_the_motion_is_open_the_data_is_kept_and_not_produced() {
    let australian = known("AU", json!({ "person_country": "AU", "us_person": false }));
    let judged = judge(&warrant(&["content"], json!({})), &australian, TODAY);
    assert!(
        judged.finds("us.cloud_act.comity_motion"),
        "a ground: nothing is released before it has ended"
    );
    assert!(judged.owes(DutyKind::Preserve));
    assert!(
        judged
            .explains("us.cloud_act.preserve_meanwhile")
            .contains("unless the court finds")
    );
    assert!(
        !judge(&warrant(&["content"], json!({})), &known("US", json!({})), TODAY).owes(DutyKind::Preserve)
    );
}

#[test]
fn trap_09_a_2703f_letter_is_a_snapshot_that_neither_discloses_nor_silences() {
    let letter = asks(
        "us.preserve.2703f",
        "PR",
        "prosecutor",
        &["subscriber", "traffic", "content"],
        json!({ "gag": { "from": "2026-10-07", "forbids": ["tenant"] } }),
    );
    let judged = judge(&letter, &known("US", json!({})), TODAY);
    assert_eq!(judged.releases(), []);
    assert!(judged.owes(DutyKind::Preserve) && !judged.owes(DutyKind::DoNotTellTenant));
    assert!(judged.finds("any.gag.not_binding"));
    assert_eq!(
        judged.falls("us.preserve.2703f.expires").unwrap(),
        "2027-01-05",
        "90 days"
    );
    assert!(
        judged
            .explains("us.preserve.2703f.expires")
            .contains("90 days more")
    );
    assert_eq!(
        Rulebook::builtin().course(&"us.preserve.2703f".parse().unwrap()),
        InstrumentKind::Preservation
    );
}

#[test]
fn trap_10_an_american_emergency_permits_and_a_european_one_compels() {
    let emergency = json!({ "danger_to_life": true, "statement": "a bomb" });
    let american = asks(
        "us.emergency.2702",
        "US",
        "police",
        &["traffic"],
        json!({ "emergency": emergency }),
    );
    let judged = judge(&american, &known("US", json!({})), TODAY);
    assert_eq!(
        judged.found(Effect::Clock, ""),
        Vec::<&str>::new(),
        "nothing is due"
    );
    assert!(
        judged
            .explains("us.emergency.2702.senior_review")
            .contains("voluntary")
    );
    let european = epoc(
        "eu.epoc.subscriber_id",
        "prosecutor",
        &["subscriber"],
        json!({ "emergency": emergency }),
    );
    let judged = judge(&european, &known("NL", json!({})), TODAY);
    assert_eq!(
        judged.at("eu.epoc.emergency_deadline").unwrap().to_string(),
        "2026-10-07T18:00:00Z"
    );
}

#[test]
fn trap_19_keys_that_the_customer_holds_give_ciphertext_and_help_is_never_disclosure() {
    let held = judge(
        &warrant(&["content"], json!({})),
        &known("US", json!({ "customer_holds_keys": true })),
        TODAY,
    );
    assert!(held.explains("any.category.customer_key").contains("ciphertext"));
    let notice = asks(
        "uk.ipa.tcn",
        "GB",
        "agency",
        &["assistance", "content"],
        json!({ "subjects": [], "issuer": { "kind": "agency", "name": "Secretary of State", "validated_by": "court" } }),
    );
    let judged = judge(&notice, &json!({ "requester": "confirmed" }), TODAY);
    assert_eq!(judged.releases(), []);
    assert!(judged.finds("any.course.capability") && judged.finds("any.category.assistance.challenge"));
    let directive = asks(
        "us.fisa.702",
        "US",
        "security",
        &["assistance", "realtime", "content"],
        json!({ "issuer": { "kind": "agency", "name": "both", "title": "Attorney General and Director of National Intelligence" } }),
    );
    let judged = judge(&directive, &known("US", json!({})), TODAY);
    assert_eq!(
        judged.releases(),
        [Category::Content],
        "never rejected by date alone"
    );
    assert!(judged.finds("us.fisa.702.assistance") && judged.finds("us.fisa.702.lapsed"));
}

#[test]
fn trap_20_article_48_is_no_transfer_ground_and_a_warrant_alone_never_suffices() {
    for (tenant, region) in [("FR", "FR"), ("FR", "US"), ("US", "FR"), ("NO", "IS")] {
        let facts = known(
            tenant,
            json!({ "region_country": region, "person_country": tenant }),
        );
        let judged = judge(&warrant(&["subscriber", "content"], json!({})), &facts, TODAY);
        assert!(
            judged.finds("us.gdpr_48"),
            "{tenant}, {region}: a ground, which must end before anything is released"
        );
        let text = judged.explains("us.gdpr_48");
        assert!(
            text.contains("no ground for a transfer")
                && text.contains("whole damage")
                && text.contains("72 hours")
        );
    }
    assert!(!judge(&warrant(&["content"], json!({})), &known("US", json!({})), TODAY).finds("us.gdpr_48"));
}
