//! Scoping: how long it takes to find one account's objects of thirty days among many.
//!
//! ```text
//! cargo run --release -p bench --bin scope [-- --objects 10000000 --db postgres://user@host/empty-database]
//! ```
//!
//! The rows are written directly, spread over three years and a thousand accounts. Then thirty days of twenty
//! accounts are asked for, cold accounts first. The cost must follow the answer: the same question is put to the first
//! hundredth of the rows, and both are reported, with the time to the first page. A line goes to stderr, JSON to stdout.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use casework::{
    demand::{Category, CountryCode, Window},
    facts::TenantKind,
    ids::{AccountId, RegionId, TenantId},
};
use envelope::{keys::RegionRoot, secrets::DeploymentKey};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use service::{
    gate::{Ledger, RegionRoots, owner::OwnerKeys},
    vault::Vault,
};
use store::{
    blobs::DiskBlobs,
    database::{Database, Engine, Location},
    vault::VaultStore,
};

/// The goal: the first page within this.
const GOAL: Duration = Duration::from_millis(50);
const ACCOUNTS: i64 = 1000;
const ASKED: i64 = 20;
/// 2024-01-01, in microseconds since 1970, and three years from it.
const FROM: i64 = 1_704_067_200_000_000;
const SPAN: i64 = 3 * 365 * 86_400_000_000;
/// Times of an account follow each other by this, around and around the three years: evenly spread however many there are.
const STEP: i64 = 58_457_000_003_371;
const DAYS: i64 = 30;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let (mut objects, mut location) = (1_000_000_i64, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .with_context(|| format!("`{name}` needs a value"))?;
        match name.as_str() {
            "--objects" => objects = value.parse()?,
            "--db" => location = Some(value.parse::<Location>()?),
            _ => anyhow::bail!("`{name}` is no option; there are --objects and --db"),
        }
    }
    let scratch = tempfile::tempdir()?;
    let location = location.unwrap_or_else(|| Location::from(&scratch.path().join("scope.db")));
    let database = Database::open(location).await?;
    let (vault, tenant) = provision(&database, scratch.path()).await?;

    let few = fill(&database, 0, objects / 100).await?;
    let small = ask(&vault, &tenant).await?;
    let many = fill(&database, objects / 100, objects).await?;
    let large = ask(&vault, &tenant).await?;
    let engine = format!("{:?}", database.engine()).to_lowercase();
    eprintln!(
        "{engine}: {objects} objects ({:.0} s to write): {} found, first page {:.2} ms, all {:.2} ms ({:.1} us an object); \
         among a hundredth: {} found, {:.2} ms ({:.1} us an object); goal {} ms: {:.2} of it",
        (few + many).as_secs_f64(),
        large.found,
        large.first.as_secs_f64() * 1e3,
        large.all.as_secs_f64() * 1e3,
        large.per_object(),
        small.found,
        small.all.as_secs_f64() * 1e3,
        small.per_object(),
        GOAL.as_millis(),
        large.first.as_secs_f64() / GOAL.as_secs_f64(),
    );
    let report = serde_json::json!({
        "schema": "amparo.bench.scope/1",
        "engine": engine,
        "objects": objects,
        "found": large.found,
        "first_page_ms": large.first.as_secs_f64() * 1e3,
        "all_ms": large.all.as_secs_f64() * 1e3,
        "us_per_object": large.per_object(),
        "us_per_object_among_a_hundredth": small.per_object(),
        "of_goal": large.first.as_secs_f64() / GOAL.as_secs_f64(),
    });
    println!("{report:#}");
    Ok(())
}

/// The worst first page, and the sums over all questions.
struct Answers {
    found: usize,
    first: Duration,
    all: Duration,
}

impl Answers {
    fn per_object(&self) -> f64 {
        self.all.as_secs_f64() * 1e6 / self.found.max(1) as f64
    }
}

async fn provision(database: &Database, scratch: &std::path::Path) -> anyhow::Result<(Vault, TenantId)> {
    let (region, country) = (RegionId::new("eu-de")?, CountryCode::new("DE")?);
    let tenant = TenantId::new("bench")?;
    let roots = RegionRoots::new([(region.clone(), RegionRoot::from_random([1; 32]))]);
    let ledger = Arc::new(Ledger::open(database.clone(), Arc::new(Timestamp::now)));
    let vault = Vault::new(
        VaultStore::new(database.clone()).await?,
        Arc::new(DiskBlobs::open(&scratch.join("blobs")).await?),
        Arc::new(OwnerKeys::new(Arc::new(roots), ledger)),
        DeploymentKey::from_random([2; 32]),
    );
    vault.create_region(&region, &country).await?;
    vault
        .create_tenant(&tenant, TenantKind::Enterprise, &country)
        .await?;
    for number in 0..ACCOUNTS {
        let account = AccountId::new(format!("a{number}"))?;
        vault
            .create_account(&tenant, &account, Some(&region), None)
            .await?;
    }
    // A bucket is made by its owner's request alone; here a row will do.
    database
        .execute(
            "INSERT INTO bucket (tenant, name, region, default_account, mapping, created_at) \
             VALUES ('bench', 'mail', 'eu-de', 'a0', '', 0)",
        )
        .await?;
    Ok((vault, tenant))
}

/// Writes rows `from` to `to` of as many as there will be, a million to a transaction.
async fn fill(database: &Database, from: i64, to: i64) -> anyhow::Result<Duration> {
    const COLUMNS: &str = "INSERT INTO object (id, bucket, key, account, region, category, concerns_at, size, etag, \
        modified_at, wrapped_key, commitment, sealed_metadata, parts)";
    let category = format!("CASE WHEN i / {ACCOUNTS} % 10 = 0 THEN 'traffic' ELSE 'content' END");
    let place = format!(
        "(SELECT seq FROM bucket), {{key}}, (SELECT min(seq) FROM account) + i % {ACCOUNTS}, 'eu-de', {category}, \
         {FROM} + (i / {ACCOUNTS}) * {STEP} % {SPAN}, 1000, 'e', 0"
    );
    let sql = |from: i64, to: i64| match database.engine() {
        Engine::Sqlite => format!(
            "WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {to}) {COLUMNS} \
             SELECT randomblob(16), {}, zeroblob(60), zeroblob(32), zeroblob(64), 0 FROM n",
            place.replace("{key}", "CAST('mail/' || i AS BLOB)")
        ),
        Engine::Postgres => format!(
            "{COLUMNS} SELECT decode(md5(i::text), 'hex'), {}, decode(repeat('00', 60), 'hex'), \
             decode(repeat('00', 32), 'hex'), decode(repeat('00', 64), 'hex'), 0 FROM generate_series({from}::bigint, {}) AS i",
            place.replace("{key}", "convert_to('mail/' || i, 'UTF8')"),
            to - 1
        ),
    };
    let begun = Instant::now();
    let mut connection = database.connect().await?;
    // Of this connection, which only fills; those that are asked keep the product's settings.
    let settings: &[&str] = match database.engine() {
        Engine::Sqlite => &["PRAGMA cache_size = -2000000"],
        Engine::Postgres => &["SET statement_timeout = 0", "SET synchronous_commit = off"],
    };
    for setting in settings {
        database.run_on(&mut connection, setting).await?;
    }
    let mut next = from;
    while next < to {
        let end = to.min(next + 1_000_000);
        database.run_on(&mut connection, &sql(next, end)).await?;
        next = end;
    }
    // A server in use folds its log as it goes; a million rows to a transaction leave one that no use leaves.
    let settled: &[&str] = match database.engine() {
        Engine::Sqlite => &["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
        Engine::Postgres => &["VACUUM ANALYZE object", "CHECKPOINT"],
    };
    for statement in settled {
        database.run_on(&mut connection, statement).await?;
    }
    Ok(begun.elapsed())
}

async fn ask(vault: &Vault, tenant: &TenantId) -> anyhow::Result<Answers> {
    let mut answers = Answers {
        found: 0,
        first: Duration::ZERO,
        all: Duration::ZERO,
    };
    for number in 0..ASKED {
        let account = AccountId::new(format!("a{}", number * (ACCOUNTS / ASKED)))?;
        let from = Timestamp::from_microsecond(FROM + (number + 5) * (DAYS * 86_400_000_000))?;
        let window = Window {
            from,
            until: from.checked_add(SignedDuration::from_hours(24 * DAYS))?,
        };
        let begun = Instant::now();
        let found = vault
            .store()
            .scope(tenant, &account, &[Category::Content], Some(window));
        let mut found = std::pin::pin!(found);
        let first = found.next().await.transpose()?;
        let to_first = begun.elapsed();
        let rest: Vec<_> = found.try_collect().await?;
        answers.all += begun.elapsed();
        answers.first = answers.first.max(to_first);
        answers.found += usize::from(first.is_some()) + rest.len();
    }
    ensure!(answers.found > 0, "nothing was found");
    Ok(answers)
}
