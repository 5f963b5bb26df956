//! The way in for authorities' systems: ETSI TS 103 120 (HI-1) over HTTPS with mutual TLS.
//!
//! One route takes messages ([`router`]). Whose they are is what the certificate says ([`Peer`]); what a message says of its
//! sender must agree. A message that would change anything is sealed and kept before anything is done; the same bytes again
//! get the same answer. A disclosure task opens a case whose bytes are the message; a preservation task one whose instrument
//! only preserves, so that the rulebook releases nothing ([`reading`]). Statuses are mirrored from the case ([`mirror`]): what
//! an authority desires is kept, and moves nothing. Packages are given once the gate released them ([`giving`]).

mod amending;
mod checking;
mod face;
mod giving;
mod handing;
mod mirror;
mod peers;
mod pushing;
mod reading;
mod sending;
mod signed;
mod taking;

use std::{sync::Arc, time::Duration};

use envelope::case_file::CaseKey;
use hi1::{
    Code, Failure, Message, Object,
    message::{Endpoint, Header, Payload, Verb, Version},
    signature::{self, Verified},
    write,
};
use jiff::Timestamp;
use store::{
    cases::{CaseStoreError, NONCE_BYTES, Nonce},
    hi1::{Hi1Store, Kept, StoredObject},
};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub use self::{
    face::router,
    peers::{PEERS_MAX, Peer, Signing},
    pushing::{Pusher, keep_pushing},
    reading::Reader,
    sending::{Destination, is_public},
};
use crate::app::{
    Desk, DeskError,
    clock::{Entropy, NoEntropy},
};

/// Longest time one message may take to be answered.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Most messages under way at once, of all peers together, and one of each: the others wait.
pub const MESSAGES_MAX: usize = 16;
/// Most objects looked at for one list.
pub const SCAN_MAX: usize = 1_000;
/// Most bytes of objects in one answer, as many as a message may have; its first object is given whatever its size.
pub const ANSWER_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Most authorisations that are read for one task.
pub const AUTHORISATIONS_MAX: usize = 16;
/// Most messages of one peer that wait for the one that is worked on.
pub const WAITING_MAX: usize = 8;
/// Longest time in which a message's bytes must have come, and longest time without any of them.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// See [`BODY_TIMEOUT`].
pub const BODY_STALL: Duration = Duration::from_secs(5);
/// Bytes of a package in one delivery object; a larger package is several, in sequence.
pub const PART_BYTES: u64 = 4 * 1024 * 1024;

/// What the face works with. Cheap to clone.
#[derive(Clone)]
pub struct Hi1 {
    parts: Arc<Inner>,
}

struct Inner {
    desk: Desk,
    store: Hi1Store,
    us: Endpoint,
    peers: Vec<Peer>,
    entropy: Arc<dyn Entropy>,
    slots: Arc<Semaphore>,
    /// One for each peer: its messages are worked on one after the other.
    turns: Vec<Turn>,
}

/// A peer's turn, and how many of its messages may wait for it.
struct Turn {
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// Why something could not be done now. What was done of it is done; the same message goes on from there.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error(transparent)]
    Store(#[from] CaseStoreError),
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    #[error("an object cannot be written: {0}")]
    Unfit(#[from] write::Unfit),
    #[error("a kept object cannot be read: {0}")]
    Kept(String),
    #[error("the package cannot be read")]
    Package(#[from] std::io::Error),
}

/// A step that ends in an answer, in a refusal, or in trouble.
type Step<T> = Result<Result<T, Failure>, Trouble>;

impl Hi1 {
    /// The face over these parts. `us` is how messages call this provider.
    pub fn new(
        desk: Desk,
        store: Hi1Store,
        us: Endpoint,
        peers: Vec<Peer>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let turn = |_| Turn {
            working: Arc::new(Semaphore::new(1)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        };
        let turns = peers.iter().map(turn).collect();
        Self {
            parts: Arc::new(Inner {
                desk,
                store,
                us,
                peers,
                entropy,
                slots: Arc::new(Semaphore::new(MESSAGES_MAX)),
                turns,
            }),
        }
    }

    fn desk(&self) -> &Desk {
        &self.parts.desk
    }
    fn store(&self) -> &Hi1Store {
        &self.parts.store
    }
    fn now(&self) -> Timestamp {
        self.parts.desk.now()
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], NoEntropy> {
        let mut bytes = [0; N];
        self.parts.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }
    fn nonce(&self) -> Result<Nonce, NoEntropy> {
        self.random::<NONCE_BYTES>()
    }
    fn nonces(&self) -> Result<(Nonce, Nonce), NoEntropy> {
        Ok((self.nonce()?, self.nonce()?))
    }
    fn three_nonces(&self) -> Result<(Nonce, Nonce, Nonce), NoEntropy> {
        Ok((self.nonce()?, self.nonce()?, self.nonce()?))
    }
    fn key(&self) -> Result<CaseKey, NoEntropy> {
        Ok(CaseKey::from_random(self.random()?))
    }

    /// Answers one message of this peer's, whose turn it is. Whatever comes, the answer is a message of the standard.
    async fn answer(&self, place: usize, bytes: &[u8]) -> Vec<u8> {
        let Some(peer) = self.parts.peers.get(place) else {
            return Vec::new();
        };
        let message = match hi1::parse(bytes) {
            Ok(message) => message,
            Err(malformed) => {
                tracing::info!(peer = %peer.endpoint, code = malformed.failure.code, "an HI-1 message was malformed");
                return self.refused(peer, malformed.header.as_deref(), malformed.failure);
            }
        };
        let signed = match self.admit(peer, &message, bytes) {
            Ok(signed) => signed,
            Err(failure) => {
                tracing::warn!(peer = %peer.endpoint, code = failure.code, "an HI-1 message was refused");
                return self.refused(peer, Some(&message.header), failure);
            }
        };
        match self.work(peer, &message, bytes, signed).await {
            Ok(answer) => answer,
            Err(trouble) => {
                tracing::error!(error = &trouble as &dyn std::error::Error, peer = %peer.endpoint, "an HI-1 message was not worked off");
                let again = "this could not be done now; send the same message again";
                self.refused(peer, Some(&message.header), Failure::new(Code::Transient, again))
            }
        }
    }

    /// What concerns the whole message. Gives what its signature shows, where it bears one.
    fn admit(&self, peer: &Peer, message: &Message, bytes: &[u8]) -> Result<Option<Verified>, Failure> {
        let fail = |code, why: &str| Err(Failure::new(code, why));
        if message.header.sender != peer.endpoint {
            return fail(
                Code::Configuration,
                "the sender that the message names is not the one whose certificate was shown",
            );
        }
        if message.header.receiver != self.parts.us {
            return fail(Code::Configuration, "the message is for another receiver");
        }
        // This peer's keys alone: another's signature is a stranger's here, whatever it is worth elsewhere.
        let signed = match &message.signature {
            Some(_) => Some(signature::verify(bytes, &peer.signing.keys, self.now())?),
            None if peer.signing.required => return Err(signature::missing()),
            None => None,
        };
        let Payload::Request(actions) = &message.payload else {
            return fail(
                Code::Improper,
                "the message is an answer; requests are taken here",
            );
        };
        let mut seen = std::collections::BTreeSet::new();
        if !actions.iter().all(|action| seen.insert(action.id)) {
            return fail(Code::DuplicateAction, "two actions have the same identifier");
        }
        Ok(signed)
    }

    /// Keeps the message where it would change anything, works its actions off, and keeps the answer.
    async fn work(
        &self,
        peer: &Peer,
        message: &Message,
        bytes: &[u8],
        signed: Option<Verified>,
    ) -> Result<Vec<u8>, Trouble> {
        let Payload::Request(actions) = &message.payload else {
            return Ok(Vec::new());
        };
        let changes = actions
            .iter()
            .any(|action| matches!(action.verb, Verb::Create(_) | Verb::Update(_)));
        let mut anew = false;
        if changes {
            let kept = self
                .store()
                .keep(&peer.name(), bytes, self.now(), &self.key()?, self.nonces()?)
                .await?;
            match kept {
                Kept::New => {}
                Kept::Again(Some(answer)) => return Ok(answer),
                Kept::Again(None) => anew = true,
            }
        }
        let sent = taking::Sent {
            peer,
            header: &message.header,
            bytes,
            name: self.store().name(bytes),
            actions,
            signed,
            anew,
        };
        let taken = self.take(&sent).await?;
        let answer = write::message(&Message {
            header: write::answering(&message.header, self.now()),
            payload: Payload::Response(taken.answers),
            signature: None,
        })?;
        match (changes, taken.whole) {
            (false, _) => {}
            (true, true) => {
                self.store()
                    .answered(&peer.name(), bytes, &answer, taken.case, self.nonce()?)
                    .await?;
            }
            // What was refused may be sent again, once what stood against it is mended. Where something of it was done before
            // that, the message stays known, so that what is done is not refused for having been done.
            (true, false) if taken.begun => {}
            (true, false) => self.store().forget(&peer.name(), bytes).await?,
        }
        Ok(answer)
    }

    /// The answer to a message that is refused whole.
    fn refused(&self, peer: &Peer, header: Option<&Header>, failure: Failure) -> Vec<u8> {
        let now = self.now();
        let header = match header {
            Some(header) => Header {
                // Never what the message made of itself: whose certificate it is, and us.
                sender: self.parts.us.clone(),
                receiver: peer.endpoint.clone(),
                ..write::answering(header, now)
            },
            None => Header {
                sender: self.parts.us.clone(),
                receiver: peer.endpoint.clone(),
                transaction: Uuid::nil(),
                timestamp: write::micro_moment(now),
                version: Version {
                    etsi: hi1::ETSI_VERSION.to_owned(),
                    profile_owner: peer.endpoint.country.clone(),
                    profile: "v1.0".to_owned(),
                },
                workflow: None,
            },
        };
        let message = Message {
            header,
            payload: Payload::Refused(failure),
            signature: None,
        };
        write::message(&message).unwrap_or_default()
    }

    /// An object of this peer's, with what is known of it beside what it says.
    async fn kept(&self, peer: &Peer, id: Uuid) -> Result<Option<(StoredObject, Object)>, Trouble> {
        let stored = self.store().object(&peer.name(), id).await?;
        stored.map(opened).transpose()
    }
}

fn opened(stored: StoredObject) -> Result<(StoredObject, Object), Trouble> {
    let object = Object::read(&stored.bytes).map_err(Trouble::Kept)?;
    Ok((stored, object))
}

#[cfg(test)]
mod tests;
