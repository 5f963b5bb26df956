//! The docket and the gate that a mover talks to: the real gate, and a docket that has everything at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use casework::{
    event::Header,
    gate::Refusal,
    ids::{CaseId, Digest, ObjectId},
    testkit::TestDocket,
    transfer::TransferRecord,
};
use envelope::keys::Wrapped;
use store::cases::Connection;
use translog::{
    Hash,
    entry::{Committed, Salt, Uncommittable},
};

use crate::{
    app::{
        clock::{Clock as _, SteppedClock},
        ports::{DocketPort, Issued, PortError},
    },
    gate::{Batch, EmbeddedGate, Offer, ReleaseGate as _, TransferRequest},
    transfers::{TransferPort, Wrapping},
};

/// What the docket commits to, by its digest.
struct Logged([u8; 32]);

impl Committed for Logged {
    const KIND: &'static str = TransferRecord::KIND;
    fn digest(&self) -> Result<[u8; 32], Uncommittable> {
        Ok(self.0)
    }
}

/// A docket that has everything at once.
pub(crate) struct MemoryDocket {
    log: Mutex<TestDocket>,
    entries: Mutex<BTreeMap<i64, (Digest, Option<u64>)>>,
    clock: Arc<SteppedClock>,
}

const SALT: [u8; 32] = [9; 32];

impl MemoryDocket {
    pub(super) fn new(log: TestDocket, clock: Arc<SteppedClock>) -> Self {
        Self {
            log: Mutex::new(log),
            entries: Mutex::default(),
            clock,
        }
    }
    fn issue(&self, digest: Digest, index: Option<u64>) -> (Issued, u64) {
        let mut log = self.log.lock().unwrap();
        let (value, salt) = (Logged(digest.0), Salt(SALT));
        let index = index.unwrap_or_else(|| log.log(&value, &salt));
        let seconds = u64::try_from(self.clock.now().as_second()).unwrap();
        let receipt = log.receipt(&value, &salt, index, seconds, 2);
        (Issued { receipt, salt }, index)
    }
    /// From what a gate remembers of it to what it is.
    pub(super) async fn consistency_with(&self, gate: &EmbeddedGate) -> Vec<Hash> {
        let origin = self.log.lock().unwrap().checkpoint().origin;
        let remembered = gate.remembered(&origin).await.unwrap();
        remembered.map_or_else(Vec::new, |known| self.log.lock().unwrap().consistency(known.size))
    }
    pub(super) fn entry_of_something_else(&self) -> Issued {
        self.issue(Digest([77; 32]), None).0
    }
}

#[async_trait]
impl DocketPort for MemoryDocket {
    async fn enqueue(&self, _: &mut Connection, _: &'static str, digest: Digest) -> Result<i64, PortError> {
        let mut entries = self.entries.lock().unwrap();
        let id = i64::try_from(entries.len()).unwrap();
        entries.insert(id, (digest, None));
        Ok(id)
    }
    async fn receipt(&self, entry: i64) -> Result<Option<Issued>, PortError> {
        let (digest, index) = self.entries.lock().unwrap()[&entry];
        let (issued, index) = self.issue(digest, index);
        self.entries.lock().unwrap().insert(entry, (digest, Some(index)));
        Ok(Some(issued))
    }
    async fn wait(&self, entry: i64, _: Duration) -> Result<Option<Issued>, PortError> {
        self.receipt(entry).await
    }
}

/// The gate with the docket at hand, as a deployment has it.
pub(crate) struct Door {
    pub(super) gate: Arc<EmbeddedGate>,
    docket: Arc<MemoryDocket>,
}

impl Door {
    pub(super) fn new(gate: Arc<EmbeddedGate>, docket: Arc<MemoryDocket>) -> Self {
        Self { gate, docket }
    }
}

#[async_trait]
impl TransferPort for Door {
    async fn rewrap(
        &self,
        wrapping: Wrapping,
    ) -> Result<Result<Vec<(ObjectId, Wrapped)>, Refusal>, PortError> {
        let consistency = self.docket.consistency_with(&self.gate).await;
        let request = TransferRequest {
            chain: wrapping.chain,
            record: wrapping.record,
            salt: wrapping.issued.salt,
            receipt: wrapping.issued.receipt,
            consistency,
            keys: wrapping.keys,
            to: wrapping.to,
        };
        Ok(self.gate.transfer(request).await)
    }
    async fn hand_over(&self, wrapping: Wrapping, offer: Offer) -> Result<Result<Batch, Refusal>, PortError> {
        let request = TransferRequest {
            chain: wrapping.chain,
            record: wrapping.record,
            salt: wrapping.issued.salt,
            receipt: wrapping.issued.receipt,
            consistency: self.docket.consistency_with(&self.gate).await,
            keys: wrapping.keys,
            to: wrapping.to,
        };
        Ok(self.gate.hand_over(request, offer).await)
    }
    async fn came(&self, transfer: CaseId, headers: Vec<Header>) -> Result<(), PortError> {
        self.gate.observe(transfer, headers).await.unwrap();
        Ok(())
    }
    async fn knows(&self, transfer: CaseId) -> Result<Option<(u64, Digest)>, PortError> {
        Ok(self.gate.known(transfer).await.unwrap())
    }
}
