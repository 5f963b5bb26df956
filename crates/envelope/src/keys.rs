//! The key hierarchy, and how a key lies wrapped under the one above it.
//!
//! Region root > tenant key > account key > object key, 32 random bytes each. A wrap is AES-256-GCM under a random
//! nonce, and its associated data names the level, region, tenant, account and object, so that a wrapped key copied to
//! another place does not open there. An object key's names the object's [`Label`] too: an object whose category or date
//! was changed in the database does not open at all. Random nonces bound the keys wrapped under one key to 2^32 (NIST SP 800-38D
//! section 8.3): objects of one account, accounts of one tenant.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::held::{Custody, WrappedTenant};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a wrap's nonce.
pub const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Bytes of a wrapped key: nonce, ciphertext, tag.
pub const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/// A key could not be wrapped or unwrapped. Says nothing about the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The cipher refused to wrap.
    #[error("the key could not be wrapped")]
    Wrap,
    /// Wrong key above, wrong place, or altered bytes: the three look alike on purpose.
    #[error("the wrapped key does not open here")]
    Unwrap,
    /// Not the length of a wrapped key.
    #[error("a wrapped key is {WRAPPED_BYTES} bytes long")]
    Length,
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; KEY_BYTES]);
        impl $name {
            /// The key made of 32 uniformly random bytes.
            pub fn from_random(bytes: [u8; KEY_BYTES]) -> Self {
                Self(bytes)
            }
            pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
                &self.0
            }
        }
    };
}

impl RegionRoot {
    /// The root's bytes, for a key provider that seals it. Whoever has them has the region.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl ObjectKey {
    /// A second handle on a key that is open already, for a reader that lives longer than the caller.
    pub fn duplicate(&self) -> Self {
        Self(self.0)
    }
    /// The key itself, for a link from a gate in a process of its own to the process that its door opened it for. No other
    /// kind of key has this: a root, tenant or account key cannot leave its gate.
    ///
    /// ```compile_fail
    /// fn leak(key: &envelope::keys::AccountKey) -> &[u8] { key.for_a_link() }
    /// ```
    pub fn for_a_link(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

key!(
    /// The root of a region. Only a gate holds it.
    RegionRoot
);
key!(
    /// A tenant's key in a region.
    TenantKey
);
key!(
    /// An account's key in a region. Destroying its wrapped form destroys every object of the account.
    AccountKey
);
key!(
    /// The key of one object: encrypts its body and its metadata, and yields its opening.
    ObjectKey
);

/// Where in the hierarchy a key belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The region.
    pub region: &'a str,
    /// The tenant.
    pub tenant: &'a str,
}

/// What an object is recorded as: what decides which demand may reach it. Bound into the wrap of its key, so that only who
/// holds the account's key can change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its category, by the name that demands use.
    pub category: String,
    /// The time it concerns, in microseconds since 1970.
    pub concerns_at: i64,
}

/// A wrapped key: nonce, ciphertext, tag. No secret; written as base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wrapped([u8; WRAPPED_BYTES]);

impl Wrapped {
    /// Reads a wrapped key as [`Wrapped::as_bytes`] gave it.
    ///
    /// # Errors
    /// When the length is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self).map_err(|_| KeyError::Length)
    }
    /// The bytes to keep.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
    /// SHA-256 of the bytes: how a release record names the key.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl From<Wrapped> for String {
    fn from(wrapped: Wrapped) -> String {
        STANDARD.encode(wrapped.0)
    }
}
impl TryFrom<String> for Wrapped {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(text).map_err(|_| KeyError::Length)?;
        Self::from_bytes(&bytes)
    }
}

/// A wrapped object key with everything above it but the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedChain {
    /// The account's part of the chain.
    #[serde(flatten)]
    pub account: WrappedAccount,
    /// The object's id.
    pub object: [u8; 16],
    /// What the object is recorded as.
    pub label: Label,
    /// The object key, under the account key.
    pub object_key: Wrapped,
}

/// A wrapped account key with the tenant key above it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WrappedAccount {
    /// The region.
    pub region: String,
    /// The tenant.
    pub tenant: String,
    /// The account.
    pub account: String,
    /// The tenant key, under the region's root, and under its holder's key where it has one.
    pub tenant_key: WrappedTenant,
    /// The account key, under the tenant key.
    pub account_key: Wrapped,
}

impl std::hash::Hash for Wrapped {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl TenantKey {
    /// Wraps this key under the region's root, for nobody else to hold. Never use a nonce twice.
    ///
    /// # Errors
    /// When the cipher refuses.
    pub fn wrap(
        &self,
        root: &RegionRoot,
        place: Place<'_>,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Wrapped, KeyError> {
        self.wrap_for(root, place, &Custody::default(), nonce)
    }
    /// Wraps this key under the region's root; its holder, where it has one, wraps what comes of it again. Never use a nonce
    /// twice.
    ///
    /// # Errors
    /// When the cipher refuses.
    pub fn wrap_for(
        &self,
        root: &RegionRoot,
        place: Place<'_>,
        custody: &Custody,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Wrapped, KeyError> {
        wrap(root.bytes(), self.bytes(), &tenant_data(place, custody), nonce)
    }
    /// Unwraps a tenant key that [`TenantKey::wrap`] wrapped.
    ///
    /// # Errors
    /// When root or place are others, or the bytes were altered.
    pub fn unwrap(root: &RegionRoot, place: Place<'_>, wrapped: &Wrapped) -> Result<Self, KeyError> {
        Self::unwrap_for(root, place, &Custody::default(), wrapped)
    }
    /// Unwraps a tenant key, out of what its holder gave back where it has one.
    ///
    /// # Errors
    /// When root, place or custody are others, or the bytes were altered.
    pub fn unwrap_for(
        root: &RegionRoot,
        place: Place<'_>,
        custody: &Custody,
        wrapped: &Wrapped,
    ) -> Result<Self, KeyError> {
        unwrap(root.bytes(), wrapped, &tenant_data(place, custody)).map(|key| Self(*key))
    }
}

impl AccountKey {
    /// Wraps this key under its tenant's. Never use a nonce twice.
    ///
    /// # Errors
    /// When the cipher refuses.
    pub fn wrap(
        &self,
        tenant: &TenantKey,
        place: Place<'_>,
        account: &str,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Wrapped, KeyError> {
        wrap(
            tenant.bytes(),
            self.bytes(),
            &associated_data(2, place, account),
            nonce,
        )
    }
    /// Unwraps an account key. The doors to it are in [`crate::opening`].
    pub(crate) fn unwrap(tenant: &TenantKey, chain: &WrappedAccount) -> Result<Self, KeyError> {
        Self::open(tenant, chain.place(), &chain.account, &chain.account_key)
    }
    pub(crate) fn open(
        tenant: &TenantKey,
        place: Place<'_>,
        account: &str,
        wrapped: &Wrapped,
    ) -> Result<Self, KeyError> {
        let data = associated_data(2, place, account);
        unwrap(tenant.bytes(), wrapped, &data).map(|key| Self(*key))
    }
}

impl ObjectKey {
    /// Wraps this key under its account's. Never use a nonce twice.
    ///
    /// # Errors
    /// When the cipher refuses.
    pub fn wrap(
        &self,
        above: &AccountKey,
        place: Place<'_>,
        account: &str,
        object: &[u8; 16],
        label: &Label,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Wrapped, KeyError> {
        wrap(
            above.bytes(),
            self.bytes(),
            &object_data(place, account, object, label),
            nonce,
        )
    }
    /// Unwraps an object key. The doors to it are in [`crate::opening`].
    pub(crate) fn unwrap(above: &AccountKey, chain: &WrappedChain) -> Result<Self, KeyError> {
        let account = &chain.account;
        let (object, label) = (&chain.object, &chain.label);
        Self::open(
            above,
            account.place(),
            &account.account,
            object,
            label,
            &chain.object_key,
        )
    }
    pub(crate) fn open(
        above: &AccountKey,
        place: Place<'_>,
        account: &str,
        object: &[u8; 16],
        label: &Label,
        wrapped: &Wrapped,
    ) -> Result<Self, KeyError> {
        let data = object_data(place, account, object, label);
        unwrap(above.bytes(), wrapped, &data).map(|key| Self(*key))
    }
}

impl WrappedAccount {
    /// Where the account's key belongs.
    pub fn place(&self) -> Place<'_> {
        Place {
            region: &self.region,
            tenant: &self.tenant,
        }
    }
}

/// A label, the level, then each name with its length before it, so that no two places read alike.
fn associated_data(level: u8, place: Place<'_>, account: &str) -> Vec<u8> {
    let mut data = Vec::with_capacity(160 + account.len());
    data.extend_from_slice(b"amparo/wrap/v2\n");
    data.push(level);
    for name in [place.region, place.tenant, account] {
        put_name(&mut data, name);
    }
    data
}

/// A tenant key's place goes on with the change of holder and the holder, where changes were counted.
fn tenant_data(place: Place<'_>, custody: &Custody) -> Vec<u8> {
    let mut data = associated_data(1, place, "");
    if custody.change > 0 {
        data.extend_from_slice(&custody.change.to_be_bytes());
        put_name(&mut data, custody.holder.as_deref().unwrap_or_default());
    }
    data
}

/// An object key's place goes on with the object's id, its category and its time.
fn object_data(place: Place<'_>, account: &str, object: &[u8; 16], label: &Label) -> Vec<u8> {
    let mut data = associated_data(3, place, account);
    data.extend_from_slice(object);
    put_name(&mut data, &label.category);
    data.extend_from_slice(&label.concerns_at.to_be_bytes());
    data
}

fn put_name(data: &mut Vec<u8>, name: &str) {
    data.extend_from_slice(&(name.len() as u64).to_be_bytes());
    data.extend_from_slice(name.as_bytes());
}

fn cipher(key: &[u8; KEY_BYTES]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

fn wrap(
    above: &[u8; KEY_BYTES],
    key: &[u8; KEY_BYTES],
    data: &[u8],
    nonce: [u8; NONCE_BYTES],
) -> Result<Wrapped, KeyError> {
    let mut out = [0; WRAPPED_BYTES];
    let (head, rest) = out.split_at_mut(NONCE_BYTES);
    let (body, tag) = rest.split_at_mut(KEY_BYTES);
    head.copy_from_slice(&nonce);
    cipher(above)
        .ok_or(KeyError::Wrap)?
        .seal_out_of_place_scatter(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(data),
            key,
            body,
            &[],
            tag,
        )
        .map_err(|_| KeyError::Wrap)?;
    Ok(Wrapped(out))
}

fn unwrap(
    above: &[u8; KEY_BYTES],
    wrapped: &Wrapped,
    data: &[u8],
) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
    let (nonce, rest) = wrapped
        .0
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(KeyError::Length)?;
    let (body, tag) = rest.split_at_checked(KEY_BYTES).ok_or(KeyError::Length)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    cipher(above)
        .ok_or(KeyError::Unwrap)?
        .open_separate_gather(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(data),
            body,
            tag,
            key.as_mut_slice(),
        )
        .map_err(|_| KeyError::Unwrap)?;
    Ok(key)
}
