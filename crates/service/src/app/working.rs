//! Working a case: subjects looked up, the rulebook applied, letters sent, and whatever people did recorded.

use casework::{
    case::Reasoned,
    chain::Chain,
    demand::NoticeTo,
    event::{Actor, Body, Event},
    ids::{CaseId, Digest, RuleId, TenantId},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Desk, DeskError, Result, course::Plan};

/// What was filed with a court or authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filing {
    /// The desk draws up the summary of objections; that is the filing.
    Summary,
    /// A document kept elsewhere, by its SHA-256.
    Document(Digest),
}

impl Desk {
    /// Records what somebody did, if the case allows it now. For everything that people report; what the desk does
    /// itself (receive, look up, assess, write letters, draw up, release) has its own functions.
    ///
    /// # Errors
    /// [`DeskError::Reserved`] for the desk's own kinds; [`DeskError::NotNow`] with the promise that stands against it.
    pub async fn record(&self, case: CaseId, actor: Actor, body: Body) -> Result<Event> {
        if let Some(kind) = reserved(&body) {
            return Err(DeskError::Reserved { kind });
        }
        let now = self.now();
        self.must(case, |chain| {
            self.signed_by_counsel(chain, &actor, &body)?;
            let plan = Plan::new(actor.clone(), body.clone());
            Ok(match &body {
                Body::Rejected {
                    rules,
                    codes,
                    explanation,
                } => plan.with_letter(self.letterhead(case, now).rejection(
                    chain.case().file(),
                    rules,
                    codes,
                    explanation,
                )?),
                _ => plan,
            })
        })
        .await
    }

    /// Applies the rulebook to the demand as it now stands, as of `as_of` or today (UTC).
    ///
    /// # Errors
    /// [`DeskError::NotNow`] before the subjects are looked up; [`DeskError::Rulebook`] when a rule fails.
    pub async fn assess(
        &self,
        case: CaseId,
        actor: Actor,
        as_of: Option<Date>,
    ) -> Result<casework::finding::Assessment> {
        let as_of = as_of.unwrap_or_else(|| self.now().to_zoned(TimeZone::UTC).date());
        let mut result = None;
        self.must(case, |chain| {
            let Some((demand, facts)) = chain.case().as_it_stands() else {
                return Err(DeskError::NotNow {
                    promise: casework::finding::Promise::P5,
                    reason: "the subjects are not looked up".to_owned(),
                    hint: "resolve them first",
                });
            };
            let assessment = self.parts.rulebook.assess(&demand, &facts, as_of)?;
            result = Some(assessment.clone());
            Ok(Plan::new(actor.clone(), Body::Assessed { assessment }))
        })
        .await?;
        result.ok_or(DeskError::Contended { case })
    }

    /// Writes the letter that asks the requester to go to the customer, and records it (P8).
    ///
    /// # Errors
    /// [`DeskError::NotNow`] before there is a demand.
    pub async fn redirect(&self, case: CaseId, actor: Actor, how: &str) -> Result<Event> {
        self.redirect_until(case, actor, how, None).await
    }

    /// As [`Desk::redirect`], with the moment until which the answer is awaited: the desk records by itself that none came.
    ///
    /// # Errors
    /// As there; [`DeskError::Invalid`] for a moment that has passed.
    pub async fn redirect_until(
        &self,
        case: CaseId,
        actor: Actor,
        how: &str,
        answer_by: Option<Timestamp>,
    ) -> Result<Event> {
        let now = self.now();
        if answer_by.is_some_and(|by| by <= now) {
            return Err(DeskError::Invalid {
                what: "the time for the answer",
                reason: "it has passed".to_owned(),
            });
        }
        self.must(case, |chain| {
            let letter = self
                .letterhead(case, now)
                .redirect(chain.case().file(), answer_by)?;
            let body = Body::Redirected {
                how: how.to_owned(),
                letter: letter.digest(),
                answer_by,
            };
            Ok(Plan::new(actor.clone(), body).with_letter(letter))
        })
        .await
    }

    /// Writes the notice to a customer and records it; late where its data was released before (P9).
    ///
    /// # Errors
    /// [`DeskError::NotNow`] while a gag forbids it.
    pub async fn notify(&self, case: CaseId, actor: Actor, tenant: &TenantId, how: &str) -> Result<Event> {
        let now = self.now();
        self.must(case, |chain| self.notice(chain, case, &actor, tenant, how, now))
            .await
    }

    /// The notice as it is to be written on the chain as it stands.
    pub(super) fn notice(
        &self,
        chain: &Chain,
        case: CaseId,
        actor: &Actor,
        tenant: &TenantId,
        how: &str,
        now: Timestamp,
    ) -> Result<Plan> {
        let file = chain.case().file();
        let late = file.tenants_released().contains(tenant);
        let letter = self
            .letterhead(case, now)
            .notice(file.may_be_told(tenant, now)?, late)?;
        let body = Body::Notified {
            to: NoticeTo::Tenant,
            tenant: tenant.clone(),
            how: how.to_owned(),
            letter: letter.digest(),
            late,
        };
        Ok(Plan::new(actor.clone(), body).with_letter(letter))
    }

    /// Records an objection on these grounds (P11); draws up its summary unless another document was filed.
    ///
    /// # Errors
    /// [`DeskError::NotNow`] for a ground that no assessment found.
    pub async fn object(
        &self,
        case: CaseId,
        actor: Actor,
        grounds: &[RuleId],
        forum: &str,
        filing: &Filing,
    ) -> Result<Event> {
        let now = self.now();
        self.must(case, |chain| {
            let (filing, letters) = match filing {
                Filing::Summary => {
                    let file = chain.case().file();
                    let unwritten = Body::ObjectionFiled {
                        grounds: grounds.to_vec(),
                        forum: forum.to_owned(),
                        filing: Digest([0; 32]),
                    };
                    chain.case().may(now, &actor, &unwritten)?;
                    let letter = self.letterhead(case, now).objection(file, grounds, forum)?;
                    (letter.digest(), vec![letter])
                }
                Filing::Document(digest) => (*digest, Vec::new()),
            };
            let body = Body::ObjectionFiled {
                grounds: grounds.to_vec(),
                forum: forum.to_owned(),
                filing,
            };
            let mut plan = Plan::new(actor.clone(), body);
            plan.letters = letters;
            Ok(plan)
        })
        .await
    }

    /// A reason that bears no signature of counsel's would only be refused later, by the gate.
    fn signed_by_counsel(&self, chain: &casework::chain::Chain, actor: &Actor, body: &Body) -> Result<()> {
        let (answers, reason, signature) = match body {
            Body::RedirectBarred { reason, signature } => ("redirect", reason, signature),
            Body::GagUnopposed { reason, signature } => ("gag", reason, signature),
            Body::GroundAnswered {
                ground,
                reason,
                signature,
            } => (ground.as_str(), reason, signature),
            _ => return Ok(()),
        };
        let file = chain.case().file();
        let reasoned = Reasoned {
            seq: file.length(),
            by: actor.clone(),
            matter: file.matter(answers),
            reason: reason.clone(),
            signature: signature.clone(),
        };
        if self
            .parts
            .reviewers
            .counsel_signed(chain.case_id(), answers, &reasoned)
        {
            return Ok(());
        }
        Err(DeskError::Invalid {
            what: "the reason",
            reason: format!(
                "it does not bear the signature of {actor:?} over the matter of `{answers}` as it now stands, or their \
                 key is not in the trust policy"
            ),
        })
    }

    /// A step that always plans an event.
    pub(super) async fn must(
        &self,
        case: CaseId,
        mut plan: impl FnMut(&casework::chain::Chain) -> Result<Plan>,
    ) -> Result<Event> {
        let event = self.step(case, |chain| plan(chain).map(Some)).await?;
        event.ok_or(DeskError::Contended { case })
    }
}

/// Kinds that only the desk itself records: each rests on something it did or computed.
fn reserved(body: &Body) -> Option<&'static str> {
    Some(match body {
        Body::Received { .. } => "received",
        Body::Unreadable { .. } => "unreadable",
        Body::SenderChecked { .. } => "sender_checked",
        Body::SignatureVerified { .. } => "signature_verified",
        Body::Resolved { .. } => "resolved",
        Body::Assessed { .. } => "assessed",
        Body::Redirected { .. } => "redirected",
        Body::Notified { .. } => "notified",
        Body::Linked { .. } => "linked",
        Body::FollowedBy { .. } => "followed_by",
        Body::Superseded { .. } => "superseded",
        Body::Preserved { .. } => "preserved",
        Body::SnapshotEnded { .. } => "snapshot_ended",
        Body::NotExecuted { .. } => "not_executed",
        Body::CostsClaimed { .. } => "costs_claimed",
        Body::Proposed { .. } => "proposed",
        Body::Approved { .. } => "approved",
        Body::Logged { .. } => "logged",
        Body::Refused { .. } => "refused",
        Body::FellDue { .. } => "fell_due",
        Body::Released { .. } => "released",
        _ => return None,
    })
}
