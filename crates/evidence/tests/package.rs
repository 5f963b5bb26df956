//! What is built verifies, and what does not hold is named.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may"
)]

mod fixture;

use std::{collections::BTreeMap, io::Read as _};

use casework::{
    demand::Window,
    event::{Actor, Body, Scope},
    gate::TrustPolicy,
    ids::{AccountId, Digest},
    testkit::Step,
};
use evidence::{
    check::{Disproved, NotProven, Outcome, Point},
    pack::PackError,
    statement::{Index, Manifest},
    verify::{Proven, verify_package},
};
use fixture::{case, few, thing};
use proptest::prelude::*;

fn disproved(result: Result<Proven, NotProven>) -> Disproved {
    match result {
        Err(NotProven::Disproved(disproved)) => *disproved,
        other => panic!("not disproved: {other:?}"),
    }
}

fn failing(tar: &[u8], policy: &TrustPolicy) -> Vec<Point> {
    let found = disproved(verify_package(tar, policy));
    assert!(
        found.checks.iter().any(|c| c.outcome == Outcome::Failed),
        "{found:?}"
    );
    found.failures.iter().map(|f| f.check).collect()
}

/// The archive's entries, by another reader.
fn entries(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(tar);
    let mut entries = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.insert(entry.path().unwrap().to_str().unwrap().to_owned(), bytes);
    }
    entries
}

#[test]
fn a_package_proves_every_point() {
    let mut made = case(few());
    let tar = made.tar();
    let proven = verify_package(tar.as_slice(), &made.policy).unwrap();
    assert!(proven.checks().iter().all(|c| c.outcome == Outcome::Proven));
    let points: Vec<Point> = proven.checks().iter().map(|c| c.check).collect();
    assert_eq!(points, Point::ALL);
    let facts = proven.facts();
    assert_eq!((facts.objects, facts.bytes), (3, 29));
    assert_eq!(facts.demand, Digest::of(&[b"the demand"]));
    assert_eq!(facts.reviewers.len(), 2);
    assert_eq!(facts.witnesses, ["w0", "w1"]);

    assert_eq!(case(few()).tar(), tar, "the same input gives the same bytes");
}

#[test]
fn the_encrypted_form_opens_for_its_recipient_alone() {
    let mut made = case(few());
    let sealed = made.sealed();
    let opened = evidence::seal::open(&made.identity(), sealed.as_slice()).unwrap();
    verify_package(opened, &made.policy).unwrap();

    let other = age::x25519::Identity::generate().to_string();
    let other = evidence::seal::Identity::parse(age::secrecy::ExposeSecret::expose_secret(&other)).unwrap();
    let refused = evidence::seal::open(&other, sealed.as_slice())
        .err()
        .unwrap()
        .to_string();
    assert!(
        refused.contains("not the recipient's") && refused.contains("altered"),
        "{refused}"
    );
}

#[test]
fn a_package_reads_like_what_the_eu_asks_of_a_manifest() {
    let mut made = case(few());
    let entries = entries(&made.tar());
    let names: Vec<&str> = entries.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "checkpoint",
            "contents.json",
            "custody.json",
            "index.csv",
            "index.json",
            "manifest.json",
            "objects/00001-1.eml",
            "objects/00002-C-calc-A1.eml",
            "objects/00003-empty.eml",
            "receipt.tlog-proof",
            "record.json",
        ]
    );
    let manifest: Manifest = serde_json::from_slice(&entries["manifest.json"]).unwrap();
    assert_eq!(manifest.sender, "Example Cloud GmbH");
    assert_eq!(manifest.reference.as_deref(), Some("26-mj-101"));
    assert_eq!(
        manifest.statements.len() + manifest.objects.len() + 1,
        entries.len()
    );
    for (path, sha256) in manifest
        .statements
        .iter()
        .map(|s| (&s.path, s.sha256))
        .chain(manifest.objects.iter().map(|o| (&o.path, o.sha256)))
    {
        assert_eq!(sha256, Digest::of(&[&entries[path]]), "{path}");
    }
    let index: Index = serde_json::from_slice(&entries["index.json"]).unwrap();
    assert_eq!(index.objects[1].name, "mail/alice/=cmd|' /C calc'!A1.eml");
    let csv = String::from_utf8(entries["index.csv"].clone()).unwrap();
    assert_eq!(csv.lines().count(), 4);
    assert!(
        csv.lines()
            .nth(1)
            .unwrap()
            .starts_with("\"1\",\"objects/00001-1.eml\"")
    );
}

#[test]
fn counsels_reasons_and_what_is_known_of_a_person_stay_closed() {
    let mut made = case(few());
    made.steps.insert(
        5,
        Step {
            actor: Actor::System,
            body: Body::Note {
                text: "privileged remark".to_owned(),
            },
        },
    );
    made.record = {
        let age = made.record.recipient.clone();
        let mut record = made.world.record(&made.steps);
        record.recipient = age;
        record
    };
    let tar = made.tar();
    verify_package(tar.as_slice(), &made.policy).unwrap();
    let custody = String::from_utf8(entries(&tar)["custody.json"].clone()).unwrap();
    for closed in ["privileged remark", "us_person", "switchboard", "findings"] {
        assert!(!custody.contains(closed), "{closed}");
    }
    assert!(custody.contains("26-mj-101"));
}

#[test]
fn each_promise_broken_fails_its_own_point() {
    let check = |change: &dyn Fn(&mut fixture::Made), point: Point| {
        let mut made = case(few());
        change(&mut made);
        let tar = made.tar();
        let points = failing(&tar, &made.policy);
        assert!(points.contains(&point), "{point:?} not among {points:?}");
    };
    check(&|m| m.world.signers = vec!["rita"], Point::Approved);
    check(&|m| m.world.signers = vec!["rita", "rita"], Point::Approved);
    check(&|m| m.world.signers = vec!["rita", "intake"], Point::Approved);
    check(&|m| m.world.signers = vec!["rita", "mallory"], Point::Approved);
    check(&|m| m.world.witnesses = 1, Point::Logged);
    check(&|m| m.record.expires_at = m.record.drawn_at, Point::Logged);
    check(&|m| m.record.rulebook.digest = Digest([7; 32]), Point::Rulebook);
    check(
        &|m| m.record.objects[0].concerns_at = "2025-12-31T23:59:59Z".parse().unwrap(),
        Point::Record,
    );
    check(&|m| m.record.categories.clear(), Point::Record);
    check(
        &|m| m.record.objects[0].account.account = AccountId::new("bob").unwrap(),
        Point::Record,
    );
    check(
        &|m| m.record.objects[1].object = m.record.objects[0].object,
        Point::Record,
    );
    check(
        &|m| {
            let (from, until) = (
                "2025-01-01T00:00:00Z".parse().unwrap(),
                "2026-07-01T00:00:00Z".parse().unwrap(),
            );
            m.record.window = Some(Window::new(from, until).unwrap());
        },
        Point::Scope,
    );
    check(
        &|m| {
            let mut second = m.record.accounts[0].clone();
            second.account = AccountId::new("bob").unwrap();
            m.record.accounts.push(second);
        },
        Point::Scope,
    );
}

#[test]
fn a_record_beyond_the_narrowed_scope_fails() {
    let mut made = case(few());
    let window = made.record.window.unwrap();
    made.steps.push(Step {
        actor: Actor::System,
        body: Body::Narrowed {
            scope: Scope {
                accounts: vec![(
                    made.record.accounts[0].tenant.clone(),
                    made.record.accounts[0].account.clone(),
                )],
                categories: made.record.categories.clone(),
                window: Some(Window::new(window.from, made.record.objects[0].concerns_at).unwrap()),
            },
            reason: "agreed with the court".to_owned(),
            settles: Vec::new(),
        },
    });
    let recipient = made.record.recipient.clone();
    made.record = made.world.record(&made.steps);
    made.record.recipient = recipient;
    assert_eq!(failing(&made.tar(), &made.policy), [Point::Scope]);
}

#[test]
fn an_altered_object_is_named_and_the_others_are_not() {
    let mut made = case(few());
    let tar = made.tar();
    let at = tar.windows(9).position(|w| w == b"two parts").unwrap();
    let mut altered = tar.clone();
    altered[at] ^= 1;
    let found = disproved(verify_package(altered.as_slice(), &made.policy));
    assert_eq!(found.failures.len(), 1);
    assert_eq!(found.failures[0].object, Some(made.record.objects[1].object));
    assert_eq!(
        found.failures[0].path.as_deref(),
        Some("objects/00002-C-calc-A1.eml")
    );
}

#[test]
fn another_policy_proves_nothing() {
    let mut made = case(few());
    let tar = made.tar();
    let elsewhere = TrustPolicy::new(
        casework::testkit::TestDocket::new(1, 0).policy(),
        casework::promise::Reviewers::default(),
        [],
    )
    .unwrap();
    let points = failing(&tar, &elsewhere);
    assert_eq!(points, [Point::Approved, Point::Rulebook]);
}

#[test]
fn the_builder_refuses_what_would_not_verify() {
    let mut made = case(few());
    made.things[0].parts[0][0] ^= 1;
    assert!(
        matches!(made.try_tar(), Err(PackError::NotCommitted(id)) if id == made.record.objects[0].object)
    );

    let mut made = case(few());
    made.things[0].parts[0].push(b'x');
    assert!(matches!(made.try_tar(), Err(PackError::Detail { number: 1, .. })));

    let mut made = case(few());
    made.things.pop();
    assert!(matches!(made.try_tar(), Err(PackError::Detail { .. })));

    let mut made = case(few());
    made.record.chain_length += 1;
    assert!(matches!(made.try_tar(), Err(PackError::Custody(_))));

    let mut made = case(few());
    made.record.recipient.age = "age1nonsense".to_owned();
    let refused = evidence::pack::start_sealed(made.input(), Vec::new())
        .err()
        .unwrap();
    assert!(refused.to_string().contains("age1nonsense"), "{refused}");
}

#[test]
fn objects_of_every_size_around_a_block_survive() {
    let things = [0, 1, 511, 512, 513, 1023, 1024, 65_536, 200_001]
        .into_iter()
        .map(|size| thing("same name.eml", &[&vec![b'x'; size]]))
        .collect();
    let mut made = case(things);
    let tar = made.tar();
    verify_package(tar.as_slice(), &made.policy).unwrap();
    assert_eq!(entries(&tar).len(), 9 + 8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn what_is_built_verifies(
        objects in prop::collection::vec(
            (any::<String>(), prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 1..4)), 1..6,
        ),
    ) {
        let things = objects.into_iter().map(|(name, parts)| fixture::Thing { name, parts }).collect();
        let mut made = case(things);
        let tar = made.tar();
        prop_assert!(verify_package(tar.as_slice(), &made.policy).is_ok());
        let bodies = made.bodies();
        let files = entries(&tar);
        let objects = files.into_iter().filter(|(path, _)| path.starts_with("objects/"));
        prop_assert_eq!(objects.map(|(_, bytes)| bytes).collect::<Vec<_>>(), bodies);
    }
}
