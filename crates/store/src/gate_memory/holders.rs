//! Who holds tenants' keys beside the regions' roots, as far as the gate has seen.

use envelope::held::Custody;
use jiff::Timestamp;
use sqlx::AnyConnection;

use super::{GateMemory, MemoryError, integer};

impl GateMemory {
    /// The latest custody of a tenant's keys in a region of which a key was opened; `None` where none was ever held.
    ///
    /// # Errors
    /// When the memory cannot be read.
    pub async fn custody(&self, region: &str, tenant: &str) -> Result<Option<Custody>, MemoryError> {
        let mut connection = self.database.pool.acquire().await?;
        known(&mut connection, region, tenant).await
    }

    /// Notes that a key of this custody was opened. Returns once that is durable.
    ///
    /// # Errors
    /// [`MemoryError::Older`] where a later one, or another of the same change, is remembered; else when it cannot be
    /// written. The key must not be used then.
    pub async fn seen_custody(
        &self,
        region: &str,
        tenant: &str,
        custody: &Custody,
        now: Timestamp,
    ) -> Result<(), MemoryError> {
        let mut tx = self.database.begin().await?;
        let before = known(&mut tx, region, tenant).await?.unwrap_or_default();
        if !custody.may_follow(&before) {
            return Err(MemoryError::Older(before));
        }
        if *custody == before {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO gate_holders (region, tenant, change, holder, seen_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (region, tenant) DO UPDATE SET change = $3, holder = $4, seen_at = $5",
        )
        .bind(region)
        .bind(tenant)
        .bind(integer(custody.change)?)
        .bind(custody.holder.as_deref().unwrap_or_default())
        .bind(now.as_microsecond())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

async fn known(db: &mut AnyConnection, region: &str, tenant: &str) -> Result<Option<Custody>, MemoryError> {
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT change, holder FROM gate_holders WHERE region = $1 AND tenant = $2")
            .bind(region)
            .bind(tenant)
            .fetch_optional(db)
            .await?;
    let custody = |(change, holder): (i64, String)| {
        Ok(Custody {
            change: u64::try_from(change).map_err(|_| MemoryError::Corrupt("number"))?,
            holder: Some(holder).filter(|holder| !holder.is_empty()),
        })
    };
    row.map(custody).transpose()
}
