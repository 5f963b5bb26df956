//! Every kind of letter, on cases that have what it needs and on cases that do not.

use std::path::PathBuf;

use casework::{
    chain::Chain,
    event::{Actor, Body, EmergencyFinding},
    facts::Resolution,
    finding::Promise,
    ids::{Digest, SnapshotId, TenantId},
    rejection::RejectionCode,
    rulebook::Rulebook,
    testkit::{Step, World, raw_chain, staff},
};
use serde_json::{Value, json};
use stationery::Lacking;

use super::*;

fn world(with: Value) -> World {
    let mut world = World::new(Rulebook::builtin(), 4);
    let mut demand = serde_json::to_value(&world.demand).unwrap();
    for (key, value) in with.as_object().unwrap() {
        demand[key] = value.clone();
    }
    world.demand = serde_json::from_value(demand).unwrap();
    world
}

fn system(body: Body) -> Step {
    let actor = Actor::System;
    Step { actor, body }
}

fn released(world: &mut World) -> Vec<Step> {
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(&steps, record.clone());
    let mut steps: Vec<Step> = shown
        .events
        .into_iter()
        .map(|event| Step {
            actor: event.header.actor,
            body: event.body,
        })
        .collect();
    steps.push(system(Body::Released {
        record: record.id,
        package: Digest([0xab; 32]),
        size: 4096,
    }));
    steps
}

fn draw(world: &World, steps: &[Step], kind: Kind, said: &Said) -> Written {
    let chain = Chain::verify(raw_chain(world.case, steps)).unwrap();
    Letterhead {
        provider: "Example Cloud Ltd",
        case: world.case,
        now: world.now,
        rulebook: world.rulebook,
    }
    .draw(&chain, kind, said)
}

fn told() -> Said {
    Said {
        tenant: Some(TenantId::new("contoso").unwrap()),
        ..Said::default()
    }
}

fn lacks(result: Written) -> String {
    match result {
        Err(NotWritten::Lacking {
            lacking: Lacking::Fact(name),
            ..
        }) => name,
        other => panic!("{other:?}"),
    }
}

/// A case for each kind that has what its letter needs.
fn every_kind() -> Vec<(Kind, Letter)> {
    let plain = world(json!({}));
    let found = plain.steps_to_findings();
    let mut after = world(json!({}));
    let delivered = released(&mut after);
    let gagged = world(json!({ "gag": World::gag(None) }));
    let mut emergency = world(json!({ "emergency": { "danger_to_life": true, "statement": "a bomb" } }));
    let mut wrong = released(&mut emergency);
    wrong.push(system(Body::EmergencyReviewed {
        finding: EmergencyFinding::Fraudulent,
        process: None,
        text: "the station knows of no such case".into(),
    }));
    let mut british = world(json!({}));
    let mut facts = serde_json::to_value(&british.facts).unwrap();
    facts["resolved"][0]["tenant_country"] = json!("GB");
    facts["resolved"][0]["region_country"] = json!("GB");
    facts["resolved"][0]["region"] = json!("uk-south");
    facts["resolved"][0]["person_country"] = json!("GB");
    facts["resolved"][0]["us_person"] = json!(false);
    british.facts = serde_json::from_value(facts).unwrap();
    let mut unknown = world(json!({}));
    unknown.facts.resolved = vec![Resolution::None];
    let epoc = world(json!({
        "instrument": "eu.epoc.traffic_content", "categories": ["content"], "reference": "26/4711",
        "requester": { "authority": "Tribunal judiciaire de Paris", "country": "FR", "kind": "court" },
        "issuer": { "kind": "court", "name": "Tribunal judiciaire de Paris" }
    }));
    let mut unexecuted = epoc.steps_to_findings();
    let form = serde_json::from_value(json!({
        "schema": "amparo.annex-iii/1", "certificate": "EPOC",
        "authorities": {
            "issuing": "Tribunal judiciaire de Paris", "issuing_file": "26/4711", "received_on": "2026-11-16"
        },
        "addressee": { "name": "Example Cloud Ltd", "file": epoc.case },
        "reasons": ["incomplete", "third_country_law"], "explanation": "No account is named.",
        "third_country": {
            "title": "Stored Communications Act", "provision": "18 U.S.C. 2702(a)", "protects": ["fundamental_rights"],
            "why_applicable": "The provider is established in the United States.",
            "why_conflict": "It may not divulge contents without a warrant.", "link": "Its seat.",
            "consequences": "Civil liability, 18 U.S.C. 2707."
        },
        "clarification": "Which account is meant?", "preservation": "not_identifiable",
        "contact": { "name": "Ruth Doe", "reach": "ruth@example.com", "signed_by": "Ruth Doe", "on": "2026-11-17" }
    }))
    .unwrap();
    unexecuted.push(system(Body::NotExecuted {
        form: Box::new(form),
        grounds: Vec::new(),
    }));
    let keeping = world(json!({
        "instrument": "us.preserve.2703f", "reference": "f-1", "showing": { "signed": true },
        "requester": { "authority": "Federal Bureau of Investigation", "country": "US", "kind": "police" },
    }));
    let mut kept = keeping.steps_to_findings();
    kept.push(system(Body::Preserved {
        snapshot: SnapshotId(uuid::Uuid::from_u128(5)),
        scope: keeping.state(&kept).scope(),
        objects: 2,
        digest: Digest([0xcd; 32]),
    }));
    let mut rejected = found.clone();
    rejected.push(Step {
        actor: Actor::Staff(staff("rita")),
        body: Body::Rejected {
            rules: Vec::new(),
            codes: vec![RejectionCode::OverlyBroad, RejectionCode::WrongIdentifier],
            explanation: "The warrant describes no account.\nPlease name one.".into(),
        },
    });
    let court = Said {
        forum: Some("United States District Court".into()),
        ..Said::default()
    };
    let custodian = Said {
        signed_by: Some("Ruth Doe".into()),
        post: Some("Custodian of records".into()),
        ..Said::default()
    };
    let breach = Said {
        forum: Some("Commission nationale de l'informatique et des libertés".into()),
        contact: Some("Ruth Doe, data protection officer, dpo@example.com".into()),
        delay: Some("The station answered our question on 20 November.".into()),
        measures: Some("The stranger's address was blocked; the person is being told.".into()),
        ..Said::default()
    };
    let none = Said::default();
    [
        (Kind::Receipt, &plain, &found, &none),
        (Kind::Clarification, &unknown, &unknown.steps_to_findings(), &none),
        (Kind::Redirect, &plain, &found, &none),
        (Kind::Rejection, &plain, &rejected, &none),
        (Kind::Notice, &plain, &found, &told()),
        (Kind::LateNotice, &after, &delivered, &told()),
        (Kind::Objection, &plain, &found, &court),
        (Kind::GagObjection, &gagged, &gagged.steps_to_findings(), &none),
        (Kind::ComityMotion, &british, &british.steps_to_findings(), &court),
        (Kind::QuashMotion, &plain, &found, &court),
        (Kind::NonExecution, &epoc, &unexecuted, &none),
        (Kind::Preservation, &keeping, &kept, &none),
        (Kind::Cover, &after, &delivered, &none),
        (Kind::Certificate, &after, &delivered, &custodian),
        (Kind::BreachNotice, &emergency, &wrong, &breach),
    ]
    .into_iter()
    .map(|(kind, world, steps, said)| {
        let letter = draw(world, steps, kind, said);
        (kind, letter.unwrap_or_else(|why| panic!("{kind:?}: {why}")))
    })
    .collect()
}

fn kept_beside(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../letter/tests/letters")).join(name)
}

/// One letter of each kind, as data and as text. The program that sets them is tested with the same ones. `AMPARO_BLESS=1`
/// writes them anew.
#[test]
fn each_kind_of_letter_says_what_it_said() {
    let letters = every_kind();
    assert_eq!(letters.len(), Kind::ALL.len());
    for (kind, letter) in letters {
        let json = format!("{}\n", serde_json::to_string_pretty(&letter.form).unwrap());
        // What was written is read again as it was: the program is as strict.
        assert_eq!(
            stationery::Letter::read(json.as_bytes()).unwrap(),
            letter.form,
            "{kind:?}"
        );
        for (name, now) in [("json", json), ("txt", letter.text.clone())] {
            let path = kept_beside(&format!("{}.{name}", kind.name()));
            if std::env::var_os("AMPARO_BLESS").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &now).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == now,
                "{} is out of date: run this test with AMPARO_BLESS=1 and look at the change\n{now}",
                path.display()
            );
        }
        assert!(!letter.text.contains('{'), "{}", letter.text);
        for what in ["Example Cloud Ltd", &letter.form.case, &letter.form.title] {
            assert!(letter.text.contains(what), "{kind:?} lacks {what}");
        }
    }
}

#[test]
fn p09_no_letter_tells_a_customer_what_a_gag_forbids_to_tell() {
    let gagged = world(json!({ "gag": World::gag(Some("2026-12-31")) }));
    let steps = gagged.steps_to_findings();
    for kind in [Kind::Notice, Kind::LateNotice] {
        match draw(&gagged, &steps, kind, &told()) {
            Err(NotWritten::NotNow(why)) => assert_eq!(why.promise, Promise::P9),
            other => panic!("{other:?}"),
        }
    }
    let stranger = Said {
        tenant: Some(TenantId::new("fabrikam").unwrap()),
        ..Said::default()
    };
    let plain = world(json!({}));
    match draw(&plain, &plain.steps_to_findings(), Kind::Notice, &stranger) {
        Err(NotWritten::NotNow(why)) => assert!(why.reason.contains("not about a customer"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_letter_that_lacks_a_fact_is_not_written_and_names_it() {
    let plain = world(json!({}));
    let found = plain.steps_to_findings();
    let mut after = world(json!({}));
    let delivered = released(&mut after);
    let none = Said::default();
    for (kind, name) in [
        (Kind::Clarification, "points"),
        (Kind::Rejection, "explanation"),
        (Kind::Notice, "tenant"),
        (Kind::Objection, "forum"),
        (Kind::GagObjection, "gag"),
        (Kind::ComityMotion, "grounds"),
        (Kind::NonExecution, "issuing"),
        (Kind::Preservation, "preserved_at"),
        (Kind::Cover, "record"),
        (Kind::Certificate, "record"),
        (Kind::BreachNotice, "record"),
    ] {
        assert_eq!(lacks(draw(&plain, &found, kind, &none)), name, "{kind:?}");
    }
    assert_eq!(
        lacks(draw(&after, &delivered, Kind::Certificate, &none)),
        "signed_by"
    );
    assert_eq!(
        lacks(draw(&after, &delivered, Kind::BreachNotice, &none)),
        "aware_at"
    );
    let mut found_wrong = delivered.clone();
    found_wrong.push(system(Body::BreachAssessed {
        notified: false,
        reason: "a stranger has one mailbox".into(),
    }));
    // Four days later: the reasons for the delay are asked for (GDPR Art. 33(1)).
    assert_eq!(
        lacks(draw(&after, &found_wrong, Kind::BreachNotice, &none)),
        "delay"
    );
    let french = Said {
        language: Some("fr".into()),
        ..Said::default()
    };
    match draw(&plain, &found, Kind::Redirect, &french) {
        Err(NotWritten::Lacking { lacking, .. }) => assert_eq!(lacking, Lacking::Language("fr".into())),
        other => panic!("{other:?}"),
    }
    // A motion to quash is for American process alone, and there is nothing to quash before there is a demand.
    let informal = world(json!({ "instrument": "any.informal" }));
    let steps = informal.steps_to_findings();
    match draw(&informal, &steps, Kind::QuashMotion, &none) {
        Err(NotWritten::Lacking { lacking, .. }) => {
            assert_eq!(lacking, Lacking::Instrument("any.informal".into()));
        }
        other => panic!("{other:?}"),
    }
    let early = draw(&plain, &found[..1], Kind::Redirect, &none);
    assert!(matches!(early, Err(NotWritten::NotNow(_))), "{early:?}");
}

#[test]
fn a_strangers_words_are_never_read_as_a_text_of_ours() {
    let sly = world(json!({
        "requester": {
            "authority": "Court {provider}\n\nWe disclose everything.\u{202e}", "country": "US", "kind": "court"
        },
    }));
    let letter = draw(&sly, &sly.steps_to_findings(), Kind::Redirect, &Said::default()).unwrap();
    assert_eq!(
        letter.form.addressee,
        ["Court {provider} We disclose everything.[U+202E] (US)"]
    );
}

/// Each language has each kind, and asks for nothing that nobody gives.
#[test]
fn the_texts_of_every_language_hold_together() {
    let languages: Vec<&str> = languages().collect();
    assert!(languages.contains(&LANGUAGE), "{languages:?}");
}
