//! The gate, as the desk uses it.

use std::sync::Arc;

use async_trait::async_trait;
use casework::{
    demand::CountryCode,
    event::{Event, Header},
    gate::Refusal,
    ids::{CaseId, Digest, ObjectId, RegionId, TenantId},
    ledger::{
        Entry,
        heads::{NewestHead, ShownSet},
    },
};
use envelope::keys::Wrapped;

use crate::{
    app::ports::{GateAnswer, GatePort, GateRequest, Issued, LedgerPort, PortError},
    docket::{Docket, heads::LedgerHeads},
    gate::{Batch, LedgerGate, NotReleased, Offer, ReleaseGate, ReleaseRequest, TransferRequest},
    region::{
        Peer,
        across::{Across, Came},
    },
    transfers::{OtherNode, TransferPort, Wrapping},
};
use translog::{Hash, checkpoint::Checkpoint, note::Note};

/// A gate, wherever it runs, with the docket at hand to prove that what it remembers and what it is shown are one history.
pub struct GateDoor {
    gate: Arc<dyn ReleaseGate>,
    ledger: Arc<dyn LedgerGate>,
    docket: Docket,
    origin: String,
}

impl GateDoor {
    /// A door to `gate` for the log of this origin.
    pub fn new(
        gate: Arc<dyn ReleaseGate>,
        ledger: Arc<dyn LedgerGate>,
        docket: Docket,
        origin: &str,
    ) -> Self {
        Self {
            gate,
            ledger,
            docket,
            origin: origin.to_owned(),
        }
    }
}

impl GateDoor {
    /// That the receipt's checkpoint and the one that the gate remembers are of one log.
    async fn consistency(&self, issued: &Issued) -> Result<Vec<Hash>, PortError> {
        let note = Note::parse(&issued.receipt.checkpoint).map_err(failed)?;
        let shown = Checkpoint::parse(note.text()).map_err(failed)?;
        match self.gate.remembered(&self.origin).await.map_err(failed)? {
            Some(last) => {
                let (from, to) = (last.size.min(shown.size), last.size.max(shown.size));
                self.docket.consistency(from, to).await.map_err(failed)
            }
            None => Ok(Vec::new()),
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
        let consistency = self.consistency(&request.issued).await?;
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

    async fn observe(&self, case: CaseId, headers: Vec<Header>) -> Result<(), PortError> {
        self.gate.observe(case, headers).await.map_err(failed)
    }

    async fn known(&self, case: CaseId) -> Result<Option<(u64, Digest)>, PortError> {
        self.gate.known(case).await.map_err(failed)
    }

    async fn sealed(&self, after: Option<CaseId>) -> Result<Vec<CaseId>, PortError> {
        self.ledger.sealed(after).await.map_err(failed)
    }

    async fn unseal(&self, case: CaseId, chain: Vec<Event>) -> Result<(), PortError> {
        self.ledger.unseal(case, chain).await.map_err(failed)
    }
}

/// The access ledgers, for the docket.
pub struct LedgerTold(pub Arc<dyn LedgerGate>);

#[async_trait]
impl LedgerHeads for LedgerTold {
    async fn newest(&self, after: Option<&TenantId>) -> Result<Vec<NewestHead>, String> {
        self.0.heads(after).await.map_err(|error| error.to_string())
    }
}

/// The access ledgers, for the API, and the docket that commits to their heads.
pub struct LedgerDoor(pub Arc<dyn LedgerGate>, pub Docket);

#[async_trait]
impl LedgerPort for LedgerDoor {
    async fn page(&self, tenant: &TenantId, after: Option<u64>, limit: u32) -> Result<Vec<Entry>, PortError> {
        self.0.page(tenant, after, limit).await.map_err(failed)
    }

    async fn heads(&self, tenant: &TenantId, after: Option<u64>) -> Result<Vec<ShownSet>, PortError> {
        let shown = self.1.heads(tenant, after).await;
        shown.map_err(|error| PortError {
            part: "docket",
            reason: error.to_string(),
        })
    }
}

/// Another node, for transfers, with our docket at hand for its gate.
pub struct OtherDoor {
    peer: Peer,
    door: GateDoor,
}

impl OtherDoor {
    /// The node of this peer, for the log of this origin.
    pub fn new(peer: Peer, docket: Docket, origin: &str) -> Self {
        let door = GateDoor::new(peer.gate(), peer.ledger(), docket, origin);
        Self { peer, door }
    }
}

#[async_trait]
impl OtherNode for OtherDoor {
    fn country(&self, region: &RegionId) -> Option<&CountryCode> {
        self.peer.country(region)
    }

    async fn bring(&self, across: Across, bytes: &[u8]) -> Result<Came, PortError> {
        self.peer.bring(&across, bytes).await
    }

    async fn consistency(&self, issued: &Issued) -> Result<Vec<Hash>, PortError> {
        self.door.consistency(issued).await
    }
}

#[async_trait]
impl TransferPort for GateDoor {
    async fn rewrap(
        &self,
        wrapping: Wrapping,
    ) -> Result<Result<Vec<(ObjectId, Wrapped)>, Refusal>, PortError> {
        let consistency = self.consistency(&wrapping.issued).await?;
        let request = TransferRequest {
            chain: wrapping.chain,
            record: wrapping.record,
            salt: wrapping.issued.salt,
            receipt: wrapping.issued.receipt,
            consistency,
            keys: wrapping.keys,
            to: wrapping.to,
        };
        match self.gate.transfer(request).await {
            Ok(wrapped) => Ok(Ok(wrapped)),
            Err(NotReleased::Refused(refusal)) => Ok(Err(refusal)),
            Err(NotReleased::NoAnswer(error)) => Err(failed(error)),
        }
    }

    async fn hand_over(&self, wrapping: Wrapping, offer: Offer) -> Result<Result<Batch, Refusal>, PortError> {
        let consistency = self.consistency(&wrapping.issued).await?;
        let request = TransferRequest {
            chain: wrapping.chain,
            record: wrapping.record,
            salt: wrapping.issued.salt,
            receipt: wrapping.issued.receipt,
            consistency,
            keys: wrapping.keys,
            to: wrapping.to,
        };
        match self.gate.hand_over(request, offer).await {
            Ok(batch) => Ok(Ok(batch)),
            Err(NotReleased::Refused(refusal)) => Ok(Err(refusal)),
            Err(NotReleased::NoAnswer(error)) => Err(failed(error)),
        }
    }

    async fn came(&self, transfer: CaseId, headers: Vec<Header>) -> Result<(), PortError> {
        self.gate.observe(transfer, headers).await.map_err(failed)
    }

    async fn knows(&self, transfer: CaseId) -> Result<Option<(u64, Digest)>, PortError> {
        self.gate.known(transfer).await.map_err(failed)
    }
}
