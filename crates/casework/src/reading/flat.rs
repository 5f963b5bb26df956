//! A text without its markup, each byte of which knows where it came from.

use super::{Form, TEXT_BYTES_MAX, beginning};

/// Most links kept of one text.
const LINKS_MAX: usize = 2_000;
/// Longest entity looked at: `&CounterClockwiseContourIntegral;` is longer than any that matters here.
const ENTITY_BYTES_MAX: usize = 12;
/// Elements whose content nobody sees.
const UNSEEN: [&str; 5] = ["script", "style", "title", "template", "head"];
/// Elements that end a line.
const BREAKS: [&str; 14] = [
    "br",
    "p",
    "div",
    "tr",
    "td",
    "th",
    "li",
    "table",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "blockquote",
];

/// A text as a person reads it, with the links that lie behind it.
#[derive(Debug, Clone, Default)]
pub struct Flat {
    text: String,
    /// `(here, there)`: from byte `here` on, bytes correspond to the source's from `there` on.
    map: Vec<(usize, usize)>,
    links: Vec<Link>,
}

/// One link: where its words stand in the flat text, and where it leads.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) to: String,
}

impl Flat {
    /// Takes the markup off. Never fails: what is not markup is text.
    pub fn of(text: &str, form: Form) -> Self {
        let text = beginning(text, TEXT_BYTES_MAX);
        match form {
            Form::Plain => Self::plain(text),
            Form::Html => Flattener::new(text).run(),
        }
    }

    fn plain(text: &str) -> Self {
        let mut flat = Self {
            text: text.to_owned(),
            map: vec![(0, 0)],
            links: Vec::new(),
        };
        let mut from = 0;
        while let Some(found) = text.get(from..).and_then(|rest| rest.find("http")) {
            let start = from.saturating_add(found);
            let rest = text.get(start..).unwrap_or_default();
            let length = rest
                .find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\''))
                .unwrap_or(rest.len())
                .max(1);
            let url = rest.get(..length).unwrap_or_default();
            if (url.starts_with("https://") || url.starts_with("http://")) && flat.links.len() < LINKS_MAX {
                flat.links.push(Link {
                    start,
                    end: start.saturating_add(length),
                    to: url.to_owned(),
                });
            }
            from = start.saturating_add(length);
            while from < text.len() && !text.is_char_boundary(from) {
                from = from.saturating_add(1);
            }
        }
        flat
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where bytes `start..end` of the flat text stand in the source.
    pub fn source(&self, start: usize, end: usize) -> (usize, usize) {
        let first = self.there(start);
        let last = if end > start {
            self.there(end.saturating_sub(1)).saturating_add(1)
        } else {
            first
        };
        (first, last.max(first))
    }

    fn there(&self, here: usize) -> usize {
        let after = self.map.partition_point(|(flat, _)| *flat <= here);
        match after.checked_sub(1).and_then(|at| self.map.get(at)) {
            Some((flat, source)) => source.saturating_add(here.saturating_sub(*flat)),
            None => here,
        }
    }

    /// Links whose words begin within `start..end`, or end there.
    pub(super) fn links_within(&self, start: usize, end: usize) -> impl Iterator<Item = &Link> {
        self.links
            .iter()
            .filter(move |link| link.start < end && link.end.max(link.start.saturating_add(1)) > start)
    }
}

struct Flattener<'a> {
    source: &'a str,
    at: usize,
    flat: Flat,
    open: Option<(usize, String)>,
}

impl<'a> Flattener<'a> {
    fn new(source: &'a str) -> Self {
        Self {
            source,
            at: 0,
            flat: Flat::default(),
            open: None,
        }
    }

    fn run(mut self) -> Flat {
        while let Some(rest) = self.source.get(self.at..).filter(|rest| !rest.is_empty()) {
            match rest.as_bytes().first() {
                Some(b'<') if is_markup(rest) => self.markup(rest),
                Some(b'&') => self.entity(rest),
                _ => {
                    let length = rest
                        .char_indices()
                        .skip(1)
                        .find(|(_, c)| matches!(c, '<' | '&'))
                        .map_or(rest.len(), |(at, _)| at);
                    self.push(rest.get(..length).unwrap_or_default(), length);
                }
            }
        }
        self.close_link();
        self.flat
    }

    /// Appends text that takes `length` bytes of the source.
    fn push(&mut self, text: &str, length: usize) {
        self.flat.map.push((self.flat.text.len(), self.at));
        self.flat.text.push_str(text);
        self.at = self.at.saturating_add(length.max(1));
    }

    fn markup(&mut self, rest: &str) {
        if let Some(comment) = rest.strip_prefix("<!--") {
            let length = comment
                .find("-->")
                .map_or(rest.len(), |end| end.saturating_add(7));
            self.at = self.at.saturating_add(length);
            return;
        }
        let length = tag_length(rest);
        let tag = rest.get(..length).unwrap_or(rest);
        let closing = tag.starts_with("</");
        let name: String = tag
            .trim_start_matches(['<', '/'])
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .take(16)
            .collect::<String>()
            .to_ascii_lowercase();
        if name == "a" {
            self.close_link();
            if !closing && let Some(to) = attribute(tag, "href") {
                self.open = Some((self.flat.text.len(), to));
            }
        }
        if BREAKS.contains(&name.as_str()) {
            self.flat.map.push((self.flat.text.len(), self.at));
            self.flat.text.push('\n');
        }
        self.at = self.at.saturating_add(length.max(1));
        if !closing && UNSEEN.contains(&name.as_str()) && !tag.ends_with("/>") {
            self.skip_to_end_of(&name);
        }
    }

    fn skip_to_end_of(&mut self, name: &str) {
        let rest = self.source.get(self.at..).unwrap_or_default().as_bytes();
        let end = rest
            .windows(name.len().saturating_add(2))
            .position(|window| {
                window.starts_with(b"</")
                    && window
                        .get(2..)
                        .is_some_and(|ending| ending.eq_ignore_ascii_case(name.as_bytes()))
            })
            .unwrap_or(rest.len());
        self.at = self.at.saturating_add(end);
    }

    fn close_link(&mut self) {
        if let Some((start, to)) = self.open.take()
            && self.flat.links.len() < LINKS_MAX
        {
            let end = self.flat.text.len();
            self.flat.links.push(Link { start, end, to });
        }
    }

    fn entity(&mut self, rest: &str) {
        let body = rest.get(1..).unwrap_or_default();
        let name: String = body
            .chars()
            .take(ENTITY_BYTES_MAX)
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '#')
            .collect();
        let ended = body.as_bytes().get(name.len()) == Some(&b';');
        let length = name.len().saturating_add(1).saturating_add(usize::from(ended));
        match entity(&name) {
            Some(c) => self.push(c.encode_utf8(&mut [0; 4]), length),
            None => self.push("&", 1),
        }
    }
}

/// Whether a `<` begins markup, rather than standing for itself: `</`, `<!`, `<?` or a letter after it.
fn is_markup(rest: &str) -> bool {
    rest.as_bytes()
        .get(1)
        .is_some_and(|byte| matches!(byte, b'/' | b'!' | b'?') || byte.is_ascii_alphabetic())
}

/// Up to and with the tag's `>`; one inside quotes is not it. A tag without end stops before the next one, so that each
/// byte is looked at a few times at most.
fn tag_length(rest: &str) -> usize {
    let (bytes, mut quote) = (rest.as_bytes(), None);
    for (at, byte) in bytes.iter().copied().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'<') if at > 0 => return at,
            (None, b'"' | b'\'') if bytes.get(at.saturating_sub(1)) == Some(&b'=') => quote = Some(byte),
            (Some(open), byte) if byte == open => quote = None,
            _ => {}
        }
    }
    // A quote that never ends: the tag does, at the first `>` or at the end of its line.
    rest.find(['>', '\n']).map_or(rest.len(), |at| at + 1)
}

/// An attribute's value, with its entities read. Unquoted values end at white space.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let mut from = 0;
    loop {
        let at = from + lower.get(from..)?.find(name)?;
        let before = lower.as_bytes().get(at.checked_sub(1)?)?;
        let after = lower.get(at + name.len()..)?.trim_start();
        if !before.is_ascii_whitespace() || !after.starts_with('=') {
            from = at + name.len();
            continue;
        }
        let start = lower.len() - after.len() + 1;
        let value = tag.get(start..)?.trim_start();
        let value = match value.as_bytes().first()? {
            quote @ (b'"' | b'\'') => value.get(1..)?.split(char::from(*quote)).next()?,
            _ => value.split(|c: char| c.is_whitespace() || c == '>').next()?,
        };
        return Some(value.replace("&amp;", "&").split_whitespace().collect());
    }
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return code.ok().and_then(char::from_u32);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '\u{2013}',
        "mdash" => '\u{2014}',
        "lsquo" => '\u{2018}',
        "rsquo" => '\u{2019}',
        "ldquo" => '\u{201c}',
        "rdquo" => '\u{201d}',
        "sect" => '\u{a7}',
        "auml" => '\u{e4}',
        "ouml" => '\u{f6}',
        "uuml" => '\u{fc}',
        "Auml" => '\u{c4}',
        "Ouml" => '\u{d6}',
        "Uuml" => '\u{dc}',
        "szlig" => '\u{df}',
        "eacute" => '\u{e9}',
        "egrave" => '\u{e8}',
        "agrave" => '\u{e0}',
        "ccedil" => '\u{e7}',
        _ => return None,
    })
}
