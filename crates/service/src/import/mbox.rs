//! Splitting an mbox.
//!
//! A message begins after a separator line: `From `, at the start of the file or after an empty line, that ends in a date
//! as RFC 4155 and its forerunners write it. Programs differ in how they quote such lines inside a message (`>From `), and
//! none can tell afterwards which was used; so nothing is unquoted, and a message is kept as the bytes that stand between
//! two separators, the empty line at its end included. A `From ` without a date is part of the message: two messages
//! may so become one, but none is cut in two or lost.

use std::io::{self, BufRead, Read};

use super::{MESSAGE_MAX, date};

/// Longest piece of a line that is looked at in one step, in bytes.
const PIECE: u64 = 64 * 1024;

/// One message of an mbox.
#[derive(Debug, PartialEq, Eq)]
pub struct MboxMessage {
    /// The separator line, without its line end; absent where the file began without one.
    pub separator: Option<Vec<u8>>,
    /// Its bytes; `None` where it passed [`MESSAGE_MAX`].
    pub bytes: Option<Vec<u8>>,
}

/// The messages of an mbox, in order.
pub struct Mbox<R> {
    reader: R,
    /// Separator of the message that comes next.
    separator: Option<Vec<u8>>,
    started: bool,
    ended: bool,
    line: Vec<u8>,
}

/// Whether a line begins a message, given that the line before is empty.
pub fn is_separator(line: &[u8]) -> bool {
    line.starts_with(b"From ") && date::from_line(line.trim_ascii_end()).is_some()
}

impl<R> Mbox<R> {
    /// What it reads from.
    pub fn reader(&self) -> &R {
        &self.reader
    }
    /// What it reads from, to change.
    pub fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }
    /// Gives back what it read from.
    pub fn into_reader(self) -> R {
        self.reader
    }
}

impl<R: BufRead> Mbox<R> {
    /// Splits what `reader` gives.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            separator: None,
            started: false,
            ended: false,
            line: Vec::new(),
        }
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// When reading fails.
    pub fn next_message(&mut self) -> io::Result<Option<MboxMessage>> {
        if self.ended {
            return Ok(None);
        }
        let mut bytes = Some(Vec::new());
        let (mut at_line_start, mut after_empty) = (true, !self.started);
        loop {
            self.line.clear();
            if self
                .reader
                .by_ref()
                .take(PIECE)
                .read_until(b'\n', &mut self.line)?
                == 0
            {
                self.ended = true;
                let nothing = self.separator.is_none() && bytes.as_ref().is_some_and(Vec::is_empty);
                let separator = self.separator.take();
                return Ok((!nothing).then_some(MboxMessage { separator, bytes }));
            }
            if at_line_start && after_empty && is_separator(&self.line) {
                let next = self.line.trim_ascii_end().to_vec();
                let separator = self.separator.replace(next);
                let first = !std::mem::replace(&mut self.started, true);
                if first && bytes.as_ref().is_some_and(Vec::is_empty) {
                    after_empty = false;
                    continue;
                }
                return Ok(Some(MboxMessage { separator, bytes }));
            }
            self.started = true;
            after_empty = at_line_start && matches!(self.line.as_slice(), b"\n" | b"\r\n");
            at_line_start = self.line.ends_with(b"\n");
            match &mut bytes {
                Some(kept) if kept.len() + self.line.len() <= MESSAGE_MAX => {
                    kept.extend_from_slice(&self.line)
                }
                kept => *kept = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(Option<String>, String)> {
        let mut mbox = Mbox::new(text.as_bytes());
        let mut out = Vec::new();
        while let Some(m) = mbox.next_message().unwrap() {
            let text = |b| String::from_utf8(b).unwrap();
            out.push((m.separator.map(text), text(m.bytes.unwrap())));
        }
        out
    }

    #[test]
    fn messages_are_the_bytes_between_separators() {
        let a = "From a@b Thu Aug 22 12:36:23 2002";
        let b = "From c@d Fri Aug 23 12:36:23 2002";
        let text =
            format!("{a}\nSubject: 1\n\nFrom here on\n>From x\n\n{b}\r\nSubject: 2\r\n\r\nend, no newline");
        assert_eq!(
            split(&text),
            [
                (
                    Some(a.to_owned()),
                    "Subject: 1\n\nFrom here on\n>From x\n\n".to_owned()
                ),
                (Some(b.to_owned()), "Subject: 2\r\n\r\nend, no newline".to_owned()),
            ]
        );
        assert_eq!(split(""), []);
        assert_eq!(
            split("Subject: no separator\n\nx"),
            [(None, "Subject: no separator\n\nx".to_owned())]
        );
        assert_eq!(split(&format!("{a}\n")), [(Some(a.to_owned()), String::new())]);
        assert_eq!(
            split(&format!("{a}\n{b}\n")),
            [(Some(a.to_owned()), format!("{b}\n"))]
        );
        assert_eq!(
            split(&format!("{a}\n\n{b}\n")),
            [
                (Some(a.to_owned()), "\n".to_owned()),
                (Some(b.to_owned()), String::new())
            ]
        );
    }

    #[test]
    fn an_oversized_message_does_not_take_its_neighbours_along() {
        let sep = "From a@b Thu Aug 22 12:36:23 2002\n";
        let mut text = format!("{sep}one\n\n{sep}").into_bytes();
        text.extend(std::iter::repeat_n(b'x', MESSAGE_MAX + 1));
        text.extend_from_slice(format!("\n\n{sep}three\n").as_bytes());
        let mut mbox = Mbox::new(text.as_slice());
        assert_eq!(mbox.next_message().unwrap().unwrap().bytes.unwrap(), b"one\n\n");
        assert_eq!(mbox.next_message().unwrap().unwrap().bytes, None);
        assert_eq!(mbox.next_message().unwrap().unwrap().bytes.unwrap(), b"three\n");
        assert_eq!(mbox.next_message().unwrap(), None);
    }
}
