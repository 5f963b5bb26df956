//! The chain, the docket, the record used once, and the whole together (P14, invariants).

use super::*;

#[test]
fn a_case_that_kept_every_promise_is_admitted() {
    let mut world = world();
    let steps = world.steps();
    let admitted = present(&mut world, &steps).unwrap_or_else(|refusal| panic!("{refusal}"));
    let kept = admitted.kept().sentences();
    let numbers: Vec<_> = kept.iter().map(|(promise, _)| *promise).collect();
    use Promise::*;
    assert_eq!(numbers, [P5, P6, P7, P8, P9, P10, P11, P12, P13, P14]);
    assert_eq!(admitted.record().objects, world.objects);
    assert_eq!(admitted.remember().record, admitted.record().id);
    assert_eq!(admitted.included().index(), 5);
}

#[test]
fn p14_the_chain_is_whole_and_leads_to_this_record() {
    let p14 = p(Promise::P14);
    refused(
        with_record(|r| r.chain_head = Digest([1; 32])),
        p14,
        "does not name this case's last event",
    );
    refused(
        with_record(|r| r.chain_length -= 1),
        p14,
        "does not name this case's last event",
    );
    let mut world = world();
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(&steps, record);
    // Each event altered, dropped or doubled.
    for at in 0..shown.events.len() {
        // Nothing follows the last event that would hold its time; what it says is held by the receipt.
        if at + 1 < shown.events.len() {
            let mut altered = shown.clone();
            altered.events[at].header.at += SignedDuration::from_secs(1);
            refused(ask(&world, altered), p14, "event");
        }
        let mut other_body = shown.clone();
        other_body.events[at].body = Body::Note {
            text: "nothing".into(),
        };
        refused(ask(&world, other_body), p14, "not what its header commits to");
        let mut doubled = shown.clone();
        let event = doubled.events[at].clone();
        doubled.events.insert(at, event);
        refused(ask(&world, doubled), p14, "carries number");
        let mut dropped = shown.clone();
        dropped.events.remove(at);
        refused(ask(&world, dropped), p14, "");
    }
    // Marked as an event that a package may leave closed, or the reverse.
    let mut marked = shown.clone();
    let last = marked.events.len() - 1;
    marked.events[last].header.disclosed = true;
    refused(ask(&world, marked), p14, "marked wrongly");
    // Another record than the one proposed.
    let mut other = shown.clone();
    other.record.recipient.name = "somebody else".into();
    refused(ask(&world, other), p14, "not the one that the case proposed");
    // An index that the docket did not give.
    let mut lied = steps.clone();
    let record = world.record(&lied);
    let mut shown = world.show(&lied, record);
    lied.clear();
    if let Some(event) = shown.events.last_mut()
        && let Body::Logged { index, .. } = &mut event.body
    {
        *index += 1;
        event.header.body = casework::event::body_commitment(&event.salt, &event.body).unwrap();
    }
    refused(ask(&world, shown), p14, "another place in the docket");
}

#[test]
fn p14_a_case_that_ended_or_moved_on_releases_nothing() {
    let mut world = world();
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(&steps, record);
    let more = |body: Body| {
        let mut chain = casework::chain::Chain::verify(shown.events.clone()).unwrap();
        let at = chain.last_at();
        chain.append(at, Actor::System, Digest([8; 32]), body).unwrap();
        Shown {
            events: chain.events().to_vec(),
            ..shown.clone()
        }
    };
    let withdrawn = more(Body::Withdrawn {
        reason: "settled".into(),
    });
    refused(ask(&world, withdrawn), p(Promise::P14), "rejected or withdrawn");
    let rejected = more(Body::Rejected {
        codes: Vec::new(),
        rules: vec![],
        explanation: "no".into(),
    });
    refused(ask(&world, rejected), p(Promise::P14), "rejected or withdrawn");
    let again = more(Body::Resolved {
        facts: world.facts.clone(),
    });
    refused(ask(&world, again), p(Promise::P14), "moved on");
    let released = more(Body::Released {
        record: shown.record.id,
        package: Digest([2; 32]),
        size: 1,
    });
    refused(ask(&world, released), p(Promise::P14), "moved on");
    // A note changes nothing.
    ask(
        &world,
        more(Body::Note {
            text: "called".into(),
        }),
    )
    .unwrap_or_else(|refusal| panic!("{refusal}"));
}

#[test]
fn invariant_02_a_record_is_used_once_in_its_time_and_from_the_docket() {
    let two = Breach::Invariant(2);
    let mut world = world();
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(&steps, record.clone());
    refused(
        ask_with(
            &world,
            shown.clone(),
            &Memory {
                used: true,
                ..Memory::default()
            },
        ),
        two,
        "used before",
    );
    // Drawn up before the gate's memory was put back, when it may have been used.
    refused(
        ask_with(
            &world,
            shown.clone(),
            &Memory {
                restored_at: Some(world.now),
                ..Memory::default()
            },
        ),
        two,
        "restored from a backup",
    );
    // A receipt for another record.
    let mut other = shown.clone();
    let salt = other.salt.clone();
    let mut another = record;
    another.recipient.name = "somebody else".into();
    let index = world.docket.log(&another, &salt);
    let time = u64::try_from(world.now.as_second()).unwrap();
    other.receipt = world.docket.receipt(&another, &salt, index, time, 2);
    refused(ask(&world, other), two, "another entry");
    // The wrong salt.
    let mut unsalted = shown;
    unsalted.salt = translog::entry::Salt([1; 32]);
    refused(ask(&world, unsalted), two, "another entry");

    let hours = SignedDuration::from_hours;
    let now = world.now;
    refused(with_record(|r| r.expires_at = now), two, "expired");
    refused(with_record(|r| r.drawn_at = now + hours(1)), two, "in the future");
    refused(
        with_record(|r| r.expires_at = now + hours(24 * 31)),
        two,
        "longer than the 30 days",
    );
}

#[test]
fn invariant_03_a_forked_or_rolled_back_docket_is_refused() {
    let three = Breach::Invariant(3);
    let mut world = world();
    let steps = world.steps();
    let record = world.record(&steps);
    let before = world.docket.checkpoint();
    let mut shown = world.show(&steps, record);
    let remembers = |checkpoint: &translog::Checkpoint| Memory {
        checkpoints: [(checkpoint.origin.clone(), checkpoint.clone())].into(),
        ..Memory::default()
    };
    // Grown from the one remembered, and shown to be.
    shown.consistency = world.docket.consistency(before.size);
    let admitted =
        ask_with(&world, shown.clone(), &remembers(&before)).unwrap_or_else(|refusal| panic!("{refusal}"));
    let (new, old) = admitted.remember().checkpoint.clone().unwrap();
    assert_eq!(
        (new.size, old),
        (world.docket.checkpoint().size, Some(before.clone()))
    );
    // Not shown to be.
    refused(
        ask_with(
            &world,
            Shown {
                consistency: vec![],
                ..shown.clone()
            },
            &remembers(&before),
        ),
        three,
        "is not the one remembered",
    );
    // A fork: the remembered log had other entries.
    let fork = translog::Checkpoint {
        root: translog::Hash([7; 32]),
        ..before
    };
    refused(
        ask_with(&world, shown.clone(), &remembers(&fork)),
        three,
        "is not the one remembered",
    );
    // The gate has seen more of this log since: still good, if it is the beginning of what the gate knows.
    let receipt_size = world.docket.checkpoint().size;
    world.docket.grow(20);
    let after = world.docket.checkpoint();
    shown.consistency = world.docket.consistency(receipt_size);
    let admitted =
        ask_with(&world, shown.clone(), &remembers(&after)).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(
        admitted.remember().checkpoint,
        None,
        "the larger stays remembered"
    );
    // Rolled back: the log shown is shorter and not the beginning of the one remembered.
    let rolled = translog::Checkpoint {
        root: translog::Hash([7; 32]),
        ..after
    };
    refused(
        ask_with(&world, shown, &remembers(&rolled)),
        three,
        "is not the one remembered",
    );
}

#[test]
fn invariant_04_without_witnesses_or_with_stale_ones_nothing_opens() {
    let four = Breach::Invariant(4);
    for witnesses in [0, 1] {
        let mut world = world();
        world.witnesses = witnesses;
        let steps = world.steps();
        refused(present(&mut world, &steps), four, "no quorum of witnesses");
    }
    let mut world = world();
    let steps = world.steps();
    let record = world.record(&steps);
    let mut shown = world.show(&steps, record.clone());
    let index = shown.receipt.index;
    let now = u64::try_from(world.now.as_second()).unwrap();
    for (time, says) in [(now - 4 * 86_400, "too long ago"), (now + 3600, "in the future")] {
        shown.receipt = world.docket.receipt(&record, &shown.salt, index, time, 2);
        refused(ask(&world, shown.clone()), four, says);
    }
}

#[test]
fn invariant_05_a_chain_shown_before_may_grow_but_not_change() {
    let mut world = world();
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(&steps, record);
    let length = steps.len() as u64;
    let head = shown.events[steps.len() - 1].header.hash().unwrap();
    let seen = |seen| Memory {
        seen: Some(seen),
        ..Memory::default()
    };
    ask_with(&world, shown.clone(), &seen((length, head))).unwrap_or_else(|refusal| panic!("{refusal}"));
    for other in [(length, Digest([1; 32])), (length + 50, head)] {
        refused(
            ask_with(&world, shown.clone(), &seen(other)),
            p(Promise::P14),
            "not a continuation",
        );
    }
}

#[test]
fn invariant_08_equal_input_gives_an_equal_answer() {
    let mut world = world();
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(&steps, record);
    let first = ask(&world, shown.clone()).unwrap();
    let second = ask(&world, shown).unwrap();
    assert_eq!(first.remember(), second.remember());
    assert_eq!(first.kept().sentences(), second.kept().sentences());
}

#[test]
fn a_policy_file_reads_back_to_itself_and_refuses_what_it_does_not_know() {
    let world = world();
    let policy = world.policy();
    let text = policy.to_toml().unwrap();
    assert_eq!(TrustPolicy::parse(&text).unwrap(), policy);
    for (from, to) in [
        ("amparo.policy/1", "amparo.policy/2"),
        ("senior = true", "senior = true\nadmin = true"),
        ("quorum both", "quorum none"),
        ("id = \"raj\"", "id = \"rita\""),
    ] {
        assert!(text.contains(from), "{text}");
        assert!(TrustPolicy::parse(&text.replace(from, to)).is_err(), "{to}");
    }
}

#[test]
fn a_policy_names_the_gate_of_a_region_once() {
    let plain = world().policy();
    let key = *plain.reviewers().keys.values().next().unwrap();
    let region = |id: &str| casework::ids::RegionId::new(id).unwrap();
    let policy = plain
        .clone()
        .with_gates([(region("us-west"), key), (region("us-east"), key)]);
    let text = policy.to_toml().unwrap();
    assert_eq!(TrustPolicy::parse(&text).unwrap(), policy);
    assert_eq!(policy.gate_of(&region("us-west")), Some(&key));
    assert_eq!(policy.gate_of(&region("eu-de")), None);
    assert!(policy.knows_gates() && !plain.knows_gates());
    for (from, to, why) in [
        ("\"us-west\"", "\"us-east\"", "listed with two gates"),
        ("\"us-west\"", "", "names no region"),
        (
            "regions = [\"us-west\"]",
            "regions = [\"us-west\"]\nurl = \"x\"",
            "unknown field",
        ),
    ] {
        assert!(text.contains(from), "{text}");
        let error = TrustPolicy::parse(&text.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let weak = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let (before, gates) = text.split_once("[[gate]]").unwrap();
    let line = gates.lines().find(|line| line.starts_with("key")).unwrap();
    let altered = gates.replacen(line, &format!("key = \"{weak}\""), 1);
    let error = TrustPolicy::parse(&format!("{before}[[gate]]{altered}")).unwrap_err();
    assert!(error.to_string().contains("amparo key gate"), "{error}");
}

#[test]
fn objects_are_named_by_their_keys() {
    use envelope::opening::NamesKeys;
    let world = world();
    let release = casework::gate::Release::new(world.record(&world.steps()));
    assert!(release.names(&world.objects[0].key.0) && release.record().names(&world.objects[1].key.0));
    assert!(!release.names(&[0; 32]) && !release.record().names(&[0; 32]));
    assert_ne!(ObjectId(uuid::Uuid::nil()), world.objects[0].object);
}

/// The key hierarchy knows a release record by its kind alone, for it stands below the record.
#[test]
fn invariant_02_the_key_hierarchy_and_the_record_agree_on_its_kind() {
    assert_eq!(
        envelope::opening::RELEASE_KIND,
        casework::record::ReleaseRecord::KIND
    );
}
