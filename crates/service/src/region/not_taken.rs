//! Why something that another node brings is not taken.

use casework::{
    demand::Category,
    finding::Promise,
    gate::Refusal,
    transfer::{Data, TransferRecord},
};
use jiff::Timestamp;
use store::vault::{Hex, StoreError, Traveller};

use crate::{gate::NotReleased, vault::VaultError};

/// Why something was not taken.
pub(super) enum NotTaken {
    Refused(Refusal),
    Failed(String),
}

impl From<Refusal> for NotTaken {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
impl From<NotReleased> for NotTaken {
    fn from(error: NotReleased) -> Self {
        match error {
            NotReleased::Refused(refusal) => Self::Refused(refusal),
            NotReleased::NoAnswer(error) => Self::Failed(error.to_string()),
        }
    }
}
impl From<StoreError> for NotTaken {
    fn from(error: StoreError) -> Self {
        let refused = |hint| Self::Refused(Refusal::promise(Promise::P19, error.to_string(), hint));
        match &error {
            StoreError::NotEmpty => refused("empty the bucket of the other node, or move accounts"),
            StoreError::Taken(_) => refused("start the transfer again then"),
            StoreError::OneDatabase => refused("see docs/transfers.md"),
            _ => Self::Failed(error.to_string()),
        }
    }
}
impl From<VaultError> for NotTaken {
    fn from(error: VaultError) -> Self {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        Self::Failed(format!("{error}{}", source.unwrap_or_default()))
    }
}

pub(super) fn refuse(reason: impl Into<String>, hint: &'static str) -> NotTaken {
    NotTaken::Refused(Refusal::promise(Promise::P19, reason.into(), hint))
}

pub(super) fn failed(reason: &str) -> NotTaken {
    NotTaken::Failed(reason.to_owned())
}

/// What is recorded makes sense as a row of the vault, and is of the transfer's data.
pub(super) fn must_make_sense(it: &Traveller, record: &TransferRecord) -> Result<(), NotTaken> {
    let time = |at: i64| Timestamp::from_microsecond(at).is_ok();
    let bucket = match &record.data {
        Data::Bucket(name) => it.bucket == *name,
        // What no client can name is this node's own.
        Data::Accounts(_) => !it.bucket.contains('/'),
    };
    let is_category = Category::ALL.iter().any(|one| one.name() == it.category);
    let what = match it.account {
        Some(_) => is_category && it.commitment.0.len() == 32 && it.body.is_some() == it.pieces.is_empty(),
        None => it.category.is_empty() && it.body.is_none() && it.pieces.is_empty() && it.size == 0,
    };
    let lock = match (&it.lock_mode, it.lock_until) {
        (None, None) => true,
        (Some(mode), Some(until)) => ["GOVERNANCE", "COMPLIANCE"].contains(&mode.as_str()) && time(until),
        _ => false,
    };
    let digest = |bytes: &Hex| bytes.0.len() == 32;
    let body = it
        .body
        .as_ref()
        .is_none_or(|(_, told)| told.as_ref().is_none_or(digest));
    let upload = it.upload.as_ref().is_none_or(|upload| upload.0.len() == 16);
    let pieces = it.pieces.iter().all(|piece| time(piece.modified_at));
    let key = (1..=1024).contains(&it.key.len());
    let sense = bucket && what && lock && body && upload && pieces && key;
    match sense && time(it.concerns_at) && time(it.modified_at) {
        true => Ok(()),
        false => Err(NotTaken::Failed(format!(
            "object {} is told of in a way that makes no sense",
            it.id
        ))),
    }
}
