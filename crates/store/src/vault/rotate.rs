//! Rotation: a new version of a key beside the old one, then what the old one wraps, page by page, then the old one's end.
//!
//! Every step can be done again, and a crash between two of them leaves a rotation that goes on where it stopped: rows name
//! the version that wraps them, and an old version goes only when, in one transaction, no row names it.

use casework::{
    ids::{AccountId, ObjectId, RegionId, TenantId},
    record::label,
};
use envelope::{
    held::WrappedTenant,
    keys::{Label, Wrapped, WrappedAccount},
};
use sqlx::any::AnyRow;

use super::{
    StoreError, VaultStore,
    rotate_change::{
        AddAccountVersion, AddTenantVersion, EndAccount, EndTenant, MoveAccounts, MoveObjects,
        ReplaceTenantKeys,
    },
    row::{category, get, keys_above, object_id, time, wrapped, wrapped_tenant},
};

/// A tenant's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantKeyRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// Where.
    pub region: RegionId,
    /// Its version.
    pub version: i64,
    /// The key, wrapped.
    pub key: WrappedTenant,
}

/// An account's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountKeyRow {
    /// The account's row.
    pub seq: i64,
    /// The account.
    pub account: AccountId,
    /// The key's version.
    pub version: i64,
    /// The version of the tenant's key that wraps it.
    pub above: i64,
    /// The key, wrapped.
    pub key: Wrapped,
}

/// An account's key that was wrapped anew.
#[derive(Debug, Clone)]
pub struct MovedAccount {
    /// What it was.
    pub from: AccountKeyRow,
    /// The key, under the tenant's new one.
    pub to: Wrapped,
}

/// Where object keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Objects.
    Object,
    /// Uploads under way.
    Upload,
    /// Copies of objects that lie in another region.
    Copy,
}

/// An object's key, of an object or of an upload.
#[derive(Debug, Clone)]
pub struct ObjectKeyRow {
    /// The object's id.
    pub object: ObjectId,
    /// What it is recorded as.
    pub label: Label,
    /// The version of the account's key that wraps it.
    pub version: i64,
    /// The key, wrapped.
    pub key: Wrapped,
    /// Where a reader goes on.
    cursor: (String, i64, Vec<u8>),
}

/// An object's key that was wrapped anew.
#[derive(Debug, Clone)]
pub struct MovedObject {
    /// What it was.
    pub from: ObjectKeyRow,
    /// The key, under the account's new one.
    pub to: Wrapped,
}

impl VaultStore {
    /// Tenants' keys in the order of tenant, region and version, after `after`; of one tenant or region, where one is given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenant_keys(
        &self,
        tenant: Option<&TenantId>,
        region: Option<&RegionId>,
        after: Option<&TenantKeyRow>,
        limit: u32,
    ) -> Result<Vec<TenantKeyRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT tenant, region, version, wrapped FROM tenant_key \
             WHERE (tenant, region, version) > ($1, $2, $3) AND ($4 = '' OR tenant = $4) AND ($5 = '' OR region = $5) \
             ORDER BY tenant, region, version LIMIT $6",
        )
        .bind(after.map_or("", |row| row.tenant.as_str()))
        .bind(after.map_or("", |row| row.region.as_str()))
        .bind(after.map_or(0, |row| row.version))
        .bind(tenant.map_or("", TenantId::as_str))
        .bind(region.map_or("", RegionId::as_str))
        .bind(i64::from(limit))
        .fetch_all(&self.database.pool)
        .await?;
        let read = |row: &AnyRow| {
            Ok(TenantKeyRow {
                tenant: TenantId::new(get::<String>(row, 0)?)?,
                region: RegionId::new(get::<String>(row, 1)?)?,
                version: get(row, 2)?,
                key: wrapped_tenant(get(row, 3)?)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Puts other wraps of the same keys in the place of those read before: all of a tenant's keys in a region, together. A
    /// gate that met the new ones opens none of the old.
    ///
    /// # Errors
    /// [`StoreError::Rotated`] when they are not those any more, or not all: nothing is replaced then.
    pub async fn replace_tenant_keys(
        &self,
        tenant: TenantId,
        region: RegionId,
        keys: Vec<(TenantKeyRow, WrappedTenant)>,
    ) -> Result<(), StoreError> {
        let change = ReplaceTenantKeys { tenant, region, keys };
        self.writer.change(change).await
    }

    /// Records a new key of a tenant beside those it has, and gives its version. New accounts' keys are wrapped under it
    /// from then on.
    ///
    /// # Errors
    /// [`StoreError::Rotated`] when the newest was not `newest`: another rotation began, or its holder changed.
    pub async fn add_tenant_version(
        &self,
        newest: TenantKeyRow,
        key: WrappedTenant,
    ) -> Result<i64, StoreError> {
        self.writer.change(AddTenantVersion { newest, key }).await
    }

    /// Keys of a tenant's accounts in a region that are under an older version of its key than `newest`, from the account
    /// after `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account_keys_below(
        &self,
        tenant: &TenantId,
        region: &RegionId,
        newest: i64,
        after: i64,
        limit: u32,
    ) -> Result<Vec<AccountKeyRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT ak.account, a.id, ak.version, ak.above, ak.wrapped FROM account_key ak \
             JOIN account a ON a.seq = ak.account WHERE ak.account > $1 AND ak.region = $2 AND ak.above < $3 \
             AND a.tenant = $4 ORDER BY ak.account, ak.version LIMIT $5",
        )
        .bind(after)
        .bind(region.as_str())
        .bind(newest)
        .bind(tenant.as_str())
        .bind(i64::from(limit))
        .fetch_all(&self.database.pool)
        .await?;
        let read = |row: &AnyRow| {
            Ok(AccountKeyRow {
                seq: get(row, 0)?,
                account: AccountId::new(get::<String>(row, 1)?)?,
                version: get(row, 2)?,
                above: get(row, 3)?,
                key: wrapped(get(row, 4)?)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Records account keys as they are under the tenant's key of this version. One that was moved or destroyed meanwhile
    /// stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Rotated`] when that version is gone.
    pub async fn move_account_keys(
        &self,
        tenant: TenantId,
        region: RegionId,
        to: i64,
        moved: Vec<MovedAccount>,
    ) -> Result<u64, StoreError> {
        let change = MoveAccounts {
            tenant,
            region,
            to,
            moved,
        };
        self.writer.change(change).await
    }

    /// Forgets the tenant's keys before `newest`, unless an account's key is still under one of them.
    ///
    /// # Errors
    /// When the database fails. `false`: there is more to move.
    pub async fn end_tenant_rotation(
        &self,
        tenant: TenantId,
        region: RegionId,
        newest: i64,
    ) -> Result<bool, StoreError> {
        let change = EndTenant {
            tenant,
            region,
            newest,
        };
        self.writer.change(change).await
    }

    /// The keys of an account in a region with their versions, newest first; each under its tenant's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account_versions(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        region: &RegionId,
    ) -> Result<Vec<(i64, WrappedAccount)>, StoreError> {
        let rows = sqlx::query(
            "SELECT ak.version, tk.wrapped, ak.wrapped FROM account a JOIN account_key ak ON ak.account = a.seq \
             JOIN tenant_key tk ON tk.tenant = a.tenant AND tk.region = ak.region AND tk.version = ak.above \
             WHERE a.tenant = $1 AND a.id = $2 AND ak.region = $3 ORDER BY ak.version DESC",
        )
        .bind(tenant.as_str())
        .bind(account.as_str())
        .bind(region.as_str())
        .fetch_all(&self.database.pool)
        .await?;
        let mut found = Vec::new();
        for row in &rows {
            let keys = keys_above(tenant, account, region, (get(row, 1)?, get(row, 2)?))?;
            found.extend(
                keys.map(|keys| Ok::<_, StoreError>((get(row, 0)?, keys)))
                    .transpose()?,
            );
        }
        Ok(found)
    }

    /// Records a new key of an account beside those it has, under the tenant's key of version `above`, and gives its
    /// version. New objects' keys are wrapped under it from then on.
    ///
    /// # Errors
    /// [`StoreError::Rotated`] when the newest was not `newest`, or the tenant's key of that version is gone.
    pub async fn add_account_version(
        &self,
        account: (TenantId, i64),
        region: RegionId,
        newest: i64,
        (key, above): (Wrapped, i64),
    ) -> Result<i64, StoreError> {
        let change = AddAccountVersion {
            tenant: account.0,
            seq: account.1,
            region,
            newest,
            above,
            key,
        };
        self.writer.change(change).await
    }

    /// Keys of an account's objects, or uploads, in a region that are under an older version of its key than `newest`, from
    /// the row after `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn object_keys_below(
        &self,
        table: Table,
        (account, region): (i64, &RegionId),
        newest: i64,
        after: Option<&ObjectKeyRow>,
        limit: u32,
    ) -> Result<Vec<ObjectKeyRow>, StoreError> {
        let (sql, id) = match table {
            Table::Object => (OBJECTS_BELOW, false),
            Table::Upload => (UPLOADS_BELOW, true),
            Table::Copy => (COPIES_BELOW, true),
        };
        let (category, at, last) = after.map_or(("", i64::MIN, &[][..]), |row| {
            (&row.cursor.0, row.cursor.1, &row.cursor.2)
        });
        let mut query = sqlx::query(sql)
            .bind(account)
            .bind(region.as_str())
            .bind(newest)
            .bind(category)
            .bind(at);
        query = match id {
            true => query.bind(last),
            false => query.bind(seq_of(last)),
        };
        let rows = query
            .bind(i64::from(limit))
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(|row| object_key_row(row, id)).collect()
    }

    /// Records object keys in a region as they are under the account's key of this version. One that was moved, replaced or
    /// removed meanwhile stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_object_keys(
        &self,
        table: Table,
        region: RegionId,
        to: i64,
        moved: Vec<MovedObject>,
    ) -> Result<u64, StoreError> {
        let change = MoveObjects {
            table,
            region,
            to,
            moved,
        };
        self.writer.change(change).await
    }

    /// Forgets the account's keys before `newest`, unless an object or upload is still under one of them.
    ///
    /// # Errors
    /// When the database fails. `false`: there is more to move.
    pub async fn end_account_rotation(
        &self,
        account: i64,
        region: RegionId,
        newest: i64,
    ) -> Result<bool, StoreError> {
        let change = EndAccount {
            account,
            region,
            newest,
        };
        self.writer.change(change).await
    }
}

// In the order of the index that a release's scope uses too.
const OBJECTS_BELOW: &str = "SELECT id, category, concerns_at, key_version, wrapped_key, seq FROM object \
    WHERE account = $1 AND region = $2 AND key_version < $3 AND (category, concerns_at, seq) > ($4, $5, $6) \
    ORDER BY category, concerns_at, seq LIMIT $7";
const UPLOADS_BELOW: &str = "SELECT object, category, concerns_at, key_version, wrapped_key, id FROM upload \
    WHERE account = $1 AND region = $2 AND key_version < $3 AND (category, concerns_at, id) > ($4, $5, $6) \
    ORDER BY category, concerns_at, id LIMIT $7";
const COPIES_BELOW: &str = "SELECT c.object, o.category, o.concerns_at, c.key_version, c.wrapped_key, c.object \
    FROM object_copy c JOIN object o ON o.id = c.object \
    WHERE c.account = $1 AND c.region = $2 AND c.key_version < $3 \
    AND (o.category, o.concerns_at, c.object) > ($4, $5, $6) ORDER BY o.category, o.concerns_at, c.object LIMIT $7";

fn seq_of(bytes: &[u8]) -> i64 {
    bytes.try_into().map_or(-1, i64::from_be_bytes)
}

fn object_key_row(row: &AnyRow, id: bool) -> Result<ObjectKeyRow, StoreError> {
    let last = match id {
        true => get::<Vec<u8>>(row, 5)?,
        false => get::<i64>(row, 5)?.to_be_bytes().to_vec(),
    };
    Ok(ObjectKeyRow {
        object: object_id(row, 0)?,
        label: label(category(row, 1)?, time(row, 2)?),
        version: get(row, 3)?,
        key: wrapped(get(row, 4)?)?,
        cursor: (get(row, 1)?, get(row, 2)?, last),
    })
}
