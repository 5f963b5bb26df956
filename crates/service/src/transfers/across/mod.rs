//! The mover where the region that data goes to lies on another node. Bodies go first, while everything is as ever; then the
//! data is frozen on both nodes, what changed meanwhile is sent after, and the keys go from gate to gate with the rows. The
//! other node shows all of it at once; only then it goes here, and only when nothing is left here may it be changed there.
//!
//! After a crash at any step, on either node, it is started again and goes on where the two databases say that it stopped.
//! Until the other node was asked to show what it has, giving up thaws everything; from then on, what it shows decides.

mod leaving;
mod sending;

use std::collections::BTreeSet;

use async_trait::async_trait;
use casework::{
    demand::CountryCode,
    finding::Promise,
    gate::Refusal,
    ids::{AccountId, CaseId, RegionId},
    transfer::{Data, Mode, Opening, Stage, TransferBody, TransferChain, TransferRecord},
};
use store::vault::{Departure, Leaving, Moved, Scope, TRAVELLERS_MAX};
use translog::Hash;

use super::{
    Result, TransferError, Transfers,
    course::Plan,
    faults::{Step, When},
};
use crate::{
    app::ports::{Issued, PortError},
    gate::TransferRequest,
    region::across::{ACCOUNTS_MAX, Across, Came, Facts},
};

/// Most times that everything is sent once more because keys were rotated on the other node.
const PASSES_MAX: u32 = 5;

/// Another node, as transfers use it.
#[async_trait]
pub trait OtherNode: Send + Sync {
    /// The country of a region that it serves.
    fn country(&self, region: &RegionId) -> Option<&CountryCode>;

    /// Brings something.
    ///
    /// # Errors
    /// When it does not answer.
    async fn bring(&self, across: Across, bytes: &[u8]) -> std::result::Result<Came, PortError>;

    /// That the receipt's checkpoint and the one that its gate remembers are of one log.
    ///
    /// # Errors
    /// When it does not answer.
    async fn consistency(&self, issued: &Issued) -> std::result::Result<Vec<Hash>, PortError>;
}

/// A transfer on its way to another node.
struct Way<'a> {
    node: &'a dyn OtherNode,
    record: &'a TransferRecord,
    issued: &'a Issued,
    scopes: Vec<Scope>,
    leaving: Vec<Leaving>,
}

/// What leaves, and between which regions.
struct Where<'a> {
    data: &'a Data,
    opening: &'a Opening,
}

fn leaves(reason: impl Into<String>, hint: &'static str) -> TransferError {
    TransferError::NotNow {
        promise: Promise::P19,
        reason: reason.into(),
        hint,
    }
}

fn other(reason: impl ToString) -> TransferError {
    TransferError::Port(PortError {
        part: "other node",
        reason: reason.to_string(),
    })
}

impl Transfers {
    /// Whether a transfer goes to a region that another node serves.
    pub(in crate::transfers) fn is_across(&self, opening: &Opening) -> bool {
        self.parts.vault.serves(&opening.from.region)
            && !self.parts.vault.serves(&opening.to.region)
            && self.other_node(&opening.to.region).is_some()
    }

    fn other_node(&self, region: &RegionId) -> Option<&dyn OtherNode> {
        let mut nodes = self.parts.others.iter().map(AsRef::as_ref);
        nodes.find(|node: &&dyn OtherNode| node.country(region).is_some())
    }

    /// Takes everything to the other node; what was taken.
    pub(in crate::transfers) async fn take_across(
        &self,
        record: &TransferRecord,
        issued: &Issued,
        whole: Moved,
        progress: &mut (impl FnMut(Moved, Moved) + Send),
    ) -> Result<()> {
        let store = self.parts.vault.store();
        let departure = store.departure(record.transfer).await?;
        if matches!(departure, Some(Departure::There | Departure::Over)) {
            return self.let_go(record.transfer, record).await;
        }
        let node = self.must_know(&record.to)?;
        if departure == Some(Departure::GivenUp) {
            // What was brought there before it was given up is not to be among what is brought now.
            let opening = self.recorded(record.transfer).await?.matter().opening().clone();
            self.settle_across(record.transfer, &opening).await?;
        }
        let mut way = self.way(node, record, issued).await?;
        // The other node freezes what is to come as soon as it hears of it: whoever gives up must tell it.
        store.note_departure(record.transfer, Departure::Expected).await?;
        if self.expect(&way).await? {
            return self.shown_before(record, departure).await;
        }
        if !matches!(departure, Some(Departure::Frozen | Departure::Asked)) {
            // Nothing is frozen yet, so that this takes as long as it takes.
            self.send_bodies(&way, whole, progress).await?;
            self.fault(Step::Freeze, When::Before).await?;
            let frozen = store.freeze_departure(record.transfer, way.scopes.clone()).await;
            let frozen = frozen.map_err(|error| match error {
                store::vault::StoreError::Frozen => leaves(
                    "another transfer has some of it on its way",
                    "wait until that is done, or stop it",
                ),
                other => other.into(),
            })?;
            self.parts.vault.delete_freed(frozen.freed);
            self.fault(Step::Freeze, When::After).await?;
        }
        // From here on it is what it is. What changed before is sent after.
        way = self.way(node, record, issued).await?;
        if self.expect(&way).await? {
            return self.shown_before(record, departure).await;
        }
        let mut passes = PASSES_MAX;
        loop {
            self.send_bodies(&way, whole, progress).await?;
            let told = self.send_objects(&way).await?;
            if self.adopt(&way, told).await? {
                break;
            }
            passes = passes
                .checked_sub(1)
                .ok_or(TransferError::Contended(record.transfer))?;
        }
        self.let_go(record.transfer, record).await
    }

    fn must_know(&self, region: &RegionId) -> Result<&dyn OtherNode> {
        self.other_node(region).ok_or_else(|| {
            leaves(
                format!("no node is known that serves region `{region}`"),
                "name it as a `[[peer]]`",
            )
        })
    }

    /// What leaves, if it may: all of it lies here, is of nobody else, and nothing keeps it.
    async fn way<'a>(
        &self,
        node: &'a dyn OtherNode,
        record: &'a TransferRecord,
        issued: &'a Issued,
    ) -> Result<Way<'a>> {
        let vault = &self.parts.vault;
        let found = vault.leaving(&record.tenant, &record.data, &record.from).await?;
        let (scopes, leaving) = found;
        if let Data::Accounts(named) = &record.data
            && scopes.len() < named.len()
        {
            // It could not be frozen, and what it stores meanwhile would go unseen.
            return Err(leaves(
                "one of the accounts stored nothing here, ever",
                "open a transfer of the others",
            ));
        }
        if leaving.len() > TRAVELLERS_MAX {
            return Err(leaves(
                format!("more than {TRAVELLERS_MAX} objects and versions would leave at once"),
                "transfer accounts one after the other",
            ));
        }
        let preserved = leaving.iter().filter(|one| one.preserved).count();
        if preserved > 0 {
            return Err(leaves(
                format!("{preserved} objects are preserved for a case"),
                "wait until the preservation ends",
            ));
        }
        let copied = leaving.iter().filter(|one| one.copied).count();
        if copied > 0 {
            return Err(leaves(
                format!("{copied} objects have a copy in another region of this node"),
                "withdraw the transfer that made the copy",
            ));
        }
        if leaving
            .iter()
            .any(|one| one.account.is_some() && one.region != record.from.as_str())
        {
            return Err(leaves(
                format!("some of it lies in another region than `{}`", record.from),
                "move that there first, or transfer accounts",
            ));
        }
        let own: BTreeSet<i64> = scopes
            .iter()
            .filter_map(|scope| match scope {
                Scope::Account(row) => Some(*row),
                Scope::Bucket(_) => None,
            })
            .collect();
        let others = |one: &&Leaving| one.account.is_some_and(|account| !own.contains(&account));
        if matches!(record.data, Data::Accounts(_)) && leaving.iter().any(|one| others(&one)) {
            return Err(leaves(
                "a key has versions of other accounts, too",
                "transfer the bucket, or these accounts together",
            ));
        }
        Ok(Way {
            node,
            record,
            issued,
            scopes,
            leaving,
        })
    }

    /// Has the other node say whether the transfer may come; true where all of it is shown there already.
    async fn expect(&self, way: &Way<'_>) -> Result<bool> {
        let facts = self.facts(way).await?;
        self.fault(Step::Expect, When::Before).await?;
        let across = Across::Expect {
            presented: Box::new(self.presented(way).await?.into()),
            facts,
        };
        let came = way.node.bring(across, &[]).await?;
        self.fault(Step::Expect, When::After).await?;
        match came {
            Came::Done => Ok(false),
            Came::Adopted { here: true } => Ok(true),
            Came::Differs { what } => Err(leaves(
                format!("the other node differs: {}", what.join("; ")),
                "make it alike there first: nothing was sent, and nothing moved",
            )),
            came => Err(self.came_back(way.record, came).await?),
        }
    }

    async fn facts(&self, way: &Way<'_>) -> Result<Facts> {
        let (vault, record) = (&self.parts.vault, way.record);
        let rows: BTreeSet<i64> = way.leaving.iter().filter_map(|one| one.account).collect();
        if rows.len() > ACCOUNTS_MAX {
            return Err(leaves(
                format!("something of more than {ACCOUNTS_MAX} accounts would leave at once"),
                "transfer accounts, in several transfers",
            ));
        }
        let rows: Vec<i64> = rows.into_iter().collect();
        let mut accounts: BTreeSet<AccountId> =
            vault.store().account_names(&rows).await?.into_iter().collect();
        if let Data::Accounts(named) = &record.data {
            accounts.extend(named.iter().cloned());
        }
        let buckets = vault.buckets_of(&record.data, &way.scopes, &record.from).await?;
        let accounts: Vec<AccountId> = accounts.into_iter().collect();
        Ok(vault.facts(&record.tenant, &buckets, &accounts).await?)
    }

    /// The transfer as it stands, for the gate of the other node.
    async fn presented(&self, way: &Way<'_>) -> Result<TransferRequest> {
        let chain = self.still_on(way.record.transfer).await?;
        Ok(TransferRequest {
            chain: chain.events().to_vec(),
            record: way.record.clone(),
            salt: way.issued.salt.clone(),
            receipt: way.issued.receipt.clone(),
            consistency: way.node.consistency(way.issued).await?,
            keys: Vec::new(),
            to: Vec::new(),
        })
    }

    /// The chain, where nothing stopped it.
    async fn still_on(&self, transfer: CaseId) -> Result<TransferChain> {
        let chain = self.chain(transfer).await?;
        if chain.matter().stage() != Stage::Running {
            return Err(leaves(
                "the transfer was stopped, or its basis ended, while it moved",
                "see its status",
            ));
        }
        self.based_or_lapsed(&chain).await?;
        Ok(chain)
    }

    /// What the other node said instead; a refusal goes into the transfer.
    async fn came_back(&self, record: &TransferRecord, came: Came) -> Result<TransferError> {
        match came {
            Came::Refused { refusal } => self.note_refusal(record, refusal).await,
            came => Ok(unexpected(came)),
        }
    }

    async fn note_refusal(&self, record: &TransferRecord, refusal: Refusal) -> Result<TransferError> {
        let body = TransferBody::Refused {
            record: record.id,
            reason: format!("{}: {}", refusal.breach, refusal.reason),
        };
        self.step(record.transfer, |chain| {
            let said = chain.events().last().is_some_and(|event| event.body == body);
            let drawn = chain.matter().drawn().is_some_and(|drawn| drawn.id == record.id);
            Ok((drawn && !said).then(|| Plan::new(casework::event::Actor::System, body.clone())))
        })
        .await?;
        Ok(TransferError::Refused(refusal))
    }

    /// Whether a transfer of this kind can be opened between two nodes.
    pub(in crate::transfers) fn may_cross(&self, to: &RegionId, mode: Mode) -> Result<Option<CountryCode>> {
        if self.parts.vault.serves(to) {
            return Ok(None);
        }
        let Some(country) = self.other_node(to).and_then(|node| node.country(to)) else {
            return Ok(None);
        };
        match mode {
            Mode::Move => Ok(Some(country.clone())),
            Mode::Copy => Err(leaves(
                format!(
                    "region `{to}` is another node's, and a copy is made between regions of one node alone"
                ),
                "open a transfer that moves, or have one node serve both regions",
            )),
        }
    }
}

fn unexpected(came: Came) -> TransferError {
    match came {
        Came::Refused { refusal } => TransferError::Refused(refusal),
        Came::Failed { reason } => other(reason),
        _ => other("it answered something else than was asked"),
    }
}
