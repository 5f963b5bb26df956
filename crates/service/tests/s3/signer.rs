//! AWS Signature Version 4, the client's side, for requests that no SDK would send.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

/// `x-amz-content-sha256` of a body that is not signed.
pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// A credential and what it signs for.
#[derive(Clone)]
pub struct Signer {
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
    pub host: String,
}

/// A request ready to be sent.
pub struct Signed {
    pub method: reqwest::Method,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Signer {
    /// Signs `method` on `target` (path and query, both already encoded, the query sorted).
    pub fn sign(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Signed {
        let hash = hex::encode(Sha256::digest(body));
        self.sign_as(method, target, headers, body.to_vec(), &hash).0
    }

    /// As [`Self::sign`], with the payload hash said; gives the signature too, the seed of chunk signatures.
    pub fn sign_as(
        &self,
        method: &str,
        target: &str,
        extra: &[(&str, &str)],
        body: Vec<u8>,
        hash: &str,
    ) -> (Signed, Chain) {
        let now = jiff::Timestamp::now();
        let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut headers: BTreeMap<String, String> =
            extra.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        headers.insert("host".into(), self.host.clone());
        headers.insert("x-amz-date".into(), date.clone());
        headers.insert("x-amz-content-sha256".into(), hash.into());
        let chain = self.chain(&date);
        let names = headers.keys().cloned().collect::<Vec<_>>().join(";");
        let canonical = canonical(method, target, &headers, &names, hash);
        let signature = chain.sign_text(&format!(
            "AWS4-HMAC-SHA256\n{date}\n{}\n{}",
            chain.scope,
            hex::encode(Sha256::digest(canonical))
        ));
        headers.insert(
            "authorization".into(),
            format!(
                "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={signature}",
                self.access_key, chain.scope
            ),
        );
        let signed = Signed {
            method: method.parse().unwrap(),
            url: format!("http://{}{target}", self.host),
            headers,
            body,
        };
        (
            signed,
            Chain {
                previous: signature,
                ..chain
            },
        )
    }

    /// An `aws-chunked` upload whose chunks, and trailer if there is one, are signed.
    pub fn sign_chunked(&self, target: &str, chunks: &[&[u8]], trailer: Option<(&str, &str)>) -> Signed {
        let length: usize = chunks.iter().map(|c| c.len()).sum();
        let length = length.to_string();
        let mut extra = vec![
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", &length),
        ];
        if let Some((name, _)) = trailer {
            extra.push(("x-amz-trailer", name));
        }
        let hash = match trailer {
            None => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Some(_) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        };
        let (mut signed, mut chain) = self.sign_as("PUT", target, &extra, Vec::new(), hash);
        for chunk in chunks.iter().copied().chain([&[][..]]) {
            let signature = chain.next_chunk(chunk);
            signed
                .body
                .extend(format!("{:x};chunk-signature={signature}\r\n", chunk.len()).bytes());
            signed.body.extend(chunk);
            if !chunk.is_empty() {
                signed.body.extend(b"\r\n");
            }
        }
        if let Some((name, value)) = trailer {
            let signature = chain.trailer(name, value);
            signed
                .body
                .extend(format!("{name}:{value}\r\nx-amz-trailer-signature:{signature}\r\n").bytes());
        }
        signed.body.extend(b"\r\n");
        signed
    }

    fn chain(&self, date: &str) -> Chain {
        let day = &date[..8];
        let mut key = mac(format!("AWS4{}", self.secret_key).as_bytes(), day.as_bytes());
        for part in [self.region.as_str(), "s3", "aws4_request"] {
            key = mac(&key, part.as_bytes());
        }
        Chain {
            key,
            date: date.into(),
            scope: format!("{day}/{}/s3/aws4_request", self.region),
            previous: String::new(),
        }
    }
}

/// The running state of chunk signatures.
pub struct Chain {
    key: Vec<u8>,
    date: String,
    scope: String,
    previous: String,
}

impl Chain {
    fn sign_text(&self, text: &str) -> String {
        hex::encode(mac(&self.key, text.as_bytes()))
    }

    fn next_chunk(&mut self, chunk: &[u8]) -> String {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{}\n{}",
            self.date,
            self.scope,
            self.previous,
            hex::encode(Sha256::digest(b"")),
            hex::encode(Sha256::digest(chunk))
        );
        self.previous = self.sign_text(&text);
        self.previous.clone()
    }

    fn trailer(&self, name: &str, value: &str) -> String {
        self.sign_text(&format!(
            "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}",
            self.date,
            self.scope,
            self.previous,
            hex::encode(Sha256::digest(format!("{name}:{value}\n")))
        ))
    }
}

impl Signed {
    /// Sends it.
    pub async fn send(self, http: &reqwest::Client) -> Answer {
        let mut request = http.request(self.method, self.url).body(self.body);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The text of an XML answer.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// What stands in the element `name`, the first of its kind.
    pub fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    }
    /// The S3 error code.
    pub fn code(&self) -> String {
        self.element("Code").unwrap_or_default()
    }
}

fn canonical(
    method: &str,
    target: &str,
    headers: &BTreeMap<String, String>,
    names: &str,
    hash: &str,
) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // A bare `?uploads` is `uploads=` in the canonical form.
    let query = query
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| {
            if p.contains('=') {
                p.to_owned()
            } else {
                format!("{p}=")
            }
        })
        .collect::<Vec<_>>()
        .join("&");
    let lines: String = headers
        .iter()
        .map(|(n, v)| format!("{n}:{}\n", v.trim()))
        .collect();
    format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{hash}")
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}
