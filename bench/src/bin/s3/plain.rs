//! The same path without sealing: what the vault would be if it kept plaintext.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use casework::{
    demand::Category,
    ids::{AccountId, ObjectId, RegionId, TenantId},
};
use envelope::keys::Wrapped;
use futures::StreamExt as _;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use jiff::Timestamp;
use s3s::{
    S3, S3Error, S3Request, S3Response, S3Result,
    auth::SimpleAuth,
    dto::{
        CreateBucketInput, CreateBucketOutput, ETag, GetObjectInput, GetObjectOutput, PutObjectInput,
        PutObjectOutput, StreamingBlob,
    },
    s3_error,
    service::S3ServiceBuilder,
};
use sha2::{Digest as _, Sha256};
use store::{
    blobs::{BlobId, BlobStore, BlobWriter, DiskBlobs, SealedDigest},
    vault::{Lock, NewBucketRow, NewObject, NewPart, VaultStore, WriteConditions},
};

use super::load;

/// As the vault's own.
const INLINE_MAX: usize = 64 * 1024;
/// As the vault's own: bytes in one write and in one read.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces read ahead of the client.
const AHEAD: usize = 2;

/// The plain store.
pub struct Plain {
    store: VaultStore,
    blobs: Arc<DiskBlobs>,
    bucket: i64,
    account: i64,
    region: RegionId,
}

impl Plain {
    /// Opens it, with one bucket and one account.
    pub async fn open(
        store: VaultStore,
        blobs: Arc<DiskBlobs>,
        tenant: TenantId,
        region: RegionId,
        account: AccountId,
    ) -> anyhow::Result<Self> {
        let row = NewBucketRow {
            tenant: tenant.clone(),
            name: load::BUCKET.to_owned(),
            region: region.clone(),
            default_account: account.clone(),
            mapping: "[]".to_owned(),
            created_at: Timestamp::now(),
            object_lock: false,
            max: 1,
        };
        store.create_bucket(row).await?;
        let bucket = store
            .bucket(&tenant, load::BUCKET)
            .await?
            .context("the bucket just made")?
            .seq;
        let account = store
            .account(&tenant, &account, &region)
            .await?
            .context("the account just made")?
            .seq;
        Ok(Self {
            store,
            blobs,
            bucket,
            account,
            region,
        })
    }

    async fn receive(&self, mut body: StreamingBlob) -> S3Result<(NewPart, u64, [u8; 32])> {
        let mut digest = Sha256::default();
        let mut checksum = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
        let mut size = 0;
        let mut out = Vec::new();
        let mut blob: Option<(BlobId, Box<dyn BlobWriter>)> = None;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|_| s3_error!(IncompleteBody))?;
            for slice in piece.chunks(PIECE_BYTES) {
                digest.update(slice);
                checksum.update(slice);
                size += slice.len() as u64;
                out.extend_from_slice(slice);
                if out.len() >= PIECE_BYTES {
                    self.write(&mut blob, std::mem::take(&mut out)).await?;
                }
            }
        }
        let digest: [u8; 32] = digest.finalize().into();
        let part = if blob.is_none() && out.len() <= INLINE_MAX {
            NewPart::Inline(out, SealedDigest(digest))
        } else {
            self.write(&mut blob, out).await?;
            let (id, writer) = blob.ok_or_else(|| s3_error!(InternalError))?;
            writer.finish().await.map_err(S3Error::internal_error)?;
            NewPart::Blob(id, SealedDigest(digest))
        };
        checksum.finalize();
        Ok((part, size, digest))
    }

    async fn write(&self, blob: &mut Option<(BlobId, Box<dyn BlobWriter>)>, bytes: Vec<u8>) -> S3Result<()> {
        if blob.is_none() {
            let id = BlobId(random()?);
            *blob = Some((id, self.blobs.create(id).await.map_err(S3Error::internal_error)?));
        }
        if let Some((_, writer)) = blob {
            writer.write(bytes).await.map_err(S3Error::internal_error)?;
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl S3 for Plain {
    async fn create_bucket(
        &self,
        _: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let (part, size, digest) = self.receive(body).await?;
        let etag = format!("{:032x}-1", u128::from_le_bytes(random()?));
        let now = Timestamp::now();
        let object = NewObject {
            id: ObjectId(uuid::Uuid::from_bytes(random()?)),
            bucket: self.bucket,
            key: input.key,
            account: self.account,
            region: self.region.clone(),
            category: Category::Content,
            concerns_at: now,
            size,
            etag: etag.clone(),
            modified_at: now,
            // Of a wrapped key's length, so that rows are as long.
            wrapped_key: Wrapped::from_bytes(&[0; 60]).map_err(S3Error::internal_error)?,
            key_version: 1,
            commitment: digest,
            sealed_metadata: vec![0; 300],
            lock: Lock::default(),
        };
        let written = self
            .store
            .put_object(object, part, WriteConditions::default())
            .await
            .map_err(S3Error::internal_error)?;
        for freed in written.freed {
            self.blobs
                .delete(freed.blob)
                .await
                .map_err(S3Error::internal_error)?;
        }
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..Default::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let row = self
            .store
            .object_with_body(self.bucket, &request.input.key, None)
            .await
            .map_err(S3Error::internal_error)?
            .ok_or_else(|| s3_error!(NoSuchKey))?;
        let body = match row.inline {
            Some(bytes) => StreamingBlob::from(s3s::Body::from(Bytes::from(bytes))),
            None => self.read(row.id).await?,
        };
        Ok(S3Response::new(GetObjectOutput {
            body: Some(body),
            content_length: i64::try_from(row.size).ok(),
            e_tag: Some(ETag::Strong(row.etag)),
            ..Default::default()
        }))
    }
}

impl Plain {
    async fn read(&self, object: ObjectId) -> S3Result<StreamingBlob> {
        let parts = self
            .store
            .parts(object, None, 1)
            .await
            .map_err(S3Error::internal_error)?;
        let part = parts.first().ok_or_else(|| s3_error!(InternalError))?;
        let reader = self
            .blobs
            .open_for(part.blob, 0..part.size)
            .await
            .map_err(S3Error::internal_error)?;
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(AHEAD);
        tokio::spawn(async move {
            let mut offset = 0;
            while offset < reader.len() {
                let here = usize::try_from(reader.len() - offset)
                    .unwrap_or(PIECE_BYTES)
                    .min(PIECE_BYTES);
                let piece = reader
                    .read_at(offset, vec![0; here])
                    .await
                    .map_err(std::io::Error::other);
                let failed = piece.is_err();
                if sender.send(piece.map(Bytes::from)).await.is_err() || failed {
                    return;
                }
                offset += here as u64;
            }
        });
        Ok(StreamingBlob::wrap(futures::stream::poll_fn(move |cx| {
            receiver.poll_recv(cx)
        })))
    }
}

/// Serves it.
pub async fn serve(listener: tokio::net::TcpListener, plain: Plain) -> anyhow::Result<()> {
    let mut builder = S3ServiceBuilder::new(plain);
    builder.set_auth(SimpleAuth::from_single(load::ACCESS_KEY, load::SECRET_KEY));
    let service = builder.build();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let connection = auto::Builder::new(TokioExecutor::new());
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn random<const N: usize>() -> S3Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| s3_error!(InternalError))?;
    Ok(bytes)
}
