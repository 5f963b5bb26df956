//! What may be released at all: process, accounts, scope (P5, P6, P13).

use super::*;

#[test]
fn p05_a_subpoena_reaches_no_content() {
    let mut world = world();
    world.demand.instrument = "us.subpoena.grand_jury".parse().unwrap();
    world.demand.requester.kind = casework::demand::AuthorityKind::GrandJury;
    let steps = world.steps();
    refused(present(&mut world, &steps), p(Promise::P5), "`content`");
}

#[test]
fn p05_a_subpoena_narrowed_to_subscriber_data_releases_it() {
    let mut world = world();
    world.demand.instrument = "us.subpoena.grand_jury".parse().unwrap();
    world.demand.requester.kind = casework::demand::AuthorityKind::GrandJury;
    let mut steps = world.steps_to_findings();
    let case = world.state(&steps);
    let scope = Scope {
        categories: vec![Category::Subscriber],
        ..case.scope()
    };
    let settles = case.file().grounds().keys().cloned().collect();
    steps.push(step(
        Actor::System,
        Body::Narrowed {
            scope,
            reason: "agreed by telephone".into(),
            settles,
        },
    ));
    world.assess(&mut steps);
    world.work_off(&mut steps);
    world.categories = vec![Category::Subscriber];
    for object in &mut world.objects {
        object.category = Category::Subscriber;
    }
    present(&mut world, &steps).unwrap_or_else(|refusal| panic!("{refusal}"));
}

#[test]
fn p05_the_assessment_counts_only_while_it_is_current_and_recomputes() {
    let mut world = world();
    let steps = world.steps();
    // Something it rests on changed after it.
    let mut stale = steps.clone();
    let checked = Body::RequesterChecked {
        outcome: RequesterCheck::Confirmed,
        how: "again".into(),
    };
    stale.push(step(Actor::System, checked));
    refused(
        present(&mut world, &stale),
        p(Promise::P5),
        "not applied to the demand as it now stands",
    );
    // It was never made.
    let record = world.record(&steps);
    let none = without(&steps, |body| {
        matches!(body, Body::Assessed { .. } | Body::GroundAnswered { .. })
    });
    let shown = world.show(&none, record);
    refused(ask(&world, shown), p(Promise::P5), "not applied");
    // It says something else than the rulebook.
    for alter in [0, 1] {
        let mut altered = steps.clone();
        for step in &mut altered {
            if let Body::Assessed { assessment } = &mut step.body {
                match alter {
                    0 => assessment.releasable.push(Category::Traffic),
                    _ => assessment
                        .findings
                        .retain(|finding| finding.duty != Some(DutyKind::Redirect)),
                }
            }
        }
        refused(
            present(&mut world, &altered),
            p(Promise::P5),
            "not what the rulebook gives",
        );
    }
    // It is too old.
    let record = world.record(&steps);
    let shown = world.show(
        &steps,
        ReleaseRecord {
            drawn_at: world.now + SignedDuration::from_hours(24 * 40),
            expires_at: world.now + SignedDuration::from_hours(24 * 60),
            ..record
        },
    );
    world.now += SignedDuration::from_hours(24 * 41);
    refused(ask(&world, shown), p(Promise::P5), "as of 2026-11-20");
}

#[test]
fn p05_a_rulebook_that_the_policy_does_not_trust_or_that_is_not_at_hand() {
    let mut world = world();
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(&steps, record);
    let other = TrustPolicy::new(world.docket.policy(), world.reviewers(), [Digest([1; 32])]).unwrap();
    let none = decide(
        shown.clone(),
        &other,
        &[world.rulebook],
        &Memory::default(),
        world.now,
    );
    refused(none, p(Promise::P5), "is not one that the policy trusts");
    let none = decide(shown, &world.policy(), &[], &Memory::default(), world.now);
    refused(none, p(Promise::P5), "is not at hand");
    refused(
        with_record(|record| record.rulebook.digest = Digest([1; 32])),
        p(Promise::P5),
        "trusts",
    );
}

#[test]
fn p06_only_accounts_that_the_demand_names() {
    let bob = || AccountId::new("bob@contoso.example").unwrap();
    refused(
        with_record(|record| record.accounts.clear()),
        p(Promise::P6),
        "names no account",
    );
    refused(
        with_record(|record| {
            record.accounts[0].account = bob();
            record
                .objects
                .iter_mut()
                .for_each(|object| object.account.account = bob());
        }),
        p(Promise::P6),
        "account 1 of the record",
    );
    // A sweep that happens to match one account names none.
    let mut world = world();
    world.demand.subjects =
        serde_json::from_str(r#"[{"type":"selector","kind":"domain","value":"contoso.example"}]"#).unwrap();
    let steps = world.steps();
    refused(
        present(&mut world, &steps),
        p(Promise::P6),
        "account 1 of the record",
    );
}

#[test]
fn p04_nothing_from_after_service_whatever_the_window() {
    let begins = "2026-03-01T00:00:00Z".parse().unwrap();
    for (concerns_at, from_after) in [
        ("2026-11-16T07:00:00Z", false),
        ("2026-11-16T07:00:01Z", true),
        ("2026-11-19T10:00:00Z", true),
    ] {
        let mut world = world();
        world.demand.window = Window::new(begins, "2026-12-31T00:00:00Z".parse().unwrap()).ok();
        world.objects[0].concerns_at = concerns_at.parse().unwrap();
        let steps = world.steps();
        let asked = present(&mut world, &steps);
        if from_after {
            refused(asked, p(Promise::P4), "from after the demand was served");
        } else {
            asked.unwrap();
        }
    }
}

#[test]
fn p13_only_what_the_demand_covers() {
    let later = "2026-08-01T00:00:00Z".parse().unwrap();
    let p13 = p(Promise::P13);
    refused(
        with_record(|r| r.categories.insert(0, Category::Traffic)),
        p13,
        "`Traffic`",
    );
    refused(
        with_record(|r| r.objects[0].concerns_at = later),
        p13,
        "outside the record's dates",
    );
    refused(with_record(|r| r.window = None), p13, "window");
    refused(
        with_record(|r| r.window = Some(Window::new(r.window.unwrap().from, later).unwrap())),
        p13,
        "window reaches beyond",
    );
    refused(
        with_record(|r| r.objects[0].category = Category::Subscriber),
        p13,
        "category that the record",
    );
    refused(
        with_record(|r| r.objects[0].account.account = AccountId::new("bob").unwrap()),
        p13,
        "account and region that the record does not name",
    );
    refused(with_record(|r| r.objects.reverse()), p13, "ascending order");
    refused(
        with_record(|r| r.objects.push(r.objects[1].clone())),
        p13,
        "each once",
    );
    refused(
        with_record(|r| r.accounts.push(r.accounts[0].clone())),
        p13,
        "each once",
    );
    refused(
        with_record(|r| r.categories.push(Category::Content)),
        p13,
        "each once",
    );
    refused(with_record(|r| r.objects.clear()), p13, "names no object");
}

#[test]
fn p13_a_narrowed_scope_stays_narrowed() {
    let mut world = world();
    let mut steps = world.steps_to_findings();
    let from = "2026-01-01T00:00:00Z".parse().unwrap();
    let scope = Scope {
        window: Some(Window::new(from, "2026-03-01T00:00:00Z".parse().unwrap()).unwrap()),
        ..world.state(&steps).scope()
    };
    steps.push(step(
        Actor::System,
        Body::Narrowed {
            scope,
            reason: "agreed".into(),
            settles: vec![],
        },
    ));
    // Looking the subjects up again does not bring back what was cut.
    steps.push(step(
        Actor::System,
        Body::Resolved {
            facts: world.facts.clone(),
        },
    ));
    world.assess(&mut steps);
    world.work_off(&mut steps);
    refused(
        present(&mut world, &steps),
        p(Promise::P13),
        "window reaches beyond",
    );
}

#[test]
fn a_bar_names_its_own_promise() {
    let mut world = world();
    world.demand.categories.push(Category::Realtime);
    world.categories = vec![Category::Realtime];
    world
        .objects
        .iter_mut()
        .for_each(|object| object.category = Category::Realtime);
    let steps = world.steps();
    let bar = world
        .state(&steps)
        .file()
        .judged()
        .unwrap()
        .assessment
        .findings
        .iter()
        .find(|f| f.effect == Effect::Bar && f.categories.contains(&Category::Realtime))
        .unwrap()
        .clone();
    refused(present(&mut world, &steps), p(bar.promise), bar.rule.as_str());
}
