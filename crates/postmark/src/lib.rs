//! Checking who a message is from: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 9989) and ARC (RFC 8617).
//!
//! A message comes from a stranger, and so do the answers of the name service. `amparo-postmark` is a program of its own, which
//! holds no file and no key: it takes a [`Question`] and a message on standard input, and writes one [`Answer`].

mod check;
mod names;

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

pub use check::check;
use confine::{Bounds, Talks};
pub use names::{Names, NamesError, Zone};

/// What the program keeps once it checks: half a gibibyte, ten seconds, and sockets to name servers.
pub const BOUNDS: Bounds = Bounds {
    memory: 512 * 1024 * 1024,
    seconds: 10,
    talks: Talks::ToNameServers { descriptors: 64 },
};
/// Largest message checked, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Largest question, in bytes.
pub const QUESTION_BYTES_MAX: usize = 16 * 1024;
/// Most signatures of one message that are checked: each costs a pass over it and questions to the name service.
pub const SIGNATURES_MAX: usize = 12;

/// How a message reached us, as our own mail server says, and whom to ask about it. One line of JSON before the message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Question {
    /// Whom the envelope says it is from; empty for none.
    pub mail_from: String,
    /// The address that handed it to our mail server.
    pub peer: Option<IpAddr>,
    /// The name by which that one greeted.
    pub helo: String,
    /// Name servers to ask; none for those that the system asks.
    pub servers: Vec<SocketAddr>,
}

/// What came of one check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// The domain publishes nothing to check by, or the message carries nothing to check.
    None,
    /// It could not be checked.
    #[default]
    NotKnown,
}

/// What was found. One line of JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Whether the peer may send for the envelope's domain.
    pub spf: Verdict,
    /// Whether a signature of a domain over the whole message is good.
    pub dkim: Verdict,
    /// Whether one of the two speaks for the domain in `From`.
    pub dmarc: Verdict,
    /// Whether the chain of those who forwarded it is whole.
    pub arc: Verdict,
    /// The domain in `From` that DMARC was judged for, in lower case; none where there is not exactly one. A reader of the message
    /// that finds another there reads it otherwise than the checks did.
    pub from: Option<String>,
    /// What a person should know beside.
    pub remarks: Vec<Remark>,
}

impl Answer {
    /// Where time ran out: not known, and why.
    #[must_use]
    pub fn timed_out() -> Self {
        Self {
            remarks: vec![Remark::TimedOut],
            ..Self::default()
        }
    }
}

/// What a person should know beside the verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// It is no message that can be read.
    Unreadable,
    /// It has more signatures than [`SIGNATURES_MAX`], so none was checked.
    ManySignatures,
    /// A good signature is over the beginning of the text only.
    PartlySigned,
    /// The address that it came from is not known, so SPF was not checked.
    NoPeer,
    /// Time ran out, so nothing is known.
    TimedOut,
}
