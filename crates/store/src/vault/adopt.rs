//! Rows that another node brings: staged where nobody sees them, and shown all at once.

use async_trait::async_trait;
use casework::ids::{CaseId, ObjectId, RegionId};
use envelope::keys::Wrapped;
use sqlx::AnyConnection;

use super::{
    ArrivalStage, StoreError, TRAVELLERS_MAX, Traveller, VaultStore, all_told,
    arrive::{must_be_coming, set_stage, stage_of},
    depart::FrozenRows,
    row::{bytes, object_id, signed, unsigned},
    writer::Change,
};

/// An object that is brought, with its key as it is wrapped here.
#[derive(Debug, Clone)]
pub struct Arriving {
    /// As it was told.
    pub traveller: Traveller,
    /// The bucket's row.
    pub bucket: i64,
    /// Where it will lie.
    pub region: RegionId,
    /// Its account's row, its key, and the version of the account's key that wraps it; a delete marker has none.
    pub key: Option<(i64, Wrapped, i64)>,
}

/// What came of showing what was brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    /// It is here, all of it.
    Here,
    /// Keys were rotated meanwhile, or something was never brought: bring it again.
    Again,
    /// What lies here is not what the other node has.
    Differs,
}

impl VaultStore {
    /// Records objects that are brought, unseen.
    ///
    /// # Errors
    /// [`StoreError::NotComing`] where the transfer is not coming.
    pub async fn stage(&self, transfer: CaseId, objects: Vec<Arriving>) -> Result<(), StoreError> {
        self.writer.change(Stage { transfer, objects }).await
    }

    /// Shows everything that was brought, in the order of its rows, where it is exactly what the other node has: so many, and
    /// [`all_told`] of them. It stays frozen.
    ///
    /// # Errors
    /// [`StoreError::NotComing`] where the transfer was given up; [`StoreError::Taken`] where something lies at a key already.
    pub async fn adopt(
        &self,
        transfer: CaseId,
        region: RegionId,
        (objects, told): (u64, [u8; 32]),
    ) -> Result<Adopted, StoreError> {
        let change = Adopt {
            transfer,
            region,
            objects,
            told,
        };
        self.writer.change(change).await
    }
}

struct Stage {
    transfer: CaseId,
    objects: Vec<Arriving>,
}

#[async_trait]
impl Change for Stage {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        must_be_coming(db, self.transfer).await?;
        let there: i64 = sqlx::query_scalar("SELECT count(*) FROM arrival_object WHERE transfer = $1")
            .bind(self.transfer.0.as_bytes().as_slice())
            .fetch_one(&mut *db)
            .await?;
        if usize::try_from(there).unwrap_or(usize::MAX) > TRAVELLERS_MAX {
            return Err(StoreError::NotComing);
        }
        for arriving in &self.objects {
            arriving.put(db, self.transfer).await?;
        }
        Ok(())
    }
}

impl Arriving {
    async fn put(&self, db: &mut AnyConnection, transfer: CaseId) -> Result<(), StoreError> {
        let it = &self.traveller;
        let told = it.told()?;
        let id = it.id.0.as_bytes().as_slice();
        forget_staged(db, transfer, id).await?;
        let (account, wrapped, version) = match &self.key {
            Some((account, wrapped, version)) => (Some(*account), wrapped.as_bytes(), *version),
            None => (None, [].as_slice(), 1),
        };
        let body = it.body.as_ref();
        sqlx::query(
            "INSERT INTO arrival_object (transfer, id, position, told, bucket, key, account, region, category, \
             concerns_at, size, etag, modified_at, wrapped_key, key_version, commitment, sealed_metadata, parts, upload, \
             versioned, latest, lock_mode, lock_until, legal_hold, body, body_digest) VALUES ($1, $2, $3, $4, $5, $6, $7, \
             $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)",
        )
        .bind(transfer.0.as_bytes().as_slice())
        .bind(id)
        .bind(it.position)
        .bind(told.as_slice())
        .bind(self.bucket)
        .bind(it.key.as_bytes())
        .bind(account)
        .bind(self.region.as_str())
        .bind(it.category.as_str())
        .bind(it.concerns_at)
        .bind(signed(it.size))
        .bind(it.etag.as_str())
        .bind(it.modified_at)
        .bind(wrapped)
        .bind(version)
        .bind(it.commitment.0.as_slice())
        .bind(it.sealed_metadata.0.as_slice())
        .bind(i64::try_from(it.pieces.len()).unwrap_or(i64::MAX))
        .bind(it.upload.as_ref().map(|upload| upload.0.as_slice()))
        .bind(i64::from(it.versioned))
        .bind(i64::from(it.latest))
        .bind(it.lock_mode.as_deref())
        .bind(it.lock_until)
        .bind(i64::from(it.legal_hold))
        .bind(body.map(|(body, _)| body.0.as_slice()))
        .bind(body.and_then(|(_, digest)| digest.as_ref().map(|digest| digest.0.as_slice())))
        .execute(&mut *db)
        .await?;
        for piece in &it.pieces {
            sqlx::query(
                "INSERT INTO arrival_object_part (transfer, object, number, size, etag, modified_at, sealed_metadata) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(transfer.0.as_bytes().as_slice())
            .bind(id)
            .bind(i64::from(piece.number))
            .bind(signed(piece.size))
            .bind(piece.etag.as_str())
            .bind(piece.modified_at)
            .bind(piece.sealed_metadata.0.as_slice())
            .execute(&mut *db)
            .await?;
        }
        Ok(())
    }
}

async fn forget_staged(db: &mut AnyConnection, transfer: CaseId, id: &[u8]) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM arrival_object_part WHERE transfer = $1 AND object = $2",
        "DELETE FROM arrival_object WHERE transfer = $1 AND id = $2",
    ] {
        sqlx::query(sql)
            .bind(transfer.0.as_bytes().as_slice())
            .bind(id)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

struct Adopt {
    transfer: CaseId,
    region: RegionId,
    objects: u64,
    told: [u8; 32],
}

#[async_trait]
impl Change for Adopt {
    type Output = Adopted;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Adopted, StoreError> {
        match stage_of(db, self.transfer).await? {
            Some(ArrivalStage::Coming) => {}
            Some(ArrivalStage::Here | ArrivalStage::Over) => return Ok(Adopted::Here),
            _ => return Err(StoreError::NotComing),
        }
        let transfer = self.transfer.0.as_bytes().as_slice();
        let rows = sqlx::query("SELECT id, told FROM arrival_object WHERE transfer = $1 ORDER BY id")
            .bind(transfer)
            .fetch_all(&mut *db)
            .await?;
        let each = rows.iter().map(|row| Ok((object_id(row, 0)?, bytes(row, 1)?)));
        let each: Vec<(ObjectId, [u8; 32])> = each.collect::<Result<_, StoreError>>()?;
        if u64::try_from(each.len()) != Ok(self.objects) || all_told(each) != self.told {
            return Ok(Adopted::Differs);
        }
        if self.count(db, TAKEN).await? > 0 {
            return Err(StoreError::Taken(self.count(db, TAKEN).await?));
        }
        // Rotated since it was wrapped, or a piece that nobody brought.
        if self.count(db, STALE).await? + self.count(db, MISSING).await? > 0 {
            return Ok(Adopted::Again);
        }
        let frozen = FrozenRows::lift(db, self.transfer).await?;
        for sql in ADOPT {
            sqlx::query(sql).bind(transfer).execute(&mut *db).await?;
        }
        // A bucket that came back, or was made for this.
        for bucket in frozen.buckets() {
            sqlx::query("UPDATE bucket SET region = $1 WHERE seq = $2 AND region <> $1")
                .bind(self.region.as_str())
                .bind(bucket)
                .execute(&mut *db)
                .await?;
        }
        frozen.put(db, self.transfer).await?;
        set_stage(db, self.transfer, 2).await?;
        Ok(Adopted::Here)
    }
}

impl Adopt {
    async fn count(&self, db: &mut AnyConnection, sql: &'static str) -> Result<u64, StoreError> {
        let row = sqlx::query(sql)
            .bind(self.transfer.0.as_bytes().as_slice())
            .fetch_one(db)
            .await?;
        unsigned(&row, 0)
    }
}

const TAKEN: &str = "SELECT count(*) FROM arrival_object a WHERE a.transfer = $1 \
    AND (EXISTS (SELECT 1 FROM object o WHERE o.bucket = a.bucket AND o.key = a.key) \
    OR EXISTS (SELECT 1 FROM object o WHERE o.id = a.id))";
const STALE: &str = "SELECT count(*) FROM arrival_object a WHERE a.transfer = $1 AND a.account IS NOT NULL \
    AND NOT EXISTS (SELECT 1 FROM account_key k WHERE k.account = a.account AND k.region = a.region \
    AND k.version = a.key_version)";
const MISSING: &str = "SELECT count(*) FROM arrival_object_part p WHERE p.transfer = $1 \
    AND NOT EXISTS (SELECT 1 FROM arrival_part b WHERE b.transfer = p.transfer AND b.object = p.object \
    AND b.number = p.number)";
const ADOPT: [&str; 7] = [
    "INSERT INTO object (id, bucket, key, account, region, category, concerns_at, size, etag, modified_at, wrapped_key, \
     key_version, commitment, sealed_metadata, parts, upload, versioned, latest, lock_mode, lock_until, legal_hold) \
     SELECT id, bucket, key, account, region, category, concerns_at, size, etag, modified_at, wrapped_key, key_version, \
     commitment, sealed_metadata, parts, upload, versioned, latest, lock_mode, lock_until, legal_hold \
     FROM arrival_object WHERE transfer = $1 ORDER BY position",
    "INSERT INTO inline (object, body, digest) SELECT o.seq, a.body, a.body_digest \
     FROM arrival_object a JOIN object o ON o.id = a.id WHERE a.transfer = $1 AND a.body IS NOT NULL",
    "INSERT INTO part (object, number, blob, size, etag, modified_at, sealed_metadata, sealed_digest) \
     SELECT p.object, p.number, b.blob, p.size, p.etag, p.modified_at, p.sealed_metadata, b.digest \
     FROM arrival_object_part p JOIN arrival_part b ON b.transfer = p.transfer AND b.object = p.object \
     AND b.number = p.number WHERE p.transfer = $1",
    // What left this node before, and comes back, needs no sign any more.
    "DELETE FROM departed WHERE EXISTS (SELECT 1 FROM arrival_object a WHERE a.transfer = $1 \
     AND a.bucket = departed.bucket AND a.key = departed.key)",
    "DELETE FROM arrival_part WHERE transfer = $1",
    "DELETE FROM arrival_object_part WHERE transfer = $1",
    "DELETE FROM arrival_object WHERE transfer = $1",
];
