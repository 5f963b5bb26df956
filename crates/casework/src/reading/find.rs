//! Finding citations, numbers, days, courts and identifiers in a text. Linear in the text's length: the patterns are of a
//! kind that never goes back.

use std::{net::IpAddr, sync::LazyLock};

use jiff::civil::Date;
use regex::{Captures, Regex};

use super::{Flat, Kind, PROPOSALS_MAX, Place, Proposal, Text};

/// Longest words quoted with a proposal, in characters.
const WORDS_MAX: usize = 160;
/// Most proposals of one kind, so that a flood of one does not hide the others.
const OF_A_KIND_MAX: usize = 100;

type Reader = fn(&Captures<'_>) -> Option<String>;

struct Pattern {
    kind: Kind,
    pattern: Regex,
    read: Reader,
}

fn whole(found: &Captures<'_>) -> Option<String> {
    Some(squeeze(found.get(0)?.as_str()))
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let list: [(Kind, &str, Reader); 21] = [
        (
            Kind::Citation,
            r"\b(\d{1,2})\s+U\.?\s?S\.?\s?C(?:ode|\.)?(?:\s?A\.)?\s*(?:§+|[Ss]ec(?:tions?|s?\.))?\s*(\d{1,5}[a-z]{0,2}(?:-\d{1,2})?(?:\([0-9A-Za-z]{1,5}\))*)",
            |found| {
                Some(format!(
                    "{} U.S.C. {}",
                    found.get(1)?.as_str(),
                    found.get(2)?.as_str()
                ))
            },
        ),
        (
            Kind::Citation,
            r"\b(\d{1,2})\s+C\.?\s?F\.?\s?R\.?\s*(?:§+|[Pp]art)?\s*(\d{1,4}(?:\.\d{1,4})?)",
            |found| {
                Some(format!(
                    "{} C.F.R. {}",
                    found.get(1)?.as_str(),
                    found.get(2)?.as_str()
                ))
            },
        ),
        (
            Kind::Citation,
            r"\bFed(?:\.|eral)\s*R(?:\.|ules?)\s*(?:of\s+)?(Crim|Civ|Evid|App|Bankr)[a-z]*\.?\s*(?:P(?:\.|rocedure)\s*)?(?:[Rr]ule\s+)?(\d{1,4}(?:\.\d)?(?:\([0-9A-Za-z]{1,4}\))*)",
            |found| {
                let (of, number) = (found.get(1)?.as_str(), found.get(2)?.as_str());
                let rules = if of == "Evid" {
                    "Fed. R. Evid.".to_owned()
                } else {
                    format!("Fed. R. {of}. P.")
                };
                Some(format!("{rules} {number}"))
            },
        ),
        (
            Kind::Citation,
            r"(?i)\b(?:regulation|verordnung|règlement|directive|richtlinie)\s*\((?:EU|UE|EC|EG|CE)\)\s*(?:no\.?\s*|nr\.?\s*)?\d{2,4}/\d{2,4}",
            whole,
        ),
        (
            Kind::Citation,
            r"§§?\s*\d{1,4}[a-z]?(?:\s*(?:Abs\.|I{1,3}V?|Satz|S\.|Nr\.)\s*\d{0,3})*(?:\s*(?:,|und|u\.)\s*\d{1,4}[a-z]?)*\s+[A-Z][A-Za-z]{1,11}G?\b",
            whole,
        ),
        (
            Kind::Citation,
            r"(?i)\b(?:art(?:icles?|ikel|\.)|section|s\.)\s*\d{1,4}[a-z]?(?:[-.]\d{1,4})*(?:\s*\([0-9a-z]{1,4}\))*\s+(?:of\s+|der\s+|du\s+|de\s+la\s+)?(?:the\s+)?(?:code de procédure pénale|(?-i:[A-Z][a-z]+)(?:\s+(?-i:[A-Z][a-z]+|of|and|\(Overseas)){0,6}\s+Act\s+\d{4})",
            whole,
        ),
        (
            Kind::DocketNumber,
            r"\b\d{1,2}:\d{2}-[A-Za-z]{2,4}-\d{1,7}\b",
            whole,
        ),
        (Kind::DocketNumber, r"\bMDL\s+No\.\s*\d{1,5}\b", whole),
        (
            Kind::DocketNumber,
            r"(?i)\b(?:case|docket|cause|file|matter|warrant|order|reference|ref|aktenzeichen|az|gesch\.?-?z(?:eichen)?|n°\s*(?:de\s+)?(?:parquet|dossier))\s*(?:no\.?|number|nr\.?|n°|#)?\s*[:.]{1,2}\s*([A-Za-z0-9][A-Za-z0-9 /.:_-]{1,30}[0-9][A-Za-z0-9/-]*)",
            |found| Some(squeeze(found.get(1)?.as_str())),
        ),
        (
            Kind::DocketNumber,
            r"(?i)\b(?:case|docket|cause|file|matter|warrant)\s+(?:no\.?|number|nr\.?|#)\s*([A-Za-z0-9][A-Za-z0-9/.:_-]{2,30})",
            |found| {
                let number = found.get(1)?.as_str().trim_end_matches(['.', ':', '-']);
                number
                    .bytes()
                    .any(|b| b.is_ascii_digit())
                    .then(|| number.to_owned())
            },
        ),
        (
            Kind::Court,
            r"(?i)\b(?:united\s+states|u\.\s?s\.)\s+(?:district|bankruptcy|magistrate)\s+(?:court|judge)(?:\s*(?:for\s+the\s+)?(?:(?:northern|southern|eastern|western|central|middle)\s+)?district\s+of\s+[A-Z][A-Za-z]+(?:[ \t]+[A-Z][A-Za-z]+)?)?",
            whole,
        ),
        (
            Kind::Court,
            r"\b(?:[A-Z][a-z]+\s+){0,3}(?:Superior|Circuit|District|County|Municipal|Supreme|Crown|Magistrates[’']?|High)\s+Court(?:\s+(?:of|at|for)\s+(?:the\s+)?[A-Z][A-Za-z]+(?:[ \t]+(?:of\s+)?[A-Z][A-Za-z]+){0,3})?",
            whole,
        ),
        (
            Kind::Court,
            r"\b(?:Amtsgericht|Landgericht|Oberlandesgericht|Bundesgerichtshof|Staatsanwaltschaft|Generalstaatsanwaltschaft|Tribunal\s+judiciaire\s+de|Cour\s+d[’']appel\s+de|Audiencia\s+Provincial\s+de|Juzgado\s+de\s+Instrucción|Rechtbank|Tribunale\s+di|Procura\s+della\s+Repubblica)\s+[A-ZÀ-Ý][\w.-]+(?:[ \t]+(?:am\s+)?[A-ZÀ-Ý][\w-]+)?",
            whole,
        ),
        (Kind::Date, r"\b(\d{4})-(\d{2})-(\d{2})\b", |found| {
            day(found, 1, 2, 3)
        }),
        (Kind::Date, r"\b(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})\b", |found| {
            day(found, 3, 2, 1)
        }),
        (Kind::Date, r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b", either_day),
        (
            Kind::Date,
            r"(?i)\b([a-zäéû]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b",
            |found| named_day(found, 3, 1, 2),
        ),
        (
            Kind::Date,
            r"(?i)\b(\d{1,2})(?:st|nd|rd|th|er|\.)?\s+(?:day\s+of\s+|de\s+)?([a-zäéû]{3,9})\.?,?\s+(?:de\s+)?(\d{4})\b",
            |found| named_day(found, 3, 2, 1),
        ),
        (
            Kind::EmailAddress,
            r"(?i)[a-z0-9][a-z0-9._%+=~-]{0,63}@[a-z0-9\u{80}-\u{10ffff}-]{1,63}(?:\.[a-z0-9\u{80}-\u{10ffff}-]{1,63}){1,8}",
            |found| Some(found.get(0)?.as_str().trim_end_matches(['.', '-']).to_owned()),
        ),
        (
            Kind::Device,
            r"(?i)\b(IMEI|IMSI|ICCID|MSISDN)\b(?:\s*(?:no\.?|number|nr\.?))?\s*[:#]?\s*((?:\d[ -]?){13,20}\d)",
            |found| {
                let digits: String = found
                    .get(2)?
                    .as_str()
                    .chars()
                    .filter(char::is_ascii_digit)
                    .collect();
                Some(format!(
                    "{} {digits}",
                    found.get(1)?.as_str().to_ascii_uppercase()
                ))
            },
        ),
        (
            Kind::IpAddress,
            r"(?i)(?:\d{1,3}\.){3}\d{1,3}|\b(?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4}){1,7}\b",
            |found| {
                let address: IpAddr = found.get(0)?.as_str().parse().ok()?;
                Some(address.to_string())
            },
        ),
    ];
    list.into_iter()
        .map(|(kind, text, read)| Pattern {
            kind,
            pattern: compile(text),
            read,
        })
        .collect()
});

static PHONE: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"(?:\+|\b00)\d{1,3}(?:[ ./()\u{a0}-]{0,3}\d){6,13}|(?:\(\d{3}\)\s?|\b\d{3}[-.])\d{3}[-. ]\d{4}\b|\b0\d{2,5}(?:[ /-]{1,3}\d{2,8}){1,4}\b",
    )
});

static CUES: LazyLock<Vec<(Kind, Regex)>> = LazyLock::new(|| {
    [
        (
            Kind::Emergency,
            r"(?i)\b(?:emergency|exigent|imminent|danger\s+of\s+death|death\s+or\s+serious\s+(?:physical\s+|bodily\s+)?injury|threat\s+to\s+life|life[- ]threatening|gefahr\s+(?:im\s+verzug|für\s+leib)|urgence\s+vitale|péril\s+imminent)\b",
        ),
        (
            Kind::Secrecy,
            r"(?i)\b(?:do\s+not\s+(?:disclose|notify|inform|tell)|not\s+to\s+(?:disclose|notify)|non-?disclosure|under\s+seal|sealed\s+order|2705\(b\)|delayed\s+notice|nicht\s+(?:zu\s+)?(?:benachrichtigen|informieren|mitzuteilen)|stillschweigen|confidentiel(?:le)?\s+de\s+l[’']enquête|secret\s+de\s+l[’']instruction)\b",
        ),
    ]
    .into_iter()
    .map(|(kind, text)| (kind, compile(text)))
    .collect()
});

static DOCKET: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"\b(?:\d{1,2}:\d{2}-[A-Za-z]{2,4}-\d{1,7}|MDL\s+No\.\s*\d{1,5}|\d{1,2}[-:]\d{2}-\d{4,7}|\d{2}-\d{2,7})\b|\bMISC\s+No\.\s*\d{1,5}",
    )
});

#[allow(
    clippy::expect_used,
    reason = "fixed patterns, each compiled by a test of this crate"
)]
fn compile(text: &str) -> Regex {
    Regex::new(text).expect("a fixed pattern")
}

/// What a text seems to say, in the order in which it stands there. At most [`PROPOSALS_MAX`].
pub fn find(text: &Text<'_>) -> Vec<Proposal> {
    let flat = Flat::of(text.text, text.form);
    let mut found = Found {
        flat: &flat,
        text,
        list: Vec::new(),
    };
    for Pattern { kind, pattern, read } in PATTERNS.iter() {
        for words in pattern.captures_iter(flat.text()).take(OF_A_KIND_MAX) {
            if let (Some(value), Some(place)) = (read(&words), words.get(0)) {
                found.propose(*kind, value, place.start(), place.end());
            }
        }
    }
    for words in PHONE.find_iter(flat.text()).take(OF_A_KIND_MAX) {
        let digits = digits(words.as_str());
        if (8..=15).contains(&digits.trim_start_matches('+').len()) {
            found.propose(Kind::Phone, digits, words.start(), words.end());
        }
    }
    for (kind, cue) in CUES.iter() {
        for words in cue.find_iter(flat.text()).take(OF_A_KIND_MAX) {
            found.propose(
                *kind,
                squeeze(words.as_str()).to_lowercase(),
                words.start(),
                words.end(),
            );
        }
    }
    let mut list = found.list;
    list.sort_by(|a, b| (a.place, a.kind, &a.value).cmp(&(b.place, b.kind, &b.value)));
    list.dedup_by(|a, b| a.kind == b.kind && a.value == b.value && a.place == b.place);
    list.truncate(PROPOSALS_MAX);
    list
}

struct Found<'a> {
    flat: &'a Flat,
    text: &'a Text<'a>,
    list: Vec<Proposal>,
}

impl Found<'_> {
    fn propose(&mut self, kind: Kind, value: String, start: usize, end: usize) {
        let words = self.flat.text().get(start..end).unwrap_or_default();
        let (start, end) = self.flat.source(start, end);
        self.list.push(Proposal {
            kind,
            value,
            words: squeeze(words).chars().take(WORDS_MAX).collect(),
            place: Place {
                part: self.text.part,
                page: self.text.page,
                start,
                end,
                area: None,
            },
        });
    }
}

fn digits(words: &str) -> String {
    let digits: String = words.chars().filter(char::is_ascii_digit).collect();
    if words.starts_with('+') {
        format!("+{digits}")
    } else {
        digits
    }
}

/// The first docket number of a United States federal court in a text, without the judges' initials, and its place.
pub(super) fn docket_number(text: &str) -> Option<(String, usize, usize)> {
    let found = DOCKET.find(text)?;
    Some((squeeze(found.as_str()), found.start(), found.end()))
}

fn number(found: &Captures<'_>, at: usize) -> Option<i16> {
    found.get(at)?.as_str().parse().ok()
}

fn date(year: i16, month: i16, day: i16) -> Option<Date> {
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn day(found: &Captures<'_>, year: usize, month: usize, day: usize) -> Option<String> {
    date(number(found, year)?, number(found, month)?, number(found, day)?).map(|date| date.to_string())
}

/// `3/4/2026` is one day in New York and another in London: where both may be meant, both are named.
fn either_day(found: &Captures<'_>) -> Option<String> {
    let (first, second, year) = (number(found, 1)?, number(found, 2)?, number(found, 3)?);
    match (date(year, first, second), date(year, second, first)) {
        (Some(one), Some(other)) if one != other => Some(format!("{one} or {other}")),
        (Some(one), _) | (None, Some(one)) => Some(one.to_string()),
        (None, None) => None,
    }
}

const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "januar", "jänner", "janvier", "enero"],
    &["february", "feb", "februar", "février", "febrero"],
    &["march", "mar", "märz", "mars", "marzo"],
    &["april", "apr", "avril", "abril"],
    &["may", "mai", "mayo"],
    &["june", "jun", "juni", "juin", "junio"],
    &["july", "jul", "juli", "juillet", "julio"],
    &["august", "aug", "août", "agosto"],
    &["september", "sep", "sept", "septembre", "septiembre"],
    &["october", "oct", "okt", "oktober", "octobre", "octubre"],
    &["november", "nov", "novembre", "noviembre"],
    &["december", "dec", "dez", "dezember", "décembre", "diciembre"],
];

fn named_day(found: &Captures<'_>, year: usize, month: usize, day: usize) -> Option<String> {
    let name = found.get(month)?.as_str().to_lowercase();
    let month = MONTHS.iter().position(|names| names.contains(&name.as_str()))?;
    let month = i16::try_from(month + 1).ok()?;
    date(number(found, year)?, month, number(found, day)?).map(|date| date.to_string())
}
