//! Reading what an authority wrote must end, never panic, and point into the text that it was given.
#![no_main]

use casework::{
    reading::{Form, Text, find, notice},
    sender::{Domain, Suffixes, resemblance},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for form in [Form::Plain, Form::Html] {
        let text = Text {
            text,
            form,
            part: 0,
            page: None,
        };
        for found in find(&text) {
            assert!(text.text.get(found.place.start..found.place.end).is_some());
        }
        let _ = notice(&text);
    }
    let known = [Domain::new("fbi.gov").unwrap()];
    for word in text.split_whitespace().take(8) {
        if let Ok(domain) = Domain::new(word) {
            let _ = resemblance(&domain, &known, &Suffixes::read(text));
        }
    }
});
