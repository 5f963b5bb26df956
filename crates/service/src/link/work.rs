//! The bytes that a listener has in work: taken before they are there, given back when they are gone.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Bytes are counted in units of this many, rounded up.
const UNIT_BYTES: usize = 1024;

/// What one listener's connections share.
#[derive(Clone)]
pub(super) struct Work {
    units: Arc<Semaphore>,
    all: u32,
    patience: Duration,
}

/// A part of it.
pub(super) struct Share(
    #[allow(dead_code, reason = "it is held, and given back when dropped")] OwnedSemaphorePermit,
);

impl Work {
    /// So many bytes; who wants some that are not there waits for so long.
    pub(super) fn new(bytes: usize, patience: Duration) -> Self {
        let all = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let units = Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(usize::MAX)));
        Self { units, all, patience }
    }

    /// Takes a share of so many bytes; of more than there are at all, everything.
    ///
    /// # Errors
    /// When it is not there in time.
    pub(super) async fn take(&self, bytes: usize) -> io::Result<Share> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.units).acquire_many_owned(units.min(self.all));
        match timeout(self.patience, taken).await {
            Ok(Ok(share)) => Ok(Share(share)),
            _ => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "more is in work here than this listener takes",
            )),
        }
    }
}
