//! The vault as a whole, at its public calls.

mod altered;
mod at_rest;
mod conditions;
mod expiring;
mod faults;
mod former_holder;
mod isolation;
mod ledger;
mod multipart;
mod nodes;
mod objects;
mod preserving;
#[path = "../../../../../tests/servers/rclone.rs"]
mod rclone;
mod rotation;
mod scope;
mod scrub;
mod versions;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use casework::{
    demand::{Category, CountryCode},
    facts::TenantKind,
    ids::{AccountId, RegionId, TenantId},
};
use envelope::{keys::RegionRoot, secrets::DeploymentKey};
use futures::{Stream, TryStreamExt, stream};
use store::{
    blobs::{BlobStore, DiskBlobs},
    database::{Database, Location},
    vault::VaultStore,
};
use tempfile::TempDir;

use super::*;
use crate::gate::{Ledger, RegionRoots, owner::OwnerKeys};

pub(super) const EU: &str = "eu-de";
pub(super) const US: &str = "us-east";

pub(super) struct Scene {
    pub folder: TempDir,
    pub vault: Vault,
    pub alice: Principal,
    pub mallory: Principal,
}

pub(super) fn region(id: &str) -> RegionId {
    RegionId::new(id).unwrap()
}
pub(super) fn country(code: &str) -> CountryCode {
    CountryCode::new(code).unwrap()
}
pub(super) fn account(id: &str) -> AccountId {
    AccountId::new(id).unwrap()
}
pub(super) fn principal(tenant: &str) -> Principal {
    Principal::authenticated(TenantId::new(tenant).unwrap(), "AKTEST", "request-1")
}

pub(super) async fn open(folder: &Path, blobs: Arc<dyn BlobStore>) -> Vault {
    open_at(store::testkit::location(&folder.join("vault.db")), blobs).await
}

pub(super) async fn open_at(location: Location, blobs: Arc<dyn BlobStore>) -> Vault {
    let database = Database::open(location).await.unwrap();
    let roots = [(EU, 1), (US, 2)].map(|(id, byte)| (region(id), RegionRoot::from_random([byte; 32])));
    let ledger = Arc::new(Ledger::open(database.clone(), Arc::new(jiff::Timestamp::now)));
    let gate = Arc::new(OwnerKeys::new(Arc::new(RegionRoots::new(roots)), ledger));
    let store = VaultStore::new(database).await.unwrap();
    Vault::new(store, blobs, gate, DeploymentKey::from_random([3; 32]))
}

pub(super) async fn disk(folder: &Path) -> Arc<DiskBlobs> {
    Arc::new(DiskBlobs::open(&folder.join("blobs")).await.unwrap())
}

/// Two regions, two tenants, and a bucket `box` of each.
pub(super) async fn provision(vault: &Vault) {
    for (id, country) in [(EU, "DE"), (US, "US")] {
        vault
            .create_region(&region(id), &self::country(country))
            .await
            .unwrap();
    }
    for tenant in ["contoso", "fabrikam"] {
        let id = TenantId::new(tenant).unwrap();
        vault
            .create_tenant(&id, TenantKind::Enterprise, &country("DE"))
            .await
            .unwrap();
        vault
            .create_bucket(&principal(tenant), bucket("box"))
            .await
            .unwrap();
    }
}

pub(super) async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path(), disk(folder.path()).await).await;
    provision(&vault).await;
    Scene {
        folder,
        vault,
        alice: principal("contoso"),
        mallory: principal("fabrikam"),
    }
}

pub(super) fn bucket(name: &str) -> NewBucket {
    let rule = |template: &str, category| PathRule {
        template: template.to_owned(),
        category,
    };
    NewBucket {
        name: name.to_owned(),
        region: region(EU),
        default_account: account("shared"),
        mapping: Mapping {
            rules: vec![
                rule("mail/{account}/{*}", Category::Content),
                rule("users/{account}", Category::Subscriber),
            ],
        },
    }
}

/// Bytes that no compression or chance would make.
pub(super) fn body(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ len as u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

pub(super) fn pieces(bytes: &[u8], size: usize) -> impl Stream<Item = std::io::Result<Bytes>> + Send + use<> {
    let pieces: Vec<_> = bytes
        .chunks(size)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces)
}

impl Scene {
    pub(super) async fn put(&self, key: &str, bytes: &[u8]) -> Stored {
        let body = pieces(bytes, 70_000);
        self.vault
            .put(&self.alice, "box", key, PutOptions::default(), body)
            .await
            .unwrap()
    }
    pub(super) async fn get(&self, key: &str) -> Result<Vec<u8>> {
        self.range(key, None).await.map(|(bytes, _)| bytes)
    }
    pub(super) async fn range(&self, key: &str, range: Option<Range>) -> Result<(Vec<u8>, ResolvedRange)> {
        let got = self
            .vault
            .get(&self.alice, "box", key, range, &Conditions::default())
            .await?;
        Ok((collect(got.body).await?, got.range))
    }
}

pub(super) async fn collect(body: Body) -> Result<Vec<u8>> {
    let pieces: Vec<Bytes> = body.try_collect().await?;
    Ok(pieces.concat())
}

/// Every regular file under a folder.
pub(super) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

pub(super) fn blob_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = files(&folder.join("blobs"));
    found.retain(|path| !path.ends_with("lock"));
    found
}
