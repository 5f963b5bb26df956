//! Cross-origin rules, carried out: what a browser asks before a request (a preflight) and what it may read after one.
//!
//! A bucket's name is its tenant's own, so a preflight can be answered only where it says whose bucket it means: at a
//! presigned URL, by the access key that the URL names. All others are refused alike. Nothing is opened and no signature
//! is taken for granted: the request itself is verified as any other.

use hyper::{
    HeaderMap, Method, Response, StatusCode, Uri,
    header::{self, HeaderValue},
};
use s3s::{S3Error, S3ErrorCode};

use super::convert;
use crate::vault::{Principal, Vault, settings::CorsRule};

/// What a browser asks for.
struct Asked<'a> {
    origin: &'a str,
    method: &'a str,
    headers: Vec<&'a str>,
}

/// Answers a preflight.
pub(super) async fn preflight(
    vault: &Vault,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response<s3s::Body>, S3Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(origin), Some(method)) = (text("origin"), text("access-control-request-method")) else {
        return Err(convert::bad(
            S3ErrorCode::InvalidRequest,
            "Insufficient information. Origin request header needed.",
        ));
    };
    let asked = Asked {
        origin,
        method,
        headers: text("access-control-request-headers")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect(),
    };
    let forbidden = || {
        convert::bad(
            S3ErrorCode::AccessDenied,
            "CORSResponse: This CORS request is not allowed.",
        )
    };
    let who = signer(vault, uri).await.ok_or_else(forbidden)?;
    let rules = rules(vault, &who, uri).await;
    let rule = rules
        .iter()
        .find(|rule| allows(rule, &asked))
        .ok_or_else(forbidden)?;
    let mut response = Response::new(s3s::Body::empty());
    *response.status_mut() = StatusCode::OK;
    write(response.headers_mut(), rule, origin, &asked.headers);
    Ok(response)
}

/// Says in an answer to a verified request which page may read it.
pub(super) async fn decorate(
    vault: &Vault,
    who: &Principal,
    method: &Method,
    uri: &Uri,
    origin: &HeaderValue,
    response: &mut Response<s3s::Body>,
) {
    let Ok(origin) = origin.to_str() else { return };
    let asked = Asked {
        origin,
        method: method.as_str(),
        headers: Vec::new(),
    };
    let rules = rules(vault, who, uri).await;
    if let Some(rule) = rules.iter().find(|rule| allows(rule, &asked)) {
        write(response.headers_mut(), rule, origin, &[]);
    }
}

/// The tenant that a presigned URL says it is signed by. It need not be true.
async fn signer(vault: &Vault, uri: &Uri) -> Option<Principal> {
    let query = uri.query()?;
    let credential = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    let id = credential.split(['/', '%']).next()?;
    let credential = vault.credential(id).await.ok()??;
    Some(Principal::authenticated(
        credential.tenant.clone(),
        &credential.id,
        "preflight",
    ))
}

async fn rules(vault: &Vault, who: &Principal, uri: &Uri) -> Vec<CorsRule> {
    let bucket = uri
        .path()
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    let settings = vault.settings(who, bucket).await.ok();
    settings.and_then(|settings| settings.cors).unwrap_or_default()
}

fn allows(rule: &CorsRule, asked: &Asked<'_>) -> bool {
    let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
    any(&rule.origins, asked.origin)
        && rule.methods.iter().any(|method| method == asked.method)
        && asked.headers.iter().all(|name| {
            let name = name.to_ascii_lowercase();
            rule.headers
                .iter()
                .any(|pattern| matches(&pattern.to_ascii_lowercase(), &name))
        })
}

/// Whether `text` is `pattern`, in which one `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        }
    }
}

fn write(to: &mut HeaderMap, rule: &CorsRule, origin: &str, headers: &[&str]) {
    let mut set = |name: header::HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            to.insert(name, value);
        }
    };
    let everybody = rule.origins.iter().any(|pattern| pattern == "*");
    set(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        if everybody { "*" } else { origin }.to_owned(),
    );
    set(header::ACCESS_CONTROL_ALLOW_METHODS, rule.methods.join(", "));
    set(
        header::VARY,
        "Origin, Access-Control-Request-Headers, Access-Control-Request-Method".to_owned(),
    );
    if !headers.is_empty() {
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, headers.join(", "));
    }
    if !rule.exposes.is_empty() {
        set(header::ACCESS_CONTROL_EXPOSE_HEADERS, rule.exposes.join(", "));
    }
    if let Some(seconds) = rule.max_age {
        set(header::ACCESS_CONTROL_MAX_AGE, seconds.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("*", "https://a.example", true),
            ("https://*.example", "https://a.example", true),
            ("https://*.example", "https://.example", true),
            ("start*end", "startend", true),
            ("start*tend", "startend", false),
            ("https://a.example", "https://a.example.evil", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_rule_names_origin_method_and_headers() {
        let rule = CorsRule {
            origins: vec!["https://a.example".into()],
            methods: vec!["PUT".into()],
            headers: vec!["x-amz-*".into()],
            ..CorsRule::default()
        };
        let asks = |origin, method, headers: &[&'static str]| {
            let headers = headers.to_vec();
            allows(
                &rule,
                &Asked {
                    origin,
                    method,
                    headers,
                },
            )
        };
        assert!(asks("https://a.example", "PUT", &[]));
        assert!(asks("https://a.example", "PUT", &["X-Amz-Date"]));
        assert!(!asks("https://a.example", "PUT", &["authorization"]));
        assert!(!asks("https://a.example", "GET", &[]));
        assert!(!asks("https://b.example", "PUT", &[]));
    }
}
