//! Taking a message in: kept first, then its sender checked, the outcome recorded in the case.

use std::sync::Arc;

use casework::{
    event::{Actor, Body, Channel},
    ids::CaseId,
    sender::SenderCheck,
};

use super::{
    MAIL_BYTES_MAX,
    authentic::{Checker, senders},
};
use crate::{
    app::{Desk, DeskError, Intake},
    requesters::{Registry, RegistryError},
};

/// Why a message was not taken in. Whoever sent it is asked to send it again, but for one that is too large or empty.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Over [`MAIL_BYTES_MAX`].
    #[error("the message is larger than {MAIL_BYTES_MAX} bytes")]
    TooLarge,
    /// Nothing came.
    #[error("the message is empty")]
    Empty,
    /// The desk.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The register of requesters.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl MailError {
    /// Whether sending it again cannot help.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::TooLarge | Self::Empty)
    }
}

/// Takes messages in. Cheap to clone.
#[derive(Clone)]
pub struct MailDesk {
    desk: Desk,
    checker: Checker,
    registry: Arc<Registry>,
}

impl MailDesk {
    /// Over these parts.
    pub fn new(desk: Desk, checker: Checker, registry: Arc<Registry>) -> Self {
        Self {
            desk,
            checker,
            registry,
        }
    }

    /// Keeps a message, whose envelope names `mail_from` where that is known, and opens its case; checks its sender, and records
    /// what was found. When this returns, both are durable; where it fails in between, the same bytes again go on from there, and
    /// what was checked is not checked again. A sender that fails every check is taken in too: the case then owes a call back, and
    /// nothing else.
    ///
    /// # Errors
    /// See [`MailError`].
    pub async fn take_in(&self, raw: &[u8], mail_from: Option<&str>) -> Result<Intake, MailError> {
        if raw.len() > MAIL_BYTES_MAX {
            return Err(MailError::TooLarge);
        }
        if raw.is_empty() {
            return Err(MailError::Empty);
        }
        let intake = self.desk.intake(raw, Channel::Email, None).await?;
        // Noted before anything is judged: a suspension meanwhile finds this case, or is found by it. And noted each time, for an
        // earlier attempt may have ended before.
        self.registry.note_case(senders(raw), intake.case).await?;
        // Asked before anybody is: who sends a message again must not make us wait for name servers again.
        if self.desk.sender_is_checked(intake.case).await? {
            return Ok(intake);
        }
        let mut check = self.checker.check(raw, mail_from).await;
        self.registry.judge(&mut check).await?;
        self.desk.check_sender(intake.case, check).await?;
        Ok(intake)
    }
}

impl Desk {
    /// Whether a case's sender was checked when it came, or it did not come by e-mail.
    ///
    /// # Errors
    /// When there is no such case.
    pub async fn sender_is_checked(&self, case: CaseId) -> crate::app::Result<bool> {
        let chain = self.chain(case).await?;
        let file = chain.case().file();
        Ok(file.channel() != Some(Channel::Email) || file.sender().is_some())
    }

    /// What was checked of a case's sender when it came.
    ///
    /// # Errors
    /// When there is no such case.
    pub async fn sender(&self, case: CaseId) -> crate::app::Result<Option<SenderCheck>> {
        Ok(self.chain(case).await?.case().file().sender().cloned())
    }

    /// Records what was checked of an e-mail's sender, once.
    ///
    /// # Errors
    /// When the case did not come by e-mail, is closed, or cannot be written.
    pub async fn check_sender(&self, case: CaseId, check: SenderCheck) -> crate::app::Result<()> {
        let body = Body::SenderChecked {
            check: Box::new(check),
        };
        self.step(case, |chain| {
            let known = chain.case().file().sender().is_some();
            Ok((!known).then(|| crate::app::Plan::new(Actor::System, body.clone())))
        })
        .await?;
        Ok(())
    }

    /// A case's document as it was kept.
    ///
    /// # Errors
    /// When there is no such case, or it was erased.
    pub async fn document(&self, case: CaseId) -> crate::app::Result<Vec<u8>> {
        Ok(self.cases().demand(case).await?)
    }
}
