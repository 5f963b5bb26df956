//! A customer's keyholder, as a gate asks it.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::ids::ProviderId;
use ed25519_dalek::{SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::wire::{self, Answer, Ask, MESSAGE_BYTES_MAX, Outcome, PATH, Request, RequestSchema, SIGNATURE};
use crate::{
    gate::Clock,
    keys::{Health, HolderError, KeyPlace, KeyProvider, Reason, Why, refused::words},
};

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// A customer's keyholder.
pub struct Keyholder {
    id: ProviderId,
    url: reqwest::Url,
    http: reqwest::Client,
    gate: SigningKey,
    holder: VerifyingKey,
    clock: Clock,
}

impl Keyholder {
    /// The keyholder at `url`, whose answers verify under `holder`, asked by the gate that holds `gate`. `tls` carries what
    /// the transport trusts; plain HTTP is for loopback alone.
    ///
    /// # Errors
    /// [`Why::Unusable`] when the URL cannot be used.
    pub fn new(
        id: ProviderId,
        url: &str,
        tls: reqwest::ClientBuilder,
        gate: SigningKey,
        holder: VerifyingKey,
        clock: Clock,
    ) -> Result<Self, HolderError> {
        let url = crate::keys::transport::address(&id, url, PATH)?;
        let http = tls
            .connect_timeout(CONNECT_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let http = http.map_err(|error| HolderError::new(&id, Why::Unusable(error.to_string())))?;
        Ok(Self {
            id,
            url,
            http,
            gate,
            holder,
            clock,
        })
    }

    fn wrong(&self, why: &str) -> HolderError {
        HolderError::new(&self.id, Why::Wrong(why.to_owned()))
    }

    async fn ask(
        &self,
        ask: Ask,
        place: &KeyPlace,
        reason: &Reason,
        payload: &[u8],
    ) -> Result<Outcome, HolderError> {
        let fail = |why| HolderError::new(&self.id, why);
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| fail(Why::Unusable("no randomness".to_owned())))?;
        let request = Request {
            schema: RequestSchema::V1,
            ask,
            nonce: hex::encode(nonce),
            at: (self.clock)(),
            place: place.clone(),
            reason: reason.clone(),
            payload: STANDARD.encode(payload),
        };
        let body = serde_json::to_vec(&request)
            .map_err(|_| fail(Why::Unusable("the request has no form".to_owned())))?;
        let digest = wire::request_digest(&body);
        let sent = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header(SIGNATURE, wire::sign_request(&self.gate, &body))
            .body(body)
            .send()
            .await;
        let response = sent.map_err(|error| fail(crate::keys::transport::away(&error)))?;
        let status = response.status();
        let signature = response.headers().get(SIGNATURE).cloned();
        let body = crate::keys::transport::body(&self.id, response, MESSAGE_BYTES_MAX).await?;
        if !status.is_success() {
            let said = words(&String::from_utf8_lossy(&body));
            return Err(fail(match status.as_u16() {
                429 | 500..=599 => Why::Away(format!("HTTP {status}: {said}")),
                _ => Why::Wrong(format!("HTTP {status}: {said}")),
            }));
        }
        let signature = signature.as_ref().and_then(|value| value.to_str().ok());
        if !signature.is_some_and(|s| wire::answer_is_of(&self.holder, &digest, &body, s)) {
            return Err(self.wrong("it is not signed by the holder's key as an answer to this request"));
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| self.wrong("it is not of this version"))?;
        if answer.request != hex::encode(digest) {
            return Err(self.wrong("it answers another request"));
        }
        match answer.outcome {
            Outcome::Denied { why } => Err(fail(Why::Denied(words(&why)))),
            Outcome::Waiting { id } => Err(fail(Why::Waiting(words(&id)))),
            Outcome::NotHere => Err(fail(Why::NotHere)),
            Outcome::Stale => {
                Err(self
                    .wrong("its clock and the gate's differ by more than a minute, or it was just started"))
            }
            Outcome::Replayed => Err(self.wrong("it was asked the same before")),
            outcome => Ok(outcome),
        }
    }

    async fn given(
        &self,
        ask: Ask,
        place: &KeyPlace,
        reason: &Reason,
        payload: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HolderError> {
        let Outcome::Given { payload } = self.ask(ask, place, reason, payload).await? else {
            return Err(self.wrong("it answers something else than what was asked"));
        };
        let payload = Zeroizing::new(payload);
        STANDARD
            .decode(payload.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| self.wrong("its payload is not base64"))
    }
}

#[async_trait]
impl KeyProvider for Keyholder {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    async fn wrap(&self, place: &KeyPlace, reason: &Reason, secret: &[u8]) -> Result<Vec<u8>, HolderError> {
        Ok(self.given(Ask::Wrap, place, reason, secret).await?.to_vec())
    }

    async fn unwrap(
        &self,
        place: &KeyPlace,
        reason: &Reason,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HolderError> {
        self.given(Ask::Unwrap, place, reason, blob).await
    }

    async fn health(&self) -> Result<Health, HolderError> {
        let nowhere = KeyPlace::region("-");
        match self.ask(Ask::Health, &nowhere, &Reason::RegionStart, &[]).await? {
            Outcome::Healthy { health } => Ok(Health {
                kind: words(&health.kind),
                weakness: health.weakness.as_deref().map(words),
            }),
            _ => Err(self.wrong("it answers something else than what was asked")),
        }
    }
}
