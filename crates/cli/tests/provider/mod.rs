//! A provider's folder, and the program run in it: what tests of several processes share.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
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

pub struct Provider {
    pub dir: tempfile::TempDir,
}

/// A process that is ended with the test.
pub struct Running {
    pub process: Child,
    pub says: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Provider {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn try_run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_amparo"))
            .args(args)
            .env("AMPARO_DATA", self.path("data"))
            .current_dir(self.dir.path())
            .output()
            .unwrap()
    }

    pub fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    /// Starts a process, and waits for the line that begins so.
    pub fn start(&self, args: &[&str], line: &str) -> Running {
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

    pub fn s3(&self, server: &Running, method: &str, path: &str, body: &str) -> (u16, String) {
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

/// A provider with a customer and its access key, whose server listens where it finds room.
pub fn provider() -> Provider {
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
    made
}
