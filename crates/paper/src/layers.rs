//! What a page draws, in painter's order: letters, and what is laid over and under them.

use std::{collections::HashMap, rc::Rc};

use hayro_interpret::{
    FillRule,
    kurbo::{BezPath, Point, Rect, Shape as _},
};

use crate::{answer::Hiding, picture::Picture};

/// Red, green and blue.
pub(crate) type Colour = [u8; 3];

/// Most letters looked at on one page.
const LETTERS_MAX: usize = 200_000;
/// Most things looked at that are laid over and under them on one page.
const SHEETS_MAX: usize = 50_000;
/// Most comparisons of the two on one page.
const WORK_MAX: u64 = 300_000_000;
/// Most dots kept of all pictures on one page.
const DOTS_MAX: usize = 48_000_000;
/// Places within a letter that are looked at: three rows of three.
const SPOTS: [(f64, f64); 9] = [
    (0.25, 0.25),
    (0.5, 0.25),
    (0.75, 0.25),
    (0.25, 0.5),
    (0.5, 0.5),
    (0.75, 0.5),
    (0.25, 0.75),
    (0.5, 0.75),
    (0.75, 0.75),
];
/// How many of them make a letter covered, cut away, or of the colour of its ground.
const SPOTS_MOST: usize = 8;
/// Smallest thing that can hide a letter, in points.
const SHEET_MIN: f64 = 1.0;
/// Colours that differ by less in every channel are one to the eye.
const COLOUR_STEP: u8 = 20;
/// Letters smaller than this are not read by anybody, in points.
const EM_MIN: f64 = 1.0;
/// Height of a row of the index, in points.
const ROW: f64 = 16.0;
/// Most rows looked at for one thing.
const ROWS_MAX: i64 = 2_048;

/// A letter on the page.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// Which, as far as the PDF says; the replacement character where it does not.
    pub(crate) text: String,
    /// Where its ink is, or would be.
    pub(crate) area: Rect,
    /// Where the pen was before it.
    pub(crate) start: Point,
    /// Where it was after.
    pub(crate) end: Point,
    /// Size of its font as it stands, in points.
    pub(crate) em: f64,
    /// How it is drawn.
    pub(crate) ink: Ink,
}

impl Letter {
    pub(crate) fn is_space(&self) -> bool {
        self.text.trim().is_empty()
    }

    fn spots(&self) -> impl Iterator<Item = Point> {
        let area = self.area;
        SPOTS
            .into_iter()
            .map(move |(x, y)| Point::new(area.x0 + area.width() * x, area.y0 + area.height() * y))
    }
}

/// How a letter is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// In one colour.
    Colour(Colour),
    /// In a pattern.
    Pattern,
    /// In a colour that lets everything through.
    Clear,
    /// Not at all, as the reading of a scan is.
    Unseen,
}

/// What bounds where something is drawn: a path, and those that bounded it before.
pub(crate) struct Clip {
    pub(crate) path: BezPath,
    pub(crate) rule: FillRule,
    pub(crate) area: Rect,
    pub(crate) outer: Option<Rc<Clip>>,
}

impl Clip {
    fn lets(&self, spot: Point) -> bool {
        let mut at = Some(self);
        while let Some(clip) = at {
            if !clip.area.contains(spot) || !inside(&clip.path, clip.rule, spot) {
                return false;
            }
            at = clip.outer.as_deref();
        }
        true
    }
}

fn inside(path: &BezPath, rule: FillRule, spot: Point) -> bool {
    let winding = path.winding(spot);
    match rule {
        FillRule::NonZero => winding != 0,
        FillRule::EvenOdd => winding % 2 != 0,
    }
}

/// What a filled area looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// One colour.
    Plain(Colour),
    /// A run of colours.
    Shaded,
    /// A pattern, which may let through what is under it.
    Patterned,
    /// It lets through what is under it, changed.
    Veil,
}

/// Something laid onto the page.
pub(crate) enum Sheet {
    /// An area filled.
    Fill {
        path: BezPath,
        rule: FillRule,
        face: Face,
        clip: Option<Rc<Clip>>,
    },
    /// A picture.
    Picture {
        picture: Picture,
        clip: Option<Rc<Clip>>,
    },
}

/// What a sheet is at a spot.
enum Ground {
    Elsewhere,
    Colour(Colour),
    Unknown,
}

impl Sheet {
    fn area(&self) -> Rect {
        let (area, clip) = match self {
            Self::Fill { path, clip, .. } => (path.bounding_box(), clip),
            Self::Picture { picture, clip } => (picture.area(), clip),
        };
        clip.as_deref().map_or(area, |clip| area.intersect(clip.area))
    }

    /// How dear it is to look at one spot.
    fn price(&self) -> u64 {
        match self {
            Self::Fill { path, .. } => u64::try_from(path.elements().len()).unwrap_or(u64::MAX),
            Self::Picture { .. } => 4,
        }
    }

    fn at(&self, spot: Point) -> Ground {
        let (ground, clip) = match self {
            Self::Fill {
                path,
                rule,
                face,
                clip,
            } => {
                if !inside(path, *rule, spot) {
                    return Ground::Elsewhere;
                }
                let ground = match face {
                    Face::Plain(colour) => Ground::Colour(*colour),
                    Face::Shaded | Face::Patterned | Face::Veil => Ground::Unknown,
                };
                (ground, clip)
            }
            Self::Picture { picture, clip } => match picture.at(spot) {
                None | Some(None) => return Ground::Elsewhere,
                Some(Some(colour)) => (Ground::Colour(colour), clip),
            },
        };
        match clip {
            Some(clip) if !clip.lets(spot) => Ground::Elsewhere,
            _ => ground,
        }
    }
}

/// A letter, and what became of it.
pub(crate) struct Placed {
    pub(crate) letter: Letter,
    /// How it is hidden, and by which sheet.
    pub(crate) hidden: Option<(Hiding, usize)>,
    /// Which spots fills cover, as bits.
    covered: u16,
    /// The fill that was last to cover it, though it draws nothing that could be covered.
    pub(crate) boxed: Option<usize>,
    /// The picture that lies over it whole.
    pub(crate) under: Option<usize>,
    /// How many sheets lay there before it.
    sheets_before: usize,
}

/// All that a page draws, as far as it matters here.
pub(crate) struct Layers {
    shown: Rect,
    pub(crate) letters: Vec<Placed>,
    sheets: Vec<Sheet>,
    /// Where each of them lies.
    areas: Vec<Rect>,
    letter_rows: HashMap<i64, Vec<usize>>,
    sheet_rows: HashMap<i64, Vec<usize>>,
    dots: usize,
    work: u64,
    /// Something was too much to be looked at.
    pub(crate) overfull: bool,
    /// Text lies under a pattern.
    pub(crate) patterned: bool,
}

impl Layers {
    pub(crate) fn new(shown: Rect) -> Self {
        Self {
            shown,
            letters: Vec::new(),
            sheets: Vec::new(),
            areas: Vec::new(),
            letter_rows: HashMap::new(),
            sheet_rows: HashMap::new(),
            dots: 0,
            work: 0,
            overfull: false,
            patterned: false,
        }
    }

    /// Counts work; whether there may be more.
    fn may(&mut self, work: u64) -> bool {
        self.work = self.work.saturating_add(work);
        self.overfull |= self.work > WORK_MAX;
        !self.overfull
    }

    /// Sets a letter onto what is there.
    pub(crate) fn set(&mut self, letter: Letter, clip: Option<&Rc<Clip>>) {
        if self.letters.len() >= LETTERS_MAX {
            self.overfull = true;
            return;
        }
        let hidden = if letter.is_space() {
            None
        } else {
            self.hidden_at_once(&letter, clip)
        };
        if !letter.is_space() {
            for row in rows(letter.area) {
                self.letter_rows.entry(row).or_default().push(self.letters.len());
            }
        }
        self.letters.push(Placed {
            letter,
            hidden,
            covered: 0,
            boxed: None,
            under: None,
            sheets_before: self.sheets.len(),
        });
    }

    fn hidden_at_once(&mut self, letter: &Letter, clip: Option<&Rc<Clip>>) -> Option<(Hiding, usize)> {
        let shown = letter
            .spots()
            .filter(|spot| self.shown.contains(*spot) && clip.is_none_or(|clip| clip.lets(*spot)))
            .count();
        if shown <= SPOTS.len() - SPOTS_MOST {
            return Some((Hiding::OffPage, usize::MAX));
        }
        if letter.em < EM_MIN {
            return Some((Hiding::TooSmall, usize::MAX));
        }
        match letter.ink {
            Ink::Clear => Some((Hiding::Invisible, usize::MAX)),
            Ink::Unseen | Ink::Pattern => None,
            Ink::Colour(colour) => self.same_as_ground(letter, colour),
        }
    }

    fn same_as_ground(&mut self, letter: &Letter, colour: Colour) -> Option<(Hiding, usize)> {
        let near = self.sheets_near(letter.area)?;
        let (mut same, mut ground) = (0, usize::MAX);
        for spot in letter.spots() {
            let top = near
                .iter()
                .rev()
                .find_map(|at| match self.sheets.get(*at)?.at(spot) {
                    Ground::Elsewhere => None,
                    Ground::Colour(under) => Some((*at, Some(under))),
                    Ground::Unknown => Some((*at, None)),
                });
            // Where nothing lies, there is paper.
            let (at, under) = top.unwrap_or((usize::MAX, Some([u8::MAX; 3])));
            if under.is_some_and(|under| alike(under, colour, COLOUR_STEP)) {
                same += 1;
                ground = at;
            }
        }
        // A picture that shows the very letter is no ground for it.
        let plain = self
            .picture(ground)
            .is_none_or(|picture| picture.is_blank(letter.area));
        (same >= SPOTS_MOST && plain).then_some((Hiding::SameColour, ground))
    }

    /// Lays something over all that is there.
    pub(crate) fn lay(&mut self, sheet: Sheet) {
        let area = sheet.area();
        if area.width() < SHEET_MIN || area.height() < SHEET_MIN || !area.is_finite() || self.overfull {
            return;
        }
        if let Sheet::Picture { picture, .. } = &sheet {
            self.dots = self.dots.saturating_add(picture.size());
        }
        if self.sheets.len() >= SHEETS_MAX || self.dots > DOTS_MAX {
            self.overfull = true;
            return;
        }
        let order = self.sheets.len();
        let price = sheet.price().saturating_mul(9);
        for at in indexed(&self.letter_rows, area.intersect(self.shown)) {
            if !self.may(1) {
                return;
            }
            let touches = self
                .letters
                .get(at)
                .is_some_and(|placed| placed.hidden.is_none() && touch(placed.letter.area, area));
            if touches && self.may(price) {
                self.lay_over(at, &sheet, order);
            }
        }
        for row in rows(area.intersect(self.shown)) {
            self.sheet_rows.entry(row).or_default().push(order);
        }
        self.sheets.push(sheet);
        self.areas.push(area);
    }

    fn lay_over(&mut self, at: usize, sheet: &Sheet, order: usize) {
        let Some(placed) = self.letters.get_mut(at) else {
            return;
        };
        let mut here = 0_u16;
        for (bit, spot) in placed.letter.spots().enumerate() {
            if !matches!(sheet.at(spot), Ground::Elsewhere) {
                here |= 1 << bit;
            }
        }
        let most = |bits: u16| usize::try_from(bits.count_ones()).unwrap_or(0) >= SPOTS_MOST;
        match sheet {
            Sheet::Picture { .. } => {
                if most(here) {
                    placed.under = Some(order);
                }
            }
            Sheet::Fill { face: Face::Veil, .. } => {}
            Sheet::Fill {
                face: Face::Patterned,
                ..
            } => self.patterned |= most(here),
            Sheet::Fill { .. } => {
                placed.covered |= here;
                if most(placed.covered) {
                    if placed.letter.ink == Ink::Unseen {
                        placed.boxed = Some(order);
                    } else {
                        placed.hidden = Some((Hiding::Covered, order));
                    }
                }
            }
        }
    }

    /// Sheets that touch an area, in order. `None` where that is too much work.
    pub(crate) fn sheets_near(&mut self, area: Rect) -> Option<Vec<usize>> {
        let mut near = indexed(&self.sheet_rows, area);
        let looked = u64::try_from(near.len()).unwrap_or(u64::MAX);
        near.retain(|at| self.areas.get(*at).is_some_and(|sheet| touch(*sheet, area)));
        let work = near
            .iter()
            .filter_map(|at| self.sheets.get(*at))
            .map(|sheet| sheet.price().saturating_mul(9))
            .fold(looked, u64::saturating_add);
        self.may(work).then_some(near)
    }

    /// The picture that is this sheet.
    pub(crate) fn picture(&self, sheet: usize) -> Option<&Picture> {
        match self.sheets.get(sheet)? {
            Sheet::Picture { picture, .. } => Some(picture),
            Sheet::Fill { .. } => None,
        }
    }

    /// Where a sheet lies.
    pub(crate) fn area_of(&self, sheet: usize) -> Rect {
        self.areas.get(sheet).copied().unwrap_or_default()
    }

    /// Whether the same letter stands on the same spot again, drawn later, where it is seen.
    pub(crate) fn is_shown_again(&self, at: usize) -> bool {
        let Some(this) = self.letters.get(at) else {
            return false;
        };
        let spot = this.letter.area.center();
        indexed(&self.letter_rows, Rect::from_center_size(spot, (0.1, 0.1)))
            .into_iter()
            .filter(|other| *other > at)
            .filter_map(|other| self.letters.get(other))
            .any(|other| {
                other.hidden.is_none()
                    && other.letter.ink != Ink::Unseen
                    && other.sheets_before >= this.sheets_before
                    && other.letter.text == this.letter.text
                    && other.letter.area.contains(spot)
            })
    }
}

/// Whether two colours are one to the eye, if each channel may differ by less than `step`.
pub(crate) fn alike(a: Colour, b: Colour, step: u8) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < step)
}

fn touch(a: Rect, b: Rect) -> bool {
    a.x0 <= b.x1 && b.x0 <= a.x1 && a.y0 <= b.y1 && b.y0 <= a.y1
}

fn indexed(index: &HashMap<i64, Vec<usize>>, area: Rect) -> Vec<usize> {
    let mut found: Vec<usize> = rows(area)
        .filter_map(|row| index.get(&row))
        .flatten()
        .copied()
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[allow(clippy::cast_possible_truncation, reason = "saturates, and is bounded next")]
fn rows(area: Rect) -> impl Iterator<Item = i64> {
    let (first, last) = ((area.y0 / ROW).floor() as i64, (area.y1 / ROW).floor() as i64);
    first..=last.min(first.saturating_add(ROWS_MAX))
}
