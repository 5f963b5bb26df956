//! A key in OpenBao's or Vault's Transit engine, over its published HTTP API. The place is the associated data, and the
//! derivation context too where the key derives.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::ids::ProviderId;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    EndOrder, Ended, Health, HolderError, KeyPlace, KeyProvider, Reason, Why, refused::words, transport,
};

/// Longest answer read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Which key, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitKey {
    /// The server, such as `https://bao.example:8200`.
    pub url: String,
    /// Where the engine is mounted: `transit` unless told.
    pub mount: String,
    /// The key's name; an AEAD key such as `aes256-gcm96`.
    pub key: String,
    /// The namespace, where the server has them.
    pub namespace: Option<String>,
    /// Whether the key derives another for each context.
    pub derived: bool,
}

/// A key in a Transit engine.
pub struct Transit {
    id: ProviderId,
    at: TransitKey,
    http: reqwest::Client,
    token: Zeroizing<String>,
}

impl Transit {
    /// The key, asked with `token`. `tls` carries what the transport trusts.
    ///
    /// # Errors
    /// [`Why::Unusable`] when the URL or a name in it cannot be used.
    pub fn new(
        id: ProviderId,
        at: TransitKey,
        tls: reqwest::ClientBuilder,
        token: Zeroizing<String>,
    ) -> Result<Self, HolderError> {
        transport::address(&id, &at.url, "")?;
        let plain = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        if !plain(&at.key) || !at.mount.split('/').all(plain) {
            let why = "key and mount are letters, digits and `-_.`".to_owned();
            return Err(HolderError::new(&id, Why::Unusable(why)));
        }
        let http = tls
            .connect_timeout(CONNECT_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let http = http.map_err(|error| HolderError::new(&id, Why::Unusable(error.to_string())))?;
        Ok(Self { id, at, http, token })
    }

    fn fail(&self, why: Why) -> HolderError {
        HolderError::new(&self.id, why)
    }

    fn wrong(&self) -> HolderError {
        self.fail(Why::Wrong("it is no answer of the Transit API".to_owned()))
    }

    /// Asks by this method at a path below the mount; gives status and JSON.
    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Option<Value>), HolderError> {
        let url = transport::address(&self.id, &self.at.url, &format!("/v1/{}/{path}", self.at.mount))?;
        let mut request = self
            .http
            .request(method, url)
            .header("x-vault-token", self.token.as_str())
            .header("x-vault-request", "true");
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        if let Some(namespace) = &self.at.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.fail(transport::away(&error)))?;
        let status = response.status().as_u16();
        let bytes = transport::body(&self.id, response, ANSWER_BYTES_MAX).await?;
        Ok((status, serde_json::from_slice(&bytes).ok()))
    }

    /// Asks, and gives `data.<field>` of the answer.
    async fn ask(
        &self,
        what: &str,
        place: &KeyPlace,
        mut body: Value,
        field: &str,
    ) -> Result<Zeroizing<String>, HolderError> {
        let bound = STANDARD.encode(place.to_bytes());
        if let Some(fields) = body.as_object_mut() {
            if self.at.derived {
                fields.insert("context".to_owned(), json!(bound));
            }
            fields.insert("associated_data".to_owned(), json!(bound));
        }
        let path = format!("{what}/{}", self.at.key);
        let (status, answer) = self.call(reqwest::Method::POST, &path, Some(&body)).await?;
        if status != 200 {
            return Err(self.fail(refused(status, answer.as_ref())));
        }
        let given =
            answer.and_then(
                |mut answer| match answer.pointer_mut(&format!("/data/{field}"))?.take() {
                    Value::String(text) => Some(Zeroizing::new(text)),
                    _ => None,
                },
            );
        given.ok_or_else(|| self.wrong())
    }
}

/// What a status means, with the server's own words.
fn refused(status: u16, answer: Option<&Value>) -> Why {
    let said = answer
        .and_then(|answer| answer.pointer("/errors/0")?.as_str())
        .map_or_else(
            || format!("HTTP {status}"),
            |text| format!("HTTP {status}: {}", words(text)),
        );
    match status {
        403 => Why::Denied(said),
        400 if said.contains("authentication failed") || said.contains("ciphertext") => Why::NotHere,
        400 | 404 => Why::Unusable(said),
        // 412: not replicated yet; 429 and 473: a standby; 503: sealed or in maintenance.
        412 | 429 | 473 | 500..=599 => Why::Away(said),
        _ => Why::Wrong(said),
    }
}

#[async_trait]
impl KeyProvider for Transit {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    async fn wrap(&self, place: &KeyPlace, _: &Reason, secret: &[u8]) -> Result<Vec<u8>, HolderError> {
        let body = json!({"plaintext": STANDARD.encode(secret)});
        let text = self.ask("encrypt", place, body, "ciphertext").await?;
        match text.starts_with("vault:v") {
            true => Ok(text.as_bytes().to_vec()),
            false => Err(self.wrong()),
        }
    }

    async fn unwrap(
        &self,
        place: &KeyPlace,
        _: &Reason,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HolderError> {
        let text = std::str::from_utf8(blob).map_err(|_| self.fail(Why::NotHere))?;
        let given = self
            .ask("decrypt", place, json!({"ciphertext": text}), "plaintext")
            .await?;
        let plain = STANDARD.decode(given.as_bytes()).map_err(|_| self.wrong())?;
        Ok(Zeroizing::new(plain))
    }

    async fn health(&self) -> Result<Health, HolderError> {
        let url = transport::address(&self.id, &self.at.url, "/v1/sys/health")?;
        let response = self.http.get(url).send().await;
        let response = response.map_err(|error| self.fail(transport::away(&error)))?;
        match response.status().as_u16() {
            200 | 429 | 473 => Ok(Health {
                kind: "Transit engine".to_owned(),
                weakness: None,
            }),
            501 => Err(self.fail(Why::Away("not initialized".to_owned()))),
            503 => Err(self.fail(Why::Away("sealed".to_owned()))),
            other => Err(self.fail(Why::Away(format!("HTTP {other}")))),
        }
    }

    async fn names_key(&self) -> Result<String, HolderError> {
        let namespace = self.at.namespace.as_deref().unwrap_or_default();
        let url = self.at.url.trim_end_matches('/');
        Ok(format!(
            "{url}/v1/{namespace}/{}/keys/{}",
            self.at.mount, self.at.key
        ))
    }

    /// Allows the deletion of the key, deletes it with all its versions, and looks whether it is gone.
    async fn end(&self, _: &EndOrder) -> Result<Ended, HolderError> {
        let key = format!("keys/{}", self.at.key);
        let allowed = json!({"deletion_allowed": true});
        let config = format!("{key}/config");
        let (status, answer) = self.call(reqwest::Method::POST, &config, Some(&allowed)).await?;
        let there = self.call(reqwest::Method::GET, &key, None).await?.0;
        let mut deleted = None;
        if there != 404 {
            if !matches!(status, 200 | 204) {
                return Err(self.fail(refused(status, answer.as_ref())));
            }
            let (status, answer) = self.call(reqwest::Method::DELETE, &key, None).await?;
            if !matches!(status, 200 | 204) {
                return Err(self.fail(refused(status, answer.as_ref())));
            }
            deleted = Some(status);
        }
        let (left, answer) = self.call(reqwest::Method::GET, &key, None).await?;
        if left != 404 {
            let why = format!("it still answers for the key: {}", refused(left, answer.as_ref()));
            return Err(self.fail(Why::Wrong(why)));
        }
        Ok(Ended {
            said: json!({"DELETE": deleted, "GET": left}),
            gone_at: None,
        })
    }
}
