//! What `amparo-letter` is handed: it is read or refused, and what was read is written and read again unchanged.
#![no_main]

use stationery::Letter;

libfuzzer_sys::fuzz_target!(|json: &[u8]| {
    if let Ok(read) = Letter::read(json) {
        let _ = read.to_text();
        assert!(read.year_month_day().is_some());
        let written = read.to_json().expect("a letter has a JSON form");
        // What is made visible may make a text too long.
        if let Ok(again) = Letter::read(&written) {
            assert_eq!(again, read);
        }
    }
});
