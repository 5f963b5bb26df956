//! The end of a copy: given up by a person, then deleted, with every key that only it needed. The original stays. After a
//! crash at any step it is given up again, and goes on.

use casework::{
    event::Actor,
    ids::CaseId,
    transfer::{Stage, TransferBody},
};
use store::vault::Moved;

use super::{
    Result, Transfers,
    course::Plan,
    faults::{Step, When},
};

/// Copies forgotten between two commits.
const COPIES_AT_ONCE: u32 = 256;

impl Transfers {
    /// Deletes what a transfer copied and nobody deleted since; how much that was. It needs no basis and no approval: less data
    /// lies abroad afterwards. Done twice, it answers the same.
    ///
    /// # Errors
    /// [`super::TransferError::NotNow`] where it moved, or copied nothing; [`super::TransferError::Moving`] while another works
    /// on it. What was deleted stays deleted.
    pub async fn withdraw(&self, transfer: CaseId, actor: Actor, reason: String) -> Result<Moved> {
        self.claim(transfer)
            .await?
            .during(self.take_back(transfer, actor, reason))
            .await
    }

    async fn take_back(&self, transfer: CaseId, actor: Actor, reason: String) -> Result<Moved> {
        let chain = self.chain(transfer).await?;
        let (store, vault) = (self.parts.vault.store(), &self.parts.vault);
        let opening = chain.matter().opening();
        let (from, to) = (&opening.from.region, &opening.to.region);
        if chain.matter().stage() != Stage::Withdrawn {
            self.fault(Step::RecordWithdrawn, When::Before).await?;
            let body = TransferBody::Withdrawn { reason };
            self.step(transfer, |chain| {
                let begun = chain.matter().stage() == Stage::Withdrawing;
                Ok((!begun).then(|| Plan::new(actor.clone(), body.clone())))
            })
            .await?;
            self.fault(Step::RecordWithdrawn, When::After).await?;
            // From here on not even a mover that lost its claim records another copy.
            store.give_copies_up(transfer).await?;
            self.fault(Step::DropCopies, When::Before).await?;
            while store.drop_copies(transfer, COPIES_AT_ONCE).await? {
                self.fault(Step::DropCopies, When::After).await?;
            }
            self.fault(Step::DeleteCopies, When::Before).await?;
            vault.remove_superseded(transfer, (from, to)).await?;
            self.fault(Step::DeleteCopies, When::After).await?;
            self.fault(Step::ForgetKeys, When::Before).await?;
            store.forget_left_keys(transfer, to).await?;
            self.fault(Step::ForgetKeys, When::After).await?;
        }
        let gone = store.dropped_by(transfer).await?;
        let removed_at = self.now();
        self.fault(Step::RecordRemoved, When::Before).await?;
        let body = TransferBody::CopyRemoved {
            objects: gone.objects,
            bytes: gone.bytes,
            removed_at,
        };
        self.step(transfer, |chain| {
            let said = chain.matter().stage() == Stage::Withdrawn;
            Ok((!said).then(|| Plan::new(Actor::System, body.clone())))
        })
        .await?;
        self.fault(Step::RecordRemoved, When::After).await?;
        Ok(Moved {
            objects: gone.objects,
            bytes: gone.bytes,
        })
    }
}
