//! Who may send.

use casework::{
    demand::{AuthorityKind, CountryCode},
    ids::InstrumentId,
};
use hi1::message::Endpoint;

/// Most peers in one configuration.
pub const PEERS_MAX: usize = 1_000;

/// An authority's system, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// How its messages call it.
    pub endpoint: Endpoint,
    /// The authority whose system it is.
    pub authority: String,
    /// What kind of body that is.
    pub kind: AuthorityKind,
    /// Its country.
    pub country: CountryCode,
    /// The instrument that its disclosure tasks are. HI-1 does not say which law an order rests on.
    pub disclosure: InstrumentId,
    /// The instrument that its preservation tasks are; without one they are refused.
    pub preservation: Option<InstrumentId>,
}

impl Peer {
    /// Its name in the store.
    pub(super) fn name(&self) -> String {
        self.endpoint.to_string()
    }
}
