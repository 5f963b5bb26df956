//! A look back at an emergency, the bill, and the form of Annex III.

use casework::{
    annex3::*,
    demand::Demand,
    event::{Amount, CostClaim, CostLine, CostOutcome, EmergencyFinding, Outcome},
};

use super::*;

#[test]
fn p07_a_release_in_an_emergency_is_looked_back_at_before_the_case_is_closed() {
    let mut world = asking(json!({ "emergency": { "danger_to_life": true, "statement": "a bomb" } }));
    let mut steps = released(&mut world);
    assert!(owed(&world, &steps).contains(&Owing::ReviewEmergency));
    let close = Body::Closed {
        outcome: Outcome::Disclosed,
    };
    refused(
        &world.state(&steps),
        &Actor::System,
        &close,
        Promise::P7,
        "emergency",
    );
    let reviewed = |finding| Body::EmergencyReviewed {
        finding,
        process: None,
        text: "the station knows of no such case".into(),
    };
    let mut genuine = steps.clone();
    genuine.push(system(reviewed(EmergencyFinding::Genuine)));
    assert_eq!(
        world.state(&genuine).may(world.now, &Actor::System, &close),
        Ok(())
    );
    steps.push(system(reviewed(EmergencyFinding::Fraudulent)));
    let case = world.state(&steps);
    refused(&case, &Actor::System, &close, Promise::P15, "breach");
    let owed = case.owed(world.now);
    let breach = owed.iter().find(|owed| owed.step == Owing::AssessBreach).unwrap();
    let found = casework::chain::Chain::verify(casework::testkit::raw_chain(world.case, &steps)).unwrap();
    assert_eq!(
        breach.by,
        Some(found.last_at() + jiff::SignedDuration::from_hours(72))
    );
    steps.push(system(Body::BreachAssessed {
        notified: true,
        reason: "a stranger has one mailbox".into(),
    }));
    assert_eq!(world.state(&steps).may(world.now, &Actor::System, &close), Ok(()));
    // Where no emergency was claimed there is none to look back at.
    let mut calm = self::world();
    let steps = released(&mut calm);
    refused(
        &calm.state(&steps),
        &Actor::System,
        &reviewed(EmergencyFinding::Genuine),
        Promise::P14,
        "nothing was released on a claim",
    );
}

#[test]
fn costs_are_claimed_by_a_law_add_up_and_end_once() {
    let world = world();
    let mut steps = world.steps();
    let claim = |total: u64, lines: &[u64]| {
        let lines = lines.iter().map(|minor| CostLine {
            what: "searching".into(),
            minor: *minor,
        });
        Body::CostsClaimed {
            claim: CostClaim {
                basis: "18 U.S.C. 2706".into(),
                lines: lines.collect(),
                total: Amount {
                    currency: "USD".into(),
                    minor: total,
                },
            },
        }
    };
    for wrong in [claim(10, &[4, 5]), claim(0, &[]), claim(1, &[u64::MAX, 2])] {
        refused(
            &world.state(&steps),
            &Actor::System,
            &wrong,
            Promise::P14,
            "does not add up",
        );
    }
    steps.push(system(claim(9, &[4, 5])));
    refused(
        &world.state(&steps),
        &Actor::System,
        &claim(9, &[9]),
        Promise::P14,
        "open already",
    );
    let settled = |outcome, paid: Option<u64>| Body::CostsSettled {
        outcome,
        paid: paid.map(|minor| Amount {
            currency: "USD".into(),
            minor,
        }),
        reference: "wire 1".into(),
    };
    let unpaid = settled(CostOutcome::Paid, None);
    refused(
        &world.state(&steps),
        &Actor::System,
        &unpaid,
        Promise::P14,
        "go together",
    );
    steps.push(system(settled(CostOutcome::Paid, Some(7))));
    let again = settled(CostOutcome::Refused, None);
    refused(
        &world.state(&steps),
        &Actor::System,
        &again,
        Promise::P14,
        "no claim is open",
    );
    let rulebook = Rulebook::builtin();
    let law = |id: &str| rulebook.costs(&id.parse().unwrap());
    assert_eq!(law("us.warrant.sca"), Some("18 U.S.C. 2706"));
    assert!(law("eu.epoc.subscriber_id").unwrap().contains("Art. 14"));
    assert_eq!((law("us.subpoena.civil"), law("any.informal")), (None, None));
}

fn epoc() -> Demand {
    let world = asking(json!({
        "instrument": "eu.epoc.traffic_content", "categories": ["content"],
        "requester": { "authority": "Tribunal judiciaire de Paris", "country": "FR", "kind": "court" },
        "issuer": { "kind": "court", "name": "Tribunal judiciaire de Paris" }
    }));
    world.demand
}

fn form() -> NonExecution {
    serde_json::from_value(json!({
        "schema": "amparo.annex-iii/1", "certificate": "EPOC",
        "authorities": { "issuing": "Tribunal judiciaire de Paris", "received_on": "2026-11-16" },
        "addressee": { "name": "Example Cloud", "file": "case 7" },
        "reasons": ["incomplete"], "explanation": "no account is named", "clarification": "which account",
        "preservation": "not_identifiable",
        "contact": { "name": "Ruth", "reach": "ruth@example.com", "signed_by": "Ruth", "on": "2026-11-17" }
    }))
    .unwrap()
}

#[test]
fn the_form_of_annex_iii_holds_together_section_by_section() {
    let demand = epoc();
    assert_eq!(form().check(&demand), Ok(()));
    let wrong = |change: fn(&mut NonExecution), says: &str| {
        let mut form = form();
        change(&mut form);
        let error = form.check(&demand).unwrap_err();
        assert!(error.reason.contains(says), "{error}");
    };
    wrong(|form| form.certificate = Certificate::EpocPr, "section A");
    wrong(|form| form.authorities.issuing.clear(), "section B, C or H");
    wrong(|form| form.reasons.clear(), "section D gives no reason");
    wrong(
        |form| form.reasons.push(NonExecutionReason::Incomplete),
        "one twice",
    );
    wrong(|form| form.explanation.clear(), "section D explains nothing");
    wrong(
        |form| form.reasons = vec![NonExecutionReason::ThirdCountryLaw],
        "section E",
    );
    wrong(|form| form.clarification = None, "section F asks for nothing");
    wrong(|form| form.explanation = "x".repeat(TEXT_MAX + 1), "too long");
    let american = form().check(&world().demand).unwrap_err();
    assert!(american.reason.contains("no European"), "{american}");
    // Article 17 asks for the law, its application and the conflict, not for the place alone.
    let mut abroad = form();
    abroad.reasons = vec![NonExecutionReason::ThirdCountryLaw];
    abroad.third_country = Some(ThirdCountryLaw {
        title: "Stored Communications Act".into(),
        provision: "18 U.S.C. 2702(a)".into(),
        protects: vec![Interest::FundamentalRights],
        why_applicable: "the provider is established there".into(),
        why_conflict: String::new(),
        link: "the provider's seat".into(),
        consequences: "civil liability under 2707".into(),
    });
    let error = abroad.check(&demand).unwrap_err();
    assert!(error.reason.contains("leaves something open"), "{error}");
    abroad.third_country.as_mut().unwrap().why_conflict =
        "2702(a) forbids it, and no exception applies".into();
    assert_eq!(abroad.check(&demand), Ok(()));
}
