//! The docket's durable state: entries that wait, the batch being written, signed checkpoints, and the log's files.
//!
//! The database is the truth. The files are made from it and can be made again for the newest batch; what the public
//! sees is the files. Trust: whoever can write here can stop the docket and lose what waits in it, but cannot change
//! what was published without being found out by any witness.

mod directory;
mod heads;

use std::path::Path;

use serde::{Deserialize, Serialize};
use sqlx::{AnyPool, AssertSqlSafe, Row as _, any::AnyRow};
use translog::entry::{ENTRY_BYTES, Salt, commitment, kind_usable};

pub use directory::{FileError, LogDirectory};
pub use heads::KeptHeads;

use crate::database::Database;
use casework::ledger::heads::Head;

/// A connection within whose transaction an entry can be enqueued.
pub use sqlx::AnyConnection;

/// Most entries of one batch.
pub const BATCH_MAX: u32 = 4096;
/// Most entries that one call enqueues.
pub const ENQUEUE_MAX: usize = 4096;
/// Most entries that wait. More would be logged so late that failing is the honest answer.
pub const WAITING_MAX: i64 = 1_000_000;

/// An entry's number in the queue. It says nothing about its place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub i64);

/// An entry to enqueue.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// What it commits to, such as `release`.
    pub kind: &'static str,
    /// 32 random bytes drawn for this entry alone.
    pub salt: Salt,
    /// Digest of what it commits to.
    pub digest: [u8; 32],
    /// Seconds since 1970.
    pub enqueued_at: i64,
}

/// An entry as it stands.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub id: EntryId,
    /// What it commits to.
    pub kind: String,
    /// What hides it.
    pub salt: Salt,
    /// Digest of what it commits to.
    pub digest: [u8; 32],
    /// Index in the log, once it has one.
    pub position: Option<u64>,
}

/// The newest batch.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Index of its first entry.
    pub start: u64,
    /// Its entries.
    pub entries: Vec<[u8; ENTRY_BYTES]>,
}

impl Batch {
    /// The log's size with it.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.entries.len() as u64)
    }
}

/// A checkpoint that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Its size.
    pub size: u64,
    /// The note as the log signed it.
    pub signed: String,
    /// The note with a quorum's cosignatures.
    pub witnessed: Option<String>,
    /// Whether it was published.
    pub published: bool,
}

/// Why the docket's state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DocketStoreError {
    /// The database failed.
    #[error("the docket's database failed")]
    Database(#[from] sqlx::Error),
    /// A file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// More than [`ENQUEUE_MAX`] entries at once.
    #[error("`{0}` entries at once are too many; the limit is 4096")]
    TooMany(usize),
    /// [`WAITING_MAX`] entries wait already.
    #[error("the docket's queue is full; the published rate is too low for what is to be logged")]
    Full,
    /// A kind that cannot be used.
    #[error("`{0}` cannot name a kind of entry; use lower-case letters, digits, `.`, `_` and `-`")]
    Kind(String),
    /// A row that this program did not write.
    #[error("the docket's table `{0}` holds a row that cannot be right")]
    Row(&'static str),
    /// The work was cut short.
    #[error("the work on the docket was cut short")]
    Interrupted,
}

type Result<T> = std::result::Result<T, DocketStoreError>;

/// The docket's tables and files. Cheap to clone.
#[derive(Clone)]
pub struct DocketStore {
    database: Database,
    pool: AnyPool,
    directory: LogDirectory,
}

impl DocketStore {
    /// Opens the docket over a database that has its tables, with its files under `directory`, which is made if it is
    /// not there.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub fn open(database: Database, directory: &Path) -> Result<Self> {
        Ok(Self {
            pool: database.pool.clone(),
            database,
            directory: LogDirectory::create(directory)?,
        })
    }

    /// The log's files.
    pub fn directory(&self) -> &LogDirectory {
        &self.directory
    }

    /// Enqueues all of `entries` in one transaction; they are durable when this returns.
    ///
    /// # Errors
    /// When a kind cannot be used, there are too many, or the database fails; nothing is enqueued then.
    pub async fn enqueue(&self, entries: &[NewEntry]) -> Result<Vec<EntryId>> {
        let mut transaction = self.database.begin().await?;
        let ids = enqueue_in(&mut transaction, entries).await?;
        transaction.commit().await?;
        Ok(ids)
    }

    /// An entry by its number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn entry(&self, id: EntryId) -> Result<Option<Entry>> {
        let row = sqlx::query("SELECT id, kind, salt, digest, position FROM docket_entry WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| read_entry(&row)).transpose()
    }

    /// The first entry that commits to a digest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, kind: &str, digest: &[u8; 32]) -> Result<Option<EntryId>> {
        let row =
            sqlx::query("SELECT id FROM docket_entry WHERE kind = $1 AND digest = $2 ORDER BY id LIMIT 1")
                .bind(kind)
                .bind(digest.as_slice())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.map(EntryId))
    }

    /// How many entries wait.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting(&self) -> Result<u64> {
        let row = sqlx::query("SELECT count(*) FROM docket_entry WHERE position IS NULL")
            .fetch_one(&self.pool)
            .await?;
        unsigned(row.try_get(0)?, "docket_entry")
    }

    /// The entries whose turn it is, at most `limit`, with their commitments: those of kind `first` before all others, then
    /// those that have waited longest. Many cheap entries cannot hold up the few that have a term.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_waiting(&self, first: &str, limit: u32) -> Result<Vec<(EntryId, [u8; ENTRY_BYTES])>> {
        let rows = sqlx::query(
            "SELECT * FROM (SELECT id, commitment, 0 AS class FROM docket_entry \
               WHERE position IS NULL AND kind = $1 ORDER BY id LIMIT $2) AS early \
             UNION ALL SELECT * FROM (SELECT id, commitment, 1 AS class FROM docket_entry \
               WHERE position IS NULL AND kind <> $1 ORDER BY id LIMIT $2) AS late \
             ORDER BY class, id LIMIT $2",
        )
        .bind(first)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((EntryId(row.try_get(0)?), bytes32(row, 1)?)))
            .collect()
    }

    /// Stages a batch, gives the entries in it their places, and keeps the sets of heads that are among them, in one
    /// transaction. Batches before it are forgotten: their files are durable.
    ///
    /// # Errors
    /// When the database fails; nothing is staged then.
    pub async fn stage(
        &self,
        batch: &Batch,
        places: &[(EntryId, u64)],
        heads: &[(KeptHeads, Vec<Head>)],
    ) -> Result<()> {
        let start = signed(batch.start)?;
        let mut transaction = self.database.begin().await?;
        sqlx::query("DELETE FROM docket_batch WHERE start < $1")
            .bind(start)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO docket_batch (start, entries) VALUES ($1, $2)")
            .bind(start)
            .bind(batch.entries.concat())
            .execute(&mut *transaction)
            .await?;
        let placed = place(&mut transaction, places).await?;
        if placed != places.len() as u64 {
            return Err(DocketStoreError::Row("docket_entry"));
        }
        for (set, heads) in heads {
            heads::keep(&mut transaction, set, heads).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The newest batch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn batch(&self) -> Result<Option<Batch>> {
        let row = sqlx::query("SELECT start, entries FROM docket_batch ORDER BY start DESC LIMIT 1")
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let bytes: Vec<u8> = row.try_get(1)?;
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return Err(DocketStoreError::Row("docket_batch"));
        }
        Ok(Some(Batch {
            start: unsigned(row.try_get(0)?, "docket_batch")?,
            entries: entries.to_vec(),
        }))
    }

    /// The newest two checkpoints, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest(&self) -> Result<(Option<Signed>, Option<Signed>)> {
        let rows = sqlx::query(
            "SELECT size, signed, witnessed, published FROM docket_checkpoint ORDER BY size DESC LIMIT 2",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut found = rows.iter().map(read_signed);
        Ok((found.next().transpose()?, found.next().transpose()?))
    }

    /// The largest published checkpoint.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_published(&self) -> Result<Option<Signed>> {
        let row = sqlx::query(
            "SELECT size, signed, witnessed, published FROM docket_checkpoint \
             WHERE published = 1 ORDER BY size DESC LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| read_signed(&row)).transpose()
    }

    /// Keeps a signed checkpoint, before anybody is shown it.
    ///
    /// # Errors
    /// When it is not larger than every one before, or the database fails.
    pub async fn keep_signed(&self, size: u64, note: &str) -> Result<()> {
        sqlx::query("INSERT INTO docket_checkpoint (size, signed) VALUES ($1, $2)")
            .bind(signed(size)?)
            .bind(note)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Keeps a checkpoint's cosignatures.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_witnessed(&self, size: u64, note: &str) -> Result<()> {
        let done =
            sqlx::query("UPDATE docket_checkpoint SET witnessed = $2 WHERE size = $1 AND published = 0")
                .bind(signed(size)?)
                .bind(note)
                .execute(&self.pool)
                .await?;
        one_row(done.rows_affected())
    }

    /// Notes that a checkpoint was published.
    ///
    /// # Errors
    /// When it was not witnessed, or the database fails.
    pub async fn keep_published(&self, size: u64) -> Result<()> {
        let done = sqlx::query("UPDATE docket_checkpoint SET published = 1 WHERE size = $1")
            .bind(signed(size)?)
            .execute(&self.pool)
            .await?;
        one_row(done.rows_affected())
    }

    /// Does file work on a thread where it may block.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&LogDirectory) -> T + Send + 'static,
    ) -> Result<T> {
        let directory = self.directory.clone();
        tokio::task::spawn_blocking(move || work(&directory))
            .await
            .map_err(|_| DocketStoreError::Interrupted)
    }
}

/// Enqueues `entries` within the caller's transaction: they are in the docket's queue exactly when it commits.
///
/// # Errors
/// When a kind cannot be used, there are too many, or the database fails.
pub async fn enqueue_in(connection: &mut AnyConnection, entries: &[NewEntry]) -> Result<Vec<EntryId>> {
    if entries.len() > ENQUEUE_MAX {
        return Err(DocketStoreError::TooMany(entries.len()));
    }
    for entry in entries {
        if !kind_usable(entry.kind) {
            return Err(DocketStoreError::Kind(entry.kind.to_owned()));
        }
    }
    // Entries leave in the order of their ids, so what waits is what lies between the first waiting and the last.
    let waiting: i64 = sqlx::query(
        "SELECT coalesce((SELECT max(id) FROM docket_entry) \
         - (SELECT min(id) FROM docket_entry WHERE position IS NULL), 0)",
    )
    .fetch_one(&mut *connection)
    .await?
    .try_get(0)?;
    if waiting >= WAITING_MAX {
        return Err(DocketStoreError::Full);
    }
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    // Many to a statement: at thousands a second the round trips would cost more than the rows.
    let mut ids = Vec::with_capacity(entries.len());
    for entries in entries.chunks(ROWS_AT_ONCE) {
        let sql = format!(
            "INSERT INTO docket_entry (kind, salt, digest, commitment, enqueued_at) VALUES {} RETURNING id",
            tuples(entries.len(), 5)
        );
        let whole = [1, ROWS_AT_ONCE].contains(&entries.len());
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(whole);
        for entry in entries {
            let commitment = commitment(entry.kind, &entry.salt, &entry.digest);
            query = query
                .bind(entry.kind)
                .bind(entry.salt.0.to_vec())
                .bind(entry.digest.to_vec())
                .bind(commitment.to_vec())
                .bind(entry.enqueued_at);
        }
        for row in query.fetch_all(&mut *connection).await? {
            ids.push(EntryId(row.try_get(0)?));
        }
    }
    if ids.len() != entries.len() {
        return Err(DocketStoreError::Row("docket_entry"));
    }
    // No order is promised for RETURNING; ids grow in the order of insertion.
    ids.sort_unstable();
    Ok(ids)
}

/// Gives entries their places; says how many there were to give one to.
async fn place(connection: &mut AnyConnection, places: &[(EntryId, u64)]) -> Result<u64> {
    let mut placed = 0_u64;
    for places in places.chunks(ROWS_AT_ONCE) {
        let sql = format!(
            "WITH place (id, position) AS (VALUES {}) UPDATE docket_entry SET position = place.position \
             FROM place WHERE docket_entry.id = place.id",
            tuples(places.len(), 2)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(places.len() == ROWS_AT_ONCE);
        for (id, position) in places {
            query = query.bind(id.0).bind(signed(*position)?);
        }
        placed = placed.saturating_add(query.execute(&mut *connection).await?.rows_affected());
    }
    Ok(placed)
}

/// Most rows of one statement. SQLite looks each `$n` up among those before it, by name: the cost grows with the square.
const ROWS_AT_ONCE: usize = 64;

/// `($1, $2), ($3, $4)`: placeholders for so many rows of so many values.
fn tuples(rows: usize, width: usize) -> String {
    let mut sql = String::with_capacity(rows * width * 8);
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=width {
            let comma = if column == 1 { "" } else { ", " };
            sql.push_str(&format!("{comma}${}", row * width + column));
        }
        sql.push(')');
    }
    sql
}

fn read_entry(row: &AnyRow) -> Result<Entry> {
    let position: Option<i64> = row.try_get(4)?;
    Ok(Entry {
        id: EntryId(row.try_get(0)?),
        kind: row.try_get(1)?,
        salt: Salt(bytes32(row, 2)?),
        digest: bytes32(row, 3)?,
        position: position.map(|p| unsigned(p, "docket_entry")).transpose()?,
    })
}

fn read_signed(row: &AnyRow) -> Result<Signed> {
    Ok(Signed {
        size: unsigned(row.try_get(0)?, "docket_checkpoint")?,
        signed: row.try_get(1)?,
        witnessed: row.try_get(2)?,
        published: row.try_get::<i64, _>(3)? == 1,
    })
}

fn bytes32(row: &AnyRow, column: usize) -> Result<[u8; 32]> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes
        .try_into()
        .map_err(|_| DocketStoreError::Row("docket_entry"))
}

fn unsigned(value: i64, table: &'static str) -> Result<u64> {
    u64::try_from(value).map_err(|_| DocketStoreError::Row(table))
}

fn signed(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| DocketStoreError::Row("docket_checkpoint"))
}

fn one_row(count: u64) -> Result<()> {
    if count == 1 {
        Ok(())
    } else {
        Err(DocketStoreError::Row("docket_checkpoint"))
    }
}
