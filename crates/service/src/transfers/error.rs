//! Why a transfer did not go on.

use casework::{
    case::NotNow,
    chain::{BrokenChain, Refused},
    finding::Promise,
    gate::Refusal,
    ids::{CaseId, RecordId},
    transfer::Verdict,
};
use store::cases::CaseStoreError;

use super::faults::Injected;
use crate::{
    app::{clock::NoEntropy, ports::PortError},
    vault::{ProvisionError, VaultError},
};

/// What to do about a name that is not in the rulebook.
pub(crate) const UNKNOWN_HINT: &str = "name one of these; `amparo transfer bases --as-of DATE` shows each basis with its law and days, and \
     docs/transfers.md the rest";

/// Why a transfer did not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// There is no such thing.
    #[error("no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The transfer does not allow the step now.
    #[error("{promise:?}: {reason}\nhint: {hint}")]
    NotNow {
        /// The promise that the step would break.
        promise: Promise,
        /// Why.
        reason: String,
        /// What to do first.
        hint: &'static str,
    },
    /// It has no basis on the day.
    #[error("P19: the transfer has no basis on {}: {}", .0.rulebook.as_of, against(.0))]
    NoBasis(Box<Verdict>),
    /// The gate refused.
    #[error("the gate refused: {0}")]
    Refused(Refusal),
    /// The docket has not issued the receipt yet.
    #[error("record `{0}` is not in the witnessed docket yet; start the transfer again in a while")]
    NotLogged(RecordId),
    /// Somebody moves it already, in this process or another.
    #[error(
        "transfer `{0}` is being moved already; if whoever moved it was cut off, start it again in half a minute"
    )]
    Moving(CaseId),
    /// As many moves as one process has under way.
    #[error("{0} transfers are being moved here already; start it again when one of them is done")]
    Busy(usize),
    /// The claim to move it could not be renewed in time, and another may have taken it.
    #[error("transfer `{0}` is no longer this process's to move; what was moved stays moved; see its status")]
    ClaimLost(CaseId),
    /// The claim to move it.
    #[error(transparent)]
    Claim(#[from] store::lease::LeaseError),
    /// An object is of a category that the transfer does not name.
    #[error(
        "object `{object}` is of category `{category}`, which the transfer does not name; open another that does"
    )]
    OtherCategory {
        /// The object.
        object: casework::ids::ObjectId,
        /// Its category.
        category: &'static str,
    },
    /// What was given cannot be used.
    #[error("{what} cannot be used: {reason}")]
    Invalid {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// Something named is not in the rulebook.
    #[error("no {what} `{named}` in the rulebook, which has: {all}\nhint: {hint}", hint = UNKNOWN_HINT)]
    Unknown {
        /// What was named.
        what: &'static str,
        /// As what.
        named: String,
        /// What there is.
        all: String,
    },
    /// The chain does not hold, or is shorter than the gate knows.
    #[error(
        "the chain of transfer `{transfer}` is not whole: {reason}; compare the database with its backup"
    )]
    Broken {
        /// Which.
        transfer: CaseId,
        /// Why.
        reason: String,
    },
    /// Others kept writing to the same transfer.
    #[error("transfer `{0}` is busy; try again")]
    Contended(CaseId),
    /// The database of transfers.
    #[error(transparent)]
    Store(#[from] CaseStoreError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Docket or gate.
    #[error(transparent)]
    Port(#[from] PortError),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// A test made it fail.
    #[error(transparent)]
    Injected(#[from] Injected),
}

fn against(verdict: &Verdict) -> String {
    let reasons = verdict.reasons.iter().filter(|r| r.outcome == verdict.outcome);
    let reasons: Vec<String> = reasons
        .map(|r| format!("`{}`: {}", r.rule, r.explanation))
        .collect();
    reasons.join(" ")
}

impl From<NotNow> for TransferError {
    fn from(not_now: NotNow) -> Self {
        Self::NotNow {
            promise: not_now.promise,
            reason: not_now.reason,
            hint: not_now.hint,
        }
    }
}

impl From<Refused> for TransferError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotNow(not_now) => not_now.into(),
            other => Self::Invalid {
                what: "the event",
                reason: other.to_string(),
            },
        }
    }
}

impl From<store::vault::StoreError> for TransferError {
    fn from(error: store::vault::StoreError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<ProvisionError> for TransferError {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::Vault(error) => Self::Vault(error),
            other => Self::Invalid {
                what: "the vault's answer",
                reason: other.to_string(),
            },
        }
    }
}

impl TransferError {
    /// Whether the answer is no, and not that it could not be done.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NotNow { .. } | Self::NoBasis(_) | Self::Refused(_) | Self::OtherCategory { .. }
        )
    }

    /// Whether the transfer does not go on as it stands, so that what was frozen for it is to be thawed: its record or its basis
    /// ended, it was stopped, or something keeps its data here.
    pub(super) fn ends_it(&self) -> bool {
        matches!(
            self,
            Self::NotNow { .. } | Self::NoBasis(_) | Self::Refused(_) | Self::OtherCategory { .. }
        )
    }

    pub(super) fn broken(transfer: CaseId, broken: &BrokenChain) -> Self {
        Self::Broken {
            transfer,
            reason: broken.to_string(),
        }
    }
}
