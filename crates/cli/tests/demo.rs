//! The main job, end to end, as a person runs it: the demo on the real mail, and then what a stranger can check.
//! Takes about a minute.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test"
)]

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn amparo(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_amparo"))
        .args(args)
        .output()
        .unwrap()
}

fn mail() -> Option<PathBuf> {
    let data = std::env::var_os("AMPARO_TESTDATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = data.join("mail/easy-ham.tar.xz");
    path.exists().then_some(path)
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found)
        } else {
            found.push(path)
        }
    }
}

/// Length of run that counts as plaintext found.
const RUN: usize = 24;
/// Any run of 24 bytes wholly covers an aligned block of 12.
const BLOCK: usize = 12;

/// Runs of one or two characters, such as a ruler or padding, say nothing about anybody.
fn telling(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count() > 4
}

/// Every run of 24 bytes that a file under `dir` shares with one of `texts`: at most ten, each with its place.
fn plaintext_found(dir: &Path, texts: &[Vec<u8>]) -> Vec<String> {
    let mut paths = Vec::new();
    files(dir, &mut paths);
    assert!(!paths.is_empty());
    let stored: Vec<(PathBuf, Vec<u8>)> = paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    let mut blocks: HashMap<&[u8], Vec<(usize, usize)>> = HashMap::new();
    for (index, (_, bytes)) in stored.iter().enumerate() {
        for at in (0..bytes.len().saturating_sub(BLOCK - 1)).step_by(BLOCK) {
            let block = &bytes[at..at + BLOCK];
            if telling(block) {
                blocks.entry(block).or_default().push((index, at));
            }
        }
    }
    let mut found = Vec::new();
    for text in texts {
        for at in 0..text.len().saturating_sub(BLOCK - 1) {
            let Some(places) = blocks.get(&text[at..at + BLOCK]) else {
                continue;
            };
            for (index, place) in places {
                let bytes = &stored[*index].1;
                let back = text[..at]
                    .iter()
                    .rev()
                    .zip(bytes[..*place].iter().rev())
                    .take_while(|(a, b)| a == b)
                    .count();
                let on = text[at..]
                    .iter()
                    .zip(&bytes[*place..])
                    .take_while(|(a, b)| a == b)
                    .count();
                if back + on >= RUN && telling(&text[at - back..at + on]) {
                    found.push(format!(
                        "{} at {place}: {}",
                        stored[*index].0.display(),
                        String::from_utf8_lossy(&text[at - back..at + on])
                    ));
                    if found.len() == 10 {
                        return found;
                    }
                }
            }
        }
    }
    found
}

#[test]
fn the_search_finds_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let text = b"The quick brown fox jumps over the lazy dog near the river bank".to_vec();
    std::fs::write(dir.path().join("clean"), vec![7; 4096]).unwrap();
    assert_eq!(
        plaintext_found(dir.path(), std::slice::from_ref(&text)),
        Vec::<String>::new()
    );
    for shift in 0..BLOCK {
        let mut leak = vec![0xee; 1000 + shift];
        leak.extend_from_slice(&text[5..5 + RUN]);
        leak.extend_from_slice(&[0xee; 100]);
        std::fs::write(dir.path().join("leak"), leak).unwrap();
        assert!(
            !plaintext_found(dir.path(), std::slice::from_ref(&text)).is_empty(),
            "missed at shift {shift}"
        );
    }
}

/// The messages of the corpus, read by an independent program: tar itself.
fn unpack(archive: &Path, into: &Path) -> Vec<Vec<u8>> {
    let status = Command::new("tar")
        .arg("-xJf")
        .arg(archive)
        .arg("-C")
        .arg(into)
        .status()
        .unwrap();
    assert!(status.success());
    let mut paths = Vec::new();
    files(into, &mut paths);
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn the_demo_does_the_main_job_and_a_stranger_can_check_it() {
    let Some(mail) = mail() else {
        eprintln!("skipped: the_demo_does_the_main_job_and_a_stranger_can_check_it (no test data)");
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("demo");
    let output = amparo(&[
        "demo",
        "--exit",
        "--mail",
        mail.to_str().unwrap(),
        "--dir",
        dir.to_str().unwrap(),
    ]);
    let story = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{story}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );

    invariant_01_no_plaintext_under_the_data_directory(&dir, &mail, work.path());
    the_package_holds_exactly_what_is_in_scope(&dir, &mail, work.path());
    any_changed_byte_is_found(&dir, work.path());
    the_whole_docket_verifies(&dir);
}

fn invariant_01_no_plaintext_under_the_data_directory(dir: &Path, mail: &Path, work: &Path) {
    let plain = work.join("plain");
    std::fs::create_dir(&plain).unwrap();
    let texts = unpack(mail, &plain);
    assert!(texts.len() >= 3900, "{} messages", texts.len());
    let found = plaintext_found(&dir.join("data"), &texts);
    assert!(found.is_empty(), "plaintext on disk:\n{}", found.join("\n"));
}

fn warrant(dir: &Path) -> (PathBuf, String, String) {
    let packages = dir.join("handed-over");
    let package = packages.join("1-warrant.age");
    assert!(package.exists(), "no package at {}", package.display());
    let policy = dir.join("trust.toml").to_str().unwrap().to_owned();
    let identity = packages.join("1-warrant.identity").to_str().unwrap().to_owned();
    (package, policy, identity)
}

/// Opens a package with the age library and unpacks it with tar, as an officer would with the stock programs.
fn unseal(package: &Path, identity: &str, into: &Path) {
    let identity: age::x25519::Identity = std::fs::read_to_string(identity).unwrap().trim().parse().unwrap();
    let decryptor = age::Decryptor::new(std::fs::File::open(package).unwrap()).unwrap();
    let mut plain = decryptor
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .unwrap();
    let archive = into.join("package.tar");
    std::io::copy(&mut plain, &mut std::fs::File::create(&archive).unwrap()).unwrap();
    let status = Command::new("tar")
        .arg("-xf")
        .arg(&archive)
        .arg("-C")
        .arg(into)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::remove_file(archive).unwrap();
}

fn verify(kind: &str, file: &Path, more: &[&str]) -> i32 {
    let mut args = vec!["verify", kind, file.to_str().unwrap()];
    args.extend_from_slice(more);
    amparo(&args).status.code().unwrap()
}

fn the_package_holds_exactly_what_is_in_scope(dir: &Path, mail: &Path, work: &Path) {
    let (package, policy, identity) = warrant(dir);
    assert_eq!(
        verify(
            "package",
            &package,
            &["--policy", &policy, "--identity", &identity]
        ),
        0
    );
    assert_eq!(
        verify(
            "package",
            &work.join("absent"),
            &["--policy", &policy, "--identity", &identity]
        ),
        2
    );
    let opened = work.join("opened");
    std::fs::create_dir(&opened).unwrap();
    unseal(&package, &identity, &opened);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scope.py");
    let output = Command::new("python3")
        .arg(script)
        .args(["check", mail.to_str().unwrap(), "--account", "0"])
        .args([
            "--from",
            "2002-09-01T00:00:00Z",
            "--until",
            "2002-10-01T00:00:00Z",
        ])
        .args(["--package", opened.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn any_changed_byte_is_found(dir: &Path, work: &Path) {
    let (package, policy, identity) = warrant(dir);
    let handed = package.parent().unwrap();
    let changed = work.join("changed");
    let cases: [(&str, PathBuf, Vec<&str>); 3] = [
        (
            "package",
            package.clone(),
            vec!["--policy", &policy, "--identity", &identity],
        ),
        (
            "receipt",
            handed.join("1-warrant.tlog-proof"),
            vec!["--policy", &policy],
        ),
        (
            "checkpoint",
            dir.join("data/docket/checkpoint"),
            vec!["--policy", &policy],
        ),
    ];
    for (kind, file, more) in cases {
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(verify(kind, &file, &more), 0, "{kind} as it was");
        // Every byte is tried in the crates' own tests, on smaller files; here a spread over the real one.
        let step = (bytes.len() / 60).max(1);
        for at in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            std::fs::write(&changed, &bad).unwrap();
            assert_eq!(
                verify(kind, &changed, &more),
                1,
                "{kind} with byte {at} of {} changed",
                bytes.len()
            );
        }
        std::fs::write(&changed, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(verify(kind, &changed, &more), 1, "{kind} cut by a byte");
    }
}

fn the_whole_docket_verifies(dir: &Path) {
    let policy = dir.join("trust.toml");
    let log = dir.join("data/docket");
    let output = amparo(&[
        "verify",
        "log",
        log.to_str().unwrap(),
        "--policy",
        policy.to_str().unwrap(),
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
