//! The commitment that ties a body to a release record.
//!
//! A record names an object by `HMAC-SHA-256(opening, content digest)`, which tells nothing about the content. Whoever
//! receives the package gets the opening with it, and recomputes. The opening comes of the object's key one way, so it
//! yields no key.

use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Prk};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::keys::ObjectKey;

/// What opens a commitment. Secret until the package that holds it is delivered.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Opening([u8; 32]);

/// The content does not match its commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the content does not match its commitment")]
pub struct NotCommitted;

/// The key derivation refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the opening could not be derived")]
pub struct Underivable;

impl Opening {
    /// An opening as a package states it.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The bytes, to write into a package.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// `HKDF-Expand-SHA512(object key, "amparo/opening/v1", 32)`.
    ///
    /// # Errors
    /// When the key derivation refuses.
    pub fn of(key: &ObjectKey) -> Result<Self, Underivable> {
        let mut opening = Self([0; 32]);
        Prk::new_less_safe(HKDF_SHA512, key.bytes())
            .expand(&[b"amparo/opening/v1"], OpeningLen)
            .and_then(|okm| okm.fill(&mut opening.0))
            .map_err(|_| Underivable)?;
        Ok(opening)
    }
    /// The commitment to content of this digest.
    pub fn commit(&self, content_digest: &[u8; 32]) -> [u8; 32] {
        self.mac(content_digest).finalize().into_bytes().into()
    }

    fn mac(&self, content_digest: &[u8; 32]) -> Hmac<Sha256> {
        // A key of block length, zero-padded, is the same HMAC key and can be made without a length error.
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(self.0) {
            *to = from;
        }
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
        block.zeroize();
        mac.update(content_digest);
        mac
    }
}

struct OpeningLen;
impl KeyType for OpeningLen {
    fn len(&self) -> usize {
        32
    }
}

/// The digest of a body: `SHA-256("amparo/content/v1\n" || for each part: length as u64 big-endian || SHA-256(part))`.
/// A body stored in one piece is one part.
#[derive(Clone)]
pub struct ContentDigest(Sha256);

impl Default for ContentDigest {
    fn default() -> Self {
        Self(Sha256::new_with_prefix(b"amparo/content/v1\n"))
    }
}

impl ContentDigest {
    /// Adds the next part by its length in bytes and its SHA-256.
    pub fn part(&mut self, bytes: u64, sha256: &[u8; 32]) {
        self.0.update(bytes.to_be_bytes());
        self.0.update(sha256);
    }
    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// Checks, in constant time, that `commitment` is one to content of this digest.
///
/// # Errors
/// When it is not.
pub fn verify_commitment(
    opening: &Opening,
    digest: &[u8; 32],
    commitment: &[u8; 32],
) -> Result<(), NotCommitted> {
    opening
        .mac(digest)
        .verify_slice(commitment)
        .map_err(|_| NotCommitted)
}
