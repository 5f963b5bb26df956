//! RFC 8785 canonical JSON: the one encoding that is hashed and signed.

use serde::Serialize;

use crate::ids::Digest;

/// A value could not be written as canonical JSON: a float that is not finite, or a map with keys that are not text.
#[derive(Debug, thiserror::Error)]
#[error("value has no canonical JSON form (RFC 8785)")]
pub struct CanonicalError(#[from] serde_json::Error);

/// The RFC 8785 bytes of `value`.
///
/// # Errors
/// When the value has no JSON form.
pub fn to_canonical_json<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    Ok(serde_json_canonicalizer::to_vec(value)?)
}

/// SHA-256 over a domain label, a newline, and the canonical JSON of `value`.
///
/// # Errors
/// When the value has no JSON form.
pub fn digest<T: Serialize>(label: &str, value: &T) -> Result<Digest, CanonicalError> {
    Ok(Digest::of(&[label.as_bytes(), b"\n", &to_canonical_json(value)?]))
}
