//! Writing iCalendar (RFC 5545): lines of at most 75 octets, folded between characters, ended by CRLF; text escaped.

use jiff::{Timestamp, tz::TimeZone};

/// Longest line without its end, in octets (RFC 5545, 3.1).
const LINE_OCTETS_MAX: usize = 75;

/// One point in time with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Stable: the same thing has the same name in every fetch, also once it has moved.
    pub uid: String,
    /// When.
    pub at: Timestamp,
    /// In a few words.
    pub summary: String,
    /// In a sentence or two.
    pub description: String,
    /// Not settled: the date may move on.
    pub tentative: bool,
}

/// A whole calendar, as `text/calendar`. `made_at` stamps every entry.
pub fn write(name: &str, made_at: Timestamp, moments: &[Moment]) -> String {
    let mut text = String::new();
    let mut line = |property: &str, value: &str| fold(&mut text, &format!("{property}:{value}"));
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", "-//Amparo//Dates of the desk//EN");
    line("CALSCALE", "GREGORIAN");
    line("METHOD", "PUBLISH");
    line("X-WR-CALNAME", &escape(name));
    line("REFRESH-INTERVAL;VALUE=DURATION", "PT1H");
    for moment in moments {
        line("BEGIN", "VEVENT");
        line("UID", &escape(&moment.uid));
        line("DTSTAMP", &stamp(made_at));
        line("DTSTART", &stamp(moment.at));
        line("SUMMARY", &escape(&moment.summary));
        line("DESCRIPTION", &escape(&moment.description));
        line(
            "STATUS",
            if moment.tentative {
                "TENTATIVE"
            } else {
                "CONFIRMED"
            },
        );
        line("CLASS", "CONFIDENTIAL");
        line("TRANSP", "TRANSPARENT");
        line("BEGIN", "VALARM");
        line("ACTION", "DISPLAY");
        line("TRIGGER", "-P1D");
        line("DESCRIPTION", &escape(&moment.summary));
        line("END", "VALARM");
        line("END", "VEVENT");
    }
    line("END", "VCALENDAR");
    text
}

/// An instant in UTC: `20261121T235959Z`.
fn stamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Text as RFC 5545, 3.3.11 has it. Control characters have no place in it and are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.replace("\r\n", "\n").chars() {
        match character {
            '\\' | ';' | ',' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '\n' | '\r' => escaped.push_str("\\n"),
            control if control.is_control() && control != '\t' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Appends a line; what is longer goes on in lines that begin with a space, and no character is cut.
fn fold(text: &mut String, line: &str) {
    let mut octets = 0;
    for character in line.chars() {
        let length = character.len_utf8();
        if octets + length > LINE_OCTETS_MAX {
            text.push_str("\r\n ");
            octets = 1;
        }
        text.push(character);
        octets += length;
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_characters_and_unfold_to_what_they_were() {
        for line in [
            "SUMMARY:short".to_owned(),
            format!("SUMMARY:{}", "x".repeat(67)),
            format!("SUMMARY:{}", "x".repeat(68)),
            format!("SUMMARY:{}", "ß".repeat(200)),
            format!("SUMMARY:{}", "🦀e".repeat(100)),
        ] {
            let mut text = String::new();
            fold(&mut text, &line);
            assert!(text.ends_with("\r\n"));
            for piece in text.trim_end().split("\r\n") {
                assert!(piece.len() <= LINE_OCTETS_MAX, "{}: {piece}", piece.len());
            }
            assert_eq!(text.trim_end().replace("\r\n ", ""), line);
        }
    }

    #[test]
    fn text_cannot_begin_a_line_of_its_own() {
        let moment = Moment {
            uid: "one@amparo".into(),
            at: "2028-02-29T23:59:59Z".parse().unwrap(),
            summary: "a, b; c\\d\r\nEND:VEVENT\rX\u{0}\u{1b}[2J".into(),
            description: "line\nline".into(),
            tentative: true,
        };
        let text = write("Desk; all", "2026-11-22T08:00:00Z".parse().unwrap(), &[moment]);
        assert!(
            text.contains("SUMMARY:a\\, b\\; c\\\\d\\nEND:VEVENT\\nX[2J\r\n"),
            "{text}"
        );
        assert!(
            text.contains("DESCRIPTION:line\\nline\r\n") && text.contains("X-WR-CALNAME:Desk\\; all\r\n")
        );
        assert!(text.contains("DTSTART:20280229T235959Z\r\n") && text.contains("STATUS:TENTATIVE\r\n"));
        assert!(
            text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") && text.ends_with("END:VCALENDAR\r\n")
        );
        assert_eq!(text.matches("\r\nEND:VEVENT\r\n").count(), 1);
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }
}
