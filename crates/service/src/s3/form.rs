//! Browser form uploads. A form's policy says what may be uploaded, until when, and the customer's server signs it; the
//! browser needs no key. The protocol library verifies the policy and its conditions; what it leaves to us is here: a
//! bound on memory, for it holds the whole form; and the signature of a version 2 policy, which it compares in a time
//! that depends on the secret. Only policies may be signed with version 2: each states its own end and its bucket.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use hyper::{HeaderMap, Method};
use memchr::memmem::{self, Finder};
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{PostObjectInput, PostObjectOutput},
};
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use super::{
    Face, convert,
    convert::Sums,
    encryption, error,
    fault::FaultSlot,
    intake::Intake,
    limits::{FORM_BYTES_MAX, FORM_FIELD_BYTES_MAX},
    lock, object, refuse,
};
use crate::vault::{ChecksumAlgorithm, Placement, PutOptions, Tags, Vault};

/// Longest boundary in characters (RFC 2046).
const BOUNDARY_CHARS_MAX: usize = 70;

/// Whether a request brings a form: what the protocol library takes for one.
pub(super) fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::POST && parameters(headers).is_some()
}

/// The parameters of a form's content type.
fn parameters(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(hyper::header::CONTENT_TYPE)?.to_str().ok()?;
    let (kind, parameters) = text.split_once(';').unwrap_or((text, ""));
    kind.trim()
        .eq_ignore_ascii_case("multipart/form-data")
        .then_some(parameters)
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let value = parameters(headers)?.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    let boundary = value.trim_matches('"');
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&c);
    let good = (1..=BOUNDARY_CHARS_MAX).contains(&boundary.len()) && boundary.bytes().all(allowed);
    good.then(|| boundary.to_owned())
}

/// Reads a form whole and checks the signature of a version 2 policy.
pub(super) async fn admit<B>(
    vault: &Vault,
    headers: &HeaderMap,
    mut body: Intake<B>,
    faults: &FaultSlot,
) -> Result<Bytes, S3Error>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    let boundary = boundary(headers).ok_or_else(|| {
        convert::bad(
            S3ErrorCode::MalformedPOSTRequest,
            "a form's Content-Type names a boundary of 1 to 70 characters",
        )
    })?;
    let mut form = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| {
            faults.get().map_or_else(
                || S3Error::new(S3ErrorCode::IncompleteBody),
                |fault| fault.to_s3_error(),
            )
        })?;
        if form.len() + piece.len() > FORM_BYTES_MAX {
            return Err(convert::bad(
                S3ErrorCode::EntityTooLarge,
                "a form is 16 MiB long at most; use PUT with a presigned URL",
            ));
        }
        form.extend_from_slice(&piece);
    }
    let form = form.freeze();
    let read = form.clone();
    let fields = tokio::task::spawn_blocking(move || Fields::read(&read, &boundary));
    let fields = fields
        .await
        .map_err(|_| S3Error::new(S3ErrorCode::InternalError))?;
    match (fields.key, fields.signature, fields.policy) {
        (Some(key), Some(signature), Some(policy)) => {
            let known = vault.credential(&key).await.map_err(error::of)?;
            let known = known.ok_or_else(|| {
                convert::bad(
                    S3ErrorCode::InvalidAccessKeyId,
                    "the access key id you provided does not exist, or is disabled",
                )
            })?;
            let expected = sign_v2(known.secret.as_bytes(), policy.as_bytes());
            if !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
                return Err(convert::bad(
                    S3ErrorCode::SignatureDoesNotMatch,
                    "the signature of the form's policy does not match",
                ));
            }
        }
        (None, None, _) => {}
        _ => {
            return Err(convert::bad(
                S3ErrorCode::InvalidArgument,
                "Bucket POST must contain fields named 'AWSAccessKeyId', 'policy' and 'signature', or none of them",
            ));
        }
    }
    Ok(form)
}

/// `base64(HMAC-SHA1(secret, policy))`, RFC 2104.
fn sign_v2(secret: &[u8], policy: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    const BLOCK: usize = 64;
    let mut key = zeroize::Zeroizing::new([0_u8; BLOCK]);
    if secret.len() > BLOCK {
        let digest: [u8; 20] = Sha1::digest(secret).into();
        key.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    } else {
        key.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
    }
    let padded = |byte: u8| zeroize::Zeroizing::new(key.map(|k| k ^ byte));
    let inner = Sha1::new()
        .chain_update(*padded(0x36))
        .chain_update(policy)
        .finalize();
    let outer = Sha1::new()
        .chain_update(*padded(0x5c))
        .chain_update(inner)
        .finalize();
    STANDARD.encode(outer)
}

/// The fields of a form that a version 2 signature is made of.
#[derive(Debug, Default)]
struct Fields {
    key: Option<String>,
    signature: Option<String>,
    policy: Option<String>,
}

impl Fields {
    /// Reads them in one pass, in a time linear in the form's length. Of two of a name the last counts, as it does for the
    /// protocol library. What follows the file is not part of the form.
    fn read(form: &[u8], boundary: &str) -> Self {
        let mut fields = Self::default();
        let delimiter = format!("\r\n--{boundary}");
        let delimiter = Finder::new(&delimiter);
        let head_end = Finder::new(b"\r\n\r\n");
        let first = format!("--{boundary}");
        let mut rest = memmem::find(form, first.as_bytes()).and_then(|at| form.get(at + first.len()..));
        while let Some((head, body)) = rest.and_then(|rest| split(rest, &head_end)) {
            let Some((value, next)) = split(body, &delimiter) else {
                break;
            };
            rest = Some(next);
            let head = String::from_utf8_lossy(head);
            let name = head
                .split(';')
                .find_map(|parameter| parameter.trim().strip_prefix("name=\""))
                .and_then(|value| value.split('"').next())
                .unwrap_or_default()
                .to_ascii_lowercase();
            let field = match name.as_str() {
                "file" => break,
                "awsaccesskeyid" => &mut fields.key,
                "signature" => &mut fields.signature,
                "policy" => &mut fields.policy,
                _ => continue,
            };
            *field = Some(value)
                .filter(|value| value.len() <= FORM_FIELD_BYTES_MAX)
                .and_then(|value| String::from_utf8(value.to_vec()).ok());
        }
        fields
    }
}

/// What stands before and after the first place where something is found.
fn split<'a>(text: &'a [u8], at: &Finder<'_>) -> Option<(&'a [u8], &'a [u8])> {
    let (before, found) = text.split_at_checked(at.find(text)?)?;
    Some((before, found.get(at.needle().len()..)?))
}

/// The headers that a PUT of the same object would have had.
fn as_headers(input: &PostObjectInput) -> S3Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: Option<&str>| {
        let Some(value) = value else { return Ok(()) };
        let value = value.parse().map_err(|_| {
            convert::bad(
                S3ErrorCode::InvalidArgument,
                "a form's field cannot be kept as a header",
            )
        })?;
        headers.insert(name, value);
        Ok::<(), S3Error>(())
    };
    set("content-type", input.content_type.as_deref())?;
    set("content-encoding", input.content_encoding.as_deref())?;
    set("content-language", input.content_language.as_deref())?;
    set("content-disposition", input.content_disposition.as_deref())?;
    set("cache-control", input.cache_control.as_deref())?;
    set(
        "x-amz-acl",
        input.acl.as_ref().map(s3s::dto::ObjectCannedACL::as_str),
    )?;
    set(
        "x-amz-storage-class",
        input.storage_class.as_ref().map(s3s::dto::StorageClass::as_str),
    )?;
    set(
        "x-amz-website-redirect-location",
        input.website_redirect_location.as_deref(),
    )?;
    set("x-amz-grant-read", input.grant_read.as_deref())?;
    set("x-amz-grant-full-control", input.grant_full_control.as_deref())?;
    set("x-amz-grant-read-acp", input.grant_read_acp.as_deref())?;
    set("x-amz-grant-write-acp", input.grant_write_acp.as_deref())?;
    set(
        "x-amz-server-side-encryption-customer-algorithm",
        input.sse_customer_algorithm.as_deref(),
    )?;
    set(
        "x-amz-server-side-encryption-customer-key",
        input.sse_customer_key.as_deref(),
    )?;
    set(
        "x-amz-server-side-encryption",
        input
            .server_side_encryption
            .as_ref()
            .map(s3s::dto::ServerSideEncryption::as_str),
    )?;
    set(
        "x-amz-server-side-encryption-aws-kms-key-id",
        input.ssekms_key_id.as_deref(),
    )?;
    set(
        "x-amz-server-side-encryption-context",
        input.ssekms_encryption_context.as_deref(),
    )?;
    set("x-amz-checksum-crc32", input.checksum_crc32.as_deref())?;
    set("x-amz-checksum-crc32c", input.checksum_crc32c.as_deref())?;
    set("x-amz-checksum-crc64nvme", input.checksum_crc64nvme.as_deref())?;
    set("x-amz-checksum-sha1", input.checksum_sha1.as_deref())?;
    set("x-amz-checksum-sha256", input.checksum_sha256.as_deref())?;
    set(
        "x-amz-object-lock-mode",
        input
            .object_lock_mode
            .as_ref()
            .map(s3s::dto::ObjectLockMode::as_str),
    )?;
    let until = input
        .object_lock_retain_until_date
        .as_ref()
        .and_then(convert::moment);
    set(
        "x-amz-object-lock-retain-until-date",
        until.map(|until| until.to_string()).as_deref(),
    )?;
    set(
        "x-amz-object-lock-legal-hold",
        input
            .object_lock_legal_hold_status
            .as_ref()
            .map(s3s::dto::ObjectLockLegalHoldStatus::as_str),
    )?;
    set(
        "x-amz-expected-bucket-owner",
        input.expected_bucket_owner.as_deref(),
    )?;
    Ok(headers)
}

/// A form's `tagging` field: XML, as `PutObjectTagging` takes it.
fn tags(text: Option<&str>) -> S3Result<Tags> {
    let Some(text) = text else { return Ok(Tags::new()) };
    let malformed = || convert::bad(S3ErrorCode::MalformedXML, "the form's `tagging` is no tag set");
    let mut deserializer = s3s::xml::Deserializer::new(text.as_bytes());
    let tagging: s3s::dto::Tagging =
        s3s::xml::Deserialize::deserialize(&mut deserializer).map_err(|_| malformed())?;
    Ok(tagging
        .tag_set
        .into_iter()
        .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
        .collect())
}

impl Face {
    pub(super) async fn do_post_object(
        &self,
        request: S3Request<PostObjectInput>,
    ) -> S3Result<S3Response<PostObjectOutput>> {
        // A version 2 signature names no region.
        let who = match &request.region {
            Some(_) => self.caller_at(&request, &request.input.bucket).await?,
            None => self.caller(&request)?,
        };
        let headers = as_headers(&request.input)?;
        refuse::headers(&Method::PUT, &headers, &who)?;
        let faults = request.extensions.get::<FaultSlot>().cloned().unwrap_or_default();
        let sums = convert::body_checksums(&headers, None, &faults)?;
        let input = request.input;
        let none_sent = sums.headers.is_empty();
        let options = PutOptions {
            headers: convert::content_headers(&headers),
            user_metadata: input.metadata.unwrap_or_default().into_iter().collect(),
            tags: tags(input.tagging.as_deref())?,
            placement: Placement::default(),
            content_md5: convert::content_md5(input.content_md5.as_deref())?,
            checksums: sums.headers,
            compute: none_sent.then_some(ChecksumAlgorithm::Crc64Nvme),
            conditions: convert::write_conditions(input.if_match, input.if_none_match),
            lock: lock::asked(&headers)?,
            encryption: encryption::asked(&headers, &who)?,
            ..PutOptions::default()
        };
        let stored = self
            .vault
            .put(
                &who,
                &input.bucket,
                &input.key,
                options,
                object::body(input.body, faults),
            )
            .await
            .map_err(error::of)?;
        let sums = Sums::of(&stored.checksums);
        let shown = encryption::Shown::of(stored.encryption.as_ref());
        Ok(S3Response::new(PostObjectOutput {
            e_tag: Some(convert::etag(&stored.etag)),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: convert::checksum_type_out(stored.checksum_type),
            server_side_encryption: shown.algorithm,
            ssekms_key_id: shown.key,
            version_id: convert::stored_version(stored.version),
            ..Default::default()
        }))
    }
}

/// A policy's condition that does not hold is a refusal, not a malformed policy.
pub(super) fn is_failed_condition(body: &s3s::Body) -> bool {
    body.bytes().is_some_and(|text| {
        memmem::find(&text, b"<Code>InvalidPolicyDocument</Code>").is_some()
            && memmem::find(&text, b"Policy condition").is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] =
        b"--xx\r\nContent-Disposition: form-data; name=\"AWSAccessKeyId\"\r\n\r\nAK\r\n--xx\r\n\
        Content-Disposition: form-data; name=\"Signature\"\r\n\r\nabc=\r\n--xx\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nbody\r\n--xx\r\n\
        Content-Disposition: form-data; name=\"policy\"\r\n\r\nlate\r\n--xx--\r\n";

    #[test]
    fn fields_are_read_up_to_the_file() {
        let fields = Fields::read(FORM, "xx");
        assert_eq!(fields.key.as_deref(), Some("AK"));
        assert_eq!(fields.signature.as_deref(), Some("abc="));
        assert_eq!(fields.policy, None);
        assert_eq!(Fields::read(b"--xx", "xx").key, None);
        assert_eq!(Fields::read(FORM, "yy").key, None);
    }

    #[test]
    fn boundaries_are_bounded() {
        let of = |kind: String| {
            let mut headers = HeaderMap::new();
            headers.insert(hyper::header::CONTENT_TYPE, kind.parse().unwrap());
            (is_form(&Method::POST, &headers), boundary(&headers))
        };
        let named = |length: usize| {
            of(format!(
                "Multipart/Form-Data; Boundary=\"{}\"",
                "-".repeat(length)
            ))
        };
        assert_eq!(named(70), (true, Some("-".repeat(70))));
        // Still forms, but refused.
        assert_eq!(named(71), (true, None));
        assert_eq!(named(0), (true, None));
        assert_eq!(of("multipart/form-data".into()), (true, None));
        assert!(!of("text/plain; boundary=x".into()).0);
    }

    /// RFC 2202, cases 1 to 3 and 6: keys shorter than, as long as, and longer than a block.
    #[test]
    fn hmac_sha1() {
        let mac = |key: &[u8], text: &[u8]| {
            use base64::{Engine as _, engine::general_purpose::STANDARD};
            hex::encode(STANDARD.decode(sign_v2(key, text)).unwrap())
        };
        assert_eq!(
            mac(&[0x0b; 20], b"Hi There"),
            "b617318655057264e28bc0b6fb378c8ef146be00"
        );
        assert_eq!(
            mac(b"Jefe", b"what do ya want for nothing?"),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(
            mac(
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            ),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112"
        );
    }
}
