//! The vault: objects of many tenants, each under its own key, opened by the gate alone.
//!
//! A tenant sees its own buckets and objects; another's answer exactly as what does not exist. Object *keys* (names) and
//! sizes are kept in clear, for listings need their order: names are metadata, not content. Bodies, user metadata, tags,
//! checksums and digests lie encrypted under the object's own key.
//!
//! A PUT goes: [`placement`] decides whose it is; the gate makes a key; the body is digested, encrypted and written
//! ([`intake`]); one transaction makes it the object ([`store::vault`]). A GET goes the same way back ([`read`]).

pub mod bucket;
pub mod checksum;
mod copy;
mod credentials;
mod disclosure;
pub mod error;
pub mod intake;
pub mod lifecycle;
pub mod listing;
pub mod lock;
pub mod mapping;
pub mod moving;
pub mod placement;
pub mod principal;
pub mod provision;
pub mod put;
mod read;
pub mod rotation;
pub mod scrub;
mod sealed;
pub mod settings;
pub mod sweep;
#[cfg(test)]
mod tests;
mod travel;
pub mod types;
pub mod upload;
mod upload_checksum;
pub mod version;

use std::sync::Arc;

use envelope::secrets::DeploymentKey;
use store::{blobs::RegionBlobs, vault::VaultStore};

pub(crate) use self::put::check_tags;
pub use self::{
    checksum::{Checksum, ChecksumAlgorithm, ChecksumType},
    credentials::CREDENTIAL_TTL,
    error::VaultError,
    lifecycle::Lifecycle,
    lock::{DefaultRetention, Lock, Period, Retention, RetentionMode},
    mapping::{Mapping, PathRule},
    principal::Principal,
    provision::{Credential, NewAccessKey, ProvisionError},
    settings::{BucketSettings, Encryption, Setting},
    types::*,
    version::{
        Deleted, Deletion, RemovalConditions, Source, Target, VersionEntry, VersionId, VersionListing,
        VersionQuery, Versioning,
    },
};
use crate::gate::owner::{GateError, OwnerGate};
pub use store::vault::AccountDetails;

/// Result of a call on the vault.
pub type Result<T> = std::result::Result<T, VaultError>;

/// What goes wrong while a body comes in.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The vault. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    store: VaultStore,
    blobs: RegionBlobs,
    gate: Arc<dyn OwnerGate>,
    deployment: DeploymentKey,
    buckets: bucket::Buckets,
    credentials: credentials::Credentials,
}

impl Vault {
    /// A vault over its metadata, its blobs and the owner's door of the gate. `deployment` seals access keys' secrets.
    pub fn new(
        store: VaultStore,
        blobs: impl Into<RegionBlobs>,
        gate: Arc<dyn OwnerGate>,
        deployment: DeploymentKey,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                blobs: blobs.into(),
                gate,
                deployment,
                buckets: bucket::Buckets::default(),
                credentials: credentials::Credentials::default(),
            }),
        }
    }

    /// The metadata, for scoping.
    pub fn store(&self) -> &VaultStore {
        &self.inner.store
    }

    /// Where each region's sealed bodies lie.
    pub fn blobs(&self) -> &RegionBlobs {
        &self.inner.blobs
    }
}

/// A random name of 32 hex digits.
pub(crate) fn random_name() -> Result<String> {
    Ok(hex::encode(random::<16>()?))
}

/// Fresh random bytes of the operating system.
fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| VaultError::Gate(GateError::NoRandomness))?;
    Ok(bytes)
}
