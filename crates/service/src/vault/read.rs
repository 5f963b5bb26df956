//! Reading objects.

use std::sync::Arc;

use bytes::Bytes;
use casework::ids::{ObjectId, RegionId};
use envelope::{
    chunked::{self, ChunkedError, HEADER_BYTES, Opener, SEALED_CHUNK_BYTES, Span},
    keys::{ObjectKey, WrappedAccount, WrappedChain},
};
use futures::stream;
use store::{
    blobs::{BlobError, BlobReader, BlobStore},
    vault::{ObjectRow, PartRow},
};
use tokio::sync::mpsc;

use super::{
    Body, Conditions, Download, ObjectInfo, Principal, Range, ResolvedRange, Result, Target, Vault,
    VaultError, VersionId, Versioning,
    bucket::Bucket,
    sealed::{self, Metadata, damaged},
    upload::PARTS_MAX,
};
use crate::gate::owner::GateError;

/// Sealed bytes read at once.
const READ_BYTES: usize = 16 * SEALED_CHUNK_BYTES;
/// How often a read begins anew because the object was replaced under it.
const TRIES_MAX: u32 = 8;
/// Pieces decrypted ahead of the reader.
const READ_AHEAD: usize = 2;

/// An object found and opened.
pub(super) struct Found {
    pub row: ObjectRow,
    pub key: Arc<ObjectKey>,
    pub metadata: Metadata,
    /// Whether its bucket keeps or kept versions.
    pub has_versions: bool,
}

impl Vault {
    /// An object without its body.
    ///
    /// # Errors
    /// When it is missing, a condition does not hold, or its account was destroyed.
    pub async fn head(
        &self,
        who: &Principal,
        bucket: &str,
        target: impl Into<Target<'_>>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        let found = self.find(who, bucket, target.into()).await?;
        check(&found.row, conditions)?;
        Ok(found.info())
    }

    /// The range that a GET with `Range` or `partNumber` would answer with.
    ///
    /// # Errors
    /// As [`Vault::head`], and when the range lies outside the object.
    pub async fn head_range(
        &self,
        who: &Principal,
        bucket: &str,
        target: impl Into<Target<'_>>,
        range: Range,
        conditions: &Conditions,
    ) -> Result<(ObjectInfo, ResolvedRange)> {
        let found = self.find(who, bucket, target.into()).await?;
        check(&found.row, conditions)?;
        let parts = self.parts_of(&found.row).await?;
        let range = resolve(&found.row, &parts, Some(range))?;
        Ok((found.info(), range))
    }

    /// An object with its body, or a range of it.
    ///
    /// # Errors
    /// As [`Vault::head_range`]. What fails to authenticate ends the body with [`VaultError::Damaged`]: nothing that was
    /// altered is ever given out.
    pub async fn get(
        &self,
        who: &Principal,
        bucket: &str,
        target: impl Into<Target<'_>>,
        range: Option<Range>,
        conditions: &Conditions,
    ) -> Result<Download> {
        let target = target.into();
        let Target {
            key,
            version,
            copy_in,
        } = target;
        let bucket = self.find_bucket(who, bucket).await?;
        let mut tries = 0;
        loop {
            let row = self
                .inner
                .store
                .object_with_body(bucket.row.seq, key, version)
                .await?;
            let Some(row) = row else {
                return Err(self.missing(&bucket, target).await);
            };
            let row = self.at(row, copy_in).await?;
            let before = (row.id, row.region.clone(), row.chain.clone());
            let got = self.get_row(who, &bucket, row, range, conditions).await;
            let Err(VaultError::NoSuchKey | VaultError::Damaged { .. }) = got else {
                return got;
            };
            // Replaced, removed or moved to another region between one read and the next: what counts is what is there now.
            let now = self.inner.store.object(bucket.row.seq, key, version).await?;
            tries += 1;
            let now = match now {
                Some(row) => self.at(row, copy_in).await.ok(),
                None => None,
            };
            if tries == TRIES_MAX || now.is_some_and(|row| (row.id, row.region, row.chain) == before) {
                return got;
            }
        }
    }

    async fn get_row(
        &self,
        who: &Principal,
        bucket: &Bucket,
        row: ObjectRow,
        range: Option<Range>,
        conditions: &Conditions,
    ) -> Result<Download> {
        check(&row, conditions)?;
        let mut found = self.open(who, bucket, row).await?;
        let parts = self.parts_of(&found.row).await?;
        let range = resolve(&found.row, &parts, range)?;
        let info = found.info();
        let body = self
            .body(&mut found.row, parts, Arc::clone(&found.key), range)
            .await?;
        Ok(Download { info, range, body })
    }

    pub(super) async fn find(&self, who: &Principal, bucket: &str, target: Target<'_>) -> Result<Found> {
        let bucket = self.find_bucket(who, bucket).await?;
        let Target {
            key,
            version,
            copy_in,
        } = target;
        match self.inner.store.object(bucket.row.seq, key, version).await? {
            Some(row) => {
                let row = self.at(row, copy_in).await?;
                self.open(who, &bucket, row).await
            }
            None => Err(self.missing(&bucket, target).await),
        }
    }

    /// The object as it is read: where it lies, or its copy in a region, where one is asked for.
    async fn at(&self, row: ObjectRow, copy_in: Option<&RegionId>) -> Result<ObjectRow> {
        let Some(region) = copy_in.filter(|region| **region != row.region) else {
            return Ok(row);
        };
        let copy = self.inner.store.copy_of(&row, region).await?;
        copy.ok_or_else(|| VaultError::NoCopy {
            region: region.clone(),
        })
    }

    /// Opens an object's key for its owner.
    pub(super) async fn open(&self, who: &Principal, bucket: &Bucket, row: ObjectRow) -> Result<Found> {
        let chain = row.chain.as_ref().ok_or(VaultError::AccountDestroyed)?;
        let key = self.object_key(who, chain).await?;
        let metadata = read_metadata(&row, &chain.account, &key)?;
        Ok(Found {
            row,
            key: Arc::new(key),
            metadata,
            has_versions: bucket.row.versioning != Versioning::Never,
        })
    }

    /// The key of an object or upload, for its owner.
    pub(super) async fn object_key(&self, who: &Principal, chain: &WrappedChain) -> Result<ObjectKey> {
        let opened = self.inner.gate.open_object_key(who.reason(), chain).await;
        opened.map_err(|error| match error {
            GateError::Altered { object } => damaged(object, error),
            other => other.into(),
        })
    }

    pub(super) async fn parts_of(&self, row: &ObjectRow) -> Result<Vec<PartRow>> {
        if row.parts == 0 {
            return Ok(Vec::new());
        }
        let parts = match row.is_copy {
            true => {
                self.inner
                    .store
                    .copy_parts(row.id, &row.region, PARTS_MAX)
                    .await?
            }
            false => self.inner.store.parts(row.id, None, PARTS_MAX).await?,
        };
        if parts.len() != usize::try_from(row.parts).unwrap_or(0) {
            // Replaced between the two reads: for this reader it is gone.
            return Err(VaultError::NoSuchKey);
        }
        Ok(parts)
    }

    /// The plaintext of a range, with whatever key opens it.
    pub(super) async fn body(
        &self,
        row: &mut ObjectRow,
        parts: Vec<PartRow>,
        key: Arc<ObjectKey>,
        range: ResolvedRange,
    ) -> Result<Body> {
        let chain = row.chain.as_ref().ok_or(VaultError::AccountDestroyed)?;
        let account = chain.account.clone();
        let object = row.id;
        if row.parts == 0 {
            let sealed = row.inline.take().ok_or(VaultError::NoSuchKey)?;
            let whole = chunked::open(&key, &sealed::body_context(&account, object, 0), &sealed);
            let whole = whole.map_err(|error| damaged(object, error))?;
            let cut = usize::try_from(range.start)
                .ok()
                .zip(usize::try_from(range.end).ok());
            let wanted = cut.filter(|(start, end)| start <= end && *end <= whole.len());
            let (start, end) = wanted.ok_or_else(|| damaged(object, "its size differs from its record"))?;
            return Ok(Box::pin(stream::iter([Ok(Bytes::from(whole).slice(start..end))])));
        }
        let mut pieces = Vec::new();
        let mut offset = 0u64;
        for part in parts {
            let (start, end) = (range.start.max(offset), range.end.min(offset + part.size));
            // An empty object has one empty part; it is opened too, so that its absence is noticed.
            if start < end || (part.size == 0 && range.start == range.end) {
                pieces.push((
                    part.clone(),
                    start - offset.min(start),
                    end.saturating_sub(offset),
                ));
            }
            offset += part.size;
        }
        let reading = Reading {
            blobs: Arc::clone(self.inner.blobs.of(&row.region)?),
            key,
            account,
            object,
        };
        // The first blob is opened before the answer begins, so that a missing one is an error and no broken answer.
        let mut pieces = pieces.into_iter();
        let mut first = None;
        if let Some((part, start, end)) = pieces.next() {
            first = Some((reading.open(&part, start, end).await?, part));
        }
        if pieces.len() == 0
            && let Some((open, _)) = first.take_if(|(open, _)| open.span.length() <= READ_BYTES as u64)
        {
            let piece = reading.at_once(open).await?;
            return Ok(Box::pin(stream::iter([Ok(piece)])));
        }
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        tokio::spawn(async move {
            if let Err(error) = reading.run(first, pieces, &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(Box::pin(stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        })))
    }
}

impl Found {
    pub(super) fn info(&self) -> ObjectInfo {
        let multipart = self.row.upload.is_some();
        ObjectInfo {
            key: self.row.key.clone(),
            object: self.row.id,
            size: self.row.size,
            etag: self.row.etag.clone(),
            last_modified: self.row.modified_at,
            headers: self.metadata.headers.clone(),
            user_metadata: self.metadata.user.clone(),
            tag_count: self.metadata.tags.len(),
            checksums: self.metadata.checksums.clone(),
            checksum_type: self.metadata.checksum_type,
            parts: multipart.then_some(self.row.parts),
            account: self.row.account.clone(),
            category: self.row.category,
            concerns_at: self.row.concerns_at,
            region: self.row.region.clone(),
            version: self.version(),
            lock: self.row.lock,
            encryption: self.metadata.encryption.clone(),
        }
    }

    /// How the version is named, in a bucket that keeps or kept versions.
    pub(super) fn version(&self) -> Option<VersionId> {
        self.has_versions.then_some(self.row.version)
    }
}

pub(super) fn read_metadata(row: &ObjectRow, account: &WrappedAccount, key: &ObjectKey) -> Result<Metadata> {
    sealed::open(
        key,
        &sealed::metadata_context(account, row.id),
        row.id,
        &row.sealed_metadata,
    )
}

/// RFC 9110 section 13.2.2: the order in which conditions are evaluated.
pub(super) fn check(row: &ObjectRow, conditions: &Conditions) -> Result<()> {
    let second = row.modified_at.as_second();
    match (&conditions.if_match, conditions.if_unmodified_since) {
        (Some(wanted), _) if !wanted.matches(&row.etag) => return Err(VaultError::PreconditionFailed),
        (None, Some(at)) if second > at.as_second() => return Err(VaultError::PreconditionFailed),
        _ => {}
    }
    let unchanged = match (&conditions.if_none_match, conditions.if_modified_since) {
        (Some(unwanted), _) => unwanted.matches(&row.etag),
        (None, Some(at)) => second <= at.as_second(),
        (None, None) => false,
    };
    if unchanged {
        return Err(VaultError::NotModified {
            etag: row.etag.clone(),
            last_modified: row.modified_at,
        });
    }
    Ok(())
}

fn resolve(row: &ObjectRow, parts: &[PartRow], range: Option<Range>) -> Result<ResolvedRange> {
    let size = row.size;
    let outside = VaultError::BadRange { size };
    let partial = |start, end| {
        Ok(ResolvedRange {
            start,
            end,
            partial: true,
        })
    };
    match range {
        None => Ok(ResolvedRange {
            start: 0,
            end: size,
            partial: false,
        }),
        Some(Range::FromTo(first, last)) if first < size && first <= last => {
            partial(first, last.saturating_add(1).min(size))
        }
        Some(Range::From(first)) if first < size => partial(first, size),
        Some(Range::Last(count)) if count > 0 && size > 0 => partial(size.saturating_sub(count), size),
        Some(Range::Part(1)) if row.upload.is_none() => partial(0, size),
        Some(Range::Part(number)) if row.upload.is_some() => {
            let mut start = 0;
            for part in parts {
                if part.number == number {
                    return partial(start, start + part.size);
                }
                start += part.size;
            }
            Err(outside)
        }
        Some(_) => Err(outside),
    }
}

struct Reading {
    blobs: Arc<dyn BlobStore>,
    key: Arc<ObjectKey>,
    account: WrappedAccount,
    object: ObjectId,
}

/// A part that is open, and what to read of it.
struct OpenPart {
    reader: Box<dyn BlobReader>,
    opener: Opener,
    span: Span,
    take: u64,
}

impl Reading {
    async fn open(&self, part: &PartRow, start: u64, end: u64) -> Result<OpenPart> {
        let span = Span::of(part.size, start, end).map_err(|error| damaged(self.object, error))?;
        let reader = self
            .blobs
            .open_for(part.blob, span.sealed_start..span.sealed_end)
            .await
            .map_err(|error| self.failed(error))?;
        let expected = chunked::sealed_len(part.size).map_err(|error| damaged(self.object, error))?;
        if reader.len() != expected {
            return Err(damaged(self.object, "its blob's length differs from its record"));
        }
        let header = reader
            .read_at(0, vec![0; HEADER_BYTES])
            .await
            .map_err(|error| self.failed(error))?;
        let header = header
            .first_chunk()
            .ok_or_else(|| damaged(self.object, ChunkedError::Truncated))?;
        let context = sealed::body_context(&self.account, self.object, part.number);
        let opener = Opener::new(&self.key, &context, header).map_err(|error| damaged(self.object, error))?;
        Ok(OpenPart {
            reader,
            opener,
            span,
            take: end - start,
        })
    }

    async fn run(
        &self,
        first: Option<(OpenPart, PartRow)>,
        rest: impl Iterator<Item = (PartRow, u64, u64)>,
        sender: &mpsc::Sender<Result<Bytes>>,
    ) -> Result<()> {
        if let Some((open, _)) = first
            && !self.part(open, sender).await?
        {
            return Ok(());
        }
        for (part, start, end) in rest {
            let open = self.open(&part, start, end).await?;
            if !self.part(open, sender).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends a part's plaintext; `false` when nobody wants it any more.
    async fn part(&self, mut part: OpenPart, sender: &mpsc::Sender<Result<Bytes>>) -> Result<bool> {
        let mut buffer = Vec::new();
        while part.span.sealed_start < part.span.sealed_end {
            let piece = self.piece(&mut part, &mut buffer).await?;
            if !piece.is_empty() && sender.send(Ok(piece)).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A part's plaintext, where it is no longer than what is read at once: nothing is handed to another task.
    async fn at_once(&self, mut part: OpenPart) -> Result<Bytes> {
        self.piece(&mut part, &mut Vec::new()).await
    }

    /// The next plaintext of a part, as much as is read at once.
    async fn piece(&self, part: &mut OpenPart, buffer: &mut Vec<u8>) -> Result<Bytes> {
        let offset = part.span.sealed_start;
        let length = part.span.length().min(READ_BYTES as u64);
        let length_here = usize::try_from(length).unwrap_or(READ_BYTES);
        buffer.resize(length_here, 0);
        *buffer = part
            .reader
            .read_at(offset, std::mem::take(buffer))
            .await
            .map_err(|error| self.failed(error))?;
        let at_end = offset + length == part.reader.len();
        let mut out = Vec::with_capacity(length_here);
        part.opener
            .open_chunks(part.span.first_chunk, buffer, at_end, &mut out)
            .map_err(|error| damaged(self.object, error))?;
        if part.span.skip > out.len() {
            return Err(damaged(self.object, ChunkedError::Range));
        }
        let mut piece = Bytes::from(out).split_off(part.span.skip);
        piece.truncate(usize::try_from(part.take).unwrap_or(usize::MAX));
        part.take -= piece.len() as u64;
        part.span.skip = 0;
        part.span.sealed_start += length;
        part.span.first_chunk += (READ_BYTES / SEALED_CHUNK_BYTES) as u64;
        Ok(piece)
    }

    fn failed(&self, error: BlobError) -> VaultError {
        match error {
            BlobError::Missing { .. } | BlobError::Short { .. } => damaged(self.object, error),
            other => other.into(),
        }
    }
}
