//! Receipts and evidence: what verifies, and that no changed byte does.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test says what is wrong by failing, and reads the vectors itself"
)]

mod fixture;

use fixture::{Letter, opening, receipt};
use translog::{
    cosignature,
    entry::{Opening, Salt},
    included::{Included, NotIncluded, Opened},
    note::{self, KeyKind, Note},
    policy::{NotWitnessed, Policy},
    proof::Receipt,
};

#[test]
fn a_receipt_gives_evidence() {
    let policy = fixture::policy();
    for (index, size) in [(0, 1), (0, 2), (4, 5), (255, 256), (256, 257), (300, 700)] {
        let receipt = receipt(&opening(&Letter(5), 9), index, size);
        let text = receipt.to_string();
        assert_eq!(Receipt::parse(&text).unwrap(), receipt);
        let included = Included::verify(Letter(5), &Salt([9; 32]), &receipt, &policy).unwrap();
        assert_eq!((included.index(), included.checkpoint().size), (index, size));
        assert_eq!(included.witnessed_at(), 1000);
        assert_eq!(included.into_value().0, 5);
    }
}

#[test]
fn another_value_salt_or_kind_is_refused() {
    let policy = fixture::policy();
    let good = receipt(&opening(&Letter(5), 9), 3, 8);
    let other = |value, salt| Included::verify(Letter(value), &Salt([salt; 32]), &good, &policy).unwrap_err();
    assert_eq!(other(6, 9), NotIncluded::OtherEntry);
    assert_eq!(other(5, 8), NotIncluded::OtherEntry);
    let release = Opening {
        kind: "release".into(),
        ..opening(&Letter(5), 9)
    };
    let of_other_kind = receipt(&release, 3, 8);
    let fault = Included::verify(Letter(5), &Salt([9; 32]), &of_other_kind, &policy).unwrap_err();
    assert_eq!(fault, NotIncluded::OtherEntry);
    let without = Receipt { extra: None, ..good };
    let fault = Included::verify(Letter(5), &Salt([9; 32]), &without, &policy).unwrap_err();
    assert_eq!(fault, NotIncluded::NoOpening);
}

#[test]
fn every_changed_byte_is_refused() {
    let policy = fixture::policy();
    let good = receipt(&opening(&Letter(5), 9), 5, 13).to_string().into_bytes();
    let verify = |bytes: &[u8]| {
        let receipt = Receipt::parse_bytes(bytes).ok()?;
        assert_eq!(
            receipt.to_string().as_bytes(),
            bytes,
            "parsed without being canonical"
        );
        Opened::verify(&receipt, &policy).ok()
    };
    assert!(verify(&good).is_some());
    for at in 0..good.len() {
        for mask in 1..=255_u8 {
            let mut changed = good.clone();
            changed[at] ^= mask;
            assert!(verify(&changed).is_none(), "byte {at} xor {mask} went unseen");
        }
        let mut shorter = good.clone();
        shorter.remove(at);
        assert!(verify(&shorter).is_none(), "byte {at} could be left out");
        let mut doubled = good.clone();
        doubled.insert(at, good[at]);
        assert!(verify(&doubled).is_none(), "byte {at} could be doubled");
    }
    assert!(verify(&[good.as_slice(), b"\n"].concat()).is_none());
}

#[test]
fn strict_check_refuses_what_it_cannot_check() {
    let policy = fixture::policy();
    let log = fixture::Memory::default();
    let signed = fixture::sign(&log.add(&fixture::entries(0, 5)), 2);
    let text = Note::parse(&signed).unwrap().text().to_owned();
    let stranger = fixture::key("stranger.example", KeyKind::Witness, 99);
    let line = cosignature::cosign(&stranger, &text, 5).unwrap();
    let with_stranger = format!("{signed}{line}");
    assert!(policy.check(&with_stranger).is_ok());
    assert_eq!(
        policy.check_strict(&with_stranger).unwrap_err(),
        NotWitnessed::UnknownKey("stranger.example".into())
    );
    let again = cosignature::cosign(&fixture::witness_keys()[0], &text, 2000).unwrap();
    let twice = format!("{signed}{again}");
    // The later of two cosignatures counts, and the freshest quorum's oldest one is the time.
    assert_eq!(policy.check(&twice).unwrap().witnessed_at(), 1001);
    assert!(matches!(
        policy.check_strict(&twice),
        Err(NotWitnessed::SignedTwice(_))
    ));
}

#[test]
fn a_wrong_signature_of_a_known_key_spoils_the_note() {
    let policy = fixture::policy();
    let log = fixture::Memory::default();
    let checkpoint = log.add(&fixture::entries(0, 5));
    let signed = fixture::sign(&checkpoint, 3);
    let elsewhere = cosignature::cosign(&fixture::witness_keys()[2], "other\n", 5).unwrap();
    let lines: Vec<&str> = signed.lines().collect();
    let swapped = signed.replace(&format!("{}\n", lines[6]), &elsewhere.to_string());
    assert!(matches!(
        policy.check(&swapped),
        Err(NotWitnessed::BadSignature(_))
    ));
    let unsigned = note::format(
        &checkpoint.to_string(),
        &Note::parse(&signed).unwrap().signatures()[1..],
    );
    assert!(matches!(policy.check(&unsigned), Err(NotWitnessed::Unsigned(_))));
    assert!(matches!(
        policy.check(&fixture::sign(&checkpoint, 1)),
        Err(NotWitnessed::NoQuorum)
    ));
    let other_log = Policy::parse(&format!(
        "log {}\nquorum none\n",
        fixture::key("other.example", KeyKind::Log, 3).verifier()
    ));
    assert!(matches!(
        other_log.unwrap().check(&signed),
        Err(NotWitnessed::UnknownLog(_))
    ));
}

#[test]
fn receipts_not_in_their_one_form_are_refused() {
    let good = receipt(&opening(&Letter(5), 9), 5, 13).to_string();
    let (head, tail) = good.split_once("index 5\n").unwrap();
    for changed in [
        format!("{head}index 05\n{tail}"),
        format!("{head}index +5\n{tail}"),
        format!("{head}index  5\n{tail}"),
        format!("{head}index 5\r\n{tail}"),
        good.replace("extra ", "extra  "),
        good.replace("\n\n", "\n\n\n"),
        good.trim_end().to_owned(),
        format!("\u{feff}{good}"),
        good.replacen("tlog-proof@v1", "tlog-proof@v2", 1),
    ] {
        let verified = Receipt::parse(&changed)
            .is_ok_and(|receipt| Opened::verify(&receipt, &fixture::policy()).is_ok());
        assert!(!verified, "{changed}");
    }
    // 63 hashes are read, 64 are not.
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    let note = good.split_once("\n\n").unwrap().1;
    let long = |count| format!("c2sp.org/tlog-proof@v1\nindex 0\n{}\n{note}", hash.repeat(count));
    assert!(Receipt::parse(&long(63)).is_ok());
    assert!(Receipt::parse(&long(64)).is_err());
    // Trailing bits of base64 that are not zero.
    assert!(Receipt::parse(&long(1).replace("uFU=", "uFV=")).is_err());
}
