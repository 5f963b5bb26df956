//! The transfer door: keys move from under an account's key in one region to under its key in another.
//!
//! In this order: the transfer is decided afresh ([`casework::transfer::admit`]); whoever holds a tenant's key beside the
//! gate is asked, with the transfer named; what must be remembered is made durable; only then keys are wrapped anew. A
//! record moves many batches, each decided by itself: a basis that ended since the last one ends the move.

use std::sync::Arc;

use casework::{
    event::Event,
    finding::Promise,
    gate::Refusal,
    ids::ObjectId,
    rulebook::Rulebook,
    transfer::{AdmittedTransfer, ShownTransfer, TransferBody, TransferRecord, admit},
};
use envelope::{
    keys::{TenantKey, Wrapped, WrappedAccount, WrappedChain},
    moving::rewrap_for_transfer,
    opening::NotOpened,
};
use translog::{Hash, entry::Salt, proof::Receipt};

use super::{
    EmbeddedGate,
    owner::random,
    release::{below_one, not_given, not_remembered},
};
use crate::keys::Reason;

/// Most keys in one request.
pub const KEYS_MAX: usize = 1000;

/// What the mover presents for one batch. The gate takes the time from its own clock.
pub struct TransferRequest {
    /// The whole transfer.
    pub chain: Vec<Event<TransferBody>>,
    /// Its record.
    pub record: TransferRecord,
    /// What hid it in the docket.
    pub salt: Salt,
    /// That it is in the docket.
    pub receipt: Receipt,
    /// From the smaller to the larger of the receipt's checkpoint and the one that the gate remembers.
    pub consistency: Vec<Hash>,
    /// The wrapped keys of the objects, at most [`KEYS_MAX`].
    pub keys: Vec<WrappedChain>,
    /// Their accounts' keys in the region that they go to.
    pub to: Vec<WrappedAccount>,
}

impl EmbeddedGate {
    /// Wraps keys anew, in the order given. No key leaves the gate.
    ///
    /// # Errors
    /// [`Refusal`], naming the promise or invariant. Nothing was wrapped.
    pub async fn transfer(&self, request: TransferRequest) -> Result<Vec<(ObjectId, Wrapped)>, Refusal> {
        let TransferRequest {
            chain,
            record,
            salt,
            receipt,
            consistency,
            keys,
            to,
        } = request;
        if keys.len() > KEYS_MAX || to.len() > KEYS_MAX {
            let reason = format!("{} keys at once; at most {KEYS_MAX} are wrapped", keys.len());
            return Err(Refusal::invariant(10, reason, "ask in smaller batches"));
        }
        let _turn = self.turn.lock().await;
        let memory = self
            .memory
            .recall(record.id, record.transfer)
            .await
            .map_err(not_remembered)?;
        let known = memory.used;
        let headers: Vec<_> = chain.iter().map(|event| event.header.clone()).collect();
        let shown = ShownTransfer {
            events: chain,
            record,
            salt,
            receipt,
            consistency,
        };
        let (policy, rulebooks, now) = (Arc::clone(&self.policy), self.rulebooks.clone(), (self.clock)());
        let decided = tokio::task::spawn_blocking(move || {
            let mut at_hand: Vec<&Rulebook> = vec![Rulebook::builtin()];
            at_hand.extend(rulebooks.iter().map(Arc::as_ref));
            admit(shown, &policy, &at_hand, &memory, now)
        });
        let admitted = decided.await.map_err(|_| {
            Refusal::invariant(7, "the decision was interrupted", "present the transfer again")
        })??;
        let pairs = pair(keys, &to)?;
        let tenants = self.tenants_of(&admitted, &pairs).await?;
        let remember = admitted.remember();
        if known {
            self.memory
                .observe(remember.case, &headers)
                .await
                .map_err(not_remembered)?;
        } else {
            self.memory.remember(remember).await.map_err(not_remembered)?;
        }
        wrap(&admitted, &tenants, &pairs)
    }
}

/// Each key with its account's key in the other region.
fn pair(
    keys: Vec<WrappedChain>,
    to: &[WrappedAccount],
) -> Result<Vec<(WrappedChain, WrappedAccount)>, Refusal> {
    let mut pairs = Vec::with_capacity(keys.len());
    for chain in keys {
        let target = to
            .iter()
            .find(|to| to.account == chain.account.account && to.tenant == chain.account.tenant);
        let Some(target) = target.cloned() else {
            return Err(Refusal::invariant(
                2,
                "an account's key in the other region is missing",
                "make the account's key there first",
            ));
        };
        // Else what the customer can refuse to open would come under what the provider opens alone.
        let held_by = chain.account.tenant_key.holder();
        if held_by.is_some() && target.tenant_key.holder() != held_by {
            return Err(Refusal::promise(
                Promise::P3,
                format!(
                    "the key of tenant `{}` is held by another there, or by nobody",
                    target.tenant
                ),
                "have the same holder hold the tenant's key in the other region first",
            ));
        }
        pairs.push((chain, target));
    }
    Ok(pairs)
}

type Tenants = Vec<(WrappedAccount, TenantKey)>;

impl EmbeddedGate {
    async fn tenants_of(
        &self,
        admitted: &AdmittedTransfer,
        pairs: &[(WrappedChain, WrappedAccount)],
    ) -> Result<Tenants, Refusal> {
        let reason = Reason::Transfer {
            matter: admitted.record().transfer.to_string(),
        };
        let mut tenants = Tenants::new();
        for account in pairs.iter().flat_map(|(chain, to)| [&chain.account, to]) {
            if tenants.iter().any(|(known, _)| below_one(known, account)) {
                continue;
            }
            let place = account.place();
            let opened = self.roots().tenant_key(place, &account.tenant_key, &reason).await;
            let key = opened.map_err(|error| not_given(&error, account))?;
            tenants.push((account.clone(), key));
        }
        Ok(tenants)
    }
}

fn wrap(
    admitted: &AdmittedTransfer,
    tenants: &Tenants,
    pairs: &[(WrappedChain, WrappedAccount)],
) -> Result<Vec<(ObjectId, Wrapped)>, Refusal> {
    const HINT: &str = "find out why before the transfer goes on";
    let below = |account: &WrappedAccount| {
        let found = tenants.iter().find(|(known, _)| below_one(known, account));
        found
            .map(|(_, key)| key)
            .ok_or_else(|| Refusal::invariant(2, "the key of a tenant was not opened before", HINT))
    };
    let mut wrapped = Vec::with_capacity(pairs.len());
    for (chain, to) in pairs {
        let object = ObjectId(uuid::Uuid::from_bytes(chain.object));
        let nonce = random().map_err(|error| Refusal::invariant(2, error.to_string(), HINT))?;
        let keys = (below(&chain.account)?, below(to)?);
        let anew = rewrap_for_transfer(keys, admitted.included(), chain, to, *nonce);
        let anew = anew.map_err(|error| {
            let reason = format!("object `{object}`: {error}");
            match error {
                NotOpened::NotNamed => Refusal::promise(Promise::P19, reason, HINT),
                _ => Refusal::invariant(2, reason, HINT),
            }
        })?;
        wrapped.push((object, anew));
    }
    Ok(wrapped)
}
