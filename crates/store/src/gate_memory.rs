//! What the gate remembers from one release to the next: used records, the last checkpoint of each log, how far each case
//! had come, where it took keys to for transfers, which trust policies were in force, and who holds tenants' keys since when.
//!
//! Trust: whoever controls this database alone opens nothing. Rolling it back lets a record, which two reviewers signed
//! and witnesses saw, be used a second time until it expires, hides a fork of the log from the gate though not from
//! the witnesses, and lets a tenant's key from before its holder took over open again. Keep it on the gate's own disk.

mod holders;
mod policies;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use casework::{
    chain::{self, BrokenChain},
    event::Header,
    gate::{Memory, Moved, Remember},
    ids::{CaseId, Digest, RecordId},
    record::AccountRef,
};
use envelope::held::Custody;
use jiff::Timestamp;
use sqlx::{AnyConnection, Row as _};
use translog::{Checkpoint, Hash};

use crate::{
    database::Database,
    ledger::{self, LedgerStoreError},
};

pub use self::policies::{OWED_MAX, OwedPolicy, PolicySeen};

/// Most logs whose checkpoints are remembered: as many as a trust policy may name.
pub const LOGS_MAX: usize = translog::policy::LOGS_MAX;

/// Why the gate's memory could not be read or written. Nothing may be opened then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The database failed; the source says how.
    #[error("the gate's memory failed")]
    Database(#[from] sqlx::Error),
    /// A row does not hold what it should.
    #[error("the gate's memory holds a bad {0}; stop the gate and restore it")]
    Corrupt(&'static str),
    /// The record was used in between.
    #[error("record `{0}` was used before")]
    Used(RecordId),
    /// Another release moved the remembered checkpoint in between.
    #[error("the gate's memory moved on while this release was being decided; decide again")]
    Moved,
    /// What was told of a case does not go on from what is remembered of it.
    #[error("the events do not go on from those that the gate remembers of the case")]
    Elsewhere(#[from] BrokenChain),
    /// The access ledger, which is written with it, failed.
    #[error(transparent)]
    Ledger(#[from] LedgerStoreError),
    /// A tenant's key is from before a change of holder that is remembered, or not of that holder.
    #[error("a later change of holder is remembered")]
    Older(Custody),
    /// Over [`LOGS_MAX`].
    #[error("the gate's memory has checkpoints of more than 64 logs")]
    TooManyLogs,
}

/// The gate's memory, as the gate needs it. One implementation keeps it; tests put faults before and after it.
#[async_trait]
pub trait Remembers: Send + Sync {
    /// What bears on a release of this record.
    ///
    /// # Errors
    /// When it cannot be read; then nothing is released.
    async fn recall(&self, record: RecordId, case: CaseId) -> Result<Memory, MemoryError>;

    /// Where keys of these accounts were taken to for transfers, wherever the accounts are said to lie.
    ///
    /// # Errors
    /// When it cannot be read; then nothing is released.
    async fn moved(&self, accounts: &[AccountRef]) -> Result<Vec<Moved>, MemoryError>;

    /// How far a case has come, by headers that go on from what is remembered of it, or from its beginning where nothing
    /// is. What is known already, or is shorter, changes nothing.
    ///
    /// # Errors
    /// [`MemoryError::Elsewhere`] where they do not go on from it; else when it cannot be written.
    async fn observe(&self, case: CaseId, headers: &[Header]) -> Result<(), MemoryError>;

    /// Makes a decision durable: returns only once it is, and all of it or nothing.
    ///
    /// # Errors
    /// When it is not certain to be durable; then nothing is released, and the record may be used up all the same.
    async fn remember(&self, decision: &Remember) -> Result<(), MemoryError>;

    /// Makes the decision on one batch of a transfer durable, all of it or nothing: the record with the first batch, and
    /// with each how far the transfer has come by `headers`, the checkpoint, and the accounts whose keys go where.
    ///
    /// # Errors
    /// When it is not certain to be durable; then no key is wrapped anew.
    async fn remember_batch(
        &self,
        decision: &Remember,
        headers: &[Header],
        to: &[AccountRef],
    ) -> Result<(), MemoryError>;
}

/// The gate's memory in a database. Cheap to clone.
#[derive(Clone)]
pub struct GateMemory {
    database: Database,
}

impl GateMemory {
    /// The memory in this database, which must sync every commit to disk.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Notes that this memory was put back from a backup: of records drawn up before, it cannot know whether they were used.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn restored(&self, at: Timestamp) -> Result<(), MemoryError> {
        sqlx::query("INSERT INTO gate_restored (restored_at) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(at.as_microsecond())
            .execute(&self.database.pool)
            .await?;
        Ok(())
    }
}

#[async_trait]
impl Remembers for GateMemory {
    async fn recall(&self, record: RecordId, case: CaseId) -> Result<Memory, MemoryError> {
        // One read transaction: what it says of record, case and logs is of one moment.
        let mut tx = self.database.begin_reading().await?;
        let memory = Memory {
            checkpoints: checkpoints(&mut tx).await?,
            used: sqlx::query("SELECT 1 FROM gate_used_records WHERE record = $1")
                .bind(record.0.as_bytes().as_slice())
                .fetch_optional(&mut *tx)
                .await?
                .is_some(),
            seen: seen(&mut tx, case).await?,
            restored_at: restored_at(&mut tx).await?,
            moved: Vec::new(),
        };
        tx.rollback().await?;
        Ok(memory)
    }

    async fn moved(&self, accounts: &[AccountRef]) -> Result<Vec<Moved>, MemoryError> {
        let mut moved = Vec::new();
        let ids: BTreeSet<_> = accounts.iter().map(|at| (&at.tenant, &at.account)).collect();
        for (tenant, account) in ids {
            let rows =
                sqlx::query("SELECT region, moved_at FROM gate_moves WHERE tenant = $1 AND account = $2")
                    .bind(tenant.as_str())
                    .bind(account.as_str())
                    .fetch_all(&self.database.pool)
                    .await?;
            for row in rows {
                let region: String = row.try_get("region")?;
                let at = Timestamp::from_microsecond(row.try_get("moved_at")?);
                let to = AccountRef {
                    tenant: tenant.clone(),
                    account: account.clone(),
                    region: region.parse().map_err(|_| MemoryError::Corrupt("region"))?,
                };
                let at = at.map_err(|_| MemoryError::Corrupt("time"))?;
                moved.push(Moved { to, at });
            }
        }
        Ok(moved)
    }

    async fn observe(&self, case: CaseId, headers: &[Header]) -> Result<(), MemoryError> {
        // One write transaction: what they go on from is what they replace.
        let mut tx = self.database.begin().await?;
        note_head(&mut tx, case, headers).await?;
        Ok(tx.commit().await?)
    }

    async fn remember(&self, decision: &Remember) -> Result<(), MemoryError> {
        let mut tx = self.database.begin().await?;
        if !use_up(&mut tx, decision).await? {
            return Err(MemoryError::Used(decision.record));
        }
        if let Some((new, replaces)) = &decision.checkpoint {
            replace_checkpoint(&mut tx, new, replaces.as_ref()).await?;
        }
        ledger::enter_in(&mut tx, &decision.ledger, decision.at).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn remember_batch(
        &self,
        decision: &Remember,
        headers: &[Header],
        to: &[AccountRef],
    ) -> Result<(), MemoryError> {
        let mut tx = self.database.begin().await?;
        // The customer's ledger tells of a transfer once.
        if use_up(&mut tx, decision).await? {
            ledger::enter_in(&mut tx, &decision.ledger, decision.at).await?;
        }
        note_head(&mut tx, decision.case, headers).await?;
        if let Some((new, replaces)) = &decision.checkpoint {
            replace_checkpoint(&mut tx, new, replaces.as_ref()).await?;
        }
        for account in to {
            sqlx::query(
                "INSERT INTO gate_moves (tenant, account, region, moved_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (tenant, account, region) DO UPDATE SET moved_at = excluded.moved_at \
                 WHERE excluded.moved_at > gate_moves.moved_at",
            )
            .bind(account.tenant.as_str())
            .bind(account.account.as_str())
            .bind(account.region.as_str())
            .bind(decision.at.as_microsecond())
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Notes that a record is used; `false` where it was before.
async fn use_up(tx: &mut AnyConnection, decision: &Remember) -> Result<bool, MemoryError> {
    let inserted = sqlx::query(
        "INSERT INTO gate_used_records (record, digest, case_id, length, head, used_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(decision.record.0.as_bytes().as_slice())
    .bind(decision.digest.0.as_slice())
    .bind(decision.case.0.as_bytes().as_slice())
    .bind(integer(decision.seen.0)?)
    .bind(decision.seen.1.0.as_slice())
    .bind(decision.at.as_microsecond())
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Notes how far a case has come, where that is further than is known.
async fn note_head(tx: &mut AnyConnection, case: CaseId, headers: &[Header]) -> Result<(), MemoryError> {
    let known = seen(&mut *tx, case).await?;
    let Some((length, head)) = chain::follow(case, known, headers)? else {
        return Ok(());
    };
    sqlx::query(
        "INSERT INTO gate_case_heads (case_id, length, head) VALUES ($1, $2, $3) \
         ON CONFLICT (case_id) DO UPDATE SET length = $2, head = $3 WHERE $2 > gate_case_heads.length",
    )
    .bind(case.0.as_bytes().as_slice())
    .bind(integer(length)?)
    .bind(head.0.as_slice())
    .execute(tx)
    .await?;
    Ok(())
}

async fn checkpoints(tx: &mut AnyConnection) -> Result<BTreeMap<String, Checkpoint>, MemoryError> {
    let limit = i64::try_from(LOGS_MAX).unwrap_or(i64::MAX).saturating_add(1);
    let rows = sqlx::query("SELECT origin, size, root FROM gate_checkpoints LIMIT $1")
        .bind(limit)
        .fetch_all(tx)
        .await?;
    if rows.len() > LOGS_MAX {
        return Err(MemoryError::TooManyLogs);
    }
    let mut checkpoints = BTreeMap::new();
    for row in rows {
        let origin: String = row.try_get("origin")?;
        let size: i64 = row.try_get("size")?;
        let root: Vec<u8> = row.try_get("root")?;
        let size = u64::try_from(size).map_err(|_| MemoryError::Corrupt("size"))?;
        let root = Hash(root.try_into().map_err(|_| MemoryError::Corrupt("root"))?);
        checkpoints.insert(origin.clone(), Checkpoint { origin, size, root });
    }
    Ok(checkpoints)
}

async fn restored_at(tx: &mut AnyConnection) -> Result<Option<Timestamp>, MemoryError> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT restored_at FROM gate_restored ORDER BY restored_at DESC LIMIT 1")
            .fetch_optional(tx)
            .await?;
    at.map(Timestamp::from_microsecond)
        .transpose()
        .map_err(|_| MemoryError::Corrupt("time"))
}

async fn seen(tx: &mut AnyConnection, case: CaseId) -> Result<Option<(u64, Digest)>, MemoryError> {
    let row = sqlx::query(
        "SELECT length, head FROM gate_used_records WHERE case_id = $1 \
         UNION ALL SELECT length, head FROM gate_case_heads WHERE case_id = $1 ORDER BY length DESC LIMIT 1",
    )
    .bind(case.0.as_bytes().as_slice())
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let length: i64 = row.try_get("length")?;
    let head: Vec<u8> = row.try_get("head")?;
    let length = u64::try_from(length).map_err(|_| MemoryError::Corrupt("length"))?;
    let head = head.try_into().map_err(|_| MemoryError::Corrupt("head"))?;
    Ok(Some((length, Digest(head))))
}

/// Compare and swap: the decision was made against the checkpoint that it replaces, or against none.
async fn replace_checkpoint(
    tx: &mut AnyConnection,
    new: &Checkpoint,
    replaces: Option<&Checkpoint>,
) -> Result<(), MemoryError> {
    let done = match replaces {
        None => sqlx::query(
            "INSERT INTO gate_checkpoints (origin, size, root) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(&new.origin)
        .bind(integer(new.size)?)
        .bind(new.root.0.as_slice())
        .execute(tx)
        .await?,
        Some(old) => sqlx::query(
            "UPDATE gate_checkpoints SET size = $1, root = $2 WHERE origin = $3 AND size = $4 AND root = $5",
        )
        .bind(integer(new.size)?)
        .bind(new.root.0.as_slice())
        .bind(&new.origin)
        .bind(integer(old.size)?)
        .bind(old.root.0.as_slice())
        .execute(tx)
        .await?,
    };
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(MemoryError::Moved)
    }
}

fn integer(number: u64) -> Result<i64, MemoryError> {
    i64::try_from(number).map_err(|_| MemoryError::Corrupt("number"))
}

#[cfg(test)]
mod tests;
