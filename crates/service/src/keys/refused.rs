//! What a key provider may answer but the key.

use std::time::Duration;

use casework::ids::ProviderId;
use serde::{Deserialize, Serialize};

/// Most characters of a holder's own words that go any further.
const WORDS_MAX: usize = 200;

/// A key did not come from its holder. Nothing secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("key provider `{provider}` {why}")]
pub struct HolderError {
    /// Which.
    pub provider: ProviderId,
    /// Why.
    pub why: Why,
}

/// Why a key did not come from its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// It cannot be reached, or says that it cannot answer now.
    #[error("does not answer: {0}")]
    Away(String),
    /// It did not answer in time.
    #[error("did not answer within {} ms", .0.as_millis())]
    Slow(Duration),
    /// It was asked as often at once as it may be.
    #[error("is asked too often; try again")]
    Busy,
    /// It said no, in these words.
    #[error("said no: {0}")]
    Denied(String),
    /// A person at the holder must say yes first; ask again after that.
    #[error("waits for a person there to decide about request `{0}`")]
    Waiting(String),
    /// What it answered cannot be trusted, or is no answer to what was asked.
    #[error("gave an answer that does not stand: {0}")]
    Wrong(String),
    /// The key was wrapped by another key, or for another place, or was altered.
    #[error("cannot open the key: it was wrapped elsewhere, or altered")]
    NotHere,
    /// No such provider in this deployment's configuration.
    #[error("is not in this gate's configuration")]
    Unknown,
    /// Its configuration cannot be used, or it cannot do what was asked.
    #[error("cannot be used: {0}")]
    Unusable(String),
}

impl HolderError {
    /// States it.
    pub fn new(provider: &ProviderId, why: Why) -> Self {
        Self {
            provider: provider.clone(),
            why,
        }
    }

    /// Whether the holder decided so: asking again does not help until it decides otherwise.
    pub fn is_refusal(&self) -> bool {
        matches!(self.why, Why::Denied(_) | Why::Waiting(_))
    }
}

/// A holder's own words, cut, and without anything that a terminal or a log would act on.
pub fn words(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(WORDS_MAX)
        .collect()
}
