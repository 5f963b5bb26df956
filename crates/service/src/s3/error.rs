//! The vault's errors as S3 names them.

use hyper::{HeaderMap, StatusCode, header};
use s3s::{S3Error, S3ErrorCode};

use super::{convert, fault::custom};
use crate::{gate::owner::GateError, vault::VaultError};

/// The S3 error for `error`.
pub(super) fn of(error: VaultError) -> S3Error {
    use S3ErrorCode as Code;
    let code = match &error {
        VaultError::NoSuchBucket => {
            return message(Code::NoSuchBucket, "The specified bucket does not exist");
        }
        VaultError::NoSuchKey => return message(Code::NoSuchKey, "The specified key does not exist."),
        VaultError::NoSuchVersion => {
            return message(Code::NoSuchVersion, "The specified version does not exist.");
        }
        VaultError::Deleted {
            version,
            deleted_at,
            named,
        } => return super::version::deleted(*version, *deleted_at, *named),
        VaultError::Locked => {
            return message(
                Code::AccessDenied,
                "Access Denied because object protected by object lock.",
            );
        }
        VaultError::Elsewhere { region } => return elsewhere(region),
        VaultError::NoCopy { .. } => Code::NoSuchKey,
        VaultError::NoLocks => {
            return message(
                Code::InvalidRequest,
                "Bucket is missing Object Lock Configuration",
            );
        }
        VaultError::NoVersions | VaultError::NeedsVersions => Code::InvalidBucketState,
        VaultError::NoSuchUpload => Code::NoSuchUpload,
        VaultError::BucketExists => Code::BucketAlreadyOwnedByYou,
        VaultError::BucketNotEmpty => Code::BucketNotEmpty,
        VaultError::BadBucketName { .. } => Code::InvalidBucketName,
        VaultError::TooManyBuckets { .. } => Code::TooManyBuckets,
        VaultError::NoSuchRegion { .. } => Code::InvalidLocationConstraint,
        VaultError::NoSuchTenant | VaultError::NoSuchAccount => Code::AccessDenied,
        VaultError::AccountDestroyed => Code::InvalidObjectState,
        VaultError::BadKey => Code::KeyTooLongError,
        VaultError::BadPlacement { .. } | VaultError::BadMapping { .. } | VaultError::BadPartNumber => {
            Code::InvalidArgument
        }
        VaultError::Id(_) => Code::InvalidArgument,
        VaultError::MetadataTooLarge { .. } => Code::MetadataTooLarge,
        VaultError::BadTags { .. } => Code::InvalidTag,
        VaultError::TooLarge { .. } => Code::EntityTooLarge,
        VaultError::PartTooSmall { .. } => Code::EntityTooSmall,
        VaultError::NoSuchPart { .. } => Code::InvalidPart,
        VaultError::PartOrder => Code::InvalidPartOrder,
        VaultError::PartCount => Code::MalformedXML,
        VaultError::PreconditionFailed => {
            return message(
                Code::PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold",
            );
        }
        VaultError::NotModified { etag, last_modified } => return not_modified(etag, *last_modified),
        VaultError::BadRange { size } => return bad_range(*size),
        VaultError::BadContentMd5 | VaultError::BadChecksum { .. } => Code::BadDigest,
        VaultError::ChecksumMismatch { .. } | VaultError::CopyOntoItself => Code::InvalidRequest,
        VaultError::IncompleteBody { .. } => Code::IncompleteBody,
        VaultError::DiskFull => {
            let mut full = custom("InsufficientStorage", error.to_string());
            full.set_status_code(StatusCode::INSUFFICIENT_STORAGE);
            return full;
        }
        VaultError::Busy => Code::SlowDown,
        VaultError::Unavailable(cause) => {
            tracing::warn!(error = cause as &dyn std::error::Error, "a store is away");
            return message(
                Code::ServiceUnavailable,
                "Please reduce your request rate, and try again.",
            );
        }
        VaultError::Gate(GateError::Refused) => Code::AccessDenied,
        VaultError::Gate(GateError::AccountDestroyed) => Code::InvalidObjectState,
        VaultError::Gate(GateError::Holder(holder)) => {
            // The customer's own holder or the provider's: either way the client learns which, and whether to try again.
            tracing::warn!(%holder, "a key did not come from its holder");
            let code = match holder.is_refusal() {
                true => Code::AccessDenied,
                false => Code::ServiceUnavailable,
            };
            return S3Error::with_message(code, holder.to_string());
        }
        VaultError::Gate(GateError::Unreachable) => {
            // In the log already, by whoever asked it.
            return message(
                Code::ServiceUnavailable,
                "The gate that opens keys does not answer, so nothing can be read or stored. Please try again.",
            );
        }
        VaultError::Gate(_) => Code::ServiceUnavailable,
        VaultError::Damaged { .. } | VaultError::Store(_) => Code::InternalError,
    };
    if matches!(code, Code::InternalError | Code::ServiceUnavailable) {
        // The cause is the operator's, not the client's; the vault's errors hold no content.
        tracing::error!(error = &error as &dyn std::error::Error, "the vault failed");
        return message(code, "We encountered an internal error. Please try again.");
    }
    S3Error::with_message(code, error.to_string())
}

fn message(code: S3ErrorCode, text: &'static str) -> S3Error {
    S3Error::with_message(code, text)
}

fn not_modified(etag: &str, last_modified: jiff::Timestamp) -> S3Error {
    let mut error = message(S3ErrorCode::NotModified, "Not Modified");
    error.set_status_code(StatusCode::NOT_MODIFIED);
    let mut headers = HeaderMap::new();
    if let Ok(value) = format!("\"{etag}\"").parse() {
        headers.insert(header::ETAG, value);
    }
    if let Some(value) = convert::http_date(last_modified) {
        headers.insert(header::LAST_MODIFIED, value);
    }
    error.set_headers(headers);
    error
}

/// What lies in a region of another node: a client that follows `x-amz-bucket-region` finds it there.
fn elsewhere(region: &casework::ids::RegionId) -> S3Error {
    let text = format!("The object must be addressed using the endpoint of region '{region}'.");
    let mut error = S3Error::with_message(S3ErrorCode::PermanentRedirect, text);
    error.set_status_code(StatusCode::MOVED_PERMANENTLY);
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/xml"),
    );
    if let Ok(value) = region.as_str().parse() {
        headers.insert("x-amz-bucket-region", value);
    }
    error.set_headers(headers);
    error
}

fn bad_range(size: u64) -> S3Error {
    let mut error = message(
        S3ErrorCode::InvalidRange,
        "The requested range is not satisfiable",
    );
    let mut headers = HeaderMap::new();
    if let Ok(value) = format!("bytes */{size}").parse() {
        headers.insert(header::CONTENT_RANGE, value);
    }
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/xml"),
    );
    error.set_headers(headers);
    error
}

/// The S3 error of a copy: a source that is not modified is a failed precondition there, not an answer.
pub(super) fn of_copy(error: VaultError) -> S3Error {
    match error {
        VaultError::NotModified { .. } => of(VaultError::PreconditionFailed),
        other => of(other),
    }
}
