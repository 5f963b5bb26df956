//! The release door. In this order, and no other:
//!
//! 1. the keys given are compared with the record, one to one;
//! 2. the case is decided afresh ([`casework::gate::decide`]);
//! 3. whoever holds the tenants' keys beside the gate is asked, with the case and the record, and never answered for from
//!    memory; a "no", or no answer, leaves the record as it was;
//! 4. the record is marked used and the checkpoint remembered, in one transaction, durably;
//! 5. only then the keys open.
//!
//! A failure in 4 refuses, even where it may have been durable after all; a crash between 4 and 5 leaves the record used
//! up with nothing opened. Either way a new record must be drawn up, signed and logged: a release that may have happened
//! is never repeated.

use std::collections::BTreeMap;

use async_trait::async_trait;
use casework::{
    event::{Event, Header},
    finding::Promise,
    gate::{Admitted, Refusal, Shown, decide},
    ids::{CaseId, Digest, ObjectId},
    record::{ReleaseRecord, ReleasedObject},
};
use envelope::{
    keys::{ObjectKey, Wrapped, WrappedChain},
    opening::{NotOpened, unwrap_for_release},
};
use jiff::Timestamp;
use translog::{Checkpoint, Hash, entry::Salt, proof::Receipt};

use super::{EmbeddedGate, NoAnswer, NotReleased, ReleaseGate, Tenants, TransferRequest};
use crate::keys::Reason;

/// What the desk presents for one release. The gate takes the time from its own clock.
pub struct ReleaseRequest {
    /// The whole case.
    pub chain: Vec<Event>,
    /// The record.
    pub record: ReleaseRecord,
    /// What hid it in the docket.
    pub salt: Salt,
    /// That it is in the docket.
    pub receipt: Receipt,
    /// From the smaller to the larger of the receipt's checkpoint and the one that the gate remembers; empty where it
    /// remembers none.
    pub consistency: Vec<Hash>,
    /// The wrapped keys of exactly the objects that the record names, in any order.
    pub keys: Vec<WrappedChain>,
}

/// Keys opened for one release. They leave memory when dropped.
pub struct Opened {
    /// One for each object of the record, in the record's order.
    pub keys: Vec<(ObjectId, ObjectKey)>,
    /// The record, now used up.
    pub record: ReleaseRecord,
    /// What was found about each promise, for the case's own account of it.
    pub kept: Vec<(casework::finding::Promise, String)>,
}

impl EmbeddedGate {
    /// Opens exactly the keys that a release record names, once.
    ///
    /// # Errors
    /// [`Refusal`], naming the promise or invariant. No key opened; where the reason says so, the record is used up.
    pub async fn release(&self, request: ReleaseRequest) -> Result<Opened, Refusal> {
        let ReleaseRequest {
            chain,
            record,
            salt,
            receipt,
            consistency,
            keys,
        } = request;
        let chains = one_to_one(&record, keys)?;
        for wrapped in &chains {
            if !self.roots().serves(&wrapped.account.region) {
                let reason = format!("this gate holds no root for region `{}`", wrapped.account.region);
                return Err(Refusal::invariant(
                    2,
                    reason,
                    "present the release to that region's gate",
                ));
            }
        }
        let _turn = self.turn.lock().await;
        let (of, accounts) = ((record.id, record.case), record.accounts.clone());
        let shown = Shown {
            events: chain,
            record,
            salt,
            receipt,
            consistency,
        };
        let admitted = self
            .decided(of, &accounts, move |policy, rulebooks, memory, now| {
                decide(shown, policy, rulebooks, memory, now)
            })
            .await?;
        let record = admitted.record();
        let reason = Reason::Release {
            case: record.case,
            record: record.id,
            digest: record.digest()?,
        };
        let below = chains.iter().map(|chain| &chain.account);
        let tenants = self.tenants(below, &reason).await?;
        self.memory
            .remember(admitted.remember())
            .await
            .map_err(super::not_remembered)?;
        open(admitted, &tenants, &chains)
    }
}

#[async_trait]
impl ReleaseGate for EmbeddedGate {
    async fn release(&self, request: ReleaseRequest) -> Result<Opened, NotReleased> {
        Ok(Self::release(self, request).await?)
    }

    async fn transfer(&self, request: TransferRequest) -> Result<Vec<(ObjectId, Wrapped)>, NotReleased> {
        Ok(Self::transfer(self, request).await?)
    }

    async fn offer(&self, request: TransferRequest) -> Result<super::Offer, NotReleased> {
        Ok(Self::offer(self, request).await?)
    }

    async fn hand_over(
        &self,
        request: TransferRequest,
        offer: super::Offer,
    ) -> Result<super::Batch, NotReleased> {
        Ok(Self::hand_over(self, request, offer).await?)
    }

    async fn take_over(&self, request: super::TakingOver) -> Result<Vec<(ObjectId, Wrapped)>, NotReleased> {
        Self::take_over(self, request).await
    }

    async fn observe(&self, case: CaseId, headers: Vec<Header>) -> Result<(), NoAnswer> {
        Ok(self.memory.observe(case, &headers).await?)
    }

    async fn known(&self, case: CaseId) -> Result<Option<(u64, Digest)>, NoAnswer> {
        let nobody = casework::ids::RecordId(uuid::Uuid::nil());
        Ok(self.memory.recall(nobody, case).await?.seen)
    }

    async fn remembered(&self, origin: &str) -> Result<Option<Checkpoint>, NoAnswer> {
        let nobody = uuid::Uuid::nil();
        let memory = self
            .memory
            .recall(casework::ids::RecordId(nobody), casework::ids::CaseId(nobody))
            .await?;
        Ok(memory.checkpoints.get(origin).cloned())
    }
}

/// Opens the keys. The record is used up whether or not they open.
fn open(admitted: Admitted, tenants: &Tenants, chains: &[WrappedChain]) -> Result<Opened, Refusal> {
    const HINT: &str = "the record is used up: find out why, then draw up a new one";
    let mut keys = Vec::with_capacity(chains.len());
    for chain in chains {
        let object = ObjectId(uuid::Uuid::from_bytes(chain.object));
        let tenant = tenants.must_be_above(&chain.account, HINT)?;
        let key = unwrap_for_release(tenant, admitted.included(), chain).map_err(|error| {
            let reason = format!("object `{object}`: {error}");
            match error {
                NotOpened::Altered => Refusal::promise(Promise::P13, reason, HINT),
                _ => Refusal::invariant(2, reason, HINT),
            }
        })?;
        keys.push((object, key));
    }
    Ok(Opened {
        keys,
        record: admitted.record().clone(),
        kept: admitted.kept().sentences(),
    })
}

/// The wrapped keys in the record's order: each named by the record, for that very object and account, and none missing.
fn one_to_one(record: &ReleaseRecord, keys: Vec<WrappedChain>) -> Result<Vec<WrappedChain>, Refusal> {
    const HINT: &str = "give the wrapped key of each object that the record names, and no other";
    let refuse = |reason: String| Refusal::invariant(2, reason, HINT);
    let mut given: BTreeMap<[u8; 16], WrappedChain> = BTreeMap::new();
    for chain in keys {
        let object = ObjectId(uuid::Uuid::from_bytes(chain.object));
        if given.insert(chain.object, chain).is_some() {
            return Err(refuse(format!("object `{object}` has two keys")));
        }
    }
    let mut chains = Vec::with_capacity(given.len());
    for named in &record.objects {
        let Some(chain) = given.remove(named.object.0.as_bytes()) else {
            return Err(refuse(format!("the key of object `{}` is missing", named.object)));
        };
        if chain.account.region != named.account.region.as_str() {
            return Err(Refusal::promise(
                Promise::P12,
                format!(
                    "object `{}` moved from region `{}` to `{}` since the record was drawn up",
                    named.object, named.account.region, chain.account.region
                ),
                "when the transfer is done, look the accounts up again, assess the case, and draw up a new record",
            ));
        }
        if !is_the_key_of(&chain, named) {
            return Err(Refusal::invariant(
                2,
                format!(
                    "the key given for object `{}` is not the one that the record names",
                    named.object
                ),
                "if keys were rotated since the record was drawn up, draw up a new one",
            ));
        }
        if !is_labelled_as(&chain, named) {
            return Err(Refusal::promise(
                Promise::P13,
                format!(
                    "object `{}` is of another category or date than the record says",
                    named.object
                ),
                "draw up a new record from what is stored",
            ));
        }
        chains.push(chain);
    }
    match given.into_keys().next() {
        None => Ok(chains),
        Some(object) => Err(refuse(format!(
            "the record does not name object `{}`",
            ObjectId(uuid::Uuid::from_bytes(object))
        ))),
    }
}

fn is_the_key_of(chain: &WrappedChain, named: &ReleasedObject) -> bool {
    Digest(chain.object_key.digest()) == named.key
        && chain.account.region == named.account.region.as_str()
        && chain.account.tenant == named.account.tenant.as_str()
        && chain.account.account == named.account.account.as_str()
}

/// The key is presented for the category and date that the record names: those that reviewers signed, and under which
/// alone it will open.
fn is_labelled_as(chain: &WrappedChain, named: &ReleasedObject) -> bool {
    chain.label.category == named.category.name()
        && Timestamp::from_microsecond(chain.label.concerns_at).is_ok_and(|at| at == named.concerns_at)
}
