//! One step of a transfer: read the chain, plan the event, commit it with its docket entry.

use casework::{
    event::{Actor, Header},
    ids::{CaseId, Digest, RecordId},
    transfer::{Stage, TransferBody, TransferChain, TransferRecord},
};
use store::cases::{CaseStoreError, NONCE_BYTES, Nonce};

use super::{Result, TransferError, Transfers};

/// How often an event is tried again when others write to the same transfer.
const ATTEMPTS_MAX: u32 = 8;

/// One event as planned.
pub(super) struct Plan {
    pub actor: Actor,
    pub body: TransferBody,
    /// A record whose commitment goes into the docket's queue with it.
    pub log: Option<(RecordId, Digest)>,
}

impl Plan {
    pub(super) fn new(actor: Actor, body: TransferBody) -> Self {
        Self {
            actor,
            body,
            log: None,
        }
    }
}

impl Transfers {
    /// The verified chain of a transfer, which goes on from what the gate remembers of it.
    pub(super) async fn chain(&self, transfer: CaseId) -> Result<TransferChain> {
        // The gate is asked first: what it knows was durable before, so the chain read after must have it.
        let known = self.parts.gate.knows(transfer).await?;
        let chain = self.recorded(transfer).await?;
        match known {
            Some((length, head)) if !chain.continues(length, &head) => Err(TransferError::Broken {
                transfer,
                reason: format!(
                    "the gate knows {length} events of it, and they are not a beginning of these"
                ),
            }),
            _ => Ok(chain),
        }
    }

    pub(super) async fn recorded(&self, transfer: CaseId) -> Result<TransferChain> {
        let events = self.parts.store.events(transfer).await?;
        TransferChain::verify(events).map_err(|broken| TransferError::broken(transfer, &broken))
    }

    /// Plans one event on the chain as it is and commits it; plans again when somebody else's came first. `None` from the
    /// plan: nothing is to be recorded.
    pub(super) async fn step(
        &self,
        transfer: CaseId,
        mut plan: impl FnMut(&TransferChain) -> Result<Option<Plan>>,
    ) -> Result<TransferChain> {
        for _ in 0..ATTEMPTS_MAX {
            let mut chain = self.chain(transfer).await?;
            let Some(plan) = plan(&chain)? else {
                return Ok(chain);
            };
            let event = chain.append(self.now(), plan.actor, self.salt()?, plan.body)?;
            let mut tx = self.parts.store.begin().await?;
            let hash = event
                .header
                .hash()
                .map_err(|_| CaseStoreError::Corrupt("header"))?;
            let entry = self.parts.docket.enqueue(&mut tx, Header::KIND, hash).await?;
            let stage = stage_name(chain.matter().stage());
            let appended = self
                .parts
                .store
                .append(&mut tx, &event, self.nonce()?, entry, stage);
            match appended.await {
                Ok(()) => {}
                // Dropping the transaction rolls it back; the next attempt sees the other's event.
                Err(CaseStoreError::Moved(_)) => continue,
                Err(other) => return Err(other.into()),
            }
            if let Some((record, digest)) = plan.log {
                let entry = self
                    .parts
                    .docket
                    .enqueue(&mut tx, TransferRecord::KIND, digest)
                    .await?;
                self.parts
                    .store
                    .log_record(&mut tx, record, transfer, entry)
                    .await?;
            }
            tx.commit().await.map_err(CaseStoreError::from)?;
            self.tell_gate(&chain).await;
            return Ok(chain);
        }
        Err(TransferError::Contended(transfer))
    }

    pub(super) async fn tell_gate(&self, chain: &TransferChain) {
        let (transfer, headers) = (chain.case_id(), chain.headers().cloned().collect());
        if let Err(error) = self.parts.gate.came(transfer, headers).await {
            tracing::warn!(%error, %transfer, "the gate was not told how far a transfer has come");
        }
    }

    pub(super) fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.parts.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }
    pub(super) fn nonce(&self) -> Result<Nonce> {
        self.random::<NONCE_BYTES>()
    }
    pub(super) fn salt(&self) -> Result<Digest> {
        self.random::<32>().map(Digest)
    }
    /// A time-ordered id.
    pub(super) fn id(&self) -> Result<uuid::Uuid> {
        let millis = u64::try_from(self.now().as_millisecond()).unwrap_or(0);
        Ok(uuid::Builder::from_unix_timestamp_millis(millis, &self.random::<10>()?).into_uuid())
    }
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Open => "open",
        Stage::AwaitingApproval => "awaiting_approval",
        Stage::AwaitingLog => "awaiting_log",
        Stage::Ready => "ready",
        Stage::Running => "running",
        Stage::Done => "done",
        Stage::Stopped => "stopped",
        Stage::Withdrawing => "withdrawing",
        Stage::Withdrawn => "withdrawn",
    }
}
