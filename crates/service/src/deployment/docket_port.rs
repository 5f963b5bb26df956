//! The docket, as the desk uses it; and the witness that a deployment without outside witnesses runs.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use casework::ids::Digest;
use store::{cases::Connection, docket::EntryId};
use translog::{
    note::{KeyKind, SignerKey, VerifierKey},
    witness::AddCheckpoint,
};

use super::{Layout, OpenError, read_key};
use crate::{
    app::ports::{DocketPort, Issued, PortError},
    docket::{
        Docket, DocketError,
        witness::Witness,
        witnesses::{Answer, AskWitness, Unreachable},
    },
};

/// Time between looks for a receipt.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

fn failed(error: &DocketError) -> PortError {
    PortError {
        part: "docket",
        reason: error.to_string(),
    }
}

#[async_trait]
impl DocketPort for Docket {
    async fn enqueue(
        &self,
        tx: &mut Connection,
        kind: &'static str,
        digest: Digest,
    ) -> Result<i64, PortError> {
        Docket::enqueue_in(tx, kind, digest.0)
            .await
            .map(|id| id.0)
            .map_err(|error| failed(&error))
    }

    async fn receipt(&self, entry: i64) -> Result<Option<Issued>, PortError> {
        let issued = Docket::receipt(self, EntryId(entry))
            .await
            .map_err(|error| failed(&error))?;
        Ok(issued.map(|issued| Issued {
            receipt: issued.receipt,
            salt: issued.salt,
        }))
    }

    async fn wait(&self, entry: i64, patience: Duration) -> Result<Option<Issued>, PortError> {
        // The sequencer may run in another process, whose progress only the store shows: ask, do not wait to be told.
        let until = tokio::time::Instant::now() + patience;
        loop {
            if let Some(issued) = DocketPort::receipt(self, entry).await? {
                return Ok(Some(issued));
            }
            if tokio::time::Instant::now() >= until {
                return Ok(None);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// A witness in this process. It keeps the log append-only across crashes and restored backups; it proves nothing
/// against its operator. Its state is opened when it is asked first, for only the process that serves may hold it.
pub struct OwnWitness {
    verifier: VerifierKey,
    log: VerifierKey,
    origin: String,
    layout: Layout,
    opened: tokio::sync::OnceCell<Arc<Witness>>,
}

impl OwnWitness {
    /// The witness of the deployment laid out so, for its log.
    ///
    /// # Errors
    /// When its key cannot be read.
    pub fn new(layout: &Layout, origin: &str, log: VerifierKey) -> Result<Self, OpenError> {
        let origin = format!("{origin}/witness");
        let seed = read_key(&layout.witness_key())?;
        let verifier = SignerKey::from_seed(&origin, KeyKind::Witness, &seed)?
            .verifier()
            .clone();
        Ok(Self {
            verifier,
            log,
            origin,
            layout: layout.clone(),
            opened: tokio::sync::OnceCell::new(),
        })
    }

    fn open(&self) -> Result<Arc<Witness>, OpenError> {
        let seed = read_key(&self.layout.witness_key())?;
        let key = SignerKey::from_seed(&self.origin, KeyKind::Witness, &seed)?;
        Ok(Arc::new(Witness::open(
            key,
            std::slice::from_ref(&self.log),
            &self.layout.witness_state(),
        )?))
    }
}

fn unreachable(error: impl ToString) -> Unreachable {
    Unreachable(error.to_string())
}

#[async_trait]
impl AskWitness for OwnWitness {
    fn key(&self) -> &VerifierKey {
        &self.verifier
    }

    async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Answer, Unreachable> {
        let witness = self
            .opened
            .get_or_try_init(|| async { self.open() })
            .await
            .map_err(unreachable)?
            .clone();
        let body = request.to_string();
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
        let reply = tokio::task::spawn_blocking(move || witness.add_checkpoint(body.as_bytes(), now))
            .await
            .map_err(unreachable)?
            .map_err(unreachable)?;
        match reply.status {
            200 => Ok(Answer::Cosigned(reply.body.into_bytes())),
            409 => {
                let known: u64 = reply.body.trim_end().parse().map_err(unreachable)?;
                // It cosigns before anything is published, so it never knows less than this docket; unless its memory was
                // lost, and then it must not cosign a second history.
                if known < request.old {
                    return Err(Unreachable(format!(
                        "it remembers size {known} and has cosigned {}; restore `witness/` from the newest backup, or \
                         go on with another witness in trust.toml",
                        request.old
                    )));
                }
                Ok(Answer::Conflict(known))
            }
            status => Ok(Answer::Refused(status)),
        }
    }
}
