//! One level of a message: its head and its parts, and no message within it.
//!
//! The parser follows messages within messages without limit, each costing memory and a frame of the stack when it is
//! dropped. So it is given a copy in which it does not know them, which tells where each part stands; what a part holds is
//! read from the bytes as they came.

use std::borrow::Cow;

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

use super::message::{BOUNDARIES_MAX, Content, MessageError};
use casework::reading::Form;

/// Most lines of the heads of a message and its parts together: each is kept while it is parsed.
pub const HEAD_LINES_MAX: usize = 20_000;

/// The words that make the parser look for a message, or for many, and what stands for them in the copy: as long, and as much
/// of base64.
const NESTING: [(&[u8], &[u8]); 3] = [
    (b"rfc822", b"rfc8xx"),
    (b"global", b"globax"),
    (b"digest", b"digesx"),
];

/// A message without those within it.
pub(super) struct Level {
    /// Its parts, in the order in which they stand.
    pub(super) pieces: Vec<Piece>,
    /// It holds a digest, whose messages are read as the text that they are.
    pub(super) has_digest: bool,
}

/// A part of one level.
pub(super) struct Piece {
    /// The media type that it claims, in lower case.
    pub(super) media_type: String,
    /// The name that it gives itself.
    pub(super) name: Option<String>,
    /// What it holds, decoded.
    pub(super) content: Content,
}

impl Piece {
    /// Whether it claims to be a message.
    pub(super) fn is_message(&self) -> bool {
        matches!(self.media_type.as_str(), "message/rfc822" | "message/global")
    }
}

/// Calls `take` with the head as it was read, then gives the parts, in the order in which they stand.
pub(super) fn level<T>(raw: &[u8], take: impl FnOnce(&Message<'_>) -> T) -> Result<(T, Level), MessageError> {
    // Looking for where parts end costs time for each line that might: those are counted first.
    if memchr::memmem::find_iter(raw, b"\n--")
        .take(BOUNDARIES_MAX + 1)
        .count()
        > BOUNDARIES_MAX
        || head_lines(raw) > HEAD_LINES_MAX
    {
        return Err(MessageError::TooManyParts);
    }
    let head = MessageParser::default()
        .parse_headers(raw)
        .ok_or(MessageError::Unreadable)?;
    let told = take(&head);
    let flat = without_nesting(raw);
    let parsed = MessageParser::default()
        .parse(flat.as_ref())
        .ok_or(MessageError::Unreadable)?;
    let pieces = parsed.parts.iter().filter(|part| !holds_parts(part)).map(|part| {
        let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        let (start, body, end) = (at(part.offset_header), at(part.offset_body), at(part.offset_end));
        let head = raw.get(start..body).unwrap_or_default();
        let body = raw.get(body..end).unwrap_or_default();
        piece(head, body)
    });
    let level = Level {
        pieces: pieces.collect(),
        has_digest: parsed
            .parts
            .iter()
            .filter_map(|part| part.content_type())
            .any(|of| of.ctype() == "multipart" && of.subtype() == Some("digesx")),
    };
    Ok((told, level))
}

/// Whether it is a frame around other parts.
fn holds_parts(part: &MessagePart<'_>) -> bool {
    let is_frame = part.content_type().is_some_and(|of| of.ctype() == "multipart");
    match &part.body {
        PartType::Multipart(_) => true,
        // One that broke off is left as it was made.
        PartType::Text(text) => is_frame && text.is_empty(),
        _ => false,
    }
}

/// One part, by its own head and body.
fn piece(head: &[u8], body: &[u8]) -> Piece {
    let head = [head, b"\r\n\r\n"].concat();
    let parsed = MessageParser::default().parse_headers(&head);
    let of = parsed.as_ref().and_then(|head| head.content_type());
    let media_type = of.map_or_else(
        || "text/plain".to_owned(),
        |of| format!("{}/{}", of.ctype(), of.subtype().unwrap_or("plain")).to_ascii_lowercase(),
    );
    let name = parsed
        .as_ref()
        .and_then(|head| head.attachment_name().map(str::to_owned));
    let encoding = parsed
        .as_ref()
        .and_then(|head| head.content_transfer_encoding())
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_graphic()))
        .unwrap_or("8bit");
    let charset = of
        .and_then(|of| of.attribute("charset"))
        .filter(|word| {
            word.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_:.+".contains(&byte))
        })
        .unwrap_or("utf-8");
    let form = match media_type.as_str() {
        "text/html" => Some(Form::Html),
        text if text.starts_with("text/") => Some(Form::Plain),
        // A multipart that never begins is text to whoever opens it.
        text if text.starts_with("multipart/") => Some(Form::Plain),
        _ => None,
    };
    // As a message of this part alone, of a type that nothing nests in.
    let plain = match form {
        Some(_) => format!("Content-Type: text/plain; charset=\"{charset}\"\r\n"),
        None => "Content-Type: application/octet-stream\r\n".to_owned(),
    };
    let mut alone = format!("{plain}Content-Transfer-Encoding: {encoding}\r\n\r\n").into_bytes();
    alone.extend_from_slice(body);
    let decoded = MessageParser::default().parse(&alone);
    let content = match decoded.and_then(|message| message.parts.into_iter().next()) {
        Some(part) => match (part.body, form) {
            (PartType::Text(text) | PartType::Html(text), Some(form)) => {
                Content::Text(text.into_owned(), form)
            }
            (PartType::Text(text) | PartType::Html(text), None) => {
                Content::Bytes(text.into_owned().into_bytes())
            }
            (PartType::Binary(bytes) | PartType::InlineBinary(bytes), _) => {
                Content::Bytes(bytes.into_owned())
            }
            (PartType::Message(_) | PartType::Multipart(_), _) => Content::Bytes(body.to_vec()),
        },
        None => Content::Bytes(body.to_vec()),
    };
    Piece {
        media_type,
        name,
        content,
    }
}

/// How many lines of heads there may be: those before the first empty line, and those between a line that may begin a part and
/// the next empty one.
fn head_lines(raw: &[u8]) -> usize {
    let mut in_head = true;
    let mut count = 0_usize;
    for line in raw.split(|byte| *byte == b'\n') {
        if line.starts_with(b"--") {
            in_head = true;
        } else if line.iter().all(u8::is_ascii_whitespace) {
            in_head = false;
        } else if in_head {
            count = count.saturating_add(1);
        }
    }
    count
}

/// The message in which no part says that it is a message. Every byte stands where it stood.
fn without_nesting(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut flat = Cow::Borrowed(raw);
    for (word, instead) in NESTING {
        let Some((first, rest)) = word.split_first() else {
            continue;
        };
        let places: Vec<usize> = memchr::memchr2_iter(*first, first.to_ascii_uppercase(), raw)
            .filter(|at| {
                raw.get(at.saturating_add(1)..at.saturating_add(word.len()))
                    .is_some_and(|found| found.eq_ignore_ascii_case(rest))
            })
            .collect();
        for at in places {
            if let Some(there) = flat.to_mut().get_mut(at..at.saturating_add(word.len())) {
                there.copy_from_slice(instead);
            }
        }
    }
    flat
}
