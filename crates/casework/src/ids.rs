//! Typed identifiers. No bare strings cross a boundary in this workspace.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a piece of text is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{input}` is not a valid {kind}: {reason}")]
pub struct IdError {
    /// What was being parsed, as a person would name it.
    pub kind: &'static str,
    /// The input, cut to 64 characters.
    pub input: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

fn slug(kind: &'static str, text: &str, max: usize, extra: &[char]) -> Result<(), IdError> {
    let fail = |reason| IdError {
        kind,
        input: text.chars().take(64).collect(),
        reason,
    };
    if text.is_empty() {
        return Err(fail("it is empty"));
    }
    if text.len() > max {
        return Err(fail("it is too long"));
    }
    if !text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(&c))
    {
        return Err(fail(
            "use lower-case letters, digits and the marks this kind allows",
        ));
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $extra:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);
        impl $name {
            /// Parses the identifier.
            ///
            /// # Errors
            /// When it is empty, too long, or holds a character this kind does not allow.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                slug($kind, &text, $max, $extra)?;
                Ok(Self(text))
            }
            /// The text itself.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> { Self::new(s) }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(s: String) -> Result<Self, IdError> { Self::new(s) }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String { id.0 }
        }
    };
}

text_id!(
    /// A customer of the provider: `contoso`, `stadt-bremen`.
    TenantId, "tenant id", 63, &['-']
);
text_id!(
    /// One person's or mailbox's account with a tenant: `alice`, `alice@contoso.example`.
    AccountId, "account id", 254, &['-', '.', '_', '@', '+', '=', '\'']
);
text_id!(
    /// A region of the deployment, such as `eu-de` or `us-east`.
    RegionId, "region id", 32, &['-']
);
text_id!(
    /// Who holds keys beside the gate, as the configuration names it: `hsm`, `contoso-keyholder`.
    ProviderId, "key provider id", 63, &['-']
);
text_id!(
    /// A member of the provider's staff or a tenant's administrator, as events name them.
    StaffId, "staff id", 128, &['-', '.', '_', '@']
);
text_id!(
    /// A rule of the rulebook, such as `us.warrant.sca.probable_cause`.
    RuleId, "rule id", 128, &['.', '_']
);
text_id!(
    /// A legal instrument, such as `us.warrant.sca` or `eu.epoc.traffic_content`.
    InstrumentId, "instrument id", 96, &['.', '_']
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(with = "String")]
        pub struct $name(pub uuid::Uuid);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, uuid::Error> { s.parse().map(Self) }
        }
    };
}

uuid_id!(
    /// One case: everything that happened to one demand.
    CaseId
);
uuid_id!(
    /// One version of one stored object.
    ObjectId
);
uuid_id!(
    /// One release record; used up by the release it authorises.
    RecordId
);
uuid_id!(
    /// What was frozen of some accounts for one preservation.
    SnapshotId
);

/// A SHA-256 digest, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// SHA-256 over `parts`, one after the other.
    pub fn of(parts: &[&[u8]]) -> Self {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
impl FromStr for Digest {
    type Err = IdError;
    fn from_str(s: &str) -> Result<Self, IdError> {
        let fail = |reason| IdError {
            kind: "digest",
            input: s.chars().take(64).collect(),
            reason,
        };
        if s.len() != 64 || s.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(fail("a digest is 64 lower-case hex digits"));
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(s, &mut bytes).map_err(|_| fail("a digest is 64 lower-case hex digits"))?;
        Ok(Self(bytes))
    }
}
impl TryFrom<String> for Digest {
    type Error = IdError;
    fn try_from(s: String) -> Result<Self, IdError> {
        s.parse()
    }
}
impl From<Digest> for String {
    fn from(d: Digest) -> String {
        d.to_string()
    }
}
