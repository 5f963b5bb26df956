use std::sync::{Arc, atomic::Ordering};

use casework::{
    demand::{CountryCode, NoticeTo},
    event::{Actor, Body, Channel},
    facts::Resolution,
    finding::{DutyKind, Effect, Finding, Promise},
    ids::RegionId,
};
use jiff::{SignedDuration, civil::date};

use super::scene::{AGE, Scene, account, demand, now, staff};
use crate::app::{Choice, DeskError, Learned, faults::NoFaults};

#[tokio::test]
async fn the_same_bytes_are_one_case_even_at_once() {
    let scene = Scene::new().await;
    let bytes = demand("alice");
    let all = futures::future::join_all((0..8).map(|_| {
        let (desk, bytes) = (scene.desk.clone(), bytes.clone());
        tokio::spawn(async move { desk.intake(&bytes, Channel::Portal, None).await })
    }))
    .await;
    let intakes: Vec<_> = all.into_iter().map(|intake| intake.unwrap().unwrap()).collect();
    assert_eq!(intakes.iter().filter(|intake| !intake.duplicate).count(), 1);
    assert!(intakes.iter().all(|intake| intake.case == intakes[0].case));
    assert!(intakes.iter().all(|intake| intake.receipt == intakes[0].receipt));
    let letter = scene
        .desk
        .letter(intakes[0].case, intakes[0].receipt)
        .await
        .unwrap();
    assert!(letter.contains(&intakes[0].bytes.to_string()), "{letter}");
    let view = scene.desk.case(intakes[0].case).await.unwrap();
    assert_eq!((view.stage.as_str(), view.events), ("AwaitingResolution", 2));
}

#[tokio::test]
async fn unreadable_bytes_are_a_case_too_and_oversized_ones_are_not() {
    let scene = Scene::new().await;
    let intake = scene
        .desk
        .intake(b"%PDF-1.7 ...", Channel::Email, None)
        .await
        .unwrap();
    let view = scene.desk.case(intake.case).await.unwrap();
    assert_eq!(view.stage, "AwaitingParse");
    let events = scene.desk.events(intake.case).await.unwrap();
    assert!(matches!(events[1].body, Some(Body::Unreadable { .. })));
    // A person types it in; whoever does is no reviewer of it.
    let parsed = Body::Parsed {
        demand: Box::new(casework::demand::parse(&demand("alice")).unwrap()),
    };
    scene
        .desk
        .record(intake.case, Actor::Staff(staff("ruth")), parsed)
        .await
        .unwrap();
    scene.judge(intake.case).await;
    let record = scene.propose(intake.case).await;
    let refused = scene.approve(intake.case, &record, "ruth").await;
    assert!(matches!(refused, Err(DeskError::NotNow { .. })), "{refused:?}");
    let too_large = vec![b' '; crate::app::DEMAND_BYTES_MAX + 1];
    let refused = scene.desk.intake(&too_large, Channel::Email, None).await;
    assert!(matches!(refused, Err(DeskError::TooLarge { .. })), "{refused:?}");
    assert_eq!(scene.desk.list(&Default::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_of_two_customers_needs_a_choice_among_what_was_found() {
    let scene = Scene::new().await;
    let case = scene
        .desk
        .intake(&demand("bob"), Channel::Paper, None)
        .await
        .unwrap()
        .case;
    let ruth = || Actor::Staff(staff("ruth"));
    let facts = scene.desk.resolve(case, ruth(), &[]).await.unwrap();
    assert_eq!(facts.resolved, [Resolution::Several { count: 2, tenants: 2 }]);
    assert_eq!(scene.desk.case(case).await.unwrap().scope.accounts, []);
    let bob = account("fabrikam", "bob");
    let mut choice = Choice {
        subject: 0,
        tenant: bob.tenant.clone(),
        account: bob.account.clone(),
        region: Some(RegionId::new("us-east").unwrap()),
        identified: None,
    };
    let refused = scene
        .desk
        .resolve(case, ruth(), std::slice::from_ref(&choice))
        .await;
    assert!(matches!(refused, Err(DeskError::Invalid { .. })), "{refused:?}");
    choice.region = Some(bob.region.clone());
    let facts = scene.desk.resolve(case, ruth(), &[choice]).await.unwrap();
    assert_eq!(facts.resolved, [Resolution::One(bob)]);
    let unknown = scene
        .desk
        .intake(&demand("nobody"), Channel::Paper, None)
        .await
        .unwrap()
        .case;
    assert_eq!(
        scene.desk.resolve(unknown, ruth(), &[]).await.unwrap().resolved,
        [Resolution::None]
    );
}

/// A second region for the account, with an object in it.
fn spread(scene: &Scene) -> RegionId {
    let west = RegionId::new("us-west").unwrap();
    let mut there = account("contoso", "alice");
    there.region = west.clone();
    there.region_country = CountryCode::new("US").unwrap();
    let mut accounts = scene.vault.accounts.lock().unwrap();
    accounts.get_mut("alice").unwrap().push(there);
    let mut objects = scene.vault.objects.lock().unwrap();
    objects[0].account.region = west.clone();
    west
}

#[tokio::test]
async fn p12_what_moved_since_the_look_up_refuses_the_record_until_the_account_is_found_again() {
    let scene = Scene::new().await;
    let case = scene.ready().await;
    let ruth = || Actor::Staff(staff("ruth"));
    let propose = || async {
        let recipient = casework::record::Recipient {
            name: "Court".into(),
            age: AGE.into(),
        };
        let life = SignedDuration::from_hours(1);
        scene.desk.propose(case, ruth(), recipient, life).await
    };
    assert_eq!(propose().await.unwrap().objects.len(), 2);
    let learned = Learned {
        privileged: Some(true),
        ..Learned::default()
    };
    scene.desk.learn(case, ruth(), &[learned], None).await.unwrap();
    scene.assessed(case, Vec::new()).await;
    let west = spread(&scene);
    let refused = propose().await.unwrap_err();
    let DeskError::NotNow {
        promise,
        reason,
        hint,
    } = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(promise, Promise::P12);
    assert!(reason.contains("came to lie in `us-west`"), "{reason}");
    assert!(hint.contains("look the accounts up again"), "{hint}");
    // Found again: one account in two regions, and what was learned of its person stays with it.
    let facts = scene.desk.resolve(case, ruth(), &[]).await.unwrap();
    let Resolution::One(found) = &facts.resolved[0] else {
        panic!("{facts:?}");
    };
    assert_eq!(found.places().count(), 2);
    assert_eq!(found.privileged, Some(true));
    scene.assessed(case, Vec::new()).await;
    let record = propose().await.unwrap();
    assert_eq!((record.objects.len(), record.accounts.len()), (2, 2));
    // One region alone, on purpose; that it is so stands in the case.
    let choice = Choice {
        subject: 0,
        tenant: found.tenant.clone(),
        account: found.account.clone(),
        region: Some(west.clone()),
        identified: None,
    };
    let facts = scene.desk.resolve(case, ruth(), &[choice]).await.unwrap();
    let Resolution::One(found) = &facts.resolved[0] else {
        panic!("{facts:?}");
    };
    assert_eq!((&found.region, found.left_out.len()), (&west, 1));
    scene.assessed(case, Vec::new()).await;
    let record = propose().await.unwrap();
    assert_eq!((record.objects.len(), record.accounts.len()), (1, 1));
}

#[tokio::test]
async fn a_record_names_exactly_what_lies_in_the_scope() {
    let scene = Scene::new().await;
    let case = scene.ready().await;
    let record = scene.propose(case).await;
    let dates: Vec<String> = record.objects.iter().map(|o| o.concerns_at.to_string()).collect();
    assert_eq!(dates, ["2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z"]);
    assert!(record.objects.is_sorted_by_key(|o| o.object));
    let nothing = scene
        .desk
        .intake(&demand("carol"), Channel::Paper, Some(staff("ines")))
        .await
        .unwrap()
        .case;
    scene.judge(nothing).await;
    let recipient = casework::record::Recipient {
        name: "Court".into(),
        age: AGE.into(),
    };
    let life = SignedDuration::from_hours(1);
    let empty = scene
        .desk
        .propose(nothing, Actor::System, recipient.clone(), life)
        .await;
    assert!(matches!(empty, Err(DeskError::NoData)), "{empty:?}");
    for (age, life) in [
        ("ssh-ed25519 AAAA", life),
        (AGE, SignedDuration::ZERO),
        (AGE, SignedDuration::from_hours(721)),
    ] {
        let recipient = casework::record::Recipient {
            name: "Court".into(),
            age: age.into(),
        };
        let refused = scene.desk.propose(case, Actor::System, recipient, life).await;
        assert!(
            matches!(refused, Err(DeskError::Invalid { .. })),
            "{age} {life}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn approvals_are_two_peoples_own_signatures() {
    let scene = Scene::new().await;
    let case = scene.ready().await;
    let record = scene.propose(case).await;
    let forged = super::scene::sign("sven", b"something else");
    let wrong = scene.desk.approve(case, record.id, &staff("sven"), &forged).await;
    assert!(matches!(wrong, Err(DeskError::NotNow { .. })), "{wrong:?}");
    assert!(
        matches!(
            scene.approve(case, &record, "ines").await,
            Err(DeskError::NotNow { .. })
        ),
        "entered it"
    );
    assert!(
        matches!(
            scene.approve(case, &record, "clara").await,
            Err(DeskError::NotNow { .. })
        ),
        "no reviewer"
    );
    scene.approve(case, &record, "ruth").await.unwrap();
    assert!(
        matches!(
            scene.approve(case, &record, "ruth").await,
            Err(DeskError::NotNow { .. })
        ),
        "twice"
    );
    let early = scene.desk.release(case, record.id).await;
    assert!(matches!(early, Err(DeskError::NotNow { .. })), "{early:?}");
    let logged = |scene: &Scene| {
        scene
            .docket
            .entries
            .lock()
            .unwrap()
            .iter()
            .filter(|(kind, _)| *kind == "release")
            .count()
    };
    assert_eq!(logged(&scene), 0);
    scene.approve(case, &record, "sven").await.unwrap();
    assert_eq!(logged(&scene), 1);
}

#[tokio::test]
async fn a_release_waits_for_the_docket_and_answers_the_same_twice() {
    let mut scene = Scene::new().await;
    let case = scene.ready().await;
    let record = scene.approved(case).await;
    scene.docket.held_up.store(true, Ordering::Relaxed);
    let early = scene.desk.release(case, record).await;
    assert!(matches!(early, Err(DeskError::NotLogged { .. })), "{early:?}");
    scene.docket.held_up.store(false, Ordering::Relaxed);
    let package = scene.desk.release(case, record).await.unwrap();
    scene.restart(Arc::new(NoFaults)).await;
    assert_eq!(scene.desk.release(case, record).await.unwrap(), package);
    scene
        .desk
        .deliver(case, Actor::Staff(staff("ruth")), record, "by hand")
        .await
        .unwrap();
    let closed = Body::Closed {
        outcome: casework::event::Outcome::Disclosed,
    };
    scene
        .desk
        .record(case, Actor::Staff(staff("ruth")), closed)
        .await
        .unwrap();
    assert!(scene.desk.cases().case(case).await.unwrap().closed_at.is_some());
}

#[tokio::test]
async fn a_refusal_is_recorded_once_and_the_record_may_be_tried_again() {
    let scene = Scene::new().await;
    let case = scene.ready().await;
    let record = scene.approved(case).await;
    *scene.gate.refuses.lock().unwrap() = Some("nobody was redirected");
    for _ in 0..2 {
        let refused = scene.desk.release(case, record).await;
        assert!(
            matches!(refused, Err(DeskError::GateRefused { .. })),
            "{refused:?}"
        );
    }
    let events = scene.desk.events(case).await.unwrap();
    let refusals = events
        .iter()
        .filter(|e| matches!(&e.body, Some(Body::Refused { reason, .. }) if reason.starts_with("P8")));
    assert_eq!(refusals.count(), 1);
    *scene.gate.refuses.lock().unwrap() = None;
    scene.desk.release(case, record).await.unwrap();
}

#[tokio::test]
async fn what_the_desk_does_itself_is_not_recorded_by_hand() {
    let scene = Scene::new().await;
    let case = scene.ready().await;
    let record = scene.approved(case).await;
    for body in [
        Body::Logged { record, index: 0 },
        Body::Released {
            record,
            package: casework::ids::Digest([0; 32]),
            size: 1,
        },
        Body::Approved {
            record,
            reviewer: staff("sven"),
            signature: String::new(),
        },
        Body::Resolved {
            facts: Default::default(),
        },
    ] {
        let refused = scene.desk.record(case, Actor::Staff(staff("ruth")), body).await;
        assert!(matches!(refused, Err(DeskError::Reserved { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn when_a_gag_runs_out_the_notice_goes_out_by_itself_and_once() {
    let scene = Scene::new().await;
    let mut gagged: serde_json::Value = serde_json::from_slice(&demand("alice")).unwrap();
    gagged["gag"] = serde_json::json!({
        "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true,
        "from": "2026-11-01", "until": "2026-11-30", "forbids": ["tenant"],
    });
    let bytes = serde_json::to_vec(&gagged).unwrap();
    let case = scene
        .desk
        .intake(&bytes, Channel::Paper, Some(staff("ines")))
        .await
        .unwrap()
        .case;
    let silence = Finding {
        rule: casework::ids::RuleId::new("us.gag.2705b").unwrap(),
        effect: Effect::Duty,
        promise: Promise::P9,
        categories: Vec::new(),
        citation: "18 U.S.C. 2705(b)".into(),
        explanation: "A court forbids telling the customer.".into(),
        duty: Some(DutyKind::DoNotTellTenant),
        clock: None,
        gags: vec![0],
    };
    scene.judge_with(case, vec![silence.clone()]).await;
    let tenant = casework::ids::TenantId::new("contoso").unwrap();
    let ruth = || Actor::Staff(staff("ruth"));
    let early = scene.desk.notify(case, ruth(), &tenant, "letter").await;
    assert!(matches!(early, Err(DeskError::NotNow { .. })), "{early:?}");
    let barred = Body::NoticeBarred {
        to: NoticeTo::Tenant,
        tenant: tenant.clone(),
        rule: silence.rule,
    };
    scene.desk.record(case, ruth(), barred).await.unwrap();
    let record = scene.approved(case).await;
    scene.desk.release(case, record).await.unwrap();
    scene.desk.deliver(case, ruth(), record, "by hand").await.unwrap();
    // The gate keeps what was released sealed in the customer's ledger, and another desk's case besides.
    let elsewhere = casework::ids::CaseId(uuid::Uuid::from_u128(1));
    scene.gate.sealed.lock().unwrap().extend([case, elsewhere]);
    let done = scene.desk.tick(now()).await.unwrap();
    assert_eq!(
        (done.gags_ended, done.notices, done.failed),
        (vec![], vec![], vec![])
    );
    assert!(scene.gate.shown.lock().unwrap().is_empty(), "a gag stands");
    assert!(!scene.desk.cases().was_told(case, &tenant).await.unwrap());

    scene.clock.set(
        date(2026, 12, 1)
            .at(12, 0, 0, 0)
            .in_tz("UTC")
            .unwrap()
            .timestamp(),
    );
    let done = scene.desk.tick(scene.desk.now()).await.unwrap();
    assert_eq!((done.gags_ended, done.failed), (vec![case], vec![]));
    assert!(
        scene.gate.shown.lock().unwrap().contains_key(&case),
        "shown to be unsealed"
    );
    assert_eq!(done.notices, [(case, tenant.clone())]);
    assert!(scene.desk.cases().was_told(case, &tenant).await.unwrap());
    let letters = scene.desk.cases().outbox().await.unwrap();
    let late = letters
        .iter()
        .find(|letter| letter.kind == "late_notice")
        .unwrap();
    let text = scene.desk.letter(case, late.digest).await.unwrap();
    assert!(
        text.contains("Disclosed: 2 object(s)") && !text.contains("(not given)"),
        "{text}"
    );
    let again = scene.desk.tick(scene.desk.now()).await.unwrap();
    assert_eq!((again.looked_at, again.notices), (0, vec![]));
}

#[tokio::test]
async fn events_recorded_at_once_all_find_their_place() {
    let scene = Scene::new().await;
    let case = scene.ready().await;
    let before = scene.desk.case(case).await.unwrap().events;
    let notes = (0..6).map(|n| {
        let desk = scene.desk.clone();
        let body = Body::Note {
            text: format!("remark {n}"),
        };
        tokio::spawn(async move { desk.record(case, Actor::Staff(staff("ruth")), body).await })
    });
    let mut outcomes = futures::future::join_all(notes)
        .await
        .into_iter()
        .map(Result::unwrap);
    assert!(outcomes.all(|outcome| outcome.is_ok()));
    assert_eq!(scene.desk.case(case).await.unwrap().events, before + 6);
}
