//! The primitives beneath, against Wycheproof.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic"
)]

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use serde_json::Value;

fn vectors(name: &str) -> Option<Value> {
    let root = std::env::var("AMPARO_TESTDATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
    match std::fs::read(format!("{root}/vectors/wycheproof/{name}")) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(_) => {
            eprintln!("skipped: {name} (no test data)");
            None
        }
    }
}

fn bytes(value: &Value, field: &str) -> Vec<u8> {
    hex::decode(value[field].as_str().unwrap()).unwrap()
}

#[test]
fn aes_256_gcm() {
    let Some(file) = vectors("aes_gcm_test.json") else {
        return;
    };
    let mut seen = 0;
    for group in file["testGroups"].as_array().unwrap() {
        if group["keySize"] != 256 || group["ivSize"] != 96 || group["tagSize"] != 128 {
            continue;
        }
        for test in group["tests"].as_array().unwrap() {
            let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes(test, "key")).unwrap());
            let nonce = Nonce::try_assume_unique_for_key(&bytes(test, "iv")).unwrap();
            let (sealed, tag) = (bytes(test, "ct"), bytes(test, "tag"));
            let mut plain = vec![0; sealed.len()];
            let opened =
                cipher.open_separate_gather(nonce, Aad::from(bytes(test, "aad")), &sealed, &tag, &mut plain);
            assert_eq!(opened.is_ok(), test["result"] == "valid", "{}", test["tcId"]);
            if opened.is_ok() {
                assert_eq!(plain, bytes(test, "msg"));
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} vectors fit");
}

struct Len(usize);
impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

#[test]
fn hkdf() {
    let Some(file) = vectors("hkdf_sha256_test.json") else {
        return;
    };
    for group in file["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let size = usize::try_from(test["size"].as_u64().unwrap()).unwrap();
            let prk = Salt::new(HKDF_SHA256, &bytes(test, "salt")).extract(&bytes(test, "ikm"));
            let info = bytes(test, "info");
            let mut out = vec![0; size];
            let done = prk.expand(&[&info], Len(size)).and_then(|okm| okm.fill(&mut out));
            assert_eq!(done.is_ok(), test["result"] == "valid", "{}", test["tcId"]);
            if done.is_ok() {
                assert_eq!(out, bytes(test, "okm"));
            }
        }
    }
}
