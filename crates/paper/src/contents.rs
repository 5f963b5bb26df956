//! Whether what a page is drawn by can be decoded and drawn at all. The interpreter takes for empty what it cannot decode, and
//! leaves out a filter that it does not know; others show more of such a page.

use std::collections::{HashSet, VecDeque};

use hayro_interpret::hayro_syntax::{
    Filter,
    object::{Array, Dict, Name, Object, ObjectIdentifier, Stream, String},
    page::{Page, Resources},
};

use crate::{answer::Gap, page::NOTES_MAX};

/// Most drawings and pictures inside a document's drawings that are looked at.
const DRAWINGS_MAX: usize = 20_000;
/// How deep drawings may lie inside each other. The interpreter draws none deeper than 50.
const DEPTH_MAX: usize = 32;

/// What is still to be looked at, and how deep it lies.
type Within<'a> = VecDeque<(Resources<'a>, usize)>;

/// Notes that others draw by themselves where they do not say how they look.
const DRAWN: [&[u8]; 13] = [
    b"Caret",
    b"Circle",
    b"FreeText",
    b"Highlight",
    b"Ink",
    b"Line",
    b"PolyLine",
    b"Polygon",
    b"Square",
    b"Squiggly",
    b"Stamp",
    b"StrikeOut",
    b"Underline",
];

/// The drawings of a document that were looked at. What pages share is decoded once.
#[derive(Default)]
pub(crate) struct Contents {
    seen: HashSet<ObjectIdentifier>,
}

impl Contents {
    /// Decodes what a page is drawn by, and what can be drawn from there, and says what of it cannot be.
    pub(crate) fn gaps(&mut self, page: &Page<'_>) -> Vec<Gap> {
        let mut within = VecDeque::from([(page.resources().clone(), 0)]);
        let mut gaps = Vec::new();
        if !page_decodes(page.raw()) {
            gaps.push(Gap::Contents);
        }
        self.notes(page.raw(), &mut within, &mut gaps);
        while let Some((resources, depth)) = within.pop_front() {
            if depth > DEPTH_MAX || self.seen.len() > DRAWINGS_MAX {
                gaps.push(Gap::Contents);
                break;
            }
            self.drawings(&resources, depth, &mut within, &mut gaps);
            self.masks(&resources, depth, &mut within, &mut gaps);
            self.patterns(&resources, depth, &mut within, &mut gaps);
        }
        gaps.sort_unstable();
        gaps.dedup();
        gaps
    }

    /// What is drawn by its name.
    fn drawings<'a>(
        &mut self,
        resources: &Resources<'a>,
        depth: usize,
        within: &mut Within<'a>,
        gaps: &mut Vec<Gap>,
    ) {
        for name in resources.x_objects.keys() {
            if !self.is_new(&resources.x_objects, name.as_ref()) {
                continue;
            }
            let Some(drawing) = resources.get_x_object(&name) else {
                gaps.push(Gap::Contents);
                continue;
            };
            match drawing.dict().get::<Name<'_>>(b"Subtype") {
                Some(kind) if kind.as_ref() == b"Form" => form(&drawing, depth, within, gaps),
                // Whether it can be decoded is seen when it is drawn.
                Some(kind) if kind.as_ref() == b"Image" => {
                    let sides: [&[u8]; 2] = [b"Width", b"Height"];
                    let sized = |side: &[u8]| drawing.dict().get::<u32>(side).is_some_and(|dots| dots > 0);
                    if !filters_are_known(&drawing) || !sides.into_iter().all(sized) {
                        gaps.push(Gap::Picture);
                    }
                }
                _ => gaps.push(Gap::Contents),
            }
        }
    }

    /// What other drawings are seen through.
    fn masks<'a>(
        &mut self,
        resources: &Resources<'a>,
        depth: usize,
        within: &mut Within<'a>,
        gaps: &mut Vec<Gap>,
    ) {
        for name in resources.ext_g_states.keys() {
            let state = resources.get_ext_g_state(&name);
            let Some(mask) = state.and_then(|state| state.get::<Dict<'_>>(b"SMask")) else {
                continue;
            };
            if !self.is_new(&mask, b"G") {
                continue;
            }
            match mask.get::<Stream<'_>>(b"G") {
                Some(group) => form(&group, depth, within, gaps),
                None => gaps.push(Gap::Contents),
            }
        }
    }

    /// What areas are filled with.
    fn patterns<'a>(
        &mut self,
        resources: &Resources<'a>,
        depth: usize,
        within: &mut Within<'a>,
        gaps: &mut Vec<Gap>,
    ) {
        for name in resources.patterns.keys() {
            if !self.is_new(&resources.patterns, name.as_ref()) {
                continue;
            }
            if let Some(Object::Stream(tile)) = resources.get_pattern(&name) {
                form(&tile, depth, within, gaps);
            }
        }
    }

    /// Notes: those that say how they look, and those that do not and are drawn by others all the same.
    fn notes<'a>(&mut self, page: &Dict<'a>, within: &mut Within<'a>, gaps: &mut Vec<Gap>) {
        let notes = match page.get::<Object<'_>>(b"Annots") {
            Some(Object::Array(notes)) => notes,
            None | Some(Object::Null(_)) => return,
            Some(_) => return gaps.push(Gap::NoteText),
        };
        let mut read = 0_usize;
        for note in notes.iter::<Dict<'_>>().take(NOTES_MAX) {
            read = read.saturating_add(1);
            let looks = note.get::<Dict<'_>>(b"AP").unwrap_or_default();
            match looks.get::<Object<'_>>(b"N") {
                Some(Object::Stream(look)) => {
                    if self.is_new(&looks, b"N") {
                        form(&look, 0, within, gaps);
                    }
                }
                Some(Object::Dict(states)) => {
                    for name in states.keys() {
                        if let Some(look) = states.get::<Stream<'_>>(&name)
                            && self.is_new(&states, name.as_ref())
                        {
                            form(&look, 0, within, gaps);
                        }
                    }
                }
                _ => gaps.extend(gap_of_plain(&note)),
            }
        }
        // The interpreter stops at the first that is none.
        if notes.raw_iter().count() != read {
            gaps.push(Gap::NoteText);
        }
    }

    /// Whether what stands there was not looked at yet.
    fn is_new(&mut self, dict: &Dict<'_>, key: &[u8]) -> bool {
        dict.get_ref(key).is_none_or(|at| {
            self.seen
                .insert(ObjectIdentifier::new(at.obj_number, at.gen_number))
        })
    }
}

/// Looks at a drawing, and notes what can be drawn from there.
fn form<'a>(drawing: &Stream<'a>, depth: usize, within: &mut Within<'a>, gaps: &mut Vec<Gap>) {
    let dict = drawing.dict();
    // Without the box that it is cut to, it is not drawn.
    if !decodes(drawing) || dict.get::<[f32; 4]>(b"BBox").is_none() {
        gaps.push(Gap::Contents);
    }
    if let Some(resources) = dict.get::<Dict<'_>>(b"Resources") {
        within.push_back((Resources::new(resources), depth.saturating_add(1)));
    }
}

/// Whether each part of a page is a stream that can be decoded.
fn page_decodes(page: &Dict<'_>) -> bool {
    match page.get::<Object<'_>>(b"Contents") {
        None => !page.contains_key(b"Contents"),
        Some(Object::Null(_)) => true,
        Some(Object::Stream(part)) => decodes(&part),
        Some(Object::Array(parts)) => {
            let mut read = 0_usize;
            let whole = parts
                .iter::<Stream<'_>>()
                .inspect(|_| read = read.saturating_add(1))
                .all(|part| decodes(&part));
            whole && read == named(&parts)
        }
        Some(_) => false,
    }
}

/// How many things an array names, by reference or by name, however much of it can be read.
fn named(array: &Array<'_>) -> usize {
    let marks = array
        .data()
        .split(|byte| byte.is_ascii_whitespace() || b"\0[]<>()".contains(byte))
        .map(|word| match word {
            b"R" => 1,
            word => word.iter().filter(|byte| **byte == b'/').count(),
        });
    marks.sum()
}

/// Whether a stream is decoded whole, by all its filters.
fn decodes(stream: &Stream<'_>) -> bool {
    if !filters_are_known(stream) {
        return false;
    }
    let raw = stream.raw_data();
    // What cannot be decrypted comes empty.
    if raw.is_empty()
        && stream
            .dict()
            .get::<u32>(b"Length")
            .is_some_and(|length| length > 0)
    {
        return false;
    }
    let filters = stream.filters();
    let runs = |filter: &Filter| *filter == Filter::RunLengthDecode;
    if filters.iter().skip(1).any(runs) || (filters.first().is_some_and(runs) && !runs_are_whole(&raw)) {
        return false;
    }
    stream.decoded_data().is_ok()
}

/// Whether the interpreter knows all filters that a stream names, and reads their parameters as others do.
fn filters_are_known(stream: &Stream<'_>) -> bool {
    let dict = stream.dict();
    // Short for pictures inside a drawing: the interpreter obeys them here too, others do not.
    if dict.contains_key(b"F") || dict.contains_key(b"DP") {
        return false;
    }
    let (many, listed) = match dict.get::<Object<'_>>(b"Filter") {
        None => return !dict.contains_key(b"Filter"),
        Some(Object::Null(_)) => return true,
        Some(Object::Name(_)) => (1, false),
        Some(Object::Array(filters)) => (named(&filters), true),
        Some(_) => return false,
    };
    let fits = match dict.get::<Object<'_>>(b"DecodeParms") {
        None | Some(Object::Null(_)) => true,
        Some(Object::Dict(_)) => !listed,
        Some(Object::Array(_)) => listed,
        Some(_) => false,
    };
    fits && stream.filters().len() == many
}

/// Whether run-length data go on to their end. The decoder leaves out a run that is cut short, and fails without the end.
fn runs_are_whole(data: &[u8]) -> bool {
    let mut rest = data;
    while let Some((length, more)) = rest.split_first() {
        let taken = match *length {
            128 => return true,
            literal @ 0..=127 => usize::from(literal) + 1,
            _ => 1,
        };
        match more.get(taken..) {
            Some(next) => rest = next,
            None => return false,
        }
    }
    false
}

/// What is missed of a note that does not say how it looks: others show its text, or draw what is of its kind. What a link says of
/// itself is drawn by nobody, and what is marked for redaction is found as such.
fn gap_of_plain(note: &Dict<'_>) -> Option<Gap> {
    let kind = note.get::<Name<'_>>(b"Subtype");
    let kind: &[u8] = match &kind {
        Some(kind) => kind.as_ref(),
        None => b"",
    };
    if kind == b"Link" || kind == b"Redact" {
        return None;
    }
    let says = |key: &[u8]| match note.get::<Object<'_>>(key) {
        Some(Object::String(text)) => is_written(&text),
        Some(Object::Stream(_)) => true,
        _ => false,
    };
    if says(b"Contents") || says(b"RC") || says(b"V") {
        return Some(Gap::NoteText);
    }
    DRAWN.contains(&kind).then_some(Gap::Note)
}

/// Whether there is more to a text than white space and the mark of its encoding.
fn is_written(text: &String<'_>) -> bool {
    text.as_bytes()
        .iter()
        .any(|byte| *byte > b' ' && !matches!(byte, 0xfe | 0xff))
}
