//! Reading objects: GET and HEAD, which answer alike but for the body.

use casework::ids::RegionId;
use hyper::HeaderMap;
use s3s::{
    S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, ChecksumMode, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, StreamingBlob,
    },
};

use super::{Face, convert, convert::Sums, encryption, error, lock};
use crate::vault::{ObjectInfo, Principal, ResolvedRange, Target};

/// What S3 says of a body that came without a type.
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// The region whose copy of the object is asked for; without it, the object is read where it lies.
const COPY_IN: &str = "x-amparo-copy-in";

/// What is read, as both requests name it.
struct Asked<'a> {
    who: &'a Principal,
    bucket: &'a str,
    target: Target<'a>,
    part: Option<i32>,
    mode: Option<&'a ChecksumMode>,
}

/// What both answers derive from the object.
struct Shown {
    length: i64,
    range: Option<String>,
    parts: Option<i32>,
    sums: Sums,
    checksum_type: Option<dto::ChecksumType>,
    encryption: encryption::Shown,
    lock: (
        Option<dto::ObjectLockMode>,
        Option<dto::Timestamp>,
        Option<dto::ObjectLockLegalHoldStatus>,
    ),
    expiration: Option<String>,
}

/// The fields that both answers have.
macro_rules! answer {
    ($output:ident, $info:expr, $shown:expr, { $($field:ident: $value:expr),* $(,)? }) => {
        $output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: $info.headers.cache_control,
            checksum_crc32: $shown.sums.crc32,
            checksum_crc32c: $shown.sums.crc32c,
            checksum_crc64nvme: $shown.sums.crc64nvme,
            checksum_sha1: $shown.sums.sha1,
            checksum_sha256: $shown.sums.sha256,
            checksum_type: $shown.checksum_type,
            content_disposition: $info.headers.content_disposition,
            content_encoding: $info.headers.content_encoding,
            content_language: $info.headers.content_language,
            content_length: Some($shown.length),
            content_range: $shown.range,
            content_type: $info.headers.content_type.or_else(|| Some(DEFAULT_CONTENT_TYPE.to_owned())),
            e_tag: Some(convert::etag(&$info.etag)),
            last_modified: Some(convert::timestamp($info.last_modified)),
            metadata: Some($info.user_metadata.into_iter().collect()),
            parts_count: $shown.parts,
            expiration: $shown.expiration,
            object_lock_legal_hold_status: $shown.lock.2,
            object_lock_mode: $shown.lock.0,
            object_lock_retain_until_date: $shown.lock.1,
            server_side_encryption: $shown.encryption.algorithm,
            ssekms_key_id: $shown.encryption.key,
            version_id: $info.version.map(convert::version_out),
            $($field: $value,)*
            ..Default::default()
        }
    };
}

impl Face {
    pub(super) async fn do_get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let copy_in = copy_in(&request.headers)?;
        let input = request.input;
        let target = Target {
            key: &input.key,
            version: convert::version(input.version_id.as_deref())?,
            copy_in: copy_in.as_ref(),
        };
        let range = convert::range(input.range, input.part_number)?;
        let conditions = convert::conditions(
            input.if_match,
            input.if_none_match,
            input.if_modified_since.as_ref(),
            input.if_unmodified_since.as_ref(),
        );
        let download = self
            .vault
            .get(&who, &input.bucket, target, range, &conditions)
            .await
            .map_err(error::of)?;
        let info = download.info;
        let asked = Asked {
            who: &who,
            bucket: &input.bucket,
            target,
            part: input.part_number,
            mode: input.checksum_mode.as_ref(),
        };
        let shown = self.shown(&asked, &info, download.range).await?;
        let headers = expires_header(&info, input.response_expires.is_some());
        let output = answer!(GetObjectOutput, info, shown, {
            body: Some(StreamingBlob::wrap(download.body)),
            tag_count: i32::try_from(info.tag_count).ok().filter(|n| *n > 0),
        });
        Ok(S3Response::with_headers(output, headers))
    }

    pub(super) async fn do_head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let who = self.caller_at(&request, &request.input.bucket).await?;
        let copy_in = copy_in(&request.headers)?;
        let input = request.input;
        let target = Target {
            key: &input.key,
            version: convert::version(input.version_id.as_deref())?,
            copy_in: copy_in.as_ref(),
        };
        let conditions = convert::conditions(
            input.if_match,
            input.if_none_match,
            input.if_modified_since.as_ref(),
            input.if_unmodified_since.as_ref(),
        );
        let (info, range) = match convert::range(input.range, input.part_number)? {
            None => {
                let info = self
                    .vault
                    .head(&who, &input.bucket, target, &conditions)
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
                .head_range(&who, &input.bucket, target, range, &conditions)
                .await
                .map_err(error::of)?,
        };
        let asked = Asked {
            who: &who,
            bucket: &input.bucket,
            target,
            part: input.part_number,
            mode: input.checksum_mode.as_ref(),
        };
        let shown = self.shown(&asked, &info, range).await?;
        let mut headers = expires_header(&info, input.response_expires.is_some());
        if info.tag_count > 0 {
            headers.insert("x-amz-tagging-count", info.tag_count.into());
        }
        let mut response = S3Response::with_headers(answer!(HeadObjectOutput, info, shown, {}), headers);
        response.status = range.partial.then_some(hyper::StatusCode::PARTIAL_CONTENT);
        Ok(response)
    }

    async fn shown(&self, asked: &Asked<'_>, info: &ObjectInfo, range: ResolvedRange) -> S3Result<Shown> {
        let wanted = asked
            .mode
            .is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
        let sums = match (asked.part, info.parts) {
            (Some(number), Some(_)) if wanted => Some(
                self.part_sums(asked.who, asked.bucket, asked.target, number)
                    .await?,
            ),
            // A whole object's checksum beside a part of it makes every SDK fail the download.
            _ if wanted && !range.partial => Some(Sums::of(&info.checksums)),
            _ => None,
        };
        let last = range.end.saturating_sub(1);
        Ok(Shown {
            length: i64::try_from(range.length()).unwrap_or(i64::MAX),
            range: range
                .partial
                .then(|| format!("bytes {}-{last}/{}", range.start, info.size)),
            parts: asked.part.and(info.parts).and_then(|n| i32::try_from(n).ok()),
            checksum_type: sums
                .is_some()
                .then(|| convert::checksum_type_out(info.checksum_type))
                .flatten(),
            sums: sums.unwrap_or_default(),
            encryption: encryption::Shown::of(info.encryption.as_ref()),
            lock: lock::shown(&info.lock),
            expiration: self
                .expiration(
                    asked.who,
                    asked.bucket,
                    asked.target.key,
                    info.size,
                    info.last_modified,
                )
                .await,
        })
    }

    /// The checksums of one part of a multipart object.
    async fn part_sums(
        &self,
        who: &Principal,
        bucket: &str,
        target: Target<'_>,
        number: i32,
    ) -> S3Result<Sums> {
        let (_, parts) = self
            .vault
            .object_parts(who, bucket, target)
            .await
            .map_err(error::of)?;
        let part = parts.iter().find(|p| i64::from(p.number) == i64::from(number));
        Ok(part.map(|p| Sums::of(&p.checksums)).unwrap_or_default())
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

/// The region named by [`COPY_IN`].
fn copy_in(headers: &HeaderMap) -> S3Result<Option<RegionId>> {
    let Some(value) = headers.get(COPY_IN) else {
        return Ok(None);
    };
    let region = value.to_str().ok().and_then(|text| text.parse().ok());
    let message = "x-amparo-copy-in does not name a region";
    region
        .map(Some)
        .ok_or_else(|| convert::bad(S3ErrorCode::InvalidArgument, message))
}
