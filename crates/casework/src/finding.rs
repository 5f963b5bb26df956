//! What the rulebook found about a demand.

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    demand::Category,
    ids::{Digest, RuleId},
};

/// A promise to the customer, by its number. The list with its sources is `docs/promises.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the number is the name; see docs/promises.md")]
pub enum Promise {
    P1,
    P2,
    P3,
    P4,
    P5,
    P6,
    P7,
    P8,
    P9,
    P10,
    P11,
    P12,
    P13,
    P14,
    P15,
    P16,
    P17,
    P18,
    P19,
    P20,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The data named cannot be released on this demand.
    Bar,
    /// A basis to challenge it: must end as filed and decided, narrowed, withdrawn, or answered by counsel.
    Ground,
    /// Something the provider must do.
    Duty,
    /// A date: a deadline, or a day before which nothing may happen.
    Clock,
}

/// One rule that applies, with everything a person needs to check it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// What it does.
    pub effect: Effect,
    /// The promise it serves.
    pub promise: Promise,
    /// The categories it touches; all of the demand's where the rule is about the demand as a whole.
    pub categories: Vec<Category>,
    /// Statute, case or guideline, as cited.
    pub citation: String,
    /// In one or two plain sentences, for somebody who is no lawyer.
    pub explanation: String,
    /// For duties: which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<DutyKind>,
    /// For clocks: the date, computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// Of rules that turn on prohibitions of notice: for which of the demand's the rule was found, in the order of
    /// [`crate::demand::Demand::gags`]. What rests on these alone ends with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gags: Vec<u32>,
}

/// Duties the case's course knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DutyKind {
    /// Ask the requester to go to the customer.
    Redirect,
    /// Tell the tenant before release.
    NotifyTenant,
    /// Tell the tenant after the event, where an emergency does not wait (P9).
    NotifyTenantAfterwards,
    /// A prohibition in force forbids telling the tenant; the late notice follows when it ends (P9).
    DoNotTellTenant,
    /// The provider must not tell the person itself (EPOC Art. 13).
    DoNotTellPerson,
    /// Call the authority back on a number found independently.
    CallBack,
    /// Object to the gag or record why there is no ground.
    ObjectToGag,
    /// Preserve, and do not produce yet.
    Preserve,
    /// Carried out, if at all, outside the disclosure of stored data, and recorded as a measure.
    ActApart,
    /// A senior reviewer must be among the two.
    SeniorReview,
    /// Ask the requester for what is missing.
    Clarify,
    /// Obtain the controller's instructions (GDPR Art. 28(3)(a)).
    ControllerInstructions,
}

/// A computed date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// What the date is.
    pub kind: ClockKind,
    /// The instant at which it falls, end of day in the law's own time zone.
    pub at: Timestamp,
    /// The civil date, in that zone.
    pub on: Date,
    /// How it was counted, in words.
    pub counted: String,
    /// A question or an objection is open and the period rests: the date given is the one if that ended on the day of
    /// assessment, and moves on with every day until it does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_rest: bool,
}

/// Kinds of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockKind {
    /// Answer by then.
    Deadline,
    /// Do not produce before then.
    NotBefore,
    /// The last day to object or file.
    ObjectBy,
    /// The day on which a gag, or a preservation, ends.
    Expires,
    /// Look by then whether a silence without a last day must go on. Each review sets the next day.
    ReviewBy,
}

/// Which rulebook was applied, as of which day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RulebookRef {
    /// SHA-256 over the rulebook's canonical bundle.
    pub digest: Digest,
    /// The day whose law was applied.
    pub as_of: Date,
    /// Version of the rulebook language, apart from the program's.
    pub language: String,
}

/// Everything the rulebook found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assessment {
    /// What was applied.
    pub rulebook: RulebookRef,
    /// In the order: bars, grounds, duties, clocks; by rule id within each.
    pub findings: Vec<Finding>,
    /// Categories on which no bar lies.
    pub releasable: Vec<Category>,
}
