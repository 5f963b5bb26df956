//! What goes into the vault and comes out of it.

use std::{collections::BTreeMap, pin::Pin};

use bytes::Bytes;
use casework::{
    demand::Category,
    ids::{AccountId, ObjectId, RegionId},
};
use futures::Stream;
use jiff::Timestamp;

pub use store::vault::{EtagMatch, WriteConditions};

use super::{
    checksum::{Checksum, ChecksumAlgorithm, ChecksumType},
    error::VaultError,
    lock::{DefaultRetention, Lock},
    mapping::Mapping,
    settings::Encryption,
    version::{VersionId, Versioning},
};

/// A body on its way out. Holds at most a few hundred KiB at any time.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, VaultError>> + Send + Sync + 'static>>;

/// A bucket to be made. Names are a tenant's own: two tenants may each have a bucket of the same name.
#[derive(Debug, Clone)]
pub struct NewBucket {
    /// 3 to 63 characters, as S3 allows them.
    pub name: String,
    /// Where its objects lie. It never changes.
    pub region: RegionId,
    /// Account of objects for which neither mapping nor header names one.
    pub default_account: AccountId,
    /// How a path yields account and category.
    pub mapping: Mapping,
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct BucketInfo {
    /// Its name, within the tenant.
    pub name: String,
    /// Where its objects lie.
    pub region: RegionId,
    /// Account of objects for which neither mapping nor header names one.
    pub default_account: AccountId,
    /// How a path yields account and category.
    pub mapping: Mapping,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Whether its objects can be locked.
    pub object_lock: bool,
    /// The retention of objects that state none.
    pub default_retention: Option<DefaultRetention>,
}

/// The standard headers that are kept with an object and given back as they were.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ContentHeaders {
    /// `Content-Type`; `binary/octet-stream` is up to the edge when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Expires`, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// User metadata: `x-amz-meta-` headers without that prefix, names in lower case.
pub type UserMetadata = BTreeMap<String, String>;

/// Tags in the order given. At most ten, keys distinct.
pub type Tags = Vec<(String, String)>;

/// Asked once, after the last byte of the body: the checksums that came in its trailer.
pub type Trailer = Box<dyn FnOnce() -> Vec<Checksum> + Send>;

/// Everything about a PUT but its body.
#[derive(Default)]
pub struct PutOptions {
    /// Standard headers.
    pub headers: ContentHeaders,
    /// User metadata. Its `amparo-account`, `amparo-category` and `amparo-time` (RFC 3339) say where the object belongs.
    pub user_metadata: UserMetadata,
    /// Tags.
    pub tags: Tags,
    /// Where it belongs, above what path or metadata say.
    pub placement: Placement,
    /// Length of the body, when declared: a body of another length is refused.
    pub content_length: Option<u64>,
    /// `Content-MD5`: verified, not kept.
    pub content_md5: Option<[u8; 16]>,
    /// Checksums sent as headers: verified, kept sealed, given back.
    pub checksums: Vec<Checksum>,
    /// Algorithm whose checksum is to be computed and kept although none was sent.
    pub compute: Option<ChecksumAlgorithm>,
    /// Algorithms announced in `x-amz-trailer`: computed on the way, then compared with [`PutOptions::trailer`].
    pub trailer_algorithms: Vec<ChecksumAlgorithm>,
    /// Gives the trailer's checksums once the body was read to its end.
    pub trailer: Option<Trailer>,
    /// What must hold of an object that is there already; checked when the body is complete, in the transaction that
    /// stores it.
    pub conditions: WriteConditions,
    /// What shall keep the version from being removed, above the bucket's default.
    pub lock: Lock,
    /// The encryption that it names; the bucket's default where it names none.
    pub encryption: Option<Encryption>,
}

/// Where an object belongs. What is `None` comes from its metadata, then from the bucket's mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// The account.
    pub account: Option<AccountId>,
    /// The category.
    pub category: Option<Category>,
    /// The time it concerns.
    pub concerns_at: Option<Timestamp>,
}

/// What an object to be read must satisfy, evaluated as RFC 9110 section 13.2.2 says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`.
    pub if_match: Option<EtagMatch>,
    /// `If-None-Match`.
    pub if_none_match: Option<EtagMatch>,
    /// `If-Modified-Since`; whole seconds.
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`; whole seconds.
    pub if_unmodified_since: Option<Timestamp>,
}

/// A range as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// `bytes=first-last`, both included.
    FromTo(u64, u64),
    /// `bytes=first-`.
    From(u64),
    /// `bytes=-n`: the last n bytes.
    Last(u64),
    /// `?partNumber=n`: one part of a multipart object, or part 1 of any other.
    Part(u32),
}

/// A range as it was resolved against an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResolvedRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// Whether it was asked for: answer 206 with `Content-Range`, and without whole-object checksums.
    pub partial: bool,
}

impl ResolvedRange {
    /// Bytes in the range.
    pub fn length(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// What a PUT, copy or completion made.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The object.
    pub object: ObjectId,
    /// Its tag, without quotes: random, never a digest; `-N` at its end for N parts, `-1` for a single PUT. Answer
    /// `x-amz-server-side-encryption: aws:kms` with it, so that clients do not take it for an MD5.
    pub etag: String,
    /// When.
    pub last_modified: Timestamp,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Its checksums.
    pub checksums: Vec<Checksum>,
    /// What they cover.
    pub checksum_type: Option<ChecksumType>,
    /// How the version is named, in a bucket that keeps or kept versions.
    pub version: Option<VersionId>,
    /// The encryption that was named.
    pub encryption: Option<Encryption>,
}

/// An object without its body.
#[derive(Debug, Clone)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its id.
    pub object: ObjectId,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Its tag, without quotes.
    pub etag: String,
    /// When it was stored.
    pub last_modified: Timestamp,
    /// Standard headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub user_metadata: UserMetadata,
    /// How many tags it has.
    pub tag_count: usize,
    /// Checksums of the whole object.
    pub checksums: Vec<Checksum>,
    /// What they cover.
    pub checksum_type: Option<ChecksumType>,
    /// Number of parts, for a multipart object.
    pub parts: Option<u32>,
    /// Whose it is.
    pub account: AccountId,
    /// What it is.
    pub category: Category,
    /// The time it concerns.
    pub concerns_at: Timestamp,
    /// Where it lies.
    pub region: RegionId,
    /// How the version is named, in a bucket that keeps or kept versions.
    pub version: Option<VersionId>,
    /// What keeps it from being removed.
    pub lock: Lock,
    /// The encryption that was named.
    pub encryption: Option<Encryption>,
}

/// An object with its body, or a range of it.
pub struct Download {
    /// About the object.
    pub info: ObjectInfo,
    /// What the body covers.
    pub range: ResolvedRange,
    /// The body.
    pub body: Body,
}

/// What a copy keeps.
#[derive(Default)]
pub struct CopyOptions {
    /// `REPLACE`: these instead of the source's headers and user metadata. `None` copies them.
    pub replace_metadata: Option<(ContentHeaders, UserMetadata)>,
    /// `REPLACE`: these instead of the source's tags.
    pub replace_tags: Option<Tags>,
    /// What must hold of the source.
    pub source_conditions: Conditions,
    /// What must hold of an object at the destination.
    pub conditions: WriteConditions,
    /// Checksum to compute; the source's algorithm otherwise.
    pub compute: Option<ChecksumAlgorithm>,
    /// Where it belongs, above what path or metadata say.
    pub placement: Placement,
    /// What shall keep the copy from being removed. The source's lock is not copied.
    pub lock: Lock,
    /// The encryption that it names. The source's is not copied.
    pub encryption: Option<Encryption>,
}

/// What to list. Keys come in byte order.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys that hold this after the prefix are rolled up.
    pub delimiter: Option<String>,
    /// Only keys and rolled-up prefixes after this one (V1's marker, V2's start-after and continuation).
    pub start_after: Option<String>,
    /// At most this many keys and prefixes; capped at 1000.
    pub max_keys: u32,
}

/// A page of a listing.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Objects in byte order.
    pub objects: Vec<ListedObject>,
    /// Rolled-up prefixes in byte order.
    pub common_prefixes: Vec<String>,
    /// Where the next page starts (`start_after` of the next query); `None` on the last page.
    pub next: Option<String>,
}

/// One object in a listing.
#[derive(Debug, Clone)]
pub struct ListedObject {
    /// Its key.
    pub key: String,
    /// Its id.
    pub object: ObjectId,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Its tag, without quotes.
    pub etag: String,
    /// When it was stored.
    pub last_modified: Timestamp,
}

/// Everything about a multipart upload that is said at its start.
#[derive(Default)]
pub struct UploadOptions {
    /// Standard headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub user_metadata: UserMetadata,
    /// Tags.
    pub tags: Tags,
    /// Where it belongs, above what path or metadata say.
    pub placement: Placement,
    /// Checksum of the parts.
    pub checksum: Option<ChecksumAlgorithm>,
    /// What the object's own checksum covers; by the algorithm's custom when absent.
    pub checksum_type: Option<ChecksumType>,
    /// What shall keep the object from being removed, from its completion on.
    pub lock: Lock,
    /// The encryption that it names.
    pub encryption: Option<Encryption>,
}

/// Everything about a part but its body. The fields are those of [`PutOptions`].
#[derive(Default)]
pub struct PartOptions {
    /// Length of the body, when declared.
    pub content_length: Option<u64>,
    /// `Content-MD5`.
    pub content_md5: Option<[u8; 16]>,
    /// Checksums sent as headers.
    pub checksums: Vec<Checksum>,
    /// Algorithms announced in `x-amz-trailer`.
    pub trailer_algorithms: Vec<ChecksumAlgorithm>,
    /// Gives the trailer's checksums.
    pub trailer: Option<Trailer>,
}

/// A part that was stored.
#[derive(Debug, Clone)]
pub struct PartInfo {
    /// 1 to 10,000.
    pub number: u32,
    /// Its tag, without quotes.
    pub etag: String,
    /// Plaintext length in bytes.
    pub size: u64,
    /// When.
    pub last_modified: Timestamp,
    /// Its checksums.
    pub checksums: Vec<Checksum>,
    /// The encryption that its upload names; only told when it is stored.
    pub encryption: Option<Encryption>,
}

/// A part named in a completion.
#[derive(Debug, Clone)]
pub struct CompletedPart {
    /// 1 to 10,000.
    pub number: u32,
    /// Its tag, without quotes.
    pub etag: String,
    /// Checksum the client states for it.
    pub checksums: Vec<Checksum>,
}

/// A completion.
#[derive(Debug, Clone, Default)]
pub struct Completion {
    /// The parts, ascending.
    pub parts: Vec<CompletedPart>,
    /// Checksums the client states for the whole object.
    pub checksums: Vec<Checksum>,
    /// Size of the whole object as the client states it.
    pub size: Option<u64>,
    /// What must hold of an object that is there already.
    pub conditions: WriteConditions,
}

/// A multipart upload under way.
#[derive(Debug, Clone)]
pub struct UploadInfo {
    /// Its id, as [`super::Vault::create_upload`] gave it.
    pub id: String,
    /// The key it will be stored at.
    pub key: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Checksum of its parts.
    pub checksum: Option<ChecksumAlgorithm>,
    /// What the object's own checksum will cover.
    pub checksum_type: Option<ChecksumType>,
    /// The encryption that was named; only told when it is begun.
    pub encryption: Option<Encryption>,
}

/// A page of parts.
#[derive(Debug, Clone)]
pub struct PartListing {
    /// The upload.
    pub upload: UploadInfo,
    /// Its parts, ascending.
    pub parts: Vec<PartInfo>,
    /// The number after which the next page starts; `None` on the last page.
    pub next: Option<u32>,
}

/// Which uploads to list.
#[derive(Debug, Clone, Default)]
pub struct UploadQuery {
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys that hold this after the prefix are rolled up.
    pub delimiter: Option<String>,
    /// Only uploads after this key, and of this key after this upload id.
    pub after: Option<(String, Option<String>)>,
    /// At most this many; capped at 1000.
    pub max_uploads: u32,
}

/// A page of uploads.
#[derive(Debug, Clone, Default)]
pub struct UploadListing {
    /// Uploads by key, then id.
    pub uploads: Vec<UploadInfo>,
    /// Rolled-up prefixes.
    pub common_prefixes: Vec<String>,
    /// Where the next page starts.
    pub next: Option<(String, Option<String>)>,
}
