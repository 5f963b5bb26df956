//! One letter, `amparo.letter/1`.

use serde::{Deserialize, Serialize};

use crate::visible::visible;

/// Largest letter read, in bytes of JSON.
pub const LETTER_BYTES_MAX: usize = 1024 * 1024;
/// Longest single text of a letter, in bytes.
pub const TEXT_MAX: usize = 64 * 1024;
/// Most blocks of a letter, and most lines, items or boxes of a block.
pub const PARTS_MAX: usize = 4096;

/// A letter, whole: everything that is on paper, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// Always `amparo.letter/1`.
    pub schema: LetterSchema,
    /// What it is, as the texts name it: `redirect`.
    pub kind: String,
    /// The language of its texts, as in BCP 47: `en`.
    pub language: String,
    /// Its day, `YYYY-MM-DD`.
    pub date: String,
    /// The case, as each page names it.
    pub case: String,
    /// Who writes, line by line.
    pub letterhead: Vec<String>,
    /// To whom, line by line; empty where that is not known.
    pub addressee: Vec<String>,
    /// The lines beside the addressee: references and day.
    pub references: Vec<Row>,
    /// What must not be overlooked, on every page: that it is a draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// Its title.
    pub title: String,
    /// What it says.
    pub blocks: Vec<Block>,
    /// Words that stand on every letter.
    pub furniture: Furniture,
}

/// The schema tag of [`Letter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LetterSchema {
    /// Version 1.
    #[serde(rename = "amparo.letter/1")]
    V1,
}

/// A line with its label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it is.
    pub label: String,
    /// What is said. Empty: a place to write.
    pub value: String,
}

/// One ground, with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// The rule that found it.
    pub rule: String,
    /// The law, as cited.
    pub source: String,
    /// Why it applies.
    pub text: String,
}

/// A box of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tick {
    /// Whether it is ticked.
    pub ticked: bool,
    /// What it stands for.
    pub text: String,
}

/// One part of what a letter says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Block {
    /// A heading.
    Heading {
        /// Its words.
        text: String,
    },
    /// A paragraph.
    Paragraph {
        /// Its words.
        text: String,
    },
    /// Lines with labels.
    Rows {
        /// In order.
        rows: Vec<Row>,
    },
    /// A list.
    List {
        /// In order.
        items: Vec<String>,
    },
    /// Grounds, numbered.
    Grounds {
        /// In order; the numbers run through the block.
        grounds: Vec<Ground>,
    },
    /// A section of a form.
    Section {
        /// Its letter in the form.
        letter: String,
        /// Its title.
        title: String,
        /// Its boxes.
        boxes: Vec<Tick>,
        /// Its lines.
        rows: Vec<Row>,
        /// Its text, in paragraphs.
        paragraphs: Vec<String>,
    },
    /// Where somebody signs.
    Signature {
        /// Lines to be signed or filled in.
        rows: Vec<Row>,
    },
}

/// Words that stand on every letter of a language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Furniture {
    /// Before the addressee.
    pub to: String,
    /// Before a page's number.
    pub page: String,
    /// Between a page's number and how many there are.
    pub of: String,
    /// Before the case, on every page.
    pub case: String,
    /// Before the law that a ground rests on.
    pub source: String,
}

/// Why a letter was not set as a PDF: what the program that sets them says instead, as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refused", rename_all = "snake_case")]
pub enum Refusal {
    /// It is no letter.
    NotALetter {
        /// Why.
        why: String,
    },
    /// The fonts cannot show all of it.
    NoGlyphs {
        /// Which characters, as `U+4E2D`; at most 64.
        characters: Vec<String>,
    },
    /// It has more pages than a letter may.
    TooManyPages,
    /// It could not be set: a defect of the program.
    Broken,
    /// The program could not confine itself, so it read nothing.
    Unconfined,
}

impl Refusal {
    /// As the program says it: one line of JSON.
    ///
    /// # Errors
    /// When it has no JSON form, which is a defect.
    pub fn to_line(&self) -> std::io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// Why bytes are no letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no letter of schema `amparo.letter/1`: {0}")]
pub struct NotALetter(pub String);

impl Letter {
    /// Reads a letter from JSON, strictly, within the limits of this module. Whatever would not be seen is made visible.
    ///
    /// # Errors
    /// [`NotALetter`], which quotes nothing of it.
    pub fn read(json: &[u8]) -> Result<Self, NotALetter> {
        let wrong = |what: &str| NotALetter(what.to_owned());
        if json.len() > LETTER_BYTES_MAX {
            return Err(wrong("it is longer than 1 MiB"));
        }
        let mut letter: Self = serde_json::from_slice(json).map_err(|error| {
            NotALetter(format!(
                "line {}, column {}: a field is missing, unknown or of another type",
                error.line(),
                error.column()
            ))
        })?;
        if letter.year_month_day().is_none() {
            return Err(wrong("`date` is no day of the form YYYY-MM-DD"));
        }
        if !is_language(&letter.language) {
            return Err(wrong("`language` is no code of two or three small letters"));
        }
        if letter.title.trim().is_empty() || letter.blocks.is_empty() {
            return Err(wrong("it has no title, or says nothing"));
        }
        let mut long = false;
        letter.each_text(&mut |text| {
            long |= text.len() > TEXT_MAX;
            let seen = visible(text);
            *text = seen;
        });
        if long || letter.parts().any(|parts| parts > PARTS_MAX) {
            return Err(wrong(
                "a text is longer than 64 KiB, or a list has more than 4096 lines",
            ));
        }
        Ok(letter)
    }

    /// Its JSON.
    ///
    /// # Errors
    /// When it has no JSON form, which is a defect.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Its day; `None` where that is none of the calendar.
    pub fn year_month_day(&self) -> Option<(i32, u8, u8)> {
        let mut parts = self.date.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |text: &str, many: usize| text.len() == many && text.bytes().all(|b| b.is_ascii_digit());
        if parts.next().is_some() || !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
            return None;
        }
        let (year, month, day): (i32, u8, u8) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let last = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => 0,
        };
        (1..=last).contains(&day).then_some((year, month, day))
    }

    fn parts(&self) -> impl Iterator<Item = usize> {
        let of_blocks = self.blocks.iter().map(|block| match block {
            Block::Heading { .. } | Block::Paragraph { .. } => 1,
            Block::Rows { rows } | Block::Signature { rows } => rows.len(),
            Block::List { items } => items.len(),
            Block::Grounds { grounds } => grounds.len(),
            Block::Section {
                boxes,
                rows,
                paragraphs,
                ..
            } => boxes.len().max(rows.len()).max(paragraphs.len()),
        });
        [
            self.blocks.len(),
            self.letterhead.len(),
            self.addressee.len(),
            self.references.len(),
        ]
        .into_iter()
        .chain(of_blocks)
    }

    /// Gives every text of it away, to be read or changed.
    pub fn each_text(&mut self, with: &mut impl FnMut(&mut String)) {
        for line in self.letterhead.iter_mut().chain(&mut self.addressee) {
            with(line);
        }
        for text in [&mut self.kind, &mut self.case, &mut self.title] {
            with(text);
        }
        if let Some(mark) = &mut self.mark {
            with(mark);
        }
        let Furniture {
            to,
            page,
            of,
            case,
            source,
        } = &mut self.furniture;
        for text in [to, page, of, case, source] {
            with(text);
        }
        each_row(&mut self.references, with);
        for block in &mut self.blocks {
            match block {
                Block::Heading { text } | Block::Paragraph { text } => with(text),
                Block::Rows { rows } | Block::Signature { rows } => each_row(rows, with),
                Block::List { items } => items.iter_mut().for_each(&mut *with),
                Block::Grounds { grounds } => {
                    for Ground { rule, source, text } in grounds {
                        [rule, source, text].into_iter().for_each(&mut *with);
                    }
                }
                Block::Section {
                    letter,
                    title,
                    boxes,
                    rows,
                    paragraphs,
                } => {
                    with(letter);
                    with(title);
                    boxes.iter_mut().for_each(|tick| with(&mut tick.text));
                    each_row(rows, with);
                    paragraphs.iter_mut().for_each(&mut *with);
                }
            }
        }
    }
}

fn each_row(rows: &mut [Row], with: &mut impl FnMut(&mut String)) {
    for row in rows {
        with(&mut row.label);
        with(&mut row.value);
    }
}

/// A primary language subtag, as the folders of texts are named.
pub(crate) fn is_language(code: &str) -> bool {
    (2..=3).contains(&code.len()) && code.bytes().all(|letter| letter.is_ascii_lowercase())
}
