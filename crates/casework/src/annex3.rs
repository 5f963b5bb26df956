//! The form by which an addressee says why a European order is not executed, or not in time: Regulation (EU) 2023/1543, Annex
//! III, as data. Its sections keep the letters of the form.
//!
//! It is the only form of non-execution: there is none for the offence list of Annex IV.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::demand::Demand;

/// Longest text of one field, in bytes.
pub const TEXT_MAX: usize = 16 * 1024;

/// The form, filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NonExecution {
    /// Always `amparo.annex-iii/1`.
    pub schema: FormSchema,
    /// Section A: which certificate.
    pub certificate: Certificate,
    /// Section B: the authorities.
    pub authorities: Authorities,
    /// Section C: the addressee.
    pub addressee: Addressee,
    /// Section D: why it is not executed, each reason once. Never empty.
    pub reasons: Vec<NonExecutionReason>,
    /// Section D: the reasons in words.
    pub explanation: String,
    /// Section E: the law of a third country; there exactly when D says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub third_country: Option<ThirdCountryLaw>,
    /// Section F: what the issuing authority is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clarification: Option<String>,
    /// Section G: whether the data is kept meanwhile.
    pub preservation: Preservation,
    /// Section H: whom to reach, and who signs.
    pub contact: Contact,
}

/// The schema tag of [`NonExecution`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FormSchema {
    /// Version 1.
    #[serde(rename = "amparo.annex-iii/1")]
    V1,
}

/// Section A.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Certificate {
    /// A production order's.
    #[serde(rename = "EPOC")]
    Epoc,
    /// A preservation order's.
    #[serde(rename = "EPOC-PR")]
    EpocPr,
}

/// Section B.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authorities {
    /// The issuing authority.
    pub issuing: String,
    /// Its file number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuing_file: Option<String>,
    /// The validating authority, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validating: Option<String>,
    /// The day of issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_on: Option<Date>,
    /// The day of receipt.
    pub received_on: Date,
    /// The enforcing authority, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforcing: Option<String>,
}

/// Section C.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Addressee {
    /// The provider's designated establishment or legal representative.
    pub name: String,
    /// Its file number: the case.
    pub file: String,
}

/// Section D: each box of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NonExecutionReason {
    /// It is incomplete (Art. 10(6), 11(5)).
    Incomplete,
    /// It contains manifest errors (Art. 10(6), 11(5)).
    ManifestErrors,
    /// It does not contain sufficient information (Art. 10(6), 11(5)).
    InsufficientInformation,
    /// It does not concern data stored by or for the provider when it was received.
    NotStoredHere,
    /// Something else makes it impossible that is not the addressee's doing (Art. 10(7), 11(6)).
    DeFactoImpossibility,
    /// No authority of Article 4 issued or validated it.
    WrongAuthority,
    /// It asks for traffic or content data for an offence that Article 5(4) does not cover.
    OffenceNotCovered,
    /// The service is outside the Regulation.
    ServiceNotCovered,
    /// Immunities, privileges, or the freedoms of press and expression protect the data (Art. 10(5)).
    ImmunityOrPress,
    /// The law of a third country forbids it (Art. 17).
    ThirdCountryLaw,
    /// Another reason, given in words (Art. 10(8), 11(7)).
    Other,
}

impl NonExecutionReason {
    /// Whether a production order's duties rest until the issuing authority answers (Art. 10(6)).
    pub fn asks_the_issuer(self) -> bool {
        matches!(
            self,
            Self::Incomplete | Self::ManifestErrors | Self::InsufficientInformation
        )
    }
}

/// Section E.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThirdCountryLaw {
    /// The law's title.
    pub title: String,
    /// The provision, and its text.
    pub provision: String,
    /// What it protects.
    pub protects: Vec<Interest>,
    /// Why it applies here.
    pub why_applicable: String,
    /// Why there is a conflict here.
    pub why_conflict: String,
    /// What links the provider to that country.
    pub link: String,
    /// What complying would bring upon the addressee, penalties included.
    pub consequences: String,
}

/// What a third country's law protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interest {
    /// Fundamental rights of individuals.
    FundamentalRights,
    /// The country's security and defence.
    NationalSecurity,
    /// Something else.
    Other,
}

/// Section G.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preservation {
    /// The data is kept until it is produced, or keeping it is no longer needed.
    Kept,
    /// It is not kept, for what is said does not identify it.
    NotIdentifiable,
    /// It is not kept, for it is not held.
    NotHeld,
}

/// Section H.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Who to speak to.
    pub name: String,
    /// The post held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// How to reach them: address, telephone, e-mail.
    pub reach: String,
    /// The person authorised to sign.
    pub signed_by: String,
    /// The day.
    pub on: Date,
}

/// What is wrong with a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the form of Annex III does not hold together: {reason}\nhint: {hint}")]
pub struct FormError {
    /// What.
    pub reason: &'static str,
    /// What to do.
    pub hint: &'static str,
}

impl NonExecution {
    /// Checks the form against itself and against the demand that it answers.
    ///
    /// # Errors
    /// [`FormError`] naming the first section that does not fit.
    pub fn check(&self, demand: &Demand) -> Result<(), FormError> {
        let wrong = |reason, hint| Err(FormError { reason, hint });
        let certificate = match demand.instrument.as_str() {
            "eu.epoc_pr" => Certificate::EpocPr,
            id if id.starts_with("eu.epoc.") => Certificate::Epoc,
            _ => {
                return wrong(
                    "the demand is no European production or preservation order",
                    "reject it with its reasons instead",
                );
            }
        };
        if self.certificate != certificate {
            return wrong("section A names the other certificate", "name the one that came");
        }
        let mut reasons = self.reasons.clone();
        reasons.sort_unstable();
        reasons.dedup();
        if reasons.is_empty() || reasons.len() != self.reasons.len() {
            return wrong(
                "section D gives no reason, or one twice",
                "tick each reason that applies, once",
            );
        }
        if self.explanation.trim().is_empty() {
            return wrong("section D explains nothing", "say why, in words");
        }
        let conflict = self.reasons.contains(&NonExecutionReason::ThirdCountryLaw);
        if conflict != self.third_country.is_some() {
            return wrong(
                "section E and the reason in section D do not go together",
                "fill in section E exactly where D names the law of a third country",
            );
        }
        if self.third_country.as_ref().is_some_and(|law| {
            law.protects.is_empty()
                || [
                    &law.title,
                    &law.provision,
                    &law.why_applicable,
                    &law.why_conflict,
                    &law.link,
                    &law.consequences,
                ]
                .iter()
                .any(|text| text.trim().is_empty())
        }) {
            return wrong(
                "section E leaves something open",
                "Article 17(2) asks for each of its points; that data lies abroad is not enough",
            );
        }
        let asks = self.reasons.iter().any(|reason| reason.asks_the_issuer());
        if asks
            && self
                .clarification
                .as_deref()
                .is_none_or(|text| text.trim().is_empty())
        {
            return wrong(
                "section F asks for nothing, though section D says that something is missing",
                "say what the issuing authority is to add",
            );
        }
        let required = [
            &self.authorities.issuing,
            &self.addressee.name,
            &self.addressee.file,
            &self.contact.name,
            &self.contact.reach,
            &self.contact.signed_by,
        ];
        if required.iter().any(|text| text.trim().is_empty()) {
            return wrong("section B, C or H leaves a name open", "fill in every name");
        }
        if self.texts().any(|text| text.len() > TEXT_MAX) {
            return wrong("a text is too long", "at most 16 KiB each; attach what is longer");
        }
        Ok(())
    }

    fn texts(&self) -> impl Iterator<Item = &String> {
        let law = self.third_country.iter().flat_map(|law| {
            [
                &law.title,
                &law.provision,
                &law.why_applicable,
                &law.why_conflict,
                &law.link,
                &law.consequences,
            ]
        });
        [
            &self.explanation,
            &self.authorities.issuing,
            &self.addressee.name,
            &self.addressee.file,
            &self.contact.name,
            &self.contact.reach,
            &self.contact.signed_by,
        ]
        .into_iter()
        .chain(&self.clarification)
        .chain(&self.authorities.issuing_file)
        .chain(&self.authorities.validating)
        .chain(&self.authorities.enforcing)
        .chain(&self.contact.post)
        .chain(law)
    }
}
