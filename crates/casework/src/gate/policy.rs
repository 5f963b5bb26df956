//! The trust policy: whose signatures, which docket, which rulebooks. One file for the gate and for outside verifiers.
//!
//! ```toml
//! schema = "amparo.policy/1"
//! docket = """
//! log docket.provider.example+aabbccdd+...
//! witness w1 witness.example+aabbccdd+...
//! quorum w1
//! """
//! rulebooks = ["64 hex digits"]
//!
//! [[reviewer]]
//! id = "rita"
//! key = "base64 of 32 bytes"
//! senior = true
//!
//! [[counsel]]
//! id = "carl"
//! key = "base64 of 32 bytes"
//!
//! # The gate of another node, as `amparo key gate` prints its key there: where keys may go to, and come from, in a transfer.
//! [[gate]]
//! regions = ["us-west"]
//! key = "base64 of 32 bytes"
//! ```

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use translog::policy::Policy;

use crate::{
    ids::{Digest, RegionId, StaffId},
    promise::Reviewers,
};

/// Longest policy file, in bytes.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;
/// Most reviewers, and most counsel, of a policy.
pub const KEYS_MAX: usize = 1024;
/// Most rulebooks of a policy.
pub const RULEBOOKS_MAX: usize = 256;
/// Most gates of other nodes in a policy, and most regions of one.
pub const GATES_MAX: usize = 256;

/// Whom and what a gate or a verifier trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    docket: Policy,
    reviewers: Reviewers,
    rulebooks: BTreeSet<Digest>,
    gates: BTreeMap<RegionId, [u8; 32]>,
}

/// Why a policy file was refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Over [`POLICY_BYTES_MAX`].
    #[error("the policy has {0} bytes; the limit is {POLICY_BYTES_MAX}")]
    TooLong(usize),
    /// Not the TOML described.
    #[error("the policy cannot be read: {0}")]
    Form(#[from] Box<toml::de::Error>),
    /// It cannot be written.
    #[error("the policy cannot be written: {0}")]
    Write(#[from] toml::ser::Error),
    /// The docket part.
    #[error("the policy's `docket`: {0}")]
    Docket(#[from] translog::policy::PolicyError),
    /// A docket that nobody witnesses.
    #[error(
        "the policy's `docket` asks for no witness\nhint: end it with `quorum NAME` of a witness or group"
    )]
    NoWitness,
    /// A key that is none.
    #[error("the key of `{0}` is not an Ed25519 public key in base64")]
    Key(StaffId),
    /// One id or key twice.
    #[error("`{0}` is listed twice, or has the key of somebody else")]
    Twice(StaffId),
    /// More than a limit.
    #[error(
        "the policy lists more than {KEYS_MAX} people, {RULEBOOKS_MAX} rulebooks, or {GATES_MAX} gates or regions of one"
    )]
    TooMany,
    /// The key of another node's gate is none.
    #[error(
        "the key of the gate of region `{0}` is not an Ed25519 public key in base64\nhint: `amparo key gate` prints it there"
    )]
    GateKey(RegionId),
    /// A gate that serves nothing.
    #[error("a `[[gate]]` names no region")]
    GateNowhere,
    /// Two gates for one region.
    #[error("region `{0}` is listed with two gates")]
    GateTwice(RegionId),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: Schema,
    docket: String,
    rulebooks: Vec<Digest>,
    // Left out when empty: an operator adds `[[reviewer]]` below, which a `reviewer = []` would forbid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reviewer: Vec<Person>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    counsel: Vec<Person>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gate: Vec<OtherGate>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OtherGate {
    regions: Vec<RegionId>,
    key: String,
}

#[derive(Serialize, Deserialize)]
enum Schema {
    #[serde(rename = "amparo.policy/1")]
    V1,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    id: StaffId,
    key: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    senior: bool,
}

impl TrustPolicy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`]: where it is too long, not of that form, asks for no witness, or lists somebody twice.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLong(text.len()));
        }
        let file: File = toml::from_str(text).map_err(Box::new)?;
        if file.reviewer.len().max(file.counsel.len()) > KEYS_MAX || file.rulebooks.len() > RULEBOOKS_MAX {
            return Err(PolicyError::TooMany);
        }
        let senior = file
            .reviewer
            .iter()
            .filter(|person| person.senior)
            .map(|person| person.id.clone())
            .collect();
        let reviewers = Reviewers {
            keys: keys(file.reviewer)?,
            senior,
            counsel: keys(file.counsel)?,
        };
        let gates = gates(file.gate)?;
        Ok(Self {
            gates,
            ..Self::new(Policy::parse(&file.docket)?, reviewers, file.rulebooks)?
        })
    }

    /// A policy of these parts.
    ///
    /// # Errors
    /// [`PolicyError::NoWitness`] where the docket's part asks for none.
    pub fn new(
        docket: Policy,
        reviewers: Reviewers,
        rulebooks: impl IntoIterator<Item = Digest>,
    ) -> Result<Self, PolicyError> {
        if !docket.asks_for_witnesses() {
            return Err(PolicyError::NoWitness);
        }
        Ok(Self {
            docket,
            reviewers,
            rulebooks: rulebooks.into_iter().collect(),
            gates: BTreeMap::new(),
        })
    }

    /// The same, with the gates of other nodes: the public key of the gate of each region.
    #[must_use]
    pub fn with_gates(mut self, gates: impl IntoIterator<Item = (RegionId, [u8; 32])>) -> Self {
        self.gates = gates.into_iter().collect();
        self
    }

    /// The file that [`TrustPolicy::parse`] reads back to the same policy.
    ///
    /// # Errors
    /// [`PolicyError::Write`], which does not happen for a policy that was parsed.
    pub fn to_toml(&self) -> Result<String, PolicyError> {
        let people = |keys: &BTreeMap<StaffId, [u8; 32]>, senior: &BTreeSet<StaffId>| {
            keys.iter()
                .map(|(id, key)| Person {
                    id: id.clone(),
                    key: STANDARD.encode(key),
                    senior: senior.contains(id),
                })
                .collect()
        };
        let file = File {
            schema: Schema::V1,
            docket: self.docket.as_str().to_owned(),
            rulebooks: self.rulebooks.iter().copied().collect(),
            reviewer: people(&self.reviewers.keys, &self.reviewers.senior),
            counsel: people(&self.reviewers.counsel, &BTreeSet::new()),
            gate: self
                .gates
                .iter()
                .map(|(region, key)| OtherGate {
                    regions: vec![region.clone()],
                    key: STANDARD.encode(key),
                })
                .collect(),
        };
        Ok(toml::to_string(&file)?)
    }

    /// The docket's log and witnesses.
    pub fn docket(&self) -> &Policy {
        &self.docket
    }
    /// Whose signatures count.
    pub fn reviewers(&self) -> &Reviewers {
        &self.reviewers
    }
    /// Digests of the rulebooks that may have been applied.
    pub fn rulebooks(&self) -> &BTreeSet<Digest> {
        &self.rulebooks
    }
    /// The public key of another node's gate that serves a region. Where none is named, no key goes there or comes from there.
    pub fn gate_of(&self, region: &RegionId) -> Option<&[u8; 32]> {
        self.gates.get(region)
    }
    /// Whether any other node's gate is named.
    pub fn knows_gates(&self) -> bool {
        !self.gates.is_empty()
    }
}

fn gates(listed: Vec<OtherGate>) -> Result<BTreeMap<RegionId, [u8; 32]>, PolicyError> {
    if listed.len() > GATES_MAX || listed.iter().any(|gate| gate.regions.len() > GATES_MAX) {
        return Err(PolicyError::TooMany);
    }
    let mut gates = BTreeMap::new();
    for gate in listed {
        let first = gate.regions.first().ok_or(PolicyError::GateNowhere)?.clone();
        let key = public_key(&gate.key).ok_or(PolicyError::GateKey(first))?;
        for region in gate.regions {
            if gates.insert(region.clone(), key).is_some() {
                return Err(PolicyError::GateTwice(region));
            }
        }
    }
    Ok(gates)
}

/// An Ed25519 public key that can be used.
fn public_key(text: &str) -> Option<[u8; 32]> {
    let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).ok()?;
    (!key.is_weak()).then_some(bytes)
}

fn keys(people: Vec<Person>) -> Result<BTreeMap<StaffId, [u8; 32]>, PolicyError> {
    let mut keys = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for person in people {
        let Some(bytes) = public_key(&person.key) else {
            return Err(PolicyError::Key(person.id));
        };
        if !seen.insert(bytes) || keys.contains_key(&person.id) {
            return Err(PolicyError::Twice(person.id));
        }
        keys.insert(person.id, bytes);
    }
    Ok(keys)
}
