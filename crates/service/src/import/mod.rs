//! Bringing what a tenant already has into the vault: mailboxes and plain files.
//!
//! Nothing is dropped without a word: a message that cannot be read as mail is stored all the same, what cannot be
//! stored is counted and named. Bytes are kept as they are. Memory does not grow with the size of the source.

pub mod archive;
pub mod date;
pub mod entries;
pub mod mbox;
pub mod messages;
pub mod spread;
mod store;
#[cfg(test)]
mod tests;

use std::{io, path::PathBuf};

pub use messages::{Messages, RawMessage, messages};
pub use store::{ImportReport, Progress, import_files, import_mail, mail_key, mail_options};

/// Largest message in bytes. A larger one is named and counted, and left where it is.
pub const MESSAGE_MAX: usize = 64 << 20;
/// Most entries that one source may hold, folders and links included.
pub const ENTRIES_MAX: u64 = 2_000_000;
/// Most bytes that one archive may unpack to.
pub const UNPACKED_MAX: u64 = 256 << 30;
/// Most memory that unpacking may take, in bytes. `xz -9` needs 65 MiB.
pub const UNPACK_MEMORY_MAX: u64 = 128 << 20;
/// Deepest nesting of folders.
pub const DEPTH_MAX: usize = 64;
/// Most names of each kind that a report lists. Further ones are counted.
pub const NAMES_MAX: usize = 1000;
/// Longest object name in bytes, with room for a prefix within S3's 1,024.
pub const NAME_BYTES_MAX: usize = 700;

/// Where data comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    kind: SourceKind,
}

/// Kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A folder: a maildir, a folder of messages, or any tree of these.
    Folder,
    /// `.tar`.
    Tar,
    /// `.tar.xz`.
    TarXz,
    /// One file: an mbox, or one message.
    File,
}

impl Source {
    /// Looks at the path and tells what it is, by being a folder or by how its name ends.
    ///
    /// # Errors
    /// When nothing is there, or it is neither a file nor a folder.
    pub fn detect(path: impl Into<PathBuf>) -> Result<Self, ImportError> {
        let path = path.into();
        let found = std::fs::metadata(&path).map_err(|cause| ImportError::Read {
            name: show(&path),
            cause,
        })?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_ascii_lowercase();
        let kind = if found.is_dir() {
            SourceKind::Folder
        } else if !found.is_file() {
            return Err(ImportError::NoSource { name: show(&path) });
        } else if name.ends_with(".tar.xz") || name.ends_with(".txz") {
            SourceKind::TarXz
        } else if name.ends_with(".tar") {
            SourceKind::Tar
        } else {
            SourceKind::File
        };
        Ok(Self { path, kind })
    }

    /// What it is.
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}

fn show(path: &std::path::Path) -> String {
    path.to_string_lossy().chars().take(256).collect()
}

/// Why an import stopped. What was stored before stays.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Something could not be read.
    #[error("`{name}` cannot be read: {cause}")]
    Read {
        /// The file or entry.
        name: String,
        /// Why.
        cause: io::Error,
    },
    /// The path names neither file nor folder.
    #[error(
        "`{name}` is neither a file nor a folder; give a folder, an mbox, a message, or a .tar or .tar.xz archive"
    )]
    NoSource {
        /// The path.
        name: String,
    },
    /// The archive is damaged or cut off.
    #[error("the archive is damaged {place}: {reason}; what came before was read")]
    Damaged {
        /// Where: after or in which entry.
        place: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A limit was reached.
    #[error("the source holds more than {limit} {what}; import it in smaller pieces")]
    Limit {
        /// The limit.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
    /// The vault refused.
    #[error("`{name}` was not stored: {cause}")]
    Store {
        /// The object's name.
        name: String,
        /// Why.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Reading stopped in a way that is a defect of this program.
    #[error("reading the source stopped unexpectedly")]
    Stopped,
}
