//! A case's further course at the desk: preservation, linked demands, other identifiers, what is sent back to an authority.

use casework::{
    annex3::{NonExecutionReason, Preservation},
    case::Step,
    event::{Actor, Amount, Body, Channel, CostLine, CostOutcome, Outcome, RedirectOutcome, Relation},
    facts::{Identified, Resolution},
    finding::Promise,
    ids::{CaseId, Digest, RegionId},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::scene::{Scene, account, demand, now, staff};
use crate::app::{Choice, DeskError, NotExecuting};

fn ruth() -> Actor {
    Actor::Staff(staff("ruth"))
}

/// A demand about alice, with some fields changed.
async fn takes_in(scene: &Scene, with: Value) -> CaseId {
    let mut value: Value = serde_json::from_slice(&demand("alice")).unwrap();
    for (key, new) in with.as_object().unwrap() {
        value[key] = new.clone();
    }
    let bytes = serde_json::to_vec(&value).unwrap();
    let intake = scene
        .desk
        .intake(&bytes, Channel::Paper, Some(staff("ines")))
        .await;
    intake.unwrap().case
}

/// A letter under 2703(f), looked up and judged by the rulebook itself.
async fn preservation(scene: &Scene) -> CaseId {
    let with = json!({
        "instrument": "us.preserve.2703f", "reference": "f-1", "showing": { "signed": true },
        "requester": { "authority": "FBI", "country": "US", "kind": "police" },
    });
    let case = takes_in(scene, with).await;
    scene.desk.resolve(case, ruth(), &[]).await.unwrap();
    scene.desk.assess(case, ruth(), None).await.unwrap();
    case
}

/// The owner deletes an object: whoever has it in a snapshot keeps it.
fn deletes(scene: &Scene, number: usize) -> casework::record::ReleasedObject {
    let object = scene.vault.objects.lock().unwrap().remove(number);
    scene.vault.deleted.lock().unwrap().push(object.clone());
    object
}

#[tokio::test]
async fn what_was_preserved_opens_by_a_linked_demand_alone_and_ends_with_its_clock() {
    let scene = Scene::new().await;
    let keeping = preservation(&scene).await;
    let owed = scene.desk.case(keeping).await.unwrap().owed;
    assert!(owed.iter().any(|owed| owed.step == Step::Preserve), "{owed:?}");
    scene.desk.preserve(keeping, ruth()).await.unwrap();
    let twice = scene.desk.preserve(keeping, ruth()).await;
    assert!(matches!(twice, Err(DeskError::NotNow { .. })), "{twice:?}");
    let gone = deletes(&scene, 0);
    let names = |record: &casework::record::ReleaseRecord| {
        let names = record.objects.iter().map(|object| object.object);
        names.collect::<Vec<_>>()
    };
    // A warrant that has nothing to do with it does not reach what its owner deleted.
    let other = scene.ready().await;
    assert!(!names(&scene.propose(other).await).contains(&gone.object));
    let linked = scene.desk.link(other, ruth(), keeping, Relation::FollowsUp).await;
    linked.unwrap();
    scene.assessed(other, Vec::new()).await;
    assert!(names(&scene.propose(other).await).contains(&gone.object));
    let again = scene.desk.link(other, ruth(), keeping, Relation::FollowsUp).await;
    assert!(matches!(again, Err(DeskError::NotNow { .. })), "{again:?}");

    // Ninety days from service on 2 November: until the end of 31 January, a Sunday, and of no day more.
    let day = |text: &str| text.parse::<Timestamp>().unwrap();
    for (moment, stands) in [
        ("2027-01-31T12:00:00Z", true),
        // The warrant is open.
        ("2027-02-02T12:00:00Z", true),
    ] {
        scene.clock.set(day(moment));
        scene.desk.tick(day(moment)).await.unwrap();
        let kept = !scene.vault.snapshots.lock().unwrap().is_empty();
        assert_eq!(kept, stands, "{moment}");
    }
    for body in [
        Body::Withdrawn {
            reason: "the suspect confessed".into(),
        },
        Body::Closed {
            outcome: Outcome::Withdrawn,
        },
    ] {
        scene.desk.record(other, ruth(), body).await.unwrap();
    }
    let later = day("2027-02-03T12:30:00Z");
    scene.clock.set(later);
    let ticked = scene.desk.tick(later).await.unwrap();
    assert_eq!(ticked.snapshots_ended, [keeping]);
    assert!(scene.vault.snapshots.lock().unwrap().is_empty());
    let body = Body::Closed {
        outcome: Outcome::Preserved,
    };
    scene.desk.record(keeping, ruth(), body).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_goes_when_its_request_is_withdrawn() {
    let scene = Scene::new().await;
    let keeping = preservation(&scene).await;
    scene.desk.preserve(keeping, ruth()).await.unwrap();
    let reason = "not needed any more".to_owned();
    let body = Body::Withdrawn { reason };
    scene.desk.record(keeping, ruth(), body).await.unwrap();
    let ticked = scene.desk.tick(now()).await.unwrap();
    assert_eq!(ticked.snapshots_ended, [keeping]);
    assert!(scene.vault.snapshots.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_address_at_a_moment_leads_to_one_account_to_none_or_to_several_customers() {
    let scene = Scene::new().await;
    {
        let mut known = scene.vault.accounts.lock().unwrap();
        known.insert("203.0.113.7:4321".to_owned(), vec![account("contoso", "alice")]);
        let shared = vec![account("contoso", "bob"), account("fabrikam", "bob")];
        known.insert("203.0.113.7".to_owned(), shared);
    }
    let subject = |port: Option<u16>, address: &str| {
        let mut subject = json!({ "type": "ip", "address": address, "at": "2026-10-01T10:00:00Z" });
        if let Some(port) = port {
            subject["port"] = port.into();
        }
        subject
    };
    let subjects = [
        subject(Some(4321), "203.0.113.7"),
        subject(None, "203.0.113.7"),
        subject(None, "203.0.113.8"),
        json!({ "type": "selector", "kind": "domain", "value": "contoso.example" }),
    ];
    let case = takes_in(&scene, json!({ "subjects": subjects, "reference": "ip" })).await;
    let facts = scene.desk.resolve(case, ruth(), &[]).await.unwrap();
    assert_eq!(
        facts.resolved,
        [
            Resolution::One(account("contoso", "alice")),
            Resolution::Several { count: 2, tenants: 2 },
            Resolution::None,
            Resolution::Unspecific,
        ]
    );
    // A person who read another log says so, and the reviewers see how. A sweep stays one.
    let alice = account("contoso", "alice");
    let choice = |subject, how: &str| Choice {
        subject,
        tenant: alice.tenant.clone(),
        account: alice.account.clone(),
        region: None::<RegionId>,
        identified: Some(Identified {
            how: how.to_owned(),
            document: Digest([7; 32]),
        }),
    };
    let silent = scene.desk.resolve(case, ruth(), &[choice(2, " ")]).await;
    assert!(matches!(silent, Err(DeskError::Invalid { .. })), "{silent:?}");
    let choices = [choice(2, "the proxy's log of that hour"), choice(3, "guessed")];
    let facts = scene.desk.resolve(case, ruth(), &choices).await.unwrap();
    let Resolution::One(found) = &facts.resolved[2] else {
        panic!("{facts:?}");
    };
    assert_eq!(found.identified.as_ref().unwrap().document, Digest([7; 32]));
    assert_eq!(facts.resolved[3], Resolution::Unspecific);
}

#[tokio::test]
async fn p08_no_answer_to_a_redirect_is_recorded_when_its_time_is_over() {
    let scene = Scene::new().await;
    let case = scene.ready().await;
    let by = now() + SignedDuration::from_hours(5 * 24);
    let past = scene
        .desk
        .redirect_until(case, ruth(), "letter", Some(now()))
        .await;
    assert!(matches!(past, Err(DeskError::Invalid { .. })), "{past:?}");
    let event = scene
        .desk
        .redirect_until(case, ruth(), "letter", Some(by))
        .await
        .unwrap();
    let Body::Redirected { letter, .. } = event.body else {
        panic!("{event:?}");
    };
    let letter = scene.desk.letter(case, letter).await.unwrap();
    assert!(letter.contains("2026-11-07"), "{letter}");
    let early = by - SignedDuration::from_secs(1);
    scene.clock.set(early);
    assert!(
        scene
            .desk
            .tick(early)
            .await
            .unwrap()
            .redirects_unanswered
            .is_empty()
    );
    scene.clock.set(by);
    assert_eq!(scene.desk.tick(by).await.unwrap().redirects_unanswered, [case]);
    let events = scene.desk.events(case).await.unwrap();
    let answer = |body: &Body| {
        matches!(
            body,
            Body::RedirectAnswered {
                outcome: RedirectOutcome::Unanswered
            }
        )
    };
    assert_eq!(
        events
            .iter()
            .filter(|event| event.body.as_ref().is_some_and(answer))
            .count(),
        1
    );
}

#[tokio::test]
async fn nobody_ends_another_authoritys_demand_and_an_amended_one_releases_nothing() {
    let scene = Scene::new().await;
    let first = scene.ready().await;
    let amended = takes_in(&scene, json!({ "reference": "26-mj-100 (amended)" })).await;
    let other = json!({
        "reference": "x-1", "requester": { "authority": "FBI", "country": "US", "kind": "police" }
    });
    let stranger = takes_in(&scene, other).await;
    let refused = scene
        .desk
        .link(stranger, ruth(), first, Relation::Supersedes)
        .await;
    assert!(matches!(refused, Err(DeskError::Invalid { .. })), "{refused:?}");
    scene
        .desk
        .link(amended, ruth(), first, Relation::Amends)
        .await
        .unwrap();
    let view = scene.desk.case(first).await.unwrap();
    assert_eq!(view.stage, "AwaitingClosure");
    let by_hand = Body::Superseded {
        by: amended,
        relation: Relation::Amends,
    };
    let refused = scene.desk.record(stranger, ruth(), by_hand).await;
    assert!(matches!(refused, Err(DeskError::Reserved { .. })), "{refused:?}");
    let body = Body::Closed {
        outcome: Outcome::Superseded,
    };
    scene.desk.record(first, ruth(), body).await.unwrap();
}

#[tokio::test]
async fn a_european_order_is_answered_by_the_form_and_its_clock_rests() {
    let scene = Scene::new().await;
    let with = json!({
        "instrument": "eu.epoc.traffic_content", "reference": "F-12", "showing": { "signed": true },
        "requester": { "authority": "Tribunal judiciaire de Paris", "country": "FR", "kind": "court" },
        "issuer": { "kind": "court", "name": "Tribunal judiciaire de Paris" },
        "epoc": { "addressee_country": "DE" },
    });
    let case = takes_in(&scene, with).await;
    scene.desk.resolve(case, ruth(), &[]).await.unwrap();
    scene.desk.assess(case, ruth(), None).await.unwrap();
    let said = |reasons: Vec<NonExecutionReason>, clarification: Option<&str>| NotExecuting {
        reasons,
        explanation: "it names no provision".into(),
        third_country: None,
        clarification: clarification.map(str::to_owned),
        preservation: None,
        enforcing: None,
        contact: serde_json::from_value(json!({
            "name": "Ruth", "reach": "ruth@example.com", "signed_by": "Ruth", "on": "2026-11-02"
        }))
        .unwrap(),
        grounds: vec!["eu.epoc.incomplete".parse().unwrap()],
    };
    let silent = said(vec![NonExecutionReason::Incomplete], None);
    let refused = scene.desk.not_execute(case, ruth(), silent).await;
    assert!(
        matches!(&refused, Err(DeskError::NotNow { reason, .. }) if reason.contains("section F")),
        "{refused:?}"
    );
    let asking = said(vec![NonExecutionReason::Incomplete], Some("the provision"));
    let event = scene.desk.not_execute(case, ruth(), asking).await.unwrap();
    let Body::NotExecuted { form, .. } = event.body else {
        panic!("{event:?}");
    };
    assert_eq!(form.authorities.issuing, "Tribunal judiciaire de Paris");
    assert_eq!(form.authorities.issuing_file.as_deref(), Some("F-12"));
    assert_eq!(form.preservation, Preservation::NotHeld);
    scene.clock.advance(SignedDuration::from_hours(24));
    let assessment = scene.desk.assess(case, ruth(), None).await.unwrap();
    let rests =
        |finding: &casework::finding::Finding| finding.clock.as_ref().is_some_and(|clock| clock.at_rest);
    assert!(assessment.findings.iter().any(rests), "{assessment:?}");
    // The form is for European orders alone.
    let warrant = scene.ready().await;
    let form = said(vec![NonExecutionReason::Other], None);
    let refused = scene.desk.not_execute(warrant, ruth(), form).await;
    assert!(matches!(refused, Err(DeskError::NotNow { .. })), "{refused:?}");
}

#[tokio::test]
async fn costs_are_asked_back_where_a_law_gives_them() {
    let scene = Scene::new().await;
    let case = scene.ready().await;
    let line = || CostLine {
        what: "searching, 3 hours".into(),
        minor: 24_000,
    };
    let claim = scene.desk.claim_costs(case, ruth(), "USD", vec![line()]).await;
    let Body::CostsClaimed { claim } = claim.unwrap().body else {
        panic!("another event");
    };
    assert_eq!(
        (claim.basis.as_str(), claim.total.minor),
        ("18 U.S.C. 2706", 24_000)
    );
    let body = Body::CostsSettled {
        outcome: CostOutcome::Paid,
        paid: Some(Amount {
            currency: "USD".into(),
            minor: 20_000,
        }),
        reference: "check 14".into(),
    };
    scene.desk.record(case, ruth(), body).await.unwrap();
    let informal = takes_in(
        &scene,
        json!({ "instrument": "any.informal", "reference": "letter" }),
    )
    .await;
    let refused = scene
        .desk
        .claim_costs(informal, ruth(), "USD", vec![line()])
        .await;
    assert!(matches!(refused, Err(DeskError::Invalid { .. })), "{refused:?}");
    let euros = scene.desk.claim_costs(case, ruth(), "euro", vec![line()]).await;
    let refused = matches!(
        &euros,
        Err(DeskError::NotNow {
            promise: Promise::P14,
            ..
        })
    );
    assert!(refused, "{euros:?}");
}
