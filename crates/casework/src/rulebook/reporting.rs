//! Publishing figures on national security process: which bands, how late, and what stays out (50 U.S.C. 1874).
//!
//! The statute's structures are rows of the rulebook; here stands the arithmetic alone. A provider chooses one structure
//! and keeps to it: figures in two, side by side, would narrow each other's bands.

use std::collections::BTreeMap;

use jiff::{Span, ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Rulebook, rule::Source};

/// One lawful way to publish figures: its bands, its buckets and its delays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// What it is, as a heading.
    pub title: String,
    /// The paragraph that allows it.
    pub citation: String,
    /// The day on which it was last checked.
    pub verified_on: Date,
    /// What was read to check it.
    pub source: Source,
    /// How wide each band is; the first begins at nothing.
    pub band: u64,
    /// How often figures may be published, in months.
    pub every_months: u8,
    /// What is counted, each apart.
    pub bucket: BTreeMap<String, Bucket>,
    /// Days for which a first order on a platform, product or service never reached before stays out of the figures.
    #[serde(default)]
    pub new_service_days: Option<u16>,
}

/// One figure of a structure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// What is counted.
    pub title: String,
    /// How long the period is that one figure covers.
    pub period: Length,
    /// How long before publication the period must have ended; absent, not at all.
    #[serde(default)]
    pub delay: Length,
    /// Whether a first order on a new service stays out of it for the time that the structure says.
    #[serde(default)]
    pub delays_new_services: bool,
    /// Whether the figure may be split by the authority that each order rests on.
    #[serde(default)]
    pub split_by_authority: bool,
}

/// A length of time, in days or years.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Length {
    /// Days.
    pub days: u16,
    /// Years.
    pub years: u8,
}

/// A band: the true figure lies from `least` to `most`, both included, and nothing more is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Band {
    /// Lowest figure inside.
    pub least: u64,
    /// Highest figure inside.
    pub most: u64,
}

/// First and last day that a figure covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First day.
    pub first: Date,
    /// Last day.
    pub last: Date,
}

impl Structure {
    /// The band in which a figure is published. Nothing falls in the first band, and is never told from it.
    pub fn band_of(&self, figure: u64) -> Band {
        let width = self.band.max(1);
        let least = figure.saturating_sub(figure % width);
        Band {
            least,
            most: least.saturating_add(width.saturating_sub(1)),
        }
    }

    /// The latest period that a bucket's figure may cover when it is published on that day; nothing where the structure
    /// has no such bucket.
    pub fn period(&self, bucket: &str, published_on: Date) -> Option<Period> {
        let bucket = self.bucket.get(bucket)?;
        let last = if bucket.delay == Length::default() {
            published_on.yesterday().ok()?
        } else {
            published_on.checked_sub(bucket.delay.span()).ok()?
        };
        let before = last.checked_sub(bucket.period.span()).ok()?;
        Some(Period {
            first: before.tomorrow().ok()?,
            last,
        })
    }

    /// The first day on whose publication an order may be counted in a bucket: after the bucket's delay, and after the
    /// longer one where the order was the first on a new service.
    pub fn counts_from(&self, bucket: &str, received_on: Date, first_on_new_service: bool) -> Option<Date> {
        let row = self.bucket.get(bucket)?;
        let delayed = if row.delay == Length::default() {
            received_on.tomorrow().ok()?
        } else {
            received_on.checked_add(row.delay.span()).ok()?
        };
        let new_service = self
            .new_service_days
            .filter(|_| row.delays_new_services && first_on_new_service);
        match new_service {
            Some(days) => Some(received_on.checked_add(i64::from(days).days()).ok()?.max(delayed)),
            None => Some(delayed),
        }
    }
}

impl Length {
    fn span(self) -> Span {
        Span::new()
            .days(i32::from(self.days))
            .years(i16::from(self.years))
    }
}

impl Rulebook {
    /// The ways to publish figures that its tables have, by id.
    pub fn reporting(&self) -> impl Iterator<Item = (&str, &Structure)> {
        self.tables.reporting.iter().map(|(id, row)| (id.as_str(), row))
    }
}
