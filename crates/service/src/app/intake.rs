//! Taking a demand in: its bytes are kept and hashed before anybody tries to read them.

use casework::{
    chain::Chain,
    event::{Actor, Body, Channel, Header},
    ids::{CaseId, Digest, StaffId},
};
use envelope::case_file::CaseKey;
use store::cases::{Admission, CaseStoreError, NewCase};

use super::{
    DEMAND_BYTES_MAX, Desk, DeskError, Result,
    course::progress,
    faults::{Step, When},
    letters::Kind,
};

/// What became of bytes handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// The case.
    pub case: CaseId,
    /// The same bytes had opened it before.
    pub duplicate: bool,
    /// SHA-256 of the bytes, as the receipt for the requester states it.
    pub bytes: Digest,
    /// Hash of the case's first header, which the docket commits to.
    pub header: Digest,
    /// The letter of receipt.
    pub receipt: Digest,
}

impl Desk {
    /// Keeps a demand's bytes, opens its case, and reads them. The same bytes twice are one case, whoever hands them
    /// in. Bytes that do not read as a demand are kept as a case too, for a person to enter or reject.
    ///
    /// # Errors
    /// [`DeskError::TooLarge`] over [`DEMAND_BYTES_MAX`]; anything else leaves either no case or a case that the desk
    /// goes on with by itself.
    pub async fn intake(
        &self,
        bytes: &[u8],
        channel: Channel,
        entered_by: Option<StaffId>,
    ) -> Result<Intake> {
        if bytes.len() > DEMAND_BYTES_MAX {
            return Err(DeskError::TooLarge {
                what: "the demand",
                limit: format!("{DEMAND_BYTES_MAX} bytes"),
            });
        }
        if bytes.is_empty() {
            return Err(DeskError::Invalid {
                what: "the demand",
                reason: "it is empty".to_owned(),
            });
        }
        self.fault(Step::KeepDemand, When::Before).await?;
        let (case, duplicate) = self.keep(bytes, channel, entered_by).await?;
        self.fault(Step::KeepDemand, When::After).await?;
        self.read(case).await?;
        self.intake_of(case, bytes, duplicate).await
    }

    async fn keep(
        &self,
        bytes: &[u8],
        channel: Channel,
        entered_by: Option<StaffId>,
    ) -> Result<(CaseId, bool)> {
        let now = self.now();
        let case = CaseId(self.id(now)?);
        let (digest, size) = (
            Digest::of(&[bytes]),
            u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        );
        let actor = entered_by.clone().map_or(Actor::Requester, Actor::Staff);
        let body = Body::Received {
            bytes: digest,
            size,
            channel,
            entered_by,
        };
        let chain = Chain::begin(case, now, actor, self.salt()?, body)?;
        let Some(first) = chain.events().first() else {
            return Err(DeskError::NotFound {
                what: "event",
                id: "0".to_owned(),
            });
        };
        let mut tx = self.parts.cases.begin().await?;
        if let Some(known) = self.parts.cases.find_demand(&mut tx, bytes).await? {
            return Ok((known, true));
        }
        let entry = self
            .parts
            .docket
            .enqueue(&mut tx, Header::KIND, first.header.hash()?)
            .await?;
        let new = NewCase {
            key: CaseKey::from_random(self.random()?),
            key_nonce: self.nonce()?,
            demand: bytes,
            demand_nonce: self.nonce()?,
            first,
            first_nonce: self.nonce()?,
            docket_entry: Some(entry),
            progress: &progress(&chain, now),
        };
        if let Admission::Known(known) = self.parts.cases.open_case(&mut tx, new).await? {
            return Ok((known, true));
        }
        let receipt = self.letterhead(case, now).receipt(digest, size)?;
        self.keep_letters(&mut tx, case, now, std::slice::from_ref(&receipt))
            .await?;
        tx.commit().await.map_err(CaseStoreError::from)?;
        self.tell_gate(&chain).await;
        Ok((case, false))
    }

    async fn intake_of(&self, case: CaseId, bytes: &[u8], duplicate: bool) -> Result<Intake> {
        let chain = self.chain(case).await?;
        let missing = || DeskError::NotFound {
            what: "event",
            id: "0".to_owned(),
        };
        let first = chain.events().first().ok_or_else(missing)?;
        let letters = self.parts.cases.letters(case).await?;
        let mut receipts = letters
            .into_iter()
            .filter(|letter| letter.kind == Kind::Receipt.name());
        let receipt = receipts.next().ok_or_else(|| DeskError::NotFound {
            what: "letter",
            id: Kind::Receipt.name().to_owned(),
        })?;
        Ok(Intake {
            case,
            duplicate,
            bytes: Digest::of(&[bytes]),
            header: first.header.hash()?,
            receipt: receipt.digest,
        })
    }

    pub(super) async fn fault(&self, step: Step, when: When) -> Result<()> {
        Ok(self.parts.faults.at(step, when).await?)
    }
}
