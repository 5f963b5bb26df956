//! The owner's door: keys for a tenant's own authenticated requests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use casework::{
    ids::{AccountId, ObjectId, ProviderId, RegionId, TenantId},
    ledger::{self, Keys},
};
use envelope::{
    held::{Custody, WrappedTenant},
    keys::{AccountKey, Label, ObjectKey, Place, TenantKey, Wrapped, WrappedAccount, WrappedChain},
    opening::{NotOpened, OwnerAccount},
    opening_reason::OwnerRequest,
};
use zeroize::Zeroizing;

use super::{Ledger, RegionRoots, RewrapAccounts, RewrapObjects, ledger::Matter, roots::former};
use crate::keys::{HolderError, Reason};

/// How long an account key stays open in memory after it was used first. What another process destroys, this one
/// forgets at the latest then; what goes through [`OwnerGate::forget_account`], at once. It is also how long a tenant
/// that holds its own key waits at most until a "no" takes effect for new reads; the published bound is
/// [`ACCOUNT_KEY_TTL_MAX`].
pub const ACCOUNT_KEY_TTL: Duration = Duration::from_secs(60);
/// Longest time that an account key may be kept open: what customers are told.
pub const ACCOUNT_KEY_TTL_MAX: Duration = Duration::from_secs(300);
/// Most account keys open at once, some 3 MiB.
pub const ACCOUNT_KEYS_MAX: usize = 10_000;
/// How long a destroyed account is remembered, against a request that read its wrapped key just before.
const DESTROYED_FOR: Duration = Duration::from_secs(600);

/// Why the gate would not make or open a key. Says nothing about the key.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GateError {
    /// This gate holds no root for the region.
    #[error("this gate holds no root key for region `{region}`")]
    NoRoot {
        /// The region.
        region: String,
    },
    /// The request is another tenant's, or the wrapped key is not what it claims to be.
    #[error("the key does not open for this request")]
    Refused,
    /// The object is not recorded as it was stored, so its key does not open: which demand may reach it would be decided by
    /// what somebody wrote into the database (P13).
    #[error(
        "object `{object}` is not recorded as it was stored: its category, its date or its key was altered (P13)\n\
         hint: restore its row from a backup"
    )]
    Altered {
        /// The object.
        object: ObjectId,
    },
    /// The account's key was destroyed.
    #[error("the account's key was destroyed")]
    AccountDestroyed,
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    NoRandomness,
    /// The opening could not be entered in the tenant's access ledger, so no key opened.
    #[error("the opening could not be entered in the access ledger; nothing was opened")]
    NotEntered,
    /// The tenant's key is from before the holder of its keys changed, so it would open without who holds them now.
    #[error(
        "the key of tenant `{tenant}` in region `{region}` is from before a change of holder: {} holds its keys now; nothing was opened\n\
         hint: put back the row that the change left; where the whole database was put back from a backup, put back the gate's memory \
         from the same one",
        .holder.as_ref().map_or("nobody but the gate".to_owned(), |holder| format!("`{holder}`"))
    )]
    FormerHolder {
        /// The region.
        region: String,
        /// The tenant.
        tenant: String,
        /// Who holds its keys now, as far as the gate has seen; `None`: nobody beside the root.
        holder: Option<String>,
    },
    /// The gate's memory could not be read or written, so no key opened.
    #[error("the gate's memory cannot be read or written; nothing was opened")]
    NoMemory,
    /// A remote gate did not answer.
    #[error("the gate does not answer")]
    Unreachable,
    /// Who holds the tenant's key beside the gate did not give it.
    #[error(transparent)]
    Holder(#[from] HolderError),
}

/// The owner's door, as the vault sees it: embedded, or in a process of its own.
#[async_trait]
pub trait OwnerGate: Send + Sync + 'static {
    /// Makes a tenant's first key in a region, wrapped under its root, and then by its holder where it is to have one.
    ///
    /// # Errors
    /// When the gate has no root for the region, the holder refuses, or the gate knows keys of the tenant there that another
    /// holds.
    async fn new_tenant_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        holder: Option<&ProviderId>,
    ) -> Result<WrappedTenant, GateError>;

    /// Makes a tenant's next key in a region, held by whoever holds `key`, which is opened for that.
    ///
    /// # Errors
    /// When `key` does not open, or its holder refuses.
    async fn next_tenant_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        key: &WrappedTenant,
    ) -> Result<WrappedTenant, GateError>;

    /// Makes an account's key, wrapped under its tenant's.
    ///
    /// # Errors
    /// When the tenant's key does not open.
    async fn new_account_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        account: &AccountId,
        tenant_key: &WrappedTenant,
    ) -> Result<Wrapped, GateError>;

    /// Makes an object's key, wrapped under its account's for what the object is recorded as.
    ///
    /// # Errors
    /// When the request is another tenant's, or the account's key does not open.
    async fn new_object_key(
        &self,
        owner: &OwnerRequest,
        account: &WrappedAccount,
        object: &[u8; 16],
        label: &Label,
    ) -> Result<(ObjectKey, Wrapped), GateError>;

    /// Opens an object's key.
    ///
    /// # Errors
    /// When the request is another tenant's, or the chain does not open; [`GateError::Altered`] when category or date are not
    /// those that the object was stored with.
    async fn open_object_key(
        &self,
        owner: &OwnerRequest,
        chain: &WrappedChain,
    ) -> Result<ObjectKey, GateError>;

    /// Wraps a tenant's key anew: under the region's root of today, and by `holder`, which may be another than before, or
    /// none. It stays the same key. Where the holder is another, the wrap says that it is from a later change, and once the
    /// gate has opened a key by it, it opens none of the tenant's from before in this region: have all of them wrapped anew,
    /// and recorded together.
    ///
    /// # Errors
    /// When it does not open, or one of the two holders refuses.
    async fn rewrap_tenant_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        key: &WrappedTenant,
        holder: Option<&ProviderId>,
    ) -> Result<WrappedTenant, GateError>;

    /// Wraps account keys under another key of their tenant: one for each, in order.
    ///
    /// # Errors
    /// When one of them does not open; none is given then.
    async fn rewrap_account_keys(&self, request: RewrapAccounts) -> Result<Vec<Wrapped>, GateError>;

    /// Wraps object keys under another key of their account: one for each, in order.
    ///
    /// # Errors
    /// When the account's keys do not open, or [`GateError::Altered`] for the first object whose key does not.
    async fn rewrap_object_keys(&self, request: RewrapObjects) -> Result<Vec<Wrapped>, GateError>;

    /// Forgets an account's open key, and refuses from now on to open it again.
    fn forget_account(&self, tenant: &TenantId, account: &AccountId);
}

/// The owner's door in this process.
pub struct OwnerKeys {
    pub(super) roots: Arc<RegionRoots>,
    pub(super) ledger: Arc<Ledger>,
    memory: Mutex<Memory>,
    keep_open: Duration,
}

#[derive(Default)]
struct Memory {
    open: HashMap<WrappedAccount, (Arc<OwnerAccount>, Instant)>,
    destroyed: HashMap<(String, String), Instant>,
}

impl OwnerKeys {
    /// A door for these regions, which enters what it opens in `ledger`.
    pub fn new(roots: Arc<RegionRoots>, ledger: Arc<Ledger>) -> Self {
        Self {
            roots,
            ledger,
            memory: Mutex::default(),
            keep_open: ACCOUNT_KEY_TTL,
        }
    }

    /// The same, keeping account keys open for `time`, [`ACCOUNT_KEY_TTL_MAX`] at most.
    #[must_use]
    pub fn keeping_open(mut self, time: Duration) -> Self {
        self.keep_open = time.min(ACCOUNT_KEY_TTL_MAX);
        self
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn account(
        &self,
        owner: &OwnerRequest,
        chain: &WrappedAccount,
    ) -> Result<Arc<OwnerAccount>, GateError> {
        if let Some(open) = self.memory().find(chain, Instant::now())? {
            return Ok(open);
        }
        // The holder of another tenant's key is not even asked.
        if owner.tenant() != chain.tenant {
            return Err(GateError::Refused);
        }
        self.ledger
            .enter(Matter::owner(owner, chain)?, Keys::Account)
            .await?;
        let reason = Reason::Owner {
            credential: owner.credential().to_owned(),
            request: owner.request().to_owned(),
            account: chain.account.clone(),
        };
        // Counted from before the holder was asked, for what it said holds from then.
        let asked = Instant::now();
        let tenant = self
            .roots
            .tenant_key(chain.place(), &chain.tenant_key, &reason)
            .await?;
        let opened = OwnerAccount::open(&tenant, owner, chain).map_err(|_| GateError::Refused)?;
        let opened = Arc::new(opened);
        self.memory().keep(chain, &opened, asked, self.keep_open)?;
        Ok(opened)
    }
}

impl Memory {
    fn find(&self, chain: &WrappedAccount, now: Instant) -> Result<Option<Arc<OwnerAccount>>, GateError> {
        self.check(chain)?;
        let found = self.open.get(chain).filter(|(_, until)| now < *until);
        Ok(found.map(|(open, _)| Arc::clone(open)))
    }

    fn keep(
        &mut self,
        chain: &WrappedAccount,
        open: &Arc<OwnerAccount>,
        now: Instant,
        time: Duration,
    ) -> Result<(), GateError> {
        // Again: it may have been destroyed while it was being opened.
        self.check(chain)?;
        if self.open.len() >= ACCOUNT_KEYS_MAX {
            self.open.retain(|_, (_, until)| now < *until);
        }
        if self.open.len() >= ACCOUNT_KEYS_MAX {
            self.open.clear();
        }
        self.open.insert(chain.clone(), (Arc::clone(open), now + time));
        Ok(())
    }

    fn check(&self, chain: &WrappedAccount) -> Result<(), GateError> {
        if self.destroyed.is_empty() {
            return Ok(());
        }
        let name = (chain.tenant.clone(), chain.account.clone());
        if self.destroyed.contains_key(&name) {
            return Err(GateError::AccountDestroyed);
        }
        Ok(())
    }
}

/// What the caller hears of a key of this object that did not open.
fn refused(error: NotOpened, object: &[u8; 16]) -> GateError {
    match error {
        NotOpened::Altered => GateError::Altered {
            object: ObjectId(uuid::Uuid::from_bytes(*object)),
        },
        _ => GateError::Refused,
    }
}

pub(super) fn place<'a>(region: &'a RegionId, tenant: &'a TenantId) -> Place<'a> {
    Place {
        region: region.as_str(),
        tenant: tenant.as_str(),
    }
}

/// Fresh random bytes of the operating system.
pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, GateError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| GateError::NoRandomness)?;
    Ok(bytes)
}

#[async_trait]
impl OwnerGate for OwnerKeys {
    async fn new_tenant_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        holder: Option<&ProviderId>,
    ) -> Result<WrappedTenant, GateError> {
        let place = place(region, tenant);
        let matter = Matter::provider(place, None, ledger::Reason::Provisioning)?;
        self.ledger.enter(matter, Keys::Tenant).await?;
        let holder = holder.map(|id| id.as_str().to_owned());
        // What was met of this tenant before counts: a key that another holds, or nobody, would be a change of holder.
        let custody = match self.roots.known(place).await? {
            Some(known) if known.holder == holder => known,
            Some(known) => return Err(former(place, &known)),
            None => Custody {
                change: u64::from(holder.is_some()),
                holder,
            },
        };
        let key = TenantKey::from_random(*random()?);
        let reason = Reason::Provisioning { account: None };
        self.roots
            .wrap_tenant(place, &key, &custody, &reason, *random()?)
            .await
    }

    async fn next_tenant_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        key: &WrappedTenant,
    ) -> Result<WrappedTenant, GateError> {
        self.make_next_tenant_key(place(region, tenant), key).await
    }

    async fn new_account_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        account: &AccountId,
        tenant_key: &WrappedTenant,
    ) -> Result<Wrapped, GateError> {
        let place = place(region, tenant);
        let reason = Reason::Provisioning {
            account: Some(account.as_str().to_owned()),
        };
        let matter = Matter::provider(place, Some(account.as_str()), ledger::Reason::Provisioning)?;
        self.ledger.enter(matter, Keys::Tenant).await?;
        let above = self.roots.tenant_key(place, tenant_key, &reason).await?;
        let key = AccountKey::from_random(*random()?);
        key.wrap(&above, place, account.as_str(), *random()?)
            .map_err(|_| GateError::Refused)
    }

    async fn new_object_key(
        &self,
        owner: &OwnerRequest,
        account: &WrappedAccount,
        object: &[u8; 16],
        label: &Label,
    ) -> Result<(ObjectKey, Wrapped), GateError> {
        let above = self.account(owner, account).await?;
        let key = ObjectKey::from_random(*random()?);
        let wrapped = above.wrap(owner, &key, object, label, *random()?);
        let wrapped = wrapped.map_err(|error| refused(error, object))?;
        Ok((key, wrapped))
    }

    async fn open_object_key(
        &self,
        owner: &OwnerRequest,
        chain: &WrappedChain,
    ) -> Result<ObjectKey, GateError> {
        let above = self.account(owner, &chain.account).await?;
        let matter = Matter::owner(owner, &chain.account)?;
        self.ledger.note(matter, chain.object).await?;
        above
            .unwrap(owner, chain)
            .map_err(|error| refused(error, &chain.object))
    }

    async fn rewrap_tenant_key(
        &self,
        region: &RegionId,
        tenant: &TenantId,
        key: &WrappedTenant,
        holder: Option<&ProviderId>,
    ) -> Result<WrappedTenant, GateError> {
        self.move_tenant_key(place(region, tenant), key, holder).await
    }

    async fn rewrap_account_keys(&self, request: RewrapAccounts) -> Result<Vec<Wrapped>, GateError> {
        self.move_account_keys(request).await
    }

    async fn rewrap_object_keys(&self, request: RewrapObjects) -> Result<Vec<Wrapped>, GateError> {
        self.move_object_keys(request).await
    }

    fn forget_account(&self, tenant: &TenantId, account: &AccountId) {
        let mut memory = self.memory();
        memory
            .open
            .retain(|chain, _| chain.tenant != tenant.as_str() || chain.account != account.as_str());
        memory.destroyed.retain(|_, at| at.elapsed() < DESTROYED_FOR);
        let name = (tenant.as_str().to_owned(), account.as_str().to_owned());
        memory.destroyed.insert(name, Instant::now());
    }
}
