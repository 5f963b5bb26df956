//! Objects on their way to another region. Copies are planned before a byte is written and counted as made once they were
//! read back; then a row changes region, key and pieces at once, so that readers find an object in the one region or in
//! the other. Each step may be made again after a crash, and changes nothing the second time.
//!
//! Two movers at once lose nothing: each attempt at a copy writes to a blob of its own, the row of a piece names the one
//! that counts, and a row that was given up to be removed never changes an object again.

use async_trait::async_trait;
use casework::ids::{CaseId, ObjectId, RegionId, TenantId};
use envelope::keys::Wrapped;
use sqlx::AnyConnection;

use super::{
    ObjectRow, StoreError, VaultStore, Written,
    bucket::end_uploads,
    copy_change::{count_done, end_copies, ready},
    object::{object_row, object_sql},
    record::Freed,
    row::{blob_id, get, unsigned},
    writer::{Change, Needs},
};
use crate::blobs::BlobId;

/// Which objects move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of a bucket, by its row.
    Bucket(i64),
    /// Those of an account, by its row, in whatever bucket.
    Account(i64),
}

/// What is left in a region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What was moved or copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A copy of one piece of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copying {
    /// The piece's number.
    pub number: u32,
    /// Where it lies.
    pub old: BlobId,
    /// Where it is to lie.
    pub new: BlobId,
    /// It was read back and found equal.
    pub copied: bool,
}

/// An object whose pieces were all copied, about to change region, or to have a copy there.
#[derive(Debug, Clone)]
pub struct Relocation {
    /// The object.
    pub object: ObjectId,
    /// Its key as it was wrapped when the copies were made.
    pub old_key: Wrapped,
    /// Its key as it is wrapped in the other region.
    pub new_key: Wrapped,
    /// The account's key there that wraps it, as it was wrapped itself.
    pub under: Wrapped,
}

impl VaultStore {
    /// The row of a tenant's account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account_row(&self, tenant: &TenantId, account: &str) -> Result<Option<i64>, StoreError> {
        Ok(
            sqlx::query_scalar("SELECT seq FROM account WHERE tenant = $1 AND id = $2")
                .bind(tenant.as_str())
                .bind(account)
                .fetch_optional(&self.database.pool)
                .await?,
        )
    }

    /// Has what is stored in a bucket from now on lie in another region, and ends the uploads under way in it. What was
    /// stored before stays until it is moved. Said again, it changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`] when there is none, or it lies in neither region.
    pub async fn redirect_bucket(
        &self,
        bucket: i64,
        from: &RegionId,
        to: &RegionId,
    ) -> Result<Written, StoreError> {
        let change = Redirect {
            bucket,
            from: from.clone(),
            to: to.clone(),
        };
        self.writer.change(change).await
    }

    /// Objects of `scope` that lie in `region`, without bodies, by row, after `after` and at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn left_in(
        &self,
        scope: Scope,
        region: &RegionId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ObjectRow>, StoreError> {
        const BUCKET: &str = object_sql!(
            "NULL",
            "WHERE o.bucket = $1 AND o.region = $2 AND o.seq > $3 ORDER BY o.seq LIMIT $4"
        );
        const ACCOUNT: &str = object_sql!(
            "NULL",
            "WHERE o.account = $1 AND o.region = $2 AND o.seq > $3 ORDER BY o.seq LIMIT $4"
        );
        let (sql, row) = match scope {
            Scope::Bucket(row) => (BUCKET, row),
            Scope::Account(row) => (ACCOUNT, row),
        };
        let rows = sqlx::query(sql)
            .bind(row)
            .bind(region.as_str())
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(object_row).collect()
    }

    /// How much of `scope` lies in `region`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_in(&self, scope: Scope, region: &RegionId) -> Result<Left, StoreError> {
        const BUCKET: &str = "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM object \
                              WHERE bucket = $1 AND region = $2 AND account IS NOT NULL";
        const ACCOUNT: &str = "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM object \
                               WHERE account = $1 AND region = $2";
        let (objects, row) = match scope {
            Scope::Bucket(row) => (BUCKET, row),
            Scope::Account(row) => (ACCOUNT, row),
        };
        let counted = sqlx::query(objects)
            .bind(row)
            .bind(region.as_str())
            .fetch_one(&self.database.pool)
            .await?;
        Ok(Left {
            objects: unsigned(&counted, 0)?,
            bytes: unsigned(&counted, 1)?,
        })
    }

    /// Objects of `scope` in `region` whose account's key there is gone: they open nowhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_keyless(&self, scope: Scope, region: &RegionId) -> Result<u64, StoreError> {
        const BUCKET: &str = "SELECT count(*) FROM object o WHERE o.bucket = $1 AND o.region = $2 \
                              AND o.account IS NOT NULL AND NOT EXISTS (SELECT 1 FROM account_key k \
                              WHERE k.account = o.account AND k.region = o.region AND k.version = o.key_version)";
        const ACCOUNT: &str = "SELECT count(*) FROM object o WHERE o.account = $1 AND o.region = $2 \
                               AND NOT EXISTS (SELECT 1 FROM account_key k \
                               WHERE k.account = o.account AND k.region = o.region AND k.version = o.key_version)";
        let (sql, row) = match scope {
            Scope::Bucket(row) => (BUCKET, row),
            Scope::Account(row) => (ACCOUNT, row),
        };
        let counted = sqlx::query(sql)
            .bind(row)
            .bind(region.as_str())
            .fetch_one(&self.database.pool)
            .await?;
        unsigned(&counted, 0)
    }

    /// Plans copies of an object's pieces, each to a blob of its own. What was copied keeps its copy; what was only planned
    /// is planned anew, and what an attempt before wrote is left to the sweep.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_copies(
        &self,
        transfer: CaseId,
        object: ObjectId,
        parts: Vec<(u32, BlobId, BlobId)>,
    ) -> Result<Vec<Copying>, StoreError> {
        let change = Plan {
            transfer,
            object,
            parts,
        };
        self.writer.change(change).await
    }

    /// Notes that a copy was read back and found equal; `false` where it is not the planned one any more, and nobody
    /// needs it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn copied(
        &self,
        transfer: CaseId,
        object: ObjectId,
        copy: &Copying,
    ) -> Result<bool, StoreError> {
        let change = Copied {
            transfer,
            object,
            copy: copy.clone(),
        };
        self.writer.change(change).await
    }

    /// Moves objects to the region that their copies lie in: each whole, or not at all where it was replaced, removed or
    /// moved meanwhile. The wraps that opened them before are overwritten. A copy that lay there already ends; its pieces
    /// are given back, to be deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn relocate(
        &self,
        transfer: CaseId,
        from: &RegionId,
        to: &RegionId,
        objects: Vec<Relocation>,
    ) -> Result<Vec<Freed>, StoreError> {
        let change = Relocate {
            transfer,
            from: from.clone(),
            to: to.clone(),
            objects,
        };
        self.writer.change(change).await
    }

    /// What a transfer has moved, or copied, so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn moved_by(&self, transfer: CaseId) -> Result<Moved, StoreError> {
        let row = sqlx::query(
            "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM transfer_object WHERE transfer = $1",
        )
        .bind(transfer.0.as_bytes().as_slice())
        .fetch_one(&self.database.pool)
        .await?;
        Ok(Moved {
            objects: unsigned(&row, 0)?,
            bytes: unsigned(&row, 1)?,
        })
    }

    /// Forgets the keys, in a region that a transfer emptied, of accounts of which nothing lies there any more. What is still
    /// being written under one of them is refused when it is recorded, also where a new key was made there in between.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_left_keys(&self, transfer: CaseId, from: &RegionId) -> Result<(), StoreError> {
        let change = ForgetKeys {
            transfer,
            from: from.clone(),
        };
        self.writer.change(change).await
    }
}

struct Redirect {
    bucket: i64,
    from: RegionId,
    to: RegionId,
}

#[async_trait]
impl Change for Redirect {
    type Output = Written;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Written, StoreError> {
        let region: Option<String> = sqlx::query_scalar("SELECT region FROM bucket WHERE seq = $1")
            .bind(self.bucket)
            .fetch_optional(&mut *db)
            .await?;
        match region {
            Some(region) if region == self.to.as_str() => return Ok(Written::default()),
            Some(region) if region == self.from.as_str() => {}
            _ => return Err(StoreError::NoSuchBucket),
        }
        sqlx::query("UPDATE bucket SET region = $1 WHERE seq = $2")
            .bind(self.to.as_str())
            .bind(self.bucket)
            .execute(&mut *db)
            .await?;
        end_uploads(db, self.bucket).await
    }
}

struct Plan {
    transfer: CaseId,
    object: ObjectId,
    parts: Vec<(u32, BlobId, BlobId)>,
}

#[async_trait]
impl Change for Plan {
    type Output = Vec<Copying>;
    /// Movers' own rows, each changed by one statement.
    fn needs(&self) -> Needs {
        Needs::Rows(Vec::new())
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<Vec<Copying>, StoreError> {
        for (number, old, new) in &self.parts {
            // A piece stored anew since it was copied is copied anew, and so is one whose copy was given up. An attempt
            // that did not end may still be writing: its blob is not written to again.
            sqlx::query(
                "INSERT INTO transfer_part (transfer, object, number, old_blob, new_blob, copied, moved) \
                 VALUES ($1, $2, $3, $4, $5, 0, 0) ON CONFLICT (transfer, object, number) DO UPDATE \
                 SET old_blob = excluded.old_blob, new_blob = excluded.new_blob, copied = 0, moved = 0 \
                 WHERE (transfer_part.moved = 0 AND (transfer_part.copied = 0 \
                 OR transfer_part.old_blob <> excluded.old_blob)) OR transfer_part.moved = 2",
            )
            .bind(self.transfer.0.as_bytes().as_slice())
            .bind(self.object.0.as_bytes().as_slice())
            .bind(i64::from(*number))
            .bind(old.0.as_slice())
            .bind(new.0.as_slice())
            .execute(&mut *db)
            .await?;
        }
        let rows = sqlx::query(
            "SELECT number, old_blob, new_blob, copied FROM transfer_part \
             WHERE transfer = $1 AND object = $2 AND moved = 0 ORDER BY number",
        )
        .bind(self.transfer.0.as_bytes().as_slice())
        .bind(self.object.0.as_bytes().as_slice())
        .fetch_all(db)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Copying {
                    number: unsigned(row, 0)?,
                    old: blob_id(row, 1)?,
                    new: blob_id(row, 2)?,
                    copied: get::<i64>(row, 3)? == 1,
                })
            })
            .collect()
    }
}

struct Copied {
    transfer: CaseId,
    object: ObjectId,
    copy: Copying,
}

#[async_trait]
impl Change for Copied {
    type Output = bool;
    /// Movers' own rows, each changed by one statement.
    fn needs(&self) -> Needs {
        Needs::Rows(Vec::new())
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE transfer_part SET copied = 1 WHERE transfer = $1 AND object = $2 AND number = $3 \
             AND old_blob = $4 AND new_blob = $5 AND moved = 0",
        )
        .bind(self.transfer.0.as_bytes().as_slice())
        .bind(self.object.0.as_bytes().as_slice())
        .bind(i64::from(self.copy.number))
        .bind(self.copy.old.0.as_slice())
        .bind(self.copy.new.0.as_slice())
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

struct Relocate {
    transfer: CaseId,
    from: RegionId,
    to: RegionId,
    objects: Vec<Relocation>,
}

#[async_trait]
impl Change for Relocate {
    type Output = Vec<Freed>;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Vec<Freed>, StoreError> {
        let transfer = self.transfer.0.as_bytes();
        let mut freed = Vec::new();
        for relocation in &self.objects {
            let object = relocation.object.0.as_bytes();
            let Some(version) = ready(db, self.transfer, (&self.from, &self.to), relocation).await? else {
                continue;
            };
            freed.extend(end_copies(db, object, Some(&self.to)).await?);
            sqlx::query("UPDATE object SET region = $1, wrapped_key = $2, key_version = $3 WHERE id = $4")
                .bind(self.to.as_str())
                .bind(relocation.new_key.as_bytes())
                .bind(version)
                .bind(object.as_slice())
                .execute(&mut *db)
                .await?;
            sqlx::query(
                "UPDATE part SET blob = (SELECT t.new_blob FROM transfer_part t WHERE t.transfer = $1 \
                 AND t.object = part.object AND t.number = part.number) WHERE object = $2",
            )
            .bind(transfer.as_slice())
            .bind(object.as_slice())
            .execute(&mut *db)
            .await?;
            sqlx::query("UPDATE transfer_part SET moved = 1 WHERE transfer = $1 AND object = $2")
                .bind(transfer.as_slice())
                .bind(object.as_slice())
                .execute(&mut *db)
                .await?;
            count_done(db, self.transfer, relocation).await?;
        }
        Ok(freed)
    }
    fn scrub(&self) -> &'static [&'static str] {
        &["object", "object_copy"]
    }
}

/// Keys in a region of accounts of which a transfer left nothing there.
macro_rules! left_keys {
    () => {
        "WHERE account_key.region = $1 \
         AND account_key.account IN (SELECT account FROM transfer_object WHERE transfer = $2) \
         AND NOT EXISTS (SELECT 1 FROM object o WHERE o.account = account_key.account AND o.region = $1) \
         AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.account = account_key.account AND u.region = $1) \
         AND NOT EXISTS (SELECT 1 FROM object_copy c WHERE c.account = account_key.account AND c.region = $1)"
    };
}
const REMEMBER_LEFT: &str = concat!(
    "INSERT INTO account_key_forgotten (account, region, version) \
     SELECT account_key.account, account_key.region, max(account_key.version) FROM account_key ",
    left_keys!(),
    " GROUP BY account_key.account, account_key.region \
     ON CONFLICT (account, region) DO UPDATE SET version = excluded.version"
);
const FORGET_LEFT: &str = concat!("DELETE FROM account_key ", left_keys!());

struct ForgetKeys {
    transfer: CaseId,
    from: RegionId,
}

#[async_trait]
impl Change for ForgetKeys {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        for sql in [REMEMBER_LEFT, FORGET_LEFT] {
            sqlx::query(sql)
                .bind(self.from.as_str())
                .bind(self.transfer.0.as_bytes().as_slice())
                .execute(&mut *db)
                .await?;
        }
        Ok(())
    }
    fn scrub(&self) -> &'static [&'static str] {
        &["account_key"]
    }
}
