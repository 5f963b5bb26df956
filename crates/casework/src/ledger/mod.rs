//! The access ledger: per tenant, every opening of its keys, as a hash chain that the tenant fetches and checks.
//!
//! A release that the law forbids to tell the tenant of is in it all the same, sealed. So that the ledger does not tell
//! of it by its form, each tenant has exactly one *slot* for each day, written when the day is over, and each slot has
//! exactly [`PLACES`] places of 32 bytes: commitments where there was something to seal, random bytes where there was not.
//! What a place commits to is given once no gag forbids it; a place that holds nothing is never shown to hold nothing,
//! for whoever can prove a silence empty can be asked to.

mod check;
mod committed;
mod entered;
pub mod heads;
mod slot;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::{Broken, Checked, Checking, check, continues};
pub use committed::{CommittedTo, NotCommitted, committed_to};
pub(crate) use entered::of_transfer;
pub use entered::{Entered, Telling, of_release, telling};
pub use slot::{Place, SealedOpening, SlotContent, day_of, ends_at};

use crate::{
    canonical::{CanonicalError, digest, to_canonical_json},
    ids::{AccountId, CaseId, Digest, ObjectId, RecordId, RegionId, TenantId},
};

/// Most objects that one entry lists; what opens more at once is several entries.
pub const OBJECTS_MAX: usize = 1_000;
/// Places of a slot.
pub const PLACES: usize = 8;
/// The `prev` of a tenant's first entry.
pub const GENESIS: Digest = Digest([0; 32]);

/// The schema tag of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LedgerSchema {
    /// Version 1.
    #[serde(rename = "amparo.ledger/1")]
    V1,
}

/// The part that is chained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always `amparo.ledger/1`.
    pub schema: LedgerSchema,
    /// Whose ledger it is.
    pub tenant: TenantId,
    /// 0 for the first.
    pub seq: u64,
    /// When it was written, by the gate's clock. A slot's is the end of its day.
    pub at: Timestamp,
    /// Hash of the header before; all zero for the first.
    pub prev: Digest,
    /// `SHA-256("amparo/ledger-body/v1\n" || salt || canonical JSON of the body)`.
    pub body: Digest,
}

/// One entry, as a tenant fetches it: one line of its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Chained.
    pub header: Header,
    /// 32 random bytes, hex.
    pub salt: Digest,
    /// What the header commits to.
    pub body: Body,
    /// Of a slot: the places that no gag keeps closed any more. Not chained, for they come later; each is checked against
    /// the commitment made then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<Place>,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// Keys were opened, or were about to be: the entry comes first.
    Opening {
        /// Which, by whom and why.
        opening: Opening,
    },
    /// A day is over. Every day has one, whether anything was sealed or not.
    Slot {
        /// The day, in UTC.
        #[schemars(with = "String")]
        day: jiff::civil::Date,
        /// [`PLACES`] commitments or as many random bytes: nobody can tell which.
        places: Vec<Digest>,
    },
}

/// Keys that were opened together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Who.
    pub actor: Actor,
    /// Why. There is no "other".
    pub reason: Reason,
    /// Which keys.
    pub keys: Keys,
    /// The region whose root they are under.
    pub region: RegionId,
    /// The account; none where it is about the tenant's own key.
    pub account: Option<AccountId>,
    /// The first moment that it speaks of.
    pub from: Timestamp,
    /// The last one: after it, further openings have further entries.
    pub until: Timestamp,
    /// The objects whose keys were opened, each once, by id ascending. At most [`OBJECTS_MAX`].
    pub objects: Vec<ObjectId>,
}

/// Who opens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// The tenant itself.
    Tenant {
        /// The id of the access key that it used; never its secret.
        access_key: String,
    },
    /// The provider.
    Provider,
}

/// Why keys open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reason {
    /// The tenant's own request.
    OwnRequest,
    /// A release record that two people signed and the docket holds.
    Release {
        /// The case.
        case: CaseId,
        /// The record.
        record: RecordId,
        /// What the reviewers signed and the docket commits to.
        digest: Digest,
    },
    /// Data moves to another region on a legal basis.
    Transfer {
        /// The matter.
        matter: CaseId,
        /// Its record.
        record: RecordId,
        /// What the reviewers signed and the docket commits to.
        digest: Digest,
    },
    /// A key is made below the one that opens: for a new tenant, or a new account.
    Provisioning,
    /// Keys move from under one key to under another; none leaves the gate.
    Rotation,
}

/// Which keys an opening is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// The tenant's own, to make or move keys below it.
    Tenant,
    /// An account's, which is then kept open until `until` at the latest: its objects' keys may be opened until then, and
    /// those that are follow in entries of their own.
    Account,
    /// Those of the objects listed.
    Objects,
}

impl Header {
    /// The hash that the next header's `prev` holds: SHA-256 over `amparo/ledger/v1`, a newline, and the header's canonical
    /// JSON.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn hash(&self) -> Result<Digest, CanonicalError> {
        digest("amparo/ledger/v1", self)
    }
}

impl Entry {
    /// The entry that follows `prev`, with nothing opened. `salt` is 32 fresh random bytes.
    ///
    /// # Errors
    /// When the body has no JSON form.
    pub fn after(
        (seq, prev): (u64, Digest),
        tenant: &TenantId,
        at: Timestamp,
        salt: Digest,
        body: Body,
    ) -> Result<Self, CanonicalError> {
        let header = Header {
            schema: LedgerSchema::V1,
            tenant: tenant.clone(),
            seq,
            at,
            prev,
            body: commitment(&salt, &body)?,
        };
        Ok(Self {
            header,
            salt,
            body,
            opened: Vec::new(),
        })
    }
}

/// The commitment of a header to its body.
fn commitment(salt: &Digest, body: &Body) -> Result<Digest, CanonicalError> {
    Ok(Digest::of(&[
        b"amparo/ledger-body/v1\n",
        &salt.0,
        &to_canonical_json(body)?,
    ]))
}

/// The JSON Schema of an entry, as published in `docs/ledger.schema.json`.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Entry).to_value()
}
