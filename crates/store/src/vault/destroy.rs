//! The end of keys, and its entry in the docket: both, or neither.

use std::sync::Arc;

use async_trait::async_trait;
use casework::ids::{AccountId, RegionId, TenantId};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    StoreError, VaultStore,
    account::destroy_in,
    provision::must_exist,
    row::{get, wrapped_tenant},
    writer::Change,
};
use crate::docket::{DocketStoreError, EntryId, NewEntry, enqueue_in};

/// Where wrapped keys and sealed secrets are that a destruction deletes or overwrites.
pub(crate) const KEY_TABLES: &[&str] = &["tenant_key", "account_key", "access_key"];

/// A key that was destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestroyedKey {
    /// The region.
    pub region: RegionId,
    /// The key's version.
    pub version: i64,
    /// SHA-256 of the key as it was wrapped.
    pub digest: [u8; 32],
}

/// What was destroyed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destroyed {
    /// The account's keys, or the tenant's: what is below them opens no more.
    pub keys: Vec<DestroyedKey>,
    /// The accounts that ended.
    pub accounts: Vec<AccountId>,
}

/// Makes the docket's entry for what was destroyed.
pub type Statement = Arc<dyn Fn(&Destroyed) -> Option<NewEntry> + Send + Sync>;

impl VaultStore {
    /// Forgets an account's wrapped keys, or a tenant's with those of all its accounts, in every region and in the
    /// write-ahead log too. The docket's entry for it commits with that. A tenant's access keys are disabled.
    ///
    /// # Errors
    /// When there is no such account or tenant, or the docket's queue is full: nothing is destroyed then.
    pub async fn destroy_logged(
        &self,
        tenant: TenantId,
        account: Option<AccountId>,
        now: Timestamp,
        statement: Statement,
    ) -> Result<(Destroyed, Option<EntryId>), StoreError> {
        let change = Destroy {
            tenant,
            account,
            now,
            statement,
        };
        self.writer.change(change).await
    }
}

struct Destroy {
    tenant: TenantId,
    account: Option<AccountId>,
    now: Timestamp,
    statement: Statement,
}

#[async_trait]
impl Change for Destroy {
    type Output = (Destroyed, Option<EntryId>);
    async fn apply(&self, db: &mut AnyConnection) -> Result<Self::Output, StoreError> {
        let destroyed = match &self.account {
            Some(account) => destroy_in(db, &self.tenant, account, self.now).await?,
            None => destroy_tenant(db, &self.tenant, self.now).await?,
        };
        // Done twice, there is nothing left to state.
        if destroyed.keys.is_empty() {
            return Ok((destroyed, None));
        }
        let failed = |why: String| StoreError::Database(sqlx::Error::Protocol(why));
        let entry = (self.statement)(&destroyed);
        let entry = entry.ok_or_else(|| failed("no statement about what is destroyed".to_owned()))?;
        // What was written must not stay without its entry: a failure of the queue fails the transaction.
        let ids = enqueue_in(db, std::slice::from_ref(&entry))
            .await
            .map_err(|error| match error {
                DocketStoreError::Database(error) => StoreError::Database(error),
                other => failed(other.to_string()),
            })?;
        Ok((destroyed, ids.first().copied()))
    }
    fn scrub(&self) -> &'static [&'static str] {
        KEY_TABLES
    }
}

async fn destroy_tenant(
    db: &mut AnyConnection,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<Destroyed, StoreError> {
    must_exist(db, tenant, None).await?;
    let locked = sqlx::query(
        "SELECT 1 FROM object WHERE account IN (SELECT seq FROM account WHERE tenant = $1) \
         AND (legal_hold = 1 OR lock_until > $2) LIMIT 1",
    )
    .bind(tenant.as_str())
    .bind(now.as_microsecond())
    .fetch_optional(&mut *db)
    .await?;
    let frozen = sqlx::query(
        "SELECT 1 FROM object o JOIN snapshot_object s ON s.object = o.id \
         JOIN account a ON a.seq = o.account WHERE a.tenant = $1 LIMIT 1",
    )
    .bind(tenant.as_str())
    .fetch_optional(&mut *db)
    .await?;
    if locked.is_some() || frozen.is_some() {
        return Err(StoreError::Locked);
    }
    let rows = sqlx::query("DELETE FROM tenant_key WHERE tenant = $1 RETURNING region, version, wrapped")
        .bind(tenant.as_str())
        .fetch_all(&mut *db)
        .await?;
    sqlx::query("DELETE FROM account_key WHERE account IN (SELECT seq FROM account WHERE tenant = $1)")
        .bind(tenant.as_str())
        .execute(&mut *db)
        .await?;
    let ended = sqlx::query(
        "UPDATE account SET destroyed_at = coalesce(destroyed_at, $1) WHERE tenant = $2 RETURNING id",
    )
    .bind(now.as_microsecond())
    .bind(tenant.as_str())
    .fetch_all(&mut *db)
    .await?;
    sqlx::query(
        "UPDATE access_key SET disabled_at = coalesce(disabled_at, $1), sealed_secret = $2 WHERE tenant = $3",
    )
    .bind(now.as_microsecond())
    .bind(&[][..])
    .bind(tenant.as_str())
    .execute(db)
    .await?;
    let key = |row: &AnyRow| {
        Ok(DestroyedKey {
            region: RegionId::new(get::<String>(row, 0)?)?,
            version: get(row, 1)?,
            digest: wrapped_tenant(get(row, 2)?)?.digest(),
        })
    };
    let account = |row: &AnyRow| Ok(AccountId::new(get::<String>(row, 0)?)?);
    Ok(Destroyed {
        keys: rows.iter().map(key).collect::<Result<_, StoreError>>()?,
        accounts: ended.iter().map(account).collect::<Result<_, StoreError>>()?,
    })
}
