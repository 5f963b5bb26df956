//! What is preserved, what is carried out apart, and what never is.

use casework::{
    demand::{Category, NoticeTo},
    event::{Measure, Outcome},
    ids::SnapshotId,
};

use super::*;

#[test]
fn what_is_preserved_is_frozen_once_kept_and_never_disclosed() {
    let world = asking(json!({
        "instrument": "us.preserve.2703f", "categories": ["content"], "return_on": null,
        "requester": { "authority": "FBI", "country": "US", "kind": "police" },
        "issuer": { "kind": "police", "name": "FBI" }
    }));
    let mut steps = world.steps_to_findings();
    world.work_off(&mut steps);
    assert!(
        owed(&world, &steps).contains(&Owing::Preserve),
        "{:?}",
        owed(&world, &steps)
    );
    assert!(!owed(&world, &steps).contains(&Owing::Propose));
    let scope = world.state(&steps).scope();
    let preserved = |number: u128| Body::Preserved {
        snapshot: SnapshotId(uuid::Uuid::from_u128(number)),
        scope: scope.clone(),
        objects: 2,
        digest: Digest([1; 32]),
    };
    let mut elsewhere = scope.clone();
    elsewhere.accounts[0].1 = "mallory".parse().unwrap();
    let body = Body::Preserved {
        snapshot: SnapshotId(uuid::Uuid::from_u128(1)),
        scope: elsewhere,
        objects: 2,
        digest: Digest([1; 32]),
    };
    refused(
        &world.state(&steps),
        &Actor::System,
        &body,
        Promise::P6,
        "does not name",
    );
    steps.push(system(preserved(1)));
    refused(
        &world.state(&steps),
        &Actor::System,
        &preserved(2),
        Promise::P14,
        "stands already",
    );
    let case = world.state(&steps);
    let wait = case.owed(world.now);
    let wait = wait.iter().find(|owed| owed.step == Owing::Wait).unwrap();
    // Ninety days from service.
    assert_eq!(wait.by.unwrap().to_string(), "2027-02-15T04:59:59Z");
    let close = Body::Closed {
        outcome: Outcome::Preserved,
    };
    refused(&case, &Actor::System, &close, Promise::P14, "a snapshot stands");
    steps.push(system(Body::SnapshotEnded {
        snapshot: SnapshotId(uuid::Uuid::from_u128(1)),
        reason: "its time is over".into(),
    }));
    assert!(world.state(&steps).may(world.now, &Actor::System, &close).is_ok());
    // A warrant asks for data, and no duty to preserve comes with it.
    let warrant = self::world();
    let case = warrant.state(&warrant.steps());
    let body = Body::Preserved {
        snapshot: SnapshotId(uuid::Uuid::from_u128(1)),
        scope: case.scope(),
        objects: 2,
        digest: Digest([1; 32]),
    };
    refused(
        &case,
        &Actor::System,
        &body,
        Promise::P14,
        "asks nobody to preserve",
    );
}

fn taken(measure: Measure) -> Body {
    Body::MeasureTaken {
        measure,
        what: "by the interception team".into(),
        from: "2026-11-17".parse().unwrap(),
        until: Some("2026-12-17".parse().unwrap()),
        document: Digest([2; 32]),
    }
}

#[test]
fn p04_what_is_not_for_disclosure_has_its_own_end_and_releases_nothing() {
    for (instrument, measure, outcome, categories) in [
        (
            "us.wiretap.t3",
            Measure::Interception,
            Outcome::Intercepted,
            json!(["realtime"]),
        ),
        (
            "us.pentrap",
            Measure::Interception,
            Outcome::Intercepted,
            json!(["realtime"]),
        ),
        ("any.freezing", Measure::Freezing, Outcome::Frozen, json!([])),
        ("any.removal", Measure::Removal, Outcome::Removed, json!([])),
    ] {
        let world = asking(json!({
            "instrument": instrument, "categories": categories,
            "window": { "from": "2026-11-17T00:00:00Z", "until": "2026-12-17T00:00:00Z" }
        }));
        let mut steps = world.steps_to_findings();
        assert!(
            world
                .state(&steps)
                .file()
                .judged()
                .unwrap()
                .assessment
                .releasable
                .is_empty(),
            "{instrument}"
        );
        let open = world.state(&steps).file().grounds().len();
        if open > 0 {
            refused(
                &world.state(&steps),
                &counsel(),
                &taken(measure),
                Promise::P11,
                "nothing has come yet",
            );
        }
        world.work_off(&mut steps);
        refused(
            &world.state(&steps),
            &Actor::Staff(staff("rita")),
            &taken(measure),
            Promise::P4,
            "counsel's",
        );
        steps.push(Step {
            actor: counsel(),
            body: taken(measure),
        });
        let number = steps.len() as u64 - 1;
        if measure != Measure::Removal {
            let close = Body::Closed { outcome };
            refused(
                &world.state(&steps),
                &Actor::System,
                &close,
                Promise::P14,
                "still runs",
            );
            steps.push(system(Body::MeasureEnded {
                measure: number,
                reason: "its last day passed".into(),
            }));
        }
        for tenant in world.state(&steps).file().untold_of_a_measure() {
            let close = Body::Closed { outcome };
            refused(
                &world.state(&steps),
                &Actor::System,
                &close,
                Promise::P9,
                "was not told",
            );
            steps.push(system(Body::Notified {
                to: NoticeTo::Tenant,
                tenant,
                how: "letter".into(),
                letter: Digest([6; 32]),
                late: false,
            }));
        }
        let case = world.state(&steps);
        let disclosed = Body::Closed {
            outcome: Outcome::Disclosed,
        };
        refused(
            &case,
            &Actor::System,
            &disclosed,
            Promise::P14,
            "did not end that way",
        );
        let close = Body::Closed { outcome };
        assert_eq!(
            case.may(world.now, &Actor::System, &close),
            Ok(()),
            "{instrument}"
        );
    }
}

#[test]
fn p03_no_measure_gives_a_key_or_an_ability_and_its_refusal_is_an_end_of_its_own() {
    for with in [
        json!({ "instrument": "us.wiretap.t3", "categories": ["realtime", "assistance"] }),
        json!({ "instrument": "us.warrant.sca", "categories": ["assistance"] }),
        json!({
            "instrument": "uk.ipa.tcn", "categories": ["assistance"],
            "requester": { "authority": "Home Office", "country": "GB", "kind": "security" }
        }),
    ] {
        let world = asking(with);
        let mut steps = world.steps_to_findings();
        world.work_off(&mut steps);
        let case = world.state(&steps);
        refused(
            &case,
            &counsel(),
            &taken(Measure::Interception),
            Promise::P3,
            "none is given",
        );
        let close = Body::Closed {
            outcome: Outcome::AbilityRefused,
        };
        refused(
            &case,
            &Actor::System,
            &close,
            Promise::P14,
            "did not end that way",
        );
        steps.push(system(Body::Rejected {
            rules: Vec::new(),
            codes: vec![casework::rejection::RejectionCode::KeysOrAssistance],
            explanation: "no key is given to anybody".into(),
        }));
        assert_eq!(world.state(&steps).may(world.now, &Actor::System, &close), Ok(()));
    }
    // Nor is a warrant for stored data carried out as a measure.
    let world = world();
    let refusal = world.state(&world.steps());
    refused(
        &refusal,
        &counsel(),
        &taken(Measure::Interception),
        Promise::P4,
        "no such measure",
    );
}

#[test]
fn p05_no_measure_stands_on_what_nobody_who_may_ordered() {
    let police = json!({ "kind": "police", "name": "Seattle Police Department" });
    for (instrument, with, says) in [
        (
            "us.wiretap.t3",
            json!({ "issuer": police }),
            "us.wiretap.t3.issuer",
        ),
        (
            "us.fisa.t1_t3",
            json!({ "issuer": police }),
            "us.fisa.t1_t3.issuer",
        ),
        ("us.wiretap.t3", json!({ "showing": {} }), "any.process.unsigned"),
    ] {
        let mut world = asking(json!({
            "instrument": instrument, "categories": ["realtime"],
            "window": { "from": "2026-11-17T00:00:00Z", "until": "2026-12-17T00:00:00Z" }
        }));
        let mut demand = serde_json::to_value(&world.demand).unwrap();
        for (key, value) in with.as_object().unwrap() {
            demand[key] = value.clone();
        }
        world.demand = serde_json::from_value(demand).unwrap();
        let mut steps = world.steps_to_findings();
        world.work_off(&mut steps);
        let case = world.state(&steps);
        refused(
            &case,
            &counsel(),
            &taken(Measure::Interception),
            Promise::P5,
            says,
        );
    }
}

#[test]
fn a_category_that_cannot_be_stored_has_no_measure_to_stand_for_it() {
    // One for each kind that the rulebook sends apart, and none for assistance.
    let measures = [Measure::Interception, Measure::Freezing, Measure::Removal];
    assert_eq!(measures.len(), 3);
    assert!(serde_json::from_value::<Measure>(json!(Category::Assistance.name())).is_err());
}
