//! A fresh deployment for a conformance suite: the S3 face over an empty vault with two tenants, on a port of its own.
//! `tests/conformance/run` starts it; it ends when its standard input closes.
//!
//! ```text
//! cargo run -p bench --bin conformance -- DIRECTORY [SECONDS]
//! ```
//!
//! SECONDS is the length of a lifecycle's day here, as suites cannot wait for a real one. No deployment has such a
//! setting: a day is a day there.

#![allow(clippy::print_stdout, reason = "a program for a script")]

use std::{io::Write as _, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use casework::{
    demand::CountryCode,
    facts::TenantKind,
    ids::{RegionId, TenantId},
};
use envelope::{keys::RegionRoot, secrets::DeploymentKey};
use service::{
    gate::{Ledger, RegionRoots, owner::OwnerKeys},
    s3::S3Config,
    vault::Vault,
};
use store::{blobs::DiskBlobs, database::Database, vault::VaultStore};

/// The tenants: the suite's own user, and the stranger whom it sends to be refused.
const TENANTS: [&str; 2] = ["contoso", "fabrikam"];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let directory = PathBuf::from(arguments.next().context("name an empty directory")?);
    let day = match arguments.next() {
        Some(seconds) => Duration::from_secs(seconds.to_string_lossy().parse().context("seconds of a day")?),
        None => service::vault::lifecycle::DAY,
    };
    std::fs::create_dir_all(&directory)?;
    let region: RegionId = "default".parse()?;
    let country = CountryCode::new("DE")?;
    let database = Database::open(&directory.join("amparo.db")).await?;
    let blobs = DiskBlobs::open(&directory.join("blobs")).await?;
    let roots = RegionRoots::new([(region.clone(), RegionRoot::from_random(random()?))]);
    let ledger = Arc::new(Ledger::open(database.clone(), Arc::new(jiff::Timestamp::now)));
    let vault = Vault::new(
        VaultStore::new(database).await?,
        Arc::new(blobs),
        Arc::new(OwnerKeys::new(Arc::new(roots), ledger)),
        DeploymentKey::from_random(random()?),
    );
    vault.create_region(&region, &country).await?;
    let mut keys = Vec::new();
    for name in TENANTS {
        let tenant: TenantId = name.parse()?;
        vault
            .create_tenant(&tenant, TenantKind::Enterprise, &country)
            .await?;
        let key = vault.create_access_key(&tenant).await?;
        vault.permit_bypass(&key.id, true).await?;
        keys.push(serde_json::json!({"tenant": name, "id": key.id, "secret": key.secret.as_str()}));
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let facts = serde_json::json!({
        "port": listener.local_addr()?.port(),
        "region": region,
        "keys": keys,
    });
    println!("{facts}");
    std::io::stdout().flush()?;
    tokio::spawn(vault.clone().keep_expiring(day / 5, day));
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    let shutdown = async {
        let _ = closed.await;
    };
    service::s3::serve(listener, vault, S3Config::new(region), shutdown).await?;
    std::process::exit(0);
}

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}
