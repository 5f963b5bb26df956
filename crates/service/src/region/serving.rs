//! The end of the node that has the data.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use casework::{ids::RegionId, record::ReleasedObject};
use envelope::keys::{KEY_BYTES, ObjectKey};
use futures::StreamExt as _;
use store::peer_releases::PeerReleases;
use zeroize::Zeroizing;

use super::{
    Arrivals, PIECE_BYTES, PROTOCOL,
    across::Across,
    calls::{Ask, Told},
};
use crate::{
    app::ports::{PortError, VaultPort as _},
    gate::{LedgerGate, ReleaseGate, remote::GateService},
    link::{Answers, Asker, Message},
    vault::Vault,
};

/// Most objects that one answer names: one more than a record may, so that the asker sees that there are too many.
const OBJECTS_MAX: usize = casework::record::OBJECTS_MAX + 1;

/// This node's vault and its gate's release door, for the desks of other nodes.
pub struct PeerService {
    vault: Vault,
    regions: BTreeSet<RegionId>,
    gate: GateService,
    arrivals: Arrivals,
}

type Said = (Told, Zeroizing<Vec<u8>>);

fn failed(reason: impl ToString) -> PortError {
    PortError {
        part: "vault",
        reason: reason.to_string(),
    }
}

impl PeerService {
    /// What lies in these regions alone. `released` remembers the cases that other nodes had something released for.
    pub fn new(
        vault: Vault,
        regions: impl IntoIterator<Item = RegionId>,
        release: Arc<dyn ReleaseGate>,
        ledger: Arc<dyn LedgerGate>,
        released: PeerReleases,
    ) -> Self {
        let regions: BTreeSet<RegionId> = regions.into_iter().collect();
        Self {
            arrivals: Arrivals::new(vault.clone(), regions.clone(), Arc::clone(&release)),
            vault,
            regions,
            gate: GateService::for_releases(release, ledger, released),
        }
    }

    async fn tell(&self, ask: Ask, key: &[u8]) -> Result<Said, PortError> {
        let plain = |told| (told, Zeroizing::default());
        Ok(match ask {
            Ask::Accounts { identifier } => {
                let mut accounts = self.vault.accounts(&identifier).await?;
                accounts.retain(|account| self.regions.contains(&account.region));
                plain(Told::Accounts { accounts })
            }
            Ask::AccountsAt { address, port, at } => {
                let mut accounts = self.vault.accounts_at(address, port, at).await?;
                accounts.retain(|account| self.regions.contains(&account.region));
                plain(Told::Accounts { accounts })
            }
            Ask::Scope {
                account,
                categories,
                window,
                limit,
            } => {
                self.here(&account.region)?;
                let limit = limit.min(OBJECTS_MAX);
                let mut objects = self.vault.scope(&account, &categories, window, limit).await?;
                objects.retain(|object| self.regions.contains(&object.account.region));
                plain(Told::Scope { objects })
            }
            Ask::Copies {
                account,
                categories,
                window,
                limit,
            } => {
                self.here(&account.region)?;
                let limit = limit.min(OBJECTS_MAX);
                let objects = self.vault.copies(&account, &categories, window, limit).await?;
                plain(Told::Scope { objects })
            }
            Ask::Keys { objects } => {
                for object in &objects {
                    self.here(&object.account.region)?;
                }
                let keys = self.vault.keys(&objects).await?;
                plain(Told::Keys { keys })
            }
            Ask::Describe { object } => {
                let described = self.vault.describe(&object, &self.key(&object, key)?).await?;
                plain(Told::Described { described })
            }
            Ask::Read { object, from, until } => {
                let wanted = until.checked_sub(from).filter(|wanted| *wanted <= PIECE_BYTES);
                let wanted = wanted.ok_or_else(|| failed("a piece cannot be of that length"))?;
                let key = self.key(&object, key)?;
                let mut body = self.vault.read_released(&object, &key, Some(from..until)).await?;
                let room = usize::try_from(wanted).map_err(failed)?;
                let mut piece = Zeroizing::new(Vec::with_capacity(room));
                while let Some(bytes) = body.next().await {
                    let bytes = bytes?;
                    if piece.len() + bytes.len() > room {
                        return Err(failed("a piece is longer than was asked for"));
                    }
                    piece.extend_from_slice(&bytes);
                }
                (Told::Piece, piece)
            }
        })
    }

    fn here(&self, region: &RegionId) -> Result<(), PortError> {
        match self.regions.contains(region) {
            true => Ok(()),
            false => Err(failed(format!("this node does not serve region `{region}`"))),
        }
    }

    /// The object's key, which this region's gate opened and the asker hands back.
    fn key(&self, object: &ReleasedObject, key: &[u8]) -> Result<ObjectKey, PortError> {
        self.here(&object.account.region)?;
        let key: &[u8; KEY_BYTES] = key
            .try_into()
            .map_err(|_| failed("an object is described or read with its key alone"))?;
        Ok(ObjectKey::from_random(*key))
    }
}

#[async_trait]
impl Answers for PeerService {
    fn protocol(&self) -> &'static str {
        PROTOCOL
    }

    async fn answer(&self, asker: &Asker, call: Message) -> Message {
        if let Ok(across) = call.head::<Across>() {
            let node = asker.names().join(" ");
            let came = self.arrivals.answer(&node, across, call.secret()).await;
            return Message::new(&came, &[]).unwrap_or_else(|_| Message::empty());
        }
        let Ok(ask) = call.head::<Ask>() else {
            return self.gate.answer(asker, call).await;
        };
        let told = self.tell(ask, call.secret()).await;
        let (told, secret) = told.unwrap_or_else(|error| {
            tracing::warn!(%error, "another region's node was not answered");
            (Told::Failed { reason: error.reason }, Zeroizing::default())
        });
        Message::new(&told, &secret).unwrap_or_else(|error| {
            let reason = error.to_string();
            // A head this short always fits.
            Message::new(&Told::Failed { reason }, &[]).unwrap_or_else(|_| Message::empty())
        })
    }
}
