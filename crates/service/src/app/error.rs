//! Why the desk did not do something: one code and one hint for each, the same for CLI and HTTP.

use casework::{
    case::NotNow,
    chain::{BrokenChain, Refused},
    finding::Promise,
    gate::{Breach, Refusal},
    ids::{CaseId, RecordId},
};
use store::cases::CaseStoreError;

use stationery::Lacking;

use super::{clock::NoEntropy, faults::Injected, letters::NotWritten, ports::PortError, setting::SetError};

/// Why the desk did not do something. Nothing in it names a person or quotes a demand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// There is no such thing.
    #[error("no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The case does not allow the step now; it says which promise stands against it.
    #[error("{promise:?}: {reason}")]
    NotNow {
        /// The promise that the step would break.
        promise: Promise,
        /// Why.
        reason: String,
        /// What to do first.
        hint: &'static str,
    },
    /// The gate refused to open the keys.
    #[error("the gate refused record `{record}`: {reason}")]
    GateRefused {
        /// The record.
        record: RecordId,
        /// The promise or invariant, and why, as the case records it.
        reason: String,
        /// What the gate answered.
        refusal: Refusal,
    },
    /// Nothing is held that the scope covers.
    #[error("nothing is held that the demand, as it stands, covers")]
    NoData,
    /// What was given is larger than the limit.
    #[error("{what} is larger than {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit, with its unit.
        limit: String,
    },
    /// What was given cannot be used.
    #[error("{what} cannot be used: {reason}")]
    Invalid {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A kind of event that the desk records itself.
    #[error("an event of kind `{kind}` is not recorded by hand")]
    Reserved {
        /// Its kind.
        kind: &'static str,
    },
    /// The docket has not issued the receipt yet.
    #[error("record `{record}` is not in the witnessed docket yet")]
    NotLogged {
        /// The record.
        record: RecordId,
    },
    /// The same record is being released now.
    #[error("record `{record}` is being released already")]
    Releasing {
        /// The record.
        record: RecordId,
    },
    /// The record was used by a release that did not finish.
    #[error("record `{record}` is used up: its release did not finish, and nothing of it can be fetched")]
    UsedUp {
        /// The record.
        record: RecordId,
    },
    /// Others kept writing to the same case.
    #[error("case `{case}` kept moving on while this was being recorded")]
    Contended {
        /// The case.
        case: CaseId,
    },
    /// The stored chain does not verify.
    #[error("the stored chain of case `{case}` does not verify")]
    Broken {
        /// The case.
        case: CaseId,
        /// How.
        #[source]
        source: BrokenChain,
    },
    /// The stored chain is not, or does not go on from, the one that the gate remembers.
    #[error("case `{case}` had {length} events or more, and its stored chain does not go on from them")]
    Cut {
        /// The case.
        case: CaseId,
        /// How many events the gate remembers.
        length: u64,
    },
    /// The rulebook could not be applied.
    #[error(transparent)]
    Rulebook(#[from] casework::rulebook::AssessError),
    /// The case database failed.
    #[error(transparent)]
    Store(CaseStoreError),
    /// The vault, the docket or the gate failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A file of the packages directory could not be written or read.
    #[error("cannot {what} the package file")]
    PackageFile {
        /// The attempt.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// A letter is not written, for something that it must say is not known.
    #[error("the letter `{kind}` is not written: {lacking}")]
    Unwritten {
        /// Which letter.
        kind: &'static str,
        /// What is lacking.
        lacking: Lacking,
    },
    /// A letter cannot be set as a PDF.
    #[error("the letter cannot be set as a PDF: {0}")]
    Unset(#[from] SetError),
    /// A letter has no form as data: a defect of this program.
    #[error("a letter has no form as data")]
    LetterForm(#[from] serde_json::Error),
    /// Something has no canonical form: a defect of this program.
    #[error("an event has no canonical form")]
    Canonical(#[from] casework::canonical::CanonicalError),
    /// A test's doing.
    #[error(transparent)]
    Injected(#[from] Injected),
}

impl DeskError {
    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::NotNow { .. } => "not_now",
            Self::GateRefused { .. } => "gate_refused",
            Self::NoData => "no_data",
            Self::TooLarge { .. } => "too_large",
            Self::Invalid { .. } => "invalid",
            Self::Reserved { .. } => "reserved",
            Self::NotLogged { .. } => "not_logged",
            Self::Releasing { .. } => "releasing",
            Self::UsedUp { .. } => "used_up",
            Self::Contended { .. } => "contended",
            Self::Store(CaseStoreError::Erased(_)) => "erased",
            Self::Store(CaseStoreError::Full { .. }) => "case_full",
            Self::Port(_) => "unavailable",
            Self::Unwritten { .. } => "letter_lacks",
            Self::Unset(_) => "letter_not_set",
            Self::Broken { .. }
            | Self::Cut { .. }
            | Self::Rulebook(_)
            | Self::Store(_)
            | Self::PackageFile { .. }
            | Self::Entropy(_)
            | Self::Canonical(_)
            | Self::LetterForm(_)
            | Self::Injected(_) => "internal",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::NotFound { .. } => {
                "check the id; `amparo case list` shows cases, `amparo case show` what is in one"
            }
            Self::NotNow { hint, .. } => hint,
            Self::GateRefused { refusal, .. } => &refusal.hint,
            Self::NoData => "close the case with the outcome `no_data`, or narrow nothing and resolve again",
            Self::TooLarge { .. } => "send less; a larger release is several records",
            Self::Invalid { .. } => "correct it and send it again",
            Self::Reserved { .. } => "use the step that does it: resolve, assess, propose, approve, release",
            Self::NotLogged { .. } => {
                "ask again after the docket's next batch; only a running `amparo serve` makes one, every ten minutes unless `docket.interval_ms` in amparo.toml says otherwise"
            }
            Self::Releasing { .. } => "wait for it to finish",
            Self::UsedUp { .. } => "draw up a new record and have it approved",
            Self::Contended { .. } => "read the case again and retry",
            Self::Broken { .. } | Self::Cut { .. } => {
                "stop work on this case and compare the database with its backup and the docket"
            }
            Self::Rulebook(_) => "run `amparo rulebook check`",
            Self::Store(CaseStoreError::Erased(_)) => "only its chain of headers remains",
            Self::Store(CaseStoreError::Full { .. }) => "close it and open another that refers to it",
            Self::Port(_) => "try again; `amparo doctor` says what is down",
            Self::Unwritten { .. } => {
                "record it in the case, or say it with the letter; docs/letters.md lists what each needs"
            }
            Self::Unset(error) => error.hint(),
            _ => "the service's log names the cause under this request's id",
        }
    }

    /// Whether this is an answer, and not a failure: the case, the gate or the record does not allow it.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NotNow { .. }
                | Self::Unwritten { .. }
                | Self::GateRefused { .. }
                | Self::NoData
                | Self::UsedUp { .. }
        )
    }

    /// The promise that stands against the step, where one does.
    pub fn promise(&self) -> Option<Promise> {
        match self {
            Self::NotNow { promise, .. } => Some(*promise),
            Self::GateRefused { refusal, .. } => match refusal.breach {
                Breach::Promise(promise) => Some(promise),
                Breach::Invariant(_) => None,
            },
            _ => None,
        }
    }
}

impl From<NotWritten> for DeskError {
    fn from(why: NotWritten) -> Self {
        match why {
            NotWritten::NotNow(why) => why.into(),
            NotWritten::Lacking { kind, lacking } => Self::Unwritten {
                kind: kind.name(),
                lacking,
            },
        }
    }
}

impl From<NotNow> for DeskError {
    fn from(why: NotNow) -> Self {
        Self::NotNow {
            promise: why.promise,
            reason: why.reason,
            hint: why.hint,
        }
    }
}

impl From<Refused> for DeskError {
    fn from(why: Refused) -> Self {
        match why {
            Refused::NotNow(why) => why.into(),
            Refused::Canonical(why) => why.into(),
            Refused::Time { .. } | Refused::Full => Self::NotNow {
                promise: Promise::P14,
                reason: why.to_string(),
                hint: "set the clock right, or open a further case",
            },
        }
    }
}

impl From<CaseStoreError> for DeskError {
    fn from(why: CaseStoreError) -> Self {
        match why {
            CaseStoreError::NotFound { what, id } => Self::NotFound { what, id },
            CaseStoreError::Moved(case) => Self::Contended { case },
            other => Self::Store(other),
        }
    }
}
