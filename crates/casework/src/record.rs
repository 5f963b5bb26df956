//! The release record: exactly what is released, to whom, until when. Two reviewers sign it; the docket holds it; the
//! gate opens what it names and nothing else.

use envelope::keys::Label;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    demand::{Category, Window},
    event::Scope,
    finding::RulebookRef,
    ids::{AccountId, CaseId, Digest, ObjectId, RecordId, RegionId, TenantId},
};

/// Most objects that one record may name. A larger release is several records.
pub const OBJECTS_MAX: usize = 100_000;

/// What is released. Its digest is what reviewers sign and what the docket commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRecord {
    /// Always `amparo.release/1`.
    pub schema: RecordSchema,
    /// Its own id, used once.
    pub id: RecordId,
    /// The case it ends.
    pub case: CaseId,
    /// Hash of the last event before this record was proposed. The gate replays the chain up to it.
    pub chain_head: Digest,
    /// Number of events up to and including that one.
    pub chain_length: u64,
    /// The rulebook under which the case was judged.
    pub rulebook: RulebookRef,
    /// The accounts, each with its tenant and region.
    pub accounts: Vec<AccountRef>,
    /// The categories.
    pub categories: Vec<Category>,
    /// The time the data must concern; absent only where the instrument covers all time (subscriber data).
    pub window: Option<Window>,
    /// Every object, by id ascending.
    pub objects: Vec<ReleasedObject>,
    /// Who receives it.
    pub recipient: Recipient,
    /// When it was drawn up.
    pub drawn_at: Timestamp,
    /// After this the gate refuses it.
    pub expires_at: Timestamp,
}

/// The schema tag of [`ReleaseRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RecordSchema {
    /// Version 1.
    #[serde(rename = "amparo.release/1")]
    V1,
}

/// One account in one region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRef {
    /// The customer.
    pub tenant: TenantId,
    /// Its account.
    pub account: AccountId,
    /// Where its data lies.
    pub region: RegionId,
}

/// One object that the record names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleasedObject {
    /// Its id.
    pub object: ObjectId,
    /// Whose it is and where.
    #[serde(flatten)]
    pub account: AccountRef,
    /// What it is.
    pub category: Category,
    /// The time it concerns (a message's own date, say).
    pub concerns_at: Timestamp,
    /// Plaintext length in bytes.
    pub size: u64,
    /// Commitment to the plaintext, made when it was stored: `HMAC-SHA-256(opening, content digest)`. The opening is
    /// derived from the object's key and goes into the package, so that a stranger can check the content against this
    /// record; no key leaves.
    pub commitment: Digest,
    /// SHA-256 of the wrapped object key: which key opens.
    pub key: Digest,
}

/// Who receives a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// Name of the authority or officer.
    pub name: String,
    /// Its age recipient, `age1...`.
    pub age: String,
}

/// What an object's key is wrapped for: its category, and the time it concerns cut to the microsecond, as it is kept.
pub fn label(category: Category, concerns_at: Timestamp) -> Label {
    Label {
        category: category.name().to_owned(),
        concerns_at: concerns_at.as_microsecond(),
    }
}

impl ReleaseRecord {
    /// The docket's kind of entry for a release record.
    pub const KIND: &'static str = "release";

    /// What it covers, as demands and narrowings say it: accounts wherever they lie, categories, window.
    pub fn scope(&self) -> Scope {
        Scope {
            accounts: self
                .accounts
                .iter()
                .map(|a| (a.tenant.clone(), a.account.clone()))
                .collect(),
            categories: self.categories.clone(),
            window: self.window,
        }
    }

    /// Whether it names no dates although it must: all but subscriber data, which describes an account and no moment, is
    /// released for a window of time.
    pub fn lacks_dates(&self) -> bool {
        self.window.is_none()
            && self
                .categories
                .iter()
                .any(|category| *category != Category::Subscriber)
    }

    /// The digest that reviewers sign and the docket commits to: SHA-256 over `amparo/release/v1`, a newline, and the
    /// record's canonical JSON.
    ///
    /// # Errors
    /// When the record has no JSON form.
    pub fn digest(&self) -> Result<Digest, crate::canonical::CanonicalError> {
        crate::canonical::digest("amparo/release/v1", self)
    }
}
