//! Slots: what a day's places hold, and when a day ends.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Opening;
use crate::{
    canonical::{CanonicalError, to_canonical_json},
    ids::{Digest, TenantId},
};

/// What one place of a slot holds: the releases of one case, or of several where a day had more cases than places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotContent {
    /// Whose ledger it is in.
    pub tenant: TenantId,
    /// The slot's day.
    #[schemars(with = "String")]
    pub day: Date,
    /// What was opened, in order.
    pub openings: Vec<SealedOpening>,
}

/// An opening that was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedOpening {
    /// When it was written, before the keys opened.
    pub at: Timestamp,
    /// What it is.
    pub opening: Opening,
}

/// A place that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Which one, from 0.
    pub place: usize,
    /// 32 random bytes, hex.
    pub salt: Digest,
    /// What the commitment is to.
    pub content: SlotContent,
}

impl SlotContent {
    /// The commitment that stands in the slot: `SHA-256("amparo/ledger-place/v1\n" || salt || canonical JSON)`.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn commitment(&self, salt: &Digest) -> Result<Digest, CanonicalError> {
        Ok(Digest::of(&[
            b"amparo/ledger-place/v1\n",
            &salt.0,
            &to_canonical_json(self)?,
        ]))
    }
}

/// The day of a moment, in UTC.
pub fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// The first moment after a day, in UTC. `None` at the end of time.
pub fn ends_at(day: Date) -> Option<Timestamp> {
    let next = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(next.timestamp())
}
