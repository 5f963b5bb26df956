//! Walking over all that is stored, page by page, for checks and copies.

use casework::ids::{ObjectId, RegionId};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::{
    StoreError, VaultStore,
    row::{blob_id, digest, get, object_id, unsigned},
};
use crate::blobs::{BlobId, SealedDigest};

/// Most rows in one page of a walk. Rows of objects bring inline bodies of up to 65 KiB each.
pub const WALK_PAGE: u32 = 100;

/// A piece of a body in a blob store.
#[derive(Debug, Clone)]
pub struct KeptPart {
    /// The object, or what an upload will be.
    pub object: ObjectId,
    /// Its number.
    pub number: u32,
    /// Where its blob lies; `None` when neither an object nor an upload has this part.
    pub region: Option<RegionId>,
    /// The blob.
    pub blob: BlobId,
    /// Plaintext length in bytes.
    pub size: u64,
    /// What was digested when it was stored; `None` for what was stored before digests were kept.
    pub digest: Option<SealedDigest>,
}

/// How far a walk over blobs has come: those of objects and uploads, and then those of copies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAfter {
    part: Option<(ObjectId, u32)>,
    parts_done: bool,
    copy: Option<(ObjectId, String, u32)>,
}

/// An object, and what there is of its body.
#[derive(Debug, Clone)]
pub struct KeptObject {
    /// Its row.
    pub seq: i64,
    /// Its id.
    pub id: ObjectId,
    /// Where it lies.
    pub region: RegionId,
    /// Plaintext length in bytes.
    pub size: u64,
    /// How many parts it should have; 0 when its body is inline.
    pub parts: u32,
    /// How many it has.
    pub parts_there: u32,
    /// Plaintext length of those.
    pub parts_size: u64,
    /// The inline body.
    pub inline: Option<Vec<u8>>,
    /// The digest of that.
    pub digest: Option<SealedDigest>,
}

fn part(row: &AnyRow) -> Result<KeptPart, StoreError> {
    let region: Option<String> = get(row, 2)?;
    Ok(KeptPart {
        object: object_id(row, 0)?,
        number: unsigned(row, 1)?,
        region: region.map(RegionId::new).transpose()?,
        blob: blob_id(row, 3)?,
        size: unsigned(row, 4)?,
        digest: digest(row, 5)?,
    })
}

impl VaultStore {
    /// The next blobs that rows name, of objects, uploads and copies, at most [`WALK_PAGE`]; nothing at the end. `after` moves on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn kept_blobs(&self, after: &mut KeptAfter) -> Result<Vec<KeptPart>, StoreError> {
        if !after.parts_done {
            let page = self.kept_parts(after.part).await?;
            if let Some(last) = page.last() {
                after.part = Some((last.object, last.number));
                return Ok(page);
            }
            after.parts_done = true;
        }
        let (object, region, number) = match &after.copy {
            Some((object, region, number)) => (*object, region.as_str(), i64::from(*number)),
            None => (ObjectId(uuid::Uuid::nil()), "", -1),
        };
        let rows = sqlx::query(
            "SELECT c.object, c.number, CASE WHEN o.id IS NULL THEN NULL ELSE c.region END, c.blob, \
             COALESCE(p.size, 0), p.sealed_digest, c.region FROM object_copy_part c \
             LEFT JOIN object o ON o.id = c.object LEFT JOIN part p ON p.object = c.object AND p.number = c.number \
             WHERE (c.object, c.region, c.number) > ($1, $2, $3) ORDER BY c.object, c.region, c.number LIMIT $4",
        )
        .bind(object.0.as_bytes().as_slice())
        .bind(region)
        .bind(number)
        .bind(i64::from(WALK_PAGE))
        .fetch_all(&self.database.pool)
        .await?;
        let page: Vec<KeptPart> = rows.iter().map(part).collect::<Result<_, _>>()?;
        if let (Some(row), Some(last)) = (rows.last(), page.last()) {
            after.copy = Some((last.object, get(row, 6)?, last.number));
        }
        Ok(page)
    }

    /// The next parts after one, by object and number, at most [`WALK_PAGE`]. Parts of uploads under way are among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn kept_parts(&self, after: Option<(ObjectId, u32)>) -> Result<Vec<KeptPart>, StoreError> {
        let (object, number) = after.map_or((ObjectId(uuid::Uuid::nil()), -1), |(object, number)| {
            (object, i64::from(number))
        });
        let rows = sqlx::query(
            "SELECT p.object, p.number, COALESCE(o.region, u.region), p.blob, p.size, p.sealed_digest FROM part p \
             LEFT JOIN object o ON o.id = p.object LEFT JOIN upload u ON u.object = p.object \
             WHERE p.object > $1 OR (p.object = $1 AND p.number > $2) ORDER BY p.object, p.number LIMIT $3",
        )
        .bind(object.0.as_bytes().as_slice())
        .bind(number)
        .bind(i64::from(WALK_PAGE))
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter().map(part).collect()
    }

    /// The next objects after a row, at most [`WALK_PAGE`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn kept_objects(&self, after: i64) -> Result<Vec<KeptObject>, StoreError> {
        let rows = sqlx::query(
            "SELECT o.seq, o.id, o.region, o.size, o.parts, \
             (SELECT COUNT(*) FROM part p WHERE p.object = o.id), \
             (SELECT CAST(COALESCE(SUM(p.size), 0) AS BIGINT) FROM part p WHERE p.object = o.id), i.body, i.digest \
             FROM object o LEFT JOIN inline i ON i.object = o.seq WHERE o.seq > $1 AND o.account IS NOT NULL ORDER BY o.seq LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(WALK_PAGE))
        .fetch_all(&self.database.pool)
        .await?;
        let object = |row| {
            Ok(KeptObject {
                seq: get(row, 0)?,
                id: object_id(row, 1)?,
                region: RegionId::new(get::<String>(row, 2)?)?,
                size: unsigned(row, 3)?,
                parts: unsigned(row, 4)?,
                parts_there: unsigned(row, 5)?,
                parts_size: unsigned(row, 6)?,
                inline: get(row, 7)?,
                digest: digest(row, 8)?,
            })
        };
        rows.iter().map(object).collect()
    }

    /// Whether a part, or that of a copy, still names the blob that was seen there: what is replaced or deleted meanwhile is no
    /// loss.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn still_names(&self, part: &KeptPart) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT blob FROM part WHERE object = $1 AND number = $2 AND blob = $3 UNION ALL \
             SELECT blob FROM object_copy_part WHERE object = $1 AND number = $2 AND blob = $3",
        )
        .bind(part.object.0.as_bytes().as_slice())
        .bind(i64::from(part.number))
        .bind(part.blob.0.as_slice())
        .fetch_optional(&self.database.pool)
        .await?;
        Ok(row.is_some())
    }
}
