//! Sealed bodies too large for the database, under random names.
//!
//! The store is not trusted: who controls it sees sizes and times, and can delete or withhold; it cannot read, alter or
//! exchange bodies without their failing to open.

mod digest;
mod disk;
mod location;
mod object;
mod regions;

use std::{fmt, ops::Range, time::Duration};

use async_trait::async_trait;

pub use self::{
    digest::{Digesting, SealedDigest},
    disk::DiskBlobs,
    location::{Location, Place, Service},
    object::{ObjectBlobs, PART_BYTES, Patience},
    regions::RegionBlobs,
};

/// The random name of a blob. It says nothing about what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 16]);

impl BlobId {
    /// Reads a name as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).ok().map(|()| Self(id))
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Why a blob could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk is full.
    #[error("the disk is full; free some space and try again")]
    Full,
    /// No blob of this name.
    #[error("blob `{id}` is missing")]
    Missing {
        /// Its name.
        id: BlobId,
    },
    /// The blob ends before what was asked for.
    #[error("blob `{id}` is shorter than its record says")]
    Short {
        /// Its name.
        id: BlobId,
    },
    /// Another process works on the same folder and holds it alone.
    #[error("`{path}` is in use by another process; stop it first")]
    InUse {
        /// The folder.
        path: String,
    },
    /// An object store does not answer, or asks us to slow down, and went on so for as long as we tried.
    #[error("the object store `{store}` does not answer: {reason}; try again")]
    Unavailable {
        /// Its URL.
        store: String,
        /// What came last.
        reason: String,
    },
    /// An object store will not have us, or not this.
    #[error("the object store `{store}` refuses: {reason}; check its URL, region and credentials")]
    Refused {
        /// Its URL.
        store: String,
        /// What it said.
        reason: String,
    },
    /// An object store holds the blobs of another deployment or region.
    #[error(
        "`{store}` belongs to `{owner}`; give each region of each deployment a bucket or a prefix of its own"
    )]
    Foreign {
        /// Its URL.
        store: String,
        /// Who says so in it.
        owner: String,
    },
    /// A location that names no store, or must not be used.
    #[error("`{url}` cannot hold blobs: {reason}")]
    Location {
        /// The URL.
        url: String,
        /// Why not.
        reason: &'static str,
    },
    /// The credentials of an object store cannot be used.
    #[error("the credentials in `{path}` cannot be used: {reason}")]
    Credentials {
        /// The file.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// No store for a region.
    #[error("this node has no blobs of region `{region}`; ask one that serves it")]
    NoStore {
        /// The region.
        region: String,
    },
    /// The file system failed.
    #[error("the file system failed")]
    Io(#[source] std::io::Error),
}

impl From<std::io::Error> for BlobError {
    fn from(error: std::io::Error) -> Self {
        if is_full(&error) {
            Self::Full
        } else {
            Self::Io(error)
        }
    }
}

/// Whether the error says that the disk, or a quota on it, is full.
pub fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Where blobs are kept.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Begins a blob. Nothing is there under its name before [`BlobWriter::finish`] returned.
    async fn create(&self, id: BlobId) -> Result<Box<dyn BlobWriter>, BlobError>;
    /// Opens a blob to read. Deleting it does not disturb who has it open.
    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, BlobError>;
    /// Opens a blob of which `wanted` will be read, in order: a store that is far away asks once for all of it. More or
    /// less may be read all the same.
    async fn open_for(&self, id: BlobId, wanted: Range<u64>) -> Result<Box<dyn BlobReader>, BlobError> {
        let _ = wanted;
        self.open(id).await
    }
    /// Deletes a blob; one that is not there counts as deleted.
    async fn delete(&self, id: BlobId) -> Result<(), BlobError>;
    /// Into how many shards [`BlobStore::list`] divides the store.
    fn shards(&self) -> u32;
    /// The blobs of one shard that are at least `age` old. Younger ones may be about to be recorded.
    async fn list(&self, shard: u32, age: Duration) -> Result<Vec<BlobId>, BlobError>;
    /// Removes half-written blobs that were not written to for `age`.
    async fn sweep_unfinished(&self, age: Duration) -> Result<u64, BlobError>;
}

/// A blob being written. Dropped before it is finished, it leaves nothing.
#[async_trait]
pub trait BlobWriter: Send {
    /// Appends bytes, which may still be on their way to the disk when this returns.
    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), BlobError>;
    /// Makes the blob durable and visible under its name.
    async fn finish(self: Box<Self>) -> Result<(), BlobError>;
}

/// A blob being read.
#[async_trait]
pub trait BlobReader: Send + Sync {
    /// The blob's length in bytes.
    fn len(&self) -> u64;
    /// Whether it is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Fills `into` with the bytes from `offset` on and gives it back.
    async fn read_at(&self, offset: u64, into: Vec<u8>) -> Result<Vec<u8>, BlobError>;
}
