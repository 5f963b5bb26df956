//! The program's answer, read as a stranger's: bounded, counted, and without characters that a terminal would obey.

use serde::{Deserialize, Serialize};

use super::{HIDDEN_MAX, PAGES_MAX, QUOTE_MAX, TEXT_BYTES_MAX, reader::PaperError};

/// A PDF, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paper {
    /// Its pages, in order.
    pub pages: Vec<PaperPage>,
    /// Text that is there and that a reader of the page does not see. No part of any page's text.
    pub hidden: Vec<Hidden>,
    /// What kept it from being read or checked whole.
    pub gaps: Vec<Gap>,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperPage {
    /// Which, from 1.
    pub page: u32,
    /// Its lines.
    pub lines: Vec<TextLine>,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextLine {
    /// The text.
    pub text: String,
    /// Where: left, bottom, right and top, in points from the page's lower left corner.
    pub area: [i32; 4],
}

/// Text that can be copied out of a page though it cannot be seen on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hidden {
    /// The page, from 1.
    pub page: u32,
    /// How it is hidden.
    pub how: Hiding,
    /// The beginning of it.
    pub text: String,
    /// How many characters, white space aside.
    pub characters: u32,
    /// Where: left, bottom, right and top, in points from the page's lower left corner.
    pub area: [i32; 4],
}

/// How text is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hiding {
    /// Something opaque lies over it.
    Covered,
    /// It has the colour of what lies under it.
    SameColour,
    /// It lies outside what is shown of the page.
    OffPage,
    /// It is set so that it draws nothing, where there is nothing of which it could be the reading.
    Invisible,
    /// It is smaller than a point.
    TooSmall,
    /// It is marked for redaction, and the redaction was never applied.
    OnlyMarked,
}

impl Hiding {
    /// In words that follow "text".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Covered => "under something opaque",
            Self::SameColour => "in the colour of its ground",
            Self::OffPage => "outside what is shown of the page",
            Self::Invisible => "that draws nothing",
            Self::TooSmall => "smaller than a point",
            Self::OnlyMarked => "marked for redaction that was never applied",
        }
    }
}

/// Why a PDF was not read or checked whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// More pages than are read.
    Pages,
    /// More text than is taken.
    Text,
    /// More on a page than is compared, or more hidden places than are listed.
    Compared,
    /// A part of a page that cannot be decoded.
    Contents,
    /// A font that cannot be read.
    Font,
    /// Letters that do not say which they are.
    Letters,
    /// A picture that cannot be decoded.
    Picture,
    /// A note on a page that cannot be drawn.
    Note,
    /// A note whose text was not read, though other programs show it.
    NoteText,
    /// Text under a pattern that may hide it or not.
    Pattern,
    /// Layers that are switched off.
    Layer,
    /// Files inside it.
    File,
    /// The program ended, or was ended, before it was through.
    CutOff,
}

impl Gap {
    /// In words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Pages => "it has more pages than are read",
            Self::Text => "it has more text than is taken",
            Self::Compared => "there is more on a page than is compared",
            Self::Contents => "part of a page cannot be decoded, so text may be missing",
            Self::Font => "a font in it cannot be read, so text may be missing",
            Self::Letters => "letters in it do not say which they are",
            Self::Picture => "a picture in it cannot be decoded",
            Self::Note => "a note in it cannot be drawn",
            Self::NoteText => "a note in it has text that other programs show and that cannot be read here",
            Self::Pattern => "text in it lies under a pattern that may hide it or not",
            Self::Layer => "it has layers that are switched off",
            Self::File => "there are files inside it",
            Self::CutOff => "it took more time or memory than it may, so the rest was not read",
        }
    }

    /// Whether hidden text may have been missed for it. Letters without names are seen or not as any others.
    pub fn spoils_a_check(self) -> bool {
        self != Self::Letters
    }
}

/// What a check of a document's redactions says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redaction {
    /// No text lies hidden, as far as is looked for.
    Clean,
    /// Text lies hidden: the document must not leave as it is.
    TextHidden,
    /// It could not be checked whole: a person must look.
    NotChecked,
}

/// What redaction programs write onto their boxes, in the box's own colour as often as not. It tells nothing. Compared without
/// case and marks.
const LABELS: [&str; 18] = [
    "attorney client",
    "attorney client privilege",
    "attorney work product",
    "confidential",
    "filed under seal",
    "geschwärzt",
    "privilege",
    "privileged",
    "privileged and confidential",
    "redact",
    "redacted",
    "redacted for public filing",
    "redaction",
    "sealed",
    "seal",
    "under seal",
    "withheld",
    "work product",
];

impl Hidden {
    /// Whether it is a redaction's label and nothing else.
    pub fn is_label(&self) -> bool {
        let words = self
            .text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect::<Vec<_>>()
            .join(" ");
        self.how != Hiding::OnlyMarked && LABELS.contains(&words.as_str())
    }
}

impl Paper {
    /// Text that is hidden and more than a redaction's label.
    pub fn telling(&self) -> impl Iterator<Item = &Hidden> {
        self.hidden.iter().filter(|hidden| !hidden.is_label())
    }

    /// Whether the document may leave, as far as hidden text goes.
    pub fn redaction(&self) -> Redaction {
        if self.telling().next().is_some() {
            Redaction::TextHidden
        } else if self.gaps.iter().any(|gap| gap.spoils_a_check()) {
            Redaction::NotChecked
        } else {
            Redaction::Clean
        }
    }
}

impl PaperPage {
    /// Its lines, each ended by a line break. Places in a page are bytes of this.
    pub fn text(&self) -> String {
        self.lines.iter().fold(String::new(), |mut text, line| {
            text.push_str(&line.text);
            text.push('\n');
            text
        })
    }

    /// Where bytes `start..end` of [`Self::text`] stand on the page: the lines that they touch.
    pub fn area(&self, start: usize, end: usize) -> Option<[i32; 4]> {
        let mut at = 0_usize;
        let mut found: Option<[i32; 4]> = None;
        for line in &self.lines {
            let next = at.saturating_add(line.text.len()).saturating_add(1);
            if at < end && next > start {
                let [l, b, r, t] = line.area;
                found = Some(found.map_or(line.area, |[left, bottom, right, top]| {
                    [left.min(l), bottom.min(b), right.max(r), top.max(t)]
                }));
            }
            at = next;
        }
        found
    }
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Page { page: u32, lines: Vec<TextLine> },
    Hidden(Hidden),
    Gap { gap: Gap },
    End { pages: u32 },
    Refused { why: Refusal },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Refusal {
    TooLarge,
    Broken,
    Encrypted,
    Unconfined,
}

/// Reads an answer. One that breaks off is taken as far as it goes, if it holds a page.
pub(super) fn read(answer: &[u8]) -> Result<Paper, PaperError> {
    let nonsense = |what: &str| PaperError::Program(format!("its answer is not one: {what}"));
    let mut paper = Paper::default();
    let mut bytes = 0_usize;
    for line in answer.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else {
            break;
        };
        let line: Line = serde_json::from_slice(line).map_err(|_| nonsense("a line is not of its form"))?;
        match line {
            Line::Page { page, lines } => {
                let next = u32::try_from(paper.pages.len())
                    .unwrap_or(u32::MAX)
                    .saturating_add(1);
                if page != next || paper.pages.len() >= PAGES_MAX {
                    return Err(nonsense("its pages are not in order"));
                }
                bytes = lines
                    .iter()
                    .fold(bytes, |bytes, line| bytes.saturating_add(line.text.len()));
                if bytes > TEXT_BYTES_MAX {
                    return Err(nonsense("it has more text than was asked for"));
                }
                let lines = lines.into_iter().map(|line| TextLine {
                    text: tame(&line.text, usize::MAX),
                    ..line
                });
                paper.pages.push(PaperPage {
                    page,
                    lines: lines.collect(),
                });
            }
            Line::Hidden(hidden) => {
                if paper.hidden.len() >= HIDDEN_MAX {
                    return Err(nonsense("it names more hidden places than were asked for"));
                }
                paper.hidden.push(Hidden {
                    text: tame(&hidden.text, QUOTE_MAX),
                    ..hidden
                });
            }
            Line::Gap { gap } => {
                if !paper.gaps.contains(&gap) {
                    paper.gaps.push(gap);
                }
            }
            Line::End { pages } => {
                let read = u32::try_from(paper.pages.len()).unwrap_or(u32::MAX);
                let whole = pages == read || paper.gaps.contains(&Gap::Pages);
                return if whole {
                    Ok(paper)
                } else {
                    Err(nonsense("pages are missing"))
                };
            }
            Line::Refused { why } => match why {
                Refusal::TooLarge => return Err(PaperError::TooLarge),
                Refusal::Encrypted => return Err(PaperError::Encrypted),
                Refusal::Unconfined => return Err(PaperError::Unconfined),
                Refusal::Broken if paper.pages.is_empty() => return Err(PaperError::Broken),
                Refusal::Broken => break,
            },
        }
    }
    if paper.pages.is_empty() {
        return Err(PaperError::Exhausted);
    }
    paper.gaps.push(Gap::CutOff);
    Ok(paper)
}

fn tame(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}
