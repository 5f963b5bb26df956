//! Lines of text from letters, in the order in which they are drawn.

use hayro_interpret::kurbo::{Rect, Vec2};

use crate::{answer::TextLine, layers::Letter};

/// A gap as wide as this, in sizes of the font, parts words.
const WORD_GAP: f64 = 0.17;
/// A step back of as much, in sizes of the font, begins a line.
const STEP_BACK: f64 = 1.0;
/// A step aside of as much, in sizes of the font, begins a line.
const STEP_ASIDE: f64 = 0.5;

/// How a letter follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// In the same word.
    On,
    /// In the next word.
    Word,
    /// In another line.
    Line,
}

/// How `next` follows `last`.
pub(crate) fn step(last: &Letter, next: &Letter) -> Step {
    let em = last.em.max(next.em).max(f64::MIN_POSITIVE);
    let along = direction(last);
    let gap = next.start - last.end;
    let (ahead, aside) = (gap.dot(along) / em, gap.cross(along).abs() / em);
    if aside > STEP_ASIDE || ahead < -STEP_BACK || direction(next).dot(along) < 0.9 {
        Step::Line
    } else if ahead > WORD_GAP {
        Step::Word
    } else {
        Step::On
    }
}

fn direction(letter: &Letter) -> Vec2 {
    let pen = letter.end - letter.start;
    let length = pen.hypot();
    if length > f64::EPSILON {
        pen / length
    } else {
        Vec2::new(1.0, 0.0)
    }
}

/// Lines, gathered letter by letter.
#[derive(Default)]
pub(crate) struct Lines<'a> {
    list: Vec<TextLine>,
    text: String,
    area: Option<Rect>,
    last: Option<&'a Letter>,
}

impl<'a> Lines<'a> {
    /// Adds a letter.
    pub(crate) fn add(&mut self, letter: &'a Letter) {
        match self.last.map(|last| step(last, letter)) {
            Some(Step::Line) => self.end(),
            Some(Step::Word) if !self.text.ends_with(char::is_whitespace) => self.text.push(' '),
            _ => {}
        }
        if letter.is_space() {
            if !self.text.is_empty() && !self.text.ends_with(' ') {
                self.text.push(' ');
            }
        } else {
            self.text.extend(letter.text.chars().filter(|c| !c.is_control()));
            self.area = Some(self.area.map_or(letter.area, |area| area.union(letter.area)));
        }
        self.last = Some(letter);
    }

    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        if let Some(area) = self.area.take()
            && !text.trim().is_empty()
        {
            self.list.push(TextLine {
                text: text.trim_end().to_owned(),
                area: whole(area),
            });
        }
    }

    /// The lines.
    pub(crate) fn into_list(mut self) -> Vec<TextLine> {
        self.end();
        self.list
    }
}

/// An area in whole points.
#[allow(
    clippy::cast_possible_truncation,
    reason = "saturates, and is shown to people"
)]
pub(crate) fn whole(area: Rect) -> [i32; 4] {
    [
        area.x0.floor() as i32,
        area.y0.floor() as i32,
        area.x1.ceil() as i32,
        area.y1.ceil() as i32,
    ]
}
