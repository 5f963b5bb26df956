//! Blobs in an object store: S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage.
//!
//! Under the prefix: `objects/<first two digits>/<name>`; `unfinished/<name>`, a note of each upload in parts under way, so
//! that one whose writer vanished is found and aborted; `owner`, which says whose blobs these are; `clock`, by which ages
//! are measured on the store's own clock, for ours may step.
//!
//! The store is not trusted. It sees random names, sizes and times. It can withhold and delete; what it alters or exchanges
//! does not open.

mod connect;
mod errors;
mod reader;
mod writer;

use std::{
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::TryStreamExt as _;
use object_store::{
    Error, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    path::{Path, PathPart},
};
use tokio::sync::OnceCell;

use self::connect::Cloud;
use super::{
    BlobError, BlobId, BlobReader, BlobStore, BlobWriter,
    location::{Location, Place},
};

pub use self::writer::PART_BYTES;

const SHARDS: u32 = 256;
/// Most unfinished uploads that one sweep ends.
const UNFINISHED_MAX: usize = 10_000;
/// How long the store's clock is reckoned on from one look at it.
const CLOCK_KEPT: Duration = Duration::from_secs(300);
/// Longest name of an owner.
const OWNER_BYTES_MAX: usize = 512;

/// How long an object store may take, and how often it is asked again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest silence, from the last byte sent or received.
    pub reply: Duration,
    /// Most repetitions of one request that failed in a way that may pass (429, 5xx, no connection, silence), and of a read
    /// that broke off.
    pub retries: usize,
    /// No repetition begins later than this after the first try.
    pub whole: Duration,
    /// Wait before the first repetition; it doubles with each, and is varied at random.
    pub backoff: Duration,
    /// Longest wait before a repetition.
    pub backoff_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            reply: Duration::from_secs(20),
            retries: 5,
            whole: Duration::from_secs(30),
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
        }
    }
}

impl Patience {
    /// How long to wait before the repetition of this number.
    fn wait(&self, repetition: usize) -> Duration {
        let doubled = u32::try_from(repetition).ok().and_then(|n| 2u32.checked_pow(n));
        self.backoff
            .saturating_mul(doubled.unwrap_or(u32::MAX))
            .min(self.backoff_max)
    }
}

/// Blobs in a bucket or container.
pub struct ObjectBlobs {
    shared: Arc<Shared>,
}

/// What the store, its readers and its writers share.
struct Shared {
    cloud: Arc<dyn Cloud>,
    /// The URL, for errors.
    name: String,
    prefix: Path,
    owner: String,
    owned: OnceCell<()>,
    clock: RwLock<Option<(Instant, i64)>>,
    patience: Patience,
}

impl ObjectBlobs {
    /// The blobs of `owner` at a location. Nothing is asked of the store before the first call; the first that writes or
    /// lists makes sure that the place is the owner's, for a sweep deletes what its own database does not name.
    ///
    /// # Errors
    /// When the location is no object store, or its credentials cannot be read.
    pub fn open(location: &Location, owner: &str, patience: Patience) -> Result<Self, BlobError> {
        let Place::Bucket {
            service,
            bucket,
            prefix,
        } = location.place()?
        else {
            return Err(BlobError::Location {
                url: location.url.clone(),
                reason: "a folder is no object store",
            });
        };
        let prefix = Path::parse(prefix).map_err(|_| BlobError::Location {
            url: location.url.clone(),
            reason: "its prefix holds a character that object stores do not take",
        })?;
        Ok(Self {
            shared: Arc::new(Shared {
                cloud: connect::client(location, service, &bucket, patience)?,
                name: location.url.clone(),
                prefix,
                owner: owner.chars().take(OWNER_BYTES_MAX / 4).collect(),
                owned: OnceCell::new(),
                clock: RwLock::new(None),
                patience,
            }),
        })
    }
}

impl Shared {
    fn under<'a>(&'a self, parts: impl IntoIterator<Item = &'a str>) -> Path {
        let parts = parts.into_iter().map(PathPart::from);
        self.prefix.parts().chain(parts).collect()
    }

    fn shard(&self, shard: u32) -> Path {
        self.under(["objects", &format!("{shard:02x}")])
    }

    fn blob(&self, id: BlobId) -> Path {
        let name = id.to_string();
        self.under(["objects", name.get(..2).unwrap_or_default(), &name])
    }

    fn unfinished(&self, id: BlobId) -> Path {
        self.under(["unfinished", &id.to_string()])
    }

    fn failed(&self, error: Error) -> BlobError {
        errors::of(&self.name, error)
    }

    fn failed_blob(&self, id: BlobId, error: Error) -> BlobError {
        errors::of_blob(&self.name, id, error)
    }

    /// Makes sure, once, that this place is the owner's; claims it where it is nobody's.
    async fn owned(&self) -> Result<(), BlobError> {
        self.owned.get_or_try_init(|| self.claim()).await.copied()
    }

    async fn claim(&self) -> Result<(), BlobError> {
        let path = self.under(["owner"]);
        let owner = match self.cloud.get(&path).await {
            Ok(there) if there.meta.size > OWNER_BYTES_MAX as u64 => "somebody else".to_owned(),
            Ok(there) => {
                let bytes = there.bytes().await.map_err(|error| self.failed(error))?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            Err(error) if errors::is_missing(&error) => {
                let payload = PutPayload::from(self.owner.clone().into_bytes());
                match self.cloud.put_opts(&path, payload, create()).await {
                    // Of two that claim it at once, one loses, and comes back for who won.
                    Ok(_) | Err(Error::AlreadyExists { .. }) => {}
                    Err(error) => return Err(self.failed(error)),
                }
                let there = self.cloud.get(&path).await.map_err(|error| self.failed(error))?;
                let bytes = there.bytes().await.map_err(|error| self.failed(error))?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            Err(error) => return Err(self.failed(error)),
        };
        if owner == self.owner {
            return Ok(());
        }
        Err(BlobError::Foreign {
            store: self.name.clone(),
            owner,
        })
    }

    /// The time by the store's clock, in seconds since 1970.
    async fn now(&self) -> Result<i64, BlobError> {
        let known = *self.clock.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, seconds)) = known
            && at.elapsed() < CLOCK_KEPT
        {
            return Ok(seconds.saturating_add_unsigned(at.elapsed().as_secs()));
        }
        let path = self.under(["clock"]);
        let at = Instant::now();
        self.cloud
            .put(
                &path,
                PutPayload::from_static(b"written to read the store's clock\n"),
            )
            .await
            .map_err(|error| self.failed(error))?;
        let meta = self.cloud.head(&path).await.map_err(|error| self.failed(error))?;
        let seconds = meta.last_modified.timestamp();
        *self.clock.write().unwrap_or_else(PoisonError::into_inner) = Some((at, seconds));
        Ok(seconds)
    }

    /// The latest time of writing, by the store's clock, of what is at least `age` old.
    async fn before(&self, age: Duration) -> Result<i64, BlobError> {
        if age.is_zero() {
            return Ok(i64::MAX);
        }
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        Ok(self.now().await?.saturating_sub(age))
    }
}

fn create() -> PutOptions {
    PutOptions {
        mode: PutMode::Create,
        ..PutOptions::default()
    }
}

#[async_trait]
impl BlobStore for ObjectBlobs {
    async fn create(&self, id: BlobId) -> Result<Box<dyn BlobWriter>, BlobError> {
        self.shared.owned().await?;
        Ok(Box::new(writer::ObjectWriter::new(Arc::clone(&self.shared), id)))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, BlobError> {
        self.open_for(id, 0..u64::MAX).await
    }

    async fn open_for(&self, id: BlobId, wanted: Range<u64>) -> Result<Box<dyn BlobReader>, BlobError> {
        let reader = reader::ObjectReader::open(Arc::clone(&self.shared), id, wanted).await?;
        Ok(Box::new(reader))
    }

    async fn delete(&self, id: BlobId) -> Result<(), BlobError> {
        self.shared.owned().await?;
        match self.shared.cloud.delete(&self.shared.blob(id)).await {
            Err(error) if !errors::is_missing(&error) => Err(self.shared.failed(error)),
            _ => Ok(()),
        }
    }

    fn shards(&self) -> u32 {
        SHARDS
    }

    async fn list(&self, shard: u32, age: Duration) -> Result<Vec<BlobId>, BlobError> {
        self.shared.owned().await?;
        let before = self.shared.before(age).await?;
        let folder = self.shared.shard(shard);
        let mut listed = self.shared.cloud.list(Some(&folder));
        let mut found = Vec::new();
        while let Some(meta) = listed
            .try_next()
            .await
            .map_err(|error| self.shared.failed(error))?
        {
            let id = meta.location.filename().and_then(BlobId::parse);
            if let Some(id) = id
                && meta.last_modified.timestamp() <= before
            {
                found.push(id);
            }
        }
        Ok(found)
    }

    async fn sweep_unfinished(&self, age: Duration) -> Result<u64, BlobError> {
        let shared = &self.shared;
        shared.owned().await?;
        let before = shared.before(age).await?;
        let folder = shared.under(["unfinished"]);
        let mut listed = shared.cloud.list(Some(&folder));
        let mut removed = 0;
        let mut looked_at = 0;
        while let Some(meta) = listed.try_next().await.map_err(|error| shared.failed(error))? {
            looked_at += 1;
            if looked_at > UNFINISHED_MAX {
                break;
            }
            let Some(id) = meta.location.filename().and_then(BlobId::parse) else {
                continue;
            };
            if meta.last_modified.timestamp() <= before && writer::end_upload(shared, id).await? {
                removed += 1;
            }
        }
        Ok(removed)
    }
}
