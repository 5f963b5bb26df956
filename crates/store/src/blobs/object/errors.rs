//! What an object store's failures mean to us.

use object_store::Error;

use crate::blobs::{BlobError, BlobId};

/// Longest reason kept of what a store said, in characters.
const REASON_CHARS_MAX: usize = 240;

/// A failure that is not about one blob.
pub(super) fn of(store: &str, error: Error) -> BlobError {
    let text = error.to_string();
    let said = |reason: &str| reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let reason: String = said(&text).chars().take(REASON_CHARS_MAX).collect();
    let store = store.to_owned();
    let full = ["507 ", "QuotaExceeded", "InsufficientStorage"];
    let refused = [
        "NoSuchBucket",
        "ContainerNotFound",
        "400 Bad Request",
        "Received redirect",
        "301 ",
        "307 ",
    ];
    match error {
        Error::PermissionDenied { .. }
        | Error::Unauthenticated { .. }
        | Error::NotSupported { .. }
        | Error::NotImplemented { .. }
        | Error::UnknownConfigurationKey { .. } => BlobError::Refused { store, reason },
        _ if full.iter().any(|sign| text.contains(sign)) => BlobError::Full,
        _ if refused.iter().any(|sign| text.contains(sign)) => BlobError::Refused { store, reason },
        _ => BlobError::Unavailable { store, reason },
    }
}

/// A failure about one blob.
pub(super) fn of_blob(store: &str, id: BlobId, error: Error) -> BlobError {
    if is_missing(&error) {
        BlobError::Missing { id }
    } else {
        of(store, error)
    }
}

/// Whether the store says that there is nothing of this name, and not that the whole bucket is gone.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && {
        let text = error.to_string();
        !text.contains("NoSuchBucket") && !text.contains("ContainerNotFound")
    }
}

/// Whether a range was asked of something that has no bytes.
pub(super) fn is_empty_range(error: &Error) -> bool {
    let text = error.to_string();
    text.contains("416 ") || text.contains("InvalidRange") || text.contains("but object was only 0 bytes")
}
