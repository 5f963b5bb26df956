//! The register of customers, as the API uses it.

use async_trait::async_trait;
use casework::ids::TenantId;

use crate::{
    app::ports::{Added, PortError, TenantEntry, TenantsPort},
    vault::{ProvisionError, Vault},
};

fn failed(error: &ProvisionError) -> PortError {
    PortError {
        part: "vault",
        reason: error.to_string(),
    }
}

#[async_trait]
impl TenantsPort for Vault {
    async fn add(&self, tenant: &TenantEntry) -> Result<Added, PortError> {
        // The vault takes a customer made twice alike as one; the register tells the second from the first.
        let known = self.tenant(&tenant.id).await.map_err(|error| failed(&error))?;
        if known.is_some() {
            return Ok(Added::Taken);
        }
        match self.create_tenant(&tenant.id, tenant.kind, &tenant.country).await {
            Ok(()) => Ok(Added::New),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn list(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantEntry>, PortError> {
        let rows = self.tenants(after, limit).await.map_err(|error| failed(&error))?;
        let entries = rows.into_iter().map(|row| TenantEntry {
            id: row.id,
            kind: row.kind,
            country: row.country,
        });
        Ok(entries.collect())
    }
}
