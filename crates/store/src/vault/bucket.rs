//! Buckets.

use async_trait::async_trait;
use casework::ids::{AccountId, RegionId, TenantId};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    StoreError, VaultStore, Written,
    provision::must_exist,
    row::{blob_id, flag, get, time},
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
}

fn bucket_row(row: &AnyRow) -> Result<BucketRow, StoreError> {
    Ok(BucketRow {
        seq: get(row, 0)?,
        name: get(row, 1)?,
        region: RegionId::new(get::<String>(row, 2)?)?,
        default_account: AccountId::new(get::<String>(row, 3)?)?,
        mapping: get(row, 4)?,
        created_at: time(row, 5)?,
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
        let row = sqlx::query(
            "SELECT seq, name, region, default_account, mapping, created_at FROM bucket WHERE tenant = $1 AND name = $2",
        )
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
        let rows = sqlx::query(
            "SELECT seq, name, region, default_account, mapping, created_at FROM bucket WHERE tenant = $1 ORDER BY name",
        )
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
        let row =
            sqlx::query("SELECT count(*), count(*) FILTER (WHERE name = $2) FROM bucket WHERE tenant = $1")
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
            "INSERT INTO bucket (tenant, name, region, default_account, mapping, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.tenant.as_str())
        .bind(self.name.as_str())
        .bind(self.region.as_str())
        .bind(self.default_account.as_str())
        .bind(self.mapping.as_str())
        .bind(self.created_at.as_microsecond())
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
        sqlx::query("DELETE FROM bucket WHERE seq = $1")
            .bind(self.0)
            .execute(db)
            .await?;
        Ok(written)
    }
}

/// Ends the uploads under way in a bucket.
pub(super) async fn end_uploads(db: &mut AnyConnection, bucket: i64) -> Result<Written, StoreError> {
    let freed = sqlx::query(
        "DELETE FROM part WHERE object IN (SELECT object FROM upload WHERE bucket = $1) RETURNING blob",
    )
    .bind(bucket)
    .fetch_all(&mut *db)
    .await?;
    sqlx::query("DELETE FROM upload WHERE bucket = $1")
        .bind(bucket)
        .execute(db)
        .await?;
    let freed = freed
        .iter()
        .map(|row| blob_id(row, 0))
        .collect::<Result<_, _>>()?;
    Ok(Written { freed })
}
