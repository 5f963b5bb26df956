//! Secrets that the program itself must read again: access keys' secrets, which SigV4 needs in clear.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const NONCE_BYTES: usize = 12;

/// The key of one deployment, under which such secrets are kept. It opens no customer data.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DeploymentKey([u8; 32]);

/// A secret does not seal or open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret does not open: another deployment's key, or altered bytes")]
pub struct SecretError;

impl DeploymentKey {
    /// The key made of 32 uniformly random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Seals the secret of the access key `id` of `tenant`. Never use a nonce twice.
    ///
    /// # Errors
    /// When the cipher refuses.
    pub fn seal(
        &self,
        tenant: &str,
        id: &str,
        secret: &[u8],
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, SecretError> {
        let mut sealed = secret.to_vec();
        self.cipher()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place(tenant, id)),
                &mut sealed,
            )
            .map_err(|_| SecretError)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens it.
    ///
    /// # Errors
    /// When it was sealed for another tenant or id, under another key, or was altered.
    pub fn open(&self, tenant: &str, id: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SecretError)?;
        let mut secret = Zeroizing::new(body.to_vec());
        let length = self
            .cipher()?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(place(tenant, id)),
                secret.as_mut_slice(),
            )
            .map_err(|_| SecretError)?
            .len();
        secret.truncate(length);
        Ok(secret)
    }

    fn cipher(&self) -> Result<LessSafeKey, SecretError> {
        UnboundKey::new(&AES_256_GCM, &self.0)
            .map(LessSafeKey::new)
            .map_err(|_| SecretError)
    }
}

fn place(tenant: &str, id: &str) -> Vec<u8> {
    let mut data = b"amparo/access-key/v1\n".to_vec();
    for name in [tenant, id] {
        data.extend_from_slice(&(name.len() as u64).to_be_bytes());
        data.extend_from_slice(name.as_bytes());
    }
    data
}
