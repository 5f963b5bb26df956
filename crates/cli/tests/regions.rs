//! Two nodes, a region each, with a link between them: a desk on one works a case whose data lies on the other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod links;
mod process;

use links::{Authority, edit, knows, trust};
use process::{ACCOUNT, Folder, recipient};

#[test]
fn p12_a_case_is_worked_on_one_node_and_its_data_stays_on_the_other_until_it_is_released() {
    let scratch = Folder::new();
    let authority = Authority::new("ours");
    std::fs::write(scratch.path("ca.pem"), authority.pem()).unwrap();
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
