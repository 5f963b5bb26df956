//! What a release or a transfer leaves in the ledgers of the tenants whose keys it opens, and when what was sealed opens.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Actor, Keys, OBJECTS_MAX, Opening, Reason};
use crate::{
    case::CaseFile,
    chain::Chain,
    demand::NoticeTo,
    event::Event,
    finding::Promise,
    gate::{Memory, Refusal, log},
    ids::{AccountId, CaseId, Digest, ObjectId, RegionId, TenantId},
    record::ReleaseRecord,
    transfer::{Data, TransferRecord},
};

/// An opening, and whether its tenant may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// Whose ledger it goes into.
    pub tenant: TenantId,
    /// The case whose gag seals it; none where nothing forbids the tenant to be told.
    pub sealed: Option<CaseId>,
    /// What is opened.
    pub opening: Opening,
}

/// The openings of a release, account by account. They are sealed from a customer whom the case forbids to be told at this
/// moment, or who was kept from being told and has not been told since. Where only the person must not be told, and the
/// customer is another, nothing is sealed from the customer: as the case's own rules on notice have it.
pub fn of_release(record: &ReleaseRecord, digest: Digest, file: &CaseFile, now: Timestamp) -> Vec<Entered> {
    let mut by_account: BTreeMap<_, BTreeSet<ObjectId>> = BTreeMap::new();
    for object in &record.objects {
        by_account
            .entry(&object.account)
            .or_default()
            .insert(object.object);
    }
    let reason = Reason::Release {
        case: record.case,
        record: record.id,
        digest,
    };
    let mut entered = Vec::new();
    for (account, objects) in by_account {
        let sealed = is_kept_from(file, &account.tenant, now).then_some(record.case);
        let objects: Vec<_> = objects.into_iter().collect();
        entered.extend(objects.chunks(OBJECTS_MAX).map(|objects| Entered {
            tenant: account.tenant.clone(),
            sealed,
            opening: Opening {
                actor: Actor::Provider,
                reason: reason.clone(),
                keys: Keys::Objects,
                region: account.region.clone(),
                account: Some(account.account.clone()),
                from: now,
                until: now,
                objects: objects.to_vec(),
            },
        }));
    }
    entered
}

fn is_kept_from(file: &CaseFile, tenant: &TenantId, now: Timestamp) -> bool {
    let barred = file
        .notice_bars()
        .iter()
        .any(|bar| bar.to == NoticeTo::Tenant && bar.tenant == *tenant);
    file.notice_forbidden(NoticeTo::Tenant, tenant, now) || (barred && !file.tenant_told(tenant))
}

/// The openings of a transfer: the accounts that it moves, from now until its record lapses.
pub(crate) fn of_transfer(record: &TransferRecord, digest: Digest, now: Timestamp) -> Vec<Entered> {
    let reason = Reason::Transfer {
        matter: record.transfer,
        record: record.id,
        digest,
    };
    let opening = |region: &RegionId, account: Option<&AccountId>| Entered {
        tenant: record.tenant.clone(),
        sealed: None,
        opening: Opening {
            actor: Actor::Provider,
            reason: reason.clone(),
            keys: if account.is_some() {
                Keys::Account
            } else {
                Keys::Tenant
            },
            region: region.clone(),
            account: account.cloned(),
            from: now,
            until: record.expires_at.max(now),
            objects: Vec::new(),
        },
    };
    let regions = [&record.from, &record.to];
    match &record.data {
        Data::Bucket(_) => regions.iter().map(|region| opening(region, None)).collect(),
        Data::Accounts(accounts) => accounts
            .iter()
            .flat_map(|account| regions.map(|region| opening(region, Some(account))))
            .collect(),
    }
}

/// Evidence that nothing forbids some customers of a case to be told any more. Only [`telling`] makes one.
#[derive(Debug)]
pub struct Telling {
    case: CaseId,
    tenants: Vec<TenantId>,
}

impl Telling {
    /// The case.
    pub fn case(&self) -> CaseId {
        self.case
    }
    /// Who may be told. May be empty.
    pub fn tenants(&self) -> &[TenantId] {
        &self.tenants
    }
}

/// Which of `tenants` may now be told of a case, from its whole chain.
///
/// # Errors
/// [`Refusal`] where the chain does not hold, or is not a continuation of the one that the gate remembers.
pub fn telling(
    case: CaseId,
    events: Vec<Event>,
    memory: &Memory,
    tenants: Vec<TenantId>,
    now: Timestamp,
) -> Result<Telling, Refusal> {
    let chain = Chain::verify(events).map_err(log::broken_chain)?;
    if chain.case_id() != case {
        return Err(Refusal::promise(
            Promise::P14,
            "the chain is another case's",
            "show the case itself",
        ));
    }
    log::not_rolled_back(&chain, memory)?;
    let file = chain.case().file();
    let tenants = tenants
        .into_iter()
        .filter(|tenant| !file.notice_forbidden(NoticeTo::Tenant, tenant, now))
        .collect();
    Ok(Telling { case, tenants })
}
