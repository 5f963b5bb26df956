//! A message taken apart, within bounds: a mail bomb costs no more than an honest message.

use casework::{ids::Digest, reading::Form};
use mail_parser::{Address, HeaderName, Message};
use serde::{Deserialize, Serialize};

use super::{
    MAIL_BYTES_MAX,
    level::{HEAD_LINES_MAX, Piece, level},
};

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
    #[error(
        "the message has more than {BOUNDARIES_MAX} lines that begin a part, or more than {HEAD_LINES_MAX} lines of heads; read it \
         by hand"
    )]
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
    let (mut parted, outer) = level(raw, |head| {
        has_field(head).then(|| Parted {
            from: addresses(head.from()),
            reply_to: addresses(head.reply_to()),
            subject: head.subject().map(short),
            date: head.date().map(|date| date.to_rfc3339()),
            parts: Vec::new(),
            more: false,
        })
    })
    .and_then(|(parted, outer)| Ok((parted.ok_or(MessageError::Unreadable)?, outer)))?;
    parted.more = outer.has_digest;
    // What is still to be looked at, the next last; each with how many messages it lies in.
    let mut left: Vec<(Piece, usize)> = Vec::new();
    left.extend(outer.pieces.into_iter().rev().map(|piece| (piece, 0)));
    while let Some((piece, depth)) = left.pop() {
        if within(&piece) {
            if depth >= DEPTH_MAX {
                parted.more = true;
                continue;
            }
            match level(piece.content.bytes(), has_field) {
                Ok((true, inner)) => {
                    parted.more |= inner.has_digest;
                    left.extend(inner.pieces.into_iter().rev().map(|piece| (piece, depth + 1)));
                    continue;
                }
                // Not taken apart: it is a part as any other, and looked at as its bytes are.
                Err(MessageError::TooManyParts) => parted.more = true,
                Ok((false, _)) | Err(_) => {}
            }
        }
        if parted.parts.len() >= PARTS_MAX {
            parted.more = true;
            break;
        }
        parted.parts.push(Part {
            number: u32::try_from(parted.parts.len()).unwrap_or(u32::MAX),
            media_type: short(&piece.media_type),
            name: piece.name.as_deref().map(short),
            content: piece.content,
        });
    }
    Ok(parted)
}

/// Whether a part is a message, by what it claims or, where it claims nothing of its content, by its first line.
fn within(piece: &Piece) -> bool {
    let says_nothing = piece.media_type == "application/octet-stream";
    piece.is_message() || (says_nothing && begins_as_message(piece.content.bytes()))
}

/// Whether the first line is a field (RFC 5322, 2.2), or what mailboxes put before it.
pub fn begins_as_message(start: &[u8]) -> bool {
    let name = start
        .iter()
        .take_while(|byte| byte.is_ascii_graphic() && **byte != b':')
        .count();
    start.starts_with(b"From ") || (name > 0 && start.get(name) == Some(&b':'))
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
