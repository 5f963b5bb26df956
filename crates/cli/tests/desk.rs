//! A deployment worked by hand: every step a process of its own, beside a server that runs. From `init` to a package that
//! a stranger verifies, with what must be refused on the way. Takes a few seconds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use age::secrecy::ExposeSecret as _;
use jiff::{Span, Timestamp, ToSpan as _, tz::TimeZone};
use serde_json::{Value, json};

const ACCOUNT: &str = "dana@larkspur.example";

struct Provider {
    dir: tempfile::TempDir,
}

/// A server beside the verbs, stopped with the test.
struct Server {
    process: Child,
    api: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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

    /// Runs a verb that must succeed; gives back its standard output, trimmed.
    fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        let (out, talk) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}: {talk}{out}");
        out.trim().to_owned()
    }

    /// Runs a verb that must fail with this exit code; gives back what it said.
    fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.try_run(args);
        let talk = text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}: {talk}{}",
            text(&output.stdout)
        );
        assert!(!talk.contains("panicked"), "{talk}");
        talk
    }

    /// A key for somebody, and its public half.
    fn key(&self, id: &str) -> String {
        self.run(&["key", "new", &format!("{id}.key")])
    }

    fn serve(&self) -> Server {
        let mut process = Command::new(env!("CARGO_BIN_EXE_amparo"))
            .arg("serve")
            .arg(self.path("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let api = lines
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix("api     http://").map(str::to_owned))
            .expect("the server says where its API is");
        Server { process, api }
    }
}

impl Server {
    /// One request; its status and body.
    fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.api).unwrap();
        let sign_in = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{sign_in}Connection: close\r\n\r\n",
            self.api
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn append(path: &Path, more: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(more.as_bytes()).unwrap();
}

/// A provider with staff, a customer and three messages, two of them in January 2026.
fn provider() -> Provider {
    let made = Provider {
        dir: tempfile::tempdir().unwrap(),
    };
    let data = made.path("data");
    made.run(&[
        "init",
        data.to_str().unwrap(),
        "--provider",
        "Example Cloud",
        "--origin",
        "cloud.example/docket",
        "--region",
        "us-east=US",
        "--region",
        "eu-de=DE",
        "--interval",
        "1",
        "--s3",
        "127.0.0.1:0",
        "--api",
        "127.0.0.1:0",
    ]);
    let trust = data.join("trust.toml");
    for (id, kind, senior) in [
        ("amara", "reviewer", "senior = true\n"),
        ("jonas", "reviewer", ""),
        ("ines", "counsel", ""),
    ] {
        let key = made.key(id);
        append(
            &trust,
            &format!("\n[[{kind}]]\nid = \"{id}\"\nkey = \"{key}\"\n{senior}"),
        );
    }
    for (id, role) in [
        ("amara", "senior_reviewer"),
        ("jonas", "reviewer"),
        ("ines", "counsel"),
        ("tom", "intake"),
    ] {
        made.run(&["staff", "add", id, "--role", role]);
    }
    made.run(&[
        "tenant",
        "add",
        "larkspur",
        "--kind",
        "enterprise",
        "--country",
        "US",
    ]);
    made.run(&["tenant", "key", "larkspur", "--out", "larkspur.s3"]);
    made.run(&[
        "bucket",
        "add",
        "mail",
        "--tenant",
        "larkspur",
        "--credential",
        "larkspur.s3",
    ]);
    let mail = made.path("mail");
    std::fs::create_dir(&mail).unwrap();
    for (name, date) in [
        ("a.eml", "Sat, 10 Jan 2026 09:00:00 +0000"),
        ("b.eml", "Tue, 20 Jan 2026 09:00:00 +0000"),
        ("c.eml", "Fri, 20 Feb 2026 09:00:00 +0000"),
    ] {
        let message =
            format!("From: x@example.org\r\nDate: {date}\r\nSubject: {name}\r\n\r\nbody of {name}\r\n");
        std::fs::write(mail.join(name), message).unwrap();
    }
    made.run(&[
        "import",
        "mail",
        "mail",
        "--tenant",
        "larkspur",
        "--account",
        ACCOUNT,
        "--credential",
        "larkspur.s3",
    ]);
    made
}

fn warrant() -> Value {
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

#[test]
fn a_case_is_worked_by_hand_from_demand_to_package() {
    worked_by_hand(&provider());
}

#[test]
fn a_case_is_worked_by_hand_with_the_gate_in_a_process_of_its_own() {
    let provider = provider();
    provider.run(&["gate", "split", "--to", "gate"]);
    let mut gate = Command::new(env!("CARGO_BIN_EXE_amparo"))
        .args(["gate", "--data", "gate"])
        .current_dir(provider.dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(gate.stdout.take().unwrap()).lines().next();
    let _gate = Server {
        process: gate,
        api: said.unwrap().unwrap(),
    };
    worked_by_hand(&provider);
}

fn worked_by_hand(provider: &Provider) {
    let server = provider.serve();
    let run = |args: &[&str]| provider.run(args);

    // Who is not enrolled does nothing; what is no demand is kept, for a person to enter.
    std::fs::write(provider.path("warrant.json"), warrant().to_string()).unwrap();
    let said = provider.fails(2, &["demand", "submit", "warrant.json", "--as", "mallory"]);
    assert!(said.contains("amparo staff add"), "{said}");
    let case = run(&[
        "demand",
        "submit",
        "warrant.json",
        "--as",
        "tom",
        "--channel",
        "paper",
    ]);
    assert_eq!(run(&["demand", "submit", "warrant.json", "--as", "tom"]), case);

    let step = |verb: &str, rest: &[&str]| {
        let mut args = vec!["case", verb, case.as_str()];
        args.extend_from_slice(rest);
        run(&args)
    };
    let refused = |verb: &str, rest: &[&str]| {
        let mut args = vec!["case", verb, case.as_str()];
        args.extend_from_slice(rest);
        provider.fails(1, &args)
    };
    let identity = age::x25519::Identity::generate();
    let age = identity.to_public().to_string();
    std::fs::write(
        provider.path("identity"),
        identity.to_string().expose_secret().as_bytes(),
    )
    .unwrap();
    let propose = [
        "--as",
        "amara",
        "--recipient",
        "U.S. Attorney",
        "--age",
        age.as_str(),
    ];

    step(
        "check",
        &[
            "--outcome",
            "confirmed",
            "--how",
            "called the court's number",
            "--as",
            "amara",
        ],
    );
    assert!(step("resolve", &["--as", "amara"]).contains(&format!("{ACCOUNT} of larkspur in us-east")));
    step(
        "learn",
        &["--us-person", "true", "--person-country", "US", "--as", "amara"],
    );
    assert!(step("assess", &["--as", "amara"]).contains("releasable: content"));

    // A record may be drawn up before the promises are kept; it cannot become a release.
    let early = step("propose", &propose);
    step(
        "approve",
        &["--record", &early, "--as", "amara", "--key", "amara.key"],
    );
    step(
        "approve",
        &["--record", &early, "--as", "jonas", "--key", "jonas.key"],
    );
    let said = refused("release", &["--record", &early]);
    assert!(said.contains("P8") || said.contains("P9"), "{said}");

    step("redirect", &["--how", "registered letter", "--as", "amara"]);
    step("redirect", &["--answer", "refused", "--as", "amara"]);
    step("notify", &["--tenant", "larkspur", "--as", "amara"]);
    let record = step("propose", &propose);
    let said = refused("approve", &["--as", "tom", "--key", "amara.key"]);
    assert!(said.contains("P7"), "{said}");
    step("approve", &["--as", "amara", "--key", "amara.key"]);
    refused("approve", &["--as", "amara", "--key", "amara.key"]);
    refused("release", &[]);
    step("approve", &["--as", "jonas", "--key", "jonas.key"]);
    step("release", &["--out", "package.age"]);
    step(
        "deliver",
        &["--record", &record, "--how", "by courier", "--as", "amara"],
    );
    let destroy = ["account", "destroy", "larkspur", ACCOUNT, "--confirm", ACCOUNT];
    assert!(provider.fails(1, &destroy).contains(&case));
    step("close", &["--outcome", "disclosed", "--as", "amara"]);
    run(&destroy);

    let proven = run(&[
        "verify",
        "package",
        "package.age",
        "--policy",
        "data/trust.toml",
        "--identity",
        "identity",
    ]);
    assert!(proven.contains("proven: 2 objects"), "{proven}");
    let receipt = step("receipt", &["0"]);
    std::fs::write(provider.path("receipt"), format!("{receipt}\n")).unwrap();
    run(&["verify", "receipt", "receipt", "--policy", "data/trust.toml"]);
    drop(server);
}

#[test]
fn staff_sign_in_with_their_token_until_it_is_withdrawn() {
    let provider = provider();
    let server = provider.serve();
    let token = |id: &str, out: &str| {
        let named = provider.run(&["staff", "token", id, "--out", out, "--days", "1"]);
        let token = std::fs::read_to_string(provider.path(out)).unwrap();
        (named, token.trim().to_owned())
    };
    let (_, amara) = token("amara", "amara.token");
    let (status, me) = server.get("/me", Some(&amara));
    assert_eq!((status, me["id"].as_str()), (200, Some("amara")), "{me}");
    assert_eq!(server.get("/cases", Some(&amara)).0, 200);
    assert_eq!(server.get("/cases", None).0, 401);
    assert_eq!(server.get("/tenants", Some(&amara)).0, 403);

    let (id, second) = token("amara", "second.token");
    provider.run(&["staff", "revoke", &id]);
    assert_eq!(server.get("/me", Some(&second)).0, 401);
    assert_eq!(server.get("/me", Some(&amara)).0, 200);
    provider.run(&["staff", "disable", "amara"]);
    assert_eq!(server.get("/me", Some(&amara)).0, 401);

    let said = provider.fails(2, &["staff", "token", "amara", "--out", "third.token"]);
    assert!(said.contains("no longer have access"), "{said}");
    assert!(!provider.path("third.token").exists());
    provider.fails(2, &["staff", "token", "jonas", "--out", "amara.token"]);
    provider.fails(2, &["staff", "add", "amara", "--role", "reviewer"]);
    provider.fails(
        2,
        &[
            "staff",
            "add",
            "eve",
            "--role",
            "tenant_admin",
            "--tenant",
            "nobody",
        ],
    );
    let listed = provider.run(&["staff", "list"]);
    assert!(listed.contains("amara\tsenior_reviewer\tdisabled"), "{listed}");
}

#[test]
fn a_server_that_is_killed_leaves_a_case_that_goes_on() {
    let provider = provider();
    std::fs::write(provider.path("warrant.json"), warrant().to_string()).unwrap();
    let case = provider.run(&["demand", "submit", "warrant.json", "--as", "tom"]);
    // Nothing sequences the docket now, so there is no receipt yet, and that is said.
    let said = provider.fails(2, &["case", "receipt", &case, "0"]);
    assert!(said.contains("amparo serve"), "{said}");
    drop(provider.serve());
    let _server = provider.serve();
    let until = Instant::now() + Duration::from_secs(30);
    while !provider
        .try_run(&["case", "receipt", &case, "0"])
        .status
        .success()
    {
        assert!(Instant::now() < until, "the docket never published the demand");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn no_log_filter_shows_what_a_request_says() {
    let provider = provider();
    let mut process = Command::new(env!("CARGO_BIN_EXE_amparo"))
        .args(["serve", provider.path("data").to_str().unwrap()])
        .env("AMPARO_LOG", "trace,s3s=trace,s3s::ops=trace,s3s::service=trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let s3 = lines
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("s3      http://").map(str::to_owned))
        .unwrap();
    let mut stream = TcpStream::connect(&s3).unwrap();
    write!(
        stream,
        "PUT /mail/a-very-telling-name HTTP/1.1\r\nHost: {s3}\r\nx-amz-meta-note: a-very-telling-note\r\n\
         Content-Length: 19\r\nConnection: close\r\n\r\na-very-telling-body"
    )
    .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    process.kill().unwrap();
    let mut log = String::new();
    process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    process.wait().unwrap();
    assert!(log.contains("DEBUG"), "nothing was logged at all");
    assert!(!log.contains("a-very-telling"), "the log shows a request");
}

#[test]
fn the_examples_in_the_documents_are_what_they_are_said_to_be() {
    let provider = Provider {
        dir: tempfile::tempdir().unwrap(),
    };
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples");
    let subpoena = docs.join("subpoena.json");
    let judged = provider.run(&["assess", subpoena.to_str().unwrap(), "--as-of", "2026-11-21"]);
    assert!(judged.contains("us.subpoena.content (P5): content"), "{judged}");
    assert!(judged.contains("Releasable: subscriber"), "{judged}");
    let warrant = docs.join("warrant.json");
    let judged = provider.run(&["assess", warrant.to_str().unwrap(), "--as-of", "2026-11-21"]);
    assert!(judged.contains("Releasable: content"), "{judged}");
}

/// Takes back a case's last event, as somebody might who writes the database.
const CUT: &str = r#"
import json, sqlite3, sys, uuid
db = sqlite3.connect(sys.argv[1])
case = uuid.UUID(sys.argv[2]).bytes
db.execute("DROP TRIGGER events_are_never_removed")
(seq, header) = db.execute(
    "SELECT seq, header FROM events WHERE case_id = ? ORDER BY seq DESC LIMIT 1", (case,)).fetchone()
db.execute("DELETE FROM events WHERE case_id = ? AND seq = ?", (case, seq))
db.execute("UPDATE cases SET length = ?, head = ? WHERE id = ?", (seq, bytes.fromhex(json.loads(header)["prev"]), case))
db.commit()
"#;

#[test]
fn a_case_whose_last_events_were_cut_off_is_not_worked_on() {
    let provider = provider();
    std::fs::write(provider.path("warrant.json"), warrant().to_string()).unwrap();
    let case = provider.run(&["demand", "submit", "warrant.json", "--as", "tom"]);
    let why = [
        "--rule",
        "us.warrant.sca",
        "--explanation",
        "withdrawn by the court",
    ];
    let mut reject = vec!["case", "reject", case.as_str(), "--as", "amara"];
    reject.extend(why);
    provider.run(&reject);
    let check = [
        "case",
        "check",
        &case,
        "--outcome",
        "confirmed",
        "--how",
        "by phone",
        "--as",
        "amara",
    ];
    let cut = Command::new("python3")
        .args([
            "-c",
            CUT,
            provider.path("data/amparo.db").to_str().unwrap(),
            &case,
        ])
        .output()
        .unwrap();
    assert!(cut.status.success(), "{}", text(&cut.stderr));
    let said = provider.fails(2, &check);
    assert!(said.contains("does not go on from them"), "{said}");
    let said = provider.try_run(&["doctor", provider.path("data").to_str().unwrap()]);
    assert_eq!(said.status.code(), Some(1), "{}", text(&said.stdout));
    assert!(text(&said.stdout).contains(&case), "{}", text(&said.stdout));
}

#[test]
fn a_changed_trust_policy_is_said_and_put_into_the_docket() {
    let provider = provider();
    let trust = provider.path("data/trust.toml");
    append(&trust, "\n# one more line\n");
    let output = provider.try_run(&["doctor", provider.path("data").to_str().unwrap()]);
    let said = text(&output.stdout);
    assert!(
        said.contains("trust.toml is not the one in force before"),
        "{said}"
    );
    let again = provider.try_run(&["doctor", provider.path("data").to_str().unwrap()]);
    assert!(
        !text(&again.stdout).contains("not the one in force"),
        "known by now"
    );
}
