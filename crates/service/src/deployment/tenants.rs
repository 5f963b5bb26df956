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
        let known = self.tenants().await.map_err(|error| failed(&error))?;
        if known.iter().any(|row| row.id == tenant.id) {
            return Ok(Added::Taken);
        }
        match self.create_tenant(&tenant.id, tenant.kind, &tenant.country).await {
            Ok(()) => Ok(Added::New),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn list(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantEntry>, PortError> {
        let mut rows = self.tenants().await.map_err(|error| failed(&error))?;
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        let entries = rows
            .into_iter()
            .filter(|row| after.is_none_or(|after| row.id > *after))
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(|row| TenantEntry {
                id: row.id,
                kind: row.kind,
                country: row.country,
            });
        Ok(entries.collect())
    }
}
