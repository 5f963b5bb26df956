//! Letters exactly as they were drawn up, sealed under their case's key. Those not yet sent are the outbox.

use casework::ids::{CaseId, Digest};
use envelope::case_file::Part;
use jiff::Timestamp;
use sqlx::{AnyConnection, Row};

use super::{CaseStore, CaseStoreError, Nonce, PAGE_MAX, case_id, digest, instant};

/// A letter to be kept and sent.
#[derive(Debug, Clone, Copy)]
pub struct NewLetter<'a> {
    /// The case.
    pub case: CaseId,
    /// What it is: `redirect`, `notice`, `late_notice`, ...
    pub kind: &'a str,
    /// Its text; its SHA-256 is its name.
    pub text: &'a str,
    /// All that it says, as data.
    pub form: &'a [u8],
    /// When it was drawn up.
    pub at: Timestamp,
}

/// A letter in the store, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLetter {
    /// The case.
    pub case: CaseId,
    /// SHA-256 of its text.
    pub digest: Digest,
    /// What it is.
    pub kind: String,
    /// When it was drawn up.
    pub made_at: Timestamp,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
}

impl CaseStore {
    /// Keeps a letter in the caller's transaction and puts it into the outbox. The same text twice is one letter.
    ///
    /// # Errors
    /// When the case was erased or the database fails.
    pub async fn keep_letter(
        &self,
        tx: &mut AnyConnection,
        letter: NewLetter<'_>,
        nonces: [Nonce; 2],
    ) -> Result<Digest, CaseStoreError> {
        let key = self.key(tx, letter.case).await?;
        let name = Digest::of(&[letter.text.as_bytes()]);
        let id = letter.case.0.as_bytes();
        let [for_text, for_form] = nonces;
        let sealed = key.seal(id, Part::Letter(name.0), for_text, letter.text.as_bytes())?;
        let form = key.seal(id, Part::LetterForm(name.0), for_form, letter.form)?;
        sqlx::query(
            "INSERT INTO letters (case_id, digest, kind, sealed, made_at, form) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT DO NOTHING",
        )
        .bind(id.as_slice())
        .bind(name.0.as_slice())
        .bind(letter.kind)
        .bind(sealed)
        .bind(letter.at.as_microsecond())
        .bind(form)
        .execute(tx)
        .await?;
        Ok(name)
    }

    /// The text of a letter.
    ///
    /// # Errors
    /// When there is none, or the case was erased.
    pub async fn letter(&self, case: CaseId, name: Digest) -> Result<String, CaseStoreError> {
        let mut connection = self.pool.acquire().await?;
        let key = self.key(&mut connection, case).await?;
        let row = sqlx::query("SELECT sealed FROM letters WHERE case_id = $1 AND digest = $2")
            .bind(case.0.as_bytes().as_slice())
            .bind(name.0.as_slice())
            .fetch_optional(&mut *connection)
            .await?
            .ok_or_else(|| missing(name))?;
        let text = key.open(case.0.as_bytes(), Part::Letter(name.0), row.try_get("sealed")?)?;
        String::from_utf8(text.to_vec()).map_err(|_| CaseStoreError::Corrupt("letter"))
    }

    /// All that a letter says, as data; `None` for one from before such was kept.
    ///
    /// # Errors
    /// When there is no such letter, or the case was erased.
    pub async fn letter_form(&self, case: CaseId, name: Digest) -> Result<Option<Vec<u8>>, CaseStoreError> {
        let mut connection = self.pool.acquire().await?;
        let key = self.key(&mut connection, case).await?;
        let row = sqlx::query("SELECT form FROM letters WHERE case_id = $1 AND digest = $2")
            .bind(case.0.as_bytes().as_slice())
            .bind(name.0.as_slice())
            .fetch_optional(&mut *connection)
            .await?
            .ok_or_else(|| missing(name))?;
        let Some(sealed) = row.try_get::<Option<Vec<u8>>, _>("form")? else {
            return Ok(None);
        };
        let form = key.open(case.0.as_bytes(), Part::LetterForm(name.0), &sealed)?;
        Ok(Some(form.to_vec()))
    }

    /// The letters of a case, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn letters(&self, case: CaseId) -> Result<Vec<StoredLetter>, CaseStoreError> {
        let rows = sqlx::query(
            "SELECT case_id, digest, kind, made_at, sent_at FROM letters WHERE case_id = $1 ORDER BY made_at, digest",
        )
        .bind(case.0.as_bytes().as_slice())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(letter_row).collect()
    }

    /// Letters not yet sent, oldest first, at most [`PAGE_MAX`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox(&self) -> Result<Vec<StoredLetter>, CaseStoreError> {
        let rows = sqlx::query(
            "SELECT case_id, digest, kind, made_at, sent_at FROM letters WHERE sent_at IS NULL \
             ORDER BY made_at, digest LIMIT $1",
        )
        .bind(i64::from(PAGE_MAX))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(letter_row).collect()
    }

    /// Marks a letter as sent.
    ///
    /// # Errors
    /// [`CaseStoreError::NotFound`] when there is none.
    pub async fn letter_sent(&self, case: CaseId, name: Digest, at: Timestamp) -> Result<(), CaseStoreError> {
        let done = sqlx::query(
            "UPDATE letters SET sent_at = coalesce(sent_at, $1) WHERE case_id = $2 AND digest = $3",
        )
        .bind(at.as_microsecond())
        .bind(case.0.as_bytes().as_slice())
        .bind(name.0.as_slice())
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(missing(name))
        }
    }
}

fn letter_row(row: &sqlx::any::AnyRow) -> Result<StoredLetter, CaseStoreError> {
    Ok(StoredLetter {
        case: case_id(row, "case_id")?,
        digest: digest(row, "digest")?,
        kind: row.try_get("kind")?,
        made_at: instant(row.try_get("made_at")?)?,
        sent_at: row
            .try_get::<Option<i64>, _>("sent_at")?
            .map(instant)
            .transpose()?,
    })
}

fn missing(name: Digest) -> CaseStoreError {
    CaseStoreError::NotFound {
        what: "letter",
        id: name.to_string(),
    }
}
