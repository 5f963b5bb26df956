//! Signatures of messages: a JWS (RFC 7515) over the message, verified against keys that were agreed beforehand.
//!
//! The schema has the flattened JSON serialisation without its payload: a member `Signature` with `protected` and `signature`.
//! The payload is the message itself, byte for byte as it came, with these two texts empty. Nothing is written anew before
//! it is verified, so what is verified is what is read.
//!
//! Refused, whatever else holds: a key that the message brings or points to, extensions (`crit`, `b64`), an unprotected
//! header, an algorithm that is not the key's own. HMAC and `none` are no algorithms here.

mod key;
mod place;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::Digest as _;

pub use self::key::{Algorithm, BadKey, KEY_BYTES_MAX, KEY_ID_CHARS_MAX, Key};
use crate::{
    code::{Code, Failure},
    json,
};

/// Largest protected header, in bytes of base64.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Largest signature, in bytes of base64: one of an RSA key of 8192 bits has 1,366.
pub const SIGNATURE_BYTES_MAX: usize = 2 * 1024;
/// Most characters of what a message calls its key, or its algorithm, that are repeated to anybody.
const QUOTED_CHARS_MAX: usize = KEY_ID_CHARS_MAX;

/// Without padding, and in the one form that the bytes have.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// A message's signature was verified. Made by [`verify`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    key: String,
    algorithm: Algorithm,
    key_sha256: [u8; 32],
    message_sha256: [u8; 32],
}

impl Verified {
    /// What the key is called.
    pub fn key(&self) -> &str {
        &self.key
    }
    /// By which algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
    /// SHA-256 of the public key, as [`Key::sha256`].
    pub fn key_sha256(&self) -> [u8; 32] {
        self.key_sha256
    }
    /// SHA-256 of the message's bytes, its signature among them.
    pub fn message_sha256(&self) -> [u8; 32] {
        self.message_sha256
    }
}

/// Verifies the signature of a message that was read, at this moment, against the keys of the side that sent it.
///
/// # Errors
/// Why it is refused, as its sender is told. It quotes the names of key and algorithm, and nothing else of the message.
pub fn verify(message: &[u8], keys: &[Key], at: Timestamp) -> Result<Verified, Failure> {
    let improper = |why: &str| Failure::new(Code::Improper, why);
    let value = json::read(message).map_err(|_| improper("the message cannot be read"))?;
    let members = jws(&value)?;
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    let (protected, signature) = (text("protected"), text("signature"));
    if protected.len() > HEADER_BYTES_MAX || signature.len() > SIGNATURE_BYTES_MAX {
        return Err(improper("its signature is larger than any is"));
    }
    let header = header(protected)?;
    let named = header.get("kid").and_then(Value::as_str);
    let key = named.and_then(|named| keys.iter().find(|key| key.id() == named));
    let Some(key) = key else {
        return Err(unknown(named));
    };
    fits(&header, key)?;
    let (from, until) = (key.from(), key.until());
    if at < from || at >= until {
        return Err(improper(&format!(
            "the message is signed with the key `{}`, which is agreed from {from} until {until} and not now",
            key.id()
        )));
    }
    let Some(places) = place::of(message) else {
        return Err(improper(
            "its signature is not written plainly, as base64url alone",
        ));
    };
    // What is signed has the two texts empty: their bytes are taken out where they stand.
    let wrong = || {
        improper(&format!(
            "the message's signature is not one of the key `{}` over it; the message was altered after it was signed, or signed over \
             other bytes than those that came",
            key.id()
        ))
    };
    let bytes = BASE64.decode(signature).map_err(|_| wrong())?;
    if places.text(message, &places.protected) != protected.as_bytes()
        || places.text(message, &places.signature) != signature.as_bytes()
    {
        return Err(wrong());
    }
    let mut signed = String::from(protected);
    signed.push('.');
    BASE64.encode_string(places.emptied(message), &mut signed);
    if !key.verifies(signed.as_bytes(), &bytes) {
        return Err(wrong());
    }
    Ok(Verified {
        key: key.id().to_owned(),
        algorithm: key.algorithm(),
        key_sha256: key.sha256(),
        message_sha256: sha2::Sha256::digest(message).into(),
    })
}

/// A message that bears no signature came from a side whose messages must.
pub fn missing() -> Failure {
    Failure::new(
        Code::Missing,
        "the message is not signed, and yours are agreed to be: sign it with a key that was made known",
    )
}

/// The members of a JWS without its payload, and nothing beside them.
fn jws(value: &Value) -> Result<&Map<String, Value>, Failure> {
    if value.get("Signatures").is_some() {
        return Err(Failure::new(
            Code::NotSupported,
            "`Signatures` is not supported; sign the message as a JWS, in `Signature`",
        ));
    }
    let members = value.get("Signature").and_then(Value::as_object);
    let members = members.ok_or_else(|| Failure::new(Code::Improper, "`Signature` is not an object"))?;
    let both = ["protected", "signature"];
    if members.len() != both.len()
        || !both
            .iter()
            .all(|name| members.get(*name).is_some_and(Value::is_string))
    {
        return Err(Failure::new(
            Code::Improper,
            "`Signature` has other members than `protected` and `signature`: the payload is the message, and what is not \
             protected is not read",
        ));
    }
    Ok(members)
}

fn header(protected: &str) -> Result<Map<String, Value>, Failure> {
    let read = || {
        let bytes = BASE64.decode(protected).ok()?;
        match json::read(&bytes).ok()? {
            Value::Object(header) => Some(header),
            _ => None,
        }
    };
    read().ok_or_else(|| {
        Failure::new(
            Code::Improper,
            "the signature's protected header is not base64url of a JSON object without a key twice",
        )
    })
}

/// The name of its key that a signed message gives, however little of it can be read.
pub(crate) fn key_named(signature: &Value) -> Option<String> {
    let protected = signature.get("protected")?.as_str()?;
    if protected.len() > HEADER_BYTES_MAX {
        return None;
    }
    let header = header(protected).ok()?;
    header.get("kid")?.as_str().map(quoted)
}

fn quoted(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(QUOTED_CHARS_MAX)
        .collect()
}

fn unknown(named: Option<&str>) -> Failure {
    let named = named.map_or_else(|| "(not named)".to_owned(), quoted);
    Failure::new(
        Code::NotSupported,
        format!(
            "the message is signed with the key `{named}`, which is not known here; have the key made known first, or send it \
             unsigned over mutual TLS where that is agreed"
        ),
    )
}

/// That the header asks for nothing but this key and its own algorithm.
fn fits(header: &Map<String, Value>, key: &Key) -> Result<(), Failure> {
    // Extensions must be understood or refused (RFC 7515 section 4.1.11; RFC 7797): none is.
    if let Some(extension) = ["crit", "b64"]
        .into_iter()
        .find(|name| header.contains_key(*name))
    {
        return Err(Failure::new(
            Code::NotSupported,
            format!("the signature's header has `{extension}`; no extension of JWS is supported"),
        ));
    }
    if let Some(brought) = ["jwk", "jku", "x5u"]
        .into_iter()
        .find(|name| header.contains_key(*name))
    {
        return Err(Failure::new(
            Code::Improper,
            format!(
                "the signature's header has `{brought}`; a key is agreed beforehand, and neither brought nor fetched"
            ),
        ));
    }
    let named = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    if !key.algorithm().is_named(named) {
        return Err(Failure::new(
            Code::Improper,
            format!(
                "the message is signed by `{}`, and the key `{}` is agreed for {} alone",
                quoted(named),
                key.id(),
                key.algorithm()
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
