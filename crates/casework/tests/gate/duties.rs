//! What is owed before a release: reviews, redirect, notice, gags (P7 to P10).

use super::*;

#[test]
fn p07_two_different_people_sign_this_very_record() {
    let says = "1 reviewer(s) count";
    for signers in [
        vec!["rita", "intake"],
        vec!["rita", "carl"],
        vec!["rita", "nobody"],
    ] {
        let mut world = world();
        world.signers = signers;
        let steps = world.steps();
        refused(present(&mut world, &steps), p(Promise::P7), says);
    }
    // One reviewer twice, or one alone: the docket step was not even allowed.
    for signers in [vec!["rita", "rita"], vec!["rita"], vec![]] {
        let mut world = world();
        world.signers = signers;
        let steps = world.steps();
        refused(
            present(&mut world, &steps),
            p(Promise::P7),
            "does not wait for the docket",
        );
    }
    // A signature over another record.
    let mut world = world();
    let steps = world.steps();
    let record = world.record(&steps);
    let digest = record.digest().unwrap();
    let shown = world.show_signed(&steps, record, &[("rita", digest), ("raj", Digest([3; 32]))]);
    refused(ask(&world, shown), p(Promise::P7), says);
}

#[test]
fn p07_two_names_with_one_key_are_one_person() {
    let mut world = world();
    let steps = world.steps();
    let record = world.record(&steps);
    let digest = record.digest().unwrap();
    let mut reviewers = world.reviewers();
    let key = reviewers.keys[&staff("rita")];
    reviewers.keys.insert(staff("raj"), key);
    let policy = TrustPolicy::new(world.docket.policy(), reviewers, [world.rulebook.digest()]).unwrap();
    let shown = world.show_signed(&steps, record, &[("rita", digest), ("raj", digest)]);
    let result = decide(shown, &policy, &[world.rulebook], &Memory::default(), world.now);
    refused(result, p(Promise::P7), "1 reviewer(s)");
}

#[test]
fn p07_whoever_typed_the_demand_in_does_not_review_it() {
    let mut world = world();
    let mut steps = world.steps();
    steps[1].actor = Actor::Staff(staff("rita"));
    refused(present(&mut world, &steps), p(Promise::P7), "1 reviewer(s)");
}

#[test]
fn p08_the_requester_was_redirected_before_the_record_was_drawn_up() {
    let mut world = world();
    let steps = world.steps();
    let silent = without(&steps, |body| {
        matches!(body, Body::Redirected { .. } | Body::RedirectAnswered { .. })
    });
    refused(present(&mut world, &silent), p(Promise::P8), "none was tried");
    let unanswered = without(&steps, |body| matches!(body, Body::RedirectAnswered { .. }));
    refused(
        present(&mut world, &unanswered),
        p(Promise::P8),
        "was not answered",
    );
    let mut accepted = steps.clone();
    for step in &mut accepted {
        if let Body::RedirectAnswered { outcome } = &mut step.body {
            *outcome = RedirectOutcome::Accepted;
        }
    }
    refused(
        present(&mut world, &accepted),
        p(Promise::P8),
        "goes to the customer",
    );

    let reason = "the customer is the suspect".to_owned();
    let bar = |signature| {
        let mut steps = silent.clone();
        steps.push(step(
            counsel(),
            Body::RedirectBarred {
                reason: reason.clone(),
                signature,
            },
        ));
        steps
    };
    let signed = bar(world.counsel_signs(&world.steps(), "redirect", &reason));
    present(&mut world, &signed).unwrap_or_else(|refusal| panic!("{refusal}"));
    for wrong in ["redirect, too", "gag"] {
        let steps = bar(world.counsel_signs(&world.steps(), wrong, &reason));
        refused(present(&mut world, &steps), p(Promise::P8), "counsel's signature");
    }
}

#[test]
fn p09_the_customer_is_told_before_anything_is_released() {
    let mut world = world();
    let steps = without(&world.steps(), |body| matches!(body, Body::Notified { .. }));
    refused(
        present(&mut world, &steps),
        p(Promise::P9),
        "`contoso` was not told",
    );
    // A bar that no gag supports.
    let mut barred = steps;
    let (to, tenant) = (NoticeTo::Tenant, world.objects[0].account.tenant.clone());
    let rule = "us.gag.2705b".parse().unwrap();
    barred.push(step(Actor::System, Body::NoticeBarred { to, tenant, rule }));
    refused(
        present(&mut world, &barred),
        p(Promise::P9),
        "no prohibition in force",
    );
}

#[test]
fn p09_a_gag_bars_notice_only_while_it_stands() {
    let mut world = world();
    world.demand.gag = Some(World::gag(Some("2027-03-01")));
    let steps = world.steps();
    assert!(
        steps
            .iter()
            .any(|step| matches!(step.body, Body::NoticeBarred { .. }))
    );
    let admitted = present(&mut world, &steps).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert!(
        admitted.kept().sentences()[4]
            .1
            .contains("1 kept from being told")
    );

    // The bar was not recorded.
    let silent = without(&steps, |body| matches!(body, Body::NoticeBarred { .. }));
    refused(present(&mut world, &silent), p(Promise::P9), "was not recorded");
    // Its end was recorded.
    let mut ended = steps.clone();
    ended.push(step(
        Actor::System,
        Body::GagEnded {
            reason: "vacated".into(),
            gag: None,
        },
    ));
    refused(
        present(&mut world, &ended),
        p(Promise::P9),
        "no prohibition in force",
    );
    // A court struck it down.
    let mut won = steps.clone();
    won.push(step(
        Actor::System,
        Body::GagObjected {
            forum: "D. Del.".into(),
            filing: Digest([1; 32]),
            gag: None,
        },
    ));
    won.push(step(
        Actor::System,
        Body::GagDecided {
            outcome: Decision::Won,
            until: None,
            gag: None,
        },
    ));
    refused(
        present(&mut world, &won),
        p(Promise::P9),
        "no prohibition in force",
    );
    // A court shortened it to a day that has passed.
    let mut shortened = steps.clone();
    shortened.push(step(
        Actor::System,
        Body::GagObjected {
            forum: "D. Del.".into(),
            filing: Digest([1; 32]),
            gag: None,
        },
    ));
    let until = Some("2026-11-18".parse().unwrap());
    shortened.push(step(
        Actor::System,
        Body::GagDecided {
            outcome: Decision::Partly,
            until,
            gag: None,
        },
    ));
    refused(
        present(&mut world, &shortened),
        p(Promise::P9),
        "no prohibition in force",
    );
}

#[test]
fn p09_a_gag_that_ran_out_bars_nothing() {
    let mut world = world();
    world.demand.gag = Some(World::gag(Some("2026-11-21")));
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(
        &steps,
        ReleaseRecord {
            expires_at: world.now + SignedDuration::from_hours(60),
            ..record
        },
    );
    ask(&world, shown.clone()).unwrap_or_else(|refusal| panic!("{refusal}"));
    world.now += SignedDuration::from_hours(48);
    refused(ask(&world, shown), p(Promise::P9), "no prohibition in force");
}

#[test]
fn p09_a_gag_without_authority_or_for_somebody_else_bars_nothing() {
    let plain = World::gag(Some("2027-03-01"));
    let mut no_basis = plain.clone();
    no_basis.basis = None;
    let mut no_court = plain.clone();
    no_court.court_ordered = false;
    let mut only_person = plain;
    only_person.forbids = vec![NoticeTo::Person];
    for gag in [no_basis, no_court, only_person] {
        let mut world = world();
        world.demand.gag = Some(gag.clone());
        let mut steps = without(&world.steps(), |body| matches!(body, Body::Notified { .. }));
        let tenant = world.objects[0].account.tenant.clone();
        let rule = "us.gag.2705b".parse().unwrap();
        steps.push(step(
            Actor::System,
            Body::NoticeBarred {
                to: NoticeTo::Tenant,
                tenant,
                rule,
            },
        ));
        refused(
            present(&mut world, &steps),
            p(Promise::P9),
            "no prohibition in force",
        );
    }
}

#[test]
fn p10_each_gag_is_objected_to_or_answered_by_counsel() {
    let mut world = world();
    world.demand.gag = Some(World::gag(Some("2027-03-01")));
    let steps = world.steps();
    let silent = without(&steps, |body| matches!(body, Body::GagUnopposed { .. }));
    refused(
        present(&mut world, &silent),
        p(Promise::P10),
        "nothing was done about the gag of event 1",
    );
    let mut forged = silent.clone();
    let reason = "no ground".to_owned();
    let signature = world.counsel_signs(&silent, "gag", "another reason");
    forged.push(step(counsel(), Body::GagUnopposed { reason, signature }));
    refused(
        present(&mut world, &forged),
        p(Promise::P10),
        "does not bear counsel's signature",
    );
    let mut objected = silent;
    objected.push(step(
        Actor::System,
        Body::GagObjected {
            forum: "D. Del.".into(),
            filing: Digest([1; 32]),
            gag: None,
        },
    ));
    present(&mut world, &objected).unwrap_or_else(|refusal| panic!("{refusal}"));
    // A second gag needs an answer of its own.
    let mut second = steps;
    second.push(step(
        Actor::System,
        Body::GagRecorded {
            gag: World::gag(Some("2027-06-01")),
            document: Some(Digest([8; 32])),
        },
    ));
    world.assess(&mut second);
    refused(
        present(&mut world, &second),
        p(Promise::P10),
        "nothing was done about the gag",
    );
}

#[test]
fn p10_a_ground_against_a_gag_has_ended() {
    let mut world = world();
    world.demand.gag = Some(World::gag(None));
    let steps = world.steps();
    present(&mut world, &steps).unwrap_or_else(|refusal| panic!("{refusal}"));
    let open = without(
        &steps,
        |body| matches!(body, Body::GroundAnswered { ground, .. } if ground.as_str().contains("gag")),
    );
    assert!(open.len() < steps.len());
    refused(
        present(&mut world, &open),
        p(Promise::P10),
        "nothing was done about the ground",
    );
}
