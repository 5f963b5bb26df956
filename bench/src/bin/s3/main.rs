//! What encryption costs: PUT and GET through the S3 face of the vault, against the same path without sealing.
//!
//! Both servers run as child processes on the same disk, one after the other in turns, and are asked the same. The second
//! one is built here ([`plain`]) and not a mode of the product, so that no configuration can ever turn encryption off. It
//! shares s3s, hyper, the metadata store with its grouped commits, and the blob store; it computes the same digests; it
//! leaves out key wrapping, sealing, and the vault's door.
//!
//! ```text
//! cargo run --release -p bench --bin s3 [-- --seconds 3 --rounds 3 --connections 4 --rclone .venv/bin/rclone \
//!     --peer ceph=127.0.0.1:8000]
//! cargo run --release -p bench --bin s3 -- --stream-gib 10
//! ```
//!
//! With `--rclone`, a peer that encrypts as well runs in the same turns; with `--peer`, one that runs already and knows the
//! access key `AKBENCH` with the secret `of-no-use-elsewhere`. A table goes to stderr, JSON to stdout. Each ratio is the vault's figure over the other server's, from the medians of the rounds: requests per second, and requests per
//! second of the server's processor time (which disk noise spares). With `--stream-gib`, one object of that size goes in
//! and comes back, and what counts is the server's memory.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod load;
mod peers;
mod plain;
mod scene;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;

use load::{Cell, Server};

const SIZES: [(&str, usize); 5] = [
    ("1 KiB", 1 << 10),
    ("64 KiB", 1 << 16),
    ("1 MiB", 1 << 20),
    ("16 MiB", 16 << 20),
    ("256 MiB", 256 << 20),
];
const METHODS: [&str; 2] = ["PUT", "GET"];

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(kind) = std::env::var_os(load::CHILD) {
        let directory = std::env::args_os().nth(1).context("a directory to serve")?;
        return runtime.block_on(scene::serve(kind == "vault", Path::new(&directory)));
    }
    let options = Options::read()?;
    match options.stream_gib {
        Some(gib) => runtime.block_on(stream(gib)),
        None => runtime.block_on(measure(&options)),
    }
}

struct Options {
    seconds: u64,
    rounds: usize,
    connections: usize,
    rclone: Option<PathBuf>,
    /// Names and addresses.
    peers: Vec<(String, String)>,
    stream_gib: Option<usize>,
}

impl Options {
    fn read() -> anyhow::Result<Self> {
        let mut options = Self {
            seconds: 3,
            rounds: 3,
            connections: 4,
            rclone: None,
            peers: Vec::new(),
            stream_gib: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("`{name}` needs a value"))?;
            match name.as_str() {
                "--seconds" => options.seconds = value.parse()?,
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--connections" => options.connections = value.parse::<usize>()?.max(1),
                "--rclone" => options.rclone = Some(value.into()),
                "--peer" => {
                    let (name, host) = value.split_once('=').context("`--peer` wants NAME=HOST:PORT")?;
                    options.peers.push((name.to_owned(), host.to_owned()));
                }
                "--stream-gib" => options.stream_gib = Some(value.parse()?),
                _ => anyhow::bail!(
                    "`{name}` is no option; there are --seconds, --rounds, --connections, --rclone, --peer and --stream-gib"
                ),
            }
        }
        Ok(options)
    }
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (vault_data, plain_data) = (directory.path().join("vault"), directory.path().join("plain"));
    let vault = Server::start("vault", &vault_data)?;
    let plain = Server::start("plain", &plain_data)?;
    let mut peers = Vec::new();
    if let Some(program) = &options.rclone {
        let server = peers::rclone(program, &directory.path().join("rclone"))?;
        peers.push(("rclone crypt".to_owned(), server));
    }
    for (name, host) in &options.peers {
        peers.push((name.clone(), Server::of(None, host.clone())));
    }
    let mut rows = Vec::new();
    let names: String = peers
        .iter()
        .map(|(name, _)| format!(" {name:>13} {:>6}", "ratio"))
        .collect();
    eprintln!(
        "{:>4} {:>7} {:>10} {:>9} {:>10} {:>6} {:>9}{names}",
        "", "size", "vault 1/s", "per cpu s", "plain 1/s", "ratio", "cpu ratio"
    );
    for (name, size) in SIZES {
        for method in METHODS {
            let (mut ours, mut plains) = (Vec::new(), Vec::new());
            let mut theirs = vec![Vec::new(); peers.len()];
            for _ in 0..options.rounds {
                let span = Duration::from_secs(options.seconds);
                ours.push(vault.run(method, size, options.connections, span).await?);
                plains.push(plain.run(method, size, options.connections, span).await?);
                for ((_, peer), cells) in peers.iter().zip(&mut theirs) {
                    cells.push(peer.run(method, size, options.connections, span).await?);
                }
            }
            let (ours, plains) = (Cell::median(ours), Cell::median(plains));
            let (ratio, cpu_ratio) = ours.over(plains);
            let (mut line, mut beside) = (String::new(), serde_json::Map::new());
            for ((name, _), cells) in peers.iter().zip(theirs) {
                let cell = Cell::median(cells);
                let (ratio, _) = ours.over(cell);
                line.push_str(&format!(" {:>13.1} {ratio:>6.2}", cell.per_second));
                beside.insert(
                    name.clone(),
                    serde_json::json!({ "cell": cell.json(), "ratio": ratio }),
                );
            }
            eprintln!(
                "{method:>4} {name:>7} {:>10.1} {:>9.1} {:>10.1} {ratio:>6.2} {cpu_ratio:>9.2}{line}",
                ours.per_second, ours.per_cpu_second, plains.per_second
            );
            rows.push(serde_json::json!({
                "method": method,
                "bytes": size,
                "vault": ours.json(),
                "plain": plains.json(),
                "ratio": ratio,
                "cpu_ratio": cpu_ratio,
                "peers": beside,
            }));
        }
    }
    let report = serde_json::json!({
        "schema": "amparo.bench.s3/2",
        "seconds": options.seconds,
        "rounds": options.rounds,
        "connections": options.connections,
        "cells": rows,
    });
    println!("{report:#}");
    Ok(())
}

/// Sends an object of `gib` GiB through the vault and back, in parts of 64 MiB.
async fn stream(gib: usize) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let vault = Server::start("vault", &directory.path().join("vault"))?;
    vault.stream(1, 1 << 20).await?;
    let idle = vault.peak_memory()?;
    vault.stream(gib * 16, 64 << 20).await?;
    let peak = vault.peak_memory()?;
    let above = peak.saturating_sub(idle);
    eprintln!(
        "{gib} GiB in and out: {} MiB above a first MiB's {} MiB",
        above >> 20,
        idle >> 20
    );
    let report = serde_json::json!({
        "schema": "amparo.bench.stream/1",
        "gib": gib,
        "idle_bytes": idle,
        "above_idle_bytes": above,
    });
    println!("{report:#}");
    Ok(())
}
