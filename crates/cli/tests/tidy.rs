//! The house rules that a compiler does not check.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(vec![
            "--locked".into(),
            "--filter-platform".into(),
            "x86_64-unknown-linux-gnu".into(),
        ])
        .exec()
        .unwrap()
}

/// Which of our crates may use which, directly. Nothing else.
const EDGES: &[(&str, &[&str])] = &[
    ("translog", &[]),
    ("hi1", &[]),
    // A program of its own: nothing of ours may link what reads PDFs.
    ("paper", &["confine"]),
    ("confine", &[]),
    ("stationery", &[]),
    ("envelope", &["translog"]),
    ("casework", &["envelope", "translog"]),
    ("evidence", &["casework", "envelope", "translog"]),
    ("store", &["casework", "envelope", "translog"]),
    (
        "service",
        &[
            "store",
            "evidence",
            "casework",
            "envelope",
            "translog",
            "hi1",
            "stationery",
        ],
    ),
    (
        "amparo",
        &["service", "store", "evidence", "casework", "envelope", "translog"],
    ),
    (
        "bench",
        &["service", "store", "evidence", "casework", "envelope", "translog"],
    ),
];

#[test]
fn dependencies_run_one_way() {
    let metadata = metadata();
    let ours: BTreeSet<_> = metadata
        .workspace_packages()
        .iter()
        .map(|p| p.name.to_string())
        .collect();
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    assert_eq!(
        ours,
        allowed.keys().map(|k| (*k).to_owned()).collect(),
        "a crate has no line in EDGES"
    );
    for package in metadata.workspace_packages() {
        for dependency in package
            .dependencies
            .iter()
            .filter(|d| d.kind == DependencyKind::Normal)
        {
            if ours.contains(&dependency.name) {
                assert!(
                    allowed[package.name.as_str()].contains(&dependency.name.as_str()),
                    "`{}` must not use `{}`",
                    package.name,
                    dependency.name
                );
            }
        }
    }
}

/// What does input or output, and so must not be reachable from a crate that is pure.
const IMPURE: &[&str] = &[
    "tokio",
    "sqlx",
    "hyper",
    "axum",
    "reqwest",
    "mio",
    "async-std",
    "rusqlite",
    "s3s",
    "socket2",
    "native-tls",
];

#[test]
fn pure_crates_reach_nothing_that_does_input_or_output() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    for pure in [
        "translog",
        "envelope",
        "casework",
        "evidence",
        "hi1",
        "stationery",
    ] {
        let start = metadata
            .packages
            .iter()
            .find(|p| p.name.as_str() == pure)
            .unwrap();
        let mut open = vec![&start.id];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            for dependency in &nodes[id].deps {
                if dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
                {
                    open.push(&dependency.pkg);
                }
            }
        }
        for package in metadata.packages.iter().filter(|p| seen.contains(&p.id)) {
            assert!(
                !IMPURE.contains(&package.name.as_str()),
                "`{pure}` reaches `{}`",
                package.name
            );
        }
    }
}

/// Licences that may be linked into an Apache-2.0 program without changing its terms.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "Unicode-3.0",
    "MIT-0",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "OpenSSL",
    "MPL-2.0",
];

#[test]
fn every_licence_is_known() {
    for package in &metadata().packages {
        let Some(licence) = &package.license else {
            panic!("`{}` {} names no licence", package.name, package.version);
        };
        // Enough for the expressions that occur: every `AND` part must have an `OR` part that we accept.
        let accepted = licence.replace('/', " OR ").split(" AND ").all(|part| {
            part.split(" OR ")
                .any(|one| LICENCES.contains(&one.trim().trim_matches(['(', ')'])))
        });
        assert!(accepted, "`{}` is under `{licence}`", package.name);
    }
}

#[test]
fn every_dependency_says_why() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table = manifest
        .split("[workspace.dependencies]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    for line in table
        .lines()
        .filter(|line| line.contains('=') && !line.contains("path ="))
    {
        assert!(line.contains(" # "), "no reason beside: {line}");
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(
                name.as_str(),
                "target" | ".git" | ".venv" | "node_modules" | "__pycache__"
            ) {
                sources(&path, found);
            }
        } else if matches!(
            path.extension().and_then(|e| e.to_str()),
            Some("rs" | "md" | "toml" | "cedar" | "cedarschema" | "sql" | "py" | "txt")
        ) {
            found.push(path);
        }
    }
}

#[test]
fn files_are_one_idea_and_speak_of_the_project_alone() {
    let root = root();
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 50, "the walk found only {} files", found.len());
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        if name.ends_with(".rs") && !name.contains("/tests/") && !name.ends_with("/tests.rs") {
            let lines = text
                .lines()
                .take_while(|line| !line.starts_with("#[cfg(test)]"))
                .count();
            assert!(lines <= 580, "`{name}` has {lines} lines: split it by idea");
        }
        if let Some(file) = name.rsplit('/').next() {
            for drawer in [
                "utils.rs",
                "util.rs",
                "helpers.rs",
                "common.rs",
                "manager.rs",
                "misc.rs",
            ] {
                assert_ne!(file, drawer, "`{name}` is a drawer, not an idea");
            }
        }
        // Spelled in halves so that this file passes its own test.
        for (left, right) in [("/wo", "rk/"), ("TO", "DO"), ("FIX", "ME"), ("XX", "X:")] {
            let word = format!("{left}{right}");
            assert!(!text.contains(&word), "`{name}` contains `{word}`");
        }
    }
}

#[test]
fn the_changelog_keeps_its_shape() {
    let text = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(text.starts_with("# Changelog\n"));
    assert!(
        text.contains("\n## Unreleased\n"),
        "new changes stand under `## Unreleased`"
    );
    for heading in text.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(
            ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"].contains(&heading),
            "`{heading}` is not a heading of Keep a Changelog"
        );
    }
}
