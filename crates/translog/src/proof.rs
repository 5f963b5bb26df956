//! Receipts: proofs of inclusion that verify offline (C2SP tlog-proof).

use std::fmt;

use crate::{
    armor,
    merkle::{Hash, PROOF_MAX},
    note::{NOTE_BYTES_MAX, Note, NoteError},
};

/// The first line.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Most bytes of extra data.
pub const EXTRA_BYTES_MAX: usize = 16 * 1024;
/// Longest receipt, in bytes.
pub const RECEIPT_BYTES_MAX: usize = NOTE_BYTES_MAX + 2 * EXTRA_BYTES_MAX + 4096;

/// An entry's index, its path to the root, and the signed checkpoint that has this root. Reading one proves nothing:
/// see [`crate::included`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Data that the format does not authenticate. In our receipts, an [`crate::entry::Opening`], which the entry's
    /// hash does authenticate.
    pub extra: Option<Vec<u8>>,
    /// The entry's index.
    pub index: u64,
    /// From the entry's sibling up to a child of the root.
    pub path: Vec<Hash>,
    /// The signed note.
    pub checkpoint: String,
}

/// Why a receipt was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Longer than [`RECEIPT_BYTES_MAX`].
    #[error("the receipt has `{0}` bytes, which is above the limit")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("the receipt is not UTF-8 text")]
    NotText,
    /// Another first line.
    #[error("the receipt does not begin with the line `c2sp.org/tlog-proof@v1`")]
    Header,
    /// The `extra` line is not base64, or too long.
    #[error("the receipt's `extra` line is not canonical base64, or longer than 16 KiB")]
    Extra,
    /// The `index` line is missing or malformed.
    #[error("the receipt has no `index` line with a plain decimal number")]
    Index,
    /// A hash is not 32 bytes in base64, or there are too many.
    #[error("hash `{0}` of the receipt's path is malformed, or above the limit of 63")]
    Path(usize),
    /// The blank line is missing.
    #[error("the receipt ends before its checkpoint")]
    NoCheckpoint,
    /// The checkpoint is not a signed note.
    #[error("the receipt's checkpoint cannot be read: {0}")]
    Note(#[from] NoteError),
}

impl Receipt {
    /// Reads a receipt. Its [`Display`](fmt::Display) gives the same bytes back.
    ///
    /// # Errors
    /// When it is malformed or above a limit.
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong(text.len()));
        }
        let (header, mut rest) = text.split_once('\n').ok_or(ReceiptError::Header)?;
        if header != HEADER {
            return Err(ReceiptError::Header);
        }
        let mut extra = None;
        if let Some(after) = rest.strip_prefix("extra ") {
            let (line, after) = after.split_once('\n').ok_or(ReceiptError::Extra)?;
            let bytes = armor::from_base64(line).filter(|bytes| bytes.len() <= EXTRA_BYTES_MAX);
            extra = Some(bytes.ok_or(ReceiptError::Extra)?);
            rest = after;
        }
        let after = rest.strip_prefix("index ").ok_or(ReceiptError::Index)?;
        let (index, mut rest) = after.split_once('\n').ok_or(ReceiptError::Index)?;
        let index = armor::from_decimal(index).ok_or(ReceiptError::Index)?;
        let mut path = Vec::new();
        let checkpoint = loop {
            let (line, after) = rest.split_once('\n').ok_or(ReceiptError::NoCheckpoint)?;
            rest = after;
            if line.is_empty() {
                break rest;
            }
            if path.len() == PROOF_MAX {
                return Err(ReceiptError::Path(PROOF_MAX + 1));
            }
            path.push(Hash::from_base64(line).ok_or(ReceiptError::Path(path.len() + 1))?);
        };
        Note::parse(checkpoint)?;
        Ok(Self {
            extra,
            index,
            path,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// As [`Receipt::parse`], from a file's bytes.
    ///
    /// # Errors
    /// As [`Receipt::parse`], and when the bytes are not UTF-8.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong(bytes.len()));
        }
        Self::parse(std::str::from_utf8(bytes).map_err(|_| ReceiptError::NotText)?)
    }
}
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", armor::to_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
