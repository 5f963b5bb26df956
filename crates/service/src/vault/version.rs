//! Versions as their owner sees them: kept, listed, removed.

use casework::ids::{ObjectId, RegionId};
use futures::future::join_all;
use jiff::Timestamp;
use store::vault::{ListRequest, Removal};

pub use store::vault::{RemovalConditions, VersionEntry, VersionId, Versioning};

use super::{
    Principal, Result, Vault, VaultError,
    bucket::Bucket,
    placement::microseconds,
    put::{DELETIONS_MAX, new_id},
    types::EtagMatch,
};

/// An object: the latest version of its key, or a named one.
#[derive(Debug, Clone, Copy)]
pub struct Target<'k> {
    /// The key.
    pub key: &'k str,
    /// The version; the latest where none is named.
    pub version: Option<VersionId>,
    /// The region of the copy to be read; where the object lies, where none is named.
    pub copy_in: Option<&'k RegionId>,
}

impl<'k> From<&'k str> for Target<'k> {
    fn from(key: &'k str) -> Self {
        (key, None).into()
    }
}

impl<'k> From<&'k String> for Target<'k> {
    fn from(key: &'k String) -> Self {
        key.as_str().into()
    }
}

impl<'k> From<(&'k str, Option<VersionId>)> for Target<'k> {
    fn from((key, version): (&'k str, Option<VersionId>)) -> Self {
        Self {
            key,
            version,
            copy_in: None,
        }
    }
}

/// What is copied.
#[derive(Debug, Clone, Copy)]
pub struct Source<'k> {
    /// The bucket.
    pub bucket: &'k str,
    /// The object in it.
    pub target: Target<'k>,
}

impl<'k> From<(&'k str, &'k str)> for Source<'k> {
    fn from((bucket, key): (&'k str, &'k str)) -> Self {
        Self {
            bucket,
            target: key.into(),
        }
    }
}

/// A deletion.
#[derive(Debug, Clone, Default)]
pub struct Deletion {
    /// The key.
    pub key: String,
    /// One version, to be removed for good.
    pub version: Option<VersionId>,
    /// What must hold of the object.
    pub conditions: RemovalConditions,
    /// Whether the caller wants to pass over a retention in governance mode; it counts where the access key may.
    pub bypass_governance: bool,
}

/// What a deletion did.
#[derive(Debug, Clone, Default)]
pub struct Deleted {
    /// The version removed, or the delete marker set; nothing in a bucket that never kept versions.
    pub version: Option<VersionId>,
    /// Whether that is a delete marker.
    pub marker: bool,
}

/// Which versions to list.
#[derive(Debug, Clone, Default)]
pub struct VersionQuery {
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys that hold this after the prefix are rolled up.
    pub delimiter: Option<String>,
    /// Only what follows this key, or this version of this key.
    pub after: Option<(String, Option<VersionId>)>,
    /// At most this many; capped at 1000.
    pub max_keys: u32,
}

/// A page of versions.
#[derive(Debug, Clone, Default)]
pub struct VersionListing {
    /// By key, and of each key the newest first.
    pub versions: Vec<VersionEntry>,
    /// Rolled-up prefixes.
    pub common_prefixes: Vec<String>,
    /// Where the next page starts.
    pub next: Option<(String, Option<VersionId>)>,
}

impl Vault {
    /// Has a bucket keep versions from now on, or no further ones. What is there stays.
    ///
    /// # Errors
    /// When the bucket is missing, or its objects can be locked and it must go on keeping versions.
    pub async fn set_versioning(&self, who: &Principal, bucket: &str, enabled: bool) -> Result<()> {
        let found = self.find_bucket(who, bucket).await?;
        self.inner.store.set_versioning(found.row.seq, enabled).await?;
        self.forget_bucket(who, bucket);
        Ok(())
    }

    /// Deletes an object. One that is not there counts as deleted, whatever the conditions.
    ///
    /// # Errors
    /// As [`Vault::remove`].
    pub async fn delete(
        &self,
        who: &Principal,
        bucket: &str,
        key: &str,
        if_match: Option<EtagMatch>,
    ) -> Result<()> {
        let deletion = Deletion {
            key: key.to_owned(),
            conditions: RemovalConditions {
                if_match,
                ..RemovalConditions::default()
            },
            ..Deletion::default()
        };
        self.remove(who, bucket, deletion).await.map(drop)
    }

    /// Deletes an object. Where versions are kept and none is named, a delete marker hides it; a named version is gone
    /// for good, and its key with it.
    ///
    /// # Errors
    /// [`VaultError::Locked`] under retention or legal hold; when a condition does not hold, or the store fails.
    pub async fn remove(&self, who: &Principal, bucket: &str, deletion: Deletion) -> Result<Deleted> {
        let bucket = self.find_bucket(who, bucket).await?;
        self.remove_in(&bucket, deletion, who.may_bypass_governance())
            .await
    }

    /// Deletes up to 1000 objects; one result for each, in order.
    ///
    /// # Errors
    /// When the bucket is missing, or there are more deletions.
    pub async fn delete_many(
        &self,
        who: &Principal,
        bucket: &str,
        deletions: Vec<Deletion>,
    ) -> Result<Vec<Result<Deleted>>> {
        if deletions.len() > DELETIONS_MAX {
            return Err(VaultError::TooLarge {
                max: DELETIONS_MAX as u64,
            });
        }
        let bucket = self.find_bucket(who, bucket).await?;
        let may_bypass = who.may_bypass_governance();
        // Side by side, so that they share commits.
        Ok(join_all(
            deletions
                .into_iter()
                .map(|deletion| self.remove_in(&bucket, deletion, may_bypass)),
        )
        .await)
    }

    pub(super) async fn remove_in(
        &self,
        bucket: &Bucket,
        deletion: Deletion,
        may_bypass: bool,
    ) -> Result<Deleted> {
        let now = microseconds(Timestamp::now());
        let removal = Removal {
            bucket: bucket.row.seq,
            key: deletion.key,
            version: deletion.version,
            conditions: deletion.conditions,
            bypass: deletion.bypass_governance && may_bypass,
            marker: ObjectId(new_id(now)?),
            now,
        };
        let removed = self.inner.store.remove_object(removal).await?;
        self.free(removed.freed);
        Ok(Deleted {
            version: removed.version,
            marker: removed.marker,
        })
    }

    /// Lists versions and delete markers by key, and of each key the newest first. It opens no key.
    ///
    /// # Errors
    /// When the bucket is missing.
    pub async fn list_versions(
        &self,
        who: &Principal,
        bucket: &str,
        query: &VersionQuery,
    ) -> Result<VersionListing> {
        let bucket = self.find_bucket(who, bucket).await?;
        self.versions_in(&bucket, query).await
    }

    async fn versions_in(&self, bucket: &Bucket, query: &VersionQuery) -> Result<VersionListing> {
        let (after, version) = query.after.clone().unzip();
        let request = ListRequest {
            prefix: query.prefix.clone(),
            delimiter: query.delimiter.clone().filter(|d| !d.is_empty()),
            after,
            max: super::listing::page(query.max_keys),
        };
        let page = self
            .inner
            .store
            .list_versions(bucket.row.seq, &request, version.flatten())
            .await?;
        Ok(VersionListing {
            versions: page.versions,
            common_prefixes: page.prefixes,
            next: page.next,
        })
    }

    /// Why an object was not found: it was deleted, left for another node, or was never there.
    pub(super) async fn missing(&self, bucket: &Bucket, target: Target<'_>) -> VaultError {
        if bucket.row.versioning != Versioning::Never {
            let store = &self.inner.store;
            match store.marker(bucket.row.seq, target.key, target.version).await {
                Ok(Some(marker)) => {
                    return VaultError::Deleted {
                        version: marker.version,
                        deleted_at: marker.modified_at,
                        named: target.version.is_some(),
                    };
                }
                Ok(None) => {}
                Err(error) => return error.into(),
            }
        }
        match self.inner.store.departed(bucket.row.seq, target.key).await {
            Ok(Some(region)) => return VaultError::Elsewhere { region },
            Ok(None) => {}
            Err(error) => return error.into(),
        }
        match target.version {
            Some(_) => VaultError::NoSuchVersion,
            None => VaultError::NoSuchKey,
        }
    }
}
