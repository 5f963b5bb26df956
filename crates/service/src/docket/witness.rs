//! A witness (C2SP tlog-witness): cosigns a log's checkpoint when it continues the one cosigned before, and shows
//! monitors the newest.
//!
//! Trust: it never sees entries. It vouches that the log is one history, and only while its state is kept: a witness
//! that lost its state must be given a new key.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path as UrlPath, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper_util::service::TowerToHyperService;
use translog::{
    Checkpoint, cosignature,
    note::{KeyKind, NOTE_BYTES_MAX, Note, SignerKey, VerifierKey},
    witness::{AddCheckpoint, REQUEST_BYTES_MAX, Refused, SIZE_MEDIA_TYPE, Seen, decide, origin_hash},
};

/// Most logs that one witness serves.
pub const LOGS_MAX: usize = 256;

/// Why a witness could not start or work.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The configuration cannot work.
    #[error("the witness's configuration is wrong: {0}")]
    Config(&'static str),
    /// The state cannot be read or written.
    #[error("the witness's state in `{path}` failed: {source}")]
    State {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process uses the state.
    #[error("another witness uses the state in `{0}`")]
    InUse(PathBuf),
    /// The state is not what this witness wrote.
    #[error("`{0}` is not a checkpoint that this witness cosigned; do not go on with this key")]
    Damaged(PathBuf),
}

type Result<T> = std::result::Result<T, WitnessError>;

/// Tells a witness the time, in seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A witness with its state. One process may use a state directory at a time.
pub struct Witness {
    key: SignerKey,
    logs: BTreeMap<String, Log>,
    _lock: File,
    clock: Clock,
}

struct Log {
    keys: Vec<VerifierKey>,
    directory: PathBuf,
    /// What is kept on disk, or none when that must be read again.
    latest: Mutex<Option<Latest>>,
}

#[derive(Clone)]
struct Latest {
    seen: Seen,
    /// The cosigned note; none before the first.
    note: Option<Arc<str>>,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: String,
}

impl Witness {
    /// Opens a witness for `logs`, with its state under `directory`, which is made if it is not there.
    ///
    /// # Errors
    /// When a key is of the wrong kind, or the state cannot be used.
    pub fn open(key: SignerKey, logs: &[VerifierKey], directory: &Path) -> Result<Self> {
        if key.verifier().kind() != KeyKind::Witness {
            return Err(WitnessError::Config("its key must be a witness key (type 0x04)"));
        }
        if logs.is_empty() || logs.len() > LOGS_MAX {
            return Err(WitnessError::Config("it serves 1 to 256 log keys"));
        }
        fs::create_dir_all(directory).map_err(fault(directory))?;
        let path = directory.join("lock");
        let lock = File::create(&path).map_err(fault(&path))?;
        lock.try_lock()
            .map_err(|_| WitnessError::InUse(directory.to_owned()))?;
        let mut by_origin: BTreeMap<String, Log> = BTreeMap::new();
        for log in logs {
            if log.kind() != KeyKind::Log {
                return Err(WitnessError::Config("a log's key must be of type 0x01"));
            }
            let entry = by_origin.entry(log.name().to_owned()).or_insert_with(|| Log {
                keys: Vec::new(),
                directory: directory.join(origin_hash(log.name())),
                latest: Mutex::new(None),
            });
            entry.keys.push(log.clone());
        }
        for log in by_origin.values() {
            fs::create_dir_all(&log.directory).map_err(fault(&log.directory))?;
            let latest = log.read(&key)?;
            *log.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(latest);
        }
        sync(directory)?;
        Ok(Self {
            key,
            logs: by_origin,
            _lock: lock,
            clock: Arc::new(machine_time),
        })
    }

    /// The same witness with another clock: a demonstration in which months pass.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Its public key.
    pub fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// Decides one request at `now` (seconds since 1970). Check and persist are one step: this blocks on the disk, and
    /// must run to its end once begun.
    ///
    /// # Errors
    /// When the state fails; nothing is cosigned then.
    pub fn add_checkpoint(&self, body: &[u8], now: u64) -> Result<Reply> {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(malformed) => return Ok(refusal(&malformed.into())),
        };
        let Some(log) = request.origin().and_then(|origin| self.logs.get(origin)) else {
            return Ok(refusal(&Refused::UnknownLog));
        };
        let mut latest = log.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let current = match latest.take() {
            Some(current) => current,
            // An earlier write failed: only the disk knows whether it was kept.
            None => log.read(&self.key)?,
        };
        let accepted = match decide(&request, &log.keys, &current.seen) {
            Ok(accepted) => accepted,
            Err(refused) => {
                *latest = Some(current);
                return Ok(refusal(&refused));
            }
        };
        let Some(cosigned) = accepted.cosign(&self.key, now) else {
            *latest = Some(current);
            return Err(WitnessError::Config("the clock is before 1970"));
        };
        log.write(&cosigned.note)?;
        *latest = Some(Latest {
            seen: Seen {
                size: accepted.checkpoint().size,
                root: accepted.checkpoint().root,
            },
            note: Some(cosigned.note.into()),
        });
        Ok(Reply {
            status: 200,
            body: cosigned.answer,
        })
    }

    /// The newest cosigned checkpoint of the log whose origin has this hash (lower-case hex of SHA-256).
    pub fn latest(&self, hash: &str) -> Option<Arc<str>> {
        let log = self
            .logs
            .iter()
            .find(|(origin, _)| origin_hash(origin) == hash)?
            .1;
        let latest = log.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref()?.note.clone()
    }
}

fn machine_time() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}

/// `POST /add-checkpoint` and `GET /<origin hash>/checkpoint`.
pub fn router(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(latest))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(witness)
}

/// Serves until `stop`, and finishes the requests that are under way.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    door: impl Into<crate::listener::Door>,
    witness: Arc<Witness>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    crate::listener::serve(door, TowerToHyperService::new(router(witness)), stop).await;
    Ok(())
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    // A thread of its own: a client that hangs up must not stop the work between check and persist.
    let done = tokio::task::spawn_blocking(move || {
        let now = (witness.clock)();
        witness.add_checkpoint(&body, now)
    })
    .await;
    let reply = match done {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => {
            tracing::error!(%error, "the witness could not cosign");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if reply.status == 409 {
        SIZE_MEDIA_TYPE
    } else {
        "text/plain; charset=utf-8"
    };
    (status, [(header::CONTENT_TYPE, kind)], reply.body).into_response()
}

async fn latest(State(witness): State<Arc<Witness>>, UrlPath(origin): UrlPath<String>) -> Response {
    match witness.latest(&origin) {
        Some(note) => {
            let headers = [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            (headers, note.to_string()).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no checkpoint of that log was cosigned\n").into_response(),
    }
}

fn refusal(refused: &Refused) -> Reply {
    let body = match refused {
        Refused::Conflict(size) => format!("{size}\n"),
        other => format!("{other}\n"),
    };
    Reply {
        status: refused.status(),
        body,
    }
}

impl Log {
    fn file(&self) -> PathBuf {
        self.directory.join("checkpoint")
    }

    /// What is kept, which must be cosigned by this witness and signed by a trusted key of the log.
    fn read(&self, key: &SignerKey) -> Result<Latest> {
        let path = self.file();
        let bytes = match File::open(&path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                let limit = NOTE_BYTES_MAX as u64 + 1;
                io::Read::read_to_end(&mut io::Read::take(file, limit), &mut bytes).map_err(fault(&path))?;
                bytes
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok(Latest {
                    seen: Seen::nothing(),
                    note: None,
                });
            }
            Err(e) => return Err(fault(&path)(e)),
        };
        let damaged = || WitnessError::Damaged(path.clone());
        let text = String::from_utf8(bytes).map_err(|_| damaged())?;
        let note = Note::parse(&text).map_err(|_| damaged())?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|_| damaged())?;
        let verifier = key.verifier();
        let cosigned = note
            .signatures()
            .iter()
            .filter(|signature| verifier.claims(signature))
            .any(|signature| cosignature::verify(verifier, note.text(), signature).is_ok());
        let of_this_log = self.keys.iter().any(|key| key.name() == checkpoint.origin);
        if !cosigned || !of_this_log {
            return Err(damaged());
        }
        Ok(Latest {
            seen: Seen {
                size: checkpoint.size,
                root: checkpoint.root,
            },
            note: Some(text.into()),
        })
    }

    fn write(&self, note: &str) -> Result<()> {
        let (path, temporary) = (self.file(), self.directory.join("checkpoint.new"));
        let mut file = File::create(&temporary).map_err(fault(&temporary))?;
        file.write_all(note.as_bytes()).map_err(fault(&temporary))?;
        file.sync_all().map_err(fault(&temporary))?;
        fs::rename(&temporary, &path).map_err(fault(&path))?;
        sync(&self.directory)
    }
}

fn sync(directory: &Path) -> Result<()> {
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .map_err(fault(directory))
}

fn fault(path: &Path) -> impl FnOnce(io::Error) -> WitnessError + use<> {
    let path = path.to_owned();
    move |source| WitnessError::State { path, source }
}
