//! Why the gate refused, in a form that a person, a case event and a test can all read.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::{canonical::CanonicalError, finding::Promise, promise::BrokenPromise};

/// What opening would have broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// A promise to the customer.
    Promise(Promise),
    /// An invariant of the program, by its number in ARCHITECTURE.md.
    Invariant(u8),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promise(promise) => write!(f, "{promise:?}"),
            Self::Invariant(number) => write!(f, "invariant {number}"),
        }
    }
}

/// A refusal. No key opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error("{breach}: {reason}\nhint: {hint}")]
pub struct Refusal {
    /// What would have been broken.
    pub breach: Breach,
    /// Why. Names rules, tenants and object ids; never an account, content or a key.
    pub reason: String,
    /// What to do about it.
    pub hint: Cow<'static, str>,
}

impl Refusal {
    /// A promise would be broken.
    pub fn promise(promise: Promise, reason: impl Into<String>, hint: &'static str) -> Self {
        Self {
            breach: Breach::Promise(promise),
            reason: reason.into(),
            hint: Cow::Borrowed(hint),
        }
    }
    /// An invariant would be broken.
    pub fn invariant(number: u8, reason: impl Into<String>, hint: &'static str) -> Self {
        Self {
            breach: Breach::Invariant(number),
            reason: reason.into(),
            hint: Cow::Borrowed(hint),
        }
    }
}

impl From<BrokenPromise> for Refusal {
    fn from(broken: BrokenPromise) -> Self {
        Self::promise(broken.promise, broken.reason, broken.hint)
    }
}
impl From<CanonicalError> for Refusal {
    fn from(error: CanonicalError) -> Self {
        Self::invariant(8, error.to_string(), "draw up a new record")
    }
}
