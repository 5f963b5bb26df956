//! Demands that follow on each other, a case taken up again, a redirect's answer, notices that told nobody.

use casework::{
    demand::NoticeTo,
    event::{NoticeFailure, Outcome, RedirectOutcome, Relation},
};

use super::*;

#[test]
fn a_demand_in_anothers_place_ends_it_for_good_and_one_beside_it_does_not() {
    let world = world();
    let mut steps = world.steps();
    steps.push(system(Body::FollowedBy { case: other_case(1) }));
    assert_eq!(owed(&world, &steps), [Owing::Propose]);
    let by = other_case(2);
    let beside = Body::Superseded {
        by,
        relation: Relation::FollowsUp,
    };
    refused(
        &world.state(&steps),
        &Actor::System,
        &beside,
        Promise::P14,
        "beside",
    );
    steps.push(system(Body::Superseded {
        by,
        relation: Relation::Amends,
    }));
    let case = world.state(&steps);
    assert_eq!(owed(&world, &steps), [Owing::Close]);
    for outcome in [Outcome::Withdrawn, Outcome::Rejected, Outcome::Disclosed] {
        refused(
            &case,
            &Actor::System,
            &Body::Closed { outcome },
            Promise::P14,
            "did not end that way",
        );
    }
    steps.push(system(Body::Closed {
        outcome: Outcome::Superseded,
    }));
    let again = Body::Reopened {
        reason: "a mistake".into(),
    };
    refused(
        &world.state(&steps),
        &Actor::System,
        &again,
        Promise::P14,
        "took its place",
    );
    let itself = Body::Linked {
        to: world.case,
        relation: Relation::FollowsUp,
    };
    refused(
        &world.state(&world.steps()),
        &Actor::System,
        &itself,
        Promise::P14,
        "on itself",
    );
}

#[test]
fn a_closed_case_is_taken_up_again_with_a_reason_and_judged_anew() {
    let world = world();
    let mut steps = world.steps();
    let rejected = Body::Rejected {
        rules: Vec::new(),
        codes: vec![casework::rejection::RejectionCode::MissingContext],
        explanation: "no offence".into(),
    };
    steps.push(system(rejected));
    steps.push(system(Body::Closed {
        outcome: Outcome::Rejected,
    }));
    let closed = world.state(&steps);
    let note = Body::Note { text: "late".into() };
    refused(&closed, &Actor::System, &note, Promise::P14, "closed");
    let silent = Body::Reopened { reason: " ".into() };
    refused(&closed, &Actor::System, &silent, Promise::P14, "says nothing");
    steps.push(system(Body::Reopened {
        reason: "the offence was on page two".into(),
    }));
    assert_eq!(owed(&world, &steps)[0], Owing::Assess);
    world.assess(&mut steps);
    assert_eq!(owed(&world, &steps), [Owing::Propose]);
}

#[test]
fn p08_an_answer_is_awaited_until_its_day() {
    let world = world();
    let mut steps = world.steps_to_findings();
    steps.push(system(Body::Redirected {
        how: "letter".into(),
        letter: Digest([5; 32]),
        answer_by: Some(at("2026-11-25T12:00:00Z")),
    }));
    let case = world.state(&steps);
    let awaited = case.owed(world.now);
    let awaited = awaited
        .iter()
        .find(|owed| owed.step == Owing::RedirectAnswer)
        .unwrap();
    assert_eq!(awaited.by, Some(at("2026-11-25T12:00:00Z")));
    let none = Body::RedirectAnswered {
        outcome: RedirectOutcome::Unanswered,
    };
    refused(&case, &Actor::System, &none, Promise::P8, "still awaited");
    assert!(
        case.may(at("2026-11-25T12:00:00Z"), &Actor::System, &none)
            .is_ok()
    );
    let refusal = Body::RedirectAnswered {
        outcome: RedirectOutcome::Refused,
    };
    assert!(case.may(world.now, &Actor::System, &refusal).is_ok());
}

#[test]
fn p09_a_notice_that_bounced_or_was_unsafe_told_nobody() {
    let world = world();
    let tenant = world.objects[0].account.tenant.clone();
    for failure in [NoticeFailure::Bounced, NoticeFailure::Unsafe] {
        let mut steps = world.steps();
        let failed = Body::NoticeFailed {
            to: NoticeTo::Tenant,
            tenant: tenant.clone(),
            failure,
            what: "the mailbox is gone".into(),
        };
        refused(
            &world.state(&world.steps_to_findings()),
            &Actor::System,
            &failed,
            Promise::P9,
            "no notice to them",
        );
        steps.push(system(failed));
        assert_eq!(owed(&world, &steps), [Owing::Notify]);
        assert!(!world.state(&steps).file().tenant_told(&tenant));
        steps.push(system(Body::Notified {
            to: NoticeTo::Tenant,
            tenant: tenant.clone(),
            how: "registered letter".into(),
            letter: Digest([7; 32]),
            late: false,
        }));
        steps.push(system(Body::NoticeServed {
            to: NoticeTo::Tenant,
            tenant: tenant.clone(),
            how: "return card".into(),
        }));
        assert_eq!(owed(&world, &steps), [Owing::Propose]);
        let case = world.state(&steps);
        assert!(case.file().further().is_served(NoticeTo::Tenant, &tenant));
    }
}
