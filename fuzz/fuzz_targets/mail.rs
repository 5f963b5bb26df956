//! Taking a message apart and checking its sender must end and never panic.
#![no_main]

use futures::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use service::mail::{
    authentic::{Checker, OurServers},
    message::{PARTS_MAX, take_apart},
};

fuzz_target!(|raw: &[u8]| {
    if let Ok(parted) = take_apart(raw) {
        assert!(parted.parts.len() <= PARTS_MAX);
    }
    let checker = Checker::new(OurServers {
        results: Some("mx.example".to_owned()),
        received_by: vec!["mx.example".to_owned()],
    });
    // Nobody is asked, so there is nothing to wait for.
    let _ = checker.check(raw, None).now_or_never().expect("nothing to wait for");
});
