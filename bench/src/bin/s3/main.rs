//! What encryption costs: PUT and GET through the S3 face of the vault, against the same path without sealing.
//!
//! Both servers run as child processes on the same disk, one after the other in turns, and are asked the same. The second
//! one is built here ([`plain`]) and not a mode of the product, so that no configuration can ever turn encryption off. It
//! shares s3s, hyper, the metadata store with its grouped commits, and the blob store; it computes the same digests; it
//! leaves out key wrapping, sealing, and the vault's door.
//!
//! ```text
//! cargo run --release -p bench --bin s3 [-- --seconds 3 --rounds 3 --connections 4]
//! ```
//!
//! A table goes to stderr, JSON to stdout. Each ratio is the vault's figure over the plain server's, from the medians of
//! the rounds: requests per second, and requests per second of the server's processor time (which disk noise spares).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod load;
mod plain;
mod scene;

use std::{path::Path, time::Duration};

use anyhow::Context as _;

use load::{Cell, Server};

const SIZES: [(&str, usize); 4] = [
    ("1 KiB", 1 << 10),
    ("64 KiB", 1 << 16),
    ("1 MiB", 1 << 20),
    ("16 MiB", 16 << 20),
];
const METHODS: [&str; 2] = ["PUT", "GET"];

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(kind) = std::env::var_os(load::CHILD) {
        let directory = std::env::args_os().nth(1).context("a directory to serve")?;
        return runtime.block_on(scene::serve(kind == "vault", Path::new(&directory)));
    }
    let options = Options::read()?;
    runtime.block_on(measure(&options))
}

struct Options {
    seconds: u64,
    rounds: usize,
    connections: usize,
}

impl Options {
    fn read() -> anyhow::Result<Self> {
        let mut options = Self {
            seconds: 3,
            rounds: 3,
            connections: 4,
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
                _ => anyhow::bail!("`{name}` is no option; there are --seconds, --rounds and --connections"),
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
    let mut rows = Vec::new();
    eprintln!(
        "{:>4} {:>7} {:>12} {:>12} {:>7} {:>9}",
        "", "size", "vault 1/s", "plain 1/s", "ratio", "cpu ratio"
    );
    for (name, size) in SIZES {
        for method in METHODS {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..options.rounds {
                let span = Duration::from_secs(options.seconds);
                ours.push(vault.run(method, size, options.connections, span).await?);
                theirs.push(plain.run(method, size, options.connections, span).await?);
            }
            let (ours, theirs) = (Cell::median(ours), Cell::median(theirs));
            let ratio = ours.per_second / theirs.per_second;
            let cpu_ratio = ours.per_cpu_second / theirs.per_cpu_second;
            eprintln!(
                "{method:>4} {name:>7} {:>12.1} {:>12.1} {ratio:>7.2} {cpu_ratio:>9.2}",
                ours.per_second, theirs.per_second
            );
            rows.push(serde_json::json!({
                "method": method,
                "bytes": size,
                "vault": ours.json(),
                "plain": theirs.json(),
                "ratio": ratio,
                "cpu_ratio": cpu_ratio,
            }));
        }
    }
    let report = serde_json::json!({
        "schema": "amparo.bench.s3/1",
        "seconds": options.seconds,
        "rounds": options.rounds,
        "connections": options.connections,
        "cells": rows,
    });
    println!("{report:#}");
    Ok(())
}
