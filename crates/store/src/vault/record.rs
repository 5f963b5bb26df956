//! Recording and removing objects: each change whole, in one transaction of the writer.

use async_trait::async_trait;
use casework::{
    demand::Category,
    ids::{ObjectId, RegionId},
};
use envelope::keys::Wrapped;
use jiff::Timestamp;
use sqlx::AnyConnection;

use super::{
    EtagMatch, StoreError, VaultStore, WriteConditions,
    row::{blob_id, flag, get, signed},
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
    /// Commitment to its content.
    pub commitment: [u8; 32],
    /// Its metadata, sealed.
    pub sealed_metadata: Vec<u8>,
}

/// A sealed body, or one piece of it.
#[derive(Debug, Clone)]
pub enum NewPart {
    /// Small: goes into the row.
    Inline(Vec<u8>, SealedDigest),
    /// In the blob store, and durable there already.
    Blob(BlobId, SealedDigest),
}

/// What a change leaves behind: blobs that no row names any more, to be deleted.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// Those blobs.
    pub freed: Vec<BlobId>,
}

/// A removal.
#[derive(Debug, Clone)]
pub struct Removal {
    /// The bucket's row.
    pub bucket: i64,
    /// The key.
    pub key: String,
    /// What must hold.
    pub if_match: Option<EtagMatch>,
}

impl VaultStore {
    /// Records an object in the place of any that is there. Once this returns `Ok`, it is stored; after a failure of the
    /// database it may or may not be, so a blob must then be left to the sweep.
    ///
    /// # Errors
    /// When a condition does not hold, bucket or account key are gone, or the database fails.
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

    /// Removes an object. One that is not there counts as removed, unless a condition asks for it.
    ///
    /// # Errors
    /// When a condition does not hold, or the database fails.
    pub async fn remove_object(&self, removal: Removal) -> Result<Written, StoreError> {
        self.writer.change(removal).await
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
        let existing = admit(db, &self.object, &self.conditions).await?;
        still_there(db, self.object.bucket, &self.object.region).await?;
        let freed = match &existing {
            Some(existing) => remove(db, existing).await?,
            None => Vec::new(),
        };
        let parts = i64::from(matches!(self.body, NewPart::Blob(..)));
        let seq = insert(db, &self.object, parts, None).await?;
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
        Ok(Written { freed })
    }
}

/// An object that is in the way.
pub(super) struct Existing {
    seq: i64,
    id: Vec<u8>,
    parts: i64,
}

/// Checks, before anything is written, that bucket and account key are there and the conditions hold.
pub(super) async fn admit(
    db: &mut AnyConnection,
    object: &NewObject,
    conditions: &WriteConditions,
) -> Result<Option<Existing>, StoreError> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM bucket WHERE seq = $1), \
         EXISTS (SELECT 1 FROM account_key WHERE account = $3 AND region = $4), o.seq, o.id, o.etag, o.parts \
         FROM (SELECT 1 AS one) AS one LEFT JOIN object o ON o.bucket = $1 AND o.key = $2",
    )
    .bind(object.bucket)
    .bind(object.key.as_bytes())
    .bind(object.account)
    .bind(object.region.as_str())
    .fetch_one(db)
    .await?;
    if !flag(&row, 0)? {
        return Err(StoreError::NoSuchBucket);
    }
    if !flag(&row, 1)? {
        return Err(StoreError::AccountDestroyed);
    }
    conditions.check(get(&row, 4)?)?;
    Ok(match get::<Option<i64>>(&row, 2)? {
        Some(seq) => Some(Existing {
            seq,
            id: get(&row, 3)?,
            parts: get(&row, 5)?,
        }),
        None => None,
    })
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

pub(super) async fn remove(db: &mut AnyConnection, object: &Existing) -> Result<Vec<BlobId>, StoreError> {
    let freed = if object.parts > 0 {
        free_parts(db, &object.id).await?
    } else {
        sqlx::query("DELETE FROM inline WHERE object = $1")
            .bind(object.seq)
            .execute(&mut *db)
            .await?;
        Vec::new()
    };
    sqlx::query("DELETE FROM object WHERE seq = $1")
        .bind(object.seq)
        .execute(db)
        .await?;
    Ok(freed)
}

pub(super) async fn free_parts(db: &mut AnyConnection, object: &[u8]) -> Result<Vec<BlobId>, StoreError> {
    let rows = sqlx::query("DELETE FROM part WHERE object = $1 RETURNING blob")
        .bind(object)
        .fetch_all(db)
        .await?;
    rows.iter().map(|row| blob_id(row, 0)).collect()
}

pub(super) async fn insert(
    db: &mut AnyConnection,
    object: &NewObject,
    parts: i64,
    upload: Option<&[u8]>,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "INSERT INTO object (id, bucket, key, account, region, category, concerns_at, size, etag, modified_at, \
         wrapped_key, commitment, sealed_metadata, parts, upload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         RETURNING seq",
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
    .fetch_one(db)
    .await?;
    get(&row, 0)
}

#[async_trait]
impl Change for Removal {
    type Output = Written;
    fn needs(&self) -> Needs {
        Needs::Rows(vec![Row::Bucket(self.bucket)])
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<Written, StoreError> {
        let row = sqlx::query("SELECT seq, id, etag, parts FROM object WHERE bucket = $1 AND key = $2")
            .bind(self.bucket)
            .bind(self.key.as_bytes())
            .fetch_optional(&mut *db)
            .await?;
        let conditions = WriteConditions {
            if_match: self.if_match.clone(),
            if_none_match: None,
        };
        let Some(row) = row else {
            conditions.check(None)?;
            return Ok(Written::default());
        };
        conditions.check(Some(get(&row, 2)?))?;
        let existing = Existing {
            seq: get(&row, 0)?,
            id: get(&row, 1)?,
            parts: get(&row, 3)?,
        };
        Ok(Written {
            freed: remove(db, &existing).await?,
        })
    }
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
