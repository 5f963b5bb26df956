//! The gate and the server as two processes. What a customer meets while the gate is away and when it comes back, and where
//! root keys are, and are not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// One signed S3 request; prints status and body.
const S3: &str = r#"
import datetime, hashlib, hmac, sys, urllib.request, urllib.error
host, credential, region, method, path, body = sys.argv[1:7]
lines = dict(line.strip().split("=", 1) for line in open(credential) if "=" in line)
now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
digest = hashlib.sha256(body.encode()).hexdigest()
names = "host;x-amz-content-sha256;x-amz-date"
canonical = f"{method}\n{path}\n\nhost:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{now}\n\n{names}\n{digest}"
scope = f"{now[:8]}/{region}/s3/aws4_request"
text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
key = ("AWS4" + lines["secret_access_key"]).encode()
for part in (now[:8], region, "s3", "aws4_request"):
    key = hmac.new(key, part.encode(), hashlib.sha256).digest()
signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
request = urllib.request.Request(f"http://{host}{path}", method=method, data=body.encode() if method == "PUT" else None)
request.add_header("x-amz-date", now)
request.add_header("x-amz-content-sha256", digest)
request.add_header("Authorization", f"AWS4-HMAC-SHA256 Credential={lines['access_key_id']}/{scope}, "
                   f"SignedHeaders={names}, Signature={signature}")
try:
    with urllib.request.urlopen(request) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"#;

struct Provider {
    dir: tempfile::TempDir,
}

/// A process that is ended with the test.
struct Running {
    process: Child,
    says: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Provider {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn try_run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_amparo"))
            .args(args)
            .env("AMPARO_DATA", self.path("data"))
            .current_dir(self.dir.path())
            .output()
            .unwrap()
    }

    fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    /// Starts a process, and waits for the line that begins so.
    fn start(&self, args: &[&str], line: &str) -> Running {
        let mut process = Command::new(env!("CARGO_BIN_EXE_amparo"))
            .args(args)
            .current_dir(self.dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let says = lines
            .map(Result::unwrap)
            .find_map(|said| said.strip_prefix(line).map(str::to_owned));
        Running {
            process,
            says: says.expect("the process says where it is"),
        }
    }

    fn gate(&self) -> Running {
        self.start(&["gate", "--data", "gate"], "gate    ")
    }

    fn s3(&self, server: &Running, method: &str, path: &str, body: &str) -> (u16, String) {
        let output = Command::new("python3")
            .args(["-c", S3, &server.says, self.path("contoso.s3").to_str().unwrap()])
            .args(["eu-de", method, path, body])
            .output()
            .unwrap();
        let said = text(&output.stdout);
        let (status, body) = said
            .trim_end_matches('\n')
            .split_once(' ')
            .unwrap_or_else(|| panic!("{}", text(&output.stderr)));
        (status.parse().unwrap(), body.to_owned())
    }
}

fn split_provider() -> (Provider, Vec<u8>) {
    let made = Provider {
        dir: tempfile::tempdir().unwrap(),
    };
    made.run(&[
        "init",
        "data",
        "--provider",
        "Example Cloud",
        "--origin",
        "cloud.example/docket",
        "--region",
        "eu-de=DE",
        "--interval",
        "1",
        "--s3",
        "127.0.0.1:0",
        "--api",
        "127.0.0.1:0",
    ]);
    made.run(&[
        "tenant",
        "add",
        "contoso",
        "--kind",
        "enterprise",
        "--country",
        "DE",
    ]);
    made.run(&["tenant", "key", "contoso", "--out", "contoso.s3"]);
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
    let mut gate = provider.gate();
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

    let _gate = provider.gate();
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
    let gate = provider.gate();
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
