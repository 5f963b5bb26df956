//! Storing and tagging objects.

use bytes::Bytes;
use casework::{
    ids::{AccountId, ObjectId, RegionId, TenantId},
    record::label,
};
use envelope::{
    chunked::SALT_BYTES,
    content::{ContentDigest, Opening},
    held::WrappedTenant,
    keys::{ObjectKey, Wrapped, WrappedAccount},
};
use futures::Stream;
use jiff::Timestamp;
use store::{
    blobs::BlobId,
    vault::{AccountRow, Freed, NewObject, NewPart, StoreError},
};

use super::{
    BodyError, ChecksumAlgorithm, ChecksumType, Lock, Principal, PutOptions, Result, Stored, Tags, Target,
    UserMetadata, Vault, VaultError, VersionId,
    bucket::Bucket,
    error::store_failed,
    intake::{Claims, Intake},
    placement::{self, Place, microseconds},
    random,
    sealed::{self, Metadata},
};

/// Longest object key in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// Largest body of a single PUT, and of a part.
pub const PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Most bytes of user metadata, names and values together.
pub const USER_METADATA_MAX: usize = 2 * 1024;
/// Most tags on an object.
pub const TAGS_MAX: usize = 10;
/// Most deletions in one call.
pub const DELETIONS_MAX: usize = 1000;
const TAG_KEY_CHARS_MAX: usize = 128;
const TAG_VALUE_CHARS_MAX: usize = 256;

/// An account that may be written to.
pub(super) struct Account {
    pub seq: i64,
    pub chain: WrappedAccount,
    /// The version of its key, which is the newest.
    pub version: i64,
}

/// A new object's identity and key.
pub(super) struct Fresh {
    pub object: ObjectId,
    pub account: Account,
    pub key: ObjectKey,
    pub wrapped: Wrapped,
    pub place: Place,
    pub now: Timestamp,
}

impl Vault {
    /// Stores an object. When this returns, it is on the disk.
    ///
    /// # Errors
    /// When what was sent differs from what was said of it, a condition does not hold, a limit is passed, the account was
    /// destroyed, or the disk is full. Nothing of the object is kept then, and what was there before stays.
    pub async fn put<S, E>(
        &self,
        who: &Principal,
        bucket: &str,
        key: &str,
        options: PutOptions,
        body: S,
    ) -> Result<Stored>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send,
        E: Into<BodyError>,
    {
        check_key(key)?;
        check_metadata(&options.user_metadata)?;
        check_tags(&options.tags, TAGS_MAX)?;
        let bucket = self.find_bucket(who, bucket).await?;
        let now = microseconds(Timestamp::now());
        let place = placement::decide(
            &bucket,
            key,
            &options.placement,
            &options.user_metadata,
            None,
            now,
        )?;
        self.refuse_early(&bucket, key, &options.conditions).await?;
        let fresh = self.fresh(who, &bucket, place, now).await?;

        let mut compute = options.trailer_algorithms;
        compute.extend(options.compute);
        if compute.is_empty() && options.checksums.is_empty() {
            compute.push(ChecksumAlgorithm::Crc64Nvme);
        }
        let claims = Claims {
            length: options.content_length,
            md5: options.content_md5,
            checksums: options.checksums,
            compute,
            trailer: options.trailer,
        };
        let intake = Intake {
            blobs: &**self.inner.blobs.of(&bucket.row.region)?,
            key: &fresh.key,
            context: sealed::body_context(&fresh.account.chain, fresh.object, 0),
            object: fresh.object,
            inline: true,
            max: PUT_BYTES_MAX,
        };
        let received = intake.receive(body, claims).await?;

        let mut digest = ContentDigest::default();
        digest.part(received.size, &received.sha256);
        let metadata = Metadata {
            headers: options.headers,
            user: options.user_metadata,
            tags: options.tags,
            checksums: received.checksums,
            checksum_type: Some(ChecksumType::FullObject),
            encryption: options.encryption.or_else(|| bucket.settings.encryption.clone()),
            lock: None,
            content_digest: String::new(),
        };
        // Not of an MD5's shape: clients such as rclone take 32 hex digits for one, and call the upload corrupt.
        let etag = format!("{}-1", hex::encode(random::<16>()?));
        let (object, metadata) = fresh.record(
            &bucket,
            key,
            etag,
            received.size,
            digest.finish(),
            metadata,
            options.lock,
        )?;
        let mut stored = stored(&object, &metadata);
        let blob = match &received.body {
            NewPart::Blob(id, _) => Some(*id),
            NewPart::Inline(..) => None,
        };
        match self
            .inner
            .store
            .put_object(object, received.body, options.conditions)
            .await
        {
            Ok(written) => {
                self.free(written.freed);
                stored.version = written.version;
                Ok(stored)
            }
            Err(error) => {
                self.discard(&bucket.row.region, blob, &error);
                Err(error.into())
            }
        }
    }

    /// An object's tags.
    ///
    /// # Errors
    /// When the object is missing or its account destroyed.
    pub async fn tags(
        &self,
        who: &Principal,
        bucket: &str,
        target: impl Into<Target<'_>>,
    ) -> Result<(Tags, Option<VersionId>)> {
        let found = self.find(who, bucket, target.into()).await?;
        let version = found.version();
        Ok((found.metadata.tags, version))
    }

    /// Replaces an object's tags; an empty list deletes them.
    ///
    /// # Errors
    /// When the object is missing, or the tags are beyond S3's limits.
    pub async fn put_tags(
        &self,
        who: &Principal,
        bucket: &str,
        target: impl Into<Target<'_>>,
        tags: Tags,
    ) -> Result<Option<VersionId>> {
        check_tags(&tags, TAGS_MAX)?;
        let mut found = self.find(who, bucket, target.into()).await?;
        found.metadata.tags = tags;
        let chain = found.row.chain.as_ref().ok_or(VaultError::AccountDestroyed)?;
        let context = sealed::metadata_context(&chain.account, found.row.id);
        let sealed = sealed::seal(&found.key, &context, random::<SALT_BYTES>()?, &found.metadata)?;
        self.inner.store.replace_metadata(found.row.id, sealed).await?;
        Ok(found.version())
    }

    /// Checks conditions before the body is read, where they are refused already. What counts is the check in the
    /// transaction that stores the object.
    pub(super) async fn refuse_early(
        &self,
        bucket: &Bucket,
        key: &str,
        conditions: &super::WriteConditions,
    ) -> Result<()> {
        if *conditions == super::WriteConditions::default() {
            return Ok(());
        }
        let there = self.inner.store.object(bucket.row.seq, key, None).await?;
        Ok(conditions.check(there.as_ref().map(|object| object.etag.as_str()))?)
    }

    /// A new object with a key of its own under its account's, wrapped for where the object belongs.
    pub(super) async fn fresh(
        &self,
        who: &Principal,
        bucket: &Bucket,
        place: Place,
        now: Timestamp,
    ) -> Result<Fresh> {
        let account = self
            .account(who.tenant(), &place.account, &bucket.row.region)
            .await?;
        let id = new_id(now)?;
        let (key, wrapped) = self
            .inner
            .gate
            .new_object_key(
                who.reason(),
                &account.chain,
                id.as_bytes(),
                &label(place.category, place.concerns_at),
            )
            .await?;
        Ok(Fresh {
            object: ObjectId(id),
            account,
            key,
            wrapped,
            place,
            now,
        })
    }

    /// The account to write to; made, with a key in the region, where it is new.
    pub(super) async fn account(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        region: &RegionId,
    ) -> Result<Account> {
        let store = &self.inner.store;
        let there = |row: Option<AccountRow>| {
            let AccountRow { seq, key } = row?;
            key.map(|(chain, version)| Account { seq, chain, version })
        };
        if let Some(found) = there(store.account(tenant, account, region).await?) {
            return Ok(found);
        }
        let (tenant_key, above) = self.tenant_key(tenant, region).await?;
        let wrapped = self
            .inner
            .gate
            .new_account_key(region, tenant, account, &tenant_key)
            .await?;
        store
            .add_account_key(
                tenant.clone(),
                account.clone(),
                Some((region.clone(), above, wrapped)),
                Timestamp::now(),
            )
            .await?;
        // Read back: another request may have been first, and its key is the one that counts.
        there(store.account(tenant, account, region).await?).ok_or(VaultError::AccountDestroyed)
    }

    /// The tenant's newest wrapped key in a region and its version; made where there is none, with the tenant's holder.
    pub(super) async fn tenant_key(
        &self,
        tenant: &TenantId,
        region: &RegionId,
    ) -> Result<(WrappedTenant, i64)> {
        if let Some(key) = self.inner.store.tenant_key(tenant, region).await? {
            return Ok(key);
        }
        let holder = self.inner.store.holder(tenant).await?;
        let key = self
            .inner
            .gate
            .new_tenant_key(region, tenant, holder.as_ref())
            .await?;
        match self
            .inner
            .store
            .add_tenant_key(tenant.clone(), region.clone(), key)
            .await
        {
            Err(StoreError::NoSuchRegion) => Err(VaultError::NoSuchRegion {
                region: region.to_string(),
            }),
            other => Ok(other?),
        }
    }

    /// Deletes blobs that no row names any more, each where it lies. What fails is left to the sweep.
    pub(super) fn free(&self, freed: Vec<Freed>) {
        if freed.is_empty() {
            return;
        }
        let vault = self.clone();
        tokio::spawn(async move {
            // A backup copies what its rows name, and these were named a moment ago.
            if !matches!(vault.inner.store.blobs_held(Timestamp::now()).await, Ok(false)) {
                return;
            }
            for Freed { region, blob } in freed {
                let deleted = match vault.inner.blobs.of(&region) {
                    Ok(store) => store.delete(blob).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = deleted {
                    tracing::warn!(%blob, %error, "an unused blob stays until the next sweep");
                }
            }
        });
    }

    /// Deletes a blob that was not recorded. After a failure of the database it may have been, and is left to the sweep.
    pub(super) fn discard(&self, region: &RegionId, blob: Option<BlobId>, error: &StoreError) {
        if !matches!(error, StoreError::Database(_) | StoreError::Stopped) {
            let region = region.clone();
            self.free(blob.map(|blob| Freed { region, blob }).into_iter().collect());
        }
    }
}

impl Fresh {
    /// The row of the object, with its metadata sealed and its content committed to.
    #[allow(clippy::too_many_arguments, reason = "each is one fact of the object")]
    pub(super) fn record(
        self,
        bucket: &Bucket,
        key: &str,
        etag: String,
        size: u64,
        content_digest: [u8; 32],
        mut metadata: Metadata,
        lock: Lock,
    ) -> Result<(NewObject, Metadata)> {
        let opening = Opening::of(&self.key).map_err(store_failed)?;
        metadata.content_digest = hex::encode(content_digest);
        let context = sealed::metadata_context(&self.account.chain, self.object);
        let sealed_metadata = sealed::seal(&self.key, &context, random::<SALT_BYTES>()?, &metadata)?;
        let object = NewObject {
            id: self.object,
            bucket: bucket.row.seq,
            key: key.to_owned(),
            account: self.account.seq,
            region: bucket.row.region.clone(),
            category: self.place.category,
            concerns_at: self.place.concerns_at,
            size,
            etag,
            modified_at: self.now,
            wrapped_key: self.wrapped,
            key_version: self.account.version,
            commitment: opening.commit(&content_digest),
            sealed_metadata,
            lock,
        };
        Ok((object, metadata))
    }
}

pub(super) fn stored(object: &NewObject, metadata: &Metadata) -> Stored {
    Stored {
        object: object.id,
        etag: object.etag.clone(),
        last_modified: object.modified_at,
        size: object.size,
        checksums: metadata.checksums.clone(),
        checksum_type: metadata.checksum_type,
        version: None,
        encryption: metadata.encryption.clone(),
    }
}

/// A fresh id that sorts by time.
pub(super) fn new_id(now: Timestamp) -> Result<uuid::Uuid> {
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random()?).into_uuid())
}

pub(super) fn check_key(key: &str) -> Result<()> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(VaultError::BadKey);
    }
    Ok(())
}

pub(super) fn check_metadata(metadata: &UserMetadata) -> Result<()> {
    let bytes: usize = metadata
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes > USER_METADATA_MAX {
        return Err(VaultError::MetadataTooLarge {
            max: USER_METADATA_MAX,
        });
    }
    Ok(())
}

/// Checks an object's or bucket's tags, of which there may be so many.
///
/// # Errors
/// [`VaultError::BadTags`].
pub(crate) fn check_tags(tags: &Tags, max: usize) -> Result<()> {
    let bad = |reason| Err(VaultError::BadTags { reason });
    if tags.len() > max {
        return bad("there are too many");
    }
    for (at, (name, value)) in tags.iter().enumerate() {
        if name.is_empty() || name.chars().count() > TAG_KEY_CHARS_MAX {
            return bad("a tag's key is 1 to 128 characters long");
        }
        if value.chars().count() > TAG_VALUE_CHARS_MAX {
            return bad("a tag's value is at most 256 characters long");
        }
        if tags.iter().take(at).any(|(other, _)| other == name) {
            return bad("a tag's key stands there twice");
        }
    }
    Ok(())
}
