//! One task makes every change to the vault's metadata, many to a transaction.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;

/// Most changes in one transaction.
const BATCH_MAX: usize = 256;
/// Most changes that wait; who comes later waits to be queued.
const QUEUE_MAX: usize = 4096;

/// A change to the database.
///
/// It may be applied more than once, when another change of its transaction fails; and it must find out that it is
/// refused (any [`StoreError`] but a failure of the database) before it writes anything.
#[async_trait]
pub(super) trait Change: Send + Sync + 'static {
    type Output: Send + 'static;
    async fn apply(&self, db: &mut SqliteConnection) -> Result<Self::Output, StoreError>;
    /// Whether what was deleted must also leave the write-ahead log before the change counts as made.
    fn scrub(&self) -> bool {
        false
    }
}

#[async_trait]
trait Job: Send {
    /// Applies the change; `false` when the database failed and the transaction is lost.
    async fn apply(&mut self, db: &mut SqliteConnection) -> bool;
    fn scrub(&self) -> bool;
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
    async fn apply(&mut self, db: &mut SqliteConnection) -> bool {
        let outcome = self.change.apply(db).await;
        let sound = !matches!(outcome, Err(StoreError::Database(_) | StoreError::DiskFull));
        self.outcome = Some(outcome);
        sound
    }
    fn scrub(&self) -> bool {
        self.change.scrub()
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
    pub(super) fn start(db: SqliteConnection) -> Self {
        let (sender, jobs) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(db, jobs));
        Self(sender)
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

async fn run(mut db: SqliteConnection, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while jobs.recv_many(&mut batch, BATCH_MAX).await > 0 {
        if let Err(failed) = commit(&mut db, &mut batch).await {
            if batch.len() == 1 {
                batch.drain(..).for_each(|job| job.settle(Some(clone(&failed))));
            }
            // One of them failed, and not all need to: each alone.
            for job in batch.drain(..) {
                let mut alone = vec![job];
                let failed = commit(&mut db, &mut alone).await.err();
                alone
                    .into_iter()
                    .for_each(|job| job.settle(failed.as_ref().map(clone)));
            }
            continue;
        }
        if batch.iter().any(|job| job.scrub()) {
            scrub(&mut db).await;
        }
        batch.drain(..).for_each(|job| job.settle(None));
    }
}

/// Commits all of `batch`, or nothing.
async fn commit(db: &mut SqliteConnection, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *db).await?;
    for job in batch {
        if !job.apply(db).await {
            rollback(db).await;
            return Err(StoreError::Stopped);
        }
    }
    if let Err(error) = sqlx::query("COMMIT").execute(&mut *db).await {
        rollback(db).await;
        return Err(error.into());
    }
    Ok(())
}

async fn rollback(db: &mut SqliteConnection) {
    // SQLite may have rolled back by itself, after an I/O error; then there is nothing to roll back.
    let _ = sqlx::query("ROLLBACK").execute(db).await;
}

/// Folds the write-ahead log into the database and cuts it to nothing, so that no old page with a deleted key is left.
async fn scrub(db: &mut SqliteConnection) {
    const TRIES: u32 = 50;
    for _ in 0..TRIES {
        let busy = sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut *db)
            .await;
        match busy {
            Ok(0) => return,
            // A reader still looks at an old page.
            _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
    tracing::warn!("a destroyed key's old page stays in the write-ahead log until the next checkpoint");
}

fn clone(error: &StoreError) -> StoreError {
    match error {
        StoreError::DiskFull => StoreError::DiskFull,
        StoreError::Database(error) => StoreError::Database(sqlx::Error::Protocol(error.to_string())),
        _ => StoreError::Stopped,
    }
}
