//! Disclosure packages. Whatever the bytes, the check ends without a panic. A package that is whole but for one entry, under
//! right headers, is proven only where that entry is what it was: so the check reads on past what no chance gets right.
#![no_main]

#[path = "../../crates/evidence/tests/fixture/mod.rs"]
mod fixture;

use std::{io::Read as _, sync::LazyLock};

use casework::gate::TrustPolicy;
use evidence::{seal, ustar, verify::verify_package};
use libfuzzer_sys::fuzz_target;

struct Whole {
    policy: TrustPolicy,
    entries: Vec<(String, Vec<u8>)>,
}

static WHOLE: LazyLock<Whole> = LazyLock::new(|| {
    let mut made = fixture::case(fixture::few());
    let tar = made.tar();
    let mut archive = tar::Archive::new(tar.as_slice());
    let entries = archive.entries().expect("an archive").map(|entry| {
        let mut entry = entry.expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("in memory");
        (
            entry.path().expect("a path").to_string_lossy().into_owned(),
            bytes,
        )
    });
    let entries: Vec<_> = entries.collect();
    if let Some(folder) = std::env::var_os("SEEDS") {
        let folder = std::path::PathBuf::from(folder);
        for (number, (_, bytes)) in entries.iter().enumerate() {
            let seed = [&[u8::try_from(number).expect("few")], bytes.as_slice()].concat();
            std::fs::write(folder.join(format!("entry-{number}")), seed).expect("a folder for seeds");
        }
        let events = serde_json::to_vec(&made.input().events).expect("events have a JSON form");
        std::fs::write(folder.join("events"), events).expect("a folder for seeds");
        std::fs::write(folder.join("whole"), [&[0xff], tar.as_slice()].concat()).expect("a folder for seeds");
        std::fs::write(
            folder.join("sealed"),
            [&[0xfe], made.sealed().as_slice()].concat(),
        )
        .expect("a folder");
    }
    Whole {
        policy: made.policy,
        entries,
    }
});

fn with(number: usize, bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (at, (path, content)) in WHOLE.entries.iter().enumerate() {
        let content = if at == number { bytes } else { content };
        let size = content.len() as u64;
        tar.extend_from_slice(&ustar::header(path, size).expect("a path of ours"));
        tar.extend_from_slice(content);
        ustar::write_padding(&mut tar, size).expect("in memory");
    }
    ustar::write_end(&mut tar).expect("in memory");
    tar
}

fuzz_target!(|bytes: &[u8]| {
    let whole = &*WHOLE;
    let Some((&first, bytes)) = bytes.split_first() else {
        return;
    };
    match whole.entries.get(usize::from(first)) {
        Some((_, content)) => {
            let proven = verify_package(with(first.into(), bytes).as_slice(), &whole.policy).is_ok();
            assert_eq!(proven, content == bytes);
        }
        None if first == 0xfe => {
            let identity = seal::Identity::parse(fixture::SECRET).expect("an identity");
            if let Ok(opened) = seal::open(&identity, bytes) {
                let _ = verify_package(opened, &whole.policy);
            }
        }
        None => {
            let _ = verify_package(bytes, &whole.policy);
        }
    }
});
