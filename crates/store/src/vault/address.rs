//! Which account used an internet address at a moment.

use std::net::IpAddr;

use async_trait::async_trait;
use casework::{
    facts::AccountFacts,
    ids::{AccountId, TenantId},
};
use jiff::Timestamp;
use sqlx::AnyConnection;

use super::{
    StoreError, VaultStore,
    account::{facts, find},
    writer::Change,
};

/// A time during which an account used an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressUse {
    /// The address.
    pub address: IpAddr,
    /// First and last source port, where many share the address; absent where it was the account's alone.
    pub ports: Option<(u16, u16)>,
    /// First instant.
    pub from: Timestamp,
    /// First instant after.
    pub until: Timestamp,
}

impl VaultStore {
    /// Records that an account used an address.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn add_address_use(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        used: AddressUse,
    ) -> Result<(), StoreError> {
        let change = AddAddressUse {
            tenant: tenant.clone(),
            account: account.clone(),
            used,
        };
        self.writer.change(change).await
    }

    /// Forgets what ended before that moment; gives how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_address_uses(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.writer.change(ForgetBefore(before)).await
    }

    /// The accounts of every tenant that used the address at that moment, by that port where one is given: one entry for each
    /// region in which the account has a key, at most `limit`. Without a port, all that shared it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_by_address(
        &self,
        address: IpAddr,
        port: Option<u16>,
        at: Timestamp,
        limit: u32,
    ) -> Result<Vec<AccountFacts>, StoreError> {
        let rows = sqlx::query(
            "SELECT a.tenant, a.id, t.kind, t.country, r.id, r.country, a.person_country, a.us_person, a.privileged, \
             t.holds_keys \
             FROM account a JOIN tenant t ON t.id = a.tenant JOIN account_key ak ON ak.account = a.seq \
             AND ak.version = (SELECT max(version) FROM account_key WHERE account = a.seq AND region = ak.region) \
             JOIN region r ON r.id = ak.region WHERE a.destroyed_at IS NULL AND a.seq IN \
             (SELECT account FROM address_use WHERE address = $1 AND from_at <= $2 AND until_at > $2 \
             AND port_from <= $3 AND port_until >= $4) \
             ORDER BY a.tenant, a.id, r.id LIMIT $5",
        )
        .bind(written(address))
        .bind(at.as_microsecond())
        .bind(port.map_or(i64::from(u16::MAX), i64::from))
        .bind(port.map_or(0, i64::from))
        .bind(i64::from(limit))
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter().map(facts).collect()
    }
}

/// One address has one form, also where it is a version 4 address in a version 6 coat.
fn written(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

struct AddAddressUse {
    tenant: TenantId,
    account: AccountId,
    used: AddressUse,
}

#[async_trait]
impl Change for AddAddressUse {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let (seq, _) = find(db, &self.tenant, &self.account)
            .await?
            .ok_or(StoreError::NoSuchAccount)?;
        let (first, last) = self.used.ports.unwrap_or((0, u16::MAX));
        sqlx::query(
            "INSERT INTO address_use (account, address, port_from, port_until, from_at, until_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (address, from_at, account, port_from) \
             DO UPDATE SET port_until = excluded.port_until, until_at = excluded.until_at",
        )
        .bind(seq)
        .bind(written(self.used.address))
        .bind(i64::from(first))
        .bind(i64::from(last))
        .bind(self.used.from.as_microsecond())
        .bind(self.used.until.as_microsecond())
        .execute(db)
        .await?;
        Ok(())
    }
}

struct ForgetBefore(Timestamp);

#[async_trait]
impl Change for ForgetBefore {
    type Output = u64;
    async fn apply(&self, db: &mut AnyConnection) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM address_use WHERE until_at <= $1")
            .bind(self.0.as_microsecond())
            .execute(db)
            .await?;
        Ok(done.rows_affected())
    }
}
