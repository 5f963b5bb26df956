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

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use casework::{
    event::{Event, Header},
    finding::Promise,
    gate::{Admitted, Refusal, Shown, decide},
    ids::{CaseId, Digest, ObjectId},
    record::{ReleaseRecord, ReleasedObject},
    rulebook::Rulebook,
};
use envelope::{
    held::WrappedTenant,
    keys::{ObjectKey, TenantKey, Wrapped, WrappedAccount, WrappedChain},
    opening::{NotOpened, unwrap_for_release},
};
use jiff::Timestamp;
use store::gate_memory::MemoryError;
use translog::{Checkpoint, Hash, entry::Salt, proof::Receipt};

use super::{EmbeddedGate, NoAnswer, NotReleased, ReleaseGate, TransferRequest, owner::GateError};
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
        let memory = self
            .memory
            .recall(record.id, record.case)
            .await
            .map_err(not_remembered)?;
        let shown = Shown {
            events: chain,
            record,
            salt,
            receipt,
            consistency,
        };
        let (policy, rulebooks, now) = (Arc::clone(&self.policy), self.rulebooks.clone(), (self.clock)());
        // Seconds of hashing for a release of 100,000 objects: not on a thread that serves requests.
        let decided = tokio::task::spawn_blocking(move || {
            let mut at_hand: Vec<&Rulebook> = vec![Rulebook::builtin()];
            at_hand.extend(rulebooks.iter().map(Arc::as_ref));
            decide(shown, &policy, &at_hand, &memory, now)
        });
        let admitted = decided.await.map_err(|_| {
            Refusal::invariant(7, "the decision was interrupted", "present the release again")
        })??;
        let tenants = self.tenants(&admitted, &chains).await?;
        self.memory
            .remember(admitted.remember())
            .await
            .map_err(not_remembered)?;
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

/// The keys of the record's tenants, each by what it is wrapped as.
type Tenants = Vec<(WrappedAccount, TenantKey)>;

/// Whether two accounts are below one and the same wrapped key.
pub(super) fn below_one(a: &WrappedAccount, b: &WrappedAccount) -> bool {
    (&a.region, &a.tenant, &a.tenant_key) == (&b.region, &b.tenant, &b.tenant_key)
}

impl EmbeddedGate {
    /// Opens the keys of the tenants that the record names, asking whoever holds one.
    async fn tenants(&self, admitted: &Admitted, chains: &[WrappedChain]) -> Result<Tenants, Refusal> {
        let record = admitted.record();
        let reason = Reason::Release {
            case: record.case,
            record: record.id,
            digest: record.digest()?,
        };
        let mut tenants = Tenants::new();
        for chain in chains {
            let account = &chain.account;
            if tenants.iter().any(|(known, _)| below_one(known, account)) {
                continue;
            }
            let opened = self
                .roots()
                .tenant_key(account.place(), &account.tenant_key, &reason)
                .await;
            let key = opened.map_err(|error| not_given(&error, account))?;
            tenants.push((account.clone(), key));
        }
        Ok(tenants)
    }
}

/// Opens the keys. The record is used up whether or not they open.
fn open(admitted: Admitted, tenants: &Tenants, chains: &[WrappedChain]) -> Result<Opened, Refusal> {
    const HINT: &str = "the record is used up: find out why, then draw up a new one";
    let mut keys = Vec::with_capacity(chains.len());
    for chain in chains {
        let object = ObjectId(uuid::Uuid::from_bytes(chain.object));
        let tenant = tenants.iter().find(|(known, _)| below_one(known, &chain.account));
        let (_, tenant) =
            tenant.ok_or_else(|| Refusal::invariant(2, "the key of a tenant was not opened before", HINT))?;
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

/// A tenant's key did not open, before the record was used.
pub(super) fn not_given(error: &GateError, account: &WrappedAccount) -> Refusal {
    match (error, &account.tenant_key) {
        (GateError::Holder(holder), WrappedTenant::Held(_)) if holder.is_refusal() => Refusal::invariant(
            2,
            format!(
                "the key of tenant `{}` is held by its own provider: {holder}",
                account.tenant
            ),
            "nothing was opened and the record is not used up; it is for the key's holder to decide",
        ),
        (GateError::Holder(holder), _) => Refusal::invariant(
            2,
            format!(
                "the key of tenant `{}` is held by its own provider: {holder}",
                account.tenant
            ),
            "nothing was opened and the record is not used up; release again when the provider answers",
        ),
        (other, _) => Refusal::invariant(
            2,
            format!("the key of tenant `{}` does not open: {other}", account.tenant),
            "nothing was opened and the record is not used up; compare the database with its backup",
        ),
    }
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

pub(super) fn not_remembered(error: MemoryError) -> Refusal {
    tracing::error!(%error, "the gate's memory refused; nothing was opened");
    match error {
        MemoryError::Used(_) => Refusal::invariant(
            2,
            "the record was used before; each opens its keys once",
            "draw up a new record",
        ),
        MemoryError::Moved => Refusal::invariant(3, error.to_string(), "present the release again"),
        other => Refusal::invariant(
            7,
            other.to_string(),
            "nothing was opened; mend the gate's disk. The record may be used up: if it is refused, draw up a new one",
        ),
    }
}
