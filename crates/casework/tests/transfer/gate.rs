//! What the gate admits, and what it refuses: chains that were altered, records that were not signed or logged.

use casework::{
    event::Actor,
    finding::Promise,
    gate::{Breach, Memory, Refusal},
    ids::Digest,
    rulebook::Rulebook,
    testkit::{TransferWorld, staff},
    transfer::{AdmittedTransfer, ShownTransfer, TransferBody, TransferChain, TransferRecord, admit},
};
use jiff::SignedDuration;

fn world() -> TransferWorld {
    TransferWorld::new(Rulebook::builtin())
}

fn ask(world: &TransferWorld, shown: ShownTransfer) -> Result<AdmittedTransfer, Refusal> {
    admit(
        shown,
        &world.policy(),
        &[world.rulebook],
        &Memory::default(),
        world.now,
    )
}

fn run(world: &mut TransferWorld) -> (TransferChain, TransferRecord, ShownTransfer) {
    let mut chain = world.chain();
    let record = world.record(&chain);
    let shown = world.run(&mut chain, &record);
    (chain, record, shown)
}

#[track_caller]
fn refused(result: Result<AdmittedTransfer, Refusal>, breach: Breach, says: &str) {
    match result {
        Ok(_) => panic!("was admitted; `{says}` should have been refused"),
        Err(refusal) => {
            assert_eq!(refusal.breach, breach, "{refusal}");
            assert!(refusal.reason.contains(says), "`{says}` is not in: {refusal}");
        }
    }
}

const P19: Breach = Breach::Promise(Promise::P19);
const P14: Breach = Breach::Promise(Promise::P14);

#[test]
fn p19_a_based_approved_and_logged_transfer_is_admitted_as_often_as_it_needs() {
    let mut world = world();
    let (.., shown) = run(&mut world);
    let admitted = ask(&world, shown.clone()).unwrap();
    assert_eq!(admitted.based().transfer(), world.id);
    // A second batch, of a record that the gate has seen.
    let remembered = Memory {
        used: true,
        seen: Some(admitted.remember().seen),
        ..Memory::default()
    };
    admit(shown, &world.policy(), &[world.rulebook], &remembered, world.now).unwrap();
}

#[test]
fn p19_without_a_basis_on_that_day_nothing_moves() {
    let mut world = world();
    world.opening.importer.shown.clear();
    let (.., shown) = run(&mut world);
    refused(ask(&world, shown), P19, "eu.transfer.outside_scope");
}

#[test]
fn p19_the_basis_is_judged_on_the_day_of_moving_not_of_signing() {
    let mut world = world().between("DE", "GB");
    world.bases = vec![TransferWorld::adequacy("eu.adequacy.gb")];
    world.now = "2031-12-27T20:00:00Z".parse().unwrap();
    let (.., shown) = run(&mut world);
    ask(&world, shown.clone()).unwrap();
    world.now += SignedDuration::from_hours(5);
    refused(ask(&world, shown), P19, "eu.transfer.not_in_force");
}

#[test]
fn p19_a_record_that_is_not_in_the_docket_moves_nothing() {
    let mut world = world();
    let (chain, record, _) = run(&mut world);
    // The receipt of another entry.
    let salt = translog::entry::Salt([8; 32]);
    let mut other = record.clone();
    other.id = casework::ids::RecordId(uuid::Uuid::from_u128(99));
    let index = world.docket.log(&other, &salt);
    let mut shown = world.show(&chain, &other, &salt, index);
    shown.record = record;
    refused(ask(&world, shown), Breach::Invariant(2), "another entry");
}

#[test]
fn p19_witnesses_and_expiry() {
    let mut world = world();
    world.witnesses = 1;
    let (.., shown) = run(&mut world);
    refused(ask(&world, shown), Breach::Invariant(4), "quorum");
    let mut world = self::world();
    let (.., shown) = run(&mut world);
    world.now += SignedDuration::from_hours(25);
    refused(ask(&world, shown), P19, "expired");
}

#[test]
fn p19_two_people_approve_and_neither_opened_it() {
    // The order of events refuses the opener's name; here the opener's key signs under another.
    let mut world = world();
    let (.., mut shown) = run(&mut world);
    let forged = TransferWorld::signature("olga", &shown.record);
    for event in &mut shown.events {
        if let TransferBody::Approved { signature, .. } = &mut event.body {
            signature.clone_from(&forged);
        }
    }
    relink(&mut shown);
    refused(ask(&world, shown), P19, "two are needed");

    let mut chain = world.chain();
    let record = world.record(&chain);
    let drawn = Box::new(record.clone());
    let olga = Actor::Staff(staff("olga"));
    chain
        .append(
            world.now,
            olga.clone(),
            Digest([4; 32]),
            TransferBody::Proposed { record: drawn },
        )
        .unwrap();
    let own = TransferBody::Approved {
        record: record.id,
        reviewer: staff("olga"),
        signature: TransferWorld::signature("olga", &record),
    };
    let error = chain.append(world.now, olga, Digest([4; 32]), own).unwrap_err();
    assert!(error.to_string().contains("opened the transfer"), "{error}");
}

#[test]
fn p19_a_chain_that_was_altered_cut_or_reordered_is_refused() {
    let mut world = world();
    let (chain, .., shown) = run(&mut world);

    let mut altered = shown.clone();
    if let TransferBody::Opened { opening } = &mut altered.events[0].body {
        opening.to.country = "FR".to_owned().try_into().unwrap();
    }
    refused(ask(&world, altered), P14, "not what its header commits to");

    let mut swapped = shown.clone();
    swapped.events.swap(1, 2);
    refused(ask(&world, swapped), P14, "carries number");

    let mut dropped = shown.clone();
    dropped.events.remove(1);
    refused(ask(&world, dropped), P14, "carries number");

    // Altered and hashed anew: then the record signed is of another chain.
    let mut relinked = shown.clone();
    if let TransferBody::Opened { opening } = &mut relinked.events[0].body {
        opening.to.country = "FR".to_owned().try_into().unwrap();
    }
    relink(&mut relinked);
    refused(ask(&world, relinked), P19, "the record differs");

    // Cut off at the end: the gate remembers how far it had come.
    let memory = Memory {
        seen: Some((chain.length() + 1, Digest([7; 32]))),
        ..Memory::default()
    };
    let result = admit(shown, &world.policy(), &[world.rulebook], &memory, world.now);
    refused(result, P14, "not a continuation");
}

#[test]
fn p19_a_stopped_or_lapsed_transfer_moves_no_more() {
    for lapsed in [false, true] {
        let mut world = world();
        let (mut chain, record, shown) = run(&mut world);
        let (actor, body) = if lapsed {
            let body = TransferBody::Lapsed {
                rules: Vec::new(),
                explanation: "annulled".to_owned(),
            };
            (Actor::System, body)
        } else {
            let reason = "the customer asked".to_owned();
            (Actor::Staff(staff("rita")), TransferBody::Stopped { reason })
        };
        chain.append(world.now, actor, Digest([5; 32]), body).unwrap();
        let mut after = world.show(&chain, &record, &shown.salt, 5);
        after.receipt = shown.receipt;
        refused(ask(&world, after), P19, "not moving on this record");
    }
}

/// Hashes the whole chain anew, as whoever controls the database could.
fn relink(shown: &mut ShownTransfer) {
    let mut prev = casework::chain::GENESIS;
    for event in &mut shown.events {
        event.header.prev = prev;
        event.header.body = casework::event::body_commitment(&event.salt, &event.body).unwrap();
        prev = event.header.hash().unwrap();
    }
}
