//! Changes to copies of objects: recorded, given up, and ended with their object.

use async_trait::async_trait;
use casework::ids::{CaseId, RegionId};
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    Relocation, StoreError,
    record::Freed,
    row::{blob_id, get},
    writer::{Change, Needs},
};

/// The version of the account's key in a region that wraps what is to lie there, where it is still the one that was used; and
/// whether an object's pieces, as they are now, were all copied by a transfer, from the region and under the key that it read.
pub(super) async fn ready(
    db: &mut AnyConnection,
    transfer: CaseId,
    (from, to): (&RegionId, &RegionId),
    relocation: &Relocation,
) -> Result<Option<i64>, StoreError> {
    let object = relocation.object.0.as_bytes();
    // The very pieces that were copied, and all of them. Whichever mover copied one: its row names a blob that was read
    // back, and that nobody removes while the row stands so.
    let row = sqlx::query(
        "SELECT o.parts, (SELECT count(*) FROM part p JOIN transfer_part t ON t.object = p.object \
         AND t.number = p.number AND t.old_blob = p.blob WHERE p.object = o.id AND t.transfer = $1 \
         AND t.copied = 1 AND t.moved = 0) FROM object o WHERE o.id = $2 AND o.region = $3 AND o.wrapped_key = $4",
    )
    .bind(transfer.0.as_bytes().as_slice())
    .bind(object.as_slice())
    .bind(from.as_str())
    .bind(relocation.old_key.as_bytes())
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if get::<i64>(&row, 0)? != get::<i64>(&row, 1)? {
        return Ok(None);
    }
    // One that was rotated in between: the mover comes by again.
    Ok(sqlx::query_scalar(
        "SELECT k.version FROM account_key k JOIN object o ON o.account = k.account \
         WHERE o.id = $1 AND k.region = $2 AND k.wrapped = $3",
    )
    .bind(object.as_slice())
    .bind(to.as_str())
    .bind(relocation.under.as_bytes())
    .fetch_optional(db)
    .await?)
}

/// Counts an object as done by a transfer.
pub(super) async fn count_done(
    db: &mut AnyConnection,
    transfer: CaseId,
    relocation: &Relocation,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO transfer_object (transfer, object, account, size) \
         SELECT $1, id, account, size FROM object WHERE id = $2 ON CONFLICT DO NOTHING",
    )
    .bind(transfer.0.as_bytes().as_slice())
    .bind(relocation.object.0.as_bytes().as_slice())
    .execute(db)
    .await?;
    Ok(())
}

pub(super) struct AddCopies {
    pub transfer: CaseId,
    pub from: RegionId,
    pub to: RegionId,
    pub objects: Vec<Relocation>,
}

#[async_trait]
impl Change for AddCopies {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let transfer = self.transfer.0.as_bytes();
        let given_up: Option<i64> =
            sqlx::query_scalar("SELECT objects FROM copies_withdrawn WHERE transfer = $1")
                .bind(transfer.as_slice())
                .fetch_optional(&mut *db)
                .await?;
        if given_up.is_some() {
            return Ok(());
        }
        for relocation in &self.objects {
            let object = relocation.object.0.as_bytes();
            let Some(version) = ready(db, self.transfer, (&self.from, &self.to), relocation).await? else {
                continue;
            };
            let added = sqlx::query(
                "INSERT INTO object_copy (object, region, account, wrapped_key, key_version, transfer, size) \
                 SELECT id, $1, account, $2, $3, $4, size FROM object WHERE id = $5 ON CONFLICT DO NOTHING",
            )
            .bind(self.to.as_str())
            .bind(relocation.new_key.as_bytes())
            .bind(version)
            .bind(transfer.as_slice())
            .bind(object.as_slice())
            .execute(&mut *db)
            .await?;
            // Another transfer's copy is there: what this one wrote is removed at its end.
            if added.rows_affected() == 0 {
                continue;
            }
            sqlx::query(
                "INSERT INTO object_copy_part (object, region, number, blob) \
                 SELECT object, $1, number, new_blob FROM transfer_part WHERE transfer = $2 AND object = $3",
            )
            .bind(self.to.as_str())
            .bind(transfer.as_slice())
            .bind(object.as_slice())
            .execute(&mut *db)
            .await?;
            sqlx::query("DELETE FROM transfer_part WHERE transfer = $1 AND object = $2")
                .bind(transfer.as_slice())
                .bind(object.as_slice())
                .execute(&mut *db)
                .await?;
            count_done(db, self.transfer, relocation).await?;
        }
        Ok(())
    }
}

pub(super) struct GiveCopiesUp {
    pub transfer: CaseId,
}

#[async_trait]
impl Change for GiveCopiesUp {
    type Output = ();
    fn needs(&self) -> Needs {
        Needs::Whole
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO copies_withdrawn (transfer, objects, bytes) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING",
        )
        .bind(self.transfer.0.as_bytes().as_slice())
        .execute(db)
        .await?;
        Ok(())
    }
}

pub(super) struct DropCopies {
    pub transfer: CaseId,
    pub limit: u32,
}

#[async_trait]
impl Change for DropCopies {
    type Output = bool;
    async fn apply(&self, db: &mut AnyConnection) -> Result<bool, StoreError> {
        let transfer = self.transfer.0.as_bytes();
        let rows = sqlx::query(
            "SELECT object, region, size FROM object_copy WHERE transfer = $1 ORDER BY object LIMIT $2",
        )
        .bind(transfer.as_slice())
        .bind(i64::from(self.limit))
        .fetch_all(&mut *db)
        .await?;
        let mut bytes: i64 = 0;
        for row in &rows {
            let (object, region): (Vec<u8>, String) = (get(row, 0)?, get(row, 1)?);
            bytes = bytes.saturating_add(get(row, 2)?);
            // Given up to be removed, as what a mover wrote in vain.
            sqlx::query(
                "INSERT INTO transfer_part (transfer, object, number, old_blob, new_blob, copied, moved) \
                 SELECT $1, object, number, blob, blob, 1, 2 FROM object_copy_part WHERE object = $2 AND region = $3 \
                 ON CONFLICT (transfer, object, number) DO UPDATE SET old_blob = excluded.old_blob, \
                 new_blob = excluded.new_blob, copied = 1, moved = 2",
            )
            .bind(transfer.as_slice())
            .bind(object.as_slice())
            .bind(region.as_str())
            .execute(&mut *db)
            .await?;
            for sql in [
                "DELETE FROM object_copy_part WHERE object = $1 AND region = $2",
                "DELETE FROM object_copy WHERE object = $1 AND region = $2",
            ] {
                sqlx::query(sql)
                    .bind(object.as_slice())
                    .bind(region.as_str())
                    .execute(&mut *db)
                    .await?;
            }
        }
        sqlx::query(
            "UPDATE copies_withdrawn SET objects = objects + $1, bytes = bytes + $2 WHERE transfer = $3",
        )
        .bind(i64::try_from(rows.len()).unwrap_or(i64::MAX))
        .bind(bytes)
        .bind(transfer.as_slice())
        .execute(db)
        .await?;
        Ok(!rows.is_empty())
    }
    fn scrub(&self) -> &'static [&'static str] {
        &["object_copy"]
    }
}

/// Forgets the copies of an object, in one region or in all; their pieces, to be deleted.
pub(super) async fn end_copies(
    db: &mut AnyConnection,
    object: &[u8],
    region: Option<&RegionId>,
) -> Result<Vec<Freed>, StoreError> {
    let only = region.map_or("", RegionId::as_str);
    sqlx::query("DELETE FROM object_copy WHERE object = $1 AND ($2 = '' OR region = $2)")
        .bind(object)
        .bind(only)
        .execute(&mut *db)
        .await?;
    let rows = sqlx::query(
        "DELETE FROM object_copy_part WHERE object = $1 AND ($2 = '' OR region = $2) RETURNING region, blob",
    )
    .bind(object)
    .bind(only)
    .fetch_all(db)
    .await?;
    let freed = |row: &AnyRow| {
        Ok(Freed {
            region: RegionId::new(get::<String>(row, 0)?)?,
            blob: blob_id(row, 1)?,
        })
    };
    rows.iter().map(freed).collect()
}
