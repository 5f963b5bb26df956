//! A deployment worked by hand: every step a process of its own, beside a server that runs. From `init` to a package that
//! a stranger verifies, with what must be refused on the way. Takes a few seconds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod process;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use jiff::{Timestamp, ToSpan as _};
use process::{ACCOUNT, Case, Folder, Process, append, program, recipient, root, text, warrant};
use serde_json::{Value, json};

/// One request to the API; its status and body.
fn get(server: &Process, path: &str, token: Option<&str>) -> (u16, Value) {
    let api = server.says("api     http://");
    let mut stream = TcpStream::connect(api).unwrap();
    let sign_in = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {api}\r\n{sign_in}Connection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// A provider with staff, a customer and three messages, two of them in January 2026.
fn provider() -> Folder {
    let made = Folder::new().init(&["--region", "us-east=US", "--region", "eu-de=DE"]);
    for (id, kind, senior) in [
        ("amara", "reviewer", "senior = true\n"),
        ("jonas", "reviewer", ""),
        ("ines", "counsel", ""),
    ] {
        let key = made.key(id);
        append(
            &made.data("trust.toml"),
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
    made.customer();
    made.mail(&[
        ("a.eml", "Sat, 10 Jan 2026 09:00:00 +0000", 10),
        ("b.eml", "Tue, 20 Jan 2026 09:00:00 +0000", 10),
        ("c.eml", "Fri, 20 Feb 2026 09:00:00 +0000", 10),
    ]);
    made
}

#[test]
fn a_case_is_worked_by_hand_from_demand_to_package() {
    worked_by_hand(&provider());
}

#[test]
fn a_case_is_worked_by_hand_with_the_gate_in_a_process_of_its_own() {
    let provider = provider();
    provider.run(&["gate", "split", "--to", "gate"]);
    let _gate = provider.start(&["gate", "--data", "gate"], "gate    ");
    worked_by_hand(&provider);
}

fn worked_by_hand(provider: &Folder) {
    let server = provider.serve();

    // Who is not enrolled does nothing; what is no demand is kept, for a person to enter.
    std::fs::write(provider.path("warrant.json"), warrant().to_string()).unwrap();
    let said = provider.fails(2, &["demand", "submit", "warrant.json", "--as", "mallory"]);
    assert!(said.contains("amparo staff add"), "{said}");
    let case = provider.submit();
    assert_eq!(
        provider.run(&["demand", "submit", "warrant.json", "--as", "tom"]),
        case.id
    );

    let listed = provider.run(&["case", "list"]);
    let day = warrant()["return_on"].as_str().unwrap().to_owned();
    assert!(
        listed.contains("United States Attorney (US)") && listed.contains(&format!("due {day}")),
        "{listed}"
    );

    let age = recipient(provider);
    let propose = [
        "--as",
        "amara",
        "--recipient",
        "U.S. Attorney",
        "--age",
        age.as_str(),
    ];
    let how = "called the court's number";
    // One person's word confirms nobody; another's, too, does.
    for who in ["amara", "amara", "jonas"] {
        case.step("check", &["--outcome", "confirmed", "--how", how, "--as", who]);
        let log = case.step("log", &["--format", "json"]);
        let confirmed = log.contains(r#""outcome":"confirmed""#) || log.contains(r#""outcome": "confirmed""#);
        assert_eq!(confirmed, who == "jonas", "{log}");
    }
    assert!(
        case.step("resolve", &["--as", "amara"])
            .contains(&format!("{ACCOUNT} of larkspur in us-east"))
    );
    case.step(
        "learn",
        &["--us-person", "true", "--person-country", "US", "--as", "amara"],
    );
    assert!(
        case.step("assess", &["--as", "amara"])
            .contains("releasable: content")
    );

    // A record may be drawn up before the promises are kept; it cannot become a release.
    let early = case.step("propose", &propose);
    for who in ["amara", "jonas"] {
        let key = format!("{who}.key");
        case.step("approve", &["--record", &early, "--as", who, "--key", &key]);
    }
    let said = case.fails(1, "release", &["--record", &early]);
    assert!(said.contains("P8") || said.contains("P9"), "{said}");

    case.redirect_and_notify();
    let record = case.step("propose", &propose);
    let said = case.fails(1, "approve", &["--as", "tom", "--key", "amara.key"]);
    assert!(said.contains("P7"), "{said}");
    case.approve("amara");
    case.fails(1, "approve", &["--as", "amara", "--key", "amara.key"]);
    case.fails(1, "release", &[]);
    case.approve("jonas");
    case.step("release", &["--out", "package.age"]);
    case.step(
        "deliver",
        &["--record", &record, "--how", "by courier", "--as", "amara"],
    );
    letters_of(&case);
    let destroy = ["account", "destroy", "larkspur", ACCOUNT, "--confirm", ACCOUNT];
    assert!(provider.fails(1, &destroy).contains(&case.id));
    case.step("close", &["--outcome", "disclosed", "--as", "amara"]);
    provider.run(&destroy);

    let policy = ["--policy", "data/trust.toml"];
    let package = ["verify", "package", "package.age", "--identity", "identity"];
    let proven = provider.run(&[&package[..], &policy].concat());
    assert!(proven.contains("proven: 2 objects"), "{proven}");
    let receipt = case.step("receipt", &["0"]);
    std::fs::write(provider.path("receipt"), format!("{receipt}\n")).unwrap();
    provider.run(&[&["verify", "receipt", "receipt"][..], &policy].concat());
    drop(server);
}

/// Letters of the case file, and some that are drawn up from the case as it stands.
fn letters_of(case: &Case<'_>) {
    let listed = case.step("letter", &[]);
    let line = listed
        .lines()
        .find(|line| line.ends_with("redirect") || line.contains("  redirect  "));
    let digest = line.unwrap().split_whitespace().nth(1).unwrap().to_owned();
    let text = case.step("letter", &[&digest]);
    assert!(text.contains("Request to turn to our customer"), "{text}");
    let data: Value = serde_json::from_str(&case.step("letter", &[&digest, "--format", "json"])).unwrap();
    assert_eq!(data["schema"], "amparo.letter/1");
    let cover = case.step("letter", &["--kind", "cover"]);
    assert!(
        cover.contains("SHA-256 of the package: ") && cover.contains("2 object(s)"),
        "{cover}"
    );
    let said = case.fails(1, "letter", &["--kind", "certificate"]);
    assert!(said.contains("signed_by"), "{said}");
    let named = [
        "--with",
        "signed_by=Amara Diallo",
        "--with",
        "post=Custodian of records",
    ];
    let form = case.step("letter", &[&["--kind", "certificate"][..], &named].concat());
    assert!(
        form.contains("I, Amara Diallo, Custodian of records of"),
        "{form}"
    );
    // Told already, and released since: what is left is the late notice.
    let said = case.fails(1, "letter", &["--kind", "notice", "--with", "tenant=larkspur"]);
    assert!(said.contains("P9"), "{said}");
    case.fails(2, "letter", &["--kind", "cover", "--with", "colour=red"]);
    case.fails(2, "letter", &["--kind", "lampoon"]);
    // The program that sets them does not lie beside this one.
    let said = case.fails(2, "letter", &["--kind", "cover", "--to", "cover.pdf"]);
    assert!(said.contains("amparo-letter` is not installed"), "{said}");
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
    let (status, me) = get(&server, "/me", Some(&amara));
    assert_eq!((status, me["id"].as_str()), (200, Some("amara")), "{me}");
    assert_eq!(get(&server, "/cases", Some(&amara)).0, 200);
    assert_eq!(get(&server, "/cases", None).0, 401);
    assert_eq!(get(&server, "/tenants", Some(&amara)).0, 403);

    let (id, second) = token("amara", "second.token");
    provider.run(&["staff", "revoke", &id]);
    assert_eq!(get(&server, "/me", Some(&second)).0, 401);
    assert_eq!(get(&server, "/me", Some(&amara)).0, 200);
    provider.run(&["staff", "disable", "amara"]);
    assert_eq!(get(&server, "/me", Some(&amara)).0, 401);

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
    let case = provider.submit().id;
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

/// Clocks run from service: a demand that says it was served tomorrow would have more time than there is.
#[test]
fn a_demand_that_was_served_in_the_future_is_for_a_person_to_enter() {
    let provider = provider();
    let mut early = warrant();
    let tomorrow = Timestamp::now().checked_add(24.hours()).unwrap();
    early["served_at"] = tomorrow.to_string().into();
    std::fs::write(provider.path("early.json"), early.to_string()).unwrap();
    let case = provider.run(&["demand", "submit", "early.json", "--as", "tom"]);
    let said = provider.run(&["case", "log", &case, "--format", "json"]);
    assert!(
        said.contains("unreadable") && said.contains("it cannot have been served later"),
        "{said}"
    );
    let listed = provider.run(&["case", "list"]);
    assert!(listed.contains("(nobody has read it yet)"), "{listed}");
}

#[test]
fn no_log_filter_shows_what_a_request_says() {
    let provider = provider();
    let mut process = program()
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
    let provider = Folder::new();
    let docs = root().join("docs/examples");
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
    let case = provider.submit().id;
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
    let (code, said) = provider.doctor("data");
    assert!(code == Some(1) && said.contains(&case), "{said}");
}

#[test]
fn a_changed_trust_policy_is_said_and_put_into_the_docket() {
    let provider = provider();
    let trust = provider.path("data/trust.toml");
    append(&trust, "\n# one more line\n");
    let (_, said) = provider.doctor("data");
    assert!(
        said.contains("trust.toml is not the one in force before"),
        "{said}"
    );
    let (_, again) = provider.doctor("data");
    assert!(!again.contains("not the one in force"), "known by now: {again}");
}

#[test]
fn silences_and_dates_are_read_by_hand() {
    let provider = provider();
    let mut gagged = warrant();
    gagged["gag"] = json!({ "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true,
                            "from": gagged["issued_on"], "until": gagged["return_on"], "forbids": ["tenant"] });
    std::fs::write(provider.path("warrant.json"), gagged.to_string()).unwrap();
    let case = provider.run(&["demand", "submit", "warrant.json", "--as", "tom"]);
    provider.run(&["case", "resolve", &case, "--as", "amara"]);
    provider.run(&["case", "assess", &case, "--as", "amara"]);
    let listed: Value = serde_json::from_str(&provider.run(&["gag", "list", "--format", "json"])).unwrap();
    let gag = &listed["gags"][0];
    assert_eq!((&gag["state"], &gag["binds"]), (&json!("standing"), &json!(true)));
    let number = gag["number"].to_string();
    assert!(
        provider
            .run(&["gag", "list", "--case", &case])
            .contains("UNANSWERED")
    );
    assert!(
        provider
            .run(&["gag", "show", &case, &number])
            .contains("U.S. District Court")
    );
    provider.fails(2, &["gag", "show", &case, "99"]);
    let calendar = provider.run(&["case", "calendar", "--as", "amara"]);
    assert!(
        calendar.starts_with("BEGIN:VCALENDAR") && calendar.contains("SUMMARY:Silence ends"),
        "{calendar}"
    );
    assert!(
        !calendar.contains("larkspur") && !calendar.contains("Attorney"),
        "{calendar}"
    );

    let server = provider.serve();
    provider.run(&["staff", "calendar", "amara", "--out", "feed"]);
    let path = std::fs::read_to_string(provider.path("feed")).unwrap();
    assert_eq!(get(&server, path.trim(), None).0, 200);
    provider.run(&["staff", "calendar", "amara", "--withdraw"]);
    assert_eq!(get(&server, path.trim(), None).0, 404);
}
