//! Docket entries: salted commitments of a fixed size, which nobody can tell from filler.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize;

use crate::armor;

/// Bytes of one entry. A filler entry is this many random bytes.
pub const ENTRY_BYTES: usize = 32;
/// Longest kind, in bytes.
pub const KIND_BYTES_MAX: usize = 32;

/// What hides a commitment until its holder shows it: 32 random bytes, drawn once for each entry. Hex in JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt(pub [u8; 32]);

/// A value that the docket can commit to.
pub trait Committed {
    /// What it is, such as `release`; lower-case letters, digits, `.`, `_` and `-`, at most 32.
    const KIND: &'static str;
    /// SHA-256 over its one canonical form.
    ///
    /// # Errors
    /// When it has no such form.
    fn digest(&self) -> Result<[u8; 32], Uncommittable>;
}

/// A value has no canonical form to commit to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value cannot be committed to: {0}")]
pub struct Uncommittable(pub String);

/// The docket entry for a digest: SHA-256 of `amparo/docket/v1`, kind, salt and digest.
pub fn commitment(kind: &str, salt: &Salt, digest: &[u8; 32]) -> [u8; ENTRY_BYTES] {
    Sha256::new_with_prefix(b"amparo/docket/v1\n")
        .chain_update(kind)
        .chain_update(b"\n")
        .chain_update(salt.0)
        .chain_update(digest)
        .finalize()
        .into()
}

/// Whether `kind` may name a kind of entry.
pub fn kind_usable(kind: &str) -> bool {
    !kind.is_empty()
        && kind.len() <= KIND_BYTES_MAX
        && kind
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

/// What opens an entry: it travels as a receipt's `extra`, so that the entry recomputes offline.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// What was committed to.
    pub kind: String,
    /// What hid it.
    pub salt: Salt,
    /// Its digest.
    pub digest: [u8; 32],
}

impl Opening {
    /// Reads canonical JSON, `{"digest":"..","kind":"..","salt":".."}`. `None` for any other bytes.
    pub fn parse(extra: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(extra).ok()?;
        let rest = text.strip_prefix("{\"digest\":\"")?;
        let (digest, rest) = rest.split_once("\",\"kind\":\"")?;
        let (kind, rest) = rest.split_once("\",\"salt\":\"")?;
        let salt = rest.strip_suffix("\"}")?;
        let opening = Self {
            kind: kind_usable(kind).then(|| kind.to_owned())?,
            salt: Salt(armor::from_hex(salt)?),
            digest: armor::from_hex(digest)?,
        };
        (opening.to_bytes() == extra).then_some(opening)
    }

    /// Its RFC 8785 JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (digest, salt) = (hex::encode(self.digest), hex::encode(self.salt.0));
        format!(
            "{{\"digest\":\"{digest}\",\"kind\":\"{}\",\"salt\":\"{salt}\"}}",
            self.kind
        )
        .into_bytes()
    }

    /// The entry it opens.
    pub fn commitment(&self) -> [u8; ENTRY_BYTES] {
        commitment(&self.kind, &self.salt, &self.digest)
    }
}
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening({})", self.kind)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}
impl Drop for Salt {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
impl From<Salt> for String {
    fn from(salt: Salt) -> String {
        hex::encode(salt.0)
    }
}
impl TryFrom<String> for Salt {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        armor::from_hex(&text)
            .map(Self)
            .ok_or("a salt is 64 lower-case hex digits")
    }
}
