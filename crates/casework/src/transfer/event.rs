//! What happens in a transfer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Assessment, Basis, Measure, Opening, TransferRecord};
use crate::{
    event::Content,
    ids::{RecordId, RuleId, StaffId},
};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TransferBody {
    /// It was opened.
    Opened {
        /// What moves, from where, to where.
        opening: Box<Opening>,
    },
    /// The legal basis was stated: one for each law that asks for one. Replaces what was stated before.
    BasisStated {
        /// All of them.
        bases: Vec<Basis>,
    },
    /// The assessment was recorded. Replaces the one before.
    Assessed {
        /// The six steps.
        assessment: Box<Assessment>,
    },
    /// Supplementary measures were taken. Replaces what was recorded before.
    MeasuresTaken {
        /// All of them.
        measures: Vec<Measure>,
    },
    /// Counsel decided what no rule does.
    Decided {
        /// Why.
        reason: String,
        /// Counsel's signature over [`super::signed_decision`], base64.
        signature: String,
    },
    /// What is to move was drawn up.
    Proposed {
        /// The record.
        record: Box<TransferRecord>,
    },
    /// A reviewer signed it.
    Approved {
        /// The record's id.
        record: RecordId,
        /// The reviewer.
        reviewer: StaffId,
        /// Ed25519 signature over [`super::transfer_approval_message`], base64.
        signature: String,
    },
    /// The record is in the docket.
    Logged {
        /// The record's id.
        record: RecordId,
        /// Its index in the docket.
        index: u64,
    },
    /// The move began, or went on after an interruption.
    Started {
        /// Objects to move, as counted now; what is written meanwhile comes on top.
        objects: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// How far it has come.
    Progress {
        /// Objects moved.
        objects: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Every object that was moved was read back and found equal.
    Verified {
        /// Objects.
        objects: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Nothing is left in the region that the data came from, or nothing there is without its copy.
    Done {
        /// When the last old copy was removed; of a copy, the last piece that was written in vain.
        removed_at: Timestamp,
    },
    /// Somebody stopped it. What was moved stays where it is; a transfer of its own moves the rest, or all of it back.
    Stopped {
        /// Why.
        reason: String,
    },
    /// Somebody gave a copy up: it is deleted, and the original stays.
    Withdrawn {
        /// Why.
        reason: String,
    },
    /// The copy is deleted, with every key that only it needed.
    CopyRemoved {
        /// Objects whose copies were deleted.
        objects: u64,
        /// Their bytes.
        bytes: u64,
        /// When the last was.
        removed_at: Timestamp,
    },
    /// The basis does not hold any more.
    Lapsed {
        /// The rules that say so.
        rules: Vec<RuleId>,
        /// In words.
        explanation: String,
    },
    /// The gate refused.
    Refused {
        /// The record's id.
        record: RecordId,
        /// The promise broken, as the gate named it.
        reason: String,
    },
    /// A remark that changes nothing.
    Note {
        /// The remark.
        text: String,
    },
}

impl Content for TransferBody {
    const LABEL: &'static str = "amparo/transfer-body/v1\n";
    /// No disclosure package holds a transfer.
    fn is_disclosed(&self) -> bool {
        false
    }
}
