//! What a package must open cannot be closed, and what it does not show is not claimed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may"
)]

mod fixture;

use std::io::Read as _;

use casework::{
    canonical::to_canonical_json,
    demand::{Category, Subject},
    event::{Actor, Body, Scope},
    ids::Digest,
    testkit::{Step, staff},
};
use evidence::{
    check::{NotProven, Point},
    custody::{Custody, CustodyEvent},
    measure::Measure,
    statement::{CUSTODY, MANIFEST, Manifest},
    ustar,
    verify::{Proven, verify_package},
};
use fixture::{Made, case, few};

/// The package as a provider makes it who closes or changes events afterwards: everything that it can make anew is made
/// anew, so that nothing but the custody itself speaks against it.
fn with_custody(tar: &[u8], change: impl FnOnce(&mut Vec<CustodyEvent>)) -> Vec<u8> {
    let mut entries = Vec::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.push((entry.path().unwrap().to_str().unwrap().to_owned(), bytes));
    }
    let find = |path: &str| entries.iter().position(|(name, _)| name == path).unwrap();
    let (custody_at, manifest_at) = (find(CUSTODY), find(MANIFEST));
    let mut custody: Custody = serde_json::from_slice(&entries[custody_at].1).unwrap();
    change(&mut custody.events);
    entries[custody_at].1 = to_canonical_json(&custody).unwrap();
    let measure = Measure::of(&entries[custody_at].1);
    let mut manifest: Manifest = serde_json::from_slice(&entries[manifest_at].1).unwrap();
    for statement in manifest.statements.iter_mut().filter(|s| s.path == CUSTODY) {
        (statement.sha256, statement.size) = (measure.sha256, measure.size);
    }
    entries[manifest_at].1 = to_canonical_json(&manifest).unwrap();
    let mut out = Vec::new();
    for (path, bytes) in entries {
        let size = bytes.len() as u64;
        out.extend_from_slice(&ustar::header(&path, size).unwrap());
        out.extend_from_slice(&bytes);
        ustar::write_padding(&mut out, size).unwrap();
    }
    ustar::write_end(&mut out).unwrap();
    out
}

fn proven(tar: &[u8], made: &Made) -> Proven {
    verify_package(tar, &made.policy).unwrap_or_else(|e| panic!("{e}"))
}

fn said(proven: &Proven, point: Point) -> &str {
    &proven.checks().iter().find(|c| c.check == point).unwrap().detail
}

/// The point that fails first, and why.
fn refused(tar: &[u8], made: &Made) -> (Point, String) {
    match verify_package(tar, &made.policy) {
        Err(NotProven::Disproved(found)) => {
            let first = found.failures.first().unwrap();
            (first.check, first.reason.clone())
        }
        other => panic!("not disproved: {other:?}"),
    }
}

/// Draws the record up anew on the case's steps as they now stand.
fn drawn(mut made: Made) -> Made {
    let recipient = made.record.recipient.clone();
    made.record = made.world.record(&made.steps);
    made.record.recipient = recipient;
    made
}

/// A case narrowed after it was read, to what `change` leaves.
fn narrowed(change: impl FnOnce(&mut Scope)) -> Made {
    let mut made = case(few());
    let mut scope = made.record.scope();
    change(&mut scope);
    made.steps.push(Step {
        actor: Actor::System,
        body: Body::Narrowed {
            scope,
            reason: "agreed with the court".to_owned(),
            settles: Vec::new(),
        },
    });
    drawn(made)
}

fn is(event: &CustodyEvent, seq: u64) -> bool {
    event.header.seq == seq
}

#[test]
fn p13_a_narrowing_cannot_be_hidden() {
    let mut made = narrowed(|scope| scope.categories = vec![Category::Content]);
    let seq = made.steps.len() as u64 - 1;
    let tar = made.tar();
    assert!(said(&proven(&tar, &made), Point::Scope).contains("narrowed once"));
    // The harness alone changes nothing.
    assert_eq!(with_custody(&tar, |_| {}), tar);

    let hidden = with_custody(&tar, |events| {
        events.iter_mut().find(|e| is(e, seq)).unwrap().opened = None;
    });
    let (point, reason) = refused(&hidden, &made);
    assert_eq!(point, Point::Custody);
    assert!(reason.contains(&format!("event {seq} is closed")), "{reason}");

    // Nor by saying that it is another kind of event: the links hold that too.
    let relabelled = with_custody(&tar, |events| {
        let event = events.iter_mut().find(|e| is(e, seq)).unwrap();
        (event.opened, event.header.disclosed) = (None, false);
    });
    assert_eq!(refused(&relabelled, &made).0, Point::Custody);
    let relinked = with_custody(&tar, |events| {
        let event = events.iter_mut().find(|e| is(e, seq)).unwrap();
        (event.opened, event.header.disclosed) = (None, false);
        let mut prev = Digest([0; 32]);
        for event in events {
            event.header.prev = prev;
            prev = event.header.hash().unwrap();
        }
    });
    let (point, reason) = refused(&relinked, &made);
    assert_eq!(point, Point::Custody);
    assert!(reason.contains("another place in the chain"), "{reason}");
}

/// The gate's rule: a new reading begins anew. The verifier follows it, and says that there were two.
#[test]
fn p13_what_was_narrowed_of_one_reading_says_nothing_about_the_next() {
    let mut made = narrowed(|scope| scope.accounts.clear());
    let findings = made.world.steps();
    let system = |body| Step {
        actor: Actor::System,
        body,
    };
    let demand = Box::new(made.world.demand.clone());
    made.steps.push(system(Body::Parsed { demand }));
    made.steps.extend(findings.into_iter().skip(2));
    let mut made = drawn(made);
    let tar = made.tar();
    let line = said(&proven(&tar, &made), Point::Scope).to_owned();
    assert!(line.contains("read last, of 2 times; never narrowed"), "{line}");
}

#[test]
fn p13_every_kind_that_a_package_must_open_is_refused_closed() {
    let mut made = narrowed(|_| {});
    let tar = made.tar();
    let disclosed: Vec<u64> = made
        .input()
        .events
        .iter()
        .filter(|event| event.body.is_disclosed())
        .map(|event| event.header.seq)
        .collect();
    assert_eq!(disclosed.len(), 3);
    for seq in disclosed {
        let hidden = with_custody(&tar, |events| {
            events.iter_mut().find(|e| is(e, seq)).unwrap().opened = None;
        });
        assert_eq!(refused(&hidden, &made).0, Point::Custody, "event {seq}");
    }
}

#[test]
fn p07_a_reviewer_who_typed_the_demand_in_cannot_be_hidden() {
    for actor in [Actor::Staff(staff("rita")), Actor::Counsel(staff("rita"))] {
        let mut made = case(few());
        let demand = Box::new(made.world.demand.clone());
        made.steps.insert(
            2,
            Step {
                actor,
                body: Body::Parsed { demand },
            },
        );
        let mut made = drawn(made);
        let tar = made.tar();
        let (point, reason) = refused(&tar, &made);
        assert_eq!(point, Point::Approved);
        assert!(reason.contains("`rita` entered the demand"), "{reason}");
        let hidden = with_custody(&tar, |events| events[2].opened = None);
        assert_eq!(refused(&hidden, &made).0, Point::Custody);
    }
}

#[test]
fn a_case_that_ended_or_changed_after_its_record_was_drawn_up_proves_nothing() {
    let demand = || Box::new(case(few()).world.demand.clone());
    let scope = case(few()).record.scope();
    let late = [
        Body::Withdrawn {
            reason: "settled".to_owned(),
        },
        Body::Rejected {
            codes: Vec::new(),
            rules: Vec::new(),
            explanation: "unsigned".to_owned(),
        },
        Body::Parsed { demand: demand() },
        Body::Narrowed {
            scope,
            reason: "late".to_owned(),
            settles: Vec::new(),
        },
    ];
    for body in late {
        let mut made = case(few());
        let tar = made.tar();
        let changed = with_custody(&tar, |events| {
            let last = &events.last().unwrap().header;
            let (seq, salt) = (last.seq + 1, Digest([3; 32]));
            let (case, at, prev) = (last.case, last.at, last.hash().unwrap());
            events.push(CustodyEvent {
                header: casework::event::Header::over(case, seq, at, Actor::System, prev, &salt, &body)
                    .unwrap(),
                opened: Some(evidence::custody::Opened::Here {
                    salt,
                    body: Box::new(body.clone()),
                }),
            });
        });
        assert_eq!(refused(&changed, &made).0, Point::Custody, "{body:?}");
    }
}

/// An earlier record may name what was cut from the demand since; its recipient does not learn of it.
#[test]
fn p13_another_record_of_the_case_stays_closed() {
    let mut made = case(few());
    let mut wider = made.record.clone();
    wider.id = format!("{:032x}", 5).parse().unwrap();
    wider.recipient.name = "wider than what was left".to_owned();
    made.steps.push(Step {
        actor: Actor::System,
        body: Body::Proposed {
            record: Box::new(wider),
        },
    });
    let mut made = drawn(made);
    let tar = made.tar();
    proven(&tar, &made);
    assert!(!tar.windows(10).any(|w| w == b"wider than"));
}

#[test]
fn p06_an_account_that_the_demand_names_by_its_own_id_is_proven() {
    let mut made = case(few());
    let id = made.record.accounts[0].account.to_string();
    made.world.demand.subjects = vec![Subject::Account {
        value: format!(" {} ", id.to_uppercase()),
    }];
    made.steps = made.world.steps();
    let mut made = drawn(made);
    let tar = made.tar();
    let proven = proven(&tar, &made);
    let line = said(&proven, Point::Scope);
    assert!(
        line.contains("1 account, named in the demand by its own id"),
        "{line}"
    );
    assert!(!proven.not_shown().contains("look-up"), "{}", proven.not_shown());
}

#[test]
fn p06_an_account_that_was_looked_up_is_counted_and_not_claimed() {
    let mut made = case(few());
    made.world.demand.subjects = vec![Subject::Phone {
        value: "+49 170 1234567".to_owned(),
    }];
    made.steps = made.world.steps();
    let mut made = drawn(made);
    let tar = made.tar();
    let proven = proven(&tar, &made);
    let line = said(&proven, Point::Scope);
    assert!(line.contains("1 account for 1 subject"), "{line}");
    assert!(!line.contains("named"), "{line}");
    let id = made.record.accounts[0].account.as_str();
    let not_shown = proven.not_shown();
    assert!(
        not_shown.contains(id) && not_shown.contains("+49 170 1234567") && not_shown.contains("look-up"),
        "{not_shown}"
    );
}

/// One subject is one account: a second account of the same id, of another customer, is not named by it again.
#[test]
fn p06_one_subject_names_one_account() {
    let mut made = case(few());
    let first = made.record.accounts[0].clone();
    made.world.demand.subjects.push(Subject::Account {
        value: "bob".to_owned(),
    });
    made.world.facts.resolved.push(casework::facts::Resolution::None);
    made.steps = made.world.steps();
    let mut made = drawn(made);
    let mut second = first.clone();
    second.tenant = casework::ids::TenantId::new("fabrikam").unwrap();
    made.record.accounts.push(second);
    let tar = made.tar();
    let proven = proven(&tar, &made);
    let line = said(&proven, Point::Scope);
    assert!(line.contains("2 accounts for 2 subjects"), "{line}");
    assert!(proven.not_shown().contains("fabrikam"), "{}", proven.not_shown());
}

#[test]
fn p13_content_without_dates_is_refused_as_the_gate_refuses_it() {
    let mut made = case(few());
    made.world.demand.window = None;
    made.steps = made.world.steps();
    let mut made = drawn(made);
    assert_eq!(made.record.window, None);
    let (point, reason) = refused(&made.tar(), &made);
    assert_eq!(point, Point::Scope);
    assert!(reason.contains("names no dates"), "{reason}");
    // Subscriber data describes an account and no moment.
    made.record.categories = vec![Category::Subscriber];
    for object in &mut made.record.objects {
        object.category = Category::Subscriber;
    }
    proven(&made.tar(), &made);
}
