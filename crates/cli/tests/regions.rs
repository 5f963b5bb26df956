//! Two nodes, a region each, with a link between them: a desk on one works a case whose data lies on the other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use age::secrecy::ExposeSecret as _;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use serde_json::json;

const ACCOUNT: &str = "dana@larkspur.example";

/// One signed S3 request; prints status, the bucket's region and where to go, as far as the answer says them.
const S3: &str = r#"
import datetime, hashlib, hmac, http.client, sys
host, credential, region, method, path = sys.argv[1:6]
lines = dict(line.strip().split("=", 1) for line in open(credential) if "=" in line)
now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
digest = hashlib.sha256(b"").hexdigest()
names = "host;x-amz-content-sha256;x-amz-date"
canonical = f"{method}\n{path}\n\nhost:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{now}\n\n{names}\n{digest}"
scope = f"{now[:8]}/{region}/s3/aws4_request"
text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
key = ("AWS4" + lines["secret_access_key"]).encode()
for part in (now[:8], region, "s3", "aws4_request"):
    key = hmac.new(key, part.encode(), hashlib.sha256).digest()
signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
connection = http.client.HTTPConnection(host)
connection.request(method, path, headers={"Host": host, "x-amz-date": now, "x-amz-content-sha256": digest,
    "Authorization": f"AWS4-HMAC-SHA256 Credential={lines['access_key_id']}/{scope}, SignedHeaders={names}, "
                     f"Signature={signature}"})
answer = connection.getresponse()
body = answer.read().decode()
code = body.partition("<Code>")[2].partition("</Code>")[0]
print(answer.status, code or "-", answer.getheader("x-amz-bucket-region") or "-", answer.getheader("location") or "-")
"#;

/// An authority that makes certificates for both sides of a link.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn issue(&self, dir: &Path, name: &str) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(dir.join("link.pem"), certificate.pem()).unwrap();
        std::fs::write(dir.join("link.key"), key.serialize_pem()).unwrap();
        std::fs::set_permissions(dir.join("link.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn append(path: &Path, more: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(more.as_bytes()).unwrap();
}

/// A node's folder, within the test's.
struct Node<'a> {
    dir: &'a Path,
    data: PathBuf,
}

/// A node that serves, ended with the test.
struct Serving {
    process: Child,
    s3: String,
    link: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl<'a> Node<'a> {
    fn init(dir: &'a Path, name: &str, region: &str) -> Self {
        let node = Self {
            dir,
            data: dir.join(name),
        };
        let region = format!("{region}=US");
        let origin = format!("{name}.example/docket");
        node.run(&[
            "init",
            name,
            "--provider",
            "Example Cloud",
            "--origin",
            &origin,
            "--region",
            &region,
            "--interval",
            "1",
            "--s3",
            "127.0.0.1:0",
            "--api",
            "127.0.0.1:0",
        ]);
        node
    }

    fn try_run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_amparo"))
            .args(args)
            .env("AMPARO_DATA", &self.data)
            .current_dir(self.dir)
            .output()
            .unwrap()
    }

    fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        let (out, talk) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}: {talk}{out}");
        out.trim().to_owned()
    }

    fn serve(&self) -> Serving {
        let mut process = Command::new(env!("CARGO_BIN_EXE_amparo"))
            .arg("serve")
            .arg(&self.data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut s3, mut link) = (String::new(), String::new());
        for line in BufReader::new(process.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap)
        {
            if let Some(at) = line.strip_prefix("s3      http://") {
                at.clone_into(&mut s3);
            }
            if let Some(at) = line.strip_prefix("link    ") {
                at.clone_into(&mut link);
            }
            if line.starts_with("docket") {
                break;
            }
        }
        Serving { process, s3, link }
    }

    /// Says which other node there is, and where.
    fn knows(&self, region: &str, name: &str, at: &str, endpoint: &str) {
        append(
            &self.data.join("amparo.toml"),
            &format!(
                "\n[link]\nlisten = \"127.0.0.1:0\"\ntls = {{ certificate = \"link.pem\", key = \"link.key\" }}\n\n\
                 [[peer]]\nregion = \"{region}\"\ncountry = \"US\"\nat = \"{at}\"\nca = \"../ca.pem\"\n\
                 name = \"{name}\"\nendpoint = \"{endpoint}\"\n"
            ),
        );
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.data.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}: {text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }

    /// The log's and the witness's keys in the trust policy.
    fn keys(&self) -> (String, String) {
        let trust = std::fs::read_to_string(self.data.join("trust.toml")).unwrap();
        let find = |start: &str| {
            let line = trust.lines().find_map(|line| line.split_once(start)).unwrap().1;
            line.split([' ', '\\', '"']).next().unwrap().to_owned()
        };
        (find("log "), find("witness own "))
    }
}

fn warrant() -> String {
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
    .to_string()
}

/// A customer with mail on the node in the west.
fn store(west: &Node<'_>) {
    west.run(&[
        "tenant",
        "add",
        "larkspur",
        "--kind",
        "enterprise",
        "--country",
        "US",
    ]);
    west.run(&["tenant", "key", "larkspur", "--out", "larkspur.s3"]);
    let owner = ["--tenant", "larkspur", "--credential", "larkspur.s3"];
    west.run(&[&["bucket", "add", "mail"][..], &owner].concat());
    std::fs::create_dir(west.dir.join("mail")).unwrap();
    // The first is larger than one piece of a read over the link.
    for (name, date, size) in [
        ("a.eml", "Sat, 10 Jan 2026 09:00:00 +0000", 3_000_000),
        ("b.eml", "Tue, 20 Jan 2026 09:00:00 +0000", 10),
        ("c.eml", "Fri, 20 Feb 2026 09:00:00 +0000", 10),
    ] {
        let body = "a line of mail\r\n".repeat(size / 16 + 1);
        let message = format!("From: x@example.org\r\nDate: {date}\r\nSubject: {name}\r\n\r\n{body}");
        std::fs::write(west.dir.join("mail").join(name), message).unwrap();
    }
    west.run(&[&["import", "mail", "mail", "--account", ACCOUNT][..], &owner].concat());
}

#[test]
fn p12_a_case_is_worked_on_one_node_and_its_data_stays_on_the_other_until_it_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = Authority::new("ours");
    std::fs::write(dir.join("ca.pem"), &authority.pem).unwrap();
    let east = Node::init(dir, "east", "us-east");
    let west = Node::init(dir, "west", "us-west");
    store(&west);
    for (node, name) in [(&east, "east.test"), (&west, "west.test")] {
        authority.issue(&node.data, name);
    }
    west.knows("us-east", "east.test", "127.0.0.1:9", "http://s3.east.test");
    // The gate in the west goes by the log, the witness and the reviewers of the desk in the east.
    let (log, witness) = east.keys();
    let (own_log, own_witness) = west.keys();
    let text = format!(
        "log {own_log}\nlog {log}\nwitness own {own_witness}\nwitness east {witness}\ngroup either any own east\n\
         quorum either\n"
    );
    let rulebooks = std::fs::read_to_string(west.data.join("trust.toml")).unwrap();
    let rulebooks = rulebooks
        .lines()
        .find(|line| line.starts_with("rulebooks"))
        .unwrap()
        .to_owned();
    let policy = format!("schema = \"amparo.policy/1\"\ndocket = '''\n{text}'''\n{rulebooks}\n");
    std::fs::write(west.data.join("trust.toml"), policy).unwrap();
    for (id, senior) in [("amara", "senior = true\n"), ("jonas", "")] {
        let key = east.run(&["key", "new", &format!("{id}.key")]);
        let entry = format!("\n[[reviewer]]\nid = \"{id}\"\nkey = \"{key}\"\n{senior}");
        append(&east.data.join("trust.toml"), &entry);
        append(&west.data.join("trust.toml"), &entry);
    }
    for (id, role) in [
        ("amara", "senior_reviewer"),
        ("jonas", "reviewer"),
        ("tom", "intake"),
    ] {
        east.run(&["staff", "add", id, "--role", role]);
    }
    let served = west.serve();
    east.knows(
        "us-west",
        "west.test",
        &served.link,
        &format!("http://{}", served.s3),
    );
    let server = east.serve();

    std::fs::write(dir.join("warrant.json"), warrant()).unwrap();
    let case = east.run(&[
        "demand",
        "submit",
        "warrant.json",
        "--as",
        "tom",
        "--channel",
        "paper",
    ]);
    let args = |verb: &'static str, rest: &[&str]| {
        let mut args = vec!["case".to_owned(), verb.to_owned(), case.clone()];
        args.extend(rest.iter().map(|arg| (*arg).to_owned()));
        args
    };
    let step = |verb: &'static str, rest: &[&str]| {
        let args = args(verb, rest);
        east.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let fails = |verb: &'static str, rest: &[&str]| {
        let args = args(verb, rest);
        let output = east.try_run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{}", self::text(&output.stdout));
        self::text(&output.stderr)
    };
    step(
        "check",
        &[
            "--outcome",
            "confirmed",
            "--how",
            "called the court",
            "--as",
            "amara",
        ],
    );

    // A stranger's certificate: the other node does not speak to us, and nothing is guessed.
    Authority::new("strangers").issue(&east.data, "east.test");
    let said = fails("resolve", &["--as", "amara"]);
    assert!(
        said.contains("us-west") && said.contains("who vouches for our certificate"),
        "{said}"
    );
    authority.issue(&east.data, "elsewhere.test");
    let said = fails("resolve", &["--as", "amara"]);
    assert!(said.contains("does not accept our certificate"), "{said}");
    authority.issue(&east.data, "east.test");

    let said = step("resolve", &["--as", "amara"]);
    assert!(
        said.contains(&format!("{ACCOUNT} of larkspur in us-west")),
        "{said}"
    );
    step(
        "learn",
        &["--us-person", "true", "--person-country", "US", "--as", "amara"],
    );
    step("assess", &["--as", "amara"]);
    step("redirect", &["--how", "registered letter", "--as", "amara"]);
    step("redirect", &["--answer", "refused", "--as", "amara"]);
    step("notify", &["--tenant", "larkspur", "--as", "amara"]);
    let identity = age::x25519::Identity::generate();
    std::fs::write(
        dir.join("identity"),
        identity.to_string().expose_secret().as_bytes(),
    )
    .unwrap();
    let age = identity.to_public().to_string();
    let record = step(
        "propose",
        &["--as", "amara", "--recipient", "U.S. Attorney", "--age", &age],
    );
    step("approve", &["--as", "amara", "--key", "amara.key"]);
    step("approve", &["--as", "jonas", "--key", "jonas.key"]);

    // The other node goes away before the release: it is said, and the record is good when it is back.
    drop(served);
    let said = fails("release", &["--out", "package.age"]);
    assert!(
        said.contains("us-west") && said.contains("is not reached"),
        "{said}"
    );
    let served = west.serve();
    let config = std::fs::read_to_string(east.data.join("amparo.toml")).unwrap();
    let before = config.lines().find(|line| line.starts_with("at = ")).unwrap();
    east.edit("amparo.toml", before, &format!("at = \"{}\"", served.link));
    step("release", &["--out", "package.age"]);
    step(
        "deliver",
        &["--record", &record, "--how", "by courier", "--as", "amara"],
    );
    let proven = east.run(&[
        "verify",
        "package",
        "package.age",
        "--policy",
        "east/trust.toml",
        "--identity",
        "identity",
    ]);
    assert!(proven.contains("proven: 2 objects"), "{proven}");

    // A client in the wrong place is told the right one; nothing is served or made here.
    east.run(&[
        "tenant",
        "add",
        "larkspur",
        "--kind",
        "enterprise",
        "--country",
        "US",
    ]);
    east.run(&["tenant", "key", "larkspur", "--out", "east.s3"]);
    let s3 = |region: &str, method: &str, path: &str| {
        let output = Command::new("python3")
            .args(["-c", S3, &server.s3, "east.s3", region, method, path])
            .current_dir(dir)
            .output()
            .unwrap();
        self::text(&output.stdout).trim().to_owned()
    };
    let moved = s3("us-west", "GET", "/mail/a.eml");
    assert!(
        moved.starts_with("301 PermanentRedirect us-west http://"),
        "{moved}"
    );
    assert!(s3("us-east", "GET", "/mail/a.eml").starts_with("404 NoSuchBucket"));
    assert!(s3("us-west", "PUT", "/new").starts_with("400 IllegalLocationConstraintException"));
    assert!(s3("us-east", "PUT", "/new").starts_with("200"));
}
