//! What opens tenants' keys: the regions' roots, which the gate has, and the providers that hold a key beside them.
//!
//! A key from before its holder took over would open without that holder. So the gate remembers the latest change of holder of
//! which it opened a key, for each tenant and region, and opens nothing from before it ([`GateError::FormerHolder`]).

use std::{collections::BTreeMap, sync::Arc};

use casework::ids::{ProviderId, RegionId};
use envelope::{
    held::{Custody, Held, WrappedTenant},
    keys::{NONCE_BYTES, Place, RegionRoot, TenantKey, Wrapped},
};
use jiff::Timestamp;
use store::gate_memory::{GateMemory, MemoryError};

use super::owner::GateError;
use crate::keys::{HolderError, KeyPlace, Providers, Reason, Why};

/// Root keys by region, and who holds tenants' keys beside them. They never leave the gate: nothing outside this module
/// can read one.
pub struct RegionRoots {
    /// The first of a region wraps; those after it only open, until everything is under the first.
    roots: BTreeMap<RegionId, Vec<RegionRoot>>,
    providers: Arc<Providers>,
    memory: Option<GateMemory>,
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
            memory: None,
        }
    }

    /// The same, remembering there who holds tenants' keys since when. A gate without a memory knows of no change of holder,
    /// and takes each key for the latest.
    #[must_use]
    pub fn remembering(mut self, memory: GateMemory) -> Self {
        self.memory = Some(memory);
        self
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

    /// A tenant's key. Who holds it beside the root is asked each time: nothing here remembers an answer. That it was opened
    /// is remembered before it is given, and none from before that is opened again.
    pub(in crate::gate) async fn tenant_key(
        &self,
        place: Place<'_>,
        wrapped: &WrappedTenant,
        reason: &Reason,
    ) -> Result<TenantKey, GateError> {
        let (root, before) = self.of(place.region)?;
        let custody = wrapped.custody();
        let known = self.known(place).await?;
        // Before a former holder is asked in vain.
        if let Some(known) = known.as_ref().filter(|known| !custody.may_follow(known)) {
            return Err(former(place, known));
        }
        let under_root = match wrapped {
            WrappedTenant::Root { wrapped, .. } => wrapped.clone(),
            WrappedTenant::Held(held) => self.ask(place, held, reason).await?,
        };
        let open = |root| TenantKey::unwrap_for(root, place, &custody, &under_root).ok();
        let key = open(root)
            .or_else(|| before.iter().find_map(open))
            .ok_or(GateError::Refused)?;
        // Only now is it certain that the wrap is what it says.
        if let Some(memory) = &self.memory
            && known.unwrap_or_default() != custody
        {
            let seen = memory.seen_custody(place.region, place.tenant, &custody, Timestamp::now());
            seen.await.map_err(|error| match error {
                MemoryError::Older(known) => former(place, &known),
                other => forgetful(&other),
            })?;
        }
        Ok(key)
    }

    /// The latest custody of a tenant's keys that this gate met; `None` where it met none that anybody held.
    pub(in crate::gate) async fn known(&self, place: Place<'_>) -> Result<Option<Custody>, GateError> {
        match &self.memory {
            Some(memory) => {
                let known = memory.custody(place.region, place.tenant).await;
                known.map_err(|error| forgetful(&error))
            }
            None => Ok(None),
        }
    }

    /// Wraps a tenant's key under the region's root, and has its holder wrap that.
    pub(in crate::gate) async fn wrap_tenant(
        &self,
        place: Place<'_>,
        key: &TenantKey,
        custody: &Custody,
        reason: &Reason,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<WrappedTenant, GateError> {
        let (root, _) = self.of(place.region)?;
        let wrapped = key.wrap_for(root, place, custody, nonce);
        let wrapped = wrapped.map_err(|_| GateError::Refused)?;
        let change = custody.change;
        let Some(holder) = &custody.holder else {
            return Ok(WrappedTenant::Root { wrapped, change });
        };
        let holder = &ProviderId::new(holder.as_str()).map_err(|_| GateError::Refused)?;
        let at = KeyPlace::tenant(place.region, place.tenant);
        let blob = self
            .providers
            .wrap(holder, &at, reason, wrapped.as_bytes())
            .await?;
        let held = Held::new(holder.as_str(), change, blob).map_err(|_| GateError::Refused)?;
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

/// The key is from before `known`, or not of its holder.
pub(in crate::gate) fn former(place: Place<'_>, known: &Custody) -> GateError {
    GateError::FormerHolder {
        region: place.region.to_owned(),
        tenant: place.tenant.to_owned(),
        holder: known.holder.clone(),
    }
}

fn forgetful(error: &MemoryError) -> GateError {
    tracing::error!(%error, "who holds tenants' keys cannot be remembered");
    GateError::NoMemory
}
