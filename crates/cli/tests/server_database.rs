//! The demo, unchanged, with its rows on a PostgreSQL server. Takes about ten seconds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::process::{Command, Output};

use store::testkit::Server;

fn amparo(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_amparo"))
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn the_demo_runs_unchanged_on_a_database_server() {
    let server = Server::start();
    let url = server.url("amparo");
    let _made = server.location("amparo");
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("demo");
    let told = amparo(&["demo", "--exit", "--db", &url, "--dir", dir.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        told.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&told.stderr)
    );

    // Nothing lies in a file that should lie on the server, and the URL is a secret of its own.
    let data = dir.join("data");
    assert!(!data.join("amparo.db").exists());
    let config = std::fs::read_to_string(data.join("amparo.toml")).unwrap();
    assert!(
        config.contains("database = \"server\"") && !config.contains("postgres:"),
        "{config}"
    );

    // Another process finds everything there.
    let listed = amparo(&[
        "case",
        "list",
        "--data",
        data.to_str().unwrap(),
        "--format",
        "json",
    ]);
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let cases: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(
        cases["cases"].as_array().is_some_and(|open| !open.is_empty()),
        "{cases}"
    );

    // A server that is away is said to be away, without its password.
    drop(server);
    let gone = amparo(&["case", "list", "--data", data.to_str().unwrap()]);
    assert_eq!(gone.status.code(), Some(2));
    let said = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert!(said.contains("cannot open the database"), "{said}");
}
