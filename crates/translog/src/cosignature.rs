//! Timestamped Ed25519 cosignatures, signature type 0x04 (C2SP tlog-cosignature v1.0.1).

use crate::note::{BadSignature, KeyKind, NoteSignature, SignerKey, VerifierKey};

/// Latest time a cosignature may state (tlog-cosignature: "MUST NOT exceed 2^63 - 1").
pub const TIME_MAX: u64 = (1 << 63) - 1;

/// Signs a checkpoint's text as seen at `time` (seconds since 1970). `None` from a log key, which makes plain
/// signatures only, and for a time that is zero or above [`TIME_MAX`].
pub fn cosign(key: &SignerKey, text: &str, time: u64) -> Option<NoteSignature> {
    if key.verifier().kind() != KeyKind::Witness || time == 0 || time > TIME_MAX {
        return None;
    }
    let mut blob = time.to_be_bytes().to_vec();
    blob.extend_from_slice(&key.sign(message(text, time).as_bytes()));
    Some(key.line(blob))
}

/// Checks a cosignature over a checkpoint's text, and gives the time it states.
///
/// # Errors
/// When it is not a valid cosignature of `key`.
pub fn verify(key: &VerifierKey, text: &str, signature: &NoteSignature) -> Result<u64, BadSignature> {
    let wrong = || BadSignature(key.name().to_owned());
    if key.kind() != KeyKind::Witness || !key.claims(signature) {
        return Err(wrong());
    }
    let (time, signature) = signature.bytes().split_first_chunk::<8>().ok_or_else(wrong)?;
    let time = u64::from_be_bytes(*time);
    if time == 0 || time > TIME_MAX {
        return Err(wrong());
    }
    key.verify(message(text, time).as_bytes(), signature)?;
    Ok(time)
}

fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}
