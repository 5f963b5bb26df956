//! A key in a file, sealed by a passphrase (the age format's scrypt recipient). The key is in memory while the gate runs.

use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use async_trait::async_trait;
use casework::ids::ProviderId;
use envelope::{keys::NONCE_BYTES, sealing::SealingKey};
use zeroize::Zeroizing;

use super::{EndOrder, Ended, Health, HolderError, KeyPlace, KeyProvider, Reason, Why};
use crate::deployment::{SecretError, read_secret, wipe_secret, write_secret_bytes};

/// A key of this deployment, sealed by a passphrase.
pub struct SealedFile {
    id: ProviderId,
    path: PathBuf,
    key: [SealingKey; 1],
}

/// Why a sealed key file could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealedFileError {
    /// The file.
    #[error(transparent)]
    File(#[from] SecretError),
    /// The passphrase is another's, or the file was altered.
    #[error("`{path}` does not open with this passphrase")]
    Passphrase {
        /// Which file.
        path: String,
    },
    /// It cannot be sealed.
    #[error("the key cannot be sealed")]
    Seal(#[from] age::EncryptError),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    NoRandomness,
}

/// Highest work factor that is opened, as a power of two: as much memory as four GiB. The format's own limit is measured anew each
/// time, and a machine that is busy would take a file that it made itself for too much work.
const WORK_FACTOR_MAX: u8 = 22;

/// Fewest characters of a passphrase.
pub const PASSPHRASE_CHARS_MIN: usize = 12;

/// Makes a new key, sealed by `passphrase`, in a new file. Takes about a second, as the passphrase's protection.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn create(path: &Path, passphrase: &str) -> Result<(), SealedFileError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|_| SealedFileError::NoRandomness)?;
    let recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
    let sealed = age::encrypt(&recipient, key.as_slice())?;
    Ok(write_secret_bytes(path, &sealed)?)
}

impl SealedFile {
    /// Opens the file. Takes about a second.
    ///
    /// # Errors
    /// When the file cannot be read, or the passphrase is not its.
    pub async fn open(
        id: ProviderId,
        path: PathBuf,
        passphrase: Zeroizing<String>,
    ) -> Result<Self, SealedFileError> {
        let wrong = SealedFileError::Passphrase {
            path: path.display().to_string(),
        };
        let at = path.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let sealed = read_secret(&at)?;
            let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_string()));
            identity.set_max_work_factor(WORK_FACTOR_MAX);
            Ok::<_, SealedFileError>(age::decrypt(&identity, &sealed).ok().map(Zeroizing::new))
        });
        let opened = opened.await.map_err(|_| SealedFileError::NoRandomness)??;
        let bytes = opened.and_then(|bytes| {
            let array: &[u8; 32] = bytes.as_slice().try_into().ok()?;
            SealingKey::from_random(array).ok()
        });
        Ok(Self {
            id,
            path,
            key: [bytes.ok_or(wrong)?],
        })
    }
}

#[async_trait]
impl KeyProvider for SealedFile {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    async fn wrap(&self, place: &KeyPlace, _: &Reason, secret: &[u8]) -> Result<Vec<u8>, HolderError> {
        let fail = |why: &str| HolderError::new(&self.id, Why::Unusable(why.to_owned()));
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| fail("no randomness"))?;
        let [key] = &self.key;
        key.wrap(&place.to_bytes(), secret, nonce)
            .map_err(|_| fail("the cipher refused"))
    }

    async fn unwrap(
        &self,
        place: &KeyPlace,
        _: &Reason,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HolderError> {
        SealingKey::unwrap(&self.key, &place.to_bytes(), blob)
            .map_err(|_| HolderError::new(&self.id, Why::NotHere))
    }

    async fn health(&self) -> Result<Health, HolderError> {
        Ok(Health {
            kind: "file, sealed by a passphrase".to_owned(),
            weakness: Some("the key is in the gate's memory while it runs".to_owned()),
        })
    }

    async fn names_key(&self) -> Result<String, HolderError> {
        let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        Ok(format!("file `{}`", path.display()))
    }

    /// Overwrites the file and removes it. What the disk or a backup keeps of it still opens with the passphrase.
    async fn end(&self, _: &EndOrder) -> Result<Ended, HolderError> {
        let path = self.path.clone();
        let wiped = tokio::task::spawn_blocking(move || wipe_secret(&path)).await;
        let failed = |why: String| HolderError::new(&self.id, Why::Away(why));
        wiped
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        Ok(Ended {
            said: serde_json::json!("overwritten and removed"),
            gone_at: None,
        })
    }
}
