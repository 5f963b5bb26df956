//! Checking a ledger: without a server, and without trust in who hands it over.

use jiff::{Timestamp, civil::Date};

use super::{Body, Entry, GENESIS, OBJECTS_MAX, PLACES, SlotContent, commitment, day_of, ends_at};
use crate::{
    canonical::CanonicalError,
    ids::{Digest, TenantId},
};

/// What a ledger that holds was found to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Whose it is.
    pub tenant: TenantId,
    /// Entries.
    pub length: u64,
    /// Hash of the last header.
    pub head: Digest,
    /// Entries that tell of openings.
    pub openings: u64,
    /// Days that have their slot.
    pub slots: u64,
    /// Places whose content was given.
    pub opened: u64,
    /// The last day that has its slot.
    pub last_day: Option<Date>,
}

/// Why entries are no ledger. Each names the first entry that does not hold.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// No entries at all.
    #[error("the ledger is empty")]
    Empty,
    /// An entry is missing, doubled or out of place.
    #[error("entry {at} carries number {found}")]
    Sequence {
        /// Its place.
        at: u64,
        /// What it says.
        found: u64,
    },
    /// It is of another ledger.
    #[error("entry {at} belongs to another tenant")]
    OtherTenant {
        /// Its place.
        at: u64,
    },
    /// It does not continue the one before.
    #[error("entry {at} does not link to the entry before it")]
    Link {
        /// Its place.
        at: u64,
    },
    /// Time ran backwards.
    #[error("entry {at} is dated before the entry before it")]
    Time {
        /// Its place.
        at: u64,
    },
    /// The body is not the one committed to.
    #[error("what entry {at} says is not what its header commits to")]
    Commitment {
        /// Its place.
        at: u64,
    },
    /// A day has no slot, or two, or one before it was over.
    #[error("entry {at}: the slot of {day} is missing, or not where it must be")]
    Slot {
        /// The entry.
        at: u64,
        /// The day whose slot was due.
        day: Date,
    },
    /// A slot has another number of places.
    #[error("the slot in entry {at} has {found} places; every slot has {PLACES}")]
    Places {
        /// The entry.
        at: u64,
        /// How many.
        found: usize,
    },
    /// What was given for a place is not what it commits to.
    #[error("what was given for place {place} of the slot in entry {at} is not what was sealed there")]
    Place {
        /// The entry.
        at: u64,
        /// The place.
        place: usize,
    },
    /// An entry lists more objects than it may, or one twice, or not in order.
    #[error("the objects of entry {at} are more than {OBJECTS_MAX}, or not each once and in order")]
    Objects {
        /// The entry.
        at: u64,
    },
    /// An earlier copy had another entry there, or more of them.
    #[error(
        "entry {at} is not as an earlier copy of this ledger has it: what was in it was changed or removed"
    )]
    Rewritten {
        /// The entry.
        at: u64,
    },
    /// It cannot be hashed.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Checks a whole ledger, first entry to last: links, times, commitments, one slot for each day, and each opened place
/// against its commitment.
///
/// # Errors
/// [`Broken`], naming the first entry that does not hold.
pub fn check<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Checked, Broken> {
    let mut known: Option<Checking> = None;
    for entry in entries {
        let walk = known.get_or_insert_with(|| Checking::begin(&entry.header.tenant));
        walk.follow(entry)?;
    }
    known.map(Checking::end).ok_or(Broken::Empty)
}

/// Checks that `now` begins with every entry of `earlier`, and that nothing opened then is closed now.
///
/// # Errors
/// [`Broken::Rewritten`], naming the first that is not as it was.
pub fn continues<'a>(
    now: impl IntoIterator<Item = &'a Entry>,
    earlier: impl IntoIterator<Item = &'a Entry>,
) -> Result<(), Broken> {
    let mut now = now.into_iter();
    for (at, before) in (0u64..).zip(earlier) {
        let same = now.next().is_some_and(|entry| {
            (&entry.header, &entry.salt, &entry.body) == (&before.header, &before.salt, &before.body)
                && before.opened.iter().all(|place| entry.opened.contains(place))
        });
        if !same {
            return Err(Broken::Rewritten { at });
        }
    }
    Ok(())
}

/// A check that goes on entry by entry, for a ledger that need not be in memory.
#[derive(Debug)]
pub struct Checking {
    checked: Checked,
    last: Timestamp,
    /// The day whose slot comes next.
    due: Option<Date>,
}

impl Checking {
    /// Begins with nothing of this tenant's ledger.
    pub fn begin(tenant: &TenantId) -> Self {
        Self {
            checked: Checked {
                tenant: tenant.clone(),
                length: 0,
                head: GENESIS,
                openings: 0,
                slots: 0,
                opened: 0,
                last_day: None,
            },
            last: Timestamp::MIN,
            due: None,
        }
    }

    /// What was found so far.
    pub fn so_far(&self) -> &Checked {
        &self.checked
    }

    /// What was found.
    pub fn end(self) -> Checked {
        self.checked
    }

    /// Checks the next entry.
    ///
    /// # Errors
    /// [`Broken`], naming it. Nothing more may be checked then.
    pub fn follow(&mut self, entry: &Entry) -> Result<(), Broken> {
        let (at, header) = (self.checked.length, &entry.header);
        if header.seq != at {
            return Err(Broken::Sequence {
                at,
                found: header.seq,
            });
        }
        if header.tenant != self.checked.tenant {
            return Err(Broken::OtherTenant { at });
        }
        if header.prev != self.checked.head {
            return Err(Broken::Link { at });
        }
        if header.at < self.last {
            return Err(Broken::Time { at });
        }
        if commitment(&entry.salt, &entry.body)? != header.body {
            return Err(Broken::Commitment { at });
        }
        match &entry.body {
            Body::Opening { opening } => {
                let ordered = opening
                    .objects
                    .iter()
                    .zip(opening.objects.iter().skip(1))
                    .all(|(a, b)| a < b);
                if opening.objects.len() > OBJECTS_MAX || !ordered {
                    return Err(Broken::Objects { at });
                }
                let today = day_of(header.at);
                let due = *self.due.get_or_insert(today);
                // The slot of a day that is over comes before everything later.
                if today > due || !entry.opened.is_empty() {
                    return Err(Broken::Slot { at, day: due });
                }
                self.checked.openings += 1;
            }
            Body::Slot { day, places } => self.slot(entry, *day, places)?,
        }
        self.checked.head = header.hash()?;
        self.checked.length = at.saturating_add(1);
        self.last = header.at;
        Ok(())
    }

    fn slot(&mut self, entry: &Entry, day: Date, places: &[Digest]) -> Result<(), Broken> {
        let at = self.checked.length;
        let due = *self.due.get_or_insert(day);
        let over = ends_at(day).is_some_and(|end| end <= entry.header.at);
        let (true, true, Ok(next)) = (due == day, over, day.tomorrow()) else {
            return Err(Broken::Slot { at, day: due });
        };
        if places.len() != PLACES {
            return Err(Broken::Places {
                at,
                found: places.len(),
            });
        }
        let mut before = None;
        for opened in &entry.opened {
            let SlotContent { tenant, day: of, .. } = &opened.content;
            let fits = *tenant == self.checked.tenant
                && *of == day
                && before.is_none_or(|before| before < opened.place)
                && places.get(opened.place) == Some(&opened.content.commitment(&opened.salt)?);
            if !fits {
                return Err(Broken::Place {
                    at,
                    place: opened.place,
                });
            }
            before = Some(opened.place);
            self.checked.opened += 1;
        }
        self.checked.slots += 1;
        self.checked.last_day = Some(day);
        self.due = Some(next);
        Ok(())
    }
}
