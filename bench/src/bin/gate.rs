//! The gate's decision on a case of 100 events at a log of a million entries: median and 99th percentile, and their
//! ratio to the limit of 2 ms.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use casework::{
    event::{Actor, Body},
    gate::{Memory, decide},
    rulebook::Rulebook,
    testkit::{Step, World},
};

const ROUNDS: usize = 2_000;
const EVENTS: usize = 100;
/// Events that proposing, two approvals and logging add.
const RELEASING: usize = 4;
const LOG_ENTRIES: u64 = 1_000_000;
const LIMIT: Duration = Duration::from_millis(2);

fn main() -> anyhow::Result<()> {
    let mut world = World::new(Rulebook::builtin(), LOG_ENTRIES);
    let mut steps = world.steps();
    steps.resize_with(EVENTS - RELEASING, || Step {
        actor: Actor::System,
        body: Body::Note {
            text: "called the court".to_owned(),
        },
    });
    let record = world.record(&steps);
    let shown = world.show(&steps, record);
    ensure!(
        shown.events.len() == EVENTS,
        "the case has {} events",
        shown.events.len()
    );
    let policy = world.policy();
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let shown = shown.clone();
        let started = Instant::now();
        let decided = decide(shown, &policy, &[world.rulebook], &Memory::default(), world.now);
        times.push(started.elapsed());
        decided.context("the gate refused what it should admit")?;
    }
    times.sort_unstable();
    let at = |share: usize| times.get(ROUNDS * share / 100).copied().unwrap_or_default();
    let ratio = |time: Duration| time.as_secs_f64() / LIMIT.as_secs_f64();
    writeln!(
        std::io::stdout().lock(),
        "{EVENTS} events, {LOG_ENTRIES} entries: median {:?} ({:.2} of the limit), p99 {:?} ({:.2} of the limit)",
        at(50),
        ratio(at(50)),
        at(99),
        ratio(at(99))
    )?;
    Ok(())
}
