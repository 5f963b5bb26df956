//! Operations on objects, but for reading them.

use futures::{Stream, StreamExt as _};
use hyper::HeaderMap;
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput,
        DeleteObjectOutput, DeleteObjectTaggingInput, DeleteObjectTaggingOutput, DeleteObjectsInput,
        DeleteObjectsOutput, GetObjectTaggingInput, GetObjectTaggingOutput, MetadataDirective,
        PutObjectInput, PutObjectOutput, PutObjectTaggingInput, PutObjectTaggingOutput, StreamingBlob,
        TaggingDirective,
    },
};

use super::{
    Face, convert,
    convert::Sums,
    error,
    fault::{BodyFault, FaultSlot},
    limits::KEYS_MAX,
};
use crate::vault::{ChecksumAlgorithm, CopyOptions, Deletion, EtagMatch, Placement, PutOptions, Tags};

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
