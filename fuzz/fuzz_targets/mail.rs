//! Taking a message apart, checking its sender and reading it must end, never panic, and name only what is there.
#![no_main]

use std::sync::LazyLock;

use futures::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use service::{
    mail::{
        authentic::{Checker, OurServers},
        message::{PARTS_MAX, take_apart},
        reading::read,
    },
    paper::PaperReader,
};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
});

fuzz_target!(|raw: &[u8]| {
    if let Ok(parted) = take_apart(raw) {
        assert!(parted.parts.len() <= PARTS_MAX);
    }
    let checker = Checker::new(OurServers {
        results: Some("mx.example".to_owned()),
        received_by: vec!["mx.example".to_owned()],
    });
    // Nobody is asked, so there is nothing to wait for.
    let _ = checker
        .check(raw, None)
        .now_or_never()
        .expect("nothing to wait for");
    // PDFs have a target of their own; here the program that reads them cannot be started.
    let papers = PaperReader::at("/dev/null/amparo-paper".into());
    let reading = RUNTIME.block_on(read(raw.to_vec(), &papers));
    assert!(
        !reading
            .unread
            .iter()
            .any(|reason| reason.contains("could not be taken apart")
                || reason.contains("could not be looked through"))
    );
});
