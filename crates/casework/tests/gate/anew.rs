//! What was done about one demand or gag counts for no other (P8, P9, P10), and who is not concerned is not told.

use casework::{case::Case, ids::TenantId};

use super::*;

/// The world's case, every duty done, and then its demand read anew as another authority's.
fn read_anew(world: &mut World) -> Vec<Step> {
    let mut steps = world.steps();
    world.demand.requester.authority = "Totally Different Agency".to_owned();
    steps.push(step(
        Actor::Staff(staff("intake")),
        Body::Parsed {
            demand: Box::new(world.demand.clone()),
        },
    ));
    steps.push(step(
        Actor::Staff(staff("intake")),
        Body::Resolved {
            facts: world.facts.clone(),
        },
    ));
    world.assess(&mut steps);
    steps
}

#[test]
fn p09_a_demand_read_anew_inherits_no_call_back_redirect_notice_or_answer() {
    let mut world = world();
    let steps = read_anew(&mut world);
    let case = world.state(&steps);
    let file = case.file();
    assert_eq!(file.requester(), RequesterCheck::Unchecked);
    assert!(file.notices().is_empty() && file.notice_bars().is_empty());
    assert!(file.redirect().asked.is_none() && file.redirect().answered.is_none());
    for (rule, course) in file.grounds() {
        let done = course.filed.is_some() || course.decided.is_some() || !course.answers.is_empty();
        assert!(!done, "{rule}");
    }
    assert!(present(&mut world, &steps).is_err());
    // What is done about the new one counts.
    let mut again = steps;
    again.push(step(
        Actor::Staff(staff("intake")),
        Body::RequesterChecked {
            outcome: RequesterCheck::Confirmed,
            how: "switchboard".to_owned(),
        },
    ));
    again.push(step(
        Actor::Staff(staff("intake")),
        Body::Resolved {
            facts: world.facts.clone(),
        },
    ));
    world.assess(&mut again);
    world.work_off(&mut again);
    present(&mut world, &again).unwrap_or_else(|refusal| panic!("{refusal}"));
}

#[test]
fn p10_a_signature_on_one_gag_does_not_answer_the_next() {
    let mut world = world();
    world.demand.gag = Some(World::gag(Some("2027-03-01")));
    let steps = world.steps();
    present(&mut world, &steps).unwrap_or_else(|refusal| panic!("{refusal}"));
    let answer = steps
        .iter()
        .find(|step| matches!(step.body, Body::GagUnopposed { .. }))
        .unwrap()
        .clone();
    let mut replayed = steps;
    let gag = World::gag(Some("2028-03-01"));
    replayed.push(step(
        Actor::Staff(staff("intake")),
        Body::GagRecorded {
            gag,
            document: Some(Digest([8; 32])),
        },
    ));
    replayed.push(answer);
    world.assess(&mut replayed);
    refused(
        present(&mut world, &replayed),
        p(Promise::P10),
        "does not bear counsel's signature",
    );
}

#[test]
fn p11_a_signature_on_one_demand_does_not_answer_the_next() {
    let mut world = world();
    world.demand.categories = [Category::Subscriber, Category::Content].into();
    world.demand.items.clear();
    let mut before = world.steps_to_findings();
    world.work_off(&mut before);
    let answers: Vec<_> = before
        .iter()
        .filter(|step| matches!(step.body, Body::GroundAnswered { .. }))
        .cloned()
        .collect();
    assert!(!answers.is_empty());
    let mut after = read_anew(&mut world);
    after.extend(answers);
    let case: Case = world.state(&after);
    let reviewers = world.reviewers();
    for (rule, course) in case.file().grounds() {
        for answer in &course.answers {
            assert!(
                !reviewers.counsel_signed(case.file().id(), rule.as_str(), answer),
                "{rule}"
            );
        }
    }
}

#[test]
fn p09_a_customer_whom_the_demand_does_not_concern_is_not_told() {
    let world = world();
    let case = world.state(&world.steps_to_findings());
    for tenant in ["fabrikam", "nobody"] {
        let tenant = TenantId::new(tenant).unwrap();
        let told = Body::Notified {
            to: NoticeTo::Tenant,
            tenant: tenant.clone(),
            how: "letter".to_owned(),
            letter: Digest([6; 32]),
            late: false,
        };
        let refusal = case.may(world.now, &Actor::System, &told).unwrap_err();
        assert_eq!(refusal.promise, Promise::P9, "{refusal}");
        assert!(refusal.reason.contains(tenant.as_str()), "{refusal}");
    }
}

#[test]
fn p10_a_decision_on_a_gag_shortens_it_to_a_day_to_come() {
    let mut world = world();
    world.demand.gag = Some(World::gag(Some("2027-03-01")));
    let mut steps = world.steps_to_findings();
    steps.push(step(
        Actor::System,
        Body::GagObjected {
            forum: "D. Del.".into(),
            filing: Digest([1; 32]),
            gag: None,
        },
    ));
    let case = world.state(&steps);
    let decided = |outcome, until: &str| Body::GagDecided {
        outcome,
        until: Some(until.parse().unwrap()),
        gag: None,
    };
    let may = |body: Body| case.may(world.now, &Actor::System, &body);
    may(decided(Decision::Partly, "2027-01-15")).unwrap();
    for (outcome, until) in [
        (Decision::Partly, "2020-01-01"),
        (Decision::Partly, "2030-01-01"),
        (Decision::Lost, "2027-01-15"),
        (Decision::Won, "2027-01-15"),
    ] {
        let refusal = may(decided(outcome, until)).unwrap_err();
        assert_eq!(refusal.promise, Promise::P10, "{outcome:?} {until}: {refusal}");
    }
}
