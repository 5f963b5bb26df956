//! What a case sees of the vault: who has an account, what lies in a scope, and the plaintext of what the gate opened.
//! Nothing here opens a key.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use async_trait::async_trait;
use casework::{
    demand::{Category, Window},
    facts::AccountFacts,
    ids::{Digest, ObjectId, SnapshotId},
    record::{AccountRef, ReleasedObject},
};
use envelope::keys::{ObjectKey, WrappedChain};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use store::vault::{Frozen, ObjectRow, Preserving};

use super::{ResolvedRange, Vault, VaultError, read::read_metadata};
use crate::app::ports::{Described, Plaintext, PortError, VaultPort};

fn failed(error: impl std::error::Error) -> PortError {
    PortError {
        part: "vault",
        reason: error.to_string(),
    }
}

/// An object as a record names it. Without its account's key there is nothing to release.
fn released(row: ObjectRow) -> Option<ReleasedObject> {
    let chain = row.chain?;
    Some(ReleasedObject {
        object: row.id,
        account: AccountRef {
            tenant: row.tenant,
            account: row.account,
            region: row.region,
        },
        category: row.category,
        concerns_at: row.concerns_at,
        size: row.size,
        commitment: Digest(row.commitment),
        key: Digest(chain.object_key.digest()),
    })
}

fn gone(object: ObjectId) -> PortError {
    PortError {
        part: "vault",
        reason: format!("object {object} was deleted, or its account's key destroyed"),
    }
}

impl Vault {
    /// The row of an object that a record names, or of its copy in the region that the record names. Whether its wrapped key is
    /// still the named one, for a rotation changes it, is for the gate to find and for the case to record.
    async fn named(&self, object: &ReleasedObject) -> Result<(ObjectRow, WrappedChain), PortError> {
        let row = self
            .inner
            .store
            .object_by_id(object.object)
            .await
            .map_err(failed)?;
        let mut row = row.ok_or_else(|| gone(object.object))?;
        if row.region != object.account.region {
            let copy = self.inner.store.copy_of(&row, &object.account.region).await;
            row = copy.map_err(failed)?.unwrap_or(row);
        }
        let chain = row.chain.clone().ok_or_else(|| gone(object.object))?;
        Ok((row, chain))
    }
}

#[async_trait]
impl VaultPort for Vault {
    async fn accounts(&self, identifier: &str) -> Result<Vec<AccountFacts>, PortError> {
        self.find_accounts(identifier, crate::app::ACCOUNTS_MAX)
            .await
            .map_err(failed)
    }

    async fn accounts_at(
        &self,
        address: IpAddr,
        port: Option<u16>,
        at: Timestamp,
    ) -> Result<Vec<AccountFacts>, PortError> {
        let store = &self.inner.store;
        store
            .find_by_address(address, port, at, crate::app::ACCOUNTS_MAX)
            .await
            .map_err(failed)
    }

    async fn preserve(
        &self,
        snapshot: SnapshotId,
        accounts: &[AccountRef],
        categories: &[Category],
        window: Option<Window>,
    ) -> Result<Frozen, PortError> {
        let accounts: BTreeSet<_> = accounts
            .iter()
            .map(|one| (one.tenant.clone(), one.account.clone()))
            .collect();
        let preserving = Preserving {
            snapshot,
            accounts: accounts.into_iter().collect(),
            categories: categories.to_vec(),
            window,
            now: Timestamp::now(),
        };
        self.inner.store.preserve(preserving).await.map_err(failed)
    }

    async fn preserved(
        &self,
        snapshot: SnapshotId,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        let room = u32::try_from(limit).unwrap_or(u32::MAX);
        let mut found = Vec::new();
        for category in categories {
            let of = (&account.tenant, &account.account);
            let rows = self.inner.store.preserved(snapshot, of, *category, window, room);
            found.extend(rows.await.map_err(failed)?.into_iter().filter_map(released));
        }
        found.sort_by_key(|object| object.object);
        found.truncate(limit);
        Ok(found)
    }

    async fn thaw(&self, snapshot: SnapshotId) -> Result<(), PortError> {
        loop {
            let (freed, ended) = self.inner.store.thaw(snapshot).await.map_err(failed)?;
            self.free(freed);
            if ended {
                return Ok(());
            }
        }
    }

    async fn scope(
        &self,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        let mut found = Vec::new();
        let scoped = self
            .inner
            .store
            .scope(&account.tenant, &account.account, categories, window);
        let mut scoped = std::pin::pin!(scoped);
        while let Some(next) = scoped.try_next().await.map_err(failed)? {
            let Some(object) = released(next.object) else {
                continue;
            };
            if found.len() == limit {
                break;
            }
            found.push(object);
        }
        found.sort_by_key(|object| object.object);
        Ok(found)
    }

    async fn copies(
        &self,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        let of = (&account.tenant, &account.account, &account.region);
        let copies = self
            .inner
            .store
            .copies_in_scope(of, categories, window, limit)
            .await
            .map_err(failed)?;
        let mut found: Vec<ReleasedObject> = copies
            .into_iter()
            .map(|copy| ReleasedObject {
                object: copy.object,
                account: account.clone(),
                category: copy.category,
                concerns_at: copy.concerns_at,
                size: copy.size,
                commitment: Digest(copy.commitment),
                key: Digest(copy.key.digest()),
            })
            .collect();
        found.sort_by_key(|object| object.object);
        Ok(found)
    }

    async fn keys(&self, objects: &[ReleasedObject]) -> Result<Vec<WrappedChain>, PortError> {
        let mut chains = Vec::with_capacity(objects.len());
        for object in objects {
            chains.push(self.named(object).await?.1);
        }
        Ok(chains)
    }

    async fn describe(&self, object: &ReleasedObject, key: &ObjectKey) -> Result<Described, PortError> {
        let (row, chain) = self.named(object).await?;
        let metadata = read_metadata(&row, &chain.account, key).map_err(failed)?;
        let parts = self.parts_of(&row).await.map_err(failed)?;
        let parts = match parts.as_slice() {
            [] => vec![row.size],
            parts => parts.iter().map(|part| part.size).collect(),
        };
        Ok(Described {
            name: row.key,
            content_type: metadata.headers.content_type,
            parts,
        })
    }

    async fn read(&self, object: &ReleasedObject, key: &ObjectKey) -> Result<Plaintext, PortError> {
        self.read_released(object, key, None).await
    }
}

impl Vault {
    /// An object that a record names, or a range of its bytes, with the key that the gate opened for the release.
    ///
    /// # Errors
    /// When the object is gone, the range lies outside it, or the store fails.
    pub(crate) async fn read_released(
        &self,
        object: &ReleasedObject,
        key: &ObjectKey,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<Plaintext, PortError> {
        let (mut row, _) = self.named(object).await?;
        let parts = self.parts_of(&row).await.map_err(failed)?;
        let wanted = range.unwrap_or(0..row.size);
        if wanted.start > wanted.end || wanted.end > row.size {
            return Err(failed(VaultError::BadRange { size: row.size }));
        }
        let range = ResolvedRange {
            start: wanted.start,
            end: wanted.end,
            partial: wanted != (0..row.size),
        };
        let body = self
            .body(&mut row, parts, Arc::new(key.duplicate()), range)
            .await
            .map_err(failed)?;
        Ok(body.map_err(|error: VaultError| failed(error)).boxed())
    }
}
