//! Reading any bytes as a PDF must end, within its limits, with a last line that says so.
#![no_main]

use std::convert::Infallible;

use libfuzzer_sys::fuzz_target;
use paper::{HIDDEN_MAX, PAGES_MAX, QUOTE_MAX, TEXT_BYTES_MAX, answer::Line};

fuzz_target!(|bytes: &[u8]| {
    let (mut pages, mut hidden, mut text, mut ended) = (0, 0, 0, false);
    let Ok(()) = paper::read(bytes.to_vec(), |line| {
        assert!(!ended, "there is more after the end");
        match line {
            Line::Page { lines, .. } => {
                pages += 1;
                text += lines.iter().map(|line| line.text.len()).sum::<usize>();
            }
            Line::Hidden(found) => {
                hidden += 1;
                assert!(found.text.chars().count() <= QUOTE_MAX);
            }
            Line::Gap { .. } => {}
            Line::End { .. } | Line::Refused { .. } => ended = true,
        }
        Ok::<(), Infallible>(())
    });
    assert!(ended && pages <= PAGES_MAX && hidden <= HIDDEN_MAX && text <= TEXT_BYTES_MAX);
});
