//! Who asks.

use casework::ids::TenantId;
use envelope::opening_reason::OwnerRequest;

/// A caller who proved to hold a credential of a tenant. Every call on a [`Vault`](super::Vault) that touches a tenant's
/// data takes one, and sees that tenant's data alone.
#[derive(Debug, Clone)]
pub struct Principal {
    tenant: TenantId,
    reason: OwnerRequest,
    bypass_governance: bool,
}

impl Principal {
    /// The caller of a request whose signature was just verified.
    #[allow(dead_code, reason = "the edges that authenticate callers use it")]
    pub(crate) fn authenticated(tenant: TenantId, credential: &str, request: &str) -> Self {
        let reason = OwnerRequest::new(tenant.as_str(), credential, request);
        Self {
            tenant,
            reason,
            bypass_governance: false,
        }
    }
    /// The same caller, whose access key may pass over a retention in governance mode, or may not.
    pub(crate) fn bypassing(mut self, may: bool) -> Self {
        self.bypass_governance = may;
        self
    }
    /// Whether the access key may pass over a retention in governance mode.
    pub fn may_bypass_governance(&self) -> bool {
        self.bypass_governance
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
