//! Domains that only look like another's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Domain, Suffixes, domain::Registered};

/// Words by which a domain claims to be an authority's. Where its suffix is one that anybody gets, that is a likeness of
/// its own.
pub const OFFICIAL_WORDS: [&str; 40] = [
    "gov",
    "govt",
    "gob",
    "gouv",
    "gobierno",
    "government",
    "federal",
    "police",
    "polizei",
    "policia",
    "polizia",
    "policie",
    "politie",
    "polis",
    "bundespolizei",
    "gendarmerie",
    "sheriff",
    "court",
    "courts",
    "uscourts",
    "gericht",
    "tribunal",
    "justice",
    "justiz",
    "doj",
    "fbi",
    "dea",
    "atf",
    "secretservice",
    "interpol",
    "europol",
    "eurojust",
    "bka",
    "lka",
    "nca",
    "prosecutor",
    "attorneygeneral",
    "staatsanwaltschaft",
    "subpoena",
    "lawenforcement",
];

/// Suffixes under which only public bodies are let, whole or as their last label but one: `gov`, `gov.uk`.
const RESERVED: [&str; 9] = ["gov", "mil", "gob", "gouv", "govt", "gub", "police", "mod", "int"];

/// Shortest label of which one with a slip of the pen is told: `fbi` and `fbx` are two names.
const NEAR_LABEL_MIN: usize = 6;
/// Shortest label of which one with two slips is told.
const NEARER_LABEL_MIN: usize = 11;
/// Shortest label looked for among the words of another.
const WORD_MIN: usize = 3;

/// That a domain looks like another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resemblance {
    /// The domain that it looks like, or the official word that it uses.
    pub to: String,
    /// In what way.
    pub likeness: Likeness,
}

/// Ways of looking like another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// Other letters that look the same: a Cyrillic `о`, a `1` for an `l`.
    Confusable,
    /// The other's whole name, as part of a stranger's: `fbi.gov.example.com`.
    Embedded,
    /// The other's name under another suffix: `police.example` for `police.gov`.
    OtherSuffix,
    /// The other's name with words added: `bka-auskunft.example`.
    AddedWords,
    /// One or two letters more, less, other or exchanged.
    NearMiss,
    /// The name of no known body, but words that claim one, where anybody may register them.
    OfficialWords,
}

/// What a domain only looks like, the plainest likeness first. `None` for one that is known, lies below one that is, or
/// looks like none.
pub fn resemblance<'k>(
    domain: &Domain,
    known: impl IntoIterator<Item = &'k Domain> + Clone,
    suffixes: &Suffixes,
) -> Option<Resemblance> {
    if known.clone().into_iter().any(|known| domain.is_within(known)) {
        return None;
    }
    let ours = suffixes.registered(domain)?;
    let written = domain.to_unicode();
    let look = look_of(label_of(&written, ours));
    let mut best: Option<(Likeness, &Domain)> = None;
    for known in known {
        let Some(likeness) = likeness(domain, ours, &look, known, suffixes) else {
            continue;
        };
        if best.is_none_or(|(before, _)| likeness < before) {
            best = Some((likeness, known));
        }
    }
    match best {
        Some((likeness, known)) => Some(Resemblance {
            to: known.to_unicode(),
            likeness,
        }),
        None => official_word(ours).map(|word| Resemblance {
            to: word.to_owned(),
            likeness: Likeness::OfficialWords,
        }),
    }
}

fn likeness(
    domain: &Domain,
    ours: Registered<'_>,
    look: &str,
    known: &Domain,
    suffixes: &Suffixes,
) -> Option<Likeness> {
    let theirs = suffixes.registered(known)?;
    if ours.domain == theirs.domain {
        // Another name that the same owner gave out; whose it is, the registry of that suffix knows.
        return None;
    }
    let their_label = theirs.label;
    if ours.label != their_label && look == look_of(their_label) {
        return Some(Likeness::Confusable);
    }
    if embeds(domain.as_str(), ours, theirs.domain) {
        return Some(Likeness::Embedded);
    }
    if ours.label == their_label && their_label.len() >= WORD_MIN {
        return Some(Likeness::OtherSuffix);
    }
    let suffix = theirs.domain.replace('.', "-");
    let words = || ours.label.split('-');
    if ours.label.contains('-')
        && their_label.len() >= WORD_MIN
        && (words().any(|word| word == their_label)
            || format!("-{}-", ours.label).contains(&format!("-{suffix}-")))
    {
        return Some(Likeness::AddedWords);
    }
    if ours.label == theirs.domain.replace('.', "") {
        return Some(Likeness::AddedWords);
    }
    let most = match their_label.len() {
        NEARER_LABEL_MIN.. => 2,
        NEAR_LABEL_MIN.. => 1,
        _ => 0,
    };
    (most > 0 && near(ours.label, their_label, most)).then_some(Likeness::NearMiss)
}

/// The registered label as people read it.
fn label_of<'w>(written: &'w str, ours: Registered<'_>) -> &'w str {
    let behind = ours.suffix.split('.').count();
    written.rsplit('.').nth(behind).unwrap_or(written)
}

/// A label with every letter as it looks: confusable ones made one, digits that pass for letters read as those.
fn look_of(label: &str) -> String {
    let folded: String = label
        .to_lowercase()
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | 'i' | '|' => 'l',
            '3' => 'e',
            '5' => 's',
            other => other,
        })
        .collect();
    let look: String = unicode_security::skeleton(&folded).collect();
    look.replace("rn", "m").replace("vv", "w").replace('i', "l")
}

/// Whether another's whole registered name stands in front of what was registered here.
fn embeds(domain: &str, ours: Registered<'_>, theirs: &str) -> bool {
    let front = domain.strip_suffix(ours.domain).unwrap_or_default();
    !front.is_empty() && format!(".{front}").contains(&format!(".{theirs}."))
}

fn official_word(ours: Registered<'_>) -> Option<&'static str> {
    let reserved = ours.suffix.split('.').any(|label| RESERVED.contains(&label));
    if reserved {
        return None;
    }
    OFFICIAL_WORDS
        .iter()
        .find(|word| {
            ours.label.split('-').any(|part| part == **word)
                || (word.len() >= 6 && ours.label.contains(**word))
        })
        .copied()
}

/// Whether two labels are within `most` slips: a letter more, less or other, or two exchanged.
fn near(a: &str, b: &str, most: usize) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > most {
        return false;
    }
    // Rows of the table of distances: the last two, and the one being filled.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut least = (at(&last, j) + usize::from(x != y))
                .min(at(&last, j + 1) + 1)
                .min(at(&row, j) + 1);
            let exchanged = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if exchanged {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        if row.iter().min().is_none_or(|least| *least > most) {
            return false;
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().is_some_and(|distance| *distance <= most)
}
