//! Data that moved: nothing of an account is left out because it lies elsewhere than it was found (P12).

use casework::{facts::DataPlace, gate::Moved, record::AccountRef};
use jiff::Timestamp;

use super::*;

const ELSEWHERE: &str = "us-west";

fn shown(world: &mut World) -> Shown {
    let steps = world.steps();
    let record = world.record(&steps);
    world.show(&steps, record)
}

/// What the gate remembers: keys of the record's account went there at that time.
fn went(shown: &Shown, region: &str, at: Timestamp) -> Memory {
    let mut to: AccountRef = shown.record.accounts[0].clone();
    to.region = region.parse().unwrap();
    Memory {
        moved: vec![Moved { to, at }],
        ..Memory::default()
    }
}

fn looked_up(shown: &Shown) -> Timestamp {
    let is = |body: &Body| matches!(body, Body::Resolved { .. });
    shown
        .events
        .iter()
        .rev()
        .find(|event| is(&event.body))
        .unwrap()
        .header
        .at
}

fn found(world: &mut World) -> &mut casework::facts::AccountFacts {
    match &mut world.facts.resolved[0] {
        Resolution::One(found) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn p12_a_release_is_refused_where_the_gate_took_data_elsewhere_since_the_look_up() {
    let mut world = world();
    let shown = shown(&mut world);
    let hour = SignedDuration::from_hours(1);
    let at = looked_up(&shown);
    let after = went(&shown, ELSEWHERE, at + hour);
    refused(
        ask_with(&world, shown.clone(), &after),
        p(Promise::P12),
        "came to lie in region `us-west`",
    );
    // Before: the look-up saw where it was by then.
    ask_with(&world, shown.clone(), &went(&shown, ELSEWHERE, at - hour)).unwrap();
    // Of somebody else.
    let mut other = after;
    other.moved[0].to.account = "somebody@else.example".parse().unwrap();
    ask_with(&world, shown, &other).unwrap();
}

#[test]
fn p12_what_is_learned_later_does_not_make_a_look_up_newer() {
    let mut world = world();
    world.facts.looked_up_at = Some("2026-11-16T07:30:00Z".parse().unwrap());
    let shown = shown(&mut world);
    let between = went(&shown, ELSEWHERE, "2026-11-16T07:45:00Z".parse().unwrap());
    assert!(between.moved[0].at < looked_up(&shown));
    refused(
        ask_with(&world, shown, &between),
        p(Promise::P12),
        "since the accounts were looked up",
    );
}

#[test]
fn p12_a_record_names_every_region_in_which_an_account_was_found() {
    let place = || DataPlace {
        region: ELSEWHERE.parse().unwrap(),
        country: casework::demand::CountryCode::new("US").unwrap(),
    };
    let mut whole = world();
    found(&mut whole).also_in.push(place());
    let partial = shown(&mut whole);
    let after = went(
        &partial,
        ELSEWHERE,
        looked_up(&partial) + SignedDuration::from_hours(1),
    );
    refused(
        ask(&whole, partial),
        p(Promise::P12),
        "found in region `us-west`, too",
    );
    // Named, though nothing lies there; and what moved there since is named or was not in the record.
    let steps = whole.steps();
    let mut record = whole.record(&steps);
    let mut there = record.accounts[0].clone();
    there.region = ELSEWHERE.parse().unwrap();
    record.accounts.push(there);
    record.accounts.sort();
    let both = whole.show(&steps, record);
    ask_with(&whole, both, &after).unwrap();
    // Left out on purpose, and said so.
    let mut chosen = world();
    found(&mut chosen).left_out.push(ELSEWHERE.parse().unwrap());
    let one = shown(&mut chosen);
    ask_with(&chosen, one, &after).unwrap();
}
