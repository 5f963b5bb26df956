//! Buckets. A name is its tenant's own: another tenant's bucket answers exactly as a missing one.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use casework::ids::TenantId;
use jiff::Timestamp;
use store::vault::{BucketRow, NewBucketRow, StoreError};

use super::{
    BucketInfo, BucketSettings, Mapping, NewBucket, Principal, Result, Vault, VaultError, Versioning,
    error::store_failed,
};

/// Most buckets of one tenant.
pub const BUCKETS_MAX: u32 = 1000;
/// How long another process's change to a bucket may go unseen.
pub(crate) const BUCKET_TTL: Duration = Duration::from_secs(5);
/// Most buckets kept in memory.
const BUCKETS_CACHED_MAX: usize = 10_000;

/// A bucket with its mapping read.
pub(super) struct Bucket {
    pub row: BucketRow,
    pub mapping: Mapping,
    pub settings: BucketSettings,
}

type Known = HashMap<(TenantId, String), (Arc<Bucket>, Instant)>;

/// Buckets used lately, and until when they may be used without another look.
#[derive(Default)]
pub(super) struct Buckets(RwLock<Known>);

impl Buckets {
    fn find(&self, name: &(TenantId, String)) -> Option<Arc<Bucket>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (bucket, until) = known.get(name)?;
        (Instant::now() < *until).then(|| Arc::clone(bucket))
    }
    fn keep(&self, name: (TenantId, String), bucket: &Arc<Bucket>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= BUCKETS_CACHED_MAX {
            known.clear();
        }
        known.insert(name, (Arc::clone(bucket), Instant::now() + BUCKET_TTL));
    }
    pub(super) fn forget(&self, name: &(TenantId, String)) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
    }
}

impl Vault {
    /// Makes a bucket.
    ///
    /// # Errors
    /// When the name is bad or taken by the tenant itself, the region unknown, or the mapping no mapping.
    pub async fn create_bucket(&self, who: &Principal, bucket: NewBucket) -> Result<BucketInfo> {
        self.make_bucket(who, bucket, false).await
    }

    pub(super) async fn make_bucket(
        &self,
        who: &Principal,
        bucket: NewBucket,
        object_lock: bool,
    ) -> Result<BucketInfo> {
        check_name(&bucket.name)?;
        bucket.mapping.check()?;
        let mapping = serde_json::to_string(&bucket.mapping).map_err(store_failed)?;
        // The tenant's key in the region comes first, so that no bucket is ever without one.
        self.tenant_key(who.tenant(), &bucket.region).await?;
        let created_at = Timestamp::now();
        let row = NewBucketRow {
            tenant: who.tenant().clone(),
            name: bucket.name.clone(),
            region: bucket.region.clone(),
            default_account: bucket.default_account.clone(),
            mapping,
            created_at,
            object_lock,
            max: BUCKETS_MAX,
        };
        match self.inner.store.create_bucket(row).await {
            Ok(()) => Ok(BucketInfo {
                name: bucket.name,
                region: bucket.region,
                default_account: bucket.default_account,
                mapping: bucket.mapping,
                created_at,
                versioning: if object_lock {
                    Versioning::Enabled
                } else {
                    Versioning::Never
                },
                object_lock,
                default_retention: None,
            }),
            Err(StoreError::Exists { .. }) => Err(VaultError::BucketExists),
            Err(StoreError::NoSuchRegion) => Err(VaultError::NoSuchRegion {
                region: bucket.region.to_string(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a bucket without objects. Uploads under way in it end.
    ///
    /// # Errors
    /// When there is none, or it holds objects.
    pub async fn delete_bucket(&self, who: &Principal, bucket: &str) -> Result<()> {
        let name = (who.tenant().clone(), bucket.to_owned());
        self.inner.buckets.forget(&name);
        let row = self
            .inner
            .store
            .bucket(who.tenant(), bucket)
            .await?
            .ok_or(VaultError::NoSuchBucket)?;
        let written = self.inner.store.delete_bucket(row.seq).await?;
        self.inner.buckets.forget(&name);
        self.free(written.freed);
        Ok(())
    }

    /// The tenant's buckets, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_buckets(&self, who: &Principal) -> Result<Vec<BucketInfo>> {
        let rows = self.inner.store.buckets(who.tenant()).await?;
        rows.into_iter()
            .map(|row| Ok(info(&read(row, BucketSettings::default())?)))
            .collect()
    }

    /// One bucket.
    ///
    /// # Errors
    /// When the tenant has none of this name.
    pub async fn bucket(&self, who: &Principal, bucket: &str) -> Result<BucketInfo> {
        Ok(info(&*self.find_bucket(who, bucket).await?))
    }

    pub(super) async fn find_bucket(&self, who: &Principal, name: &str) -> Result<Arc<Bucket>> {
        let id = (who.tenant().clone(), name.to_owned());
        if let Some(known) = self.inner.buckets.find(&id) {
            return Ok(known);
        }
        let bucket = Arc::new(self.read_bucket(who.tenant(), name).await?);
        self.inner.buckets.keep(id, &bucket);
        Ok(bucket)
    }

    /// The bucket as it is now, whatever is remembered of it.
    pub(super) async fn read_bucket(&self, tenant: &TenantId, name: &str) -> Result<Bucket> {
        let store = &self.inner.store;
        let row = store
            .bucket(tenant, name)
            .await?
            .ok_or(VaultError::NoSuchBucket)?;
        let settings = BucketSettings::read(&store.bucket_settings(row.seq).await?)?;
        read(row, settings)
    }

    pub(super) fn forget_bucket(&self, who: &Principal, name: &str) {
        self.inner
            .buckets
            .forget(&(who.tenant().clone(), name.to_owned()));
    }
}

fn read(row: BucketRow, settings: BucketSettings) -> Result<Bucket> {
    let mapping = serde_json::from_str(&row.mapping).map_err(store_failed)?;
    Ok(Bucket {
        row,
        mapping,
        settings,
    })
}

fn info(bucket: &Bucket) -> BucketInfo {
    BucketInfo {
        name: bucket.row.name.clone(),
        region: bucket.row.region.clone(),
        default_account: bucket.row.default_account.clone(),
        mapping: bucket.mapping.clone(),
        created_at: bucket.row.created_at,
        versioning: bucket.row.versioning,
        object_lock: bucket.row.object_lock,
        default_retention: bucket.row.default_retention,
    }
}

/// The naming rules of S3's user guide, "General purpose bucket naming rules".
fn check_name(name: &str) -> Result<()> {
    let bad = |reason| {
        Err(VaultError::BadBucketName {
            name: name.chars().take(64).collect(),
            reason,
        })
    };
    if !(3..=63).contains(&name.len()) {
        return bad("a bucket name is 3 to 63 characters long");
    }
    if !name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
    {
        return bad("use lower-case letters, digits, `-` and `.`");
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !edge(name.chars().next()) || !edge(name.chars().last()) {
        return bad("begin and end with a letter or digit");
    }
    if name.contains("..") || name.parse::<std::net::Ipv4Addr>().is_ok() {
        return bad("it must not look like an address, nor hold two periods in a row");
    }
    if name.starts_with("xn--") || name.ends_with("-s3alias") || name.ends_with("--ol-s3") {
        return bad("this prefix or suffix is reserved");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn bucket_names() {
        for good in ["abc", "a-b.c", "0ab", &"a".repeat(63)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            "Abc",
            "a_b",
            "-abc",
            "abc-",
            "a..b",
            "192.168.0.1",
            "xn--abc",
            "a/b",
            &"a".repeat(64),
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
