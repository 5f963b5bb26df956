//! Moving beside whoever asked for it: a move takes hours, a request does not.

use std::{sync::Arc, time::Duration};

use casework::{event::Actor, ids::CaseId};
use store::vault::Moved;
use tokio::time::timeout;

use super::{Result, TransferError, Transfers};

/// Most moves that one process has under way for requests.
pub const MOVES_MAX: usize = 4;
/// How long a request waits for a refusal, or for a small move to be done.
pub const PATIENCE: Duration = Duration::from_secs(5);

impl Transfers {
    /// Begins to move a transfer's data, or goes on, and comes back while it moves: `Some` where it was done in
    /// [`PATIENCE`]. What stops it later stands in the log and, where gate or law stopped it, in the transfer. A process that
    /// ends leaves it to be started again.
    ///
    /// # Errors
    /// As [`Transfers::start`]; [`TransferError::Busy`] with [`MOVES_MAX`] under way.
    pub async fn start_beside(&self, transfer: CaseId, actor: Actor) -> Result<Option<Moved>> {
        let slot = Arc::clone(&self.moves).try_acquire_owned();
        let slot = slot.map_err(|_| TransferError::Busy(MOVES_MAX))?;
        let transfers = self.clone();
        let mut moving = tokio::spawn(async move {
            let _slot = slot;
            transfers.start(transfer, actor, |_, _| ()).await
        });
        match timeout(PATIENCE, &mut moving).await {
            Ok(Ok(done)) => done.map(Some),
            Ok(Err(_)) => Err(TransferError::ClaimLost(transfer)),
            Err(_) => {
                tokio::spawn(async move {
                    match moving.await {
                        Ok(Ok(moved)) => {
                            tracing::info!(%transfer, objects = moved.objects, "a transfer is done")
                        }
                        Ok(Err(error)) => tracing::warn!(%transfer, %error, "a transfer stopped moving"),
                        Err(_) => tracing::error!(%transfer, "a transfer's mover was cut off"),
                    }
                });
                Ok(None)
            }
        }
    }
}
