//! The checksums that S3 clients send and expect back.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use sha1::Digest as _;

/// An algorithm, by S3's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum ChecksumAlgorithm {
    /// CRC-32 (ISO-HDLC).
    #[serde(rename = "CRC32")]
    Crc32,
    /// CRC-32C (Castagnoli).
    #[serde(rename = "CRC32C")]
    Crc32C,
    /// CRC-64/NVME.
    #[serde(rename = "CRC64NVME")]
    Crc64Nvme,
    /// SHA-1.
    #[serde(rename = "SHA1")]
    Sha1,
    /// SHA-256.
    #[serde(rename = "SHA256")]
    Sha256,
}

/// What a multipart object's checksum covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChecksumType {
    /// The checksums of the parts, one after the other; shown with `-N`.
    Composite,
    /// The bytes of the whole object.
    FullObject,
}

/// A checksum as it stands in headers: base64, with `-N` at its end where it is a composite of N parts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checksum {
    /// The algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// The value, base64.
    pub value: String,
}

impl ChecksumAlgorithm {
    /// S3's name: `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1`, `SHA256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32C => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// What the checksum of a multipart object covers when the client does not say.
    pub fn default_type(self) -> ChecksumType {
        match self {
            Self::Crc64Nvme => ChecksumType::FullObject,
            _ => ChecksumType::Composite,
        }
    }

    /// Whether a multipart object can have this checksum with this coverage.
    pub fn allows(self, covers: ChecksumType) -> bool {
        match covers {
            ChecksumType::Composite => self != Self::Crc64Nvme,
            ChecksumType::FullObject => self.crc().is_some(),
        }
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32C => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// A checksum as it is computed, byte by byte.
pub(super) struct Running {
    pub algorithm: ChecksumAlgorithm,
    state: State,
}

enum State {
    Crc(crc_fast::Digest),
    Sha1(sha1::Sha1),
    /// The SHA-256 that is computed anyway.
    Sha256,
}

impl Running {
    pub(super) fn new(algorithm: ChecksumAlgorithm) -> Self {
        let state = match algorithm.crc() {
            Some(crc) => State::Crc(crc_fast::Digest::new(crc)),
            None if algorithm == ChecksumAlgorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
            None => State::Sha256,
        };
        Self { algorithm, state }
    }
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(crc) => crc.update(bytes),
            State::Sha1(sha1) => sha1.update(bytes),
            State::Sha256 => {}
        }
    }
    pub(super) fn finish(self, sha256: &[u8; 32]) -> Checksum {
        let value = match self.state {
            State::Crc(crc) => encode_crc(self.algorithm, crc.finalize()),
            State::Sha1(sha1) => STANDARD.encode(sha1.finalize()),
            State::Sha256 => STANDARD.encode(sha256),
        };
        Checksum {
            algorithm: self.algorithm,
            value,
        }
    }
}

fn encode_crc(algorithm: ChecksumAlgorithm, value: u64) -> String {
    let bytes = value.to_be_bytes();
    match algorithm {
        ChecksumAlgorithm::Crc64Nvme => STANDARD.encode(bytes),
        _ => STANDARD.encode(bytes.last_chunk::<4>().unwrap_or(&[0; 4])),
    }
}

/// The checksum of an object from those of its parts, each with its length in bytes; `None` when a part has none.
pub(super) fn combine(
    algorithm: ChecksumAlgorithm,
    covers: ChecksumType,
    parts: &[(u64, Vec<Checksum>)],
) -> Option<Checksum> {
    let mut values = Vec::with_capacity(parts.len());
    for (size, checksums) in parts {
        let found = checksums
            .iter()
            .find(|checksum| checksum.algorithm == algorithm)?;
        values.push((*size, STANDARD.decode(&found.value).ok()?));
    }
    let value = match covers {
        ChecksumType::FullObject => {
            let crc = algorithm.crc()?;
            let number = |bytes: &[u8]| bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
            let mut whole: Option<u64> = None;
            for (size, bytes) in &values {
                let part = number(bytes);
                whole = Some(match whole {
                    Some(before) => crc_fast::checksum_combine(crc, before, part, *size),
                    None => part,
                });
            }
            encode_crc(algorithm, whole?)
        }
        ChecksumType::Composite => {
            let mut running = Running::new(algorithm);
            let mut sha256 = sha2::Sha256::default();
            for (_, bytes) in &values {
                running.update(bytes);
                sha2::Digest::update(&mut sha256, bytes);
            }
            let sha256: [u8; 32] = sha2::Digest::finalize(sha256).into();
            format!("{}-{}", running.finish(&sha256).value, parts.len())
        }
    };
    Some(Checksum { algorithm, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Checksum {
        let mut running = Running::new(algorithm);
        running.update(bytes);
        running.finish(&sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(bytes)).into())
    }

    /// The catalogues' check values for `123456789`.
    #[test]
    fn known_answers() {
        let cases = [
            (ChecksumAlgorithm::Crc32, "y/Q5Jg=="),
            (ChecksumAlgorithm::Crc32C, "4waSgw=="),
            (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg="),
            (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (
                ChecksumAlgorithm::Sha256,
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            ),
        ];
        for (algorithm, expected) in cases {
            let seen = of(algorithm, b"123456789").value;
            assert_eq!(seen, expected, "{algorithm:?}");
        }
    }

    #[test]
    fn parts_combine_to_the_whole() {
        let (a, b, c) = (vec![1; 100], vec![2; 70_000], vec![3; 1]);
        let whole = [a.clone(), b.clone(), c.clone()].concat();
        for algorithm in [
            ChecksumAlgorithm::Crc32,
            ChecksumAlgorithm::Crc32C,
            ChecksumAlgorithm::Crc64Nvme,
        ] {
            let parts: Vec<_> = [&a, &b, &c]
                .iter()
                .map(|p| (p.len() as u64, vec![of(algorithm, p)]))
                .collect();
            let combined = combine(algorithm, ChecksumType::FullObject, &parts).unwrap();
            assert_eq!(combined, of(algorithm, &whole));
        }
    }

    #[test]
    fn composites_count_their_parts() {
        let algorithm = ChecksumAlgorithm::Sha1;
        let parts = vec![(1, vec![of(algorithm, b"a")]), (1, vec![of(algorithm, b"b")])];
        let combined = combine(algorithm, ChecksumType::Composite, &parts).unwrap();
        let inner = [sha1::Sha1::digest(b"a"), sha1::Sha1::digest(b"b")].concat();
        assert_eq!(
            combined.value,
            format!("{}-2", STANDARD.encode(sha1::Sha1::digest(inner)))
        );
    }
}
