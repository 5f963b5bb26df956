//! Reading what an authority wrote: what a text seems to say, with the place where it says so.
//!
//! Everything here is a proposal to the person who enters the demand. No rule, promise or gate reads it, and nothing of
//! it is taken as fact: a letter may say whatever its writer likes. Times and places in the text are bytes, so that a
//! reviewer is shown the very words.

mod find;
mod flat;
mod notice;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use find::find;
pub use flat::Flat;
pub use notice::{CourtNotice, Docket, Filing, notice};

/// Longest text that is looked through, in bytes. What is beyond it is not looked at, and the reading says so.
pub const TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Most proposals from one text.
pub const PROPOSALS_MAX: usize = 500;

/// Something that a text seems to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// What kind of thing.
    pub kind: Kind,
    /// What it would be, in the demand's own spelling: `2026-03-01`, `2:21-cv-02016`, `18 U.S.C. 2703(d)`.
    pub value: String,
    /// The words, as they stand.
    pub words: String,
    /// Where they stand.
    pub place: Place,
}

/// Kinds of proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A law, rule or regulation that it cites.
    Citation,
    /// A docket or file number.
    DocketNumber,
    /// A court that it names.
    Court,
    /// A day.
    Date,
    /// An e-mail address.
    EmailAddress,
    /// A telephone number. Never one to call back on: it comes from the message itself.
    Phone,
    /// An IP address.
    IpAddress,
    /// A telephone's or a SIM card's number.
    Device,
    /// A claim of urgency or of danger to life.
    Emergency,
    /// Words that ask not to tell anybody.
    Secrecy,
}

/// Where words stand: bytes `start..end` of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Which part of the message, counted as its reader counts them; 0 for a text by itself.
    pub part: u32,
    /// Which page of it, from 1, where it has pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// First byte.
    pub start: usize,
    /// First byte after.
    pub end: usize,
    /// Where on that page the lines of these words are, where it has places: left, bottom, right and top, in points from its
    /// lower left corner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<[i32; 4]>,
}

/// A text to be read.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The text, decoded. Markup is left as it is: places refer to it.
    pub text: &'a str,
    /// How it is written.
    pub form: Form,
    /// Which part of the message.
    pub part: u32,
    /// Which page, from 1.
    pub page: Option<u32>,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As people read it.
    Plain,
    /// In HTML.
    Html,
}

/// The longest beginning of a text within `limit` bytes that ends at a character.
pub(super) fn beginning(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
