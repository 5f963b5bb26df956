//! Regions that other nodes serve: a desk here works a case whose data lies there.
//!
//! The node there answers over a link with mutual TLS ([`PeerService`]): who has an account, what lies in a scope, the
//! wrapped keys, and, for a key that *its* gate opened for a release, the object. Its gate decides by its own rules and
//! its own memory. What the owner's door does is not to be had over this link: no message for it exists here.
//!
//! What a transfer takes from one node to another is brought over the same link ([`across`], [`Arrivals`]).
//!
//! [`Vaults`] and [`Gates`] put this node's and the others' together, as the desk's two ports. A region that does not
//! answer is an error that names it, never an empty answer: what an authority is told about must not depend on a network.

pub mod across;
mod arrivals;
mod asking;
mod calls;
mod not_taken;
mod ports;
mod serving;

use std::time::Duration;

pub use self::{
    arrivals::Arrivals,
    asking::Peer,
    ports::{Gates, Vaults},
    serving::PeerService,
};

/// What both ends speak.
pub const PROTOCOL: &str = "amparo.region/1";
/// Longest wait for what is only looked up.
pub const LOOK_UP_PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for a scope, or for the wrapped keys of a record.
pub const SCOPE_PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for objects that are brought, and for showing them: the holder of a customer's keys may be slow, and a quarter
/// of a million rows take their time.
pub const BRING_PATIENCE: Duration = Duration::from_secs(300);
/// Longest wait for a piece of an object.
pub const PIECE_PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an object asked for at once.
pub const PIECE_BYTES: u64 = 1024 * 1024;
/// Pieces under way at once for one reader.
pub const PIECES_AHEAD: usize = 2;
/// Most regions of other nodes in one configuration.
pub const PEERS_MAX: usize = 256;
