//! Whose signatures count.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::{
    case::Reasoned,
    event::{Actor, signed_reason},
    ids::{CaseId, StaffId},
};

/// Reviewers and counsel by their Ed25519 public keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reviewers {
    /// People who review releases.
    pub keys: BTreeMap<StaffId, [u8; 32]>,
    /// Those of them who are senior.
    pub senior: BTreeSet<StaffId>,
    /// Counsel.
    pub counsel: BTreeMap<StaffId, [u8; 32]>,
}

impl Reviewers {
    /// Whether `signature` (base64) is the reviewer's over `message`.
    pub fn reviewer_signed(&self, reviewer: &StaffId, message: &[u8], signature: &str) -> bool {
        self.keys
            .get(reviewer)
            .is_some_and(|key| signed(key, message, signature))
    }

    /// Whether counsel signed this reason for this case and what it answers (`redirect`, `gag` or a rule id), as the
    /// matter stood when it was recorded.
    pub fn counsel_signed(&self, case: CaseId, answers: &str, reasoned: &Reasoned) -> bool {
        let Actor::Counsel(counsel) = &reasoned.by else {
            return false;
        };
        let Some(matter) = &reasoned.matter else {
            return false;
        };
        let message = signed_reason(case, answers, matter, &reasoned.reason);
        self.counsel
            .get(counsel)
            .is_some_and(|key| signed(key, &message, &reasoned.signature))
    }
}

fn signed(key: &[u8; 32], message: &[u8], signature: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(signature) else {
        return false;
    };
    let Ok(signature) = Signature::from_slice(&bytes) else {
        return false;
    };
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}
