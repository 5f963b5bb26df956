//! What another node brings, on the node that it comes to. The gate here decides whether it may; what is brought is written
//! to blobs and rows that nobody sees, read back, and shown all at once. Only the node that began a transfer goes on with it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use casework::{
    ids::{AccountId, CaseId, Digest, ObjectId, RegionId},
    transfer::{Data, Mode, TransferRecord},
};
use jiff::Timestamp;
use store::{
    blobs::{BlobId, BlobWriter, Digesting},
    vault::{Adopted, ArrivalStage, Arriving, BroughtPiece, NewAccount, Traveller},
};
use tokio::time::Instant;

use super::{
    across::{ACCOUNTS_MAX, Across, Came, Facts, OBJECTS_AT_ONCE},
    not_taken::{NotTaken, failed, must_make_sense, refuse},
};
use crate::{
    gate::{Batch, ReleaseGate, TakingOver, TransferRequest, remote::PresentedTransfer},
    vault::{Vault, VaultError},
};

/// Most pieces that are being written at once.
const WRITING_MAX: usize = 32;
/// A piece that gets no bytes for so long is given up.
const WRITING_IDLE: Duration = Duration::from_secs(120);
/// Pieces looked at between two reads of the database.
const PIECES_AT_ONCE: u32 = 500;
/// Longest piece: what S3 allows a part, with what sealing adds.
const PIECE_BYTES_MAX: u64 = 6 * 1024 * 1024 * 1024;

/// What comes to this node. One for all connections.
pub struct Arrivals {
    vault: Vault,
    regions: Vec<RegionId>,
    gate: Arc<dyn ReleaseGate>,
    writing: Mutex<HashMap<(CaseId, ObjectId, u32), Writing>>,
}

/// A piece being written.
struct Writing {
    blob: BlobId,
    writer: Box<dyn BlobWriter>,
    digest: Digesting,
    offset: u64,
    length: u64,
    touched: Instant,
}

impl Arrivals {
    /// What comes to these regions of this node.
    pub fn new(
        vault: Vault,
        regions: impl IntoIterator<Item = RegionId>,
        gate: Arc<dyn ReleaseGate>,
    ) -> Self {
        Self {
            vault,
            regions: regions.into_iter().collect(),
            gate,
            writing: Mutex::default(),
        }
    }

    /// Answers the node of this name.
    pub async fn answer(&self, node: &str, across: Across, bytes: &[u8]) -> Came {
        match self.take(node, across, bytes).await {
            Ok(came) => came,
            Err(NotTaken::Refused(refusal)) => Came::Refused { refusal },
            Err(NotTaken::Failed(reason)) => {
                tracing::warn!(node, reason, "what another node brings was not taken");
                Came::Failed { reason }
            }
        }
    }

    async fn take(&self, node: &str, across: Across, bytes: &[u8]) -> Result<Came, NotTaken> {
        if node.is_empty() {
            return Err(failed(
                "a node brings something under the name of its certificate",
            ));
        }
        match across {
            Across::Expect { presented, facts } => self.expect(node, *presented, facts).await,
            Across::Pieces { transfer, objects } => {
                self.coming(node, transfer).await?;
                if objects.len() > OBJECTS_AT_ONCE {
                    return Err(failed("too many objects at once"));
                }
                let mut whole = Vec::new();
                for object in objects {
                    let brought = self.vault.store().pieces_brought(transfer, object).await?;
                    whole.extend(
                        brought
                            .into_iter()
                            .map(|(number, digest)| (object, number, Digest(digest.0))),
                    );
                }
                Ok(Came::Pieces { whole })
            }
            Across::Bytes {
                transfer,
                object,
                number,
                offset,
                length,
            } => {
                let record = self.coming(node, transfer).await?;
                let digest = self
                    .write((transfer, object, number), (offset, length), bytes, &record.to)
                    .await?;
                Ok(Came::Took { digest })
            }
            Across::Offer { presented } => {
                let request = TransferRequest::try_from(*presented)?;
                let record = self.coming(node, request.record.transfer).await?;
                if record != request.record {
                    return Err(failed("the transfer comes on another record; begin anew"));
                }
                let offer = self.gate.offer(request).await?;
                Ok(Came::Offered { offer })
            }
            Across::Objects {
                transfer,
                batch,
                objects,
            } => {
                self.objects(node, transfer, batch.map(|batch| *batch), objects)
                    .await
            }
            Across::Adopt {
                transfer,
                objects,
                told,
            } => {
                let record = self.known(node, transfer).await?.0;
                let region = record.to.clone();
                if !self.all_lie_there(transfer, &region).await? {
                    return Ok(Came::Adopted { here: false });
                }
                let adopted = self
                    .vault
                    .store()
                    .adopt(transfer, region, (objects, told.0))
                    .await?;
                if let Data::Bucket(name) = &record.data {
                    self.vault.forget_bucket_of(&record.tenant, name);
                }
                match adopted {
                    Adopted::Here => Ok(Came::Adopted { here: true }),
                    Adopted::Again => Ok(Came::Adopted { here: false }),
                    Adopted::Differs => Err(failed("what was brought is not what the other node has")),
                }
            }
            Across::Welcome { transfer } => {
                self.known(node, transfer).await?;
                self.vault.store().welcome(transfer).await?;
                Ok(Came::Done)
            }
            Across::TurnAway { transfer } => {
                if self.vault.store().arrival(transfer).await?.is_none() {
                    return Ok(Came::TurnedAway { here: false });
                }
                self.known(node, transfer).await?;
                self.writing().retain(|(of, ..), _| *of != transfer);
                let stage = self.vault.store().turn_away(transfer).await?;
                let here = matches!(stage, Some(ArrivalStage::Here | ArrivalStage::Over));
                Ok(Came::TurnedAway { here })
            }
        }
    }

    fn writing(&self) -> MutexGuard<'_, HashMap<(CaseId, ObjectId, u32), Writing>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of a transfer that this node began, and where it stands.
    async fn known(&self, node: &str, transfer: CaseId) -> Result<(TransferRecord, ArrivalStage), NotTaken> {
        let arrival = self.vault.store().arrival(transfer).await?;
        let arrival = arrival.filter(|arrival| arrival.node == node);
        let arrival = arrival.ok_or_else(|| failed("no transfer of this id comes from that node"))?;
        let record = serde_json::from_str(&arrival.record)
            .map_err(|_| failed("the record of the transfer cannot be read"))?;
        Ok((record, arrival.stage))
    }

    /// The record of a transfer that is coming.
    async fn coming(&self, node: &str, transfer: CaseId) -> Result<TransferRecord, NotTaken> {
        match self.known(node, transfer).await? {
            (record, ArrivalStage::Coming) => Ok(record),
            _ => Err(failed("the transfer is not coming any more")),
        }
    }

    async fn expect(&self, node: &str, presented: PresentedTransfer, facts: Facts) -> Result<Came, NotTaken> {
        let request = TransferRequest::try_from(presented)?;
        let record = request.record.clone();
        if !self.regions.contains(&record.to) || self.regions.contains(&record.from) {
            return Err(refuse(
                format!("region `{}` is not served by the other node alone", record.to),
                "see `[[peer]]` on both nodes",
            ));
        }
        if record.mode != Mode::Move {
            return Err(refuse(
                "a copy is made between regions of one node alone",
                "move it",
            ));
        }
        if facts.tenant != record.tenant || facts.accounts.len() > ACCOUNTS_MAX {
            return Err(failed("what must be alike is not of this transfer"));
        }
        let arrival = self.vault.store().arrival(record.transfer).await?;
        let shown = arrival.is_some_and(|arrival| {
            arrival.node == node && matches!(arrival.stage, ArrivalStage::Here | ArrivalStage::Over)
        });
        if shown {
            // Its answer got lost.
            return Ok(Came::Adopted { here: true });
        }
        // The gate decides before anything is written: an offer that nobody uses lapses.
        self.gate.offer(request).await?;
        let buckets: Vec<String> = facts.buckets.iter().map(|bucket| bucket.name.clone()).collect();
        let accounts: Vec<_> = facts.accounts.iter().map(|account| account.id.clone()).collect();
        let here = self.vault.facts(&record.tenant, &buckets, &accounts).await?;
        let what = facts.differences(&here);
        if !what.is_empty() {
            return Ok(Came::Differs { what });
        }
        let known = |id: &AccountId| here.accounts.iter().any(|account| account.id == *id);
        let (mut new, mut destroyed) = (Vec::new(), None);
        for account in facts.accounts.into_iter().filter(|account| !known(&account.id)) {
            let standing = self
                .vault
                .store()
                .account_standing(&record.tenant, &account.id)
                .await?;
            destroyed = standing.map(|_| account.id.clone()).or(destroyed);
            new.push(NewAccount {
                id: account.id,
                person: account.person,
                aliases: account.aliases,
            });
        }
        if let Some(account) = destroyed {
            return Err(refuse(
                format!("account `{account}` was destroyed there"),
                "leave it out: nothing can be stored under it again",
            ));
        }
        let store = self.vault.store();
        store
            .make_accounts(record.tenant.clone(), new, Timestamp::now())
            .await?;
        let scopes = self.vault.scopes(&record.tenant, &record.data).await?;
        if let Data::Bucket(name) = &record.data {
            let bucket = self.vault.store().bucket(&record.tenant, name).await?;
            let bucket = bucket.ok_or(VaultError::NoSuchBucket)?;
            // It was made for this, or left here once and its row is the sign of that.
            if bucket.region != record.to && bucket.region != record.from {
                return Err(refuse(
                    format!("bucket `{name}` lies in region `{}` there", bucket.region),
                    "make it in the region that the transfer names",
                ));
            }
        }
        let json = serde_json::to_string(&record).map_err(|_| failed("the record has no JSON form"))?;
        let written = self
            .vault
            .store()
            .expect(record.transfer, (node.to_owned(), json), scopes)
            .await?;
        self.vault.delete_freed(written.freed);
        Ok(Came::Done)
    }

    /// Whether the blob of each piece that was read back is there still, whole: this database may have been put back from a backup,
    /// which has no blobs that no row of the vault's names. What is not is forgotten, and brought again.
    async fn all_lie_there(&self, transfer: CaseId, region: &RegionId) -> Result<bool, NotTaken> {
        let (store, mut after, mut all) = (self.vault.store(), None, true);
        loop {
            let page = store.all_brought(transfer, after, PIECES_AT_ONCE).await?;
            let Some((object, number, _)) = page.last() else {
                return Ok(all);
            };
            after = Some((*object, *number));
            for (object, number, read) in page {
                if self.vault.length_of(region, read.blob).await? != Some(read.length) {
                    store.not_brought(transfer, (object, number)).await?;
                    all = false;
                }
            }
        }
    }

    /// Appends bytes to a piece; with the last of them, the digest of what was read back.
    async fn write(
        &self,
        of: (CaseId, ObjectId, u32),
        (offset, length): (u64, u64),
        bytes: &[u8],
        region: &RegionId,
    ) -> Result<Option<Digest>, NotTaken> {
        if length == 0 || length > PIECE_BYTES_MAX || bytes.is_empty() {
            return Err(failed("a piece cannot be of that length"));
        }
        let begun = {
            let mut writing = self.writing();
            writing.retain(|_, one| one.touched.elapsed() < WRITING_IDLE);
            writing.remove(&of)
        };
        let mut one = match begun.filter(|one| offset > 0 && one.offset == offset && one.length == length) {
            Some(one) => one,
            None if offset == 0 => {
                if self.writing().len() >= WRITING_MAX {
                    return Err(failed("as many pieces are being written as may be; try again"));
                }
                let (blob, writer) = self.vault.receive_blob(region).await?;
                Writing {
                    blob,
                    writer,
                    digest: Digesting::default(),
                    offset: 0,
                    length,
                    touched: Instant::now(),
                }
            }
            None => return Err(failed("the piece was not begun here; begin it anew")),
        };
        one.offset = one.offset.saturating_add(bytes.len() as u64);
        if one.offset > length {
            return Err(failed("a piece is longer than was said"));
        }
        one.digest.update(bytes);
        let write = one.writer.write(bytes.to_vec()).await;
        write.map_err(VaultError::from)?;
        if one.offset < length {
            one.touched = Instant::now();
            self.writing().insert(of, one);
            return Ok(None);
        }
        one.writer.finish().await.map_err(VaultError::from)?;
        let (read, digest) = self.vault.read_back(region, one.blob).await?;
        if read != length || digest != one.digest.finish() {
            return Err(failed("what was read back is not what was brought"));
        }
        let (transfer, object, number) = of;
        let store = self.vault.store();
        store
            .brought(
                transfer,
                (object, number),
                BroughtPiece {
                    blob: one.blob,
                    length,
                    digest,
                },
            )
            .await?;
        Ok(Some(Digest(digest.0)))
    }

    async fn objects(
        &self,
        node: &str,
        transfer: CaseId,
        batch: Option<Batch>,
        objects: Vec<Traveller>,
    ) -> Result<Came, NotTaken> {
        let record = self.coming(node, transfer).await?;
        if objects.len() > OBJECTS_AT_ONCE {
            return Err(failed("too many objects at once"));
        }
        let digest = record.digest().map_err(|_| failed("the record has no digest"))?;
        if batch.as_ref().is_some_and(|batch| batch.record != digest) {
            return Err(failed("the keys are of another record; begin anew"));
        }
        // Each with its key, in the order of the keys.
        let keyed: Vec<&Traveller> = objects.iter().filter(|it| it.account.is_some()).collect();
        let handed = batch.as_ref().map_or(&[][..], |batch| &batch.keys);
        if keyed.len() != handed.len() {
            return Err(failed("a key is missing, or one too many"));
        }
        let mut accounts = HashMap::new();
        for (it, key) in keyed.iter().zip(handed) {
            let account = it
                .account
                .as_ref()
                .ok_or_else(|| failed("an object is nobody's"))?;
            let alike = key.object == *it.id.0.as_bytes()
                && key.account == account.as_str()
                && key.label.category == it.category
                && key.label.concerns_at == it.concerns_at;
            if !alike {
                return Err(failed("a key is another object's than the one it came with"));
            }
            if !accounts.contains_key(account) {
                let here = self
                    .vault
                    .account_here(&record.tenant, account, &record.to)
                    .await?;
                accounts.insert(account.clone(), here);
            }
        }
        let wrapped = match batch {
            None => Vec::new(),
            Some(batch) => {
                use base64::{Engine as _, engine::general_purpose::STANDARD};
                let metadata = keyed
                    .iter()
                    .map(|it| STANDARD.encode(&it.sealed_metadata.0))
                    .collect();
                let request = TakingOver {
                    batch,
                    to: accounts.values().map(|(_, key, _)| key.clone()).collect(),
                    metadata,
                };
                self.gate.take_over(request).await?
            }
        };
        if wrapped.len() != keyed.len() {
            return Err(failed("the gate answered for other keys"));
        }
        let mut wrapped: HashMap<ObjectId, _> = wrapped.into_iter().collect();
        let mut buckets = HashMap::new();
        let mut arriving = Vec::with_capacity(objects.len());
        for traveller in objects {
            must_make_sense(&traveller, &record)?;
            let name = traveller.bucket.clone();
            if !buckets.contains_key(&name) {
                let row = self.vault.store().bucket(&record.tenant, &name).await?;
                buckets.insert(name.clone(), row.ok_or(VaultError::NoSuchBucket)?.seq);
            }
            let key = match &traveller.account {
                None => None,
                Some(account) => {
                    let (seq, _, version) = accounts
                        .get(account)
                        .ok_or_else(|| failed("an account is missing"))?;
                    let wrapped = wrapped.remove(&traveller.id);
                    let wrapped = wrapped.ok_or_else(|| failed("the gate answered for other keys"))?;
                    Some((*seq, wrapped, *version))
                }
            };
            arriving.push(Arriving {
                bucket: buckets.get(&name).copied().unwrap_or_default(),
                region: record.to.clone(),
                traveller,
                key,
            });
        }
        self.vault.store().stage(transfer, arriving).await?;
        Ok(Came::Done)
    }
}
