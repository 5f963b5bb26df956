//! Pages, each drawn onto layers.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, FillRule, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, InterpreterWarning, Paint, SoftMask,
    font::{Glyph, GlyphRun},
    hayro_cmap::BfString,
    hayro_syntax::{
        Pdf,
        object::{self, Array, Dict, Name},
        page::Page,
    },
    interpret_page,
    kurbo::{Affine, BezPath, Point, Rect, Shape as _, Stroke, StrokeOpts, stroke},
    pattern::Pattern,
};

use crate::{
    HIDDEN_MAX, PAGES_MAX, TEXT_BYTES_MAX,
    answer::{Gap, Hidden, Hiding, Line},
    contents::Contents,
    layers::{Clip, Colour, Face, Ink, Layers, Letter, Sheet},
    picture::Picture,
    text::whole,
};

/// Strokes thinner than this hide no letter, in points.
const STROKE_MIN: f64 = 1.5;
/// How opaque something must be to hide what is under it.
const OPAQUE: u8 = 245;
/// How little opacity nobody sees.
const CLEAR: u8 = 12;
/// What a decoder is asked for as the longest sides of a picture, where it can give less than all.
const PICTURE_SIDES: (u32, u32) = (2_000, 2_000);
/// Most notes on a page that are looked at.
pub(crate) const NOTES_MAX: usize = 2_000;

/// Reads all pages.
pub(crate) fn read<E>(pdf: &Pdf, take: &mut impl FnMut(Line) -> Result<(), E>) -> Result<(), E> {
    let warned = Warned::default();
    let cache = InterpreterCache::new();
    let mut contents = Contents::default();
    let mut gaps = gaps_of_catalog(pdf);
    let (mut bytes, mut places, mut pages) = (0_usize, 0_usize, 0_u32);
    for page in pdf.pages().iter() {
        pages = pages.saturating_add(1);
        if usize::try_from(pages).unwrap_or(usize::MAX) > PAGES_MAX {
            gaps.push(Gap::Pages);
            continue;
        }
        gaps.extend(contents.gaps(page));
        let shown = shown(page);
        let mut context = Context::new(Affine::IDENTITY, shown, &cache, pdf.xref(), warned.settings());
        let mut canvas = Canvas::new(shown);
        interpret_page(page, &mut context, &mut canvas);
        if canvas.layers.overfull {
            gaps.push(Gap::Compared);
        }
        if canvas.layers.patterned {
            gaps.push(Gap::Pattern);
        }
        let mut findings = canvas.layers.findings(pages);
        if findings.nameless {
            gaps.push(Gap::Letters);
        }
        let size: usize = findings.lines.iter().map(|line| line.text.len() + 1).sum();
        bytes = bytes.saturating_add(size);
        if bytes > TEXT_BYTES_MAX {
            gaps.push(Gap::Text);
            findings.lines.clear();
        }
        take(Line::Page {
            page: pages,
            lines: findings.lines,
        })?;
        for hidden in findings.hidden.into_iter().chain(only_marked(page, pages)) {
            places = places.saturating_add(1);
            if places > HIDDEN_MAX {
                gaps.push(Gap::Compared);
                break;
            }
            take(Line::Hidden(hidden))?;
        }
    }
    warned.into_list(&mut gaps);
    gaps.sort_unstable();
    gaps.dedup();
    for gap in gaps {
        take(Line::Gap { gap })?;
    }
    take(Line::End { pages })
}

fn shown(page: &Page<'_>) -> Rect {
    let shown = page.intersected_crop_box();
    Rect::new(shown.x0, shown.y0, shown.x1, shown.y1).abs()
}

/// What the document as a whole has beside its pages.
fn gaps_of_catalog(pdf: &Pdf) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let Some(catalog) = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()) else {
        return gaps;
    };
    let layers = catalog
        .get::<Dict<'_>>(b"OCProperties")
        .and_then(|layers| layers.get::<Dict<'_>>(b"D"));
    let off = layers.is_some_and(|layers| {
        let switched = layers
            .get::<Array<'_>>(b"OFF")
            .is_some_and(|off| off.raw_iter().next().is_some());
        let base = layers.get::<Name<'_>>(b"BaseState");
        switched || base.is_some_and(|base| base.as_ref() != b"ON")
    });
    if off {
        gaps.push(Gap::Layer);
    }
    let files = catalog
        .get::<Dict<'_>>(b"Names")
        .is_some_and(|names| names.contains_key(b"EmbeddedFiles"));
    if files || catalog.contains_key(b"AF") {
        gaps.push(Gap::File);
    }
    gaps
}

/// Redactions that somebody marked and nobody applied: all that is under them is still there.
fn only_marked(page: &Page<'_>, number: u32) -> Vec<Hidden> {
    let notes = page.raw().get::<Array<'_>>(b"Annots");
    notes
        .iter()
        .flat_map(|notes| notes.iter::<Dict<'_>>())
        .take(NOTES_MAX)
        .filter(|note| {
            note.get::<Name<'_>>(b"Subtype")
                .is_some_and(|kind| kind.as_ref() == b"Redact")
        })
        .map(|note| {
            let area = note.get::<object::Rect>(b"Rect");
            Hidden {
                page: number,
                how: Hiding::OnlyMarked,
                text: String::new(),
                characters: 0,
                area: area.map_or([0; 4], |area| {
                    whole(Rect::new(area.x0, area.y0, area.x1, area.y1).abs())
                }),
            }
        })
        .collect()
}

/// What the interpreter says it could not do.
#[derive(Default, Clone)]
struct Warned {
    font: Arc<AtomicBool>,
    picture: Arc<AtomicBool>,
    note: Arc<AtomicBool>,
}

impl Warned {
    fn settings(&self) -> InterpreterSettings {
        let told = self.clone();
        InterpreterSettings {
            warning_sink: Arc::new(move |warning| {
                let flag = match warning {
                    InterpreterWarning::ImageDecodeFailure => &told.picture,
                    InterpreterWarning::UnresolvedAnnotationAppearance => &told.note,
                    _ => &told.font,
                };
                flag.store(true, Ordering::Relaxed);
            }),
            ..InterpreterSettings::default()
        }
    }

    fn into_list(self, gaps: &mut Vec<Gap>) {
        for (flag, gap) in [
            (self.font, Gap::Font),
            (self.picture, Gap::Picture),
            (self.note, Gap::Note),
        ] {
            if flag.load(Ordering::Relaxed) {
                gaps.push(gap);
            }
        }
    }
}

/// What one page is drawn onto.
struct Canvas {
    layers: Layers,
    clips: Vec<Rc<Clip>>,
    /// Of each open group: whether it is painted as it is, and whether it is seen at all.
    groups: Vec<(bool, bool)>,
    /// Where the last run of letters began.
    run: usize,
}

impl Canvas {
    fn new(shown: Rect) -> Self {
        Self {
            layers: Layers::new(shown),
            clips: Vec::new(),
            groups: Vec::new(),
            run: 0,
        }
    }

    fn paints_plainly(&self, mask: Option<&SoftMask<'_>>, blend: BlendMode) -> bool {
        mask.is_none() && blend == BlendMode::Normal && self.groups.iter().all(|(plain, _)| *plain)
    }

    fn fill(&mut self, path: BezPath, rule: FillRule, face: Face) {
        self.layers.lay(Sheet::Fill {
            path,
            rule,
            face,
            clip: self.clips.last().cloned(),
        });
    }
}

/// The colour of a paint and how opaque it is; no colour where it is not one.
fn colour(paint: &Paint<'_>) -> (Option<Colour>, u8) {
    match paint {
        Paint::Color(colour) => {
            let [red, green, blue, alpha] = colour.to_rgba().to_rgba8();
            (Some([red, green, blue]), alpha)
        }
        Paint::Pattern(_) => (None, u8::MAX),
    }
}

impl<'a> Device<'a> for Canvas {
    fn draw_path(&mut self, path: &BezPath, props: DrawProps<'a>, mode: &DrawMode) {
        let plain = self.paints_plainly(props.soft_mask.as_ref(), props.blend_mode);
        let face = match (&props.paint, colour(&props.paint)) {
            (_, (_, ..=CLEAR)) => return,
            (_, (Some(colour), OPAQUE..)) if plain => Face::Plain(colour),
            (Paint::Pattern(pattern), _) if plain => match **pattern {
                Pattern::Shading(_) => Face::Shaded,
                Pattern::Tiling(_) => Face::Patterned,
            },
            _ => Face::Veil,
        };
        if let DrawMode::Fill(rule) | DrawMode::FillAndStroke(rule, _) = mode {
            self.fill(props.transform * path.clone(), *rule, face);
        }
        if let DrawMode::Stroke(line) | DrawMode::FillAndStroke(_, line) = mode {
            let width = f64::from(line.line_width);
            let scale = props.transform.determinant().abs().sqrt();
            if width * scale >= STROKE_MIN && line.dash_array.is_empty() {
                let style = Stroke::new(width)
                    .with_caps(line.line_cap)
                    .with_join(line.line_join);
                let outline = stroke(
                    path.iter(),
                    &style,
                    &StrokeOpts::default(),
                    0.25 / scale.max(0.01),
                );
                self.fill(props.transform * outline, FillRule::NonZero, face);
            }
        }
    }

    fn push_clip_path(&mut self, clip: &ClipPath) {
        let outer = self.clips.last().cloned();
        let area = clip.path.bounding_box();
        let area = outer.as_ref().map_or(area, |outer| area.intersect(outer.area));
        self.clips.push(Rc::new(Clip {
            path: clip.path.clone(),
            rule: clip.fill,
            area,
            outer,
        }));
    }

    fn push_transparency_group(&mut self, opacity: f32, mask: Option<SoftMask<'a>>, blend: BlendMode) {
        let plain = opacity * 255.0 >= f32::from(OPAQUE) && mask.is_none() && blend == BlendMode::Normal;
        self.groups.push((plain, opacity * 255.0 > f32::from(CLEAR)));
    }

    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        let ink = match (mode, colour(&props.paint)) {
            (DrawMode::Invisible, _) => Ink::Unseen,
            (_, (_, ..=CLEAR)) => Ink::Clear,
            _ if self.groups.iter().any(|(_, seen)| !seen) => Ink::Clear,
            // Blended or masked, it is not of this colour.
            (_, (Some(_), _)) if !self.paints_plainly(props.soft_mask.as_ref(), props.blend_mode) => {
                Ink::Pattern
            }
            (_, (Some(colour), _)) => Ink::Colour(colour),
            (_, (None, _)) => Ink::Pattern,
        };
        let letters: Vec<Letter> = run
            .glyphs()
            .iter()
            .map(|glyph| letter(glyph, props.transform, glyph.transform(), &props.paint, ink))
            .collect();
        // Letters that are filled and stroked come twice.
        let before = self.layers.letters.get(self.run..).unwrap_or_default();
        let twice = matches!(mode, DrawMode::Stroke(_))
            && before.len() == letters.len()
            && before.iter().zip(&letters).all(|(placed, letter)| {
                placed.letter.text == letter.text && (placed.letter.start - letter.start).hypot() < 0.01
            });
        if twice {
            return;
        }
        self.run = self.layers.letters.len();
        let clip = self.clips.last().cloned();
        for letter in letters {
            self.layers.set(letter, clip.as_ref());
        }
    }

    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        let plain = self.paints_plainly(props.soft_mask.as_ref(), props.blend_mode);
        let place =
            props.transform * Affine::scale_non_uniform(f64::from(image.width()), f64::from(image.height()));
        let mut picture = None;
        match image {
            _ if !plain => {}
            Image::Raster(raster) => raster.with_rgba(
                |data, alpha| picture = Picture::of_image(&data, alpha.as_ref(), place),
                Some(PICTURE_SIDES),
            ),
            Image::Stencil(stencil) => stencil.with_stencil(
                |luma, paint| {
                    let (colour, _) = colour(paint);
                    picture = Picture::of_stencil(&luma, colour.unwrap_or([0x80; 3]), place);
                },
                Some(PICTURE_SIDES),
            ),
        }
        match picture {
            Some(picture) => self.layers.lay(Sheet::Picture {
                picture,
                clip: self.clips.last().cloned(),
            }),
            None => {
                let path = place * Rect::new(0.0, 0.0, 1.0, 1.0).to_path(0.1);
                self.fill(path, FillRule::NonZero, Face::Veil);
            }
        }
    }

    fn pop_clip(&mut self) {
        self.clips.pop();
    }

    fn pop_transparency_group(&mut self) {
        self.groups.pop();
    }
}

fn letter<'a>(glyph: &Glyph<'a>, transform: Affine, place: Affine, paint: &Paint<'a>, ink: Ink) -> Letter {
    let whole = transform * place;
    let text = match glyph.as_unicode() {
        Some(BfString::Char(c)) => c.to_string(),
        Some(BfString::String(text)) => text,
        None => char::REPLACEMENT_CHARACTER.to_string(),
    };
    let (area, advance) = match glyph {
        Glyph::Outline(outline) => (
            (whole * outline.outline()).bounding_box(),
            outline.advance_width(),
        ),
        Glyph::Type3(drawn) => {
            let mut extent = Extent::default();
            drawn.interpret(&mut extent, transform, place, paint);
            (extent.0.unwrap_or_default(), drawn.advance_width())
        }
    };
    let start = whole * Point::ZERO;
    let em = (whole * Point::new(0.0, 1000.0) - start).hypot();
    let end = whole * Point::new(f64::from(advance.unwrap_or(500.0)), 0.0);
    // A letter without a drawing is somewhere above its pen.
    let drawn = area.area() > 0.0 && area.is_finite();
    let area = if drawn {
        area
    } else {
        (whole * Rect::new(0.0, 0.0, f64::from(advance.unwrap_or(500.0)).max(100.0), 600.0).to_path(0.1))
            .bounding_box()
    };
    Letter {
        text,
        area,
        start,
        end,
        em,
        ink,
    }
}

/// How far a drawing reaches.
#[derive(Default)]
struct Extent(Option<Rect>);

impl Extent {
    fn reach(&mut self, area: Rect) {
        self.0 = Some(self.0.map_or(area, |before| before.union(area)));
    }
}

impl<'a> Device<'a> for Extent {
    fn draw_path(&mut self, path: &BezPath, props: DrawProps<'a>, _: &DrawMode) {
        self.reach((props.transform * path.clone()).bounding_box());
    }
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_glyph_run(&mut self, _: &GlyphRun<'_, 'a>, _: DrawProps<'a>, _: &DrawMode) {}
    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        let area = Rect::new(0.0, 0.0, f64::from(image.width()), f64::from(image.height()));
        self.reach((props.transform * area.to_path(0.1)).bounding_box());
    }
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
