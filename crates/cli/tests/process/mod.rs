//! `amparo` as processes: verbs that run to their end, and servers that end with the test. What every story begins with is
//! here, so that a test tells only its own.
#![allow(dead_code, reason = "no story uses all of it")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use jiff::{Span, Timestamp, ToSpan as _, tz::TimeZone};
use serde_json::{Value, json};

/// Whose mail a warrant asks for.
pub const ACCOUNT: &str = "dana@larkspur.example";

/// The program, with nothing of this machine's own configuration.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amparo"));
    command.env_remove("AMPARO_DATABASE_URL").stdin(Stdio::null());
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn append(path: &Path, more: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(more.as_bytes()).unwrap();
}

/// The workspace's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A deployment's folder, in a scratch folder in which everything is run.
pub struct Folder {
    scratch: Arc<tempfile::TempDir>,
    name: String,
}

impl Folder {
    /// In a scratch folder of its own, as `data`. Nothing is made in it yet.
    pub fn new() -> Self {
        Self {
            scratch: Arc::new(tempfile::tempdir().unwrap()),
            name: "data".to_owned(),
        }
    }

    /// Another deployment's, in the same scratch folder.
    pub fn beside(&self, name: &str) -> Self {
        Self {
            scratch: Arc::clone(&self.scratch),
            name: name.to_owned(),
        }
    }

    /// Makes a deployment with these regions and options, on free ports of loopback, its docket's batches a second apart.
    pub fn init(self, options: &[&str]) -> Self {
        let origin = match self.name.as_str() {
            "data" => "cloud.example/docket".to_owned(),
            other => format!("{other}.example/docket"),
        };
        let mut args = vec![
            "init",
            &self.name,
            "--provider",
            "Example Cloud",
            "--origin",
            &origin,
        ];
        args.extend(["--interval", "1", "--s3", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
        args.extend(options);
        self.run(&args);
        self
    }

    /// A path in the scratch folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A path in the deployment's folder.
    pub fn data(&self, name: &str) -> PathBuf {
        self.path(&self.name).join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program();
        command
            .args(args)
            .env("AMPARO_DATA", self.path(&self.name))
            .current_dir(self.scratch.path());
        command
    }

    /// Runs a verb.
    pub fn try_run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a verb that must succeed; gives back its standard output, trimmed.
    pub fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        let (out, talk) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}: {talk}{out}");
        out.trim().to_owned()
    }

    /// Runs a verb that must fail with this exit code; gives back what it said.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.try_run(args);
        let (out, talk) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {talk}{out}");
        assert!(!talk.contains("panicked"), "{talk}");
        talk
    }

    /// Asks the doctor about a folder: the exit code, and what it said.
    pub fn doctor(&self, name: &str) -> (Option<i32>, String) {
        let output = self.try_run(&["doctor", name]);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    }

    /// Starts a process, and waits until it has said the line that begins so.
    pub fn start(&self, args: &[&str], last: &str) -> Process {
        let mut child = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            said.push(line.unwrap());
            if said.last().unwrap().starts_with(last) {
                break;
            }
        }
        let process = Process { child, said };
        assert!(
            !process.says(last).is_empty(),
            "{args:?} said: {:?}",
            process.said
        );
        process
    }

    /// Runs a verb beside the test.
    pub fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Serves the deployment.
    pub fn serve(&self) -> Process {
        self.start(&["serve", &self.name], "docket")
    }

    /// A key for somebody, as `ID.key`, and its public half.
    pub fn key(&self, id: &str) -> String {
        self.run(&["key", "new", &format!("{id}.key")])
    }

    /// Adds the customer `larkspur` with an access key in `larkspur.s3`.
    pub fn customer(&self) {
        let add = ["tenant", "add", "larkspur", "--kind", "enterprise"];
        self.run(&[&add[..], &["--country", "US"]].concat());
        self.run(&["tenant", "key", "larkspur", "--out", "larkspur.s3"]);
    }

    /// Gives the customer a bucket `mail` with these messages of [`ACCOUNT`]: names, dates, and a size at least.
    pub fn mail(&self, messages: &[(&str, &str, usize)]) {
        let owner = ["--tenant", "larkspur", "--credential", "larkspur.s3"];
        self.run(&[&["bucket", "add", "mail"][..], &owner].concat());
        std::fs::create_dir(self.path("mail")).unwrap();
        for (name, date, size) in messages {
            let body = "a line of mail\r\n".repeat(size / 16 + 1);
            let message = format!("From: x@example.org\r\nDate: {date}\r\nSubject: {name}\r\n\r\n{body}");
            std::fs::write(self.path("mail").join(name), message).unwrap();
        }
        self.run(&[&["import", "mail", "mail", "--account", ACCOUNT][..], &owner].concat());
    }

    /// Submits the warrant; gives the case.
    pub fn submit(&self) -> Case<'_> {
        std::fs::write(self.path("warrant.json"), warrant().to_string()).unwrap();
        let id = self.run(&[
            "demand",
            "submit",
            "warrant.json",
            "--as",
            "tom",
            "--channel",
            "paper",
        ]);
        Case { folder: self, id }
    }

    /// One signed S3 request with the customer's access key in that file.
    pub fn s3(&self, server: &Process, credential: &str, request: &[&str]) -> Value {
        let at = server.says("s3      ").trim_start_matches("http://");
        let output = Command::new("python3")
            .arg(root().join("tests/clients/one_request.py"))
            .args([at, self.path(credential).to_str().unwrap()])
            .args(request)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A process, ended with the test.
pub struct Process {
    child: Child,
    said: Vec<String>,
}

impl Process {
    /// The rest of the line that begins so; nothing where it said none.
    pub fn says(&self, start: &str) -> &str {
        self.said
            .iter()
            .find_map(|line| line.strip_prefix(start))
            .unwrap_or_default()
    }
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A case that is worked step by step.
pub struct Case<'a> {
    folder: &'a Folder,
    pub id: String,
}

impl Case<'_> {
    fn args<'b>(&'b self, verb: &'b str, rest: &[&'b str]) -> Vec<&'b str> {
        [&["case", verb, self.id.as_str()][..], rest].concat()
    }
    /// A step that must succeed.
    pub fn step(&self, verb: &str, rest: &[&str]) -> String {
        self.folder.run(&self.args(verb, rest))
    }
    /// A step that must fail with this exit code.
    pub fn fails(&self, code: i32, verb: &str, rest: &[&str]) -> String {
        self.folder.fails(code, &self.args(verb, rest))
    }
    /// Signs the newest record.
    pub fn approve(&self, who: &str) -> String {
        self.step("approve", &["--as", who, "--key", &format!("{who}.key")])
    }
    /// What P8 and P9 want before a release: the customer was named as the better address, and told.
    pub fn redirect_and_notify(&self) {
        self.step("redirect", &["--how", "registered letter", "--as", "amara"]);
        self.step("redirect", &["--answer", "refused", "--as", "amara"]);
        self.step("notify", &["--tenant", "larkspur", "--as", "amara"]);
    }
}

/// A warrant of today for [`ACCOUNT`]'s mail of January 2026.
pub fn warrant() -> Value {
    let now = Timestamp::now();
    let day = |span: Span| now.to_zoned(TimeZone::UTC).date().checked_add(span).unwrap();
    json!({
        "schema": "amparo.demand/1", "instrument": "us.warrant.sca", "reference": "1:26-mj-00417",
        "served_at": now,
        "requester": { "authority": "United States Attorney", "country": "US", "kind": "prosecutor" },
        "issuer": { "kind": "court", "name": "U.S. District Court", "title": "Magistrate Judge" },
        "issued_on": day(-1.days()), "return_on": day(30.days()),
        "subjects": [{ "type": "account", "value": ACCOUNT }], "categories": ["content"],
        "window": { "from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z" },
        "items": ["e-mail messages of January 2026"],
        "showing": { "signed": true, "probable_cause": true, "particularity": true, "statute_named": true },
        "offence": { "provision": "18 U.S.C. 1343", "max_sentence_months": 240 }
    })
}

/// The key of a recipient in the file `identity`, and its public half.
pub fn recipient(folder: &Folder) -> String {
    use age::secrecy::ExposeSecret as _;
    let identity = age::x25519::Identity::generate();
    let secret = identity.to_string();
    std::fs::write(folder.path("identity"), secret.expose_secret().as_bytes()).unwrap();
    identity.to_public().to_string()
}
