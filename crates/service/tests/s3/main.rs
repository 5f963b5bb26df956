//! The S3 face from outside: raw requests, real clients, crashes, memory, and a search of the disk for plaintext.
//!
//! The server is a child process: this same test binary, told by an environment variable to serve. So a crash is a real
//! crash, and its memory is its own.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod canary;
mod clients;
mod crash;
mod deployment;
mod memory;
mod noise;
mod protocol;
mod server;
mod signer;
