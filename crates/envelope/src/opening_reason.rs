//! Why a key may open. Each opening carries one of these values; there is no "other".

/// An owner's authenticated request: the caller proved that it holds a credential of the tenant.
///
/// It opens keys of that tenant alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRequest {
    tenant: String,
    credential: String,
    request: String,
}

impl OwnerRequest {
    /// States that `credential` of `tenant` was checked for the request named `request`.
    ///
    /// Call it only where a signature, password or passkey was just verified.
    pub fn new(tenant: impl Into<String>, credential: impl Into<String>, request: impl Into<String>) -> Self {
        Self {
            tenant: tenant.into(),
            credential: credential.into(),
            request: request.into(),
        }
    }
    /// The tenant whose keys it opens.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }
    /// The credential that was checked: an access key's id, never its secret.
    pub fn credential(&self) -> &str {
        &self.credential
    }
    /// The request's id.
    pub fn request(&self) -> &str {
        &self.request
    }
}
