//! Bases that end: noted in each transfer whose data hangs on one, without anybody asking.

use casework::{
    event::Actor,
    ids::CaseId,
    transfer::{Stage, TransferBody, Verdict},
};

use super::{Result, TransferError, Transfers, course::Plan};

impl Transfers {
    /// Notes, in each transfer whose data moved, that its basis does not hold any more; the transfers in which it was noted
    /// now. A transfer that cannot be read is said in the log, and does not hold up the others.
    ///
    /// # Errors
    /// When the transfers cannot be listed.
    pub async fn note_lapses(&self) -> Result<Vec<CaseId>> {
        let mut noted = Vec::new();
        for transfer in self.parts.store.list().await? {
            match self.note_if_lapsed(transfer).await {
                Ok(true) => noted.push(transfer),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%transfer, %error, "whether a transfer's basis holds is not known")
                }
            }
        }
        Ok(noted)
    }

    async fn note_if_lapsed(&self, transfer: CaseId) -> Result<bool> {
        let chain = self.recorded(transfer).await?;
        let matter = chain.matter();
        if !matter.has_moved() {
            return Ok(false);
        }
        let Err(TransferError::NoBasis(verdict)) = self.based(&chain) else {
            return Ok(false);
        };
        let there = self.parts.vault.lies_there(transfer, matter.opening()).await?;
        // Brought back, or erased.
        if there.objects == 0 && matter.stage() != Stage::Running {
            return Ok(false);
        }
        self.note_lapse(transfer, &verdict).await
    }

    /// Notes it unless it was; whether it was noted now.
    pub(super) async fn note_lapse(&self, transfer: CaseId, verdict: &Verdict) -> Result<bool> {
        let against = verdict.reasons.iter().filter(|r| r.outcome == verdict.outcome);
        let body = TransferBody::Lapsed {
            rules: against.clone().map(|reason| reason.rule.clone()).collect(),
            explanation: against
                .map(|r| r.explanation.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        };
        let mut noted = false;
        self.step(transfer, |chain| {
            noted = chain.matter().lapsed().is_none();
            Ok(noted.then(|| Plan::new(Actor::System, body.clone())))
        })
        .await?;
        Ok(noted)
    }
}
