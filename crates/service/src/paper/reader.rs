//! Starting the program that reads PDFs, and bounding it.

use std::{path::PathBuf, time::Duration};

use tokio::sync::Semaphore;

use super::{
    PDF_BYTES_MAX,
    answer::{self, Hiding, Paper, Redaction},
};
use crate::apart::{Apart, ApartError, Bounds};

/// The program's name. It lies beside this one.
pub const PROGRAM: &str = "amparo-paper";
/// How long one waits for its turn.
const WAIT: Duration = Duration::from_secs(60);
/// How long one PDF may take, once its turn has come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many are read at once in this process: each may take a gibibyte of memory.
const AT_ONCE_MAX: usize = 2;
/// Largest answer taken, in bytes.
const ANSWER_BYTES_MAX: u64 = 32 * 1024 * 1024;

static SLOTS: Semaphore = Semaphore::const_new(AT_ONCE_MAX);

const BOUNDS: Bounds = Bounds {
    wait: WAIT,
    patience: PATIENCE,
    answer_bytes_max: ANSWER_BYTES_MAX,
    slots: &SLOTS,
};

/// The smallest PDF that says something: read to see whether the program works.
const TRIAL: &[u8] = include_bytes!("trial.pdf");
/// What it says.
const TRIAL_TEXT: &str = "trial";

/// Whether bytes begin as a PDF does, whatever they are called.
pub fn is_pdf(bytes: &[u8]) -> bool {
    let start = bytes.get(..1024.min(bytes.len())).unwrap_or_default();
    memchr::memmem::find(start, b"%PDF-").is_some()
}

/// Why a PDF was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaperError {
    /// The program is not there.
    #[error("PDFs are not read here: `{0}` is not installed")]
    NotInstalled(String),
    /// Larger than [`PDF_BYTES_MAX`].
    #[error("it is larger than {PDF_BYTES_MAX} bytes")]
    TooLarge,
    /// Not a PDF, or broken beyond reading.
    #[error("it is broken, or no PDF")]
    Broken,
    /// It asks for a password.
    #[error("it is encrypted; ask for one that is not")]
    Encrypted,
    /// It took too long, or more memory than it may.
    #[error("reading it took more time or memory than it may")]
    Exhausted,
    /// The program could not confine itself, so it read nothing.
    #[error(
        "the program that reads PDFs could not be confined, so it read nothing; this kernel lacks seccomp"
    )]
    Unconfined,
    /// The program could not be started, or answered nonsense.
    #[error("the program that reads PDFs failed: {0}")]
    Program(String),
}

/// What somebody must know of a document before it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flag {
    /// Text lies hidden in it.
    TextHidden {
        /// At how many places.
        places: usize,
        /// The page of the first.
        page: u32,
        /// How it lies hidden there.
        how: Hiding,
    },
    /// Nobody could tell: why.
    Unchecked(String),
}

impl std::fmt::Display for Flag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TextHidden { places, page, how } => write!(
                f,
                "text lies hidden in it at {places} place(s), the first on page {page}: text {}; `amparo verify redaction` names \
                 them all",
                how.in_words()
            ),
            Self::Unchecked(why) => write!(f, "nobody checked it whole for hidden text: {why}"),
        }
    }
}

/// Reads PDFs, each in a process of its own. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PaperReader(Apart);

impl PaperReader {
    /// A reader that starts [`PROGRAM`], where it lies beside this program.
    pub fn beside_this_program() -> Self {
        Self(Apart::beside_this_program(PROGRAM, BOUNDS))
    }

    /// A reader that starts `program`.
    pub fn at(program: PathBuf) -> Self {
        Self(Apart::at(program, BOUNDS))
    }

    #[cfg(test)]
    pub(super) fn patient(self, patience: Duration) -> Self {
        Self(self.0.patient(patience))
    }

    /// Reads one PDF.
    ///
    /// # Errors
    /// See [`PaperError`].
    pub async fn read(&self, bytes: &[u8]) -> Result<Paper, PaperError> {
        if bytes.len() > PDF_BYTES_MAX {
            return Err(PaperError::TooLarge);
        }
        let said = self.0.run(&[bytes]).await.map_err(|error| match error {
            ApartError::NotInstalled(program) => PaperError::NotInstalled(program),
            error => PaperError::Program(error.to_string()),
        })?;
        answer::read(&said)
    }

    /// What somebody must know before a document leaves. `None` for what is no PDF, and for one in which nothing was found.
    pub async fn flag(&self, document: &[u8]) -> Option<Flag> {
        if !is_pdf(document) {
            return None;
        }
        let paper = match self.read(document).await {
            Ok(paper) => paper,
            Err(error) => return Some(Flag::Unchecked(error.to_string())),
        };
        match paper.redaction() {
            Redaction::Clean => None,
            Redaction::NotChecked => {
                let gaps = paper.gaps.iter().filter(|gap| gap.spoils_a_check());
                let why: Vec<&str> = gaps.map(|gap| gap.in_words()).collect();
                Some(Flag::Unchecked(why.join("; ")))
            }
            Redaction::TextHidden => {
                let first = paper.telling().next()?;
                Some(Flag::TextHidden {
                    places: paper.telling().count(),
                    page: first.page,
                    how: first.how,
                })
            }
        }
    }

    /// Has the program read a PDF of ours, to see whether it is there, and can be confined on this machine.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn trial(&self) -> Result<(), PaperError> {
        let paper = self.read(TRIAL).await?;
        let found = paper
            .pages
            .first()
            .map(super::PaperPage::text)
            .unwrap_or_default();
        if found.trim() == TRIAL_TEXT && paper.hidden.is_empty() {
            Ok(())
        } else {
            Err(PaperError::Program(
                "it does not read the PDF that it is tried with".to_owned(),
            ))
        }
    }
}
