//! Messages of ETSI TS 103 120 (HI-1), the interface by which authorities task providers: read, checked and written, in
//! JSON.
//!
//! Pure: no clock, no randomness, no input or output. What ETSI's schemas of version 1.23.1 accept is read, what they
//! refuse is refused ([`Malformed`] says where and why); objects of kinds that are not supported are read as such, for the
//! protocol has an answer of its own to them. Read in this order.

pub mod code;
pub mod dictionary;
pub mod document;
mod grammar;
mod json;
pub mod message;
pub mod object;
mod shape;
pub mod signature;
mod simple;
pub mod write;

pub use code::{Code, Failure};
pub use json::{BYTES_MAX, DEPTH_MAX, VALUES_MAX};
pub use message::{Malformed, Message, parse};
pub use object::{Kind, Object};

/// The version of the standard whose schemas are spoken.
pub const ETSI_VERSION: &str = "V1.23.1";

/// Most actions in one message.
pub const ACTIONS_MAX: usize = 100;
