//! The words of server-side encryption: taken, kept with the object, given back. They choose nothing: every object lies
//! under a key of its own, below its account's and its tenant's.
//!
//! `aws:kms` may name a key, and the only one there is to name is the tenant's: by the tenant's id, or as
//! `arn:aws:kms:REGION:TENANT:key/TENANT`. Any other name is refused, for the object would not be under that key.

use hyper::HeaderMap;
use s3s::{S3ErrorCode, S3Result, dto::ServerSideEncryption};

use super::{convert, fault::custom};
use crate::vault::{Encryption, Principal};

/// The encryption that a request's headers name.
pub(super) fn asked(headers: &HeaderMap, who: &Principal) -> S3Result<Option<Encryption>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    named(
        text("x-amz-server-side-encryption"),
        text("x-amz-server-side-encryption-aws-kms-key-id"),
        who,
    )
}

/// The encryption of this algorithm and key.
pub(super) fn named(
    algorithm: Option<&str>,
    key: Option<&str>,
    who: &Principal,
) -> S3Result<Option<Encryption>> {
    let key = key.filter(|key| !key.is_empty());
    match (algorithm, key) {
        (None, None) => Ok(None),
        (Some(ServerSideEncryption::AES256), None) => Ok(Some(Encryption::Aes256)),
        (Some(ServerSideEncryption::AWS_KMS), None) => Ok(Some(Encryption::Kms(None))),
        (Some(ServerSideEncryption::AWS_KMS), Some(key)) if is_tenants(key, who.tenant().as_str()) => {
            Ok(Some(Encryption::Kms(Some(key.to_owned()))))
        }
        (Some(ServerSideEncryption::AWS_KMS), Some(_)) => Err(custom(
            "KMS.NotFoundException",
            "the only key that can be named is the tenant's own, by the tenant's id; leave the key id out, and it is \
             used"
                .to_owned(),
        )),
        (None | Some(ServerSideEncryption::AES256), Some(_)) => Err(convert::bad(
            S3ErrorCode::InvalidArgument,
            "a key id goes with `x-amz-server-side-encryption: aws:kms` alone",
        )),
        (Some(_), _) => Err(convert::bad(
            S3ErrorCode::InvalidArgument,
            "the server-side encryption asked for is not `AES256` or `aws:kms`",
        )),
    }
}

fn is_tenants(key: &str, tenant: &str) -> bool {
    if key == tenant {
        return true;
    }
    let mut parts = key.split(':');
    let head = [parts.next(), parts.next(), parts.next()];
    let _region = parts.next();
    head == [Some("arn"), Some("aws"), Some("kms")]
        && parts.next() == Some(tenant)
        && parts.next().and_then(|id| id.strip_prefix("key/")) == Some(tenant)
        && parts.next().is_none()
}

/// What an answer says of it.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// Never absent: a tag of ours is no MD5, and `aws:kms` is S3's own sign for that.
    pub algorithm: Option<ServerSideEncryption>,
    /// The key, where one was named.
    pub key: Option<String>,
}

impl Shown {
    /// What an answer says of this one.
    pub(super) fn of(encryption: Option<&Encryption>) -> Self {
        let (algorithm, key) = match encryption {
            Some(Encryption::Aes256) => (ServerSideEncryption::AES256, None),
            Some(Encryption::Kms(key)) => (ServerSideEncryption::AWS_KMS, key.clone()),
            None => (ServerSideEncryption::AWS_KMS, None),
        };
        Self {
            algorithm: Some(ServerSideEncryption::from_static(algorithm)),
            key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tenants_own_key_can_be_named() {
        let who = Principal::authenticated("contoso".parse().unwrap(), "AK", "r");
        let one = |algorithm, key| named(algorithm, key, &who).map_err(|e| e.code().as_str().to_owned());
        let kms = |key: &str| Ok(Some(Encryption::Kms(Some(key.to_owned()))));
        assert_eq!(one(None, None), Ok(None));
        assert_eq!(one(Some("AES256"), None), Ok(Some(Encryption::Aes256)));
        assert_eq!(one(Some("aws:kms"), None), Ok(Some(Encryption::Kms(None))));
        assert_eq!(one(Some("aws:kms"), Some("contoso")), kms("contoso"));
        let arn = "arn:aws:kms:eu-de:contoso:key/contoso";
        assert_eq!(one(Some("aws:kms"), Some(arn)), kms(arn));
        for key in [
            "fabrikam",
            "arn:aws:kms:eu-de:fabrikam:key/fabrikam",
            "arn:k",
            "contoso:x",
        ] {
            assert_eq!(
                one(Some("aws:kms"), Some(key)).unwrap_err(),
                "KMS.NotFoundException"
            );
        }
        for (algorithm, key) in [
            (None, Some("contoso")),
            (Some("AES256"), Some("contoso")),
            (Some("aws:kms:dsse"), None),
            (Some("rot13"), None),
        ] {
            assert_eq!(
                one(algorithm, key).unwrap_err(),
                "InvalidArgument",
                "{algorithm:?}"
            );
        }
    }
}
