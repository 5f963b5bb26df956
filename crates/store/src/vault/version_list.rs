//! Listings of versions: by key in byte order, and of each key the newest first.

use casework::ids::ObjectId;
use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::{
    ListRequest, StoreError, VaultStore, VersionId,
    list::{FETCH, rolled_up, start, successor},
    row::{get, object_id, time, unsigned, utf8},
};

/// A version, or a delete marker, in a listing.
#[derive(Debug, Clone)]
pub struct VersionEntry {
    /// Its row; a newer version has a higher one.
    pub seq: i64,
    /// The id of its object or delete marker.
    pub id: ObjectId,
    /// Its key.
    pub key: String,
    /// How it is named.
    pub version: VersionId,
    /// Whether it is what a GET without a version sees.
    pub latest: bool,
    /// Whether it is a delete marker.
    pub marker: bool,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: String,
    /// When it was stored.
    pub modified_at: Timestamp,
    /// When a newer one came; nothing for the newest.
    pub superseded_at: Option<Timestamp>,
}

/// A page of versions.
#[derive(Debug, Clone, Default)]
pub struct VersionPage {
    /// By key, and of each key the newest first.
    pub versions: Vec<VersionEntry>,
    /// Rolled-up prefixes in byte order.
    pub prefixes: Vec<String>,
    /// Key and version after which the next page starts, if there is one; no version where it is a prefix.
    pub next: Option<(String, Option<VersionId>)>,
}

impl VaultStore {
    /// A page of a bucket's versions. `after` makes `request.after` mean: after this version of that key. Where that
    /// version is gone, the key's versions are listed from the newest again, so that none is missed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_versions(
        &self,
        bucket: i64,
        request: &ListRequest,
        after: Option<VersionId>,
    ) -> Result<VersionPage, StoreError> {
        let from = match (request.after.as_deref(), after) {
            (Some(key), Some(version)) if key >= request.prefix.as_str() => {
                let seq = self.seq_of(bucket, key, version).await?.unwrap_or(i64::MAX);
                Some((key.as_bytes().to_vec(), seq))
            }
            _ => start(request).map(|key| (key, i64::MAX)),
        };
        self.version_page(bucket, request, from).await
    }

    /// A page of all versions of a bucket, for a job that removes some of what it lists: `after` is the key and the row
    /// of the last one listed, which need not be there any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn versions_after(
        &self,
        bucket: i64,
        after: Option<&(String, i64)>,
        max: usize,
    ) -> Result<VersionPage, StoreError> {
        let request = ListRequest {
            max,
            ..ListRequest::default()
        };
        let from = after.map_or((Vec::new(), i64::MAX), |(key, seq)| {
            (key.as_bytes().to_vec(), *seq)
        });
        self.version_page(bucket, &request, Some(from)).await
    }

    async fn version_page(
        &self,
        bucket: i64,
        request: &ListRequest,
        mut from: Option<(Vec<u8>, i64)>,
    ) -> Result<VersionPage, StoreError> {
        let mut page = VersionPage::default();
        let mut last = None;
        let end = successor(request.prefix.as_bytes());
        let mut newer: Option<(String, Timestamp)> = None;
        while let Some(position) = from.clone().filter(|_| request.max > 0) {
            let count = page.versions.len() + page.prefixes.len();
            let limit = (request.max - count + 1).min(FETCH);
            let rows = self.version_rows(bucket, &position, limit).await?;
            let mut skip_to = None;
            for row in &rows {
                let mut entry = entry(row)?;
                if end.as_deref().is_some_and(|end| entry.key.as_bytes() >= end) {
                    return Ok(page);
                }
                if page.versions.len() + page.prefixes.len() == request.max {
                    page.next = last;
                    return Ok(page);
                }
                if let Some(rolled) = rolled_up(&entry.key, &request.prefix, request.delimiter.as_deref()) {
                    page.prefixes.push(rolled.to_owned());
                    last = Some((rolled.to_owned(), None));
                    skip_to = Some(successor(rolled.as_bytes()));
                    break;
                }
                entry.superseded_at = match &newer {
                    Some((key, at)) if *key == entry.key => Some(*at),
                    _ if entry.latest => None,
                    // The newer one stands on an earlier page.
                    _ => self.successor_time(bucket, &entry.key, entry.seq).await?,
                };
                newer = Some((entry.key.clone(), entry.modified_at));
                from = Some((entry.key.as_bytes().to_vec(), entry.seq));
                last = Some((entry.key.clone(), Some(entry.version)));
                page.versions.push(entry);
            }
            match skip_to {
                Some(next) => from = next.map(|key| (key, i64::MAX)),
                None if rows.len() < limit => return Ok(page),
                None => {}
            }
        }
        Ok(page)
    }

    async fn seq_of(&self, bucket: i64, key: &str, version: VersionId) -> Result<Option<i64>, StoreError> {
        let query = match version {
            VersionId::Null => {
                sqlx::query_scalar("SELECT seq FROM object WHERE bucket = $1 AND key = $2 AND versioned = 0")
                    .bind(bucket)
                    .bind(key.as_bytes())
            }
            VersionId::Id(id) => {
                sqlx::query_scalar("SELECT seq FROM object WHERE bucket = $1 AND key = $2 AND id = $3")
                    .bind(bucket)
                    .bind(key.as_bytes())
                    .bind(id.0.as_bytes().to_vec())
            }
        };
        Ok(query.fetch_optional(&self.database.pool).await?)
    }

    async fn successor_time(
        &self,
        bucket: i64,
        key: &str,
        seq: i64,
    ) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(
            "SELECT modified_at FROM object WHERE bucket = $1 AND key = $2 AND seq > $3 ORDER BY seq LIMIT 1",
        )
        .bind(bucket)
        .bind(key.as_bytes())
        .bind(seq)
        .fetch_optional(&self.database.pool)
        .await?;
        row.map(|row| time(&row, 0)).transpose()
    }

    async fn version_rows(
        &self,
        bucket: i64,
        (key, seq): &(Vec<u8>, i64),
        limit: usize,
    ) -> Result<Vec<AnyRow>, StoreError> {
        Ok(sqlx::query(
            "SELECT seq, key, id, versioned, latest, CASE WHEN account IS NULL THEN 1 ELSE 0 END, size, etag, \
             modified_at FROM object WHERE bucket = $1 AND key >= $2 AND (key > $2 OR seq < $3) \
             ORDER BY key, seq DESC LIMIT $4",
        )
        .bind(bucket)
        .bind(key.as_slice())
        .bind(*seq)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.database.pool)
        .await?)
    }
}

fn entry(row: &AnyRow) -> Result<VersionEntry, StoreError> {
    let id = object_id(row, 2)?;
    Ok(VersionEntry {
        seq: get(row, 0)?,
        id,
        key: utf8(row, 1)?,
        version: VersionId::of(get::<i64>(row, 3)? == 1, id),
        latest: get::<i64>(row, 4)? == 1,
        marker: get::<i64>(row, 5)? == 1,
        size: unsigned(row, 6)?,
        etag: get(row, 7)?,
        modified_at: time(row, 8)?,
        superseded_at: None,
    })
}
