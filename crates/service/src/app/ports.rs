//! What the desk needs of the docket, the vault and the gate, and nothing more. The running service connects the real
//! ones; tests connect others that fail on purpose.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use casework::{
    demand::{Category, Window},
    facts::AccountFacts,
    gate::Refusal,
    ids::{CaseId, Digest, ObjectId, RegionId, SnapshotId},
    record::{AccountRef, ReleaseRecord, ReleasedObject},
};
use envelope::keys::{ObjectKey, WrappedChain};
use futures::stream::BoxStream;
use jiff::Timestamp;
use store::{cases::Connection, vault::Frozen};
use translog::{entry::Salt, proof::Receipt};

/// Something outside the desk failed. The message says what, never about whom.
#[derive(Debug, thiserror::Error)]
#[error("the {part} failed: {reason}")]
pub struct PortError {
    /// `docket`, `vault` or `gate`.
    pub part: &'static str,
    /// What went wrong.
    pub reason: String,
}

/// A receipt that the docket issued.
#[derive(Clone)]
pub struct Issued {
    /// With its witnessed checkpoint.
    pub receipt: Receipt,
    /// The salt of the commitment.
    pub salt: Salt,
}

/// The docket, as the desk uses it.
#[async_trait]
pub trait DocketPort: Send + Sync {
    /// Puts a commitment into the queue within the caller's transaction, and gives the entry's id.
    ///
    /// # Errors
    /// When it cannot be stored.
    async fn enqueue(
        &self,
        tx: &mut Connection,
        kind: &'static str,
        digest: Digest,
    ) -> Result<i64, PortError>;

    /// The receipt of an entry; `None` until it is in a witnessed checkpoint.
    ///
    /// # Errors
    /// When the docket fails.
    async fn receipt(&self, entry: i64) -> Result<Option<Issued>, PortError>;

    /// The same, waiting at most `patience`.
    ///
    /// # Errors
    /// When the docket fails.
    async fn wait(&self, entry: i64, patience: Duration) -> Result<Option<Issued>, PortError>;
}

/// What a package says about an object beside its bytes. Sealed under the object's key until the gate opens it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Described {
    /// Its name in its bucket.
    pub name: String,
    /// Its content type, as stored.
    pub content_type: Option<String>,
    /// Plaintext lengths of its parts, in order.
    pub parts: Vec<u64>,
}

/// An object's plaintext, piece by piece.
pub type Plaintext = BoxStream<'static, Result<Bytes, PortError>>;

/// The vault, as the desk uses it: who has an account, what lies in a scope, and the ciphertext of what the gate opened.
#[async_trait]
pub trait VaultPort: Send + Sync {
    /// Every account, of any customer and region, that goes by this identifier. At most [`super::ACCOUNTS_MAX`].
    ///
    /// # Errors
    /// When the vault fails.
    async fn accounts(&self, identifier: &str) -> Result<Vec<AccountFacts>, PortError>;

    /// Every account, of any customer and region, that used this internet address at that moment, by that source port where
    /// one is given. At most [`super::ACCOUNTS_MAX`].
    ///
    /// # Errors
    /// When the vault fails.
    async fn accounts_at(
        &self,
        address: IpAddr,
        port: Option<u16>,
        at: Timestamp,
    ) -> Result<Vec<AccountFacts>, PortError>;

    /// Freezes what there is of these accounts: their owner's later deletions do not reach it. The same snapshot once more is
    /// what it was the first time.
    ///
    /// # Errors
    /// When the vault fails, or does not keep snapshots of a region among them.
    async fn preserve(
        &self,
        snapshot: SnapshotId,
        accounts: &[AccountRef],
        categories: &[Category],
        window: Option<Window>,
    ) -> Result<Frozen, PortError> {
        let _ = (snapshot, accounts, categories, window);
        Err(no_snapshots())
    }

    /// What a snapshot keeps of an account and its owner deleted since, as [`VaultPort::scope`] gives it.
    ///
    /// # Errors
    /// As [`VaultPort::preserve`].
    async fn preserved(
        &self,
        snapshot: SnapshotId,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError> {
        let _ = (snapshot, account, categories, window, limit);
        Err(no_snapshots())
    }

    /// Ends a snapshot: what its owner deleted meanwhile is removed.
    ///
    /// # Errors
    /// When the vault fails; call again.
    async fn thaw(&self, snapshot: SnapshotId) -> Result<(), PortError> {
        let _ = snapshot;
        Err(no_snapshots())
    }

    /// Objects of one account in these categories and this window, by id, in all regions of the node that serves the
    /// account's: what moves between them meanwhile is seen in one of the two. At most `limit`.
    ///
    /// # Errors
    /// When the vault fails.
    async fn scope(
        &self,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError>;

    /// Copies, in the account's region, of its objects in these categories and this window that lie in another, by id. At most
    /// `limit`. Of no use where the objects themselves are released.
    ///
    /// # Errors
    /// When the vault fails.
    async fn copies(
        &self,
        account: &AccountRef,
        categories: &[Category],
        window: Option<Window>,
        limit: usize,
    ) -> Result<Vec<ReleasedObject>, PortError>;

    /// Whether one node serves all these regions, so that its gate can release from them together.
    fn on_one_node(&self, _regions: &BTreeSet<RegionId>) -> bool {
        true
    }

    /// The wrapped keys of these objects, for the gate.
    ///
    /// # Errors
    /// When the vault fails or an object is gone.
    async fn keys(&self, objects: &[ReleasedObject]) -> Result<Vec<WrappedChain>, PortError>;

    /// What a package says about one object, with the key that the gate opened.
    ///
    /// # Errors
    /// When the vault fails or the object is gone.
    async fn describe(&self, object: &ReleasedObject, key: &ObjectKey) -> Result<Described, PortError>;

    /// One object's plaintext, with the key that the gate opened.
    ///
    /// # Errors
    /// When the vault fails or the object is gone.
    async fn read(&self, object: &ReleasedObject, key: &ObjectKey) -> Result<Plaintext, PortError>;
}

fn no_snapshots() -> PortError {
    PortError {
        part: "vault",
        reason:
            "it keeps no snapshots: of what lies in another node's region, that node's own desk makes one"
                .to_owned(),
    }
}

/// What the gate is asked.
pub struct GateRequest {
    /// The whole case.
    pub chain: Vec<casework::event::Event>,
    /// The record.
    pub record: ReleaseRecord,
    /// Its receipt in the docket.
    pub issued: Issued,
    /// The wrapped keys of its objects.
    pub keys: Vec<WrappedChain>,
}

/// What the gate answered.
pub enum GateAnswer {
    /// It opened these keys; the record is used up.
    Opened(Vec<(ObjectId, ObjectKey)>),
    /// It refused, and says which promise or invariant stands against it.
    Refused(Refusal),
}

/// The gate, as the desk uses it.
#[async_trait]
pub trait GatePort: Send + Sync {
    /// Presents a record.
    ///
    /// # Errors
    /// When the gate does not answer; whether the record was used is then unknown.
    async fn release(&self, request: GateRequest) -> Result<GateAnswer, PortError>;

    /// Tells the gate how far a case has come, after the event is durable: it then refuses the case with its last events
    /// cut off. The headers follow on what the gate knows of the case.
    ///
    /// # Errors
    /// When they do not follow on it, or the gate does not answer.
    async fn observe(&self, case: CaseId, headers: Vec<casework::event::Header>) -> Result<(), PortError>;

    /// How far the gate knows a case to have come: its length and last hash then.
    ///
    /// # Errors
    /// When the gate does not answer.
    async fn known(&self, case: CaseId) -> Result<Option<(u64, Digest)>, PortError>;

    /// Cases of which something is sealed in a customer's access ledger, by id, beginning after `after`; empty at the end.
    ///
    /// # Errors
    /// When the gate does not answer.
    async fn sealed(&self, after: Option<CaseId>) -> Result<Vec<CaseId>, PortError>;

    /// Shows the gate a case whose gags may have ended. It unseals what nothing forbids to be told any more, by its own
    /// judgement.
    ///
    /// # Errors
    /// When the gate does not answer, or the chain is not the case's.
    async fn unseal(&self, case: CaseId, chain: Vec<casework::event::Event>) -> Result<(), PortError>;
}

/// The access ledgers, as the API uses them.
#[async_trait]
pub trait LedgerPort: Send + Sync {
    /// A customer's entries, beginning after number `after`; at most `limit`.
    ///
    /// # Errors
    /// When the gate does not answer.
    async fn page(
        &self,
        tenant: &casework::ids::TenantId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<casework::ledger::Entry>, PortError>;

    /// The sets in the docket that hold the head of a customer's ledger, beginning after the docket's entry `after`; empty at
    /// the end.
    ///
    /// # Errors
    /// When the docket fails.
    async fn heads(
        &self,
        tenant: &casework::ids::TenantId,
        after: Option<u64>,
    ) -> Result<Vec<casework::ledger::heads::ShownSet>, PortError>;
}

/// A customer, as the register shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantEntry {
    /// Its id.
    pub id: casework::ids::TenantId,
    /// What it is.
    pub kind: casework::facts::TenantKind,
    /// Where it is established.
    pub country: casework::demand::CountryCode,
}

/// What became of a customer to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New,
    /// The id is taken.
    Taken,
}

/// The register of customers, as the API uses it.
#[async_trait]
pub trait TenantsPort: Send + Sync {
    /// Adds a customer, with its key in every region.
    ///
    /// # Errors
    /// When the vault or the gate fails.
    async fn add(&self, tenant: &TenantEntry) -> Result<Added, PortError>;

    /// Customers by id, beginning after `after`; at most `limit`.
    ///
    /// # Errors
    /// When the vault fails.
    async fn list(
        &self,
        after: Option<&casework::ids::TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantEntry>, PortError>;
}
