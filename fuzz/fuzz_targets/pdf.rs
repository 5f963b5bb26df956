//! Reading any bytes as a PDF must end, within its limits, with a last line that says so. A panic of the library that draws is
//! caught, as `amparo-paper` catches it; one of our own is not.
#![no_main]

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook},
    process::abort,
};

use libfuzzer_sys::fuzz_target;
use paper::{HIDDEN_MAX, PAGES_MAX, QUOTE_MAX, TEXT_BYTES_MAX, answer::Line};

fn on_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or("", |location| location.file());
    if !place.contains("registry/src") {
        eprintln!("{info}");
        abort();
    }
}

fuzz_target!(
    init: set_hook(Box::new(on_panic)),
    |bytes: &[u8]| {
        let (mut pages, mut hidden, mut text, mut ended) = (0, 0, 0, false);
        let read = catch_unwind(AssertUnwindSafe(|| {
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
        }));
        assert!((ended || read.is_err()) && pages <= PAGES_MAX && hidden <= HIDDEN_MAX && text <= TEXT_BYTES_MAX);
    }
);
