//! The gate, as the desk uses it.

use std::sync::Arc;

use async_trait::async_trait;
use casework::ids::{CaseId, Digest};

use crate::{
    app::ports::{GateAnswer, GatePort, GateRequest, PortError},
    docket::Docket,
    gate::{NotReleased, ReleaseGate, ReleaseRequest},
};
use translog::{checkpoint::Checkpoint, note::Note};

/// A gate, wherever it runs, with the docket at hand to prove that what it remembers and what it is shown are one history.
pub struct GateDoor {
    gate: Arc<dyn ReleaseGate>,
    docket: Docket,
    origin: String,
}

impl GateDoor {
    /// A door to `gate` for the log of this origin.
    pub fn new(gate: Arc<dyn ReleaseGate>, docket: Docket, origin: &str) -> Self {
        Self {
            gate,
            docket,
            origin: origin.to_owned(),
        }
    }
}

fn failed(reason: impl ToString) -> PortError {
    PortError {
        part: "gate",
        reason: reason.to_string(),
    }
}

#[async_trait]
impl GatePort for GateDoor {
    async fn release(&self, request: GateRequest) -> Result<GateAnswer, PortError> {
        let note = Note::parse(&request.issued.receipt.checkpoint).map_err(failed)?;
        let shown = Checkpoint::parse(note.text()).map_err(failed)?;
        let remembered = self.gate.remembered(&self.origin).await.map_err(failed)?;
        let consistency = match remembered {
            Some(last) => {
                let (from, to) = (last.size.min(shown.size), last.size.max(shown.size));
                self.docket.consistency(from, to).await.map_err(failed)?
            }
            None => Vec::new(),
        };
        let answer = self
            .gate
            .release(ReleaseRequest {
                chain: request.chain,
                record: request.record,
                salt: request.issued.salt,
                receipt: request.issued.receipt,
                consistency,
                keys: request.keys,
            })
            .await;
        match answer {
            Ok(opened) => Ok(GateAnswer::Opened(opened.keys)),
            Err(NotReleased::Refused(refusal)) => Ok(GateAnswer::Refused(refusal)),
            Err(NotReleased::NoAnswer(error)) => Err(failed(error)),
        }
    }

    async fn observe(&self, case: CaseId, length: u64, head: Digest) -> Result<(), PortError> {
        self.gate.observe(case, length, head).await.map_err(failed)
    }

    async fn known(&self, case: CaseId) -> Result<Option<(u64, Digest)>, PortError> {
        self.gate.known(case).await.map_err(failed)
    }
}
