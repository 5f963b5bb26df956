//! Archives and mailboxes to import. A header's checksum is made right first, so that more than the door is seen.
#![no_main]

use std::io::{Cursor, Read as _};

use libfuzzer_sys::fuzz_target;
use service::import::{archive::TarReader, date, mbox::Mbox};

const BLOCK: usize = 512;

fn with_right_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut tar = bytes.to_vec();
    for block in tar.chunks_exact_mut(BLOCK) {
        // Only where a header is likely: a name, and the magic of either kind of tar.
        if block[0] != 0 && &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    tar
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else {
        return;
    };
    if first % 4 != 0 {
        let tar = with_right_checksums(bytes);
        let mut reader = TarReader::new(tar.as_slice());
        let mut given = 0;
        while let Ok(Some(head)) = reader.next_head() {
            if first % 4 != 1 {
                let mut content = Vec::new();
                let read = reader.by_ref().read_to_end(&mut content);
                assert!(read.is_err() || content.len() as u64 == head.size);
                given += content.len();
            }
        }
        assert!(given <= tar.len());
        return;
    }
    let mut mbox = Mbox::new(Cursor::new(bytes));
    let mut given = 0;
    while let Ok(Some(message)) = mbox.next_message() {
        let content = message.bytes.as_deref().unwrap_or_default();
        let _ = date::of(content, message.separator.as_deref());
        given += content.len() + message.separator.map_or(0, |line| line.len());
    }
    assert!(given <= bytes.len());
    let _ = date::of(bytes, None);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = date::rfc5322(text);
    }
});
