//! A tenant's key as it is kept: under the region's root alone, or held by somebody else as well.
//!
//! A held key is wrapped twice: under the region's root first, and what comes of that under a key which its holder keeps:
//! the provider's hardware, or the customer itself. Neither of the two opens it without the other.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::keys::{KeyError, WRAPPED_BYTES, Wrapped};

/// Longest name of a holder, in bytes.
pub const HOLDER_BYTES_MAX: usize = 64;
/// Longest answer of a holder to a key that it was given to wrap, in bytes.
pub const BLOB_BYTES_MAX: usize = 4096;

const OWN: u8 = 1;
const HELD: u8 = 2;

/// A tenant's wrapped key. No secret; written as base64.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WrappedTenant {
    /// Under the region's root.
    Root(Wrapped),
    /// Under the region's root, and that under its holder's key.
    Held(Held),
}

/// What a holder made of a tenant's wrapped key. Where it belongs is bound by the root's wrap inside, and by the holder
/// where it can.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held {
    holder: String,
    blob: Vec<u8>,
}

impl Held {
    /// States that `holder` wrapped a tenant's wrapped key into `blob`.
    ///
    /// # Errors
    /// [`KeyError::Length`] when name or blob are longer than [`HOLDER_BYTES_MAX`] and [`BLOB_BYTES_MAX`], or empty.
    pub fn new(holder: impl Into<String>, blob: Vec<u8>) -> Result<Self, KeyError> {
        let holder = holder.into();
        let fits =
            (1..=HOLDER_BYTES_MAX).contains(&holder.len()) && (1..=BLOB_BYTES_MAX).contains(&blob.len());
        fits.then_some(Self { holder, blob }).ok_or(KeyError::Length)
    }
    /// Who holds it.
    pub fn holder(&self) -> &str {
        &self.holder
    }
    /// What the holder unwraps.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

impl WrappedTenant {
    /// Who holds the key beside the root; `None` where nobody does.
    pub fn holder(&self) -> Option<&str> {
        match self {
            Self::Root(_) => None,
            Self::Held(held) => Some(&held.holder),
        }
    }

    /// The bytes to keep: a version, then the wrapped key, or the holder's name with its length before it and what the
    /// holder made.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Root(wrapped) => [&[OWN], wrapped.as_bytes()].concat(),
            Self::Held(held) => {
                // At most `HOLDER_BYTES_MAX`.
                let length = u8::try_from(held.holder.len()).unwrap_or(u8::MAX);
                [&[HELD, length], held.holder.as_bytes(), &held.blob].concat()
            }
        }
    }

    /// Reads what [`WrappedTenant::to_bytes`] gave.
    ///
    /// # Errors
    /// When it is of no known version, or its length is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes {
            [OWN, wrapped @ ..] if wrapped.len() == WRAPPED_BYTES => {
                Wrapped::from_bytes(wrapped).map(Self::Root)
            }
            [HELD, length, rest @ ..] => {
                let (holder, blob) = rest
                    .split_at_checked(usize::from(*length))
                    .ok_or(KeyError::Length)?;
                let holder = std::str::from_utf8(holder).map_err(|_| KeyError::Length)?;
                Held::new(holder, blob.to_vec()).map(Self::Held)
            }
            _ => Err(KeyError::Length),
        }
    }

    /// SHA-256 of the bytes: how a receipt names the key.
    pub fn digest(&self) -> [u8; 32] {
        use sha2::Digest as _;
        sha2::Sha256::digest(self.to_bytes()).into()
    }
}

impl From<Wrapped> for WrappedTenant {
    fn from(wrapped: Wrapped) -> Self {
        Self::Root(wrapped)
    }
}
impl From<WrappedTenant> for String {
    fn from(wrapped: WrappedTenant) -> String {
        STANDARD.encode(wrapped.to_bytes())
    }
}
impl TryFrom<String> for WrappedTenant {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::from_bytes(&STANDARD.decode(text).map_err(|_| KeyError::Length)?)
    }
}
