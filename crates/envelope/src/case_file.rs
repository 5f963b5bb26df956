//! Keys for the provider's own case files, apart from every customer key.
//!
//! A case's header chain stays readable for good; its bodies, the demand's bytes and its letters are sealed under one
//! [`CaseKey`], itself wrapped by the provider's [`CaseRoot`]. Forgetting the wrapped key erases the content and leaves
//! the chain whole. Nothing here opens customer data.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a nonce for AES-256-GCM. Draw each at random: one case key seals far fewer than 2^32 parts.
pub const NONCE_BYTES: usize = 12;

/// Why a part of a case file could not be sealed or opened. Says nothing about content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaseFileError {
    /// The cipher refused to seal: the part is longer than AES-GCM allows.
    #[error("part of a case file could not be sealed; it is too long for the cipher")]
    Seal,
    /// Wrong key, wrong place, or altered bytes: the three look alike on purpose.
    #[error("part of a case file does not open; it was altered, or belongs to another case or place in it")]
    Open,
}

/// Which part of a case file a ciphertext is. Bound into it, so that parts cannot be exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The bytes of the demand as they arrived.
    Demand,
    /// The body of the event with this number.
    Body(u64),
    /// A letter, named by the SHA-256 of its text.
    Letter([u8; 32]),
    /// The salt and recipient of a release, by record id.
    Release([u8; 16]),
    /// What a list says of what stands under this number.
    Brief(u64),
    /// All that a letter says, as data; named by the SHA-256 of its text.
    LetterForm([u8; 32]),
}

impl Part {
    fn associated_data(self, case: &[u8; 16]) -> Vec<u8> {
        let mut data = b"amparo/case-file/v1\n".to_vec();
        data.extend_from_slice(case);
        match self {
            Part::Demand => data.push(0),
            Part::Body(seq) => {
                data.push(1);
                data.extend_from_slice(&seq.to_be_bytes());
            }
            Part::Letter(digest) => {
                data.push(2);
                data.extend_from_slice(&digest);
            }
            Part::Release(record) => {
                data.push(3);
                data.extend_from_slice(&record);
            }
            Part::Brief(seq) => {
                data.push(4);
                data.extend_from_slice(&seq.to_be_bytes());
            }
            Part::LetterForm(digest) => {
                data.push(5);
                data.extend_from_slice(&digest);
            }
        }
        data
    }
}

/// The key over all case keys. Held by the provider's service; opens case files only.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct CaseRoot([u8; 32]);

impl CaseRoot {
    /// Takes 32 bytes from the operator's key file, and wipes nothing of the caller's.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Wraps a case's key for storage beside its events.
    ///
    /// # Errors
    /// [`CaseFileError::Seal`], which does not happen for 32 bytes.
    pub fn wrap(
        &self,
        case: &[u8; 16],
        key: &CaseKey,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, CaseFileError> {
        seal(&self.0, &wrap_data(case), nonce, &key.0)
    }

    /// Opens a case's key.
    ///
    /// # Errors
    /// [`CaseFileError::Open`] when it was wrapped by another root or for another case.
    pub fn unwrap(&self, case: &[u8; 16], wrapped: &[u8]) -> Result<CaseKey, CaseFileError> {
        let bytes = open(&self.0, &wrap_data(case), wrapped)?;
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| CaseFileError::Open)?;
        Ok(CaseKey(key))
    }

    /// A name for a demand's bytes by which the same bytes are found again, and which nobody without this root can
    /// compute from a guess: HMAC-SHA-256 under a key of its own.
    pub fn demand_name(&self, bytes: &[u8]) -> [u8; 32] {
        let derive = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &self.0);
        let name_key = aws_lc_rs::hmac::sign(&derive, b"amparo/demand-name/v1");
        let keyed = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, name_key.as_ref());
        let tag = aws_lc_rs::hmac::sign(&keyed, bytes);
        let mut name = [0; 32];
        for (to, from) in name.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        name
    }
}

/// The key of one case file. Destroy its wrapped form and the content is gone.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct CaseKey([u8; 32]);

impl CaseKey {
    /// A key from 32 fresh random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Seals one part: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// [`CaseFileError::Seal`] when the part is too long for AES-GCM (64 GiB).
    pub fn seal(
        &self,
        case: &[u8; 16],
        part: Part,
        nonce: [u8; NONCE_BYTES],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CaseFileError> {
        seal(&self.0, &part.associated_data(case), nonce, plaintext)
    }

    /// Opens one part.
    ///
    /// # Errors
    /// [`CaseFileError::Open`] when it was altered, or is another part's or case's.
    pub fn open(
        &self,
        case: &[u8; 16],
        part: Part,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CaseFileError> {
        open(&self.0, &part.associated_data(case), sealed)
    }
}

fn wrap_data(case: &[u8; 16]) -> Vec<u8> {
    let mut data = b"amparo/case-key/v1\n".to_vec();
    data.extend_from_slice(case);
    data
}

fn seal(
    key: &[u8; 32],
    data: &[u8],
    nonce: [u8; NONCE_BYTES],
    plaintext: &[u8],
) -> Result<Vec<u8>, CaseFileError> {
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| CaseFileError::Seal)?);
    let mut body = plaintext.to_vec();
    cipher
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(data), &mut body)
        .map_err(|_| CaseFileError::Seal)?;
    let mut sealed = nonce.to_vec();
    sealed.append(&mut body);
    Ok(sealed)
}

fn open(key: &[u8; 32], data: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CaseFileError> {
    let (nonce, body) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(CaseFileError::Open)?;
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| CaseFileError::Open)?);
    let mut buffer = Zeroizing::new(body.to_vec());
    let length = cipher
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(data), &mut buffer)
        .map_err(|_| CaseFileError::Open)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may"
)]
mod tests {
    use super::*;

    /// Every vector of the size that is used here seals to the known bytes, and opens exactly where it is valid.
    #[test]
    fn sealing_is_wycheproofs_aes_256_gcm() {
        let root = std::env::var("AMPARO_TESTDATA")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
        let Ok(file) = std::fs::read(format!("{root}/vectors/wycheproof/aes_gcm_test.json")) else {
            eprintln!("skipped: no test data");
            return;
        };
        let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
        let (mut valid, mut invalid) = (0, 0);
        for group in file["testGroups"].as_array().unwrap() {
            if group["keySize"] != 256 || group["ivSize"] != 96 || group["tagSize"] != 128 {
                continue;
            }
            for test in group["tests"].as_array().unwrap() {
                let bytes = |field: &str| hex::decode(test[field].as_str().unwrap()).unwrap();
                let (key, data): ([u8; 32], _) = (bytes("key").try_into().unwrap(), bytes("aad"));
                let nonce: [u8; NONCE_BYTES] = bytes("iv").try_into().unwrap();
                let sealed = [nonce.to_vec(), bytes("ct"), bytes("tag")].concat();
                let opened = open(&key, &data, &sealed);
                if test["result"] == "valid" {
                    assert_eq!(opened.unwrap().as_slice(), bytes("msg"), "{}", test["tcId"]);
                    assert_eq!(seal(&key, &data, nonce, &bytes("msg")).unwrap(), sealed);
                    valid += 1;
                } else {
                    assert_eq!(opened, Err(CaseFileError::Open), "{}", test["tcId"]);
                    invalid += 1;
                }
            }
        }
        assert_eq!((valid, invalid), (39, 27));
    }

    const CASE: [u8; 16] = [1; 16];

    #[test]
    fn a_part_opens_only_in_its_place() {
        let key = CaseKey::from_random([7; 32]);
        let sealed = key.seal(&CASE, Part::Body(3), [9; 12], b"what happened").unwrap();
        assert_eq!(sealed.len(), NONCE_BYTES + 13 + 16);
        assert_eq!(
            key.open(&CASE, Part::Body(3), &sealed).unwrap().as_slice(),
            b"what happened"
        );
        assert!(key.open(&CASE, Part::Body(4), &sealed).is_err());
        assert!(key.open(&CASE, Part::Demand, &sealed).is_err());
        assert!(key.open(&[2; 16], Part::Body(3), &sealed).is_err());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(key.open(&CASE, Part::Body(3), &altered).is_err(), "byte {at}");
        }
        assert!(key.open(&CASE, Part::Body(3), &sealed[..11]).is_err());
    }

    #[test]
    fn a_case_key_unwraps_only_for_its_case_and_root() {
        let root = CaseRoot::from_bytes([3; 32]);
        let wrapped = root.wrap(&CASE, &CaseKey::from_random([7; 32]), [1; 12]).unwrap();
        assert_eq!(root.unwrap(&CASE, &wrapped).unwrap().0, [7; 32]);
        assert!(root.unwrap(&[2; 16], &wrapped).is_err());
        assert!(CaseRoot::from_bytes([4; 32]).unwrap(&CASE, &wrapped).is_err());
    }

    #[test]
    fn a_demand_name_depends_on_the_root() {
        let name = CaseRoot::from_bytes([3; 32]).demand_name(b"demand");
        assert_eq!(name, CaseRoot::from_bytes([3; 32]).demand_name(b"demand"));
        assert_ne!(name, CaseRoot::from_bytes([4; 32]).demand_name(b"demand"));
    }
}
