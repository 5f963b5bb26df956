//! This node's vault and gate together with those of other nodes, as the desk uses them.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use async_trait::async_trait;
use casework::{
    demand::{Category, Window},
    event::{Event, Header},
    facts::AccountFacts,
    gate::Refusal,
    ids::{CaseId, Digest, RegionId, SnapshotId},
    record::{AccountRef, ReleaseRecord, ReleasedObject},
};
use envelope::keys::{ObjectKey, WrappedChain};
use futures::future::try_join_all;

use jiff::Timestamp;
use store::{ledger::SEALED_PAGE, vault::Frozen};

use super::Peer;
use crate::app::{
    ACCOUNTS_MAX,
    ports::{Described, GateAnswer, GatePort, GateRequest, Plaintext, PortError, VaultPort},
};

/// The vaults of all regions that this node knows of.
pub struct Vaults {
    here: Arc<dyn VaultPort>,
    regions: BTreeSet<RegionId>,
    peers: Vec<Peer>,
}

impl Vaults {
    /// This node's vault, which serves `regions`, and the others.
    pub fn new(here: Arc<dyn VaultPort>, regions: BTreeSet<RegionId>, peers: Vec<Peer>) -> Self {
        Self { here, regions, peers }
    }

    fn of(&self, region: &RegionId) -> Result<&dyn VaultPort, PortError> {
        if self.regions.contains(region) {
            return Ok(self.here.as_ref());
        }
        let peer = self.peers.iter().find(|peer| peer.regions().contains(region));
        peer.map(|peer| peer as &dyn VaultPort).ok_or_else(|| PortError {
            part: "vault",
            reason: format!("no node is known that serves region `{region}`; name it as a `[[peer]]`"),
        })
    }
}

#[async_trait]
impl VaultPort for Vaults {
    async fn accounts(&self, identifier: &str) -> Result<Vec<AccountFacts>, PortError> {
        let mut found = self.here.accounts(identifier).await?;
        // Of rows that a shared database has of other regions, their own nodes speak.
        found.retain(|account| self.regions.contains(&account.region));
        for more in try_join_all(self.peers.iter().map(|peer| peer.accounts(identifier))).await? {
            found.extend(more);
        }
        if u32::try_from(found.len()).unwrap_or(u32::MAX) > ACCOUNTS_MAX {
            return Err(PortError {
                part: "vault",
                reason: format!(
                    "more than {ACCOUNTS_MAX} accounts go by this identifier; ask for a narrower one"
                ),
            });
        }
        Ok(found)
    }

    async fn accounts_at(
        &self,
        address: IpAddr,
        port: Option<u16>,
        at: Timestamp,
    ) -> Result<Vec<AccountFacts>, PortError> {
        let mut found = self.here.accounts_at(address, port, at).await?;
        found.retain(|account| self.regions.contains(&account.region));
        let others = self.peers.iter().map(|peer| peer.accounts_at(address, port, at));
        for more in try_join_all(others).await? {
            found.extend(more);
        }
        Ok(found)
    }

    async fn preserve(
        &self,
        snapshot: SnapshotId,
        accounts: &[AccountRef],
        categories: &[Category],
        window: Option<Window>,
    ) -> Result<Frozen, PortError> {
        for account in accounts {
            if !self.regions.contains(&account.region) {
                let elsewhere = self.of(&account.region)?;
                return elsewhere.preserve(snapshot, accounts, categories, window).await;
            }
        }
        self.here.preserve(snapshot, accounts, categories, window).await
    }

    async fn preserved(
        &self,
        snapshot: SnapshotId,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        if !self.regions.contains(&account.region) {
            return Ok(Vec::new());
        }
        let mut objects = self
            .here
            .preserved(snapshot, account, categories, window, limit)
            .await?;
        objects.retain(|object| self.regions.contains(&object.account.region));
        Ok(objects)
    }

    async fn thaw(&self, snapshot: SnapshotId) -> Result<(), PortError> {
        self.here.thaw(snapshot).await
    }

    async fn scope(
        &self,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        let node = self.of(&account.region)?;
        let mut objects = node.scope(account, categories, window, limit).await?;
        if self.regions.contains(&account.region) {
            objects.retain(|object| self.regions.contains(&object.account.region));
        }
        Ok(objects)
    }

    async fn copies(
        &self,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        let node = self.of(&account.region)?;
        node.copies(account, categories, window, limit).await
    }

    fn on_one_node(&self, regions: &BTreeSet<RegionId>) -> bool {
        regions.is_subset(&self.regions) || self.peers.iter().any(|peer| regions.is_subset(peer.regions()))
    }

    async fn keys(&self, objects: &[ReleasedObject]) -> Result<Vec<WrappedChain>, PortError> {
        let mut keys = Vec::with_capacity(objects.len());
        for together in objects.chunk_by(|a, b| a.account.region == b.account.region) {
            if let Some(first) = together.first() {
                keys.extend(self.of(&first.account.region)?.keys(together).await?);
            }
        }
        Ok(keys)
    }

    async fn describe(&self, object: &ReleasedObject, key: &ObjectKey) -> Result<Described, PortError> {
        self.of(&object.account.region)?.describe(object, key).await
    }

    async fn read(&self, object: &ReleasedObject, key: &ObjectKey) -> Result<Plaintext, PortError> {
        self.of(&object.account.region)?.read(object, key).await
    }
}

/// The gates of all regions that this node knows of. Each decides for its own regions.
pub struct Gates {
    here: Arc<dyn GatePort>,
    regions: BTreeSet<RegionId>,
    peers: Vec<(BTreeSet<RegionId>, Arc<dyn GatePort>)>,
}

impl Gates {
    /// This node's gate, which serves `regions`, and the others.
    pub fn new(
        here: Arc<dyn GatePort>,
        regions: BTreeSet<RegionId>,
        peers: Vec<(BTreeSet<RegionId>, Arc<dyn GatePort>)>,
    ) -> Self {
        Self { here, regions, peers }
    }

    /// The gate that holds the roots of every region in the record.
    fn of(&self, record: &ReleaseRecord) -> Result<&Arc<dyn GatePort>, Refusal> {
        let serves = |regions: &BTreeSet<RegionId>| {
            record
                .objects
                .iter()
                .all(|object| regions.contains(&object.account.region))
        };
        if serves(&self.regions) {
            return Ok(&self.here);
        }
        let peer = self.peers.iter().find(|(regions, _)| serves(regions));
        peer.map(|(_, gate)| gate).ok_or_else(|| {
            Refusal::invariant(
                2,
                "no gate holds the roots of all regions that the record names",
                "draw up a record for the regions of one node at a time",
            )
        })
    }
}

#[async_trait]
impl GatePort for Gates {
    async fn release(&self, request: GateRequest) -> Result<GateAnswer, PortError> {
        match self.of(&request.record) {
            Ok(gate) => gate.release(request).await,
            Err(refusal) => Ok(GateAnswer::Refused(refusal)),
        }
    }

    /// This node's gate remembers how far its cases have come; another's learns it with a release.
    async fn observe(&self, case: CaseId, headers: Vec<Header>) -> Result<(), PortError> {
        self.here.observe(case, headers).await
    }

    async fn known(&self, case: CaseId) -> Result<Option<(u64, Digest)>, PortError> {
        self.here.known(case).await
    }

    /// What is sealed at any of the gates. One that does not answer is asked again next time.
    async fn sealed(&self, after: Option<CaseId>) -> Result<Vec<CaseId>, PortError> {
        let mut all = BTreeSet::from_iter(self.here.sealed(after).await?);
        // Each tells a page: beyond the end of the shortest full one, not everything is known yet.
        let mut known_until = ended(all.len(), all.last());
        for (_, gate) in &self.peers {
            match gate.sealed(after).await {
                Ok(cases) => {
                    known_until = known_until
                        .into_iter()
                        .chain(ended(cases.len(), cases.last()))
                        .min();
                    all.extend(cases);
                }
                Err(error) => tracing::warn!(%error, "what another region's gate keeps sealed is not known"),
            }
        }
        all.retain(|case| known_until.is_none_or(|until| *case <= until));
        Ok(all.into_iter().collect())
    }

    /// Shows the case to every gate; one that keeps nothing of it sealed does nothing.
    async fn unseal(&self, case: CaseId, chain: Vec<Event>) -> Result<(), PortError> {
        let mut outcome = self.here.unseal(case, chain.clone()).await;
        for (_, gate) in &self.peers {
            outcome = outcome.and(gate.unseal(case, chain.clone()).await);
        }
        outcome
    }
}

/// Where a full page ends.
fn ended(length: usize, last: Option<&CaseId>) -> Option<CaseId> {
    let full = u32::try_from(length).is_ok_and(|length| length >= SEALED_PAGE);
    last.filter(|_| full).copied()
}
