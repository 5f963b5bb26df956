//! The further course of a case: links, snapshots, measures, appeals, notices that failed, emergencies, costs, taking it up again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says so by failing"
)]

mod answers;
mod links;
mod measures;

use casework::{
    case::{Case, NotNow, Step as Owing},
    event::{Actor, Body},
    finding::Promise,
    ids::{CaseId, Digest},
    rulebook::Rulebook,
    testkit::{Step, World, staff},
};
use jiff::Timestamp;
use serde_json::{Value, json};

fn world() -> World {
    World::new(Rulebook::builtin(), 0)
}

/// A world whose demand is this one, laid over the warrant's.
fn asking(with: Value) -> World {
    let mut world = world();
    let mut demand = serde_json::to_value(&world.demand).unwrap();
    for (key, value) in with.as_object().unwrap() {
        match value {
            Value::Null => drop(demand.as_object_mut().unwrap().remove(key)),
            value => drop(demand.as_object_mut().unwrap().insert(key.clone(), value.clone())),
        }
    }
    world.demand = serde_json::from_value(demand).unwrap();
    world
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn system(body: Body) -> Step {
    Step {
        actor: Actor::System,
        body,
    }
}

fn counsel() -> Actor {
    Actor::Counsel(staff("carl"))
}

fn owed(world: &World, steps: &[Step]) -> Vec<Owing> {
    let owed = world.state(steps).owed(world.now);
    owed.into_iter().map(|owed| owed.step).collect()
}

fn refused(case: &Case, actor: &Actor, body: &Body, promise: Promise, says: &str) {
    let NotNow {
        promise: broken,
        reason,
        ..
    } = case.may(at("2026-11-20T12:00:00Z"), actor, body).unwrap_err();
    assert_eq!(broken, promise, "{reason}");
    assert!(reason.contains(says), "{reason}");
}

fn released(world: &mut World) -> Vec<Step> {
    let steps = world.steps();
    let record = world.record(&steps);
    let id = record.id;
    let shown = world.show(&steps, record);
    let mut steps: Vec<Step> = shown
        .events
        .into_iter()
        .map(|event| Step {
            actor: event.header.actor,
            body: event.body,
        })
        .collect();
    steps.push(system(Body::Released {
        record: id,
        package: Digest([4; 32]),
        size: 9,
    }));
    steps.push(system(Body::Delivered {
        record: id,
        how: "portal".into(),
    }));
    steps
}

fn other_case(number: u128) -> CaseId {
    CaseId(uuid::Uuid::from_u128(number))
}
