//! Any sequence of events, appended as far as the case allows, replays to the same case; and nothing panics.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what went wrong by stopping"
)]

mod moves;

use casework::{
    case::{Case, Step as Owing},
    chain::{BrokenChain, Chain, HeaderChain, Refused},
    demand::NoticeTo,
    event::{Actor, Body, Outcome},
    ids::Digest,
    rulebook::Rulebook,
    testkit::{Step, World, raw_chain, staff},
};
use jiff::{SignedDuration, Timestamp};
use moves::{body, moves};
use proptest::prelude::*;

fn world() -> World {
    World::new(Rulebook::builtin(), 0)
}

fn begin(world: &World) -> Chain {
    let first = world.steps_to_findings().swap_remove(0);
    let at = "2026-11-16T08:00:00Z".parse().unwrap();
    Chain::begin(world.case, at, first.actor, Digest([1; 32]), first.body).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn p14_whatever_is_appended_replays_to_the_same_case(moves in moves()) {
        let world = world();
        let mut chain = begin(&world);
        for step in moves {
            let at = chain.last_at() + SignedDuration::from_mins(step.minutes);
            let body = body(&world, &chain, step);
            let actor = match body {
                Body::RedirectBarred { .. } | Body::GagUnopposed { .. } | Body::GroundAnswered { .. } => {
                    Actor::Counsel(staff("carl"))
                }
                _ => Actor::Staff(staff("rita")),
            };
            let (head, length) = (chain.head(), chain.length());
            let allowed = chain.case().may(at, &actor, &body).is_ok();
            match chain.append(at, actor, Digest([2; 32]), body) {
                Ok(event) => {
                    prop_assert!(allowed);
                    prop_assert_eq!(event.header.hash().unwrap(), chain.head());
                }
                Err(Refused::NotNow(_)) => {
                    prop_assert!(!allowed);
                    prop_assert_eq!((head, length), (chain.head(), chain.length()));
                }
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
        }
        let replayed = Chain::verify(chain.events().to_vec()).unwrap();
        prop_assert_eq!(replayed.head(), chain.head());
        prop_assert_eq!(replayed.case().name(), chain.case().name());
        prop_assert_eq!(replayed.case().scope(), chain.case().scope());
        for now in [Timestamp::MIN, chain.last_at(), Timestamp::MAX] {
            let owed = chain.case().owed(now);
            prop_assert_eq!(&replayed.case().owed(now), &owed);
            // Only a closed case owes nothing: an open one always says what comes next.
            prop_assert_eq!(owed.is_empty(), matches!(chain.case(), Case::Closed(_)));
        }
        let headers = HeaderChain::verify(chain.headers().cloned().collect()).unwrap();
        prop_assert_eq!(headers.head(), chain.head());
        for event in chain.events() {
            prop_assert!(headers.opens(event.header.seq, &event.salt, &event.body).is_ok());
            prop_assert!(headers.opens(event.header.seq, &Digest([0; 32]), &event.body).is_err());
        }
    }
}

/// What a case owes at each point of a course without obstacles: the steps in their order.
#[test]
fn what_is_owed_leads_from_receipt_to_closure() {
    let mut world = world();
    let steps = world.steps();
    let owed = |steps: &[Step]| -> Vec<Owing> {
        let mut owed: Vec<_> = world
            .state(steps)
            .owed(world.now)
            .into_iter()
            .map(|owed| owed.step)
            .collect();
        owed.dedup();
        owed
    };
    assert_eq!(owed(&steps[..1]), [Owing::Parse]);
    assert_eq!(owed(&steps[..3]), [Owing::Resolve]);
    assert_eq!(owed(&steps[..4]), [Owing::Assess]);
    let found = owed(&steps[..5]);
    for step in [Owing::Redirect, Owing::Notify, Owing::AnswerGround] {
        assert!(found.contains(&step), "{found:?}");
    }
    assert_eq!(owed(&steps), [Owing::Propose]);

    let record = world.record(&steps);
    let id = record.id;
    let shown = world.show(&steps, record);
    let chain = Chain::verify(shown.events.clone()).unwrap();
    let at = |chain: &Chain| -> Vec<Owing> {
        chain
            .case()
            .owed(world.now)
            .into_iter()
            .map(|owed| owed.step)
            .collect()
    };
    assert_eq!(at(&chain), [Owing::Release]);
    let mut chain = chain;
    let mut next = |body| {
        let time = chain.last_at();
        chain.append(time, Actor::System, Digest([3; 32]), body).unwrap();
        at(&chain)
    };
    assert_eq!(
        next(Body::Released {
            record: id,
            package: Digest([4; 32]),
            size: 9
        }),
        [Owing::Deliver]
    );
    assert_eq!(
        next(Body::Delivered {
            record: id,
            how: "portal".into()
        }),
        [Owing::Close]
    );
    assert_eq!(
        next(Body::Closed {
            outcome: Outcome::Disclosed
        }),
        []
    );
}

#[test]
fn p09_the_late_notice_is_owed_the_moment_the_gag_ends_and_the_case_stays_open_until_then() {
    let mut world = world();
    world.demand.gag = Some(World::gag(Some("2026-12-24")));
    let steps = world.steps();
    let record = world.record(&steps);
    let id = record.id;
    let shown = world.show(&steps, record);
    let mut chain = Chain::verify(shown.events).unwrap();
    let mut next = |at: Timestamp, body| {
        chain
            .append(at, Actor::System, Digest([3; 32]), body)
            .map(|_| chain.case().clone())
    };
    let (now, later) = (world.now, "2026-12-26T12:00:00Z".parse().unwrap());
    let tenant = world.objects[0].account.tenant.clone();
    let notice = |late| Body::Notified {
        to: NoticeTo::Tenant,
        tenant: tenant.clone(),
        how: "letter".into(),
        letter: Digest([6; 32]),
        late,
    };
    assert!(next(now, notice(false)).is_err(), "a gag in force forbids it");
    next(
        now,
        Body::Released {
            record: id,
            package: Digest([4; 32]),
            size: 9,
        },
    )
    .unwrap();
    let case = next(
        now,
        Body::Delivered {
            record: id,
            how: "portal".into(),
        },
    )
    .unwrap();
    let steps = |case: &Case, at| -> Vec<Owing> { case.owed(at).into_iter().map(|owed| owed.step).collect() };
    assert_eq!(steps(&case, now), [Owing::Wait]);
    assert_eq!(steps(&case, later), [Owing::EndGag, Owing::LateNotice]);
    assert!(
        next(
            now,
            Body::Closed {
                outcome: Outcome::Disclosed
            }
        )
        .is_err()
    );
    next(
        later,
        Body::GagEnded {
            reason: "its last day passed".into(),
            gag: None,
        },
    )
    .unwrap();
    assert!(next(later, notice(false)).is_err(), "it is late, and says so");
    let case = next(later, notice(true)).unwrap();
    assert_eq!(steps(&case, later), [Owing::Close]);
    next(
        later,
        Body::Closed {
            outcome: Outcome::Disclosed,
        },
    )
    .unwrap();
}

#[test]
fn invariant_05_no_event_can_be_changed_moved_or_removed() {
    let world = world();
    let events = raw_chain(world.case, &world.steps());
    assert!(matches!(Chain::verify(vec![]), Err(BrokenChain::Empty)));
    for at in 0..events.len() - 1 {
        let mut swapped = events.clone();
        swapped.swap(at, at + 1);
        assert!(Chain::verify(swapped).is_err());
        let mut dropped = events.clone();
        dropped.remove(at);
        assert!(Chain::verify(dropped).is_err());
        let mut salted = events.clone();
        salted[at].salt = Digest([0; 32]);
        assert!(matches!(
            Chain::verify(salted),
            Err(BrokenChain::Commitment { .. })
        ));
    }
    let mut other = events.clone();
    other[2].header.case = casework::ids::CaseId(uuid::Uuid::nil());
    assert!(matches!(
        Chain::verify(other),
        Err(BrokenChain::OtherCase { at: 2 })
    ));
}

/// Whether a package opens an event follows from its kind, and the header says so under its hash. A chain in which it says
/// otherwise, for one event and all links made anew, is no chain.
#[test]
fn p14_a_header_says_of_its_kind_whether_a_package_opens_it() {
    let world = world();
    let events = raw_chain(world.case, &world.steps());
    let disclosed: Vec<bool> = events.iter().map(|event| event.header.disclosed).collect();
    assert!(
        disclosed.starts_with(&[true, true, false, false]),
        "{disclosed:?}"
    );
    for at in 0..events.len() {
        let mut lying = events.clone();
        lying[at].header.disclosed = !lying[at].header.disclosed;
        let mut prev = casework::chain::GENESIS;
        for event in &mut lying {
            event.header.prev = prev;
            prev = event.header.hash().unwrap();
        }
        let headers = HeaderChain::verify(lying.iter().map(|e| e.header.clone()).collect()).unwrap();
        let opened = headers.opens(at as u64, &lying[at].salt, &lying[at].body);
        assert!(
            matches!(opened, Err(BrokenChain::Disclosure { .. })),
            "{opened:?}"
        );
        match Chain::verify(lying) {
            Err(BrokenChain::Disclosure { at: found }) => assert_eq!(found, at as u64),
            other => panic!("event {at}: {other:?}"),
        }
    }
}

#[test]
fn invariant_10_a_case_is_full_at_its_limit() {
    let world = world();
    let first = world.steps_to_findings().swap_remove(0);
    let note = Step {
        actor: Actor::System,
        body: Body::Note { text: "n".into() },
    };
    let steps: Vec<_> = std::iter::once(first)
        .chain(std::iter::repeat_n(note, casework::chain::EVENTS_MAX - 1))
        .collect();
    let mut events = raw_chain(world.case, &steps);
    let mut chain = Chain::verify(events.clone()).unwrap();
    let full = chain.append(
        chain.last_at(),
        Actor::System,
        Digest([0; 32]),
        Body::Note { text: "n".into() },
    );
    assert!(matches!(full, Err(Refused::Full)));
    events.push(events[1].clone());
    assert!(matches!(Chain::verify(events), Err(BrokenChain::TooLong { .. })));
}
