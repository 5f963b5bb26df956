//! Who calls: the access key behind a signature, and the [`Principal`] that a verified one yields.
//!
//! s3s asks for an access key's secret, computes the signature and compares in constant time. An unknown or disabled key
//! gets a decoy secret, so that it is refused after the same work as a wrong signature.

use s3s::{S3Error, S3ErrorCode, S3Result, auth::SecretKey};

use crate::vault::{Principal, Vault, VaultError};

/// Longest access key id that is looked up.
const ACCESS_KEY_BYTES_MAX: usize = 128;

tokio::task_local! {
    /// What the lookup found, for the request that runs in this task.
    pub(super) static CALLER: Caller;
}

/// What the lookup of an access key found.
#[derive(Debug, Default)]
pub(super) struct Caller {
    found: std::sync::Mutex<Found>,
    verified: std::sync::OnceLock<Principal>,
}

#[derive(Debug, Default)]
enum Found {
    #[default]
    NotAsked,
    Unknown,
    Known {
        tenant: casework::ids::TenantId,
        credential: String,
        bypass_governance: bool,
    },
}

impl Caller {
    fn set(&self, found: Found) {
        if let Ok(mut slot) = self.found.lock() {
            *slot = found;
        }
    }

    /// Whether the access key is unknown or disabled.
    pub(super) fn is_unknown(&self) -> bool {
        self.found
            .lock()
            .is_ok_and(|found| matches!(*found, Found::Unknown))
    }

    /// The principal, once s3s has verified the signature. Taken, not copied: one request, one principal.
    fn take_verified(&self, request: &str) -> Option<Principal> {
        let found = std::mem::take(&mut *self.found.lock().ok()?);
        let verified = match found {
            Found::Known {
                tenant,
                credential,
                bypass_governance,
            } => Some(Principal::authenticated(tenant, &credential, request).bypassing(bypass_governance)),
            Found::NotAsked | Found::Unknown => None,
        };
        if let Some(who) = &verified {
            let _ = self.verified.set(who.clone());
        }
        verified
    }

    /// Who made the request, once its signature was verified.
    pub(super) fn verified(&self) -> Option<Principal> {
        self.verified.get().cloned()
    }
}

/// The id of a request, as its answer's `x-amz-request-id` says it.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// Looks up access keys in the vault.
pub(super) struct Keys {
    vault: Vault,
    decoy: SecretKey,
}

impl Keys {
    pub(super) fn new(vault: Vault, decoy: [u8; 20]) -> Self {
        Self {
            vault,
            decoy: hex::encode(decoy).into(),
        }
    }
}

#[async_trait::async_trait]
impl s3s::auth::S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let credential = if access_key.len() > ACCESS_KEY_BYTES_MAX {
            None
        } else {
            self.vault.credential(access_key).await.map_err(unavailable)?
        };
        let (found, secret) = match credential {
            Some(credential) => (
                Found::Known {
                    tenant: credential.tenant.clone(),
                    credential: credential.id.clone(),
                    bypass_governance: credential.bypass_governance,
                },
                SecretKey::from(credential.secret.as_str()),
            ),
            None => (Found::Unknown, self.decoy.clone()),
        };
        CALLER
            .try_with(|caller| caller.set(found))
            .map_err(|_| S3Error::new(S3ErrorCode::InternalError))?;
        Ok(secret)
    }
}

fn unavailable(error: VaultError) -> S3Error {
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "access key lookup failed"
    );
    S3Error::with_message(
        S3ErrorCode::ServiceUnavailable,
        "access keys cannot be read now; try again",
    )
}

/// Refuses what no operation may do, and hands each operation its principal.
pub(super) struct Access;

#[async_trait::async_trait]
impl s3s::access::S3Access for Access {
    async fn check(&self, cx: &mut s3s::access::S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_none() {
            return Err(S3Error::with_message(
                S3ErrorCode::AccessDenied,
                "anonymous access is denied; sign the request with AWS Signature Version 4",
            ));
        }
        let request = cx
            .extensions_mut()
            .get::<RequestId>()
            .map(|id| id.0.clone())
            .unwrap_or_default();
        let principal = CALLER
            .try_with(|caller| caller.take_verified(&request))
            .ok()
            .flatten()
            .ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))?;
        super::refuse::headers(cx.method(), cx.headers(), &principal)?;
        cx.extensions_mut().insert(principal);
        Ok(())
    }
}
