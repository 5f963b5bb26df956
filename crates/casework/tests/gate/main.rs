//! A case in which every promise is kept is admitted; with one thing broken it is refused, naming that promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by stopping"
)]

use casework::{
    demand::{Category, NoticeTo, Window},
    event::{Actor, AppealBy, Body, Decision, RedirectOutcome, Scope},
    facts::{RequesterCheck, Resolution, TenantKind},
    finding::{ClockKind, DutyKind, Effect, Promise},
    gate::{Admitted, Breach, Memory, Refusal, Shown, TrustPolicy, decide},
    ids::{AccountId, Digest, ObjectId, RuleId},
    record::ReleaseRecord,
    rulebook::Rulebook,
    testkit::{Step, World, staff},
};
use jiff::SignedDuration;

mod anew;
mod duties;
mod grounds;
mod law;
mod moved;
mod whole;

fn world() -> World {
    World::new(Rulebook::builtin(), 5)
}

fn ask(world: &World, shown: Shown) -> Result<Admitted, Refusal> {
    ask_with(world, shown, &Memory::default())
}

fn ask_with(world: &World, shown: Shown, memory: &Memory) -> Result<Admitted, Refusal> {
    decide(shown, &world.policy(), &[world.rulebook], memory, world.now)
}

/// Steps as they are, record drawn up on them, signed and logged.
fn present(world: &mut World, steps: &[Step]) -> Result<Admitted, Refusal> {
    let record = world.record(steps);
    let shown = world.show(steps, record);
    ask(world, shown)
}

fn with_record(alter: impl Fn(&mut ReleaseRecord)) -> Result<Admitted, Refusal> {
    let mut world = world();
    let steps = world.steps();
    let mut record = world.record(&steps);
    alter(&mut record);
    let shown = world.show(&steps, record);
    ask(&world, shown)
}

#[track_caller]
fn refused(result: Result<Admitted, Refusal>, breach: Breach, says: &str) {
    match result {
        Ok(_) => panic!("was admitted; `{says}` should have been refused"),
        Err(refusal) => {
            assert_eq!(refusal.breach, breach, "{refusal}");
            assert!(refusal.reason.contains(says), "`{says}` is not in: {refusal}");
        }
    }
}

const fn p(promise: Promise) -> Breach {
    Breach::Promise(promise)
}

fn without(steps: &[Step], drop: impl Fn(&Body) -> bool) -> Vec<Step> {
    steps.iter().filter(|step| !drop(&step.body)).cloned().collect()
}

fn step(actor: Actor, body: Body) -> Step {
    Step { actor, body }
}

fn counsel() -> Actor {
    Actor::Counsel(staff("carl"))
}
