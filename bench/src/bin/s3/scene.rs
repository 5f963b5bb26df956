//! The two servers, on deployments made for the occasion.

use std::{io::Write as _, path::Path, sync::Arc};

use casework::{
    demand::CountryCode,
    facts::TenantKind,
    ids::{AccountId, RegionId, TenantId},
};
use envelope::{keys::RegionRoot, secrets::DeploymentKey};
use service::{
    gate::{Ledger, RegionRoots, owner::OwnerKeys},
    s3::S3Config,
    vault::Vault,
};
use store::{blobs::DiskBlobs, database::Database, vault::VaultStore};

use super::{load, plain};

/// Serves until the parent is gone.
pub async fn serve(sealed: bool, directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)?;
    let region = RegionId::new("eu-de")?;
    let country = CountryCode::new("DE")?;
    let tenant = TenantId::new("bench")?;
    let store = VaultStore::new(Database::open(&directory.join("amparo.db")).await?).await?;
    let blobs = Arc::new(DiskBlobs::open(&directory.join("blobs")).await?);
    let mut root = [0; 32];
    getrandom::fill(&mut root)?;
    let roots = RegionRoots::new([(region.clone(), RegionRoot::from_random(root))]);
    let memory = Database::open(&directory.join("gate.db")).await?;
    let ledger = Arc::new(Ledger::open(memory, Arc::new(jiff::Timestamp::now)));
    let gate = OwnerKeys::new(Arc::new(roots), ledger);
    let vault = Vault::new(
        store.clone(),
        blobs.clone(),
        Arc::new(gate),
        DeploymentKey::from_random(root),
    );
    vault.create_region(&region, &country).await?;
    vault
        .create_tenant(&tenant, TenantKind::Enterprise, &country)
        .await?;
    vault
        .add_access_key(&tenant, load::ACCESS_KEY, load::SECRET_KEY)
        .await?;
    let account = AccountId::new("bench")?;
    vault
        .create_account(&tenant, &account, Some(&region), None)
        .await?;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    let orphaned = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    let shutdown = async {
        let _ = orphaned.await;
    };
    if sealed {
        service::s3::serve(listener, vault, S3Config::new(region), shutdown).await?;
        return Ok(());
    }
    let plain = plain::Plain::open(store, blobs, tenant, region, account).await?;
    tokio::select! {
        () = shutdown => Ok(()),
        result = plain::serve(listener, plain) => result,
    }
}
