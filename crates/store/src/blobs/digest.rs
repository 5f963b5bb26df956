//! The digest of a sealed body as it lies in a store.
//!
//! It is of ciphertext, so who checks it opens nothing: a scrub finds what was lost or altered before a reader does, and a
//! backup knows what it has. A reader needs it for nothing, for what was altered does not open. BLAKE3 and not a CRC, because
//! whoever can write the store can also make any CRC fit; and not SHA-256, which costs three times as much of every PUT.

use std::fmt;

/// BLAKE3 of a sealed body, or of a piece of one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealedDigest(pub [u8; 32]);

impl fmt::Debug for SealedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedDigest({})", hex::encode(self.0))
    }
}

impl SealedDigest {
    /// The digest of all of it at once.
    pub fn of(sealed: &[u8]) -> Self {
        let mut digesting = Digesting::default();
        digesting.update(sealed);
        digesting.finish()
    }
}

/// A digest that is being computed.
#[derive(Clone, Default)]
pub struct Digesting(blake3::Hasher);

impl Digesting {
    /// Takes in the next bytes.
    pub fn update(&mut self, sealed: &[u8]) {
        self.0.update(sealed);
    }
    /// The digest of all that was taken in.
    pub fn finish(self) -> SealedDigest {
        SealedDigest(self.0.finalize().into())
    }
}
