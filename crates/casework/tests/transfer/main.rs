//! Transfers between regions (P19): which basis carries one on which day, and what the gate moves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by stopping"
)]

mod bases;
mod copies;
mod gate;
mod judge;
