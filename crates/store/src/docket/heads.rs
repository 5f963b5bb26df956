//! Sets of heads of the access ledgers, beside the docket's entries that commit to them.
//!
//! Trust: whoever reads here sees which tenants there are and how long their ledgers are; whoever writes here can make a set
//! that is in the docket impossible to show, but not show another one for its place.

use casework::{
    ids::{Digest, TenantId},
    ledger::heads::Head,
};
use jiff::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};
use translog::entry::Salt;

use super::{DocketStore, DocketStoreError, Result, signed, tuples, unsigned};

/// Most heads in one statement.
const AT_ONCE: usize = 1_000;

/// A set of heads, and what it takes to show it.
#[derive(Clone)]
pub struct KeptHeads {
    /// The entry that commits to it.
    pub position: u64,
    /// The entry that commits to the docket's first set.
    pub first: u64,
    /// When it was made, to the microsecond.
    pub at: Timestamp,
    /// The seed of its tree.
    pub seed: Salt,
    /// The salt of its entry.
    pub salt: Salt,
}

impl DocketStore {
    /// The newest set.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_heads(&self) -> Result<Option<KeptHeads>> {
        let row = sqlx::query(
            "SELECT position, first, at, seed, salt FROM docket_heads ORDER BY position DESC LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| read_set(&row)).transpose()
    }

    /// Sets in order, beginning with the one at `from`; at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn heads_from(&self, from: u64, limit: u32) -> Result<Vec<KeptHeads>> {
        let rows = sqlx::query(
            "SELECT position, first, at, seed, salt FROM docket_heads WHERE position >= $1 \
             ORDER BY position LIMIT $2",
        )
        .bind(i64::try_from(from).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read_set).collect()
    }

    /// The heads of a set, by tenant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn heads_of(&self, position: u64) -> Result<Vec<Head>> {
        let rows = sqlx::query(
            "SELECT tenant, since, length, head FROM docket_head WHERE position = $1 ORDER BY tenant",
        )
        .bind(signed(position)?)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read_head).collect()
    }

    /// The heads of one tenant with the entries that commit to them, in order, beginning with the one at `from`; at most
    /// `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn heads_of_tenant(
        &self,
        tenant: &TenantId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<(u64, Head)>> {
        let rows = sqlx::query(
            "SELECT tenant, since, length, head, position FROM docket_head WHERE tenant = $1 AND position >= $2 \
             ORDER BY position LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(i64::try_from(from).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let head = |row: &AnyRow| Ok((unsigned(row.try_get(4)?, "docket_head")?, read_head(row)?));
        rows.iter().map(head).collect()
    }

    /// The first set with this tenant in it: the entries that commit to it and to the set before it, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn heads_begin(&self, tenant: &TenantId) -> Result<Option<(Option<u64>, u64)>> {
        let row = sqlx::query(
            "SELECT since, (SELECT max(position) FROM docket_heads WHERE position < since) FROM \
             (SELECT min(position) AS since FROM docket_head WHERE tenant = $1) AS begun",
        )
        .bind(tenant.as_str())
        .fetch_one(&self.pool)
        .await?;
        let (since, before): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        let Some(since) = since else { return Ok(None) };
        let before = before
            .map(|before| unsigned(before, "docket_heads"))
            .transpose()?;
        Ok(Some((before, unsigned(since, "docket_head")?)))
    }
}

/// Keeps a set within the transaction that gives its entry its place.
pub(super) async fn keep(connection: &mut AnyConnection, set: &KeptHeads, heads: &[Head]) -> Result<()> {
    sqlx::query("INSERT INTO docket_heads (position, first, at, seed, salt) VALUES ($1, $2, $3, $4, $5)")
        .bind(signed(set.position)?)
        .bind(signed(set.first)?)
        .bind(set.at.as_microsecond())
        .bind(set.seed.0.to_vec())
        .bind(set.salt.0.to_vec())
        .execute(&mut *connection)
        .await?;
    for heads in heads.chunks(AT_ONCE) {
        let sql = format!(
            "INSERT INTO docket_head (position, tenant, since, length, head) VALUES {}",
            tuples(heads.len(), 5)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for head in heads {
            query = query
                .bind(signed(set.position)?)
                .bind(head.tenant.as_str())
                .bind(signed(head.since)?)
                .bind(signed(head.length)?)
                .bind(head.head.0.to_vec());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

fn read_set(row: &AnyRow) -> Result<KeptHeads> {
    let number = |column: usize| unsigned(row.try_get(column)?, "docket_heads");
    Ok(KeptHeads {
        position: number(0)?,
        first: number(1)?,
        at: Timestamp::from_microsecond(row.try_get(2)?)
            .map_err(|_| DocketStoreError::Row("docket_heads"))?,
        seed: Salt(bytes32(row, 3)?),
        salt: Salt(bytes32(row, 4)?),
    })
}

fn read_head(row: &AnyRow) -> Result<Head> {
    let bad = DocketStoreError::Row("docket_head");
    let tenant: String = row.try_get(0)?;
    Ok(Head {
        tenant: TenantId::new(tenant).map_err(|_| bad)?,
        since: unsigned(row.try_get(1)?, "docket_head")?,
        length: unsigned(row.try_get(2)?, "docket_head")?,
        head: Digest(bytes32(row, 3)?),
    })
}

fn bytes32(row: &AnyRow, column: usize) -> Result<[u8; 32]> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|_| DocketStoreError::Row("docket_head"))
}
