//! Pictures on a page, as far as it matters whether something can be seen in them at a place.

use hayro_interpret::{
    ImageData, LumaData,
    kurbo::{Affine, Point, Rect, Shape as _},
};

use crate::layers::{Colour, alike};

/// Longest side of what is kept of a picture, in its own points.
const SIDE_MAX: usize = 2_000;
/// Smallest side of a picture on the page that can hide a letter, in points.
const SIDE_MIN: f64 = 2.0;
/// How much brighter and darker a patch may be and still show nothing.
const PATCH_STEP: u8 = 28;
/// How much opacity lets nothing through that an eye would see.
const OPAQUE: u8 = 245;

/// A picture as it lies on the page.
pub(crate) struct Picture {
    into: Affine,
    width: usize,
    height: usize,
    /// `None` where what lies under it shows.
    dots: Vec<Option<Colour>>,
    area: Rect,
}

impl Picture {
    /// A picture of colours; `place` takes the unit square to the page.
    pub(crate) fn of_image(data: &ImageData, alpha: Option<&LumaData>, place: Affine) -> Option<Self> {
        let (width, height) = (side(data.width())?, side(data.height())?);
        let shines = |x: usize, y: usize| {
            let Some(alpha) = alpha else { return Some(false) };
            let (wide, high) = (side(alpha.width)?, side(alpha.height)?);
            let at = scaled(y, height, high).checked_mul(wide)? + scaled(x, width, wide);
            Some(*alpha.data.get(at)? < OPAQUE)
        };
        Self::new(width, height, place, |x, y| {
            if shines(x, y)? {
                return Some(None);
            }
            let at = y.checked_mul(width)?.checked_add(x)?;
            Some(Some(match data {
                ImageData::Luma(luma) => [*luma.data.get(at)?; 3],
                ImageData::Rgb(rgb) => {
                    let at = at.checked_mul(3)?;
                    <Colour>::try_from(rgb.data.get(at..at.checked_add(3)?)?).ok()?
                }
            }))
        })
    }

    /// A stencil through which `colour` is painted.
    pub(crate) fn of_stencil(luma: &LumaData, colour: Colour, place: Affine) -> Option<Self> {
        let (width, height) = (side(luma.width)?, side(luma.height)?);
        Self::new(width, height, place, |x, y| {
            let dot = luma.data.get(y.checked_mul(width)?.checked_add(x)?)?;
            Some((*dot >= 128).then_some(colour))
        })
    }

    fn new(
        width: usize,
        height: usize,
        place: Affine,
        dot: impl Fn(usize, usize) -> Option<Option<Colour>>,
    ) -> Option<Self> {
        let area = (place * Rect::new(0.0, 0.0, 1.0, 1.0).to_path(0.1)).bounding_box();
        let seen = area.width() >= SIDE_MIN && area.height() >= SIDE_MIN && area.is_finite();
        if !seen || place.determinant().abs() <= f64::EPSILON || width == 0 || height == 0 {
            return None;
        }
        let (wide, high) = (width.min(SIDE_MAX), height.min(SIDE_MAX));
        let mut dots = Vec::with_capacity(wide * high);
        for y in 0..high {
            for x in 0..wide {
                dots.push(dot(scaled(x, wide, width), scaled(y, high, height))?);
            }
        }
        Some(Self {
            into: place.inverse(),
            width: wide,
            height: high,
            dots,
            area,
        })
    }

    /// What it covers on the page.
    pub(crate) fn area(&self) -> Rect {
        self.area
    }

    /// How much is kept of it.
    pub(crate) fn size(&self) -> usize {
        self.dots.len()
    }

    /// Its colour at a spot of the page: `None` where it does not lie, `Some(None)` where what lies under it shows.
    pub(crate) fn at(&self, spot: Point) -> Option<Option<Colour>> {
        let at = self.into * spot;
        if !(0.0..1.0).contains(&at.x) || !(0.0..1.0).contains(&at.y) {
            return None;
        }
        let at = part(at.y, self.height) * self.width + part(at.x, self.width);
        self.dots.get(at).copied()
    }

    /// Whether it shows nothing within an area, but one and the same colour. Where it lets through what is under it, that
    /// counts as paper.
    pub(crate) fn is_blank(&self, area: Rect) -> bool {
        let inner = area.inset(-0.1 * area.height().min(area.width()));
        let (across, down) = (steps(inner.width()), steps(inner.height()));
        let mut first: Option<Colour> = None;
        for row in 0..=down {
            for column in 0..=across {
                let (x, y) = (
                    f64::from(column) / f64::from(across),
                    f64::from(row) / f64::from(down),
                );
                let spot = Point::new(inner.x0 + inner.width() * x, inner.y0 + inner.height() * y);
                let Some(dot) = self.at(spot) else { return false };
                let dot = dot.unwrap_or([u8::MAX; 3]);
                if !alike(*first.get_or_insert(dot), dot, PATCH_STEP) {
                    return false;
                }
            }
        }
        first.is_some()
    }
}

/// How many steps look at each half point, within bounds.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded on both sides first"
)]
fn steps(length: f64) -> u32 {
    (length * 2.0).clamp(8.0, 120.0) as u32
}

fn side(side: u32) -> Option<usize> {
    usize::try_from(side).ok()
}

fn scaled(at: usize, of: usize, to: usize) -> usize {
    at.saturating_mul(to)
        .checked_div(of)
        .unwrap_or(0)
        .min(to.saturating_sub(1))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "within 0 and the side of a picture, which is small"
)]
fn part(part: f64, side: usize) -> usize {
    ((part * side as f64) as usize).min(side.saturating_sub(1))
}
