//! Other people's vectors: the age test kit, and RFC 8785's own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may"
)]

mod fixture;

use std::{collections::BTreeMap, io::Read as _};

use casework::ids::Digest;
use evidence::seal::{Identity, open};
use fixture::data;

/// The age crate reads a stanza that an old version wrote without its short last line (it says so in its own run of the
/// kit). The header's authentication code covers the bytes as they are, so such a file cannot be made from a true one.
const LEGACY_STANZAS: [&str; 2] = ["stanza_missing_body", "stanza_missing_final_line"];

/// Vectors with one of our kind of recipient, not armoured and not compressed, come out as they say.
#[test]
fn the_age_test_kit_decrypts_or_fails_as_it_says() {
    let Some(dir) = data("vectors/age-testkit/testdata") else {
        return;
    };
    let mut ran = BTreeMap::<String, usize>::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        let end = bytes.windows(2).position(|w| w == b"\n\n").unwrap();
        let fields: Vec<(&str, &str)> = std::str::from_utf8(&bytes[..end])
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once(": "))
            .collect();
        let field = |name: &str| fields.iter().find(|(k, _)| *k == name).map(|(_, v)| *v);
        let identities: Vec<Identity> = fields
            .iter()
            .filter(|(k, _)| *k == "identity")
            .filter_map(|(_, v)| Identity::parse(v).ok())
            .collect();
        let foreign = name.contains("hybrid") || name.contains("scrypt") || field("passphrase").is_some();
        if field("armored").is_some() || field("compressed").is_some() || foreign || identities.len() != 1 {
            continue;
        }
        let expect = field("expect").unwrap();
        *ran.entry(expect.to_owned()).or_default() += 1;
        let mut payload = Vec::new();
        let result = open(&identities[0], &bytes[end + 2..])
            .map_err(|e| e.to_string())
            .and_then(|mut r| r.read_to_end(&mut payload).map_err(|e| e.to_string()));
        match expect {
            "success" => {
                assert!(result.is_ok(), "{name}: {result:?}");
                assert_eq!(
                    Digest::of(&[&payload]).to_string(),
                    field("payload").unwrap(),
                    "{name}"
                );
            }
            _ if LEGACY_STANZAS.contains(&name.as_str()) => {}
            _ => assert!(result.is_err(), "{name} opened, expected {expect}"),
        }
    }
    println!("{ran:?}");
    assert!(
        ran["success"] >= 7 && ran.values().sum::<usize>() >= 47,
        "{ran:?}"
    );
}

#[test]
fn canonical_json_is_rfc_8785s() {
    let Some(dir) = data("vectors/jcs/testdata") else {
        return;
    };
    let mut ran = 0;
    for file in std::fs::read_dir(dir.join("input")).unwrap() {
        let path = file.unwrap().path();
        let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let expected = std::fs::read(dir.join("output").join(path.file_name().unwrap())).unwrap();
        let found = casework::canonical::to_canonical_json(&value).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&found),
            String::from_utf8_lossy(&expected),
            "{path:?}"
        );
        ran += 1;
    }
    assert_eq!(ran, 6);
}
