//! The format of a stored body: C2SP chunked-encryption (<https://c2sp.org/chunked-encryption>), Cobblestone-256.
//!
//! A message is `salt[24] || commitment[32] || chunks`. Key, base nonce and commitment are HKDF-Expand-SHA512 of the
//! object key; each chunk is AES-256-GCM over 16 KiB, and the last one is always shorter, so that a truncated message
//! never looks whole. Chunks open alone, which is what makes ranges cheap.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA512, KeyType, Prk},
};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::keys::ObjectKey;

/// Plaintext bytes of every chunk but the last.
pub const CHUNK_BYTES: usize = 16 * 1024;
/// Bytes of an authentication tag.
pub const TAG_BYTES: usize = 16;
/// Sealed bytes of every chunk but the last.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
/// Bytes of the salt.
pub const SALT_BYTES: usize = 24;
const COMMITMENT_BYTES: usize = 32;
/// Bytes before the first chunk.
pub const HEADER_BYTES: usize = SALT_BYTES + COMMITMENT_BYTES;
/// Most chunks in a message, by the specification.
pub const CHUNKS_MAX: u64 = 1 << 38;
/// Longest message in bytes: 4 PiB less one.
pub const PLAIN_BYTES_MAX: u64 = CHUNKS_MAX * CHUNK_BYTES as u64 - 1;

const KEY_BYTES: usize = 32;
const DERIVED_BYTES: usize = KEY_BYTES + NONCE_LEN + COMMITMENT_BYTES;
const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// Why a message could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkedError {
    /// More than 2^38 chunks.
    #[error("the message is longer than {PLAIN_BYTES_MAX} bytes")]
    TooLong,
    /// The cipher or the key derivation refused.
    #[error("the message could not be sealed")]
    Seal,
    /// The commitment differs: another key, another place, or an altered header.
    #[error("the message was not sealed with this key for this place")]
    Commitment,
    /// A chunk fails authentication.
    #[error("chunk {chunk} was altered, or stands in the wrong place")]
    Chunk {
        /// Its number, from 0.
        chunk: u64,
    },
    /// The last chunk is missing, or the length is none that a message can have.
    #[error("the message is truncated")]
    Truncated,
    /// A range beyond the message.
    #[error("the range lies outside the message")]
    Range,
}

/// What a message is, bound into its key: a message put in another's place does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context(Vec<u8>);

impl Context {
    /// Part `part` of an object's body; 0 for a body stored in one piece.
    pub fn part(tenant: &str, account: &str, object: &[u8; 16], part: u32) -> Self {
        Self::new(b"amparo/body/v1\n", tenant, account, object, &part.to_be_bytes())
    }
    /// The metadata of an object.
    pub fn metadata(tenant: &str, account: &str, object: &[u8; 16]) -> Self {
        Self::new(b"amparo/metadata/v1\n", tenant, account, object, &[])
    }
    /// The digests and checksums of a part.
    pub fn part_metadata(tenant: &str, account: &str, object: &[u8; 16], part: u32) -> Self {
        Self::new(
            b"amparo/part-metadata/v1\n",
            tenant,
            account,
            object,
            &part.to_be_bytes(),
        )
    }

    fn new(label: &[u8], tenant: &str, account: &str, object: &[u8; 16], part: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(64 + tenant.len() + account.len());
        bytes.extend_from_slice(label);
        for name in [tenant, account] {
            bytes.extend_from_slice(&(name.len() as u64).to_be_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.extend_from_slice(object);
        bytes.extend_from_slice(part);
        Self(bytes)
    }
}

/// Sealed length of a message of `plain` bytes.
///
/// # Errors
/// Above [`PLAIN_BYTES_MAX`].
pub fn sealed_len(plain: u64) -> Result<u64, ChunkedError> {
    if plain > PLAIN_BYTES_MAX {
        return Err(ChunkedError::TooLong);
    }
    let chunks = plain / CHUNK_BYTES as u64 + 1;
    Ok(HEADER_BYTES as u64 + plain + chunks * TAG_BYTES as u64)
}

/// Which sealed bytes a range of plaintext needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first chunk needed.
    pub first_chunk: u64,
    /// Where it starts in the sealed message.
    pub sealed_start: u64,
    /// One past the last sealed byte needed.
    pub sealed_end: u64,
    /// Plaintext bytes of the first chunk to drop.
    pub skip: usize,
}

impl Span {
    /// Maps plaintext bytes `start..end` of a message of `plain` bytes. An empty range still needs one chunk, so that
    /// an empty message is authenticated too.
    ///
    /// # Errors
    /// When the range does not lie within the message.
    pub fn of(plain: u64, start: u64, end: u64) -> Result<Self, ChunkedError> {
        if start > end || end > plain {
            return Err(ChunkedError::Range);
        }
        let total = sealed_len(plain)?;
        let chunk = CHUNK_BYTES as u64;
        let first_chunk = start / chunk;
        // To the end of the message belongs its last chunk, which is empty where the message is whole chunks long: only that one
        // shows that nothing was cut off.
        let past = if end == plain {
            plain / chunk + 1
        } else if end > start {
            (end - 1) / chunk + 1
        } else {
            first_chunk + 1
        };
        let offset = |n: u64| HEADER_BYTES as u64 + n * SEALED_CHUNK_BYTES as u64;
        Ok(Self {
            first_chunk,
            sealed_start: offset(first_chunk),
            sealed_end: offset(past).min(total),
            skip: usize::try_from(start % chunk).unwrap_or(0),
        })
    }

    /// How many sealed bytes.
    pub const fn length(&self) -> u64 {
        self.sealed_end.saturating_sub(self.sealed_start)
    }
}

struct Derived {
    cipher: LessSafeKey,
    base_nonce: [u8; NONCE_LEN],
    commitment: [u8; COMMITMENT_BYTES],
}

struct DerivedLen;
impl KeyType for DerivedLen {
    fn len(&self) -> usize {
        DERIVED_BYTES
    }
}

fn derive(key: &ObjectKey, context: &Context, salt: &[u8; SALT_BYTES]) -> Result<Derived, ChunkedError> {
    let mut derived = Zeroizing::new([0; DERIVED_BYTES]);
    Prk::new_less_safe(HKDF_SHA512, key.bytes())
        .expand(&[LABEL, salt, &context.0], DerivedLen)
        .and_then(|okm| okm.fill(derived.as_mut_slice()))
        .map_err(|_| ChunkedError::Seal)?;
    let split = derived.split_first_chunk::<KEY_BYTES>().and_then(|(key, rest)| {
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        Some((key, nonce, rest.first_chunk::<COMMITMENT_BYTES>()?))
    });
    let (key, base_nonce, commitment) = split.ok_or(ChunkedError::Seal)?;
    let unbound = UnboundKey::new(&AES_256_GCM, key).map_err(|_| ChunkedError::Seal)?;
    Ok(Derived {
        cipher: LessSafeKey::new(unbound),
        base_nonce: *base_nonce,
        commitment: *commitment,
    })
}

impl Derived {
    /// The base nonce XOR the chunk's number, big-endian and as wide as the nonce.
    fn nonce(&self, chunk: u64) -> Nonce {
        let mut nonce = self.base_nonce;
        for (byte, number) in nonce.iter_mut().rev().zip(chunk.to_be_bytes().iter().rev()) {
            *byte ^= number;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    fn seal(&self, chunk: u64, plain: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkedError> {
        if chunk >= CHUNKS_MAX {
            return Err(ChunkedError::TooLong);
        }
        let start = out.len();
        out.resize(start + plain.len() + TAG_BYTES, 0);
        let (body, tag) = out
            .get_mut(start..)
            .and_then(|sealed| sealed.split_at_mut_checked(plain.len()))
            .ok_or(ChunkedError::Seal)?;
        self.cipher
            .seal_out_of_place_scatter(self.nonce(chunk), Aad::empty(), plain, body, &[], tag)
            .map_err(|_| ChunkedError::Seal)
    }

    fn open(&self, chunk: u64, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkedError> {
        if chunk >= CHUNKS_MAX {
            return Err(ChunkedError::TooLong);
        }
        let plain = sealed
            .len()
            .checked_sub(TAG_BYTES)
            .ok_or(ChunkedError::Truncated)?;
        let (body, tag) = sealed.split_at_checked(plain).ok_or(ChunkedError::Truncated)?;
        let start = out.len();
        out.resize(start + plain, 0);
        let into = out.get_mut(start..).ok_or(ChunkedError::Truncated)?;
        let opened = self
            .cipher
            .open_separate_gather(self.nonce(chunk), Aad::empty(), body, tag, into);
        if opened.is_err() {
            out.truncate(start);
            return Err(ChunkedError::Chunk { chunk });
        }
        Ok(())
    }
}

/// Seals a message as it comes. Holds less than one chunk.
pub struct Sealer {
    derived: Derived,
    chunk: u64,
    pending: Vec<u8>,
    /// The longest that `pending` has been: what is to be wiped.
    touched: usize,
    plain: u64,
}

impl Sealer {
    /// Begins a message and gives its first bytes. `salt` is 24 fresh random bytes.
    ///
    /// # Errors
    /// When the key derivation refuses.
    pub fn new(
        key: &ObjectKey,
        context: &Context,
        salt: [u8; SALT_BYTES],
    ) -> Result<(Self, [u8; HEADER_BYTES]), ChunkedError> {
        let derived = derive(key, context, &salt)?;
        let mut header = [0; HEADER_BYTES];
        let (head, tail) = header.split_at_mut(SALT_BYTES);
        head.copy_from_slice(&salt);
        tail.copy_from_slice(&derived.commitment);
        let sealer = Self {
            derived,
            chunk: 0,
            pending: Vec::new(),
            touched: 0,
            plain: 0,
        };
        Ok((sealer, header))
    }

    /// Takes more of the message, and appends to `out` every chunk that is full.
    ///
    /// # Errors
    /// Beyond the longest message.
    pub fn push(&mut self, mut plain: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkedError> {
        self.plain += plain.len() as u64;
        if !self.pending.is_empty() {
            let missing = CHUNK_BYTES.saturating_sub(self.pending.len());
            let (now, rest) = plain.split_at_checked(missing).unwrap_or((plain, &[]));
            self.keep(now);
            plain = rest;
            if self.pending.len() == CHUNK_BYTES {
                self.derived.seal(self.chunk, &self.pending, out)?;
                self.chunk += 1;
                self.pending.clear();
            }
        }
        while let Some((full, rest)) = plain.split_at_checked(CHUNK_BYTES) {
            self.derived.seal(self.chunk, full, out)?;
            self.chunk += 1;
            plain = rest;
        }
        if !plain.is_empty() {
            // Reserved once, so that growing leaves no copies of plaintext behind.
            if self.pending.capacity() == 0 {
                self.pending.reserve_exact(CHUNK_BYTES);
            }
            self.keep(plain);
        }
        Ok(())
    }

    fn keep(&mut self, plain: &[u8]) {
        self.pending.extend_from_slice(plain);
        self.touched = self.touched.max(self.pending.len());
    }

    /// Ends the message with its short last chunk, appended to `out`; gives the plaintext's length in bytes.
    ///
    /// # Errors
    /// Beyond the longest message.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<u64, ChunkedError> {
        self.derived.seal(self.chunk, &self.pending, out)?;
        Ok(self.plain)
    }
}

impl Drop for Sealer {
    /// Wipes what was plaintext, and no more: `Vec::zeroize` calls a function for each byte of the capacity.
    fn drop(&mut self) {
        self.pending.resize(self.touched, 0);
        self.pending.as_mut_slice().zeroize();
    }
}

/// Opens chunks of a message, in any order. It exists only for a message whose commitment was found right.
pub struct Opener {
    derived: Derived,
}

impl Opener {
    /// Checks the header's commitment, in constant time, before anything else is looked at.
    ///
    /// # Errors
    /// When the message was sealed with another key or for another place.
    pub fn new(
        key: &ObjectKey,
        context: &Context,
        header: &[u8; HEADER_BYTES],
    ) -> Result<Self, ChunkedError> {
        let (salt, commitment) = header
            .split_first_chunk::<SALT_BYTES>()
            .ok_or(ChunkedError::Commitment)?;
        let derived = derive(key, context, salt)?;
        if !bool::from(derived.commitment.ct_eq(commitment)) {
            return Err(ChunkedError::Commitment);
        }
        Ok(Self { derived })
    }

    /// Opens consecutive chunks, the first of them numbered `first`, and appends their plaintext to `out`. The caller
    /// says whether `sealed` reaches the end of the message: only then may, and must, its last chunk be short.
    ///
    /// # Errors
    /// When a chunk was altered, or the message is cut; `out` then holds what was opened before.
    pub fn open_chunks(
        &self,
        first: u64,
        sealed: &[u8],
        reaches_end: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), ChunkedError> {
        let mut chunk = first;
        let mut pieces = sealed.chunks_exact(SEALED_CHUNK_BYTES);
        for piece in pieces.by_ref() {
            self.derived.open(chunk, piece, out)?;
            chunk += 1;
        }
        match (reaches_end, pieces.remainder()) {
            (true, last) => self.derived.open(chunk, last, out),
            (false, []) => Ok(()),
            (false, _) => Err(ChunkedError::Truncated),
        }
    }
}

/// Opens a message from its first byte to its last, as it comes. Holds less than one chunk.
pub struct StreamOpener<'k> {
    key: &'k ObjectKey,
    context: Context,
    opener: Option<Opener>,
    chunk: u64,
    pending: Vec<u8>,
}

impl<'k> StreamOpener<'k> {
    /// Begins to open a message.
    pub fn new(key: &'k ObjectKey, context: Context) -> Self {
        Self {
            key,
            context,
            opener: None,
            chunk: 0,
            pending: Vec::new(),
        }
    }

    /// Takes more of the sealed message, and appends to `out` the plaintext of every full chunk.
    ///
    /// # Errors
    /// When the commitment or a chunk is wrong.
    pub fn push(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkedError> {
        self.pending.extend_from_slice(sealed);
        if self.opener.is_none() {
            let Some(header) = self.pending.first_chunk::<HEADER_BYTES>() else {
                return Ok(());
            };
            self.opener = Some(Opener::new(self.key, &self.context, header)?);
            self.pending.drain(..HEADER_BYTES);
        }
        let Some(opener) = &self.opener else { return Ok(()) };
        let whole = self.pending.len() / SEALED_CHUNK_BYTES * SEALED_CHUNK_BYTES;
        if let Some(full) = self.pending.get(..whole) {
            opener.open_chunks(self.chunk, full, false, out)?;
        }
        self.chunk += (whole / SEALED_CHUNK_BYTES) as u64;
        self.pending.drain(..whole);
        Ok(())
    }

    /// Ends the message: opens its short last chunk, appended to `out`.
    ///
    /// # Errors
    /// When the message is cut or its last chunk altered.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), ChunkedError> {
        let opener = self.opener.ok_or(ChunkedError::Truncated)?;
        opener.open_chunks(self.chunk, &self.pending, true, out)
    }
}

/// Seals a short message at once.
///
/// # Errors
/// When the key derivation refuses.
pub fn seal(
    key: &ObjectKey,
    context: &Context,
    salt: [u8; SALT_BYTES],
    plain: &[u8],
) -> Result<Vec<u8>, ChunkedError> {
    let (mut sealer, header) = Sealer::new(key, context, salt)?;
    let capacity = sealed_len(plain.len() as u64)?;
    let mut out = Vec::with_capacity(usize::try_from(capacity).unwrap_or(HEADER_BYTES));
    out.extend_from_slice(&header);
    sealer.push(plain, &mut out)?;
    sealer.finish(&mut out)?;
    Ok(out)
}

/// Opens a short message at once.
///
/// # Errors
/// When it was altered, cut, or sealed with another key or for another place.
pub fn open(key: &ObjectKey, context: &Context, sealed: &[u8]) -> Result<Vec<u8>, ChunkedError> {
    let (header, body) = sealed
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(ChunkedError::Truncated)?;
    let opener = Opener::new(key, context, header)?;
    let mut out = Vec::with_capacity(body.len());
    opener.open_chunks(0, body, true, &mut out)?;
    Ok(out)
}
