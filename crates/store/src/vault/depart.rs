//! The end of the node that data leaves: freezing it, and letting it go once the other node shows it.

use async_trait::async_trait;
use casework::{
    demand::CountryCode,
    ids::{CaseId, RegionId},
};
use sqlx::AnyConnection;

use super::{
    Scope, StoreError, VaultStore, Written,
    bucket::end_uploads,
    record::{Existing, Freed, free_parts, remove},
    row::get,
    writer::Change,
};

/// Where a transfer that leaves this node stands. It only goes on, but for what was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Departure {
    /// The other node may be waiting for it, and keeps room frozen; nothing is frozen here.
    Expected,
    /// Nobody changes its data.
    Frozen,
    /// The other node was asked to show it, and may.
    Asked,
    /// The other node shows it: what is here goes.
    There,
    /// Given up; the other node is to be told.
    GivenUp,
    /// Nothing is left here.
    Over,
}

impl Departure {
    const ALL: [(Self, i64); 6] = [
        (Self::Expected, 0),
        (Self::Frozen, 1),
        (Self::Asked, 2),
        (Self::There, 3),
        (Self::GivenUp, 4),
        (Self::Over, 5),
    ];

    pub(super) fn of_number(number: i64) -> Result<Self, StoreError> {
        let found = Self::ALL.iter().find(|(_, known)| *known == number);
        found
            .map(|(stage, _)| *stage)
            .ok_or(StoreError::Nonsense("a departure"))
    }
    fn number(self) -> i64 {
        Self::ALL
            .iter()
            .find(|(stage, _)| *stage == self)
            .map_or(1, |(_, number)| *number)
    }
}

/// What is frozen for a transfer; taken away for a change of its own, and put back in the same transaction.
pub(super) struct FrozenRows(Vec<(i64, i64)>);

impl FrozenRows {
    pub(super) async fn lift(db: &mut AnyConnection, transfer: CaseId) -> Result<Self, StoreError> {
        let rows = sqlx::query("DELETE FROM transfer_frozen WHERE transfer = $1 RETURNING bucket, account")
            .bind(transfer.0.as_bytes().as_slice())
            .fetch_all(db)
            .await?;
        let rows = rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?)));
        Ok(Self(rows.collect::<Result<_, StoreError>>()?))
    }

    /// The rows of the buckets among it.
    pub(super) fn buckets(&self) -> impl Iterator<Item = i64> {
        self.0
            .iter()
            .map(|(bucket, _)| *bucket)
            .filter(|bucket| *bucket != 0)
    }

    pub(super) async fn put(&self, db: &mut AnyConnection, transfer: CaseId) -> Result<(), StoreError> {
        for (bucket, account) in &self.0 {
            sqlx::query(
                "INSERT INTO transfer_frozen (transfer, bucket, account) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(transfer.0.as_bytes().as_slice())
            .bind(*bucket)
            .bind(*account)
            .execute(&mut *db)
            .await?;
        }
        Ok(())
    }

    /// Freezes these, and ends uploads under way there. Another transfer's frozen data stays that transfer's.
    pub(super) async fn freeze(
        db: &mut AnyConnection,
        transfer: CaseId,
        scopes: &[Scope],
    ) -> Result<Written, StoreError> {
        let rows: Vec<(i64, i64)> = scopes
            .iter()
            .map(|scope| match scope {
                Scope::Bucket(row) => (*row, 0),
                Scope::Account(row) => (0, *row),
            })
            .collect();
        for (bucket, account) in &rows {
            // An account may have something in a bucket that is frozen, and a bucket something of an account that is.
            let other: Option<i64> = sqlx::query_scalar(
                "SELECT 1 FROM transfer_frozen f WHERE f.transfer <> $1 AND (\
                 (f.bucket <> 0 AND f.bucket = $2) OR (f.account <> 0 AND f.account = $3) \
                 OR EXISTS (SELECT 1 FROM object o WHERE (o.bucket = f.bucket AND o.account = $3) \
                 OR (o.bucket = $2 AND o.account = f.account))) LIMIT 1",
            )
            .bind(transfer.0.as_bytes().as_slice())
            .bind(*bucket)
            .bind(*account)
            .fetch_optional(&mut *db)
            .await?;
            if other.is_some() {
                return Err(StoreError::Frozen);
            }
        }
        let mut freed = Vec::new();
        for (bucket, account) in &rows {
            if *account == 0 {
                freed.extend(end_uploads(db, *bucket).await?.freed);
            } else {
                freed.extend(end_uploads_of(db, *account).await?);
            }
        }
        Self(rows).put(db, transfer).await?;
        Ok(Written { freed, version: None })
    }
}

async fn end_uploads_of(db: &mut AnyConnection, account: i64) -> Result<Vec<Freed>, StoreError> {
    let rows = sqlx::query("SELECT object, region FROM upload WHERE account = $1")
        .bind(account)
        .fetch_all(&mut *db)
        .await?;
    let mut freed = Vec::new();
    for row in &rows {
        let region = RegionId::new(get::<String>(row, 1)?)?;
        freed.extend(free_parts(db, &get::<Vec<u8>>(row, 0)?, &region).await?);
    }
    sqlx::query("DELETE FROM upload WHERE account = $1")
        .bind(account)
        .execute(db)
        .await?;
    Ok(freed)
}

impl VaultStore {
    /// Freezes what is about to leave, and ends the uploads under way there. Said again, it changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Frozen`] where another transfer has some of it.
    pub async fn freeze_departure(
        &self,
        transfer: CaseId,
        scopes: Vec<Scope>,
    ) -> Result<Written, StoreError> {
        self.writer.change(FreezeDeparture { transfer, scopes }).await
    }

    /// Notes that the other node is about to be asked to show what it has, or, with [`Departure::Over`], that nothing is left
    /// here; or, with [`Departure::GivenUp`], thaws everything. It never goes back from what the other node shows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_departure(&self, transfer: CaseId, stage: Departure) -> Result<(), StoreError> {
        self.writer.change(NoteDeparture { transfer, stage }).await
    }

    /// Forgets a departure that was given up, when the other node knows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_departure(&self, transfer: CaseId) -> Result<(), StoreError> {
        self.writer.change(ForgetDeparture { transfer }).await
    }

    /// Notes that the other node shows what left; where it was a whole bucket, the bucket's row becomes the sign that names
    /// that node's region.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shown_there(
        &self,
        transfer: CaseId,
        bucket: Option<i64>,
        region: (RegionId, CountryCode),
    ) -> Result<(), StoreError> {
        let change = ShownThere {
            transfer,
            bucket,
            region,
        };
        self.writer.change(change).await
    }

    /// Removes rows of what the other node shows, each leaving a sign at its key; what they named is to be deleted. Nothing is
    /// removed before [`VaultStore::shown_there`].
    ///
    /// # Errors
    /// When the database fails, or the other node was not seen to show it.
    pub async fn let_go(
        &self,
        transfer: CaseId,
        region: RegionId,
        rows: Vec<i64>,
    ) -> Result<Vec<Freed>, StoreError> {
        let change = LetGo {
            transfer,
            region,
            rows,
        };
        self.writer.change(change).await
    }
}

struct FreezeDeparture {
    transfer: CaseId,
    scopes: Vec<Scope>,
}

#[async_trait]
impl Change for FreezeDeparture {
    type Output = Written;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Written, StoreError> {
        let known = stage(db, self.transfer).await?;
        if known.is_some_and(|known| !matches!(known, Departure::Expected | Departure::GivenUp)) {
            return Ok(Written::default());
        }
        let written = FrozenRows::freeze(db, self.transfer, &self.scopes).await?;
        set(db, self.transfer, Departure::Frozen).await?;
        Ok(written)
    }
}

struct NoteDeparture {
    transfer: CaseId,
    stage: Departure,
}

#[async_trait]
impl Change for NoteDeparture {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let known = stage(db, self.transfer).await?;
        let may = match self.stage {
            Departure::Asked => known == Some(Departure::Frozen),
            Departure::Expected => known.is_none(),
            Departure::GivenUp => matches!(
                known,
                Some(Departure::Expected | Departure::Frozen | Departure::Asked)
            ),
            Departure::Over => known == Some(Departure::There),
            Departure::Frozen | Departure::There => false,
        };
        if !may {
            return Ok(());
        }
        if matches!(self.stage, Departure::GivenUp | Departure::Over) {
            FrozenRows::lift(db, self.transfer).await?;
        }
        set(db, self.transfer, self.stage).await
    }
}

struct ForgetDeparture {
    transfer: CaseId,
}

#[async_trait]
impl Change for ForgetDeparture {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM departure WHERE transfer = $1 AND stage = $2")
            .bind(self.transfer.0.as_bytes().as_slice())
            .bind(Departure::GivenUp.number())
            .execute(db)
            .await?;
        Ok(())
    }
}

struct ShownThere {
    transfer: CaseId,
    bucket: Option<i64>,
    region: (RegionId, CountryCode),
}

#[async_trait]
impl Change for ShownThere {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        if stage(db, self.transfer).await? != Some(Departure::Asked) {
            return Ok(());
        }
        if let Some(bucket) = self.bucket {
            let frozen = FrozenRows::lift(db, self.transfer).await?;
            sqlx::query("INSERT INTO region (id, country) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(self.region.0.as_str())
                .bind(self.region.1.as_str())
                .execute(&mut *db)
                .await?;
            sqlx::query("UPDATE bucket SET region = $1 WHERE seq = $2")
                .bind(self.region.0.as_str())
                .bind(bucket)
                .execute(&mut *db)
                .await?;
            frozen.put(db, self.transfer).await?;
        }
        set(db, self.transfer, Departure::There).await
    }
}

struct LetGo {
    transfer: CaseId,
    region: RegionId,
    rows: Vec<i64>,
}

#[async_trait]
impl Change for LetGo {
    type Output = Vec<Freed>;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Vec<Freed>, StoreError> {
        if stage(db, self.transfer).await? != Some(Departure::There) {
            return Err(StoreError::Nonsense("a departure"));
        }
        let frozen = FrozenRows::lift(db, self.transfer).await?;
        let mut freed = Vec::new();
        for seq in &self.rows {
            let row = sqlx::query("SELECT id, parts, account FROM object WHERE seq = $1")
                .bind(*seq)
                .fetch_optional(&mut *db)
                .await?;
            let Some(row) = row else { continue };
            let existing = Existing {
                seq: *seq,
                id: get(&row, 0)?,
                parts: get(&row, 1)?,
            };
            if get::<Option<i64>>(&row, 2)?.is_some() {
                sqlx::query(
                    "INSERT INTO transfer_object (transfer, object, account, size) \
                     SELECT $1, id, account, size FROM object WHERE seq = $2 ON CONFLICT DO NOTHING",
                )
                .bind(self.transfer.0.as_bytes().as_slice())
                .bind(*seq)
                .execute(&mut *db)
                .await?;
            }
            // A whole bucket's own row is the sign.
            sqlx::query(
                "INSERT INTO departed (bucket, key, region, transfer) \
                 SELECT o.bucket, o.key, $1, $2 FROM object o JOIN bucket b ON b.seq = o.bucket \
                 WHERE o.seq = $3 AND b.region <> $1 \
                 ON CONFLICT (bucket, key) DO UPDATE SET region = excluded.region, transfer = excluded.transfer",
            )
            .bind(self.region.as_str())
            .bind(self.transfer.0.as_bytes().as_slice())
            .bind(*seq)
            .execute(&mut *db)
            .await?;
            freed.extend(remove(db, &existing).await?);
        }
        frozen.put(db, self.transfer).await?;
        Ok(freed)
    }
    fn scrub(&self) -> &'static [&'static str] {
        &["object"]
    }
}

async fn stage(db: &mut AnyConnection, transfer: CaseId) -> Result<Option<Departure>, StoreError> {
    let stage: Option<i64> = sqlx::query_scalar("SELECT stage FROM departure WHERE transfer = $1")
        .bind(transfer.0.as_bytes().as_slice())
        .fetch_optional(db)
        .await?;
    stage.map(Departure::of_number).transpose()
}

async fn set(db: &mut AnyConnection, transfer: CaseId, stage: Departure) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO departure (transfer, stage) VALUES ($1, $2) \
         ON CONFLICT (transfer) DO UPDATE SET stage = excluded.stage",
    )
    .bind(transfer.0.as_bytes().as_slice())
    .bind(stage.number())
    .execute(db)
    .await?;
    Ok(())
}
