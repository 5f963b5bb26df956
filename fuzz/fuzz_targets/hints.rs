//! Lists of authorities' domains and courts, as somebody fetched them: read or refused, then asked.
#![no_main]

use std::{cell::RefCell, io::Write as _};

use casework::sender::Domain;
use libfuzzer_sys::fuzz_target;
use service::requesters::{Hints, Source};
use tempfile::NamedTempFile;

thread_local! {
    static FILE: RefCell<NamedTempFile> = RefCell::new(NamedTempFile::new_in("/dev/shm").expect("a file in memory"));
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else {
        return;
    };
    FILE.with_borrow_mut(|file| {
        use std::io::Seek as _;
        file.as_file().set_len(0).expect("in memory");
        file.rewind().expect("in memory");
        file.write_all(bytes).expect("in memory");
        let source = Source::ALL[usize::from(first) % Source::ALL.len()];
        let mut hints = Hints::default();
        if hints.add(source, file.path()).is_ok() {
            for word in ["fbi.gov", "a.b.c.kobe.jp", "uscourts.gov"] {
                let domain = Domain::new(word).expect("a domain");
                let _ = (hints.listed(&domain), hints.is_suffix(&domain));
            }
            let _ = hints.court("Southern District of New York");
        }
    });
});
