//! The messages of a source, whatever holds them: single files, maildirs, mboxes, archives of these.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    io::{self, BufReader, Read},
};

use jiff::Timestamp;
use mail_parser::MessageParser;

use super::{
    ImportError, MESSAGE_MAX, NAME_BYTES_MAX, Source,
    date::{self, Dated},
    entries::{Entries, Entry, PassedOver},
    mbox::{Mbox, MboxMessage, is_separator},
};

/// Bytes at the start of a file that decide whether it is mail.
const SNIFF: usize = 2048;

/// One message as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// Where it was found: path inside the source, with a number behind it for messages of an mbox. Unique in the source.
    pub name: String,
    /// Its name as an object, without account and prefix: `inbox/0001.abc.eml`. Unique in the source.
    pub object: String,
    /// Its bytes, as they are.
    pub bytes: Vec<u8>,
    /// Its own instant.
    pub date: Option<Timestamp>,
    /// Where that comes from.
    pub how_dated: Dated,
    /// It has no header field that a mail program would read.
    pub broken: bool,
}

/// The messages of a source, in the source's order. After the last, [`Messages::passed`] tells what is not among them.
pub struct Messages {
    state: State,
    used: HashSet<u64>,
    hasher: RandomState,
    done: bool,
}

enum State {
    Files(Entries),
    /// Inside an mbox: the entries it came from are its reader.
    Mbox {
        mbox: Mbox<BufReader<Body>>,
        name: String,
        number: u64,
    },
    Gone,
}

/// What is left of an entry whose first bytes were looked at.
struct Body {
    first: io::Cursor<Vec<u8>>,
    entries: Entries,
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.first.read(buf)?;
        if n > 0 || buf.is_empty() {
            Ok(n)
        } else {
            self.entries.read(buf)
        }
    }
}

/// Reads the messages of a source.
///
/// # Errors
/// When it cannot be opened. Each item may be an error too; the one that is an error is the last.
pub fn messages(source: &Source) -> Result<Messages, ImportError> {
    Ok(Messages {
        state: State::Files(Entries::open(source)?),
        used: HashSet::new(),
        hasher: RandomState::new(),
        done: false,
    })
}

impl Messages {
    /// What was passed over so far.
    pub fn passed(&self) -> PassedOver {
        match &self.state {
            State::Files(entries) => entries.passed().clone(),
            State::Mbox { mbox, .. } => mbox.reader().get_ref().entries.passed().clone(),
            State::Gone => PassedOver::default(),
        }
    }

    fn advance(&mut self) -> Result<Option<RawMessage>, ImportError> {
        loop {
            match std::mem::replace(&mut self.state, State::Gone) {
                State::Gone => return Ok(None),
                State::Mbox {
                    mut mbox,
                    name,
                    mut number,
                } => {
                    let next = mbox.next_message().map_err(|cause| unreadable(&name, cause));
                    let Some(MboxMessage { separator, bytes }) = next? else {
                        self.state = State::Files(mbox.into_reader().into_inner().entries);
                        continue;
                    };
                    number += 1;
                    let name_of_message = format!("{name}/{number:06}");
                    let Some(bytes) = bytes else {
                        let passed = mbox.reader_mut().get_mut().entries.passed_mut();
                        oversized(passed, &name_of_message);
                        self.state = State::Mbox { mbox, name, number };
                        continue;
                    };
                    self.state = State::Mbox { mbox, name, number };
                    return Ok(Some(self.message(name_of_message, bytes, separator.as_deref())));
                }
                State::Files(mut entries) => {
                    let Some(entry) = entries.next_entry()? else {
                        self.state = State::Files(entries);
                        return Ok(None);
                    };
                    let first =
                        read_up_to(&mut entries, SNIFF).map_err(|cause| unreadable(&entry.name, cause))?;
                    match kind_of(&entry, &first) {
                        FileKind::Other => {
                            let passed = entries.passed_mut();
                            passed.not_mail += 1;
                            passed.name(&entry.name, "it is not mail");
                            self.state = State::Files(entries);
                        }
                        FileKind::Mbox => {
                            let body = Body {
                                first: io::Cursor::new(first),
                                entries,
                            };
                            let mbox = Mbox::new(BufReader::with_capacity(64 * 1024, body));
                            self.state = State::Mbox {
                                mbox,
                                name: entry.name,
                                number: 0,
                            };
                        }
                        FileKind::Message => {
                            let mut bytes = first;
                            let room = (MESSAGE_MAX + 1).saturating_sub(bytes.len());
                            let read = entries.by_ref().take(room as u64).read_to_end(&mut bytes);
                            read.map_err(|cause| unreadable(&entry.name, cause))?;
                            if bytes.len() > MESSAGE_MAX {
                                oversized(entries.passed_mut(), &entry.name);
                                self.state = State::Files(entries);
                                continue;
                            }
                            self.state = State::Files(entries);
                            return Ok(Some(self.message(entry.name, bytes, None)));
                        }
                    }
                }
            }
        }
    }

    fn message(&mut self, name: String, bytes: Vec<u8>, mbox_line: Option<&[u8]>) -> RawMessage {
        let (date, how_dated) = date::of(&bytes, mbox_line);
        let object = self.unique(object_name(&name));
        RawMessage {
            broken: is_broken(&bytes),
            name,
            object,
            bytes,
            date,
            how_dated,
        }
    }

    /// Two entries of one name stay two objects: the second gets a number.
    fn unique(&mut self, object: String) -> String {
        if self.used.insert(self.hasher.hash_one(&object)) {
            return object;
        }
        let stem = object.strip_suffix(".eml").unwrap_or(&object).to_owned();
        (2_u64..)
            .map(|n| format!("{stem}~{n}.eml"))
            .find(|candidate| self.used.insert(self.hasher.hash_one(candidate)))
            .unwrap_or(object)
    }
}

impl Iterator for Messages {
    type Item = Result<RawMessage, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.advance().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

fn unreadable(name: &str, cause: io::Error) -> ImportError {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof => ImportError::Damaged {
            place: format!("in `{name}`"),
            reason: "it is cut off",
        },
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => ImportError::Damaged {
            place: format!("in `{name}`"),
            reason: "its compressed data is not valid",
        },
        _ => ImportError::Read {
            name: name.to_owned(),
            cause,
        },
    }
}

fn oversized(passed: &mut PassedOver, name: &str) {
    passed.oversized += 1;
    passed.name(name, "it is larger than 64 MiB");
}

fn read_up_to(reader: &mut impl Read, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(max as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Message,
    Mbox,
    Other,
}

/// What a file is, by its name, then by how it begins.
fn kind_of(entry: &Entry, first: &[u8]) -> FileKind {
    let (folder, file) = entry.name.rsplit_once('/').unwrap_or(("", &entry.name));
    let lower = file.to_ascii_lowercase();
    if lower.ends_with(".eml") || matches!(folder.rsplit('/').next(), Some("cur" | "new")) {
        return FileKind::Message;
    }
    let mut lines = first.split(|b| *b == b'\n');
    let line = lines.next().unwrap_or_default();
    if is_separator(line) {
        return FileKind::Mbox;
    }
    if lower.ends_with(".mbox") || lower.ends_with(".mbx") {
        return FileKind::Mbox;
    }
    if is_field(line) {
        FileKind::Message
    } else {
        FileKind::Other
    }
}

/// `Name: value`, the name being printable ASCII without spaces (RFC 5322, 2.2).
fn is_field(line: &[u8]) -> bool {
    match line.iter().position(|b| *b == b':') {
        Some(colon) => {
            colon > 0
                && line
                    .get(..colon)
                    .is_some_and(|name| name.iter().all(u8::is_ascii_graphic))
        }
        None => false,
    }
}

/// Whether a mail program would find no header at all.
fn is_broken(bytes: &[u8]) -> bool {
    let head = bytes.get(..date::HEADERS_MAX).unwrap_or(bytes);
    let mut lines = head
        .split(|b| *b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let has_field = lines.by_ref().take_while(|line| !line.is_empty()).any(is_field);
    !has_field || MessageParser::default().parse_headers(head).is_none()
}

/// The object's name for a message found at `name`: `/`-joined, printable, ending in `.eml`. A maildir's `cur` and `new`
/// and its flags are left out, the leading dot of its folders too.
fn object_name(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    let file = parts.pop().unwrap_or("message");
    let mut file = strip_suffix_ignore_case(file, ".eml");
    if matches!(parts.last(), Some(&("cur" | "new"))) {
        parts.pop();
        file = file.split_once(":2,").map_or(file, |(stem, _)| stem);
    }
    let mut out: Vec<String> = parts
        .iter()
        .map(|part| printable(part.strip_prefix('.').unwrap_or(part)))
        .collect();
    out.push(printable(file));
    out.retain(|part| !part.is_empty());
    let joined = out.join("/");
    let cut = joined
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| *end <= NAME_BYTES_MAX)
        .last();
    format!("{}.eml", joined.get(..cut.unwrap_or(0)).unwrap_or("message"))
}

fn strip_suffix_ignore_case<'a>(text: &'a str, suffix: &str) -> &'a str {
    match text
        .len()
        .checked_sub(suffix.len())
        .and_then(|at| text.split_at_checked(at))
    {
        Some((stem, end)) if end.eq_ignore_ascii_case(suffix) && !stem.is_empty() => stem,
        _ => text,
    }
}

fn printable(part: &str) -> String {
    part.chars()
        .map(|c| if c.is_control() { '_' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_after_where_they_were_found() {
        for (name, object) in [
            ("easy-ham-1/00815.141d.eml", "easy-ham-1/00815.141d.eml"),
            ("new/1234.host", "1234.host.eml"),
            (".Sent/cur/1234.host:2,S", "Sent/1234.host.eml"),
            ("Inbox.mbox/000001", "Inbox.mbox/000001.eml"),
            ("a\nb/c\0.EML", "a_b/c_.eml"),
        ] {
            assert_eq!(object_name(name), object);
        }
        assert!(object_name(&"ü".repeat(2000)).len() <= NAME_BYTES_MAX + 4);
    }
}
