//! Transfers as people read them.

use casework::{
    ids::{CaseId, Digest, RecordId, StaffId},
    transfer::{
        Assessment, Basis, Entry, Lapse, Measure, Opening, Stage, Transfer, TransferRecord, Verdict, judge,
        register,
    },
};
use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use store::vault::Left;

use super::{Result, Transfers};

/// One transfer.
#[derive(Debug, Clone, Serialize)]
pub struct TransferView {
    /// Its id.
    pub transfer: CaseId,
    /// Where it stands.
    pub stage: Stage,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// What moves, from where, to where.
    pub opening: Opening,
    /// The bases stated last.
    pub bases: Vec<Basis>,
    /// The assessment recorded last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assessment: Option<Assessment>,
    /// The measures recorded last.
    pub measures: Vec<Measure>,
    /// The record on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordView>,
    /// Whether it has a basis today.
    pub verdict: Verdict,
    /// That its basis ended, as its chain says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lapsed: Option<Lapse>,
    /// What counsel would sign to decide what no rule does.
    pub matter: Digest,
    /// Objects and bytes moved, or copied.
    pub moved: Counted,
    /// Objects and bytes that are left to be moved, or copied.
    pub left: Counted,
    /// Objects and bytes that lie in the other region; of a copy, what this transfer copied and nobody deleted since.
    pub there: Counted,
}

/// A record, and who signed it.
#[derive(Debug, Clone, Serialize)]
pub struct RecordView {
    /// Its id.
    pub id: RecordId,
    /// What reviewers sign.
    pub digest: Digest,
    /// Who signed.
    pub approved_by: Vec<StaffId>,
    /// After this the gate refuses it.
    pub expires_at: Timestamp,
    /// All of it.
    pub record: TransferRecord,
}

/// How much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl From<Left> for Counted {
    fn from(left: Left) -> Self {
        Self {
            objects: left.objects,
            bytes: left.bytes,
        }
    }
}

impl Transfers {
    /// One transfer, with the verdict of today.
    ///
    /// # Errors
    /// When there is no such transfer, or its chain is not whole.
    pub async fn view(&self, transfer: CaseId) -> Result<TransferView> {
        let chain = self.chain(transfer).await?;
        let matter = chain.matter();
        let (parts, opening) = (&self.parts, matter.opening());
        let canonical = |_| store::cases::CaseStoreError::Corrupt("transfer");
        let record = match matter.drawn() {
            Some(record) => Some(RecordView {
                id: record.id,
                digest: record.digest().map_err(canonical)?,
                approved_by: matter.approvals().iter().map(|a| a.reviewer.clone()).collect(),
                expires_at: record.expires_at,
                record: record.clone(),
            }),
            None => None,
        };
        let moved = parts.vault.store().moved_by(transfer).await?;
        let left = parts.vault.left_to_do(opening).await?;
        let there = parts.vault.lies_there(transfer, opening).await?;
        Ok(TransferView {
            transfer,
            stage: matter.stage(),
            opened_at: matter.opened_at(),
            opening: opening.clone(),
            bases: matter.bases().to_vec(),
            assessment: matter.assessment().cloned(),
            measures: matter.measures().to_vec(),
            record,
            verdict: judge(matter, parts.rulebook, &parts.reviewers, self.today()),
            lapsed: matter.lapsed().cloned(),
            matter: matter.matter().map_err(canonical)?,
            moved: Counted {
                objects: moved.objects,
                bytes: moved.bytes,
            },
            left: left.into(),
            there: there.into(),
        })
    }

    /// The register as of a day: every transfer, what it rests on, and whether its data hangs without a basis.
    ///
    /// # Errors
    /// When a chain is not whole.
    pub async fn register(&self, as_of: Date) -> Result<Vec<Entry>> {
        self.entries(self.parts.store.list().await?, as_of).await
    }

    /// The transfers after `after`, oldest first and at most `limit`, as of a day; and where the next page begins, if there
    /// is one.
    ///
    /// # Errors
    /// When a chain is not whole.
    pub async fn page(
        &self,
        as_of: Date,
        after: Option<CaseId>,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<CaseId>)> {
        let mut ids = self.parts.store.list().await?;
        ids.retain(|id| after.is_none_or(|after| *id > after));
        let more = ids.len() > limit;
        ids.truncate(limit);
        let next = ids.last().copied().filter(|_| more);
        Ok((self.entries(ids, as_of).await?, next))
    }

    async fn entries(&self, ids: Vec<CaseId>, as_of: Date) -> Result<Vec<Entry>> {
        let mut transfers: Vec<(Transfer, Option<u64>)> = Vec::with_capacity(ids.len());
        for transfer in ids {
            let chain = self.chain(transfer).await?;
            let opening = chain.matter().opening();
            let there = self.parts.vault.lies_there(transfer, opening).await?;
            transfers.push((chain.matter().clone(), Some(there.objects)));
        }
        let listed = transfers.iter().map(|(transfer, there)| (transfer, *there));
        Ok(register(
            listed,
            self.parts.rulebook,
            &self.parts.reviewers,
            as_of,
        ))
    }
}
