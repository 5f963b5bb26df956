//! The gate and the server as two processes. What a customer meets while the gate is away and when it comes back, and where
//! root keys are, and are not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod provider;

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::Command,
    time::{Duration, Instant},
};

use provider::{Provider, Running, provider, text};

fn start_gate(provider: &Provider) -> Running {
    provider.start(&["gate", "--data", "gate"], "gate    ")
}

fn split_provider() -> (Provider, Vec<u8>) {
    let made = provider();
    let text = std::fs::read_to_string(made.path("data/keys/root-eu-de.key")).unwrap();
    let root = Command::new("python3")
        .args([
            "-c",
            "import base64,sys; sys.stdout.buffer.write(base64.b64decode(sys.argv[1]))",
            text.trim(),
        ])
        .output()
        .unwrap()
        .stdout;
    assert_eq!(root.len(), 32);
    made.run(&["gate", "split", "--data", "data", "--to", "gate"]);
    (made, root)
}

#[test]
fn a_customer_meets_the_gate_only_when_it_is_away() {
    let (provider, _) = split_provider();
    // What was split cannot be split again, and the files are where they should be.
    assert!(
        !provider
            .try_run(&["gate", "split", "--data", "data", "--to", "other"])
            .status
            .success()
    );
    assert!(!provider.path("data/keys/root-eu-de.key").exists() && !provider.path("data/gate.db").exists());
    for file in [
        "gate",
        "gate/keys",
        "gate/keys/root-eu-de.key",
        "gate/gate.db",
        "gate/amparo.toml",
    ] {
        let mode = std::fs::metadata(provider.path(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
    let mut gate = start_gate(&provider);
    let server = provider.start(&["serve", "data"], "s3      http://");
    let s3 = |method: &str, path: &str, body: &str| provider.s3(&server, method, path, body);
    assert_eq!(s3("PUT", "/notes", "").0, 200);
    assert_eq!(s3("PUT", "/notes/one", "a note"), (200, String::new()));
    assert_eq!(s3("GET", "/notes/one", ""), (200, "a note".to_owned()));

    gate.process.kill().unwrap();
    gate.process.wait().unwrap();
    let (status, said) = s3("GET", "/notes/one", "");
    assert_eq!(status, 503, "{said}");
    assert!(
        said.contains("The gate that opens keys does not answer"),
        "{said}"
    );
    let (status, said) = s3("PUT", "/notes/two", "lost?");
    assert_eq!(status, 503, "{said}");

    let _gate = start_gate(&provider);
    let until = Instant::now() + Duration::from_secs(30);
    while s3("GET", "/notes/one", "") != (200, "a note".to_owned()) {
        assert!(Instant::now() < until, "the gate is back and nothing opens");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(
        s3("GET", "/notes/two", "").0,
        404,
        "what was refused was not stored"
    );
    // A second gate at the same place is refused.
    let second = provider.try_run(&["gate", "--data", "gate"]);
    assert!(
        text(&second.stderr).contains("another process answers"),
        "{}",
        text(&second.stderr)
    );
}

/// The memory of a process, as its parent may read it, searched for `needle`.
fn memory_holds(pid: u32, needle: &[u8]) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut read = 0_u64;
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let number = |hex| u64::from_str_radix(hex, 16).unwrap();
        let (from, to) = (number(from), number(to));
        let mut bytes = Vec::new();
        if memory.seek(SeekFrom::Start(from)).is_ok() {
            // Some mappings cannot be read; what could be counts.
            let _ = (&mut memory).take(to - from).read_to_end(&mut bytes);
        }
        read += bytes.len() as u64;
        if bytes.windows(needle.len()).any(|window| window == needle) {
            return true;
        }
    }
    assert!(read > 1 << 20, "hardly anything could be read");
    false
}

/// What this shows: in a server that has just stored and read an object, nothing writable in memory is the region's root
/// key, raw or as the file has it, and no file of keys is open; and the same search finds it in the gate. It does not show
/// what memory held before, nor what a server that was taken over could ask the gate for (THREATS.md).
#[test]
fn invariant_03_the_process_that_faces_the_network_has_no_root_key_in_memory() {
    let (provider, root) = split_provider();
    let gate = start_gate(&provider);
    let server = provider.start(&["serve", "data"], "s3      http://");
    assert_eq!(provider.s3(&server, "PUT", "/notes", "").0, 200);
    assert_eq!(provider.s3(&server, "PUT", "/notes/one", "a note").0, 200);
    assert_eq!(provider.s3(&server, "GET", "/notes/one", "").0, 200);
    assert!(
        memory_holds(gate.process.id(), &root),
        "the search finds nothing even in the gate"
    );
    let file = std::fs::read(provider.path("gate/keys/root-eu-de.key")).unwrap();
    for needle in [root.as_slice(), file.trim_ascii()] {
        assert!(!memory_holds(server.process.id(), needle));
    }
    for entry in std::fs::read_dir(format!("/proc/{}/fd", server.process.id())).unwrap() {
        let open = std::fs::read_link(entry.unwrap().path()).unwrap_or_default();
        assert!(!open.starts_with(provider.path("gate")) && !open.to_string_lossy().contains("root-"));
    }
}

/// The server's folder has no key of the gate's any more, and makes none that no gate signs with.
#[test]
fn the_gates_public_key_is_told_where_the_gate_is_and_nowhere_else() {
    let provider = provider();
    let before = provider.run(&["key", "gate", "--data", "data"]);
    provider.run(&["gate", "split", "--data", "data", "--to", "gate"]);
    assert_eq!(provider.run(&["key", "gate", "--data", "gate"]), before);
    let refused = provider.try_run(&["key", "gate", "--data", "data"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(said.contains("has a folder of its own"), "{said}");
    assert!(!provider.path("data/keys/gate.key").exists());
}

/// Root splits what another user serves: that user must still be able to read what stays, and owns what moved.
#[test]
fn a_split_by_root_leaves_files_to_whom_they_belonged() {
    const OWNER: u32 = 12_345;
    let provider = provider();
    let config = provider.path("data/amparo.toml");
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o640)).unwrap();
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if root {
        let owner = format!("{OWNER}:{OWNER}");
        let given = Command::new("chown")
            .args(["-R", &owner])
            .arg(provider.path("data"))
            .status();
        assert!(given.unwrap().success());
    }
    let owner = std::fs::metadata(&config).unwrap().uid();
    provider.run(&["gate", "split", "--data", "data", "--to", "gate"]);
    let meta = |name: &str| std::fs::metadata(provider.path(name)).unwrap();
    let kept = meta("data/amparo.toml");
    assert_eq!((kept.uid(), kept.mode() & 0o777), (owner, 0o640));
    for moved in [
        "gate",
        "gate/keys",
        "gate/amparo.toml",
        "gate/trust.toml",
        "gate/gate.db",
        "gate/keys/root-eu-de.key",
    ] {
        let meta = meta(moved);
        assert_eq!((meta.uid(), meta.mode() & 0o077), (owner, 0), "{moved}");
    }
}

/// How many rows a query over one of the databases finds.
fn count(provider: &Provider, database: &str, sql: &str) -> u64 {
    const COUNT: &str =
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
    let output = Command::new("python3")
        .args(["-c", COUNT, provider.path(database).to_str().unwrap(), sql])
        .output()
        .unwrap();
    let said = text(&output.stdout);
    said.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

/// The gate is started twice with a new policy before a server asks it: the docket hears of the change all the same, once.
#[test]
fn a_changed_trust_policy_is_owed_to_the_docket_until_it_is_there() {
    const OWED: &str = "SELECT count(*) FROM gate_policies_owed";
    const ENTERED: &str = "SELECT count(*) FROM docket_entry WHERE kind = 'policy'";
    let (provider, _) = split_provider();
    let trust = provider.path("gate/trust.toml");
    let text = std::fs::read_to_string(&trust).unwrap();
    std::fs::write(&trust, text + "\n# one more line\n").unwrap();
    for _ in 0..2 {
        drop(start_gate(&provider));
        assert_eq!(count(&provider, "gate/gate.db", OWED), 1);
    }
    let running = start_gate(&provider);
    let server = provider.start(&["serve", "data"], "s3      http://");
    let until = Instant::now() + Duration::from_secs(60);
    while count(&provider, "gate/gate.db", OWED) > 0 {
        assert!(Instant::now() < until, "nobody confirms it");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(count(&provider, "data/amparo.db", ENTERED), 1);
    drop((server, running));
    drop(start_gate(&provider));
    assert_eq!(count(&provider, "gate/gate.db", OWED), 0);
}
