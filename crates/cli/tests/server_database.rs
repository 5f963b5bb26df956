//! A deployment whose rows are on a PostgreSQL server: the demo, unchanged; and two nodes of one deployment. Takes some
//! twenty seconds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use store::testkit::Server;

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../../../tests/servers/rclone.rs"]
mod rclone;
use rclone::Rclone;

fn amparo(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_amparo"))
        .args(args)
        .output()
        .unwrap()
}

/// Every way of being gone that a deployment should survive is tested elsewhere; here, that the whole story runs.
#[test]
fn the_demo_runs_unchanged_on_a_database_server_and_an_object_store() {
    let rclone = Rclone::start();
    let place = rclone.location(&rclone.address, "demo");
    let store = format!(
        "{}?endpoint={}&region=us-east-1&credentials={}",
        place.url,
        place.endpoint.as_deref().unwrap(),
        place.credentials.as_deref().unwrap().display()
    );
    let server = Server::start();
    let url = server.url("amparo");
    let _made = server.location("amparo");
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("demo");
    let told = amparo(&[
        "demo",
        "--exit",
        "--db",
        &url,
        "--store",
        &store,
        "--dir",
        dir.to_str().unwrap(),
    ]);
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        told.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&told.stderr)
    );

    // Nothing lies in a file that should lie on the server, and the URL is a secret of its own.
    let data = dir.join("data");
    assert!(!data.join("amparo.db").exists());
    let blobs = std::fs::read_dir(data.join("blobs")).map_or(0, Iterator::count);
    assert_eq!(blobs, 0, "bodies lie in the folder");
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

/// A process that serves S3, stopped with the test.
struct Node {
    process: Child,
    s3: String,
}

impl Node {
    fn serve(args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_amparo"))
            .arg("serve")
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let s3 = lines
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix("s3      ").map(str::to_owned))
            .expect("the node says where S3 is");
        Self { process, s3 }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn two_nodes_serve_one_deployment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "run `tests/clients/install` first");
    let server = Server::start();
    let _made = server.location("amparo");
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    let run = |args: &[&str]| {
        let done = amparo(args);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{args:?}: {said}");
    };
    std::fs::create_dir(path("bodies")).unwrap();
    let (data, bodies) = (path("data"), format!("file://{}", path("bodies")));
    let loopback = ["--s3", "127.0.0.1:0", "--api", "127.0.0.1:0"];
    let mut init = vec![
        "init",
        &data,
        "--provider",
        "Example Cloud",
        "--origin",
        "cloud.example/docket",
    ];
    let url = server.url("amparo");
    init.extend(["--region", "eu-de=DE", "--db", &url, "--store", &bodies]);
    init.extend(loopback);
    run(&init);
    run(&[
        "tenant",
        "add",
        "larkspur",
        "--kind",
        "enterprise",
        "--country",
        "DE",
        "--data",
        &data,
    ]);
    let credential = path("larkspur.s3");
    run(&["tenant", "key", "larkspur", "--out", &credential, "--data", &data]);
    run(&[
        "bucket",
        "add",
        "mail",
        "--tenant",
        "larkspur",
        "--credential",
        &credential,
        "--data",
        &data,
    ]);

    let desk = Node::serve(&[&data]);
    let storage = Node::serve(&[&data, "--storage"]);
    let done = Command::new(&python)
        .arg(root.join("tests/clients/two_nodes.py"))
        .args([&desk.s3, &storage.s3, &credential, "mail"])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    // A folder whose database is a file is no storage node's.
    let alone = path("alone");
    let mut init = vec![
        "init",
        &alone,
        "--provider",
        "E",
        "--origin",
        "e.example/docket",
        "--region",
        "eu-de=DE",
    ];
    init.extend(loopback);
    run(&init);
    let refused = amparo(&["serve", &alone, "--storage"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("shares its database"), "{said}");
}
