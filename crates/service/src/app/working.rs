//! Working a case: subjects looked up, the rulebook applied, letters sent, and whatever people did recorded.

use casework::{
    demand::{NoticeTo, Subject},
    event::{Actor, Body, Event},
    facts::{AccountFacts, Facts, Resolution},
    ids::{AccountId, CaseId, Digest, RegionId, RuleId, TenantId},
};
use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Desk, DeskError, Result, course::Plan, letters::Letter};

/// A person's choice where a subject matched several accounts. It must be one of those found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Which subject of the demand, from 0.
    pub subject: usize,
    /// The customer.
    pub tenant: TenantId,
    /// Its account.
    pub account: AccountId,
    /// Where its data lies.
    pub region: RegionId,
}

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
            let plan = Plan::new(actor.clone(), body.clone());
            Ok(match &body {
                Body::Rejected { rules, explanation } => plan.with_letter(
                    self.letterhead(case, now)
                        .rejection(chain.case().file(), rules, explanation),
                ),
                _ => plan,
            })
        })
        .await
    }

    /// Looks up each subject of the demand: one account, none, several, or no identifier at all (P6). Where several
    /// match, a choice names one of them.
    ///
    /// # Errors
    /// [`DeskError::Invalid`] for a choice that the look-up does not bear out; [`DeskError::NotNow`] without a demand.
    pub async fn resolve(&self, case: CaseId, actor: Actor, choices: &[Choice]) -> Result<Facts> {
        let chain = self.chain(case).await?;
        let subjects = chain
            .case()
            .file()
            .demand()
            .map_or_else(Vec::new, |demand| demand.subjects.clone());
        let mut resolved = Vec::with_capacity(subjects.len());
        for (place, subject) in subjects.iter().enumerate() {
            let choice = choices.iter().find(|choice| choice.subject == place);
            resolved.push(self.look_up(subject, choice).await?);
        }
        if let Some(stray) = choices.iter().find(|choice| choice.subject >= subjects.len()) {
            return Err(DeskError::Invalid {
                what: "the choice",
                reason: format!("the demand has no subject {}", stray.subject),
            });
        }
        let mut found = Facts::default();
        self.must(case, |chain| {
            let file = chain.case().file();
            let asked = file.demand().map(|demand| demand.subjects.as_slice());
            if asked.is_some_and(|asked| asked != subjects) {
                return Err(DeskError::Contended { case });
            }
            found = Facts {
                resolved: resolved.clone(),
                requester: file.requester(),
                controller_consents: file.facts().and_then(|facts| facts.controller_consents),
            };
            Ok(Plan::new(actor.clone(), Body::Resolved { facts: found.clone() }))
        })
        .await?;
        Ok(found)
    }

    async fn look_up(&self, subject: &Subject, choice: Option<&Choice>) -> Result<Resolution> {
        let identifier = match subject {
            Subject::Account { value } | Subject::Phone { value } => value,
            Subject::Selector { .. } => return Ok(Resolution::Unspecific),
            // An address at a moment names an account only through a log that the vault does not keep.
            Subject::Ip { .. } => return Ok(Resolution::None),
        };
        let matches = self.parts.vault.accounts(identifier.trim()).await?;
        if let Some(choice) = choice {
            return matches
                .into_iter()
                .find(|found| is_chosen(found, choice))
                .map(Resolution::One)
                .ok_or_else(|| DeskError::Invalid {
                    what: "the choice",
                    reason: format!("subject {} does not match that account", choice.subject),
                });
        }
        let count = u32::try_from(matches.len()).unwrap_or(u32::MAX);
        let mut matches = matches.into_iter();
        Ok(match (matches.next(), matches.next()) {
            (None, _) => Resolution::None,
            (Some(one), None) => Resolution::One(one),
            (Some(_), Some(_)) => Resolution::Several { count },
        })
    }

    /// Records what the provider learned of an account's person or from its controller; the look-up stays as it is.
    ///
    /// # Errors
    /// [`DeskError::Invalid`] where the facts name other accounts than the look-up found.
    pub async fn supplement(&self, case: CaseId, actor: Actor, facts: Facts) -> Result<Event> {
        self.must(case, |chain| {
            let file = chain.case().file();
            let known = file.facts().map_or(&[][..], |facts| &facts.resolved);
            let same = known.len() == facts.resolved.len()
                && known
                    .iter()
                    .zip(&facts.resolved)
                    .all(|(known, given)| same_place(known, given));
            if !same {
                return Err(DeskError::Invalid {
                    what: "the facts",
                    reason: "they name other accounts than the look-up found".to_owned(),
                });
            }
            let facts = Facts {
                requester: file.requester(),
                ..facts.clone()
            };
            Ok(Plan::new(actor.clone(), Body::Resolved { facts }))
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
        let now = self.now();
        self.must(case, |chain| {
            let letter = self.written(case, self.letterhead(case, now).redirect(chain.case().file()))?;
            let body = Body::Redirected {
                how: how.to_owned(),
                letter: letter.digest(),
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
        self.must(case, |chain| {
            let file = chain.case().file();
            let late = file.tenants_released().contains(tenant);
            let letter = self.written(case, self.letterhead(case, now).notice(file, tenant, late))?;
            let body = Body::Notified {
                to: NoticeTo::Tenant,
                tenant: tenant.clone(),
                how: how.to_owned(),
                letter: letter.digest(),
                late,
            };
            Ok(Plan::new(actor.clone(), body).with_letter(letter))
        })
        .await
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
            let summary = self
                .letterhead(case, now)
                .objection(chain.case().file(), grounds, forum);
            let letter = self.written(case, summary)?;
            let (filing, letters) = match filing {
                Filing::Summary => (letter.digest(), vec![letter]),
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

    fn written(&self, _case: CaseId, letter: Option<Letter>) -> Result<Letter> {
        letter.ok_or_else(|| DeskError::NotNow {
            promise: casework::finding::Promise::P14,
            reason: "there is no demand yet".to_owned(),
            hint: "parse the demand first",
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

fn is_chosen(found: &AccountFacts, choice: &Choice) -> bool {
    found.tenant == choice.tenant && found.account == choice.account && found.region == choice.region
}

fn same_place(known: &Resolution, given: &Resolution) -> bool {
    match (known, given) {
        (Resolution::One(known), Resolution::One(given)) => {
            let mut given = given.clone();
            given.person_country = known.person_country.clone();
            given.us_person = known.us_person;
            given.privileged = known.privileged;
            *known == given
        }
        (known, given) => known == given,
    }
}

/// Kinds that only the desk itself records: each rests on something it did or computed.
fn reserved(body: &Body) -> Option<&'static str> {
    Some(match body {
        Body::Received { .. } => "received",
        Body::Unreadable { .. } => "unreadable",
        Body::Resolved { .. } => "resolved",
        Body::Assessed { .. } => "assessed",
        Body::Redirected { .. } => "redirected",
        Body::Notified { .. } => "notified",
        Body::Proposed { .. } => "proposed",
        Body::Approved { .. } => "approved",
        Body::Logged { .. } => "logged",
        Body::Refused { .. } => "refused",
        Body::Released { .. } => "released",
        _ => return None,
    })
}
