//! Retention and legal hold. The store checks them in the transaction that would remove the version.

use jiff::Timestamp;
use store::vault::LockChange;

pub use store::vault::{DefaultRetention, Lock, Period, Retention, RetentionMode};

use super::{Principal, Result, Target, Vault, VaultError};

impl Vault {
    /// Makes a bucket whose objects can be locked. It keeps versions, for good.
    ///
    /// # Errors
    /// As [`Vault::create_bucket`].
    pub async fn create_locking_bucket(
        &self,
        who: &Principal,
        bucket: super::NewBucket,
    ) -> Result<super::BucketInfo> {
        self.make_bucket(who, bucket, true).await
    }

    /// Lets objects of a bucket that keeps versions be locked, for good, and sets the retention of those that state none.
    ///
    /// # Errors
    /// When the bucket is missing or keeps no versions.
    pub async fn set_object_lock(
        &self,
        who: &Principal,
        bucket: &str,
        default: Option<DefaultRetention>,
    ) -> Result<()> {
        let found = self.find_bucket(who, bucket).await?;
        self.inner.store.set_object_lock(found.row.seq, default).await?;
        self.forget_bucket(who, bucket);
        Ok(())
    }

    /// What keeps a version from being removed.
    ///
    /// # Errors
    /// When the bucket's objects cannot be locked, or there is no such version.
    pub async fn lock(&self, who: &Principal, bucket: &str, target: impl Into<Target<'_>>) -> Result<Lock> {
        let target = target.into();
        let bucket = self.find_bucket(who, bucket).await?;
        if !bucket.row.object_lock {
            return Err(VaultError::NoLocks);
        }
        let row = self
            .inner
            .store
            .object(bucket.row.seq, target.key, target.version)
            .await?;
        match row {
            Some(row) => Ok(row.lock),
            None => Err(self.missing(&bucket, target).await),
        }
    }

    /// Changes a version's retention (`Some(None)` ends it) or legal hold. `bypass`: shorten or weaken one in governance
    /// mode, where the access key may.
    ///
    /// # Errors
    /// [`VaultError::Locked`] when a running retention would become shorter or weaker; when the bucket's objects cannot be
    /// locked, or there is no such version.
    pub async fn change_lock(
        &self,
        who: &Principal,
        bucket: &str,
        target: impl Into<Target<'_>>,
        retention: Option<Option<Retention>>,
        legal_hold: Option<bool>,
        bypass: bool,
    ) -> Result<()> {
        let target = target.into();
        let bucket = self.find_bucket(who, bucket).await?;
        let change = LockChange {
            bucket: bucket.row.seq,
            key: target.key.to_owned(),
            version: target.version,
            retention,
            legal_hold,
            bypass: bypass && who.may_bypass_governance(),
            now: Timestamp::now(),
        };
        Ok(self.inner.store.change_lock(change).await?)
    }
}
