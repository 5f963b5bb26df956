//! The end of a provider's key, by the provider's own means.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Fewest and most days that AWS KMS waits before a key is gone.
pub const WAITING_DAYS: std::ops::RangeInclusive<u8> = 7..=30;

/// How a key is to be destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndOrder {
    /// How long a provider that knows a waiting time waits: [`WAITING_DAYS`].
    pub waiting_days: u8,
}

/// What a provider answered to the order to destroy its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// What it said, or what was seen of it, in its own words where it has any.
    pub said: serde_json::Value,
    /// When the key is gone for good; none where it is already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
}
