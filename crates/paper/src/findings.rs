//! What of a page's text cannot be seen on it.

use std::ops::Range;

use hayro_interpret::kurbo::Rect;

use crate::{
    QUOTE_MAX,
    answer::{Hidden, Hiding, TextLine},
    layers::{Ink, Layers, Placed},
    text::{Lines, Step, step, whole},
};

/// How a page reads.
pub(crate) struct Findings {
    /// What is seen, and readings of pictures.
    pub(crate) lines: Vec<TextLine>,
    /// What is not.
    pub(crate) hidden: Vec<Hidden>,
    /// Letters that do not say which they are.
    pub(crate) nameless: bool,
}

impl Layers {
    /// Judges the letters of a page, now that all of it is drawn.
    pub(crate) fn findings(mut self, page: u32) -> Findings {
        for word in self.words() {
            self.judge_word(word);
        }
        let again: Vec<usize> = (0..self.letters.len())
            .filter(|at| {
                self.letters
                    .get(*at)
                    .is_some_and(|placed| placed.hidden.is_some())
            })
            .filter(|at| self.is_shown_again(*at))
            .collect();
        for at in again {
            if let Some(placed) = self.letters.get_mut(at) {
                // It is read where it is seen.
                placed.letter.text = " ".to_owned();
                placed.hidden = None;
            }
        }
        let mut lines = Lines::default();
        for placed in self.letters.iter().filter(|placed| placed.hidden.is_none()) {
            lines.add(&placed.letter);
        }
        Findings {
            lines: lines.into_list(),
            hidden: gathered(&self.letters, page),
            nameless: self
                .letters
                .iter()
                .any(|placed| placed.letter.text.contains(char::REPLACEMENT_CHARACTER)),
        }
    }

    /// Words whose judgement waited until all was drawn: those that draw nothing, and those under a picture.
    fn words(&self) -> Vec<Range<usize>> {
        let waits = |placed: &Placed| {
            placed.hidden.is_none()
                && !placed.letter.is_space()
                && (placed.letter.ink == Ink::Unseen || placed.under.is_some())
        };
        let mut words: Vec<Range<usize>> = Vec::new();
        for (at, placed) in self
            .letters
            .iter()
            .enumerate()
            .filter(|(_, placed)| waits(placed))
        {
            let joins = words.last().is_some_and(|word| {
                word.end == at
                    && at
                        .checked_sub(1)
                        .and_then(|before| self.letters.get(before))
                        .is_some_and(|before| {
                            (before.letter.ink == Ink::Unseen) == (placed.letter.ink == Ink::Unseen)
                                && before.under == placed.under
                                && before.boxed == placed.boxed
                                && step(&before.letter, &placed.letter) == Step::On
                        })
            });
            match words.last_mut().filter(|_| joins) {
                Some(word) => word.end = at + 1,
                None => words.push(at..at + 1),
            }
        }
        words
    }

    fn judge_word(&mut self, word: Range<usize>) {
        let letters = self.letters.get(word.clone()).unwrap_or_default();
        let Some(first) = letters.first() else { return };
        let area = letters
            .iter()
            .fold(first.letter.area, |area, placed| area.union(placed.letter.area));
        let (unseen, under, boxed) = (first.letter.ink == Ink::Unseen, first.under, first.boxed);
        let hidden = if let Some(sheet) = boxed {
            Some((Hiding::Covered, sheet))
        } else if unseen {
            self.unseen(area)
        } else {
            // A scan over its own reading shows the word; a blank in it does not.
            under
                .filter(|sheet| self.picture(*sheet).is_some_and(|picture| picture.is_blank(area)))
                .map(|sheet| (Hiding::Covered, sheet))
        };
        if let Some(placed) = self.letters.get_mut(word) {
            for placed in placed {
                placed.hidden = hidden;
            }
        }
    }

    /// A word that draws nothing is the reading of what is seen there: of a picture that shows something, or of lines drawn.
    /// Where nothing is seen, it is what was taken out of the picture, or was never meant to be read.
    fn unseen(&mut self, area: Rect) -> Option<(Hiding, usize)> {
        // Where that is too much work, the page is not called clean anyway.
        let near = self.sheets_near(area)?;
        let pictures = near
            .iter()
            .rev()
            .filter_map(|at| Some((*at, self.picture(*at)?)))
            .filter(|(_, picture)| {
                let centre = picture.area().contains(area.center());
                centre && picture.at(area.center()).is_some()
            });
        let mut blank = None;
        for (at, picture) in pictures {
            if !picture.is_blank(area) {
                return None;
            }
            blank = blank.or(Some((Hiding::Covered, at)));
        }
        if blank.is_some() {
            return blank;
        }
        let drawn = near.iter().filter(|at| self.picture(**at).is_none()).any(|at| {
            let within = self.area_of(*at).intersect(area);
            within.width() > 0.0 && within.height() > 0.0 && within.area() < 0.9 * area.area()
        });
        (!drawn).then_some((Hiding::Invisible, usize::MAX))
    }
}

/// Findings, each of letters that follow one another and are hidden in the same way.
fn gathered(letters: &[Placed], page: u32) -> Vec<Hidden> {
    let mut found = Vec::new();
    let mut open: Vec<&Placed> = Vec::new();
    for placed in letters {
        let joins = open.last().is_some_and(|last| {
            let near = (placed.letter.start - last.letter.end).hypot() < 40.0 * last.letter.em.max(6.0);
            let same = placed.hidden.map(|(how, _)| how) == last.hidden.map(|(how, _)| how);
            same && near
        });
        match placed.hidden {
            _ if placed.letter.is_space() => {}
            Some(_) if joins => open.push(placed),
            Some(_) => {
                found.extend(finding(&open, page));
                open = vec![placed];
            }
            None => {
                found.extend(finding(&open, page));
                open.clear();
            }
        }
    }
    found.extend(finding(&open, page));
    found
}

/// A finding; none of marks alone, which tell nothing.
fn finding(letters: &[&Placed], page: u32) -> Option<Hidden> {
    let first = letters.first()?;
    let (how, _) = first.hidden?;
    let mut lines = Lines::default();
    let mut area = first.letter.area;
    for placed in letters {
        lines.add(&placed.letter);
        area = area.union(placed.letter.area);
    }
    let text = lines
        .into_list()
        .into_iter()
        .map(|line| line.text)
        .collect::<Vec<_>>()
        .join(" ");
    let tells = |c: char| c.is_alphanumeric() || c == char::REPLACEMENT_CHARACTER;
    let characters = text.chars().filter(|c| !c.is_whitespace()).count();
    text.contains(tells).then(|| Hidden {
        page,
        how,
        text: text.chars().take(QUOTE_MAX).collect(),
        characters: u32::try_from(characters).unwrap_or(u32::MAX),
        area: whole(area),
    })
}
