//! Checking a message's sender ourselves: SPF, DKIM, DMARC and ARC, by `amparo-postmark`, a program of its own that asks the
//! name service. This process takes no word of it for more than it is: an outcome among others, which opens nothing.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use casework::sender::Verdict;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::apart::{Apart, ApartError, Bounds};

/// The program's name. It lies beside this one.
pub const PROGRAM: &str = "amparo-postmark";
/// How long a message waits for its turn. Whoever sends mail chooses the name servers that it waits for, so neither is long.
const WAIT: Duration = Duration::from_secs(3);
/// How long the checks of one message may take, once its turn has come.
const PATIENCE: Duration = Duration::from_secs(8);
/// How many messages are checked at once in this process: each may take half a gibibyte of memory.
const AT_ONCE_MAX: usize = 4;
/// Largest answer taken, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 * 1024;

static SLOTS: Semaphore = Semaphore::const_new(AT_ONCE_MAX);

const BOUNDS: Bounds = Bounds {
    wait: WAIT,
    patience: PATIENCE,
    answer_bytes_max: ANSWER_BYTES_MAX,
    slots: &SLOTS,
};

/// How a message reached us, as far as our own mail server says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Whom the envelope says it is from; empty for none.
    pub mail_from: String,
    /// The address that handed it to our mail server.
    pub peer: Option<IpAddr>,
    /// The name by which that one greeted.
    pub helo: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postmark {
    /// Whether the peer may send for the envelope's domain.
    pub spf: Verdict,
    /// Whether a signature of a domain over the whole message is good.
    pub dkim: Verdict,
    /// Whether one of the two speaks for the domain in `From`.
    pub dmarc: Verdict,
    /// The domain in `From` that was judged; absent where the program found none.
    #[serde(default)]
    pub from: Option<String>,
    /// Whether the chain of those who forwarded it is whole.
    pub arc: Verdict,
    remarks: Vec<Remark>,
}

impl Postmark {
    /// What a person should know beside, in words.
    pub fn remarks(&self) -> impl Iterator<Item = &'static str> {
        self.remarks.iter().map(|remark| match remark {
            Remark::Unreadable => "its signatures cannot be read",
            Remark::ManySignatures => "it has more signatures than are checked",
            Remark::PartlySigned => {
                "a signature is over the beginning of the text only: more may have been added"
            }
            Remark::NoPeer => "the address that it came from is not known, so SPF was not checked",
            Remark::TimedOut => "the name service did not answer in time",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Remark {
    Unreadable,
    ManySignatures,
    PartlySigned,
    NoPeer,
    TimedOut,
}

#[derive(Serialize)]
struct Question<'a> {
    mail_from: &'a str,
    peer: Option<IpAddr>,
    helo: &'a str,
    servers: &'a [SocketAddr],
}

/// Why a message was not checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostmarkError {
    /// The program is not there.
    #[error(
        "the program that checks senders is not installed: `cargo install --locked --path crates/postmark` puts `{0}` there"
    )]
    NotInstalled(String),
    /// The program did not answer.
    #[error("the program that checks senders did not answer: {0}")]
    Program(ApartError),
    /// Its answer is none.
    #[error("the program that checks senders failed, or took too long")]
    Failed,
}

/// Has messages checked, each by a process of its own. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Postmarks {
    program: Apart,
    servers: Vec<SocketAddr>,
}

impl Postmarks {
    /// By [`PROGRAM`], where it lies beside this program, which asks these name servers; those that the system asks, where
    /// there are none.
    pub fn beside_this_program(servers: Vec<SocketAddr>) -> Self {
        Self {
            program: Apart::beside_this_program(PROGRAM, BOUNDS),
            servers,
        }
    }

    /// By the program that lies there.
    pub fn at(program: PathBuf, servers: Vec<SocketAddr>) -> Self {
        Self {
            program: Apart::at(program, BOUNDS),
            servers,
        }
    }

    /// Has a message checked about which nobody need be asked, to see whether the program is there and can be confined here.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn trial(&self) -> Result<(), PostmarkError> {
        self.check(b"Subject: trial\r\n\r\n", &Envelope::default())
            .await?;
        Ok(())
    }

    /// Has a message checked.
    ///
    /// # Errors
    /// See [`PostmarkError`].
    pub async fn check(&self, raw: &[u8], envelope: &Envelope) -> Result<Postmark, PostmarkError> {
        let question = Question {
            mail_from: &envelope.mail_from,
            peer: envelope.peer,
            helo: &envelope.helo,
            servers: &self.servers,
        };
        let mut line = serde_json::to_vec(&question).map_err(|_| PostmarkError::Failed)?;
        line.push(b'\n');
        let said = self
            .program
            .run(&[&line, raw])
            .await
            .map_err(|error| match error {
                ApartError::NotInstalled(program) => PostmarkError::NotInstalled(program),
                error => PostmarkError::Program(error),
            })?;
        serde_json::from_slice(&said).map_err(|_| PostmarkError::Failed)
    }
}
