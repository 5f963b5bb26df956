//! The ledger of gags: several at once, renewals, decisions on one of them, and what no gag's end lifts.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says so by failing"
)]

use casework::{
    case::{Case, Step as Owing},
    chain::Chain,
    demand::{Gag, NoticeTo},
    event::{Actor, Body, Decision, Outcome},
    facts::{Resolution, TenantKind},
    ids::{Digest, TenantId},
    rulebook::Rulebook,
    testkit::{Step, World, raw_chain},
};
use jiff::Timestamp;

fn world(gag: Option<Gag>) -> World {
    let mut world = World::new(Rulebook::builtin(), 4);
    world.demand.gag = gag;
    world
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn gag(from: &str, until: Option<&str>, forbids: &[NoticeTo]) -> Gag {
    Gag {
        from: from.parse().unwrap(),
        forbids: forbids.to_vec(),
        ..World::gag(until)
    }
}

fn recorded(gag: Gag, document: u8) -> Body {
    Body::GagRecorded {
        gag,
        document: Some(Digest([document; 32])),
    }
}

fn ended(gag: Option<u64>) -> Body {
    Body::GagEnded {
        reason: "vacated".into(),
        gag,
    }
}

fn contoso() -> TenantId {
    TenantId::new("contoso").unwrap()
}

/// Appends, a minute after what was there, and assesses anew.
fn with(world: &World, steps: &mut Vec<Step>, body: Body) -> Case {
    steps.push(Step {
        actor: Actor::System,
        body,
    });
    world.assess(steps);
    world.state(steps)
}

fn forbidden(case: &Case, at_text: &str) -> bool {
    case.file()
        .notice_forbidden(NoticeTo::Tenant, &contoso(), at(at_text))
}

#[test]
fn p09_the_end_of_one_gag_leaves_the_others_silence_and_a_request_imposes_none() {
    let tenant = [NoticeTo::Tenant];
    let world = world(Some(gag("2026-11-01", Some("2026-12-24"), &tenant)));
    let mut steps = world.steps_to_findings();
    let later = gag("2026-11-10", Some("2027-03-14"), &tenant);
    let case = with(&world, &mut steps, recorded(later, 1));
    // The first ends with 24 December in Washington, the second on the day on which the clocks go forward there.
    for (when, silent) in [
        ("2026-12-25T04:59:59Z", true),
        ("2026-12-25T05:00:00Z", true),
        ("2027-03-15T03:59:59Z", true),
        ("2027-03-15T04:00:00Z", false),
    ] {
        assert_eq!(forbidden(&case, when), silent, "{when}");
    }
    // A gag about the public, and a request that no court ordered, keep the customer from nothing.
    let mut steps = world.steps_to_findings();
    with(
        &world,
        &mut steps,
        recorded(gag("2026-11-10", None, &[NoticeTo::Public]), 1),
    );
    let request = Gag {
        basis: None,
        court_ordered: false,
        ..gag("2026-11-10", None, &tenant)
    };
    let case = with(&world, &mut steps, recorded(request, 2));
    assert!(forbidden(&case, "2026-12-25T04:59:59Z") && !forbidden(&case, "2026-12-25T05:00:00Z"));
}

#[test]
fn p09_a_gag_that_nobody_judged_yet_is_respected_and_a_day_between_two_is_free() {
    let tenant = [NoticeTo::Tenant];
    let world = world(Some(gag("2026-11-01", Some("2026-12-24"), &tenant)));
    let mut steps = world.steps_to_findings();
    steps.push(Step {
        actor: Actor::System,
        body: recorded(gag("2026-12-28", Some("2027-03-01"), &tenant), 1),
    });
    let case = world.state(&steps);
    for (when, silent) in [
        ("2026-12-24T12:00:00Z", true),
        ("2026-12-26T12:00:00Z", false),
        ("2026-12-28T12:00:00Z", true),
        ("2027-03-03T12:00:00Z", false),
    ] {
        assert_eq!(forbidden(&case, when), silent, "{when}");
    }
}

#[test]
fn p09_an_expired_gag_is_not_renewed_by_a_word() {
    let tenant = [NoticeTo::Tenant];
    let first = gag("2026-11-01", Some("2026-11-18"), &tenant);
    let mut world = world(Some(first.clone()));
    world.now = at("2026-11-20T12:00:00Z");
    let mut steps = world.steps_to_findings();
    let case = with(&world, &mut steps, ended(None));
    let now = world.now;
    let may = |body: &Body| case.may(now, &Actor::System, body);
    // The same gag again; a longer one without an order; the demand read anew with a later day.
    let again = Body::GagRecorded {
        gag: first.clone(),
        document: Some(Digest([1; 32])),
    };
    let longer = gag("2026-11-19", Some("2027-01-31"), &tenant);
    let no_order = Body::GagRecorded {
        gag: longer.clone(),
        document: None,
    };
    let mut reread = world.demand.clone();
    reread.gag = Some(longer.clone());
    let reread = Body::Parsed {
        demand: Box::new(reread),
    };
    for body in [&again, &no_order, &reread] {
        assert!(may(body).is_err(), "{body:?}");
    }
    // The demand read anew as it was brings nothing back.
    let same = Body::Parsed {
        demand: Box::new(world.demand.clone()),
    };
    may(&same).unwrap();
    may(&recorded(longer.clone(), 1)).unwrap();
    // One order renews once: the second needs its own.
    let case = with(&world, &mut steps, recorded(longer, 1));
    let third = gag("2027-02-01", Some("2027-06-01"), &tenant);
    assert!(
        case.may(now, &Actor::System, &recorded(third.clone(), 1))
            .is_err()
    );
    case.may(now, &Actor::System, &recorded(third, 2)).unwrap();
}

#[test]
fn p10_what_a_court_says_of_one_gag_says_nothing_of_another() {
    let tenant = [NoticeTo::Tenant];
    let world = world(Some(gag("2026-11-01", Some("2027-03-01"), &tenant)));
    let mut steps = world.steps_to_findings();
    let second = gag("2026-11-10", Some("2027-06-01"), &tenant);
    let case = with(&world, &mut steps, recorded(second, 1));
    let numbers: Vec<u64> = case.file().gags().iter().map(|gag| gag.seq).collect();
    let may = |case: &Case, body: &Body| case.may(world.now, &Actor::System, body);
    assert!(may(&case, &ended(None)).is_err(), "which of the two?");
    assert!(may(&case, &ended(Some(99))).is_err(), "there is no such gag");
    let objected = Body::GagObjected {
        forum: "D. Del.".into(),
        filing: Digest([1; 32]),
        gag: None,
    };
    let case = with(&world, &mut steps, objected);
    let won = |gag| Body::GagDecided {
        outcome: Decision::Won,
        until: None,
        gag,
    };
    assert!(may(&case, &won(None)).is_err(), "which of the two?");
    let case = with(&world, &mut steps, won(Some(numbers[0])));
    assert!(case.file().gags()[0].is_lifted() && !case.file().gags()[1].is_lifted());
    assert!(forbidden(&case, "2026-11-20T12:00:00Z"));
    let case = with(&world, &mut steps, ended(Some(numbers[1])));
    assert!(!forbidden(&case, "2026-11-20T12:00:00Z"));
}

#[test]
fn p10_a_reason_against_one_gag_does_not_answer_the_same_ground_of_the_next() {
    let mut omnibus = gag("2026-11-01", Some("2027-03-01"), &[NoticeTo::Tenant]);
    omnibus.individual_findings = false;
    let world = world(Some(omnibus.clone()));
    let mut steps = world.steps();
    let answered = |steps: &[Step]| {
        let case = world.state(steps);
        let course = &case.file().grounds()[&"us.gag.2705b.omnibus".parse().unwrap()];
        !course.answers.is_empty()
    };
    assert!(answered(&steps));
    let next = Gag {
        until: Some("2027-09-01".parse().unwrap()),
        ..omnibus
    };
    with(&world, &mut steps, recorded(next, 1));
    assert!(!answered(&steps), "it is a ground against the second, too");
}

#[test]
fn p10_no_case_is_closed_over_a_gag_that_nobody_answered() {
    let world = world(Some(gag("2026-11-01", Some("2027-03-01"), &[NoticeTo::Tenant])));
    let mut steps = world.steps_to_findings();
    let withdrawn = Body::Withdrawn {
        reason: "the case is settled".into(),
    };
    steps.push(Step {
        actor: Actor::Requester,
        body: withdrawn,
    });
    let close = Body::Closed {
        outcome: Outcome::Withdrawn,
    };
    let open = world.state(&steps);
    let refusal = open.may(world.now, &Actor::System, &close).unwrap_err();
    assert!(
        refusal.to_string().contains("nothing was done about the gag"),
        "{refusal}"
    );
    assert!(
        open.owed(world.now)
            .iter()
            .any(|owed| owed.step == Owing::AnswerGag)
    );
    let reason = "the court made individual findings".to_owned();
    let signature = world.counsel_signs(&steps, "gag", &reason);
    steps.push(Step {
        actor: Actor::Counsel(casework::testkit::staff("carl")),
        body: Body::GagUnopposed { reason, signature },
    });
    world
        .state(&steps)
        .may(world.now, &Actor::System, &close)
        .unwrap();
}

/// The controller is told, the person is not, and where they are one nobody is: not even when a gag ends.
#[test]
fn p09_an_orders_silence_towards_the_person_outlasts_every_gag() {
    for (kind, silent_after) in [(TenantKind::Enterprise, false), (TenantKind::Consumer, true)] {
        let mut world = world(Some(gag("2026-11-01", Some("2026-12-24"), &[NoticeTo::Tenant])));
        let order = serde_json::json!({
            "schema": "amparo.demand/1", "instrument": "eu.epoc.subscriber_id", "served_at": "2026-11-16T07:00:00Z",
            "requester": { "authority": "Tribunal", "country": "FR", "kind": "court" },
            "issued_on": "2026-11-13", "categories": ["subscriber"],
            "subjects": [{ "type": "account", "value": "alice@contoso.example" }],
            "showing": { "signed": true }, "offence": { "provision": "fraud", "max_sentence_months": 60 },
            "epoc": { "addressee_country": "DE", "processor_addressed_because": "a reason",
                      "controller_not_to_be_told_because": "it might warn the suspect" }
        });
        let gag = world.demand.gag.take();
        world.demand = serde_json::from_value(order).unwrap();
        world.demand.gag = gag;
        let Resolution::One(account) = &mut world.facts.resolved[0] else {
            unreachable!()
        };
        account.tenant_kind = kind;
        let mut steps = world.steps_to_findings();
        let case = world.state(&steps);
        assert!(forbidden(&case, "2026-12-24T12:00:00Z"), "{kind:?}");
        assert_eq!(forbidden(&case, "2026-12-26T12:00:00Z"), silent_after, "{kind:?}");
        assert_eq!(case.file().owes_notice_to(&contoso()), !silent_after, "{kind:?}");
        let person = case
            .file()
            .notice_forbidden(NoticeTo::Person, &contoso(), at("2027-12-26T12:00:00Z"));
        assert!(person, "{kind:?}: the issuing authority tells the person");
        // Recorded as ended and judged again, it says the same.
        let case = with(&world, &mut steps, ended(None));
        assert_eq!(forbidden(&case, "2026-11-20T12:00:00Z"), silent_after, "{kind:?}");
    }
}

#[test]
fn p14_a_date_is_recorded_as_passed_by_the_program_alone_when_it_has_and_once() {
    let world = world(None);
    let steps = world.steps_to_findings();
    let mut chain = Chain::verify(raw_chain(world.case, &steps)).unwrap();
    let due = chain.case().dates();
    let deadline = due
        .iter()
        .find(|due| due.rule.as_str() == "any.return_date")
        .or(due.first());
    let Some(due) = deadline.cloned() else { return };
    let body = Body::FellDue {
        rule: due.rule.clone(),
        what: due.kind,
        due: due.at,
    };
    let salt = Digest([3; 32]);
    let early = due.at - jiff::SignedDuration::from_secs(1);
    assert!(chain.append(early, Actor::System, salt, body.clone()).is_err());
    let by_hand = Actor::Staff(casework::testkit::staff("rita"));
    assert!(chain.append(due.at, by_hand, salt, body.clone()).is_err());
    chain.append(due.at, Actor::System, salt, body.clone()).unwrap();
    assert!(chain.append(due.at, Actor::System, salt, body).is_err(), "once");
    assert_eq!(chain.case().fallen_due(due.at), []);
}
