//! From the start of `amparo serve` to its first answer over S3, and what it holds in memory when it idles.
//!
//! ```text
//! cargo build --release && cargo run --release -p bench --bin start
//! ```
//!
//! The program beside this one is asked, with a deployment made for the occasion. A line goes to stderr, JSON to stdout.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

/// The goals.
const FIRST_ANSWER: Duration = Duration::from_millis(200);
const IDLE_BYTES: u64 = 60 << 20;
const ROUNDS: usize = 7;
/// Until memory is read: past the first tick of every timer that is not a day's.
const IDLE_AFTER: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<()> {
    let program = std::env::current_exe()?.with_file_name("amparo");
    ensure!(
        program.exists(),
        "`{}` is not there; run `cargo build --release` first",
        program.display()
    );
    let scratch = tempfile::tempdir()?;
    let deployment = scratch.path().join("data");
    let made = Command::new(&program)
        .arg("init")
        .arg(&deployment)
        .args([
            "--provider",
            "Bench",
            "--origin",
            "bench.example/docket",
            "--region",
            "eu-de=DE",
        ])
        .args(["--s3", "127.0.0.1:0", "--api", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    ensure!(made.success(), "`amparo init` failed");

    let mut times = Vec::with_capacity(ROUNDS);
    let mut idle = 0;
    for round in 0..ROUNDS {
        let begun = Instant::now();
        let mut server = Serving::start(&program, &deployment)?;
        server.ask()?;
        times.push(begun.elapsed());
        if round == ROUNDS - 1 {
            std::thread::sleep(IDLE_AFTER);
            idle = server.resident()?;
        }
    }
    times.sort_unstable();
    let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
    let time_ratio = median.as_secs_f64() / FIRST_ANSWER.as_secs_f64();
    let idle_ratio = to_f64(idle) / to_f64(IDLE_BYTES);
    eprintln!(
        "start to first answer: {median:.0?} in the median of {ROUNDS} ({time_ratio:.2} of the limit); idle: {} MiB \
         ({idle_ratio:.2} of the limit)",
        idle >> 20
    );
    let report = serde_json::json!({
        "schema": "amparo.bench.start/1",
        "first_answer_seconds": median.as_secs_f64(),
        "first_answer_ratio": time_ratio,
        "idle_bytes": idle,
        "idle_ratio": idle_ratio,
    });
    println!("{report:#}");
    Ok(())
}

struct Serving {
    child: Child,
    host: String,
}

impl Serving {
    fn start(program: &Path, deployment: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .arg("serve")
            .arg(deployment)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let line = lines.next().context("the server did not start")??;
        let host = line.rsplit('/').next().unwrap_or_default().to_owned();
        // Its later lines need a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, host })
    }

    fn ask(&mut self) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(&self.host)?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.host
        )?;
        let mut answer = [0; 8];
        stream.read_exact(&mut answer)?;
        ensure!(answer == *b"HTTP/1.1", "the server answers something else");
        Ok(())
    }

    fn resident(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes: u64 = line
            .context("its memory")?
            .trim()
            .trim_end_matches(" kB")
            .parse()?;
        Ok(kibibytes * 1024)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn to_f64(bytes: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "memory is below 2^52 bytes")]
    let bytes = bytes as f64;
    bytes
}
