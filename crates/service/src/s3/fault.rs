//! What can be wrong with a request's body while it streams, and how that reaches the answer.
//!
//! A body passes through s3s and the vault before its fault is seen, and both turn errors into their own. So each layer
//! that reads the body writes the first fault into a [`FaultSlot`], and the door answers with it.

use std::sync::{Arc, OnceLock};

use s3s::{S3Error, S3ErrorCode};

/// A fault of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// No byte arrived for [`super::limits::BODY_IDLE_TIMEOUT`].
    #[error("the request body stalled; send it again, faster or in smaller parts")]
    Stalled,
    /// The connection broke before the body's end.
    #[error("the request body ended before the length it announced")]
    Incomplete,
    /// More than [`super::limits::OBJECT_BYTES_MAX`], or more than was announced.
    #[error("the request body is larger than it announced or than 5 GiB; use a multipart upload")]
    TooLarge,
    /// The `aws-chunked` framing is broken.
    #[error("the aws-chunked framing of the request body is malformed")]
    Malformed,
    /// A signed chunk above [`super::limits::SIGNED_CHUNK_BYTES_MAX`].
    #[error("a signed chunk is larger than 16 MiB; configure the client to sign smaller chunks")]
    ChunkTooLarge,
    /// A chunk's or the trailer's signature is wrong.
    #[error("the signature of a chunk or of the trailer does not match")]
    ChunkSignature,
    /// The body is not what `x-amz-content-sha256` says.
    #[error("the provided `x-amz-content-sha256` header does not match what was computed")]
    PayloadHash,
    /// The body is not what `Content-MD5` says.
    #[error("the Content-MD5 you specified did not match what was received")]
    ContentMd5,
    /// The body is not what an `x-amz-checksum-*` header or trailer says.
    #[error("the checksum you specified did not match the calculated checksum")]
    Checksum,
    /// `x-amz-trailer` announced a checksum that did not come.
    #[error("the trailing checksum that `x-amz-trailer` announced is missing")]
    TrailerMissing,
}

impl BodyFault {
    /// The S3 error that the client gets.
    pub fn to_s3_error(self) -> S3Error {
        let code = match self {
            Self::Stalled => S3ErrorCode::RequestTimeout,
            Self::Incomplete => S3ErrorCode::IncompleteBody,
            Self::TooLarge => S3ErrorCode::EntityTooLarge,
            Self::Malformed | Self::ChunkTooLarge | Self::TrailerMissing => S3ErrorCode::InvalidRequest,
            Self::ChunkSignature => S3ErrorCode::SignatureDoesNotMatch,
            Self::PayloadHash => return custom("XAmzContentSHA256Mismatch", self.to_string()),
            Self::ContentMd5 | Self::Checksum => S3ErrorCode::BadDigest,
        };
        S3Error::with_message(code, self.to_string())
    }

    /// Recognises what s3s 0.14.1 reports; its error types are private, so their fixed texts are what there is.
    pub fn of_s3s(error: &(dyn std::error::Error + 'static)) -> Self {
        let text = error.to_string();
        let says = |what: &str| text.contains(what);
        if says("Sha256Mismatch") {
            Self::PayloadHash
        } else if says("SignatureMismatch") {
            Self::ChunkSignature
        } else if says("LengthMismatch") {
            Self::TooLarge
        } else if says("FormatError") || says("TooLarge") || says("TooMany") || says("InvalidChecksum") {
            Self::Malformed
        } else {
            Self::Incomplete
        }
    }
}

/// An S3 error whose code s3s does not know; the status is 400.
pub fn custom(code: &'static str, message: String) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(hyper::StatusCode::BAD_REQUEST);
    error
}

/// Where the first fault of one request's body is kept. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct FaultSlot(Arc<OnceLock<BodyFault>>);

impl FaultSlot {
    /// Keeps `fault` unless an earlier one is there, and returns the one kept.
    pub fn set(&self, fault: BodyFault) -> BodyFault {
        *self.0.get_or_init(|| fault)
    }

    /// The first fault, if there was one.
    pub fn get(&self) -> Option<BodyFault> {
        self.0.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_stays() {
        let slot = FaultSlot::default();
        assert_eq!(slot.get(), None);
        slot.clone().set(BodyFault::Stalled);
        assert_eq!(slot.set(BodyFault::Checksum), BodyFault::Stalled);
        assert_eq!(slot.get(), Some(BodyFault::Stalled));
    }
}
