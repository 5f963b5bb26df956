//! What opens tenants' keys: the regions' roots, which the gate has, and the providers that hold a key beside them.

use std::{collections::BTreeMap, sync::Arc};

use casework::ids::{ProviderId, RegionId};
use envelope::{
    held::{Held, WrappedTenant},
    keys::{NONCE_BYTES, Place, RegionRoot, TenantKey, Wrapped},
};

use super::owner::GateError;
use crate::keys::{HolderError, KeyPlace, Providers, Reason, Why};

/// Root keys by region, and who holds tenants' keys beside them. They never leave the gate: nothing outside this module
/// can read one.
pub struct RegionRoots {
    /// The first of a region wraps; those after it only open, until everything is under the first.
    roots: BTreeMap<RegionId, Vec<RegionRoot>>,
    providers: Arc<Providers>,
}

impl RegionRoots {
    /// These roots, and no others for the gate's lifetime. Where a region has several, the first is its root, and the
    /// others are those that it replaces.
    pub fn new(roots: impl IntoIterator<Item = (RegionId, RegionRoot)>) -> Self {
        let mut by_region: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (region, root) in roots {
            by_region.entry(region).or_default().push(root);
        }
        Self {
            roots: by_region,
            providers: Arc::default(),
        }
    }

    /// The same, with these providers to ask.
    #[must_use]
    pub fn with_providers(mut self, providers: Arc<Providers>) -> Self {
        self.providers = providers;
        self
    }

    /// Whether there is a root of the region.
    pub(in crate::gate) fn serves(&self, region: &str) -> bool {
        self.of(region).is_ok()
    }

    fn of(&self, region: &str) -> Result<(&RegionRoot, &[RegionRoot]), GateError> {
        let found = self.roots.iter().find(|(id, _)| id.as_str() == region);
        found
            .and_then(|(_, roots)| roots.split_first())
            .ok_or_else(|| GateError::NoRoot {
                region: region.to_owned(),
            })
    }

    /// A tenant's key. Who holds it beside the root is asked each time: nothing here remembers an answer.
    pub(in crate::gate) async fn tenant_key(
        &self,
        place: Place<'_>,
        wrapped: &WrappedTenant,
        reason: &Reason,
    ) -> Result<TenantKey, GateError> {
        let (root, before) = self.of(place.region)?;
        let under_root = match wrapped {
            WrappedTenant::Root(wrapped) => wrapped.clone(),
            WrappedTenant::Held(held) => self.ask(place, held, reason).await?,
        };
        let open = |root| TenantKey::unwrap(root, place, &under_root).ok();
        open(root)
            .or_else(|| before.iter().find_map(open))
            .ok_or(GateError::Refused)
    }

    /// Wraps a tenant's key under the region's root, and has its holder wrap that.
    pub(in crate::gate) async fn wrap_tenant(
        &self,
        place: Place<'_>,
        key: &TenantKey,
        holder: Option<&ProviderId>,
        reason: &Reason,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<WrappedTenant, GateError> {
        let (root, _) = self.of(place.region)?;
        let wrapped = key.wrap(root, place, nonce).map_err(|_| GateError::Refused)?;
        let Some(holder) = holder else {
            return Ok(wrapped.into());
        };
        let at = KeyPlace::tenant(place.region, place.tenant);
        let blob = self
            .providers
            .wrap(holder, &at, reason, wrapped.as_bytes())
            .await?;
        let held = Held::new(holder.as_str(), blob).map_err(|_| GateError::Refused)?;
        // What cannot be opened again is found out now, not when the data is wanted.
        if self.ask(place, &held, reason).await? != wrapped {
            let why = "what it wrapped does not open to the same".to_owned();
            return Err(HolderError::new(holder, Why::Wrong(why)).into());
        }
        Ok(WrappedTenant::Held(held))
    }

    async fn ask(&self, place: Place<'_>, held: &Held, reason: &Reason) -> Result<Wrapped, GateError> {
        let holder = ProviderId::new(held.holder()).map_err(|_| GateError::Refused)?;
        let at = KeyPlace::tenant(place.region, place.tenant);
        let given = self.providers.unwrap(&holder, &at, reason, held.blob()).await?;
        Wrapped::from_bytes(&given).map_err(|_| {
            let why = "it gave back something else than a wrapped key".to_owned();
            HolderError::new(&holder, Why::Wrong(why)).into()
        })
    }
}
