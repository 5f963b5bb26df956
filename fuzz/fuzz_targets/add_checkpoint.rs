//! What a witness is sent: what parses formats back to the same bytes, and deciding never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use translog::{
    note::VerifierKey,
    witness::{AddCheckpoint, Seen, decide, read_conflict},
};

const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

fuzz_target!(|bytes: &[u8]| {
    let _ = read_conflict(bytes);
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
        if let Ok(key) = VerifierKey::parse(KEY) {
            let _ = decide(&request, &[key], &Seen::nothing());
        }
    }
});
