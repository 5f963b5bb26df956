//! Heads of ledgers in the docket: a second ledger, and a tail written anew, are found; nobody learns of the others.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by stopping"
)]

use casework::{
    ids::{Digest, ObjectId, TenantId},
    ledger::{
        Actor, Body, CommittedTo, Entry, GENESIS, Keys, NotCommitted, Opening, Reason, check, committed_to,
        heads::{EVERY, Head, HeadSet, HeadTree, HeadsSchema, LEVELS, ShownSet},
    },
    testkit::TestDocket,
};
use jiff::{SignedDuration, Timestamp};
use translog::entry::Salt;

/// Cosigned then, in seconds since 1970.
const COSIGNED: u64 = 1_800_000_000;

fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

fn minute(number: i64) -> Timestamp {
    "2026-11-20T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(number)
}

/// A ledger of one opening a minute, of objects that `flavour` numbers.
fn ledger(of: &str, entries: u64, flavour: impl Fn(u64) -> u128) -> Vec<Entry> {
    let mut last = (0, GENESIS);
    (0..entries)
        .map(|number| {
            let at = minute(i64::try_from(number).unwrap());
            let opening = Opening {
                actor: Actor::Provider,
                reason: Reason::Rotation,
                keys: Keys::Objects,
                region: "eu-de".parse().unwrap(),
                account: Some("alice".parse().unwrap()),
                from: at,
                until: at,
                objects: vec![ObjectId(uuid::Uuid::from_u128(flavour(number)))],
            };
            let salt = Digest::of(&[&number.to_be_bytes()]);
            let entry = Entry::after(last, &tenant(of), at, salt, Body::Opening { opening }).unwrap();
            last = (last.0 + 1, entry.header.hash().unwrap());
            entry
        })
        .collect()
}

fn head(ledger: &[Entry], of: &str, length: usize, since: u64) -> Head {
    let last = length
        .checked_sub(1)
        .map(|last| ledger[last].header.hash().unwrap());
    Head {
        tenant: tenant(of),
        since,
        length: length as u64,
        head: last.unwrap_or(GENESIS),
    }
}

/// A docket whose every place for heads holds a set of these heads, made `length` minutes after the first entry.
struct World {
    docket: TestDocket,
    sets: Vec<(HeadSet, Salt, HeadTree)>,
}

impl World {
    fn new() -> Self {
        Self {
            docket: TestDocket::new(0, 0),
            sets: Vec::new(),
        }
    }

    /// Commits to heads at the next place.
    fn commit(&mut self, heads: Vec<Head>, at: Timestamp) {
        let index = self.place();
        let number = u8::try_from(self.sets.len()).unwrap();
        let tree = HeadTree::new(Salt([number; 32]), heads).unwrap();
        let set = HeadSet {
            schema: HeadsSchema::V1,
            log: "docket.test".to_owned(),
            index,
            first: self.sets.first().map_or(index, |(first, ..)| first.index),
            at,
            root: tree.root(),
        };
        let salt = Salt([100 + number; 32]);
        assert_eq!(self.docket.log(&set, &salt), index);
        self.sets.push((set, salt, tree));
        self.docket.grow(10);
    }

    /// Leaves the next place to filler.
    fn skip(&mut self) {
        self.place();
        self.docket.grow(10);
    }

    fn place(&mut self) -> u64 {
        let size = self.docket.checkpoint().size;
        self.docket.grow(size.next_multiple_of(EVERY) - size);
        size.next_multiple_of(EVERY)
    }

    fn shown(&self, of: &str) -> Vec<ShownSet> {
        let one = |(set, salt, tree): &(HeadSet, Salt, HeadTree)| ShownSet {
            set: set.clone(),
            salt: salt.clone(),
            receipt: self.docket.receipt(set, salt, set.index, COSIGNED, 2).to_string(),
            shown: tree.show(&tenant(of)),
        };
        self.sets.iter().map(one).collect()
    }

    fn compare(&self, entries: &[Entry], sets: Vec<ShownSet>) -> Result<CommittedTo, NotCommitted> {
        check(entries).unwrap();
        committed_to(entries, sets, &self.docket.policy())
    }
}

/// Three sets that cover 2, 5 and 9 of 10 entries.
fn usual(entries: &[Entry]) -> World {
    let mut world = World::new();
    for length in [2, 5, 9] {
        let at = minute(i64::try_from(length).unwrap());
        world.commit(
            vec![head(entries, "contoso", length, 0), head(&[], "fabrikam", 0, 0)],
            at,
        );
    }
    world
}

#[test]
fn a_ledger_is_the_one_that_the_docket_committed_to() {
    let entries = ledger("contoso", 10, u128::from);
    let world = usual(&entries);
    let found = world.compare(&entries, world.shown("contoso")).unwrap();
    assert_eq!(
        (found.sets, found.since, found.last, found.length, found.at_first),
        (3, 0, 2 * EVERY, 9, 2)
    );
    assert_eq!((found.gaps, found.witnessed_at), (0, COSIGNED));
    // A file of them reads back as it was.
    for set in world.shown("contoso") {
        let line = serde_json::to_string(&set).unwrap();
        let again: ShownSet = serde_json::from_str(&line).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), line);
    }
}

#[test]
fn a_second_ledger_and_one_written_anew_are_found() {
    let entries = ledger("contoso", 10, u128::from);
    let world = usual(&entries);
    // Another from its beginning, from within what was committed to, and cut off. Each holds by itself.
    for (what, forged, index) in [
        ("a second one", ledger("contoso", 10, |n| u128::from(n) + 77), 0),
        (
            "its tail",
            ledger("contoso", 10, |n| u128::from(n) + u128::from(n == 7)),
            2 * EVERY,
        ),
    ] {
        let refused = world.compare(&forged, world.shown("contoso"));
        assert!(
            matches!(refused, Err(NotCommitted::Another { index: at, .. }) if at == index),
            "{what}: {refused:?}"
        );
    }
    let refused = world.compare(&entries[..8], world.shown("contoso"));
    assert!(matches!(
        refused,
        Err(NotCommitted::Shorter {
            length: 9,
            found: 8,
            ..
        })
    ));
    // What is not committed to yet can still be written anew: the ledger is proven up to there.
    let newest = ledger("contoso", 10, |n| u128::from(n) + u128::from(n == 9));
    assert_eq!(world.compare(&newest, world.shown("contoso")).unwrap().length, 9);

    // A provider with two ledgers shows one customer the sets of the one, and leaves those of the other out.
    let other = ledger("contoso", 10, |n| u128::from(n) + u128::from(n >= 5));
    let mut two = World::new();
    for (length, entries) in [
        (2, &entries),
        (5, &entries),
        (8, &entries),
        (8, &other),
        (9, &entries),
        (9, &other),
    ] {
        two.commit(
            vec![head(entries, "contoso", length, 0)],
            minute(i64::try_from(length).unwrap()),
        );
    }
    for (kept, entries) in [([0, 1, 2, 4], &entries), ([0, 1, 3, 5], &other)] {
        let shown = two.shown("contoso");
        let some = kept.map(|at| shown[at].clone()).to_vec();
        assert!(two.compare(entries, some).unwrap().gaps > 0);
        assert!(matches!(
            two.compare(entries, shown),
            Err(NotCommitted::Another { .. })
        ));
    }
}

#[test]
fn sets_that_are_left_out_altered_or_shown_elsewhere_are_found() {
    let entries = ledger("contoso", 10, u128::from);
    let mut world = usual(&entries);
    let without = |at: usize| {
        let mut shown = world.shown("contoso");
        shown.remove(at);
        world.compare(&entries, shown)
    };
    assert!(matches!(
        without(0),
        Err(NotCommitted::Beginning { index: EVERY })
    ));
    let middle = without(1).unwrap();
    assert_eq!((middle.gaps, middle.first_gap), (1, Some(EVERY)));
    let end = without(2).unwrap();
    assert_eq!((end.gaps, end.first_gap), (1, Some(2 * EVERY)));

    let alterations: [fn(&mut Vec<ShownSet>); 9] = [
        |sets| sets[1].salt = Salt([9; 32]),
        |sets| sets[1].set.root = Digest([9; 32]),
        |sets| sets[1].receipt = sets[0].receipt.clone(),
        |sets| sets[1].set.index = 2 * EVERY,
        |sets| sets[1].shown = None,
        |sets| sets[1].shown = sets[0].shown.clone(),
        |sets| sets[1].shown.as_mut().unwrap().path[40] = Digest([9; 32]),
        |sets| sets[1].shown.as_mut().unwrap().path.truncate(63),
        |sets| sets.swap(1, 2),
    ];
    for (number, alter) in alterations.iter().enumerate() {
        let mut shown = world.shown("contoso");
        alter(&mut shown);
        assert!(world.compare(&entries, shown).is_err(), "alteration {number}");
    }
    // The other customer's head is no head of this ledger.
    let refused = world.compare(&entries, world.shown("fabrikam"));
    assert!(matches!(refused, Err(NotCommitted::NoHead { index: 0 })));
    // Nor does a set stand where the docket has other entries.
    let (mut set, salt, _) = world.sets.pop().unwrap();
    set.index = world.docket.log(&set, &salt);
    assert_ne!(set.index % EVERY, 0);
    let elsewhere = ShownSet {
        receipt: world
            .docket
            .receipt(&set, &salt, set.index, COSIGNED, 2)
            .to_string(),
        set,
        salt,
        shown: None,
    };
    assert!(world.compare(&entries, vec![elsewhere]).is_err());
}

#[test]
fn a_ledger_begins_where_it_was_shown_not_to_be_yet() {
    let late = ledger("contoso", 10, u128::from);
    let mut world = World::new();
    let other = || head(&[], "fabrikam", 0, 0);
    world.commit(vec![other()], minute(-10));
    world.skip();
    let since = 2 * EVERY;
    for length in [3, 9] {
        let at = minute(i64::try_from(length).unwrap());
        world.commit(vec![other(), head(&late, "contoso", length, since)], at);
    }
    let shown = world.shown("contoso");
    assert!(shown[0].shown.is_none());
    let found = world.compare(&late, shown.clone()).unwrap();
    assert_eq!((found.since, found.sets, found.gaps), (since, 2, 1));
    // Without the set before, it could have been there before.
    let refused = world.compare(&late, shown[1..].to_vec());
    assert!(matches!(refused, Err(NotCommitted::Beginning { .. })));

    // A ledger made up later, with entries from before the set in which it was not.
    let mut forged = World::new();
    forged.commit(vec![other()], minute(600));
    forged.commit(vec![other(), head(&late, "contoso", 9, EVERY)], minute(601));
    let refused = forged.compare(&late, forged.shown("contoso"));
    assert!(
        matches!(refused, Err(NotCommitted::Beginning { .. })),
        "{refused:?}"
    );
    // And one that is dated after the set that covers it.
    let mut early = World::new();
    early.commit(vec![head(&late, "contoso", 9, 0)], minute(1));
    let refused = early.compare(&late, early.shown("contoso"));
    assert!(matches!(refused, Err(NotCommitted::Back { .. })), "{refused:?}");
}

/// Whoever is shown its own head sees as many hashes, none of them twice and none known beforehand, with one customer as with
/// hundreds.
#[test]
fn a_customers_path_tells_nothing_of_the_others() {
    let mut seen = std::collections::BTreeSet::new();
    for (round, others) in [0u8, 1, 200].into_iter().enumerate() {
        let mut heads = vec![head(&[], "contoso", 0, 0)];
        heads.extend((0..others).map(|n| head(&[], &format!("other-{n}"), 0, 0)));
        let tree = HeadTree::new(Salt([u8::try_from(round).unwrap(); 32]), heads).unwrap();
        let shown = tree.show(&tenant("contoso")).unwrap();
        assert_eq!(shown.root().unwrap(), Some(tree.root()));
        assert_eq!(shown.path.len(), LEVELS as usize);
        assert!(shown.path.iter().all(|hash| seen.insert(*hash)));
        assert!(seen.insert(shown.blind) && seen.insert(tree.root()));
        assert!(tree.show(&tenant("nobody")).is_none());
    }
    let twice = vec![head(&[], "contoso", 0, 0), head(&[], "contoso", 0, 0)];
    assert!(HeadTree::new(Salt([1; 32]), twice).is_err());
}
