//! A blob on its way into an object store: in one request when it is small, else in parts.

use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{Error, MultipartId, ObjectStoreExt as _, PutPayload, multipart::PartId, path::Path};
use tokio::task::JoinHandle;

use super::{Shared, create, errors};
use crate::blobs::{BlobError, BlobId, BlobWriter};

/// Size of a part; a blob up to this size goes in one request. A blob of 5 GiB makes 641 parts, far from any store's limit,
/// and all but the last are of one size, as some stores ask.
pub const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts of one blob on their way at once. A writer holds at most one more in memory.
const PARTS_IN_FLIGHT: usize = 2;
/// How often the note of an upload under way is renewed, so that a slow one is not taken for abandoned.
const NOTE_EVERY: Duration = Duration::from_secs(3600);
/// Longest id of an upload in parts, in bytes.
const UPLOAD_ID_BYTES_MAX: u64 = 16 * 1024;

/// A blob being written.
pub(super) struct ObjectWriter {
    shared: Arc<Shared>,
    id: BlobId,
    path: Path,
    /// What is not on its way yet: less than a part.
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    written: u64,
    upload: Option<Upload>,
}

/// An upload in parts.
struct Upload {
    id: MultipartId,
    sent: usize,
    done: Vec<PartId>,
    sending: VecDeque<JoinHandle<Result<PartId, Error>>>,
    noted: Instant,
}

impl ObjectWriter {
    pub(super) fn new(shared: Arc<Shared>, id: BlobId) -> Self {
        Self {
            path: shared.blob(id),
            shared,
            id,
            gathered: Vec::new(),
            gathered_bytes: 0,
            written: 0,
            upload: None,
        }
    }

    /// Exactly the first `bytes` of what was gathered.
    fn take(&mut self, bytes: usize) -> PutPayload {
        let mut taken = Vec::new();
        let mut left = bytes;
        let mut rest = Vec::new();
        for mut piece in mem::take(&mut self.gathered) {
            if left == 0 {
                rest.push(piece);
            } else if piece.len() <= left {
                left -= piece.len();
                taken.push(piece);
            } else {
                taken.push(piece.split_to(left));
                left = 0;
                rest.push(piece);
            }
        }
        self.gathered = rest;
        self.gathered_bytes -= bytes - left;
        taken.into_iter().collect()
    }

    async fn send_part(&mut self, bytes: usize) -> Result<(), BlobError> {
        let payload = self.take(bytes);
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.begin().await?,
        };
        let sent = send(&self.shared, &self.path, self.id, &mut upload, payload).await;
        self.upload = Some(upload);
        sent.map_err(|error| self.shared.failed(error))
    }

    async fn begin(&self) -> Result<Upload, BlobError> {
        let cloud = &self.shared.cloud;
        let begun = cloud.create_multipart(&self.path).await;
        let id = begun.map_err(|error| self.shared.failed(error))?;
        // Noted before the first part is sent. A crash in between leaves an upload without parts.
        if let Err(error) = note(&self.shared, self.id, &id).await {
            let _ = cloud.abort_multipart(&self.path, &id).await;
            return Err(self.shared.failed(error));
        }
        Ok(Upload {
            id,
            sent: 0,
            done: Vec::new(),
            sending: VecDeque::new(),
            noted: Instant::now(),
        })
    }

    /// One request. The store may have kept the blob and lost its answer: then the repetition is told that it is there.
    async fn put_whole(&mut self) -> Result<(), BlobError> {
        let payload = self.take(self.gathered_bytes);
        let put = self.shared.cloud.put_opts(&self.path, payload.clone(), create());
        match put.await {
            Ok(_) => Ok(()),
            Err(error @ Error::AlreadyExists { .. }) => {
                let there = self.shared.cloud.get(&self.path).await;
                let there = there.map_err(|error| self.shared.failed(error))?;
                let same_length = there.meta.size == payload.content_length() as u64;
                if !same_length {
                    return Err(self.shared.failed(error));
                }
                let bytes = there.bytes().await.map_err(|error| self.shared.failed(error))?;
                if bytes == Bytes::from(payload) {
                    Ok(())
                } else {
                    Err(self.shared.failed(error))
                }
            }
            Err(error) => Err(self.shared.failed(error)),
        }
    }

    async fn complete(&mut self) -> Result<(), BlobError> {
        if self.gathered_bytes > 0 {
            self.send_part(self.gathered_bytes).await?;
        }
        let Some(upload) = &mut self.upload else {
            return Ok(());
        };
        while let Some(sending) = upload.sending.pop_front() {
            let part = settled(sending.await).map_err(|error| self.shared.failed(error))?;
            upload.done.push(part);
        }
        let (id, parts) = (upload.id.clone(), mem::take(&mut upload.done));
        let completed = self.shared.cloud.complete_multipart(&self.path, &id, parts).await;
        if let Err(error) = completed {
            // As above: completed, and its answer lost. Each part was acknowledged, so its length says enough.
            let there = self.shared.cloud.head(&self.path).await;
            if !there.is_ok_and(|meta| meta.size == self.written) {
                return Err(self.shared.failed(error));
            }
        }
        self.upload = None;
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        tokio::spawn(async move {
            // A note that stays is swept later: its upload is no more.
            let _ = shared.cloud.delete(&shared.unfinished(id)).await;
        });
        Ok(())
    }
}

async fn note(shared: &Shared, id: BlobId, upload: &MultipartId) -> Result<(), Error> {
    let payload = PutPayload::from(upload.clone().into_bytes());
    shared.cloud.put(&shared.unfinished(id), payload).await.map(drop)
}

async fn send(
    shared: &Arc<Shared>,
    path: &Path,
    id: BlobId,
    upload: &mut Upload,
    payload: PutPayload,
) -> Result<(), Error> {
    while upload.sending.len() >= PARTS_IN_FLIGHT {
        if let Some(first) = upload.sending.pop_front() {
            upload.done.push(settled(first.await)?);
        }
    }
    if upload.noted.elapsed() >= NOTE_EVERY {
        note(shared, id, &upload.id).await?;
        upload.noted = Instant::now();
    }
    let (shared, path) = (Arc::clone(shared), path.clone());
    let (upload_id, number) = (upload.id.clone(), upload.sent);
    upload.sent += 1;
    upload.sending.push_back(tokio::spawn(async move {
        shared.cloud.put_part(&path, &upload_id, number, payload).await
    }));
    Ok(())
}

fn settled(sent: Result<Result<PartId, Error>, tokio::task::JoinError>) -> Result<PartId, Error> {
    sent.unwrap_or_else(|source| Err(Error::JoinError { source }))
}

/// Aborts the upload that a note tells of, and removes the note. `false` when the note is gone already.
pub(super) async fn end_upload(shared: &Shared, id: BlobId) -> Result<bool, BlobError> {
    let path = shared.unfinished(id);
    let note = match shared.cloud.get(&path).await {
        Ok(note) => note,
        Err(error) if errors::is_missing(&error) => return Ok(false),
        Err(error) => return Err(shared.failed(error)),
    };
    if note.meta.size <= UPLOAD_ID_BYTES_MAX {
        let upload = note.bytes().await.map_err(|error| shared.failed(error))?;
        let upload = String::from_utf8_lossy(&upload).into_owned();
        match shared.cloud.abort_multipart(&shared.blob(id), &upload).await {
            // An upload that is not there any more was completed or aborted.
            Err(error) if !errors::is_missing(&error) => return Err(shared.failed(error)),
            _ => {}
        }
    }
    match shared.cloud.delete(&path).await {
        Err(error) if !errors::is_missing(&error) => Err(shared.failed(error)),
        _ => Ok(true),
    }
}

#[async_trait]
impl BlobWriter for ObjectWriter {
    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), BlobError> {
        self.written += bytes.len() as u64;
        self.gathered_bytes += bytes.len();
        self.gathered.push(Bytes::from(bytes));
        while self.gathered_bytes > PART_BYTES {
            self.send_part(PART_BYTES).await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), BlobError> {
        if self.upload.is_none() {
            self.put_whole().await
        } else {
            self.complete().await
        }
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        runtime.spawn(async move {
            // Parts that arrive after the abort would stay: wait until none is on its way.
            for sending in upload.sending {
                sending.abort();
                let _ = sending.await;
            }
            if let Err(error) = end_upload(&shared, id).await {
                tracing::warn!(blob = %id, %error, "an unfinished upload stays until the sweep");
            }
        });
    }
}
