//! Reading: a tenant's entries, with the places that may be seen by now.

use casework::{
    ids::{Digest, TenantId},
    ledger::{Body, Entry, Place, SealedOpening, SlotContent, heads::NewestHead},
};
use jiff::{Timestamp, civil::Date};
use sqlx::AnyConnection;

use super::{HEADS_PAGE, LedgerStore, LedgerStoreError, PAGE_BYTES_MAX, PAGE_MAX};

impl LedgerStore {
    /// How far each tenant's ledger has come, by tenant, beginning after `after`: at most [`HEADS_PAGE`].
    ///
    /// # Errors
    /// When the database fails, or holds what it should not.
    pub async fn heads(&self, after: Option<&TenantId>) -> Result<Vec<NewestHead>, LedgerStoreError> {
        let rows: Vec<(String, i64, Vec<u8>, i64)> = sqlx::query_as(
            "SELECT tenant, length, head, last_at FROM ledger_chains WHERE tenant > $1 ORDER BY tenant LIMIT $2",
        )
        .bind(after.map_or("", TenantId::as_str))
        .bind(i64::from(HEADS_PAGE))
        .fetch_all(&self.database.pool)
        .await?;
        let head = |(tenant, length, head, last_at): (String, i64, Vec<u8>, i64)| {
            let at = (length > 0)
                .then(|| Timestamp::from_microsecond(last_at))
                .transpose();
            Ok(NewestHead {
                tenant: TenantId::new(tenant).map_err(|_| LedgerStoreError::Corrupt("tenant"))?,
                length: u64::try_from(length).map_err(|_| LedgerStoreError::Corrupt("length"))?,
                head: Digest(head.try_into().map_err(|_| LedgerStoreError::Corrupt("head"))?),
                at: at.map_err(|_| LedgerStoreError::Corrupt("time"))?,
            })
        };
        rows.into_iter().map(head).collect()
    }

    /// A tenant's entries in order, beginning after number `after`: at most `limit`, [`PAGE_MAX`], or [`PAGE_BYTES_MAX`].
    ///
    /// # Errors
    /// When the database fails, or holds what it should not.
    pub async fn page(
        &self,
        tenant: &TenantId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, LedgerStoreError> {
        let after = match after {
            Some(seq) => i64::try_from(seq).unwrap_or(i64::MAX),
            None => -1,
        };
        let mut tx = self.database.begin_reading().await?;
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT seq, entry FROM ledger_entries WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(after)
        .bind(i64::from(limit.clamp(1, PAGE_MAX)))
        .fetch_all(&mut *tx)
        .await?;
        let (mut entries, mut bytes) = (Vec::with_capacity(rows.len()), 0);
        for (seq, entry) in rows {
            bytes += entry.len();
            if bytes > PAGE_BYTES_MAX && !entries.is_empty() {
                break;
            }
            let mut entry: Entry =
                serde_json::from_slice(&entry).map_err(|_| LedgerStoreError::Corrupt("entry"))?;
            if let Body::Slot { day, .. } = &entry.body {
                entry.opened = opened(&mut tx, tenant, seq, *day).await?;
            }
            entries.push(entry);
        }
        tx.rollback().await?;
        Ok(entries)
    }
}

/// The places of a slot in which nothing is kept closed any more.
async fn opened(
    tx: &mut AnyConnection,
    tenant: &TenantId,
    seq: i64,
    day: Date,
) -> Result<Vec<Place>, LedgerStoreError> {
    let places: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT place, salt FROM ledger_places WHERE tenant = $1 AND seq = $2 AND place NOT IN \
         (SELECT place FROM ledger_sealed WHERE tenant = $1 AND seq = $2 AND free = 0) ORDER BY place",
    )
    .bind(tenant.as_str())
    .bind(seq)
    .fetch_all(&mut *tx)
    .await?;
    let mut opened = Vec::with_capacity(places.len());
    for (place, salt) in places {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT at, opening FROM ledger_sealed WHERE tenant = $1 AND seq = $2 AND place = $3 \
             ORDER BY case_id, at, record, number",
        )
        .bind(tenant.as_str())
        .bind(seq)
        .bind(place)
        .fetch_all(&mut *tx)
        .await?;
        let openings = rows.into_iter().map(|(at, opening)| {
            Ok(SealedOpening {
                at: Timestamp::from_microsecond(at).map_err(|_| LedgerStoreError::Corrupt("time"))?,
                opening: serde_json::from_slice(&opening)
                    .map_err(|_| LedgerStoreError::Corrupt("opening"))?,
            })
        });
        let content = SlotContent {
            tenant: tenant.clone(),
            day,
            openings: openings.collect::<Result<_, LedgerStoreError>>()?,
        };
        opened.push(Place {
            place: usize::try_from(place).map_err(|_| LedgerStoreError::Corrupt("place"))?,
            salt: Digest(salt.try_into().map_err(|_| LedgerStoreError::Corrupt("salt"))?),
            content,
        });
    }
    Ok(opened)
}
