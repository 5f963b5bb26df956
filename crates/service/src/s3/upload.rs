//! Multipart uploads.

use s3s::{
    S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm as DtoAlgorithm,
        CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyPartResult,
        CreateMultipartUploadInput, CreateMultipartUploadOutput, GetObjectAttributesInput,
        GetObjectAttributesOutput, GetObjectAttributesParts, ListMultipartUploadsInput,
        ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, ObjectAttributes, StorageClass,
        UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
    },
};

use super::{
    Face, bucket::owner, convert, convert::Sums, encryption, error, fault::FaultSlot, listing::wants_url,
    lock, object,
};
use crate::vault::{
    ChecksumAlgorithm, CompletedPart, Completion, Conditions, PartInfo, PartOptions, Placement, Principal,
    Range, UploadInfo, UploadOptions, UploadQuery, VaultError,
};

impl Face {
    pub(super) async fn do_create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let checksum = input
            .checksum_algorithm
            .as_ref()
            .map(|a| convert::algorithm(a.as_str()))
            .transpose()?;
        let options = UploadOptions {
            headers: convert::content_headers(&request.headers),
            user_metadata: input.metadata.unwrap_or_default().into_iter().collect(),
            tags: convert::tags(input.tagging.as_deref())?,
            placement: Placement::default(),
            checksum,
            checksum_type: convert::checksum_type(input.checksum_type.as_ref())?,
            lock: lock::asked(&request.headers)?,
            encryption: encryption::asked(&request.headers, &who)?,
        };
        let upload = self
            .vault
            .create_upload(&who, &input.bucket, &input.key, options)
            .await
            .map_err(error::of)?;
        let shown = encryption::Shown::of(upload.encryption.as_ref());
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            // Only what the client asked for: SDKs then expect it of every part.
            checksum_algorithm: checksum.and(algorithm(&upload)),
            checksum_type: checksum.and(convert::checksum_type_out(upload.checksum_type)),
            upload_id: Some(upload.id),
            server_side_encryption: shown.algorithm,
            ssekms_key_id: shown.key,
            ..Default::default()
        }))
    }

    pub(super) async fn do_upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let faults = request.extensions.get::<FaultSlot>().cloned().unwrap_or_default();
        let sums = convert::body_checksums(&request.headers, request.trailing_headers, &faults)?;
        let input = request.input;
        let options = PartOptions {
            content_length: object::length(input.content_length)?,
            content_md5: convert::content_md5(input.content_md5.as_deref())?,
            checksums: sums.headers,
            trailer_algorithms: sums.trailer_algorithms,
            trailer: sums.trailer,
        };
        let number = convert::part_number(input.part_number)?;
        let part = self
            .vault
            .put_part(
                &who,
                &input.bucket,
                &input.key,
                &input.upload_id,
                number,
                options,
                object::body(input.body, faults),
            )
            .await
            .map_err(error::of)?;
        let sums = Sums::of(&part.checksums);
        let shown = encryption::Shown::of(part.encryption.as_ref());
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(convert::etag(&part.etag)),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            server_side_encryption: shown.algorithm,
            ssekms_key_id: shown.key,
            ..Default::default()
        }))
    }

    pub(super) async fn do_upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let source = object::source(&input.copy_source)?;
        let range = input.copy_source_range.as_deref().map(copy_range).transpose()?;
        let conditions = convert::conditions(
            input.copy_source_if_match,
            input.copy_source_if_none_match,
            input.copy_source_if_modified_since.as_ref(),
            input.copy_source_if_unmodified_since.as_ref(),
        );
        let number = convert::part_number(input.part_number)?;
        if let Some(Range::FromTo(_, last)) = range {
            // A GET may ask beyond the end; a copy may not.
            let info = self
                .vault
                .head(&who, source.bucket, source.target, &Conditions::default())
                .await
                .map_err(error::of_copy)?;
            if last >= info.size {
                return Err(error::of(VaultError::BadRange { size: info.size }));
            }
        }
        let (part, copied) = self
            .vault
            .put_part_copy(
                &who,
                &input.bucket,
                &input.key,
                &input.upload_id,
                number,
                source,
                range,
                &conditions,
            )
            .await
            .map_err(error::of_copy)?;
        let sums = Sums::of(&part.checksums);
        let shown = encryption::Shown::of(part.encryption.as_ref());
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(CopyPartResult {
                checksum_crc32: sums.crc32,
                checksum_crc32c: sums.crc32c,
                checksum_crc64nvme: sums.crc64nvme,
                checksum_sha1: sums.sha1,
                checksum_sha256: sums.sha256,
                e_tag: Some(convert::etag(&part.etag)),
                last_modified: Some(convert::timestamp(part.last_modified)),
            }),
            copy_source_version_id: copied.map(convert::version_out),
            server_side_encryption: shown.algorithm,
            ssekms_key_id: shown.key,
            ..Default::default()
        }))
    }

    pub(super) async fn do_complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let parts = input.multipart_upload.and_then(|m| m.parts).unwrap_or_default();
        let parts = parts.into_iter().map(completed).collect::<S3Result<Vec<_>>>()?;
        let checksums = Sums {
            crc32: input.checksum_crc32,
            crc32c: input.checksum_crc32c,
            crc64nvme: input.checksum_crc64nvme,
            sha1: input.checksum_sha1,
            sha256: input.checksum_sha256,
        }
        .into_checksums()?;
        let completion = Completion {
            parts,
            checksums,
            size: object::length(input.mpu_object_size)?,
            conditions: convert::write_conditions(input.if_match, input.if_none_match),
        };
        let stored = self
            .vault
            .complete_upload(&who, &input.bucket, &input.key, &input.upload_id, completion)
            .await
            .map_err(error::of)?;
        let sums = Sums::of(&stored.checksums);
        let shown = encryption::Shown::of(stored.encryption.as_ref());
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, convert::shown(&input.key, true))),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(convert::etag(&stored.etag)),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: convert::checksum_type_out(stored.checksum_type),
            version_id: convert::stored_version(stored.version),
            server_side_encryption: shown.algorithm,
            ssekms_key_id: shown.key,
            ..Default::default()
        }))
    }

    pub(super) async fn do_abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        self.vault
            .abort_upload(&who, &input.bucket, &input.key, &input.upload_id)
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    pub(super) async fn do_list_parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let marker = input.part_number_marker.unwrap_or(0);
        let after = u32::try_from(marker).map_err(|_| {
            convert::bad(
                S3ErrorCode::InvalidArgument,
                "part-number-marker cannot be negative",
            )
        })?;
        let max = convert::page(input.max_parts)?;
        let page = self
            .vault
            .list_parts(
                &who,
                &input.bucket,
                &input.key,
                &input.upload_id,
                (after > 0).then_some(after),
                max,
            )
            .await
            .map_err(error::of)?;
        let parts = page.parts.iter().map(part).collect();
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: algorithm(&page.upload),
            checksum_type: convert::checksum_type_out(page.upload.checksum_type),
            initiator: Some(initiator(&who)),
            owner: Some(owner(&who)),
            is_truncated: Some(page.next.is_some()),
            max_parts: i32::try_from(max).ok(),
            next_part_number_marker: page.next.and_then(|n| i32::try_from(n).ok()),
            part_number_marker: Some(marker),
            parts: Some(parts),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..Default::default()
        }))
    }

    pub(super) async fn do_list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let url = wants_url(input.encoding_type.as_ref())?;
        let max = convert::page(input.max_uploads)?;
        let query = UploadQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().filter(|d| !d.is_empty()),
            after: input
                .key_marker
                .clone()
                .filter(|k| !k.is_empty())
                .map(|key| (key, input.upload_id_marker.clone().filter(|u| !u.is_empty()))),
            max_uploads: max,
        };
        let page = self
            .vault
            .list_uploads(&who, &input.bucket, &query)
            .await
            .map_err(error::of)?;
        let shown = |text: &str| convert::shown(text, url);
        let uploads = page
            .uploads
            .iter()
            .map(|upload| dto::MultipartUpload {
                checksum_algorithm: algorithm(upload),
                checksum_type: convert::checksum_type_out(upload.checksum_type),
                initiated: Some(convert::timestamp(upload.created_at)),
                initiator: Some(initiator(&who)),
                key: Some(shown(&upload.key)),
                owner: Some(owner(&who)),
                storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
                upload_id: Some(upload.id.clone()),
            })
            .collect();
        let prefixes: Vec<_> = page
            .common_prefixes
            .iter()
            .map(|p| dto::CommonPrefix {
                prefix: Some(shown(p)),
            })
            .collect();
        let is_truncated = page.next.is_some();
        let (next_key, next_upload) = page.next.unzip();
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            common_prefixes: (!prefixes.is_empty()).then_some(prefixes),
            delimiter: input.delimiter.as_deref().map(shown),
            encoding_type: input.encoding_type,
            is_truncated: Some(is_truncated),
            key_marker: input.key_marker.as_deref().map(shown),
            max_uploads: i32::try_from(max).ok(),
            next_key_marker: next_key.as_deref().map(shown),
            next_upload_id_marker: next_upload.flatten(),
            prefix: input.prefix.as_deref().map(shown),
            upload_id_marker: input.upload_id_marker,
            uploads: Some(uploads),
            ..Default::default()
        }))
    }

    pub(super) async fn do_get_object_attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let target = (input.key.as_str(), convert::version(input.version_id.as_deref())?);
        let (info, parts) = self
            .vault
            .object_parts(&who, &input.bucket, target)
            .await
            .map_err(error::of)?;
        // SDKs send one header with commas, which s3s takes for one attribute.
        let wants = |name: &str| {
            input
                .object_attributes
                .iter()
                .any(|list| list.as_str().split(',').any(|a| a.trim() == name))
        };
        let sums = Sums::of(&info.checksums);
        let checksum = dto::Checksum {
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: convert::checksum_type_out(info.checksum_type),
        };
        let object_parts = if wants(ObjectAttributes::OBJECT_PARTS) && info.parts.is_some() {
            Some(attribute_parts(
                &parts,
                input.part_number_marker,
                input.max_parts,
            )?)
        } else {
            None
        };
        Ok(S3Response::new(GetObjectAttributesOutput {
            checksum: wants(ObjectAttributes::CHECKSUM).then_some(checksum),
            // Without quotes here, and only here.
            e_tag: wants(ObjectAttributes::ETAG).then(|| convert::etag(&info.etag)),
            last_modified: Some(convert::timestamp(info.last_modified)),
            object_parts,
            object_size: wants(ObjectAttributes::OBJECT_SIZE)
                .then(|| i64::try_from(info.size).unwrap_or(i64::MAX)),
            storage_class: wants(ObjectAttributes::STORAGE_CLASS)
                .then(|| StorageClass::from_static(StorageClass::STANDARD)),
            version_id: info.version.map(convert::version_out),
            ..Default::default()
        }))
    }
}

fn attribute_parts(
    parts: &[PartInfo],
    marker: Option<i32>,
    max: Option<i32>,
) -> S3Result<GetObjectAttributesParts> {
    let after = marker.unwrap_or(0);
    let max = convert::page(max)?;
    let number = |p: &PartInfo| i32::try_from(p.number).unwrap_or(i32::MAX);
    let mut page: Vec<_> = parts.iter().filter(|p| number(p) > after).collect();
    let more = page.len() > max as usize;
    page.truncate(max as usize);
    let listed = page.iter().map(|p| {
        let sums = Sums::of(&p.checksums);
        dto::ObjectPart {
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            part_number: Some(number(p)),
            size: i64::try_from(p.size).ok(),
        }
    });
    Ok(GetObjectAttributesParts {
        is_truncated: Some(more),
        max_parts: i32::try_from(max).ok(),
        next_part_number_marker: page.last().map(|p| number(p)),
        part_number_marker: Some(after),
        total_parts_count: i32::try_from(parts.len()).ok(),
        parts: Some(listed.collect()),
    })
}

/// `bytes=first-last`, both given: S3 takes no other form here.
fn copy_range(text: &str) -> S3Result<Range> {
    let parse = || {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some(Range::FromTo(first, last))
    };
    parse().ok_or_else(|| {
        convert::bad(
            S3ErrorCode::InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy",
        )
    })
}

fn completed(part: dto::CompletedPart) -> S3Result<CompletedPart> {
    let malformed = || {
        convert::bad(
            S3ErrorCode::MalformedXML,
            "each part needs a PartNumber and an ETag",
        )
    };
    let sums = Sums {
        crc32: part.checksum_crc32,
        crc32c: part.checksum_crc32c,
        crc64nvme: part.checksum_crc64nvme,
        sha1: part.checksum_sha1,
        sha256: part.checksum_sha256,
    };
    Ok(CompletedPart {
        number: convert::part_number(part.part_number.ok_or_else(malformed)?)?,
        etag: part.e_tag.ok_or_else(malformed)?.into_value(),
        checksums: sums.into_checksums()?,
    })
}

fn part(part: &PartInfo) -> dto::Part {
    let sums = Sums::of(&part.checksums);
    dto::Part {
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        e_tag: Some(convert::etag(&part.etag)),
        last_modified: Some(convert::timestamp(part.last_modified)),
        part_number: i32::try_from(part.number).ok(),
        size: i64::try_from(part.size).ok(),
    }
}

fn algorithm(upload: &UploadInfo) -> Option<DtoAlgorithm> {
    upload
        .checksum
        .map(|a: ChecksumAlgorithm| DtoAlgorithm::from_static(a.name()))
}

fn initiator(who: &Principal) -> dto::Initiator {
    dto::Initiator {
        display_name: Some(who.tenant().to_string()),
        id: Some(who.tenant().to_string()),
    }
}
