//! Data that moves between two regions of one deployment, and a release of it: nothing is left out because it moved. Every
//! step is a process of its own, beside a server that runs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use age::secrecy::ExposeSecret as _;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use serde_json::{Value, json};

const ACCOUNT: &str = "dana@larkspur.example";

struct Provider {
    dir: tempfile::TempDir,
}

/// A process beside the verbs, stopped with the test.
struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn append(path: &Path, more: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(more.as_bytes()).unwrap();
}

impl Provider {
    /// Two regions in one country, people who sign, and a customer with two buckets of mail in the first.
    fn new() -> Self {
        let made = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let data = made.path("data");
        let init = "--provider Provider --origin cloud.example/docket --region us-east=US --region us-west=US \
                    --interval 1 --s3 127.0.0.1:0 --api 127.0.0.1:0";
        let mut args = vec!["init", data.to_str().unwrap()];
        args.extend(init.split_whitespace());
        made.run(&args);
        for (id, role, senior) in [
            ("amara", "senior_reviewer", "senior = true\n"),
            ("jonas", "reviewer", ""),
        ] {
            let key = made.run(&["key", "new", &format!("{id}.key")]);
            let entry = format!("\n[[reviewer]]\nid = \"{id}\"\nkey = \"{key}\"\n{senior}");
            append(&data.join("trust.toml"), &entry);
            made.run(&["staff", "add", id, "--role", role]);
        }
        for (id, role) in [("tom", "intake"), ("olga", "operator")] {
            made.run(&["staff", "add", id, "--role", role]);
        }
        made.say("tenant add larkspur --kind enterprise --country US");
        made.say("tenant key larkspur --out larkspur.s3");
        // Some of it small enough for the database, some not.
        for (bucket, size) in [("mail", 400_000), ("archive", 10)] {
            made.say(&format!(
                "bucket add {bucket} --tenant larkspur --credential larkspur.s3"
            ));
            let folder = made.path(bucket);
            std::fs::create_dir(&folder).unwrap();
            for (name, date) in [
                ("a.eml", "Sat, 10 Jan 2026 09:00:00 +0000"),
                ("b.eml", "Tue, 20 Jan 2026 09:00:00 +0000"),
                ("c.eml", "Fri, 20 Feb 2026 09:00:00 +0000"),
            ] {
                let body = "a line of mail\r\n".repeat(size / 16 + 1);
                let message =
                    format!("From: x@example.org\r\nDate: {date}\r\nSubject: {bucket} {name}\r\n\r\n{body}");
                std::fs::write(folder.join(name), message).unwrap();
            }
            made.say(&format!(
                "import mail {bucket} --bucket {bucket} --tenant larkspur --account {ACCOUNT} --credential larkspur.s3"
            ));
        }
        made
    }

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
        let (out, talk) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}: {talk}{out}");
        out.trim().to_owned()
    }

    /// Runs a verb whose arguments have no spaces.
    fn say(&self, line: &str) -> String {
        self.run(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// The same, for one that must be refused; what it said.
    fn refused(&self, line: &str) -> String {
        let output = self.try_run(&line.split_whitespace().collect::<Vec<_>>());
        let talk = text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{line}: {talk}{}",
            text(&output.stdout)
        );
        talk
    }

    fn serve(&self) -> Beside {
        let mut process = Command::new(env!("CARGO_BIN_EXE_amparo"))
            .arg("serve")
            .arg(self.path("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        lines
            .map(Result::unwrap)
            .find(|line| line.starts_with("docket"))
            .expect("the server says that it is up");
        Beside(process)
    }

    /// The gate as a process of its own, from now on.
    fn split(&self) -> Beside {
        self.say("gate split --to gate");
        let mut gate = Command::new(env!("CARGO_BIN_EXE_amparo"))
            .args(["gate", "--data", "gate"])
            .current_dir(self.dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(gate.stdout.take().unwrap()).lines().next();
        said.unwrap().unwrap();
        Beside(gate)
    }

    /// A transfer, opened, signed by both reviewers, and moved, or copied (`--copy`); its id.
    fn moves(&self, what: &str, from: &str, to: &str) -> String {
        let transfer = self.say(&format!(
            "transfer open --tenant larkspur --from {from} --to {to} {what} --category content --purpose nearer \
             --importer Provider --as olga"
        ));
        self.say(&format!("transfer propose {transfer} --as olga"));
        for name in ["amara", "jonas"] {
            self.say(&format!(
                "transfer approve {transfer} --as {name} --key {name}.key"
            ));
        }
        self.say(&format!("transfer start {transfer} --as olga"));
        transfer
    }
}

fn warrant() -> Value {
    let now = Timestamp::now();
    let today = now.to_zoned(TimeZone::UTC).date();
    json!({
        "schema": "amparo.demand/1", "instrument": "us.warrant.sca", "reference": "1:26-mj-00417",
        "served_at": now,
        "requester": { "authority": "United States Attorney", "country": "US", "kind": "prosecutor" },
        "issuer": { "kind": "court", "name": "U.S. District Court", "title": "Magistrate Judge" },
        "issued_on": today.checked_add(-1.days()).unwrap(), "return_on": today.checked_add(30.days()).unwrap(),
        "subjects": [{ "type": "account", "value": ACCOUNT }], "categories": ["content"],
        "window": { "from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z" },
        "items": ["e-mail messages of January 2026"],
        "showing": { "signed": true, "probable_cause": true, "particularity": true, "statute_named": true },
        "offence": { "provision": "18 U.S.C. 1343", "max_sentence_months": 240 }
    })
}

#[test]
fn p12_a_release_leaves_nothing_out_that_moved() {
    released_whole(&Provider::new());
}

#[test]
fn p12_nor_with_the_gate_in_a_process_of_its_own() {
    let provider = Provider::new();
    let _gate = provider.split();
    released_whole(&provider);
}

/// A demand for January's mail, worked until a release can be drawn up; its case.
fn worked(provider: &Provider, resolve: &str, found: &str) -> String {
    std::fs::write(provider.path("warrant.json"), warrant().to_string()).unwrap();
    let case = provider.say("demand submit warrant.json --as tom --channel paper");
    let step = |line: &str| {
        let (verb, rest) = line.split_once(' ').unwrap();
        provider.say(&format!("case {verb} {case} {rest}"))
    };
    step("check --outcome confirmed --how called --as amara");
    let said = step(resolve);
    assert!(said.ends_with(found), "{said}");
    step("learn --us-person true --person-country US --as amara");
    step("assess --as amara");
    step("redirect --how letter --as amara");
    step("redirect --answer refused --as amara");
    step("notify --tenant larkspur --as amara");
    case
}

/// Whoever a package is for; its identity is in the file `identity`.
fn recipient(provider: &Provider) -> String {
    let identity = age::x25519::Identity::generate();
    let secret = identity.to_string();
    std::fs::write(provider.path("identity"), secret.expose_secret().as_bytes()).unwrap();
    identity.to_public().to_string()
}

fn released_whole(provider: &Provider) {
    let _server = provider.serve();
    let case = worked(provider, "resolve --as amara", "in us-east");
    let step = |line: &str| {
        let (verb, rest) = line.split_once(' ').unwrap();
        provider.say(&format!("case {verb} {case} {rest}"))
    };
    let recipient = recipient(provider);
    let propose = format!("case propose {case} --as amara --recipient Attorney --age {recipient}");
    let sign = || {
        for name in ["amara", "jonas"] {
            step(&format!("approve --as {name} --key {name}.key"));
        }
    };

    // One of two buckets goes west after the look-up.
    provider.moves("--bucket mail", "us-east", "us-west");
    let said = provider.refused(&propose);
    assert!(said.contains("P12") && said.contains("`us-west`"), "{said}");
    assert!(said.contains("look the accounts up again"), "{said}");
    assert!(step("resolve --as amara").ends_with("in us-east and us-west"));
    step("assess --as amara");
    provider.say(&propose);
    sign();

    // All of the account comes back, between the signatures and the release.
    provider.moves(&format!("--account {ACCOUNT}"), "us-west", "us-east");
    let said = provider.refused(&format!("case release {case}"));
    assert!(
        said.contains("P12") && said.contains("moved from region `us-west` to `us-east`"),
        "{said}"
    );
    assert!(step("resolve --as amara").ends_with("in us-east"));
    step("assess --as amara");
    provider.say(&propose);
    sign();
    step("release --out package.age");
    let proven = provider.say("verify package package.age --policy data/trust.toml --identity identity");
    assert!(proven.contains("proven: 4 objects"), "{proven}");
    let register = provider.say("transfer register");
    assert_eq!(register.matches("done").count(), 2, "{register}");
}

/// Draws up, signs and releases; what the package proves.
fn released(provider: &Provider, case: &str) -> String {
    let recipient = recipient(provider);
    provider.say(&format!(
        "case propose {case} --as amara --recipient Attorney --age {recipient}"
    ));
    for name in ["amara", "jonas"] {
        provider.say(&format!("case approve {case} --as {name} --key {name}.key"));
    }
    provider.say(&format!("case release {case} --out {case}.age"));
    provider.say(&format!(
        "verify package {case}.age --policy data/trust.toml --identity identity"
    ))
}

/// A copy is neither missing from a release nor doubled in one, opens from the other region alone, and ends without the
/// original.
#[test]
fn p12_a_release_finds_a_copy_once() {
    let provider = Provider::new();
    let _server = provider.serve();
    let unknown = provider.say(
        "transfer open --tenant larkspur --from us-east --to us-west --bucket mail --category content --purpose nearer \
         --importer Provider --as olga",
    );
    let basis = format!("transfer basis {unknown} --adequacy eu.adequacy.atlantis --as olga");
    let output = provider.try_run(&basis.split_whitespace().collect::<Vec<_>>());
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("`eu.adequacy.atlantis`") && said.contains("hint:") && said.contains("transfer bases"),
        "{said}"
    );

    let copy = provider.moves("--copy --bucket mail", "us-east", "us-west");
    let shown = provider.say(&format!("transfer status {copy}"));
    assert!(
        shown.contains("copied 3 objects") && shown.contains("copies of 3 objects"),
        "{shown}"
    );
    assert!(provider.say("doctor data").contains("transfer(s): none hangs"));

    // In both regions: each object once.
    let case = worked(&provider, "resolve --as amara", "in us-east and us-west");
    let proven = released(&provider, &case);
    assert!(proven.contains("proven: 4 objects"), "{proven}");

    // In the other region alone: what has a copy there, from its copy.
    let choose = format!("resolve --choose 0=larkspur/{ACCOUNT}@us-west --as amara");
    let other = worked(&provider, &choose, "what lies in us-east");
    let proven = released(&provider, &other);
    assert!(proven.contains("proven: 2 objects"), "{proven}");

    // Given up, it is gone, and the original is found as before.
    provider.say(&format!("transfer withdraw {copy} --reason done --as olga"));
    let last = worked(&provider, "resolve --as amara", "in us-east");
    let proven = released(&provider, &last);
    assert!(proven.contains("proven: 4 objects"), "{proven}");
}
