//! Destroying keys, with a statement that anybody can check against the docket.

use std::sync::{Arc, Mutex, PoisonError};

use casework::{
    canonical::{self, CanonicalError},
    ids::{AccountId, Digest, RegionId, TenantId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::docket::EntryId;

use super::Deployment;
use crate::{
    docket::{Docket, DocketError},
    vault::ProvisionError,
};

/// What the docket calls the end of keys: an entry that commits to a [`Destruction`].
pub const DESTROYED_KIND: &str = "destroyed";

/// What was destroyed, when, by whom it is said. Its digest is in the docket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destruction {
    /// Always `amparo.destroyed/1`.
    pub schema: Schema,
    /// Who says so.
    pub provider: String,
    /// Whose keys they were.
    pub tenant: TenantId,
    /// Of which account; absent where the tenant's own keys were destroyed, and with them everything of the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The keys. What is under them opens no more; copies of the wrapped keys in backups open as long as those are kept.
    pub keys: Vec<Key>,
    /// When.
    pub at: Timestamp,
}

/// The schema tag of [`Destruction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    /// Version 1.
    #[serde(rename = "amparo.destroyed/1")]
    V1,
}

/// A key that was destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The region.
    pub region: RegionId,
    /// Its version.
    pub version: i64,
    /// SHA-256 of the key as it was wrapped.
    pub digest: Digest,
}

/// Why keys were not destroyed.
#[derive(Debug, thiserror::Error)]
pub enum DestroyError {
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] ProvisionError),
    /// There was nothing left to destroy.
    #[error("its keys were destroyed before; nothing was left to destroy")]
    Nothing,
    /// The docket could not make an entry; nothing was destroyed.
    #[error("the docket takes no entry; nothing was destroyed")]
    Docket(#[from] DocketError),
    /// The statement has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl Destruction {
    /// What the docket commits to: SHA-256 over `amparo/destroyed/v1`, a newline, and the canonical JSON.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        canonical::digest("amparo/destroyed/v1", self)
    }
}

impl Deployment {
    /// Destroys an account's keys, or with no account those of a tenant and everything below them. The statement about it is
    /// in the docket's queue exactly when it happened.
    ///
    /// # Errors
    /// When there is no such account or tenant, nothing is left to destroy, or the docket's queue is full: nothing is destroyed
    /// then.
    pub async fn destroy(
        &self,
        tenant: &TenantId,
        account: Option<&AccountId>,
    ) -> Result<(Destruction, EntryId), DestroyError> {
        let at = self.clock.now();
        let blank = Destruction {
            schema: Schema::V1,
            provider: self.config.provider.clone(),
            tenant: tenant.clone(),
            account: account.cloned(),
            keys: Vec::new(),
            at,
        };
        // Drawn up within the transaction, from what it destroys.
        let said: Arc<Mutex<Option<Destruction>>> = Arc::default();
        let hears = Arc::clone(&said);
        let statement = move |destroyed: &store::vault::Destroyed| {
            let keys = destroyed.keys.iter().map(|key| Key {
                region: key.region.clone(),
                version: key.version,
                digest: Digest(key.digest),
            });
            let statement = Destruction {
                keys: keys.collect(),
                ..blank.clone()
            };
            let entry = Docket::entry(DESTROYED_KIND, statement.digest().ok()?.0).ok()?;
            *hears.lock().unwrap_or_else(PoisonError::into_inner) = Some(statement);
            Some(entry)
        };
        let (_, entry) = self
            .vault
            .destroy_logged(tenant, account, Arc::new(statement))
            .await?;
        let said = said.lock().unwrap_or_else(PoisonError::into_inner).take();
        said.zip(entry).ok_or(DestroyError::Nothing)
    }
}
