//! Between s3s's types and the vault's.

use std::time::SystemTime;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use casework::ids::ObjectId;
use hyper::{HeaderMap, header::HeaderValue};
use jiff::Timestamp;
use s3s::{
    S3Error, S3ErrorCode, S3Result, TrailingHeaders,
    dto::{self, ETag, ETagCondition, TimestampFormat},
};

use super::fault::{BodyFault, FaultSlot};
use crate::vault::{
    Checksum, ChecksumAlgorithm, ChecksumType, Conditions, ContentHeaders, EtagMatch, Range, Tags, Trailer,
    VersionId, WriteConditions,
};

/// All algorithms with the header or trailer that carries each.
pub(super) const CHECKSUM_HEADERS: [(ChecksumAlgorithm, &str); 5] = [
    (ChecksumAlgorithm::Crc32, "x-amz-checksum-crc32"),
    (ChecksumAlgorithm::Crc32C, "x-amz-checksum-crc32c"),
    (ChecksumAlgorithm::Crc64Nvme, "x-amz-checksum-crc64nvme"),
    (ChecksumAlgorithm::Sha1, "x-amz-checksum-sha1"),
    (ChecksumAlgorithm::Sha256, "x-amz-checksum-sha256"),
];

pub(super) fn bad(code: S3ErrorCode, text: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(code, text)
}

/// A moment as s3s writes it.
pub(super) fn timestamp(at: Timestamp) -> dto::Timestamp {
    SystemTime::from(at).into()
}

/// A moment as s3s read it; `None` outside the years that can be written.
pub(super) fn moment(at: &dto::Timestamp) -> Option<Timestamp> {
    let mut text = Vec::new();
    at.format(TimestampFormat::DateTime, &mut text).ok()?;
    std::str::from_utf8(&text).ok()?.parse().ok()
}

/// `Last-Modified` as RFC 9110 writes it.
pub(super) fn http_date(at: Timestamp) -> Option<HeaderValue> {
    let mut text = Vec::new();
    timestamp(at).format(TimestampFormat::HttpDate, &mut text).ok()?;
    HeaderValue::from_bytes(&text).ok()
}

/// A strong entity tag.
pub(super) fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

/// The condition of `If-Match` or `If-None-Match`. A weak tag compares by its value.
pub(super) fn etag_match(condition: Option<ETagCondition>) -> Option<EtagMatch> {
    Some(match condition? {
        ETagCondition::Any => EtagMatch::Any,
        ETagCondition::ETag(tag) => EtagMatch::Tags(vec![tag.into_value()]),
    })
}

/// The conditions of a write.
pub(super) fn write_conditions(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> WriteConditions {
    WriteConditions {
        if_match: etag_match(if_match),
        if_none_match: etag_match(if_none_match),
    }
}

/// The conditions of a read or of a copy's source.
pub(super) fn conditions(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<&dto::Timestamp>,
    if_unmodified_since: Option<&dto::Timestamp>,
) -> Conditions {
    Conditions {
        if_match: etag_match(if_match),
        if_none_match: etag_match(if_none_match),
        if_modified_since: if_modified_since.and_then(moment),
        if_unmodified_since: if_unmodified_since.and_then(moment),
    }
}

/// A range, or a part by number, but not both.
pub(super) fn range(range: Option<dto::Range>, part: Option<i32>) -> S3Result<Option<Range>> {
    match (range, part) {
        (None, None) => Ok(None),
        (
            Some(dto::Range::Int {
                first,
                last: Some(last),
            }),
            None,
        ) => Ok(Some(Range::FromTo(first, last))),
        (Some(dto::Range::Int { first, last: None }), None) => Ok(Some(Range::From(first))),
        (Some(dto::Range::Suffix { length }), None) => Ok(Some(Range::Last(length))),
        (None, Some(part)) => part_number(part).map(|n| Some(Range::Part(n))),
        (Some(_), Some(_)) => Err(bad(
            S3ErrorCode::InvalidRequest,
            "cannot specify both Range header and partNumber query parameter",
        )),
    }
}

/// A part number.
pub(super) fn part_number(number: i32) -> S3Result<u32> {
    u32::try_from(number)
        .ok()
        .filter(|_| (1..=super::limits::PARTS_MAX).contains(&number))
        .ok_or_else(|| bad(S3ErrorCode::InvalidArgument, "part numbers run from 1 to 10000"))
}

/// A page size: 1000 if none is given, never more.
pub(super) fn page(max: Option<i32>) -> S3Result<u32> {
    match max {
        None => Ok(super::limits::KEYS_MAX.unsigned_abs()),
        Some(max) => u32::try_from(max.min(super::limits::KEYS_MAX))
            .map_err(|_| bad(S3ErrorCode::InvalidArgument, "a page size cannot be negative")),
    }
}

/// `Content-MD5`.
pub(super) fn content_md5(value: Option<&str>) -> S3Result<Option<[u8; 16]>> {
    value
        .map(|text| {
            BASE64
                .decode(text)
                .ok()
                .and_then(|bytes| <[u8; 16]>::try_from(bytes).ok())
                .ok_or_else(|| {
                    bad(
                        S3ErrorCode::InvalidDigest,
                        "The Content-MD5 you specified was invalid.",
                    )
                })
        })
        .transpose()
}

/// An algorithm by S3's name.
pub(super) fn algorithm(name: &str) -> S3Result<ChecksumAlgorithm> {
    CHECKSUM_HEADERS
        .iter()
        .map(|(algorithm, _)| *algorithm)
        .find(|a| a.name().eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            bad(
                S3ErrorCode::InvalidRequest,
                "checksum algorithm provided is unsupported; use CRC32, CRC32C, CRC64NVME, SHA1 or SHA256",
            )
        })
}

/// What a multipart object's checksum covers.
pub(super) fn checksum_type(value: Option<&dto::ChecksumType>) -> S3Result<Option<ChecksumType>> {
    match value.map(dto::ChecksumType::as_str) {
        None => Ok(None),
        Some(dto::ChecksumType::COMPOSITE) => Ok(Some(ChecksumType::Composite)),
        Some(dto::ChecksumType::FULL_OBJECT) => Ok(Some(ChecksumType::FullObject)),
        Some(_) => Err(bad(
            S3ErrorCode::InvalidRequest,
            "a checksum type is COMPOSITE or FULL_OBJECT",
        )),
    }
}

pub(super) fn checksum_type_out(value: Option<ChecksumType>) -> Option<dto::ChecksumType> {
    value.map(|t| {
        dto::ChecksumType::from_static(match t {
            ChecksumType::Composite => dto::ChecksumType::COMPOSITE,
            ChecksumType::FullObject => dto::ChecksumType::FULL_OBJECT,
        })
    })
}

/// The checksums that a body comes with.
pub(super) struct BodyChecksums {
    /// In a header.
    pub headers: Vec<Checksum>,
    /// Announced for the trailer.
    pub trailer_algorithms: Vec<ChecksumAlgorithm>,
    /// Reads the trailer.
    pub trailer: Option<Trailer>,
}

/// Reads them from the request's headers.
pub(super) fn body_checksums(
    headers: &HeaderMap,
    trailers: Option<TrailingHeaders>,
    faults: &FaultSlot,
) -> S3Result<BodyChecksums> {
    let mut found = Vec::new();
    for (algorithm, name) in CHECKSUM_HEADERS {
        let Some(value) = headers.get(name) else { continue };
        found.push(checksum(algorithm, value.to_str().unwrap_or_default(), name)?);
    }
    if found.len() > 1 {
        return Err(bad(
            S3ErrorCode::InvalidRequest,
            "expecting a single x-amz-checksum- header; multiple checksum types are not allowed",
        ));
    }
    let announced = headers
        .get("x-amz-trailer")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let trailer_algorithms: Vec<_> = CHECKSUM_HEADERS
        .into_iter()
        .filter(|(_, name)| announced.split(',').any(|a| a.trim().eq_ignore_ascii_case(name)))
        .map(|(algorithm, _)| algorithm)
        .collect();
    let (expected, faults) = (trailer_algorithms.clone(), faults.clone());
    let trailer =
        trailers.map(|t| -> Trailer { Box::new(move || trailer_checksums(&t, &expected, &faults)) });
    Ok(BodyChecksums {
        headers: found,
        trailer_algorithms,
        trailer,
    })
}

/// The checksums that came in the trailer. One that was announced and did not come reads as empty, which nothing matches.
fn trailer_checksums(
    trailers: &TrailingHeaders,
    expected: &[ChecksumAlgorithm],
    faults: &FaultSlot,
) -> Vec<Checksum> {
    let value = |name: &str| {
        trailers
            .read(|map| Some(map.get(name)?.to_str().ok()?.to_owned()))
            .flatten()
    };
    CHECKSUM_HEADERS
        .into_iter()
        .filter(|(algorithm, _)| expected.contains(algorithm))
        .map(|(algorithm, name)| {
            let value = value(name).unwrap_or_else(|| {
                faults.set(BodyFault::TrailerMissing);
                String::new()
            });
            Checksum { algorithm, value }
        })
        .collect()
}

fn checksum(algorithm: ChecksumAlgorithm, value: &str, header: &str) -> S3Result<Checksum> {
    let length = match algorithm {
        ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32C => 4,
        ChecksumAlgorithm::Crc64Nvme => 8,
        ChecksumAlgorithm::Sha1 => 20,
        ChecksumAlgorithm::Sha256 => 32,
    };
    // A composite value ends in `-N`.
    let digits = value.split('-').next().unwrap_or_default();
    if BASE64.decode(digits).is_ok_and(|bytes| bytes.len() == length) {
        return Ok(Checksum {
            algorithm,
            value: value.to_owned(),
        });
    }
    Err(bad(
        S3ErrorCode::BadDigest,
        format!("value for {header} header is invalid"),
    ))
}

/// The five optional fields in which s3s carries checksums.
#[derive(Debug, Default, Clone)]
pub(super) struct Sums {
    pub crc32: Option<String>,
    pub crc32c: Option<String>,
    pub crc64nvme: Option<String>,
    pub sha1: Option<String>,
    pub sha256: Option<String>,
}

impl Sums {
    /// For an answer.
    pub(super) fn of(checksums: &[Checksum]) -> Self {
        let mut sums = Self::default();
        for checksum in checksums {
            let value = Some(checksum.value.clone());
            match checksum.algorithm {
                ChecksumAlgorithm::Crc32 => sums.crc32 = value,
                ChecksumAlgorithm::Crc32C => sums.crc32c = value,
                ChecksumAlgorithm::Crc64Nvme => sums.crc64nvme = value,
                ChecksumAlgorithm::Sha1 => sums.sha1 = value,
                ChecksumAlgorithm::Sha256 => sums.sha256 = value,
            }
        }
        sums
    }

    /// From a request.
    pub(super) fn into_checksums(self) -> S3Result<Vec<Checksum>> {
        let values = [self.crc32, self.crc32c, self.crc64nvme, self.sha1, self.sha256];
        CHECKSUM_HEADERS
            .into_iter()
            .zip(values)
            .filter_map(|((algorithm, name), value)| Some(checksum(algorithm, &value?, name)))
            .collect()
    }
}

/// The standard headers that are kept with an object.
pub(super) fn content_headers(headers: &HeaderMap) -> ContentHeaders {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned()).filter(|v| !v.is_empty());
    let encoding = text("content-encoding").and_then(|value| {
        let is_transfer = |e: &str| e.trim().eq_ignore_ascii_case("aws-chunked");
        if !value.split(',').any(is_transfer) {
            return Some(value);
        }
        // `aws-chunked` describes the transfer alone.
        let kept: Vec<_> = value
            .split(',')
            .filter(|e| !is_transfer(e))
            .map(str::trim)
            .collect();
        (!kept.is_empty()).then(|| kept.join(", "))
    });
    ContentHeaders {
        content_type: text("content-type"),
        content_encoding: encoding,
        content_language: text("content-language"),
        content_disposition: text("content-disposition"),
        cache_control: text("cache-control"),
        expires: text("expires"),
    }
}

/// `x-amz-tagging`: tags as a query string.
pub(super) fn tags(text: Option<&str>) -> S3Result<Tags> {
    let bad_tags = || {
        bad(
            S3ErrorCode::InvalidArgument,
            "the header `x-amz-tagging` shall be encoded as UTF-8 then URLEncoded",
        )
    };
    text.unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((
                url_decode(key).ok_or_else(bad_tags)?,
                url_decode(value).ok_or_else(bad_tags)?,
            ))
        })
        .collect()
}

fn url_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                out.push(hex::decode(digits).ok()?.pop()?);
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

/// A key or prefix as a listing shows it: percent-encoded when the client asks for it, for XML cannot hold every key.
pub(super) fn shown(text: &str, url: bool) -> String {
    if !url {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// A version by its name: `null`, or the 32 hex digits of its id.
pub(super) fn version(text: Option<&str>) -> S3Result<Option<VersionId>> {
    match text {
        None | Some("") => Ok(None),
        Some("null") => Ok(Some(VersionId::Null)),
        Some(text) => match hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => Ok(Some(VersionId::Id(ObjectId(uuid::Uuid::from_bytes(bytes))))),
            None => Err(bad(S3ErrorCode::InvalidArgument, "Invalid version id specified")),
        },
    }
}

/// The name of a version just stored; none where versions are suspended, for it has no id of its own.
pub(super) fn stored_version(version: Option<VersionId>) -> Option<String> {
    version.filter(|v| *v != VersionId::Null).map(version_out)
}

/// A version's name.
pub(super) fn version_out(version: VersionId) -> String {
    match version {
        VersionId::Null => "null".to_owned(),
        VersionId::Id(id) => id.0.simple().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_decoded() {
        assert_eq!(
            tags(Some("a=1&b+c=%C3%A9%26&d")).unwrap(),
            [
                ("a".into(), "1".into()),
                ("b c".into(), "é&".into()),
                ("d".into(), String::new())
            ]
        );
        assert!(tags(Some("a=%zz")).is_err());
        assert!(tags(Some("a=%ff")).is_err());
        assert!(tags(Some("a=%f")).is_err());
    }

    #[test]
    fn keys_survive_url_encoding() {
        let key = "a b/ü+%\u{1}\n.txt";
        let shown = shown(key, true);
        assert_eq!(shown, "a%20b/%C3%BC%2B%25%01%0A.txt");
        assert_eq!(url_decode(&shown).unwrap(), key);
    }

    #[test]
    fn the_transfer_encoding_is_not_kept() {
        let encoding = |value: &str| {
            let map = HeaderMap::from_iter([(hyper::header::CONTENT_ENCODING, value.parse().unwrap())]);
            content_headers(&map).content_encoding
        };
        assert_eq!(encoding("aws-chunked"), None);
        assert_eq!(encoding("aws-chunked, gzip").as_deref(), Some("gzip"));
        assert_eq!(
            encoding("deflate,aws-chunked, gzip").as_deref(),
            Some("deflate, gzip")
        );
        assert_eq!(encoding("deflate,gzip").as_deref(), Some("deflate,gzip"));
    }

    #[test]
    fn moments_go_both_ways() {
        let at: Timestamp = "2026-11-21T22:00:01Z".parse().unwrap();
        assert_eq!(moment(&timestamp(at)), Some(at));
        assert_eq!(http_date(at).unwrap(), "Sat, 21 Nov 2026 22:00:01 GMT");
    }

    #[test]
    fn a_checksum_has_its_algorithms_length() {
        let map = |name: &'static str, value: &str| {
            HeaderMap::from_iter([(
                hyper::header::HeaderName::from_static(name),
                value.parse().unwrap(),
            )])
        };
        assert!(
            body_checksums(
                &map("x-amz-checksum-crc32", "DUoRhQ=="),
                None,
                &FaultSlot::default()
            )
            .is_ok()
        );
        assert!(
            body_checksums(
                &map("x-amz-checksum-sha256", "DUoRhQ=="),
                None,
                &FaultSlot::default()
            )
            .is_err()
        );
        assert!(body_checksums(&map("x-amz-checksum-crc32", "???"), None, &FaultSlot::default()).is_err());
        let announced = body_checksums(
            &map("x-amz-trailer", "X-Amz-Checksum-CRC64NVME"),
            None,
            &FaultSlot::default(),
        )
        .unwrap();
        assert_eq!(announced.trailer_algorithms, [ChecksumAlgorithm::Crc64Nvme]);
    }
}
