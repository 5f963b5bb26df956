//! The words that events use: roads, outcomes, decisions, scopes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    demand::{Category, Window},
    ids::{AccountId, TenantId},
};

/// By which road a demand came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Channel {
    Portal,
    Api,
    Email,
    Hi1,
    CommandLine,
    Paper,
}

/// What came of a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedirectOutcome {
    /// The requester goes to the customer.
    Accepted,
    /// The requester insists.
    Refused,
    /// No answer in the time given.
    Unanswered,
}

/// What a court or authority decided on a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// For the customer: what was challenged falls.
    Won,
    /// Against: what was challenged stands.
    Lost,
    /// Partly: the scope must be narrowed before anything is released.
    Partly,
}

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Outcome {
    Disclosed,
    PartlyDisclosed,
    Rejected,
    Withdrawn,
    Redirected,
    NoData,
    ObjectionUpheld,
    /// What was to be kept was kept, and its time is over.
    Preserved,
    /// Another demand took its place.
    Superseded,
    /// Data from now on was given, outside this system.
    Intercepted,
    /// An account was frozen.
    Frozen,
    /// Content was removed.
    Removed,
    /// A key, decryption or an ability was asked for, and refused (P3).
    AbilityRefused,
}

/// What a demand covers after narrowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Accounts that remain.
    pub accounts: Vec<(TenantId, AccountId)>,
    /// Categories that remain.
    pub categories: Vec<Category>,
    /// Window that remains.
    pub window: Option<Window>,
}
