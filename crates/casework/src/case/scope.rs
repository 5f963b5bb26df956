//! Scope: what a demand covers, and the demand as it reads after narrowing.

use std::collections::BTreeSet;

use crate::{
    demand::{Category, Demand, Subject, Window},
    event::Scope,
    facts::{Facts, Resolution},
    ids::{AccountId, TenantId},
};

/// A scope reaches further than the one it is to lie within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// An account is not in the outer scope.
    #[error("account {0} of the scope is not one that the demand, as it stands, covers")]
    Account(usize),
    /// A category is not in the outer scope.
    #[error("category `{0:?}` is not one that the demand, as it stands, covers")]
    Category(Category),
    /// The window is wider, or missing where the outer scope has one.
    #[error("the window reaches beyond the one that the demand, as it stands, covers")]
    Window,
}

impl Scope {
    /// What a demand covers once its subjects are looked up: each account once, each category once.
    pub fn of(demand: &Demand, facts: &Facts) -> Scope {
        Scope {
            accounts: named_accounts(demand, facts).into_iter().collect(),
            categories: demand
                .categories
                .iter()
                .copied()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            window: demand.window,
        }
    }

    /// Checks that this scope lies wholly within `outer`.
    ///
    /// # Errors
    /// [`ScopeError`] naming the first part that reaches further.
    pub fn within(&self, outer: &Scope) -> Result<(), ScopeError> {
        for (at, account) in self.accounts.iter().enumerate() {
            if !outer.accounts.contains(account) {
                return Err(ScopeError::Account(at.saturating_add(1)));
            }
        }
        for category in &self.categories {
            if !outer.categories.contains(category) {
                return Err(ScopeError::Category(*category));
            }
        }
        match (&outer.window, &self.window) {
            (None, _) => Ok(()),
            (Some(outer), Some(inner)) if outer.encloses(inner) => Ok(()),
            (Some(_), _) => Err(ScopeError::Window),
        }
    }

    /// What lies in both: how a later look-up combines with an earlier narrowing. Windows that do not meet leave
    /// nothing at all.
    pub fn cut_by(&self, other: &Scope) -> Scope {
        let nothing = Scope {
            accounts: Vec::new(),
            categories: Vec::new(),
            window: None,
        };
        let window = match (self.window, other.window) {
            (None, window) | (window, None) => window,
            (Some(a), Some(b)) => match Window::new(a.from.max(b.from), a.until.min(b.until)) {
                Ok(window) => Some(window),
                Err(_) => return nothing,
            },
        };
        Scope {
            accounts: self
                .accounts
                .iter()
                .filter(|a| other.accounts.contains(a))
                .cloned()
                .collect(),
            categories: self
                .categories
                .iter()
                .filter(|c| other.categories.contains(c))
                .copied()
                .collect(),
            window,
        }
    }
}

/// Accounts that a subject of the demand names and that resolved to exactly one. A sweeping selector names none, even
/// where it happens to match only one.
pub(super) fn named_accounts(demand: &Demand, facts: &Facts) -> BTreeSet<(TenantId, AccountId)> {
    demand
        .subjects
        .iter()
        .zip(&facts.resolved)
        .filter_map(|(subject, resolution)| match (subject, resolution) {
            (Subject::Selector { .. }, _) => None,
            (_, Resolution::One(account)) => Some((account.tenant.clone(), account.account.clone())),
            _ => None,
        })
        .collect()
}

/// The demand and facts cut to `scope`: subjects that it no longer covers are gone from both, so that a rule about the
/// demand as a whole sees what is left of it.
pub(super) fn narrowed(demand: &Demand, facts: &Facts, scope: &Scope) -> (Demand, Facts) {
    let (subjects, resolved) = demand
        .subjects
        .iter()
        .zip(&facts.resolved)
        .filter(|(subject, resolution)| match (subject, resolution) {
            (Subject::Selector { .. }, _) => false,
            (_, Resolution::One(a)) => scope
                .accounts
                .iter()
                .any(|(tenant, account)| *tenant == a.tenant && *account == a.account),
            _ => false,
        })
        .map(|(subject, resolution)| (subject.clone(), resolution.clone()))
        .unzip();
    let categories = demand
        .categories
        .iter()
        .copied()
        .filter(|c| scope.categories.contains(c))
        .collect();
    (
        Demand {
            subjects,
            categories,
            window: scope.window,
            ..demand.clone()
        },
        Facts {
            resolved,
            ..facts.clone()
        },
    )
}
