//! Which checksum an upload's parts and its object have.

use super::{ChecksumAlgorithm, ChecksumType, Result, UploadOptions, VaultError};

/// The checksum that an upload's parts and its object have. Without one asked for, CRC-64/NVME of the whole is kept.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub algorithm: ChecksumAlgorithm,
    pub covers: ChecksumType,
    pub asked: bool,
}

impl Choice {
    pub(super) fn of(options: &UploadOptions) -> Result<Self> {
        let bad = |reason| Err(VaultError::ChecksumMismatch { reason });
        let Some(algorithm) = options.checksum else {
            if options.checksum_type.is_some() {
                return bad("a checksum type needs an algorithm");
            }
            return Ok(Self::default());
        };
        let covers = options.checksum_type.unwrap_or(algorithm.default_type());
        if !algorithm.allows(covers) {
            return bad("this algorithm does not go with this checksum type");
        }
        Ok(Self {
            algorithm,
            covers,
            asked: true,
        })
    }

    /// As the upload's row keeps it; nothing where none was asked for.
    pub(super) fn write(self) -> Option<String> {
        let covers = match self.covers {
            ChecksumType::Composite => "COMPOSITE",
            ChecksumType::FullObject => "FULL_OBJECT",
        };
        self.asked.then(|| format!("{} {covers}", self.algorithm.name()))
    }

    pub(super) fn read(text: Option<&str>) -> Self {
        use ChecksumAlgorithm::{Crc32, Crc32C, Crc64Nvme, Sha1, Sha256};
        let split = text.and_then(|text| text.split_once(' '));
        let algorithms = [Crc32, Crc32C, Crc64Nvme, Sha1, Sha256];
        let found = split
            .and_then(|(name, covers)| Some((algorithms.into_iter().find(|a| a.name() == name)?, covers)));
        found.map_or_else(Self::default, |(algorithm, covers)| Self {
            algorithm,
            covers: match covers {
                "FULL_OBJECT" => ChecksumType::FullObject,
                _ => ChecksumType::Composite,
            },
            asked: true,
        })
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            algorithm: ChecksumAlgorithm::Crc64Nvme,
            covers: ChecksumType::FullObject,
            asked: false,
        }
    }
}
