//! Keys on their way from one gate to another, for a transfer that the docket has: sealed by the gate that they leave, opened
//! by the one that they go to, and of no use to whoever carries them.
//!
//! The two gates agree on a secret for one batch alone, by a key exchange that the shell makes ([`HandingKey::of`] takes what
//! came of it). Whatever the batch is about goes into that key by its digest, and each object's place and label into its seal:
//! a key carried to another object, account or batch does not open. A key is sealed under its number in the batch, which is
//! never used twice under the same secret.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};
use serde::{Deserialize, Serialize};
use translog::{entry::Committed, included::Included};
use zeroize::Zeroizing;

use crate::{
    keys::{
        AccountKey, KEY_BYTES, KeyError, Label, NONCE_BYTES, ObjectKey, TenantKey, Wrapped, WrappedAccount,
        WrappedChain,
    },
    moving::{KeyMove, MovesKeys, TRANSFER_KIND},
    opening::NotOpened,
};

const TAG_BYTES: usize = 16;
/// Bytes of a key as it is handed over: ciphertext and tag.
pub const HANDED_BYTES: usize = KEY_BYTES + TAG_BYTES;

/// The key of one batch, which two gates have and nobody else.
pub struct HandingKey(LessSafeKey);

impl HandingKey {
    /// The key that comes of a secret shared for this batch alone, and of the digest of everything that the batch is about.
    ///
    /// # Errors
    /// When the key derivation refuses.
    pub fn of(shared: &[u8], about: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = Salt::new(HKDF_SHA256, b"amparo/handing/v1").extract(shared);
        let info = [about.as_slice()];
        let derived = secret.expand(&info, &AES_256_GCM).map_err(|_| KeyError::Wrap)?;
        Ok(Self(LessSafeKey::new(UnboundKey::from(derived))))
    }
}

/// An object's key, sealed for the gate of another region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handed {
    /// The account.
    pub account: String,
    /// The object.
    pub object: [u8; 16],
    /// What it is recorded as.
    pub label: Label,
    /// The key, sealed.
    sealed: Sealed,
}

/// Ciphertext and tag; written as base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Sealed([u8; HANDED_BYTES]);

impl From<Sealed> for String {
    fn from(sealed: Sealed) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(sealed.0)
    }
}
impl TryFrom<String> for Sealed {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text);
        let bytes = bytes.map_err(|_| KeyError::Length)?;
        bytes.try_into().map(Self).map_err(|_| KeyError::Length)
    }
}

/// Takes an object's key from under its account's and seals it for the gate of the region that its transfer goes to. Only the
/// gate calls this, after it decided that the transfer has a basis today. `number` is the key's in the batch.
///
/// # Errors
/// When the record does not move this key there; [`NotOpened::Altered`] when what is recorded of the object is not what its
/// key was wrapped for.
pub fn hand_over<R: Committed + MovesKeys>(
    below: &TenantKey,
    admitted: &Included<R>,
    chain: &WrappedChain,
    to: &str,
    (under, number): (&HandingKey, u32),
) -> Result<Handed, NotOpened> {
    let from = &chain.account;
    must_move(
        admitted,
        (&from.tenant, &from.account),
        (&from.region, to),
        &chain.label,
    )?;
    let above = AccountKey::unwrap(below, from)?;
    let key = ObjectKey::unwrap(&above, chain).map_err(|_| NotOpened::Altered)?;
    let mut sealed = Zeroizing::new(key.bytes().to_vec());
    let data = place((&from.tenant, &from.account), &chain.object, &chain.label);
    under
        .0
        .seal_in_place_append_tag(nonce(number), Aad::from(data), &mut *sealed)
        .map_err(|_| KeyError::Wrap)?;
    let sealed = sealed.as_slice().try_into().map_err(|_| KeyError::Length)?;
    Ok(Handed {
        account: from.account.clone(),
        object: chain.object,
        label: chain.label.clone(),
        sealed: Sealed(sealed),
    })
}

/// Opens a key that the gate of the region that it leaves handed over, and wraps it under the account's key here. `is_its`
/// says whether it is the object's key: it opens what is sealed of the object. Only the gate calls this. Never use a nonce twice.
///
/// # Errors
/// When the record does not move this key here, it is another account's, was sealed for another place, or is not the object's.
pub fn take_over<R: Committed + MovesKeys>(
    below: &TenantKey,
    admitted: &Included<R>,
    handed: &Handed,
    (from, to): (&str, &WrappedAccount),
    (under, number): (&HandingKey, u32),
    is_its: impl FnOnce(&ObjectKey) -> bool,
    wrap_nonce: [u8; NONCE_BYTES],
) -> Result<Wrapped, NotOpened> {
    if handed.account != to.account {
        return Err(NotOpened::OtherTenant);
    }
    must_move(
        admitted,
        (&to.tenant, &to.account),
        (from, &to.region),
        &handed.label,
    )?;
    let mut open = Zeroizing::new(handed.sealed.0.to_vec());
    let data = place((&to.tenant, &to.account), &handed.object, &handed.label);
    let plain = under
        .0
        .open_in_place(nonce(number), Aad::from(data), &mut open)
        .map_err(|_| KeyError::Unwrap)?;
    let bytes: Zeroizing<[u8; KEY_BYTES]> =
        Zeroizing::new((&*plain).try_into().map_err(|_| KeyError::Length)?);
    let key = ObjectKey::from_random(*bytes);
    if !is_its(&key) {
        return Err(NotOpened::Altered);
    }
    let there = AccountKey::unwrap(below, to)?;
    Ok(key.wrap(
        &there,
        to.place(),
        &to.account,
        &handed.object,
        &handed.label,
        wrap_nonce,
    )?)
}

fn must_move<R: Committed + MovesKeys>(
    admitted: &Included<R>,
    (tenant, account): (&str, &str),
    (from, to): (&str, &str),
    label: &Label,
) -> Result<(), NotOpened> {
    if R::KIND != TRANSFER_KIND {
        return Err(NotOpened::NoTransfer);
    }
    let moved = KeyMove {
        tenant,
        account,
        from,
        to,
        label,
    };
    match from != to && admitted.value().moves(&moved) {
        true => Ok(()),
        false => Err(NotOpened::NotNamed),
    }
}

/// Each key of a batch has its own.
fn nonce(number: u32) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    if let Some(last) = bytes.last_chunk_mut::<4>() {
        *last = number.to_be_bytes();
    }
    Nonce::assume_unique_for_key(bytes)
}

/// Whose object it is, which, and what it is recorded as; each name with its length before it.
fn place((tenant, account): (&str, &str), object: &[u8; 16], label: &Label) -> Vec<u8> {
    let mut data = b"amparo/handed-key/v1\n".to_vec();
    for name in [tenant, account, &label.category] {
        data.extend_from_slice(&(name.len() as u64).to_be_bytes());
        data.extend_from_slice(name.as_bytes());
    }
    data.extend_from_slice(object);
    data.extend_from_slice(&label.concerns_at.to_be_bytes());
    data
}
