//! Who asks.

use casework::ids::TenantId;
use envelope::opening_reason::OwnerRequest;

/// A caller who proved to hold a credential of a tenant. Every call on a [`Vault`](super::Vault) that touches a tenant's
/// data takes one, and sees that tenant's data alone.
#[derive(Debug, Clone)]
pub struct Principal {
    tenant: TenantId,
    reason: OwnerRequest,
}

impl Principal {
    /// The caller of a request whose signature was just verified.
    #[allow(dead_code, reason = "the edges that authenticate callers use it")]
    pub(crate) fn authenticated(tenant: TenantId, credential: &str, request: &str) -> Self {
        let reason = OwnerRequest::new(tenant.as_str(), credential, request);
        Self { tenant, reason }
    }
    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }
    /// The reason that opens keys for this caller.
    pub fn reason(&self) -> &OwnerRequest {
        &self.reason
    }
}
