//! The chain: a matter's events, verified link by link and step by step, and appended to only as the matter allows.
//!
//! Two kinds of matter have chains: a case ([`Chain`]) and a transfer between regions
//! ([`crate::transfer::TransferChain`]). Links, commitments, times and limits are the same; what may follow what is each
//! kind's own ([`Matter`]).

mod headers;

use std::fmt;

use jiff::Timestamp;

pub use headers::{HeaderChain, follow};

use crate::{
    canonical::CanonicalError,
    case::{Case, NotNow},
    event::{Actor, Body, Content, Event, Header},
    ids::{CaseId, Digest},
};

/// Most events that one case may hold.
pub const EVENTS_MAX: usize = 10_000;

/// The `prev` of a first event.
pub const GENESIS: Digest = Digest([0; 32]);

/// A kind of matter that has a chain of its own: which event may open it, which may follow, and the state they lead to.
pub trait Matter: Clone + fmt::Debug {
    /// What its events say.
    type Body: Content + Clone + fmt::Debug;

    /// The matter that a first event opens. `hash` is its header's.
    ///
    /// # Errors
    /// [`NotNow`] where no matter of this kind begins so.
    fn open(event: &Event<Self::Body>, hash: Digest) -> Result<Self, NotNow>;
    /// Whether `actor` may record `body` now.
    ///
    /// # Errors
    /// [`NotNow`] with the promise that the step would break, the reason, and what to do first.
    fn may(&self, at: Timestamp, actor: &Actor, body: &Self::Body) -> Result<(), NotNow>;
    /// The state after one more event. `hash` is its header's.
    ///
    /// # Errors
    /// [`NotNow`] where [`Matter::may`] says so.
    fn step(self, event: &Event<Self::Body>, hash: Digest) -> Result<Self, NotNow>;
}

impl Matter for Case {
    type Body = Body;
    fn open(event: &Event, hash: Digest) -> Result<Self, NotNow> {
        Case::open(event, hash)
    }
    fn may(&self, at: Timestamp, actor: &Actor, body: &Body) -> Result<(), NotNow> {
        Case::may(self, at, actor, body)
    }
    fn step(self, event: &Event, hash: Digest) -> Result<Self, NotNow> {
        Case::step(self, event, hash)
    }
}

/// A case's chain.
pub type Chain = MatterChain<Case>;

/// A verified chain: every link, commitment, time and step holds. Only [`MatterChain::verify`] and
/// [`MatterChain::begin`] make one.
#[derive(Debug, Clone)]
pub struct MatterChain<M: Matter> {
    /// Never empty.
    events: Vec<Event<M::Body>>,
    head: Digest,
    matter: M,
}

/// Why events are not a chain.
#[derive(Debug, thiserror::Error)]
pub enum BrokenChain {
    /// No events at all.
    #[error("the chain is empty")]
    Empty,
    /// Over [`EVENTS_MAX`].
    #[error("the chain has {found} events; at most {EVENTS_MAX} are read")]
    TooLong {
        /// How many there are.
        found: usize,
    },
    /// An event is missing, doubled or out of place.
    #[error("event {at} carries number {found}")]
    Sequence {
        /// Its place.
        at: u64,
        /// What it says.
        found: u64,
    },
    /// It belongs elsewhere.
    #[error("event {at} belongs to another case")]
    OtherCase {
        /// Its place.
        at: u64,
    },
    /// It does not continue the one before.
    #[error("event {at} does not link to the event before it")]
    Link {
        /// Its place.
        at: u64,
    },
    /// The body is not the one committed to.
    #[error("the content of event {at} is not what its header commits to")]
    Commitment {
        /// Its place.
        at: u64,
    },
    /// The header says of the body that a package opens it, and its kind says otherwise, or the reverse.
    #[error("event {at} is marked wrongly: its kind decides whether a disclosure package opens it")]
    Disclosure {
        /// Its place.
        at: u64,
    },
    /// Time ran backwards.
    #[error("event {at} is dated before the event before it")]
    Time {
        /// Its place.
        at: u64,
    },
    /// The case did not allow the step.
    #[error("event {at} was not allowed: {why}")]
    Step {
        /// Its place.
        at: u64,
        /// Why.
        why: NotNow,
    },
    /// It cannot be hashed.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Why an event was not appended.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The case does not allow it now.
    #[error(transparent)]
    NotNow(#[from] NotNow),
    /// The clock went backwards.
    #[error("the event is dated `{at}`, before the last one at `{last}`\nhint: set the clock right")]
    Time {
        /// What was given.
        at: Timestamp,
        /// The last event's.
        last: Timestamp,
    },
    /// The case is full.
    #[error(
        "the case holds {EVENTS_MAX} events, the most that one may\nhint: open a further case that refers to it"
    )]
    Full,
    /// It cannot be hashed.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl<M: Matter> MatterChain<M> {
    /// Verifies events from first to last.
    ///
    /// # Errors
    /// [`BrokenChain`] naming the first event that does not hold.
    pub fn verify(events: Vec<Event<M::Body>>) -> Result<Self, BrokenChain> {
        if events.len() > EVENTS_MAX {
            return Err(BrokenChain::TooLong { found: events.len() });
        }
        let mut links = headers::Links::new();
        let mut known: Option<(M, Digest)> = None;
        for event in &events {
            let at = links.length();
            let hash = links.follow(&event.header)?;
            headers::fits(&event.header, at, &event.salt, &event.body)?;
            let next = match known {
                None => M::open(event, hash),
                Some((matter, _)) => matter.step(event, hash),
            };
            known = Some((next.map_err(|why| BrokenChain::Step { at, why })?, hash));
        }
        let (matter, head) = known.ok_or(BrokenChain::Empty)?;
        Ok(Self { events, head, matter })
    }

    /// Begins a matter with its first event: a case's is `Received`, a transfer's `Opened`.
    ///
    /// # Errors
    /// [`Refused`] where it is any other.
    pub fn begin(
        id: CaseId,
        at: Timestamp,
        actor: Actor,
        salt: Digest,
        body: M::Body,
    ) -> Result<Self, Refused> {
        let header = Header::over(id, 0, at, actor, GENESIS, &salt, &body)?;
        let head = header.hash()?;
        let event = Event { header, salt, body };
        let matter = M::open(&event, head)?;
        Ok(Self {
            events: vec![event],
            head,
            matter,
        })
    }

    /// Appends one event, if the matter allows it, and returns it. `salt` is 32 fresh random bytes.
    ///
    /// # Errors
    /// [`Refused`]; the chain is then unchanged.
    pub fn append(
        &mut self,
        at: Timestamp,
        actor: Actor,
        salt: Digest,
        body: M::Body,
    ) -> Result<Event<M::Body>, Refused> {
        if self.events.len() >= EVENTS_MAX {
            return Err(Refused::Full);
        }
        let last = self.last_at();
        if at < last {
            return Err(Refused::Time { at, last });
        }
        self.matter.may(at, &actor, &body)?;
        let header = Header::over(self.case_id(), self.length(), at, actor, self.head, &salt, &body)?;
        let head = header.hash()?;
        let event = Event { header, salt, body };
        self.matter = self.matter.clone().step(&event, head)?;
        self.head = head;
        self.events.push(event.clone());
        Ok(event)
    }

    /// The state it leads to.
    pub fn matter(&self) -> &M {
        &self.matter
    }
    /// The id of the case, or of the other matter.
    pub fn case_id(&self) -> CaseId {
        self.events
            .first()
            .map_or(CaseId(uuid::Uuid::nil()), |event| event.header.case)
    }
    /// Hash of the last header.
    pub fn head(&self) -> Digest {
        self.head
    }
    /// Whether this chain is the one that had `length` events and ended in `head`, or goes on from it.
    pub fn continues(&self, length: u64, head: &Digest) -> bool {
        let next = usize::try_from(length).ok().and_then(|at| self.events.get(at));
        match next {
            Some(event) => event.header.prev == *head,
            None => self.length() == length && self.head() == *head,
        }
    }
    /// Number of events.
    pub fn length(&self) -> u64 {
        self.events.len() as u64
    }
    /// All events, first to last.
    pub fn events(&self) -> &[Event<M::Body>] {
        &self.events
    }
    /// When the last event was recorded.
    pub fn last_at(&self) -> Timestamp {
        self.events
            .last()
            .map_or(Timestamp::UNIX_EPOCH, |event| event.header.at)
    }
    /// The headers alone.
    pub fn headers(&self) -> impl Iterator<Item = &Header> {
        self.events.iter().map(|event| &event.header)
    }
}

impl Chain {
    /// The case's state.
    pub fn case(&self) -> &Case {
        &self.matter
    }
}
