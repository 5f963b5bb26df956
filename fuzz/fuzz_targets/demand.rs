//! Any bytes are read as a demand or refused; what was read is written and read again unchanged, and assessed.
#![no_main]

use casework::{demand, rulebook::Rulebook};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(read) = demand::parse(data) {
        let written = serde_json::to_vec(&read).expect("a demand has a JSON form");
        assert_eq!(demand::parse(&written).expect("what was written is read"), read);
        let as_of = "2026-11-21".parse().expect("a date");
        let _ = Rulebook::builtin().assess_on_its_face(&read, None, as_of);
    }
});
