//! Carrying all rows from one engine to the other.
//!
//! Both engines have the same tables with the same columns of three kinds: numbers, text, bytes. So a SQLite file is the
//! form in which rows travel: a backup of a server holds one, and a server is filled from one. Rows are read in one
//! transaction, all as of one moment, and pass one statement's worth at a time; then what was written is read back and
//! compared by digest.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use super::{Database, DatabaseError, Engine};

/// Most rows in one statement.
const ROWS_MAX: usize = 100;
/// A statement is sent when its values have this many bytes.
const BYTES_MAX: usize = 1024 * 1024;
/// A file that is being filled is committed after so many bytes, so that its write-ahead log does not grow as large as it.
/// A server is filled in one transaction: all of it, or nothing.
const FILE_COMMIT_BYTES: usize = 32 * 1024 * 1024;
/// What belongs to an engine, or to a moment: turns, leases, holds.
const NOT_CARRIED: &[&str] = &[
    "_sqlx_migrations",
    "migration_turn",
    "turn",
    "turn_wanted",
    "lease",
    "blob_hold",
];

/// Why rows could not be carried.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// A database failed.
    #[error("a database failed while its rows were copied")]
    Sql(#[from] sqlx::Error),
    /// A database cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Where they go is something already.
    #[error("the database is not empty: table `{0}` has rows; name a new one")]
    Filled(String),
    /// The engines' migrations differ, or somebody altered a table.
    #[error("table `{0}` is not the same in both databases")]
    Schema(String),
    /// A type that is not carried.
    #[error("table `{0}` has a column that is neither number, text nor bytes, or has no primary key")]
    Kind(String),
    /// What was read back is not what was written.
    #[error("table `{0}` does not read back as it was written; nothing of it may be used")]
    Differs(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Bytes,
}

enum Value {
    Number(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
    /// The names of its primary key.
    key: Vec<String>,
}

/// Copies every row of `from` to `to`, of which one is a file and the other a server, both migrated; `to` must be empty.
/// Returns how many rows there were.
///
/// # Errors
/// When a database fails, `to` has rows, or does not read back as it was written. A server is as it was then; a file must be
/// thrown away.
pub(super) async fn carry(from: &Database, to: &Database) -> Result<u64, CarryError> {
    let (file, server) = match from.engine {
        Engine::Sqlite => (from, to),
        Engine::Postgres => (to, from),
    };
    let tables = tables(file).await?;
    same_tables(&tables, server).await?;

    let mut reading = from.begin_reading().await?;
    if from.engine == Engine::Postgres {
        patient(&mut reading).await?;
    }
    let mut writing = Writing::begin(to).await?;
    let mut count = 0;
    for table in &tables {
        if !writing.is_empty(&table.name).await? {
            return Err(CarryError::Filled(table.name.clone()));
        }
        let mut digest = Sha256::default();
        let mut batch = Batch::default();
        let select = select(table, from.engine);
        let mut rows = sqlx::query(AssertSqlSafe(select))
            .persistent(false)
            .fetch(&mut *reading);
        while let Some(row) = rows.try_next().await? {
            batch.add(table, &row, &mut digest)?;
            count += 1;
            if batch.rows >= ROWS_MAX || batch.bytes >= BYTES_MAX {
                writing.insert(table, std::mem::take(&mut batch)).await?;
            }
        }
        writing.insert(table, batch).await?;
        if writing.digest(table).await? != <[u8; 32]>::from(digest.finalize()) {
            return Err(CarryError::Differs(table.name.clone()));
        }
    }
    if to.engine == Engine::Postgres {
        writing.continue_numbers(file).await?;
    }
    reading.rollback().await?;
    writing.commit().await?;
    Ok(count)
}

/// The names of tables of a server that hold rows, or that are not ours; nothing is changed there.
pub(super) async fn filled(db: &mut AnyConnection) -> Result<Option<String>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema() \
         ORDER BY 1",
    )
    .fetch_all(&mut *db)
    .await?;
    let ours = names.iter().any(|name| name == "_sqlx_migrations");
    for name in names {
        if ours && (NOT_CARRIED.contains(&name.as_str()) || is_empty(db, &name).await?) {
            continue;
        }
        return Ok(Some(name));
    }
    Ok(None)
}

async fn is_empty(db: &mut AnyConnection, table: &str) -> Result<bool, sqlx::Error> {
    let sql = format!("SELECT CAST(1 AS BIGINT) FROM {} LIMIT 1", quoted(table));
    let row = sqlx::query(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_optional(db)
        .await?;
    Ok(row.is_none())
}

/// A table may be read for longer than any statement of a request.
async fn patient(db: &mut AnyConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SET LOCAL statement_timeout = 0").execute(db).await?;
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

/// The tables of a file, each after those that it refers to.
async fn tables(file: &Database) -> Result<Vec<Table>, CarryError> {
    let rows = sqlx::query(
        "SELECT t.name, CAST(c.name AS TEXT), CAST(c.type AS TEXT), CAST(c.pk AS BIGINT) \
         FROM sqlite_master t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.cid",
    )
    .fetch_all(&file.pool)
    .await?;
    let mut found: BTreeMap<String, (Table, BTreeMap<i64, String>)> = BTreeMap::new();
    for row in rows {
        let (name, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if NOT_CARRIED.contains(&name.as_str()) {
            continue;
        }
        let kind = match row.try_get::<String, _>(2)?.as_str() {
            "INTEGER" => Kind::Number,
            "TEXT" => Kind::Text,
            "BLOB" => Kind::Bytes,
            _ => return Err(CarryError::Kind(name)),
        };
        let (table, key) = found.entry(name.clone()).or_insert_with(|| {
            let table = Table {
                name,
                columns: Vec::new(),
                key: Vec::new(),
            };
            (table, BTreeMap::new())
        });
        let place: i64 = row.try_get(3)?;
        if place > 0 {
            key.insert(place, column.clone());
        }
        table.columns.push((column, kind));
    }
    let rows = sqlx::query(
        "SELECT t.name, CAST(f.\"table\" AS TEXT) FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f \
         WHERE t.type = 'table'",
    )
    .fetch_all(&file.pool)
    .await?;
    let mut above: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let (name, referred): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if name != referred {
            above.entry(name).or_default().insert(referred);
        }
    }
    let mut ordered = Vec::with_capacity(found.len());
    while !found.is_empty() {
        let ready = |name: &String| {
            above
                .get(name)
                .is_none_or(|above| above.iter().all(|one| !found.contains_key(one)))
        };
        let next = found.keys().find(|name| ready(name)).cloned();
        let next = next.or_else(|| found.keys().next().cloned());
        let Some((mut table, key)) = next.and_then(|name| found.remove(&name)) else {
            break;
        };
        table.key = key.into_values().collect();
        if table.key.is_empty() {
            return Err(CarryError::Kind(table.name));
        }
        ordered.push(table);
    }
    Ok(ordered)
}

/// Both engines must know the very same tables and columns.
async fn same_tables(tables: &[Table], server: &Database) -> Result<(), CarryError> {
    let rows = sqlx::query(
        "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns \
         WHERE table_schema = current_schema()",
    )
    .fetch_all(&server.pool)
    .await?;
    let mut there: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if !NOT_CARRIED.contains(&table.as_str()) {
            there.entry(table).or_default().insert(column);
        }
    }
    for table in tables {
        let columns: BTreeSet<_> = table.columns.iter().map(|(name, _)| name.clone()).collect();
        if there.remove(&table.name) != Some(columns) {
            return Err(CarryError::Schema(table.name.clone()));
        }
    }
    match there.pop_first() {
        Some((table, _)) => Err(CarryError::Schema(table)),
        None => Ok(()),
    }
}

/// All rows of a table in the order of its key, which is the same on both engines: text by its bytes.
fn select(table: &Table, engine: Engine) -> String {
    let by: Vec<_> = table
        .key
        .iter()
        .map(|name| {
            let text = table.columns.contains(&(name.clone(), Kind::Text));
            let collate = if text && engine == Engine::Postgres {
                " COLLATE \"C\""
            } else {
                ""
            };
            format!("{}{collate}", quoted(name))
        })
        .collect();
    format!(
        "SELECT {} FROM {} ORDER BY {}",
        listed(table.columns.iter().map(|(name, _)| name)),
        quoted(&table.name),
        by.join(", ")
    )
}

fn insert(table: &Table, rows: usize) -> String {
    let width = table.columns.len();
    let values: Vec<_> = (0..rows)
        .map(|row| {
            let places: Vec<_> = (1..=width)
                .map(|column| format!("${}", row * width + column))
                .collect();
            format!("({})", places.join(", "))
        })
        .collect();
    format!(
        "INSERT INTO {} ({}) VALUES {}",
        quoted(&table.name),
        listed(table.columns.iter().map(|(name, _)| name)),
        values.join(", ")
    )
}

/// Rows on their way.
#[derive(Default)]
struct Batch {
    values: Vec<Value>,
    rows: usize,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, table: &Table, row: &AnyRow, digest: &mut Sha256) -> Result<(), sqlx::Error> {
        for (column, (_, kind)) in table.columns.iter().enumerate() {
            let value = match kind {
                Kind::Number => Value::Number(row.try_get(column)?),
                Kind::Text => Value::Text(row.try_get(column)?),
                Kind::Bytes => Value::Bytes(row.try_get(column)?),
            };
            let there = match &value {
                Value::Number(number) => number.map(|number| number.to_be_bytes().to_vec()),
                Value::Text(text) => text.as_ref().map(|text| text.as_bytes().to_vec()),
                Value::Bytes(bytes) => bytes.clone(),
            };
            let length = there.as_ref().map_or(u64::MAX, |bytes| bytes.len() as u64);
            digest.update(length.to_be_bytes());
            if let Some(bytes) = there {
                digest.update(&bytes);
                self.bytes += bytes.len();
            }
            self.values.push(value);
        }
        self.rows += 1;
        Ok(())
    }
}

/// The transaction that fills a database, on a connection of its own.
struct Writing {
    db: AnyConnection,
    engine: Engine,
    uncommitted: usize,
}

impl Writing {
    async fn begin(to: &Database) -> Result<Self, CarryError> {
        let mut writing = Self {
            db: to.connect().await?,
            engine: to.engine,
            uncommitted: 0,
        };
        writing.start().await?;
        if to.engine == Engine::Postgres {
            patient(&mut writing.db).await?;
        }
        Ok(writing)
    }

    async fn start(&mut self) -> Result<(), sqlx::Error> {
        let begin = match self.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        };
        sqlx::query(begin).execute(&mut self.db).await?;
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(&mut self.db).await?;
        self.uncommitted = 0;
        Ok(())
    }

    async fn is_empty(&mut self, table: &str) -> Result<bool, sqlx::Error> {
        is_empty(&mut self.db, table).await
    }

    async fn insert(&mut self, table: &Table, batch: Batch) -> Result<(), sqlx::Error> {
        if batch.rows == 0 {
            return Ok(());
        }
        // Full statements are of one text, and prepared once.
        let mut query =
            sqlx::query(AssertSqlSafe(insert(table, batch.rows))).persistent(batch.rows == ROWS_MAX);
        for value in batch.values {
            query = match value {
                Value::Number(number) => query.bind(number),
                Value::Text(text) => query.bind(text),
                Value::Bytes(bytes) => query.bind(bytes),
            };
        }
        query.execute(&mut self.db).await?;
        self.uncommitted += batch.bytes;
        if self.engine == Engine::Sqlite && self.uncommitted >= FILE_COMMIT_BYTES {
            self.commit().await?;
            self.start().await?;
        }
        Ok(())
    }

    /// The digest of what is there now.
    async fn digest(&mut self, table: &Table) -> Result<[u8; 32], sqlx::Error> {
        let mut digest = Sha256::default();
        let select = select(table, self.engine);
        let mut rows = sqlx::query(AssertSqlSafe(select))
            .persistent(false)
            .fetch(&mut self.db);
        while let Some(row) = rows.try_next().await? {
            Batch::default().add(table, &row, &mut digest)?;
        }
        Ok(digest.finalize().into())
    }

    /// Has the server number new rows after those that were, though some of them may be gone.
    async fn continue_numbers(&mut self, file: &Database) -> Result<(), sqlx::Error> {
        let columns = sqlx::query(
            "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns \
             WHERE table_schema = current_schema() AND is_identity = 'YES'",
        )
        .fetch_all(&mut self.db)
        .await?;
        for row in columns {
            let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let last: Option<i64> =
                sqlx::query_scalar("SELECT CAST(seq AS BIGINT) FROM sqlite_sequence WHERE name = $1")
                    .bind(&table)
                    .fetch_optional(&file.pool)
                    .await?;
            if let Some(last) = last.filter(|last| *last > 0) {
                sqlx::query("SELECT setval(pg_get_serial_sequence($1, $2), $3)")
                    .bind(quoted(&table))
                    .bind(column)
                    .bind(last)
                    .execute(&mut self.db)
                    .await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
