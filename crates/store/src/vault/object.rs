//! Objects as they are found: their rows and the pieces of their bodies.

use casework::{
    demand::Category,
    ids::{AccountId, ObjectId, RegionId, TenantId},
};
use envelope::keys::WrappedChain;
use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::{
    Lock, StoreError, VaultStore, VersionId,
    row::{Owner, blob_id, bytes, category, digest, get, object_id, time, unsigned, utf8, wrapped},
};
use crate::blobs::{BlobId, SealedDigest};

/// An object as it is recorded.
#[derive(Debug, Clone)]
pub struct ObjectRow {
    /// Its row.
    pub seq: i64,
    /// Its id.
    pub id: ObjectId,
    /// Its key in the bucket.
    pub key: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which account.
    pub account: AccountId,
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
    /// Its wrapped key under the wrapped keys above; `None` when the account's key was destroyed.
    pub chain: Option<WrappedChain>,
    /// Commitment to its content.
    pub commitment: [u8; 32],
    /// Its metadata, sealed under its key.
    pub sealed_metadata: Vec<u8>,
    /// 0 when the sealed body is inline, else the number of pieces in the blob store.
    pub parts: u32,
    /// The upload it came from.
    pub upload: Option<[u8; 16]>,
    /// The sealed body, where it is inline and was asked for.
    pub inline: Option<Vec<u8>>,
    /// How the version is named, in a bucket that keeps versions.
    pub version: VersionId,
    /// What keeps it from being removed.
    pub lock: Lock,
    /// Whether region and keys are those of a copy, and its pieces lie with that ([`VaultStore::copy_of`]).
    pub is_copy: bool,
}

/// A piece of a body in the blob store.
#[derive(Debug, Clone)]
pub struct PartRow {
    /// 1 to 10,000; 0 for a body in one piece.
    pub number: u32,
    /// Where it lies.
    pub blob: BlobId,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: String,
    /// When it was stored.
    pub modified_at: Timestamp,
    /// Its digest and checksums, sealed under the object's key.
    pub sealed_metadata: Vec<u8>,
    /// The digest of the blob; `None` for what was stored before digests were kept.
    pub sealed_digest: Option<SealedDigest>,
}

macro_rules! object_sql {
    ($body:literal, $filter:literal) => {
        concat!(
            "SELECT o.seq, o.id, o.key, a.tenant, a.id, o.region, o.category, o.concerns_at, o.size, o.etag, ",
            "o.modified_at, o.wrapped_key, o.commitment, o.sealed_metadata, o.parts, o.upload, tk.wrapped, ",
            "ak.wrapped, ",
            $body,
            ", o.versioned, o.lock_mode, o.lock_until, o.legal_hold FROM object o JOIN account a ON a.seq = o.account ",
            "LEFT JOIN account_key ak ON ak.account = o.account AND ak.region = o.region ",
            "AND ak.version = o.key_version ",
            "LEFT JOIN tenant_key tk ON tk.tenant = a.tenant AND tk.region = o.region AND tk.version = ak.above ",
            $filter
        )
    };
}
pub(super) use object_sql;

pub(super) fn object_row(row: &AnyRow) -> Result<ObjectRow, StoreError> {
    let owner = Owner::of(row, [3, 4, 5, 16, 17])?;
    let id = object_id(row, 1)?;
    let (category, concerns_at) = (category(row, 6)?, time(row, 7)?);
    let wrapped_key = wrapped(get(row, 11)?)?;
    let upload = get::<Option<&[u8]>>(row, 15)?.map(TryInto::try_into).transpose();
    Ok(ObjectRow {
        seq: get(row, 0)?,
        id,
        key: utf8(row, 2)?,
        chain: owner.chain(id, category, concerns_at, wrapped_key),
        tenant: owner.tenant,
        account: owner.account,
        region: owner.region,
        category,
        concerns_at,
        size: unsigned(row, 8)?,
        etag: get(row, 9)?,
        modified_at: time(row, 10)?,
        commitment: bytes(row, 12)?,
        sealed_metadata: get(row, 13)?,
        parts: unsigned(row, 14)?,
        upload: upload.map_err(|_| StoreError::Nonsense("an upload"))?,
        inline: get(row, 18)?,
        version: VersionId::of(get::<i64>(row, 19)? == 1, id),
        lock: Lock::of(row, [20, 21, 22])?,
        is_copy: false,
    })
}

pub(super) fn part_row(row: &AnyRow) -> Result<PartRow, StoreError> {
    Ok(PartRow {
        number: unsigned(row, 0)?,
        blob: blob_id(row, 1)?,
        size: unsigned(row, 2)?,
        etag: get(row, 3)?,
        modified_at: time(row, 4)?,
        sealed_metadata: get(row, 5)?,
        sealed_digest: digest(row, 6)?,
    })
}

impl VaultStore {
    /// The object at `key`, without an inline body: this version, or the latest. A delete marker is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn object(
        &self,
        bucket: i64,
        key: &str,
        version: Option<VersionId>,
    ) -> Result<Option<ObjectRow>, StoreError> {
        const LATEST: &str = object_sql!("NULL", "WHERE o.bucket = $1 AND o.key = $2 AND o.latest = 1");
        const NULL: &str = object_sql!("NULL", "WHERE o.bucket = $1 AND o.key = $2 AND o.versioned = 0");
        const NAMED: &str = object_sql!(
            "NULL",
            "WHERE o.bucket = $1 AND o.key = $2 AND o.id = $3 AND o.versioned = 1"
        );
        self.at_key([LATEST, NULL, NAMED], bucket, key, version).await
    }

    /// The object at `key`, with its body where that is inline.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn object_with_body(
        &self,
        bucket: i64,
        key: &str,
        version: Option<VersionId>,
    ) -> Result<Option<ObjectRow>, StoreError> {
        const LATEST: &str = object_sql!(
            "i.body",
            "LEFT JOIN inline i ON i.object = o.seq WHERE o.bucket = $1 AND o.key = $2 AND o.latest = 1"
        );
        const NULL: &str = object_sql!(
            "i.body",
            "LEFT JOIN inline i ON i.object = o.seq WHERE o.bucket = $1 AND o.key = $2 AND o.versioned = 0"
        );
        const NAMED: &str = object_sql!(
            "i.body",
            "LEFT JOIN inline i ON i.object = o.seq \
             WHERE o.bucket = $1 AND o.key = $2 AND o.id = $3 AND o.versioned = 1"
        );
        self.at_key([LATEST, NULL, NAMED], bucket, key, version).await
    }

    async fn at_key(
        &self,
        [latest, null, named]: [&'static str; 3],
        bucket: i64,
        key: &str,
        version: Option<VersionId>,
    ) -> Result<Option<ObjectRow>, StoreError> {
        let query = match version {
            None => sqlx::query(latest).bind(bucket).bind(key.as_bytes()),
            Some(VersionId::Null) => sqlx::query(null).bind(bucket).bind(key.as_bytes()),
            Some(VersionId::Id(id)) => sqlx::query(named)
                .bind(bucket)
                .bind(key.as_bytes())
                .bind(id.0.as_bytes().to_vec()),
        };
        self.database
            .row(query)
            .await?
            .as_ref()
            .map(object_row)
            .transpose()
    }

    /// The object of this id, with its body where that is inline.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn object_by_id(&self, id: ObjectId) -> Result<Option<ObjectRow>, StoreError> {
        const SQL: &str = object_sql!("i.body", "LEFT JOIN inline i ON i.object = o.seq WHERE o.id = $1");
        let query = sqlx::query(SQL).bind(id.0.as_bytes().as_slice());
        query
            .fetch_optional(&self.database.pool)
            .await?
            .as_ref()
            .map(object_row)
            .transpose()
    }

    /// The pieces of a body, by number, after `after` and at most `max`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parts(
        &self,
        object: ObjectId,
        after: Option<u32>,
        max: u32,
    ) -> Result<Vec<PartRow>, StoreError> {
        let query = sqlx::query(
            "SELECT number, blob, size, etag, modified_at, sealed_metadata, sealed_digest FROM part \
             WHERE object = $1 AND number > $2 ORDER BY number LIMIT $3",
        )
        .bind(object.0.as_bytes().as_slice())
        .bind(after.map_or(-1, i64::from))
        .bind(i64::from(max));
        self.database.rows(query).await?.iter().map(part_row).collect()
    }

    /// Those of `blobs` that no row names: neither an object's, nor a copy's, nor that of a copy being made
    /// or of an object that is coming from another node.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unreferenced(&self, blobs: &[BlobId]) -> Result<Vec<BlobId>, StoreError> {
        let mut found = Vec::new();
        for blob in blobs {
            let named: Option<i64> = sqlx::query_scalar(
                "SELECT 1 FROM part WHERE blob = $1 UNION ALL \
                 SELECT 1 FROM object_copy_part WHERE blob = $1 UNION ALL \
                 SELECT 1 FROM transfer_part WHERE old_blob = $1 OR new_blob = $1 UNION ALL \
                 SELECT 1 FROM arrival_part WHERE blob = $1 LIMIT 1",
            )
            .bind(blob.0.as_slice())
            .fetch_optional(&self.database.pool)
            .await?;
            if named.is_none() {
                found.push(*blob);
            }
        }
        Ok(found)
    }
}
