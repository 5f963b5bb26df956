//! Recording and removing objects: each change whole, in one transaction of the writer.

use async_trait::async_trait;
use casework::{
    demand::Category,
    ids::{ObjectId, RegionId},
};
use envelope::keys::Wrapped;
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    Lock, StoreError, VaultStore, VersionId, Versioning, WriteConditions,
    copy_change::end_copies,
    lock::default_retention,
    preserve,
    row::{blob_id, flag, get, signed},
    version,
    writer::{Change, Needs, Row},
};
use crate::blobs::{BlobId, SealedDigest};

/// An object to be recorded.
#[derive(Debug, Clone)]
pub struct NewObject {
    /// Its id.
    pub id: ObjectId,
    /// The bucket's row.
    pub bucket: i64,
    /// Its key.
    pub key: String,
    /// The account's row.
    pub account: i64,
    /// Where it lies.
    pub region: RegionId,
    /// What it is.
    pub category: Category,
    /// The time it concerns.
    pub concerns_at: Timestamp,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: String,
    /// When it was stored.
    pub modified_at: Timestamp,
    /// Its key, wrapped for this very category and time.
    pub wrapped_key: Wrapped,
    /// The version of the account's key that wraps it.
    pub key_version: i64,
    /// Commitment to its content.
    pub commitment: [u8; 32],
    /// Its metadata, sealed.
    pub sealed_metadata: Vec<u8>,
    /// The lock that its owner asks for.
    pub lock: Lock,
}

/// A sealed body, or one piece of it.
#[derive(Debug, Clone)]
pub enum NewPart {
    /// Small: goes into the row.
    Inline(Vec<u8>, SealedDigest),
    /// In the blob store, and durable there already.
    Blob(BlobId, SealedDigest),
}

/// A blob that no row names any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freed {
    /// Where it lies: the region of the row that named it, which need not be its bucket's.
    pub region: RegionId,
    /// The blob.
    pub blob: BlobId,
}

/// What a change leaves behind: blobs that no row names any more, to be deleted.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// Those blobs.
    pub freed: Vec<Freed>,
    /// The version that was stored; nothing in a bucket that never kept versions.
    pub version: Option<VersionId>,
}

impl VaultStore {
    /// Records an object in the place of any that is there. Once this returns `Ok`, it is stored; after a failure of the
    /// database it may or may not be, so a blob must then be left to the sweep.
    ///
    /// # Errors
    /// When a condition does not hold, bucket or account key are gone, a lock is asked for where there are none, or the
    /// database fails.
    pub async fn put_object(
        &self,
        object: NewObject,
        body: NewPart,
        conditions: WriteConditions,
    ) -> Result<Written, StoreError> {
        let change = PutObject {
            object,
            body,
            conditions,
        };
        self.writer.change(change).await
    }

    /// Replaces an object's sealed metadata, if the object is still the one read before.
    ///
    /// # Errors
    /// [`StoreError::NoSuchKey`] when it was replaced or removed meanwhile.
    pub async fn replace_metadata(&self, object: ObjectId, sealed: Vec<u8>) -> Result<(), StoreError> {
        self.writer.change(ReplaceMetadata { object, sealed }).await
    }
}

struct PutObject {
    object: NewObject,
    body: NewPart,
    conditions: WriteConditions,
}

#[async_trait]
impl Change for PutObject {
    type Output = Written;
    fn needs(&self) -> Needs {
        Needs::Rows(vec![Row::Bucket(self.object.bucket)])
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<Written, StoreError> {
        let slot = admit(db, &self.object, &self.conditions).await?;
        let mut freed = slot.make_room(db).await?;
        // Made once more, it finds itself in its own place; its body is not free for that.
        if let NewPart::Blob(own, _) = &self.body {
            freed.retain(|freed| freed.blob != *own);
        }
        let parts = i64::from(matches!(self.body, NewPart::Blob(..)));
        let seq = insert(db, &self.object, &slot, parts, None).await?;
        match &self.body {
            NewPart::Inline(body, digest) => {
                sqlx::query("INSERT INTO inline (object, body, digest) VALUES ($1, $2, $3)")
                    .bind(seq)
                    .bind(body.as_slice())
                    .bind(digest.0.as_slice())
                    .execute(db)
                    .await?;
            }
            NewPart::Blob(blob, digest) => {
                sqlx::query(
                    "INSERT INTO part (object, number, blob, size, etag, modified_at, sealed_metadata, sealed_digest) \
                     VALUES ($1, 0, $2, $3, $4, $5, $6, $7)",
                )
                .bind(self.object.id.0.as_bytes().as_slice())
                .bind(blob.0.as_slice())
                .bind(signed(self.object.size))
                .bind(self.object.etag.as_str())
                .bind(self.object.modified_at.as_microsecond())
                .bind(&[][..])
                .bind(digest.0.as_slice())
                .execute(db)
                .await?;
            }
        }
        Ok(Written {
            freed,
            version: slot.version(&self.object),
        })
    }
}

/// An object that is in the way.
pub(super) struct Existing {
    pub seq: i64,
    pub id: Vec<u8>,
    pub parts: i64,
}

/// The place of a new object: what it replaces, what it follows, and its lock.
pub(super) struct Slot {
    versioning: Versioning,
    replaces: Option<Existing>,
    follows: Option<i64>,
    lock: Lock,
}

/// Checks, before anything is written, that bucket and account key are there, the conditions hold, and nothing locked is
/// replaced.
pub(super) async fn admit(
    db: &mut AnyConnection,
    object: &NewObject,
    conditions: &WriteConditions,
) -> Result<Slot, StoreError> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM account WHERE seq = $3 AND destroyed_at IS NULL), o.seq, o.id, o.etag, o.parts, \
         o.versioned, o.account, o.lock_mode, o.lock_until, coalesce(o.legal_hold, 0), b.versioning, b.object_lock, \
         b.lock_mode, b.lock_length, b.lock_unit, b.region, \
         EXISTS (SELECT 1 FROM account_key WHERE account = $3 AND region = $4 AND version = $5) \
         FROM bucket b LEFT JOIN object o ON o.bucket = $1 AND o.key = $2 AND o.latest = 1 WHERE b.seq = $1",
    )
    .bind(object.bucket)
    .bind(object.key.as_bytes())
    .bind(object.account)
    .bind(object.region.as_str())
    .bind(object.key_version)
    .fetch_optional(&mut *db)
    .await?
    .ok_or(StoreError::NoSuchBucket)?;
    // It may have been moved since the body was stored.
    if get::<&str>(&row, 15)? != object.region.as_str() {
        return Err(StoreError::BucketMoved);
    }
    if !flag(&row, 0)? {
        return Err(StoreError::AccountDestroyed);
    }
    // It was rotated since the body was sealed, or forgotten, and then another may be there in its place.
    if !flag(&row, 16)? {
        return Err(StoreError::Rotated);
    }
    let is_marker = get::<Option<i64>>(&row, 6)?.is_none();
    conditions.check(get::<Option<&str>>(&row, 3)?.filter(|_| !is_marker))?;
    let versioning = Versioning::of_number(get(&row, 10)?)?;
    let mut lock = object.lock;
    if get::<i64>(&row, 11)? == 1 {
        let default = default_retention(&row, [12, 13, 14])?;
        lock.retention = lock
            .retention
            .or(default.map(|default| default.from(object.modified_at)));
    } else if lock != Lock::default() {
        return Err(StoreError::NoLocks);
    }
    let mut slot = Slot {
        versioning,
        replaces: None,
        follows: None,
        lock,
    };
    if let Some(seq) = get::<Option<i64>>(&row, 1)? {
        let is_null = get::<i64>(&row, 5)? == 0;
        if versioning == Versioning::Never || (versioning == Versioning::Suspended && is_null) {
            Lock::of(&row, [7, 8, 9])?.allows_removal(object.modified_at, false)?;
            slot.replaces = Some(Existing {
                seq,
                id: get(&row, 2)?,
                parts: get(&row, 4)?,
            });
        } else {
            slot.follows = Some(seq);
        }
    }
    if versioning == Versioning::Suspended && slot.replaces.is_none() {
        let null = version::find(db, object.bucket, &object.key, Some(VersionId::Null)).await?;
        if let Some(null) = null {
            null.lock.allows_removal(object.modified_at, false)?;
            slot.replaces = Some(null.existing());
        }
    }
    Ok(slot)
}

impl Slot {
    /// Removes what is replaced, and lets what is followed be the latest no longer.
    pub(super) async fn make_room(&self, db: &mut AnyConnection) -> Result<Vec<Freed>, StoreError> {
        if let Some(seq) = self.follows {
            version::demote(db, seq).await?;
        }
        match &self.replaces {
            Some(existing) => remove(db, existing).await,
            None => Ok(Vec::new()),
        }
    }

    /// How the new version is named.
    pub(super) fn version(&self, object: &NewObject) -> Option<VersionId> {
        match self.versioning {
            Versioning::Never => None,
            other => Some(VersionId::of(other == Versioning::Enabled, object.id)),
        }
    }
}

/// Checks that the bucket still lies where what is to be recorded in it was stored: it may have been moved meanwhile.
pub(super) async fn still_there(
    db: &mut AnyConnection,
    bucket: i64,
    stored_in: &RegionId,
) -> Result<(), StoreError> {
    let region: Option<String> = sqlx::query_scalar("SELECT region FROM bucket WHERE seq = $1")
        .bind(bucket)
        .fetch_optional(db)
        .await?;
    match region {
        Some(region) if region == stored_in.as_str() => Ok(()),
        Some(_) => Err(StoreError::BucketMoved),
        None => Err(StoreError::NoSuchBucket),
    }
}

/// Removes an object, or takes it out of its owner's sight where a snapshot has it.
pub(super) async fn remove(db: &mut AnyConnection, object: &Existing) -> Result<Vec<Freed>, StoreError> {
    if preserve::keep(db, object).await? {
        return Ok(Vec::new());
    }
    if object.parts == 0 {
        sqlx::query("DELETE FROM inline WHERE object = $1")
            .bind(object.seq)
            .execute(&mut *db)
            .await?;
    }
    let row = sqlx::query(
        "DELETE FROM object WHERE seq = $1 RETURNING region, \
         (SELECT count(*) FROM object_copy c WHERE c.object = object.id)",
    )
    .bind(object.seq)
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let mut freed = match object.parts {
        0 => Vec::new(),
        _ => free_parts(db, &object.id, &RegionId::new(get::<String>(&row, 0)?)?).await?,
    };
    // What is deleted is deleted everywhere.
    if get::<i64>(&row, 1)? > 0 {
        freed.extend(end_copies(db, &object.id, None).await?);
    }
    Ok(freed)
}

/// Forgets the parts of an object or upload that lies in a region.
pub(super) async fn free_parts(
    db: &mut AnyConnection,
    object: &[u8],
    region: &RegionId,
) -> Result<Vec<Freed>, StoreError> {
    let rows = sqlx::query("DELETE FROM part WHERE object = $1 RETURNING blob")
        .bind(object)
        .fetch_all(db)
        .await?;
    freed(&rows, region)
}

/// What rows name in their first column, in a region.
pub(super) fn freed(rows: &[AnyRow], region: &RegionId) -> Result<Vec<Freed>, StoreError> {
    let of = |row| {
        Ok(Freed {
            region: region.clone(),
            blob: blob_id(row, 0)?,
        })
    };
    rows.iter().map(of).collect()
}

pub(super) async fn insert(
    db: &mut AnyConnection,
    object: &NewObject,
    slot: &Slot,
    parts: i64,
    upload: Option<&[u8]>,
) -> Result<i64, StoreError> {
    let retention = slot.lock.retention;
    let row = sqlx::query(
        "INSERT INTO object (id, bucket, key, account, region, category, concerns_at, size, etag, modified_at, \
         wrapped_key, commitment, sealed_metadata, parts, upload, versioned, lock_mode, lock_until, legal_hold, \
         key_version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) RETURNING seq",
    )
    .bind(object.id.0.as_bytes().as_slice())
    .bind(object.bucket)
    .bind(object.key.as_bytes())
    .bind(object.account)
    .bind(object.region.as_str())
    .bind(object.category.name())
    .bind(object.concerns_at.as_microsecond())
    .bind(signed(object.size))
    .bind(object.etag.as_str())
    .bind(object.modified_at.as_microsecond())
    .bind(object.wrapped_key.as_bytes())
    .bind(object.commitment.as_slice())
    .bind(object.sealed_metadata.as_slice())
    .bind(parts)
    .bind(upload)
    .bind(i64::from(slot.versioning == Versioning::Enabled))
    .bind(retention.map(|retention| retention.mode.name()))
    .bind(retention.map(|retention| retention.until.as_microsecond()))
    .bind(i64::from(slot.lock.legal_hold))
    .bind(object.key_version)
    .fetch_one(db)
    .await?;
    get(&row, 0)
}

struct ReplaceMetadata {
    object: ObjectId,
    sealed: Vec<u8>,
}

#[async_trait]
impl Change for ReplaceMetadata {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let done = sqlx::query("UPDATE object SET sealed_metadata = $1 WHERE id = $2")
            .bind(self.sealed.as_slice())
            .bind(self.object.0.as_bytes().as_slice())
            .execute(db)
            .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NoSuchKey);
        }
        Ok(())
    }
}
