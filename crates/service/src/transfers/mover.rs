//! The mover: copies every sealed body, reads it back, has the gate wrap the keys anew, and changes the rows, batch by
//! batch; only when nothing is left does it remove the old copies. Where a transfer copies, the rows stay as they are, and
//! copies are recorded beside them. After a crash at any step it is started again and goes
//! on where the database says that it stopped.
//!
//! What is written to a bucket while it moves goes to the new region at once; what was read before a row changed stays
//! readable until the end, for old copies are the last to go. Before each batch the transfer is read and judged anew: a
//! stop, or a basis that ended, ends the move there.

use std::collections::BTreeMap;

use casework::{
    event::Actor,
    finding::Promise,
    gate::{Breach, Refusal},
    ids::{AccountId, CaseId},
    transfer::{Based, Mode, Stage, TransferBody, TransferChain, TransferRecord},
};
use envelope::keys::{Wrapped, WrappedAccount};
use store::vault::{Moved, ObjectRow, Relocation, Scope};

use super::{
    Result, TransferError, Transfers,
    course::Plan,
    faults::{Step, When},
    ports::Wrapping,
};
use crate::app::{DOCKET_PATIENCE, ports::Issued};

/// Most objects in a batch.
pub const BATCH_OBJECTS: u32 = 100;
/// Most times that one start goes through the same objects.
pub const PASSES_MAX: u32 = 20;

impl Transfers {
    /// Moves or copies a transfer's data: waits for the docket, begins, and goes on until nothing is left. `progress` hears of each
    /// batch: what is moved, and what was counted to be moved in all. Done twice, it answers the same.
    ///
    /// # Errors
    /// [`TransferError::NoBasis`] where it has none today; [`TransferError::NotLogged`] until the docket has the record;
    /// [`TransferError::Refused`] where the gate says no; [`TransferError::Moving`] while another moves it. What was moved
    /// stays moved.
    pub async fn start(
        &self,
        transfer: CaseId,
        actor: Actor,
        progress: impl FnMut(Moved, Moved) + Send,
    ) -> Result<Moved> {
        self.claim(transfer)
            .await?
            .during(self.go_on(transfer, actor, progress))
            .await
    }

    async fn go_on(
        &self,
        transfer: CaseId,
        actor: Actor,
        mut progress: impl FnMut(Moved, Moved) + Send,
    ) -> Result<Moved> {
        let chain = self.chain(transfer).await?;
        if chain.matter().stage() == Stage::Done {
            return Ok(self.parts.vault.store().moved_by(transfer).await?);
        }
        let across = self.is_across(chain.matter().opening());
        let opening = chain.matter().opening().clone();
        match self.move_on(chain, actor, across, &mut progress).await {
            // It does not go on: nothing is to stay frozen for it, on either node.
            Err(error) if across && error.ends_it() => {
                if let Err(left) = self.settle_across(transfer, &opening).await {
                    tracing::warn!(%transfer, error = %left, "what was frozen for a transfer stays so; start or stop it again");
                }
                Err(error)
            }
            other => other,
        }
    }

    async fn move_on(
        &self,
        chain: TransferChain,
        actor: Actor,
        across: bool,
        progress: &mut (impl FnMut(Moved, Moved) + Send),
    ) -> Result<Moved> {
        let transfer = chain.case_id();
        let (chain, issued) = self.logged(chain).await?;
        let record = approved(&chain)?.clone();
        let based = self.based_or_lapsed(&chain).await?;
        let whole = self.begin(&chain, &actor, &based).await?;
        if across {
            self.take_across(&record, &issued, whole, progress).await?;
            return self.finish(&record).await;
        }
        if record.mode == Mode::Move {
            self.fault(Step::Redirect, When::Before).await?;
            self.parts.vault.redirect(&record).await?;
            self.fault(Step::Redirect, When::After).await?;
        }
        for scope in self.parts.vault.scopes(&record.tenant, &record.data).await? {
            let mut passes = PASSES_MAX;
            // What changed while it was copied is left to the next pass; the last one finds nothing.
            while self.pass(&record, &issued, scope, whole, progress).await? {
                passes = passes.checked_sub(1).ok_or(TransferError::Contended(transfer))?;
            }
        }
        self.finish(&record).await
    }

    pub(super) async fn fault(&self, step: Step, when: When) -> Result<()> {
        Ok(self.parts.faults.at(step, when).await?)
    }

    /// The record's receipt, and the chain that says where the docket has it.
    async fn logged(&self, chain: TransferChain) -> Result<(TransferChain, Issued)> {
        let record = approved(&chain)?.id;
        let entry = self.parts.store.record_entry(record).await?;
        let entry = entry.ok_or(TransferError::NotLogged(record))?;
        let issued = self.parts.docket.wait(entry, DOCKET_PATIENCE).await?;
        let issued = issued.ok_or(TransferError::NotLogged(record))?;
        let index = issued.receipt.index;
        let chain = self
            .step(chain.case_id(), |chain| {
                let waits = chain.matter().stage() == Stage::AwaitingLog;
                let body = TransferBody::Logged { record, index };
                Ok(waits.then(|| Plan::new(Actor::System, body)))
            })
            .await?;
        Ok((chain, issued))
    }

    /// Evidence of a basis today; where there is none, the transfer says so from now on.
    pub(super) async fn based_or_lapsed(&self, chain: &TransferChain) -> Result<Based> {
        match self.based(chain) {
            Err(TransferError::NoBasis(verdict)) => {
                self.note_lapse(chain.case_id(), &verdict).await?;
                Err(TransferError::NoBasis(verdict))
            }
            other => other,
        }
    }

    /// Records that the move begins, or goes on. Only with evidence of a basis.
    async fn begin(&self, chain: &TransferChain, actor: &Actor, based: &Based) -> Result<Moved> {
        let transfer = based.transfer();
        let left = self.parts.vault.left_to_do(chain.matter().opening()).await?;
        let moved = self.parts.vault.store().moved_by(transfer).await?;
        let whole = Moved {
            objects: left.objects.saturating_add(moved.objects),
            bytes: left.bytes.saturating_add(moved.bytes),
        };
        if chain.matter().stage() == Stage::Running {
            return Ok(whole);
        }
        self.fault(Step::RecordStarted, When::Before).await?;
        let body = TransferBody::Started {
            objects: whole.objects,
            bytes: whole.bytes,
        };
        self.step(transfer, |_| Ok(Some(Plan::new(actor.clone(), body.clone()))))
            .await?;
        self.fault(Step::RecordStarted, When::After).await?;
        Ok(whole)
    }

    /// Goes through a scope once; whether there was anything to move.
    async fn pass(
        &self,
        record: &TransferRecord,
        issued: &Issued,
        scope: Scope,
        whole: Moved,
        progress: &mut (impl FnMut(Moved, Moved) + Send),
    ) -> Result<bool> {
        let (mut after, mut any) = (0, false);
        while let Some((last, tried)) = self.batch(record, issued, scope, after).await? {
            after = last;
            any |= tried;
            progress(self.parts.vault.store().moved_by(record.transfer).await?, whole);
        }
        Ok(any)
    }

    /// Moves the next objects of a scope; the row of the last one seen, and whether there was any to move. `None` where
    /// none is left.
    async fn batch(
        &self,
        record: &TransferRecord,
        issued: &Issued,
        scope: Scope,
        after: i64,
    ) -> Result<Option<(i64, bool)>> {
        let store = self.parts.vault.store();
        let between = (&record.from, &record.to);
        let rows = match record.mode {
            Mode::Move => store.left_in(scope, &record.from, after, BATCH_OBJECTS).await?,
            Mode::Copy => store.uncopied_in(scope, between, after, BATCH_OBJECTS).await?,
        };
        let Some(last) = rows.last().map(|row| row.seq) else {
            return Ok(None);
        };
        let chain = self.chain(record.transfer).await?;
        if chain.matter().stage() != Stage::Running {
            return Err(TransferError::NotNow {
                promise: Promise::P19,
                reason: "the transfer was stopped, or its basis ended, while it moved".to_owned(),
                hint: "what was moved stays where it is; see its status",
            });
        }
        self.based_or_lapsed(&chain).await?;
        let mut to: BTreeMap<AccountId, WrappedAccount> = BTreeMap::new();
        let mut tried = false;
        let mut ready: Vec<(&ObjectRow, envelope::keys::WrappedChain)> = Vec::new();
        for row in &rows {
            // Its account was destroyed: nobody can read it here or there.
            let Some(wrapped) = row.chain.clone() else {
                continue;
            };
            if !record.categories.contains(&row.category) {
                return Err(TransferError::OtherCategory {
                    object: row.id,
                    category: row.category.name(),
                });
            }
            self.fault(Step::Copy, When::Before).await?;
            let copied = self.parts.vault.copy_pieces(record.transfer, row, &record.to);
            let copied = copied.await?;
            self.fault(Step::Copy, When::After).await?;
            tried = true;
            if !copied {
                continue;
            }
            if !to.contains_key(&row.account) {
                let vault = &self.parts.vault;
                let there = vault.account_there(&row.tenant, &row.account, &wrapped.account, &record.to);
                to.insert(row.account.clone(), there.await?);
            }
            ready.push((row, wrapped));
        }
        let wrapping = Wrapping {
            chain: chain.events().to_vec(),
            record: record.clone(),
            issued: issued.clone(),
            keys: ready.iter().map(|(_, wrapped)| wrapped.clone()).collect(),
            to: to.values().cloned().collect(),
        };
        let wrapped = self.rewrap(wrapping).await?;
        let relocations = ready
            .iter()
            .zip(wrapped)
            .filter_map(|((row, old), new_key)| {
                Some(Relocation {
                    object: row.id,
                    old_key: old.object_key.clone(),
                    new_key,
                    under: to.get(&row.account)?.account_key.clone(),
                })
            })
            .collect();
        let settling = match record.mode {
            Mode::Move => Step::Relocate,
            Mode::Copy => Step::RecordCopies,
        };
        self.fault(settling, When::Before).await?;
        self.parts.vault.settle(record, relocations).await?;
        self.fault(settling, When::After).await?;
        Ok(Some((last, tried)))
    }

    /// The keys wrapped anew, in the order given. A refusal goes into the transfer.
    async fn rewrap(&self, wrapping: Wrapping) -> Result<Vec<Wrapped>> {
        if wrapping.keys.is_empty() {
            return Ok(Vec::new());
        }
        let (transfer, record) = (wrapping.record.transfer, wrapping.record.id);
        let asked: Vec<[u8; 16]> = wrapping.keys.iter().map(|chain| chain.object).collect();
        self.fault(Step::Rewrap, When::Before).await?;
        let answer = self.parts.gate.rewrap(wrapping).await?;
        self.fault(Step::Rewrap, When::After).await?;
        let refused = |reason: &str| {
            Refusal::invariant(
                3,
                reason.to_owned(),
                "the gate answered for other keys; start again",
            )
        };
        match answer {
            Ok(wrapped) if wrapped.iter().map(|(id, _)| *id.0.as_bytes()).eq(asked) => {
                Ok(wrapped.into_iter().map(|(_, key)| key).collect())
            }
            Ok(_) => Err(TransferError::Refused(refused(
                "the keys are not those asked for",
            ))),
            Err(refusal) => {
                let body = TransferBody::Refused {
                    record,
                    reason: format!("{}: {}", refusal.breach, refusal.reason),
                };
                self.step(transfer, |chain| {
                    let said = chain.events().last().is_some_and(|event| event.body == body);
                    Ok((!said).then(|| Plan::new(Actor::System, body.clone())))
                })
                .await?;
                if refusal.breach == Breach::Promise(Promise::P19) {
                    tracing::warn!(%transfer, "the gate found that a transfer may not go on");
                }
                Err(TransferError::Refused(refusal))
            }
        }
    }

    /// Nothing is left: says so, removes the old copies, and destroys the keys that were left behind. Of a copy, only what was
    /// written in vain is removed.
    async fn finish(&self, record: &TransferRecord) -> Result<Moved> {
        let store = self.parts.vault.store();
        let moved = store.moved_by(record.transfer).await?;
        self.fault(Step::RecordVerified, When::Before).await?;
        let verified = TransferBody::Verified {
            objects: moved.objects,
            bytes: moved.bytes,
        };
        self.system(record.transfer, &verified).await?;
        self.fault(Step::RecordVerified, When::After).await?;
        self.fault(Step::RemoveOld, When::Before).await?;
        let between = (&record.from, &record.to);
        self.parts
            .vault
            .remove_superseded(record.transfer, between)
            .await?;
        self.fault(Step::RemoveOld, When::After).await?;
        if record.mode == Mode::Move {
            self.fault(Step::ForgetKeys, When::Before).await?;
            store.forget_left_keys(record.transfer, &record.from).await?;
            self.fault(Step::ForgetKeys, When::After).await?;
        }
        self.fault(Step::RecordDone, When::Before).await?;
        let removed_at = self.now();
        self.system(record.transfer, &TransferBody::Done { removed_at })
            .await?;
        self.fault(Step::RecordDone, When::After).await?;
        Ok(moved)
    }

    /// Records an event of the mover's own, unless it is the last one already.
    async fn system(&self, transfer: CaseId, body: &TransferBody) -> Result<()> {
        self.step(transfer, |chain| {
            let said = chain.events().last().is_some_and(|event| event.body == *body);
            Ok((!said).then(|| Plan::new(Actor::System, body.clone())))
        })
        .await?;
        Ok(())
    }
}

fn approved(chain: &TransferChain) -> Result<&TransferRecord> {
    let ready = matches!(
        chain.matter().stage(),
        Stage::AwaitingLog | Stage::Ready | Stage::Running
    );
    chain
        .matter()
        .drawn()
        .filter(|_| ready)
        .ok_or(TransferError::NotNow {
            promise: Promise::P19,
            reason: "no record of the transfer is approved".to_owned(),
            hint: "state a basis, propose, and have two people approve, neither of whom opened it",
        })
}
