//! Why the vault refused.

use jiff::Timestamp;
use store::{blobs::BlobError, vault::StoreError};

/// Why a call failed. Texts hold no content, no metadata of an object, and nothing of another tenant: what belongs to
/// another tenant reads exactly as what does not exist.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The caller's tenant has no bucket of this name.
    #[error("no bucket of this name; `amparo bucket add` or an S3 client makes one")]
    NoSuchBucket,
    /// The bucket has no object of this key.
    #[error("no object of this key")]
    NoSuchKey,
    /// The object lies in a region of another node.
    #[error("the object lies in region `{region}`, which another node serves; ask there")]
    Elsewhere {
        /// The region.
        region: casework::ids::RegionId,
    },
    /// The object does not lie in that region, and has no copy there.
    #[error(
        "the object has no copy in region `{region}`; leave `x-amparo-copy-in` out to read it where it lies"
    )]
    NoCopy {
        /// The region.
        region: casework::ids::RegionId,
    },
    /// The key has no such version.
    #[error("no such version of this key")]
    NoSuchVersion,
    /// A delete marker hides the object, or is itself the version named.
    #[error("the object was deleted; name a version to reach what was there")]
    Deleted {
        /// The delete marker.
        version: super::VersionId,
        /// When it was set.
        deleted_at: Timestamp,
        /// Whether the caller named it.
        named: bool,
    },
    /// Retention or legal hold forbid it.
    #[error("it is under retention or legal hold; wait for its end, or lift the hold")]
    Locked,
    /// The bucket's objects cannot be locked.
    #[error("the bucket has no object lock configuration")]
    NoLocks,
    /// The bucket keeps no versions.
    #[error("the bucket keeps no versions; enable versioning first")]
    NoVersions,
    /// The bucket must go on keeping versions, because its objects can be locked.
    #[error("versioning cannot be suspended in a bucket with object lock")]
    NeedsVersions,
    /// No such multipart upload, or it ended.
    #[error("no such upload: it was never begun, or was completed or aborted")]
    NoSuchUpload,
    /// The tenant has a bucket of this name already.
    #[error("the tenant has a bucket of this name already")]
    BucketExists,
    /// Buckets are deleted empty.
    #[error("the bucket still holds objects; delete them first")]
    BucketNotEmpty,
    /// A bucket name that S3 does not allow.
    #[error("`{name}` is not a bucket name: {reason}")]
    BadBucketName {
        /// The name, cut to 64 characters.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The tenant has as many buckets as it may.
    #[error("a tenant may have at most {max} buckets; delete one first")]
    TooManyBuckets {
        /// The limit.
        max: u32,
    },
    /// The deployment has no such region, or this tenant no key in it.
    #[error("no region `{region}` in this deployment")]
    NoSuchRegion {
        /// As given.
        region: String,
    },
    /// The deployment has no such tenant.
    #[error("no such tenant")]
    NoSuchTenant,
    /// The tenant has no such account, or it has no key in the region.
    #[error("no such account in this region")]
    NoSuchAccount,
    /// The account's key was destroyed; nothing can be stored under it again.
    #[error("the account's key was destroyed; store under another account")]
    AccountDestroyed,
    /// Object keys are 1 to 1024 bytes of UTF-8.
    #[error("an object key is 1 to 1024 bytes long")]
    BadKey,
    /// Account, category or time could not be read from header or path.
    #[error("`{field}` does not say where the object belongs: {reason}")]
    BadPlacement {
        /// The header or the part of the path.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// A bucket's path template is not one.
    #[error("`{template}` is not a path template: {reason}")]
    BadMapping {
        /// As given.
        template: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// User metadata of more than 2 KiB.
    #[error("user metadata is larger than {max} bytes")]
    MetadataTooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// Tags beyond S3's limits: ten per object, 128 and 256 characters.
    #[error("tags are not acceptable: {reason}")]
    BadTags {
        /// What is wrong.
        reason: &'static str,
    },
    /// An object or part above its limit.
    #[error("the body is larger than {max} bytes; use a multipart upload")]
    TooLarge {
        /// The limit in bytes.
        max: u64,
    },
    /// A part other than the last is smaller than the 5 MiB that S3 asks for.
    #[error("part {number} is smaller than {min} bytes, and only the last may be")]
    PartTooSmall {
        /// The part.
        number: u32,
        /// Bytes.
        min: u64,
    },
    /// A part number outside 1 to 10,000.
    #[error("part numbers run from 1 to 10000")]
    BadPartNumber,
    /// A part named in a completion is not there, or has another tag.
    #[error("part {number} was not uploaded, or its entity tag differs")]
    NoSuchPart {
        /// The part.
        number: u32,
    },
    /// The parts of a completion are not in ascending order.
    #[error("parts must be listed in ascending order")]
    PartOrder,
    /// A completion without parts, or with more than 10,000.
    #[error("a completion lists 1 to 10000 parts")]
    PartCount,
    /// An `If-Match` or `If-Unmodified-Since` does not hold, or `If-None-Match` on a write.
    #[error("a precondition does not hold")]
    PreconditionFailed,
    /// `If-None-Match` or `If-Modified-Since` on a read: the caller's copy is current.
    #[error("not modified")]
    NotModified {
        /// Its tag, without quotes.
        etag: String,
        /// When it was stored.
        last_modified: Timestamp,
    },
    /// The range starts at or after the end.
    #[error("the range lies outside the object's {size} bytes")]
    BadRange {
        /// The object's size in bytes.
        size: u64,
    },
    /// `Content-MD5` differs from the body's.
    #[error("the body does not match its Content-MD5")]
    BadContentMd5,
    /// A checksum differs from the body's.
    #[error("the body does not match its {algorithm} checksum")]
    BadChecksum {
        /// As S3 names it.
        algorithm: &'static str,
    },
    /// A checksum asked for or given that does not fit the upload.
    #[error("checksum not acceptable: {reason}")]
    ChecksumMismatch {
        /// What is wrong.
        reason: &'static str,
    },
    /// The body broke off, or was longer or shorter than its declared length.
    #[error("the body broke off after {received} bytes")]
    IncompleteBody {
        /// Bytes that arrived.
        received: u64,
    },
    /// The copy changes nothing: same source and destination, same metadata.
    #[error("a copy onto itself must replace the metadata")]
    CopyOntoItself,
    /// The disk is full. Nothing of the object was kept.
    #[error("the disk is full; nothing was stored; free some space and try again")]
    DiskFull,
    /// Too much work at once; try again.
    #[error("the vault is busy; try again")]
    Busy,
    /// Another identifier in the request is not valid.
    #[error(transparent)]
    Id(#[from] casework::ids::IdError),
    /// The gate would not open or make a key.
    #[error("the gate refused")]
    Gate(#[from] crate::gate::owner::GateError),
    /// What is stored is not what was stored: a body or its metadata fails authentication.
    #[error("stored data of object {object} is damaged: {reason}")]
    Damaged {
        /// The object's id.
        object: casework::ids::ObjectId,
        /// What failed.
        reason: String,
    },
    /// A store that is reached over the network is away, or asks us to slow down. Nothing of the object was kept.
    #[error("where the data lies cannot be reached just now; try again")]
    Unavailable(#[source] BlobError),
    /// The database or the disk failed.
    #[error("the store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A failure beneath the vault that the caller can do nothing about.
pub(super) fn store_failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> VaultError {
    VaultError::Store(error.into())
}

impl From<StoreError> for VaultError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchTenant => Self::NoSuchTenant,
            StoreError::NoSuchBucket => Self::NoSuchBucket,
            StoreError::NoSuchKey => Self::NoSuchKey,
            StoreError::NoSuchVersion => Self::NoSuchVersion,
            StoreError::Locked => Self::Locked,
            StoreError::NoLocks => Self::NoLocks,
            StoreError::NoVersions => Self::NoVersions,
            StoreError::NeedsVersions => Self::NeedsVersions,
            StoreError::NoSuchUpload => Self::NoSuchUpload,
            StoreError::NoSuchPart { number } => Self::NoSuchPart { number },
            StoreError::NotEmpty => Self::BucketNotEmpty,
            StoreError::TooManyBuckets { max } => Self::TooManyBuckets { max },
            StoreError::Precondition => Self::PreconditionFailed,
            StoreError::AccountDestroyed => Self::AccountDestroyed,
            StoreError::DiskFull => Self::DiskFull,
            StoreError::BucketMoved | StoreError::Frozen => Self::Busy,
            // The client sends it again, and it is wrapped under the new key.
            StoreError::Rotated => Self::Busy,
            other => Self::Store(Box::new(other)),
        }
    }
}

impl From<BlobError> for VaultError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full => Self::DiskFull,
            error @ BlobError::Unavailable { .. } => Self::Unavailable(error),
            other => Self::Store(Box::new(other)),
        }
    }
}
