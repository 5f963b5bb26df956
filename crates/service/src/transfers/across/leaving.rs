//! The end of it here: what the other node shows goes, and what cannot go on is given up on both sides.

use casework::{
    ids::CaseId,
    transfer::{Data, Opening, TransferRecord},
};
use store::vault::Departure;

use super::{Where, other, unexpected};
use crate::{
    region::across::{Across, Came},
    transfers::{
        Result, Transfers,
        faults::{Step, When},
    },
    vault::bucket::BUCKET_TTL,
};

/// Rows removed in one transaction.
const ROWS_AT_ONCE: usize = 256;

impl Transfers {
    /// What a transfer that cannot go on leaves behind: finished, where the other node shows it already, and given up on both
    /// sides, where it does not. Nothing, where nothing was frozen.
    pub(in crate::transfers) async fn settle_across(
        &self,
        transfer: CaseId,
        opening: &Opening,
    ) -> Result<()> {
        let store = self.parts.vault.store();
        let Some(departure) = store.departure(transfer).await? else {
            return Ok(());
        };
        let data = Where {
            data: &opening.data,
            opening,
        };
        match departure {
            Departure::Over => return Ok(()),
            Departure::There => return self.let_go_of(transfer, &data).await,
            // It cannot show what it was never asked to show.
            Departure::Expected | Departure::Frozen => {
                store.note_departure(transfer, Departure::GivenUp).await?
            }
            Departure::Asked | Departure::GivenUp => {}
        }
        let node = self.must_know(&opening.to.region)?;
        match node.bring(Across::TurnAway { transfer }, &[]).await? {
            Came::TurnedAway { here: true } => {
                self.shown(transfer, &data).await?;
                self.let_go_of(transfer, &data).await
            }
            Came::TurnedAway { here: false } => {
                store.note_departure(transfer, Departure::GivenUp).await?;
                Ok(store.forget_departure(transfer).await?)
            }
            came => Err(unexpected(came)),
        }
    }

    /// The other node showed it before, and its answer got lost.
    pub(super) async fn shown_before(
        &self,
        record: &TransferRecord,
        departure: Option<Departure>,
    ) -> Result<()> {
        if departure != Some(Departure::Asked) {
            return Err(other("it shows what it was never asked to show"));
        }
        let opening = self.recorded(record.transfer).await?.matter().opening().clone();
        let data = Where {
            data: &record.data,
            opening: &opening,
        };
        self.shown(record.transfer, &data).await?;
        self.let_go_of(record.transfer, &data).await
    }

    /// Notes that the other node shows it.
    pub(super) async fn shown(&self, transfer: CaseId, at: &Where<'_>) -> Result<()> {
        let (vault, opening) = (&self.parts.vault, at.opening);
        let bucket = match at.data {
            Data::Bucket(name) => vault.store().bucket(&opening.tenant, name).await?,
            Data::Accounts(_) => None,
        };
        let region = (opening.to.region.clone(), opening.to.country.clone());
        self.fault(Step::NoteShown, When::Before).await?;
        let row = bucket.as_ref().map(|bucket| bucket.seq);
        vault.store().shown_there(transfer, row, region).await?;
        if let Data::Bucket(name) = at.data {
            vault.forget_bucket_of(&opening.tenant, name);
        }
        self.fault(Step::NoteShown, When::After).await
    }

    pub(super) async fn let_go(&self, transfer: CaseId, record: &TransferRecord) -> Result<()> {
        let opening = self.recorded(transfer).await?.matter().opening().clone();
        let data = Where {
            data: &record.data,
            opening: &opening,
        };
        self.let_go_of(transfer, &data).await
    }

    /// Removes what the other node shows, has it thawed there, and says so here.
    async fn let_go_of(&self, transfer: CaseId, at: &Where<'_>) -> Result<()> {
        let (vault, opening) = (&self.parts.vault, at.opening);
        let store = vault.store();
        if store.departure(transfer).await? == Some(Departure::Over) {
            return Ok(());
        }
        let region = &opening.to.region;
        let left = vault
            .leaving(&opening.tenant, at.data, &opening.from.region)
            .await?
            .1;
        if matches!(at.data, Data::Bucket(_)) && !left.is_empty() {
            // Until then another process may not know that the bucket's row is a sign, and would list what is left of it.
            tokio::time::sleep(BUCKET_TTL).await;
        }
        for rows in left.chunks(ROWS_AT_ONCE) {
            self.fault(Step::LetGo, When::Before).await?;
            let rows = rows.iter().map(|one| one.seq).collect();
            let freed = store.let_go(transfer, region.clone(), rows).await?;
            vault.delete_freed(freed);
            self.fault(Step::LetGo, When::After).await?;
        }
        self.fault(Step::Welcome, When::Before).await?;
        let node = self.must_know(region)?;
        match node.bring(Across::Welcome { transfer }, &[]).await? {
            Came::Done => {}
            came => return Err(unexpected(came)),
        }
        store.forget_left_keys(transfer, &opening.from.region).await?;
        store.note_departure(transfer, Departure::Over).await?;
        self.fault(Step::Welcome, When::After).await
    }
}
