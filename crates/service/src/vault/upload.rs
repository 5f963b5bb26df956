//! Multipart uploads.

use bytes::Bytes;
use casework::ids::ObjectId;
use envelope::{
    chunked::SALT_BYTES,
    content::ContentDigest,
    keys::{ObjectKey, WrappedAccount},
};
use futures::Stream;
use jiff::Timestamp;
use std::collections::BTreeMap;
use store::vault::{CompleteUpload, NewPart, NewUpload, PartRow, UploadRow};

use super::{
    BodyError, Checksum, Completion, ObjectInfo, PartInfo, PartListing, PartOptions, Principal, Result,
    Stored, Target, UploadInfo, UploadOptions, Vault, VaultError,
    bucket::Bucket,
    checksum::combine,
    intake::{Claims, Intake},
    placement::{self, Place, microseconds},
    put::{self, Account, Fresh, PUT_BYTES_MAX},
    random,
    sealed::{self, Metadata, PartMetadata, SealedLock},
    upload_checksum::Choice,
};

/// Most parts of an upload.
pub const PARTS_MAX: u32 = 10_000;
/// Smallest part but the last, in bytes.
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Largest object, in bytes: 5 TiB.
pub const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024 * 1024;
/// Most parts in one page of a listing.
const PART_PAGE_MAX: u32 = 1000;

/// An upload found and opened.
struct OpenUpload {
    row: UploadRow,
    account: WrappedAccount,
    key: ObjectKey,
}

impl Vault {
    /// Begins a multipart upload and gives its id. The object's key, account, category and time are settled here.
    ///
    /// # Errors
    /// As [`Vault::put`].
    pub async fn create_upload(
        &self,
        who: &Principal,
        bucket: &str,
        key: &str,
        options: UploadOptions,
    ) -> Result<UploadInfo> {
        put::check_key(key)?;
        put::check_metadata(&options.user_metadata)?;
        put::check_tags(&options.tags, put::TAGS_MAX)?;
        let choice = Choice::of(&options)?;
        let bucket = self.find_bucket(who, bucket).await?;
        let now = microseconds(Timestamp::now());
        let place = placement::decide(
            &bucket,
            key,
            &options.placement,
            &options.user_metadata,
            None,
            now,
        )?;
        let fresh = self.fresh(who, &bucket, place, now).await?;
        let metadata = Metadata {
            headers: options.headers,
            user: options.user_metadata,
            tags: options.tags,
            encryption: options.encryption.or_else(|| bucket.settings.encryption.clone()),
            lock: SealedLock::of(&options.lock),
            ..Metadata::default()
        };
        if metadata.lock.is_some() && !bucket.row.object_lock {
            return Err(VaultError::NoLocks);
        }
        let context = sealed::metadata_context(&fresh.account.chain, fresh.object);
        let id = random()?;
        let upload = NewUpload {
            id,
            object: fresh.object,
            bucket: bucket.row.seq,
            key: key.to_owned(),
            account: fresh.account.seq,
            region: bucket.row.region.clone(),
            category: fresh.place.category,
            concerns_at: fresh.place.concerns_at,
            wrapped_key: fresh.wrapped,
            key_version: fresh.account.version,
            checksum: choice.write(),
            sealed_metadata: sealed::seal(&fresh.key, &context, random::<SALT_BYTES>()?, &metadata)?,
            created_at: now,
        };
        self.inner.store.begin_upload(upload).await?;
        Ok(UploadInfo {
            id: hex::encode(id),
            key: key.to_owned(),
            created_at: now,
            checksum: options.checksum,
            checksum_type: choice.asked.then_some(choice.covers),
            encryption: metadata.encryption,
        })
    }

    /// Stores a part. A part of the same number is replaced.
    ///
    /// # Errors
    /// As [`Vault::put`], and when there is no such upload.
    #[allow(clippy::too_many_arguments, reason = "they are S3's own")]
    pub async fn put_part<S, E>(
        &self,
        who: &Principal,
        bucket: &str,
        key: &str,
        upload: &str,
        number: u32,
        options: PartOptions,
        body: S,
    ) -> Result<PartInfo>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send,
        E: Into<BodyError>,
    {
        if number == 0 || number > PARTS_MAX {
            return Err(VaultError::BadPartNumber);
        }
        let bucket = self.find_bucket(who, bucket).await?;
        let upload = self.open_upload(who, &bucket, key, upload).await?;
        let choice = Choice::read(upload.row.checksum.as_deref());
        let mut compute = options.trailer_algorithms;
        compute.push(choice.algorithm);
        let claims = Claims {
            length: options.content_length,
            md5: options.content_md5,
            checksums: options.checksums,
            compute,
            trailer: options.trailer,
        };
        let object = upload.row.object;
        let intake = Intake {
            blobs: &**self.inner.blobs.of(&upload.row.region)?,
            key: &upload.key,
            context: sealed::body_context(&upload.account, object, number),
            object,
            inline: false,
            max: PUT_BYTES_MAX,
        };
        let received = intake.receive(body, claims).await?;
        let NewPart::Blob(blob, sealed_digest) = received.body else {
            return Err(VaultError::Busy);
        };
        let metadata = PartMetadata {
            sha256: hex::encode(received.sha256),
            checksums: received.checksums,
        };
        let context = sealed::part_context(&upload.account, object, number);
        let part = PartRow {
            number,
            blob,
            size: received.size,
            etag: sealed::part_tag(&upload.key, number, &received.sha256)?,
            modified_at: microseconds(Timestamp::now()),
            sealed_metadata: sealed::seal(&upload.key, &context, random::<SALT_BYTES>()?, &metadata)?,
            sealed_digest: Some(sealed_digest),
        };
        let info = PartInfo {
            number,
            etag: part.etag.clone(),
            size: part.size,
            last_modified: part.modified_at,
            checksums: metadata.checksums,
            encryption: upload.metadata()?.encryption,
        };
        match self.inner.store.put_part(upload.row.id, part).await {
            Ok(written) => {
                self.free(written.freed);
                Ok(info)
            }
            Err(error) => {
                self.discard(&upload.row.region, Some(blob), &error);
                Err(error.into())
            }
        }
    }

    /// Makes an object of the parts. Parts not named are deleted. Said again with the same parts, it answers the same.
    ///
    /// # Errors
    /// When a part is missing, too small or out of order, a checksum or condition does not hold, or the store fails.
    pub async fn complete_upload(
        &self,
        who: &Principal,
        bucket: &str,
        key: &str,
        upload: &str,
        completion: Completion,
    ) -> Result<Stored> {
        let bucket = self.find_bucket(who, bucket).await?;
        if completion.parts.is_empty() || completion.parts.len() > PARTS_MAX as usize {
            return Err(VaultError::PartCount);
        }
        let in_order = completion
            .parts
            .iter()
            .zip(completion.parts.iter().skip(1))
            .all(|(a, b)| a.number < b.number);
        if !in_order {
            return Err(VaultError::PartOrder);
        }
        let upload = match self.open_upload(who, &bucket, key, upload).await {
            Err(VaultError::NoSuchUpload) => return self.completed_before(who, &bucket, key, upload).await,
            other => other?,
        };
        let there = self.inner.store.parts(upload.row.object, None, PARTS_MAX).await?;
        let there: BTreeMap<u32, PartRow> = there.into_iter().map(|part| (part.number, part)).collect();

        let mut digest = ContentDigest::default();
        let mut size = 0u64;
        let mut blobs = BTreeMap::new();
        let mut checksums = Vec::with_capacity(completion.parts.len());
        let last = completion.parts.last().map_or(0, |part| part.number);
        for wanted in &completion.parts {
            let number = wanted.number;
            let part = there.get(&number).filter(|part| part.etag == wanted.etag);
            let part = part.ok_or(VaultError::NoSuchPart { number })?;
            if part.size < PART_BYTES_MIN && number != last {
                return Err(VaultError::PartTooSmall {
                    number,
                    min: PART_BYTES_MIN,
                });
            }
            let metadata = upload.part_metadata(part)?;
            for said in &wanted.checksums {
                if !metadata.checksums.contains(said) {
                    return Err(VaultError::NoSuchPart { number });
                }
            }
            let mut sha256 = [0; 32];
            hex::decode_to_slice(&metadata.sha256, &mut sha256)
                .map_err(|_| sealed::damaged(upload.row.object, "a part's digest makes no sense"))?;
            digest.part(part.size, &sha256);
            size += part.size;
            blobs.insert(number, part.blob);
            checksums.push((part.size, metadata.checksums));
        }
        if size > OBJECT_BYTES_MAX {
            return Err(VaultError::TooLarge {
                max: OBJECT_BYTES_MAX,
            });
        }
        if completion.size.is_some_and(|said| said != size) {
            return Err(VaultError::ChecksumMismatch {
                reason: "the object's size differs from the one stated",
            });
        }
        let choice = Choice::read(upload.row.checksum.as_deref());
        let whole = combine(choice.algorithm, choice.covers, &checksums);
        check_whole(&completion.checksums, whole.as_ref())?;

        let mut metadata = upload.metadata()?;
        let lock = metadata.lock.take().map(|lock| lock.lock()).unwrap_or_default();
        metadata.checksum_type = whole.as_ref().map(|_| choice.covers);
        metadata.checksums = whole.into_iter().collect();
        let etag = format!("{}-{}", hex::encode(random::<16>()?), completion.parts.len());
        let upload_id = upload.row.id;
        let fresh = Fresh {
            object: upload.row.object,
            place: Place {
                account: upload.row.account.clone(),
                category: upload.row.category,
                concerns_at: upload.row.concerns_at,
            },
            account: Account {
                seq: upload.row.account_seq,
                chain: upload.account,
                version: upload.row.key_version,
            },
            key: upload.key,
            wrapped: upload.row.wrapped_key,
            now: microseconds(Timestamp::now()),
        };
        let (object, metadata) = fresh.record(&bucket, key, etag, size, digest.finish(), metadata, lock)?;
        let mut stored = put::stored(&object, &metadata);
        let written = self
            .inner
            .store
            .complete_upload(CompleteUpload {
                upload: upload_id,
                object,
                parts: blobs,
                conditions: completion.conditions,
            })
            .await?;
        self.free(written.freed);
        stored.version = written.version;
        Ok(stored)
    }

    /// Ends an upload and deletes its parts.
    ///
    /// # Errors
    /// When there is none.
    pub async fn abort_upload(&self, who: &Principal, bucket: &str, key: &str, upload: &str) -> Result<()> {
        let bucket = self.find_bucket(who, bucket).await?;
        let row = self.find_upload(&bucket, key, upload).await?;
        let written = self.inner.store.abort_upload(row.id).await?;
        self.free(written.freed);
        Ok(())
    }

    /// Lists the parts of an upload.
    ///
    /// # Errors
    /// When there is no such upload.
    #[allow(clippy::too_many_arguments, reason = "they are S3's own")]
    pub async fn list_parts(
        &self,
        who: &Principal,
        bucket: &str,
        key: &str,
        upload: &str,
        after: Option<u32>,
        max_parts: u32,
    ) -> Result<PartListing> {
        let bucket = self.find_bucket(who, bucket).await?;
        let upload = self.open_upload(who, &bucket, key, upload).await?;
        let max = max_parts.min(PART_PAGE_MAX);
        let mut rows = self.inner.store.parts(upload.row.object, after, max + 1).await?;
        let more = rows.len() > max as usize;
        rows.truncate(max as usize);
        let next = rows.last().map(|part| part.number).filter(|_| more);
        let asked = Choice::read(upload.row.checksum.as_deref()).asked;
        let mut parts = Vec::with_capacity(rows.len());
        for row in &rows {
            let checksums = if asked {
                upload.part_metadata(row)?.checksums
            } else {
                Vec::new()
            };
            parts.push(part_info(row, checksums));
        }
        Ok(PartListing {
            upload: upload_info(&upload.row),
            parts,
            next,
        })
    }

    /// The parts of a stored multipart object, for GetObjectAttributes; empty for any other.
    ///
    /// # Errors
    /// When the object is missing or its account destroyed.
    pub async fn object_parts(
        &self,
        who: &Principal,
        bucket: &str,
        target: impl Into<Target<'_>>,
    ) -> Result<(ObjectInfo, Vec<PartInfo>)> {
        let found = self.find(who, bucket, target.into()).await?;
        let mut parts = Vec::new();
        let chain = found.row.chain.as_ref().ok_or(VaultError::AccountDestroyed)?;
        if found.row.upload.is_some() {
            for row in self.parts_of(&found.row).await? {
                let metadata = part_metadata(&found.key, &chain.account, found.row.id, &row)?;
                parts.push(part_info(&row, metadata.checksums));
            }
        }
        Ok((found.info(), parts))
    }

    async fn find_upload(&self, bucket: &Bucket, key: &str, upload: &str) -> Result<UploadRow> {
        let id = upload_id(upload).ok_or(VaultError::NoSuchUpload)?;
        let row = self.inner.store.upload(bucket.row.seq, key, id).await?;
        row.ok_or(VaultError::NoSuchUpload)
    }

    async fn open_upload(
        &self,
        who: &Principal,
        bucket: &Bucket,
        key: &str,
        upload: &str,
    ) -> Result<OpenUpload> {
        let row = self.find_upload(bucket, key, upload).await?;
        let chain = row.chain.clone().ok_or(VaultError::AccountDestroyed)?;
        let key = self.object_key(who, &chain).await?;
        Ok(OpenUpload {
            row,
            account: chain.account,
            key,
        })
    }

    /// The answer to a completion that was made already, and whose first answer got lost.
    async fn completed_before(
        &self,
        who: &Principal,
        bucket: &Bucket,
        key: &str,
        upload: &str,
    ) -> Result<Stored> {
        let id = upload_id(upload).ok_or(VaultError::NoSuchUpload)?;
        let row = self.inner.store.object(bucket.row.seq, key, None).await?;
        let row = row
            .filter(|row| row.upload == Some(id))
            .ok_or(VaultError::NoSuchUpload)?;
        let info = self.open(who, bucket, row).await?.info();
        Ok(Stored {
            object: info.object,
            etag: info.etag,
            last_modified: info.last_modified,
            size: info.size,
            checksums: info.checksums,
            checksum_type: info.checksum_type,
            version: info.version,
            encryption: info.encryption,
        })
    }
}

impl OpenUpload {
    /// What was said of the object when the upload was begun.
    fn metadata(&self) -> Result<Metadata> {
        let context = sealed::metadata_context(&self.account, self.row.object);
        sealed::open(&self.key, &context, self.row.object, &self.row.sealed_metadata)
    }

    fn part_metadata(&self, part: &PartRow) -> Result<PartMetadata> {
        part_metadata(&self.key, &self.account, self.row.object, part)
    }
}

fn part_metadata(
    key: &ObjectKey,
    account: &WrappedAccount,
    object: ObjectId,
    part: &PartRow,
) -> Result<PartMetadata> {
    sealed::open(
        key,
        &sealed::part_context(account, object, part.number),
        object,
        &part.sealed_metadata,
    )
}

/// Compares what a completion says of the whole with what came of its parts.
fn check_whole(said: &[Checksum], seen: Option<&Checksum>) -> Result<()> {
    for checksum in said {
        let algorithm = checksum.algorithm.name();
        let seen = seen.filter(|seen| seen.algorithm == checksum.algorithm);
        let seen = seen.ok_or(VaultError::ChecksumMismatch {
            reason: "the upload was begun with another checksum",
        })?;
        // Clients may leave out the number of parts at the end of a composite.
        let bare = seen
            .value
            .split_once('-')
            .map_or(seen.value.as_str(), |(value, _)| value);
        if checksum.value != seen.value && checksum.value != bare {
            return Err(VaultError::BadChecksum { algorithm });
        }
    }
    Ok(())
}

fn part_info(row: &PartRow, checksums: Vec<Checksum>) -> PartInfo {
    PartInfo {
        number: row.number,
        etag: row.etag.clone(),
        size: row.size,
        last_modified: row.modified_at,
        checksums,
        encryption: None,
    }
}

pub(super) fn upload_id(text: &str) -> Option<[u8; 16]> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).ok().map(|()| id)
}

pub(super) fn upload_info(row: &UploadRow) -> UploadInfo {
    let choice = Choice::read(row.checksum.as_deref());
    UploadInfo {
        id: hex::encode(row.id),
        key: row.key.clone(),
        created_at: row.created_at,
        checksum: choice.asked.then_some(choice.algorithm),
        checksum_type: choice.asked.then_some(choice.covers),
        encryption: None,
    }
}
