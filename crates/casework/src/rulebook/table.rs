//! The rulebook's tables: instruments, clocks, calendars and dated lists, read from TOML.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use crate::{
    demand::{AuthorityKind, Category, CountryCode},
    finding::ClockKind,
    ids::InstrumentId,
};

/// One file of tables, or all of them together.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tables {
    pub(super) instrument: BTreeMap<InstrumentId, Instrument>,
    pub(super) clock: BTreeMap<String, ClockRow>,
    pub(super) calendar: BTreeMap<String, Calendar>,
    pub(super) list: BTreeMap<String, List>,
}

/// An instrument of some country's law: who may issue it, and what it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// What lawyers call it.
    pub name: String,
    /// The law it rests on.
    pub basis: String,
    /// Whether this rulebook has its rules. Where not, it is known by name alone, and bars.
    #[serde(default = "yes")]
    pub built: bool,
    /// Families of instruments that rules speak of together.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Countries whose authorities can use it. With `country_list` absent too: any.
    #[serde(default)]
    pub countries: Vec<CountryCode>,
    /// A dated list of countries whose authorities can use it.
    #[serde(default)]
    pub country_list: Option<String>,
    /// Who may issue it. Empty: anybody.
    #[serde(default)]
    pub issuers: Vec<AuthorityKind>,
    /// Whose validation makes another's order good.
    #[serde(default)]
    pub validators: Vec<AuthorityKind>,
    /// Ranks that may sign it, lower case, as `issuer.title` gives them. Empty: any.
    #[serde(default)]
    pub titles: Vec<String>,
    /// What it can reach. Nothing else is ever releasable on it.
    #[serde(default)]
    pub categories: Vec<Category>,
    /// When a prohibition of notice that comes with it binds.
    #[serde(default)]
    pub gag: GagMode,
    /// Its calendar, for clocks that name none.
    pub calendar: String,
    /// First day of the law.
    #[serde(default)]
    pub from: Option<Date>,
    /// Last day of the law.
    #[serde(default)]
    pub until: Option<Date>,
    /// The day on which this row was last checked.
    pub verified_on: Date,
}

/// When a prohibition of notice binds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GagMode {
    /// Only when a court ordered it.
    #[default]
    CourtOrder,
    /// When certified, and the recipient was told of its right to review.
    CertifiedWithReviewNotice,
    /// Whenever the issuer says so.
    Issuer,
    /// Never, under the law that governs the data.
    Never,
}

/// A period, and what it counts from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockRow {
    pub(super) kind: ClockKind,
    pub(super) start: Start,
    #[serde(default)]
    pub(super) days: Option<u16>,
    #[serde(default)]
    pub(super) hours: Option<u16>,
    /// Defaults to the instrument's.
    #[serde(default)]
    pub(super) calendar: Option<String>,
    /// Whether a last day on a weekend or holiday moves to the next working day.
    #[serde(default)]
    pub(super) roll: bool,
}

/// What a period counts from.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Start {
    /// Service on the provider.
    Service,
    /// The date by which the demand asks for an answer.
    ReturnDate,
    /// The last day of the prohibition of notice.
    GagEnd,
}

/// Countries of which something holds, each from a day and perhaps until one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    /// What holds of them.
    #[serde(rename = "title")]
    _title: String,
    /// Where it is laid down.
    #[serde(rename = "citation")]
    _citation: String,
    /// When it was last checked: lists change without the law changing.
    #[serde(rename = "verified_on")]
    _verified_on: Date,
    pub(super) entries: Vec<Entry>,
}

/// One country on a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) country: CountryCode,
    #[serde(default)]
    from: Option<Date>,
    #[serde(default)]
    until: Option<Date>,
    #[serde(default, rename = "remark")]
    _remark: Option<String>,
}

impl List {
    /// Whether the country stands on the list on that day.
    pub(super) fn holds(&self, country: &CountryCode, on: Date) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.country == *country && within(on, entry.from, entry.until))
    }
}

impl Instrument {
    /// Whether its law is in force on that day.
    pub fn in_force(&self, on: Date) -> bool {
        within(on, self.from, self.until)
    }
}

/// Whether a day lies between two others, both included, absent ones being without limit.
pub(super) fn within(on: Date, from: Option<Date>, until: Option<Date>) -> bool {
    from.is_none_or(|from| from <= on) && until.is_none_or(|until| on <= until)
}

fn yes() -> bool {
    true
}
