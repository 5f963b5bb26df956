//! What a gate and a customer's keyholder say to each other: read or refused, and judged by a list of what is allowed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use service::keys::keyholder::{
    allow::{Allow, Counts, check},
    ledger::Entry,
    wire::{Answer, Request},
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = serde_json::from_slice::<Answer>(bytes) {
        let written = serde_json::to_vec(&read).expect("an answer has a JSON form");
        assert_eq!(
            serde_json::from_slice::<Answer>(&written).expect("what was written is read"),
            read
        );
    }
    let _ = serde_json::from_slice::<Entry>(bytes);
    let zero = bytes.iter().position(|byte| *byte == 0);
    let (request, rules) = zero.map_or((bytes, &[][..]), |zero| (&bytes[..zero], &bytes[zero + 1..]));
    let Ok(read) = serde_json::from_slice::<Request>(request) else {
        return;
    };
    let written = serde_json::to_vec(&read).expect("a request has a JSON form");
    assert_eq!(
        serde_json::from_slice::<Request>(&written).expect("what was written is read"),
        read
    );
    let _ = read.place.to_bytes();
    if let Ok(rules) = serde_json::from_slice::<Vec<Allow>>(rules)
        && check(&rules).is_ok()
    {
        let mut counts = Counts::default();
        for _ in 0..3 {
            let _ = counts.judge(&rules, &read.place, &read.reason, read.at);
        }
    }
});
