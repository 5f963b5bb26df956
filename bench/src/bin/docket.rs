//! Durable appends to the docket, `fsync` and witness included, as a ratio to the goal of 10,000 a second on two cores.

use std::{io::Write as _, time::Instant};

use casework::{demand::CountryCode, ids::RegionId, promise::Reviewers};
use service::{
    config::{Config, DatabaseKind, Docket, Listen, Region, Schema},
    deployment::{Deployment, NewDeployment, create},
};

use store::docket::BATCH_MAX;

const GOAL_PER_SECOND: f64 = 10_000.0;
const BATCHES: u32 = 10;
/// Callers at once, each of which waits until its own entry is durable.
const CALLERS: usize = 1024;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let dir = scratch.path().join("data");
    create(
        &dir,
        NewDeployment {
            config: config()?,
            witnesses: Vec::new(),
            database: None,
            reviewers: Reviewers::default(),
        },
    )?;
    let deployment = Deployment::open(&dir).await?;
    let docket = deployment.docket();

    let entries = BATCHES * BATCH_MAX;
    let started = Instant::now();
    let mut left = entries;
    while left > 0 {
        let together = left.min(u32::try_from(CALLERS)?);
        futures::future::try_join_all((0..together).map(|_| docket.enqueue("event", [1; 32]))).await?;
        left -= together;
    }
    let enqueued = started.elapsed().as_secs_f64();
    let started = Instant::now();
    for _ in 0..BATCHES {
        docket.step().await?;
    }
    let sequenced = started.elapsed().as_secs_f64();
    anyhow::ensure!(
        docket.published_size() == u64::from(entries),
        "not all of it was published"
    );

    let mut out = std::io::stdout().lock();
    for (what, seconds) in [
        ("enqueued, each durable before its caller went on", enqueued),
        ("sequenced, written, signed, cosigned, published", sequenced),
        ("both, one after the other", enqueued + sequenced),
    ] {
        let rate = f64::from(entries) / seconds;
        writeln!(
            out,
            "{what}: {rate:.0}/s ({:.1} of the goal)",
            rate / GOAL_PER_SECOND
        )?;
    }
    Ok(())
}

fn config() -> anyhow::Result<Config> {
    let loopback = || Listen::plain(([127, 0, 0, 1], 0).into());
    Ok(Config {
        database: DatabaseKind::File,
        schema: Schema::V1,
        provider: "bench".to_owned(),
        s3: loopback(),
        api: loopback(),
        docket: Docket {
            origin: "bench.example/docket".to_owned(),
            interval_ms: 1000,
            batch: BATCH_MAX,
            own_witness: true,
        },
        gate: None,
        link: None,
        mail: None,
        peers: Vec::new(),
        regions: vec![Region {
            id: RegionId::new("eu-de")?,
            country: CountryCode::new("DE")?,
            store: service::config::Store::Disk,
        }],
        hi1: None,
        hi1_peers: Vec::new(),
        key_providers: Vec::new(),
    })
}
