//! The running service: the vault over S3, the HTTP API, the docket's sequencer and witness, the gate.

pub mod apart;
pub mod app;
pub mod auth;
pub mod config;
pub mod deployment;
pub mod docket;
pub mod gate;
pub mod hi1;
pub mod http;
pub mod import;
pub mod keys;
pub mod link;
pub mod listener;
pub mod mail;
pub mod paper;
pub mod region;
pub mod requesters;
pub mod s3;
pub mod tls;
pub mod transfers;
pub mod vault;
