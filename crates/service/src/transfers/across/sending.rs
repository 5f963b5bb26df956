//! What is sent to the other node: bodies while everything is as ever, and, once it is frozen, rows and keys.

use casework::{
    ids::{Digest, ObjectId},
    transfer::TransferRecord,
};
use envelope::keys::WrappedChain;
use store::vault::{Departure, Moved, PartRow, Traveller, all_told};

use super::{Way, Where, leaves, other, unexpected};
use crate::{
    gate::{Batch, Offer},
    region::across::{Across, Came, OBJECTS_AT_ONCE},
    transfers::{
        Result, TransferError, Transfers,
        faults::{Step, When},
        ports::Wrapping,
    },
    vault::VaultError,
};

/// How often a piece, or a batch, is sent before it counts as refused.
const ATTEMPTS_MAX: u32 = 3;
/// Most pieces of bodies in one batch: their rows travel with it.
const PIECES_MAX: usize = 20_000;

impl Transfers {
    /// Sends the pieces of bodies that the other node has not read back yet.
    pub(super) async fn send_bodies(
        &self,
        way: &Way<'_>,
        whole: Moved,
        progress: &mut (impl FnMut(Moved, Moved) + Send),
    ) -> Result<()> {
        let mut sent = Moved::default();
        for rows in way.leaving.chunks(OBJECTS_AT_ONCE) {
            self.still_on(way.record.transfer).await?;
            let mut objects = Vec::with_capacity(rows.len());
            for row in rows {
                if row.account.is_some() {
                    objects.extend(self.may_travel(way.record, row.seq).await?.map(|(it, _)| it));
                }
            }
            let across = Across::Pieces {
                transfer: way.record.transfer,
                objects: objects.iter().map(|it| it.id).collect(),
            };
            let there = match way.node.bring(across, &[]).await? {
                Came::Pieces { whole } => whole,
                came => return Err(unexpected(came)),
            };
            for it in &objects {
                self.send_body(way, it, &there).await?;
                sent.objects = sent.objects.saturating_add(1);
                sent.bytes = sent.bytes.saturating_add(it.size);
                progress(sent, whole);
            }
        }
        Ok(())
    }

    /// An object, where it is there still and may leave.
    async fn may_travel(
        &self,
        record: &TransferRecord,
        row: i64,
    ) -> Result<Option<(Traveller, Option<WrappedChain>)>> {
        let Some((it, chain)) = self.parts.vault.store().traveller(row).await? else {
            return Ok(None);
        };
        let named = record
            .categories
            .iter()
            .find(|category| category.name() == it.category);
        if it.account.is_some() && named.is_none() {
            let all = casework::demand::Category::ALL;
            let category = all.iter().find(|one| one.name() == it.category);
            return Err(TransferError::OtherCategory {
                object: it.id,
                category: category.map_or("unknown", |one| one.name()),
            });
        }
        if it.account.is_some() && chain.is_none() {
            return Err(leaves(
                format!(
                    "object `{}` opens nowhere, for its account's key was destroyed",
                    it.id
                ),
                "delete such objects first",
            ));
        }
        Ok(Some((it, chain)))
    }

    async fn send_body(
        &self,
        way: &Way<'_>,
        it: &Traveller,
        there: &[(ObjectId, u32, Digest)],
    ) -> Result<()> {
        let store = self.parts.vault.store();
        if it.pieces.is_empty() {
            return Ok(());
        }
        for part in store.parts(it.id, None, u32::MAX).await? {
            let known = there
                .iter()
                .find(|(object, number, _)| *object == it.id && *number == part.number);
            let same = |told: &Digest| part.sealed_digest.is_none_or(|own| own.0 == told.0);
            if known.is_some_and(|(_, _, told)| same(told)) {
                continue;
            }
            let mut attempts = ATTEMPTS_MAX;
            loop {
                self.fault(Step::SendBody, When::Before).await?;
                let sent = self.send_piece(way, it, &part).await;
                self.fault(Step::SendBody, When::After).await?;
                attempts = attempts.saturating_sub(1);
                match sent {
                    Ok(()) => break,
                    Err(error @ TransferError::Port(_)) if attempts > 0 => {
                        tracing::info!(object = %it.id, %error, "a piece is sent again");
                    }
                    Err(error) => {
                        // Deleted meanwhile, before it was frozen: there is nothing to send.
                        if store.object_by_id(it.id).await?.is_none() {
                            return Ok(());
                        }
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    async fn send_piece(&self, way: &Way<'_>, it: &Traveller, part: &PartRow) -> Result<()> {
        let damaged = |reason: &str| {
            TransferError::Vault(VaultError::Damaged {
                object: it.id,
                reason: reason.to_owned(),
            })
        };
        let mut sending = self.parts.vault.send(&way.record.from, part.blob).await?;
        let (length, mut offset, mut told) = (sending.len(), 0_u64, None);
        while offset < length {
            let bytes = sending.read(offset).await?;
            if bytes.is_empty() {
                return Err(damaged("a piece of its body is short"));
            }
            let across = Across::Bytes {
                transfer: way.record.transfer,
                object: it.id,
                number: part.number,
                offset,
                length,
            };
            told = match way.node.bring(across, &bytes).await? {
                Came::Took { digest } => digest,
                came => return Err(unexpected(came)),
            };
            offset = offset.saturating_add(bytes.len() as u64);
        }
        let own = sending.digest();
        if part.sealed_digest.is_some_and(|kept| kept != own) {
            return Err(damaged("a piece of its body is not as it was stored"));
        }
        match told {
            Some(told) if told.0 == own.0 => Ok(()),
            _ => Err(other("what was read back there differs from what was sent")),
        }
    }

    /// Sends rows and keys; how many, and what all of them are.
    pub(super) async fn send_objects(&self, way: &Way<'_>) -> Result<(u64, [u8; 32])> {
        let mut each: Vec<(ObjectId, [u8; 32])> = Vec::with_capacity(way.leaving.len());
        let mut together = Vec::new();
        let mut pieces: usize = 0;
        for row in &way.leaving {
            let found = self.may_travel(way.record, row.seq).await?;
            // Frozen, and so there.
            let found = found.ok_or(TransferError::Contended(way.record.transfer))?;
            each.push((found.0.id, found.0.told()?));
            pieces = pieces.saturating_add(found.0.pieces.len());
            together.push(found);
            if together.len() >= OBJECTS_AT_ONCE || pieces >= PIECES_MAX {
                self.send_batch(way, std::mem::take(&mut together)).await?;
                pieces = 0;
            }
        }
        if !together.is_empty() {
            self.send_batch(way, together).await?;
        }
        each.sort_unstable_by_key(|(id, _)| *id.0.as_bytes());
        let count = u64::try_from(each.len()).unwrap_or(u64::MAX);
        Ok((count, all_told(each)))
    }

    async fn send_batch(
        &self,
        way: &Way<'_>,
        together: Vec<(Traveller, Option<WrappedChain>)>,
    ) -> Result<()> {
        let (objects, keys): (Vec<Traveller>, Vec<_>) = together.into_iter().unzip();
        let keys: Vec<WrappedChain> = keys.into_iter().flatten().collect();
        let mut attempts = ATTEMPTS_MAX;
        loop {
            attempts = attempts.saturating_sub(1);
            self.fault(Step::HandOver, When::Before).await?;
            let batch = match keys.is_empty() {
                true => None,
                false => {
                    let offer = self.offer(way).await?;
                    Some(Box::new(self.hand_over(way, keys.clone(), offer).await?))
                }
            };
            let across = Across::Objects {
                transfer: way.record.transfer,
                batch,
                objects: objects.clone(),
            };
            let came = way.node.bring(across, &[]).await?;
            self.fault(Step::HandOver, When::After).await?;
            match came {
                Came::Done => return Ok(()),
                // An offer that lapsed, or was used up by an answer that got lost.
                Came::Failed { reason } if attempts > 0 => {
                    tracing::info!(reason, "a batch of keys is handed over again");
                }
                came => return Err(self.came_back(way.record, came).await?),
            }
        }
    }

    async fn offer(&self, way: &Way<'_>) -> Result<Offer> {
        let across = Across::Offer {
            presented: Box::new(self.presented(way).await?.into()),
        };
        match way.node.bring(across, &[]).await? {
            Came::Offered { offer } => Ok(offer),
            came => Err(self.came_back(way.record, came).await?),
        }
    }

    async fn hand_over(&self, way: &Way<'_>, keys: Vec<WrappedChain>, offer: Offer) -> Result<Batch> {
        let chain = self.still_on(way.record.transfer).await?;
        let wrapping = Wrapping {
            chain: chain.events().to_vec(),
            record: way.record.clone(),
            issued: way.issued.clone(),
            keys,
            to: Vec::new(),
        };
        match self.parts.gate.hand_over(wrapping, offer).await? {
            Ok(batch) => Ok(batch),
            Err(refusal) => Err(self.note_refusal(way.record, refusal).await?),
        }
    }

    /// Has the other node show what it has; `false` where something must be sent again.
    pub(super) async fn adopt(&self, way: &Way<'_>, (objects, told): (u64, [u8; 32])) -> Result<bool> {
        let (store, transfer) = (self.parts.vault.store(), way.record.transfer);
        self.still_on(transfer).await?;
        self.fault(Step::Adopt, When::Before).await?;
        store.note_departure(transfer, Departure::Asked).await?;
        let across = Across::Adopt {
            transfer,
            objects,
            told: Digest(told),
        };
        let came = way.node.bring(across, &[]).await?;
        self.fault(Step::Adopt, When::After).await?;
        match came {
            Came::Adopted { here: true } => {
                let opening = self.recorded(transfer).await?.matter().opening().clone();
                let data = Where {
                    data: &way.record.data,
                    opening: &opening,
                };
                self.shown(transfer, &data).await?;
                Ok(true)
            }
            Came::Adopted { here: false } => Ok(false),
            came => Err(self.came_back(way.record, came).await?),
        }
    }
}
