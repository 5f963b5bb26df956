//! What a message's signature shows, in the case.

use casework::{
    event::{Actor, Body},
    ids::{CaseId, Digest},
};
use hi1::signature::Verified;

use super::{Hi1, Trouble, amending::closed, taking::Sent};
use crate::app::{Desk, Plan, Result};

impl Desk {
    /// Records that a message's signature was verified, once for each message.
    ///
    /// # Errors
    /// When the case did not come over HI-1, is closed, or cannot be written.
    pub(crate) async fn show_signature(&self, case: CaseId, verified: &Verified) -> Result<()> {
        let of = Digest(verified.message_sha256());
        let body = Body::SignatureVerified {
            message: of,
            key: verified.key().to_owned(),
            algorithm: verified.algorithm().name().to_owned(),
            key_sha256: Digest(verified.key_sha256()),
        };
        self.step(case, |chain| {
            let known = chain.events().iter().any(
                |event| matches!(&event.body, Body::SignatureVerified { message, .. } if *message == of),
            );
            Ok((!known).then(|| Plan::new(Actor::System, body.clone())))
        })
        .await?;
        Ok(())
    }
}

impl Hi1 {
    /// Records in the case what the message's signature showed, where it bears one. A closed case takes nothing.
    pub(super) async fn show_signature(
        &self,
        case: CaseId,
        sent: &Sent<'_>,
    ) -> std::result::Result<(), Trouble> {
        let Some(verified) = &sent.signed else {
            return Ok(());
        };
        let shown = self.desk().show_signature(case, verified).await;
        shown.map_err(Trouble::from).or_else(closed)
    }
}
