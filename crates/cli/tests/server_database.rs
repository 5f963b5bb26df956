//! A deployment whose rows are on a PostgreSQL server: the demo, unchanged; and two nodes of one deployment. Takes some
//! twenty seconds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod process;

use process::{Folder, root, text};
use store::testkit::Server;

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../../../tests/servers/rclone.rs"]
mod rclone;
use rclone::Rclone;

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
    let folder = Folder::new();
    folder.run(&["demo", "--exit", "--db", &url, "--store", &store, "--dir", "demo"]);

    // Nothing lies in a file that should lie on the server, and the URL is a secret of its own.
    let demo = folder.beside("demo/data");
    assert!(!demo.data("amparo.db").exists());
    let blobs = std::fs::read_dir(demo.data("blobs")).map_or(0, Iterator::count);
    assert_eq!(blobs, 0, "bodies lie in the folder");
    let config = std::fs::read_to_string(demo.data("amparo.toml")).unwrap();
    assert!(
        config.contains("database = \"server\"") && !config.contains("postgres:"),
        "{config}"
    );

    // Another process finds everything there.
    let listed = demo.run(&["case", "list", "--format", "json"]);
    let cases: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert!(
        cases["cases"].as_array().is_some_and(|open| !open.is_empty()),
        "{cases}"
    );

    // A server that is away is said to be away, without its password, and why; nobody is told to make a deployment.
    drop(server);
    let said = demo.fails(2, &["case", "list"]);
    assert!(said.contains("cannot open the database"), "{said}");
    assert!(said.contains("No such file or directory"), "{said}");
    assert!(!said.contains("amparo init"), "{said}");
}

#[test]
fn two_nodes_serve_one_deployment() {
    let python = root().join(".venv/bin/python");
    assert!(python.exists(), "run `tests/clients/install` first");
    let server = Server::start();
    let _made = server.location("amparo");
    let folder = Folder::new();
    std::fs::create_dir(folder.path("bodies")).unwrap();
    let (url, bodies) = (
        server.url("amparo"),
        format!("file://{}", folder.path("bodies").display()),
    );
    let folder = folder.init(&["--region", "eu-de=DE", "--db", &url, "--store", &bodies]);
    folder.customer();
    let owner = ["--tenant", "larkspur", "--credential", "larkspur.s3"];
    folder.run(&[&["bucket", "add", "mail"][..], &owner].concat());

    // A second deployment in the same database would be a muddle.
    let taken = folder.try_run(&[
        "init",
        "other",
        "--provider",
        "E",
        "--origin",
        "e.example/docket",
        "--region",
        "eu-de=DE",
        "--db",
        &url,
    ]);
    let said = text(&taken.stderr);
    assert!(
        said.contains("is not empty") && !folder.path("other").exists(),
        "{said}"
    );

    let desk = folder.serve();
    let storage = folder.start(&["serve", "data", "--storage"], "s3");
    let done = std::process::Command::new(&python)
        .arg(root().join("tests/clients/two_nodes.py"))
        .args([desk.says("s3      "), storage.says("s3      ")])
        .arg(folder.path("larkspur.s3"))
        .arg("mail")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));

    // A storage node's folder: no case root, no docket. The doctor knows what it is for.
    let node = folder.beside("node");
    std::fs::create_dir_all(node.data("keys")).unwrap();
    private(&node.data(""));
    for file in ["amparo.toml", "trust.toml"] {
        std::fs::copy(folder.data(file), node.data(file)).unwrap();
    }
    for entry in std::fs::read_dir(folder.data("keys")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("case-root.key") {
            std::fs::copy(&path, node.data("keys").join(path.file_name().unwrap())).unwrap();
        }
    }
    let (code, said) = node.doctor("node");
    assert!(code == Some(0) && said.contains("a storage node's"), "{said}");
    assert!(said.contains("no key provider is configured"), "{said}");

    // A folder whose database is a file is no storage node's.
    let alone = folder.beside("alone").init(&["--region", "eu-de=DE"]);
    let said = alone.fails(2, &["serve", "alone", "--storage"]);
    assert!(said.contains("shares its database"), "{said}");
}

fn private(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
}
