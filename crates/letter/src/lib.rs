//! Setting one letter as PDF/A-2a and PDF/UA-1, by typst.
//!
//! A letter carries words of strangers. `amparo-letter` is a program of its own, which holds no file and no key: it takes one
//! letter on standard input, as `amparo.letter/1`, and writes one PDF. The same letter gives the same bytes.

mod world;

use std::collections::BTreeSet;

use confine::{Bounds, Talks};
use sha2::{Digest as _, Sha256};
use stationery::{Letter, Refusal};
use typst::foundations::{Datetime, Smart};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

use world::Desk;

/// What the program keeps once it sets: a gibibyte, thirty seconds of processor time, and whom it answers.
pub const BOUNDS: Bounds = Bounds {
    memory: 1024 * 1024 * 1024,
    seconds: 30,
    talks: Talks::ToItsStarter,
};
/// Most pages of a letter.
pub const PAGES_MAX: usize = 100;
/// Most characters that are named as lacking a picture.
const NAMED_MAX: usize = 64;
/// A word longer than this without a hyphen may be cut where a line ends.
const WORD_MAX: usize = 32;
/// And then after every so many characters.
const CUT: usize = 8;

/// Sets a letter.
///
/// # Errors
/// [`Refusal`], where the fonts cannot show what it says, or it is too long.
pub fn set(mut letter: Letter) -> Result<Vec<u8>, Refusal> {
    let (year, month, day) = letter.year_month_day().ok_or(Refusal::Broken)?;
    let json = letter.to_json().map_err(|_| Refusal::Broken)?;
    let ident = Sha256::digest(&json);
    letter.each_text(&mut |text| *text = with_cuts(text));
    let desk = Desk::new(letter.to_json().map_err(|_| Refusal::Broken)?).ok_or(Refusal::Broken)?;
    let mut unshown = BTreeSet::new();
    letter.each_text(&mut |text| unshown.extend(text.chars().filter(|one| !desk.shows(*one))));
    if !unshown.is_empty() {
        let characters = unshown.iter().take(NAMED_MAX);
        return Err(Refusal::NoGlyphs {
            characters: characters
                .map(|one| format!("U+{:04X}", u32::from(*one)))
                .collect(),
        });
    }
    let document: PagedDocument = typst::compile(&desk).output.map_err(|_| Refusal::Broken)?;
    if document.pages().len() > PAGES_MAX {
        return Err(Refusal::TooManyPages);
    }
    let midnight = Datetime::from_ymd_hms(year, month, day, 0, 0, 0).ok_or(Refusal::Broken)?;
    let options = PdfOptions {
        ident: Smart::Custom(ident.iter().map(|byte| format!("{byte:02x}")).collect()),
        creator: Smart::Custom(Some("amparo-letter".to_owned())),
        timestamp: Some(Timestamp::new_utc(midnight)),
        standards: PdfStandards::new(&[PdfStandard::A_2a, PdfStandard::Ua_1]).map_err(|_| Refusal::Broken)?,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(&document, &options).map_err(|_| Refusal::Broken)
}

/// The text, with places inside its long words where a line may end. A digest is left whole: there is room for it.
fn with_cuts(text: &str) -> String {
    let cut = |word: &str| {
        let is_digest = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_digest || word.split('-').all(|part| part.chars().count() <= WORD_MAX) {
            return word.to_owned();
        }
        let mut pieces = String::with_capacity(word.len() * 2);
        for (number, character) in word.chars().enumerate() {
            if number > 0 && number % CUT == 0 {
                pieces.push('\u{200b}');
            }
            pieces.push(character);
        }
        pieces
    };
    text.split(' ').map(cut).collect::<Vec<_>>().join(" ")
}
