//! Snapshots: what there was of some accounts when somebody had to preserve it.
//!
//! A snapshot names objects and copies nothing. What it names is not removed when its owner deletes or overwrites it: its row
//! moves out of the owner's sight ([`keep`]) and is removed when the last snapshot that has it ends. Its key and its body stay
//! as they are. Only [`VaultStore::preserved`] finds it meanwhile.

use async_trait::async_trait;
use casework::{
    demand::{Category, Window},
    ids::{AccountId, Digest, ObjectId, SnapshotId, TenantId},
};
use jiff::Timestamp;
use sqlx::AnyConnection;

use super::{
    ObjectRow, StoreError, VaultStore,
    object::{object_row, object_sql},
    record::{Existing, Freed, remove},
    row::{flag, get, object_id, unsigned},
    writer::Change,
};

/// Most objects of one snapshot.
pub const SNAPSHOT_OBJECTS_MAX: u64 = 1_000_000;
/// Objects let go of in one transaction when a snapshot ends.
pub const THAW_BATCH: u32 = 500;

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preserving {
    /// Its id.
    pub snapshot: SnapshotId,
    /// Accounts, each once.
    pub accounts: Vec<(TenantId, AccountId)>,
    /// Categories.
    pub categories: Vec<Category>,
    /// The time that the data concerns; all of it unless said.
    pub window: Option<Window>,
    /// Now.
    pub now: Timestamp,
}

/// What was frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frozen {
    /// How many objects.
    pub objects: u64,
    /// SHA-256 over their ids, ascending.
    pub digest: Digest,
}

impl VaultStore {
    /// Freezes what there is now. The same snapshot once more is what it was the first time.
    ///
    /// # Errors
    /// [`StoreError::SnapshotTooLarge`] over [`SNAPSHOT_OBJECTS_MAX`]; then nothing is frozen.
    pub async fn preserve(&self, preserving: Preserving) -> Result<Frozen, StoreError> {
        self.writer.change(preserving).await
    }

    /// Lets at most [`THAW_BATCH`] objects of a snapshot go. What its owner had deleted meanwhile is removed. The second is
    /// whether the snapshot has ended; one that is not there has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn thaw(&self, snapshot: SnapshotId) -> Result<(Vec<Freed>, bool), StoreError> {
        self.writer.change(Thaw(snapshot)).await
    }

    /// Objects of an account that a snapshot keeps and their owner deleted since, in these categories and this window, by
    /// time. At most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn preserved(
        &self,
        snapshot: SnapshotId,
        account: (&TenantId, &AccountId),
        category: Category,
        window: Option<Window>,
        limit: u32,
    ) -> Result<Vec<ObjectRow>, StoreError> {
        const SQL: &str = object_sql!(
            "NULL",
            "WHERE o.account = (SELECT seq FROM account WHERE tenant = $1 AND id = $2) AND o.category = $3 \
             AND o.concerns_at >= $4 AND o.concerns_at < $5 AND o.latest = 2 \
             AND EXISTS (SELECT 1 FROM snapshot_object s WHERE s.snapshot = $6 AND s.object = o.id) \
             ORDER BY o.concerns_at, o.seq LIMIT $7"
        );
        let (from, until) = bounds(window);
        let rows = sqlx::query(SQL)
            .bind(account.0.as_str())
            .bind(account.1.as_str())
            .bind(category.name())
            .bind(from)
            .bind(until)
            .bind(snapshot.0.as_bytes().as_slice())
            .bind(i64::from(limit))
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(object_row).collect()
    }
}

/// First and last microsecond, the second left out. Times are kept cut downwards, so a bound within a microsecond is its next
/// whole one.
fn bounds(window: Option<Window>) -> (i64, i64) {
    let bound = |at: Timestamp| at.as_microsecond() + i64::from(at.as_nanosecond() % 1000 > 0);
    window.map_or((i64::MIN, i64::MAX), |window| {
        (bound(window.from), bound(window.until))
    })
}

#[async_trait]
impl Change for Preserving {
    type Output = Frozen;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Frozen, StoreError> {
        let id = self.snapshot.0.as_bytes().as_slice();
        let known = sqlx::query("SELECT 1 FROM snapshot WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *db)
            .await?;
        if known.is_none() {
            self.refuse_too_large(db).await?;
            sqlx::query("INSERT INTO snapshot (id, made_at) VALUES ($1, $2)")
                .bind(id)
                .bind(self.now.as_microsecond())
                .execute(&mut *db)
                .await?;
            let (from, until) = bounds(self.window);
            for (tenant, account) in &self.accounts {
                for category in &self.categories {
                    sqlx::query(
                        "INSERT INTO snapshot_object (snapshot, object) SELECT $1, o.id FROM object o \
                         WHERE o.account = (SELECT seq FROM account WHERE tenant = $2 AND id = $3) AND o.category = $4 \
                         AND o.concerns_at >= $5 AND o.concerns_at < $6 AND o.latest <> 2 ON CONFLICT DO NOTHING",
                    )
                    .bind(id)
                    .bind(tenant.as_str())
                    .bind(account.as_str())
                    .bind(category.name())
                    .bind(from)
                    .bind(until)
                    .execute(&mut *db)
                    .await?;
                }
            }
        }
        let rows = sqlx::query("SELECT object FROM snapshot_object WHERE snapshot = $1 ORDER BY object")
            .bind(id)
            .fetch_all(&mut *db)
            .await?;
        let ids: Vec<ObjectId> = rows
            .iter()
            .map(|row| object_id(row, 0))
            .collect::<Result<_, _>>()?;
        let parts: Vec<&[u8]> = ids.iter().map(|id| id.0.as_bytes().as_slice()).collect();
        Ok(Frozen {
            objects: u64::try_from(ids.len()).unwrap_or(u64::MAX),
            digest: Digest::of(&parts),
        })
    }
}

impl Preserving {
    async fn refuse_too_large(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let (from, until) = bounds(self.window);
        let mut count: u64 = 0;
        for (tenant, account) in &self.accounts {
            for category in &self.categories {
                let row = sqlx::query(
                    "SELECT count(*) FROM object o \
                     WHERE o.account = (SELECT seq FROM account WHERE tenant = $1 AND id = $2) AND o.category = $3 \
                     AND o.concerns_at >= $4 AND o.concerns_at < $5 AND o.latest <> 2",
                )
                .bind(tenant.as_str())
                .bind(account.as_str())
                .bind(category.name())
                .bind(from)
                .bind(until)
                .fetch_one(&mut *db)
                .await?;
                count = count.saturating_add(unsigned(&row, 0)?);
            }
        }
        if count > SNAPSHOT_OBJECTS_MAX {
            return Err(StoreError::SnapshotTooLarge);
        }
        Ok(())
    }
}

struct Thaw(SnapshotId);

#[async_trait]
impl Change for Thaw {
    type Output = (Vec<Freed>, bool);
    async fn apply(&self, db: &mut AnyConnection) -> Result<Self::Output, StoreError> {
        let id = self.0.0.as_bytes().as_slice();
        let rows =
            sqlx::query("SELECT object FROM snapshot_object WHERE snapshot = $1 ORDER BY object LIMIT $2")
                .bind(id)
                .bind(i64::from(THAW_BATCH))
                .fetch_all(&mut *db)
                .await?;
        let mut freed = Vec::new();
        for row in &rows {
            let object: Vec<u8> = get(row, 0)?;
            sqlx::query("DELETE FROM snapshot_object WHERE snapshot = $1 AND object = $2")
                .bind(id)
                .bind(object.as_slice())
                .execute(&mut *db)
                .await?;
            let hidden = sqlx::query("SELECT seq, parts FROM object WHERE id = $1 AND latest = 2")
                .bind(object.as_slice())
                .fetch_optional(&mut *db)
                .await?;
            let Some(hidden) = hidden else { continue };
            let existing = Existing {
                seq: get(&hidden, 0)?,
                parts: get(&hidden, 1)?,
                id: object,
            };
            // Another snapshot may keep it still.
            freed.extend(remove(db, &existing).await?);
        }
        let ended = u32::try_from(rows.len()).unwrap_or(u32::MAX) < THAW_BATCH;
        if ended {
            sqlx::query("DELETE FROM snapshot WHERE id = $1")
                .bind(id)
                .execute(db)
                .await?;
        }
        Ok((freed, ended))
    }
}

/// Takes an object that is to be removed out of its owner's sight instead, where a snapshot has it. True where it did.
pub(super) async fn keep(db: &mut AnyConnection, object: &Existing) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT EXISTS (SELECT 1 FROM snapshot_object WHERE object = $1)")
        .bind(object.id.as_slice())
        .fetch_one(&mut *db)
        .await?;
    if !flag(&row, 0)? {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO bucket (tenant, name, region, default_account, mapping, created_at, versioning, object_lock) \
         SELECT a.tenant, 'preserved/' || o.region, o.region, a.id, '', o.modified_at, 1, 0 \
         FROM object o JOIN account a ON a.seq = o.account WHERE o.seq = $1 ON CONFLICT DO NOTHING",
    )
    .bind(object.seq)
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "UPDATE object SET latest = 2, versioned = 1, lock_mode = NULL, lock_until = NULL, legal_hold = 0, \
         bucket = (SELECT b.seq FROM bucket b JOIN account a ON a.tenant = b.tenant \
         WHERE a.seq = object.account AND b.name = 'preserved/' || object.region) WHERE seq = $1",
    )
    .bind(object.seq)
    .execute(db)
    .await?;
    Ok(true)
}
