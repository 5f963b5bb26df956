//! What a transfer between regions does in the vault: where new objects go, copies of sealed bodies that are read back,
//! and the end of what was left behind. Nothing here opens a key.

use std::sync::Arc;

use casework::{
    ids::{AccountId, CaseId, ObjectId, RegionId, TenantId},
    transfer::{Data, Mode, Opening, TransferRecord},
};
use envelope::{chunked::sealed_len, keys::WrappedAccount};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use store::{
    blobs::{BlobError, BlobId, BlobReader, BlobStore},
    vault::{Left, ObjectRow, Relocation, Scope},
};

use super::{Result, Vault, VaultError, error::store_failed, random, sealed::damaged};

/// Bytes read at once while a body is copied.
const PIECE_BYTES: usize = 1024 * 1024;
/// Superseded copies removed between two commits.
const REMOVALS: u32 = 256;

impl Vault {
    /// Which rows a transfer is about.
    ///
    /// # Errors
    /// When there is no such bucket.
    pub(crate) async fn scopes(&self, tenant: &TenantId, data: &Data) -> Result<Vec<Scope>> {
        let store = &self.inner.store;
        match data {
            Data::Bucket(name) => {
                let bucket = store
                    .bucket(tenant, name)
                    .await?
                    .ok_or(VaultError::NoSuchBucket)?;
                Ok(vec![Scope::Bucket(bucket.seq)])
            }
            Data::Accounts(accounts) => {
                let mut scopes = Vec::with_capacity(accounts.len());
                for account in accounts {
                    // One that stored nothing has nothing to move.
                    let row = store.account_row(tenant, account.as_str()).await?;
                    scopes.extend(row.map(Scope::Account));
                }
                Ok(scopes)
            }
        }
    }

    /// The same; none where the bucket was deleted since.
    async fn scopes_now(&self, tenant: &TenantId, data: &Data) -> Result<Vec<Scope>> {
        match self.scopes(tenant, data).await {
            Err(VaultError::NoSuchBucket) => Ok(Vec::new()),
            other => other,
        }
    }

    /// How much of a transfer's data lies in a region.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn lies_in(&self, tenant: &TenantId, data: &Data, region: &RegionId) -> Result<Left> {
        let mut sum = Left::default();
        for scope in self.scopes_now(tenant, data).await? {
            let left = self.inner.store.count_in(scope, region).await?;
            sum.objects = sum.objects.saturating_add(left.objects);
            sum.bytes = sum.bytes.saturating_add(left.bytes);
        }
        Ok(sum)
    }

    /// How many objects of a transfer's data in a region open nowhere, for their account's key there is gone.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn keyless(&self, tenant: &TenantId, data: &Data, region: &RegionId) -> Result<u64> {
        let mut sum: u64 = 0;
        for scope in self.scopes_now(tenant, data).await? {
            sum = sum.saturating_add(self.inner.store.count_keyless(scope, region).await?);
        }
        Ok(sum)
    }

    /// Whether this node has the region's bodies.
    pub(crate) fn serves(&self, region: &RegionId) -> bool {
        self.inner.blobs.of(region).is_ok()
    }

    /// How much of a transfer's data is left to move, or to copy.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn left_to_do(&self, opening: &Opening) -> Result<Left> {
        let (from, to) = (&opening.from.region, &opening.to.region);
        if opening.mode == Mode::Move {
            return self.lies_in(&opening.tenant, &opening.data, from).await;
        }
        let mut sum = Left::default();
        for scope in self.scopes_now(&opening.tenant, &opening.data).await? {
            let left = self.inner.store.count_uncopied(scope, (from, to)).await?;
            sum.objects = sum.objects.saturating_add(left.objects);
            sum.bytes = sum.bytes.saturating_add(left.bytes);
        }
        Ok(sum)
    }

    /// How much of a transfer's data lies in the region that it goes to; of a copy, what this transfer copied and nobody
    /// deleted since.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn lies_there(&self, transfer: CaseId, opening: &Opening) -> Result<Left> {
        match opening.mode {
            // What left for another node is counted as it leaves.
            Mode::Move if !self.serves(&opening.to.region) => {
                let moved = self.inner.store.moved_by(transfer).await?;
                Ok(Left {
                    objects: moved.objects,
                    bytes: moved.bytes,
                })
            }
            Mode::Move => {
                self.lies_in(&opening.tenant, &opening.data, &opening.to.region)
                    .await
            }
            Mode::Copy => Ok(self.inner.store.copies_by(transfer).await?),
        }
    }

    /// Has what is stored from now on lie in the other region, where a whole bucket moves; ends uploads under way in it.
    ///
    /// # Errors
    /// When there is no such bucket, or it lies in neither region.
    pub(crate) async fn redirect(&self, record: &TransferRecord) -> Result<()> {
        let Data::Bucket(name) = &record.data else {
            return Ok(());
        };
        if record.mode == Mode::Copy {
            return Ok(());
        }
        let store = &self.inner.store;
        let bucket = store.bucket(&record.tenant, name).await?;
        let bucket = bucket.ok_or(VaultError::NoSuchBucket)?;
        let written = store
            .redirect_bucket(bucket.seq, &record.from, &record.to)
            .await?;
        self.inner.buckets.forget(&(record.tenant.clone(), name.clone()));
        self.free(written.freed);
        Ok(())
    }

    /// The account's key in the region that it goes to; made where there is none, and held by whoever holds the tenant's
    /// key where it comes from.
    ///
    /// # Errors
    /// When the account was destroyed, or the key's holder says no.
    pub(crate) async fn account_there(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        from: &WrappedAccount,
        to: &RegionId,
    ) -> Result<WrappedAccount> {
        let store = &self.inner.store;
        if let Some(holder) = from.tenant_key.holder()
            && store.tenant_key(tenant, to).await?.is_none()
        {
            let holder = holder.parse().map_err(store_failed)?;
            let key = self.inner.gate.new_tenant_key(to, tenant, Some(&holder)).await?;
            store.add_tenant_key(tenant.clone(), to.clone(), key).await?;
        }
        Ok(self.account(tenant, account, to).await?.chain)
    }

    /// Copies what lies of an object in the blob store to the other region's, and reads each copy back. What was copied
    /// before is not copied again. `false` where the object was replaced or removed meanwhile, or another mover began the
    /// same copy anew: then the sweep removes this one.
    ///
    /// # Errors
    /// When a piece is missing or damaged, a copy differs from it, or a store fails.
    pub(crate) async fn copy_pieces(&self, transfer: CaseId, row: &ObjectRow, to: &RegionId) -> Result<bool> {
        let parts = match self.parts_of(row).await {
            Err(VaultError::NoSuchKey) => return Ok(false),
            other => other?,
        };
        if parts.is_empty() {
            return Ok(true);
        }
        let mut planned = Vec::with_capacity(parts.len());
        for part in &parts {
            planned.push((part.number, part.blob, BlobId(random()?)));
        }
        let store = &self.inner.store;
        let (source, target) = (self.blobs_of(&row.region)?, self.blobs_of(to)?);
        for copy in store.plan_copies(transfer, row.id, planned).await? {
            let part = parts.iter().find(|part| part.number == copy.number);
            let Some(part) = part.filter(|part| part.blob == copy.old && !copy.copied) else {
                continue;
            };
            let length = sealed_len(part.size).map_err(|error| damaged(row.id, error))?;
            match copy_blob((&*source, copy.old), (&*target, copy.new), length).await {
                Ok(()) if store.copied(transfer, row.id, &copy).await? => {}
                Ok(()) => return Ok(false),
                Err(Copying::Blob(BlobError::Missing { .. })) if self.is_gone(row).await? => {
                    return Ok(false);
                }
                Err(error) => return Err(failed(row.id, error)),
            }
        }
        Ok(true)
    }

    /// Whether an object is not any more where and what it was.
    async fn is_gone(&self, row: &ObjectRow) -> Result<bool> {
        let now = self.inner.store.object_by_id(row.id).await?;
        Ok(now.is_none_or(|now| now.region != row.region || now.chain != row.chain))
    }

    /// Records that objects lie in the other region now, or have a copy there.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn settle(&self, record: &TransferRecord, objects: Vec<Relocation>) -> Result<()> {
        let store = &self.inner.store;
        let (transfer, from, to) = (record.transfer, &record.from, &record.to);
        match record.mode {
            Mode::Move => self.free(store.relocate(transfer, from, to, objects).await?),
            Mode::Copy => store.add_copies(transfer, from, to, objects).await?,
        }
        Ok(())
    }

    /// Removes the old copies of what a transfer moved, and new ones that nobody needs any more.
    ///
    /// # Errors
    /// When a store fails; said again, it goes on.
    pub(crate) async fn remove_superseded(
        &self,
        transfer: CaseId,
        (from, to): (&RegionId, &RegionId),
    ) -> Result<()> {
        let store = &self.inner.store;
        loop {
            let batch = store.superseded(transfer, REMOVALS).await?;
            if batch.is_empty() {
                return Ok(());
            }
            // While a backup copies, they stay for the sweep: its rows may name them.
            let held = store.blobs_held(Timestamp::now()).await?;
            let mut gone = Vec::with_capacity(batch.len());
            for (blob, new) in batch {
                let region = if new { to } else { from };
                if !held {
                    self.blobs_of(region)?.delete(blob).await?;
                }
                gone.push(blob);
            }
            store.removed(transfer, gone).await?;
        }
    }

    fn blobs_of(&self, region: &RegionId) -> Result<Arc<dyn BlobStore>> {
        Ok(Arc::clone(self.inner.blobs.of(region)?))
    }
}

fn failed(object: ObjectId, error: Copying) -> VaultError {
    match error {
        Copying::Blob(BlobError::Missing { .. } | BlobError::Short { .. }) => {
            damaged(object, "a piece of its body is missing or short")
        }
        Copying::Blob(other) => other.into(),
        Copying::Length => damaged(object, "its blob's length differs from its record"),
        Copying::Differs => damaged(object, "its copy in the other region differs"),
    }
}

enum Copying {
    Blob(BlobError),
    Length,
    Differs,
}

impl From<BlobError> for Copying {
    fn from(error: BlobError) -> Self {
        Self::Blob(error)
    }
}

/// Copies a blob to one that nobody wrote before, reads the copy back, and compares length and SHA-256.
async fn copy_blob(
    (source, old): (&dyn BlobStore, BlobId),
    (target, new): (&dyn BlobStore, BlobId),
    length: u64,
) -> std::result::Result<(), Copying> {
    let reader = source.open(old).await?;
    if reader.len() != length {
        return Err(Copying::Length);
    }
    let mut writer = target.create(new).await?;
    let mut digest = Sha256::new();
    let mut offset = 0;
    while offset < length {
        let piece = read_piece(&*reader, offset, length).await?;
        digest.update(&piece);
        offset = offset.saturating_add(piece.len() as u64);
        writer.write(piece).await?;
    }
    writer.finish().await?;
    let copy = target.open(new).await?;
    let (mut offset, mut again) = (0, Sha256::new());
    while offset < copy.len().min(length) {
        let piece = read_piece(&*copy, offset, length).await?;
        again.update(&piece);
        offset = offset.saturating_add(piece.len() as u64);
    }
    if copy.len() == length && again.finalize() == digest.finalize() {
        Ok(())
    } else {
        Err(Copying::Differs)
    }
}

async fn read_piece(
    reader: &dyn BlobReader,
    offset: u64,
    length: u64,
) -> std::result::Result<Vec<u8>, BlobError> {
    let left = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
    reader.read_at(offset, vec![0; left.min(PIECE_BYTES)]).await
}
