//! Who a message says it is from, and what can be known of that without asking anybody: what its mail domain signed, and
//! whether that domain only looks like another's.
//!
//! None of it proves an officer. A domain that passes every check may be a stranger's, or a real one whose mailbox was
//! stolen this morning; so each demand that came by e-mail is called back before anything is released (P7).

mod domain;
mod resemblance;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use domain::{Domain, DomainError, Suffixes};
pub use resemblance::{Likeness, OFFICIAL_WORDS, Resemblance, resemblance};

/// Most remarks that one check keeps.
pub const REMARKS_MAX: usize = 20;

/// What came of one check of a message.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// The domain publishes nothing to check by, or the message carries nothing to check.
    None,
    /// It could not be checked: no name service, no answer from it, no address that the message came from.
    #[default]
    NotKnown,
}

/// Who made the checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckedBy {
    /// This program, with the records of the name service at that time.
    Ourselves,
    /// The provider's own mail server, as the header that it wrote says.
    OurMailServer,
    /// Nobody.
    #[default]
    Nobody,
}

/// What was checked of a message's sender when it came in. The records that it rests on change, so it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SenderCheck {
    /// Every address that its `From` gives.
    pub from: Vec<String>,
    /// The domain of the one address that it is from, in ASCII; absent where it names none, or more than one.
    pub domain: Option<String>,
    /// Whether the server that handed it over may send for the envelope's domain (RFC 7208).
    pub spf: Verdict,
    /// Whether a signature of a domain over the whole message is good (RFC 6376).
    pub dkim: Verdict,
    /// Whether one of the two speaks for the domain in `From` (RFC 9989).
    pub dmarc: Verdict,
    /// Whether the chain of those who forwarded it is whole (RFC 8617). Says nothing of who they are.
    pub arc: Verdict,
    /// Who checked.
    pub by: CheckedBy,
    /// The known domain that its domain only looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resembles: Option<Resemblance>,
    /// What the operator's lists say of its domain. A hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<String>,
    /// The registered authority that uses its domain. A hint too: whoever writes from there is still called back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Why its address was suspended, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<String>,
    /// What a person should know beside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl SenderCheck {
    /// Whether something speaks against the sender: then the call back is the first thing to do, and not the last.
    pub fn is_suspect(&self) -> bool {
        self.dmarc == Verdict::Fail
            || self.resembles.is_some()
            || self.suspended.is_some()
            || self.domain.is_none()
    }
}

#[cfg(test)]
mod tests;
