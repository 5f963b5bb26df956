//! The gate in a process of its own: what is said between it and those who ask, and both ends of it.
//!
//! No message asks for a root, tenant or account key, and none carries one; what goes out in the clear is keys of objects,
//! as the two doors give them.

mod asking;
mod calls;
mod serving;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::{asking::RemoteGate, calls::PresentedTransfer, serving::GateService};

/// What both ends speak.
pub const PROTOCOL: &str = "amparo.gate/2";
/// Longest wait for a key of the owner's door: a holder of a tenant's key may be slow.
pub const OWNER_PATIENCE: Duration = Duration::from_secs(20);
/// Longest wait for a batch of keys to be wrapped anew.
pub const REWRAP_PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for a release to be decided: seconds of hashing for 100,000 objects.
pub const RELEASE_PATIENCE: Duration = Duration::from_secs(300);
/// Longest wait for what is only looked up or noted.
pub const LOOK_UP_PATIENCE: Duration = Duration::from_secs(10);
