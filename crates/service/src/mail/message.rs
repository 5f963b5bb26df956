//! A message taken apart, within bounds: a mail bomb costs no more than an honest message.

use casework::{ids::Digest, reading::Form};
use mail_parser::{Address, HeaderName, Message, MessageParser, MimeHeaders as _, PartType};
use serde::{Deserialize, Serialize};

use super::MAIL_BYTES_MAX;

/// Most parts of a message that are looked at, those of messages inside it among them.
pub const PARTS_MAX: usize = 500;
/// Most lines that may begin a part (`--`) before a message is not taken apart at all.
pub const BOUNDARIES_MAX: usize = 4_000;
/// Deepest message inside a message that is looked at.
pub const DEPTH_MAX: usize = 8;
/// Most addresses read of one field.
pub const ADDRESSES_MAX: usize = 50;
/// Longest field quoted, in characters.
pub const FIELD_MAX: usize = 500;

/// Why a message was not taken apart. Its bytes are kept all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Over the limit.
    #[error("the message is larger than {MAIL_BYTES_MAX} bytes")]
    TooLarge,
    /// Over the limit.
    #[error("the message has more than {BOUNDARIES_MAX} lines that begin a part; read it by hand")]
    TooManyParts,
    /// Not a message.
    #[error("the bytes are no e-mail")]
    Unreadable,
}

/// A message, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parted {
    /// Every address in `From`.
    pub from: Vec<String>,
    /// Where answers are asked to, where that is said.
    pub reply_to: Vec<String>,
    /// What it says it is about.
    pub subject: Option<String>,
    /// When it says it was written.
    pub date: Option<String>,
    /// Its parts, numbered from 0 in the order in which they stand.
    pub parts: Vec<Part>,
    /// There are more parts, or deeper ones, than were looked at.
    pub more: bool,
}

/// One part that has content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub number: u32,
    /// The media type that it claims.
    pub media_type: String,
    /// The name that it gives itself. Never a path of ours.
    pub name: Option<String>,
    /// Its content, decoded.
    pub content: Content,
}

/// A part's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text, as its character set says.
    Text(String, Form),
    /// Anything else, and text that is attached.
    Bytes(Vec<u8>),
}

impl Content {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text, _) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
    /// Whether it begins as a PDF does, whatever it calls itself.
    pub fn is_pdf(&self) -> bool {
        crate::paper::is_pdf(self.bytes())
    }
}

/// An attachment, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartView {
    /// Its number.
    pub part: u32,
    /// The media type that it claims.
    pub media_type: String,
    /// The name that it gives itself.
    pub name: Option<String>,
    /// Its size, decoded, in bytes.
    pub size: usize,
    /// SHA-256 of it, decoded.
    pub sha256: Digest,
    /// It begins as a PDF does.
    pub is_pdf: bool,
}

impl Part {
    /// As a list shows it.
    pub fn view(&self) -> PartView {
        PartView {
            part: self.number,
            media_type: self.media_type.clone(),
            name: self.name.clone(),
            size: self.content.bytes().len(),
            sha256: Digest::of(&[self.content.bytes()]),
            is_pdf: self.content.is_pdf(),
        }
    }
}

/// Takes a message apart.
///
/// # Errors
/// When it is too large, has too many parts to be looked at, or is no message.
pub fn take_apart(raw: &[u8]) -> Result<Parted, MessageError> {
    if raw.len() > MAIL_BYTES_MAX {
        return Err(MessageError::TooLarge);
    }
    // Looking for where parts end costs time for each line that might: those are counted first.
    if memchr::memmem::find_iter(raw, b"\n--")
        .take(BOUNDARIES_MAX + 1)
        .count()
        > BOUNDARIES_MAX
    {
        return Err(MessageError::TooManyParts);
    }
    let message = MessageParser::default()
        .parse(raw)
        .ok_or(MessageError::Unreadable)?;
    if !has_field(&message) {
        return Err(MessageError::Unreadable);
    }
    let mut parts = Parts::default();
    parts.collect(&message, 0);
    Ok(Parted {
        from: addresses(message.from()),
        reply_to: addresses(message.reply_to()),
        subject: message.subject().map(short),
        date: message.date().map(|date| date.to_rfc3339()),
        parts: parts.list,
        more: parts.more,
    })
}

/// Whether there is a field by which a mail program would know a message.
fn has_field(message: &Message<'_>) -> bool {
    message.headers().iter().any(|header| {
        matches!(
            header.name,
            HeaderName::From
                | HeaderName::To
                | HeaderName::Subject
                | HeaderName::Date
                | HeaderName::Received
                | HeaderName::MessageId
        )
    })
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(FIELD_MAX).collect()
}

pub(super) fn addresses(field: Option<&Address<'_>>) -> Vec<String> {
    field
        .into_iter()
        .flat_map(Address::iter)
        .filter_map(|address| address.address.as_deref())
        .take(ADDRESSES_MAX)
        .map(short)
        .collect()
}

#[derive(Default)]
struct Parts {
    list: Vec<Part>,
    more: bool,
}

impl Parts {
    fn collect(&mut self, message: &Message<'_>, depth: usize) {
        for part in &message.parts {
            let content = match &part.body {
                PartType::Multipart(_) => continue,
                PartType::Message(inner) => {
                    if depth >= DEPTH_MAX {
                        self.more = true;
                    } else {
                        self.collect(inner, depth + 1);
                    }
                    continue;
                }
                PartType::Text(text) => Content::Text(text.as_ref().to_owned(), Form::Plain),
                PartType::Html(text) => Content::Text(text.as_ref().to_owned(), Form::Html),
                PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Content::Bytes(bytes.to_vec()),
            };
            if self.list.len() >= PARTS_MAX {
                self.more = true;
                return;
            }
            let media_type = part.content_type().map_or_else(
                || "text/plain".to_owned(),
                |of| format!("{}/{}", of.ctype(), of.subtype().unwrap_or("plain")),
            );
            self.list.push(Part {
                number: u32::try_from(self.list.len()).unwrap_or(u32::MAX),
                media_type: short(&media_type).to_ascii_lowercase(),
                name: part.attachment_name().map(short),
                content,
            });
        }
    }
}
