//! What lies sealed under an object's key beside its body.

use std::collections::BTreeMap;

use envelope::{
    chunked::{self, Context, SALT_BYTES},
    content::{ContentDigest, Opening},
    keys::{ObjectKey, WrappedAccount},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Checksum, ChecksumType, ContentHeaders, Encryption, Lock, Result, Retention, RetentionMode, Tags,
    UserMetadata, VaultError, error::store_failed,
};
use casework::ids::ObjectId;
use jiff::Timestamp;

/// An object's metadata.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub headers: ContentHeaders,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user: UserMetadata,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Tags,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<ChecksumType>,
    /// The encryption that its owner named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The lock that an upload asked for; an object's stands in its row, where it is enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<SealedLock>,
    /// SHA-256 that the commitment commits to, hex.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content_digest: String,
}

/// A lock on its way from an upload's beginning to its completion.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SealedLock {
    compliance: bool,
    until: Option<Timestamp>,
    legal_hold: bool,
}

impl SealedLock {
    pub(super) fn of(lock: &Lock) -> Option<Self> {
        (*lock != Lock::default()).then(|| Self {
            compliance: lock
                .retention
                .is_some_and(|r| r.mode == RetentionMode::Compliance),
            until: lock.retention.map(|r| r.until),
            legal_hold: lock.legal_hold,
        })
    }
    pub(super) fn lock(&self) -> Lock {
        let mode = if self.compliance {
            RetentionMode::Compliance
        } else {
            RetentionMode::Governance
        };
        Lock {
            retention: self.until.map(|until| Retention { mode, until }),
            legal_hold: self.legal_hold,
        }
    }
}

/// A part's digest and checksums.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PartMetadata {
    /// SHA-256 of the part, hex.
    pub sha256: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<Checksum>,
}

pub(super) fn body_context(account: &WrappedAccount, object: ObjectId, part: u32) -> Context {
    Context::part(&account.tenant, &account.account, object.0.as_bytes(), part)
}
pub(super) fn metadata_context(account: &WrappedAccount, object: ObjectId) -> Context {
    Context::metadata(&account.tenant, &account.account, object.0.as_bytes())
}
pub(super) fn part_context(account: &WrappedAccount, object: ObjectId, part: u32) -> Context {
    Context::part_metadata(&account.tenant, &account.account, object.0.as_bytes(), part)
}

pub(super) fn seal<T: Serialize>(
    key: &ObjectKey,
    context: &Context,
    salt: [u8; SALT_BYTES],
    value: &T,
) -> Result<Vec<u8>> {
    let json = zeroize::Zeroizing::new(serde_json::to_vec(value).map_err(store_failed)?);
    chunked::seal(key, context, salt, &json).map_err(store_failed)
}

pub(super) fn open<T: DeserializeOwned>(
    key: &ObjectKey,
    context: &Context,
    object: ObjectId,
    sealed: &[u8],
) -> Result<T> {
    let json = chunked::open(key, context, sealed).map_err(|error| damaged(object, error))?;
    let json = zeroize::Zeroizing::new(json);
    serde_json::from_slice(&json).map_err(|_| damaged(object, "its metadata makes no sense"))
}

pub(super) fn damaged(object: ObjectId, reason: impl ToString) -> VaultError {
    let reason = reason.to_string();
    tracing::error!(%object, reason, "stored data is damaged");
    VaultError::Damaged { object, reason }
}

/// A part's tag: the same for the same content sent again, as a client expects that retries, and nothing to anybody
/// without the object's key.
pub(super) fn part_tag(key: &ObjectKey, number: u32, sha256: &[u8; 32]) -> Result<String> {
    let mut digest = ContentDigest::default();
    digest.part(u64::from(number), sha256);
    let opening = Opening::of(key).map_err(store_failed)?;
    let tag = opening.commit(&digest.finish());
    Ok(hex::encode(tag.first_chunk::<16>().unwrap_or(&[0; 16])))
}
