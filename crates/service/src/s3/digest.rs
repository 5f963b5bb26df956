//! Digests of XML bodies, which s3s reads whole but does not check against their headers.

use hyper::{HeaderMap, Method, Uri};
use s3s::{
    S3ErrorCode, S3Result,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256},
};

use super::{
    convert::{self, Sums},
    fault::{BodyFault, FaultSlot},
    limits::XML_BYTES_MAX,
    refuse,
};
use crate::vault::{Checksum, ChecksumAlgorithm};

/// What is claimed of a body, and what is computed of it.
pub(super) struct BodyDigest {
    left: u64,
    sha256: Option<(Sha256, String)>,
    md5: Option<(Md5, [u8; 16])>,
    checksum: Option<(ChecksumHasher, Checksum)>,
}

impl BodyDigest {
    /// The digest to check, for a request with an XML body.
    ///
    /// The checksum of `CompleteMultipartUpload` is the object's; only `delete` and `tagging` state their body's own.
    ///
    /// # Errors
    /// A header that cannot be a digest; a body above [`XML_BYTES_MAX`].
    pub(super) fn claimed(method: &Method, uri: &Uri, headers: &HeaderMap) -> S3Result<Option<Self>> {
        let has = |name: &str| refuse::asks_for(uri, name);
        let own_checksum = has("delete") || has("tagging");
        if !own_checksum && method != Method::POST {
            return Ok(None);
        }
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let Some(left) = text("content-length")
            .and_then(|v| v.parse().ok())
            .filter(|n| *n > 0)
        else {
            return Ok(None);
        };
        if left > XML_BYTES_MAX as u64 {
            return Err(convert::bad(
                S3ErrorCode::MaxMessageLengthExceeded,
                "Your request was too big.",
            ));
        }
        let sha256 = text("x-amz-content-sha256")
            .filter(|v| v.len() == 64)
            .map(|v| (Sha256::new(), v.to_owned()));
        let md5 = convert::content_md5(text("content-md5"))?.map(|claimed| (Md5::new(), claimed));
        let checksum = if own_checksum {
            convert::body_checksums(headers, None, &FaultSlot::default())?
                .headers
                .pop()
                .map(|claimed| (hasher(claimed.algorithm), claimed))
        } else {
            None
        };
        Ok(Some(Self {
            left,
            sha256,
            md5,
            checksum,
        }))
    }

    /// Takes the body's next bytes; with the last of them, decides.
    ///
    /// # Errors
    /// The first claim that does not hold.
    pub(super) fn update(&mut self, data: &[u8]) -> Result<(), BodyFault> {
        if let Some((hasher, _)) = &mut self.sha256 {
            hasher.update(data);
        }
        if let Some((hasher, _)) = &mut self.md5 {
            hasher.update(data);
        }
        if let Some((hasher, _)) = &mut self.checksum {
            hasher.update(data);
        }
        self.left = self.left.saturating_sub(data.len() as u64);
        if self.left > 0 {
            return Ok(());
        }
        if let Some((hasher, claimed)) = self.sha256.take()
            && !claimed.eq_ignore_ascii_case(&hex::encode(hasher.finalize()))
        {
            return Err(BodyFault::PayloadHash);
        }
        if let Some((hasher, claimed)) = self.md5.take()
            && hasher.finalize() != claimed
        {
            return Err(BodyFault::ContentMd5);
        }
        if let Some((hasher, claimed)) = self.checksum.take() {
            let sums = hasher.finalize();
            let computed = Sums {
                crc32: sums.checksum_crc32,
                crc32c: sums.checksum_crc32c,
                crc64nvme: sums.checksum_crc64nvme,
                sha1: sums.checksum_sha1,
                sha256: sums.checksum_sha256,
            };
            if !computed
                .into_checksums()
                .is_ok_and(|computed| computed.contains(&claimed))
            {
                return Err(BodyFault::Checksum);
            }
        }
        Ok(())
    }
}

fn hasher(algorithm: ChecksumAlgorithm) -> ChecksumHasher {
    let mut hasher = ChecksumHasher::default();
    match algorithm {
        ChecksumAlgorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
        ChecksumAlgorithm::Crc32C => hasher.crc32c = Some(Crc32c::new()),
        ChecksumAlgorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
        ChecksumAlgorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
        ChecksumAlgorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
    }
    hasher
}
