//! The access ledger: what was changed, removed or put elsewhere is found, and what was sealed opens to what was sealed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by stopping"
)]

use casework::{
    ids::{CaseId, Digest, ObjectId, RecordId, TenantId},
    ledger::{
        Actor, Body, Broken, Entry, GENESIS, Keys, Opening, PLACES, Place, Reason, SealedOpening,
        SlotContent, check, continues, json_schema,
    },
};
use jiff::Timestamp;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn tenant() -> TenantId {
    TenantId::new("contoso").unwrap()
}

fn opening(from: &str, reason: Reason, objects: u128) -> Opening {
    Opening {
        actor: match reason {
            Reason::OwnRequest => Actor::Tenant {
                access_key: "AK1".to_owned(),
            },
            _ => Actor::Provider,
        },
        reason,
        keys: Keys::Objects,
        region: "eu-de".parse().unwrap(),
        account: Some("alice".parse().unwrap()),
        from: at(from),
        until: at(from),
        objects: (1..=objects)
            .map(|id| ObjectId(uuid::Uuid::from_u128(id)))
            .collect(),
    }
}

fn sealed(day: &str) -> (Digest, SlotContent) {
    let reason = Reason::Release {
        case: CaseId(uuid::Uuid::from_u128(7)),
        record: RecordId(uuid::Uuid::from_u128(9)),
        digest: Digest([3; 32]),
    };
    let content = SlotContent {
        tenant: tenant(),
        day: day.parse().unwrap(),
        openings: vec![SealedOpening {
            at: at("2026-11-20T13:00:00Z"),
            opening: opening("2026-11-20T13:00:00Z", reason, 2),
        }],
    };
    (Digest([8; 32]), content)
}

/// Two openings, the slot of their day with something sealed in place 3, and a day on which nothing happened.
fn ledger() -> Vec<Entry> {
    let (salt, content) = sealed("2026-11-20");
    let mut places = vec![Digest([0x5a; 32]); PLACES];
    places[3] = content.commitment(&salt).unwrap();
    let own = |from, objects| Body::Opening {
        opening: opening(from, Reason::OwnRequest, objects),
    };
    let slot = |day: &str, places| Body::Slot {
        day: day.parse().unwrap(),
        places,
    };
    let bodies = [
        ("2026-11-20T10:00:00Z", own("2026-11-20T10:00:00Z", 1)),
        ("2026-11-20T10:00:01Z", own("2026-11-20T10:00:00Z", 5)),
        ("2026-11-21T00:00:00Z", slot("2026-11-20", places)),
        (
            "2026-11-22T00:00:00Z",
            slot("2026-11-21", vec![Digest([0xa5; 32]); PLACES]),
        ),
    ];
    chain(bodies)
}

fn chain(bodies: impl IntoIterator<Item = (&'static str, Body)>) -> Vec<Entry> {
    let mut last = (0, GENESIS);
    let mut entries = Vec::new();
    for (time, body) in bodies {
        let salt = Digest::of(&[time.as_bytes()]);
        let entry = Entry::after(last, &tenant(), at(time), salt, body).unwrap();
        last = (last.0 + 1, entry.header.hash().unwrap());
        entries.push(entry);
    }
    entries
}

#[test]
fn a_ledger_holds_and_what_was_sealed_opens_to_what_was_sealed() {
    let mut entries = ledger();
    let checked = check(&entries).unwrap();
    assert_eq!(
        (checked.length, checked.openings, checked.slots, checked.opened),
        (4, 2, 2, 0)
    );

    let (salt, content) = sealed("2026-11-20");
    let before = entries.clone();
    entries[2].opened.push(Place {
        place: 3,
        salt,
        content,
    });
    assert_eq!(check(&entries).unwrap().opened, 1);
    assert_eq!(
        check(&entries).unwrap().head,
        checked.head,
        "opening changes no hash"
    );
    continues(&entries, &before).unwrap();
    // What was opened once is not taken back.
    assert!(matches!(
        continues(&before, &entries),
        Err(Broken::Rewritten { at: 2 })
    ));

    for alter in [
        |place: &mut Place| place.place = 4,
        |place: &mut Place| place.salt = Digest([9; 32]),
        |place: &mut Place| place.content.openings.clear(),
        |place: &mut Place| place.content.openings[0].opening.objects.clear(),
        |place: &mut Place| place.content.day = "2026-11-21".parse().unwrap(),
    ] {
        let mut altered = entries.clone();
        alter(&mut altered[2].opened[0]);
        assert!(matches!(check(&altered), Err(Broken::Place { at: 2, .. })));
    }
}

#[test]
fn whatever_is_removed_changed_or_put_elsewhere_is_found() {
    let entries = ledger();
    for at in 0..entries.len() - 1 {
        let mut cut = entries.clone();
        cut.remove(at);
        assert!(check(&cut).is_err(), "without {at}");
        let mut turned = entries.clone();
        turned.swap(at, at + 1);
        assert!(check(&turned).is_err(), "{at} turned");
        // Numbered anew, as a forger would.
        for (seq, entry) in (0..).zip(&mut cut) {
            entry.header.seq = seq;
        }
        assert!(check(&cut).is_err(), "without {at}, numbered anew");
    }
    let alterations: [fn(&mut Entry); 5] = [
        |entry| entry.salt = Digest([1; 32]),
        |entry| entry.header.at = at("2026-11-20T09:00:00Z"),
        |entry| entry.header.tenant = TenantId::new("fabrikam").unwrap(),
        |entry| entry.header.prev = Digest([1; 32]),
        |entry| match &mut entry.body {
            Body::Opening { opening } => opening.objects.clear(),
            Body::Slot { places, .. } => places[0] = Digest([1; 32]),
        },
    ];
    for at in 0..entries.len() - 1 {
        for (number, alter) in alterations.iter().enumerate() {
            let mut altered = entries.clone();
            alter(&mut altered[at]);
            assert!(check(&altered).is_err(), "entry {at}, alteration {number}");
        }
    }
    // A last entry cut off leaves a ledger that holds; only an earlier copy shows it.
    let cut = &entries[..3];
    check(cut).unwrap();
    assert!(matches!(
        continues(cut, &entries),
        Err(Broken::Rewritten { at: 3 })
    ));
}

#[test]
fn every_day_has_one_slot_of_one_form() {
    let slot = |day: &str, places| Body::Slot {
        day: day.parse().unwrap(),
        places: vec![Digest([1; 32]); places],
    };
    let own = |from| Body::Opening {
        opening: opening(from, Reason::OwnRequest, 1),
    };
    let missing = chain([
        ("2026-11-20T10:00:00Z", own("2026-11-20T10:00:00Z")),
        ("2026-11-21T10:00:00Z", own("2026-11-21T10:00:00Z")),
    ]);
    assert!(matches!(check(&missing), Err(Broken::Slot { at: 1, .. })));
    let doubled = chain([
        ("2026-11-21T00:00:00Z", slot("2026-11-20", PLACES)),
        ("2026-11-21T00:00:00Z", slot("2026-11-20", PLACES)),
    ]);
    assert!(matches!(check(&doubled), Err(Broken::Slot { at: 1, .. })));
    let early = chain([("2026-11-20T23:00:00Z", slot("2026-11-20", PLACES))]);
    assert!(matches!(check(&early), Err(Broken::Slot { at: 0, .. })));
    let narrow = chain([("2026-11-21T00:00:00Z", slot("2026-11-20", PLACES - 1))]);
    assert!(matches!(check(&narrow), Err(Broken::Places { at: 0, .. })));
    assert!(matches!(check(&[]), Err(Broken::Empty)));
}

#[test]
fn the_schema_and_the_bytes_that_are_hashed_are_the_published_ones() {
    let published: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/ledger.schema.json")).unwrap();
    assert_eq!(
        published,
        json_schema(),
        "run `amparo ledger schema > docs/ledger.schema.json` and look at the difference: customers rely on it"
    );
    let entry = &ledger()[0];
    assert_eq!(
        serde_json::to_value(&entry.body).unwrap(),
        serde_json::json!({"kind": "opening", "opening": {
            "actor": {"type": "tenant", "access_key": "AK1"},
            "reason": {"type": "own_request"},
            "keys": "objects", "region": "eu-de", "account": "alice",
            "from": "2026-11-20T10:00:00Z", "until": "2026-11-20T10:00:00Z",
            "objects": ["00000000-0000-0000-0000-000000000001"],
        }})
    );
}
