//! A chain of headers without bodies: what a package shows of events whose content is not the reader's to see.

use jiff::Timestamp;

use super::{BrokenChain, EVENTS_MAX, GENESIS};
use crate::{
    event::{Body, Content, Header, body_commitment},
    ids::{CaseId, Digest},
};

/// Headers whose links, order, case and times hold. Bodies are opened one by one against them.
#[derive(Debug, Clone)]
pub struct HeaderChain {
    headers: Vec<Header>,
    hashes: Vec<Digest>,
}

impl HeaderChain {
    /// Verifies headers from first to last.
    ///
    /// # Errors
    /// [`BrokenChain`] naming the first that does not hold.
    pub fn verify(headers: Vec<Header>) -> Result<Self, BrokenChain> {
        if headers.is_empty() {
            return Err(BrokenChain::Empty);
        }
        if headers.len() > EVENTS_MAX {
            return Err(BrokenChain::TooLong { found: headers.len() });
        }
        let mut links = Links::new();
        let hashes = headers
            .iter()
            .map(|header| links.follow(header))
            .collect::<Result<_, _>>()?;
        Ok(Self { headers, hashes })
    }

    /// Checks that `body` is what the event of that number committed to, and returns its header.
    ///
    /// # Errors
    /// [`BrokenChain::Commitment`] where it is not, or there is no such event; [`BrokenChain::Disclosure`] where its kind is
    /// not what the header says.
    pub fn opens(&self, seq: u64, salt: &Digest, body: &Body) -> Result<&Header, BrokenChain> {
        let header = usize::try_from(seq).ok().and_then(|at| self.headers.get(at));
        let header = header.ok_or(BrokenChain::Commitment { at: seq })?;
        fits(header, seq, salt, body)?;
        Ok(header)
    }

    /// The headers, first to last.
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }
    /// The hash of the header of that number.
    pub fn hash(&self, seq: u64) -> Option<Digest> {
        usize::try_from(seq)
            .ok()
            .and_then(|at| self.hashes.get(at))
            .copied()
    }
    /// Hash of the last header.
    pub fn head(&self) -> Digest {
        self.hashes.last().copied().unwrap_or(GENESIS)
    }
    /// Number of headers.
    pub fn length(&self) -> u64 {
        self.headers.len() as u64
    }
}

/// How far a matter has come by these headers, first to last, where it had come as far as `seen` (its length and last hash)
/// before: each links to the one before it, from that hash on. Headers from before are passed over. `None` where nothing is
/// new.
///
/// # Errors
/// [`BrokenChain`] naming the first that does not hold; it is one too, where a header between is missing, or the matter
/// would have more than [`EVENTS_MAX`] events.
pub fn follow(
    id: CaseId,
    seen: Option<(u64, Digest)>,
    headers: &[Header],
) -> Result<Option<(u64, Digest)>, BrokenChain> {
    if headers.len() > EVENTS_MAX {
        return Err(BrokenChain::TooLong { found: headers.len() });
    }
    let (length, head) = seen.unwrap_or((0, GENESIS));
    let mut links = Links {
        head,
        length,
        case: Some(id),
        last: Timestamp::MIN,
    };
    for header in headers.iter().skip_while(|header| header.seq < length) {
        links.follow(header)?;
    }
    if usize::try_from(links.length).map_or(true, |found| found > EVENTS_MAX) {
        let found = usize::try_from(links.length).unwrap_or(usize::MAX);
        return Err(BrokenChain::TooLong { found });
    }
    Ok((links.length > length).then_some((links.length, links.head)))
}

/// Checks that a header commits to this body, and says rightly whether a package opens it.
pub(super) fn fits<B: Content>(header: &Header, at: u64, salt: &Digest, body: &B) -> Result<(), BrokenChain> {
    if header.body != body_commitment(salt, body)? {
        return Err(BrokenChain::Commitment { at });
    }
    if header.disclosed != body.is_disclosed() {
        return Err(BrokenChain::Disclosure { at });
    }
    Ok(())
}

/// The links, followed header by header.
pub(super) struct Links {
    head: Digest,
    length: u64,
    case: Option<CaseId>,
    last: Timestamp,
}

impl Links {
    pub(super) fn new() -> Self {
        Self {
            head: GENESIS,
            length: 0,
            case: None,
            last: Timestamp::MIN,
        }
    }
    pub(super) fn length(&self) -> u64 {
        self.length
    }
    /// Follows one more header and returns its hash.
    pub(super) fn follow(&mut self, header: &Header) -> Result<Digest, BrokenChain> {
        let at = self.length;
        if header.seq != at {
            return Err(BrokenChain::Sequence {
                at,
                found: header.seq,
            });
        }
        if *self.case.get_or_insert(header.case) != header.case {
            return Err(BrokenChain::OtherCase { at });
        }
        if header.prev != self.head {
            return Err(BrokenChain::Link { at });
        }
        if header.at < self.last {
            return Err(BrokenChain::Time { at });
        }
        self.head = header.hash()?;
        self.length = at.saturating_add(1);
        self.last = header.at;
        Ok(self.head)
    }
}
