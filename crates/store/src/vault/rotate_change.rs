//! The changes that a rotation makes: each whole, in one transaction of the writer.

use async_trait::async_trait;
use casework::ids::{RegionId, TenantId};
use envelope::{held::WrappedTenant, keys::Wrapped};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::{
    MovedAccount, MovedObject, StoreError, Table, TenantKeyRow,
    account::must_have,
    retire::must_not_be_retired,
    row::{get, wrapped_tenant},
    writer::{Change, Needs},
};

/// Most rows changed by one statement. SQLite looks each `$n` up among those before it, by name: the cost grows with the square.
const MOVED_MAX: usize = 64;

pub(super) struct ReplaceTenantKeys {
    pub tenant: TenantId,
    pub region: RegionId,
    pub keys: Vec<(TenantKeyRow, WrappedTenant)>,
}

#[async_trait]
impl Change for ReplaceTenantKeys {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let there = sqlx::query(
            "SELECT version, wrapped FROM tenant_key WHERE tenant = $1 AND region = $2 ORDER BY version",
        )
        .bind(self.tenant.as_str())
        .bind(self.region.as_str())
        .fetch_all(&mut *db)
        .await?;
        if there.len() != self.keys.len() {
            return Err(StoreError::Rotated);
        }
        for (row, (from, _)) in there.iter().zip(&self.keys) {
            let of_these = from.tenant == self.tenant && from.region == self.region;
            let unchanged = get::<i64>(row, 0)? == from.version && wrapped_tenant(get(row, 1)?)? == from.key;
            if !(of_these && unchanged) {
                return Err(StoreError::Rotated);
            }
        }
        for (_, to) in &self.keys {
            must_not_be_retired(db, to.holder()).await?;
        }
        for (from, to) in &self.keys {
            sqlx::query(
                "UPDATE tenant_key SET wrapped = $1 WHERE tenant = $2 AND region = $3 AND version = $4",
            )
            .bind(to.to_bytes())
            .bind(self.tenant.as_str())
            .bind(self.region.as_str())
            .bind(from.version)
            .execute(&mut *db)
            .await?;
        }
        Ok(())
    }
    fn scrub(&self) -> &'static [&'static str] {
        &["tenant_key"]
    }
}

pub(super) struct AddTenantVersion {
    pub newest: TenantKeyRow,
    pub key: WrappedTenant,
}

#[async_trait]
impl Change for AddTenantVersion {
    type Output = i64;
    async fn apply(&self, db: &mut AnyConnection) -> Result<i64, StoreError> {
        let TenantKeyRow {
            tenant,
            region,
            version,
            key,
        } = &self.newest;
        let there = sqlx::query(
            "SELECT version, wrapped FROM tenant_key WHERE tenant = $1 AND region = $2 ORDER BY version DESC LIMIT 1",
        )
        .bind(tenant.as_str())
        .bind(region.as_str())
        .fetch_optional(&mut *db)
        .await?
        .ok_or(StoreError::Rotated)?;
        if get::<i64>(&there, 0)? != *version || wrapped_tenant(get(&there, 1)?)? != *key {
            return Err(StoreError::Rotated);
        }
        must_not_be_retired(db, self.key.holder()).await?;
        sqlx::query("INSERT INTO tenant_key (tenant, region, version, wrapped) VALUES ($1, $2, $3, $4)")
            .bind(tenant.as_str())
            .bind(region.as_str())
            .bind(version + 1)
            .bind(self.key.to_bytes())
            .execute(db)
            .await?;
        Ok(version + 1)
    }
}

pub(super) struct MoveAccounts {
    pub tenant: TenantId,
    pub region: RegionId,
    pub to: i64,
    pub moved: Vec<MovedAccount>,
}

#[async_trait]
impl Change for MoveAccounts {
    type Output = u64;
    async fn apply(&self, db: &mut AnyConnection) -> Result<u64, StoreError> {
        must_have(db, &self.tenant, &self.region, self.to).await?;
        let mut count = 0;
        for one in &self.moved {
            let done = sqlx::query(
                "UPDATE account_key SET wrapped = $1, above = $2 \
                 WHERE account = $3 AND region = $4 AND version = $5 AND above = $6",
            )
            .bind(one.to.as_bytes())
            .bind(self.to)
            .bind(one.from.seq)
            .bind(self.region.as_str())
            .bind(one.from.version)
            .bind(one.from.above)
            .execute(&mut *db)
            .await?;
            count += done.rows_affected();
        }
        Ok(count)
    }
}

pub(super) struct EndTenant {
    pub tenant: TenantId,
    pub region: RegionId,
    pub newest: i64,
}

#[async_trait]
impl Change for EndTenant {
    type Output = bool;
    async fn apply(&self, db: &mut AnyConnection) -> Result<bool, StoreError> {
        let named: Option<i64> = sqlx::query_scalar(
            "SELECT ak.above FROM account_key ak JOIN account a ON a.seq = ak.account \
             WHERE a.tenant = $1 AND ak.region = $2 AND ak.above < $3 LIMIT 1",
        )
        .bind(self.tenant.as_str())
        .bind(self.region.as_str())
        .bind(self.newest)
        .fetch_optional(&mut *db)
        .await?;
        if named.is_some() {
            return Ok(false);
        }
        sqlx::query("DELETE FROM tenant_key WHERE tenant = $1 AND region = $2 AND version < $3")
            .bind(self.tenant.as_str())
            .bind(self.region.as_str())
            .bind(self.newest)
            .execute(db)
            .await?;
        Ok(true)
    }
    fn scrub(&self) -> &'static [&'static str] {
        &["tenant_key"]
    }
}

pub(super) struct AddAccountVersion {
    pub tenant: TenantId,
    pub seq: i64,
    pub region: RegionId,
    pub newest: i64,
    pub above: i64,
    pub key: Wrapped,
}

#[async_trait]
impl Change for AddAccountVersion {
    type Output = i64;
    async fn apply(&self, db: &mut AnyConnection) -> Result<i64, StoreError> {
        must_have(db, &self.tenant, &self.region, self.above).await?;
        let newest: Option<i64> =
            sqlx::query_scalar("SELECT max(version) FROM account_key WHERE account = $1 AND region = $2")
                .bind(self.seq)
                .bind(self.region.as_str())
                .fetch_one(&mut *db)
                .await?;
        if newest != Some(self.newest) {
            return Err(StoreError::Rotated);
        }
        sqlx::query(
            "INSERT INTO account_key (account, region, version, above, wrapped) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(self.seq)
        .bind(self.region.as_str())
        .bind(self.newest + 1)
        .bind(self.above)
        .bind(self.key.as_bytes())
        .execute(db)
        .await?;
        Ok(self.newest + 1)
    }
}

pub(super) struct MoveObjects {
    pub table: Table,
    pub region: RegionId,
    pub to: i64,
    pub moved: Vec<MovedObject>,
}

impl MoveObjects {
    /// One statement for all rows, each by its id and the version it was read with. Numbers are of a region: what was moved
    /// to another one meanwhile may be under a key of the same number there.
    fn sql(&self, rows: usize) -> String {
        let (table, id) = match self.table {
            Table::Object => ("object", "id"),
            Table::Upload => ("upload", "object"),
            Table::Copy => ("object_copy", "object"),
        };
        let values: Vec<_> = (0..rows)
            .map(|row| format!("(${}, ${})", 2 * row + 4, 2 * row + 5))
            .collect();
        let values = values.join(", ");
        format!(
            "WITH moved (id, wrapped) AS (VALUES {values}) UPDATE {table} SET wrapped_key = moved.wrapped, \
             key_version = $1 FROM moved WHERE {table}.{id} = moved.id AND {table}.key_version = $2 \
             AND {table}.region = $3"
        )
    }
}

#[async_trait]
impl Change for MoveObjects {
    type Output = u64;
    fn needs(&self) -> Needs {
        // That an old version's end waits for it is all it needs: rows that others change meanwhile stay as they are.
        Needs::Rows(Vec::new())
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<u64, StoreError> {
        let mut count = 0;
        // Nearly always one: the version before.
        let mut versions: Vec<_> = self.moved.iter().map(|one| one.from.version).collect();
        versions.sort_unstable();
        versions.dedup();
        for version in versions {
            let rows: Vec<_> = self
                .moved
                .iter()
                .filter(|one| one.from.version == version)
                .collect();
            for rows in rows.chunks(MOVED_MAX) {
                let mut query = sqlx::query(AssertSqlSafe(self.sql(rows.len())))
                    .persistent(false)
                    .bind(self.to)
                    .bind(version)
                    .bind(self.region.as_str());
                for row in rows {
                    query = query
                        .bind(row.from.object.0.as_bytes().as_slice())
                        .bind(row.to.as_bytes());
                }
                count += query.execute(&mut *db).await?.rows_affected();
            }
        }
        Ok(count)
    }
}

pub(super) struct EndAccount {
    pub account: i64,
    pub region: RegionId,
    pub newest: i64,
}

#[async_trait]
impl Change for EndAccount {
    type Output = bool;
    async fn apply(&self, db: &mut AnyConnection) -> Result<bool, StoreError> {
        for sql in [
            "SELECT key_version FROM object WHERE account = $1 AND region = $2 AND key_version < $3 LIMIT 1",
            "SELECT key_version FROM upload WHERE account = $1 AND region = $2 AND key_version < $3 LIMIT 1",
            "SELECT key_version FROM object_copy WHERE account = $1 AND region = $2 AND key_version < $3 LIMIT 1",
        ] {
            let named: Option<i64> = sqlx::query_scalar(sql)
                .bind(self.account)
                .bind(self.region.as_str())
                .bind(self.newest)
                .fetch_optional(&mut *db)
                .await?;
            if named.is_some() {
                return Ok(false);
            }
        }
        sqlx::query("DELETE FROM account_key WHERE account = $1 AND region = $2 AND version < $3")
            .bind(self.account)
            .bind(self.region.as_str())
            .bind(self.newest)
            .execute(db)
            .await?;
        Ok(true)
    }
    fn scrub(&self) -> &'static [&'static str] {
        &["account_key"]
    }
}
