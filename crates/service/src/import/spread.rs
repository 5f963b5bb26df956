//! How the demonstration spreads one corpus of mail over many accounts.
//!
//! The rule, which `tests/scope.py` follows on its own: sort the messages' paths in the archive by their bytes; the
//! message at place i, from 0, belongs to account number i mod 20. Accounts 0 to 7 are a business's, 8 to 13 a public
//! body's, 14 to 19 consumers'.

use casework::facts::TenantKind;

use super::{ImportError, Source, messages};

/// Number of accounts.
pub const ACCOUNTS: usize = 20;

/// The account that a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// From 0.
    pub account: usize,
    /// What its tenant is.
    pub tenant: TenantKind,
}

/// The account of the message at place `index` of the sorted corpus.
pub fn place(index: usize) -> Place {
    let account = index % ACCOUNTS;
    Place {
        account,
        tenant: tenant_of(account),
    }
}

/// Whose account number `account` is.
pub fn tenant_of(account: usize) -> TenantKind {
    match account {
        0..=7 => TenantKind::Enterprise,
        8..=13 => TenantKind::PublicBody,
        _ => TenantKind::Consumer,
    }
}

/// The places of a corpus's messages: all names, sorted.
pub struct Spread(Vec<String>);

impl Spread {
    /// Reads a source once for its names. [`Messages`](super::Messages) gives them in the source's own order; a second
    /// pass then finds each one's place.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn of(source: &Source) -> Result<Self, ImportError> {
        let mut names = messages(source)?
            .map(|message| message.map(|m| m.name))
            .collect::<Result<Vec<_>, _>>()?;
        names.sort_unstable();
        Ok(Self(names))
    }

    /// Where the message of that name belongs.
    pub fn place(&self, name: &str) -> Option<Place> {
        self.0.binary_search_by(|n| n.as_str().cmp(name)).ok().map(place)
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
