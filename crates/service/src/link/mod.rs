//! A link between our own processes: requests and answers over one connection, many under way at once.
//!
//! Over a unix socket, whose peer's user id is checked, or over TCP with mutual TLS ([`crate::tls`]). A message is a head
//! in JSON and, after it, raw bytes that are secret: keys never become text, and the buffers that carry them are zeroized.
//! Messages are cut into frames, so that a small one never waits for a large one; both ends name their protocol and its
//! version first.
//!
//! What was not sent may be asked again; what was sent and not answered may have happened, and only the caller knows
//! whether asking twice is harmless ([`LinkError`]).

mod address;
mod client;
mod message;
mod server;
#[cfg(test)]
mod tests;
mod wire;
mod work;

use std::time::Duration;

pub use self::{
    address::Address,
    client::{Link, LinkError},
    message::{Message, MessageError},
    server::{Answers, Asker, BindError, Guard, Limits, Reception},
};

/// Most bytes of one message: a release of 100,000 objects, with its case, fits.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most bytes of a frame's payload.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Messages of which some frames have come and others have not, at once on one connection. Their bytes together stay
/// under [`MESSAGE_BYTES_MAX`].
pub const PARTIAL_MAX: usize = 64;
/// Requests being answered at once on one connection; further ones wait unread.
pub const ANSWERING_MAX: usize = 1024;
/// Requests under way at once from one caller; further ones are told that it is busy.
pub const ASKING_MAX: usize = 4096;
/// Connections that one listener has at once, of those who may ask.
pub const CONNECTIONS_MAX: usize = 256;
/// Handshakes that one listener has at once: who is still a stranger takes no place of those who may ask.
pub const HANDSHAKES_MAX: usize = 128;
/// Longest a handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes that one listener has in work: of requests that come in or are being answered, and of answers that go out. A
/// connection that needs more waits for others' to be done, for [`STALL_TIMEOUT`] at most.
pub const IN_WORK_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// A request that was begun must be there whole within this time.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest wait for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After a connection could not be made, how long callers are told so without another try.
pub const CONNECT_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for the other end to name its protocol.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection whose peer takes no bytes for so long is given up.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// After so long a caller makes a new connection, and both certificates are judged anew.
pub const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// After so long the listening side ends a connection whose caller did not.
pub const LIFETIME_MAX: Duration = Duration::from_secs(70 * 60);
/// Longest wait for answers under way when a listener stops.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
