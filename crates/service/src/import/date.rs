//! The instant of a message, by a rule that another program can follow to the letter (`tests/scope.py` does):
//!
//! 1. Headers run to the first empty line; a leading mbox line (`From `) is no header. Lines that start with a space or
//!    tab continue the one before.
//! 2. The first `Date` field decides, if it is a date-time of RFC 5322 after comments are taken out: optional day name
//!    and comma, day, month name, year of two to four digits, time, zone. Two digits below 50 mean 20xx, else 19xx;
//!    three digits count from 1900 (RFC 5322, 4.3). The zones `UT`, `GMT`, `EST`, `EDT`, `CST`, `CDT`, `MST`, `MDT`,
//!    `PST`, `PDT` are known; any other letters, and no zone at all, mean UTC. A second of 60 is the next minute's first.
//! 3. Else the first `Received` field, after its last semicolon, in the same form.
//! 4. Else the mbox line: day name, month name, day, time, optional zone, year, as UTC unless the zone is numeric.
//! 5. Else the message has no date: it is stored with [`UNDATED_AT`], so that no window of time covers it by accident.

use jiff::{Timestamp, civil};
use serde::Serialize;

/// What a message without any date is stored under: 1970-01-01T00:00:00Z.
pub const UNDATED_AT: Timestamp = Timestamp::UNIX_EPOCH;

/// Most bytes of a message that are searched for its headers.
pub const HEADERS_MAX: usize = 1 << 20;

/// Where a message's instant comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dated {
    /// Its `Date` field.
    Date,
    /// Its first `Received` field.
    Received,
    /// The mbox line before it.
    MboxLine,
    /// Nowhere.
    Undated,
}

impl Dated {
    /// As stored in the object's metadata.
    pub fn as_str(self) -> &'static str {
        match self {
            Dated::Date => "date",
            Dated::Received => "received",
            Dated::MboxLine => "mbox-line",
            Dated::Undated => "undated",
        }
    }
}

/// The instant of a message, and where it comes from. `mbox_line` is the separator line that stood before it, where that
/// is not part of the bytes.
pub fn of(message: &[u8], mbox_line: Option<&[u8]>) -> (Option<Timestamp>, Dated) {
    let head = message.get(..HEADERS_MAX).unwrap_or(message);
    let fields = Fields::read(head);
    if let Some(at) = fields.date.as_deref().and_then(rfc5322) {
        return (Some(at), Dated::Date);
    }
    let received = fields
        .received
        .as_deref()
        .and_then(|text| text.rsplit_once(';'))
        .map(|(_, date)| date);
    if let Some(at) = received.and_then(rfc5322) {
        return (Some(at), Dated::Received);
    }
    if let Some(at) = mbox_line.or(fields.mbox_line).and_then(from_line) {
        return (Some(at), Dated::MboxLine);
    }
    (None, Dated::Undated)
}

/// The few header fields that the rule reads.
#[derive(Default)]
struct Fields<'a> {
    mbox_line: Option<&'a [u8]>,
    date: Option<String>,
    received: Option<String>,
}

impl<'a> Fields<'a> {
    fn read(head: &'a [u8]) -> Self {
        let mut fields = Self::default();
        let mut open: Option<Which> = None;
        for (n, line) in head.split(|b| *b == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if n == 0 && line.starts_with(b"From ") {
                fields.mbox_line = Some(line);
                continue;
            }
            if line.is_empty() {
                break;
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                if let Some(text) = open.and_then(|which| fields.slot(which).as_mut()) {
                    text.push_str(&latin(line));
                }
                continue;
            }
            open = None;
            let Some(colon) = line.iter().position(|b| *b == b':') else {
                continue;
            };
            let (Some(name), Some(value)) = (line.get(..colon), line.get(colon + 1..)) else {
                continue;
            };
            let which = match name.trim_ascii_end() {
                name if name.eq_ignore_ascii_case(b"date") => Which::Date,
                name if name.eq_ignore_ascii_case(b"received") => Which::Received,
                _ => continue,
            };
            let slot = fields.slot(which);
            if slot.is_none() {
                *slot = Some(latin(value));
                open = Some(which);
            }
        }
        fields
    }

    fn slot(&mut self, which: Which) -> &mut Option<String> {
        match which {
            Which::Date => &mut self.date,
            Which::Received => &mut self.received,
        }
    }
}

#[derive(Clone, Copy)]
enum Which {
    Date,
    Received,
}

/// Bytes as text, one character each: dates are ASCII, and anything else must not parse.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

/// Takes out comments, nested ones too; `None` where one is not closed.
fn without_comments(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut depth = 0_u32;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => {
                depth += 1;
                out.push(' ');
            }
            ')' if depth > 0 => depth -= 1,
            '\\' if depth > 0 => {
                chars.next();
            }
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    (depth == 0).then_some(out)
}

/// Walks over a text without ever running past its end.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn space(&mut self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let moved = rest.len() < self.0.len();
        self.0 = rest;
        moved
    }
    fn take(&mut self, allowed: impl Fn(char) -> bool, max: usize) -> &'a str {
        let end = self
            .0
            .char_indices()
            .find(|(i, c)| *i >= max || !allowed(*c))
            .map_or(self.0.len(), |(i, _)| i);
        let (token, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
        self.0 = rest;
        token
    }
    fn digits(&mut self, min: usize, max: usize) -> Option<u16> {
        let token = self.take(|c| c.is_ascii_digit(), max);
        if token.len() < min || self.0.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        token.parse().ok()
    }
    fn letters(&mut self) -> &'a str {
        self.take(|c| c.is_ascii_alphabetic(), 64)
    }
    fn mark(&mut self, mark: char) -> bool {
        match self.0.strip_prefix(mark) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
    /// `hour : minute [ : second ]`
    fn time(&mut self) -> Option<(u16, u16, u16)> {
        let hour = self.digits(1, 2)?;
        self.space();
        if !self.mark(':') {
            return None;
        }
        self.space();
        let minute = self.digits(1, 2)?;
        let before = self.0;
        self.space();
        if !self.mark(':') {
            self.0 = before;
            return Some((hour, minute, 0));
        }
        self.space();
        Some((hour, minute, self.digits(1, 2)?))
    }
    /// A zone's offset in seconds east; letters that name no known zone mean UTC.
    fn zone(&mut self) -> Option<i32> {
        let sign = if self.mark('+') {
            1
        } else if self.mark('-') {
            -1
        } else {
            let hours = match self.letters().to_ascii_uppercase().as_str() {
                "EDT" => -4,
                "EST" | "CDT" => -5,
                "CST" | "MDT" => -6,
                "MST" | "PDT" => -7,
                "PST" => -8,
                _ => 0,
            };
            return Some(hours * 3600);
        };
        let number = i32::from(self.digits(4, 4)?);
        let (hours, minutes) = (number / 100, number % 100);
        (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

/// A date-time of RFC 5322, obsolete forms included.
pub fn rfc5322(text: &str) -> Option<Timestamp> {
    let text = without_comments(text)?;
    let mut at = Cursor(&text);
    at.space();
    if at.0.starts_with(|c: char| c.is_ascii_alphabetic()) {
        at.letters();
        at.space();
        if !at.mark(',') {
            return None;
        }
        at.space();
    }
    let day = at.digits(1, 2)?;
    if !at.space() {
        return None;
    }
    let month = month(at.letters())?;
    if !at.space() {
        return None;
    }
    let digits = at.0.chars().take_while(char::is_ascii_digit).count();
    let year = at.digits(2, 4)?;
    let year = match digits {
        2 if year < 50 => year + 2000,
        2 | 3 => year + 1900,
        _ => year,
    };
    if !at.space() {
        return None;
    }
    let time = at.time()?;
    at.space();
    let offset = at.zone()?;
    at.space();
    at.0.is_empty()
        .then(|| instant(year, month, day, time, offset))
        .flatten()
}

/// The date in an mbox separator line: `From sender Thu Aug 22 12:36:23 2002`.
pub fn from_line(line: &[u8]) -> Option<Timestamp> {
    let text = latin(line.get(..512).unwrap_or(line));
    let text = text.strip_prefix("From ")?.trim_end();
    // The sender may hold spaces: the date is sought at each word.
    let mut rest = text;
    loop {
        if let Some(at) = asctime(rest) {
            return Some(at);
        }
        let (_, next) = rest.split_once([' ', '\t'])?;
        rest = next.trim_start_matches([' ', '\t']);
    }
}

fn asctime(text: &str) -> Option<Timestamp> {
    let mut at = Cursor(text);
    let day_name = at.letters();
    if day_name.len() != 3 || !at.space() {
        return None;
    }
    let month = month(at.letters())?;
    if !at.space() {
        return None;
    }
    let day = at.digits(1, 2)?;
    if !at.space() {
        return None;
    }
    let time = at.time()?;
    if !at.space() {
        return None;
    }
    let mut offset = 0;
    if !at.0.starts_with(|c: char| c.is_ascii_digit()) {
        offset = at.zone()?;
        if !at.space() {
            return None;
        }
    }
    let year = at.digits(4, 4)?;
    if at.space() {
        let numeric = at.0.starts_with(['+', '-']);
        let zone = at.zone()?;
        if numeric {
            offset = zone;
        }
    }
    at.0.is_empty()
        .then(|| instant(year, month, day, time, offset))
        .flatten()
}

fn month(name: &str) -> Option<i8> {
    const NAMES: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let name = name.to_ascii_lowercase();
    let index = NAMES.iter().position(|m| *m == name)?;
    i8::try_from(index + 1).ok()
}

fn instant(year: u16, month: i8, day: u16, time: (u16, u16, u16), offset: i32) -> Option<Timestamp> {
    let (hour, minute, second) = time;
    if year < 1900 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let date = civil::Date::new(i16::try_from(year).ok()?, month, i8::try_from(day).ok()?).ok()?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second) - i64::from(offset);
    Timestamp::from_second(midnight.as_second().checked_add(seconds)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_rule() {
        for (text, expected) in [
            ("Thu, 22 Aug 2002 18:26:25 +0700", Some("2002-08-22T11:26:25Z")),
            (" 22 Aug 02 18:26 EDT", Some("2002-08-22T22:26:00Z")),
            (
                "Thu, 22 Aug 102 18:26:25 GMT (comment (nested \\) ) )",
                Some("2002-08-22T18:26:25Z"),
            ),
            ("Fri, 1 Jan 99 9:05:01 Z", Some("1999-01-01T09:05:01Z")),
            ("1 Jan 2000 00:00:60 -0000", Some("2000-01-01T00:01:00Z")),
            ("1 Jan 2000 00:00:00", Some("2000-01-01T00:00:00Z")),
            ("1 Jan 2000 00:00:00 MEZ", Some("2000-01-01T00:00:00Z")),
            ("30 Feb 2000 00:00:00 +0000", None),
            ("1 Jan 2000 00:00:00 +01000", None),
            ("1 Jan 2000 00:00:00 +0160", None),
            ("1 Jan 2000 24:00:00 +0000", None),
            ("1 Jan 20000 00:00:00 +0000", None),
            ("Thu Aug 22 12:36:23 2002", None),
            ("1 Jan 2000 00:00:00 +0000 x", None),
            ("1 Jan 2000 00:00:00 +0000 (open", None),
            ("", None),
        ] {
            assert_eq!(
                rfc5322(text).map(|t| t.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
        for (line, expected) in [
            ("From a@b Thu Aug 22 12:36:23 2002", Some("2002-08-22T12:36:23Z")),
            ("From - Thu Aug  2 12:36:23 2002\r", Some("2002-08-02T12:36:23Z")),
            ("From a b Thu Aug  2 12:36 EST 2002", Some("2002-08-02T17:36:00Z")),
            (
                "From a Thu Aug  2 12:36:00 2002 +0200",
                Some("2002-08-02T10:36:00Z"),
            ),
            ("From here on it was a tale", None),
        ] {
            assert_eq!(
                from_line(line.as_bytes()).map(|t| t.to_string()).as_deref(),
                expected,
                "{line}"
            );
        }
    }

    #[test]
    fn the_first_date_decides_then_received_then_the_mbox_line() {
        let mbox = b"From a Thu Aug 22 12:36:23 2002\n".as_slice();
        let cases: [(&str, &str, Dated); 6] = [
            (
                "DATE :\r\n 1 Jan 2000\r\n 00:00:00 GMT\r\nDate: 2 Jan 2000 00:00:00 GMT\r\n\r\n",
                "2000-01-01T00:00:00Z",
                Dated::Date,
            ),
            (
                "Date: soon\nDate: 2 Jan 2000 00:00:00 GMT\nReceived: by a; b; 3 Jan 2000 00:00:00 GMT\n\n",
                "2000-01-03T00:00:00Z",
                Dated::Received,
            ),
            (
                "Received: nothing\nReceived: x; 3 Jan 2000 00:00:00 GMT\n\n",
                "2002-08-22T12:36:23Z",
                Dated::MboxLine,
            ),
            (
                "Subject: x\n\nDate: 1 Jan 2000 00:00:00 GMT\n",
                "2002-08-22T12:36:23Z",
                Dated::MboxLine,
            ),
            (
                "no header\nDate: 1 Jan 2000 00:00:00 GMT",
                "2000-01-01T00:00:00Z",
                Dated::Date,
            ),
            ("", "2002-08-22T12:36:23Z", Dated::MboxLine),
        ];
        for (message, at, how) in cases {
            let whole = [mbox, message.as_bytes()].concat();
            assert_eq!(of(&whole, None), (Some(at.parse().unwrap()), how), "{message}");
            assert_eq!(
                of(message.as_bytes(), Some(mbox.trim_ascii_end())),
                (Some(at.parse().unwrap()), how)
            );
        }
        assert_eq!(of(b"Subject: x\n\n", None), (None, Dated::Undated));
    }
}
