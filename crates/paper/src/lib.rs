//! Reading PDFs without trusting them: their text, and what of it a reader of the page does not see.
//!
//! PDFs come from strangers, and what reads them is large. So `amparo-paper` is a program of its own, which nothing of ours
//! links: it takes one PDF on its standard input and writes [`answer::Line`]s to its standard output. Before it looks at the
//! first byte it gives up all but its memory and those two ([`BOUNDS`]). Whoever starts it bounds its time and its
//! answer, and believes neither.

pub mod answer;
mod contents;
mod findings;
mod layers;
mod page;
mod picture;
mod text;

use answer::{Line, Refusal};
use confine::{Bounds, Talks};
use hayro_interpret::hayro_syntax::{LoadPdfError, Pdf};

/// What the program keeps once it reads: a gibibyte, twenty seconds, and its two pipes.
pub const BOUNDS: Bounds = Bounds {
    memory: 1024 * 1024 * 1024,
    seconds: 20,
    talks: Talks::ToItsStarter,
};
/// Largest PDF read, in bytes.
pub const PDF_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most pages read of one.
pub const PAGES_MAX: usize = 2_000;
/// Most text taken from one, in bytes.
pub const TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most places named at which text is hidden.
pub const HIDDEN_MAX: usize = 1_000;
/// Longest hidden text given of one place, in characters.
pub const QUOTE_MAX: usize = 200;

/// Reads a PDF, in this process as it is. Hands over each line as soon as it is known, the last of them [`Line::End`] or
/// [`Line::Refused`]; stops where the taker fails.
///
/// # Errors
/// What the taker failed with.
pub fn read<E>(bytes: Vec<u8>, mut take: impl FnMut(Line) -> Result<(), E>) -> Result<(), E> {
    if bytes.len() > PDF_BYTES_MAX {
        return take(Line::Refused {
            why: Refusal::TooLarge,
        });
    }
    let pdf = match Pdf::new(bytes) {
        Ok(pdf) => pdf,
        Err(LoadPdfError::Decryption(_)) => {
            return take(Line::Refused {
                why: Refusal::Encrypted,
            });
        }
        Err(LoadPdfError::Invalid) => return take(Line::Refused { why: Refusal::Broken }),
    };
    page::read(&pdf, &mut take)
}
