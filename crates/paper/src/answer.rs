//! What the program says of a PDF: JSON, one line each. Whoever reads it has types of its own, for it is a stranger's word.

use serde::{Deserialize, Serialize};

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// A page's text.
    Page {
        /// Which, from 1.
        page: u32,
        /// Its lines, in the order in which they are drawn, without what is hidden.
        lines: Vec<TextLine>,
    },
    /// Text that can be copied out of a page though it cannot be seen on it.
    Hidden(Hidden),
    /// What kept the PDF from being read or checked whole.
    Gap {
        /// What.
        gap: Gap,
    },
    /// All of it was read, as far as the gaps allow.
    End {
        /// How many pages it has.
        pages: u32,
    },
    /// It was not read, or not further.
    Refused {
        /// Why.
        why: Refusal,
    },
}

/// A line of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextLine {
    /// The text.
    pub text: String,
    /// Where: left, bottom, right and top, in points from the page's lower left corner.
    pub area: [i32; 4],
}

/// Text that is there and not seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// The page, from 1.
    pub page: u32,
    /// How it is hidden.
    pub how: Hiding,
    /// The beginning of it.
    pub text: String,
    /// How many characters, white space aside.
    pub characters: u32,
    /// Where: left, bottom, right and top, in points from the page's lower left corner.
    pub area: [i32; 4],
}

/// How text is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hiding {
    /// Something opaque lies over it: a box, a bar, a blank picture.
    Covered,
    /// It has the colour of what lies under it.
    SameColour,
    /// It lies outside the part of the page that is shown, or is cut away.
    OffPage,
    /// It is set so that it draws nothing, and no picture stands there of which it could be the reading.
    Invisible,
    /// It is smaller than a point.
    TooSmall,
    /// It is marked for redaction, and the redaction was never applied.
    OnlyMarked,
}

/// Why a PDF was not read or checked whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// More pages than are read.
    Pages,
    /// More text than is taken.
    Text,
    /// More on a page, or hidden at more places, than is compared.
    Compared,
    /// A part of a page that cannot be decoded: it is taken for empty.
    Contents,
    /// A font that cannot be read: text set in it is missing.
    Font,
    /// Letters that do not say which they are: they are seen, and cannot be read.
    Letters,
    /// A picture that cannot be decoded.
    Picture,
    /// A note on a page that cannot be drawn.
    Note,
    /// A note whose text others show, and that does not say how it looks: it was not read.
    NoteText,
    /// Text under a pattern that may hide it or not.
    Pattern,
    /// Layers that are switched off: what is on them was not looked at.
    Layer,
    /// Files inside it, which were not looked at.
    File,
}

/// Why a PDF was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Larger than [`crate::PDF_BYTES_MAX`].
    TooLarge,
    /// No PDF, or broken beyond reading.
    Broken,
    /// It asks for a password, or is encrypted in a way that is not known.
    Encrypted,
    /// The kernel did not take the limits, so nothing was read.
    Unconfined,
}
