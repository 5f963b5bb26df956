//! Any bytes are read as a demand or refused; what was read is written and read again unchanged, and assessed: on its face,
//! and with what is known of it, where facts stand after a zero byte.
#![no_main]

use casework::{demand, facts, rulebook::Rulebook};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (demand, known) = match data.iter().position(|byte| *byte == 0) {
        Some(zero) => (&data[..zero], Some(&data[zero + 1..])),
        None => (data, None),
    };
    let known = known.and_then(|known| facts::parse(known).ok());
    if let Some(known) = &known {
        let written = serde_json::to_vec(known).expect("facts have a JSON form");
        assert_eq!(&facts::parse(&written).expect("what was written is read"), known);
    }
    if let Ok(read) = demand::parse(demand) {
        let written = serde_json::to_vec(&read).expect("a demand has a JSON form");
        assert_eq!(demand::parse(&written).expect("what was written is read"), read);
        let as_of = "2026-11-21".parse().expect("a date");
        let _ = Rulebook::builtin().assess_on_its_face(&read, known.as_ref(), as_of);
        if let Some(known) = &known {
            let _ = Rulebook::builtin().assess(&read, known, as_of);
        }
    }
});
