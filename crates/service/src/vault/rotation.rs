//! Rotation of keys at every level. No body is read or written: what is wrapped moves from under one key to under another,
//! inside the gate.
//!
//! Each call goes on with what an earlier one did not finish, and begins anew only where there is nothing left to finish. An
//! old key stays until nothing is under it; until then everything opens, before, during and after.

use std::collections::BTreeSet;

use casework::ids::{AccountId, ProviderId, RegionId, TenantId};
use envelope::held::WrappedTenant;
use store::vault::{MovedAccount, MovedObject, ObjectKeyRow, Table, TenantKeyRow};

use super::{Result, Vault, VaultError};
use crate::gate::{RewrapAccounts, RewrapObjects, owner::GateError};

/// Keys moved at once.
pub const KEYS_AT_ONCE: u32 = if cfg!(test) { 3 } else { 4000 };
/// How often what was stored under the old key meanwhile is looked for again.
const ROUNDS_MAX: u32 = 20;

/// What a rotation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Keys wrapped anew.
    pub moved: u64,
    /// Tenants whose key stays as it was, for its holder did not give it, each with the reason.
    pub left: Vec<(TenantId, String)>,
}

/// Told how many keys were moved so far.
pub type Progress<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// What becomes of the holder when a tenant's key is wrapped anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// It stays who it is; its wrap is made anew.
    Same,
    /// It is this one from now on, or nobody.
    Becomes(Option<ProviderId>),
}

impl Vault {
    /// Wraps tenants' keys anew, under the roots of today and by their holders: of one tenant or region, where one is given.
    /// The end of a root's rotation, and of a holder's. Where a holder refuses, that tenant's key stays as it is, and is named.
    ///
    /// # Errors
    /// When the store fails, or the gate for another reason than a holder.
    pub async fn rewrap_tenant_keys(
        &self,
        tenant: Option<&TenantId>,
        region: Option<&RegionId>,
        holder: &Holder,
    ) -> Result<Rotated> {
        let mut done = Rotated::default();
        let mut after: Option<TenantKeyRow> = None;
        loop {
            let page = self
                .inner
                .store
                .tenant_keys(tenant, region, after.as_ref(), KEYS_AT_ONCE)
                .await?;
            let Some(last) = page.last().cloned() else {
                return Ok(done);
            };
            for row in page {
                // A tenant has few keys in a region, and they were all wrapped anew with the first.
                let same = after.as_ref();
                let same =
                    same.is_some_and(|last| (&last.tenant, &last.region) == (&row.tenant, &row.region));
                if !same {
                    match self.rewrap_all(&row.tenant, &row.region, holder).await {
                        Ok(moved) => done.moved += moved,
                        Err(VaultError::Gate(GateError::Holder(why))) => {
                            done.left.push((row.tenant.clone(), why.to_string()));
                        }
                        Err(other) => return Err(other),
                    }
                }
                after = Some(row);
            }
            after = Some(last);
        }
    }

    /// All of a tenant's keys in a region, recorded together: what the gate has met of a new holder, it remembers for all.
    async fn rewrap_all(&self, tenant: &TenantId, region: &RegionId, holder: &Holder) -> Result<u64> {
        let (store, gate) = (&self.inner.store, &self.inner.gate);
        let rows = store
            .tenant_keys(Some(tenant), Some(region), None, KEYS_AT_ONCE)
            .await?;
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            let of_row = row.key.holder().map(ProviderId::new).transpose()?;
            let holder = match holder {
                Holder::Same => of_row.as_ref(),
                Holder::Becomes(holder) => holder.as_ref(),
            };
            let key = gate.rewrap_tenant_key(region, tenant, &row.key, holder).await?;
            keys.push((row, key));
        }
        let moved = u64::try_from(keys.len()).unwrap_or(u64::MAX);
        let changed = keys.iter().find(|(row, key)| row.key.custody() != key.custody());
        let changed = changed.map(|(_, key)| key.clone());
        store
            .replace_tenant_keys(tenant.clone(), region.clone(), keys)
            .await?;
        if let Some(key) = changed {
            self.let_gate_meet(tenant, region, key).await;
        }
        Ok(moved)
    }

    /// Has the gate open a key of the new holder at once, so that it remembers the change. It would with the next request,
    /// so it is no failure where the holder does not let it now.
    async fn let_gate_meet(&self, tenant: &TenantId, region: &RegionId, key: WrappedTenant) {
        let request = RewrapAccounts {
            region: region.to_string(),
            tenant: tenant.to_string(),
            from: key.clone(),
            to: key,
            keys: Vec::new(),
        };
        if let Err(error) = self.inner.gate.rewrap_account_keys(request).await {
            tracing::warn!(%error, %tenant, "the gate takes note of the new holder only when a key opens with it");
        }
    }

    /// States who is to hold a tenant's keys, and moves those it has. `customer`: the holder is the customer itself, which
    /// the rulebook asks about.
    ///
    /// # Errors
    /// When a holder, old or new, refuses; what was moved in other regions before stays moved, and calling again goes on.
    pub async fn set_holder(
        &self,
        tenant: &TenantId,
        holder: Option<&ProviderId>,
        customer: bool,
    ) -> Result<u64> {
        let store = &self.inner.store;
        // First for keys to come, so that none is made the old way behind the mover's back.
        store
            .set_holder(tenant.clone(), holder.cloned(), customer)
            .await?;
        let becomes = Holder::Becomes(holder.cloned());
        let rows = store.tenant_keys(Some(tenant), None, None, KEYS_AT_ONCE).await?;
        let regions: BTreeSet<RegionId> = rows.into_iter().map(|row| row.region).collect();
        let mut moved = 0;
        for region in &regions {
            moved += self.rewrap_all(tenant, region, &becomes).await?;
        }
        Ok(moved)
    }

    /// Gives a tenant a new key in a region, and moves its accounts' keys under it.
    ///
    /// # Errors
    /// When the tenant has no key there, its holder refuses, or the store fails. Calling again goes on.
    pub async fn rotate_tenant(
        &self,
        tenant: &TenantId,
        region: &RegionId,
        progress: Progress<'_>,
    ) -> Result<Rotated> {
        let store = &self.inner.store;
        let mut keys = store
            .tenant_keys(Some(tenant), Some(region), None, KEYS_AT_ONCE)
            .await?;
        if let [newest] = keys.as_slice() {
            let new = self
                .inner
                .gate
                .next_tenant_key(region, tenant, &newest.key)
                .await?;
            store.add_tenant_version(newest.clone(), new).await?;
            keys = store
                .tenant_keys(Some(tenant), Some(region), None, KEYS_AT_ONCE)
                .await?;
        }
        let Some(newest) = keys.pop() else {
            return Err(VaultError::NoSuchRegion {
                region: region.to_string(),
            });
        };
        let mut done = Rotated::default();
        for _ in 0..ROUNDS_MAX {
            for old in &keys {
                self.move_accounts(old, &newest, &mut done, progress).await?;
            }
            let ended = store
                .end_tenant_rotation(tenant.clone(), region.clone(), newest.version)
                .await?;
            if ended {
                return Ok(done);
            }
        }
        Err(VaultError::Busy)
    }

    async fn move_accounts(
        &self,
        old: &TenantKeyRow,
        newest: &TenantKeyRow,
        done: &mut Rotated,
        progress: Progress<'_>,
    ) -> Result<()> {
        let (store, tenant, region) = (&self.inner.store, &newest.tenant, &newest.region);
        let mut after = -1;
        loop {
            let page = store
                .account_keys_below(tenant, region, newest.version, after, KEYS_AT_ONCE)
                .await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            let page: Vec<_> = page.into_iter().filter(|row| row.above == old.version).collect();
            let keys = page.iter().map(|row| (row.account.to_string(), row.key.clone()));
            let request = RewrapAccounts {
                region: region.to_string(),
                tenant: tenant.to_string(),
                from: old.key.clone(),
                to: newest.key.clone(),
                keys: keys.collect(),
            };
            if request.keys.is_empty() {
                continue;
            }
            let to = self.inner.gate.rewrap_account_keys(request).await?;
            let moved = page
                .into_iter()
                .zip(to)
                .map(|(from, to)| MovedAccount { from, to });
            done.moved += store
                .move_account_keys(tenant.clone(), region.clone(), newest.version, moved.collect())
                .await?;
            progress(done.moved);
        }
    }

    /// Gives an account a new key in a region, and moves its objects' keys under it. A release record that was drawn up before
    /// names the old wraps, so the gate refuses it, unused: a new one must be drawn up.
    ///
    /// # Errors
    /// When the account has no key there, its tenant's holder refuses, an object was altered, or the store fails. Calling again
    /// goes on.
    pub async fn rotate_account(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        region: &RegionId,
        progress: Progress<'_>,
    ) -> Result<Rotated> {
        let store = &self.inner.store;
        let Some(row) = store.account(tenant, account, region).await? else {
            return Err(VaultError::NoSuchAccount);
        };
        let mut versions = store.account_versions(tenant, account, region).await?;
        if let [(newest, _)] = versions.as_slice() {
            let (tenant_key, above) = self.tenant_key(tenant, region).await?;
            let key = self
                .inner
                .gate
                .new_account_key(region, tenant, account, &tenant_key)
                .await?;
            store
                .add_account_version((tenant.clone(), row.seq), region.clone(), *newest, (key, above))
                .await?;
            versions = store.account_versions(tenant, account, region).await?;
        }
        let Some(((newest, to), olds)) = versions.split_first() else {
            return Err(VaultError::NoSuchAccount);
        };
        let mut done = Rotated::default();
        for _ in 0..ROUNDS_MAX {
            for table in [Table::Upload, Table::Object, Table::Copy] {
                let mut after: Option<ObjectKeyRow> = None;
                loop {
                    let page = store
                        .object_keys_below(table, (row.seq, region), *newest, after.as_ref(), KEYS_AT_ONCE)
                        .await?;
                    let Some(last) = page.last().cloned() else { break };
                    after = Some(last);
                    for (version, from) in olds {
                        let page: Vec<_> = page
                            .iter()
                            .filter(|key| key.version == *version)
                            .cloned()
                            .collect();
                        if page.is_empty() {
                            continue;
                        }
                        let keys = page
                            .iter()
                            .map(|key| (key.object.0.into_bytes(), key.label.clone(), key.key.clone()));
                        let request = RewrapObjects {
                            from: from.clone(),
                            to: to.clone(),
                            keys: keys.collect(),
                        };
                        let wrapped = self.inner.gate.rewrap_object_keys(request).await?;
                        let moved = page.into_iter().zip(wrapped);
                        let moved = moved.map(|(from, to)| MovedObject { from, to }).collect();
                        done.moved += store
                            .move_object_keys(table, region.clone(), *newest, moved)
                            .await?;
                        progress(done.moved);
                    }
                }
            }
            if store
                .end_account_rotation(row.seq, region.clone(), *newest)
                .await?
            {
                return Ok(done);
            }
        }
        Err(VaultError::Busy)
    }
}
