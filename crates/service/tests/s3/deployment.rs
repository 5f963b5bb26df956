//! A deployment for tests, made on its directory at the first start and opened at the next.

use std::{path::Path, sync::Arc, time::Duration};

use casework::{
    demand::CountryCode,
    facts::TenantKind,
    ids::{RegionId, TenantId},
};
use envelope::{keys::RegionRoot, secrets::DeploymentKey};
use service::{
    gate::{Ledger, RegionRoots, owner::OwnerKeys},
    vault::Vault,
};
use store::{blobs::DiskBlobs, vault::VaultStore};

/// The tenants; each has one access key, named after it.
const TENANTS: [&str; 2] = ["contoso", "fabrikam"];

/// Opens the vault, its region, and each tenant's access key.
pub async fn open(directory: &Path) -> (Vault, RegionId, Vec<(String, String)>) {
    let region: RegionId = "eu-de".parse().unwrap();
    let country = CountryCode::new("DE").unwrap();
    let database = store::testkit::database(&directory.join("amparo.db")).await;
    let blobs = DiskBlobs::open(&directory.join("blobs")).await.unwrap();
    let roots = RegionRoots::new([(region.clone(), RegionRoot::from_random([7; 32]))]);
    let memory = store::testkit::database(&directory.join("gate.db")).await;
    let ledger = Arc::new(Ledger::open(memory, Arc::new(jiff::Timestamp::now)));
    let gate = OwnerKeys::new(Arc::new(roots), ledger);
    let vault = Vault::new(
        VaultStore::new(database).await.unwrap(),
        Arc::new(blobs),
        Arc::new(gate),
        DeploymentKey::from_random([8; 32]),
    );
    vault.create_region(&region, &country).await.unwrap();
    let mut keys = Vec::new();
    for name in TENANTS {
        let tenant: TenantId = name.parse().unwrap();
        vault
            .create_tenant(&tenant, TenantKind::Enterprise, &country)
            .await
            .unwrap();
        let key = (format!("AK{}", name.to_uppercase()), format!("secret-of-{name}"));
        // From the second start on it is there.
        let _ = vault.add_access_key(&tenant, &key.0, &key.1).await;
        keys.push(key);
    }
    vault.sweep(Duration::ZERO, Duration::ZERO).await.unwrap();
    (vault, region, keys)
}
