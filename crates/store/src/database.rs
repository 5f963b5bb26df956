//! The one SQLite file behind every store, and its migrations.

use std::{path::Path, time::Duration};

use sqlx::{
    Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// Most connections at once, the vault's writer apart.
pub const CONNECTIONS_MAX: u32 = 8;
/// How long a write waits for another connection's transaction.
pub const BUSY_WAIT: Duration = Duration::from_secs(10);
/// The write-ahead log is folded into the file above this many pages of 4 KiB (64 MiB), so that bursts of small writes
/// do not pay for it every few hundred rows.
const CHECKPOINT_PAGES: &str = "16384";

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be opened or created.
    #[error("cannot open the database `{path}`; check that the folder exists and may be written to")]
    Open {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Its tables cannot be brought up to date.
    #[error("cannot bring the database `{path}` up to date; was it written by a newer version?")]
    Migrate {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
}

/// An open database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Connections for everybody. Begin transactions that write with [`Database::begin`].
    pub pool: SqlitePool,
    options: SqliteConnectOptions,
}

impl Database {
    /// Opens or creates the database and brings its tables up to date. A commit is on the disk when it returns
    /// (write-ahead log, `synchronous=FULL`), and what is deleted is overwritten (`secure_delete`), for a deleted key must
    /// not be found in a free page.
    ///
    /// # Errors
    /// When the file cannot be opened, or is of a newer version.
    pub async fn open(path: &Path) -> Result<Self, DatabaseError> {
        let name = || path.display().to_string();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_WAIT)
            .pragma("secure_delete", "ON")
            .pragma("temp_store", "MEMORY")
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await
            .map_err(|source| DatabaseError::Open { path: name(), source })?;
        sqlx::migrate!("./migrations")
            .run(&pool)
            .await
            .map_err(|source| DatabaseError::Migrate { path: name(), source })?;
        Ok(Self { pool, options })
    }

    /// Begins a transaction that writes. It takes the write lock at once (`BEGIN IMMEDIATE`): a transaction that reads
    /// first and writes later would fail whenever another one wrote in between.
    ///
    /// # Errors
    /// When the lock is not free within [`BUSY_WAIT`].
    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.pool.begin_with("BEGIN IMMEDIATE").await
    }

    /// Brings what the write-ahead log holds into the database's own file, empties the log, and closes the pool. What
    /// another connection is just writing stays in the log; nothing is lost either way.
    pub async fn close(&self) {
        let moved = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&self.pool)
            .await;
        if let Err(error) = moved {
            tracing::warn!(%error, "the write-ahead log stays beside the database");
        }
        self.pool.close().await;
    }

    /// Runs one statement that gives no rows.
    ///
    /// # Errors
    /// When it fails.
    pub async fn execute(&self, sql: &'static str) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query(sql).execute(&self.pool).await?.rows_affected())
    }

    /// A connection of its own, outside the pool.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        SqliteConnection::connect_with(&self.options).await
    }
}

/// Whether the error says that the disk is full.
pub fn is_disk_full(error: &sqlx::Error) -> bool {
    match error {
        // SQLITE_FULL, and SQLITE_IOERR_WRITE, which is what a full disk gives for the write-ahead log on some systems.
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("13" | "778")),
        sqlx::Error::Io(error) => crate::blobs::is_full(error),
        _ => false,
    }
}
