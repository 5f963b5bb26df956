//! Durable state: the database, the blobs, the docket's files. What was acknowledged is there after a crash; what was
//! left half-written is swept.

pub mod blobs;
pub mod cases;
pub mod database;
pub mod docket;
pub mod gate_memory;
pub mod hi1;
pub mod lease;
pub mod ledger;
pub mod peer_releases;
pub mod requesters;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod transfers;
pub mod vault;
