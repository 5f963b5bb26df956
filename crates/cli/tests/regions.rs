//! Two nodes, a region each, with a link between them: a desk on one works a case whose data lies on the other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod process;

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use process::{ACCOUNT, Folder, append, recipient};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

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

/// Says which other node there is, and where.
fn knows(node: &Folder, region: &str, name: &str, at: &str, endpoint: &str) {
    append(
        &node.data("amparo.toml"),
        &format!(
            "\n[link]\nlisten = \"127.0.0.1:0\"\ntls = {{ certificate = \"link.pem\", key = \"link.key\" }}\n\n\
             [[peer]]\nregion = \"{region}\"\ncountry = \"US\"\nat = \"{at}\"\nca = \"../ca.pem\"\n\
             name = \"{name}\"\nendpoint = \"{endpoint}\"\n"
        ),
    );
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "no {from}: {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// The log's and the witness's keys in a trust policy.
fn keys(node: &Folder) -> (String, String) {
    let trust = std::fs::read_to_string(node.data("trust.toml")).unwrap();
    let find = |start: &str| {
        let line = trust.lines().find_map(|line| line.split_once(start)).unwrap().1;
        line.split([' ', '\\', '"']).next().unwrap().to_owned()
    };
    (find("log "), find("witness own "))
}

/// The gate in the west goes by the log, the witness and the reviewers of the desk in the east.
fn trust(west: &Folder, east: &Folder) {
    let ((log, witness), (own_log, own_witness)) = (keys(east), keys(west));
    let docket = format!(
        "log {own_log}\nlog {log}\nwitness own {own_witness}\nwitness east {witness}\ngroup either any own east\n\
         quorum either\n"
    );
    let before = std::fs::read_to_string(west.data("trust.toml")).unwrap();
    let rulebooks = before.lines().find(|line| line.starts_with("rulebooks")).unwrap();
    let policy = format!("schema = \"amparo.policy/1\"\ndocket = '''\n{docket}'''\n{rulebooks}\n");
    std::fs::write(west.data("trust.toml"), policy).unwrap();
    for (id, senior) in [("amara", "senior = true\n"), ("jonas", "")] {
        let key = east.key(id);
        let entry = format!("\n[[reviewer]]\nid = \"{id}\"\nkey = \"{key}\"\n{senior}");
        append(&east.data("trust.toml"), &entry);
        append(&west.data("trust.toml"), &entry);
    }
}

#[test]
fn p12_a_case_is_worked_on_one_node_and_its_data_stays_on_the_other_until_it_is_released() {
    let scratch = Folder::new();
    let authority = Authority::new("ours");
    std::fs::write(scratch.path("ca.pem"), &authority.pem).unwrap();
    let east = scratch.beside("east").init(&["--region", "us-east=US"]);
    let west = scratch.beside("west").init(&["--region", "us-west=US"]);
    west.customer();
    // The first is larger than one piece of a read over the link.
    west.mail(&[
        ("a.eml", "Sat, 10 Jan 2026 09:00:00 +0000", 3_000_000),
        ("b.eml", "Tue, 20 Jan 2026 09:00:00 +0000", 10),
        ("c.eml", "Fri, 20 Feb 2026 09:00:00 +0000", 10),
    ]);
    authority.issue(&east.data(""), "east.test");
    authority.issue(&west.data(""), "west.test");
    knows(
        &west,
        "us-east",
        "east.test",
        "127.0.0.1:9",
        "http://s3.east.test",
    );
    trust(&west, &east);
    for (id, role) in [
        ("amara", "senior_reviewer"),
        ("jonas", "reviewer"),
        ("tom", "intake"),
    ] {
        east.run(&["staff", "add", id, "--role", role]);
    }
    let served = west.serve();
    let (s3, link) = (served.says("s3      "), served.says("link    ").to_owned());
    knows(&east, "us-west", "west.test", &link, s3);
    let server = east.serve();

    let case = east.submit();
    for who in ["amara", "jonas"] {
        let checked = ["--outcome", "confirmed", "--how", "called the court", "--as", who];
        case.step("check", &checked);
    }

    // A stranger's certificate: the other node does not speak to us, and nothing is guessed.
    Authority::new("strangers").issue(&east.data(""), "east.test");
    let said = case.fails(2, "resolve", &["--as", "amara"]);
    assert!(
        said.contains("us-west") && said.contains("who vouches for our certificate"),
        "{said}"
    );
    authority.issue(&east.data(""), "elsewhere.test");
    let said = case.fails(2, "resolve", &["--as", "amara"]);
    assert!(said.contains("does not accept our certificate"), "{said}");
    authority.issue(&east.data(""), "east.test");

    let said = case.step("resolve", &["--as", "amara"]);
    assert!(
        said.contains(&format!("{ACCOUNT} of larkspur in us-west")),
        "{said}"
    );
    case.step(
        "learn",
        &["--us-person", "true", "--person-country", "US", "--as", "amara"],
    );
    case.step("assess", &["--as", "amara"]);
    case.redirect_and_notify();
    let age = recipient(&east);
    let record = case.step(
        "propose",
        &["--as", "amara", "--recipient", "U.S. Attorney", "--age", &age],
    );
    case.approve("amara");
    case.approve("jonas");

    // The other node goes away before the release: it is said, and the record is good when it is back.
    drop(served);
    let said = case.fails(2, "release", &["--out", "package.age"]);
    assert!(
        said.contains("us-west") && said.contains("is not reached"),
        "{said}"
    );
    let served = west.serve();
    let new = format!("at = \"{}\"", served.says("link    "));
    edit(&east.data("amparo.toml"), &format!("at = \"{link}\""), &new);
    case.step("release", &["--out", "package.age"]);
    case.step(
        "deliver",
        &["--record", &record, "--how", "by courier", "--as", "amara"],
    );
    let package = ["verify", "package", "package.age", "--identity", "identity"];
    let proven = east.run(&[&package[..], &["--policy", "east/trust.toml"]].concat());
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
        let said = east.s3(&server, "east.s3", &[region, method, path]);
        let field = |name: &str| said[name].as_str().unwrap().to_owned();
        (
            said["status"].as_u64().unwrap(),
            field("code"),
            field("region"),
            field("location"),
        )
    };
    let (status, code, region, location) = s3("us-west", "GET", "/mail/a.eml");
    assert_eq!(
        (status, code.as_str(), region.as_str()),
        (301, "PermanentRedirect", "us-west")
    );
    assert!(location.starts_with("http://"), "{location}");
    let (status, code, ..) = s3("us-east", "GET", "/mail/a.eml");
    assert_eq!((status, code.as_str()), (404, "NoSuchBucket"));
    let (status, code, ..) = s3("us-west", "PUT", "/new");
    assert_eq!(
        (status, code.as_str()),
        (400, "IllegalLocationConstraintException")
    );
    assert_eq!(s3("us-east", "PUT", "/new").0, 200);
}
