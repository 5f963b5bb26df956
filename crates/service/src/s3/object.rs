//! Operations on objects, but for reading them.

use futures::{Stream, StreamExt as _};
use hyper::HeaderMap;
use s3s::{
    S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectTaggingInput,
        DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput, MetadataDirective,
        PutObjectInput, PutObjectOutput, PutObjectTaggingInput, PutObjectTaggingOutput, StreamingBlob,
        TaggingDirective,
    },
};

use super::{
    Face, convert,
    convert::Sums,
    encryption, error,
    fault::{BodyFault, FaultSlot},
    lock,
};
use crate::vault::{ChecksumAlgorithm, CopyOptions, Placement, PutOptions, Source, Tags};

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
            lock: lock::asked(&request.headers)?,
            encryption: encryption::asked(&request.headers, &who)?,
        };
        let stored = self
            .vault
            .put(&who, &input.bucket, &input.key, options, body(input.body, faults))
            .await
            .map_err(error::of)?;
        let sums = Sums::of(&stored.checksums);
        let shown = encryption::Shown::of(stored.encryption.as_ref());
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(convert::etag(&stored.etag)),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: convert::checksum_type_out(stored.checksum_type),
            expiration: self
                .expiration(&who, &input.bucket, &input.key, stored.size, stored.last_modified)
                .await,
            server_side_encryption: shown.algorithm,
            ssekms_key_id: shown.key,
            version_id: convert::stored_version(stored.version),
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
            lock: lock::asked(&request.headers)?,
            encryption: encryption::asked(&request.headers, &who)?,
        };
        let (stored, copied) = self
            .vault
            .copy(&who, source, (&input.bucket, &input.key), options)
            .await
            .map_err(error::of_copy)?;
        let sums = Sums::of(&stored.checksums);
        let shown = encryption::Shown::of(stored.encryption.as_ref());
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
            copy_source_version_id: copied.map(convert::version_out),
            server_side_encryption: shown.algorithm,
            ssekms_key_id: shown.key,
            version_id: convert::stored_version(stored.version),
            ..Default::default()
        }))
    }

    pub(super) async fn do_get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let target = (input.key.as_str(), convert::version(input.version_id.as_deref())?);
        let (mut tags, version) = self
            .vault
            .tags(&who, &input.bucket, target)
            .await
            .map_err(error::of)?;
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
            version_id: version.map(convert::version_out),
        }))
    }

    pub(super) async fn do_put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let version = convert::version(input.version_id.as_deref())?;
        let tags: Tags = input
            .tagging
            .tag_set
            .into_iter()
            .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
            .collect();
        let version = self
            .vault
            .put_tags(&who, &input.bucket, (input.key.as_str(), version), tags)
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(PutObjectTaggingOutput {
            version_id: version.map(convert::version_out),
        }))
    }

    pub(super) async fn do_delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let input = request.input;
        let version = convert::version(input.version_id.as_deref())?;
        let version = self
            .vault
            .put_tags(&who, &input.bucket, (input.key.as_str(), version), Tags::new())
            .await
            .map_err(error::of)?;
        Ok(S3Response::new(DeleteObjectTaggingOutput {
            version_id: version.map(convert::version_out),
        }))
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

/// A copy's source.
pub(super) fn source(source: &CopySource) -> S3Result<Source<'_>> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => Ok(Source {
            bucket,
            target: (&**key, convert::version(version_id.as_deref())?).into(),
        }),
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
