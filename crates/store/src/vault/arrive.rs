//! The end of the node that data comes to: what was brought lies unseen beside the vault's own rows, and becomes visible all
//! at once. Each step may be made again, and changes nothing the second time.

use async_trait::async_trait;
use casework::ids::{AccountId, CaseId, ObjectId, TenantId};
use jiff::Timestamp;
use sqlx::AnyConnection;

use super::{
    Scope, StoreError, VaultStore, Written,
    depart::FrozenRows,
    provision::must_exist,
    row::{blob_id, digest, flag, get, object_id, signed, unsigned},
    writer::Change,
};
use crate::blobs::{BlobId, SealedDigest};

/// Where a transfer that comes to this node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrivalStage {
    /// It is coming, and nobody sees it.
    Coming,
    /// It is here, and frozen.
    Here,
    /// It is here, and over.
    Over,
    /// It was given up; nothing of it is here.
    GivenUp,
}

impl ArrivalStage {
    fn of_number(number: i64) -> Result<Self, StoreError> {
        match number {
            1 => Ok(Self::Coming),
            2 => Ok(Self::Here),
            3 => Ok(Self::Over),
            4 => Ok(Self::GivenUp),
            _ => Err(StoreError::Nonsense("an arrival")),
        }
    }
}

/// A transfer that comes to this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The node that it comes from, by the name of its certificate.
    pub node: String,
    /// Its record, as JSON.
    pub record: String,
    /// Where it stands.
    pub stage: ArrivalStage,
}

/// A piece of a body that was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BroughtPiece {
    /// Its blob.
    pub blob: BlobId,
    /// Its bytes.
    pub length: u64,
    /// Their digest.
    pub digest: SealedDigest,
}

impl VaultStore {
    /// What is known of a transfer that comes to this node.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn arrival(&self, transfer: CaseId) -> Result<Option<Arrival>, StoreError> {
        let row = sqlx::query("SELECT node, record, stage FROM arrival WHERE transfer = $1")
            .bind(transfer.0.as_bytes().as_slice())
            .fetch_optional(&self.database.pool)
            .await?;
        row.map(|row| {
            Ok(Arrival {
                node: get(&row, 0)?,
                record: get(&row, 1)?,
                stage: ArrivalStage::of_number(get(&row, 2)?)?,
            })
        })
        .transpose()
    }

    /// Transfers that come to this node and are not over, each with the node that it comes from; at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn arrivals(&self, limit: u32) -> Result<Vec<(CaseId, String)>, StoreError> {
        let rows =
            sqlx::query("SELECT transfer, node FROM arrival WHERE stage < 3 ORDER BY transfer LIMIT $1")
                .bind(i64::from(limit))
                .fetch_all(&self.database.pool)
                .await?;
        rows.iter()
            .map(|row| Ok((CaseId(object_id(row, 0)?.0), get(row, 1)?)))
            .collect()
    }

    /// Notes that a transfer comes from a node, on this record, and freezes where it comes to: a bucket, which must be empty, or
    /// accounts. Said again, it changes nothing but the record.
    ///
    /// # Errors
    /// [`StoreError::NotComing`] where it comes from another node, or is here; [`StoreError::NotEmpty`];
    /// [`StoreError::Frozen`] where another transfer has some of it; [`StoreError::OneDatabase`].
    pub async fn expect(
        &self,
        transfer: CaseId,
        (node, record): (String, String),
        scopes: Vec<Scope>,
    ) -> Result<Written, StoreError> {
        let change = Expect {
            transfer,
            node,
            record,
            scopes,
        };
        self.writer.change(change).await
    }

    /// Makes the accounts that are not there, each as it is described where it comes from. One that is there stays as it is.
    ///
    /// # Errors
    /// When there is no such tenant.
    pub async fn make_accounts(
        &self,
        tenant: TenantId,
        accounts: Vec<NewAccount>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let change = MakeAccounts {
            tenant,
            accounts,
            now,
        };
        self.writer.change(change).await
    }

    /// Notes that a piece of a body was read back here. The blob that was noted before is left to the sweep.
    ///
    /// # Errors
    /// [`StoreError::NotComing`] where the transfer is not coming.
    pub async fn brought(
        &self,
        transfer: CaseId,
        (object, number): (ObjectId, u32),
        read: BroughtPiece,
    ) -> Result<(), StoreError> {
        let change = Brought {
            transfer,
            object,
            number,
            read,
        };
        self.writer.change(change).await
    }

    /// The pieces that were read back here, after one of them and at most `limit`: to be looked at before they are shown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all_brought(
        &self,
        transfer: CaseId,
        after: Option<(ObjectId, u32)>,
        limit: u32,
    ) -> Result<Vec<(ObjectId, u32, BroughtPiece)>, StoreError> {
        let (object, number) = after.map_or((Vec::new(), -1), |(object, number)| {
            (object.0.as_bytes().to_vec(), i64::from(number))
        });
        let rows = sqlx::query(
            "SELECT object, number, blob, length, digest FROM arrival_part WHERE transfer = $1 \
             AND (object > $2 OR (object = $2 AND number > $3)) ORDER BY object, number LIMIT $4",
        )
        .bind(transfer.0.as_bytes().as_slice())
        .bind(object)
        .bind(number)
        .bind(i64::from(limit))
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let read = BroughtPiece {
                    blob: blob_id(row, 2)?,
                    length: unsigned(row, 3)?,
                    digest: digest(row, 4)?.ok_or(StoreError::Nonsense("a digest"))?,
                };
                Ok((object_id(row, 0)?, unsigned(row, 1)?, read))
            })
            .collect()
    }

    /// Forgets a piece whose blob is not there any more: it is to be brought again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn not_brought(
        &self,
        transfer: CaseId,
        (object, number): (ObjectId, u32),
    ) -> Result<(), StoreError> {
        let change = NotBrought {
            transfer,
            object,
            number,
        };
        self.writer.change(change).await
    }

    /// The pieces of an object that were read back here, with their digests.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pieces_brought(
        &self,
        transfer: CaseId,
        object: ObjectId,
    ) -> Result<Vec<(u32, SealedDigest)>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, digest FROM arrival_part WHERE transfer = $1 AND object = $2 ORDER BY number",
        )
        .bind(transfer.0.as_bytes().as_slice())
        .bind(object.0.as_bytes().as_slice())
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let digest = digest(row, 1)?.ok_or(StoreError::Nonsense("a digest"))?;
                Ok((unsigned(row, 0)?, digest))
            })
            .collect()
    }

    /// Thaws what is here: nothing of it is left on the other node.
    ///
    /// # Errors
    /// [`StoreError::NotComing`] where it is not here.
    pub async fn welcome(&self, transfer: CaseId) -> Result<(), StoreError> {
        self.writer.change(Welcome { transfer }).await
    }

    /// Forgets everything that was brought and not shown, and thaws where it was to come to; where the transfer stands then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn turn_away(&self, transfer: CaseId) -> Result<Option<ArrivalStage>, StoreError> {
        self.writer.change(TurnAway { transfer }).await
    }
}

pub(super) async fn stage_of(
    db: &mut AnyConnection,
    transfer: CaseId,
) -> Result<Option<ArrivalStage>, StoreError> {
    let stage: Option<i64> = sqlx::query_scalar("SELECT stage FROM arrival WHERE transfer = $1")
        .bind(transfer.0.as_bytes().as_slice())
        .fetch_optional(db)
        .await?;
    stage.map(ArrivalStage::of_number).transpose()
}

pub(super) async fn set_stage(
    db: &mut AnyConnection,
    transfer: CaseId,
    stage: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE arrival SET stage = $1 WHERE transfer = $2")
        .bind(stage)
        .bind(transfer.0.as_bytes().as_slice())
        .execute(db)
        .await?;
    Ok(())
}

struct Expect {
    transfer: CaseId,
    node: String,
    record: String,
    scopes: Vec<Scope>,
}

#[async_trait]
impl Change for Expect {
    type Output = Written;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Written, StoreError> {
        let id = self.transfer.0.as_bytes().as_slice();
        let own: Option<i64> = sqlx::query_scalar("SELECT 1 FROM transfers WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *db)
            .await?;
        if own.is_some() {
            return Err(StoreError::OneDatabase);
        }
        let row = sqlx::query("SELECT node, stage FROM arrival WHERE transfer = $1")
            .bind(id)
            .fetch_optional(&mut *db)
            .await?;
        let known = match &row {
            Some(row) if get::<&str>(row, 0)? != self.node => return Err(StoreError::NotComing),
            Some(row) => Some(ArrivalStage::of_number(get(row, 1)?)?),
            None => None,
        };
        match known {
            Some(ArrivalStage::Here | ArrivalStage::Over) => return Err(StoreError::NotComing),
            Some(ArrivalStage::Coming) => {
                sqlx::query("UPDATE arrival SET record = $1 WHERE transfer = $2")
                    .bind(self.record.as_str())
                    .bind(id)
                    .execute(db)
                    .await?;
                return Ok(Written::default());
            }
            Some(ArrivalStage::GivenUp) | None => {}
        }
        for scope in &self.scopes {
            if let Scope::Bucket(bucket) = scope {
                let row = sqlx::query("SELECT EXISTS (SELECT 1 FROM object WHERE bucket = $1)")
                    .bind(*bucket)
                    .fetch_one(&mut *db)
                    .await?;
                if flag(&row, 0)? {
                    return Err(StoreError::NotEmpty);
                }
            }
        }
        let written = FrozenRows::freeze(db, self.transfer, &self.scopes).await?;
        sqlx::query(
            "INSERT INTO arrival (transfer, node, record, stage) VALUES ($1, $2, $3, 1) \
             ON CONFLICT (transfer) DO UPDATE SET record = excluded.record, stage = 1",
        )
        .bind(id)
        .bind(self.node.as_str())
        .bind(self.record.as_str())
        .execute(db)
        .await?;
        Ok(written)
    }
}

struct NotBrought {
    transfer: CaseId,
    object: ObjectId,
    number: u32,
}

#[async_trait]
impl Change for NotBrought {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM arrival_part WHERE transfer = $1 AND object = $2 AND number = $3")
            .bind(self.transfer.0.as_bytes().as_slice())
            .bind(self.object.0.as_bytes().as_slice())
            .bind(i64::from(self.number))
            .execute(db)
            .await?;
        Ok(())
    }
}

/// An account to be made, with what is known of it as it stands in rows.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its id.
    pub id: AccountId,
    /// Where the person resides, whether a "United States person", whether bound by privilege.
    pub person: (Option<String>, Option<i64>, Option<i64>),
    /// Other identifiers.
    pub aliases: Vec<String>,
}

struct MakeAccounts {
    tenant: TenantId,
    accounts: Vec<NewAccount>,
    now: Timestamp,
}

#[async_trait]
impl Change for MakeAccounts {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        must_exist(db, &self.tenant, None).await?;
        for account in &self.accounts {
            let (country, us_person, privileged) = &account.person;
            let seq: Option<i64> = sqlx::query_scalar(
                "INSERT INTO account (tenant, id, person_country, us_person, privileged, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING seq",
            )
            .bind(self.tenant.as_str())
            .bind(account.id.as_str())
            .bind(country.as_deref())
            .bind(*us_person)
            .bind(*privileged)
            .bind(self.now.as_microsecond())
            .fetch_optional(&mut *db)
            .await?;
            let Some(seq) = seq else { continue };
            for alias in &account.aliases {
                sqlx::query("INSERT INTO alias (alias, account) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                    .bind(alias.as_str())
                    .bind(seq)
                    .execute(&mut *db)
                    .await?;
            }
        }
        Ok(())
    }
}

struct Brought {
    transfer: CaseId,
    object: ObjectId,
    number: u32,
    read: BroughtPiece,
}

#[async_trait]
impl Change for Brought {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        must_be_coming(db, self.transfer).await?;
        sqlx::query(
            "INSERT INTO arrival_part (transfer, object, number, blob, length, digest) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (transfer, object, number) DO UPDATE SET blob = excluded.blob, length = excluded.length, \
             digest = excluded.digest",
        )
        .bind(self.transfer.0.as_bytes().as_slice())
        .bind(self.object.0.as_bytes().as_slice())
        .bind(i64::from(self.number))
        .bind(self.read.blob.0.as_slice())
        .bind(signed(self.read.length))
        .bind(self.read.digest.0.as_slice())
        .execute(db)
        .await?;
        Ok(())
    }
}

pub(super) async fn must_be_coming(db: &mut AnyConnection, transfer: CaseId) -> Result<(), StoreError> {
    match stage_of(db, transfer).await? {
        Some(ArrivalStage::Coming) => Ok(()),
        _ => Err(StoreError::NotComing),
    }
}

struct Welcome {
    transfer: CaseId,
}

#[async_trait]
impl Change for Welcome {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        match stage_of(db, self.transfer).await? {
            Some(ArrivalStage::Over) => return Ok(()),
            Some(ArrivalStage::Here) => {}
            _ => return Err(StoreError::NotComing),
        }
        FrozenRows::lift(db, self.transfer).await?;
        set_stage(db, self.transfer, 3).await
    }
}

struct TurnAway {
    transfer: CaseId,
}

#[async_trait]
impl Change for TurnAway {
    type Output = Option<ArrivalStage>;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Option<ArrivalStage>, StoreError> {
        let known = stage_of(db, self.transfer).await?;
        if known != Some(ArrivalStage::Coming) {
            return Ok(known);
        }
        for sql in [
            "DELETE FROM arrival_part WHERE transfer = $1",
            "DELETE FROM arrival_object_part WHERE transfer = $1",
            "DELETE FROM arrival_object WHERE transfer = $1",
            "DELETE FROM transfer_frozen WHERE transfer = $1",
        ] {
            sqlx::query(sql)
                .bind(self.transfer.0.as_bytes().as_slice())
                .execute(&mut *db)
                .await?;
        }
        set_stage(db, self.transfer, 4).await?;
        Ok(Some(ArrivalStage::GivenUp))
    }
    fn scrub(&self) -> &'static [&'static str] {
        &["arrival_object"]
    }
}
