//! The story's time: seventy-one days of it, which pass in a minute and end today.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp, civil::Date};
use service::app::clock::Clock;

/// How many days the story takes.
pub const STORY_DAYS: i64 = 71;

/// The machine's clock, set back; it moves on by itself, and by whole days when the story says so.
pub struct StoryClock {
    days_behind: AtomicI64,
}

impl StoryClock {
    /// A clock this many days behind.
    pub fn days_ago(days: i64) -> Self {
        Self {
            days_behind: AtomicI64::new(days),
        }
    }

    /// Lets days pass.
    pub fn pass(&self, days: i64) {
        self.days_behind.fetch_sub(days, Ordering::SeqCst);
    }
}

impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        let behind = SignedDuration::from_hours(24 * self.days_behind.load(Ordering::SeqCst));
        let now = Timestamp::now();
        now.checked_sub(behind).unwrap_or(now)
    }
}

/// Days the story turns on, all counted from the day it starts.
pub struct Calendar {
    /// The first day.
    pub start: Date,
}

impl Calendar {
    /// `days` after the first; the last representable day should that not exist.
    pub fn day(&self, days: i32) -> String {
        self.start
            .saturating_add(jiff::Span::new().days(days))
            .to_string()
    }

    /// The morning of that day.
    pub fn instant(&self, days: i32) -> String {
        format!("{}T00:00:00Z", self.day(days))
    }
}
