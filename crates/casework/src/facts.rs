//! What the provider knows about the subjects of a demand: the second input of an assessment.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    demand::CountryCode,
    ids::{AccountId, Digest, RegionId, TenantId},
};

/// Longest file of facts, in bytes: enough for the most subjects that a demand may name.
pub const BYTES_MAX: usize = 1024 * 1024;

/// Facts the provider holds or has checked. Absent knowledge is `None`, and rules treat it as unknown, not as no.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// How each subject of the demand resolved, in the demand's order.
    pub resolved: Vec<Resolution>,
    /// What is known of who really asks.
    pub requester: RequesterCheck,
    /// What the controller said when told (GDPR Art. 28(3)(a)).
    pub controller_consents: Option<bool>,
    /// When the subjects were looked up. What is learned of people later leaves it as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub looked_up_at: Option<Timestamp>,
}

/// Why bytes are not facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the facts do not fit their schema: {reason} at line {line}, column {column}; docs/law.md shows a file of facts"
)]
pub struct FactsError {
    reason: String,
    line: usize,
    column: usize,
}

/// Reads facts from JSON, as strictly as [`crate::demand::parse`] reads a demand.
///
/// # Errors
/// [`FactsError`], with where it is.
pub fn parse(bytes: &[u8]) -> Result<Facts, FactsError> {
    crate::demand::strict(bytes, BYTES_MAX).map_err(|(reason, line, column)| FactsError {
        reason,
        line,
        column,
    })
}

/// How one subject of a demand resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every one is an account, and a case has a handful"
)]
pub enum Resolution {
    /// Exactly one account.
    One(AccountFacts),
    /// No account of this provider.
    None,
    /// Accounts of more than one tenant, or several accounts: a person must choose, or the requester be asked.
    Several {
        /// How many.
        count: u32,
        /// Of how many customers; 0 where that was not counted.
        #[serde(default, skip_serializing_if = "is_zero")]
        tenants: u32,
    },
    /// Not an identifier of an account at all.
    Unspecific,
}

/// One account and what bears on the law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountFacts {
    /// The customer.
    pub tenant: TenantId,
    /// Its account.
    pub account: AccountId,
    /// What the customer is.
    pub tenant_kind: TenantKind,
    /// Where the customer is established.
    pub tenant_country: CountryCode,
    /// Where the data lies.
    pub region: RegionId,
    /// Whose law governs that place.
    pub region_country: CountryCode,
    /// Where data of the account lies, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_in: Vec<DataPlace>,
    /// Regions with data of the account that somebody left to another record, on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<RegionId>,
    /// Where the person resides, if known.
    #[serde(default)]
    pub person_country: Option<CountryCode>,
    /// Whether the person is a "United States person" (18 U.S.C. 2523(a)(2)), if known.
    #[serde(default)]
    pub us_person: Option<bool>,
    /// Whether the person is bound by professional privilege, if known.
    #[serde(default)]
    pub privileged: Option<bool>,
    /// How a person found that the subject means this account, where no record of the vault says so: an address at a moment, in
    /// a log that is kept elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identified: Option<Identified>,
    /// Whether the customer alone holds the key, so that the provider can produce ciphertext and no more; if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_holds_keys: Option<bool>,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// By what a person found whose an identifier is. Reviewers read it: it is the provider's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identified {
    /// Which record says so, and how it was read.
    pub how: String,
    /// SHA-256 of that record.
    pub document: Digest,
}

/// A region, and whose law governs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataPlace {
    /// The region.
    pub region: RegionId,
    /// Its country.
    pub country: CountryCode,
}

impl AccountFacts {
    /// Every region in which the data was found, with its country, but those left out on purpose.
    pub fn places(&self) -> impl Iterator<Item = (&RegionId, &CountryCode)> {
        let also = self.also_in.iter().map(|place| (&place.region, &place.country));
        std::iter::once((&self.region, &self.region_country)).chain(also)
    }
    /// Whether the look-up knew of data in that region, released from or left out.
    pub fn knows_of(&self, region: &RegionId) -> bool {
        self.places().any(|(known, _)| known == region) || self.left_out.contains(region)
    }
}

/// Segments of customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantKind {
    /// A business.
    Enterprise,
    /// A public body.
    PublicBody,
    /// A service to individuals, where the provider itself is the controller.
    Consumer,
}

/// What is known of who really asks.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RequesterCheck {
    /// Nothing was checked yet.
    #[default]
    Unchecked,
    /// Called back on a number found independently, and confirmed.
    Confirmed,
    /// Checked, and not who they say they are.
    Refuted,
}
