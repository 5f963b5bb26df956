//! `amparo verify`, as a stranger runs it: exit codes and answers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test may"
)]

#[path = "../../evidence/tests/fixture/mod.rs"]
mod fixture;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use fixture::{SECRET, case, few};
use tempfile::TempDir;

struct Desk {
    dir: TempDir,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    /// A folder with a true package in both forms, its receipt and checkpoint, the policy and the identity.
    fn new() -> Self {
        let desk = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let mut made = case(few());
        desk.write("policy.toml", made.policy.to_toml().unwrap().as_bytes());
        desk.write("docket.policy", made.policy.docket().as_str().as_bytes());
        desk.write("key.txt", format!("# mine\n{SECRET}\n").as_bytes());
        desk.write("package.age", &made.sealed());
        let mut made = case(few());
        desk.write("package.tar", &made.tar());
        let mut made = case(few());
        let receipt = made.input().receipt;
        desk.write("receipt", receipt.to_string().as_bytes());
        desk.write("checkpoint", receipt.checkpoint.as_bytes());
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn run(&self, args: &[&str]) -> Said {
        let output = Command::new(Path::new(env!("CARGO_BIN_EXE_amparo")))
            .arg("verify")
            .args(args)
            .current_dir(self.dir.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Flips bytes of a file, each alone, and expects the answer to turn to no.
    fn flips(&self, name: &str, step: usize, args: &[&str]) {
        let bytes = self.read(name);
        for at in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (at % 8);
            self.write(name, &altered);
            let said = self.run(args);
            assert_eq!(said.code, 1, "byte {at} of {name}: {}{}", said.out, said.err);
        }
        self.write(name, &bytes[..bytes.len() - 1]);
        assert_eq!(self.run(args).code, 1, "{name} cut off");
        self.write(name, &bytes);
        assert_eq!(self.run(args).code, 0);
    }
}

const SEALED: &[&str] = &[
    "package",
    "package.age",
    "--policy",
    "policy.toml",
    "--identity",
    "key.txt",
];
const CLEAR: &[&str] = &["package", "package.tar", "--policy", "policy.toml"];
const RECEIPT: &[&str] = &["receipt", "receipt", "--policy", "policy.toml"];
const CHECKPOINT: &[&str] = &["checkpoint", "checkpoint", "--policy", "docket.policy"];

#[test]
fn what_is_true_is_proven() {
    let desk = Desk::new();
    for args in [SEALED, CLEAR, RECEIPT, CHECKPOINT] {
        let said = desk.run(args);
        assert_eq!(said.code, 0, "{args:?}: {}{}", said.out, said.err);
        assert!(said.out.contains("proven: "), "{}", said.out);
    }
    let said = desk.run(&[CLEAR, &["--format", "json"]].concat());
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(answer["schema"], "amparo.verify/1");
    assert_eq!(answer["verdict"], "proven");
    assert_eq!(answer["checks"].as_array().unwrap().len(), 10);
    assert_eq!(answer["facts"]["objects"], 3);
    assert_eq!(answer["facts"]["reference"], "26-mj-101");
}

#[test]
fn a_changed_byte_is_disproved() {
    let desk = Desk::new();
    desk.flips("package.age", 1009, SEALED);
    desk.flips("package.tar", 1511, CLEAR);
    desk.flips("receipt", 61, RECEIPT);
    desk.flips("checkpoint", 37, CHECKPOINT);
}

#[test]
fn another_identity_is_disproved_with_both_explanations() {
    let desk = Desk::new();
    let other = age::x25519::Identity::generate().to_string();
    desk.write(
        "key.txt",
        age::secrecy::ExposeSecret::expose_secret(&other).as_bytes(),
    );
    let said = desk.run(SEALED);
    assert_eq!(said.code, 1);
    assert!(
        said.out
            .contains("identity is not the recipient's, or the file's header was altered"),
        "{}",
        said.out
    );
}

#[test]
fn a_receipt_for_another_digest_is_disproved() {
    let desk = Desk::new();
    let zeros = "0".repeat(64);
    let said = desk.run(&[RECEIPT, &["--digest", &zeros]].concat());
    assert_eq!(said.code, 1, "{}", said.err);
}

#[test]
fn what_cannot_be_checked_is_neither() {
    let desk = Desk::new();
    for args in [
        &["package", "absent.tar", "--policy", "policy.toml"][..],
        &["package", ".", "--policy", "policy.toml"],
        &["package", "package.tar", "--policy", "absent.toml"],
        &["package", "package.tar", "--policy", "receipt"],
        &["package", "package.age", "--policy", "policy.toml"],
        &[
            "package",
            "package.age",
            "--policy",
            "policy.toml",
            "--identity",
            "policy.toml",
        ],
        &[
            "package",
            "package.age",
            "--policy",
            "policy.toml",
            "--identity",
            "absent",
        ],
        &["receipt", "absent", "--policy", "policy.toml"],
        &["checkpoint", "absent", "--policy", "policy.toml"],
        &["receipt", "receipt", "--policy", "key.txt"],
    ] {
        let said = desk.run(args);
        assert_eq!(said.code, 2, "{args:?}: {}{}", said.out, said.err);
        assert!(said.err.starts_with("error: "), "{}", said.err);
        assert!(!said.err.contains(SECRET), "a secret in an error: {}", said.err);
    }
    let said = desk.run(&[
        "package",
        "absent.tar",
        "--policy",
        "policy.toml",
        "--format",
        "json",
    ]);
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, answer["verdict"].as_str()), (2, Some("unchecked")));
}
