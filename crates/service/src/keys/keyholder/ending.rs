//! The end of a customer's keyholder: it destroys its own wrapping keys, and says so under its signature.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    config::{KeyholderConfig, KeyholderError},
    ledger, wire,
};
use crate::{
    deployment::{read_key, wipe_secret},
    keys::Ended,
};

/// Longest receipt read, in bytes.
pub const RECEIPT_BYTES_MAX: usize = 64 * 1024;
const LABEL: &[u8] = b"amparo/keyholder-end/v1\n";

/// What a keyholder says of the end of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Always `amparo.keyholder-end/1`.
    pub schema: Schema,
    /// Its public key, base64.
    pub keyholder: String,
    /// SHA-256 over `amparo/keyholder-end/v1`, a newline and each key that it destroyed, hex.
    pub destroyed: Vec<String>,
    /// Lines of its log then, and the last one's hash in hex.
    pub log: (u64, String),
    /// When.
    pub at: Timestamp,
}

/// The schema tag of [`Statement`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    /// Version 1.
    #[serde(rename = "amparo.keyholder-end/1")]
    V1,
}

/// A statement and the keyholder's signature over its very text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Receipt {
    statement: String,
    /// Ed25519 over `amparo/keyholder-end/v1`, a newline and the text, base64.
    signature: String,
}

/// Why a receipt is none of this keyholder.
#[derive(Debug, thiserror::Error)]
pub enum NoReceipt {
    /// It does not read.
    #[error("what was given with `--receipt` is nothing that `amparo keyholder destroy` wrote")]
    Form,
    /// It is another's, or was altered.
    #[error("the receipt is not signed by the keyholder that the configuration names")]
    Signature,
}

/// Destroys every wrapping key of the keyholder whose configuration this is, and gives the receipt, which its signing key
/// signs. `confirm` is its public key. Nothing that was wrapped opens again.
///
/// # Errors
/// When the configuration, a key or the log cannot be read, or `confirm` is another's: nothing is destroyed then. When a key
/// cannot be destroyed, those before it are.
pub fn destroy(config: &Path, confirm: &str, at: Timestamp) -> Result<Vec<u8>, KeyholderError> {
    let config = KeyholderConfig::read(config)?;
    let signer = SigningKey::from_bytes(&*read_key(&config.signing_key)?);
    let keyholder = STANDARD.encode(signer.verifying_key().to_bytes());
    if confirm.trim() != keyholder {
        return Err(KeyholderError::Unconfirmed { keyholder });
    }
    let mut destroyed = Vec::with_capacity(config.keys.len());
    for path in &config.keys {
        let key = read_key(path)?;
        destroyed.push(hex::encode(
            Sha256::new_with_prefix(LABEL)
                .chain_update(key.as_slice())
                .finalize(),
        ));
    }
    let head = ledger::check(&config.log, |_| {})?;
    for path in &config.keys {
        wipe_secret(path)?;
    }
    let statement = Statement {
        schema: Schema::V1,
        keyholder,
        destroyed,
        log: (head.lines, hex::encode(head.hash)),
        at,
    };
    let statement = serde_json::to_string(&statement).unwrap_or_default();
    let signature = signer.sign(&[LABEL, statement.as_bytes()].concat());
    let receipt = Receipt {
        signature: STANDARD.encode(signature.to_bytes()),
        statement,
    };
    Ok(serde_json::to_vec_pretty(&receipt).unwrap_or_default())
}

/// What a receipt says, where it is signed by the keyholder of this public key.
///
/// # Errors
/// [`NoReceipt`].
pub fn verified(receipt: &[u8], keyholder: &str) -> Result<Ended, NoReceipt> {
    if receipt.len() > RECEIPT_BYTES_MAX {
        return Err(NoReceipt::Form);
    }
    let receipt: Receipt = serde_json::from_slice(receipt).map_err(|_| NoReceipt::Form)?;
    let key = wire::public_key(keyholder).map_err(|_| NoReceipt::Signature)?;
    if !wire::verify(
        &key,
        &[LABEL, receipt.statement.as_bytes()].concat(),
        &receipt.signature,
    ) {
        return Err(NoReceipt::Signature);
    }
    let statement: Statement = serde_json::from_str(&receipt.statement).map_err(|_| NoReceipt::Form)?;
    let named = wire::public_key(&statement.keyholder);
    if named.is_ok_and(|named| named == key) {
        let said = serde_json::json!({"statement": statement, "signature": receipt.signature});
        return Ok(Ended { said, gone_at: None });
    }
    Err(NoReceipt::Signature)
}
