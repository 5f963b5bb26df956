//! Multipart uploads. An upload has its object's id and key from the start, so that completing it moves no part.

use std::collections::BTreeMap;

use async_trait::async_trait;
use casework::{
    demand::Category,
    ids::{AccountId, ObjectId, RegionId},
};
use envelope::keys::{Wrapped, WrappedChain};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    NewObject, PartRow, StoreError, VaultStore, WriteConditions, Written,
    record::{Freed, admit, free_parts, freed, insert, still_there},
    row::{Owner, blob_id, bytes, category, flag, get, object_id, signed, time, unsigned, utf8, wrapped},
    writer::{Change, Needs, Row},
};
use crate::blobs::BlobId;

/// An upload to be begun.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// Its random id.
    pub id: [u8; 16],
    /// The object it will be.
    pub object: ObjectId,
    /// The bucket's row.
    pub bucket: i64,
    /// The key it will be stored at.
    pub key: String,
    /// The account's row.
    pub account: i64,
    /// Where it lies.
    pub region: RegionId,
    /// What it is.
    pub category: Category,
    /// The time it concerns.
    pub concerns_at: Timestamp,
    /// The object's key, wrapped.
    pub wrapped_key: Wrapped,
    /// The version of the account's key that wraps it.
    pub key_version: i64,
    /// Checksum algorithm and type, as the service writes them.
    pub checksum: Option<String>,
    /// What was said of the object at the start, sealed.
    pub sealed_metadata: Vec<u8>,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// An upload under way.
#[derive(Debug, Clone)]
pub struct UploadRow {
    /// Its id.
    pub id: [u8; 16],
    /// The object it will be.
    pub object: ObjectId,
    /// The key it will be stored at.
    pub key: String,
    /// The account's row.
    pub account_seq: i64,
    /// Its account.
    pub account: AccountId,
    /// Where it lies.
    pub region: RegionId,
    /// What it is.
    pub category: Category,
    /// The time it concerns.
    pub concerns_at: Timestamp,
    /// The object's wrapped key under the keys above; `None` when the account's key was destroyed.
    pub chain: Option<WrappedChain>,
    /// The object's own wrapped key.
    pub wrapped_key: Wrapped,
    /// The version of the account's key that wraps it.
    pub key_version: i64,
    /// Checksum algorithm and type.
    pub checksum: Option<String>,
    /// What was said of the object at the start, sealed.
    pub sealed_metadata: Vec<u8>,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// A completion.
#[derive(Debug, Clone)]
pub struct CompleteUpload {
    /// The upload.
    pub upload: [u8; 16],
    /// The object it becomes.
    pub object: NewObject,
    /// The parts it consists of, each with the blob that the caller saw there.
    pub parts: BTreeMap<u32, BlobId>,
    /// What must hold of an object in its place.
    pub conditions: WriteConditions,
}

macro_rules! upload_sql {
    ($filter:literal) => {
        concat!(
            "SELECT u.id, u.object, u.key, u.account, a.tenant, a.id, u.region, u.category, u.concerns_at, ",
            "u.wrapped_key, u.checksum, u.sealed_metadata, u.created_at, tk.wrapped, ak.wrapped, ",
            "u.key_version ",
            "FROM upload u JOIN account a ON a.seq = u.account ",
            "LEFT JOIN account_key ak ON ak.account = u.account AND ak.region = u.region ",
            "AND ak.version = u.key_version ",
            "LEFT JOIN tenant_key tk ON tk.tenant = a.tenant AND tk.region = u.region AND tk.version = ak.above ",
            $filter
        )
    };
}
pub(super) use upload_sql;

pub(super) fn upload_row(row: &AnyRow) -> Result<UploadRow, StoreError> {
    let owner = Owner::of(row, [4, 5, 6, 13, 14])?;
    let object = object_id(row, 1)?;
    let (category, concerns_at) = (category(row, 7)?, time(row, 8)?);
    let wrapped_key = wrapped(get(row, 9)?)?;
    Ok(UploadRow {
        id: bytes(row, 0)?,
        object,
        key: utf8(row, 2)?,
        account_seq: get(row, 3)?,
        chain: owner.chain(object, category, concerns_at, wrapped_key.clone()),
        account: owner.account,
        region: owner.region,
        category,
        concerns_at,
        wrapped_key,
        checksum: get(row, 10)?,
        sealed_metadata: get(row, 11)?,
        created_at: time(row, 12)?,
        key_version: get(row, 15)?,
    })
}

impl VaultStore {
    /// Records the beginning of an upload.
    ///
    /// # Errors
    /// When bucket or account key are gone, or the database fails.
    pub async fn begin_upload(&self, upload: NewUpload) -> Result<(), StoreError> {
        self.writer.change(upload).await
    }

    /// The upload of this id, at this very key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload(
        &self,
        bucket: i64,
        key: &str,
        id: [u8; 16],
    ) -> Result<Option<UploadRow>, StoreError> {
        const SQL: &str = upload_sql!("WHERE u.id = $1 AND u.bucket = $2 AND u.key = $3");
        let query = sqlx::query(SQL)
            .bind(id.as_slice())
            .bind(bucket)
            .bind(key.as_bytes());
        query
            .fetch_optional(&self.database.pool)
            .await?
            .as_ref()
            .map(upload_row)
            .transpose()
    }

    /// Records a part, in the place of any of the same number.
    ///
    /// # Errors
    /// When the upload ended, or the database fails.
    pub async fn put_part(&self, upload: [u8; 16], part: PartRow) -> Result<Written, StoreError> {
        self.writer.change(PutPart { upload, part }).await
    }

    /// Makes the upload an object.
    ///
    /// # Errors
    /// When the upload ended, a part changed meanwhile, a condition does not hold, or the database fails.
    pub async fn complete_upload(&self, completion: CompleteUpload) -> Result<Written, StoreError> {
        self.writer.change(completion).await
    }

    /// Ends an upload and forgets its parts.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn abort_upload(&self, upload: [u8; 16]) -> Result<Written, StoreError> {
        self.writer.change(AbortUpload(upload)).await
    }
}

#[async_trait]
impl Change for NewUpload {
    type Output = ();
    fn needs(&self) -> Needs {
        Needs::Rows(vec![Row::Bucket(self.bucket)])
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let row = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM bucket WHERE seq = $1), \
             EXISTS (SELECT 1 FROM account WHERE seq = $2 AND destroyed_at IS NULL), \
             EXISTS (SELECT 1 FROM account_key WHERE account = $2 AND region = $3 AND version = $4)",
        )
        .bind(self.bucket)
        .bind(self.account)
        .bind(self.region.as_str())
        .bind(self.key_version)
        .fetch_one(&mut *db)
        .await?;
        if !flag(&row, 0)? {
            return Err(StoreError::NoSuchBucket);
        }
        if !flag(&row, 1)? {
            return Err(StoreError::AccountDestroyed);
        }
        still_there(db, self.bucket, &self.region).await?;
        if !flag(&row, 2)? {
            return Err(StoreError::Rotated);
        }
        sqlx::query(
            "INSERT INTO upload (id, object, bucket, key, account, region, category, concerns_at, wrapped_key, \
             checksum, sealed_metadata, created_at, key_version) VALUES \
             ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(self.id.as_slice())
        .bind(self.object.0.as_bytes().as_slice())
        .bind(self.bucket)
        .bind(self.key.as_bytes())
        .bind(self.account)
        .bind(self.region.as_str())
        .bind(self.category.name())
        .bind(self.concerns_at.as_microsecond())
        .bind(self.wrapped_key.as_bytes())
        .bind(self.checksum.as_deref())
        .bind(self.sealed_metadata.as_slice())
        .bind(self.created_at.as_microsecond())
        .bind(self.key_version)
        .execute(db)
        .await?;
        Ok(())
    }
}

/// The object that an upload is to be, and where its parts lie.
async fn object_of(db: &mut AnyConnection, upload: [u8; 16]) -> Result<(Vec<u8>, RegionId), StoreError> {
    let row = sqlx::query("SELECT object, region FROM upload WHERE id = $1")
        .bind(upload.as_slice())
        .fetch_optional(db)
        .await?
        .ok_or(StoreError::NoSuchUpload)?;
    Ok((get(&row, 0)?, RegionId::new(get::<String>(&row, 1)?)?))
}

async fn forget(db: &mut AnyConnection, upload: [u8; 16]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM upload WHERE id = $1")
        .bind(upload.as_slice())
        .execute(db)
        .await?;
    Ok(())
}

struct PutPart {
    upload: [u8; 16],
    part: PartRow,
}

#[async_trait]
impl Change for PutPart {
    type Output = Written;
    fn needs(&self) -> Needs {
        Needs::Rows(vec![Row::Upload(self.upload)])
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<Written, StoreError> {
        let (object, region) = object_of(db, self.upload).await?;
        let replaced = sqlx::query("DELETE FROM part WHERE object = $1 AND number = $2 RETURNING blob")
            .bind(object.as_slice())
            .bind(i64::from(self.part.number))
            .fetch_all(&mut *db)
            .await?;
        sqlx::query(
            "INSERT INTO part (object, number, blob, size, etag, modified_at, sealed_metadata, sealed_digest) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(object.as_slice())
        .bind(i64::from(self.part.number))
        .bind(self.part.blob.0.as_slice())
        .bind(signed(self.part.size))
        .bind(self.part.etag.as_str())
        .bind(self.part.modified_at.as_microsecond())
        .bind(self.part.sealed_metadata.as_slice())
        .bind(self.part.sealed_digest.map(|digest| digest.0.to_vec()))
        .execute(db)
        .await?;
        let mut freed = freed(&replaced, &region)?;
        // Made once more, it finds itself there.
        freed.retain(|freed| freed.blob != self.part.blob);
        Ok(Written { freed, version: None })
    }
}

#[async_trait]
impl Change for CompleteUpload {
    type Output = Written;
    fn needs(&self) -> Needs {
        Needs::Rows(vec![Row::Bucket(self.object.bucket), Row::Upload(self.upload)])
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<Written, StoreError> {
        let (object, region) = object_of(db, self.upload).await?;
        let rows = sqlx::query("SELECT number, blob FROM part WHERE object = $1")
            .bind(object.as_slice())
            .fetch_all(&mut *db)
            .await?;
        let mut there = BTreeMap::new();
        for row in &rows {
            there.insert(unsigned::<u32>(row, 0)?, blob_id(row, 1)?);
        }
        for (number, blob) in &self.parts {
            if there.remove(number) != Some(*blob) {
                return Err(StoreError::NoSuchPart { number: *number });
            }
        }
        let slot = admit(db, &self.object, &self.conditions).await?;

        let mut freed = slot.make_room(db).await?;
        for (number, blob) in there {
            sqlx::query("DELETE FROM part WHERE object = $1 AND number = $2")
                .bind(object.as_slice())
                .bind(i64::from(number))
                .execute(&mut *db)
                .await?;
            freed.push(Freed {
                region: region.clone(),
                blob,
            });
        }
        let parts = i64::try_from(self.parts.len()).unwrap_or(i64::MAX);
        insert(db, &self.object, &slot, parts, Some(self.upload.as_slice())).await?;
        forget(db, self.upload).await?;
        Ok(Written {
            freed,
            version: slot.version(&self.object),
        })
    }
}

struct AbortUpload([u8; 16]);

#[async_trait]
impl Change for AbortUpload {
    type Output = Written;
    fn needs(&self) -> Needs {
        Needs::Rows(vec![Row::Upload(self.0)])
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<Written, StoreError> {
        let (object, region) = object_of(db, self.0).await?;
        let freed = free_parts(db, &object, &region).await?;
        forget(db, self.0).await?;
        Ok(Written { freed, version: None })
    }
}
