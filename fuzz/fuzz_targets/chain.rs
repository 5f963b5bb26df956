//! A case's events, as a stranger's file may hold them: read, linked anew so that the order of steps is judged and not the
//! hashes alone, and replayed.
#![no_main]

use casework::{
    chain::{Chain, HeaderChain},
    event::{Body, Event, Header},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(events) = serde_json::from_slice::<Vec<Event<Body>>>(bytes) else {
        return;
    };
    let _ = Chain::verify(events.clone());
    let mut linked: Vec<Event<Body>> = Vec::new();
    for Event { header, salt, body } in events {
        let before = linked.last().map(|event| &event.header);
        let (case, prev) = match before {
            Some(before) => (before.case, before.hash().expect("a header has a hash")),
            None => (header.case, header.prev),
        };
        let Ok(header) = Header::over(
            case,
            linked.len() as u64,
            header.at,
            header.actor,
            prev,
            &salt,
            &body,
        ) else {
            return;
        };
        linked.push(Event { header, salt, body });
    }
    let _ = HeaderChain::verify(linked.iter().map(|event| event.header.clone()).collect());
    if let Ok(chain) = Chain::verify(linked) {
        let _ = chain.case().owed("2026-11-21T00:00:00Z".parse().expect("a time"));
    }
});
