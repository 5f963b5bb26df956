//! What a transfer between two nodes does in the vault of either. Nothing here opens a key.

use std::sync::Arc;

use casework::{
    ids::{AccountId, RegionId, TenantId},
    transfer::Data,
};
use store::{
    blobs::{BlobError, BlobId, BlobReader, BlobStore, Digesting, SealedDigest},
    vault::{Leaving, Scope, TRAVELLERS_MAX},
};

use super::{Result, Vault, random};
use crate::region::across::{AccountFacts, BucketFacts, Facts};

/// Bytes read at once.
pub(crate) const BYTES_AT_ONCE: usize = 1024 * 1024;

/// A body's piece as it stands in the vault, to be sent.
pub(crate) struct Sending {
    reader: Box<dyn BlobReader>,
    digest: Digesting,
}

impl Sending {
    pub(crate) fn len(&self) -> u64 {
        self.reader.len()
    }
    /// The next bytes, in order.
    pub(crate) async fn read(&mut self, offset: u64) -> Result<Vec<u8>> {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let bytes = self
            .reader
            .read_at(offset, vec![0; left.min(BYTES_AT_ONCE)])
            .await?;
        self.digest.update(&bytes);
        Ok(bytes)
    }
    /// The digest of what was read.
    pub(crate) fn digest(self) -> SealedDigest {
        self.digest.finish()
    }
}

impl Vault {
    /// Everything that must leave with a transfer's data, each once, by row; and the rows of its accounts and bucket.
    ///
    /// # Errors
    /// When the store fails, or there is no such bucket.
    pub(crate) async fn leaving(
        &self,
        tenant: &TenantId,
        data: &Data,
        region: &RegionId,
    ) -> Result<(Vec<Scope>, Vec<Leaving>)> {
        let scopes = self.scopes(tenant, data).await?;
        let mut all = std::collections::BTreeMap::new();
        for scope in &scopes {
            for leaving in self.inner.store.leaving(*scope, region).await? {
                all.insert(leaving.seq, leaving);
                // One more than may be is enough to know.
                if all.len() > TRAVELLERS_MAX {
                    break;
                }
            }
        }
        Ok((scopes, all.into_values().collect()))
    }

    /// What this node has of a customer, these buckets and these accounts; what is not there is left out.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn facts(
        &self,
        tenant: &TenantId,
        buckets: &[String],
        accounts: &[AccountId],
    ) -> Result<Facts> {
        let store = &self.inner.store;
        let customer = store.tenant(tenant).await?.map(|row| (row.kind, row.country));
        let mut facts = Facts {
            tenant: tenant.clone(),
            customer,
            buckets: Vec::new(),
            accounts: Vec::new(),
        };
        for name in buckets {
            let Some(row) = store.bucket(tenant, name).await? else {
                continue;
            };
            facts.buckets.push(BucketFacts {
                keeping: format!(
                    "{:?} {} {:?}",
                    row.versioning, row.object_lock, row.default_retention
                ),
                settings: store.bucket_settings(row.seq).await?.into_iter().collect(),
                name: row.name,
                default_account: row.default_account,
                mapping: row.mapping,
            });
        }
        for id in accounts {
            let Some((seq, person, destroyed)) = store.account_standing(tenant, id).await? else {
                continue;
            };
            if !destroyed {
                facts.accounts.push(AccountFacts {
                    id: id.clone(),
                    person,
                    aliases: store.aliases(seq).await?,
                });
            }
        }
        Ok(facts)
    }

    /// The buckets that a transfer's data lies in.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn buckets_of(
        &self,
        data: &Data,
        scopes: &[Scope],
        region: &RegionId,
    ) -> Result<Vec<String>> {
        if let Data::Bucket(name) = data {
            return Ok(vec![name.clone()]);
        }
        let mut names = std::collections::BTreeSet::new();
        for scope in scopes {
            if let Scope::Account(row) = scope {
                names.extend(self.inner.store.buckets_of(*row, region).await?);
            }
        }
        Ok(names.into_iter().collect())
    }

    /// A piece of a body, to be read in order.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) async fn send(&self, region: &RegionId, blob: BlobId) -> Result<Sending> {
        let store = self.store_of(region)?;
        Ok(Sending {
            reader: store.open(blob).await?,
            digest: Digesting::default(),
        })
    }

    /// A blob to be written for a body that is brought.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn receive_blob(
        &self,
        region: &RegionId,
    ) -> Result<(BlobId, Box<dyn store::blobs::BlobWriter>)> {
        let blob = BlobId(random()?);
        Ok((blob, self.store_of(region)?.create(blob).await?))
    }

    /// Reads back a blob that was brought: its length and digest.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn read_back(&self, region: &RegionId, blob: BlobId) -> Result<(u64, SealedDigest)> {
        let mut sending = self.send(region, blob).await?;
        let (length, mut offset) = (sending.len(), 0_u64);
        while offset < length {
            let bytes = sending.read(offset).await?;
            offset = offset.saturating_add(bytes.len() as u64);
            if bytes.is_empty() {
                break;
            }
        }
        Ok((offset, sending.digest()))
    }

    /// A blob's length; `None` where it is not there.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn length_of(&self, region: &RegionId, blob: BlobId) -> Result<Option<u64>> {
        match self.store_of(region)?.open(blob).await {
            Ok(reader) => Ok(Some(reader.len())),
            Err(BlobError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// An account's row, its key in a region, and the key's version; made where it has none there.
    ///
    /// # Errors
    /// When the account was destroyed, or the key's holder says no.
    pub(crate) async fn account_here(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        region: &RegionId,
    ) -> Result<(i64, envelope::keys::WrappedAccount, i64)> {
        let found = self.account(tenant, account, region).await?;
        Ok((found.seq, found.chain, found.version))
    }

    /// Deletes blobs that no row names any more.
    pub(crate) fn delete_freed(&self, freed: Vec<store::vault::Freed>) {
        self.free(freed);
    }

    /// That a bucket is another now than it was read before.
    pub(crate) fn forget_bucket_of(&self, tenant: &TenantId, name: &str) {
        self.inner.buckets.forget(&(tenant.clone(), name.to_owned()));
    }

    fn store_of(&self, region: &RegionId) -> Result<Arc<dyn BlobStore>> {
        Ok(Arc::clone(self.inner.blobs.of(region)?))
    }
}
