//! How far each release came, and the packages that may be fetched.

use casework::ids::{CaseId, Digest, RecordId};
use jiff::Timestamp;
use sqlx::{AnyConnection, Row};

use super::{CaseStore, CaseStoreError, case_id, count, digest, digest_of, instant, uuid, whole};

/// One release record that was put to the docket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRow {
    /// Its case.
    pub case: CaseId,
    /// The docket's queue entry of the record's commitment.
    pub docket_entry: i64,
    /// The package, set before it takes its final name.
    pub package: Option<Sealed>,
    /// Released or refused: nothing more happens to this record.
    pub ended: bool,
}

/// A package that is whole, under whatever name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// SHA-256 of the encrypted file.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What somebody must know of it, in a form of the desk's own. Forgotten once the release ended: the case has it then.
    pub flags: Option<String>,
}

/// A package that may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRow {
    /// The record it answers.
    pub record: RecordId,
    /// Its case.
    pub case: CaseId,
    /// File name within the packages directory.
    pub path: String,
    /// SHA-256 of the encrypted file.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When it was made.
    pub made_at: Timestamp,
}

impl CaseStore {
    /// Remembers that a record's commitment was put to the docket. Does nothing when it was before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_release(
        &self,
        tx: &mut AnyConnection,
        record: RecordId,
        case: CaseId,
        docket_entry: i64,
    ) -> Result<(), CaseStoreError> {
        sqlx::query("INSERT INTO releases (record, case_id, docket_entry) VALUES ($1, $2, $3)")
            .bind(record.0.as_bytes().as_slice())
            .bind(case.0.as_bytes().as_slice())
            .bind(docket_entry)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// How far a release came; `None` while its record was not put to the docket.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(
        &self,
        tx: &mut AnyConnection,
        record: RecordId,
    ) -> Result<Option<ReleaseRow>, CaseStoreError> {
        let row = sqlx::query(
            "SELECT case_id, docket_entry, digest, size, flags, ended FROM releases WHERE record = $1",
        )
        .bind(record.0.as_bytes().as_slice())
        .fetch_optional(tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let package = match (
            row.try_get::<Option<Vec<u8>>, _>("digest")?,
            row.try_get::<Option<i64>, _>("size")?,
        ) {
            (Some(digest), Some(size)) => Some(Sealed {
                digest: digest_of(digest)?,
                size: count(size)?,
                flags: row.try_get("flags")?,
            }),
            _ => None,
        };
        Ok(Some(ReleaseRow {
            case: case_id(&row, "case_id")?,
            docket_entry: row.try_get("docket_entry")?,
            package,
            ended: row.try_get::<Option<String>, _>("ended")?.is_some(),
        }))
    }

    /// Remembers a finished package that has not taken its final name yet.
    ///
    /// # Errors
    /// When the database fails or the record was never put to the docket.
    pub async fn package_sealed(&self, record: RecordId, sealed: &Sealed) -> Result<(), CaseStoreError> {
        let done = sqlx::query(
            "UPDATE releases SET digest = $1, size = $2, flags = $3 WHERE record = $4 AND ended IS NULL",
        )
        .bind(sealed.digest.0.as_slice())
        .bind(whole(sealed.size)?)
        .bind(sealed.flags.as_deref())
        .bind(record.0.as_bytes().as_slice())
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(missing("open release", record))
        }
    }

    /// Ends a release: with its package, or refused without one. In the transaction that appends the event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_release(
        &self,
        tx: &mut AnyConnection,
        record: RecordId,
        package: Option<&PackageRow>,
    ) -> Result<(), CaseStoreError> {
        let ended = if package.is_some() { "released" } else { "refused" };
        sqlx::query("UPDATE releases SET ended = $1, flags = NULL WHERE record = $2")
            .bind(ended)
            .bind(record.0.as_bytes().as_slice())
            .execute(&mut *tx)
            .await?;
        let Some(package) = package else { return Ok(()) };
        sqlx::query(
            "INSERT INTO packages (record, case_id, path, digest, size, made_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(record.0.as_bytes().as_slice())
        .bind(package.case.0.as_bytes().as_slice())
        .bind(&package.path)
        .bind(package.digest.0.as_slice())
        .bind(whole(package.size)?)
        .bind(package.made_at.as_microsecond())
        .execute(tx)
        .await?;
        Ok(())
    }

    /// A package by its case and record. The case is asked for so that an id alone opens nothing.
    ///
    /// # Errors
    /// [`CaseStoreError::NotFound`] when there is none.
    pub async fn package(&self, case: CaseId, record: RecordId) -> Result<PackageRow, CaseStoreError> {
        let row = sqlx::query("SELECT * FROM packages WHERE record = $1 AND case_id = $2")
            .bind(record.0.as_bytes().as_slice())
            .bind(case.0.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| missing("package", record))?;
        Ok(PackageRow {
            record: RecordId(uuid(&row, "record")?),
            case: case_id(&row, "case_id")?,
            path: row.try_get("path")?,
            digest: digest(&row, "digest")?,
            size: count(row.try_get("size")?)?,
            made_at: instant(row.try_get("made_at")?)?,
        })
    }
}

fn missing(what: &'static str, record: RecordId) -> CaseStoreError {
    CaseStoreError::NotFound {
        what,
        id: record.to_string(),
    }
}
