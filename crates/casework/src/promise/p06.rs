//! P6, specific accounts only: every account of the record is one that the demand names and that was found.

use std::{collections::BTreeSet, fmt};

use super::{BrokenPromise, Hearing};
use crate::{event::Scope, finding::Promise::P6};

/// Evidence that every account was named.
#[derive(Debug)]
pub struct NamedAccounts {
    count: usize,
}

impl fmt::Display for NamedAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} account(s), each named by the demand and found", self.count)
    }
}

/// Compares the record's accounts with the demand's subjects as they were looked up.
///
/// # Errors
/// When there is none, or one that no subject of the demand named.
pub fn accounts_are_named(hearing: &Hearing<'_>) -> Result<NamedAccounts, BrokenPromise> {
    const HINT: &str = "name only accounts that the demand names; reject a blanket demand";
    let (Some(demand), Some(facts)) = (hearing.file.demand(), hearing.file.facts()) else {
        return Err(BrokenPromise::new(
            P6,
            "no subject was looked up",
            "resolve the subjects",
        ));
    };
    let named: BTreeSet<_> = Scope::of(demand, facts).accounts.into_iter().collect();
    let accounts = &hearing.record.accounts;
    if accounts.is_empty() {
        return Err(BrokenPromise::new(P6, "the record names no account", HINT));
    }
    for (at, account) in accounts.iter().enumerate() {
        if !named.contains(&(account.tenant.clone(), account.account.clone())) {
            let reason = format!(
                "account {} of the record is not one that the demand names",
                at.saturating_add(1)
            );
            return Err(BrokenPromise::new(P6, reason, HINT));
        }
    }
    Ok(NamedAccounts {
        count: accounts.len(),
    })
}
