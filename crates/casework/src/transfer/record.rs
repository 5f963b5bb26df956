//! The record of a transfer: what reviewers sign, the docket commits to, and the gate moves.

use envelope::moving::{KeyMove, MovesKeys};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use translog::entry::{Committed, Uncommittable};

use super::{Based, Data, Mode};
use crate::{
    canonical::CanonicalError,
    demand::Category,
    finding::RulebookRef,
    ids::{CaseId, Digest, RecordId, RegionId, TenantId},
};

/// What moves. Its digest is what reviewers sign and what the docket commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferRecord {
    /// Always `amparo.transfer/1`.
    pub schema: TransferSchema,
    /// Its own id.
    pub id: RecordId,
    /// The transfer.
    pub transfer: CaseId,
    /// Hash of the last event before this record was proposed: the bases, the assessment and the measures signed for.
    pub chain_head: Digest,
    /// Number of events up to and including that one.
    pub chain_length: u64,
    /// The rulebook under which it was judged.
    pub rulebook: RulebookRef,
    /// Whose data.
    pub tenant: TenantId,
    /// Where it lies.
    pub from: RegionId,
    /// Where it is to lie.
    pub to: RegionId,
    /// Which.
    pub data: Data,
    /// Whether the original stays.
    #[serde(default, skip_serializing_if = "Mode::is_move")]
    pub mode: Mode,
    /// Categories of data that may be among it.
    pub categories: Vec<Category>,
    /// When it was drawn up.
    pub drawn_at: Timestamp,
    /// After this the gate refuses it; what is not moved by then needs another.
    pub expires_at: Timestamp,
}

/// The schema tag of [`TransferRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferSchema {
    /// Version 1.
    #[serde(rename = "amparo.transfer/1")]
    V1,
}

impl TransferRecord {
    /// The docket's kind of entry for a transfer's record.
    pub const KIND: &'static str = envelope::moving::TRANSFER_KIND;

    /// The digest that reviewers sign and the docket commits to: SHA-256 over `amparo/transfer/v1`, a newline, and the
    /// record's canonical JSON.
    ///
    /// # Errors
    /// When the record has no JSON form.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        crate::canonical::digest("amparo/transfer/v1", self)
    }
}

impl Committed for TransferRecord {
    const KIND: &'static str = TransferRecord::KIND;
    fn digest(&self) -> Result<[u8; 32], Uncommittable> {
        TransferRecord::digest(self)
            .map(|digest| digest.0)
            .map_err(|error| Uncommittable(error.to_string()))
    }
}

/// A record together with the evidence that its transfer has a basis today: what re-wraps keys, once the docket has it.
#[derive(Debug)]
pub struct BasedRecord {
    record: TransferRecord,
    based: Based,
}

impl BasedRecord {
    /// Puts the two together.
    ///
    /// # Errors
    /// `None` where the evidence is of another transfer.
    pub fn new(record: TransferRecord, based: Based) -> Option<Self> {
        (record.transfer == based.transfer()).then_some(Self { record, based })
    }
    /// The record.
    pub fn record(&self) -> &TransferRecord {
        &self.record
    }
    /// Why the transfer is allowed.
    pub fn based(&self) -> &Based {
        &self.based
    }
}

impl Committed for BasedRecord {
    const KIND: &'static str = TransferRecord::KIND;
    fn digest(&self) -> Result<[u8; 32], Uncommittable> {
        Committed::digest(&self.record)
    }
}

impl MovesKeys for BasedRecord {
    fn moves(&self, key: &KeyMove<'_>) -> bool {
        let record = &self.record;
        let listed = match &record.data {
            Data::Bucket(_) => true,
            Data::Accounts(accounts) => accounts.iter().any(|account| account.as_str() == key.account),
        };
        listed
            && key.from == record.from.as_str()
            && key.to == record.to.as_str()
            && key.tenant == record.tenant.as_str()
            && record
                .categories
                .iter()
                .any(|category| category.name() == key.label.category)
    }
}
