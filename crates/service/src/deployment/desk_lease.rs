//! One desk and one docket to a deployment, however many nodes share its database.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use store::{
    database::{Database, Engine},
    lease::{LEASE_TIME, LeaseError, NodeId, give_back, hold},
};

use super::{Deployment, StartError};

/// The lease's name.
const DESK: &str = "desk";
/// Time between renewals.
const RENEW: Duration = Duration::from_secs(10);

/// The desk's lease, held by this process.
pub(super) struct DeskLease {
    database: Database,
    node: NodeId,
}

impl Deployment {
    /// Takes the desk's lease, and waits for that of a node that was cut off to run out. `None` where the database is a file:
    /// then the folder's lock says who is alone.
    pub(super) async fn hold_desk(&self) -> Result<Option<DeskLease>, StartError> {
        let Some(database) = self
            .databases
            .first()
            .filter(|it| it.engine() == Engine::Postgres)
        else {
            return Ok(None);
        };
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| StartError::DeskElsewhere)?;
        let lease = DeskLease {
            database: database.clone(),
            node: NodeId(id),
        };
        let patience = tokio::time::Instant::now() + LEASE_TIME + RENEW;
        while !lease.renew().await? {
            if tokio::time::Instant::now() > patience {
                return Err(StartError::DeskElsewhere);
            }
            tracing::info!("another node holds the desk; waiting for it to let go");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(Some(lease))
    }
}

impl DeskLease {
    async fn renew(&self) -> Result<bool, LeaseError> {
        hold(&self.database, DESK, self.node, Timestamp::now()).await
    }

    /// Renews the lease until `told`, and gives it back then.
    pub(super) async fn keep(self, told: impl Future<Output = ()>) {
        tokio::pin!(told);
        loop {
            tokio::select! {
                () = &mut told => break,
                () = tokio::time::sleep(RENEW) => {}
            }
            match self.renew().await {
                Ok(true) => {}
                Ok(false) => tracing::error!("another node has taken the desk over; stop one of the two"),
                Err(error) => tracing::warn!(%error, "the desk's lease could not be renewed"),
            }
        }
        if let Err(error) = give_back(&self.database, DESK, self.node).await {
            tracing::warn!(%error, "the desk's lease runs out by itself");
        }
    }
}
