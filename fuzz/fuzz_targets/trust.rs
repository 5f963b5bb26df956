//! A deployment's `trust.toml`: it is read or refused, and what was read is written and read again unchanged.
#![no_main]

use casework::gate::TrustPolicy;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(read) = TrustPolicy::parse(text) {
        let written = read.to_toml().expect("what was read can be written");
        assert_eq!(
            TrustPolicy::parse(&written).expect("what was written is read"),
            read
        );
    }
});
