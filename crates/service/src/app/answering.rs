//! What is sent back to an authority beside data: the form of Annex III, and the bill.

use casework::{
    annex3::{
        Addressee, Authorities, Certificate, Contact, FormSchema, NonExecution, NonExecutionReason,
        Preservation, ThirdCountryLaw,
    },
    event::{Actor, Amount, Body, CostClaim, CostLine, Event},
    finding::Promise,
    ids::{CaseId, RuleId},
};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Desk, DeskError, Result, course::Plan};

/// What a person says in the form of Annex III; the rest of it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotExecuting {
    /// Why, each box of section D once.
    pub reasons: Vec<NonExecutionReason>,
    /// In words.
    pub explanation: String,
    /// Section E.
    #[serde(default)]
    pub third_country: Option<ThirdCountryLaw>,
    /// Section F.
    #[serde(default)]
    pub clarification: Option<String>,
    /// Section G; whether a snapshot stands, unless said.
    #[serde(default)]
    pub preservation: Option<Preservation>,
    /// The enforcing authority, where it is known.
    #[serde(default)]
    pub enforcing: Option<String>,
    /// Section H: whom to speak to, and who signs.
    pub contact: Contact,
    /// Grounds of the findings that it raises: filed with it.
    #[serde(default)]
    pub grounds: Vec<RuleId>,
}

impl Desk {
    /// Fills in the form of Annex III for a European order, and records it; the grounds that it raises are filed with it, and
    /// the clocks that rest for them do.
    ///
    /// # Errors
    /// [`DeskError::NotNow`] where the demand is no European order, or the form does not hold together.
    pub async fn not_execute(&self, case: CaseId, actor: Actor, said: NotExecuting) -> Result<Event> {
        let (now, provider) = (self.now(), self.parts.provider.clone());
        self.must(case, |chain| {
            let file = chain.case().file();
            let Some(demand) = file.demand() else {
                return Err(unread());
            };
            let issuer = demand.issuer.as_ref();
            let kept = match file.further().standing_snapshot() {
                Some(_) => Preservation::Kept,
                None => Preservation::NotHeld,
            };
            let form = NonExecution {
                schema: FormSchema::V1,
                certificate: match demand.instrument.as_str() {
                    "eu.epoc_pr" => Certificate::EpocPr,
                    _ => Certificate::Epoc,
                },
                authorities: Authorities {
                    issuing: issuer.map_or_else(
                        || demand.requester.authority.clone(),
                        |issuer| issuer.name.clone(),
                    ),
                    issuing_file: demand.reference.clone(),
                    validating: issuer
                        .and_then(|issuer| issuer.validated_by)
                        .map(|_| demand.requester.authority.clone()),
                    issued_on: demand.issued_on,
                    received_on: demand.served_at.to_zoned(TimeZone::UTC).date(),
                    enforcing: said.enforcing.clone(),
                },
                addressee: Addressee {
                    name: provider.clone(),
                    file: case.to_string(),
                },
                reasons: said.reasons.clone(),
                explanation: said.explanation.clone(),
                third_country: said.third_country.clone(),
                clarification: said.clarification.clone(),
                preservation: said.preservation.unwrap_or(kept),
                contact: said.contact.clone(),
            };
            let body = Body::NotExecuted {
                form: Box::new(form),
                grounds: said.grounds.clone(),
            };
            chain.case().may(now, &actor, &body)?;
            Ok(Plan::new(actor.clone(), body))
        })
        .await
    }

    /// Records that the authority is asked to pay what answering cost, by the law that gives it for this instrument.
    ///
    /// # Errors
    /// [`DeskError::Invalid`] where no law of the rulebook gives costs for the instrument.
    pub async fn claim_costs(
        &self,
        case: CaseId,
        actor: Actor,
        currency: &str,
        lines: Vec<CostLine>,
    ) -> Result<Event> {
        self.must(case, |chain| {
            let Some(demand) = chain.case().file().demand() else {
                return Err(unread());
            };
            let Some(basis) = self.parts.rulebook.costs(&demand.instrument) else {
                return Err(DeskError::Invalid {
                    what: "the claim",
                    reason: format!(
                        "no law in the rulebook gives costs for `{}`; ask for them in words, and record a note",
                        demand.instrument
                    ),
                });
            };
            let total = lines.iter().fold(0_u64, |sum, line| sum.saturating_add(line.minor));
            let claim = CostClaim {
                basis: basis.to_owned(),
                lines: lines.clone(),
                total: Amount {
                    currency: currency.to_owned(),
                    minor: total,
                },
            };
            Ok(Plan::new(actor.clone(), Body::CostsClaimed { claim }))
        })
        .await
    }
}

fn unread() -> DeskError {
    DeskError::NotNow {
        promise: Promise::P14,
        reason: "there is no demand yet".to_owned(),
        hint: "parse the demand first",
    }
}
