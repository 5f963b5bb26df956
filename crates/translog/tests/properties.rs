//! Properties: proofs against a second implementation, codecs that give the same bytes back, and parsers that survive
//! any input.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test says what is wrong by failing, and reads the vectors itself"
)]

mod fixture;

use std::cell::RefCell;

use proptest::prelude::*;
use translog::{
    Checkpoint, check_consistency,
    entry::Opening,
    merkle,
    note::{Note, VerifierKey},
    policy::Policy,
    proof::Receipt,
    tile::{self, TileId},
    tree::{Edge, Prover},
    witness::{AddCheckpoint, read_answer, read_conflict},
};

/// The same log, kept by another implementation.
struct Oracle(RefCell<Vec<tlog_tiles::Hash>>, u64);

impl tlog_tiles::HashReader for Oracle {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|i| self.0.borrow()[*i as usize]).collect())
    }
}

fn oracle(entries: &[Vec<u8>]) -> Oracle {
    let mut oracle = Oracle(RefCell::default(), 0);
    for (n, entry) in entries.iter().enumerate() {
        let hashes = tlog_tiles::stored_hashes(n as u64, entry, &oracle).unwrap();
        oracle.0.borrow_mut().extend(hashes);
        oracle.1 += 1;
    }
    oracle
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn proofs_equal_another_implementations(size in 1_u64..1500, a in 0_u64..1500, b in 0_u64..1500) {
        let (index, old) = (a % size, b % size + 1);
        let entries = fixture::entries(0, size);
        let log = fixture::Memory::default();
        let new = log.add(&entries);
        let oracle = oracle(&entries);
        prop_assert_eq!(new.root.0, tlog_tiles::tree_hash(size, &oracle).unwrap().0);
        let mut prover = Prover::new(&log, size).unwrap();
        prop_assert_eq!(prover.root().unwrap(), new.root);
        let path = prover.inclusion(index).unwrap();
        let theirs = tlog_tiles::prove_record(size, index, &oracle).unwrap();
        prop_assert_eq!(path.iter().map(|h| h.0).collect::<Vec<_>>(), theirs.iter().map(|h| h.0).collect::<Vec<_>>());
        let leaf = merkle::leaf_hash(&entries[index as usize]);
        prop_assert!(merkle::check_inclusion(&leaf, index, size, &new.root, &path).is_ok());
        let proof = prover.consistency(old).unwrap();
        let theirs = tlog_tiles::prove_tree(size, old, &oracle).unwrap();
        prop_assert_eq!(proof.iter().map(|h| h.0).collect::<Vec<_>>(), theirs.iter().map(|h| h.0).collect::<Vec<_>>());
        let before = Checkpoint {
            origin: fixture::ORIGIN.into(),
            size: old,
            root: Prover::new(&log, size).unwrap().root().map(|_| {
                let earlier = fixture::Memory::default();
                earlier.add(&entries[..old as usize]).root
            }).unwrap(),
        };
        prop_assert!(check_consistency(&before, &new, &proof).is_ok());
        // Any one hash changed, or any hash more or fewer, and it no longer holds.
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at].0[0] ^= 1;
            prop_assert!(check_consistency(&before, &new, &changed).is_err());
            changed.remove(at);
            prop_assert!(check_consistency(&before, &new, &changed).is_err());
        }
        for at in 0..path.len() {
            let mut changed = path.clone();
            changed[at].0[31] ^= 128;
            prop_assert!(merkle::check_inclusion(&leaf, index, size, &new.root, &changed).is_err());
            changed.remove(at);
            prop_assert!(merkle::check_inclusion(&leaf, index, size, &new.root, &changed).is_err());
        }
        for other in (0..size).filter(|other| *other != index) {
            prop_assert!(merkle::check_inclusion(&leaf, other, size, &new.root, &path).is_err());
        }
    }

    #[test]
    fn the_way_entries_arrive_changes_no_full_file(batches in prop::collection::vec(0_u64..400, 1..8)) {
        let (stepwise, whole) = (fixture::Memory::default(), fixture::Memory::default());
        let total = batches.iter().sum();
        for batch in batches {
            let size = stepwise.checkpoint().size;
            stepwise.add(&fixture::entries(size, batch));
            let edge = Edge::load(stepwise.checkpoint().size, &stepwise).unwrap();
            prop_assert_eq!(&edge, &*stepwise.edge.borrow());
        }
        prop_assert_eq!(stepwise.checkpoint(), whole.add(&fixture::entries(0, total)));
        for (id, bytes) in whole.files.borrow().iter() {
            let stepwise = stepwise.files.borrow();
            // A partial file of the end is the last step's; a full one is there however it came about.
            prop_assert_eq!(stepwise.get(id), Some(bytes), "{}", id);
        }
    }

    #[test]
    fn tile_paths_read_back(level in 0_u8..8, index in 0_u64..1 << 40, width in 1_u16..=256) {
        for kind in [tile::TileKind::Entries, tile::TileKind::Hashes { level }] {
            if let Some(id) = TileId::new(kind, index, width) {
                prop_assert_eq!(TileId::parse(&id.to_string()), Some(id));
            }
        }
    }

    #[test]
    fn bundles_read_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..=256)) {
        let mut bundle = Vec::new();
        for entry in &entries {
            tile::push_entry(&mut bundle, entry).unwrap();
        }
        let width = entries.len() as u16;
        let read = tile::read_entries(&bundle, width).unwrap();
        prop_assert!(read.iter().zip(&entries).all(|(a, b)| a == b));
        prop_assert!(tile::read_entries(&bundle, width + 1).is_none());
        prop_assert!(tile::read_entries(&bundle, width - 1).is_none());
    }
}

/// Feeds one input to every parser; what parses must format back to the same bytes.
fn feed(bytes: &[u8]) {
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
    }
    if let Ok(receipt) = Receipt::parse_bytes(bytes) {
        assert_eq!(receipt.to_string().as_bytes(), bytes);
    }
    if let Some(opening) = Opening::parse(bytes) {
        assert_eq!(opening.to_bytes(), bytes);
    }
    let _ = read_conflict(bytes);
    let _ = read_answer(bytes, fixture::witness_keys()[0].verifier(), "text\n");
    let _ = tile::read_entries(bytes, 256);
    let _ = tile::read_hashes(bytes, 1);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_string(), text);
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            assert_eq!(checkpoint.to_string(), note.text());
        }
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    if let Some(id) = TileId::parse(text) {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(policy) = Policy::parse(text) {
        assert_eq!(policy.as_str(), text);
    }
}

/// Well-formed inputs, to change bit by bit.
fn seeds() -> Vec<Vec<u8>> {
    let receipt = fixture::receipt(&fixture::opening(&fixture::Letter(1), 2), 3, 9);
    let request = AddCheckpoint {
        old: 3,
        proof: receipt.path.clone(),
        checkpoint: receipt.checkpoint.clone(),
    };
    vec![
        receipt.to_string().into_bytes(),
        request.to_string().into_bytes(),
        receipt.checkpoint.clone().into_bytes(),
        fixture::policy().as_str().as_bytes().to_vec(),
        fixture::log_key().verifier().to_string().into_bytes(),
        fixture::opening(&fixture::Letter(1), 2).to_bytes(),
        b"tile/0/x001/234.p/5".to_vec(),
        b"\xe2\x80\x94 w AAAA\n".to_vec(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        feed(&bytes);
    }

    #[test]
    fn arbitrary_lines_never_panic(text in "((old|extra|index|log|witness|group|quorum|\u{2014}| |\n|\n\n|[0-9a-zA-Z+/=]{1,50}|c2sp.org/tlog-proof@v1\n){1,12}\n)*") {
        feed(text.as_bytes());
    }

    #[test]
    fn changed_inputs_never_panic(seed in 0_usize..8, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6)) {
        let mut bytes = seeds().swap_remove(seed);
        for (at, value, how) in edits {
            if bytes.is_empty() { break; }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = value,
                1 => bytes.insert(at, value),
                _ => { bytes.remove(at); }
            }
        }
        feed(&bytes);
    }
}

#[test]
fn tile_paths_have_one_form() {
    for (path, valid) in [
        ("tile/0/000", true),
        ("tile/0/x001/x234/067", true),
        ("tile/entries/x001/067.p/255", true),
        ("tile/7/000.p/1", true),
        ("tile/00/000", false),
        ("tile/0/0", false),
        ("tile/0/x000/001", false),
        ("tile/0/001/067", false),
        ("tile/0/x001", false),
        ("tile/0/000.p/0", false),
        ("tile/0/000.p/256", false),
        ("tile/0/000.p/01", false),
        ("tile/64/000", false),
        ("tile/-1/000", false),
        ("tile/data/000", false),
        ("/tile/0/000", false),
        ("tile/0/../000", false),
        ("tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999", false),
    ] {
        assert_eq!(TileId::parse(path).is_some(), valid, "{path}");
    }
    // The specification's example: a tree of 70,000 entries.
    for (kind, position, path) in [
        (tile::TileKind::Hashes { level: 0 }, 69_999, "tile/0/273.p/112"),
        (tile::TileKind::Hashes { level: 1 }, 272, "tile/1/001.p/17"),
        (tile::TileKind::Hashes { level: 2 }, 0, "tile/2/000.p/1"),
        (tile::TileKind::Entries, 0, "tile/entries/000"),
    ] {
        assert_eq!(TileId::holding(kind, position, 70_000).unwrap().to_string(), path);
    }
    assert_eq!(
        TileId::holding(tile::TileKind::Hashes { level: 3 }, 0, 70_000),
        None
    );
}

#[test]
fn notes_equal_another_implementations() {
    let log = fixture::Memory::default();
    let signed = fixture::sign(&log.add(&fixture::entries(0, 5)), 0);
    let verifier = signed_note::StandardVerifier::new(&fixture::log_key().verifier().to_string()).unwrap();
    let note = signed_note::Note::from_bytes(signed.as_bytes()).unwrap();
    let known = signed_note::VerifierList::new(vec![Box::new(verifier)]);
    assert_eq!(note.verify(&known).unwrap().0.len(), 1);
    assert_eq!(note.to_bytes(), signed.as_bytes());
}
