//! Grounds to object, place and conflicts of law (P11, P12).

use super::*;

/// The ground that the fixture's warrant gives.
fn ground(world: &World) -> RuleId {
    let case = world.state(&world.steps_to_findings());
    case.file()
        .grounds()
        .keys()
        .next()
        .expect("the fixture has a ground")
        .clone()
}

/// Steps with the ground's answer replaced.
fn with_ground_ended(world: &World, how: impl FnOnce(&World, &RuleId, &mut Vec<Step>)) -> Vec<Step> {
    let rule = ground(world);
    let mut steps = without(
        &world.steps(),
        |body| matches!(body, Body::GroundAnswered { ground, .. } if *ground == rule),
    );
    how(world, &rule, &mut steps);
    steps
}

fn decided(outcome: Decision) -> impl Fn(&World, &RuleId, &mut Vec<Step>) {
    move |_, rule, steps| {
        let grounds = vec![rule.clone()];
        steps.push(step(
            Actor::System,
            Body::ObjectionFiled {
                grounds,
                forum: "D. Del.".into(),
                filing: Digest([1; 32]),
            },
        ));
        let grounds = vec![rule.clone()];
        steps.push(step(
            Actor::System,
            Body::ObjectionDecided {
                grounds,
                outcome,
                reference: "26-mj-101".into(),
            },
        ));
    }
}

#[test]
fn p11_each_ground_ends_in_one_of_its_ways() {
    let mut world = world();
    let steps = with_ground_ended(&world, |_, _, _| {});
    refused(
        present(&mut world, &steps),
        p(Promise::P11),
        "nothing was done about the ground",
    );

    let steps = with_ground_ended(&world, |world, rule, steps| {
        let (ground, reason) = (rule.clone(), "not worth it".to_owned());
        let signature = world.counsel_signs(steps, "another.rule", &reason);
        steps.push(step(
            counsel(),
            Body::GroundAnswered {
                ground,
                reason,
                signature,
            },
        ));
    });
    refused(
        present(&mut world, &steps),
        p(Promise::P11),
        "does not bear counsel's signature",
    );

    let steps = with_ground_ended(&world, |_, rule, steps| {
        let grounds = vec![rule.clone()];
        steps.push(step(
            Actor::System,
            Body::ObjectionFiled {
                grounds,
                forum: "D. Del.".into(),
                filing: Digest([1; 32]),
            },
        ));
    });
    refused(present(&mut world, &steps), p(Promise::P11), "is not decided");

    let steps = with_ground_ended(&world, decided(Decision::Lost));
    present(&mut world, &steps).unwrap_or_else(|refusal| panic!("{refusal}"));

    let steps = with_ground_ended(&world, decided(Decision::Won));
    refused(
        present(&mut world, &steps),
        p(Promise::P11),
        "was upheld, and the record releases",
    );
    // Counsel cannot sign a victory away.
    let steps = with_ground_ended(&world, |world, rule, steps| {
        decided(Decision::Won)(world, rule, steps);
        let (ground, reason) = (rule.clone(), "release it anyway".to_owned());
        let signature = world.counsel_signs(steps, rule.as_str(), &reason);
        steps.push(step(
            counsel(),
            Body::GroundAnswered {
                ground,
                reason,
                signature,
            },
        ));
    });
    refused(
        present(&mut world, &steps),
        p(Promise::P11),
        "was upheld, and the record releases",
    );
}

#[test]
fn p11_an_appeal_opens_a_ground_again_until_it_is_decided() {
    let mut world = world();
    let rule = ground(&world);
    let appealed = |steps: &mut Vec<Step>| {
        steps.push(step(
            Actor::System,
            Body::Appealed {
                grounds: vec![rule.clone()],
                by: AppealBy::Provider,
                forum: "3d Cir.".into(),
                filing: Digest([2; 32]),
            },
        ));
    };
    let mut steps = with_ground_ended(&world, decided(Decision::Lost));
    appealed(&mut steps);
    refused(present(&mut world, &steps), p(Promise::P11), "the appeal about");
    let again = Body::ObjectionDecided {
        grounds: vec![rule.clone()],
        outcome: Decision::Lost,
        reference: "26-1234".into(),
    };
    let mut lost = steps.clone();
    lost.push(step(Actor::System, again));
    present(&mut world, &lost).unwrap();
    // Dropped by counsel: the decision stands.
    let reason = "the court of appeal has decided the question elsewhere".to_owned();
    let signature = world.counsel_signs(&steps, rule.as_str(), &reason);
    steps.push(step(
        counsel(),
        Body::GroundAnswered {
            ground: rule.clone(),
            reason,
            signature,
        },
    ));
    present(&mut world, &steps).unwrap();
}

#[test]
fn p11_a_ground_upheld_in_part_is_narrowed_after() {
    let mut world = world();
    let steps = with_ground_ended(&world, decided(Decision::Partly));
    refused(present(&mut world, &steps), p(Promise::P11), "upheld in part");
    let mut narrowed = steps.clone();
    let scope = Scope {
        categories: vec![Category::Content],
        ..world.state(&narrowed).scope()
    };
    let body = Body::Narrowed {
        scope,
        reason: "the court's order".into(),
        settles: vec![],
    };
    narrowed.push(step(Actor::System, body));
    world.assess(&mut narrowed);
    present(&mut world, &narrowed).unwrap_or_else(|refusal| panic!("{refusal}"));
}

#[test]
fn p11_a_narrowing_settles_only_what_the_rulebook_no_longer_finds() {
    let mut world = world();
    // The warrant's want of particularity stays, however little it asks.
    let steps = with_ground_ended(&world, |world, rule, steps| {
        let scope = Scope {
            categories: vec![Category::Content],
            ..world.state(steps).scope()
        };
        let settles = vec![rule.clone()];
        steps.push(step(
            Actor::Requester,
            Body::Narrowed {
                scope,
                reason: "agreed".into(),
                settles,
            },
        ));
        world.assess(steps);
    });
    refused(
        present(&mut world, &steps),
        p(Promise::P11),
        "still finds it on what remains",
    );
}

#[test]
fn p11_a_ground_that_went_away_with_other_facts_must_still_end() {
    let mut world = world();
    let rule = ground(&world);
    let mut steps = without(
        &world.steps(),
        |body| matches!(body, Body::GroundAnswered { ground, .. } if *ground == rule),
    );
    let mut demand = world.demand.clone();
    demand.showing.particularity = true;
    steps.push(step(
        Actor::System,
        Body::Parsed {
            demand: Box::new(demand),
        },
    ));
    steps.push(step(
        Actor::System,
        Body::Resolved {
            facts: world.facts.clone(),
        },
    ));
    steps.push(step(
        Actor::System,
        Body::RequesterChecked {
            outcome: RequesterCheck::Confirmed,
            how: "switchboard".to_owned(),
        },
    ));
    world.assess(&mut steps);
    let last = world.state(&steps);
    assert!(
        last.file()
            .judged()
            .unwrap()
            .assessment
            .findings
            .iter()
            .all(|f| f.rule != rule)
    );
    world.work_off(&mut steps);
    refused(
        present(&mut world, &steps),
        p(Promise::P11),
        "nothing was done about the ground",
    );
}

#[test]
fn p12_data_is_where_it_was_found() {
    let elsewhere = || "eu-de".parse().unwrap();
    refused(
        with_record(|record| {
            record.accounts[0].region = elsewhere();
            record
                .objects
                .iter_mut()
                .for_each(|object| object.account.region = elsewhere());
        }),
        p(Promise::P12),
        "not in region `eu-de`",
    );
}

#[test]
fn p12_a_conflict_of_laws_has_ended() {
    let mut world = world();
    for resolution in &mut world.facts.resolved {
        if let Resolution::One(account) = resolution {
            account.tenant_country = "DE".to_owned().try_into().unwrap();
            account.region_country = "DE".to_owned().try_into().unwrap();
            account.person_country = Some("DE".to_owned().try_into().unwrap());
            account.us_person = Some(false);
        }
    }
    world.facts.controller_consents = Some(true);
    let steps = world.steps();
    present(&mut world, &steps).unwrap_or_else(|refusal| panic!("{refusal}"));
    let file = world.state(&world.steps_to_findings());
    let conflicts: Vec<_> = file
        .file()
        .grounds()
        .iter()
        .filter(|(_, g)| g.promise == Promise::P12)
        .map(|(rule, _)| rule.clone())
        .collect();
    assert!(!conflicts.is_empty());
    let open = without(
        &steps,
        |body| matches!(body, Body::GroundAnswered { ground, .. } if conflicts.contains(ground)),
    );
    refused(
        present(&mut world, &open),
        p(Promise::P12),
        "nothing was done about the ground",
    );
}

#[test]
fn p12_nothing_is_produced_before_its_day_or_without_a_call_back() {
    let mut world = world();
    world.demand = serde_json::from_value(serde_json::json!({
        "schema": "amparo.demand/1", "instrument": "eu.epoc.traffic_content", "reference": "EPOC-1",
        "served_at": "2026-11-16T07:00:00Z",
        "requester": { "authority": "Tribunal judiciaire de Paris", "country": "FR", "kind": "court" },
        "issuer": { "kind": "court", "name": "Tribunal judiciaire de Paris" },
        "issued_on": "2026-11-13",
        "subjects": [{ "type": "account", "value": "alice@contoso.example" }],
        "categories": ["content"],
        "window": { "from": "2026-01-01T00:00:00Z", "until": "2026-07-01T00:00:00Z" },
        "offence": { "provision": "Art. 313-1 CP", "max_sentence_months": 60 },
        "showing": { "signed": true, "statute_named": true, "particularity": true },
        "epoc": { "enforcing_authority_notified": true, "processor_addressed_because": "the controller is suspected" }
    })).unwrap();
    for resolution in &mut world.facts.resolved {
        if let Resolution::One(account) = resolution {
            account.tenant_kind = TenantKind::Enterprise;
            account.tenant_country = "DE".to_owned().try_into().unwrap();
            account.region_country = "DE".to_owned().try_into().unwrap();
        }
    }
    let steps = world.steps();
    let case = world.state(&steps);
    let findings = &case.file().judged().unwrap().assessment.findings;
    let wait = findings
        .iter()
        .filter_map(|f| f.clock.as_ref())
        .find(|clock| clock.kind == ClockKind::NotBefore);
    let until = wait.expect("a notified EPOC is held until its tenth day").at;
    match present(&mut world, &steps) {
        Err(refusal) => assert!(refusal.reason.contains("before"), "{refusal}"),
        Ok(_) => panic!("was produced before {until}"),
    }
}
