//! Letters as data: what one says, block by block ([`Letter`]), and the texts that it is made of, by language ([`Texts`]).
//!
//! The plain text and the PDF of a letter are made of the same [`Letter`], so that they never say different things. Nothing here
//! knows what a case is: whoever does gives [`Facts`], and a letter that needs one which is not there is not written.

mod compose;
mod letter;
mod plain;
mod template;
mod texts;
mod visible;

pub use compose::{Facts, Lacking};
pub use letter::{
    Block, Furniture, Ground, LETTER_BYTES_MAX, Letter, LetterSchema, NotALetter, PARTS_MAX, Refusal, Row,
    TEXT_MAX, Tick,
};
pub use texts::{BrokenTexts, KindOfLetter, Texts};
pub use visible::visible;

/// Language, kind and text of each file of `letters/`, as they were when this program was built.
pub const FILES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/letter_files.rs"));
