//! Copies: the same chain and the same law as a move, and an end of their own.

use casework::{
    event::Actor,
    ids::Digest,
    rulebook::Rulebook,
    testkit::{TransferWorld, staff},
    transfer::{
        Hanging, Mode, Outcome, Stage, TransferBody, TransferChain, TransferRecord, admit, judge, register,
    },
};
use jiff::Timestamp;

fn world() -> TransferWorld {
    let mut world = TransferWorld::new(Rulebook::builtin());
    world.opening.mode = Mode::Copy;
    world
}

fn append(chain: &mut TransferChain, at: Timestamp, actor: Actor, body: TransferBody) -> Result<(), String> {
    chain
        .append(at, actor, Digest([5; 32]), body)
        .map(|_| ())
        .map_err(|refused| refused.to_string())
}

fn withdrawn() -> TransferBody {
    TransferBody::Withdrawn {
        reason: "the decision ended".to_owned(),
    }
}

fn removed(at: Timestamp) -> TransferBody {
    TransferBody::CopyRemoved {
        objects: 2,
        bytes: 20,
        removed_at: at,
    }
}

#[test]
fn p19_a_copy_needs_what_a_move_needs_and_its_record_says_that_it_is_one() {
    let mut copying = world();
    let mut chain = copying.chain();
    let record = copying.record(&chain);
    let shown = copying.run(&mut chain, &record);
    let (policy, memory) = (copying.policy(), casework::gate::Memory::default());
    let admitted = admit(shown.clone(), &policy, &[copying.rulebook], &memory, copying.now).unwrap();
    assert_eq!(admitted.record().mode, Mode::Copy);

    // What was signed as a copy is not moved on: the signatures are over the word.
    let mut altered = shown;
    altered.record.mode = Mode::Move;
    admit(altered, &policy, &[copying.rulebook], &memory, copying.now).unwrap_err();

    // Without a basis, no copy either.
    let mut bare = world();
    bare.bases = Vec::new();
    let today = "2026-11-20".parse().unwrap();
    let verdict = judge(bare.chain().matter(), bare.rulebook, &bare.reviewers(), today);
    assert_eq!(verdict.outcome, Outcome::Barred);
}

/// What was recorded before there were copies reads as a move, and keeps its digest.
#[test]
fn what_says_nothing_moves() {
    let world = TransferWorld::new(Rulebook::builtin());
    let record = world.record(&world.chain());
    let text = serde_json::to_string(&record).unwrap();
    assert!(!text.contains("mode"), "{text}");
    let read: TransferRecord = serde_json::from_str(&text).unwrap();
    assert_eq!(read.mode, Mode::Move);
    assert_eq!(read.digest().unwrap(), record.digest().unwrap());
}

#[test]
fn p19_a_copy_is_given_up_by_a_person_and_ends_when_it_is_deleted() {
    let mut copying = world();
    let mut chain = copying.chain();
    let olga = || Actor::Staff(staff("olga"));
    let now = copying.now;
    let early = append(&mut chain, now, olga(), withdrawn()).unwrap_err();
    assert!(early.contains("nothing was copied"), "{early}");
    let record = copying.record(&chain);
    copying.run(&mut chain, &record);
    append(&mut chain, now, Actor::System, withdrawn()).unwrap_err();
    append(&mut chain, now, Actor::System, removed(now)).unwrap_err();
    append(&mut chain, now, olga(), withdrawn()).unwrap();
    assert_eq!(chain.matter().stage(), Stage::Withdrawing);
    // Nothing is copied any more, and no basis brings it back; that one ended may be noted.
    let started = TransferBody::Started { objects: 1, bytes: 1 };
    let refused = append(&mut chain, now, olga(), started).unwrap_err();
    assert!(refused.contains("the copy was given up"), "{refused}");
    let bases = vec![TransferWorld::adequacy("eu.adequacy.us.dpf")];
    append(&mut chain, now, olga(), TransferBody::BasisStated { bases }).unwrap_err();
    let lapsed = TransferBody::Lapsed {
        rules: Vec::new(),
        explanation: "it ended".to_owned(),
    };
    append(&mut chain, now, Actor::System, lapsed).unwrap();
    assert_eq!(chain.matter().stage(), Stage::Withdrawing);
    append(&mut chain, now, olga(), removed(now)).unwrap_err();
    append(&mut chain, now, Actor::System, removed(now)).unwrap();
    assert_eq!(chain.matter().stage(), Stage::Withdrawn);
    append(&mut chain, now, olga(), withdrawn()).unwrap_err();
}

#[test]
fn p19_what_moved_is_not_withdrawn() {
    let mut moving = TransferWorld::new(Rulebook::builtin());
    let mut chain = moving.chain();
    let record = moving.record(&chain);
    moving.run(&mut chain, &record);
    let refused = append(&mut chain, moving.now, Actor::Staff(staff("olga")), withdrawn()).unwrap_err();
    assert!(refused.contains("no original elsewhere"), "{refused}");
}

#[test]
fn p19_the_register_names_a_copy_that_lies_there_without_a_basis() {
    let mut copying = world().between("DE", "GB");
    copying.bases = vec![TransferWorld::adequacy("eu.adequacy.gb")];
    let mut chain = copying.chain();
    let record = copying.record(&chain);
    copying.run(&mut chain, &record);
    let now = copying.now;
    let done = TransferBody::Done { removed_at: now };
    append(&mut chain, now, Actor::System, done).unwrap();
    let hanging = |chain: &TransferChain, there: u64, on: &str| {
        let listed = [(chain.matter(), Some(there))];
        register(
            listed,
            copying.rulebook,
            &copying.reviewers(),
            on.parse().unwrap(),
        )[0]
        .hanging
    };
    assert_eq!(hanging(&chain, 2, "2031-12-27"), Hanging::No);
    assert_eq!(hanging(&chain, 2, "2031-12-28"), Hanging::CopyLyingThere);
    append(&mut chain, now, Actor::Staff(staff("olga")), withdrawn()).unwrap();
    assert_eq!(hanging(&chain, 1, "2031-12-28"), Hanging::CopyLyingThere);
    append(&mut chain, now, Actor::System, removed(now)).unwrap();
    assert_eq!(hanging(&chain, 0, "2031-12-28"), Hanging::No);
}
