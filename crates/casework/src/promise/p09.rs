//! P9, tell the customer: every customer was told before the release, unless the law of this very day forbids telling
//! exactly that one.
//!
//! Whether a gag binds is the rulebook's to say: it is applied again to that customer's part of the demand, with the gag
//! as the case's ledger has it. A gag without authority, past its last day, struck down or recorded as ended bars
//! nothing, and notice is then owed before anything is released. A court's order that names no law may well bind: then
//! nothing is released and nobody told until the law it rests on is on record.

use std::{collections::BTreeSet, fmt};

use super::{BrokenPromise, Hearing, InPlay, p05};
use crate::{
    demand::NoticeTo,
    finding::{Assessment, DutyKind, Promise::P9},
    ids::TenantId,
};

/// Evidence about notice.
#[derive(Debug)]
pub struct CustomerTold {
    told: usize,
    barred: usize,
}

impl fmt::Display for CustomerTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.told, self.barred) {
            (0, 0) => f.write_str("the rulebook asks for no notice before release"),
            (told, barred) => write!(
                f,
                "{told} customer(s) told, {barred} kept from being told by a gag in force"
            ),
        }
    }
}

/// Looks for the notice, or the gag.
///
/// # Errors
/// When a customer was neither told nor is lawfully kept from being told.
pub fn customer_told(hearing: &Hearing<'_>, in_play: &InPlay) -> Result<CustomerTold, BrokenPromise> {
    let mut kept = CustomerTold { told: 0, barred: 0 };
    if in_play.duty(DutyKind::NotifyTenant).is_none() && in_play.duty(DutyKind::DoNotTellTenant).is_none() {
        return Ok(kept);
    }
    let file = hearing.file;
    let tenants: BTreeSet<_> = hearing
        .record
        .accounts
        .iter()
        .map(|account| &account.tenant)
        .collect();
    let scope = file.scope();
    let alone = scope.accounts.iter().all(|(of, _)| tenants.contains(of)) && tenants.len() == 1;
    for tenant in tenants {
        if file.tenant_told(tenant) {
            kept.told = kept.told.saturating_add(1);
            continue;
        }
        let recorded = file
            .notice_bars()
            .iter()
            .any(|bar| bar.to == NoticeTo::Tenant && bar.tenant == *tenant);
        let forbidden = if alone {
            forbids(&in_play.today, hearing)
        } else {
            forbids(&assess_for(hearing, tenant)?, hearing)
        };
        if recorded && forbidden {
            kept.barred = kept.barred.saturating_add(1);
            continue;
        }
        let (reason, hint) = match (recorded, forbidden) {
            (true, _) => (
                "no prohibition in force keeps it from being told",
                "tell the customer first",
            ),
            (_, true) => (
                "the prohibition of notice was not recorded",
                "record the notice as barred",
            ),
            _ => ("nothing forbids it", "tell the customer first"),
        };
        return Err(BrokenPromise::new(
            P9,
            format!("`{tenant}` was not told, and {reason}"),
            hint,
        ));
    }
    Ok(kept)
}

/// The law of the day forbids telling, without any gag; or by a gag, and then one stands at this moment and names the law
/// that it rests on.
fn forbids(assessment: &Assessment, hearing: &Hearing<'_>) -> bool {
    let file = hearing.file;
    let of = |duty| {
        let findings = assessment.findings.iter();
        findings.filter(move |finding| finding.duty == Some(duty))
    };
    let stands = |to| file.gags_forbidding(to, hearing.now).next().is_some();
    // A gag about the person reaches the customer where the two are one; whether they are, the rulebook has said.
    let has_authority = || file.gags().is_empty() || stands(NoticeTo::Tenant) || stands(NoticeTo::Person);
    let silenced = of(DutyKind::DoNotTellTenant).any(|finding| finding.gags.is_empty() || has_authority());
    silenced && of(DutyKind::NotifyTenant).next().is_none()
}

fn assess_for(hearing: &Hearing<'_>, tenant: &TenantId) -> Result<Assessment, BrokenPromise> {
    match hearing.file.as_it_stands_for(tenant) {
        Some((demand, facts)) => p05::assess(hearing, &demand, &facts, hearing.today()),
        None => Err(BrokenPromise::new(
            P9,
            "no subject was looked up",
            "resolve the subjects",
        )),
    }
}
