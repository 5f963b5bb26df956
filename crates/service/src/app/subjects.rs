//! Whom a demand means: its subjects looked up, and what is learned of the people behind them.

use std::collections::BTreeSet;

use casework::{
    demand::{CountryCode, Subject},
    event::{Actor, Body},
    facts::{AccountFacts, DataPlace, Facts, Identified, Resolution},
    ids::{AccountId, CaseId, RegionId, TenantId},
};
use serde::{Deserialize, Serialize};

use super::{Desk, DeskError, Result, course::Plan};

/// A person's choice where a subject matched several accounts, or one in several regions. It must be one of those found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Which subject of the demand, from 0.
    pub subject: usize,
    /// The customer.
    pub tenant: TenantId,
    /// Its account.
    pub account: AccountId,
    /// The region to release from, where its data lies in several and the others are left to another record. All of them
    /// unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionId>,
    /// How a person found that the subject means this account, where no record of the vault says so: an address at a moment,
    /// in a log that is kept elsewhere. Both reviewers read it. Never for what names no account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identified: Option<Identified>,
}

/// What the provider learned of the person behind one account. What is absent stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    /// Which subject of the demand, from 0. It must have resolved to one account.
    pub subject: usize,
    /// Where the person resides.
    #[serde(default)]
    pub person_country: Option<CountryCode>,
    /// Whether they are a "United States person" (18 U.S.C. 2523(a)(2)).
    #[serde(default)]
    pub us_person: Option<bool>,
    /// Whether they are bound by professional privilege.
    #[serde(default)]
    pub privileged: Option<bool>,
}

impl Desk {
    /// Looks up each subject of the demand: one account, in every region in which data of it lies, none, several, or no
    /// identifier at all (P6). Where several match, a choice names one of them. What was learned of an account's person
    /// stays with it.
    ///
    /// # Errors
    /// [`DeskError::Invalid`] for a choice that the look-up does not bear out; [`DeskError::NotNow`] without a demand.
    pub async fn resolve(&self, case: CaseId, actor: Actor, choices: &[Choice]) -> Result<Facts> {
        // What moves from here on, the look-up may miss.
        let looked_up_at = Some(self.now());
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
            let mut resolved = resolved.clone();
            if let Some(before) = file.facts() {
                for (now, before) in resolved.iter_mut().zip(&before.resolved) {
                    keep_learned(now, before);
                }
            }
            found = Facts {
                resolved,
                requester: file.requester(),
                controller_consents: file.facts().and_then(|facts| facts.controller_consents),
                looked_up_at,
            };
            Ok(Plan::new(actor.clone(), Body::Resolved { facts: found.clone() }))
        })
        .await?;
        Ok(found)
    }

    /// Records what was learned of the people behind the accounts, and what the controller said when told (GDPR Art.
    /// 28(3)(a)). The look-up itself stays as it is: nothing learned can put another account in the place of one found.
    ///
    /// # Errors
    /// [`DeskError::NotNow`] before the subjects are looked up; [`DeskError::Invalid`] where a subject is no account.
    pub async fn learn(
        &self,
        case: CaseId,
        actor: Actor,
        learned: &[Learned],
        controller_consents: Option<bool>,
    ) -> Result<Facts> {
        let mut found = Facts::default();
        self.must(case, |chain| {
            let Some(known) = chain.case().file().facts() else {
                return Err(DeskError::NotNow {
                    promise: casework::finding::Promise::P6,
                    reason: "the subjects are not looked up".to_owned(),
                    hint: "resolve them first",
                });
            };
            let mut facts = known.clone();
            for one in learned {
                let Some(Resolution::One(account)) = facts.resolved.get_mut(one.subject) else {
                    return Err(DeskError::Invalid {
                        what: "what was learned",
                        reason: format!("subject {} is not one account", one.subject),
                    });
                };
                account.person_country = one.person_country.clone().or(account.person_country.take());
                account.us_person = one.us_person.or(account.us_person);
                account.privileged = one.privileged.or(account.privileged);
            }
            facts.controller_consents = controller_consents.or(facts.controller_consents);
            facts.requester = chain.case().file().requester();
            found = facts.clone();
            Ok(Plan::new(actor.clone(), Body::Resolved { facts }))
        })
        .await?;
        Ok(found)
    }

    async fn look_up(&self, subject: &Subject, choice: Option<&Choice>) -> Result<Resolution> {
        if matches!(subject, Subject::Selector { .. }) {
            return Ok(Resolution::Unspecific);
        }
        if let Some((choice, identified)) =
            choice.and_then(|choice| Some((choice, choice.identified.as_ref()?)))
        {
            return self.by_hand(choice, identified).await.map(Resolution::One);
        }
        let matches = self.matches(subject).await?;
        if let Some(choice) = choice {
            return matches
                .into_iter()
                .find_map(|found| chosen(found, choice))
                .map(Resolution::One)
                .ok_or_else(|| DeskError::Invalid {
                    what: "the choice",
                    reason: format!("subject {} does not match that account", choice.subject),
                });
        }
        let count = u32::try_from(matches.len()).unwrap_or(u32::MAX);
        let tenants: BTreeSet<&TenantId> = matches.iter().map(|found| &found.tenant).collect();
        let tenants = u32::try_from(tenants.len()).unwrap_or(u32::MAX);
        let mut matches = matches.into_iter();
        Ok(match (matches.next(), matches.next()) {
            (None, _) => Resolution::None,
            (Some(one), None) => Resolution::One(one),
            (Some(_), Some(_)) => Resolution::Several { count, tenants },
        })
    }

    /// The accounts that a subject means by the vault's own records, each once.
    async fn matches(&self, subject: &Subject) -> Result<Vec<AccountFacts>> {
        let vault = &self.parts.vault;
        let mut found = Vec::new();
        for identifier in subject.known_as() {
            for one in vault.accounts(&identifier).await? {
                if !found.contains(&one) {
                    found.push(one);
                }
            }
        }
        if let Subject::Ip { address, port, at } = subject {
            found = vault.accounts_at(*address, *port, *at).await?;
        }
        Ok(each_once(found))
    }

    /// The account that a person found a subject to mean. It must be there.
    async fn by_hand(&self, choice: &Choice, identified: &Identified) -> Result<AccountFacts> {
        if identified.how.trim().is_empty() {
            return Err(DeskError::Invalid {
                what: "the choice",
                reason: "it does not say how the account was found".to_owned(),
            });
        }
        let known = each_once(self.parts.vault.accounts(choice.account.as_str()).await?);
        let found = known.into_iter().find_map(|found| chosen(found, choice));
        let found = found.ok_or_else(|| DeskError::Invalid {
            what: "the choice",
            reason: format!("subject {}: there is no such account", choice.subject),
        })?;
        Ok(AccountFacts {
            identified: Some(identified.clone()),
            ..found
        })
    }
}

fn keep_learned(now: &mut Resolution, before: &Resolution) {
    let (Resolution::One(now), Resolution::One(before)) = (now, before) else {
        return;
    };
    // Wherever the data lies by now: it is the same person's.
    if (&now.tenant, &now.account) == (&before.tenant, &before.account) {
        now.person_country = now
            .person_country
            .take()
            .or_else(|| before.person_country.clone());
        now.us_person = now.us_person.or(before.us_person);
        now.privileged = now.privileged.or(before.privileged);
    }
}

/// Accounts, each with every region in which it was found. Where nodes say different things of a customer, they are told
/// apart, for a person to choose.
fn each_once(found: Vec<AccountFacts>) -> Vec<AccountFacts> {
    let mut accounts: Vec<AccountFacts> = Vec::with_capacity(found.len());
    for one in found {
        let same = |known: &&mut AccountFacts| {
            (
                &known.tenant,
                &known.account,
                known.tenant_kind,
                &known.tenant_country,
            ) == (&one.tenant, &one.account, one.tenant_kind, &one.tenant_country)
                && known.customer_holds_keys == one.customer_holds_keys
        };
        match accounts.iter_mut().find(same) {
            Some(known) => {
                let place = DataPlace {
                    region: one.region,
                    country: one.region_country,
                };
                if !known.knows_of(&place.region) {
                    known.also_in.push(place);
                }
                known.person_country = agreed(known.person_country.take(), one.person_country);
                known.us_person = agreed(known.us_person, one.us_person);
                known.privileged = known.privileged.max(one.privileged);
            }
            None => accounts.push(one),
        }
    }
    accounts
}

/// What nodes know of a person: nothing, where they contradict each other.
fn agreed<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => (a == b).then_some(a),
        (a, b) => a.or(b),
    }
}

/// The account, if it is the one chosen: with every region, or with the one that was chosen, and the others said to be left
/// out.
fn chosen(found: AccountFacts, choice: &Choice) -> Option<AccountFacts> {
    if found.tenant != choice.tenant || found.account != choice.account {
        return None;
    }
    let Some(wanted) = &choice.region else {
        return Some(found);
    };
    let (region, region_country) = found
        .places()
        .find(|(region, _)| *region == wanted)
        .map(|(region, country)| (region.clone(), country.clone()))?;
    let others = found.places().map(|(region, _)| region.clone());
    let left_out = others.filter(|other| other != wanted).collect();
    Some(AccountFacts {
        region,
        region_country,
        also_in: Vec::new(),
        left_out,
        ..found
    })
}
