//! The simple types of TS 103 280 (version 2.15.1) and of TS 103 120's own `Common`.

use jiff::Timestamp;

/// A kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Simple {
    /// Any text.
    Free,
    /// At most 255 characters.
    Short,
    /// At most 65,535 characters.
    Long,
    /// Lower-case, with hyphens.
    Uuid,
    /// Two upper-case letters.
    Country,
    /// ISO 639-1, two lower-case letters.
    Language,
    /// `V1.23.1`.
    EtsiVersion,
    /// A moment, to the second.
    Moment,
    /// A moment, to the microsecond.
    MicroMoment,
    /// A disclosure's identifier: `XX-AUTHORITY-REFERENCE`.
    Ldid,
    /// An interception's identifier.
    Liid,
    /// Digits of a telephone number.
    E164,
    /// `EmailAddress`.
    Email,
    /// `InternationalizedEmailAddress`.
    WideEmail,
    /// Dotted decimals.
    Ipv4,
    /// Eight groups of four.
    Ipv6,
    /// Base64, as loosely as the schemas have it.
    Base64,
}

const SHORT: usize = 255;
const LONG: usize = 65_535;

impl Simple {
    /// What a text of this kind is called in an error.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Free => "a text",
            Self::Short => "a text of at most 255 characters",
            Self::Long => "a text of at most 65535 characters",
            Self::Uuid => "a UUID in lower case",
            Self::Country => "a country code of two upper-case letters",
            Self::Language => "a language code of two lower-case letters",
            Self::EtsiVersion => "a version such as `V1.23.1`",
            Self::Moment => "a date and time with its offset, to the second",
            Self::MicroMoment => "a date and time with its offset, to the microsecond",
            Self::Ldid => "a reference such as `XX-AUTHORITY-1234`",
            Self::Liid => "an interception's identifier",
            Self::E164 => "a number of 1 to 15 digits",
            Self::Email | Self::WideEmail => "an e-mail address",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address in full, in lower case",
            Self::Base64 => "base64",
        }
    }

    /// Whether the text is of this kind.
    pub(crate) fn admits(self, text: &str) -> bool {
        match self {
            Self::Free => true,
            Self::Short => within(text, SHORT),
            Self::Long => within(text, LONG),
            Self::Uuid => is_uuid(text),
            Self::Country => text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
            Self::Language => text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()),
            Self::EtsiVersion => within(text, SHORT) && is_version(text),
            Self::Moment => moment(text).is_some(),
            Self::MicroMoment => micro_moment(text).is_some(),
            Self::Ldid => is_ldid(text),
            Self::Liid => is_liid(text),
            Self::E164 => (1..=15).contains(&text.len()) && digits(text),
            Self::Email => within(text, SHORT) && is_email(text),
            Self::WideEmail => within(text, SHORT) && is_wide_email(text),
            Self::Ipv4 => is_ipv4(text),
            Self::Ipv6 => is_ipv6(text),
            Self::Base64 => is_base64(text),
        }
    }
}

/// A `QualifiedDateTime`.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let (civil, offset) = text.split_at_checked(19)?;
    (shaped(civil, "dddd-dd-ddTdd:dd:dd") && is_offset(offset))
        .then(|| text.parse().ok())
        .flatten()
}

/// A `QualifiedMicrosecondDateTime`.
pub(crate) fn micro_moment(text: &str) -> Option<Timestamp> {
    let (civil, offset) = text.split_at_checked(26)?;
    (shaped(civil, "dddd-dd-ddTdd:dd:dd.dddddd") && is_offset(offset))
        .then(|| text.parse().ok())
        .flatten()
}

fn is_offset(text: &str) -> bool {
    text == "Z" || shaped(text, "+dd:dd") || shaped(text, "-dd:dd")
}

/// Whether each byte of the text is the form's, where `d` is any digit.
fn shaped(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

fn within(text: &str, max: usize) -> bool {
    text.len() <= max || text.chars().nth(max).is_none()
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    groups.len() == lengths.len()
        && groups
            .iter()
            .zip(lengths)
            .all(|(group, length)| group.len() == length && lower_hex(group))
}

fn is_version(text: &str) -> bool {
    // The schema's `\d` is any decimal digit of Unicode; a version is read as ASCII alone.
    let Some(rest) = text.strip_prefix('V') else {
        return false;
    };
    let parts: Vec<&str> = rest.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && digits(part))
}

fn one_line(text: &str) -> bool {
    !text.contains(['\n', '\r', '\u{2028}', '\u{2029}'])
}

fn is_ldid(text: &str) -> bool {
    let Some((country, rest)) = text.split_at_checked(2) else {
        return false;
    };
    let Some(rest) = rest.strip_prefix('-') else {
        return false;
    };
    // Something, a hyphen, something: the hyphen is neither first nor last.
    let hyphen = rest
        .char_indices()
        .skip(1)
        .any(|(at, c)| c == '-' && at + c.len_utf8() < rest.len());
    Simple::Country.admits(country) && one_line(text) && hyphen
}

fn is_liid(text: &str) -> bool {
    let printable = (1..=25).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
    let hex = (26..=50).contains(&text.len()) && lower_hex(text);
    printable || hex
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+\\/=?^_`{|}~-".contains(&byte);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !local.is_empty() && local.bytes().all(is_local) && domain.split('.').all(is_label)
}

fn is_wide_email(text: &str) -> bool {
    let at = text
        .char_indices()
        .skip(1)
        .any(|(at, c)| c == '@' && at + 1 < text.len());
    one_line(text) && at
}

fn is_ipv4(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_part = |part: &&str| (1..=3).contains(&part.len()) && digits(part) && part.parse::<u8>().is_ok();
    parts.len() == 4 && parts.iter().all(is_part)
}

fn is_ipv6(text: &str) -> bool {
    let groups: Vec<&str> = text.split(':').collect();
    groups.len() == 8 && groups.iter().all(|group| group.len() == 4 && lower_hex(group))
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len() - body.len() <= 3
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
