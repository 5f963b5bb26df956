//! The customer's program: checks who asks, whether it is asked for the first time and in time, applies the allow-list, writes
//! down what it does, and only then answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use envelope::{keys::NONCE_BYTES, sealing::SealingKey};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{
    allow::{Counts, Verdict},
    config::{KeyholderConfig, KeyholderError},
    decisions::{Asked, Decisions},
    ledger::{Entry, Ledger, LedgerError},
    wire::{self, Answer, AnswerSchema, Ask, CLOCK_WINDOW, MESSAGE_BYTES_MAX, Outcome, Request, SIGNATURE},
};
use crate::{
    deployment::read_key,
    gate::Clock,
    keys::{Health, SECRET_BYTES_MAX, SECRET_BYTES_MIN},
};

/// Most nonces remembered. Beyond it requests are refused until older ones are out of the window.
pub const NONCES_MAX: usize = 200_000;
/// Longest nonce, in characters.
const NONCE_CHARS: usize = 32;

/// A running keyholder.
pub struct Server {
    config: PathBuf,
    keys: Vec<SealingKey>,
    signing: SigningKey,
    decisions: Decisions,
    clock: Clock,
    state: Mutex<Memory>,
    show: Box<dyn Fn(&Entry) + Send + Sync>,
}

struct Memory {
    ledger: Ledger,
    nonces: BTreeMap<String, Timestamp>,
    /// Requests that the log had, shortly before this start: their bytes' hashes. Whatever the clocks said, none of them is
    /// answered again.
    before: BTreeSet<String>,
    /// When it was started with an empty log: what an earlier one could have answered, nothing here tells.
    without_log: Option<Timestamp>,
    counts: Counts,
}

/// Why a request gets no signed answer.
struct Unanswered(StatusCode, &'static str);

impl Server {
    /// A keyholder of this configuration; `show` is called with each line that the log gets.
    ///
    /// # Errors
    /// When a file cannot be used, or the log does not hold.
    pub fn open(
        config: &Path,
        clock: Clock,
        show: impl Fn(&Entry) + Send + Sync + 'static,
    ) -> Result<Self, KeyholderError> {
        let read = KeyholderConfig::read(config)?;
        read.gates
            .iter()
            .try_for_each(|gate| wire::public_key(gate).map(|_| ()))?;
        let keys = read
            .keys
            .iter()
            .map(|path| Ok(SealingKey::from_random(&*read_key(path)?)?))
            .collect::<Result<_, KeyholderError>>()?;
        let started = clock();
        let mut before = BTreeSet::new();
        // A request is answered while the two clocks are a window apart, either way.
        let ledger = Ledger::open(&read.log, |entry| {
            if entry.at.duration_until(started) <= CLOCK_WINDOW.saturating_mul(2) {
                before.insert(entry.request.clone());
            }
        })?;
        let without_log = ledger.is_empty().then_some(started);
        Ok(Self {
            config: config.to_owned(),
            keys,
            signing: SigningKey::from_bytes(&*read_key(&read.signing_key)?),
            decisions: Decisions::at(&read.decisions),
            clock,
            state: Mutex::new(Memory {
                ledger,
                nonces: BTreeMap::new(),
                before,
                without_log,
                counts: Counts::default(),
            }),
            show: Box::new(show),
        })
    }

    /// The public key that its answers verify under, base64: the gate's configuration names it.
    pub fn public(&self) -> String {
        STANDARD.encode(self.signing.verifying_key().to_bytes())
    }

    /// Answers a request. The signed answer's bytes and its signature.
    fn answer(&self, body: &[u8], signature: &str) -> Result<(Vec<u8>, String), Unanswered> {
        // Read anew each time: a list that cannot be read allows nothing.
        let config = KeyholderConfig::read(&self.config).map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the configuration cannot be used"
            );
            Unanswered(
                StatusCode::SERVICE_UNAVAILABLE,
                "the keyholder's configuration cannot be used",
            )
        })?;
        let known = config
            .gates
            .iter()
            .find(|gate| wire::public_key(gate).is_ok_and(|key| wire::request_is_of(&key, body, signature)));
        let gate = known.ok_or(Unanswered(
            StatusCode::FORBIDDEN,
            "the request is signed by no gate that this keyholder knows",
        ))?;
        let request: Request = serde_json::from_slice(body)
            .map_err(|_| Unanswered(StatusCode::BAD_REQUEST, "the request cannot be read"))?;
        if request.nonce.len() != NONCE_CHARS || !request.nonce.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Unanswered(
                StatusCode::BAD_REQUEST,
                "the nonce is not 32 hex digits",
            ));
        }
        let digest = wire::request_digest(body);
        let (outcome, said) = self.decide_and_record(&config, gate, &request, &digest)?;
        tracing::debug!(outcome = said, "answered");
        let answer = Answer {
            schema: AnswerSchema::V1,
            request: hex::encode(digest),
            outcome,
        };
        let bytes = serde_json::to_vec(&answer)
            .map_err(|_| Unanswered(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written"))?;
        let signature = wire::sign_answer(&self.signing, &digest, &bytes);
        Ok((bytes, signature))
    }

    /// One request after the other: what one leaves in memory and in the log, the next finds there.
    fn decide_and_record(
        &self,
        config: &KeyholderConfig,
        gate: &str,
        request: &Request,
        digest: &[u8; 32],
    ) -> Result<(Outcome, String), Unanswered> {
        let now = (self.clock)();
        let mut memory = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, said) = match memory.first_time(request, digest, now)? {
            Some(refused) => refused,
            None => self.decide(config, &mut memory, request, now)?,
        };
        if request.ask == Ask::Health {
            return Ok((outcome, said));
        }
        let entry = Entry {
            seq: 0,
            before: String::new(),
            at: now,
            gate: gate.to_owned(),
            ask: request.ask,
            place: request.place.clone(),
            reason: request.reason.clone(),
            request: hex::encode(digest),
            outcome: said.clone(),
        };
        memory
            .ledger
            .append(entry.clone())
            .map_err(|error: LedgerError| {
                tracing::error!(error = &error as &dyn std::error::Error, "nothing is answered");
                Unanswered(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the keyholder cannot write its log",
                )
            })?;
        drop(memory);
        (self.show)(&entry);
        Ok((outcome, said))
    }

    fn decide(
        &self,
        config: &KeyholderConfig,
        memory: &mut Memory,
        request: &Request,
        now: Timestamp,
    ) -> Result<(Outcome, String), Unanswered> {
        let (place, reason) = (&request.place, &request.reason);
        if request.ask == Ask::Health {
            let weakness = config.allow.is_empty();
            let health = Health {
                kind: "keyholder".to_owned(),
                weakness: weakness.then(|| "its allow-list is empty: it denies everything".to_owned()),
            };
            return Ok((Outcome::Healthy { health }, "healthy".to_owned()));
        }
        let deny = |why: String| Ok((Outcome::Denied { why: why.clone() }, format!("denied: {why}")));
        match memory.counts.judge(&config.allow, place, reason, now) {
            Verdict::No(why) => return deny(why),
            Verdict::Yes(_) => {}
            Verdict::Ask(_) => {
                let asked = self.decisions.ask(place, reason, now).map_err(|error| {
                    tracing::error!(error = &error as &dyn std::error::Error, "nobody can be asked");
                    Unanswered(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "the keyholder can ask nobody now",
                    )
                })?;
                match asked {
                    Asked::Decided(true) => {}
                    Asked::Decided(false) => return deny("a person decided so".to_owned()),
                    Asked::Waits(id) => {
                        let said = format!("waiting: {id}");
                        return Ok((Outcome::Waiting { id }, said));
                    }
                }
            }
        }
        Ok(match self.work(request) {
            Some(payload) => (
                Outcome::Given {
                    payload: STANDARD.encode(payload.as_slice()),
                },
                "given".to_owned(),
            ),
            None => (Outcome::NotHere, "not here".to_owned()),
        })
    }

    /// Wraps or unwraps. `None` where that cannot be done with these keys, for this place.
    fn work(&self, request: &Request) -> Option<Zeroizing<Vec<u8>>> {
        let payload = Zeroizing::new(STANDARD.decode(&request.payload).ok()?);
        let place = request.place.to_bytes();
        match request.ask {
            Ask::Wrap => {
                let fits = (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&payload.len());
                let mut nonce = [0; NONCE_BYTES];
                getrandom::fill(&mut nonce).ok()?;
                let key = self.keys.first().filter(|_| fits)?;
                key.wrap(&place, &payload, nonce).ok().map(Zeroizing::new)
            }
            Ask::Unwrap => SealingKey::unwrap(&self.keys, &place, &payload).ok(),
            Ask::Health => None,
        }
    }
}

impl Memory {
    /// Notes the nonce. Gives a refusal for what is too old, too new, or seen already, by this process or the one before.
    fn first_time(
        &mut self,
        request: &Request,
        digest: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<(Outcome, String)>, Unanswered> {
        let early = self.without_log.is_some_and(|started| request.at < started);
        if early || request.at.duration_until(now).abs() > CLOCK_WINDOW {
            return Ok(Some((Outcome::Stale, "stale".to_owned())));
        }
        if self.nonces.contains_key(&request.nonce) || self.before.contains(&hex::encode(digest)) {
            return Ok(Some((Outcome::Replayed, "replayed".to_owned())));
        }
        if self.nonces.len() >= NONCES_MAX {
            self.nonces
                .retain(|_, at| at.duration_until(now).abs() <= CLOCK_WINDOW);
        }
        if self.nonces.len() >= NONCES_MAX {
            return Err(Unanswered(
                StatusCode::TOO_MANY_REQUESTS,
                "the keyholder is asked too often",
            ));
        }
        self.nonces.insert(request.nonce.clone(), request.at);
        Ok(None)
    }
}

/// The keyholder's one route.
pub fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route(wire::PATH, post(ask))
        .layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX))
        .with_state(server)
}

/// Serves the route at `door` until `shutdown` completes.
pub async fn serve(
    door: impl Into<crate::listener::Door>,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) {
    crate::listener::serve(
        door,
        hyper_util::service::TowerToHyperService::new(router),
        shutdown,
    )
    .await;
}

async fn ask(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let signature = signature.unwrap_or_default().to_owned();
    // It waits for its disk.
    let answer = tokio::task::spawn_blocking(move || server.answer(&body, &signature)).await;
    match answer {
        Ok(Ok((body, signature))) => {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static("application/json"));
            if let Ok(value) = signature.parse() {
                headers.insert(SIGNATURE, value);
            }
            (headers, body).into_response()
        }
        Ok(Err(Unanswered(status, why))) => (status, why).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the keyholder failed").into_response(),
    }
}
