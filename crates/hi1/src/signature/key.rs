//! Public keys as they are agreed with the other side: one algorithm each, and from when until when.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rsa::{PublicEncryptingKey, PublicKeyComponents},
    signature::{self as lc, ParsedPublicKey, VerificationAlgorithm},
};
use base64::Engine as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::Digest as _;

use super::BASE64;
use crate::json;

/// Largest key as it is agreed, in bytes.
pub const KEY_BYTES_MAX: usize = 16 * 1024;
/// Longest name of a key, in characters.
pub const KEY_ID_CHARS_MAX: usize = 128;

/// How a key signs: algorithms of RFC 7518 and RFC 8037 with a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256, for systems that know no better.
    RS256,
    /// Ed25519.
    EdDSA,
}

impl Algorithm {
    /// Its name, as configurations and headers have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::RS256 => "RS256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Whether a header may call it so. Ed25519 has two names (RFC 8037, RFC 9864).
    pub(super) fn is_named(self, name: &str) -> bool {
        name == self.name() || (self == Self::EdDSA && name == "Ed25519")
    }

    fn is_rsa(self) -> bool {
        matches!(self, Self::PS256 | Self::PS384 | Self::PS512 | Self::RS256)
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::ES256 => &lc::ECDSA_P256_SHA256_FIXED,
            Self::ES384 => &lc::ECDSA_P384_SHA384_FIXED,
            Self::ES512 => &lc::ECDSA_P521_SHA512_FIXED,
            Self::PS256 => &lc::RSA_PSS_2048_8192_SHA256,
            Self::PS384 => &lc::RSA_PSS_2048_8192_SHA384,
            Self::PS512 => &lc::RSA_PSS_2048_8192_SHA512,
            Self::RS256 => &lc::RSA_PKCS1_2048_8192_SHA256,
            Self::EdDSA => &lc::ED25519,
        }
    }

    /// Type and curve of its keys as JWKs have them, and the bytes of a coordinate.
    fn family(self) -> (&'static str, &'static str, usize) {
        match self {
            Self::ES256 => ("EC", "P-256", 32),
            Self::ES384 => ("EC", "P-384", 48),
            Self::ES512 => ("EC", "P-521", 66),
            Self::EdDSA => ("OKP", "Ed25519", 32),
            Self::PS256 | Self::PS384 | Self::PS512 | Self::RS256 => ("RSA", "", 0),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a key cannot be agreed. Quotes nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadKey(String);

fn bad<T>(why: impl Into<String>) -> Result<T, BadKey> {
    Err(BadKey(why.into()))
}

/// A public key that was agreed.
#[derive(Clone)]
pub struct Key {
    id: String,
    algorithm: Algorithm,
    from: Timestamp,
    until: Timestamp,
    public: ParsedPublicKey,
    sha256: [u8; 32],
}

impl Key {
    /// Of a JWK (RFC 7517) of a public key. What it says of its own name, use and algorithm must agree.
    ///
    /// # Errors
    /// [`BadKey`]: no JWK, one that holds a private or a shared key, another type or curve than the algorithm's, RSA of less
    /// than 2048 bits, no name, or a time that never is.
    pub fn from_jwk(
        id: &str,
        algorithm: Algorithm,
        (from, until): (Timestamp, Timestamp),
        jwk: &[u8],
    ) -> Result<Self, BadKey> {
        let read = (jwk.len() <= KEY_BYTES_MAX)
            .then(|| json::read(jwk).ok())
            .flatten();
        let Some(Value::Object(jwk)) = read else {
            return bad("it is no JWK: a JSON object of at most 16 KiB without a key twice");
        };
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
            .iter()
            .any(|name| jwk.contains_key(*name))
        {
            return bad(
                "the JWK holds a private or a shared key; have a new one made, and take its public half alone",
            );
        }
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let disagrees = |name: &str, with: &str| jwk.contains_key(name) && text(name) != Some(with);
        if disagrees("kid", id) {
            return bad("the JWK's `kid` is another than the one configured");
        }
        if jwk.contains_key("alg") && !text("alg").is_some_and(|named| algorithm.is_named(named)) {
            return bad(format!("the JWK's `alg` is not {algorithm}"));
        }
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        if disagrees("use", "sig")
            || (jwk.contains_key("key_ops")
                && !operations.is_some_and(|list| list.iter().any(|one| one.as_str() == Some("verify"))))
        {
            return bad("the JWK is not for verifying signatures");
        }
        let public = public_of(&jwk, algorithm)?;
        Self::new(id, algorithm, (from, until), &public)
    }

    /// Of a SubjectPublicKeyInfo (RFC 5280) in DER: what a PEM of the label `PUBLIC KEY` holds.
    ///
    /// # Errors
    /// As [`Key::from_jwk`].
    pub fn from_spki(
        id: &str,
        algorithm: Algorithm,
        (from, until): (Timestamp, Timestamp),
        der: &[u8],
    ) -> Result<Self, BadKey> {
        // The library takes bare points and PKCS#1 keys too; a SubjectPublicKeyInfo is a sequence.
        if der.len() > KEY_BYTES_MAX || der.first() != Some(&0x30) {
            return bad("it is no SubjectPublicKeyInfo of at most 16 KiB");
        }
        Self::new(id, algorithm, (from, until), der)
    }

    fn new(
        id: &str,
        algorithm: Algorithm,
        (from, until): (Timestamp, Timestamp),
        public: &[u8],
    ) -> Result<Self, BadKey> {
        if id.trim().is_empty() || id.chars().count() > KEY_ID_CHARS_MAX || id.chars().any(char::is_control) {
            return bad("a key's name has 1 to 128 characters that can be read");
        }
        if from >= until {
            return bad("the key ends before it begins");
        }
        let Ok(parsed) = ParsedPublicKey::new(algorithm.verification(), public) else {
            return bad(format!("it is no public key for {algorithm}"));
        };
        if algorithm.is_rsa() && PublicEncryptingKey::from_der(public).is_err() {
            return bad("RSA keys have 2048 to 8192 bits");
        }
        Ok(Self {
            id: id.to_owned(),
            algorithm,
            from,
            until,
            sha256: sha2::Sha256::digest(public).into(),
            public: parsed,
        })
    }

    /// What it is called.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// The one algorithm that it is agreed for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
    /// From when.
    pub fn from(&self) -> Timestamp {
        self.from
    }
    /// Until when, that moment excluded.
    pub fn until(&self) -> Timestamp {
        self.until
    }
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(signed, signature).is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .field("sha256", &hex::encode(self.sha256))
            .finish_non_exhaustive()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, self.algorithm, self.from, self.until, self.sha256)
            == (&other.id, other.algorithm, other.from, other.until, other.sha256)
    }
}
impl Eq for Key {}

/// What stands before the point in the SubjectPublicKeyInfo of each curve (RFC 5480, RFC 8410).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P384: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
    0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];
const P521: [u8; 25] = [
    0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00,
];
const ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// A JWK's key as a SubjectPublicKeyInfo.
fn public_of(jwk: &Map<String, Value>, algorithm: Algorithm) -> Result<Vec<u8>, BadKey> {
    let (kind, curve, length) = algorithm.family();
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let number = |name: &str| text(name).and_then(|text| BASE64.decode(text).ok());
    let coordinate = |name: &str| number(name).filter(|bytes| bytes.len() == length);
    let other = || BadKey(format!("it is no public key for {algorithm}"));
    if text("kty") != Some(kind) || (!algorithm.is_rsa() && text("crv") != Some(curve)) {
        return Err(other());
    }
    match kind {
        "RSA" => {
            let (n, e) = (number("n").ok_or_else(other)?, number("e").ok_or_else(other)?);
            let der: PublicKeyX509Der<'static> =
                PublicKeyComponents { n, e }.as_der().map_err(|_| other())?;
            Ok(der.as_ref().to_vec())
        }
        "EC" => {
            let (x, y) = (
                coordinate("x").ok_or_else(other)?,
                coordinate("y").ok_or_else(other)?,
            );
            let before: &[u8] = match algorithm {
                Algorithm::ES256 => &P256,
                Algorithm::ES384 => &P384,
                _ => &P521,
            };
            Ok([before, &[4_u8], &x, &y].concat())
        }
        _ => Ok([&ED25519[..], &coordinate("x").ok_or_else(other)?].concat()),
    }
}
