//! Letters as they are drawn up, read again, and set as PDFs by a program of their own.

use std::{path::PathBuf, time::Duration};

use casework::ids::{CaseId, Digest};
use stationery::Refusal;
use tokio::sync::Semaphore;

use super::{
    Desk, DeskError, Result,
    letters::{Kind, Letter, Said},
};
use crate::apart::{Apart, ApartError, Bounds};

/// The name of the program that sets letters. It lies beside this one.
pub const PROGRAM: &str = "amparo-letter";
/// How long one letter may take, once its turn has come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a letter waits for its turn.
const WAIT: Duration = Duration::from_secs(30);
/// How many are set at once in this process: each takes a few hundred megabytes of memory.
const AT_ONCE_MAX: usize = 2;
/// Largest PDF taken, in bytes.
const PDF_BYTES_MAX: u64 = 32 * 1024 * 1024;

static SLOTS: Semaphore = Semaphore::const_new(AT_ONCE_MAX);

const BOUNDS: Bounds = Bounds {
    patience: PATIENCE,
    wait: WAIT,
    answer_bytes_max: PDF_BYTES_MAX,
    slots: &SLOTS,
};

/// Why a letter was not set as a PDF. Its text is to be had all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The program is not there.
    #[error("`{0}` is not installed")]
    NotInstalled(String),
    /// It is kept as text alone, from before letters were kept as data.
    #[error("it was drawn up before letters were kept as data")]
    TextAlone,
    /// The fonts cannot show all of it.
    #[error("the fonts cannot show {}", .0.join(", "))]
    NoGlyphs(Vec<String>),
    /// It has more pages than a letter may.
    #[error("it has more pages than a letter may")]
    TooManyPages,
    /// The program failed, took too long or too much memory, or could not confine itself.
    #[error("the program that sets letters failed: {0}")]
    Program(String),
}

impl SetError {
    /// Whether it is for what the letter says, and not for want of a program.
    pub fn is_of_the_letter(&self) -> bool {
        matches!(self, Self::TextAlone | Self::NoGlyphs(_) | Self::TooManyPages)
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotInstalled(_) => "take its text, or build the program; docs/letters.md says how",
            Self::TextAlone | Self::NoGlyphs(_) | Self::TooManyPages => "take its text",
            Self::Program(_) => "take its text; `amparo doctor` says whether the program works",
        }
    }
}

/// Sets letters, each in a process of its own. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Typesetter(Apart);

impl Typesetter {
    /// One that starts [`PROGRAM`], where it lies beside this program.
    pub fn beside_this_program() -> Self {
        Self(Apart::beside_this_program(PROGRAM, BOUNDS))
    }

    /// One that starts `program`.
    pub fn at(program: PathBuf) -> Self {
        Self(Apart::at(program, BOUNDS))
    }

    /// The letter as PDF/A. The same letter gives the same bytes.
    ///
    /// # Errors
    /// See [`SetError`].
    pub async fn set(&self, letter: &stationery::Letter) -> std::result::Result<Vec<u8>, SetError> {
        let failed = |what: &str| SetError::Program(what.to_owned());
        let json = letter
            .to_json()
            .map_err(|_| failed("the letter has no JSON form"))?;
        let said = self.0.run(&[&json]).await.map_err(|error| match error {
            ApartError::NotInstalled(program) => SetError::NotInstalled(program),
            error => SetError::Program(error.to_string()),
        })?;
        if said.starts_with(b"%PDF-") {
            let whole = said.trim_ascii_end().ends_with(b"%%EOF");
            return whole
                .then_some(said)
                .ok_or_else(|| failed("it took too long, or more than it may"));
        }
        match serde_json::from_slice(&said) {
            Ok(Refusal::NoGlyphs { characters }) => Err(SetError::NoGlyphs(characters)),
            Ok(Refusal::TooManyPages) => Err(SetError::TooManyPages),
            Ok(Refusal::NotALetter { why }) => Err(SetError::Program(why)),
            Ok(Refusal::Broken) => Err(failed("it could not set this letter")),
            Ok(Refusal::Unconfined) => Err(failed("it could not be confined; this kernel lacks seccomp")),
            Err(_) => Err(failed("it ended without an answer")),
        }
    }

    /// Whether it works: sets a letter that says little.
    ///
    /// # Errors
    /// See [`SetError`].
    pub async fn trial(&self) -> std::result::Result<(), SetError> {
        let trial = serde_json::from_str(include_str!("trial_letter.json"));
        let trial: stationery::Letter = trial.map_err(|_| SetError::Program("it has no trial".to_owned()))?;
        self.set(&trial).await.map(drop)
    }
}

impl Desk {
    /// What sets letters.
    pub fn typesetter(&self) -> &Typesetter {
        &self.typesetter
    }

    /// A letter as PDF/A.
    ///
    /// # Errors
    /// See [`SetError`].
    pub async fn set_letter(&self, letter: &stationery::Letter) -> Result<Vec<u8>> {
        Ok(self.typesetter.set(letter).await?)
    }

    /// All that a letter in the case file says, as data.
    ///
    /// # Errors
    /// When there is none; [`SetError::TextAlone`] for one that is kept as text alone.
    pub async fn letter_form(&self, case: CaseId, letter: Digest) -> Result<stationery::Letter> {
        let form = self.parts.cases.letter_form(case, letter).await?;
        let form = form.ok_or(DeskError::Unset(SetError::TextAlone))?;
        Ok(serde_json::from_slice(&form)?)
    }

    /// A letter as it would be drawn up now. It is not kept, nothing is recorded, and nobody is told.
    ///
    /// # Errors
    /// [`DeskError::NotNow`] where the case does not allow it; [`DeskError::Unwritten`], naming what is not known.
    pub async fn draw_letter(&self, case: CaseId, kind: Kind, said: &Said) -> Result<Letter> {
        let chain = self.whole_chain(case).await?;
        Ok(self.letterhead(case, self.now()).draw(&chain, kind, said)?)
    }
}
