//! Transfers of a customer's data between regions (P19): a matter with a chain of its own.
//!
//! A transfer moves data or copies it. It is opened, gets a legal basis, and, where the basis asks for it, an assessment and measures; two people
//! approve exactly what will move; its record goes into the docket; only then the gate re-wraps keys. [`judge`] says
//! whether the basis holds on a day, from the chain and the rulebook alone, and [`Based`] is the evidence that it does:
//! neither the mover nor the gate moves anything without one.

mod admit;
mod event;
mod file;
mod judge;
mod order;
mod record;
mod register;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use admit::{AdmittedTransfer, ShownTransfer, admit};
pub use event::TransferBody;
pub use file::{Approval, Decision, Lapse, Stage, Transfer};
pub use judge::{Based, Outcome, Reason, Verdict, judge};
pub use record::{BasedRecord, TransferRecord, TransferSchema};
pub use register::{Entry, Hanging, register};

use crate::{
    chain::MatterChain,
    demand::{Category, CountryCode},
    ids::{AccountId, CaseId, Digest, RegionId, RuleId, TenantId},
    rulebook::Role,
};

/// A transfer's chain.
pub type TransferChain = MatterChain<Transfer>;

/// Most accounts that one transfer may name. Move a bucket, or open another transfer, for more.
pub const ACCOUNTS_MAX: usize = 1_000;
/// Longest text in a transfer, in bytes: a purpose, a step of the assessment, a measure.
pub const TEXT_MAX: usize = 16 * 1024;
/// Most bases, marks, measures or sources that one event may state.
pub const ITEMS_MAX: usize = 100;
/// Most accounts that may move on a derogation. No law gives a number: a derogation is for single cases, so this is small.
pub const DEROGATION_ACCOUNTS_MAX: usize = 10;

/// What a transfer moves or copies, from where, to where, for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Whose data.
    pub tenant: TenantId,
    /// Where that customer is established: its law goes with its data.
    pub tenant_country: CountryCode,
    /// Where the data lies.
    pub from: Place,
    /// Where it is to lie, or its copy.
    pub to: Place,
    /// Which data.
    pub data: Data,
    /// Whether the original stays.
    #[serde(default, skip_serializing_if = "Mode::is_move")]
    pub mode: Mode,
    /// Categories of data that may be among it.
    pub categories: Vec<Category>,
    /// What for.
    pub purpose: String,
    /// Who receives it there.
    pub importer: Importer,
}

/// Whether the original stays. The law asks for the same basis either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The data lies in the other region afterwards, and nowhere else. What says nothing moves.
    #[default]
    Move,
    /// The data stays, and what lay there when the copy was made lies in the other region, too, under keys of that region.
    Copy,
}

impl Mode {
    /// Whether it moves.
    pub fn is_move(&self) -> bool {
        *self == Self::Move
    }
}

/// A region and the country whose law governs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The region.
    pub region: RegionId,
    /// Its country.
    pub country: CountryCode,
}

/// Which data moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// What lies under these accounts in the region.
    Accounts(Vec<AccountId>),
    /// A bucket with everything in it.
    Bucket(String),
}

/// Who receives the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Importer {
    /// Its name.
    pub name: String,
    /// What is shown of it, or of the transfer, beside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<Shown>,
}

/// Something that was shown: a certificate that somebody looked up, keys that somebody checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// What, by its name in the rulebook's table of marks.
    pub mark: String,
    /// How: where it was looked up, by whom.
    pub how: String,
    /// When.
    pub checked_on: Date,
}

/// A legal basis, as somebody states it. Which row of the rulebook it rests on says whose law it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Basis {
    /// A decision that the country, or such importers there, protect the data adequately (GDPR Art. 45).
    Adequacy {
        /// The decision.
        decision: RuleId,
    },
    /// Standard clauses (GDPR Art. 46(2)(c)).
    Clauses {
        /// Which, with their module.
        clauses: RuleId,
        /// What the exporter is.
        #[schemars(with = "String")]
        exporter: Role,
        /// What the importer is.
        #[schemars(with = "String")]
        importer: Role,
        /// When they were concluded.
        concluded_on: Date,
        /// Where the signed contract is.
        reference: String,
    },
    /// Binding corporate rules (GDPR Art. 47).
    BindingRules {
        /// Under which law.
        rules: RuleId,
        /// The authority's approval.
        approval: String,
        /// When it was given.
        approved_on: Date,
    },
    /// An exception for a single case (GDPR Art. 49).
    Derogation {
        /// Which.
        ground: RuleId,
        /// Why it holds here.
        why: String,
        /// Whether it happens occasionally.
        occasional: bool,
        /// Transfers of this customer between these regions that rested on a derogation before.
        earlier: u32,
    },
}

impl Basis {
    /// The row of the rulebook that it rests on.
    pub fn rests_on(&self) -> &RuleId {
        match self {
            Self::Adequacy { decision } => decision,
            Self::Clauses { clauses, .. } => clauses,
            Self::BindingRules { rules, .. } => rules,
            Self::Derogation { ground, .. } => ground,
        }
    }
}

/// The assessment, after the six steps of the EDPB's Recommendations 01/2020.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    /// 1. Know your transfer: what goes, where, through whom, onward to whom.
    pub transfer: String,
    /// 2. Verify the tool that it rests on.
    pub tool: String,
    /// 3. Assess law and practice there.
    pub law: LawThere,
    /// In words, with what was read.
    pub law_explained: String,
    /// What was read: statutes, judgments, reports.
    pub sources: Vec<String>,
    /// 4. Identify measures: the situation that it falls under, by its id in the rulebook.
    pub use_case: RuleId,
    /// 5. Formal steps that the measures ask for.
    pub procedure: String,
    /// 6. The last day before which it is made anew.
    pub re_evaluate_on: Date,
}

/// What was found of the law there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LawThere {
    /// Nothing that keeps the importer from what the basis asks of it.
    Unproblematic,
    /// Something does, on paper; in practice it is not applied to such data or importers.
    ProblematicNotApplied,
    /// Something does.
    Problematic,
}

/// A measure that supplements the basis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Of which kind.
    pub kind: MeasureKind,
    /// What it is.
    pub what: String,
}

/// Kinds of measure. Only technical ones keep authorities out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum MeasureKind {
    Technical,
    Contractual,
    Organisational,
}

/// The bytes a reviewer signs to approve a transfer's record.
pub fn transfer_approval_message(record: &Digest) -> Vec<u8> {
    format!("amparo/transfer-approval/v1\n{record}\n").into_bytes()
}

/// The bytes counsel signs to decide what no rule does: the transfer, the matter as it then stood
/// ([`Transfer::matter`]), and the reason.
pub fn signed_decision(transfer: CaseId, matter: &Digest, reason: &str) -> Vec<u8> {
    format!("amparo/transfer-decision/v1\n{transfer}\n{matter}\n{reason}").into_bytes()
}
