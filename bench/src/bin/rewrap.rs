//! Rotation of one account's key: how many objects' keys are wrapped anew in a second, each batch durable. A million unless
//! told: `cargo run --release -p bench --bin rewrap -- 100000`.

use std::{io::Write as _, sync::Arc, time::Instant};

use anyhow::Context as _;
use casework::{
    demand::{Category, CountryCode},
    facts::TenantKind,
    ids::{AccountId, ObjectId, RegionId, TenantId},
    record::label,
};
use envelope::{keys::RegionRoot, opening_reason::OwnerRequest, secrets::DeploymentKey};
use jiff::Timestamp;
use service::{
    gate::{
        Ledger, RegionRoots,
        owner::{OwnerGate as _, OwnerKeys},
    },
    vault::Vault,
};
use store::{
    blobs::{DiskBlobs, SealedDigest},
    database::Database,
    vault::{Lock, NewBucketRow, NewObject, NewPart, VaultStore, WriteConditions},
};

const KEYS: usize = 1_000_000;
/// Objects recorded at once.
const TOGETHER: usize = 256;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let keys = std::env::args().nth(1).map_or(Ok(KEYS), |text| text.parse())?;
    let scratch = tempfile::tempdir()?;
    let (region, tenant) = (RegionId::new("eu-de")?, TenantId::new("bench")?);
    let (account, country) = (AccountId::new("bench")?, CountryCode::new("DE")?);
    let store = VaultStore::new(Database::open(&scratch.path().join("amparo.db")).await?).await?;
    let blobs = Arc::new(DiskBlobs::open(&scratch.path().join("blobs")).await?);
    let roots = || {
        Arc::new(RegionRoots::new([(
            region.clone(),
            RegionRoot::from_random([1; 32]),
        )]))
    };
    let memory = Database::open(&scratch.path().join("gate.db")).await?;
    let ledger = Arc::new(Ledger::open(memory, Arc::new(Timestamp::now)));
    let makes = OwnerKeys::new(roots(), Arc::clone(&ledger));
    let gate = Arc::new(OwnerKeys::new(roots(), ledger));
    let vault = Vault::new(store.clone(), blobs, gate, DeploymentKey::from_random([2; 32]));
    vault.create_region(&region, &country).await?;
    vault
        .create_tenant(&tenant, TenantKind::Enterprise, &country)
        .await?;
    vault
        .create_account(&tenant, &account, Some(&region), None)
        .await?;
    store
        .create_bucket(NewBucketRow {
            tenant: tenant.clone(),
            name: "bench".to_owned(),
            region: region.clone(),
            default_account: account.clone(),
            mapping: "[]".to_owned(),
            created_at: Timestamp::now(),
            max: 1,
            object_lock: false,
        })
        .await?;
    let bucket = store
        .bucket(&tenant, "bench")
        .await?
        .context("the bucket just made")?
        .seq;
    let row = store
        .account(&tenant, &account, &region)
        .await?
        .context("the account just made")?;
    let (chain, version) = row.key.context("its key")?;
    let owner = OwnerRequest::new(tenant.as_str(), "AK", "bench");

    let started = Instant::now();
    for first in (0..keys).step_by(TOGETHER) {
        let puts = (first..keys.min(first + TOGETHER)).map(async |number| {
            let mut id = [0; 16];
            getrandom::fill(&mut id)?;
            let at = Timestamp::from_microsecond(1_700_000_000_000_000 + i64::try_from(number)?)?;
            let label = label(Category::Content, at);
            let (_, wrapped_key) = makes.new_object_key(&owner, &chain, &id, &label).await?;
            let object = NewObject {
                id: ObjectId(uuid::Uuid::from_bytes(id)),
                bucket,
                key: format!("mail/{number:08}"),
                account: row.seq,
                region: region.clone(),
                category: Category::Content,
                concerns_at: at,
                size: 1,
                etag: "bench-1".to_owned(),
                modified_at: at,
                wrapped_key,
                key_version: version,
                commitment: [0; 32],
                sealed_metadata: vec![0; 300],
                lock: Lock::default(),
            };
            let sealed = vec![0; 64];
            let digest = SealedDigest::of(&sealed);
            let body = NewPart::Inline(sealed, digest);
            store.put_object(object, body, WriteConditions::default()).await?;
            anyhow::Ok(())
        });
        futures::future::try_join_all(puts).await?;
    }
    let mut out = std::io::stdout().lock();
    let rate = |seconds: f64| f64::from(u32::try_from(keys).unwrap_or(u32::MAX)) / seconds;
    writeln!(out, "recorded: {:.0}/s", rate(started.elapsed().as_secs_f64()))?;

    let started = Instant::now();
    let done = vault.rotate_account(&tenant, &account, &region, &|_| {}).await?;
    let seconds = started.elapsed().as_secs_f64();
    anyhow::ensure!(done.moved == u64::try_from(keys)?, "not all of them moved");
    writeln!(
        out,
        "wrapped anew, each batch durable: {:.0}/s, {seconds:.1} s for {keys}",
        rate(seconds)
    )?;
    Ok(())
}
