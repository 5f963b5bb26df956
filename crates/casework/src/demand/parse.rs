//! Reading a demand: bytes in, one [`Demand`] or one clear error out.

use std::{collections::BTreeSet, fmt};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::{Demand, EXTENSIONS_MAX, GAGS_MAX, PAUSES_MAX, Subject};

/// Longest demand, in bytes. Real ones are a few kilobytes; attachments are kept apart.
pub const BYTES_MAX: usize = 256 * 1024;
/// Most subjects that one demand may name.
pub const SUBJECTS_MAX: usize = 1_000;
/// Most items of free text.
pub const ITEMS_MAX: usize = 500;
/// Longest single text, in bytes.
pub const TEXT_MAX: usize = 16 * 1024;

/// Why bytes are not a demand. The text never repeats a value from the demand that could name a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DemandError {
    /// More than [`BYTES_MAX`].
    #[error(
        "the demand is {size} bytes long; at most {BYTES_MAX} are read, so send attachments apart from it"
    )]
    TooLarge {
        /// How many bytes came.
        size: usize,
    },
    /// Nothing there.
    #[error("the demand is empty; send one JSON object with `\"schema\": \"amparo.demand/1\"`")]
    Empty,
    /// Not UTF-8.
    #[error("the demand is not UTF-8: byte {at} begins no character; save it as UTF-8")]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// Starts with a byte order mark.
    #[error("the demand starts with a byte order mark; save it as UTF-8 without one")]
    ByteOrderMark,
    /// Not JSON.
    #[error(
        "the demand is not JSON: {reason} at line {line}, column {column}; check that it was not cut short"
    )]
    NotJson {
        /// What the reader met.
        reason: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// A key twice in one object: two readers could take it for two different demands.
    #[error("key `{key}` stands twice in one object, at line {line}, column {column}; keep one of them")]
    DuplicateKey {
        /// The key.
        key: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// JSON, but not a demand.
    #[error(
        "the demand does not fit its schema: {reason} at line {line}, column {column}; see docs/demand.schema.json"
    )]
    NotADemand {
        /// What does not fit.
        reason: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// Too many entries in a list.
    #[error("`{field}` has {count} entries; at most {max} are read, so send several demands")]
    TooMany {
        /// Which list.
        field: &'static str,
        /// How many came.
        count: usize,
        /// How many may.
        max: usize,
    },
    /// A text that must not be blank, or is too long.
    #[error("`{field}` {reason}")]
    Text {
        /// Which text.
        field: &'static str,
        /// What is wrong, and what to do.
        reason: &'static str,
    },
    /// Two fields that cannot both be true.
    #[error("`{later}` is {later_value}, before `{earlier}` on {earlier_value}; one of the two is wrong")]
    Contradiction {
        /// The field that must not come first.
        later: &'static str,
        /// Its value.
        later_value: Date,
        /// The field that must.
        earlier: &'static str,
        /// Its value.
        earlier_value: Date,
    },
    /// Served after it came.
    #[error("`served_at` is {served_at}, and the demand was here at {at}; it cannot have been served later")]
    NotServedYet {
        /// What it says.
        served_at: Timestamp,
        /// When it was here.
        at: Timestamp,
    },
    /// A category asked for twice.
    #[error("`categories` names the same category twice; keep one of them")]
    RepeatedCategory,
}

/// Reads one demand.
///
/// Stricter than JSON: a key that stands twice is refused, and so are unknown fields, lists and texts past their
/// limits, and dates that contradict each other. Nothing is guessed and nothing is dropped.
///
/// # Errors
/// [`DemandError`], each with where it is and what to do.
pub fn parse(bytes: &[u8]) -> Result<Demand, DemandError> {
    if bytes.len() > BYTES_MAX {
        return Err(DemandError::TooLarge { size: bytes.len() });
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(DemandError::ByteOrderMark);
    }
    let text = std::str::from_utf8(bytes).map_err(|e| DemandError::NotUtf8 { at: e.valid_up_to() })?;
    if text.trim().is_empty() {
        return Err(DemandError::Empty);
    }
    refuse_duplicate_keys(text)?;
    let demand: Demand = serde_json::from_str(text).map_err(|e| DemandError::NotADemand {
        reason: without_values(&e),
        line: e.line(),
        column: e.column(),
    })?;
    check_limits(&demand)?;
    check_texts(&demand)?;
    check_dates(&demand)?;
    Ok(demand)
}

/// The JSON Schema of a demand, as published in `docs/demand.schema.json`.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Demand).to_value()
}

/// Reads any JSON document as strictly as a demand: what is wrong, on which line, in which column.
pub(crate) fn strict<T: de::DeserializeOwned>(bytes: &[u8], max: usize) -> Result<T, (String, usize, usize)> {
    if bytes.len() > max {
        return Err((format!("longer than {max} bytes"), 0, 0));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|e| (format!("not UTF-8 after byte {}", e.valid_up_to()), 0, 0))?;
    refuse_duplicate_keys(text).map_err(|e| match e {
        DemandError::DuplicateKey { key, line, column } => {
            (format!("key `{key}` stands twice"), line, column)
        }
        DemandError::NotJson { reason, line, column } => (format!("not JSON, {reason}"), line, column),
        other => (other.to_string(), 0, 0),
    })?;
    serde_json::from_str(text).map_err(|e| (without_values(&e), e.line(), e.column()))
}

fn check_limits(demand: &Demand) -> Result<(), DemandError> {
    let mut seen = BTreeSet::new();
    if !demand.categories.iter().all(|category| seen.insert(category)) {
        return Err(DemandError::RepeatedCategory);
    }
    for (field, count, max) in [
        ("subjects", demand.subjects.len(), SUBJECTS_MAX),
        ("items", demand.items.len(), ITEMS_MAX),
        ("sequel.gags", demand.sequel.gags.len(), GAGS_MAX),
        ("sequel.pauses", demand.sequel.pauses.len(), PAUSES_MAX),
        (
            "sequel.extensions",
            demand.sequel.extensions.len(),
            EXTENSIONS_MAX,
        ),
    ] {
        if count > max {
            return Err(DemandError::TooMany { field, count, max });
        }
    }
    Ok(())
}

fn check_texts(demand: &Demand) -> Result<(), DemandError> {
    let text = |field, value: &str| {
        let reason = if value.trim().is_empty() {
            "is blank; write it, or leave the field out where it is optional"
        } else if value.len() > TEXT_MAX {
            "is longer than 16384 bytes; shorten it, or send it as an attachment"
        } else {
            return Ok(());
        };
        Err(DemandError::Text { field, reason })
    };
    text("requester.authority", &demand.requester.authority)?;
    let optional = [
        ("reference", demand.reference.as_deref()),
        ("requester.officer", demand.requester.officer.as_deref()),
        ("requester.email", demand.requester.email.as_deref()),
        ("issuer.name", demand.issuer.as_ref().map(|i| i.name.as_str())),
        (
            "issuer.title",
            demand.issuer.as_ref().and_then(|i| i.title.as_deref()),
        ),
        ("showing.treaty", demand.showing.treaty.as_deref()),
        (
            "offence.provision",
            demand.offence.as_ref().map(|o| o.provision.as_str()),
        ),
        (
            "emergency.statement",
            demand.emergency.as_ref().map(|e| e.statement.as_str()),
        ),
    ];
    for (field, value) in optional.into_iter().filter_map(|(f, v)| v.map(|v| (f, v))) {
        text(field, value)?;
    }
    for gag in demand.gags() {
        let words = [
            ("gag.process", &gag.process),
            ("gag.authority", &gag.authority),
            ("gag.reference", &gag.reference),
            ("gag.until_event", &gag.until_event),
        ];
        for (field, value) in words {
            value.as_deref().map_or(Ok(()), |value| text(field, value))?;
        }
    }
    if let Some(epoc) = &demand.epoc {
        let reasons = [
            (
                "epoc.processor_addressed_because",
                &epoc.processor_addressed_because,
            ),
            (
                "epoc.controller_not_to_be_told_because",
                &epoc.controller_not_to_be_told_because,
            ),
        ];
        for (field, value) in reasons {
            value.as_deref().map_or(Ok(()), |value| text(field, value))?;
        }
    }
    for item in &demand.items {
        text("items", item)?;
    }
    for subject in &demand.subjects {
        match subject {
            Subject::Account { value }
            | Subject::Phone { value }
            | Subject::Identifier { value, .. }
            | Subject::Selector { value, .. } => {
                text("subjects.value", value)?;
            }
            Subject::Ip { .. } => {}
        }
    }
    Ok(())
}

fn check_dates(demand: &Demand) -> Result<(), DemandError> {
    let before = |later, later_value: Option<Date>, earlier, earlier_value: Option<Date>| match (
        later_value,
        earlier_value,
    ) {
        (Some(l), Some(e)) if l < e => Err(DemandError::Contradiction {
            later,
            later_value: l,
            earlier,
            earlier_value: e,
        }),
        _ => Ok(()),
    };
    let served = latest_civil_date(demand.served_at);
    before("served_at", Some(served), "issued_on", demand.issued_on)?;
    before("return_on", demand.return_on, "issued_on", demand.issued_on)?;
    for gag in demand.gags() {
        before("gag.until", gag.until, "gag.from", Some(gag.from))?;
    }
    Ok(())
}

/// The date of an instant where the day is furthest on. An instrument issued and served within the hour may bear a
/// local date that UTC has not reached.
fn latest_civil_date(at: Timestamp) -> Date {
    let ahead = at.checked_add(14.hours()).unwrap_or(at);
    TimeZone::UTC.to_datetime(ahead).date()
}

/// The reader's message, without the value it met: that may be somebody's name or address.
fn without_values(error: &serde_json::Error) -> String {
    let full = error.to_string();
    let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(m, _)| m);
    match (
        message.split_once("string \""),
        message.rsplit_once("\", expected"),
    ) {
        (Some((before, _)), Some((_, after))) => format!("{before}string, expected{after}"),
        _ => message.to_owned(),
    }
}

fn refuse_duplicate_keys(text: &str) -> Result<(), DemandError> {
    let mut twice = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let walked = Keys { twice: &mut twice }
        .deserialize(&mut reader)
        .and_then(|()| reader.end());
    match (walked, twice) {
        (Ok(()), _) => Ok(()),
        (Err(e), Some(key)) => Err(DemandError::DuplicateKey {
            key,
            line: e.line(),
            column: e.column(),
        }),
        (Err(e), None) => {
            let full = e.to_string();
            Err(DemandError::NotJson {
                reason: full
                    .rsplit_once(" at line ")
                    .map_or(full.clone(), |(m, _)| m.to_owned()),
                line: e.line(),
                column: e.column(),
            })
        }
    }
}

/// Walks any JSON value and stops at the first key that stands twice in one object.
struct Keys<'a> {
    twice: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();
    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Keys { twice: self.twice })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                *self.twice = Some(key.chars().take(64).collect());
                return Err(de::Error::custom("duplicate key"));
            }
            map.next_value_seed(Keys { twice: self.twice })?;
        }
        Ok(())
    }
}
