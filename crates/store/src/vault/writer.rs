//! One task makes every change to the vault's metadata, many to a transaction.
//!
//! SQLite has one writer at a time anyway. On a server several nodes write at once, and a change may rely on what it has
//! read only because every other change to the same thing waits: see [`Needs`].
//!
//! Who needs the whole vault would wait for ever while changes to rows overlap each other, for these share its lock. So it
//! first says that it wants it (`turn_wanted`), and transactions of rows that begin after that stand back for a while. Nothing
//! but the order of turns hangs on it: a wish that is overlooked, or left behind by a node that died, does no harm.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use sqlx::AnyConnection;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use crate::database::{Database, Engine, is_conflict, is_undone, scrub};

/// Most changes in one transaction.
const BATCH_MAX: usize = 256;
/// Most changes that wait; who comes later waits to be queued.
const QUEUE_MAX: usize = 4096;
/// How often a transaction that another node's undid is tried again.
const CONFLICT_TRIES: u32 = 6;
/// The first pause before that; each next one is twice as long.
const CONFLICT_PAUSE: Duration = Duration::from_millis(10);
/// How long a wish for the whole vault is heeded, in seconds of the server's clock: as long as it waits for a lock.
const WISH_SECONDS: i64 = 10;
/// Longest that a transaction of rows stands back for such a wish, and the pause between looks.
const COURTESY_MAX: Duration = Duration::from_secs(2);
const COURTESY_PAUSE: Duration = Duration::from_millis(5);

/// What a change must have to itself while it is made, where several nodes write to one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Needs {
    /// The whole vault. Always right, and slow for what happens often.
    Whole,
    /// Only these rows, and that nobody has the whole vault.
    Rows(Vec<Row>),
}

/// A row to be had alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    Bucket(i64),
    Upload([u8; 16]),
}

/// A change to the database.
///
/// It may be applied more than once, when another change of its transaction fails; and it must find out that it is
/// refused (any [`StoreError`] but a failure of the database) before it writes anything.
#[async_trait]
pub(super) trait Change: Send + Sync + 'static {
    type Output: Send + 'static;
    async fn apply(&self, db: &mut AnyConnection) -> Result<Self::Output, StoreError>;
    /// What no other node may change meanwhile.
    fn needs(&self) -> Needs {
        Needs::Whole
    }
    /// The tables of which what was deleted or overwritten must also leave the disk before the change counts as made.
    fn scrub(&self) -> &'static [&'static str] {
        &[]
    }
}

#[async_trait]
trait Job: Send {
    /// Applies the change; `false` when the database failed and the transaction is lost.
    async fn apply(&mut self, db: &mut AnyConnection) -> bool;
    fn needs(&self) -> Needs;
    fn scrub(&self) -> &'static [&'static str];
    /// Why it failed, where the database did.
    fn conflicted(&self) -> bool;
    /// Tells the caller what came of it: `failed` when it was not committed.
    fn settle(self: Box<Self>, failed: Option<StoreError>);
}

struct Pending<C: Change> {
    change: C,
    outcome: Option<Result<C::Output, StoreError>>,
    reply: oneshot::Sender<Result<C::Output, StoreError>>,
}

#[async_trait]
impl<C: Change> Job for Pending<C> {
    async fn apply(&mut self, db: &mut AnyConnection) -> bool {
        let outcome = self.change.apply(db).await;
        // What a trigger refuses may have been half done.
        let sound = !matches!(
            outcome,
            Err(StoreError::Database(_) | StoreError::DiskFull | StoreError::Frozen)
        );
        self.outcome = Some(outcome);
        sound
    }
    fn needs(&self) -> Needs {
        self.change.needs()
    }
    fn scrub(&self) -> &'static [&'static str] {
        self.change.scrub()
    }
    fn conflicted(&self) -> bool {
        matches!(&self.outcome, Some(Err(StoreError::Database(error))) if is_conflict(error))
    }
    fn settle(self: Box<Self>, failed: Option<StoreError>) {
        let outcome = match (failed, self.outcome) {
            // Its own error says more than that of the transaction.
            (_, Some(Err(own))) => Err(own),
            (Some(failed), _) => Err(failed),
            (None, Some(Ok(output))) => Ok(output),
            (None, None) => Err(StoreError::Stopped),
        };
        // A caller that went away does not undo what was committed.
        let _ = self.reply.send(outcome);
    }
}

#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Box<dyn Job>>);

impl Writer {
    /// Starts the task, with a connection of its own.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub(super) async fn start(database: Database) -> Result<Self, StoreError> {
        let desk = Desk {
            connection: Some(database.connect().await?),
            database,
            name: uuid::Uuid::from_bytes(drawn()?).to_string(),
        };
        let (sender, jobs) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(desk, jobs));
        Ok(Self(sender))
    }

    /// Makes the change. When this returns `Ok`, it is on the disk. It is made even if the caller stops waiting.
    pub(super) async fn change<C: Change>(&self, change: C) -> Result<C::Output, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let job = Pending {
            change,
            outcome: None,
            reply,
        };
        self.0
            .send(Box::new(job))
            .await
            .map_err(|_| StoreError::Stopped)?;
        outcome.await.map_err(|_| StoreError::Stopped)?
    }
}

/// The database, and the connection to it while there is one.
struct Desk {
    database: Database,
    connection: Option<AnyConnection>,
    /// Under which it wants things: one wish to a writer.
    name: String,
}

fn drawn() -> Result<[u8; 16], StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::Database(sqlx::Error::Protocol(error.to_string())))?;
    Ok(bytes)
}

/// How a transaction failed.
struct Failed {
    error: StoreError,
    /// It may have been committed all the same: the connection broke over `COMMIT`. Making the changes once more could
    /// free what was just stored.
    unknown: bool,
    /// Another node's transaction undid it.
    conflict: bool,
}

async fn run(mut desk: Desk, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while jobs.recv_many(&mut batch, BATCH_MAX).await > 0 {
        match desk.commit_patiently(&mut batch).await {
            Ok(()) => {}
            Err(failed) if batch.len() == 1 || failed.unknown => {
                batch
                    .drain(..)
                    .for_each(|job| job.settle(Some(clone(&failed.error))));
                continue;
            }
            Err(_) => {
                // One of them failed, and not all need to: each alone.
                for job in batch.drain(..) {
                    let mut alone = vec![job];
                    let failed = desk.commit_patiently(&mut alone).await.err();
                    if failed.is_none() {
                        let tables = scrubbed(&alone);
                        desk.scrub(tables).await;
                    }
                    alone
                        .into_iter()
                        .for_each(|job| job.settle(failed.as_ref().map(|failed| clone(&failed.error))));
                }
                continue;
            }
        }
        let tables = scrubbed(&batch);
        desk.scrub(tables).await;
        batch.drain(..).for_each(|job| job.settle(None));
    }
}

impl Desk {
    /// Commits all of `batch`, or nothing; again where another node's transaction came in between.
    async fn commit_patiently(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Failed> {
        let mut pause = CONFLICT_PAUSE;
        for _ in 1..CONFLICT_TRIES {
            match self.commit(batch).await {
                Err(failed) if failed.conflict => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                other => return other,
            }
        }
        self.commit(batch).await
    }

    async fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Failed> {
        let engine = self.database.engine();
        let mut db = match self.connection.take() {
            Some(connection) => connection,
            None => self.database.connect().await.map_err(Failed::before)?,
        };
        let done = transact(engine, &self.name, &mut db, batch).await;
        // After a broken connection the next transaction begins with a new one.
        let broken = match &done {
            Err(failed) => failed.unknown || !rollback(&mut db).await,
            Ok(()) => false,
        };
        if !broken {
            self.connection = Some(db);
        }
        done
    }

    async fn scrub(&mut self, tables: BTreeSet<&'static str>) {
        if let Some(connection) = &mut self.connection
            && !tables.is_empty()
        {
            scrub(self.database.engine(), connection, tables).await;
        }
    }
}

impl Failed {
    fn before(error: sqlx::Error) -> Self {
        Self {
            conflict: is_conflict(&error),
            error: error.into(),
            unknown: false,
        }
    }
}

async fn transact(
    engine: Engine,
    name: &str,
    db: &mut AnyConnection,
    batch: &mut [Box<dyn Job>],
) -> Result<(), Failed> {
    let begun = match engine {
        Engine::Sqlite => run_on(db, "BEGIN IMMEDIATE").await,
        Engine::Postgres => begin_among_nodes(db, name, &together(batch)).await,
    };
    begun.map_err(Failed::before)?;
    for job in &mut *batch {
        if !job.apply(db).await {
            return Err(Failed {
                error: StoreError::Stopped,
                unknown: false,
                conflict: job.conflicted(),
            });
        }
    }
    match sqlx::query("COMMIT").execute(&mut *db).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Failed {
            unknown: engine == Engine::Postgres && !is_undone(&error),
            ..Failed::before(error)
        }),
    }
}

/// The tables that the changes have scrubbed.
fn scrubbed(batch: &[Box<dyn Job>]) -> BTreeSet<&'static str> {
    batch.iter().flat_map(|job| job.scrub()).copied().collect()
}

/// What the changes need together: each row once, and always in the same order, so that no two nodes wait for each other.
fn together(batch: &[Box<dyn Job>]) -> Needs {
    let mut rows = Vec::new();
    for job in batch {
        match job.needs() {
            Needs::Whole => return Needs::Whole,
            Needs::Rows(more) => rows.extend(more),
        }
    }
    rows.sort_unstable();
    rows.dedup();
    Needs::Rows(rows)
}

async fn run_on(db: &mut AnyConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(db).await?;
    Ok(())
}

/// Begins a transaction that has what it needs alone.
async fn begin_among_nodes(db: &mut AnyConnection, name: &str, needs: &Needs) -> Result<(), sqlx::Error> {
    // Whatever the server's default is: what is read after a lock was waited for must be what is there then.
    const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
    let rows = match needs {
        Needs::Rows(rows) => rows,
        Needs::Whole => {
            sqlx::query(
                "INSERT INTO turn_wanted (name, until) \
                 VALUES ($1, CAST(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) AS BIGINT) + $2) \
                 ON CONFLICT (name) DO UPDATE SET until = excluded.until",
            )
            .bind(name)
            .bind(WISH_SECONDS)
            .execute(&mut *db)
            .await?;
            run_on(db, BEGIN).await?;
            sqlx::query("SELECT name FROM turn WHERE name = 'vault' FOR UPDATE")
                .execute(&mut *db)
                .await?;
            sqlx::query("DELETE FROM turn_wanted WHERE name = $1")
                .bind(name)
                .execute(db)
                .await?;
            return Ok(());
        }
    };
    let courtesy = tokio::time::Instant::now() + COURTESY_MAX;
    loop {
        run_on(db, BEGIN).await?;
        let wanted: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM turn_wanted \
             WHERE until > CAST(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) AS BIGINT)) \
             FROM turn WHERE name = 'vault' FOR SHARE",
        )
        .fetch_one(&mut *db)
        .await?;
        if !wanted || tokio::time::Instant::now() > courtesy {
            break;
        }
        run_on(db, "ROLLBACK").await?;
        tokio::time::sleep(COURTESY_PAUSE).await;
    }
    for row in rows {
        let query = match row {
            Row::Bucket(seq) => sqlx::query("SELECT seq FROM bucket WHERE seq = $1 FOR UPDATE").bind(*seq),
            Row::Upload(id) => {
                sqlx::query("SELECT id FROM upload WHERE id = $1 FOR UPDATE").bind(id.to_vec())
            }
        };
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// Undoes the transaction; `false` when the connection is of no more use.
async fn rollback(db: &mut AnyConnection) -> bool {
    match sqlx::query("ROLLBACK").execute(db).await {
        Ok(_) => true,
        // SQLite may have rolled back by itself, after an I/O error; then there is nothing to roll back.
        Err(sqlx::Error::Database(_)) => true,
        Err(_) => false,
    }
}

fn clone(error: &StoreError) -> StoreError {
    match error {
        StoreError::DiskFull => StoreError::DiskFull,
        StoreError::Database(error) => StoreError::Database(sqlx::Error::Protocol(error.to_string())),
        _ => StoreError::Stopped,
    }
}

#[cfg(test)]
mod tests;
