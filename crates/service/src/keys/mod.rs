//! Keys held elsewhere: by a passphrase, the provider's hardware, a key service, or the customer itself.
//!
//! Only the gate asks a [`KeyProvider`]. Read in this order:
//!
//! - [`reason`]: why a key is asked for. Closed, and there is no "other".
//! - [`refused`]: what a provider may answer but the key.
//! - [`providers`]: the providers of a deployment, each with a limit on how long and how often it is asked.

pub mod aws_kms;
pub mod configured;
pub mod ending;
pub mod keyholder;
pub mod pkcs11;
pub mod providers;
pub mod reason;
pub mod refused;
pub mod sealed_file;
pub mod transit;
pub mod transport;

use async_trait::async_trait;
use casework::ids::ProviderId;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use self::{
    ending::{EndOrder, Ended},
    providers::{ANSWER_MAX, ASKS_MAX, Providers},
    reason::Reason,
    refused::{HolderError, Why},
};

/// Fewest bytes that a provider wraps.
pub const SECRET_BYTES_MIN: usize = 32;
/// Most bytes that a provider wraps: a key, or a key that is wrapped already.
pub const SECRET_BYTES_MAX: usize = 256;

/// Where a key belongs. A provider binds it into what it wraps (as associated data, encryption context or derivation
/// context), so that a blob copied to another tenant or region does not open.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPlace {
    /// The region.
    pub region: String,
    /// The tenant; none for a region's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

impl KeyPlace {
    /// The place of a region's root.
    pub fn region(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            tenant: None,
        }
    }
    /// The place of a tenant's key in a region.
    pub fn tenant(region: &str, tenant: &str) -> Self {
        Self {
            region: region.to_owned(),
            tenant: Some(tenant.to_owned()),
        }
    }
    /// As associated data: a label, then each name with its length before it, so that no two places read alike.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = b"amparo/key-place/v1\n".to_vec();
        for name in [Some(&self.region), self.tenant.as_ref()].into_iter().flatten() {
            bytes.extend_from_slice(&(name.len() as u64).to_be_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes
    }
}

/// What a provider says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What it is, such as `file, sealed by a passphrase`.
    pub kind: String,
    /// What an operator should know that is weaker than it could be; nothing where all is well.
    pub weakness: Option<String>,
}

/// Somebody who keeps a key and wraps others under it. It never learns an object's key, nor sees content.
#[async_trait]
pub trait KeyProvider: Send + Sync {
    /// Its name in the configuration.
    fn id(&self) -> &ProviderId;

    /// Wraps a secret of [`SECRET_BYTES_MIN`] to [`SECRET_BYTES_MAX`] bytes for this place.
    ///
    /// # Errors
    /// See [`Why`].
    async fn wrap(&self, place: &KeyPlace, reason: &Reason, secret: &[u8]) -> Result<Vec<u8>, HolderError>;

    /// Unwraps what [`KeyProvider::wrap`] gave for the same place.
    ///
    /// # Errors
    /// See [`Why`]: away, slow, denied, or not what it claims to be.
    async fn unwrap(
        &self,
        place: &KeyPlace,
        reason: &Reason,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HolderError>;

    /// Asks whether it could answer, without a key.
    ///
    /// # Errors
    /// See [`Why`].
    async fn health(&self) -> Result<Health, HolderError>;

    /// What names its key, wherever the key is configured: two providers that give one name wrap under one key.
    ///
    /// # Errors
    /// See [`Why`].
    async fn names_key(&self) -> Result<String, HolderError> {
        Ok(format!("key provider `{}`", self.id()))
    }

    /// Destroys its key for good, or has that begun where the provider knows a waiting time. Asked again, it says how the
    /// destruction stands.
    ///
    /// # Errors
    /// [`Why::Denied`] and [`Why::Unusable`] where nothing was destroyed; otherwise that is not known.
    async fn end(&self, _order: &EndOrder) -> Result<Ended, HolderError> {
        let why = Why::Unusable("its key cannot be destroyed from here".to_owned());
        Err(HolderError::new(self.id(), why))
    }
}
