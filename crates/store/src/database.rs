//! The database behind every store: one SQLite file, or a PostgreSQL server that several nodes share.
//!
//! One text of SQL runs on both: `$1` placeholders, `BIGINT`, bytes and text, no JSON, no arrays, no advisory locks, so
//! that what speaks PostgreSQL's protocol will do. What differs is here: how a connection is made ready, how a
//! transaction gets its turn, and how what was deleted leaves the disk.

mod carry;
mod location;
mod migrations;
mod readers;

use std::{path::Path, time::Duration};

use sqlx::{
    Any, AnyConnection, AnyPool, Connection as _, Transaction,
    any::{AnyPoolOptions, AnyRow},
    query::Query,
};

pub use self::{
    carry::CarryError,
    location::{Location, LocationError},
    readers::READERS_MAX,
};
use self::{migrations::migrator, readers::Readers};

/// Most connections of one process at once, the vault's writer apart.
pub const CONNECTIONS_MAX: u32 = 8;
/// How long a write waits for another connection's transaction.
pub const BUSY_WAIT: Duration = Duration::from_secs(10);
/// How long it is tried to find out why no connection came.
const CAUSE_WAIT: Duration = Duration::from_secs(2);
/// How long a statement may run on a server before it is given up.
const STATEMENT_MS: &str = "60000";
/// SQLite's write-ahead log is folded into the file above this many pages of 4 KiB (64 MiB), so that bursts of small
/// writes do not pay for it every few hundred rows.
const CHECKPOINT_PAGES: &str = "16384";

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be opened or created.
    #[error(
        "cannot open the database `{place}`; check that the folder exists and may be written to, or that the server runs"
    )]
    Open {
        /// The file, or the server without the password.
        place: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Its tables cannot be brought up to date.
    #[error("cannot bring the database `{place}` up to date; was it written by a newer version?")]
    Migrate {
        /// The file, or the server without the password.
        place: String,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// It should hold nothing, and does.
    #[error("the database `{place}` is not empty: it has a table `{table}`; name a new one")]
    Filled {
        /// The file, or the server without the password.
        place: String,
        /// One of its tables.
        table: String,
    },
}

/// Which program keeps the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file in this process.
    Sqlite,
    /// PostgreSQL, or what speaks its protocol.
    Postgres,
}

/// An open database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Connections for everybody. Begin transactions that write with [`Database::begin`].
    pub pool: AnyPool,
    readers: Readers,
    engine: Engine,
    url: String,
}

impl Database {
    /// Opens the database, creates a file that is not there, and brings the tables up to date. A commit is on the disk when
    /// it returns (SQLite: write-ahead log, `synchronous=FULL`; a server: its own `synchronous_commit`), and in SQLite what
    /// is deleted is overwritten (`secure_delete`), for a deleted key must not be found in a free page.
    ///
    /// # Errors
    /// When it cannot be opened, or is of a newer version.
    pub async fn open(location: impl Into<Location>) -> Result<Self, DatabaseError> {
        let location = location.into();
        sqlx::any::install_default_drivers();
        let (engine, url) = (location.engine(), location.url());
        let open = |source| DatabaseError::Open {
            place: location.to_string(),
            source,
        };
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(BUSY_WAIT)
            // A server may have gone away in between; a file has not.
            .test_before_acquire(engine == Engine::Postgres)
            .after_connect(move |connection, _| Box::pin(make_ready(engine, connection)))
            .connect(&url)
            .await;
        let pool = match pool {
            Ok(pool) => pool,
            Err(error) => return Err(open(cause(&url, error).await)),
        };
        let readers = Readers::new(engine, pool.clone(), url.clone());
        let database = Self {
            pool,
            readers,
            engine,
            url,
        };
        database
            .migrate()
            .await
            .map_err(|source| DatabaseError::Migrate {
                place: location.to_string(),
                source,
            })?;
        Ok(database)
    }

    /// Makes sure that the database can be reached and holds nothing yet; changes nothing there.
    ///
    /// # Errors
    /// When it cannot be reached, or holds rows or somebody else's tables.
    pub async fn vacant(location: &Location) -> Result<(), DatabaseError> {
        let place = location.to_string();
        let asked = async {
            match location {
                Location::File(path) if path.exists() => {
                    Err(sqlx::Error::Io(std::io::ErrorKind::AlreadyExists.into()))
                }
                Location::File(_) => Ok(None),
                Location::Server(url) => {
                    sqlx::any::install_default_drivers();
                    let mut connection = AnyConnection::connect(url).await?;
                    let filled = carry::filled(&mut connection).await?;
                    connection.close().await?;
                    Ok(filled)
                }
            }
        };
        let asked = tokio::time::timeout(BUSY_WAIT, asked).await;
        let open = |source| DatabaseError::Open {
            place: place.clone(),
            source,
        };
        match asked.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(open)? {
            Some(table) => Err(DatabaseError::Filled { place, table }),
            None => Ok(()),
        }
    }

    async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        match self.engine {
            Engine::Sqlite => migrator(self.engine).run(&self.pool).await,
            Engine::Postgres => {
                // Several nodes may start at once. A row is locked, and no advisory lock, which not every server has.
                sqlx::raw_sql(
                    "CREATE TABLE IF NOT EXISTS migration_turn (name TEXT PRIMARY KEY); \
                     INSERT INTO migration_turn (name) VALUES ('all') ON CONFLICT DO NOTHING;",
                )
                .execute(&self.pool)
                .await?;
                let mut turn = self.pool.begin().await?;
                sqlx::query("SELECT name FROM migration_turn WHERE name = 'all' FOR UPDATE")
                    .execute(&mut *turn)
                    .await?;
                migrator(self.engine).set_locking(false).run(&self.pool).await?;
                Ok(turn.commit().await?)
            }
        }
    }

    /// Which program keeps the rows.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Begins a transaction that writes, alone: what it reads stays true until it commits, for every other writer begins
    /// here too. In SQLite it takes the write lock at once (`BEGIN IMMEDIATE`); on a server, a row.
    ///
    /// # Errors
    /// When its turn does not come within [`BUSY_WAIT`], or the database fails.
    pub async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.engine {
            Engine::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Engine::Postgres => {
                let mut transaction = self
                    .pool
                    .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
                    .await?;
                sqlx::query("SELECT name FROM turn WHERE name = 'desk' FOR UPDATE")
                    .execute(&mut *transaction)
                    .await?;
                Ok(transaction)
            }
        }
    }

    /// Begins a transaction that reads: all that it reads is of one moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_reading(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.engine {
            Engine::Sqlite => self.pool.begin().await,
            Engine::Postgres => {
                self.pool
                    .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await
            }
        }
    }

    /// Closes the pool. What SQLite's write-ahead log holds is brought into the database's own file first; what another
    /// connection is just writing stays in the log, and nothing is lost either way.
    pub async fn close(&self) {
        self.readers.close().await;
        if self.engine == Engine::Sqlite {
            let moved = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(&self.pool)
                .await;
            if let Err(error) = moved {
                tracing::warn!(%error, "the write-ahead log stays beside the database");
            }
        }
        self.pool.close().await;
    }

    /// Writes a copy of the whole database as of one moment into a new SQLite file, while others write on. What was deleted is
    /// not in it. From a server it holds the same rows in the same tables, without leases and holds.
    ///
    /// # Errors
    /// When the file is there already or cannot be written, or the database fails.
    pub async fn snapshot(&self, to: &Path) -> Result<(), CarryError> {
        if self.engine == Engine::Sqlite {
            let to = to.to_string_lossy().into_owned();
            sqlx::query("VACUUM INTO $1").bind(to).execute(&self.pool).await?;
            return Ok(());
        }
        Self::vacant(&Location::from(to)).await?;
        let copy = Self::open(to).await?;
        let carried = carry::carry(self, &copy).await;
        copy.close().await;
        // A key destroyed meanwhile could not be vacuumed away while it was still being read.
        let keys = crate::vault::KEY_TABLES.iter().copied();
        scrub(self.engine, &mut self.connect().await?, keys).await;
        carried.map(|_| ())
    }

    /// Fills this database, which is a server and empty, with every row of a file: all of them, or none. Returns how many
    /// there are.
    ///
    /// # Errors
    /// When it is not empty, a database fails, or what was written does not read back.
    pub async fn fill(&self, from: &Self) -> Result<u64, CarryError> {
        carry::carry(from, self).await
    }

    /// The rows that a query gives, by the shortest way: for what is asked with every request.
    pub(crate) async fn rows(
        &self,
        query: Query<'_, Any, <Any as sqlx::Database>::Arguments>,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        self.readers.rows(query).await
    }

    /// The same, where there is one row at most.
    pub(crate) async fn row(
        &self,
        query: Query<'_, Any, <Any as sqlx::Database>::Arguments>,
    ) -> Result<Option<AnyRow>, sqlx::Error> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// Runs one statement that gives no rows.
    ///
    /// # Errors
    /// When it fails.
    pub async fn execute(&self, sql: &'static str) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query(sql).execute(&self.pool).await?.rows_affected())
    }

    /// Runs statements on a connection, for programs that measure. They must be the program's own text.
    ///
    /// # Errors
    /// When one fails.
    pub async fn run_on(&self, connection: &mut AnyConnection, sql: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
            .execute(connection)
            .await?;
        Ok(())
    }

    /// A connection of its own, outside the pool.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn connect(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut connection = AnyConnection::connect(&self.url).await?;
        make_ready(self.engine, &mut connection).await?;
        Ok(connection)
    }
}

/// Why a pool has no connection: it says only that none came in time.
async fn cause(url: &str, error: sqlx::Error) -> sqlx::Error {
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return error;
    }
    match tokio::time::timeout(CAUSE_WAIT, AnyConnection::connect(url)).await {
        Ok(Err(why)) => why,
        _ => error,
    }
}

async fn make_ready(engine: Engine, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let busy = BUSY_WAIT.as_millis();
    let settings = match engine {
        Engine::Sqlite => format!(
            "PRAGMA busy_timeout = {busy}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; \
             PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};"
        ),
        // A peer that was cut off in mid-transaction must not hold its turn for ever.
        Engine::Postgres => format!(
            "SET lock_timeout = {busy}; SET statement_timeout = {STATEMENT_MS}; \
             SET idle_in_transaction_session_timeout = {STATEMENT_MS};"
        ),
    };
    sqlx::raw_sql(sqlx::AssertSqlSafe(settings))
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes what was deleted leave the disk too. In SQLite the write-ahead log is folded into the file and cut to nothing; on
/// a server the dead rows of `tables` are vacuumed. A reader of an old page can delay either: then it is said in the log.
pub(crate) async fn scrub(
    engine: Engine,
    connection: &mut AnyConnection,
    tables: impl IntoIterator<Item = &'static str>,
) {
    const TRIES: u32 = 50;
    if engine == Engine::Postgres {
        for table in tables {
            let sql = format!("VACUUM {table}");
            let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut *connection)
                .await;
            if let Err(error) = done {
                tracing::warn!(%error, "a destroyed key's dead row stays until the server vacuums it");
            }
        }
        return;
    }
    for _ in 0..TRIES {
        let busy = sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut *connection)
            .await;
        match busy {
            Ok(0) => return,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    tracing::warn!("a destroyed key's old page stays in the write-ahead log until the next checkpoint");
}

/// Whether the error says that the disk is full.
pub fn is_disk_full(error: &sqlx::Error) -> bool {
    match error {
        // SQLITE_FULL, and SQLITE_IOERR_WRITE, which is what a full disk gives for the write-ahead log on some systems;
        // PostgreSQL's disk_full.
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("13" | "778" | "53100")),
        sqlx::Error::Io(error) => crate::blobs::is_full(error),
        _ => false,
    }
}

/// Whether an answer to `COMMIT` says for certain that nothing was kept: a conflict, a broken constraint (class 23), a
/// transaction that had failed before (25P02), a full disk. Anything else, a server that is shutting down among them, leaves
/// it open.
pub(crate) fn is_undone(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else {
        return false;
    };
    let code = database.code().unwrap_or_default();
    is_conflict(error) || code.starts_with("23") || matches!(code.as_ref(), "25P02" | "53100")
}

/// Whether the error says that the server undid the transaction because of another one, so that trying again may succeed:
/// serialization failure and deadlock (SQLSTATE 40001, 40P01), and a lock not got in time (55P03).
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error)
        if matches!(error.code().as_deref(), Some("40001" | "40P01" | "55P03")))
}
