//! The words of a case's further course: how demands follow on each other, how notices fail, what is done instead of a
//! disclosure, what emergencies turn out to be, and what answering costs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::ObjectId;

/// Most lines of a claim for costs.
pub const COST_LINES_MAX: usize = 64;
/// Most measures of one case.
pub const MEASURES_MAX: usize = 64;
/// Most flags of one package; more are counted.
pub const PACKAGE_FLAGS_MAX: usize = 200;
/// Longest name of a key or algorithm of a [`super::Body::SignatureVerified`], in characters.
pub const KEY_NAME_CHARS_MAX: usize = 128;
/// Longest flag, in bytes.
pub const PACKAGE_FLAG_BYTES_MAX: usize = 500;

/// What somebody must know of an object before its package leaves: that text lies hidden in it, or that nobody could tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageFlag {
    /// The object; none for what is true of the whole package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    /// Which attachment, where the object is a message: its part's number, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// What was found, in words. Never the hidden text.
    pub flag: String,
}

/// How a demand follows on an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// It is the earlier one, corrected: nothing is released on the earlier one any more.
    Amends,
    /// It takes the earlier one's place under another instrument: likewise.
    Supersedes,
    /// It comes beside it: the order to produce after one to preserve, the legal process after an emergency.
    FollowsUp,
}

impl Relation {
    /// Whether the earlier demand ends with it.
    pub fn replaces(self) -> bool {
        matches!(self, Self::Amends | Self::Supersedes)
    }
}

/// Why a notice told nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeFailure {
    /// It came back.
    Bounced,
    /// It could not safely go that way: somebody else reads that address, or telling there endangers a person. That forbids
    /// the way, never the telling.
    Unsafe,
}

/// What can be done on a demand that is none for stored data. There is none for keys or an ability to be built: no event can
/// say that one was given (P3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Data from now on was given to the authority by who runs lawful interception.
    Interception,
    /// An account, or what lies in it, was frozen.
    Freezing,
    /// Content was removed, or access to it disabled.
    Removal,
}

/// Who appealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AppealBy {
    /// We did.
    Provider,
    /// The authority did.
    Requester,
}

/// What an emergency turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmergencyFinding {
    /// There was one.
    Genuine,
    /// There was none, though who asked is who they said.
    Unfounded,
    /// Who asked was not who they said: data went to a stranger.
    Fraudulent,
}

/// A sum of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// In the currency's smallest unit.
    pub minor: u64,
}

/// A claim for what answering a demand cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostClaim {
    /// The law that gives it, as cited.
    pub basis: String,
    /// What it was for. At most [`COST_LINES_MAX`].
    pub lines: Vec<CostLine>,
    /// The lines' sum.
    pub total: Amount,
}

/// One line of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostLine {
    /// What: searching, assembling, reproducing.
    pub what: String,
    /// In the claim's currency's smallest unit.
    pub minor: u64,
}

/// How a claim for costs ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CostOutcome {
    /// Paid, in full or in part.
    Paid,
    /// Refused.
    Refused,
    /// Not pursued.
    Waived,
}

impl Amount {
    /// Whether the code has the form of ISO 4217's.
    pub fn has_currency(&self) -> bool {
        self.currency.len() == 3 && self.currency.bytes().all(|letter| letter.is_ascii_uppercase())
    }
}

impl CostClaim {
    /// Whether it names a law and adds up, with no line empty and no more than [`COST_LINES_MAX`].
    pub fn adds_up(&self) -> bool {
        let sum = self
            .lines
            .iter()
            .try_fold(0_u64, |sum, line| sum.checked_add(line.minor));
        !self.basis.trim().is_empty()
            && !self.lines.is_empty()
            && self.lines.len() <= COST_LINES_MAX
            && self
                .lines
                .iter()
                .all(|line| line.minor > 0 && !line.what.trim().is_empty())
            && self.total.has_currency()
            && sum == Some(self.total.minor)
    }
}
