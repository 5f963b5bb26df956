//! Listings in byte order.

use casework::ids::ObjectId;
use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::{
    StoreError, UploadRow, VaultStore,
    row::{get, object_id, time, unsigned, utf8},
    upload::{upload_row, upload_sql},
};

/// Rows read at once.
pub(super) const FETCH: usize = 256;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys that hold this after the prefix are rolled up; never empty.
    pub delimiter: Option<String>,
    /// Only what sorts after this.
    pub after: Option<String>,
    /// At most this many keys and rolled-up prefixes together.
    pub max: usize,
}

/// An object in a listing.
#[derive(Debug, Clone)]
pub struct ListEntry {
    /// Its key.
    pub key: String,
    /// Its id.
    pub id: ObjectId,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: String,
    /// When it was stored.
    pub modified_at: Timestamp,
}

/// A page of objects.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// Objects in byte order.
    pub objects: Vec<ListEntry>,
    /// Rolled-up prefixes in byte order.
    pub prefixes: Vec<String>,
    /// `after` of the next page, if there is one.
    pub next: Option<String>,
}

/// A page of uploads.
#[derive(Debug, Clone, Default)]
pub struct UploadPage {
    /// Uploads by key, then id.
    pub uploads: Vec<UploadRow>,
    /// Rolled-up prefixes.
    pub prefixes: Vec<String>,
    /// Key and upload id after which the next page starts, if there is one; no id where it is a prefix.
    pub next: Option<(String, Option<[u8; 16]>)>,
}

/// Where a scan stands: at the first key not below this.
#[derive(Clone)]
struct Position {
    key: Vec<u8>,
    /// Only upload ids above this, at that very key.
    id: Option<[u8; 16]>,
}

/// The first byte string that sorts after everything that begins with `prefix`; `None` when nothing does.
pub(super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if last < u8::MAX {
            bytes.push(last + 1);
            return Some(bytes);
        }
    }
    None
}

/// The prefix that `key` is rolled up into.
pub(super) fn rolled_up<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter.filter(|d| !d.is_empty())?;
    let at = key.get(prefix.len()..)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

/// Where to start: at the prefix, or right after `after`. What `after` itself is rolled up into was listed before.
pub(super) fn start(request: &ListRequest) -> Option<Vec<u8>> {
    let prefix = request.prefix.as_bytes();
    let Some(after) = request.after.as_deref() else {
        return Some(prefix.to_vec());
    };
    let past = if after.starts_with(&request.prefix) {
        match rolled_up(after, &request.prefix, request.delimiter.as_deref()) {
            Some(rolled) => successor(rolled.as_bytes())?,
            None => [after.as_bytes(), b"\0"].concat(),
        }
    } else {
        [after.as_bytes(), b"\0"].concat()
    };
    Some(past.max(prefix.to_vec()))
}

impl VaultStore {
    /// A page of a bucket's objects.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_objects(&self, bucket: i64, request: &ListRequest) -> Result<ListPage, StoreError> {
        let mut page = ListPage::default();
        let mut last = None;
        let Some(mut from) = start(request).filter(|_| request.max > 0) else {
            return Ok(page);
        };
        let end = successor(request.prefix.as_bytes());
        loop {
            let count = page.objects.len() + page.prefixes.len();
            let limit = (request.max - count + 1).min(FETCH);
            let rows = self.object_keys(bucket, &from, end.as_deref(), limit).await?;
            let mut skip_to = None;
            for row in &rows {
                let key = utf8(row, 0)?;
                if page.objects.len() + page.prefixes.len() == request.max {
                    page.next = last;
                    return Ok(page);
                }
                if let Some(rolled) = rolled_up(&key, &request.prefix, request.delimiter.as_deref()) {
                    page.prefixes.push(rolled.to_owned());
                    last = Some(rolled.to_owned());
                    skip_to = Some(successor(rolled.as_bytes()));
                    break;
                }
                from = [key.as_bytes(), b"\0"].concat();
                last = Some(key.clone());
                page.objects.push(entry(row, key)?);
            }
            match skip_to {
                Some(Some(next)) => from = next,
                Some(None) => return Ok(page),
                None if rows.len() < limit => return Ok(page),
                None => {}
            }
        }
    }

    async fn object_keys(
        &self,
        bucket: i64,
        from: &[u8],
        end: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = match end {
            Some(end) => sqlx::query(
                "SELECT key, id, size, etag, modified_at FROM object \
                 WHERE bucket = $1 AND key >= $2 AND key < $3 AND latest = 1 AND account IS NOT NULL ORDER BY key LIMIT $4",
            )
            .bind(bucket)
            .bind(from)
            .bind(end)
            .bind(limit),
            None => sqlx::query(
                "SELECT key, id, size, etag, modified_at FROM object \
                 WHERE bucket = $1 AND key >= $2 AND latest = 1 AND account IS NOT NULL ORDER BY key LIMIT $3",
            )
            .bind(bucket)
            .bind(from)
            .bind(limit),
        };
        Ok(query.fetch_all(&self.database.pool).await?)
    }

    /// A page of a bucket's uploads. `after_id` makes `request.after` mean: after this upload at that key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_uploads(
        &self,
        bucket: i64,
        request: &ListRequest,
        after_id: Option<[u8; 16]>,
    ) -> Result<UploadPage, StoreError> {
        let mut page = UploadPage::default();
        let mut last = None;
        let begin = match (&request.after, after_id) {
            (Some(key), Some(id)) if key.as_bytes() >= request.prefix.as_bytes() => Some(Position {
                key: key.as_bytes().to_vec(),
                id: Some(id),
            }),
            _ => start(request).map(|key| Position { key, id: None }),
        };
        let Some(mut from) = begin.filter(|_| request.max > 0) else {
            return Ok(page);
        };
        let end = successor(request.prefix.as_bytes());
        loop {
            let count = page.uploads.len() + page.prefixes.len();
            let limit = (request.max - count + 1).min(FETCH);
            let rows = self.upload_rows(bucket, &from, limit).await?;
            let mut skip_to = None;
            for row in &rows {
                let upload = upload_row(row)?;
                if end.as_deref().is_some_and(|end| upload.key.as_bytes() >= end) {
                    return Ok(page);
                }
                if page.uploads.len() + page.prefixes.len() == request.max {
                    page.next = last;
                    return Ok(page);
                }
                if let Some(rolled) = rolled_up(&upload.key, &request.prefix, request.delimiter.as_deref()) {
                    page.prefixes.push(rolled.to_owned());
                    last = Some((rolled.to_owned(), None));
                    skip_to = Some(successor(rolled.as_bytes()));
                    break;
                }
                from = Position {
                    key: upload.key.as_bytes().to_vec(),
                    id: Some(upload.id),
                };
                last = Some((upload.key.clone(), Some(upload.id)));
                page.uploads.push(upload);
            }
            match skip_to {
                Some(Some(key)) => from = Position { key, id: None },
                Some(None) => return Ok(page),
                None if rows.len() < limit => return Ok(page),
                None => {}
            }
        }
    }

    async fn upload_rows(
        &self,
        bucket: i64,
        from: &Position,
        limit: usize,
    ) -> Result<Vec<AnyRow>, StoreError> {
        const SQL: &str = upload_sql!(
            "WHERE u.bucket = $1 AND (u.key > $2 OR (u.key = $2 AND u.id > $3)) ORDER BY u.key, u.id LIMIT $4"
        );
        // An id is 16 bytes, so that the empty one sorts before all.
        Ok(sqlx::query(SQL)
            .bind(bucket)
            .bind(from.key.as_slice())
            .bind(from.id.as_ref().map_or(&[][..], |id| id.as_slice()))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.database.pool)
            .await?)
    }
}

fn entry(row: &AnyRow, key: String) -> Result<ListEntry, StoreError> {
    Ok(ListEntry {
        key,
        id: object_id(row, 1)?,
        size: unsigned(row, 2)?,
        etag: get(row, 3)?,
        modified_at: time(row, 4)?,
    })
}
