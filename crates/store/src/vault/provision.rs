//! Regions, tenants and access keys.

use async_trait::async_trait;
use casework::{
    demand::CountryCode,
    facts::TenantKind,
    ids::{ProviderId, RegionId, TenantId},
};
use envelope::held::WrappedTenant;
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    StoreError, VaultStore,
    retire::must_not_be_retired,
    row::{flag, get, kind, kind_name, wrapped_tenant},
    writer::Change,
};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRow {
    /// Its id.
    pub id: TenantId,
    /// What it is.
    pub kind: TenantKind,
    /// Where it is established.
    pub country: CountryCode,
}

/// An access key to be recorded.
#[derive(Debug, Clone)]
pub struct NewAccess {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its secret, sealed under the deployment's key.
    pub sealed_secret: Vec<u8>,
    /// Whether whoever signs with it may pass over a retention in governance mode.
    pub bypass_governance: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An access key.
#[derive(Debug, Clone)]
pub struct AccessKeyRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its secret, sealed under the deployment's key.
    pub sealed_secret: Vec<u8>,
    /// Whether whoever signs with it may pass over a retention in governance mode.
    pub bypass_governance: bool,
}

impl VaultStore {
    /// Records a region. Said again alike, it changes nothing.
    ///
    /// # Errors
    /// When it is recorded with another country.
    pub async fn create_region(&self, id: RegionId, country: CountryCode) -> Result<(), StoreError> {
        self.writer.change(CreateRegion { id, country }).await
    }

    /// The regions, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn regions(&self) -> Result<Vec<(RegionId, CountryCode)>, StoreError> {
        let rows = sqlx::query("SELECT id, country FROM region ORDER BY id")
            .fetch_all(&self.database.pool)
            .await?;
        let read = |row| {
            Ok((
                RegionId::new(get::<String>(row, 0)?)?,
                CountryCode::new(get::<String>(row, 1)?)?,
            ))
        };
        rows.iter().map(read).collect()
    }

    /// Records a tenant. Said again alike, it changes nothing.
    ///
    /// # Errors
    /// When it is recorded with another kind or country.
    pub async fn create_tenant(&self, tenant: TenantRow, now: Timestamp) -> Result<(), StoreError> {
        self.writer.change(CreateTenant { tenant, now }).await
    }

    /// The tenants whose ids come after `after`, by id, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenants(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRow>, StoreError> {
        let sql = "SELECT id, kind, country FROM tenant WHERE id > $1 ORDER BY id LIMIT $2";
        let rows = sqlx::query(sql)
            .bind(after.map_or("", TenantId::as_str))
            .bind(i64::from(limit))
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(tenant_row).collect()
    }

    /// A tenant, if there is one of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<TenantRow>, StoreError> {
        let row = sqlx::query("SELECT id, kind, country FROM tenant WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.database.pool)
            .await?;
        row.as_ref().map(tenant_row).transpose()
    }

    /// The tenant's newest wrapped key in a region, and its version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenant_key(
        &self,
        tenant: &TenantId,
        region: &RegionId,
    ) -> Result<Option<(WrappedTenant, i64)>, StoreError> {
        let row = sqlx::query(NEWEST_KEY)
            .bind(tenant.as_str())
            .bind(region.as_str())
            .fetch_optional(&self.database.pool)
            .await?;
        row.as_ref().map(newest_key).transpose()
    }

    /// Records a tenant's wrapped key in a region, unless there is one; gives the one that is there then.
    ///
    /// # Errors
    /// When there is no such tenant or region.
    pub async fn add_tenant_key(
        &self,
        tenant: TenantId,
        region: RegionId,
        key: WrappedTenant,
    ) -> Result<(WrappedTenant, i64), StoreError> {
        self.writer.change(AddTenantKey { tenant, region, key }).await
    }

    /// Who is to hold the tenant's keys beside the regions' roots; `None` where nobody is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holder(&self, tenant: &TenantId) -> Result<Option<ProviderId>, StoreError> {
        let found: Option<Option<String>> = sqlx::query_scalar("SELECT holder FROM tenant WHERE id = $1")
            .bind(tenant.as_str())
            .fetch_optional(&self.database.pool)
            .await?;
        Ok(found.flatten().map(ProviderId::new).transpose()?)
    }

    /// States who is to hold the tenant's keys from now on, and whether that is the customer itself; keys that are there
    /// stay as they are.
    ///
    /// # Errors
    /// When there is no such tenant.
    pub async fn set_holder(
        &self,
        tenant: TenantId,
        holder: Option<ProviderId>,
        customer: bool,
    ) -> Result<(), StoreError> {
        let change = SetHolder {
            tenant,
            holder,
            customer,
        };
        self.writer.change(change).await
    }

    /// Records an access key.
    ///
    /// # Errors
    /// When there is no such tenant, or the id is taken.
    pub async fn create_access_key(&self, key: NewAccess) -> Result<(), StoreError> {
        self.writer.change(key).await
    }

    /// The access key of this id, unless it was disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_key(&self, id: &str) -> Result<Option<AccessKeyRow>, StoreError> {
        let sql = "SELECT tenant, sealed_secret, bypass_governance FROM access_key WHERE id = $1 AND disabled_at IS NULL";
        let Some(row) = self.database.row(sqlx::query(sql).bind(id)).await? else {
            return Ok(None);
        };
        Ok(Some(AccessKeyRow {
            tenant: TenantId::new(get::<String>(&row, 0)?)?,
            sealed_secret: get(&row, 1)?,
            bypass_governance: get::<i64>(&row, 2)? == 1,
        }))
    }

    /// Lets whoever signs with an access key pass over a retention in governance mode, or no longer.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn set_bypass_governance(&self, id: &str, may: bool) -> Result<(), StoreError> {
        let change = SetBypass {
            id: id.to_owned(),
            may,
        };
        self.writer.change(change).await
    }

    /// Disables an access key for good.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disable_access_key(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        let change = DisableAccess {
            id: id.to_owned(),
            now,
        };
        self.writer.change(change).await
    }
}

fn tenant_row(row: &AnyRow) -> Result<TenantRow, StoreError> {
    Ok(TenantRow {
        id: TenantId::new(get::<String>(row, 0)?)?,
        kind: kind(row, 1)?,
        country: CountryCode::new(get::<String>(row, 2)?)?,
    })
}

/// Checks that tenant and region are there.
pub(super) async fn must_exist(
    db: &mut AnyConnection,
    tenant: &TenantId,
    region: Option<&RegionId>,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM tenant WHERE id = $1), EXISTS (SELECT 1 FROM region WHERE id = $2)",
    )
    .bind(tenant.as_str())
    .bind(region.map(RegionId::as_str))
    .fetch_one(db)
    .await?;
    if !flag(&row, 0)? {
        return Err(StoreError::NoSuchTenant);
    }
    if region.is_some() && !flag(&row, 1)? {
        return Err(StoreError::NoSuchRegion);
    }
    Ok(())
}

struct CreateRegion {
    id: RegionId,
    country: CountryCode,
}

#[async_trait]
impl Change for CreateRegion {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let there: Option<String> = sqlx::query_scalar("SELECT country FROM region WHERE id = $1")
            .bind(self.id.as_str())
            .fetch_optional(&mut *db)
            .await?;
        match there {
            Some(country) if country == self.country.as_str() => return Ok(()),
            Some(_) => {
                return Err(StoreError::Exists {
                    what: self.id.to_string(),
                });
            }
            None => {}
        }
        sqlx::query("INSERT INTO region (id, country) VALUES ($1, $2)")
            .bind(self.id.as_str())
            .bind(self.country.as_str())
            .execute(db)
            .await?;
        Ok(())
    }
}

struct CreateTenant {
    tenant: TenantRow,
    now: Timestamp,
}

#[async_trait]
impl Change for CreateTenant {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let there = sqlx::query("SELECT id, kind, country FROM tenant WHERE id = $1")
            .bind(self.tenant.id.as_str())
            .fetch_optional(&mut *db)
            .await?;
        if let Some(row) = there {
            if tenant_row(&row)? == self.tenant {
                return Ok(());
            }
            let what = self.tenant.id.to_string();
            return Err(StoreError::Exists { what });
        }
        sqlx::query("INSERT INTO tenant (id, kind, country, created_at) VALUES ($1, $2, $3, $4)")
            .bind(self.tenant.id.as_str())
            .bind(kind_name(self.tenant.kind))
            .bind(self.tenant.country.as_str())
            .bind(self.now.as_microsecond())
            .execute(db)
            .await?;
        Ok(())
    }
}

struct AddTenantKey {
    tenant: TenantId,
    region: RegionId,
    key: WrappedTenant,
}

#[async_trait]
impl Change for AddTenantKey {
    type Output = (WrappedTenant, i64);
    async fn apply(&self, db: &mut AnyConnection) -> Result<(WrappedTenant, i64), StoreError> {
        must_exist(db, &self.tenant, Some(&self.region)).await?;
        must_not_be_retired(db, self.key.holder()).await?;
        sqlx::query(
            "INSERT INTO tenant_key (tenant, region, version, wrapped) SELECT $1, $2, 1, $3 \
             WHERE NOT EXISTS (SELECT 1 FROM tenant_key WHERE tenant = $1 AND region = $2)",
        )
        .bind(self.tenant.as_str())
        .bind(self.region.as_str())
        .bind(self.key.to_bytes())
        .execute(&mut *db)
        .await?;
        let row = sqlx::query(NEWEST_KEY)
            .bind(self.tenant.as_str())
            .bind(self.region.as_str())
            .fetch_one(db)
            .await?;
        newest_key(&row)
    }
}

const NEWEST_KEY: &str =
    "SELECT wrapped, version FROM tenant_key WHERE tenant = $1 AND region = $2 ORDER BY version DESC LIMIT 1";

fn newest_key(row: &AnyRow) -> Result<(WrappedTenant, i64), StoreError> {
    Ok((wrapped_tenant(get(row, 0)?)?, get(row, 1)?))
}

#[async_trait]
impl Change for NewAccess {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        must_exist(db, &self.tenant, None).await?;
        let done = sqlx::query(
            "INSERT INTO access_key (id, tenant, sealed_secret, created_at, bypass_governance) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(self.id.as_str())
        .bind(self.tenant.as_str())
        .bind(self.sealed_secret.as_slice())
        .bind(self.created_at.as_microsecond())
        .bind(i64::from(self.bypass_governance))
        .execute(db)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Exists {
                what: self.id.clone(),
            });
        }
        Ok(())
    }
}

struct SetBypass {
    id: String,
    may: bool,
}

#[async_trait]
impl Change for SetBypass {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let done =
            sqlx::query("UPDATE access_key SET bypass_governance = $1 WHERE id = $2 AND disabled_at IS NULL")
                .bind(i64::from(self.may))
                .bind(self.id.as_str())
                .execute(db)
                .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(StoreError::NoSuchAccessKey)
        }
    }
}

struct SetHolder {
    tenant: TenantId,
    holder: Option<ProviderId>,
    customer: bool,
}

#[async_trait]
impl Change for SetHolder {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        must_not_be_retired(db, self.holder.as_ref().map(ProviderId::as_str)).await?;
        let done = sqlx::query("UPDATE tenant SET holder = $1, holds_keys = $2 WHERE id = $3")
            .bind(self.holder.as_ref().map(ProviderId::as_str))
            .bind(i64::from(self.customer))
            .bind(self.tenant.as_str())
            .execute(db)
            .await?;
        match done.rows_affected() {
            0 => Err(StoreError::NoSuchTenant),
            _ => Ok(()),
        }
    }
}

struct DisableAccess {
    id: String,
    now: Timestamp,
}

#[async_trait]
impl Change for DisableAccess {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE access_key SET disabled_at = coalesce(disabled_at, $1), sealed_secret = $3 WHERE id = $2",
        )
        .bind(self.now.as_microsecond())
        .bind(self.id.as_str())
        .bind(&[][..])
        .execute(db)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(StoreError::NoSuchAccessKey)
        }
    }
}
