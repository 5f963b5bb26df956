//! Asking witnesses for cosignatures (C2SP tlog-witness).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt as _, stream::FuturesUnordered};
use store::docket::Signed;
use tokio::time::{Instant, timeout, timeout_at};
use translog::{
    note::{self, Note, NoteSignature, VerifierKey},
    policy::Policy,
    witness::{ANSWER_BYTES_MAX, AddCheckpoint, read_answer, read_conflict},
};

use super::{Docket, DocketError, Result};

/// Longest wait for one answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long slower witnesses may still add to a quorum that is met.
pub const STRAGGLER_GRACE: Duration = Duration::from_millis(200);
/// Requests to one witness for one checkpoint: it may have to say what it saw last.
const ATTEMPTS_MAX: usize = 3;

/// What a witness answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200, with its signature lines.
    Cosigned(Vec<u8>),
    /// 409, with the size it cosigned last.
    Conflict(u64),
    /// Any other status.
    Refused(u16),
}

/// No usable answer came.
#[derive(Debug, thiserror::Error)]
#[error("no answer: {0}")]
pub struct Unreachable(pub String);

/// A witness that can be asked.
#[async_trait]
pub trait AskWitness: Send + Sync {
    /// Its key.
    fn key(&self) -> &VerifierKey;
    /// Sends one add-checkpoint request.
    ///
    /// # Errors
    /// When no answer comes, or none that can be read.
    async fn add_checkpoint(&self, request: &AddCheckpoint) -> std::result::Result<Answer, Unreachable>;
}

/// The witnesses of a policy that have a URL, over HTTP.
///
/// # Errors
/// When the HTTP client cannot be set up.
pub fn of_policy(policy: &Policy) -> std::result::Result<Vec<Arc<dyn AskWitness>>, Unreachable> {
    // A redirect would let whoever answers send our requests elsewhere.
    let client = reqwest::Client::builder()
        .timeout(ANSWER_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .tls_version_min(reqwest::tls::Version::TLS_1_3)
        .build()
        .map_err(|e| Unreachable(e.to_string()))?;
    let mut witnesses: Vec<Arc<dyn AskWitness>> = Vec::new();
    for witness in policy.witnesses() {
        if let Some(url) = &witness.url {
            witnesses.push(Arc::new(HttpWitness {
                key: witness.key.clone(),
                url: format!("{}/add-checkpoint", url.trim_end_matches('/')),
                client: client.clone(),
            }));
        }
    }
    Ok(witnesses)
}

struct HttpWitness {
    key: VerifierKey,
    url: String,
    client: reqwest::Client,
}

#[async_trait]
impl AskWitness for HttpWitness {
    fn key(&self) -> &VerifierKey {
        &self.key
    }

    async fn add_checkpoint(&self, request: &AddCheckpoint) -> std::result::Result<Answer, Unreachable> {
        let failed = |e: reqwest::Error| Unreachable(e.without_url().to_string());
        let sent = self.client.post(&self.url).body(request.to_string()).send().await;
        let mut response = sent.map_err(failed)?;
        let status = response.status().as_u16();
        if status != 200 && status != 409 {
            return Ok(Answer::Refused(status));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Unreachable("the answer is too long".into()));
            }
            body.extend_from_slice(&chunk);
        }
        if status == 200 {
            return Ok(Answer::Cosigned(body));
        }
        let size = read_conflict(&body);
        size.map(Answer::Conflict)
            .ok_or_else(|| Unreachable("answer 409 without a size".into()))
    }
}

/// Asks all witnesses at once and gives the checkpoint with their cosignatures as soon as they are a quorum and the
/// rest had a moment to join.
pub(super) async fn gather(docket: &Docket, signed: &Signed, before: u64) -> Result<String> {
    let config = &docket.inner.config;
    let damaged = |e: translog::note::NoteError| DocketError::Damaged(e.to_string());
    let own = Note::parse(&signed.signed).map_err(damaged)?;
    let mut asking: FuturesUnordered<_> = config
        .witnesses
        .iter()
        .map(|witness| ask(docket, witness.as_ref(), signed, own.text(), before))
        .collect();
    let mut signatures = own.signatures().to_vec();
    let mut faults = Vec::new();
    let mut met = quorum(docket, &own, &signatures);
    let mut deadline = None;
    loop {
        let next = match deadline {
            None if met.is_some() && asking.is_empty() => None,
            None => asking.next().await,
            Some(at) => timeout_at(at, asking.next()).await.unwrap_or(None),
        };
        match next {
            None => break,
            Some(Ok(signature)) => signatures.push(signature),
            Some(Err(fault)) => faults.push(fault),
        }
        met = quorum(docket, &own, &signatures).or(met);
        if met.is_some() && deadline.is_none() {
            deadline = Some(Instant::now() + STRAGGLER_GRACE);
        }
    }
    met.ok_or_else(|| {
        let rolled_back = faults
            .iter()
            .position(|f| matches!(f, DocketError::RolledBack { .. }));
        if let Some(at) = rolled_back {
            return faults.swap_remove(at);
        }
        DocketError::NoQuorum {
            got: signatures.len() - own.signatures().len(),
            asked: config.witnesses.len(),
            size: signed.size,
            why: faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        }
    })
}

/// The note with all these signatures, when the policy is met.
fn quorum(docket: &Docket, own: &Note, signatures: &[NoteSignature]) -> Option<String> {
    let note = note::format(own.text(), signatures);
    docket.policy().check_strict(&note).ok().map(|_| note)
}

async fn ask(
    docket: &Docket,
    witness: &dyn AskWitness,
    signed: &Signed,
    text: &str,
    before: u64,
) -> Result<NoteSignature> {
    let name = witness.key().name();
    let fault = |why: String| DocketError::NoQuorum {
        got: 0,
        asked: 1,
        size: signed.size,
        why: format!("`{name}`: {why}"),
    };
    let mut old = before;
    for _ in 0..ATTEMPTS_MAX {
        let size = signed.size;
        let request = AddCheckpoint {
            old,
            proof: docket.prove(size, move |prover| prover.consistency(old)).await?,
            checkpoint: signed.signed.clone(),
        };
        let answer = timeout(ANSWER_TIMEOUT, witness.add_checkpoint(&request)).await;
        match answer
            .map_err(|_| fault("it took too long".into()))?
            .map_err(|e| fault(e.to_string()))?
        {
            Answer::Cosigned(lines) => {
                let read = read_answer(&lines, witness.key(), text);
                return read
                    .map(|(signature, _)| signature)
                    .map_err(|e| fault(e.to_string()));
            }
            Answer::Conflict(seen) if seen > size => {
                return Err(DocketError::RolledBack {
                    who: format!("the witness `{name}`"),
                    seen,
                    signed: size,
                });
            }
            Answer::Conflict(seen) => old = seen,
            Answer::Refused(status) => return Err(fault(format!("it answered {status}"))),
        }
    }
    Err(fault("it contradicts itself about what it saw last".into()))
}
