//! A tenant's key as it is kept: under the region's root alone, or held by somebody else as well.
//!
//! A held key is wrapped twice: under the region's root first, and what comes of that under a key which its holder keeps:
//! the provider's hardware, or the customer itself. Neither of the two opens it without the other.
//!
//! A key stays the same when its holder changes, so an older wrap would open it without the new holder. Changes are counted,
//! and the root's wrap is bound to the count and to the holder ([`Custody`]): whoever remembers the latest knows an older wrap
//! by it, and none can be passed for a later one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::keys::{KeyError, Wrapped};

/// Longest name of a holder, in bytes.
pub const HOLDER_BYTES_MAX: usize = 64;
/// Longest answer of a holder to a key that it was given to wrap, in bytes.
pub const BLOB_BYTES_MAX: usize = 4096;

const OWN: u8 = 1;
const HELD: u8 = 2;
/// The same, with the number of the change of holder.
const OWN_NUMBERED: u8 = 3;
const HELD_NUMBERED: u8 = 4;

/// Who holds a tenant's key beside the root, and since which change of holder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Custody {
    /// How often the holder changed up to then. Zero: from before changes were counted, or never held; the wrap is bound to
    /// neither number nor holder then.
    pub change: u64,
    /// Who holds it; `None` where nobody does but the root.
    pub holder: Option<String>,
}

impl Custody {
    /// Whether this may be met where `known` was met before: it is that, or from a later change. Of those that were not
    /// counted only so much is known that a held key is not one that nobody holds.
    pub fn may_follow(&self, known: &Self) -> bool {
        match self.change.cmp(&known.change) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => {
                self.holder == known.holder || (self.change == 0 && self.holder.is_some())
            }
        }
    }
}

/// A tenant's wrapped key. No secret; written as base64.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WrappedTenant {
    /// Under the region's root.
    Root {
        /// The key.
        wrapped: Wrapped,
        /// The change of holder by which it came to be nobody's beside the root; zero where it never was another's.
        change: u64,
    },
    /// Under the region's root, and that under its holder's key.
    Held(Held),
}

/// What a holder made of a tenant's wrapped key. Where it belongs is bound by the root's wrap inside, and by the holder
/// where it can.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held {
    holder: String,
    change: u64,
    blob: Vec<u8>,
}

impl Held {
    /// States that `holder` wrapped a tenant's wrapped key into `blob`, by this change of holder.
    ///
    /// # Errors
    /// [`KeyError::Length`] when name or blob are longer than [`HOLDER_BYTES_MAX`] and [`BLOB_BYTES_MAX`], or empty.
    pub fn new(holder: impl Into<String>, change: u64, blob: Vec<u8>) -> Result<Self, KeyError> {
        let holder = holder.into();
        let fits =
            (1..=HOLDER_BYTES_MAX).contains(&holder.len()) && (1..=BLOB_BYTES_MAX).contains(&blob.len());
        fits.then_some(Self { holder, change, blob })
            .ok_or(KeyError::Length)
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
            Self::Root { .. } => None,
            Self::Held(held) => Some(&held.holder),
        }
    }

    /// What it says of its holder and the change of holder that it is from. True once it has opened for that.
    pub fn custody(&self) -> Custody {
        match self {
            Self::Root { change, .. } => Custody {
                change: *change,
                holder: None,
            },
            Self::Held(held) => Custody {
                change: held.change,
                holder: Some(held.holder.clone()),
            },
        }
    }

    /// The bytes to keep: a version, the change of holder where they were counted, then the wrapped key, or the holder's name
    /// with its length before it and what the holder made.
    pub fn to_bytes(&self) -> Vec<u8> {
        let begin = |plain: u8, numbered: u8, change: u64| match change {
            0 => vec![plain],
            change => [&[numbered][..], &change.to_be_bytes()].concat(),
        };
        match self {
            Self::Root { wrapped, change } => {
                [&begin(OWN, OWN_NUMBERED, *change), wrapped.as_bytes()].concat()
            }
            Self::Held(held) => {
                // At most `HOLDER_BYTES_MAX`.
                let length = u8::try_from(held.holder.len()).unwrap_or(u8::MAX);
                let begin = begin(HELD, HELD_NUMBERED, held.change);
                [&begin[..], &[length], held.holder.as_bytes(), &held.blob].concat()
            }
        }
    }

    /// Reads what [`WrappedTenant::to_bytes`] gave.
    ///
    /// # Errors
    /// When it is of no known version, or its length is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (version, rest) = bytes.split_first().ok_or(KeyError::Length)?;
        let (change, rest) = match *version {
            OWN | HELD => (0, rest),
            OWN_NUMBERED | HELD_NUMBERED => {
                let (change, rest) = rest.split_first_chunk::<8>().ok_or(KeyError::Length)?;
                (u64::from_be_bytes(*change), rest)
            }
            _ => return Err(KeyError::Length),
        };
        // A number that is none is written without one: no two spellings of one key.
        if change == 0 && matches!(*version, OWN_NUMBERED | HELD_NUMBERED) {
            return Err(KeyError::Length);
        }
        if matches!(*version, OWN | OWN_NUMBERED) {
            let wrapped = Wrapped::from_bytes(rest)?;
            return Ok(Self::Root { wrapped, change });
        }
        let (length, rest) = rest.split_first().ok_or(KeyError::Length)?;
        let (holder, blob) = rest
            .split_at_checked(usize::from(*length))
            .ok_or(KeyError::Length)?;
        let holder = std::str::from_utf8(holder).map_err(|_| KeyError::Length)?;
        Held::new(holder, change, blob.to_vec()).map(Self::Held)
    }

    /// SHA-256 of the bytes: how a receipt names the key.
    pub fn digest(&self) -> [u8; 32] {
        use sha2::Digest as _;
        sha2::Sha256::digest(self.to_bytes()).into()
    }
}

impl From<Wrapped> for WrappedTenant {
    fn from(wrapped: Wrapped) -> Self {
        Self::Root { wrapped, change: 0 }
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
