//! The register of requesters: who may ask, what shows who they are, and the numbers on which they are called back.
//!
//! Nothing here confirms a demand. The register and the operator's lists say what a sender's domain is known for, and
//! whose it only looks like; a person calls the authority, on a number that was registered before the message came, and records
//! what it said ([`Registry::call_back`]).

mod hints;

use std::sync::Arc;

use casework::{
    event::{Actor, Body},
    facts::RequesterCheck,
    ids::{CaseId, StaffId},
    sender::{Domain, SenderCheck, resemblance},
};
use jiff::Timestamp;
use serde::Serialize;
use store::{
    cases::CaseStoreError,
    requesters::{AuthorityRow, FactKind, FactRow, OfficerRow, RequesterStore},
};

pub use hints::{Hints, HintsError, Source};

use crate::app::{Desk, DeskError};

/// Why the register did not do something.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The database.
    #[error(transparent)]
    Store(#[from] CaseStoreError),
    /// The desk.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// What was given cannot be used.
    #[error("{what} cannot be used: {reason}")]
    Invalid {
        /// What.
        what: &'static str,
        /// Why, and what would.
        reason: String,
    },
    /// A number that nobody entered in the register.
    #[error(
        "`{0}` is not in that authority's entry in the register; call a number that was registered before the message came, or \
         record the check in words, which counts once two different people have (`amparo case check --how`)"
    )]
    UnknownNumber(String),
    /// A number that was registered when the message had come, and so may have been found in it.
    #[error(
        "`{0}` was registered after the message came, and so may have been found in it; call a number that was registered before, \
         or record the check in words, which counts once two different people have (`amparo case check --how`)"
    )]
    RegisteredSince(String),
}

/// What is known of an authority, whole.
#[derive(Debug, Clone, Serialize)]
pub struct Authority {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its country.
    pub country: String,
    /// What kind of body it is.
    pub kind: String,
    /// Mail domains, numbers and evidence, each with its source.
    pub facts: Vec<Fact>,
}

/// One fact of an authority.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// `domain`, `number` or `evidence`.
    pub kind: &'static str,
    /// The fact.
    pub value: String,
    /// Where it was found.
    pub source: String,
    /// When it was entered.
    pub added_at: Timestamp,
    /// By whom.
    pub added_by: String,
}

/// What a suspension reached.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reviewed {
    /// Open cases: what was confirmed of who asks no longer counts, and releases on their way lapsed.
    pub reopened: Vec<CaseId>,
    /// Closed cases and those whose data has left: a person goes over them, and tells whom the law says to tell.
    pub to_review: Vec<CaseId>,
}

/// The register, with the operator's lists. Share it.
pub struct Registry {
    store: RequesterStore,
    hints: Arc<Hints>,
}

impl Registry {
    /// Over these.
    pub fn new(store: RequesterStore, hints: Arc<Hints>) -> Self {
        Self { store, hints }
    }

    /// The rows themselves.
    pub fn store(&self) -> &RequesterStore {
        &self.store
    }

    /// Adds an authority with what shows who it is. One without evidence is none.
    ///
    /// # Errors
    /// When the id is taken, or the evidence is missing.
    pub async fn add(&self, row: AuthorityRow, evidence: &str, source: &str) -> Result<(), RegistryError> {
        let (evidence, source) = (said("evidence", evidence)?, said("source", source)?);
        self.store.add_authority(&row).await?;
        let fact = FactRow {
            authority: row.id,
            kind: FactKind::Evidence,
            value: evidence,
            source,
            added_at: row.added_at,
            added_by: row.added_by,
        };
        Ok(self.store.add_fact(&fact).await?)
    }

    /// Adds a fact to an authority, with its source. Domains are kept in ASCII, numbers as digits.
    ///
    /// # Errors
    /// When it is none of its kind, or there is no such authority.
    pub async fn add_fact(&self, mut row: FactRow) -> Result<(), RegistryError> {
        row.source = said("source", &row.source)?;
        row.value = match row.kind {
            FactKind::Evidence => said("evidence", &row.value)?,
            FactKind::Number => digits(&row.value)?,
            FactKind::Domain => {
                let domain = Domain::new(&row.value).map_err(|error| invalid("the domain", error))?;
                if self.hints.is_suffix(&domain) {
                    return Err(invalid(
                        "the domain",
                        format!("anybody may register below `{domain}`"),
                    ));
                }
                domain.to_string()
            }
        };
        Ok(self.store.add_fact(&row).await?)
    }

    /// One authority, whole.
    ///
    /// # Errors
    /// When there is none of that id.
    pub async fn authority(&self, id: &str) -> Result<Authority, RegistryError> {
        let row = self.store.authority(id).await?;
        let facts = self.store.facts(id).await?.into_iter().map(|fact| Fact {
            kind: fact.kind.name(),
            value: fact.value,
            source: fact.source,
            added_at: fact.added_at,
            added_by: fact.added_by,
        });
        Ok(Authority {
            id: row.id,
            name: row.name,
            country: row.country,
            kind: row.kind,
            facts: facts.collect(),
        })
    }

    /// Completes a check with what the register and the lists say of the sender: hints, each of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn judge(&self, check: &mut SenderCheck) -> Result<(), RegistryError> {
        for address in &check.from {
            if let Some(officer) = self.store.officer(&as_kept(address)).await?
                && let Some(reason) = officer.suspended_at.and(officer.reason)
            {
                check.suspended = Some(reason);
            }
        }
        let Some(domain) = check
            .domain
            .as_deref()
            .and_then(|domain| Domain::new(domain).ok())
        else {
            return Ok(());
        };
        let facts = self.store.domains().await?;
        let registered: Vec<(Domain, &str)> = facts
            .iter()
            .filter_map(|fact| Some((Domain::new(&fact.value).ok()?, fact.authority.as_str())))
            .collect();
        check.authority = registered
            .iter()
            .filter(|(known, _)| domain.is_within(known))
            .max_by_key(|(known, _)| known.as_str().len())
            .map(|(_, authority)| (*authority).to_owned());
        check.listed = self.hints.listed(&domain);
        let known = registered
            .iter()
            .map(|(known, _)| known)
            .chain(self.hints.reserved());
        check.resembles = resemblance(&domain, known, self.hints.suffixes());
        Ok(())
    }

    /// What is said of a domain: its authority, its line in the lists, and what it looks like.
    ///
    /// # Errors
    /// When it is no domain, or the database fails.
    pub async fn look_at(&self, domain: &str) -> Result<SenderCheck, RegistryError> {
        let domain = Domain::new(domain).map_err(|error| invalid("the domain", error))?;
        let mut check = SenderCheck {
            domain: Some(domain.to_string()),
            ..SenderCheck::default()
        };
        self.judge(&mut check).await?;
        Ok(check)
    }

    /// Notes from which addresses a case came.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_case(&self, senders: Vec<String>, case: CaseId) -> Result<(), RegistryError> {
        let senders: Vec<_> = senders.iter().map(|address| as_kept(address)).collect();
        Ok(self.store.note_case(&senders, case).await?)
    }

    /// Records what an authority said when it was called back on `number`, which the register must have held for it before the
    /// message came. What was registered since may have been found in the message, whatever a program can find there: a message
    /// shows a number in more ways than one reads.
    ///
    /// # Errors
    /// [`RegistryError::UnknownNumber`] and [`RegistryError::RegisteredSince`].
    pub async fn call_back(&self, desk: &Desk, call: Call<'_>, by: Actor) -> Result<(), RegistryError> {
        let digits = digits(call.number)?;
        let facts = self.store.facts(call.authority).await?;
        let known = facts
            .iter()
            .find(|fact| fact.kind == FactKind::Number && fact.value == digits)
            .ok_or_else(|| RegistryError::UnknownNumber(call.number.to_owned()))?;
        let view = desk.case(call.case).await?;
        if known.added_at >= view.opened_at {
            return Err(RegistryError::RegisteredSince(call.number.to_owned()));
        }
        let how = format!(
            "called {} on {}, which {} entered on {} from {}: {}",
            call.authority,
            known.value,
            known.added_by,
            known.added_at.strftime("%Y-%m-%d"),
            known.source,
            said("what was said", call.said)?
        );
        let body = Body::RequesterChecked {
            outcome: call.outcome,
            how,
        };
        desk.record(call.case, by, body).await?;
        Ok(())
    }

    /// Suspends an address: whatever it sent is looked at again. In open cases what was confirmed of who asks counts no
    /// more; closed ones are listed for a person.
    ///
    /// # Errors
    /// When the database fails, or a case cannot be written; what was done until then stays done.
    pub async fn suspend(
        &self,
        desk: &Desk,
        address: &str,
        reason: &str,
        by: &StaffId,
    ) -> Result<Reviewed, RegistryError> {
        let address = address_of(address)?;
        let reason = said("the reason", reason)?;
        let now = desk.now();
        let row = OfficerRow {
            address: address.clone(),
            authority: None,
            name: address.clone(),
            added_at: now,
            added_by: by.to_string(),
            suspended_at: Some(now),
            reason: Some(reason.clone()),
        };
        self.store.suspend(&row).await?;
        let mut reviewed = Reviewed::default();
        for case in self.store.cases_of(&address).await? {
            // One that cannot be read or written any more, an erased one among them, must not keep the others.
            let view = match desk.case(case).await {
                Ok(view) => view,
                Err(error) => {
                    tracing::warn!(%case, %error, "a case of a suspended address cannot be read; a person must look");
                    reviewed.to_review.push(case);
                    continue;
                }
            };
            if view.records.iter().any(|record| record.released) {
                reviewed.to_review.push(case);
            }
            if view.stage == "Closed" {
                if !reviewed.to_review.contains(&case) {
                    reviewed.to_review.push(case);
                }
                continue;
            }
            let body = Body::RequesterChecked {
                outcome: RequesterCheck::Unchecked,
                how: format!("the address that it came from was suspended: {reason}"),
            };
            match desk.record(case, Actor::Staff(by.clone()), body).await {
                Ok(_) => reviewed.reopened.push(case),
                Err(error) => {
                    tracing::error!(%case, %error, "a case of a suspended address was not reopened; suspend it again");
                    reviewed.to_review.push(case);
                }
            }
        }
        Ok(reviewed)
    }

    /// Adds an officer of a registered authority.
    ///
    /// # Errors
    /// When the address is none, or taken.
    pub async fn add_officer(&self, mut row: OfficerRow) -> Result<(), RegistryError> {
        row.address = address_of(&row.address)?;
        row.name = said("the name", &row.name)?;
        if let Some(authority) = &row.authority {
            self.store.authority(authority).await?;
        }
        Ok(self.store.add_officer(&row).await?)
    }
}

/// A call back that was made.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The case.
    pub case: CaseId,
    /// The authority called, by its id in the register.
    pub authority: &'a str,
    /// The number called.
    pub number: &'a str,
    /// What came of it.
    pub outcome: RequesterCheck,
    /// Who answered, and what they said.
    pub said: &'a str,
}

fn invalid(what: &'static str, reason: impl std::fmt::Display) -> RegistryError {
    RegistryError::Invalid {
        what,
        reason: reason.to_string(),
    }
}

/// Text that says something, within bounds.
fn said(what: &'static str, text: &str) -> Result<String, RegistryError> {
    let text = text.trim();
    if text.is_empty() || text.len() > 2_000 || text.chars().any(char::is_control) {
        return Err(invalid(what, "write one line of at most 2000 bytes"));
    }
    Ok(text.to_owned())
}

fn digits(number: &str) -> Result<String, RegistryError> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0').to_owned();
    if !number.trim_start().starts_with('+') || !(7..=15).contains(&digits.len()) {
        return Err(invalid("the number", "write it with its country: `+49 611 55 0`"));
    }
    Ok(digits)
}

/// An address as the register keeps it; one that is none, in small letters.
fn as_kept(address: &str) -> String {
    address_of(address).unwrap_or_else(|_| address.to_lowercase())
}

fn address_of(address: &str) -> Result<String, RegistryError> {
    let domain = Domain::of_address(address).map_err(|error| invalid("the address", error))?;
    let (local, _) = address.rsplit_once('@').unwrap_or_default();
    if local.is_empty() || local.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(invalid("the address", "write it as `name@domain`"));
    }
    Ok(format!("{}@{domain}", local.to_lowercase()))
}

#[cfg(test)]
mod tests;
