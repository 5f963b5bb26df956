//! A ledger's lines: checked as they are; then chained anew, so that what a right hash must precede is reached too. Heads as
//! a tenant is shown them.
#![no_main]

use casework::ledger::{Entry, GENESIS, check, continues, heads::ShownSet};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(shown) = serde_json::from_slice::<ShownSet>(bytes) {
        let _ = shown.shown.map(|head| head.root());
    }
    let entries: Vec<Entry> = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let Some(first) = entries.first() else { return };
    if check(&entries).is_ok() {
        continues(&entries, &entries).expect("it continues itself");
    }
    let (tenant, mut prev, mut chained) = (first.header.tenant.clone(), GENESIS, Vec::new());
    for (seq, entry) in (0..).zip(&entries) {
        let Ok(mut next) = Entry::after(
            (seq, prev),
            &tenant,
            entry.header.at,
            entry.salt,
            entry.body.clone(),
        ) else {
            return;
        };
        next.opened = entry.opened.clone();
        prev = next.header.hash().expect("a header has a hash");
        chained.push(next);
    }
    if let Ok(checked) = check(&chained) {
        assert_eq!((checked.length, checked.head), (chained.len() as u64, prev));
    }
});
