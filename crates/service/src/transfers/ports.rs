//! What transfers need of the gate.

use async_trait::async_trait;
use casework::{
    event::{Event, Header},
    gate::Refusal,
    ids::{CaseId, Digest, ObjectId},
    transfer::{TransferBody, TransferRecord},
};
use envelope::keys::{Wrapped, WrappedAccount, WrappedChain};

use crate::{
    app::ports::{Issued, PortError},
    gate::{Batch, Offer},
};

/// What the gate is asked for one batch.
pub struct Wrapping {
    /// The whole transfer.
    pub chain: Vec<Event<TransferBody>>,
    /// Its record.
    pub record: TransferRecord,
    /// The record's receipt in the docket.
    pub issued: Issued,
    /// The wrapped keys of the objects.
    pub keys: Vec<WrappedChain>,
    /// Their accounts' keys in the region that they go to.
    pub to: Vec<WrappedAccount>,
}

/// The gate, as transfers use it.
#[async_trait]
pub trait TransferPort: Send + Sync {
    /// Has keys wrapped anew, in the order given.
    ///
    /// # Errors
    /// When the gate does not answer. What it answers may be a refusal.
    async fn rewrap(
        &self,
        wrapping: Wrapping,
    ) -> Result<Result<Vec<(ObjectId, Wrapped)>, Refusal>, PortError>;

    /// Has keys sealed to an offer of another node's gate.
    ///
    /// # Errors
    /// When the gate does not answer. What it answers may be a refusal.
    async fn hand_over(&self, wrapping: Wrapping, offer: Offer) -> Result<Result<Batch, Refusal>, PortError>;

    /// Tells the gate how far a transfer has come, after the event is durable, by all its headers.
    ///
    /// # Errors
    /// When the gate does not answer.
    async fn came(&self, transfer: CaseId, headers: Vec<Header>) -> Result<(), PortError>;

    /// How far the gate knows a transfer to have come.
    ///
    /// # Errors
    /// When the gate does not answer.
    async fn knows(&self, transfer: CaseId) -> Result<Option<(u64, Digest)>, PortError>;
}
