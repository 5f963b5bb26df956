//! Reasons for which a demand is rejected, in codes that authorities know.
//!
//! The first group is what the SIRIUS project's reports on electronic evidence list as service providers' reasons for
//! refusing or delaying requests; the second is ours. The rules that bar a demand are named beside them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most codes of one rejection.
pub const CODES_MAX: usize = 16;

/// Why a demand is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectionCode {
    /// SIRIUS: the identifier is wrong, or leads to nobody.
    WrongIdentifier,
    /// SIRIUS: it asks for more than it may, or describes people instead of naming accounts.
    OverlyBroad,
    /// SIRIUS: what it asks for does not exist, or no longer.
    DataNotHeld,
    /// SIRIUS: what it asks for takes judicial cooperation between States.
    NeedsJudicialCooperation,
    /// SIRIUS: it names no law, or one that does not carry it.
    NoValidLegalBasis,
    /// SIRIUS: it does not say enough about the case: the offence, the link to the account, the dates.
    MissingContext,
    /// SIRIUS: it is addressed to another company than the one that holds the data.
    WrongEntity,
    /// SIRIUS: a step of the procedure, a signature or a form is missing.
    ProceduralDefect,
    /// SIRIUS: it did not come by the road, or in a language, that the law or the provider asks for.
    WrongChannelOrLanguage,
    /// SIRIUS: it claims an emergency that it does not show.
    EmergencyNotShown,
    /// Who asks could not be confirmed, or is not who they say.
    RequesterNotConfirmed,
    /// The requester is not one to whom this instrument is open.
    NotAuthorised,
    /// The instrument does not reach that kind of data.
    CategoryNotReached,
    /// The law of the place where the data or the customer is forbids it.
    ConflictOfLaw,
    /// It asks for a key, for decryption or for an ability to be built (P3).
    KeysOrAssistance,
    /// It is for data from now on and says so under an instrument for stored data.
    NotStoredData,
    /// The requester is to turn to the customer (P8).
    TurnToTheCustomer,
    /// The same was asked before, and answered.
    Duplicate,
}

impl RejectionCode {
    /// Every code.
    pub const ALL: [Self; 18] = [
        Self::WrongIdentifier,
        Self::OverlyBroad,
        Self::DataNotHeld,
        Self::NeedsJudicialCooperation,
        Self::NoValidLegalBasis,
        Self::MissingContext,
        Self::WrongEntity,
        Self::ProceduralDefect,
        Self::WrongChannelOrLanguage,
        Self::EmergencyNotShown,
        Self::RequesterNotConfirmed,
        Self::NotAuthorised,
        Self::CategoryNotReached,
        Self::ConflictOfLaw,
        Self::KeysOrAssistance,
        Self::NotStoredData,
        Self::TurnToTheCustomer,
        Self::Duplicate,
    ];

    /// Its name, as the chain and the API write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongIdentifier => "wrong_identifier",
            Self::OverlyBroad => "overly_broad",
            Self::DataNotHeld => "data_not_held",
            Self::NeedsJudicialCooperation => "needs_judicial_cooperation",
            Self::NoValidLegalBasis => "no_valid_legal_basis",
            Self::MissingContext => "missing_context",
            Self::WrongEntity => "wrong_entity",
            Self::ProceduralDefect => "procedural_defect",
            Self::WrongChannelOrLanguage => "wrong_channel_or_language",
            Self::EmergencyNotShown => "emergency_not_shown",
            Self::RequesterNotConfirmed => "requester_not_confirmed",
            Self::NotAuthorised => "not_authorised",
            Self::CategoryNotReached => "category_not_reached",
            Self::ConflictOfLaw => "conflict_of_law",
            Self::KeysOrAssistance => "keys_or_assistance",
            Self::NotStoredData => "not_stored_data",
            Self::TurnToTheCustomer => "turn_to_the_customer",
            Self::Duplicate => "duplicate",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_listed_once_under_the_name_that_the_chain_writes() {
        for code in RejectionCode::ALL {
            assert_eq!(serde_json::to_value(code).ok(), Some(code.name().into()));
            assert_eq!(
                RejectionCode::ALL.iter().filter(|other| **other == code).count(),
                1
            );
        }
    }
}
