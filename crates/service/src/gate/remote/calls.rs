//! The messages. Heads only: raw keys are the part after it ([`crate::link::Message`]).

use casework::{
    event::{Event, Header},
    finding::Promise,
    gate::Refusal,
    ids::{AccountId, CaseId, Digest, ObjectId, ProviderId, RegionId, TenantId},
    ledger::{Entry, heads::NewestHead},
    record::ReleaseRecord,
    transfer::{TransferBody, TransferRecord},
};
use envelope::{
    held::WrappedTenant,
    keys::{Label, Wrapped, WrappedAccount, WrappedChain},
    opening_reason::OwnerRequest,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use store::gate_memory::OwedPolicy;
use translog::{Checkpoint, Hash, entry::Salt, proof::Receipt};

use crate::gate::{
    Batch, Offer, ReleaseRequest, RewrapAccounts, RewrapObjects, TakingOver, TransferRequest,
    owner::GateError,
};

/// Most bytes of each of the names in an owner's request: its tenant, its credential and its request's id.
pub(super) const OWNER_BYTES_MAX: usize = 256;

/// What is asked.
#[derive(Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Call {
    NewTenantKey {
        region: RegionId,
        tenant: TenantId,
        holder: Option<ProviderId>,
    },
    NextTenantKey {
        region: RegionId,
        tenant: TenantId,
        key: WrappedTenant,
    },
    NewAccountKey {
        region: RegionId,
        tenant: TenantId,
        account: AccountId,
        tenant_key: WrappedTenant,
    },
    NewObjectKey {
        owner: Owner,
        account: WrappedAccount,
        object: [u8; 16],
        label: Label,
    },
    OpenObjectKey {
        owner: Owner,
        chain: WrappedChain,
    },
    RewrapTenantKey {
        region: RegionId,
        tenant: TenantId,
        key: WrappedTenant,
        holder: Option<ProviderId>,
    },
    RewrapAccountKeys(RewrapAccounts),
    RewrapObjectKeys(Box<RewrapObjects>),
    ForgetAccount {
        tenant: TenantId,
        account: AccountId,
    },
    Release(Box<Presented>),
    Transfer(Box<PresentedTransfer>),
    Offer(Box<PresentedTransfer>),
    HandOver {
        presented: Box<PresentedTransfer>,
        offer: Offer,
    },
    TakeOver(Box<TakingOver>),
    Observe {
        case: CaseId,
        headers: Vec<Header>,
    },
    Known {
        case: CaseId,
    },
    Remembered {
        origin: String,
    },
    Ledger {
        tenant: TenantId,
        after: Option<u64>,
        limit: u32,
    },
    Heads {
        after: Option<TenantId>,
    },
    KeepSlots {
        tenants: Vec<TenantId>,
    },
    Sealed {
        after: Option<CaseId>,
    },
    Unseal {
        case: CaseId,
        chain: Vec<Event>,
    },
    Policy,
    /// The change of this number is durably on its way into the docket.
    PolicyLogged {
        number: u64,
    },
}

/// What is answered.
#[derive(Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Answer {
    Done,
    /// A key that was wrapped for its place. For an object, its raw key is the secret part.
    Wrapped {
        key: Wrapped,
    },
    /// A tenant's key, wrapped.
    Tenant {
        key: WrappedTenant,
    },
    /// Keys wrapped anew, in the order asked.
    Rewrapped {
        keys: Vec<Wrapped>,
    },
    /// An object's key, which is the secret part.
    Opened,
    /// What the owner's door said instead.
    NotOpened {
        error: GateError,
    },
    /// The keys of these objects, one after the other in the secret part.
    Released {
        objects: Vec<ObjectId>,
        kept: Vec<(Promise, String)>,
    },
    /// What the release door said instead.
    Refused {
        refusal: Refusal,
    },
    /// Keys wrapped anew for another region, in the order asked.
    Transferred {
        keys: Vec<(ObjectId, Wrapped)>,
    },
    Offered {
        offer: Offer,
    },
    Handed {
        batch: Batch,
    },
    Known {
        seen: Option<(u64, Digest)>,
    },
    Remembered {
        checkpoint: Option<Log>,
    },
    Ledger {
        entries: Vec<Entry>,
    },
    Heads {
        heads: Vec<NewestHead>,
    },
    Sealed {
        cases: Vec<CaseId>,
    },
    Policy {
        digest: Digest,
        /// Changes that nobody has confirmed to be in the docket.
        owed: Vec<OwedPolicy>,
    },
    /// The gate could not do it, or could not read what was asked.
    Failed {
        reason: String,
    },
}

/// An owner's request, as whoever checked its signature states it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Owner {
    #[serde(deserialize_with = "short")]
    tenant: String,
    #[serde(deserialize_with = "short")]
    credential: String,
    #[serde(deserialize_with = "short")]
    pub(super) request: String,
}

/// Text that ends up in ledgers and logs, so of at most [`OWNER_BYTES_MAX`].
fn short<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > OWNER_BYTES_MAX {
        return Err(D::Error::custom(format!(
            "an owner's tenant, credential and request are of {OWNER_BYTES_MAX} bytes at most"
        )));
    }
    Ok(text)
}

impl From<&OwnerRequest> for Owner {
    fn from(owner: &OwnerRequest) -> Self {
        Self {
            tenant: owner.tenant().to_owned(),
            credential: owner.credential().to_owned(),
            request: owner.request().to_owned(),
        }
    }
}
impl From<Owner> for OwnerRequest {
    fn from(owner: Owner) -> Self {
        Self::new(owner.tenant, owner.credential, owner.request)
    }
}

/// A log's checkpoint.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    origin: String,
    size: u64,
    root: Hash,
}

impl From<Checkpoint> for Log {
    fn from(Checkpoint { origin, size, root }: Checkpoint) -> Self {
        Self { origin, size, root }
    }
}
impl From<Log> for Checkpoint {
    fn from(Log { origin, size, root }: Log) -> Self {
        Self { origin, size, root }
    }
}

/// What is presented for one release.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Presented {
    chain: Vec<Event>,
    record: ReleaseRecord,
    salt: Salt,
    /// As a tlog-proof file.
    receipt: String,
    consistency: Vec<Hash>,
    keys: Vec<WrappedChain>,
}

/// What is presented for one batch of a transfer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresentedTransfer {
    chain: Vec<Event<TransferBody>>,
    record: TransferRecord,
    salt: Salt,
    /// As a tlog-proof file.
    receipt: String,
    consistency: Vec<Hash>,
    keys: Vec<WrappedChain>,
    to: Vec<WrappedAccount>,
}

impl Presented {
    /// The case that the record is of.
    pub(super) fn case(&self) -> CaseId {
        self.record.case
    }
}

impl From<TransferRequest> for PresentedTransfer {
    fn from(request: TransferRequest) -> Self {
        Self {
            chain: request.chain,
            record: request.record,
            salt: request.salt,
            receipt: request.receipt.to_string(),
            consistency: request.consistency,
            keys: request.keys,
            to: request.to,
        }
    }
}

impl TryFrom<PresentedTransfer> for TransferRequest {
    type Error = Refusal;
    fn try_from(presented: PresentedTransfer) -> Result<Self, Refusal> {
        Ok(Self {
            chain: presented.chain,
            record: presented.record,
            salt: presented.salt,
            receipt: receipt(&presented.receipt)?,
            consistency: presented.consistency,
            keys: presented.keys,
            to: presented.to,
        })
    }
}

fn receipt(text: &str) -> Result<Receipt, Refusal> {
    Receipt::parse(text).map_err(|error| {
        let reason = format!("the receipt cannot be read: {error}");
        Refusal::invariant(2, reason, "fetch a new receipt from the docket")
    })
}

impl From<ReleaseRequest> for Presented {
    fn from(request: ReleaseRequest) -> Self {
        Self {
            chain: request.chain,
            record: request.record,
            salt: request.salt,
            receipt: request.receipt.to_string(),
            consistency: request.consistency,
            keys: request.keys,
        }
    }
}

impl TryFrom<Presented> for ReleaseRequest {
    type Error = Refusal;
    fn try_from(presented: Presented) -> Result<Self, Refusal> {
        let receipt = receipt(&presented.receipt)?;
        Ok(Self {
            chain: presented.chain,
            record: presented.record,
            salt: presented.salt,
            receipt,
            consistency: presented.consistency,
            keys: presented.keys,
        })
    }
}
