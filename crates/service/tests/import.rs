//! Mail import, on real and hostile mail.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may"
)]

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

use service::import::{
    ImportError, MESSAGE_MAX, RawMessage, Source,
    date::{self, Dated},
    entries::PassedOver,
    messages,
    spread::Spread,
};

fn data(name: &str, test: &str) -> Option<PathBuf> {
    let root = std::env::var_os("AMPARO_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {test} (no test data)");
    None
}

fn read(path: &Path) -> (Vec<RawMessage>, PassedOver) {
    let mut found = messages(&Source::detect(path).unwrap()).unwrap();
    let all = found.by_ref().collect::<Result<Vec<_>, _>>().unwrap();
    (all, found.passed())
}

/// The archive's files, by another reader.
fn unpacked(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let xz = liblzma::read::XzDecoder::new(std::fs::File::open(path).unwrap());
    let mut archive = tar::Archive::new(xz);
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(name, bytes);
        }
    }
    files
}

fn without_mbox_line(bytes: &[u8]) -> &[u8] {
    if bytes.starts_with(b"From ") {
        bytes.splitn(2, |b| *b == b'\n').nth(1).unwrap()
    } else {
        bytes
    }
}

#[test]
fn every_message_of_a_real_corpus_comes_in_unchanged_and_dated() {
    let Some(path) = data("mail/easy-ham.tar.xz", "easy-ham import") else {
        return;
    };
    let (all, passed) = read(&path);
    assert_eq!(all.len(), 3900);
    assert_eq!(passed, PassedOver::default());
    let files = unpacked(&path);
    assert_eq!(files.len(), 3900);
    let mut objects = std::collections::BTreeSet::new();
    for message in &all {
        assert_eq!(files.get(&message.name), Some(&message.bytes), "{}", message.name);
        assert_eq!(message.how_dated, Dated::Date, "{}", message.name);
        assert!(!message.broken, "{}", message.name);
        assert!(objects.insert(&message.object));
        let other = mail_parser::MessageParser::default()
            .parse_headers(without_mbox_line(&message.bytes))
            .unwrap();
        let stamp = other.date().map(mail_parser::DateTime::to_timestamp);
        assert_eq!(
            message.date.map(jiff::Timestamp::as_second),
            stamp,
            "{}",
            message.name
        );
    }
}

#[test]
fn the_independent_script_dates_and_places_every_message_alike() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/scope.py");
    for name in ["mail/easy-ham.tar.xz", "mail/stalwart-eml-json.tar.xz"] {
        let Some(path) = data(name, "scope.py agreement") else {
            return;
        };
        let Ok(listed) = Command::new("python3")
            .arg(script)
            .arg("list")
            .arg(&path)
            .output()
        else {
            println!("skipped: scope.py agreement (no python3)");
            return;
        };
        assert!(
            listed.status.success(),
            "{}",
            String::from_utf8_lossy(&listed.stderr)
        );
        let listed: Vec<serde_json::Value> = serde_json::from_slice(&listed.stdout).unwrap();
        let source = Source::detect(&path).unwrap();
        let spread = Spread::of(&source).unwrap();
        let (all, _) = read(&path);
        assert_eq!(spread.len(), all.len());
        let ours: BTreeMap<&str, &RawMessage> = all
            .iter()
            .filter(|m| m.name.ends_with(".eml"))
            .map(|m| (m.name.as_str(), m))
            .collect();
        assert_eq!(listed.len(), ours.len());
        for row in &listed {
            let name = row["name"].as_str().unwrap();
            let message = ours[name];
            assert_eq!(
                row["at"].as_i64(),
                message.date.map(jiff::Timestamp::as_second),
                "{name}"
            );
            assert_eq!(
                row["dated"].as_str().unwrap(),
                message.how_dated.as_str(),
                "{name}"
            );
            let digest = casework::ids::Digest::of(&[&message.bytes]).to_string();
            assert_eq!(row["sha256"].as_str().unwrap(), digest, "{name}");
            if all.len() == ours.len() {
                let place = spread.place(name).unwrap();
                assert_eq!(row["account"].as_u64().unwrap(), place.account as u64, "{name}");
            }
        }
    }
}

#[test]
fn hostile_mail_is_kept_whole() {
    let Some(path) = data("mail/stalwart-eml-json.tar.xz", "hostile mail import") else {
        return;
    };
    let (all, passed) = read(&path);
    let files = unpacked(&path);
    let found: BTreeMap<_, _> = all.iter().map(|m| (m.name.clone(), m.bytes.clone())).collect();
    assert_eq!(found.len(), all.len());
    for (name, bytes) in &files {
        match found.get(name) {
            Some(kept) => assert_eq!(kept, bytes, "{name}"),
            None => assert!(!name.ends_with(".eml"), "{name} was dropped"),
        }
    }
    assert_eq!(all.len() as u64 + passed.not_mail, files.len() as u64);
    assert_eq!(passed.names.len() as u64, passed.not_mail);
}

#[test]
fn folders_maildirs_and_mboxes_are_read_and_links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    put("b.eml", b"Date: 1 Jan 2000 00:00:00 GMT\n\nbody");
    put("a/cur/17.host:2,S", b"Subject: in a maildir\n\n");
    put("a/new/18.host", b"\x00\xff broken");
    put("c.mbox", b"From a Thu Aug 22 12:36:23 2002\nSubject: 1\n\nx\n\nFrom b Fri Aug 23 12:36:23 2002\nSubject: 2\n\n");
    put("cmds", b"mv 1 2\n");
    put("empty.eml", b"");
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link.eml")).unwrap();
    let (all, passed) = read(dir.path());
    let seen: Vec<(&str, &str, bool, Dated)> = all
        .iter()
        .map(|m| (m.name.as_str(), m.object.as_str(), m.broken, m.how_dated))
        .collect();
    assert_eq!(
        seen,
        [
            ("a/cur/17.host:2,S", "a/17.host.eml", false, Dated::Undated),
            ("a/new/18.host", "a/18.host.eml", true, Dated::Undated),
            ("b.eml", "b.eml", false, Dated::Date),
            ("c.mbox/000001", "c.mbox/000001.eml", false, Dated::MboxLine),
            ("c.mbox/000002", "c.mbox/000002.eml", false, Dated::MboxLine),
            ("empty.eml", "empty.eml", true, Dated::Undated),
        ]
    );
    assert_eq!((passed.links, passed.not_mail), (1, 1));
    assert_eq!(passed.names, [("cmds".to_owned(), "it is not mail")]);
    let total: usize = all
        .iter()
        .filter(|m| m.name.starts_with("c.mbox"))
        .map(|m| m.bytes.len())
        .sum();
    assert_eq!(total, b"Subject: 1\n\nx\n\nSubject: 2\n\n".len());
    assert!(matches!(
        Source::detect(dir.path().join("absent")),
        Err(ImportError::Read { .. })
    ));
}

fn tar_of(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn archives_cannot_reach_out_or_hide_anything() {
    use tar::EntryType;
    let (file, folder) = (EntryType::Regular, EntryType::Directory);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mail.tar");
    let bytes = tar_of(&[
        ("dir", folder, b""),
        ("./dir//a.eml", file, b"Subject: 1\n\n"),
        ("dir/a.eml", file, b"Subject: 2\n\n"),
        ("/abs.eml", file, b"Subject: 3\n\n"),
        ("dir/../../up.eml", file, b"Subject: 4\n\n"),
        ("link.eml", EntryType::Symlink, b""),
        ("null", EntryType::Char, b""),
    ]);
    std::fs::write(&path, &bytes).unwrap();
    let (all, passed) = read(&path);
    let names: Vec<&str> = all.iter().map(|m| m.object.as_str()).collect();
    assert_eq!(names, ["dir/a.eml", "dir/a~2.eml"]);
    assert_eq!((passed.unsafe_paths, passed.links, passed.special), (2, 1, 1));

    std::fs::write(&path, &bytes[..1024 + 5]).unwrap();
    let last = messages(&Source::detect(&path).unwrap()).unwrap().last().unwrap();
    assert!(matches!(last, Err(ImportError::Damaged { .. })), "{last:?}");
}

#[test]
fn a_long_name_is_bounded_and_an_oversized_message_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mail.tar");
    let long = format!("{}/{}.eml", "d".repeat(120), "n".repeat(120));
    let mut builder = tar::Builder::new(std::fs::File::create(&path).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(12);
    builder
        .append_data(&mut header, &long, &b"Subject: x\n\n"[..])
        .unwrap();
    let mut header = tar::Header::new_gnu();
    let size = MESSAGE_MAX as u64 + 1;
    header.set_size(size);
    builder
        .append_data(&mut header, "huge.eml", std::io::repeat(b'x').take(size))
        .unwrap();
    builder.into_inner().unwrap();
    let (all, passed) = read(&path);
    assert_eq!(all.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), [long]);
    assert_eq!(passed.oversized, 1);
    assert_eq!(
        passed.names,
        [("huge.eml".to_owned(), "it is larger than 64 MiB")]
    );

    let mut bomb = tar::Header::new_gnu();
    bomb.set_entry_type(tar::EntryType::GNULongName);
    bomb.set_size(8 << 30);
    bomb.set_cksum();
    std::fs::write(&path, bomb.as_bytes()).unwrap();
    let only = messages(&Source::detect(&path).unwrap()).unwrap().last().unwrap();
    assert!(matches!(only, Err(ImportError::Limit { .. })), "{only:?}");
}

#[test]
fn a_message_without_a_date_is_in_no_window() {
    assert_eq!(
        date::of(b"Subject: x\n\nDate: 1 Jan 2000 00:00:00 GMT\n", None),
        (None, Dated::Undated)
    );
    assert_eq!(date::UNDATED_AT.as_second(), 0);
}
