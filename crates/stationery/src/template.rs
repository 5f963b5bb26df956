//! The text of one kind of letter in one language, as its file has it.

use serde::Deserialize;

/// One file, such as `letters/en/redirect.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) addressee: Vec<String>,
    pub(crate) references: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) mark: Option<String>,
    /// Beginnings of the instruments that it is for; empty: for all.
    #[serde(default)]
    pub(crate) instruments: Vec<String>,
    #[serde(rename = "block")]
    pub(crate) blocks: Vec<Part>,
}

/// One block: exactly one of what it can be, and when it is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Part {
    /// Only where this is known.
    pub(crate) when: Option<String>,
    /// Only where this is not.
    pub(crate) unless: Option<String>,
    /// Only for instruments that begin so.
    pub(crate) instruments: Vec<String>,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Heading(String),
    Paragraph(String),
    Rows(Vec<(String, String)>),
    /// Items written out here.
    List(Vec<String>),
    /// Items that the case gives, by name.
    Items(String),
    /// Grounds that the case gives, by name.
    Grounds(String),
    Section(Section),
    Signature(Vec<(String, String)>),
}

/// A block as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    when: Option<String>,
    unless: Option<String>,
    #[serde(default)]
    instruments: Vec<String>,
    heading: Option<String>,
    paragraph: Option<String>,
    rows: Option<Vec<(String, String)>>,
    list: Option<Vec<String>>,
    items: Option<String>,
    grounds: Option<String>,
    section: Option<Section>,
    signature: Option<Vec<(String, String)>>,
}

impl TryFrom<Written> for Part {
    type Error = &'static str;
    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let mut found = [
            written.heading.map(What::Heading),
            written.paragraph.map(What::Paragraph),
            written.rows.map(What::Rows),
            written.list.map(What::List),
            written.items.map(What::Items),
            written.grounds.map(What::Grounds),
            written.section.map(What::Section),
            written.signature.map(What::Signature),
        ]
        .into_iter()
        .flatten();
        match (found.next(), found.next()) {
            (Some(what), None) => Ok(Self {
                when: written.when,
                unless: written.unless,
                instruments: written.instruments,
                what,
            }),
            _ => {
                Err("a block is one of heading, paragraph, rows, list, items, grounds, section and signature")
            }
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    pub(crate) letter: String,
    pub(crate) title: String,
    /// What ticks it, and what it says.
    #[serde(default)]
    pub(crate) boxes: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) rows: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) paragraphs: Vec<String>,
}

/// A text cut at its placeholders.
pub(crate) enum Piece<'a> {
    Words(&'a str),
    /// A fact, and whether the letter can do without it: `{name}` or `{name?}`.
    Fact(&'a str, bool),
}

/// Cuts a text at its placeholders. `None` where a brace is left over.
pub(crate) fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}')?;
        found.push(Piece::Words(before));
        found.push(match name.strip_suffix('?') {
            Some(name) => Piece::Fact(name, true),
            None => Piece::Fact(name, false),
        });
        rest = tail;
    }
    found.push(Piece::Words(rest));
    let whole = |piece: &Piece| !matches!(piece, Piece::Words(words) if words.contains('}'));
    found.iter().all(whole).then_some(found)
}

impl Template {
    /// Every text that is filled in.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &String> {
        let references = self.references.iter().flat_map(pair);
        let blocks = self.blocks.iter().flat_map(|part| part.what.texts());
        std::iter::once(&self.title)
            .chain(&self.addressee)
            .chain(&self.mark)
            .chain(references)
            .chain(blocks)
    }

    /// Every name that is asked for beside the placeholders.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.blocks.iter().flat_map(|part| {
            let of_what: Vec<&String> = match &part.what {
                What::Items(name) | What::Grounds(name) => vec![name],
                What::Section(section) => section.boxes.iter().map(|(flag, _)| flag).collect(),
                _ => Vec::new(),
            };
            part.when.iter().chain(&part.unless).chain(of_what)
        })
    }
}

impl What {
    fn texts(&self) -> Vec<&String> {
        match self {
            What::Heading(text) | What::Paragraph(text) => vec![text],
            What::Rows(rows) | What::Signature(rows) => rows.iter().flat_map(pair).collect(),
            What::List(items) => items.iter().collect(),
            What::Items(_) | What::Grounds(_) => Vec::new(),
            What::Section(section) => std::iter::once(&section.title)
                .chain(section.boxes.iter().map(|(_, text)| text))
                .chain(section.rows.iter().flat_map(pair))
                .chain(&section.paragraphs)
                .collect(),
        }
    }
}

fn pair((label, value): &(String, String)) -> [&String; 2] {
    [label, value]
}
