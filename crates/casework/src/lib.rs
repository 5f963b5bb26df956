//! Demands, cases, the rulebook, and what a case must show before any key opens.
//!
//! Pure: no clock, no randomness, no input or output. Read in this order.

pub mod annex3;
pub mod canonical;
pub mod case;
pub mod chain;
pub mod demand;
pub mod event;
pub mod facts;
pub mod finding;
pub mod gate;
pub mod ids;
pub mod ledger;
pub mod promise;
pub mod reading;
pub mod record;
pub mod rejection;
pub mod rulebook;
pub mod sender;
pub mod transfer;

#[cfg(feature = "testkit")]
pub mod testkit;
