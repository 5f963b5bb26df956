//! A body on its way in: digested, encrypted, written, in memory of a few hundred KiB.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use casework::ids::ObjectId;
use envelope::{
    chunked::{Context, SALT_BYTES, SEALED_CHUNK_BYTES, Sealer},
    keys::ObjectKey,
};
use futures::{Stream, StreamExt as _};
use md5::Digest as _;
use sha2::Sha256;
use store::{
    blobs::{BlobId, BlobStore, BlobWriter, Digesting, SealedDigest},
    vault::NewPart,
};
use subtle::ConstantTimeEq as _;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    BodyError, Checksum, ChecksumAlgorithm, Result, Trailer, VaultError, checksum::Running,
    error::store_failed, random,
};

/// Sealed bodies up to this size are committed with their row: 64 KiB of plaintext, which many clients choose as a size,
/// and what sealing adds to it.
pub const INLINE_MAX: usize = 65 * 1024;
/// Sealed bytes gathered before they are written.
const WRITE_BYTES: usize = 16 * SEALED_CHUNK_BYTES;
/// Most plaintext encrypted at a stretch, however large the pieces in which it arrives.
const SLICE_BYTES: usize = 256 * 1024;
/// Most checksums computed over one body.
const CHECKSUMS_MAX: usize = 5;

/// What a client says of a body, to be verified against it.
#[derive(Default)]
pub(super) struct Claims {
    pub length: Option<u64>,
    pub md5: Option<[u8; 16]>,
    pub checksums: Vec<Checksum>,
    pub compute: Vec<ChecksumAlgorithm>,
    pub trailer: Option<Trailer>,
}

/// A body that was received whole, and matched what was said of it.
pub(super) struct Received {
    /// Where it is. A blob is durable, and nobody's until it is recorded.
    pub body: NewPart,
    pub size: u64,
    pub sha256: [u8; 32],
    pub checksums: Vec<Checksum>,
}

/// How a body is sealed and where it goes.
pub(super) struct Intake<'a> {
    pub blobs: &'a dyn BlobStore,
    pub key: &'a ObjectKey,
    pub context: Context,
    pub object: ObjectId,
    /// Whether it may go into its row when it is small.
    pub inline: bool,
    /// Longest body in bytes.
    pub max: u64,
}

/// A blob being written, and the digest of what was written of it, computed beside the next bytes' encryption.
struct Outgoing {
    id: BlobId,
    writer: Box<dyn BlobWriter>,
    digesting: JoinHandle<Digesting>,
}

struct Digests {
    sha256: Sha256,
    md5: Option<md5::Md5>,
    checksums: Vec<Running>,
    size: u64,
}

impl Digests {
    fn new(claims: &Claims) -> Result<Self> {
        let mut algorithms: Vec<_> = claims.checksums.iter().map(|c| c.algorithm).collect();
        algorithms.extend(&claims.compute);
        algorithms.sort_unstable();
        algorithms.dedup();
        if algorithms.len() > CHECKSUMS_MAX {
            return Err(VaultError::ChecksumMismatch {
                reason: "too many checksums for one body",
            });
        }
        Ok(Self {
            sha256: Sha256::default(),
            md5: claims.md5.map(|_| md5::Md5::new()),
            checksums: algorithms.into_iter().map(Running::new).collect(),
            size: 0,
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        sha2::Digest::update(&mut self.sha256, bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        for running in &mut self.checksums {
            running.update(bytes);
        }
    }

    /// Compares what came with what was said, and gives SHA-256 and checksums.
    fn verify(self, claims: Claims) -> Result<([u8; 32], Vec<Checksum>)> {
        if claims.length.is_some_and(|length| length != self.size) {
            return Err(VaultError::IncompleteBody { received: self.size });
        }
        let sha256: [u8; 32] = sha2::Digest::finalize(self.sha256).into();
        if let (Some(said), Some(md5)) = (claims.md5, self.md5) {
            let seen: [u8; 16] = md5.finalize().into();
            if !bool::from(said.ct_eq(&seen)) {
                return Err(VaultError::BadContentMd5);
            }
        }
        let seen: Vec<Checksum> = self
            .checksums
            .into_iter()
            .map(|running| running.finish(&sha256))
            .collect();
        let mut said = claims.checksums;
        if let Some(trailer) = claims.trailer {
            said.extend(trailer());
        }
        for checksum in &said {
            let matches = seen
                .iter()
                .any(|s| s.algorithm == checksum.algorithm && same(&s.value, &checksum.value));
            if !matches {
                return Err(VaultError::BadChecksum {
                    algorithm: checksum.algorithm.name(),
                });
            }
        }
        Ok((sha256, seen))
    }
}

/// Whether two checksums are the same bytes.
fn same(a: &str, b: &str) -> bool {
    match (STANDARD.decode(a), STANDARD.decode(b)) {
        (Ok(a), Ok(b)) => a.ct_eq(&b).into(),
        _ => false,
    }
}

impl Intake<'_> {
    /// Takes in a body. On any error nothing of it is left.
    pub(super) async fn receive<S, E>(&self, body: S, claims: Claims) -> Result<Received>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send,
        E: Into<BodyError>,
    {
        if claims.length.is_some_and(|length| length > self.max) {
            return Err(VaultError::TooLarge { max: self.max });
        }
        let mut digests = Digests::new(&claims)?;
        let (mut sealer, header) =
            Sealer::new(self.key, &self.context, random::<SALT_BYTES>()?).map_err(store_failed)?;
        let expected = claims
            .length
            .map_or(WRITE_BYTES, |n| usize::try_from(n).unwrap_or(WRITE_BYTES));
        let mut out = Vec::with_capacity(expected.min(WRITE_BYTES) + 2 * SEALED_CHUNK_BYTES);
        out.extend_from_slice(&header);
        let mut blob: Option<Outgoing> = None;
        let mut body = std::pin::pin!(body);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| self.broken(error.into(), digests.size))?;
            if digests.size.saturating_add(piece.len() as u64) > self.max {
                return Err(VaultError::TooLarge { max: self.max });
            }
            for slice in piece.chunks(SLICE_BYTES) {
                digests.update(slice);
                sealer.push(slice, &mut out).map_err(store_failed)?;
                if out.len() >= WRITE_BYTES {
                    let full =
                        std::mem::replace(&mut out, Vec::with_capacity(WRITE_BYTES + 2 * SEALED_CHUNK_BYTES));
                    self.write(&mut blob, full).await?;
                }
            }
        }
        let size = sealer.finish(&mut out).map_err(store_failed)?;
        // Verified before anything is made durable: a body that is not what was sent is not kept.
        let (sha256, checksums) = digests.verify(claims)?;
        let body = if self.inline && blob.is_none() && out.len() <= INLINE_MAX {
            let digest = SealedDigest::of(&out);
            NewPart::Inline(out, digest)
        } else {
            self.write(&mut blob, out).await?;
            match blob {
                Some(Outgoing {
                    id,
                    writer,
                    digesting,
                }) => {
                    // The store makes it durable while the last bytes are digested.
                    let (finished, digested) = tokio::join!(writer.finish(), digesting);
                    finished?;
                    NewPart::Blob(id, digested.map_err(store_failed)?.finish())
                }
                None => return Err(VaultError::Busy),
            }
        };
        Ok(Received {
            body,
            size,
            sha256,
            checksums,
        })
    }

    async fn write(&self, blob: &mut Option<Outgoing>, bytes: Vec<u8>) -> Result<()> {
        let out = match blob {
            Some(out) => out,
            None => {
                let id = BlobId(random()?);
                blob.insert(Outgoing {
                    id,
                    writer: self.blobs.create(id).await?,
                    digesting: spawn_blocking(Digesting::default),
                })
            }
        };
        let mut digesting = (&mut out.digesting).await.map_err(store_failed)?;
        let copy = bytes.clone();
        out.digesting = spawn_blocking(move || {
            digesting.update(&copy);
            digesting
        });
        Ok(out.writer.write(bytes).await?)
    }

    /// A body that comes from another object of the vault fails with the vault's own error.
    fn broken(&self, error: BodyError, received: u64) -> VaultError {
        match error.downcast::<VaultError>() {
            Ok(own) => *own,
            Err(error) => {
                tracing::debug!(object = %self.object, received, %error, "a body broke off");
                VaultError::IncompleteBody { received }
            }
        }
    }
}
