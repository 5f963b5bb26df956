//! The witness's decision: each status code, and what the client reads back.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test says what is wrong by failing, and reads the vectors itself"
)]

mod fixture;

use translog::{
    Checkpoint, Hash,
    note::{KeyKind, Note},
    policy::Policy,
    tree::Prover,
    witness::{AddCheckpoint, BadAnswer, Refused, Seen, decide, origin_hash, read_answer, read_conflict},
};

fn request(log: &fixture::Memory, old: u64) -> AddCheckpoint {
    let checkpoint = log.checkpoint();
    AddCheckpoint {
        old,
        proof: Prover::new(log, checkpoint.size)
            .unwrap()
            .consistency(old.min(checkpoint.size))
            .unwrap(),
        checkpoint: fixture::sign(&checkpoint, 0),
    }
}

fn seen(checkpoint: &Checkpoint) -> Seen {
    Seen {
        size: checkpoint.size,
        root: checkpoint.root,
    }
}

#[test]
fn a_growing_log_is_cosigned() {
    let trusted = [fixture::log_key().verifier().clone()];
    let key = &fixture::witness_keys()[0];
    let log = fixture::Memory::default();
    let mut last = Seen::nothing();
    for count in [0, 1, 5, 0, 250, 300] {
        log.add(&fixture::entries(log.checkpoint().size, count));
        let request = request(&log, last.size);
        let parsed = AddCheckpoint::parse(request.to_string().as_bytes()).unwrap();
        assert_eq!(parsed, request);
        assert_eq!(parsed.origin(), Some(fixture::ORIGIN));
        let accepted = decide(&parsed, &trusted, &last).unwrap();
        last = seen(accepted.checkpoint());
        let cosigned = accepted.cosign(key, 77).unwrap();
        let text = Note::parse(&cosigned.note).unwrap().text().to_owned();
        let (_, time) = read_answer(cosigned.answer.as_bytes(), key.verifier(), &text).unwrap();
        assert_eq!(time, 77);
        let policy = format!("log {}\nwitness w {}\nquorum w\n", trusted[0], key.verifier());
        let witnessed = Policy::parse(&policy)
            .unwrap()
            .check_strict(&cosigned.note)
            .unwrap();
        assert_eq!(witnessed.witnessed_at(), 77);
    }
}

#[test]
fn each_status_has_its_cause() {
    let trusted = [fixture::log_key().verifier().clone()];
    let log = fixture::Memory::default();
    let five = log.add(&fixture::entries(0, 5));
    let nine = log.add(&fixture::entries(5, 4));
    let status = |request: &AddCheckpoint, seen: &Seen| match decide(request, &trusted, seen) {
        Ok(_) => 200,
        Err(refused) => refused.status(),
    };
    let good = request(&log, 5);
    assert_eq!(status(&good, &seen(&five)), 200);
    // 404: a log that nobody configured.
    assert_eq!(decide(&good, &[], &seen(&five)).unwrap_err(), Refused::UnknownLog);
    // 403: signed by a stranger only, or wrongly by the key that is trusted.
    let stranger = [fixture::key(fixture::ORIGIN, KeyKind::Log, 50).verifier().clone()];
    assert_eq!(decide(&good, &stranger, &seen(&five)).unwrap_err().status(), 403);
    let mut forged = good.clone();
    forged.checkpoint = forged.checkpoint.replace("\n9\n", "\n8\n");
    assert_eq!(status(&forged, &seen(&five)), 403);
    // 400: the old size is above the new.
    assert_eq!(
        status(
            &AddCheckpoint {
                old: 10,
                ..good.clone()
            },
            &seen(&five)
        ),
        400
    );
    // 409: not what was cosigned last, older or newer.
    assert_eq!(
        decide(&good, &trusted, &Seen::nothing()).unwrap_err(),
        Refused::Conflict(0)
    );
    assert_eq!(
        decide(&good, &trusted, &seen(&nine)).unwrap_err(),
        Refused::Conflict(9)
    );
    // 422: a proof that does not hold, a proof where none belongs, another root at the same size.
    let mut wrong = good.clone();
    wrong.proof[0] = Hash([1; 32]);
    assert_eq!(status(&wrong, &seen(&five)), 422);
    assert_eq!(
        status(
            &AddCheckpoint {
                proof: vec![],
                ..good.clone()
            },
            &seen(&five)
        ),
        422
    );
    assert_eq!(
        status(
            &AddCheckpoint {
                old: 0,
                ..good.clone()
            },
            &Seen::nothing()
        ),
        422
    );
    let same = AddCheckpoint {
        old: 9,
        proof: vec![],
        ..good
    };
    assert_eq!(status(&same, &seen(&nine)), 200);
    let forked = Seen {
        size: 9,
        root: Hash([2; 32]),
    };
    assert_eq!(status(&same, &forked), 422);
    // 422: an empty tree with another root.
    let empty = Checkpoint {
        origin: fixture::ORIGIN.into(),
        size: 0,
        root: Hash([3; 32]),
    };
    let empty = AddCheckpoint {
        old: 0,
        proof: vec![],
        checkpoint: fixture::sign(&empty, 0),
    };
    assert_eq!(status(&empty, &Seen::nothing()), 422);
}

#[test]
fn malformed_requests_are_refused() {
    let log = fixture::Memory::default();
    log.add(&fixture::entries(0, 5));
    let good = request(&log, 0).to_string();
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    let with_proof = |count| good.replacen("old 0\n", &format!("old 0\n{}", hash.repeat(count)), 1);
    assert!(AddCheckpoint::parse(with_proof(63).as_bytes()).is_ok());
    assert!(AddCheckpoint::parse(with_proof(64).as_bytes()).is_err());
    for changed in [
        String::new(),
        "old 0\n".into(),
        good.replacen("old 0", "old 00", 1),
        good.replacen("old 0", "old -1", 1),
        good.replacen("old 0", "Old 0", 1),
        good.replacen("old 0\n", "old 0\r\n", 1),
        good.trim_end().to_owned(),
        good.replacen("\n5\n", "\n5\nextension\n", 1),
        format!("{good}{}", "x".repeat(80_000)),
    ] {
        assert!(AddCheckpoint::parse(changed.as_bytes()).is_err(), "{changed}");
    }
}

#[test]
fn answers_are_read_strictly() {
    let keys = fixture::witness_keys();
    let log = fixture::Memory::default();
    let checkpoint = log.add(&fixture::entries(0, 5));
    let (text, signed) = (checkpoint.to_string(), fixture::sign(&checkpoint, 2));
    let lines: Vec<&str> = signed.lines().skip(5).collect();
    let answer = format!("{}\n{}\n", lines[0], lines[1]);
    let read = |answer: &str, n: usize| read_answer(answer.as_bytes(), keys[n].verifier(), &text);
    assert_eq!(read(&answer, 1).unwrap().1, 1001);
    assert_eq!(read(&answer, 2), Err(BadAnswer::Absent));
    assert_eq!(read(answer.trim_end(), 1), Err(BadAnswer::Malformed));
    assert_eq!(read("", 1), Err(BadAnswer::Malformed));
    assert_eq!(
        read_answer(answer.as_bytes(), keys[1].verifier(), "other\n"),
        Err(BadAnswer::Wrong)
    );
    assert_eq!(read_conflict(b"2000\n"), Some(2000));
    for wrong in ["2000", "02000\n", "\n", "2000\n\n", "-1\n"] {
        assert_eq!(read_conflict(wrong.as_bytes()), None);
    }
    assert_eq!(
        origin_hash(""),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}
