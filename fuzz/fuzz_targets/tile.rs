//! Tiles of somebody else's log: paths have one form, and bytes are the hashes or entries that they should be, or nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use translog::tile::{TileId, push_entry, read_entries, read_hashes, write_hashes};

fuzz_target!(|input: (u16, &[u8])| {
    let (width, bytes) = input;
    if let Some(id) = std::str::from_utf8(bytes).ok().and_then(TileId::parse) {
        assert_eq!(id.to_string().as_bytes(), bytes);
        let _ = (id.leaves_end(), id.full());
    }
    // The width that would fit is the one worth trying.
    for width in [width, u16::try_from(bytes.len() / 32).unwrap_or(width)] {
        if let Some(hashes) = read_hashes(bytes, width) {
            assert_eq!(write_hashes(&hashes), bytes);
        }
    }
    for width in [width % 257, width % 4] {
        if let Some(entries) = read_entries(bytes, width) {
            let mut again = Vec::new();
            for entry in entries {
                push_entry(&mut again, entry).expect("it was one");
            }
            assert_eq!(again, bytes);
        }
    }
});
