//! Any bytes are read as an HI-1 message or refused; what was read and is supported is written and read again unchanged.
#![no_main]

use hi1::message::{Payload, Verb};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(mut read) = hi1::parse(data) else { return };
    if let Payload::Request(actions) = &read.payload {
        for action in actions {
            let (Verb::Create(object) | Verb::Update(object) | Verb::Deliver(_, object)) = &action.verb
            else {
                continue;
            };
            if !object.kind().is_supported() {
                return;
            }
            let _ = hi1::document::body(object);
        }
    }
    if matches!(&read.payload, Payload::Response(_)) {
        return;
    }
    read.signature = None;
    let written = hi1::write::message(&read).expect("what was read can be written");
    assert_eq!(hi1::parse(&written).expect("what was written is read"), read);
});
