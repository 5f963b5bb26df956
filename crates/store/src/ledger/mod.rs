//! The access ledger's rows, in the gate's database: chains of entries, and what gags keep sealed.
//!
//! Trust: whoever controls this database alone opens nothing, and reads which tenants' keys were opened when, sealed ones
//! among them. What a tenant has fetched they cannot change without being found out; what it has not, they can leave out,
//! cut off or write anew.

mod reading;
mod writing;

use casework::{
    canonical::CanonicalError,
    ids::{CaseId, TenantId},
    ledger::{Entered, Telling},
};
use jiff::Timestamp;

use crate::database::Database;
pub(crate) use writing::enter_in;

/// Most entries of a page.
pub const PAGE_MAX: u32 = 200;
/// Most bytes of a page's entries; the first entry is given whatever its size.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most ledgers whose heads one call gives.
pub const HEADS_PAGE: u32 = 1_000;
/// Most cases with something sealed that one call lists.
pub const SEALED_PAGE: u32 = 200;
/// Most days whose slots are written at once: a ledger that lay still for longer has a clock that is wrong.
pub const SLOTS_MAX: i64 = 4_000;

/// Why the ledger could not be read or written. No key may be opened then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerStoreError {
    /// The database failed; the source says how.
    #[error("the access ledger's database failed")]
    Database(#[from] sqlx::Error),
    /// A row does not hold what it should.
    #[error("the access ledger holds a bad {0}; stop the gate and restore it")]
    Corrupt(&'static str),
    /// The clock is years ahead of the last entry.
    #[error(
        "the last day in the ledger of `{0}` is more than {SLOTS_MAX} days ago\nhint: set the gate's clock right"
    )]
    Clock(TenantId),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    NoRandomness,
    /// It cannot be hashed.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// The ledgers of every tenant. Cheap to clone.
#[derive(Clone)]
pub struct LedgerStore {
    database: Database,
}

impl LedgerStore {
    /// The ledgers in this database, which must sync every commit to disk.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Enters openings, in one transaction: returns once they are durable.
    ///
    /// # Errors
    /// When they are not certain to be.
    pub async fn enter(&self, openings: &[Entered], now: Timestamp) -> Result<(), LedgerStoreError> {
        let mut tx = self.database.begin().await?;
        enter_in(&mut tx, openings, now).await?;
        Ok(tx.commit().await?)
    }

    /// Writes the slots of days that are over, and begins the ledgers of tenants that have none yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn keep_slots(&self, tenants: &[TenantId], now: Timestamp) -> Result<(), LedgerStoreError> {
        let mut tx = self.database.begin().await?;
        for tenant in tenants {
            writing::keep_slots(&mut tx, tenant, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Lets everything of a case be seen by the customers who may be told of it. What lies in a place with another case's
    /// releases stays closed until those may be seen as well.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn unseal(&self, telling: &Telling) -> Result<(), LedgerStoreError> {
        let mut tx = self.database.begin().await?;
        for tenant in telling.tenants() {
            sqlx::query("UPDATE ledger_sealed SET free = 1 WHERE free = 0 AND case_id = $1 AND tenant = $2")
                .bind(telling.case().0.as_bytes().as_slice())
                .bind(tenant.as_str())
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Cases with something sealed, by id, beginning after `after`; at most [`SEALED_PAGE`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealed(&self, after: Option<CaseId>) -> Result<Vec<CaseId>, LedgerStoreError> {
        let after = after.map_or([0; 16], |case| *case.0.as_bytes());
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT DISTINCT case_id FROM ledger_sealed WHERE free = 0 AND case_id > $1 ORDER BY case_id LIMIT $2",
        )
        .bind(after.as_slice())
        .bind(i64::from(SEALED_PAGE))
        .fetch_all(&self.database.pool)
        .await?;
        let case = |bytes: Vec<u8>| uuid::Uuid::from_slice(&bytes).map(CaseId);
        let cases: Result<_, _> = rows.into_iter().map(|(bytes,)| case(bytes)).collect();
        cases.map_err(|_| LedgerStoreError::Corrupt("case"))
    }

    /// The customers from whom something of a case is sealed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealed_from(&self, case: CaseId) -> Result<Vec<TenantId>, LedgerStoreError> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT DISTINCT tenant FROM ledger_sealed WHERE free = 0 AND case_id = $1 ORDER BY tenant",
        )
        .bind(case.0.as_bytes().as_slice())
        .fetch_all(&self.database.pool)
        .await?;
        let tenants: Result<_, _> = rows.into_iter().map(|(id,)| TenantId::new(id)).collect();
        tenants.map_err(|_| LedgerStoreError::Corrupt("tenant"))
    }
}

#[cfg(test)]
mod tests;
