//! The end of the desk: another node's regions.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use casework::{
    demand::{Category, CountryCode, Window},
    facts::AccountFacts,
    ids::RegionId,
    record::{AccountRef, ReleasedObject},
};
use envelope::keys::{ObjectKey, WrappedChain};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::{
    BRING_PATIENCE, LOOK_UP_PATIENCE, PIECE_BYTES, PIECE_PATIENCE, PIECES_AHEAD, PROTOCOL, SCOPE_PATIENCE,
    across::{Across, Came},
    calls::{Ask, Told},
};
use crate::{
    app::ports::{Described, Plaintext, PortError, VaultPort},
    gate::{LedgerGate, ReleaseGate, remote::RemoteGate},
    link::{Address, Link, Message},
    tls::TlsClient,
};

/// A node that serves other regions. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Peer {
    regions: Arc<BTreeSet<RegionId>>,
    countries: Arc<BTreeMap<RegionId, CountryCode>>,
    link: Arc<Link>,
}

impl Peer {
    /// The node at `address`, which was said to serve these regions, each under the law of its country. Nothing is
    /// connected yet.
    pub fn new(regions: BTreeMap<RegionId, CountryCode>, address: Address, tls: TlsClient) -> Self {
        Self {
            regions: Arc::new(regions.keys().cloned().collect()),
            countries: Arc::new(regions),
            link: Arc::new(Link::new(address, Some(tls), PROTOCOL)),
        }
    }

    /// The regions that it was said to serve.
    pub fn regions(&self) -> &BTreeSet<RegionId> {
        &self.regions
    }

    /// The release door of its gate.
    pub fn gate(&self) -> Arc<dyn ReleaseGate> {
        Arc::new(RemoteGate::over(Arc::clone(&self.link)))
    }

    /// The ledgers of its gate: what is sealed there, and unsealing it.
    pub fn ledger(&self) -> Arc<dyn LedgerGate> {
        Arc::new(RemoteGate::over(Arc::clone(&self.link)))
    }

    /// The country of a region that it was said to serve.
    pub(crate) fn country(&self, region: &RegionId) -> Option<&CountryCode> {
        self.countries.get(region)
    }

    /// Brings something of a transfer; twice if need be, for said again it changes nothing, or is refused and then begun anew.
    ///
    /// # Errors
    /// When the node does not answer.
    pub(crate) async fn bring(&self, across: &Across, bytes: &[u8]) -> Result<Came, PortError> {
        let said = self
            .link
            .ask_again(|| Message::new(across, bytes), BRING_PATIENCE);
        let message = said.await.map_err(|error| self.failed(error))?;
        message.head::<Came>().map_err(|error| self.failed(error))
    }

    fn named(&self) -> String {
        let names: Vec<_> = self.regions.iter().map(RegionId::as_str).collect();
        names.join(", ")
    }

    fn failed(&self, reason: impl std::fmt::Display) -> PortError {
        PortError {
            part: "vault",
            reason: format!("the node of region {} did not help: {reason}", self.named()),
        }
    }

    /// Asks, twice if need be: nothing asked here changes anything there.
    async fn ask(&self, ask: &Ask, secret: &[u8], patience: Duration) -> Result<(Told, Message), PortError> {
        let said = self.link.ask_again(|| Message::new(ask, secret), patience);
        let message = said.await.map_err(|error| self.failed(error))?;
        match message.head::<Told>().map_err(|error| self.failed(error))? {
            Told::Failed { reason } => Err(self.failed(reason)),
            told => Ok((told, message)),
        }
    }

    fn confused(&self) -> PortError {
        self.failed("it answered something else than was asked")
    }
}

#[async_trait]
impl VaultPort for Peer {
    async fn accounts(&self, identifier: &str) -> Result<Vec<AccountFacts>, PortError> {
        let identifier = identifier.to_owned();
        self.accounts_by(Ask::Accounts { identifier }).await
    }

    async fn accounts_at(
        &self,
        address: IpAddr,
        port: Option<u16>,
        at: Timestamp,
    ) -> Result<Vec<AccountFacts>, PortError> {
        self.accounts_by(Ask::AccountsAt { address, port, at }).await
    }

    async fn scope(
        &self,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        let ask = Ask::Scope {
            account: account.clone(),
            categories: categories.to_vec(),
            window,
            limit,
        };
        let asked = |object: &ReleasedObject| {
            object.account.tenant == account.tenant
                && object.account.account == account.account
                && self.regions.contains(&object.account.region)
                && categories.contains(&object.category)
        };
        self.objects_by(&ask, limit, asked).await
    }

    async fn copies(
        &self,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        let ask = Ask::Copies {
            account: account.clone(),
            categories: categories.to_vec(),
            window,
            limit,
        };
        let asked =
            |object: &ReleasedObject| object.account == *account && categories.contains(&object.category);
        self.objects_by(&ask, limit, asked).await
    }

    async fn keys(&self, objects: &[ReleasedObject]) -> Result<Vec<WrappedChain>, PortError> {
        let ask = Ask::Keys {
            objects: objects.to_vec(),
        };
        match self.ask(&ask, &[], SCOPE_PATIENCE).await? {
            (Told::Keys { keys }, _) if keys.len() == objects.len() => Ok(keys),
            _ => Err(self.confused()),
        }
    }

    async fn describe(&self, object: &ReleasedObject, key: &ObjectKey) -> Result<Described, PortError> {
        let ask = Ask::Describe {
            object: object.clone(),
        };
        match self.ask(&ask, key.for_a_link(), LOOK_UP_PATIENCE).await? {
            (Told::Described { described }, _) => Ok(described),
            _ => Err(self.confused()),
        }
    }

    async fn read(&self, object: &ReleasedObject, key: &ObjectKey) -> Result<Plaintext, PortError> {
        let (peer, object, key) = (self.clone(), object.clone(), Arc::new(key.duplicate()));
        // An empty object is read too, so that its absence is noticed.
        let count = object.size.div_ceil(PIECE_BYTES).max(1);
        let pieces = stream::iter(0..count).map(move |number| {
            let (peer, object, key) = (peer.clone(), object.clone(), Arc::clone(&key));
            async move { peer.piece(object, &key, number).await }
        });
        Ok(pieces
            .buffered(PIECES_AHEAD)
            .try_filter(|piece| {
                let some = !piece.is_empty();
                async move { some }
            })
            .boxed())
    }
}

impl Peer {
    async fn accounts_by(&self, ask: Ask) -> Result<Vec<AccountFacts>, PortError> {
        match self.ask(&ask, &[], LOOK_UP_PATIENCE).await? {
            (Told::Accounts { accounts }, _) => {
                // It speaks for the regions that it was said to serve, and whose law governs them is not its to say.
                let told = |account: &AccountFacts| {
                    self.countries.get(&account.region) == Some(&account.region_country)
                };
                match accounts.iter().all(told) {
                    true => Ok(accounts),
                    false => {
                        Err(self
                            .failed("it named an account of another region, or under another country's law"))
                    }
                }
            }
            _ => Err(self.confused()),
        }
    }

    /// What it says when asked for objects: at most `limit`, each of them asked for.
    async fn objects_by(
        &self,
        ask: &Ask,
        limit: usize,
        asked: impl Fn(&ReleasedObject) -> bool + Send,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        match self.ask(ask, &[], SCOPE_PATIENCE).await? {
            (Told::Scope { objects }, _) => match objects.len() <= limit && objects.iter().all(asked) {
                true => Ok(objects),
                false => Err(self.failed("it named objects that were not asked for")),
            },
            _ => Err(self.confused()),
        }
    }

    async fn piece(&self, object: ReleasedObject, key: &ObjectKey, number: u64) -> Result<Bytes, PortError> {
        let from = number.saturating_mul(PIECE_BYTES);
        let until = from.saturating_add(PIECE_BYTES).min(object.size);
        let ask = Ask::Read { object, from, until };
        match self.ask(&ask, key.for_a_link(), PIECE_PATIENCE).await? {
            (Told::Piece, message) => {
                let piece = message.secret();
                match u64::try_from(piece.len()).is_ok_and(|length| length == until - from) {
                    true => Ok(Bytes::copy_from_slice(piece)),
                    false => Err(self.failed("a piece has another length than was asked for")),
                }
            }
            _ => Err(self.confused()),
        }
    }
}
