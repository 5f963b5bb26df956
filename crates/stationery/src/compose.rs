//! Making a letter of its text and what is known.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    letter::{Block, Ground, Letter, LetterSchema, Row, Tick},
    template::{Piece, What, pieces},
    texts::{Language, Texts},
    visible::visible,
};

/// What is known, by the names that texts ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The instrument of the demand, where there is a demand.
    pub instrument: Option<String>,
    /// Facts in words. A value of several paragraphs has a line feed between them.
    pub values: BTreeMap<&'static str, String>,
    /// Facts that are so or not.
    pub flags: BTreeSet<&'static str>,
    /// Lists.
    pub items: BTreeMap<&'static str, Vec<String>>,
    /// Grounds.
    pub grounds: BTreeMap<&'static str, Vec<Ground>>,
}

/// Why a letter is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// It needs something that is not known.
    #[error("it needs `{0}`, which is not known")]
    Fact(String),
    /// It is not for demands under this instrument.
    #[error("it is not for a demand under `{0}`")]
    Instrument(String),
    /// There are no texts in this language, or none of this kind.
    #[error("there is no text of it in the language `{0}`")]
    Language(String),
}

impl Facts {
    fn knows(&self, name: &str) -> bool {
        self.values
            .get(name)
            .is_some_and(|value| !value.trim().is_empty())
            || self.flags.contains(name)
            || self.items.get(name).is_some_and(|items| !items.is_empty())
            || self.grounds.get(name).is_some_and(|grounds| !grounds.is_empty())
    }

    fn is_under(&self, instruments: &[String]) -> bool {
        let begins = |instrument: &str| {
            instruments
                .iter()
                .any(|beginning| instrument.starts_with(beginning))
        };
        instruments.is_empty() || self.instrument.as_deref().is_some_and(begins)
    }
}

impl Texts {
    /// The letter of this kind in this language, with these facts. `date` is its day, `case` the case as each page names it.
    ///
    /// # Errors
    /// [`Lacking`], naming what it lacks: nothing is made up, and no place left open that the text does not leave open.
    pub fn compose(
        &self,
        language: &str,
        kind: &str,
        date: &str,
        case: &str,
        facts: &Facts,
    ) -> Result<Letter, Lacking> {
        let no_text = || Lacking::Language(language.to_owned());
        let own = self.language(language).ok_or_else(no_text)?;
        let template = own.templates.get(kind).ok_or_else(no_text)?;
        if !facts.is_under(&template.instruments) {
            let instrument = facts.instrument.clone().ok_or_else(|| lacks("instrument"))?;
            return Err(Lacking::Instrument(instrument));
        }
        let filling = Filling { own, facts };
        let mut blocks = Vec::new();
        for part in &template.blocks {
            let asked = part.when.as_ref().is_none_or(|name| facts.knows(name))
                && part.unless.as_ref().is_none_or(|name| !facts.knows(name))
                && facts.is_under(&part.instruments);
            if asked {
                filling.block(&part.what, &mut blocks)?;
            }
        }
        Ok(Letter {
            schema: LetterSchema::V1,
            kind: kind.to_owned(),
            language: language.to_owned(),
            date: date.to_owned(),
            case: case.to_owned(),
            letterhead: filling.lines(&own.letterhead)?,
            addressee: filling.lines(&template.addressee)?,
            references: filling.rows(&template.references)?,
            mark: template
                .mark
                .as_deref()
                .map(|mark| filling.line(mark))
                .transpose()?,
            title: filling.line(&template.title)?,
            blocks,
            furniture: own.furniture.clone(),
        })
    }
}

fn lacks(name: &str) -> Lacking {
    Lacking::Fact(name.to_owned())
}

struct Filling<'a> {
    own: &'a Language,
    facts: &'a Facts,
}

impl Filling<'_> {
    fn block(&self, what: &What, into: &mut Vec<Block>) -> Result<(), Lacking> {
        match what {
            What::Heading(text) => into.push(Block::Heading {
                text: self.line(text)?,
            }),
            What::Paragraph(text) => {
                let texts = self.paragraphs(text)?;
                into.extend(texts.into_iter().map(|text| Block::Paragraph { text }));
            }
            What::Rows(rows) => into.push(Block::Rows {
                rows: self.rows(rows)?,
            }),
            What::List(items) => into.push(Block::List {
                items: self.lines(items)?,
            }),
            What::Items(name) => {
                let items = self
                    .facts
                    .items
                    .get(name.as_str())
                    .filter(|items| !items.is_empty());
                let items = items.ok_or_else(|| lacks(name))?;
                into.push(Block::List {
                    items: items.iter().map(|item| visible(item)).collect(),
                });
            }
            What::Grounds(name) => {
                let grounds = self.facts.grounds.get(name.as_str());
                let grounds = grounds.filter(|grounds| !grounds.is_empty());
                let seen = |ground: &Ground| Ground {
                    rule: visible(&ground.rule),
                    source: visible(&ground.source),
                    text: visible(&ground.text),
                };
                into.push(Block::Grounds {
                    grounds: grounds.ok_or_else(|| lacks(name))?.iter().map(seen).collect(),
                });
            }
            What::Section(section) => {
                let mut boxes = Vec::new();
                for (flag, text) in &section.boxes {
                    boxes.push(Tick {
                        ticked: self.facts.knows(flag),
                        text: self.line(text)?,
                    });
                }
                let mut paragraphs = Vec::new();
                for text in &section.paragraphs {
                    paragraphs.extend(self.paragraphs(text)?);
                }
                into.push(Block::Section {
                    letter: section.letter.clone(),
                    title: self.line(&section.title)?,
                    boxes,
                    rows: self.rows(&section.rows)?,
                    paragraphs,
                });
            }
            What::Signature(rows) => into.push(Block::Signature {
                rows: self.rows(rows)?,
            }),
        }
        Ok(())
    }

    fn lines(&self, texts: &[String]) -> Result<Vec<String>, Lacking> {
        texts.iter().map(|text| self.line(text)).collect()
    }

    fn rows(&self, rows: &[(String, String)]) -> Result<Vec<Row>, Lacking> {
        let row = |(label, value): &(String, String)| {
            Ok(Row {
                label: self.line(label)?,
                value: self.line(value)?,
            })
        };
        rows.iter().map(row).collect()
    }

    /// A text that is one fact and nothing else keeps that fact's paragraphs.
    fn paragraphs(&self, text: &str) -> Result<Vec<String>, Lacking> {
        let name = text
            .trim()
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        match name.and_then(|name| self.facts.values.get(name)) {
            Some(value) => {
                let lines = value.lines().map(visible).filter(|line| !line.is_empty());
                let lines: Vec<String> = lines.collect();
                match lines.is_empty() {
                    true => Err(lacks(name.unwrap_or_default())),
                    false => Ok(lines),
                }
            }
            None => Ok(vec![self.line(text)?]),
        }
    }

    /// Each placeholder is replaced once, from left to right: what a demand says is never itself read as a text of ours.
    fn line(&self, text: &str) -> Result<String, Lacking> {
        let mut line = String::with_capacity(text.len());
        for piece in pieces(text).ok_or_else(|| lacks(text))? {
            match piece {
                Piece::Words(words) => line.push_str(words),
                Piece::Fact(name, optional) => {
                    match self
                        .facts
                        .values
                        .get(name)
                        .filter(|value| !value.trim().is_empty())
                    {
                        Some(value) => line.push_str(value),
                        None if optional => line.push_str(&self.own.not_given),
                        None => return Err(lacks(name)),
                    }
                }
            }
        }
        Ok(visible(&line))
    }
}
