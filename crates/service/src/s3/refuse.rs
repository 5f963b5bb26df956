//! Requests that are refused whatever they ask for, each with a reason that a person can act on.
//!
//! The rule behind all of them: a header that asks for something we do not do is refused, never ignored.

use hyper::{HeaderMap, Method, Uri, header::HeaderName};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::limits::PRESIGNED_MAX;
use crate::vault::Principal;

/// Checks what can be seen before the signature is verified.
///
/// # Errors
/// SigV2, session tokens, presigned URLs valid for more than seven days, `x-amz-` headers that the
/// signature does not cover.
pub(super) fn before_signature(uri: &Uri, headers: &HeaderMap) -> S3Result<()> {
    let query = Query(uri.query().unwrap_or_default());
    let authorization = headers
        .get("authorization")
        .map(|v| v.to_str().unwrap_or_default());
    if authorization.is_some_and(|a| a.starts_with("AWS "))
        || query.has("Signature")
        || query.has("AWSAccessKeyId")
    {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            "Signature Version 2 is not accepted; use AWS4-HMAC-SHA256",
        ));
    }
    if authorization.is_some() && query.has("X-Amz-Signature") {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "only one authentication mechanism is allowed; use the header or the query, not both",
        ));
    }
    if headers.contains_key("x-amz-security-token") || query.has("X-Amz-Security-Token") {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidToken,
            "session tokens are not in use here; sign with an access key alone",
        ));
    }
    if let Some(expires) = query.get("X-Amz-Expires") {
        let seconds = expires
            .parse::<u64>()
            .ok()
            .filter(|s| (1..=PRESIGNED_MAX.as_secs()).contains(s));
        if seconds.is_none() {
            return Err(S3Error::with_message(
                S3ErrorCode::AuthorizationQueryParametersError,
                "X-Amz-Expires must be between 1 and 604800 seconds",
            ));
        }
    }
    let signed = match (&authorization, query.get("X-Amz-SignedHeaders")) {
        (_, Some(list)) => Some(list.to_ascii_lowercase().replace("%3b", ";")),
        (Some(a), None) => a
            .split("SignedHeaders=")
            .nth(1)
            .and_then(|rest| rest.split([',', ' ']).next())
            .map(str::to_ascii_lowercase),
        (None, None) => None,
    };
    signed.map_or(Ok(()), |signed| covered(&signed, headers))
}

/// A header that changes the request's meaning must be signed, else whoever holds a presigned URL could add it.
fn covered(signed: &str, headers: &HeaderMap) -> S3Result<()> {
    let is_signed = |name: &str| signed.split(';').any(|s| s == name);
    let uncovered = |name: &HeaderName| {
        let name = name.as_str();
        name.starts_with("x-amz-") && name != "x-amz-content-sha256" && !is_signed(name)
    };
    if !is_signed("host") {
        return Err(S3Error::with_message(
            S3ErrorCode::AccessDenied,
            "the `host` header must be signed",
        ));
    }
    match headers.keys().find(|name| uncovered(name)) {
        None => Ok(()),
        Some(name) => Err(S3Error::with_message(
            S3ErrorCode::AccessDenied,
            format!("there were headers present in the request which were not signed: `{name}`"),
        )),
    }
}

/// Checks the headers of a request whose signature holds.
///
/// # Errors
/// Customer-provided keys (SSE-C), an encryption named on a read, ACLs that open anything, storage classes, another owner
/// than the caller.
pub(super) fn headers(method: &Method, headers: &HeaderMap, who: &Principal) -> S3Result<()> {
    if matches!(*method, Method::GET | Method::HEAD)
        && (headers.contains_key("x-amz-server-side-encryption")
            || headers.contains_key("x-amz-server-side-encryption-aws-kms-key-id"))
    {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "an encryption is named when something is stored, not when it is read",
        ));
    }
    for (name, value) in headers {
        let value = value.to_str().unwrap_or_default();
        refuse_header(name.as_str(), value, who)?;
    }
    Ok(())
}

fn refuse_header(name: &str, value: &str, who: &Principal) -> S3Result<()> {
    let fail = |code: S3ErrorCode, text: &'static str| Err(S3Error::with_message(code, text));
    if name.starts_with("x-amz-server-side-encryption-customer-")
        || name.starts_with("x-amz-copy-source-server-side-encryption-customer-")
    {
        return fail(
            S3ErrorCode::AccessDenied,
            "customer-provided keys (SSE-C) are not accepted, and never ignored; every object is encrypted under its \
             account's key already",
        );
    }
    if name.starts_with("x-amz-grant-") {
        return fail(
            S3ErrorCode::AccessControlListNotSupported,
            "the bucket does not allow ACLs",
        );
    }
    match name {
        "x-amz-server-side-encryption-context" => fail(
            S3ErrorCode::NotImplemented,
            "encryption contexts are not taken; leave the header out",
        ),
        "x-amz-acl"
            if !matches!(
                value,
                "private" | "bucket-owner-full-control" | "bucket-owner-read"
            ) =>
        {
            fail(
                S3ErrorCode::AccessDenied,
                "nothing here is public or another tenant's to read; leave the ACL out",
            )
        }
        "x-amz-storage-class" if value != "STANDARD" => fail(
            S3ErrorCode::InvalidStorageClass,
            "the only storage class is STANDARD",
        ),
        "x-amz-website-redirect-location" => fail(
            S3ErrorCode::NotImplemented,
            "buckets are no websites; leave the redirect out",
        ),
        "x-amz-write-offset-bytes" => fail(S3ErrorCode::NotImplemented, "objects cannot be appended to"),
        "x-amz-expected-bucket-owner" | "x-amz-source-expected-bucket-owner"
            if value != who.tenant().as_str() =>
        {
            fail(
                S3ErrorCode::AccessDenied,
                "the bucket is not owned by the expected owner",
            )
        }
        _ => Ok(()),
    }
}

/// Whether the query has this name, with or without a value.
pub(super) fn asks_for(uri: &Uri, name: &str) -> bool {
    Query(uri.query().unwrap_or_default()).has(name)
}

/// A raw query string; names are compared as sent, for SDKs never escape these.
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }
    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, headers: &[(&'static str, &str)]) -> Result<(), String> {
        let map = headers
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap()))
            .collect();
        before_signature(&uri.parse().unwrap(), &map).map_err(|e| e.code().as_str().to_owned())
    }

    const V4: &str = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=0";

    #[test]
    fn version_4_passes_and_version_2_does_not() {
        assert_eq!(
            check("/b/k", &[("authorization", V4), ("x-amz-date", "d")]),
            Ok(())
        );
        assert_eq!(check("/b/k", &[]), Ok(()));
        for (uri, header) in [
            ("/b/k", "AWS AKID:c2ln"),
            ("/b/k?AWSAccessKeyId=A&Expires=1&Signature=x", ""),
        ] {
            assert_eq!(
                check(uri, &[("authorization", header)]).unwrap_err(),
                "InvalidRequest"
            );
        }
    }

    #[test]
    fn a_header_that_is_not_signed_is_refused() {
        let unsigned = ("x-amz-copy-source", "b/k");
        assert_eq!(
            check("/b/k", &[("authorization", V4), ("x-amz-date", "d"), unsigned]).unwrap_err(),
            "AccessDenied"
        );
        let presigned = "/b/k?X-Amz-SignedHeaders=host&X-Amz-Expires=60&X-Amz-Signature=0";
        assert_eq!(check(presigned, &[]), Ok(()));
        assert_eq!(check(presigned, &[unsigned]).unwrap_err(), "AccessDenied");
        assert_eq!(
            check(
                "/b/k?X-Amz-SignedHeaders=host%3Bx-amz-copy-source&X-Amz-Signature=0",
                &[unsigned]
            ),
            Ok(())
        );
        assert_eq!(
            check("/b/k?X-Amz-SignedHeaders=x&X-Amz-Signature=0", &[]).unwrap_err(),
            "AccessDenied"
        );
    }

    #[test]
    fn presigned_urls_last_seven_days_at_most() {
        let url = |seconds: &str| {
            check(
                &format!("/b/k?X-Amz-SignedHeaders=host&X-Amz-Expires={seconds}"),
                &[],
            )
        };
        assert_eq!(url("604800"), Ok(()));
        for seconds in ["604801", "0", "-1", "x", ""] {
            assert_eq!(
                url(seconds).unwrap_err(),
                "AuthorizationQueryParametersError",
                "{seconds}"
            );
        }
    }

    #[test]
    fn session_tokens_are_refused() {
        assert_eq!(
            check("/b", &[("x-amz-security-token", "t")]).unwrap_err(),
            "InvalidToken"
        );
    }

    #[test]
    fn what_we_do_not_do_is_refused_and_the_rest_passes() {
        let who = Principal::authenticated("contoso".parse().unwrap(), "AK", "r");
        let one = |name, value| refuse_header(name, value, &who).map_err(|e| e.code().as_str().to_owned());
        for (name, value, code) in [
            (
                "x-amz-server-side-encryption-customer-algorithm",
                "AES256",
                "AccessDenied",
            ),
            ("x-amz-server-side-encryption-customer-key", "k", "AccessDenied"),
            (
                "x-amz-copy-source-server-side-encryption-customer-key-md5",
                "k",
                "AccessDenied",
            ),
            ("x-amz-acl", "public-read", "AccessDenied"),
            ("x-amz-grant-read", "id=1", "AccessControlListNotSupported"),
            ("x-amz-storage-class", "GLACIER", "InvalidStorageClass"),
            ("x-amz-expected-bucket-owner", "fabrikam", "AccessDenied"),
        ] {
            assert_eq!(one(name, value).unwrap_err(), code, "{name}: {value}");
        }
        for (name, value) in [
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-acl", "private"),
            ("x-amz-storage-class", "STANDARD"),
            ("x-amz-expected-bucket-owner", "contoso"),
        ] {
            assert_eq!(one(name, value), Ok(()), "{name}: {value}");
        }
    }
}
