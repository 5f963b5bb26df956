//! Reading what was kept: a demand in its own form, or one that came in an authority's.

use async_trait::async_trait;
use casework::{
    chain::Chain,
    demand::{self, Demand},
    event::{Actor, Body, Channel},
    ids::CaseId,
};
use jiff::Timestamp;

use super::{
    Desk, DeskError, Result,
    course::{Plan, is_unread},
    faults::{Step, When},
    ports::PortError,
};

/// Reads demands that came as HI-1 messages.
#[async_trait]
pub trait ReadsHi1: Send + Sync {
    /// The demand that a kept message makes; or, for a person, why it is none as it stands.
    ///
    /// # Errors
    /// When what belongs to it cannot be looked up.
    async fn read(
        &self,
        bytes: &[u8],
        received_at: Timestamp,
    ) -> std::result::Result<std::result::Result<Demand, String>, PortError>;
}

impl Desk {
    /// Reads the kept bytes as a demand, unless somebody did already.
    pub(super) async fn read(&self, case: CaseId) -> Result<()> {
        let chain = self.chain(case).await?;
        if !is_unread(&chain) {
            return Ok(());
        }
        let body = match self.as_demand(&chain).await? {
            Ok(demand) => Body::Parsed {
                demand: Box::new(demand),
            },
            Err(reason) => Body::Unreadable { reason },
        };
        self.fault(Step::ReadDemand, When::Before).await?;
        self.step(case, |chain| {
            Ok(is_unread(chain).then(|| Plan::new(Actor::System, body.clone())))
        })
        .await?;
        self.fault(Step::ReadDemand, When::After).await
    }

    /// Reads a case's message again, after its sender amended what belongs to it. Where it makes another demand than the
    /// one that stands, that is what is demanded from then on, and the case begins anew from there; where it makes none and
    /// none stands yet, the case says why, and waits for a person. A demand that a person entered stays as it was entered.
    ///
    /// # Errors
    /// [`DeskError::Invalid`] where a demand stands and the amended message makes none; [`DeskError::NotNow`] where the case
    /// takes no other demand any more.
    pub async fn reread(&self, case: CaseId) -> Result<()> {
        let chain = self.chain(case).await?;
        let read = self.as_demand(&chain).await?;
        self.step(case, |chain| {
            if is_entered(
                chain
                    .events()
                    .iter()
                    .map(|event| (&event.header.actor, &event.body)),
            ) {
                return Ok(None);
            }
            let file = chain.case().file();
            let body = match (&read, file.demand()) {
                (Ok(demand), Some(stands)) if demand == stands => return Ok(None),
                (Ok(demand), _) => Body::Parsed {
                    demand: Box::new(demand.clone()),
                },
                (Err(reason), None) => {
                    let body = Body::Unreadable {
                        reason: reason.clone(),
                    };
                    let mut before = chain.events().iter().rev().map(|event| &event.body);
                    let said = before.find(|body| matches!(body, Body::Unreadable { .. }));
                    if said == Some(&body) {
                        return Ok(None);
                    }
                    body
                }
                (Err(reason), Some(_)) => {
                    return Err(DeskError::Invalid {
                        what: "the amended demand",
                        reason: reason.clone(),
                    });
                }
            };
            Ok(Some(Plan::new(Actor::Requester, body)))
        })
        .await?;
        Ok(())
    }

    /// What the kept bytes say. A message that somebody typed in or uploaded is not read as its sender's: nobody
    /// authenticated them.
    async fn as_demand(&self, chain: &Chain) -> Result<std::result::Result<Demand, String>> {
        let bytes = self.parts.cases.demand(chain.case_id()).await?;
        let first = chain.events().first();
        let received_at = first.map_or_else(|| chain.last_at(), |event| event.header.at);
        let from_system = first.is_some_and(|event| {
            let by_itself = matches!(
                event.body,
                Body::Received {
                    channel: Channel::Hi1,
                    entered_by: None,
                    ..
                }
            );
            by_itself && event.header.actor == Actor::Requester
        });
        Ok(match &self.hi1 {
            Some(reader) if from_system => reader.read(&bytes, received_at).await?,
            _ => demand::parse(&bytes)
                .and_then(|demand| demand.served_by(received_at).map(|()| demand))
                .map_err(|why| {
                    let by_mail = chain.case().file().channel() == Some(Channel::Email);
                    if by_mail && !bytes.trim_ascii_start().starts_with(b"{") {
                        "it is an e-mail: a person enters what it asks".to_owned()
                    } else {
                        why.to_string()
                    }
                }),
        })
    }
}

/// Whether the demand that stands is one that a person entered.
pub(crate) fn is_entered<'a>(events: impl DoubleEndedIterator<Item = (&'a Actor, &'a Body)>) -> bool {
    let mut parsed = events
        .rev()
        .filter(|(_, body)| matches!(body, Body::Parsed { .. }));
    parsed
        .next()
        .is_some_and(|(actor, _)| matches!(actor, Actor::Staff(_) | Actor::Counsel(_)))
}
