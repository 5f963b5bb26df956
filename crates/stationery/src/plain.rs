//! A letter as plain text: what is sent by mail, and what a letter's digest is of.

use crate::letter::{Block, Letter, Row};

/// Width to which running text is set, in characters.
const WIDTH: usize = 80;
/// A place to write.
const BLANK: &str = "______________________________";

impl Letter {
    /// The letter as plain text. A line with a label stays one line; running text is wrapped at 80 characters.
    pub fn to_text(&self) -> String {
        let mut page = Page::default();
        self.letterhead.iter().for_each(|line| page.line(line));
        page.gap();
        for (number, line) in self.addressee.iter().enumerate() {
            match number {
                0 => page.line(&format!("{}: {line}", self.furniture.to)),
                _ => page.line(&format!(
                    "{}  {line}",
                    " ".repeat(self.furniture.to.chars().count())
                )),
            }
        }
        page.rows(&self.references);
        page.gap();
        if let Some(mark) = &self.mark {
            page.line(&format!("*** {mark} ***"));
            page.gap();
        }
        page.line(&self.title);
        for block in &self.blocks {
            page.gap();
            match block {
                Block::Heading { text } => page.line(text),
                Block::Paragraph { text } => page.wrapped("", text),
                Block::Rows { rows } => page.rows(rows),
                Block::Signature { rows } => rows.iter().for_each(|row| match row.value.is_empty() {
                    true => page.line(&format!("{}: {BLANK}", row.label)),
                    false => page.rows(std::slice::from_ref(row)),
                }),
                Block::List { items } => items.iter().for_each(|item| page.wrapped("- ", item)),
                Block::Grounds { grounds } => {
                    for (number, ground) in (1_usize..).zip(grounds) {
                        let first = format!("{number}. ");
                        let indent = " ".repeat(first.len());
                        page.line(&format!("{first}{}", ground.rule));
                        page.line(&format!("{indent}{}: {}", self.furniture.source, ground.source));
                        page.wrapped(&indent, &ground.text);
                    }
                }
                Block::Section {
                    letter,
                    title,
                    boxes,
                    rows,
                    paragraphs,
                } => {
                    page.line(&format!("{letter}. {title}"));
                    for tick in boxes {
                        page.wrapped(if tick.ticked { "[x] " } else { "[ ] " }, &tick.text);
                    }
                    page.rows(rows);
                    for text in paragraphs {
                        page.wrapped("", text);
                    }
                }
            }
        }
        page.0
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text.trim_end());
        self.0.push('\n');
    }

    fn gap(&mut self) {
        self.0.push('\n');
    }

    fn rows(&mut self, rows: &[Row]) {
        for row in rows {
            self.line(&format!("{}: {}", row.label, row.value));
        }
    }

    /// What follows the first line stands under what follows `first` on it.
    fn wrapped(&mut self, first: &str, text: &str) {
        let width = first.chars().count();
        let mut line = first.to_owned();
        let mut taken = width;
        for word in text.split(' ') {
            let length = word.chars().count();
            if taken > width && taken + 1 + length > WIDTH {
                self.line(&line);
                line = " ".repeat(width);
                taken = width;
            }
            if taken > width {
                line.push(' ');
                taken += 1;
            }
            line.push_str(word);
            taken += length;
        }
        self.line(&line);
    }
}
