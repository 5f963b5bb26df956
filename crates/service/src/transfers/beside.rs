//! Moving, copying and taking back beside whoever asked for it: a move takes hours, a request does not.

use std::{future::Future, sync::Arc, time::Duration};

use casework::{event::Actor, ids::CaseId};
use store::vault::Moved;
use tokio::time::timeout;

use super::{Result, TransferError, Transfers};

/// Most moves that one process has under way for requests.
pub const MOVES_MAX: usize = 4;
/// How long a request waits for a refusal, or for a small move to be done.
pub const PATIENCE: Duration = Duration::from_secs(5);

impl Transfers {
    /// Begins to move or copy a transfer's data, or goes on, and comes back while it does: `Some` where it was done in
    /// [`PATIENCE`]. What stops it later stands in the log and, where gate or law stopped it, in the transfer. A process that
    /// ends leaves it to be started again.
    ///
    /// # Errors
    /// As [`Transfers::start`]; [`TransferError::Busy`] with [`MOVES_MAX`] under way.
    pub async fn start_beside(&self, transfer: CaseId, actor: Actor) -> Result<Option<Moved>> {
        let transfers = self.clone();
        let work = async move { transfers.start(transfer, actor, |_, _| ()).await };
        self.beside(transfer, work).await
    }

    /// Gives a copy up, and comes back while it is deleted: `Some` where that was done in [`PATIENCE`].
    ///
    /// # Errors
    /// As [`Transfers::withdraw`]; [`TransferError::Busy`] with [`MOVES_MAX`] under way.
    pub async fn withdraw_beside(
        &self,
        transfer: CaseId,
        actor: Actor,
        reason: String,
    ) -> Result<Option<Moved>> {
        let transfers = self.clone();
        let work = async move { transfers.withdraw(transfer, actor, reason).await };
        self.beside(transfer, work).await
    }

    async fn beside(
        &self,
        transfer: CaseId,
        work: impl Future<Output = Result<Moved>> + Send + 'static,
    ) -> Result<Option<Moved>> {
        let slot = Arc::clone(&self.moves).try_acquire_owned();
        let slot = slot.map_err(|_| TransferError::Busy(MOVES_MAX))?;
        let mut working = tokio::spawn(async move {
            let _slot = slot;
            work.await
        });
        match timeout(PATIENCE, &mut working).await {
            Ok(Ok(done)) => done.map(Some),
            Ok(Err(_)) => Err(TransferError::ClaimLost(transfer)),
            Err(_) => {
                tokio::spawn(async move {
                    match working.await {
                        Ok(Ok(moved)) => {
                            tracing::info!(%transfer, objects = moved.objects, "a transfer is done")
                        }
                        Ok(Err(error)) => {
                            tracing::warn!(%transfer, %error, "a transfer stopped where it was")
                        }
                        Err(_) => tracing::error!(%transfer, "work on a transfer was cut off"),
                    }
                });
                Ok(None)
            }
        }
    }
}
