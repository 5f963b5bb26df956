//! Receipts and their openings: what parses formats back to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use translog::{entry::Opening, proof::Receipt};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(receipt) = Receipt::parse_bytes(bytes) {
        assert_eq!(receipt.to_string().as_bytes(), bytes);
        if let Some(extra) = &receipt.extra {
            let _ = Opening::parse(extra);
        }
    }
    if let Some(opening) = Opening::parse(bytes) {
        assert_eq!(opening.to_bytes(), bytes);
    }
});
