//! The people of the demonstration, each with a key file of their own.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::{
    event::{Actor, approval_message, signed_reason},
    ids::{CaseId, Digest, StaffId},
};
use ed25519_dalek::{Signer as _, SigningKey};

/// Somebody who signs.
pub struct Person {
    /// Their id in events.
    pub id: StaffId,
    key: SigningKey,
}

impl Person {
    /// Makes a key and keeps it in `dir`, readable by its owner alone.
    pub fn create(dir: &Path, id: &str) -> anyhow::Result<Self> {
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut())
            .map_err(|_| anyhow::anyhow!("no randomness from the operating system"))?;
        let key = SigningKey::from_bytes(&seed);
        let path: PathBuf = dir.join(format!("{id}.key"));
        service::deployment::write_secret(&path, STANDARD.encode(seed.as_slice()).as_bytes())
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(Self {
            id: StaffId::new(id)?,
            key,
        })
    }

    /// The public key, as a trust policy holds it.
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// This person as an actor.
    pub fn staff(&self) -> Actor {
        Actor::Staff(self.id.clone())
    }

    /// This person as counsel.
    pub fn counsel(&self) -> Actor {
        Actor::Counsel(self.id.clone())
    }

    /// The signature that approves a record.
    pub fn approve(&self, record: &Digest) -> String {
        STANDARD.encode(self.key.sign(&approval_message(record)).to_bytes())
    }

    /// The signature under a reason.
    pub fn sign_reason(&self, case: CaseId, answers: &str, matter: &Digest, reason: &str) -> String {
        STANDARD.encode(
            self.key
                .sign(&signed_reason(case, answers, matter, reason))
                .to_bytes(),
        )
    }
}
