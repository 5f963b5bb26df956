//! The transfer door: keys move from under an account's key in one region to under its key in another.
//!
//! In this order: the transfer is decided afresh ([`casework::transfer::admit`]); whoever holds a tenant's key beside the
//! gate is asked, with the transfer named; what must be remembered is made durable; only then keys are wrapped anew. A
//! record moves many batches, each decided by itself: a basis that ended since the last one ends the move.

use std::collections::BTreeSet;

use casework::{
    event::Event,
    finding::Promise,
    gate::Refusal,
    ids::ObjectId,
    record::AccountRef,
    transfer::{AdmittedTransfer, ShownTransfer, TransferBody, TransferRecord, admit},
};
use envelope::{
    keys::{Wrapped, WrappedAccount, WrappedChain},
    moving::rewrap_for_transfer,
    opening::NotOpened,
};
use translog::{Hash, entry::Salt, proof::Receipt};

use super::{EmbeddedGate, Tenants, not_remembered, owner::random};
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
        let of = (record.id, record.transfer);
        let headers: Vec<_> = chain.iter().map(|event| event.header.clone()).collect();
        let shown = ShownTransfer {
            events: chain,
            record,
            salt,
            receipt,
            consistency,
        };
        let admitted = self
            .decided(of, &[], move |policy, rulebooks, memory, now| {
                admit(shown, policy, rulebooks, memory, now)
            })
            .await?;
        let pairs = pair(keys, &to)?;
        let reason = Reason::Transfer {
            matter: admitted.record().transfer.to_string(),
        };
        let both = pairs.iter().flat_map(|(chain, to)| [&chain.account, to]);
        let tenants = self.tenants(both, &reason).await?;
        let went = went_to(&admitted, pairs.iter().map(|(_, to)| to.account.as_str()))?;
        self.memory
            .remember_batch(admitted.remember(), &headers, &went)
            .await
            .map_err(not_remembered)?;
        wrap(&admitted, &tenants, &pairs)
    }
}

/// The accounts whose keys go to the other region, each once.
pub(super) fn went_to<'a>(
    admitted: &AdmittedTransfer,
    accounts: impl Iterator<Item = &'a str>,
) -> Result<Vec<AccountRef>, Refusal> {
    let record = admitted.record();
    let names: BTreeSet<&str> = accounts.collect();
    let accounts = names.into_iter().map(|name| {
        let account = name.parse().map_err(|_| {
            Refusal::invariant(
                2,
                "a key is of no account",
                "compare the database with its backup",
            )
        })?;
        Ok(AccountRef {
            tenant: record.tenant.clone(),
            account,
            region: record.to.clone(),
        })
    });
    accounts.collect()
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

fn wrap(
    admitted: &AdmittedTransfer,
    tenants: &Tenants,
    pairs: &[(WrappedChain, WrappedAccount)],
) -> Result<Vec<(ObjectId, Wrapped)>, Refusal> {
    const HINT: &str = "find out why before the transfer goes on";
    let mut wrapped = Vec::with_capacity(pairs.len());
    for (chain, to) in pairs {
        let object = ObjectId(uuid::Uuid::from_bytes(chain.object));
        let nonce = random().map_err(|error| Refusal::invariant(2, error.to_string(), HINT))?;
        let keys = (
            tenants.must_be_above(&chain.account, HINT)?,
            tenants.must_be_above(to, HINT)?,
        );
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
