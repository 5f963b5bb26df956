//! Signed notes and their keys (C2SP signed-note v1.0.0), Ed25519 only.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::armor;

/// Longest note, in bytes, signatures included.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// Most signature lines of one note. The specification asks for at least 16.
pub const SIGNATURES_MAX: usize = 64;
/// Longest key name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// Most bytes of one signature with its key id. ML-DSA-44 cosignatures, which we carry but cannot check, have 2,432.
pub const SIGNATURE_BYTES_MAX: usize = 8 * 1024;

/// What a key signs, by its type byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// 0x01: Ed25519 over the note's text. How a log signs.
    Log,
    /// 0x04: timestamped Ed25519 cosignature (tlog-cosignature). How a witness signs.
    Witness,
}

/// Why a verifier key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `name+id+key`.
    #[error("`{0}` is not a verifier key; it is written `<name>+<8 hex digits>+<base64 key>`")]
    Form(String),
    /// The name is empty, too long, or holds a space, a plus or a control character.
    #[error("`{0}` cannot name a key; use a schema-less URL such as `log.example/docket`")]
    Name(String),
    /// The id is not the one that name and key give.
    #[error("the key id in `{0}` does not belong to its name and key")]
    Id(String),
    /// A signature type other than Ed25519 (0x01) and Ed25519 cosignature (0x04).
    #[error("signature type `{0:#04x}` is not supported; use Ed25519 keys")]
    Unsupported(u8),
    /// Not a usable Ed25519 public key.
    #[error("`{0}` holds no usable Ed25519 public key")]
    Point(String),
}

/// Why a note was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("the note has `{0}` bytes; the limit is 65536")]
    TooLong(usize),
    /// More than [`SIGNATURES_MAX`] signature lines.
    #[error("the note has more than 64 signatures")]
    TooManySignatures,
    /// A control character other than newline.
    #[error("the note holds a control character")]
    ControlCharacter,
    /// No blank line followed by signature lines.
    #[error("the note is not signed: a blank line and signature lines must follow its text")]
    Unsigned,
    /// A signature line that is not `— name base64`.
    #[error("signature line `{0}` is malformed")]
    SignatureLine(usize),
}

/// A signature of a known key that does not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature by `{0}` is wrong")]
pub struct BadSignature(pub String);

/// A public key with its name: what checks a signature line.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    kind: KeyKind,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Names an Ed25519 public key.
    ///
    /// # Errors
    /// When the name or the key cannot be used.
    pub fn new(name: &str, kind: KeyKind, public: &[u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        let key = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Point(cut(name)))?;
        // A weak key verifies signatures nobody made; a second encoding of a point would make one key look like two.
        if key.is_weak() || key.to_edwards().compress().to_bytes() != *public {
            return Err(KeyError::Point(cut(name)));
        }
        Ok(Self {
            name: name.to_owned(),
            id: key_id(name, kind, public),
            kind,
            key,
        })
    }

    /// Reads a vkey, `name+id+base64(type || key)`.
    ///
    /// # Errors
    /// When it is malformed, its id is not its own, or its type is not supported.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let form = || KeyError::Form(cut(text));
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form());
        };
        let id: [u8; 4] = armor::from_hex(id).ok_or_else(form)?;
        let key = armor::from_base64(key).ok_or_else(form)?;
        let (&kind, public) = key.split_first().ok_or_else(form)?;
        let kind = match kind {
            0x01 => KeyKind::Log,
            0x04 => KeyKind::Witness,
            other => return Err(KeyError::Unsupported(other)),
        };
        let parsed = Self::new(name, kind, public.try_into().map_err(|_| form())?)?;
        if parsed.id != id {
            return Err(KeyError::Id(cut(text)));
        }
        Ok(parsed)
    }

    /// The key's name; of a log key, the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key itself.
    pub fn public(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether `signature` claims to be of this key.
    pub fn claims(&self, signature: &NoteSignature) -> bool {
        self.name == signature.name && self.id == signature.key_id
    }

    /// Checks `signature` over `message` (for a log key, a note's text).
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let wrong = || BadSignature(self.name.clone());
        let bytes: &[u8; 64] = signature.try_into().map_err(|_| wrong())?;
        self.key
            .verify_strict(message, &ed25519_dalek::Signature::from_bytes(bytes))
            .map_err(|_| wrong())
    }
}
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![kind_byte(self.kind)];
        key.extend_from_slice(self.key.as_bytes());
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex::encode(self.id),
            armor::to_base64(&key)
        )
    }
}
impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// A private key with its name: what makes a signature line. It cannot be printed, and leaves memory when dropped.
pub struct SignerKey {
    verifier: VerifierKey,
    key: SigningKey,
}

impl SignerKey {
    /// The key of a 32-byte Ed25519 seed.
    ///
    /// # Errors
    /// When the name cannot be used.
    pub fn from_seed(name: &str, kind: KeyKind, seed: &Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        Ok(Self {
            verifier: VerifierKey::new(name, kind, key.verifying_key().as_bytes())?,
            key,
        })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a note's text as a log does. `None` from a witness key, which makes cosignatures only.
    pub fn sign_text(&self, text: &str) -> Option<NoteSignature> {
        (self.verifier.kind == KeyKind::Log).then(|| self.line(self.sign(text.as_bytes()).to_vec()))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    pub(crate) fn line(&self, signature: Vec<u8>) -> NoteSignature {
        NoteSignature {
            name: self.verifier.name.clone(),
            key_id: self.verifier.id,
            signature,
        }
    }
}

/// One signature line, of a known key or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

impl NoteSignature {
    /// Reads `— name base64` without its newline.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        check_name(name).ok()?;
        let bytes = armor::from_base64(encoded)?;
        let (key_id, signature) = bytes.split_first_chunk::<4>()?;
        if signature.is_empty() || bytes.len() > SIGNATURE_BYTES_MAX {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            key_id: *key_id,
            signature: signature.to_vec(),
        })
    }

    /// The name of the key it claims.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes after the key id.
    pub fn bytes(&self) -> &[u8] {
        &self.signature
    }
}
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.to_vec();
        bytes.extend_from_slice(&self.signature);
        writeln!(f, "— {} {}", self.name, armor::to_base64(&bytes))
    }
}

/// A text with signature lines, none of them checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Reads a note. Its [`Display`](fmt::Display) gives the same bytes back.
    ///
    /// # Errors
    /// When it is malformed or above a limit.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong(note.len()));
        }
        if note.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(NoteError::ControlCharacter);
        }
        let (before, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Unsigned)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Unsigned)?;
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if number >= SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse(line).ok_or(NoteError::SignatureLine(number + 1))?);
        }
        Ok(Self {
            text: format!("{before}\n"),
            signatures,
        })
    }

    /// The text, with its last newline: what is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks every signature that claims to be of `key`, over the text as it stands. `true` when there was one.
    ///
    /// # Errors
    /// When one of them is wrong: such a note is to be refused whole.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<bool, BadSignature> {
        let mut found = false;
        for signature in self.signatures.iter().filter(|s| key.claims(s)) {
            key.verify(self.text.as_bytes(), &signature.signature)?;
            found = true;
        }
        Ok(found)
    }
}
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format(&self.text, &self.signatures))
    }
}

/// Writes a text, which ends in a newline, with its signature lines.
pub fn format(text: &str, signatures: &[NoteSignature]) -> String {
    let mut note = format!("{text}\n");
    for signature in signatures {
        note.push_str(&signature.to_string());
    }
    note
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let usable = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+');
    if usable {
        Ok(())
    } else {
        Err(KeyError::Name(cut(name)))
    }
}

fn key_id(name: &str, kind: KeyKind, public: &[u8; 32]) -> [u8; 4] {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind_byte(kind)])
        .chain_update(public)
        .finalize()
        .into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

fn kind_byte(kind: KeyKind) -> u8 {
    match kind {
        KeyKind::Log => 0x01,
        KeyKind::Witness => 0x04,
    }
}

/// At most 120 characters, for errors.
fn cut(text: &str) -> String {
    text.chars().take(120).collect()
}
