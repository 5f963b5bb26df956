//! The docket as a whole: steps that fail, crash and hang; witnesses; what the public sees.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

mod faults;
mod heads;
mod http;
mod office;
mod public;
mod state;
