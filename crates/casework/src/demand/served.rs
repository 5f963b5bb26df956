//! When a demand says that it was served, against when it came.

use jiff::{SignedDuration, Timestamp};

use super::{Category, Demand, DemandError};

/// How far a requester's clock may be ahead of ours.
pub const CLOCKS_APART_MAX: SignedDuration = SignedDuration::from_hours(1);

impl Demand {
    /// Checks that it was served before `at`, when it was here: clocks of the law run from service, and one that lies in the
    /// future would give time that nobody has.
    ///
    /// # Errors
    /// When it says that it was served later, by more than [`CLOCKS_APART_MAX`].
    pub fn served_by(&self, at: Timestamp) -> Result<(), DemandError> {
        let latest = at.saturating_add(CLOCKS_APART_MAX).unwrap_or(Timestamp::MAX);
        if self.served_at > latest {
            return Err(DemandError::NotServedYet {
                served_at: self.served_at,
                at,
            });
        }
        Ok(())
    }

    /// Whether data that concerns `concerns_at` was there to be demanded: at service, for what comes later is no stored data
    /// (P4; 18 U.S.C. 2511(1), 3121(a)). Subscriber data describes an account and no moment.
    pub fn found_there(&self, category: Category, concerns_at: Timestamp) -> bool {
        category == Category::Subscriber || concerns_at <= self.served_at
    }
}
