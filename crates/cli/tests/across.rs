//! Two nodes with a database, a store and a gate each: an account's mail goes from a region of the one to a region of the
//! other, whatever is killed on the way, and is released there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod links;
mod process;

use std::{
    process::Child,
    time::{Duration, Instant},
};

use links::{Authority, edit, knows, trust};
use process::{ACCOUNT, Folder, Process, append, recipient};

/// One of the account's messages, as it is asked for.
const MESSAGE: &str = "/mail/mail/dana%40larkspur.example/a.eml";

/// The customer, on a node that has nothing of it yet.
fn prepared(node: &Folder) {
    node.run(&[
        "tenant",
        "add",
        "larkspur",
        "--kind",
        "enterprise",
        "--country",
        "US",
    ]);
    node.run(&["tenant", "key", "larkspur", "--out", "there.s3"]);
}

/// Each gate knows the other, whose key it gets from there.
fn acquainted(east: &Folder, west: &Folder) {
    for (one, other, region) in [(east, west, "us-west"), (west, east, "us-east")] {
        let key = other.run(&["key", "gate"]);
        append(
            &one.data("trust.toml"),
            &format!("\n[[gate]]\nregions = [\"{region}\"]\nkey = \"{key}\"\n"),
        );
    }
}

/// A transfer from east to west, signed by both.
fn approved(east: &Folder, what: [&str; 2]) -> String {
    let open = "transfer open --tenant larkspur --from us-east --to us-west --category content --purpose nearer \
                --importer Provider --as olga";
    let open: Vec<&str> = open.split_whitespace().chain(what).collect();
    let opened = east.run(&open);
    east.run(&["transfer", "propose", &opened, "--as", "olga"]);
    for name in ["amara", "jonas"] {
        let key = format!("{name}.key");
        east.run(&["transfer", "approve", &opened, "--as", name, "--key", &key]);
    }
    opened
}

/// The mover in a process of its own, which is killed after so long if it is not done.
fn killed_after(mut mover: Child, long: Duration) -> bool {
    let until = Instant::now() + long;
    loop {
        if let Some(status) = mover.try_wait().unwrap() {
            return status.success();
        }
        if Instant::now() >= until {
            let _ = mover.kill();
            let _ = mover.wait();
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn p19_an_account_goes_from_node_to_node_and_is_released_there() {
    let scratch = Folder::new();
    let authority = Authority::new("ours");
    std::fs::write(scratch.path("ca.pem"), authority.pem()).unwrap();
    let east = scratch.beside("east").init(&["--region", "us-east=US"]);
    let west = scratch.beside("west").init(&["--region", "us-west=US"]);
    east.customer();
    east.mail(&[
        ("a.eml", "Sat, 10 Jan 2026 09:00:00 +0000", 3_000_000),
        ("b.eml", "Tue, 20 Jan 2026 09:00:00 +0000", 10),
        ("c.eml", "Fri, 20 Feb 2026 09:00:00 +0000", 700_000),
    ]);
    prepared(&west);
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
        ("olga", "operator"),
    ] {
        east.run(&["staff", "add", id, "--role", role]);
    }
    let served = west.serve();
    let mut link = served.says("link    ").to_owned();
    knows(&east, "us-west", "west.test", &link, served.says("s3      "));
    let mut server = Some(east.serve());
    let transfer = approved(&east, ["--account", ACCOUNT]);
    let start = ["transfer", "start", &transfer, "--as", "olga"];

    // The gates do not know each other: nothing moves, and what is missing is named.
    let said = east.fails(1, &start);
    assert!(said.contains("[[gate]]"), "{said}");
    drop(served);
    drop(server.take());
    acquainted(&east, &west);
    let again = |link: &mut String| -> Process {
        let served = west.serve();
        let new = served.says("link    ").to_owned();
        edit(
            &east.data("amparo.toml"),
            &format!("at = \"{link}\""),
            &format!("at = \"{new}\""),
        );
        *link = new;
        served
    };
    let mut served = again(&mut link);
    let server = east.serve();

    // What differs there is named before anything begins.
    let said = east.fails(1, &start);
    assert!(
        said.contains("no bucket `mail`") && said.contains("nothing was sent"),
        "{said}"
    );
    let owner = ["--tenant", "larkspur", "--credential", "there.s3"];
    west.run(&[&["bucket", "add", "mail", "--region", "us-west"][..], &owner].concat());

    // Both sides are killed on the way, each time a little later. What is asked for is here or there all the while.
    let mut done = false;
    for (round, long) in [150, 300, 500, 700, 900, 1200, 1600].into_iter().enumerate() {
        let mover = east.spawn(&start);
        done = killed_after(mover, Duration::from_millis(long));
        if done {
            break;
        }
        if round % 2 == 0 {
            drop(served);
            served = again(&mut link);
        }
        let mut said = Vec::new();
        let seen = [
            (&east, &server, "larkspur.s3", "us-east"),
            (&west, &served, "there.s3", "us-west"),
        ]
        .into_iter()
        .filter(|(node, server, credential, region)| {
            let got = node.s3(server, credential, &[*region, "GET", MESSAGE]);
            said.push((got["status"].clone(), got["code"].clone()));
            got["status"].as_u64() == Some(200)
        });
        let seen = seen.count();
        assert!(seen > 0, "round {round}: {said:?}");
    }
    if !done {
        // A claim that was cut off runs out by itself.
        let until = Instant::now() + Duration::from_secs(120);
        loop {
            let output = east.try_run(&start);
            if output.status.success() {
                break;
            }
            let said = process::text(&output.stderr);
            assert!(said.contains("is being moved already"), "{said}");
            assert!(Instant::now() < until, "{said}");
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    // It is there, and a sign is here.
    for (name, size) in [("a.eml", 3_000_000), ("c.eml", 700_000)] {
        let got = west.s3(
            &served,
            "there.s3",
            &["us-west", "GET", &MESSAGE.replace("a.eml", name)],
        );
        assert_eq!(got["status"].as_u64(), Some(200), "{name}");
        let length = got["body"].as_str().unwrap().len();
        assert!(length >= size && length < size + 1000, "{length}");
    }
    let sign = east.s3(&server, "larkspur.s3", &["us-east", "GET", MESSAGE]);
    assert_eq!(
        (
            sign["status"].as_u64(),
            sign["code"].as_str(),
            sign["region"].as_str()
        ),
        (Some(301), Some("PermanentRedirect"), Some("us-west")),
        "{sign}"
    );
    let (code, said) = east.doctor("east");
    assert!(!said.contains(&transfer), "{code:?} {said}");

    // And is released there, from the desk that it left.
    let case = east.submit();
    for who in ["amara", "jonas"] {
        let checked = ["--outcome", "confirmed", "--how", "called the court", "--as", who];
        case.step("check", &checked);
    }
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
    case.step(
        "propose",
        &["--as", "amara", "--recipient", "U.S. Attorney", "--age", &age],
    );
    case.approve("amara");
    case.approve("jonas");
    case.step("release", &["--out", "package.age"]);
    let package = ["verify", "package", "package.age", "--identity", "identity"];
    let proven = east.run(&[&package[..], &["--policy", "east/trust.toml"]].concat());
    assert!(proven.contains("proven: 2 objects"), "{proven}");
}

/// A gate in a process of its own, whose folder is `NAME-gate`.
fn split(node: &Folder, name: &str) -> Process {
    let folder = format!("{name}-gate");
    node.run(&["gate", "split", "--to", &folder]);
    node.start(&["gate", "--data", &folder], "gate")
}

#[test]
fn p19_a_bucket_goes_where_the_gates_are_processes_of_their_own() {
    let scratch = Folder::new();
    let authority = Authority::new("ours");
    std::fs::write(scratch.path("ca.pem"), authority.pem()).unwrap();
    let east = scratch.beside("east").init(&["--region", "us-east=US"]);
    let west = scratch.beside("west").init(&["--region", "us-west=US"]);
    east.customer();
    east.mail(&[
        ("a.eml", "Sat, 10 Jan 2026 09:00:00 +0000", 300_000),
        ("b.eml", "Tue, 20 Jan 2026 09:00:00 +0000", 10),
    ]);
    prepared(&west);
    let owner = ["--tenant", "larkspur", "--credential", "there.s3"];
    west.run(&[&["bucket", "add", "mail", "--region", "us-west"][..], &owner].concat());
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
    acquainted(&east, &west);
    for (id, role) in [
        ("amara", "senior_reviewer"),
        ("jonas", "reviewer"),
        ("olga", "operator"),
    ] {
        east.run(&["staff", "add", id, "--role", role]);
    }
    let _gates = [split(&east, "east"), split(&west, "west")];
    let served = west.serve();
    knows(
        &east,
        "us-west",
        "west.test",
        served.says("link    "),
        served.says("s3      "),
    );
    let server = east.serve();
    let opened = approved(&east, ["--bucket", "mail"]);
    east.run(&["transfer", "start", &opened, "--as", "olga"]);
    let got = west.s3(&served, "there.s3", &["us-west", "GET", MESSAGE]);
    assert_eq!(got["status"].as_u64(), Some(200));
    let sign = east.s3(&server, "larkspur.s3", &["us-east", "GET", MESSAGE]);
    assert_eq!(
        (sign["status"].as_u64(), sign["region"].as_str()),
        (Some(301), Some("us-west"))
    );
    assert!(
        sign["location"].as_str().unwrap().starts_with("http://"),
        "{sign}"
    );
}
