//! A world to test in: people with keys, a witnessed docket in memory, and a case in which every promise is kept, so
//! that a test can break exactly one. Behind the feature `testkit`, which only `dev-dependencies` turn on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "test support: a broken fixture should stop the test where it breaks"
)]

mod docket;
mod transfer;
mod world;

pub use docket::TestDocket;
pub use transfer::TransferWorld;
pub use world::{Step, World, raw_chain, staff};
