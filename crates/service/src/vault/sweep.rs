//! Clearing away what crashes left behind.

use std::time::Duration;

use jiff::Timestamp;
use store::blobs::BlobStore;

use super::{Result, Vault};

/// A blob that no row names is deleted when it is this old. One just written is recorded within moments; but S3 dates what
/// was uploaded in parts by its upload's beginning, and a slow client takes its time.
pub const ORPHAN_AGE: Duration = Duration::from_secs(48 * 3600);
/// A half-written blob is deleted when nothing was written to it for so long.
pub const UNFINISHED_AGE: Duration = Duration::from_secs(24 * 3600);
/// How often [`Vault::keep_swept`] sweeps.
pub const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Blobs that no row named.
    pub orphans: u64,
    /// Half-written blobs.
    pub unfinished: u64,
}

impl Vault {
    /// Deletes blobs that no row names and half-written ones, of at least these ages.
    ///
    /// # Errors
    /// When store or disk fail; what was not reached is left to the next sweep.
    pub async fn sweep(&self, orphans_age: Duration, unfinished_age: Duration) -> Result<Swept> {
        let mut swept = Swept::default();
        let mut failed = None;
        // One store that is away does not keep the others from being swept.
        for (_, blobs) in self.inner.blobs.each() {
            let done = self
                .sweep_store(&**blobs, orphans_age, unfinished_age, &mut swept)
                .await;
            failed = failed.or(done.err());
        }
        failed.map_or(Ok(swept), Err)
    }

    async fn sweep_store(
        &self,
        blobs: &dyn BlobStore,
        orphans_age: Duration,
        unfinished_age: Duration,
        swept: &mut Swept,
    ) -> Result<()> {
        swept.unfinished += blobs.sweep_unfinished(unfinished_age).await?;
        for shard in 0..blobs.shards() {
            let old = blobs.list(shard, orphans_age).await?;
            let orphans = self.inner.store.unreferenced(&old).await?;
            // Asked afterwards: a hold that begins later is of a backup whose rows do not name these either.
            if !orphans.is_empty() && self.inner.store.blobs_held(Timestamp::now()).await? {
                continue;
            }
            for orphan in orphans {
                blobs.delete(orphan).await?;
                swept.orphans += 1;
            }
        }
        Ok(())
    }

    /// Sweeps now and then, until dropped.
    pub async fn keep_swept(self) {
        loop {
            match self.sweep(ORPHAN_AGE, UNFINISHED_AGE).await {
                Ok(swept) if swept != Swept::default() => tracing::info!(?swept, "swept what crashes left"),
                Ok(_) => {}
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the sweep failed"),
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }
}
