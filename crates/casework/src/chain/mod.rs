//! The chain: a case's events, verified link by link and step by step, and appended to only as the case allows.

mod headers;

use jiff::Timestamp;

pub use headers::HeaderChain;

use crate::{
    canonical::CanonicalError,
    case::{Case, NotNow},
    event::{Actor, Body, Event, Header},
    ids::{CaseId, Digest},
};

/// Most events that one case may hold.
pub const EVENTS_MAX: usize = 10_000;

/// The `prev` of a first event.
pub const GENESIS: Digest = Digest([0; 32]);

/// A verified chain: every link, commitment, time and step holds. Only [`Chain::verify`] and [`Chain::begin`] make one.
#[derive(Debug, Clone)]
pub struct Chain {
    events: Vec<Event>,
    case: Case,
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

impl Chain {
    /// Verifies events from first to last.
    ///
    /// # Errors
    /// [`BrokenChain`] naming the first event that does not hold.
    pub fn verify(events: Vec<Event>) -> Result<Self, BrokenChain> {
        if events.len() > EVENTS_MAX {
            return Err(BrokenChain::TooLong { found: events.len() });
        }
        let mut links = headers::Links::new();
        let mut case: Option<Case> = None;
        for event in &events {
            let at = links.length();
            let hash = links.follow(&event.header)?;
            headers::fits(&event.header, at, &event.salt, &event.body)?;
            let next = match case {
                None => Case::open(event, hash),
                Some(case) => case.step(event, hash),
            };
            case = Some(next.map_err(|why| BrokenChain::Step { at, why })?);
        }
        let case = case.ok_or(BrokenChain::Empty)?;
        Ok(Self { events, case })
    }

    /// Begins a case with its first event, which must be `Received`.
    ///
    /// # Errors
    /// [`Refused`] where it is any other.
    pub fn begin(
        case: CaseId,
        at: Timestamp,
        actor: Actor,
        salt: Digest,
        body: Body,
    ) -> Result<Self, Refused> {
        let header = Header::over(case, 0, at, actor, GENESIS, &salt, &body)?;
        let hash = header.hash()?;
        let event = Event { header, salt, body };
        let case = Case::open(&event, hash)?;
        Ok(Self {
            events: vec![event],
            case,
        })
    }

    /// Appends one event, if the case allows it, and returns it. `salt` is 32 fresh random bytes.
    ///
    /// # Errors
    /// [`Refused`]; the chain is then unchanged.
    pub fn append(
        &mut self,
        at: Timestamp,
        actor: Actor,
        salt: Digest,
        body: Body,
    ) -> Result<Event, Refused> {
        let (event, case) = self.next(at, actor, salt, body)?;
        self.case = case;
        self.events.push(event.clone());
        Ok(event)
    }

    fn next(&self, at: Timestamp, actor: Actor, salt: Digest, body: Body) -> Result<(Event, Case), Refused> {
        if self.events.len() >= EVENTS_MAX {
            return Err(Refused::Full);
        }
        let last = self.last_at();
        if at < last {
            return Err(Refused::Time { at, last });
        }
        self.case.may(at, &actor, &body)?;
        let (case, seq, prev) = (self.case_id(), self.length(), self.head());
        let header = Header::over(case, seq, at, actor, prev, &salt, &body)?;
        let hash = header.hash()?;
        let event = Event { header, salt, body };
        let case = self.case.clone().step(&event, hash)?;
        Ok((event, case))
    }

    /// The state it leads to.
    pub fn case(&self) -> &Case {
        &self.case
    }
    /// The case's id.
    pub fn case_id(&self) -> CaseId {
        self.case.id()
    }
    /// Hash of the last header.
    pub fn head(&self) -> Digest {
        self.case.file().head()
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
        self.case.file().length()
    }
    /// All events, first to last.
    pub fn events(&self) -> &[Event] {
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
