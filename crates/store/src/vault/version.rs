//! Versions: whether a bucket keeps them, how one is named, and how one is removed.

use async_trait::async_trait;
use casework::ids::ObjectId;
use jiff::Timestamp;
use sqlx::AnyConnection;

use super::{
    EtagMatch, StoreError, VaultStore, WriteConditions,
    lock::Lock,
    record::{Existing, Freed, remove},
    row::{get, object_id, time, unsigned},
    writer::{Change, Needs, Row},
};

/// Whether a bucket keeps what is overwritten or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versioning {
    /// It never did.
    #[default]
    Never,
    /// It does.
    Enabled,
    /// It did once: older versions are there, new ones replace the version `null`.
    Suspended,
}

impl Versioning {
    pub(super) fn of_number(number: i64) -> Result<Self, StoreError> {
        match number {
            0 => Ok(Self::Never),
            1 => Ok(Self::Enabled),
            2 => Ok(Self::Suspended),
            _ => Err(StoreError::Nonsense("a bucket's versioning")),
        }
    }
}

/// Which version of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionId {
    /// The one without an id of its own: stored before versions were kept, or while they were suspended.
    Null,
    /// The one whose object, or delete marker, has this id.
    Id(ObjectId),
}

impl VersionId {
    /// The name of a version that was stored as `versioned` or not.
    pub fn of(versioned: bool, id: ObjectId) -> Self {
        if versioned { Self::Id(id) } else { Self::Null }
    }
}

/// A delete marker.
#[derive(Debug, Clone, Copy)]
pub struct MarkerRow {
    /// Its name.
    pub version: VersionId,
    /// When it was set.
    pub modified_at: Timestamp,
}

/// What must hold of what is to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemovalConditions {
    /// Its entity tag.
    pub if_match: Option<EtagMatch>,
    /// When it was stored; whole seconds.
    pub modified_at: Option<Timestamp>,
    /// Its plaintext length in bytes.
    pub size: Option<u64>,
    /// That it is what was seen before, and stands as it stood then.
    pub seen: Option<Seen>,
}

/// A version as a job saw it that may remove no other: its name can mean another one by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The id of its object or delete marker.
    pub id: ObjectId,
    /// How it stood.
    pub standing: Standing,
}

/// How a version stands among those of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is what a GET without a version sees.
    Latest,
    /// A newer one is there.
    Old,
    /// It is a delete marker and the only one.
    LoneMarker,
}

/// A removal.
#[derive(Debug, Clone)]
pub struct Removal {
    /// The bucket's row.
    pub bucket: i64,
    /// The key.
    pub key: String,
    /// One version, to be removed for good. Where none is named, a bucket that keeps versions sets a delete marker.
    pub version: Option<VersionId>,
    /// What must hold.
    pub conditions: RemovalConditions,
    /// Whether the caller may pass over governance, and wants to.
    pub bypass: bool,
    /// The id of a delete marker, should one be set.
    pub marker: ObjectId,
    /// Now.
    pub now: Timestamp,
}

/// What a removal did.
#[derive(Debug, Clone, Default)]
pub struct Removed {
    /// Blobs that no row names any more, to be deleted.
    pub freed: Vec<Freed>,
    /// The version removed, or the delete marker set; nothing in a bucket that never kept versions.
    pub version: Option<VersionId>,
    /// Whether that is a delete marker.
    pub marker: bool,
}

/// A row at a key, found by the writer.
pub(super) struct There {
    pub seq: i64,
    pub id: Vec<u8>,
    pub parts: i64,
    pub etag: String,
    pub size: u64,
    pub modified_at: Timestamp,
    pub versioned: bool,
    pub latest: bool,
    pub marker: bool,
    pub lock: Lock,
}

impl There {
    pub(super) fn existing(&self) -> Existing {
        Existing {
            seq: self.seq,
            id: self.id.clone(),
            parts: self.parts,
        }
    }
}

macro_rules! there_sql {
    ($filter:literal) => {
        concat!(
            "SELECT seq, id, parts, etag, size, modified_at, versioned, latest, ",
            "CASE WHEN account IS NULL THEN 1 ELSE 0 END, lock_mode, lock_until, legal_hold FROM object ",
            "WHERE bucket = $1 AND key = $2 AND ",
            $filter
        )
    };
}

/// The row of a version, or the latest one.
pub(super) async fn find(
    db: &mut AnyConnection,
    bucket: i64,
    key: &str,
    version: Option<VersionId>,
) -> Result<Option<There>, StoreError> {
    let query = match version {
        None => sqlx::query(there_sql!("latest = 1"))
            .bind(bucket)
            .bind(key.as_bytes()),
        Some(VersionId::Null) => sqlx::query(there_sql!("versioned = 0"))
            .bind(bucket)
            .bind(key.as_bytes()),
        Some(VersionId::Id(id)) => sqlx::query(there_sql!("id = $3 AND versioned = 1"))
            .bind(bucket)
            .bind(key.as_bytes())
            .bind(id.0.as_bytes().to_vec()),
    };
    let Some(row) = query.fetch_optional(db).await? else {
        return Ok(None);
    };
    let flag = |column| Ok::<_, StoreError>(get::<i64>(&row, column)? == 1);
    Ok(Some(There {
        seq: get(&row, 0)?,
        id: get(&row, 1)?,
        parts: get(&row, 2)?,
        etag: get(&row, 3)?,
        size: unsigned(&row, 4)?,
        modified_at: time(&row, 5)?,
        versioned: flag(6)?,
        latest: flag(7)?,
        marker: flag(8)?,
        lock: Lock::of(&row, [9, 10, 11])?,
    }))
}

impl RemovalConditions {
    fn check(&self, there: Option<&There>) -> Result<(), StoreError> {
        // What is gone already is what the caller wanted. A delete marker has an empty tag.
        let Some(there) = there else { return Ok(()) };
        let tag = WriteConditions {
            if_match: self.if_match.clone(),
            if_none_match: None,
        };
        tag.check(Some(&there.etag))?;
        let other_time = self
            .modified_at
            .is_some_and(|at| at.as_second() != there.modified_at.as_second());
        if other_time || self.size.is_some_and(|size| size != there.size) {
            return Err(StoreError::Precondition);
        }
        Ok(())
    }
}

impl Seen {
    async fn check(
        &self,
        db: &mut AnyConnection,
        removal: &Removal,
        there: Option<&There>,
    ) -> Result<(), StoreError> {
        let same = there.filter(|there| there.id == self.id.0.as_bytes());
        let there = same.ok_or(StoreError::Precondition)?;
        let stands = match self.standing {
            Standing::Latest => there.latest,
            Standing::Old => !there.latest,
            Standing::LoneMarker => {
                let others: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM object WHERE bucket = $1 AND key = $2 AND seq <> $3",
                )
                .bind(removal.bucket)
                .bind(removal.key.as_bytes())
                .bind(there.seq)
                .fetch_one(db)
                .await?;
                there.marker && others == 0
            }
        };
        if stands {
            Ok(())
        } else {
            Err(StoreError::Precondition)
        }
    }
}

impl VaultStore {
    /// Removes an object: for good where versions are not kept or one is named, else behind a delete marker. One that is
    /// not there counts as removed, whatever the conditions but [`RemovalConditions::seen`].
    ///
    /// # Errors
    /// [`StoreError::Locked`], or when a condition does not hold, or the database fails.
    pub async fn remove_object(&self, removal: Removal) -> Result<Removed, StoreError> {
        self.writer.change(removal).await
    }

    /// Has a bucket keep versions from now on, or keep no further ones.
    ///
    /// # Errors
    /// [`StoreError::NeedsVersions`] where objects can be locked.
    pub async fn set_versioning(&self, bucket: i64, enabled: bool) -> Result<(), StoreError> {
        self.writer.change(SetVersioning { bucket, enabled }).await
    }

    /// The delete marker at a key: the named version, or the latest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn marker(
        &self,
        bucket: i64,
        key: &str,
        version: Option<VersionId>,
    ) -> Result<Option<MarkerRow>, StoreError> {
        const LATEST: &str = "SELECT id, versioned, modified_at FROM object \
            WHERE bucket = $1 AND key = $2 AND latest = 1 AND account IS NULL";
        const NULL: &str = "SELECT id, versioned, modified_at FROM object \
            WHERE bucket = $1 AND key = $2 AND versioned = 0 AND account IS NULL";
        const NAMED: &str = "SELECT id, versioned, modified_at FROM object \
            WHERE bucket = $1 AND key = $2 AND id = $3 AND versioned = 1 AND account IS NULL";
        let query = match version {
            None => sqlx::query(LATEST).bind(bucket).bind(key.as_bytes()),
            Some(VersionId::Null) => sqlx::query(NULL).bind(bucket).bind(key.as_bytes()),
            Some(VersionId::Id(id)) => sqlx::query(NAMED)
                .bind(bucket)
                .bind(key.as_bytes())
                .bind(id.0.as_bytes().to_vec()),
        };
        let Some(row) = query.fetch_optional(&self.database.pool).await? else {
            return Ok(None);
        };
        Ok(Some(MarkerRow {
            version: VersionId::of(get::<i64>(&row, 1)? == 1, object_id(&row, 0)?),
            modified_at: time(&row, 2)?,
        }))
    }
}

/// Lets a row be the latest no longer.
pub(super) async fn demote(db: &mut AnyConnection, seq: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE object SET latest = 0 WHERE seq = $1")
        .bind(seq)
        .execute(db)
        .await?;
    Ok(())
}

#[async_trait]
impl Change for Removal {
    type Output = Removed;
    fn needs(&self) -> Needs {
        Needs::Rows(vec![Row::Bucket(self.bucket)])
    }
    async fn apply(&self, db: &mut AnyConnection) -> Result<Removed, StoreError> {
        let versioning: Option<i64> = sqlx::query_scalar("SELECT versioning FROM bucket WHERE seq = $1")
            .bind(self.bucket)
            .fetch_optional(&mut *db)
            .await?;
        let versioning = Versioning::of_number(versioning.ok_or(StoreError::NoSuchBucket)?)?;
        let there = find(db, self.bucket, &self.key, self.version).await?;
        self.conditions.check(there.as_ref())?;
        if let Some(seen) = &self.conditions.seen {
            seen.check(db, self, there.as_ref()).await?;
        }
        if there.is_none() && self.conditions != RemovalConditions::default() {
            return Ok(Removed::default());
        }
        if self.version.is_some() || versioning == Versioning::Never {
            return self.for_good(db, versioning, there).await;
        }
        let replaced = match (versioning, &there) {
            (Versioning::Suspended, Some(there)) if !there.versioned => Some(there.existing()),
            (Versioning::Suspended, _) => {
                let null = find(db, self.bucket, &self.key, Some(VersionId::Null)).await?;
                if let Some(null) = &null {
                    null.lock.allows_removal(self.now, self.bypass)?;
                }
                null.map(|null| null.existing())
            }
            _ => None,
        };
        if let Some(there) = &there {
            if replaced
                .as_ref()
                .is_some_and(|replaced| replaced.seq == there.seq)
            {
                there.lock.allows_removal(self.now, self.bypass)?;
            } else {
                demote(db, there.seq).await?;
            }
        }
        let freed = match &replaced {
            Some(replaced) => remove(db, replaced).await?,
            None => Vec::new(),
        };
        let versioned = versioning == Versioning::Enabled;
        self.set_marker(db, versioned).await?;
        Ok(Removed {
            freed,
            version: Some(VersionId::of(versioned, self.marker)),
            marker: true,
        })
    }
}

impl Removal {
    async fn for_good(
        &self,
        db: &mut AnyConnection,
        versioning: Versioning,
        there: Option<There>,
    ) -> Result<Removed, StoreError> {
        let named = self.version.filter(|_| versioning != Versioning::Never);
        let Some(there) = there else {
            return Ok(Removed {
                version: named,
                ..Removed::default()
            });
        };
        there.lock.allows_removal(self.now, self.bypass)?;
        let freed = remove(db, &there.existing()).await?;
        if there.latest && versioning != Versioning::Never {
            sqlx::query(
                "UPDATE object SET latest = 1 WHERE seq = (SELECT max(seq) FROM object WHERE bucket = $1 AND key = $2)",
            )
            .bind(self.bucket)
            .bind(self.key.as_bytes())
            .execute(db)
            .await?;
        }
        Ok(Removed {
            freed,
            version: named,
            marker: there.marker,
        })
    }

    async fn set_marker(&self, db: &mut AnyConnection, versioned: bool) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO object (id, bucket, key, account, region, category, concerns_at, size, etag, modified_at, \
             wrapped_key, commitment, sealed_metadata, parts, upload, versioned, latest) \
             SELECT $1, seq, $2, NULL, region, '', $3, 0, '', $3, $4, $4, $4, 0, NULL, $5, 1 FROM bucket WHERE seq = $6",
        )
        .bind(self.marker.0.as_bytes().to_vec())
        .bind(self.key.as_bytes())
        .bind(self.now.as_microsecond())
        .bind(Vec::<u8>::new())
        .bind(i64::from(versioned))
        .bind(self.bucket)
        .execute(db)
        .await?;
        Ok(())
    }
}

struct SetVersioning {
    bucket: i64,
    enabled: bool,
}

#[async_trait]
impl Change for SetVersioning {
    type Output = ();
    async fn apply(&self, db: &mut AnyConnection) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT object_lock FROM bucket WHERE seq = $1")
            .bind(self.bucket)
            .fetch_optional(&mut *db)
            .await?
            .ok_or(StoreError::NoSuchBucket)?;
        if !self.enabled && get::<i64>(&row, 0)? == 1 {
            return Err(StoreError::NeedsVersions);
        }
        // What never kept versions has none to stop keeping, but S3 says it was suspended all the same.
        let number: i64 = if self.enabled { 1 } else { 2 };
        sqlx::query("UPDATE bucket SET versioning = $1 WHERE seq = $2")
            .bind(number)
            .bind(self.bucket)
            .execute(db)
            .await?;
        Ok(())
    }
}
