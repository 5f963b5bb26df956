//! The body of a document: whether it is what its own words say it is.
//!
//! Nothing of it is interpreted. That a body begins as its type demands says only that the type is no plain lie.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha2::Digest as _;

use crate::{
    code::{Code, Failure},
    object::Object,
};

/// A document's body, checked against its checksum and content type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Decoded.
    pub bytes: Vec<u8>,
    /// As the document says.
    pub content_type: Option<String>,
    /// SHA-256 of the bytes, hex.
    pub sha256: String,
}

/// Base64 whose padding may be left out, as the schemas allow.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads a document's body; `None` where it has none.
///
/// # Errors
/// The reason: contents that are no base64, a checksum that does not match or that cannot be checked, a content type that
/// the bytes give the lie to.
pub fn body(document: &Object) -> Result<Option<Body>, Failure> {
    let part = |name: &str| {
        document
            .path(&["doc:DocumentBody", name])
            .and_then(|value| value.as_str())
    };
    let Some(contents) = part("doc:Contents") else {
        return match (part("doc:Checksum"), part("doc:ChecksumType")) {
            (None, None) => Ok(None),
            _ => Err(Failure::new(
                Code::Missing,
                "the document has a checksum and no contents",
            )),
        };
    };
    let bytes = BASE64
        .decode(contents)
        .map_err(|_| Failure::new(Code::Improper, "`doc:Contents` is not base64"))?;
    checksum(&bytes, part("doc:Checksum"), part("doc:ChecksumType"))?;
    let content_type = part("doc:ContentType").map(str::to_owned);
    if let Some(named) = &content_type {
        is_as_named(&bytes, named)?;
    }
    let sha256 = hex::encode(sha2::Sha256::digest(&bytes));
    Ok(Some(Body {
        bytes,
        content_type,
        sha256,
    }))
}

fn checksum(bytes: &[u8], sum: Option<&str>, kind: Option<&str>) -> Result<(), Failure> {
    let (sum, kind) = match (sum, kind) {
        (None, None) => return Ok(()),
        (Some(sum), Some(kind)) => (sum, kind),
        _ => {
            return Err(Failure::new(
                Code::Missing,
                "`doc:Checksum` and `doc:ChecksumType` belong together",
            ));
        }
    };
    let plain: String = kind.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let digest = match plain.to_ascii_uppercase().as_str() {
        "SHA256" => sha2::Sha256::digest(bytes).to_vec(),
        "SHA384" => sha2::Sha384::digest(bytes).to_vec(),
        "SHA512" => sha2::Sha512::digest(bytes).to_vec(),
        _ => {
            return Err(Failure::new(
                Code::NotSupported,
                "`doc:ChecksumType` is none that is checked here; use SHA-256, SHA-384 or SHA-512",
            ));
        }
    };
    let given = hex::decode(sum.trim())
        .ok()
        .or_else(|| BASE64.decode(sum.trim()).ok());
    if given.as_deref() == Some(digest.as_slice()) {
        Ok(())
    } else {
        Err(Failure::new(
            Code::Improper,
            "`doc:Checksum` is not the checksum of `doc:Contents`; it was altered on its way, or never theirs",
        ))
    }
}

/// What bodies of well-known types begin with.
const BEGINNINGS: &[(&str, &[&[u8]])] = &[
    ("application/pdf", &[b"%PDF-"]),
    ("image/png", &[b"\x89PNG\r\n\x1a\n"]),
    ("image/jpeg", &[b"\xff\xd8\xff"]),
    ("image/tiff", &[b"II*\0", b"MM\0*"]),
    ("application/zip", &[b"PK\x03\x04", b"PK\x05\x06"]),
];

fn is_as_named(bytes: &[u8], named: &str) -> Result<(), Failure> {
    let essence = named
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let lies = || {
        Failure::new(
            Code::Improper,
            "`doc:ContentType` says what `doc:Contents` are not: their first bytes are another type's",
        )
    };
    if let Some((_, beginnings)) = BEGINNINGS.iter().find(|(name, _)| *name == essence) {
        return if beginnings.iter().any(|beginning| bytes.starts_with(beginning)) {
            Ok(())
        } else {
            Err(lies())
        };
    }
    // A program, or a page that runs one, under a harmless name.
    let other = BEGINNINGS
        .iter()
        .any(|(_, beginnings)| beginnings.iter().any(|beginning| bytes.starts_with(beginning)));
    let runs = [&b"MZ"[..], b"\x7fELF", b"#!"]
        .iter()
        .any(|magic| bytes.starts_with(magic));
    let is_text =
        essence.starts_with("text/") || matches!(essence.as_str(), "application/json" | "application/xml");
    if is_text && (other || runs || std::str::from_utf8(bytes).is_err()) {
        return Err(lies());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::object::Kind;

    fn document(body: serde_json::Value) -> Object {
        let mut document = Object::new(Kind::Document, Uuid::from_u128(7));
        document.set("doc:DocumentBody", body);
        document
    }

    #[test]
    fn a_body_is_what_it_says_or_refused() {
        let pdf = "JVBERi0xLjcK";
        let sum = hex::encode(sha2::Sha256::digest(b"%PDF-1.7\n"));
        let good = json!({"doc:Contents": pdf, "doc:ContentType": "application/pdf", "doc:Checksum": sum,
            "doc:ChecksumType": "SHA-256"});
        assert_eq!(body(&document(good.clone())).unwrap().unwrap().sha256, sum);
        let refused = [
            ("doc:Checksum", json!("00"), Code::Improper),
            ("doc:ChecksumType", json!("MD5"), Code::NotSupported),
            ("doc:ContentType", json!("image/png"), Code::Improper),
            (
                "doc:ContentType",
                json!("text/plain; charset=utf-8"),
                Code::Improper,
            ),
            ("doc:Contents", json!("JVBERi0xLjcK==="), Code::Improper),
            ("doc:Contents", json!("JVBERi0xLjgK"), Code::Improper),
        ];
        for (name, value, code) in refused {
            let mut bad = good.clone();
            bad[name] = value.clone();
            let failure = body(&document(bad)).unwrap_err();
            assert!(failure.is(code), "{name} {value}: {failure:?}");
        }
        assert!(
            body(&document(json!({"doc:ContentType": "application/pdf"})))
                .unwrap()
                .is_none()
        );
        assert!(body(&document(json!({"doc:Checksum": sum}))).is_err());
    }
}
