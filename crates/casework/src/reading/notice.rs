//! Notices of filing that United States federal courts send by e-mail (CM/ECF): which court, which docket, which document.

use std::sync::LazyLock;

use jiff::civil::Date;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Flat, Place, Text, find::docket_number};

/// Most dockets read from one notice.
pub const DOCKETS_MAX: usize = 200;
/// Most documents read of one docket.
const FILINGS_MAX: usize = 200;
/// Longest caption kept, in characters.
const CAPTION_MAX: usize = 300;

/// What a notice of filing says. Anybody can write one: that it came from a court is for the call back to find out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CourtNotice {
    /// The court's short id, as its own hosts write it: `nysd`. From the links of its dockets, else from its name.
    pub court_id: Option<String>,
    /// The court that the text names, where that is another than the links'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_otherwise: Option<String>,
    /// The day it says the filing was made.
    pub filed_on: Option<Date>,
    /// Its dockets.
    pub dockets: Vec<Docket>,
}

/// One docket that a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Docket {
    /// Its number, without the judges' initials.
    pub docket_number: String,
    /// Its caption.
    pub case_name: Option<String>,
    /// The court's own id of the case.
    pub case_id: Option<String>,
    /// Where its number stands.
    pub place: Place,
    /// What was filed. One entry without a number, where nothing is attached.
    pub filings: Vec<Filing>,
}

/// One entry of a docket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filing {
    /// Its number on the docket.
    pub document_number: Option<String>,
    /// Where it may be fetched; never fetched by this program.
    pub document_url: Option<String>,
    /// The court's id of the document, with the digit that says how it is shown set to 0.
    pub document_id: Option<String>,
    /// The court's number of the entry.
    pub sequence: Option<String>,
    /// The key of the one free copy.
    pub magic: Option<String>,
}

#[allow(
    clippy::expect_used,
    reason = "fixed patterns, each compiled by a test of this crate"
)]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a fixed pattern")
}

/// Labels stand at the beginning of a line: in a docket's own words, `related document(s):` is none.
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?im)^[>\s]*(case\s+name|case\s+number|filer|document\s+number|document\(s\)|docket\s+text)\s*:",
    )
});
static FILED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\bfiled\s+on\s+(\d{1,2})/(\d{1,2})/(\d{4})\b"));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*(\d{1,6})\b"));
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)notice\s+of\s+(electronic\s+filing|docket\s+activity|bankruptcy\s+filing)")
});
static COURT_NAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)(?:united\s+states|u\.?\s?s\.?)\s+(?P<kind>district|bankruptcy)\s+court\s*(?:for\s+the\s+)?",
        r"(?:(?P<side>northern|southern|eastern|western|central|middle)\s+)?district\s+of\s+(?P<state>[a-z][a-z ]{2,24})",
        r"|(?:united\s+states|u\.?\s?s\.?)\s+court\s+of\s+appeals\s+for\s+the\s+(?P<circuit>[a-z ]{5,24}?)\s+circuit",
    ))
});

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    CaseName,
    CaseNumber,
    Document,
    Other,
}

/// Reads a notice of filing. `None` where the text is not one.
pub fn notice(text: &Text<'_>) -> Option<CourtNotice> {
    let flat = Flat::of(text.text, text.form);
    let labels: Vec<(Label, usize, usize)> = LABEL
        .find_iter(flat.text())
        .take(DOCKETS_MAX * 8)
        .map(|found| (label(found.as_str()), found.start(), found.end()))
        .collect();
    let mut dockets: Vec<Docket> = Vec::new();
    let (mut caption, mut court_id, mut from_court) = (None, None, false);
    for (at, (label, _, start)) in labels.iter().enumerate() {
        let end = labels.get(at + 1).map_or(flat.text().len(), |(_, next, _)| *next);
        match label {
            Label::CaseName => caption = tidy(flat.text().get(*start..end).unwrap_or_default()),
            Label::CaseNumber => {
                let case = read_case(&flat, text, *start, end);
                if let Some((docket, court)) = case
                    && dockets.len() < DOCKETS_MAX
                {
                    from_court |= court.is_some();
                    court_id = court_id.or(court);
                    dockets.push(Docket {
                        case_name: caption.take(),
                        ..docket
                    });
                }
            }
            Label::Document => {
                if let Some(docket) = dockets.last_mut() {
                    read_filings(&flat, *start, end, docket);
                }
            }
            Label::Other => {}
        }
    }
    let marked = MARK.is_match(flat.text());
    if dockets.is_empty() || !(marked || from_court) {
        return None;
    }
    let named = named_court(flat.text());
    let named_otherwise = named
        .clone()
        .filter(|named| court_id.as_ref().is_some_and(|court| court != named));
    Some(CourtNotice {
        court_id: court_id.or(named),
        named_otherwise,
        filed_on: filed_on(flat.text()),
        dockets,
    })
}

fn label(text: &str) -> Label {
    let lower = text
        .trim_start_matches(|c: char| c == '>' || c.is_whitespace())
        .to_ascii_lowercase();
    if lower.starts_with("case") {
        if lower.contains("name") {
            Label::CaseName
        } else {
            Label::CaseNumber
        }
    } else if lower.starts_with("document") {
        Label::Document
    } else {
        Label::Other
    }
}

fn tidy(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(CAPTION_MAX).collect();
    (!text.is_empty()).then_some(text)
}

fn read_case(flat: &Flat, text: &Text<'_>, start: usize, end: usize) -> Option<(Docket, Option<String>)> {
    let value = flat.text().get(start..end)?;
    let (number, from, to) = docket_number(value)?;
    let link = flat
        .links_within(start, end)
        .find(|link| link.to.contains("DktRpt.pl") || court_of(&link.to).is_some());
    let case_id = link
        .and_then(|link| link.to.split_once('?'))
        .map(|(_, query)| {
            query
                .chars()
                .take_while(char::is_ascii_digit)
                .take(20)
                .collect::<String>()
        })
        .filter(|digits| !digits.is_empty());
    let (source_start, source_end) = flat.source(start + from, start + to);
    let docket = Docket {
        docket_number: number,
        case_name: None,
        case_id,
        place: Place {
            part: text.part,
            page: text.page,
            start: source_start,
            end: source_end,
            area: None,
        },
        filings: Vec::new(),
    };
    Some((docket, link.and_then(|link| court_of(&link.to))))
}

fn read_filings(flat: &Flat, start: usize, end: usize, docket: &mut Docket) {
    let value = flat.text().get(start..end).unwrap_or_default();
    let number = NUMBER
        .captures(value)
        .and_then(|found| Some(found.get(1)?.as_str().to_owned()));
    let mut links = flat
        .links_within(start, end)
        .filter_map(|link| filing(&link.to))
        .take(FILINGS_MAX);
    let first = links.next().unwrap_or(Filing {
        document_number: None,
        document_url: None,
        document_id: None,
        sequence: None,
        magic: None,
    });
    if docket.filings.is_empty() && first.document_url.is_some() {
        docket.case_id = parameter(first.document_url.as_deref().unwrap_or_default(), "caseid")
            .filter(|id| id.bytes().all(|b| b.is_ascii_digit()))
            .or(docket.case_id.take());
    }
    docket.filings.push(Filing {
        document_number: number,
        ..first
    });
    docket.filings.extend(links);
    docket.filings.truncate(FILINGS_MAX);
}

/// A link to a document of a docket.
fn filing(url: &str) -> Option<Filing> {
    court_of(url)?;
    let (_, rest) = url.split_once("/doc1/").or_else(|| url.split_once("/docs1/"))?;
    let id: String = rest.chars().take_while(char::is_ascii_digit).take(30).collect();
    // The fourth digit only says how the document is to be shown.
    let shown: String = id
        .chars()
        .enumerate()
        .map(|(at, digit)| if at == 3 { '0' } else { digit })
        .collect();
    let number = |name| parameter(url, name).filter(|value| value.bytes().all(|b| b.is_ascii_digit()));
    Some(Filing {
        document_number: None,
        document_url: Some(url.to_owned()),
        document_id: (!shown.is_empty()).then_some(shown),
        sequence: number("de_seq_num"),
        magic: number("magic_num"),
    })
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value.to_owned())
        .filter(|value| !value.is_empty())
}

/// The court whose own host a link leads to. `ecf.nysd.uscourts.gov.example.com` is nobody's.
fn court_of(url: &str) -> Option<String> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#', ':']).next()?.to_ascii_lowercase();
    let court = host.strip_suffix(".uscourts.gov")?;
    let court = court
        .strip_prefix("ecf.")
        .or_else(|| court.strip_prefix("pacer."))?;
    let known = (2..=6).contains(&court.len())
        && court
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    known.then(|| court.to_owned())
}

fn filed_on(text: &str) -> Option<Date> {
    let found = FILED.captures(text)?;
    let number = |at| {
        found
            .get(at)
            .and_then(|digits| digits.as_str().parse::<i16>().ok())
    };
    let small = |at| number(at).and_then(|n| i8::try_from(n).ok());
    Date::new(number(3)?, small(1)?, small(2)?).ok()
}

/// The short id of the court that a text names: `Southern District of New York` of a district court is `nysd`.
fn named_court(text: &str) -> Option<String> {
    let found = COURT_NAME.captures(text)?;
    if let Some(circuit) = found.name("circuit") {
        let words: Vec<_> = circuit.as_str().split_whitespace().collect();
        let name = words.join(" ").to_ascii_lowercase();
        let number = [
            "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
            "eleventh",
        ]
        .iter()
        .position(|ordinal| *ordinal == name);
        return match (number, name.as_str()) {
            (Some(at), _) => Some(format!("ca{}", at + 1)),
            (None, "federal") => Some("cafc".to_owned()),
            (None, "district of columbia" | "d.c.") => Some("cadc".to_owned()),
            _ => None,
        };
    }
    let words: Vec<_> = found.name("state")?.as_str().split_whitespace().collect();
    let name = words.join(" ").to_ascii_lowercase();
    let (_, state) = STATES.iter().find(|(state, _)| {
        name.strip_prefix(state)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
    })?;
    let side = found
        .name("side")
        .and_then(|side| side.as_str().chars().next())
        .map(|c| c.to_ascii_lowercase());
    let kind = found.name("kind")?.as_str();
    let kind = if kind.eq_ignore_ascii_case("bankruptcy") {
        'b'
    } else {
        'd'
    };
    Some(format!(
        "{state}{}{kind}",
        side.map(String::from).unwrap_or_default()
    ))
}

const STATES: [(&str, &str); 56] = [
    ("alabama", "al"),
    ("alaska", "ak"),
    ("arizona", "az"),
    ("arkansas", "ar"),
    ("california", "ca"),
    ("colorado", "co"),
    ("columbia", "dc"),
    ("connecticut", "ct"),
    ("delaware", "de"),
    ("florida", "fl"),
    ("georgia", "ga"),
    ("guam", "gu"),
    ("hawaii", "hi"),
    ("idaho", "id"),
    ("illinois", "il"),
    ("indiana", "in"),
    ("iowa", "ia"),
    ("kansas", "ks"),
    ("kentucky", "ky"),
    ("louisiana", "la"),
    ("maine", "me"),
    ("maryland", "md"),
    ("massachusetts", "ma"),
    ("michigan", "mi"),
    ("minnesota", "mn"),
    ("mississippi", "ms"),
    ("missouri", "mo"),
    ("montana", "mt"),
    ("nebraska", "ne"),
    ("nevada", "nv"),
    ("new hampshire", "nh"),
    ("new jersey", "nj"),
    ("new mexico", "nm"),
    ("new york", "ny"),
    ("north carolina", "nc"),
    ("north dakota", "nd"),
    ("northern mariana islands", "nmi"),
    ("ohio", "oh"),
    ("oklahoma", "ok"),
    ("oregon", "or"),
    ("pennsylvania", "pa"),
    ("puerto rico", "pr"),
    ("rhode island", "ri"),
    ("south carolina", "sc"),
    ("south dakota", "sd"),
    ("tennessee", "tn"),
    ("texas", "tx"),
    ("the virgin islands", "vi"),
    ("utah", "ut"),
    ("vermont", "vt"),
    ("virgin islands", "vi"),
    ("virginia", "va"),
    ("washington", "wa"),
    ("west virginia", "wv"),
    ("wisconsin", "wi"),
    ("wyoming", "wy"),
];
