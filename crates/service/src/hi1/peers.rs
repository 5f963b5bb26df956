//! Who may send.

use casework::{
    demand::{AuthorityKind, CountryCode},
    ids::InstrumentId,
};
use hi1::{message::Endpoint, signature::Key};

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
    /// What is agreed of its signatures.
    pub signing: Signing,
}

/// What is agreed with a peer of its messages' signatures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signing {
    /// A message that bears none is refused.
    pub required: bool,
    /// Keys, each with a name of its own. Without one, every signed message is refused.
    pub keys: Vec<Key>,
}

impl Peer {
    /// Its name in the store.
    pub(super) fn name(&self) -> String {
        self.endpoint.to_string()
    }
}
