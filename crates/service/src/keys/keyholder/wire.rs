//! What passes between a gate and a keyholder: JSON, signed by the gate, answered by the keyholder under its own signature
//! over the very request that it answers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::keys::{Health, KeyPlace, Reason};

/// Where a keyholder is asked, below its URL.
pub const PATH: &str = "/amparo/keyholder/v1";
/// The header of the signature, base64, on requests and answers.
pub const SIGNATURE: &str = "amparo-signature";
/// Longest request or answer, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Largest difference between the two clocks, and so how long a request may be under way.
pub const CLOCK_WINDOW: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

const REQUEST_LABEL: &[u8] = b"amparo/keyholder-request/v1\n";
const ANSWER_LABEL: &[u8] = b"amparo/keyholder-answer/v1\n";

/// What a gate asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Always `amparo.keyholder.request/1`.
    pub schema: RequestSchema,
    /// What is to be done.
    pub ask: Ask,
    /// 16 random bytes in hex: no request is answered twice.
    pub nonce: String,
    /// When, by the gate's clock.
    pub at: Timestamp,
    /// Where the key belongs.
    pub place: KeyPlace,
    /// Why.
    pub reason: Reason,
    /// What is to be wrapped or unwrapped, base64; empty for `health`.
    pub payload: String,
}

/// The schema tag of [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestSchema {
    /// Version 1.
    #[serde(rename = "amparo.keyholder.request/1")]
    V1,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Wrap the payload.
    Wrap,
    /// Unwrap it.
    Unwrap,
    /// Say how things are; needs no rule.
    Health,
}

/// What a keyholder answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Always `amparo.keyholder.answer/1`.
    pub schema: AnswerSchema,
    /// SHA-256 of the request's bytes, hex.
    pub request: String,
    /// The outcome.
    pub outcome: Outcome,
}

/// The schema tag of [`Answer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnswerSchema {
    /// Version 1.
    #[serde(rename = "amparo.keyholder.answer/1")]
    V1,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Done.
    Given {
        /// What was wrapped or unwrapped, base64.
        payload: String,
    },
    /// Its health.
    Healthy {
        /// What it says of itself.
        health: Health,
    },
    /// No.
    Denied {
        /// Why, for the provider to read.
        why: String,
    },
    /// A person must decide first.
    Waiting {
        /// What `amparo keyholder allow` and `deny` take.
        id: String,
    },
    /// What was to be unwrapped does not open with this keyholder's keys, or for this place.
    NotHere,
    /// The request's time is too far from the keyholder's clock, or from before it was started without a log.
    Stale,
    /// The request was answered before.
    Replayed,
}

/// SHA-256 of a request's bytes, as answers and logs name it.
pub fn request_digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// Signs a request's bytes.
pub fn sign_request(key: &SigningKey, body: &[u8]) -> String {
    STANDARD.encode(key.sign(&[REQUEST_LABEL, body].concat()).to_bytes())
}

/// Whether `signature` is `key`'s over a request's bytes.
pub fn request_is_of(key: &VerifyingKey, body: &[u8], signature: &str) -> bool {
    verify(key, &[REQUEST_LABEL, body].concat(), signature)
}

/// Signs an answer's bytes, to the request of this digest.
pub fn sign_answer(key: &SigningKey, request: &[u8; 32], body: &[u8]) -> String {
    STANDARD.encode(key.sign(&[ANSWER_LABEL, request, body].concat()).to_bytes())
}

/// Whether `signature` is `key`'s over an answer's bytes, to the request of this digest.
pub fn answer_is_of(key: &VerifyingKey, request: &[u8; 32], body: &[u8], signature: &str) -> bool {
    verify(key, &[ANSWER_LABEL, request, body].concat(), signature)
}

pub(super) fn verify(key: &VerifyingKey, message: &[u8], signature: &str) -> bool {
    let Some(bytes) = STANDARD
        .decode(signature.trim())
        .ok()
        .and_then(|b| b.try_into().ok())
    else {
        return false;
    };
    key.verify_strict(message, &Signature::from_bytes(&bytes)).is_ok()
}

/// An Ed25519 public key in base64.
///
/// # Errors
/// When it is none that can be used.
pub fn public_key(text: &str) -> Result<VerifyingKey, NoPublicKey> {
    let bytes = STANDARD.decode(text.trim()).ok().and_then(|b| b.try_into().ok());
    let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    key.filter(|key| !key.is_weak()).ok_or(NoPublicKey)
}

/// Text that is no usable public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key in base64, as `amparo key show` prints one")]
pub struct NoPublicKey;
