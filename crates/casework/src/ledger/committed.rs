//! Comparing a ledger with what the docket committed to: a second ledger for the same tenant, or one whose tail was
//! written anew, is found, also by who keeps no earlier copy.

use jiff::{SignedDuration, Timestamp};
use translog::{
    included::{Included, NotIncluded},
    policy::Policy,
    proof::Receipt,
};

use super::{
    Entry, GENESIS,
    heads::{EVERY, HeadSet, ShownHead, ShownSet},
};
use crate::{canonical::CanonicalError, ids::Digest};

/// How far the clocks of gate and docket may be apart, where a ledger begins.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(1);

/// What the docket was found to hold of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedTo {
    /// Sets that hold its head, each as the ledger has it.
    pub sets: u64,
    /// The docket's entry that holds the first of them.
    pub since: u64,
    /// When that was made: what was entered before was first committed to then.
    pub since_at: Timestamp,
    /// Entries that were there already then.
    pub at_first: u64,
    /// The docket's entry that holds the last.
    pub last: u64,
    /// When that was made.
    pub last_at: Timestamp,
    /// Entries that it covers; those after it are not committed to yet.
    pub length: u64,
    /// Places between the first and the end of the docket of which no set was shown.
    pub gaps: u64,
    /// The first of them.
    pub first_gap: Option<u64>,
    /// When witnesses cosigned the docket's checkpoint that was shown last, in seconds since 1970.
    pub witnessed_at: u64,
}

/// Why a ledger is not the one that the docket committed to. Each names the docket's entry.
#[derive(Debug, thiserror::Error)]
pub enum NotCommitted {
    /// Nothing was shown.
    #[error("no head of this ledger was shown")]
    Nothing,
    /// A receipt cannot be read.
    #[error("the receipt of the docket's entry {index} cannot be read: {why}")]
    Unreadable {
        /// The entry.
        index: u64,
        /// Why.
        why: String,
    },
    /// A receipt does not hold.
    #[error("the docket's entry {index} is not shown to hold these heads: {source}")]
    Receipt {
        /// The entry.
        index: u64,
        /// Why.
        source: NotIncluded,
    },
    /// A set that stands where none belongs, or that names another place than its own.
    #[error(
        "the heads shown for the docket's entry {index} stand elsewhere; only every {EVERY}th entry holds heads"
    )]
    Elsewhere {
        /// The entry.
        index: u64,
    },
    /// The sets are not in order, or do not agree on where they began.
    #[error("the heads at the docket's entry {index} do not follow on those before them")]
    Order {
        /// The entry.
        index: u64,
    },
    /// The head shown is not in the set.
    #[error("the head shown for the docket's entry {index} is not in what it commits to")]
    Path {
        /// The entry.
        index: u64,
    },
    /// A head of another tenant, or none where there must be one.
    #[error("the heads at the docket's entry {index} show no head of this ledger")]
    NoHead {
        /// The entry.
        index: u64,
    },
    /// The ledger is said to begin where it was not shown to be new.
    #[error("this ledger is said to begin at the docket's entry {index}, and holds older entries")]
    Beginning {
        /// The entry.
        index: u64,
    },
    /// The docket committed to more entries than the ledger has.
    #[error(
        "the docket's entry {index} commits to {length} entries, and this ledger has {found}: its end was cut off, or it was \
         fetched before the heads were"
    )]
    Shorter {
        /// The entry.
        index: u64,
        /// Entries committed to.
        length: u64,
        /// Entries there are.
        found: u64,
    },
    /// The docket committed to another ledger.
    #[error(
        "the docket's entry {index} commits to another ledger of {length} entries: this one was written anew, or is a second one"
    )]
    Another {
        /// The entry.
        index: u64,
        /// Entries committed to.
        length: u64,
    },
    /// A later set covers fewer entries, or is older than what it covers.
    #[error("the heads at the docket's entry {index} go back behind those before them")]
    Back {
        /// The entry.
        index: u64,
    },
    /// It cannot be hashed.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Compares a ledger, which [`super::check`] found to hold, with the sets shown for it, in order. Everything is checked: each
/// receipt against `policy`, each set's place, the tenant's head in it, and that head against the ledger. Whether gaps
/// can be borne is for the caller: a second ledger could have been committed to in them.
///
/// # Errors
/// [`NotCommitted`], naming the first of the docket's entries that does not fit.
pub fn committed_to(
    entries: &[Entry],
    sets: impl IntoIterator<Item = ShownSet>,
    policy: &Policy,
) -> Result<CommittedTo, NotCommitted> {
    let mut walk = Walk {
        entries,
        policy,
        before: None,
        found: None,
        log: 0,
    };
    for shown in sets {
        walk.follow(shown)?;
    }
    let mut found = walk.found.ok_or(NotCommitted::Nothing)?;
    found.note_gaps(found.last, walk.log);
    Ok(found)
}

struct Walk<'a> {
    entries: &'a [Entry],
    policy: &'a Policy,
    /// The set before.
    before: Option<HeadSet>,
    found: Option<CommittedTo>,
    /// Entries of the docket, by the checkpoint of the set before.
    log: u64,
}

impl Walk<'_> {
    fn follow(&mut self, shown: ShownSet) -> Result<(), NotCommitted> {
        let index = shown.set.index;
        let receipt = Receipt::parse(&shown.receipt).map_err(|error| NotCommitted::Unreadable {
            index,
            why: error.to_string(),
        })?;
        let included = Included::verify(shown.set, &shown.salt, &receipt, self.policy)
            .map_err(|source| NotCommitted::Receipt { index, source })?;
        let set = included.value();
        if included.index() != index
            || !index.is_multiple_of(EVERY)
            || included.checkpoint().origin != set.log
        {
            return Err(NotCommitted::Elsewhere { index });
        }
        let follows = self.before.as_ref().is_none_or(|before| {
            before.index < index && before.first == set.first && before.log == set.log && before.at <= set.at
        });
        if !follows || set.first > index {
            return Err(NotCommitted::Order { index });
        }
        match shown.shown {
            Some(head) => self.head(set, &head, included.witnessed_at())?,
            // The set before the ledger's first: it is shown for its time alone.
            None if self.before.is_none() => {}
            None => return Err(NotCommitted::NoHead { index }),
        }
        self.log = included.checkpoint().size;
        self.before = Some(included.into_value());
        Ok(())
    }

    fn head(&mut self, set: &HeadSet, shown: &ShownHead, witnessed_at: u64) -> Result<(), NotCommitted> {
        let (index, head) = (set.index, &shown.head);
        let first = self.entries.first();
        if first.is_some_and(|entry| entry.header.tenant != head.tenant) {
            return Err(NotCommitted::NoHead { index });
        }
        if shown.root()? != Some(set.root) {
            return Err(NotCommitted::Path { index });
        }
        let last = self.last_of(index, head.length)?;
        if last.0 != head.head {
            return Err(NotCommitted::Another {
                index,
                length: head.length,
            });
        }
        if last.1.is_some_and(|at| at > set.at) {
            return Err(NotCommitted::Back { index });
        }
        let Some(found) = &mut self.found else {
            let begins = match &self.before {
                Some(before) => {
                    let earliest = before.at.saturating_sub(CLOCKS_APART).unwrap_or(before.at);
                    before.index < head.since && first.is_none_or(|entry| entry.header.at >= earliest)
                }
                None => head.since == set.first,
            };
            if head.since != index || !begins {
                return Err(NotCommitted::Beginning { index });
            }
            let mut found = CommittedTo {
                sets: 1,
                since: index,
                since_at: set.at,
                at_first: head.length,
                last: index,
                last_at: set.at,
                length: head.length,
                gaps: 0,
                first_gap: None,
                witnessed_at,
            };
            if let Some(before) = &self.before {
                found.note_gaps(before.index, index);
            }
            self.found = Some(found);
            return Ok(());
        };
        if head.since != found.since || head.length < found.length {
            return Err(NotCommitted::Back { index });
        }
        found.note_gaps(found.last, index);
        found.sets = found.sets.saturating_add(1);
        (found.last, found.last_at, found.length) = (index, set.at, head.length);
        found.witnessed_at = witnessed_at;
        Ok(())
    }

    /// Hash and time of the last of so many entries.
    fn last_of(&self, index: u64, length: u64) -> Result<(Digest, Option<Timestamp>), NotCommitted> {
        let Some(last) = length.checked_sub(1) else {
            return Ok((GENESIS, None));
        };
        let entry = usize::try_from(last).ok().and_then(|last| self.entries.get(last));
        let Some(entry) = entry else {
            return Err(NotCommitted::Shorter {
                index,
                length,
                found: u64::try_from(self.entries.len()).unwrap_or(u64::MAX),
            });
        };
        Ok((entry.header.hash()?, Some(entry.header.at)))
    }
}

impl CommittedTo {
    /// Counts the places after `last` and before `end` that hold no set.
    fn note_gaps(&mut self, last: u64, end: u64) {
        let next = last.saturating_add(EVERY);
        if next < end {
            self.gaps = self.gaps.saturating_add((end - next).div_ceil(EVERY));
            self.first_gap.get_or_insert(next);
        }
    }
}
