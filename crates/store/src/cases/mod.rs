//! Case files: the demand's bytes, the chain of events, packages, letters, and the people who work on them.
//!
//! Trust: whoever controls this database alone sees how many cases there are, when each event happened and which member
//! of staff recorded it; no demand, name, account or reason, for those are sealed under each case's key. It can lose or
//! withhold a case; it cannot alter or fork one unseen, for headers are chained and committed to the docket.

pub(crate) mod events;
mod feeds;
mod letters;
mod packages;
mod people;

use std::sync::Arc;

use casework::{
    event::Event,
    ids::{CaseId, Digest, TenantId},
};
use envelope::case_file::{CaseFileError, CaseKey, CaseRoot, Part};
use jiff::Timestamp;
use sqlx::{Any, AnyConnection, AnyPool, Row, Transaction, any::AnyRow};

use crate::database::{Database, scrub};

pub use envelope::case_file::NONCE_BYTES;
pub use events::StoredEvent;
pub use feeds::FeedRow;
pub use letters::{NewLetter, StoredLetter};
pub use packages::{PackageRow, ReleaseRow, Sealed};
pub use people::{PersonRow, TokenRow};

/// Most events that one case may hold. A case beyond it is closed and continued in another.
pub const EVENTS_MAX: u64 = 10_000;

/// Most rows that one page of a list may hold.
pub const PAGE_MAX: u32 = 200;

/// A connection inside a transaction that [`CaseStore::begin`] began.
pub type Connection = AnyConnection;

/// Twelve random bytes for one sealing. Never the same twice under one key.
pub type Nonce = [u8; NONCE_BYTES];

/// Why a case file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseStoreError {
    /// The database failed; the source says how.
    #[error("case database failed")]
    Database(#[from] sqlx::Error),
    /// No such case, record, letter or person.
    #[error("no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// Another event was recorded in between.
    #[error("case `{0}` moved on while this event was being recorded; read it again and retry")]
    Moved(CaseId),
    /// The content was erased by destroying the case's key.
    #[error("the content of case `{0}` was erased; only its chain of headers remains")]
    Erased(CaseId),
    /// A sealed part does not open.
    #[error(transparent)]
    Sealed(#[from] CaseFileError),
    /// A row does not hold what it should.
    #[error("case database holds a bad {0}; restore it from a backup")]
    Corrupt(&'static str),
    /// A named limit was reached.
    #[error("case `{case}` has {limit} events, the most one case may hold; close it and open another")]
    Full {
        /// The case.
        case: CaseId,
        /// [`EVENTS_MAX`].
        limit: u64,
    },
    /// The person exists already.
    #[error("`{0}` exists already")]
    Exists(String),
}

/// The case database. Cheap to clone.
#[derive(Clone)]
pub struct CaseStore {
    database: Database,
    pool: AnyPool,
    root: Arc<CaseRoot>,
}

/// A case about to be opened with its first event.
pub struct NewCase<'a> {
    /// The case's key, fresh.
    pub key: CaseKey,
    /// For wrapping the key.
    pub key_nonce: Nonce,
    /// The demand exactly as it arrived.
    pub demand: &'a [u8],
    /// For sealing the demand.
    pub demand_nonce: Nonce,
    /// The first event, which names the case.
    pub first: &'a Event,
    /// For sealing its body.
    pub first_nonce: Nonce,
    /// The docket's queue entry for the first event.
    pub docket_entry: Option<i64>,
    /// What lists show.
    pub progress: &'a Progress,
}

/// What lists and the clock need to know without opening a body. Derived from the chain, so it may be recomputed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// What the case waits for, in a word: `awaiting_resolution`.
    pub stage: String,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When something next falls due by itself.
    pub wake_at: Option<Timestamp>,
    /// Customers told, who may see the case from now on.
    pub told: Vec<TenantId>,
}

/// One line of a list of cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// The case.
    pub id: CaseId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// What it waits for.
    pub stage: String,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When something next falls due by itself.
    pub wake_at: Option<Timestamp>,
    /// Number of events.
    pub length: u64,
    /// Hash of the last header.
    pub head: Digest,
    /// Its content was erased.
    pub erased: bool,
}

/// Which cases to list. Newest first.
#[derive(Debug, Clone, Default)]
pub struct CaseFilter {
    /// Only open ones, or only closed ones.
    pub open: Option<bool>,
    /// Only those this customer was told of.
    pub told: Option<TenantId>,
    /// Only those opened before this one: where the last page ended.
    pub before: Option<CaseId>,
    /// At most this many, and never more than [`PAGE_MAX`].
    pub limit: u32,
}

/// Whether a demand's bytes opened a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// They did.
    Opened,
    /// The same bytes had come before; nothing was written.
    Known(CaseId),
}

impl CaseStore {
    /// The cases in a migrated database (see `database::Database`), whose content opens under `root`.
    pub fn new(database: Database, root: Arc<CaseRoot>) -> Self {
        Self {
            pool: database.pool.clone(),
            database,
            root,
        }
    }

    /// Begins a transaction that holds the write lock from its start, so that what it reads stays true until it commits.
    ///
    /// # Errors
    /// When the database is locked for too long or fails.
    pub async fn begin(&self) -> Result<Transaction<'static, Any>, CaseStoreError> {
        Ok(self.database.begin().await?)
    }

    /// The case that these very bytes opened before, if any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_demand(
        &self,
        tx: &mut AnyConnection,
        bytes: &[u8],
    ) -> Result<Option<CaseId>, CaseStoreError> {
        let name = self.root.demand_name(bytes);
        let row = sqlx::query("SELECT id FROM cases WHERE demand_name = $1")
            .bind(name.as_slice())
            .fetch_optional(tx)
            .await?;
        row.map(|row| case_id(&row, "id")).transpose()
    }

    /// Opens a case: key, demand and first event, all or nothing with the caller's transaction.
    ///
    /// # Errors
    /// When sealing or the database fails.
    pub async fn open_case(
        &self,
        tx: &mut AnyConnection,
        new: NewCase<'_>,
    ) -> Result<Admission, CaseStoreError> {
        if let Some(known) = self.find_demand(tx, new.demand).await? {
            return Ok(Admission::Known(known));
        }
        let case = new.first.header.case;
        let id = case.0.as_bytes();
        sqlx::query(
            "INSERT INTO cases (id, opened_at, demand_name, wrapped_key, demand, length, head, stage) \
             VALUES ($1, $2, $3, $4, $5, 0, $6, '')",
        )
        .bind(id.as_slice())
        .bind(new.first.header.at.as_microsecond())
        .bind(self.root.demand_name(new.demand).as_slice())
        .bind(self.root.wrap(id, &new.key, new.key_nonce)?)
        .bind(new.key.seal(id, Part::Demand, new.demand_nonce, new.demand)?)
        .bind(&[0; 32][..])
        .execute(&mut *tx)
        .await?;
        self.append(tx, new.first, new.first_nonce, new.docket_entry, new.progress)
            .await?;
        Ok(Admission::Opened)
    }

    /// The demand exactly as it arrived.
    ///
    /// # Errors
    /// When there is no such case, or it was erased.
    pub async fn demand(&self, case: CaseId) -> Result<Vec<u8>, CaseStoreError> {
        let row = sqlx::query("SELECT wrapped_key, demand FROM cases WHERE id = $1")
            .bind(case.0.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| missing_case(case))?;
        let key = self.key_of(case, row.try_get("wrapped_key")?)?;
        let sealed: Vec<u8> = row
            .try_get::<Option<Vec<u8>>, _>("demand")?
            .ok_or(CaseStoreError::Erased(case))?;
        Ok(key.open(case.0.as_bytes(), Part::Demand, &sealed)?.to_vec())
    }

    /// One case, as a list shows it.
    ///
    /// # Errors
    /// When there is no such case.
    pub async fn case(&self, case: CaseId) -> Result<CaseRow, CaseStoreError> {
        let row = sqlx::query("SELECT * FROM cases WHERE id = $1")
            .bind(case.0.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| missing_case(case))?;
        case_row(&row)
    }

    /// A page of cases, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, CaseStoreError> {
        let open = filter.open.map(i64::from);
        let told = filter.told.as_ref().map(TenantId::as_str);
        let before = filter.before.map(|case| case.0.as_bytes().to_vec());
        let rows = sqlx::query(
            "SELECT * FROM cases WHERE ($1 IS NULL OR (CASE WHEN closed_at IS NULL THEN 1 ELSE 0 END) = $1) \
             AND ($2 IS NULL OR EXISTS (SELECT 1 FROM case_tenants t WHERE t.tenant = $2 AND t.case_id = cases.id)) \
             AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        )
        .bind(open)
        .bind(told)
        .bind(before)
        .bind(i64::from(filter.limit.clamp(1, PAGE_MAX)))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(case_row).collect()
    }

    /// Cases in which something has fallen due by `now`, earliest first, at most [`PAGE_MAX`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<CaseId>, CaseStoreError> {
        let rows = sqlx::query("SELECT id FROM cases WHERE wake_at <= $1 ORDER BY wake_at LIMIT $2")
            .bind(now.as_microsecond())
            .bind(i64::from(PAGE_MAX))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| case_id(row, "id")).collect()
    }

    /// Moves the time at which a case next falls due, unless it has moved on from `length` events meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_wake(
        &self,
        case: CaseId,
        length: u64,
        wake_at: Option<Timestamp>,
    ) -> Result<(), CaseStoreError> {
        sqlx::query("UPDATE cases SET wake_at = $1 WHERE id = $2 AND length = $3")
            .bind(wake_at.map(|at| at.as_microsecond()))
            .bind(case.0.as_bytes().as_slice())
            .bind(whole(length)?)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whether a customer was told of a case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn was_told(&self, case: CaseId, tenant: &TenantId) -> Result<bool, CaseStoreError> {
        let row = sqlx::query("SELECT 1 FROM case_tenants WHERE tenant = $1 AND case_id = $2")
            .bind(tenant.as_str())
            .bind(case.0.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.is_some())
    }

    /// Erases a case's content for good by destroying its key. The chain of headers stays and still verifies.
    ///
    /// # Errors
    /// When there is no such case or the database fails.
    pub async fn erase(&self, case: CaseId) -> Result<(), CaseStoreError> {
        let mut tx = self.database.begin().await?;
        let done = sqlx::query(
            "UPDATE cases SET wrapped_key = NULL, demand = NULL, demand_name = NULL, wake_at = NULL WHERE id = $1",
        )
        .bind(case.0.as_bytes().as_slice())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(missing_case(case));
        }
        // What came over HI-1 for it goes with it, and every message that brought something of it.
        for delete in [
            "DELETE FROM hi1_messages WHERE case_id = $1 OR name IN (SELECT brought.name FROM hi1_brought AS brought \
             JOIN hi1_objects AS objects ON objects.peer = brought.peer AND objects.object = brought.object \
             WHERE objects.case_id = $1)",
            "DELETE FROM hi1_brought WHERE EXISTS (SELECT 1 FROM hi1_objects AS objects WHERE objects.case_id = $1 \
             AND objects.peer = hi1_brought.peer AND objects.object = hi1_brought.object)",
            "DELETE FROM hi1_objects WHERE case_id = $1",
            "DELETE FROM hi1_pushes WHERE case_id = $1",
        ] {
            sqlx::query(delete)
                .bind(case.0.as_bytes().as_slice())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        let mut connection = self.pool.acquire().await?;
        // Or the key would linger on the disk.
        scrub(
            self.database.engine(),
            &mut connection,
            ["cases", "hi1_objects", "hi1_messages"],
        )
        .await;
        Ok(())
    }

    async fn key(&self, tx: &mut AnyConnection, case: CaseId) -> Result<CaseKey, CaseStoreError> {
        let row = sqlx::query("SELECT wrapped_key FROM cases WHERE id = $1")
            .bind(case.0.as_bytes().as_slice())
            .fetch_optional(tx)
            .await?
            .ok_or_else(|| missing_case(case))?;
        self.key_of(case, row.try_get("wrapped_key")?)
    }

    fn key_of(&self, case: CaseId, wrapped: Option<Vec<u8>>) -> Result<CaseKey, CaseStoreError> {
        let wrapped = wrapped.ok_or(CaseStoreError::Erased(case))?;
        Ok(self.root.unwrap(case.0.as_bytes(), &wrapped)?)
    }
}

fn missing_case(case: CaseId) -> CaseStoreError {
    CaseStoreError::NotFound {
        what: "case",
        id: case.to_string(),
    }
}

fn case_row(row: &AnyRow) -> Result<CaseRow, CaseStoreError> {
    Ok(CaseRow {
        id: case_id(row, "id")?,
        opened_at: instant(row.try_get("opened_at")?)?,
        stage: row.try_get("stage")?,
        closed_at: row
            .try_get::<Option<i64>, _>("closed_at")?
            .map(instant)
            .transpose()?,
        wake_at: row
            .try_get::<Option<i64>, _>("wake_at")?
            .map(instant)
            .transpose()?,
        length: count(row.try_get("length")?)?,
        head: digest(row, "head")?,
        erased: row.try_get::<Option<Vec<u8>>, _>("wrapped_key")?.is_none(),
    })
}

fn instant(microseconds: i64) -> Result<Timestamp, CaseStoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|_| CaseStoreError::Corrupt("time"))
}

fn count(number: i64) -> Result<u64, CaseStoreError> {
    u64::try_from(number).map_err(|_| CaseStoreError::Corrupt("count"))
}

fn whole(number: u64) -> Result<i64, CaseStoreError> {
    i64::try_from(number).map_err(|_| CaseStoreError::Corrupt("count"))
}

fn uuid(row: &AnyRow, column: &'static str) -> Result<uuid::Uuid, CaseStoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    uuid::Uuid::from_slice(&bytes).map_err(|_| CaseStoreError::Corrupt("id"))
}

fn case_id(row: &AnyRow, column: &'static str) -> Result<CaseId, CaseStoreError> {
    uuid(row, column).map(CaseId)
}

fn digest(row: &AnyRow, column: &'static str) -> Result<Digest, CaseStoreError> {
    digest_of(row.try_get(column)?)
}

fn digest_of(bytes: Vec<u8>) -> Result<Digest, CaseStoreError> {
    bytes
        .try_into()
        .map(Digest)
        .map_err(|_| CaseStoreError::Corrupt("digest"))
}

#[cfg(test)]
mod tests;
