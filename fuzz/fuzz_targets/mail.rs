//! Taking a message apart and checking its sender must end and never panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use service::mail::{
    authentic::{Checker, OurServers},
    message::{PARTS_MAX, take_apart},
};

fuzz_target!(|raw: &[u8]| {
    if let Ok(parted) = take_apart(raw) {
        assert!(parted.parts.len() <= PARTS_MAX);
    }
    let checker = Checker::new(OurServers { results: Some("mx.example".to_owned()) });
    let _ = checker.check(raw);
});
