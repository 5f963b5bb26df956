//! Rotation, inside the gate: keys move from under one key to under another, and none leaves.

use casework::{
    ids::{ObjectId, ProviderId},
    ledger::{self, Keys},
};
use envelope::{
    held::{Custody, WrappedTenant},
    keys::{Label, NONCE_BYTES, Place, TenantKey, Wrapped, WrappedAccount},
    rewrap,
};

use super::{
    ledger::Matter,
    owner::{GateError, OwnerKeys, random},
};
use crate::keys::{Reason, reason::Level};

/// Account keys to be moved to another key of their tenant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RewrapAccounts {
    /// The region.
    pub region: String,
    /// The tenant.
    pub tenant: String,
    /// The tenant's key that wraps them now.
    pub from: WrappedTenant,
    /// The one that is to wrap them.
    pub to: WrappedTenant,
    /// Accounts and their keys.
    pub keys: Vec<(String, Wrapped)>,
}

/// Object keys to be moved to another key of their account.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RewrapObjects {
    /// The account's key that wraps them now.
    pub from: WrappedAccount,
    /// The one that is to wrap them.
    pub to: WrappedAccount,
    /// Objects, what they are recorded as, and their keys.
    pub keys: Vec<([u8; 16], Label, Wrapped)>,
}

impl OwnerKeys {
    pub(super) async fn move_tenant_key(
        &self,
        place: Place<'_>,
        key: &WrappedTenant,
        holder: Option<&ProviderId>,
    ) -> Result<WrappedTenant, GateError> {
        let (to, from) = (holder.map(ProviderId::as_str), key.custody());
        // Of a key that is held from before changes were counted, it is counted from now on.
        let stays = from.holder.as_deref() == to;
        let change = match stays {
            true => from.change.max(u64::from(to.is_some())),
            false => from.change.saturating_add(1),
        };
        let custody = Custody {
            change,
            holder: to.map(str::to_owned),
        };
        let reason = match (key.holder(), to) {
            (None, None) => Reason::Rotation { level: Level::Root },
            (from, to) if from == to => Reason::Rotation {
                level: Level::Provider,
            },
            // Whoever gives the key up is told so, and may say no to that alone.
            (_, to) => Reason::HolderChange {
                to: to.map(str::to_owned),
            },
        };
        self.enter_rotation(place, None).await?;
        let open = self.roots.tenant_key(place, key, &reason).await?;
        self.roots
            .wrap_tenant(place, &open, &custody, &reason, *random()?)
            .await
    }

    pub(super) async fn make_next_tenant_key(
        &self,
        place: Place<'_>,
        key: &WrappedTenant,
    ) -> Result<WrappedTenant, GateError> {
        let reason = Reason::Rotation { level: Level::Tenant };
        self.enter_rotation(place, None).await?;
        // That it opens shows whose it is.
        self.roots.tenant_key(place, key, &reason).await?;
        let next = TenantKey::from_random(*random()?);
        self.roots
            .wrap_tenant(place, &next, &key.custody(), &reason, *random()?)
            .await
    }

    pub(super) async fn move_account_keys(&self, request: RewrapAccounts) -> Result<Vec<Wrapped>, GateError> {
        let RewrapAccounts {
            region,
            tenant,
            from,
            to,
            keys,
        } = request;
        let place = Place {
            region: &region,
            tenant: &tenant,
        };
        let reason = Reason::Rotation { level: Level::Tenant };
        self.enter_rotation(place, None).await?;
        let (from, to) = self.pair(place, (&from, &to), &reason).await?;
        let mut nonces = Nonces::draw(keys.len())?;
        let moved = keys.iter().map(|(account, wrapped)| {
            let nonce = nonces.next()?;
            rewrap::account_key(
                &from,
                to.as_ref().unwrap_or(&from),
                place,
                account,
                wrapped,
                nonce,
            )
            .map_err(|_| GateError::Refused)
        });
        moved.collect()
    }

    pub(super) async fn move_object_keys(&self, request: RewrapObjects) -> Result<Vec<Wrapped>, GateError> {
        let RewrapObjects { from, to, keys } = request;
        let reason = Reason::Rotation {
            level: Level::Account,
        };
        let both = (&from.tenant_key, &to.tenant_key);
        self.enter_rotation(from.place(), Some(&from.account)).await?;
        let below = self.pair(from.place(), both, &reason).await?;
        // A batch is some milliseconds of work: not on a thread that serves requests.
        let moved = tokio::task::spawn_blocking(move || {
            let below = (&below.0, below.1.as_ref().unwrap_or(&below.0));
            let accounts = rewrap::Accounts::open(below, &from, &to).map_err(|_| GateError::Refused)?;
            let mut nonces = Nonces::draw(keys.len())?;
            let moved = keys.iter().map(|(object, label, wrapped)| {
                let altered = |_| GateError::Altered {
                    object: ObjectId(uuid::Uuid::from_bytes(*object)),
                };
                accounts
                    .object_key(object, label, wrapped, nonces.next()?)
                    .map_err(altered)
            });
            moved.collect()
        });
        moved.await.map_err(|_| GateError::Refused)?
    }

    /// Enters that keys below the tenant's, or below an account's, are moved.
    async fn enter_rotation(&self, place: Place<'_>, account: Option<&str>) -> Result<(), GateError> {
        let keys = match account {
            Some(_) => Keys::Account,
            None => Keys::Tenant,
        };
        let matter = Matter::provider(place, account, ledger::Reason::Rotation)?;
        self.ledger.enter(matter, keys).await
    }

    /// Two keys of one tenant; where they are one, it is opened once, for its holder may have to be asked. What is under a
    /// held key goes under one that the same holder holds, and under no other: that would be a change of holder, without its
    /// having been asked for one.
    async fn pair(
        &self,
        place: Place<'_>,
        (from, to): (&WrappedTenant, &WrappedTenant),
        reason: &Reason,
    ) -> Result<(TenantKey, Option<TenantKey>), GateError> {
        if from.holder().is_some() && to.holder() != from.holder() {
            return Err(GateError::Refused);
        }
        let first = self.roots.tenant_key(place, from, reason).await?;
        let second = match from == to {
            true => None,
            false => Some(self.roots.tenant_key(place, to, reason).await?),
        };
        Ok((first, second))
    }
}

/// Nonces for a batch, drawn at once.
struct Nonces(std::vec::IntoIter<u8>);

impl Nonces {
    fn draw(count: usize) -> Result<Self, GateError> {
        let mut bytes = vec![0; count * NONCE_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| GateError::NoRandomness)?;
        Ok(Self(bytes.into_iter()))
    }
    fn next(&mut self) -> Result<[u8; NONCE_BYTES], GateError> {
        let mut nonce = [0; NONCE_BYTES];
        for byte in &mut nonce {
            *byte = self.0.next().ok_or(GateError::NoRandomness)?;
        }
        Ok(nonce)
    }
}
