//! Accounts: their wrapped keys, what is known of the person, and their end.

use async_trait::async_trait;
use casework::{
    demand::CountryCode,
    facts::AccountFacts,
    ids::{AccountId, RegionId, TenantId},
};
use envelope::keys::{Wrapped, WrappedAccount};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    StoreError, VaultStore,
    destroy::{Destroyed, DestroyedKey},
    provision::must_exist,
    row::{country, get, keys_above, kind, wrapped},
    writer::Change,
};

/// What is known of the person behind an account. `None` is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountDetails {
    /// Where the person resides.
    pub person_country: Option<CountryCode>,
    /// Whether a "United States person".
    pub us_person: Option<bool>,
    /// Whether bound by professional privilege.
    pub privileged: Option<bool>,
}

/// An account's row, and its newest key in a region.
#[derive(Debug, Clone)]
pub struct AccountRow {
    /// Its row.
    pub seq: i64,
    /// Its wrapped key there, and the key's version; `None` where it has none there.
    pub key: Option<(WrappedAccount, i64)>,
}

impl VaultStore {
    /// The account's row and newest wrapped key in a region.
    ///
    /// # Errors
    /// [`StoreError::AccountDestroyed`] when its key was destroyed.
    pub async fn account(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        region: &RegionId,
    ) -> Result<Option<AccountRow>, StoreError> {
        let query = sqlx::query(
            "SELECT a.seq, a.destroyed_at, tk.wrapped, ak.wrapped, ak.version FROM account a \
             LEFT JOIN account_key ak ON ak.account = a.seq AND ak.region = $3 \
             LEFT JOIN tenant_key tk ON tk.tenant = a.tenant AND tk.region = $3 AND tk.version = ak.above \
             WHERE a.tenant = $1 AND a.id = $2 ORDER BY ak.version DESC LIMIT 1",
        )
        .bind(tenant.as_str())
        .bind(account.as_str())
        .bind(region.as_str());
        let Some(row) = self.database.row(query).await? else {
            return Ok(None);
        };
        if get::<Option<i64>>(&row, 1)?.is_some() {
            return Err(StoreError::AccountDestroyed);
        }
        let keys = keys_above(tenant, account, region, (get(&row, 2)?, get(&row, 3)?))?;
        let version: Option<i64> = get(&row, 4)?;
        Ok(Some(AccountRow {
            seq: get(&row, 0)?,
            key: keys.zip(version),
        }))
    }

    /// Records an account's first wrapped key in a region, under the tenant's key of that version, and the account itself,
    /// unless they are there. Read it back with [`VaultStore::account`]: another caller may have been first.
    ///
    /// # Errors
    /// [`StoreError::AccountDestroyed`] when its key was destroyed; [`StoreError::Rotated`] when the tenant's key of that
    /// version is gone.
    pub async fn add_account_key(
        &self,
        tenant: TenantId,
        account: AccountId,
        key: Option<(RegionId, i64, Wrapped)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let change = AddAccount {
            tenant,
            account,
            key,
            now,
        };
        self.writer.change(change).await
    }

    /// States what is known of the person behind an account.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn describe_account(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        details: AccountDetails,
    ) -> Result<(), StoreError> {
        let change = DescribeAccount {
            tenant: tenant.clone(),
            account: account.clone(),
            details,
        };
        self.writer.change(change).await
    }

    /// Records another identifier of an account, in lower case.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn add_alias(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        alias: &str,
    ) -> Result<(), StoreError> {
        let change = AddAlias {
            tenant: tenant.clone(),
            account: account.clone(),
            alias: alias.to_lowercase(),
        };
        self.writer.change(change).await
    }

    /// Forgets an account's wrapped keys, in every region and in the write-ahead log too.
    ///
    /// # Errors
    /// When there is no such account, or [`StoreError::Locked`] while one of its versions is under retention or legal
    /// hold, in whatever mode: to destroy its key would be to remove it.
    pub async fn destroy_account(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Destroyed, StoreError> {
        let change = DestroyAccount {
            tenant: tenant.clone(),
            account: account.clone(),
            now,
        };
        self.writer.change(change).await
    }

    /// The accounts of every tenant that `identifier` names exactly, by id or alias: one entry for each region in which
    /// one has a key, at most `limit`. Accounts whose keys were destroyed are not among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_accounts(&self, identifier: &str, limit: u32) -> Result<Vec<AccountFacts>, StoreError> {
        let rows = sqlx::query(
            "SELECT a.tenant, a.id, t.kind, t.country, r.id, r.country, a.person_country, a.us_person, a.privileged, \
             t.holds_keys \
             FROM account a JOIN tenant t ON t.id = a.tenant JOIN account_key ak ON ak.account = a.seq \
             AND ak.version = (SELECT max(version) FROM account_key WHERE account = a.seq AND region = ak.region) \
             JOIN region r ON r.id = ak.region WHERE a.destroyed_at IS NULL AND a.seq IN \
             (SELECT seq FROM account WHERE id = $1 UNION SELECT account FROM alias WHERE alias = $1) \
             ORDER BY a.tenant, a.id, r.id LIMIT $2",
        )
        .bind(identifier.trim().to_lowercase())
        .bind(i64::from(limit))
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter().map(facts).collect()
    }
}

pub(super) fn facts(row: &AnyRow) -> Result<AccountFacts, StoreError> {
    Ok(AccountFacts {
        identified: None,
        tenant: TenantId::new(get::<String>(row, 0)?)?,
        account: AccountId::new(get::<String>(row, 1)?)?,
        tenant_kind: kind(row, 2)?,
        tenant_country: CountryCode::new(get::<String>(row, 3)?)?,
        region: RegionId::new(get::<String>(row, 4)?)?,
        region_country: CountryCode::new(get::<String>(row, 5)?)?,
        also_in: Vec::new(),
        left_out: Vec::new(),
        person_country: country(get(row, 6)?)?,
        us_person: truth(row, 7)?,
        privileged: truth(row, 8)?,
        customer_holds_keys: get::<Option<i64>>(row, 9)?.map(|holds| holds != 0),
    })
}

fn truth(row: &AnyRow, column: usize) -> Result<Option<bool>, StoreError> {
    Ok(get::<Option<i64>>(row, column)?.map(|number| number != 0))
}

/// Row and destruction of an account.
pub(super) async fn find(
    db: &mut AnyConnection,
    tenant: &TenantId,
    account: &AccountId,
) -> Result<Option<(i64, bool)>, StoreError> {
    let row = sqlx::query("SELECT seq, destroyed_at FROM account WHERE tenant = $1 AND id = $2")
        .bind(tenant.as_str())
        .bind(account.as_str())
        .fetch_optional(db)
        .await?;
    row.map(|row| Ok((get(&row, 0)?, get::<Option<i64>>(&row, 1)?.is_some())))
        .transpose()
}

struct AddAccount {
    tenant: TenantId,
    account: AccountId,
    key: Option<(RegionId, i64, Wrapped)>,
    now: Timestamp,
}

#[async_trait]
impl Change for AddAccount {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        must_exist(db, &self.tenant, self.key.as_ref().map(|(region, ..)| region)).await?;
        if let Some((region, above, _)) = &self.key {
            must_have(db, &self.tenant, region, *above).await?;
        }
        let seq = match find(db, &self.tenant, &self.account).await? {
            Some((_, true)) => return Err(StoreError::AccountDestroyed),
            Some((seq, false)) => seq,
            None => {
                let sql = "INSERT INTO account (tenant, id, created_at) VALUES ($1, $2, $3) RETURNING seq";
                let row = sqlx::query(sql)
                    .bind(self.tenant.as_str())
                    .bind(self.account.as_str())
                    .bind(self.now.as_microsecond())
                    .fetch_one(&mut *db)
                    .await?;
                get(&row, 0)?
            }
        };
        if let Some((region, above, key)) = &self.key {
            // A number that none of its keys there ever had: what was sealed under a forgotten one must not pass for this one's.
            sqlx::query(
                "INSERT INTO account_key (account, region, version, above, wrapped) SELECT $1, $2, \
                 1 + coalesce((SELECT version FROM account_key_forgotten WHERE account = $1 AND region = $2), 0), $3, $4 \
                 WHERE NOT EXISTS (SELECT 1 FROM account_key WHERE account = $1 AND region = $2)",
            )
            .bind(seq)
            .bind(region.as_str())
            .bind(*above)
            .bind(key.as_bytes())
            .execute(db)
            .await?;
        }
        Ok(())
    }
}

/// Checks that the tenant's key of this version is there.
pub(super) async fn must_have(
    db: &mut AnyConnection,
    tenant: &TenantId,
    region: &RegionId,
    version: i64,
) -> Result<(), StoreError> {
    let there: Option<i64> = sqlx::query_scalar(
        "SELECT version FROM tenant_key WHERE tenant = $1 AND region = $2 AND version = $3",
    )
    .bind(tenant.as_str())
    .bind(region.as_str())
    .bind(version)
    .fetch_optional(db)
    .await?;
    there.map(|_| ()).ok_or(StoreError::Rotated)
}

struct DescribeAccount {
    tenant: TenantId,
    account: AccountId,
    details: AccountDetails,
}

#[async_trait]
impl Change for DescribeAccount {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE account SET person_country = $1, us_person = $2, privileged = $3 WHERE tenant = $4 AND id = $5",
        )
        .bind(self.details.person_country.as_ref().map(CountryCode::as_str))
        .bind(self.details.us_person.map(i64::from))
        .bind(self.details.privileged.map(i64::from))
        .bind(self.tenant.as_str())
        .bind(self.account.as_str())
        .execute(db)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NoSuchAccount);
        }
        Ok(())
    }
}

struct AddAlias {
    tenant: TenantId,
    account: AccountId,
    alias: String,
}

#[async_trait]
impl Change for AddAlias {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let (seq, _) = find(db, &self.tenant, &self.account)
            .await?
            .ok_or(StoreError::NoSuchAccount)?;
        sqlx::query("INSERT INTO alias (alias, account) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(self.alias.as_str())
            .bind(seq)
            .execute(db)
            .await?;
        Ok(())
    }
}

struct DestroyAccount {
    tenant: TenantId,
    account: AccountId,
    now: Timestamp,
}

#[async_trait]
impl Change for DestroyAccount {
    type Output = Destroyed;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Destroyed, StoreError> {
        destroy_in(db, &self.tenant, &self.account, self.now).await
    }
    fn scrub(&self) -> &'static [&'static str] {
        &["account_key"]
    }
}

/// Forgets an account's wrapped keys, and gives what they were.
pub(super) async fn destroy_in(
    db: &mut AnyConnection,
    tenant: &TenantId,
    account: &AccountId,
    now: Timestamp,
) -> Result<Destroyed, StoreError> {
    let (seq, _) = find(db, tenant, account)
        .await?
        .ok_or(StoreError::NoSuchAccount)?;
    let locked = sqlx::query(
        "SELECT 1 FROM object WHERE account = $1 AND (legal_hold = 1 OR lock_until IS NOT NULL) \
         AND (legal_hold = 1 OR lock_until > $2) LIMIT 1",
    )
    .bind(seq)
    .bind(now.as_microsecond())
    .fetch_optional(&mut *db)
    .await?;
    let frozen = sqlx::query(
        "SELECT 1 FROM object o JOIN snapshot_object s ON s.object = o.id WHERE o.account = $1 LIMIT 1",
    )
    .bind(seq)
    .fetch_optional(&mut *db)
    .await?;
    if locked.is_some() || frozen.is_some() {
        return Err(StoreError::Locked);
    }
    sqlx::query("DELETE FROM address_use WHERE account = $1")
        .bind(seq)
        .execute(&mut *db)
        .await?;
    let rows = sqlx::query("DELETE FROM account_key WHERE account = $1 RETURNING region, version, wrapped")
        .bind(seq)
        .fetch_all(&mut *db)
        .await?;
    sqlx::query("UPDATE account SET destroyed_at = coalesce(destroyed_at, $1) WHERE seq = $2")
        .bind(now.as_microsecond())
        .bind(seq)
        .execute(db)
        .await?;
    let key = |row: &AnyRow| {
        Ok(DestroyedKey {
            region: RegionId::new(get::<String>(row, 0)?)?,
            version: get(row, 1)?,
            digest: wrapped(get(row, 2)?)?.digest(),
        })
    };
    Ok(Destroyed {
        keys: rows.iter().map(key).collect::<Result<_, StoreError>>()?,
        accounts: vec![account.clone()],
    })
}
