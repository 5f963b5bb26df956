//! What a witness reads, decides and answers (C2SP tlog-witness v1.0.0). Pure: the caller keeps the state, and must
//! persist an [`Accepted`] checkpoint before it answers, in one step with the decision.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::{
    armor,
    checkpoint::Checkpoint,
    cosignature,
    merkle::{self, Hash, PROOF_MAX},
    note::{self, NOTE_BYTES_MAX, Note, NoteSignature, SignerKey, VerifierKey},
};

/// Longest add-checkpoint request, in bytes.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + 4096;
/// Most signature lines of an answer.
pub const ANSWER_LINES_MAX: usize = 16;
/// Longest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Media type of the answer 409.
pub const SIZE_MEDIA_TYPE: &str = "text/x.tlog.size";

/// An add-checkpoint request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the witness cosigned last.
    pub old: u64,
    /// Proof from that size to the checkpoint's.
    pub proof: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// A request that cannot be read: answer 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request is malformed: {0}")]
pub struct Malformed(pub &'static str);

impl AddCheckpoint {
    /// Reads a request's body. Its [`Display`](fmt::Display) gives the same bytes back.
    ///
    /// # Errors
    /// When it is malformed or above a limit.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(Malformed("it is too long"));
        }
        let body = std::str::from_utf8(body).map_err(|_| Malformed("it is not UTF-8"))?;
        let (old, mut rest) = body.split_once('\n').ok_or(Malformed("it has no lines"))?;
        let old = old
            .strip_prefix("old ")
            .and_then(armor::from_decimal)
            .ok_or(Malformed("it must begin with `old <size>`"))?;
        let mut proof = Vec::new();
        let checkpoint = loop {
            let (line, after) = rest
                .split_once('\n')
                .ok_or(Malformed("it ends before the checkpoint"))?;
            rest = after;
            if line.is_empty() {
                break rest;
            }
            if proof.len() == PROOF_MAX {
                return Err(Malformed("it has more than 63 proof lines"));
            }
            proof.push(Hash::from_base64(line).ok_or(Malformed("a proof line is not a hash in base64"))?);
        };
        let note = Note::parse(checkpoint).map_err(|_| Malformed("the checkpoint is not a signed note"))?;
        Checkpoint::parse(note.text()).map_err(|_| Malformed("the note is not a checkpoint"))?;
        Ok(Self {
            old,
            proof,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// The log's origin, to look up keys and state by. `None` only when the fields were not made by
    /// [`AddCheckpoint::parse`].
    pub fn origin(&self) -> Option<&str> {
        self.checkpoint.split_once('\n').map(|(origin, _)| origin)
    }
}
impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// The checkpoint that a witness cosigned last for a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its size; zero before the first.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl Seen {
    /// Before the first checkpoint.
    pub fn nothing() -> Self {
        Self {
            size: 0,
            root: merkle::empty_root(),
        }
    }
}

/// A refusal, with the status it is answered with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// 400.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// 404: no key is trusted for the origin.
    #[error("this witness does not know the log")]
    UnknownLog,
    /// 403: no signature of a trusted key, or a wrong one.
    #[error("the checkpoint is not signed by a key that this witness trusts for the log")]
    BadSignature,
    /// 409: the old size is not that of the checkpoint cosigned last.
    #[error("the checkpoint cosigned last has size `{0}`")]
    Conflict(u64),
    /// 422: proof or root do not hold.
    #[error("the checkpoint is not shown to continue the one cosigned last")]
    Inconsistent,
}

impl Refused {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::BadSignature => 403,
            Self::UnknownLog => 404,
            Self::Conflict(_) => 409,
            Self::Inconsistent => 422,
        }
    }
}

/// A checkpoint that may be cosigned, once it is persisted. Only [`decide`] makes one.
#[derive(Debug)]
pub struct Accepted {
    checkpoint: Checkpoint,
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Accepted {
    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Cosigns at `time` (seconds since 1970). `None` when the key is no witness key or the time is zero.
    pub fn cosign(&self, key: &SignerKey, time: u64) -> Option<Cosigned> {
        let cosignature = cosignature::cosign(key, &self.text, time)?;
        let mut signatures = self.signatures.clone();
        signatures.push(cosignature.clone());
        Some(Cosigned {
            answer: cosignature.to_string(),
            note: note::format(&self.text, &signatures),
        })
    }
}

/// A cosigned checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The signature line to answer with.
    pub answer: String,
    /// The checkpoint with the log's verified signatures and the cosignature: the state to persist, and what monitors
    /// are shown.
    pub note: String,
}

/// Decides a request. `trusted` are the log keys the witness trusts, `seen` what it cosigned last for this origin.
///
/// # Errors
/// A refusal, in the order in which the specification lists them.
pub fn decide(request: &AddCheckpoint, trusted: &[VerifierKey], seen: &Seen) -> Result<Accepted, Refused> {
    let note =
        Note::parse(&request.checkpoint).map_err(|_| Malformed("the checkpoint is not a signed note"))?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|_| Malformed("the note is not a checkpoint"))?;
    let keys: Vec<&VerifierKey> = trusted
        .iter()
        .filter(|key| key.kind() == note::KeyKind::Log && key.name() == checkpoint.origin)
        .collect();
    if keys.is_empty() {
        return Err(Refused::UnknownLog);
    }
    let mut signed = false;
    for key in &keys {
        signed |= note.signed_by(key).map_err(|_| Refused::BadSignature)?;
    }
    if !signed {
        return Err(Refused::BadSignature);
    }
    if request.old > checkpoint.size {
        return Err(Malformed("the old size is above the checkpoint's").into());
    }
    if request.old != seen.size {
        return Err(Refused::Conflict(seen.size));
    }
    checkpoint.check_empty().map_err(|_| Refused::Inconsistent)?;
    merkle::check_growth(
        seen.size,
        &seen.root,
        checkpoint.size,
        &checkpoint.root,
        &request.proof,
    )
    .map_err(|_| Refused::Inconsistent)?;
    let mut signatures: Vec<NoteSignature> = Vec::new();
    for signature in note.signatures() {
        if keys.iter().any(|key| key.claims(signature)) && !signatures.contains(signature) {
            signatures.push(signature.clone());
        }
    }
    Ok(Accepted {
        checkpoint,
        text: note.text().to_owned(),
        signatures,
    })
}

/// Reads a witness's answer to a checkpoint's text and gives the cosignature of `key` with the time it states. Lines
/// of other keys are ignored, as the specification asks.
///
/// # Errors
/// When the answer is malformed, has no line of `key`, or one that is wrong.
pub fn read_answer(answer: &[u8], key: &VerifierKey, text: &str) -> Result<(NoteSignature, u64), BadAnswer> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(BadAnswer::Malformed);
    }
    let answer = std::str::from_utf8(answer).map_err(|_| BadAnswer::Malformed)?;
    let lines = answer.strip_suffix('\n').ok_or(BadAnswer::Malformed)?;
    let mut found = None;
    for (number, line) in lines.split('\n').enumerate() {
        let signature = NoteSignature::parse(line).ok_or(BadAnswer::Malformed)?;
        if number >= ANSWER_LINES_MAX {
            return Err(BadAnswer::Malformed);
        }
        if key.claims(&signature) {
            let time = cosignature::verify(key, text, &signature).map_err(|_| BadAnswer::Wrong)?;
            found = Some((signature, time));
        }
    }
    found.ok_or(BadAnswer::Absent)
}

/// Why a witness's answer is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// Not signature lines.
    #[error("the witness's answer is malformed")]
    Malformed,
    /// No line of the key that was asked for.
    #[error("the witness's answer has no cosignature of its key")]
    Absent,
    /// A cosignature that does not verify.
    #[error("the witness's cosignature is wrong")]
    Wrong,
}

/// Reads the body of an answer 409: the size of the checkpoint that the witness cosigned last.
pub fn read_conflict(body: &[u8]) -> Option<u64> {
    armor::from_decimal(std::str::from_utf8(body).ok()?.strip_suffix('\n')?)
}

/// The path element of a log under a witness's monitoring prefix: SHA-256 of its origin, in lower-case hex.
pub fn origin_hash(origin: &str) -> String {
    hex::encode(Sha256::digest(origin))
}
