//! Any bytes are read as a signed message and refused; nothing verifies that no key signed, and no reading fails.
#![no_main]

use std::sync::LazyLock;

use hi1::signature::{Algorithm, Key, verify};
use jiff::Timestamp;

const JWK: &[u8] = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
static KEY: LazyLock<[Key; 1]> = LazyLock::new(|| {
    let when = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    [Key::from_jwk("k", Algorithm::EdDSA, when, JWK).expect("it is a key")]
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    assert!(verify(data, &*KEY, Timestamp::UNIX_EPOCH).is_err());
    // And as a key of each kind.
    for algorithm in [Algorithm::ES256, Algorithm::PS256, Algorithm::EdDSA] {
        let when = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let _ = Key::from_jwk("k", algorithm, when, data);
        let _ = Key::from_spki("k", algorithm, when, data);
    }
});
