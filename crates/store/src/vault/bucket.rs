//! Buckets.

use std::collections::BTreeMap;

use async_trait::async_trait;
use casework::ids::{AccountId, RegionId, TenantId};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    DefaultRetention, StoreError, VaultStore, Versioning, Written,
    lock::default_retention,
    provision::must_exist,
    record::free_parts,
    row::{flag, get, time},
    writer::Change,
};

/// A bucket to be recorded.
#[derive(Debug, Clone)]
pub struct NewBucketRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Where its objects lie.
    pub region: RegionId,
    /// Account of objects that name none.
    pub default_account: AccountId,
    /// Its mapping, as the service writes it.
    pub mapping: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether its objects can be locked; then it keeps versions, too.
    pub object_lock: bool,
    /// How many buckets a tenant may have.
    pub max: u32,
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct BucketRow {
    /// Its row.
    pub seq: i64,
    /// Its name.
    pub name: String,
    /// Where its objects lie.
    pub region: RegionId,
    /// Account of objects that name none.
    pub default_account: AccountId,
    /// Its mapping, as the service writes it.
    pub mapping: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Whether its objects can be locked.
    pub object_lock: bool,
    /// The retention of objects that state none.
    pub default_retention: Option<DefaultRetention>,
}

macro_rules! bucket_sql {
    ($filter:literal) => {
        concat!(
            "SELECT seq, name, region, default_account, mapping, created_at, versioning, object_lock, lock_mode, ",
            "lock_length, lock_unit FROM bucket ",
            $filter
        )
    };
}

fn bucket_row(row: &AnyRow) -> Result<BucketRow, StoreError> {
    Ok(BucketRow {
        seq: get(row, 0)?,
        name: get(row, 1)?,
        region: RegionId::new(get::<String>(row, 2)?)?,
        default_account: AccountId::new(get::<String>(row, 3)?)?,
        mapping: get(row, 4)?,
        created_at: time(row, 5)?,
        versioning: Versioning::of_number(get(row, 6)?)?,
        object_lock: get::<i64>(row, 7)? == 1,
        default_retention: default_retention(row, [8, 9, 10])?,
    })
}

impl VaultStore {
    /// Records a bucket.
    ///
    /// # Errors
    /// When there is one of this name, or as many as there may be, or no such tenant or region.
    pub async fn create_bucket(&self, bucket: NewBucketRow) -> Result<(), StoreError> {
        self.writer.change(bucket).await
    }

    /// What was set for a bucket beside its row: names and documents, as the service writes them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bucket_settings(&self, bucket: i64) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = sqlx::query("SELECT name, document FROM bucket_setting WHERE bucket = $1")
            .bind(bucket)
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
    }

    /// Sets one, or takes it away.
    ///
    /// # Errors
    /// When there is no such bucket.
    pub async fn set_bucket_setting(
        &self,
        bucket: i64,
        name: &'static str,
        document: Option<String>,
    ) -> Result<(), StoreError> {
        let change = SetBucketSetting {
            bucket,
            name,
            document,
        };
        self.writer.change(change).await
    }

    /// The buckets, of all tenants, that have a setting of this name: each with its tenant and row, after this row, at
    /// most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn buckets_with_setting(
        &self,
        name: &'static str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(TenantId, String, i64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT b.tenant, b.name, b.seq FROM bucket_setting s JOIN bucket b ON b.seq = s.bucket \
             WHERE s.name = $1 AND b.seq > $2 ORDER BY b.seq LIMIT $3",
        )
        .bind(name)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.database.pool)
        .await?;
        let read = |row| Ok((TenantId::new(get::<String>(row, 0)?)?, get(row, 1)?, get(row, 2)?));
        rows.iter().map(read).collect()
    }

    /// Deletes a bucket that holds no objects, and ends its uploads.
    ///
    /// # Errors
    /// When there is none, or it is not empty.
    pub async fn delete_bucket(&self, bucket: i64) -> Result<Written, StoreError> {
        self.writer.change(DeleteBucket(bucket)).await
    }

    /// A tenant's bucket.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bucket(&self, tenant: &TenantId, name: &str) -> Result<Option<BucketRow>, StoreError> {
        let row = sqlx::query(bucket_sql!("WHERE tenant = $1 AND name = $2"))
            .bind(tenant.as_str())
            .bind(name)
            .fetch_optional(&self.database.pool)
            .await?;
        row.as_ref().map(bucket_row).transpose()
    }

    /// A tenant's buckets, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn buckets(&self, tenant: &TenantId) -> Result<Vec<BucketRow>, StoreError> {
        let rows = sqlx::query(bucket_sql!(
            "WHERE tenant = $1 AND name NOT LIKE '%/%' ORDER BY name"
        ))
        .bind(tenant.as_str())
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter().map(bucket_row).collect()
    }
}

#[async_trait]
impl Change for NewBucketRow {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        must_exist(db, &self.tenant, Some(&self.region)).await?;
        let row = sqlx::query(
            "SELECT count(*), count(*) FILTER (WHERE name = $2) FROM bucket WHERE tenant = $1 AND name NOT LIKE '%/%'",
        )
                .bind(self.tenant.as_str())
                .bind(self.name.as_str())
                .fetch_one(&mut *db)
                .await?;
        if get::<i64>(&row, 1)? > 0 {
            let what = self.name.clone();
            return Err(StoreError::Exists { what });
        }
        if get::<i64>(&row, 0)? >= i64::from(self.max) {
            return Err(StoreError::TooManyBuckets { max: self.max });
        }
        sqlx::query(
            "INSERT INTO bucket (tenant, name, region, default_account, mapping, created_at, versioning, object_lock) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        )
        .bind(self.tenant.as_str())
        .bind(self.name.as_str())
        .bind(self.region.as_str())
        .bind(self.default_account.as_str())
        .bind(self.mapping.as_str())
        .bind(self.created_at.as_microsecond())
        .bind(i64::from(self.object_lock))
        .execute(db)
        .await?;
        Ok(())
    }
}

struct DeleteBucket(i64);

#[async_trait]
impl Change for DeleteBucket {
    type Output = Written;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Written, StoreError> {
        let row = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM bucket WHERE seq = $1), EXISTS (SELECT 1 FROM object WHERE bucket = $1)",
        )
        .bind(self.0)
        .fetch_one(&mut *db)
        .await?;
        if !flag(&row, 0)? {
            return Err(StoreError::NoSuchBucket);
        }
        if flag(&row, 1)? {
            return Err(StoreError::NotEmpty);
        }
        let written = end_uploads(db, self.0).await?;
        sqlx::query("DELETE FROM bucket_setting WHERE bucket = $1")
            .bind(self.0)
            .execute(&mut *db)
            .await?;
        sqlx::query("DELETE FROM bucket WHERE seq = $1")
            .bind(self.0)
            .execute(db)
            .await?;
        Ok(written)
    }
}

struct SetBucketSetting {
    bucket: i64,
    name: &'static str,
    document: Option<String>,
}

#[async_trait]
impl Change for SetBucketSetting {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let there = sqlx::query("SELECT 1 FROM bucket WHERE seq = $1")
            .bind(self.bucket)
            .fetch_optional(&mut *db)
            .await?;
        there.ok_or(StoreError::NoSuchBucket)?;
        let query = match &self.document {
            Some(document) => sqlx::query(
                "INSERT INTO bucket_setting (bucket, name, document) VALUES ($1, $2, $3) \
                 ON CONFLICT (bucket, name) DO UPDATE SET document = excluded.document",
            )
            .bind(self.bucket)
            .bind(self.name)
            .bind(document.as_str()),
            None => sqlx::query("DELETE FROM bucket_setting WHERE bucket = $1 AND name = $2")
                .bind(self.bucket)
                .bind(self.name),
        };
        query.execute(db).await?;
        Ok(())
    }
}

/// Ends the uploads under way in a bucket.
pub(super) async fn end_uploads(db: &mut AnyConnection, bucket: i64) -> Result<Written, StoreError> {
    let rows = sqlx::query("SELECT object, region FROM upload WHERE bucket = $1")
        .bind(bucket)
        .fetch_all(&mut *db)
        .await?;
    let mut freed = Vec::new();
    for row in &rows {
        let region = RegionId::new(get::<String>(row, 1)?)?;
        freed.extend(free_parts(db, &get::<Vec<u8>>(row, 0)?, &region).await?);
    }
    sqlx::query("DELETE FROM upload WHERE bucket = $1")
        .bind(bucket)
        .execute(db)
        .await?;
    Ok(Written { freed, version: None })
}
