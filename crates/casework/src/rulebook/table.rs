//! The rulebook's tables: instruments, clocks, calendars, dated lists and dated facts, read from TOML.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    calendar::Calendar,
    reporting::Structure,
    rule::Source,
    transfers::{BasisRow, Check, Mark, Regime, UseCase, Words},
};
use crate::{
    demand::{AuthorityKind, Category, CountryCode},
    finding::ClockKind,
    ids::{InstrumentId, RuleId},
};

/// One file of tables, or all of them together.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tables {
    pub(super) instrument: BTreeMap<InstrumentId, Instrument>,
    pub(super) clock: BTreeMap<String, ClockRow>,
    pub(super) calendar: BTreeMap<String, Calendar>,
    pub(super) list: BTreeMap<String, List>,
    pub(super) fact: BTreeMap<String, DatedFact>,
    pub(super) jurisdiction: BTreeMap<String, Jurisdiction>,
    pub(super) work: BTreeMap<String, Work>,
    /// Folders that list works, and so must cite none but those that some table has.
    #[serde(skip)]
    pub(super) folders_with_works: BTreeSet<String>,
    pub(super) reporting: BTreeMap<String, Structure>,
    pub(super) regime: BTreeMap<String, Regime>,
    pub(super) basis: BTreeMap<RuleId, BasisRow>,
    pub(super) use_case: BTreeMap<RuleId, UseCase>,
    pub(super) mark: BTreeMap<String, Mark>,
    pub(super) transfer_check: BTreeMap<Check, Words>,
}

/// An instrument of some country's law: who may issue it, and what it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// What lawyers call it.
    pub name: String,
    /// The law it rests on.
    pub basis: String,
    /// What it is for. Only `disclosure` ever releases stored data.
    #[serde(default)]
    pub kind: InstrumentKind,
    /// Whether this rulebook has its rules. Where not, it is known by name alone, and bars.
    #[serde(default = "yes")]
    pub built: bool,
    /// Agreed on, and in force nowhere yet: it bars until a day stands in `from` instead.
    #[serde(default)]
    pub pending: bool,
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
    /// The clock within which the issuer must answer a question, where its law has one.
    #[serde(default)]
    pub answer_clock: Option<String>,
    /// Grounds that are questions to the issuer: once filed, they wait for its answer.
    #[serde(default)]
    pub questions: Vec<RuleId>,
    /// The rule that says until when what was preserved is kept, where its law has one.
    #[serde(default)]
    pub keeping_rule: Option<RuleId>,
    /// The law that has the authority pay what answering costs, as cited, where there is one.
    #[serde(default)]
    pub costs: Option<String>,
    /// First day of the law.
    #[serde(default)]
    pub from: Option<Date>,
    /// Last day of the law.
    #[serde(default)]
    pub until: Option<Date>,
    /// The day on which this row was last checked.
    pub verified_on: Date,
    /// What was read to check it; absent, it was written from memory.
    #[serde(default)]
    pub source: Source,
}

/// What an instrument is for, and so which course a case under it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstrumentKind {
    /// Stored data is disclosed, once every promise is kept.
    #[default]
    Disclosure,
    /// Stored data is kept as it is; nothing is disclosed.
    Preservation,
    /// Data from now on: never run through the disclosure of stored data.
    Interception,
    /// Keys, decryption or an ability to be built: refused and objected to (P3).
    Capability,
    /// An account, or what lies in it, is to be frozen; nothing is disclosed.
    Freezing,
    /// Content is to be removed, or access to it disabled; nothing is disclosed.
    Removal,
    /// Forbids telling somebody, and discloses nothing.
    Silence,
    /// No process at all.
    Request,
    /// In no table, or known by name alone.
    #[serde(skip_deserializing)]
    Unknown,
}

impl InstrumentKind {
    /// Every kind that a row can have.
    pub(super) const ALL: [Self; 8] = [
        Self::Disclosure,
        Self::Preservation,
        Self::Interception,
        Self::Capability,
        Self::Freezing,
        Self::Removal,
        Self::Silence,
        Self::Request,
    ];

    /// The group in which every instrument of this kind stands, beside those that its row names.
    pub(super) const fn group(self) -> &'static str {
        match self {
            Self::Disclosure => "kind.disclosure",
            Self::Preservation => "kind.preservation",
            Self::Interception => "kind.interception",
            Self::Capability => "kind.capability",
            Self::Freezing => "kind.freezing",
            Self::Removal => "kind.removal",
            Self::Silence => "kind.silence",
            Self::Request => "kind.request",
            Self::Unknown => "unknown",
        }
    }
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
    #[serde(default)]
    pub(super) months: Option<u16>,
    /// Days on which the calendar works; a period in them needs no rolling.
    #[serde(default)]
    pub(super) working_days: Option<u16>,
    /// Defaults to the instrument's.
    #[serde(default)]
    pub(super) calendar: Option<String>,
    /// Whether a last day on a weekend or holiday moves to the next working day.
    #[serde(default)]
    pub(super) roll: bool,
    /// Grounds on which a question or an objection, once filed, makes the period rest until it is answered or decided.
    #[serde(default)]
    pub(super) rests_for: Vec<RuleId>,
    /// Whether it rests while the issuer owes an answer (`epoc.clarification_unanswered_since`).
    #[serde(default)]
    pub(super) rests_while_asked: bool,
    /// What a renewal that arrives before the end adds, in days.
    #[serde(default)]
    pub(super) renewal_days: Option<u16>,
    /// How many renewals the law knows.
    #[serde(default)]
    pub(super) renewals_max: Option<u8>,
    /// Whether agreement or a court can put a later day in its place, applied for before the end.
    #[serde(default)]
    pub(super) extendable: bool,
}

impl ClockRow {
    /// Whether it runs for one prohibition of notice, and so once for each.
    pub(super) fn is_of_a_gag(&self) -> bool {
        matches!(self.start, Start::GagEnd | Start::Silence)
    }
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
    /// The day on which the provider asked the issuer for what is missing, unanswered so far.
    Clarification,
    /// The first day of a silence, or of the last look at whether it must go on.
    Silence,
    /// The day on which the authority was told that a court shall review its silence.
    SilenceObjected,
}

/// Countries of which something holds, each from a day and perhaps until one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    /// What holds of them.
    #[serde(rename = "title")]
    _title: String,
    /// Where it is laid down.
    pub(super) citation: String,
    /// When it was last checked: lists change without the law changing.
    #[serde(rename = "verified_on")]
    _verified_on: Date,
    #[serde(default, rename = "source")]
    _source: Source,
    pub(super) entries: Vec<Entry>,
}

/// One country on a list.
#[derive(Debug, Deserialize)]
#[serde(from = "EntryRow")]
pub(super) struct Entry {
    pub(super) country: CountryCode,
    pub(super) span: Span,
}

/// As the file writes it, in one line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryRow {
    country: CountryCode,
    #[serde(default)]
    from: Option<Date>,
    #[serde(default)]
    until: Option<Date>,
    #[serde(default, rename = "source")]
    _source: Option<Source>,
    #[serde(default, rename = "verified_on")]
    _verified_on: Option<Date>,
    #[serde(default, rename = "remark")]
    _remark: Option<String>,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        Self {
            country: row.country,
            span: Span {
                from: row.from,
                until: row.until,
                _source: None,
                _verified_on: None,
                _remark: None,
            },
        }
    }
}

/// Something that holds of the world from a day and perhaps until one, and that rules turn on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatedFact {
    /// What holds, in a sentence.
    #[serde(rename = "title")]
    _title: String,
    /// Where it is laid down, or reported.
    pub(super) citation: String,
    #[serde(rename = "verified_on")]
    _verified_on: Date,
    #[serde(default, rename = "source")]
    _source: Source,
    /// Empty: it has never held so far.
    pub(super) spans: Vec<Span>,
}

/// First and last day, both included, each absent where there is none, and who says so where that differs from the
/// table's own source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    #[serde(default)]
    pub(super) from: Option<Date>,
    #[serde(default)]
    pub(super) until: Option<Date>,
    #[serde(default, rename = "source")]
    _source: Option<Source>,
    #[serde(default, rename = "verified_on")]
    _verified_on: Option<Date>,
    #[serde(default, rename = "remark")]
    _remark: Option<String>,
}

/// A country, or a body of law: what the first part of its instruments' ids stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jurisdiction {
    /// Its name, as a heading.
    pub title: String,
    /// What a requester should know first, in a sentence or two.
    #[serde(default)]
    pub introduction: String,
}

/// A statute, a report of cases, a guideline: what citations begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Its full name.
    pub title: String,
    /// Where to read it.
    #[serde(rename = "where")]
    pub place: String,
}

impl List {
    /// Whether the country stands on the list on that day.
    pub(super) fn holds(&self, country: &CountryCode, on: Date) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.country == *country && entry.span.holds(on))
    }
}

impl DatedFact {
    /// Whether it holds on that day.
    pub(super) fn holds(&self, on: Date) -> bool {
        self.spans.iter().any(|span| span.holds(on))
    }
}

impl Span {
    pub(super) fn holds(&self, on: Date) -> bool {
        within(on, self.from, self.until)
    }

    /// Whether its last day comes before its first.
    pub(super) fn backwards(&self) -> bool {
        backwards(self.from, self.until)
    }

    /// Whether some day lies in both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let before = |a: &Self, b: &Self| match (a.until, b.from) {
            (Some(until), Some(from)) => until < from,
            _ => false,
        };
        !before(self, other) && !before(other, self)
    }
}

impl Instrument {
    /// Whether its law is in force on that day.
    pub fn in_force(&self, on: Date) -> bool {
        !self.pending && within(on, self.from, self.until)
    }

    /// Whether stored data of that category can ever be released on it.
    pub fn reaches(&self, category: Category) -> bool {
        self.kind == InstrumentKind::Disclosure && self.categories.contains(&category)
    }

    /// Whether an issuer of this kind makes it good by itself.
    pub fn issued_by(&self, kind: AuthorityKind) -> bool {
        self.issuers.is_empty() || self.issuers.contains(&kind)
    }
}

/// Whether a last day comes before a first.
pub(super) fn backwards(from: Option<Date>, until: Option<Date>) -> bool {
    matches!((from, until), (Some(from), Some(until)) if until < from)
}

/// Whether a day lies between two others, both included, absent ones being without limit.
pub(super) fn within(on: Date, from: Option<Date>, until: Option<Date>) -> bool {
    from.is_none_or(|from| from <= on) && until.is_none_or(|until| on <= until)
}

fn yes() -> bool {
    true
}
