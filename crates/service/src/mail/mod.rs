//! Demands by e-mail: taken in, checked, and read for the person who enters them.
//!
//! The raw bytes are kept and hashed first, as any demand's are ([`crate::app::Desk::intake`]). Then the sender is checked
//! ([`authentic`]) and the outcome recorded in the case, for the records that it rests on change. What a message says is
//! read anew whenever somebody looks ([`reading`]): it is proposed, and never taken as fact.

pub mod authentic;
mod intake;
mod level;
pub mod lmtp;
pub mod maildir;
pub mod message;
pub mod postmark;
pub mod reading;
mod received;

pub use intake::{MailDesk, MailError};

/// Largest message taken in, in bytes.
pub const MAIL_BYTES_MAX: usize = crate::app::DEMAND_BYTES_MAX;

#[cfg(test)]
mod tests;
