//! A key that wraps other keys for a place: what a key provider without hardware of its own keeps.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::keys::{KEY_BYTES, KeyError, NONCE_BYTES};

const VERSION: u8 = 1;
const ID_BYTES: usize = 4;

/// AES-256-GCM, with the place as associated data.
pub struct SealingKey {
    id: [u8; ID_BYTES],
    cipher: LessSafeKey,
}

impl SealingKey {
    /// A key of 32 random bytes.
    ///
    /// # Errors
    /// When the cipher takes none.
    pub fn from_random(bytes: &[u8; KEY_BYTES]) -> Result<Self, KeyError> {
        let digest = Sha256::new_with_prefix(b"amparo/sealing-key/v1\n")
            .chain_update(bytes)
            .finalize();
        let mut id = [0; ID_BYTES];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| KeyError::Wrap)?;
        Ok(Self {
            id,
            cipher: LessSafeKey::new(key),
        })
    }

    /// Wraps a secret: a version, the key's id, the nonce, ciphertext, tag. Never use a nonce twice.
    ///
    /// # Errors
    /// When the cipher refuses.
    pub fn wrap(&self, place: &[u8], secret: &[u8], nonce: [u8; NONCE_BYTES]) -> Result<Vec<u8>, KeyError> {
        let mut sealed = Zeroizing::new(secret.to_vec());
        let tag = self
            .cipher
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place),
                sealed.as_mut_slice(),
            )
            .map_err(|_| KeyError::Wrap)?;
        Ok([&[VERSION], self.id.as_slice(), &nonce, &sealed, tag.as_ref()].concat())
    }

    /// Unwraps with whichever of the keys wrapped it.
    ///
    /// # Errors
    /// When none did, the place is another, or the bytes were altered: the three look alike.
    pub fn unwrap(keys: &[Self], place: &[u8], blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (version, rest) = blob.split_first().ok_or(KeyError::Unwrap)?;
        let (id, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or(KeyError::Unwrap)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(KeyError::Unwrap)?;
        let key = keys.iter().find(|key| *version == VERSION && key.id == *id);
        let mut open = Zeroizing::new(sealed.to_vec());
        let length = key
            .ok_or(KeyError::Unwrap)?
            .cipher
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(place),
                open.as_mut_slice(),
            )
            .map_err(|_| KeyError::Unwrap)?
            .len();
        open.truncate(length);
        Ok(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_with_its_key_at_its_place_and_unaltered_only() {
        let key = |byte| SealingKey::from_random(&[byte; 32]).unwrap();
        let blob = key(1).wrap(b"eu-de", &[7; 60], [9; 12]).unwrap();
        // A key that was replaced still opens what it wrapped.
        assert_eq!(
            **SealingKey::unwrap(&[key(2), key(1)], b"eu-de", &blob).unwrap(),
            [7; 60]
        );
        assert!(SealingKey::unwrap(&[key(2)], b"eu-de", &blob).is_err());
        assert!(SealingKey::unwrap(&[key(1)], b"us-east", &blob).is_err());
        for at in 0..blob.len() {
            let mut altered = blob.clone();
            altered[at] ^= 1;
            assert!(SealingKey::unwrap(&[key(1)], b"eu-de", &altered).is_err());
            assert!(SealingKey::unwrap(&[key(1)], b"eu-de", &blob[..at]).is_err());
        }
    }
}
