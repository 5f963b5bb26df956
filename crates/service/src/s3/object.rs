//! Operations on objects.

use futures::{Stream, StreamExt as _};
use hyper::HeaderMap;
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, ChecksumMode, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectTaggingInput, DeleteObjectTaggingOutput,
        DeleteObjectsInput, DeleteObjectsOutput, GetObjectInput, GetObjectOutput, GetObjectTaggingInput,
        GetObjectTaggingOutput, HeadObjectInput, HeadObjectOutput, MetadataDirective, PutObjectInput,
        PutObjectOutput, PutObjectTaggingInput, PutObjectTaggingOutput, StreamingBlob, TaggingDirective,
    },
};

use super::{
    Face, convert,
    convert::Sums,
    error,
    fault::{BodyFault, FaultSlot},
    limits::KEYS_MAX,
};
use crate::vault::{
    ChecksumAlgorithm, CopyOptions, Deletion, EtagMatch, ObjectInfo, Placement, Principal, PutOptions,
    ResolvedRange, Tags,
};

/// What S3 says of a body that came without a type.
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

impl Face {
    pub(super) async fn do_put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let faults = request.extensions.get::<FaultSlot>().cloned().unwrap_or_default();
        let sums = convert::body_checksums(&request.headers, request.trailing_headers, &faults)?;
        let input = request.input;
        let asked = input
            .checksum_algorithm
            .as_ref()
            .map(|a| convert::algorithm(a.as_str()))
            .transpose()?;
        let none_sent = sums.headers.is_empty() && sums.trailer_algorithms.is_empty();
        let options = PutOptions {
            headers: convert::content_headers(&request.headers),
            user_metadata: input.metadata.unwrap_or_default().into_iter().collect(),
            tags: convert::tags(input.tagging.as_deref())?,
            placement: Placement::default(),
            content_length: length(input.content_length)?,
            content_md5: convert::content_md5(input.content_md5.as_deref())?,
            checksums: sums.headers,
            compute: none_sent.then(|| asked.unwrap_or(ChecksumAlgorithm::Crc64Nvme)),
            trailer_algorithms: sums.trailer_algorithms,
            trailer: sums.trailer,
            conditions: convert::write_conditions(input.if_match, input.if_none_match),
        };
        let stored = self
            .vault
            .put(&who, &input.bucket, &input.key, options, body(input.body, faults))
            .await
            .map_err(error::of)?;
        let sums = Sums::of(&stored.checksums);
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(convert::etag(&stored.etag)),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: convert::checksum_type_out(stored.checksum_type),
            server_side_encryption: convert::encryption(),
            ..Default::default()
        }))
    }

    pub(super) async fn do_get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        convert::unversioned(input.version_id.as_deref())?;
        let range = convert::range(input.range, input.part_number)?;
        let conditions = convert::conditions(
            input.if_match,
            input.if_none_match,
            input.if_modified_since.as_ref(),
            input.if_unmodified_since.as_ref(),
        );
        let download = self
            .vault
            .get(&who, &input.bucket, &input.key, range, &conditions)
            .await
            .map_err(error::of)?;
        let (info, resolved) = (download.info, download.range);
        let mut shown = Shown::of(&info, resolved, input.checksum_mode.as_ref());
        if let (Some(number), Some(_), true) = (
            input.part_number,
            info.parts,
            wants_sums(input.checksum_mode.as_ref()),
        ) {
            shown.sums = self.part_sums(&who, &input.bucket, &input.key, number).await?;
            shown.checksum_type = convert::checksum_type_out(info.checksum_type);
        }
        let headers = expires_header(&info, input.response_expires.is_some());
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(StreamingBlob::wrap(download.body)),
            cache_control: info.headers.cache_control,
            checksum_crc32: shown.sums.crc32,
            checksum_crc32c: shown.sums.crc32c,
            checksum_crc64nvme: shown.sums.crc64nvme,
            checksum_sha1: shown.sums.sha1,
            checksum_sha256: shown.sums.sha256,
            checksum_type: shown.checksum_type,
            content_disposition: info.headers.content_disposition,
            content_encoding: info.headers.content_encoding,
            content_language: info.headers.content_language,
            content_length: Some(shown.length),
            content_range: shown.range,
            content_type: Some(
                info.headers
                    .content_type
                    .unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned()),
            ),
            e_tag: Some(convert::etag(&info.etag)),
            last_modified: Some(convert::timestamp(info.last_modified)),
            metadata: Some(info.user_metadata.into_iter().collect()),
            parts_count: input
                .part_number
                .and(info.parts)
                .and_then(|n| i32::try_from(n).ok()),
            server_side_encryption: convert::encryption(),
            tag_count: i32::try_from(info.tag_count).ok().filter(|n| *n > 0),
            ..Default::default()
        };
        Ok(S3Response::with_headers(output, headers))
    }

    pub(super) async fn do_head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        convert::unversioned(input.version_id.as_deref())?;
        let conditions = convert::conditions(
            input.if_match,
            input.if_none_match,
            input.if_modified_since.as_ref(),
            input.if_unmodified_since.as_ref(),
        );
        let (info, resolved) = match convert::range(input.range, input.part_number)? {
            None => {
                let info = self
                    .vault
                    .head(&who, &input.bucket, &input.key, &conditions)
                    .await
                    .map_err(error::of)?;
                let whole = ResolvedRange {
                    start: 0,
                    end: info.size,
                    partial: false,
                };
                (info, whole)
            }
            Some(range) => self
                .vault
                .head_range(&who, &input.bucket, &input.key, range, &conditions)
                .await
                .map_err(error::of)?,
        };
        let mut shown = Shown::of(&info, resolved, input.checksum_mode.as_ref());
        if let (Some(number), Some(_), true) = (
            input.part_number,
            info.parts,
            wants_sums(input.checksum_mode.as_ref()),
        ) {
            shown.sums = self.part_sums(&who, &input.bucket, &input.key, number).await?;
            shown.checksum_type = convert::checksum_type_out(info.checksum_type);
        }
        let mut headers = expires_header(&info, input.response_expires.is_some());
        if info.tag_count > 0 {
            headers.insert("x-amz-tagging-count", info.tag_count.into());
        }
        let status = resolved.partial.then_some(hyper::StatusCode::PARTIAL_CONTENT);
        let output = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: info.headers.cache_control,
            checksum_crc32: shown.sums.crc32,
            checksum_crc32c: shown.sums.crc32c,
            checksum_crc64nvme: shown.sums.crc64nvme,
            checksum_sha1: shown.sums.sha1,
            checksum_sha256: shown.sums.sha256,
            checksum_type: shown.checksum_type,
            content_disposition: info.headers.content_disposition,
            content_encoding: info.headers.content_encoding,
            content_language: info.headers.content_language,
            content_length: Some(shown.length),
            content_range: shown.range,
            content_type: Some(
                info.headers
                    .content_type
                    .unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned()),
            ),
            e_tag: Some(convert::etag(&info.etag)),
            last_modified: Some(convert::timestamp(info.last_modified)),
            metadata: Some(info.user_metadata.into_iter().collect()),
            parts_count: input
                .part_number
                .and(info.parts)
                .and_then(|n| i32::try_from(n).ok()),
            server_side_encryption: convert::encryption(),
            ..Default::default()
        };
        let mut response = S3Response::with_headers(output, headers);
        response.status = status;
        Ok(response)
    }

    /// The checksums of one part of a multipart object.
    async fn part_sums(&self, who: &Principal, bucket: &str, key: &str, number: i32) -> S3Result<Sums> {
        let (_, parts) = self
            .vault
            .object_parts(who, bucket, key)
            .await
            .map_err(error::of)?;
        let part = parts.iter().find(|p| i64::from(p.number) == i64::from(number));
        Ok(part.map(|p| Sums::of(&p.checksums)).unwrap_or_default())
    }

    pub(super) async fn do_copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let source = source(&input.copy_source)?;
        let replaces = |directive: Option<&str>| match directive {
            None | Some("COPY") => Ok(false),
            Some("REPLACE") => Ok(true),
            Some(_) => Err(convert::bad(
                S3ErrorCode::InvalidArgument,
                "a directive is COPY or REPLACE",
            )),
        };
        let metadata =
            replaces(input.metadata_directive.as_ref().map(MetadataDirective::as_str))?.then(|| {
                let metadata = input.metadata.unwrap_or_default().into_iter().collect();
                (convert::content_headers(&request.headers), metadata)
            });
        let tags = if replaces(input.tagging_directive.as_ref().map(TaggingDirective::as_str))? {
            Some(convert::tags(input.tagging.as_deref())?)
        } else {
            None
        };
        let options = CopyOptions {
            replace_metadata: metadata,
            replace_tags: tags,
            source_conditions: convert::conditions(
                input.copy_source_if_match,
                input.copy_source_if_none_match,
                input.copy_source_if_modified_since.as_ref(),
                input.copy_source_if_unmodified_since.as_ref(),
            ),
            // S3 gives `CopyObject` no conditions on its destination, but the headers mean the same everywhere.
            conditions: header_conditions(&request.headers),
            compute: input
                .checksum_algorithm
                .as_ref()
                .map(|a| convert::algorithm(a.as_str()))
                .transpose()?,
            placement: Placement::default(),
        };
        let stored = self
            .vault
            .copy(&who, source, (&input.bucket, &input.key), options)
            .await
            .map_err(error::of_copy)?;
        let sums = Sums::of(&stored.checksums);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                checksum_crc32: sums.crc32,
                checksum_crc32c: sums.crc32c,
                checksum_crc64nvme: sums.crc64nvme,
                checksum_sha1: sums.sha1,
                checksum_sha256: sums.sha256,
                checksum_type: convert::checksum_type_out(stored.checksum_type),
                e_tag: Some(convert::etag(&stored.etag)),
                last_modified: Some(convert::timestamp(stored.last_modified)),
            }),
            server_side_encryption: convert::encryption(),
            ..Default::default()
        }))
    }

    pub(super) async fn do_delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        convert::unversioned(input.version_id.as_deref())?;
        if input.if_match_last_modified_time.is_some() || input.if_match_size.is_some() {
            return Err(convert::bad(
                S3ErrorCode::NotImplemented,
                "deletes can be conditional on the ETag only; use If-Match",
            ));
        }
        self.vault
            .delete(
                &who,
                &input.bucket,
                &input.key,
                convert::etag_match(input.if_match),
            )
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    pub(super) async fn do_delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let asked = input.delete.objects;
        if asked.is_empty() || asked.len() > KEYS_MAX.unsigned_abs() as usize {
            return Err(convert::bad(
                S3ErrorCode::MalformedXML,
                "delete 1 to 1000 keys at a time",
            ));
        }
        let quiet = input.delete.quiet.unwrap_or(false);
        let mut errors = Vec::new();
        let mut deletions = Vec::new();
        for object in asked {
            let refused = convert::unversioned(object.version_id.as_deref())
                .err()
                .or_else(|| {
                    (object.last_modified_time.is_some() || object.size.is_some()).then(|| {
                        convert::bad(
                            S3ErrorCode::NotImplemented,
                            "deletes can be conditional on the ETag only",
                        )
                    })
                });
            match refused {
                Some(error) => errors.push(entry_error(object.key, &error)),
                None => {
                    let if_match = object.e_tag.map(|tag| EtagMatch::Tags(vec![tag.into_value()]));
                    deletions.push(Deletion {
                        key: object.key,
                        if_match,
                    });
                }
            }
        }
        let keys: Vec<_> = deletions.iter().map(|d| d.key.clone()).collect();
        let results = self
            .vault
            .delete_many(&who, &input.bucket, deletions)
            .await
            .map_err(error::of)?;
        let mut deleted = Vec::new();
        for (key, result) in keys.into_iter().zip(results) {
            match result {
                Ok(()) if quiet => {}
                Ok(()) => deleted.push(dto::DeletedObject {
                    key: Some(key),
                    ..Default::default()
                }),
                Err(error) => errors.push(entry_error(key, &error::of(error))),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            ..Default::default()
        }))
    }

    pub(super) async fn do_get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        convert::unversioned(input.version_id.as_deref())?;
        let tags = self
            .vault
            .tags(&who, &input.bucket, &input.key)
            .await
            .map_err(error::of)?;
        let mut tags = tags;
        tags.sort();
        let tag_set = tags
            .into_iter()
            .map(|(key, value)| dto::Tag {
                key: Some(key),
                value: Some(value),
            })
            .collect();
        Ok(S3Response::new(GetObjectTaggingOutput {
            tag_set,
            version_id: None,
        }))
    }

    pub(super) async fn do_put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        convert::unversioned(input.version_id.as_deref())?;
        let tags: Tags = input
            .tagging
            .tag_set
            .into_iter()
            .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
            .collect();
        self.vault
            .put_tags(&who, &input.bucket, &input.key, tags)
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(PutObjectTaggingOutput::default()))
    }

    pub(super) async fn do_delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        convert::unversioned(input.version_id.as_deref())?;
        self.vault
            .put_tags(&who, &input.bucket, &input.key, Tags::new())
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(DeleteObjectTaggingOutput::default()))
    }
}

/// The body on its way into the vault; what s3s finds wrong with it goes to the slot.
pub(super) fn body(
    body: Option<StreamingBlob>,
    faults: FaultSlot,
) -> impl Stream<Item = Result<bytes::Bytes, BodyFault>> + Send {
    futures::stream::iter(body)
        .flatten()
        .map(move |item| item.map_err(|error| faults.set(BodyFault::of_s3s(&*error))))
}

/// `Content-Length`.
pub(super) fn length(value: Option<i64>) -> S3Result<Option<u64>> {
    value
        .map(|v| {
            u64::try_from(v)
                .map_err(|_| convert::bad(S3ErrorCode::InvalidArgument, "a length cannot be negative"))
        })
        .transpose()
}

/// Bucket and key of a copy's source.
pub(super) fn source(source: &CopySource) -> S3Result<(&str, &str)> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => {
            convert::unversioned(version_id.as_deref())?;
            Ok((bucket, key))
        }
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => Err(convert::bad(
            S3ErrorCode::NotImplemented,
            "name a copy's source as bucket/key",
        )),
    }
}

fn header_conditions(headers: &HeaderMap) -> crate::vault::WriteConditions {
    let read = |name: &str| dto::ETagCondition::parse_http_header(headers.get(name)?.as_bytes()).ok();
    convert::write_conditions(read("if-match"), read("if-none-match"))
}

fn entry_error(key: String, error: &S3Error) -> dto::Error {
    dto::Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(key),
        message: error.message().map(str::to_owned),
        version_id: None,
    }
}

/// `Expires` goes back as it came, which s3s's own field cannot do for every value.
fn expires_header(info: &ObjectInfo, overridden: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(value) = info
        .headers
        .expires
        .as_deref()
        .filter(|_| !overridden)
        .and_then(|e| e.parse().ok())
    {
        headers.insert(hyper::header::EXPIRES, value);
    }
    headers
}

fn wants_sums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|m| m.as_str() == ChecksumMode::ENABLED)
}

/// What GET and HEAD derive alike.
struct Shown {
    length: i64,
    range: Option<String>,
    sums: Sums,
    checksum_type: Option<dto::ChecksumType>,
}

impl Shown {
    fn of(info: &ObjectInfo, range: ResolvedRange, mode: Option<&ChecksumMode>) -> Self {
        // A whole object's checksum beside a part of it makes every SDK fail the download.
        let wanted = !range.partial && wants_sums(mode);
        Self {
            length: i64::try_from(range.length()).unwrap_or(i64::MAX),
            range: range.partial.then(|| {
                format!(
                    "bytes {}-{}/{}",
                    range.start,
                    range.end.saturating_sub(1),
                    info.size
                )
            }),
            sums: if wanted {
                Sums::of(&info.checksums)
            } else {
                Sums::default()
            },
            checksum_type: if wanted {
                convert::checksum_type_out(info.checksum_type)
            } else {
                None
            },
        }
    }
}
