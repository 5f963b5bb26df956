//! What happens to a demand after its service: later prohibitions of notice, questions and objections, renewals.

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Gag, is_false};
use crate::ids::RuleId;

/// What happened to a demand after service, as far as the law's clocks and silences turn on it.
///
/// Given by hand, it lets a demand be judged as it stands months later. A case takes it from its own events alone, the
/// prohibitions apart, which go into its ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sequel {
    /// Prohibitions of notice beside the demand's own: of later orders, or several at once. At most [`GAGS_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gags: Vec<Gag>,
    /// Questions and objections that were filed: the law lets some of its clocks rest meanwhile. At most [`PAUSES_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// Periods that were made longer. At most [`EXTENSIONS_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Extension>,
    /// The day on which somebody last looked whether the silence must go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_reviewed_on: Option<Date>,
    /// The day on which the authority was told that a court shall review its silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_objected_on: Option<Date>,
    /// The authority confirmed that an order to produce follows (Regulation (EU) 2023/1543, Annex V).
    #[serde(skip_serializing_if = "is_false")]
    pub production_follows: bool,
}

impl Sequel {
    /// Nothing happened.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Most prohibitions of notice that a demand may come to have.
pub const GAGS_MAX: usize = 16;
/// Most questions and objections that its clocks are counted with.
pub const PAUSES_MAX: usize = 64;
/// Most renewals and extensions that its clocks are counted with.
pub const EXTENSIONS_MAX: usize = 16;

/// The time during which a question or an objection was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// The ground on which it was filed: `eu.epoc.incomplete`.
    pub by: RuleId,
    /// When it was filed.
    pub from: Timestamp,
    /// When it was answered or decided; absent as long as it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A period made longer: by a renewed request, by agreement or by a court.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// The rule whose date moves: `us.preserve.2703f.expires`.
    pub clock: RuleId,
    /// The day on which the renewal arrived, or the extension was applied for. One after the end extends nothing.
    pub on: Date,
    /// The new last day, where the law leaves that to agreement or to a court. A renewal has the law's own length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}
