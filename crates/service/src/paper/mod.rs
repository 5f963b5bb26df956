//! What PDFs say, as a program of its own reads them: `amparo-paper`, which holds no file, no network and no key.
//!
//! This process has no code that reads PDFs. It starts that program for each ([`PaperReader`]), bounds what it may take,
//! and believes nothing of what it answers ([`answer`]): its text is proposed to a person, as a message's is.

mod answer;
mod reader;

pub use answer::{Gap, Hidden, Hiding, Paper, PaperPage, Redaction, TextLine};
pub use reader::{Flag, PROGRAM, PaperError, PaperReader, is_pdf};

/// Largest PDF handed to the program, in bytes.
pub const PDF_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most pages taken from its answer.
pub const PAGES_MAX: usize = 2_000;
/// Most text taken from its answer, in bytes.
pub const TEXT_BYTES_MAX: usize = casework::reading::TEXT_BYTES_MAX;
/// Most places taken from its answer at which text is hidden.
pub const HIDDEN_MAX: usize = 1_000;
/// Longest hidden text taken of one place, in characters.
pub const QUOTE_MAX: usize = 200;

#[cfg(test)]
mod tests;
