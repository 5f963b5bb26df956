//! Copies of objects in other regions, each made by a transfer. A copy is the object's own ciphertext with its key wrapped
//! under the account's key of the other region; it has no life of its own: what ends the object ends its copies, and what
//! destroys the account's keys leaves neither readable.
//!
//! A copy is recorded whole or not at all, and never twice: an object has at most one in a region, and none where it lies
//! itself. The transfer that made it is the one whose basis it hangs on.

use casework::{
    demand::{Category, Window},
    ids::{AccountId, CaseId, ObjectId, RegionId, TenantId},
    record::label,
};
use envelope::keys::{Wrapped, WrappedChain};
use jiff::Timestamp;

use super::{
    Left, ObjectRow, PartRow, Relocation, Scope, StoreError, VaultStore,
    copy_change::{AddCopies, DropCopies, GiveCopiesUp},
    object::{object_row, object_sql, part_row},
    row::{bytes, category, get, keys_above, object_id, time, unsigned, wrapped},
};

/// Rows of copies read at once.
const PAGE: i64 = 500;

/// A copy of an object that a release looks for.
#[derive(Debug, Clone)]
pub struct CopyRow {
    /// The object.
    pub object: ObjectId,
    /// What it is.
    pub category: Category,
    /// The time it concerns.
    pub concerns_at: Timestamp,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Commitment to its content.
    pub commitment: [u8; 32],
    /// Its key, as it is wrapped for the copy.
    pub key: Wrapped,
}

macro_rules! uncopied {
    ($scope:literal) => {
        concat!(
            "WHERE ",
            $scope,
            " = $1 AND o.region = $2 AND o.account IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM object_copy c WHERE c.object = o.id AND c.region = $3)"
        )
    };
}

impl VaultStore {
    /// Objects of `scope` that lie in one region and have no copy in the other, without bodies, by row, after `after` and at
    /// most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uncopied_in(
        &self,
        scope: Scope,
        (from, to): (&RegionId, &RegionId),
        after: i64,
        limit: u32,
    ) -> Result<Vec<ObjectRow>, StoreError> {
        const BUCKET: &str = object_sql!(
            "NULL",
            "WHERE o.bucket = $1 AND o.region = $2 AND NOT EXISTS (SELECT 1 FROM object_copy c \
             WHERE c.object = o.id AND c.region = $3) AND o.seq > $4 ORDER BY o.seq LIMIT $5"
        );
        const ACCOUNT: &str = object_sql!(
            "NULL",
            "WHERE o.account = $1 AND o.region = $2 AND NOT EXISTS (SELECT 1 FROM object_copy c \
             WHERE c.object = o.id AND c.region = $3) AND o.seq > $4 ORDER BY o.seq LIMIT $5"
        );
        let (sql, row) = match scope {
            Scope::Bucket(row) => (BUCKET, row),
            Scope::Account(row) => (ACCOUNT, row),
        };
        let rows = sqlx::query(sql)
            .bind(row)
            .bind(from.as_str())
            .bind(to.as_str())
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(object_row).collect()
    }

    /// How much of `scope` lies in one region and has no copy in the other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_uncopied(
        &self,
        scope: Scope,
        (from, to): (&RegionId, &RegionId),
    ) -> Result<Left, StoreError> {
        const BUCKET: &str = concat!(
            "SELECT count(*), CAST(coalesce(sum(o.size), 0) AS BIGINT) FROM object o ",
            uncopied!("o.bucket")
        );
        const ACCOUNT: &str = concat!(
            "SELECT count(*), CAST(coalesce(sum(o.size), 0) AS BIGINT) FROM object o ",
            uncopied!("o.account")
        );
        let (sql, row) = match scope {
            Scope::Bucket(row) => (BUCKET, row),
            Scope::Account(row) => (ACCOUNT, row),
        };
        let counted = sqlx::query(sql)
            .bind(row)
            .bind(from.as_str())
            .bind(to.as_str())
            .fetch_one(&self.database.pool)
            .await?;
        Ok(Left {
            objects: unsigned(&counted, 0)?,
            bytes: unsigned(&counted, 1)?,
        })
    }

    /// Records copies of objects whose pieces were all copied: each whole, or not at all where the object was replaced, removed
    /// or moved meanwhile, has a copy there already, or the transfer gave its copies up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_copies(
        &self,
        transfer: CaseId,
        from: &RegionId,
        to: &RegionId,
        objects: Vec<Relocation>,
    ) -> Result<(), StoreError> {
        let change = AddCopies {
            transfer,
            from: from.clone(),
            to: to.clone(),
            objects,
        };
        self.writer.change(change).await
    }

    /// Copies that a transfer made and that lie there still.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn copies_by(&self, transfer: CaseId) -> Result<Left, StoreError> {
        let counted = sqlx::query(
            "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM object_copy WHERE transfer = $1",
        )
        .bind(transfer.0.as_bytes().as_slice())
        .fetch_one(&self.database.pool)
        .await?;
        Ok(Left {
            objects: unsigned(&counted, 0)?,
            bytes: unsigned(&counted, 1)?,
        })
    }

    /// Gives up all copies of a transfer: from now on it makes none. Those that it made are still there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_copies_up(&self, transfer: CaseId) -> Result<(), StoreError> {
        self.writer.change(GiveCopiesUp { transfer }).await
    }

    /// Forgets copies of a transfer that gave them up, at most `limit`, and hands their pieces to
    /// [`VaultStore::superseded`], which gives them out to be deleted. Whether there was any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_copies(&self, transfer: CaseId, limit: u32) -> Result<bool, StoreError> {
        self.writer.change(DropCopies { transfer, limit }).await
    }

    /// How much a transfer's copies were that were given up and forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dropped_by(&self, transfer: CaseId) -> Result<Left, StoreError> {
        let row = sqlx::query("SELECT objects, bytes FROM copies_withdrawn WHERE transfer = $1")
            .bind(transfer.0.as_bytes().as_slice())
            .fetch_optional(&self.database.pool)
            .await?;
        let Some(row) = row else {
            return Ok(Left::default());
        };
        Ok(Left {
            objects: unsigned(&row, 0)?,
            bytes: unsigned(&row, 1)?,
        })
    }

    /// An object as its copy in a region has it: there, and with the key wrapped there. `None` where it has no copy there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn copy_of(
        &self,
        object: &ObjectRow,
        region: &RegionId,
    ) -> Result<Option<ObjectRow>, StoreError> {
        let query = sqlx::query(
            "SELECT c.wrapped_key, tk.wrapped, ak.wrapped FROM object_copy c JOIN account a ON a.seq = c.account \
             LEFT JOIN account_key ak ON ak.account = c.account AND ak.region = c.region \
             AND ak.version = c.key_version LEFT JOIN tenant_key tk ON tk.tenant = a.tenant \
             AND tk.region = c.region AND tk.version = ak.above WHERE c.object = $1 AND c.region = $2",
        )
        .bind(object.id.0.as_bytes().as_slice())
        .bind(region.as_str());
        let Some(row) = self.database.row(query).await? else {
            return Ok(None);
        };
        let above = (get(&row, 1)?, get(&row, 2)?);
        let account = keys_above(&object.tenant, &object.account, region, above)?;
        let object_key = wrapped(get(&row, 0)?)?;
        Ok(Some(ObjectRow {
            region: region.clone(),
            chain: account.map(|account| WrappedChain {
                account,
                object: object.id.0.into_bytes(),
                label: label(object.category, object.concerns_at),
                object_key,
            }),
            is_copy: true,
            ..object.clone()
        }))
    }

    /// The pieces of a copy, by number and at most `max`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn copy_parts(
        &self,
        object: ObjectId,
        region: &RegionId,
        max: u32,
    ) -> Result<Vec<PartRow>, StoreError> {
        let query = sqlx::query(
            "SELECT p.number, c.blob, p.size, p.etag, p.modified_at, p.sealed_metadata, p.sealed_digest \
             FROM object_copy_part c JOIN part p ON p.object = c.object AND p.number = c.number \
             WHERE c.object = $1 AND c.region = $2 ORDER BY p.number LIMIT $3",
        )
        .bind(object.0.as_bytes().as_slice())
        .bind(region.as_str())
        .bind(i64::from(max));
        self.database.rows(query).await?.iter().map(part_row).collect()
    }

    /// Copies in one region of an account's objects in these categories that concern the window; `None` is all time. By
    /// category and object, at most `limit`, and only those that open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn copies_in_scope(
        &self,
        (tenant, account, region): (&TenantId, &AccountId, &RegionId),
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<CopyRow>, StoreError> {
        // Times are kept to the microsecond, as in the scope of objects.
        let bound = |at: Timestamp| at.as_microsecond() + i64::from(at.as_nanosecond() % 1000 > 0);
        let from = bound(window.map_or(Timestamp::MIN, |window| window.from));
        let until = window.map_or(i64::MAX, |window| bound(window.until));
        let mut found = Vec::new();
        for wanted in categories {
            let mut after = Vec::new();
            loop {
                let rows = sqlx::query(
                    "SELECT c.object, o.category, o.concerns_at, o.size, o.commitment, c.wrapped_key \
                     FROM object_copy c JOIN object o ON o.id = c.object \
                     JOIN account_key ak ON ak.account = c.account AND ak.region = c.region \
                     AND ak.version = c.key_version \
                     WHERE c.account = (SELECT seq FROM account WHERE tenant = $1 AND id = $2) AND c.region = $3 \
                     AND o.category = $4 AND o.concerns_at >= $5 AND o.concerns_at < $6 AND c.object > $7 \
                     ORDER BY c.object LIMIT $8",
                )
                .bind(tenant.as_str())
                .bind(account.as_str())
                .bind(region.as_str())
                .bind(wanted.name())
                .bind(from)
                .bind(until)
                .bind(after.as_slice())
                .bind(PAGE)
                .fetch_all(&self.database.pool)
                .await?;
                let Some(last) = rows.last() else { break };
                after = get::<Vec<u8>>(last, 0)?;
                for row in &rows {
                    if found.len() == limit {
                        return Ok(found);
                    }
                    found.push(CopyRow {
                        object: object_id(row, 0)?,
                        category: category(row, 1)?,
                        concerns_at: time(row, 2)?,
                        size: unsigned(row, 3)?,
                        commitment: bytes(row, 4)?,
                        key: wrapped(get(row, 5)?)?,
                    });
                }
            }
        }
        Ok(found)
    }
}
