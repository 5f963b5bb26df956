//! One mover to a transfer, however many processes share the database. A claim that ran out loses nothing: the rows of
//! copies say whose count. It spares two movers each other's work.

use std::{future::Future, time::Duration};

use casework::ids::CaseId;
use jiff::Timestamp;
use store::{
    lease::{LEASE_TIME, NodeId},
    transfers::TransferStore,
};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Result, TransferError, Transfers};

/// Time between renewals.
const RENEW: Duration = Duration::from_secs(10);

/// The claim to move a transfer.
pub(super) struct Claim<'a> {
    store: &'a TransferStore,
    transfer: CaseId,
    mover: NodeId,
}

impl Transfers {
    /// # Errors
    /// [`TransferError::Moving`] where another has it.
    pub(super) async fn claim(&self, transfer: CaseId) -> Result<Claim<'_>> {
        let mut id = [0; 16];
        self.parts.entropy.fill(&mut id)?;
        let claim = Claim {
            store: &self.parts.store,
            transfer,
            mover: NodeId(id),
        };
        if claim.renew().await? {
            Ok(claim)
        } else {
            Err(TransferError::Moving(transfer))
        }
    }
}

impl Claim<'_> {
    /// Does the work while the claim holds, and gives it back.
    ///
    /// # Errors
    /// The work's own, or [`TransferError::ClaimLost`].
    pub(super) async fn during<T>(self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let done = tokio::select! {
            done = work => done,
            () = self.keep() => Err(TransferError::ClaimLost(self.transfer)),
        };
        if let Err(error) = self.store.give_back(self.transfer, self.mover).await {
            tracing::warn!(transfer = %self.transfer, %error, "the claim to move it runs out by itself");
        }
        done
    }

    /// Renews the claim until it is lost.
    async fn keep(&self) {
        let mut good_until = Instant::now() + LEASE_TIME;
        loop {
            sleep(RENEW).await;
            let asked = Instant::now();
            match timeout_at(good_until, self.renew()).await {
                Ok(Ok(true)) => good_until = asked + LEASE_TIME,
                Ok(Ok(false)) | Err(_) => return,
                Ok(Err(error)) => {
                    tracing::warn!(transfer = %self.transfer, %error, "the claim to move it could not be renewed");
                }
            }
        }
    }

    async fn renew(&self) -> std::result::Result<bool, store::lease::LeaseError> {
        self.store
            .claim(self.transfer, self.mover, Timestamp::now())
            .await
    }
}
