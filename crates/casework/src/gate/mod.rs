//! The gate's decision: given what is shown and what the gate remembers, may these keys open?
//!
//! Pure, and the same for a transfer's batch ([`crate::transfer::admit`]). The shell reads its memory before, and makes the decision durable after, before any key opens: see
//! `service::gate`. Nothing shown is believed; chain, promises, log and times are all recomputed.

pub(crate) mod log;
mod moved;
mod policy;
mod refusal;
mod release;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use translog::{Checkpoint, Hash, entry::Salt, included::Included, proof::Receipt};

pub use moved::Moved;
pub use policy::{GATES_MAX, KEYS_MAX, POLICY_BYTES_MAX, PolicyError, RULEBOOKS_MAX, TrustPolicy};
pub use refusal::{Breach, Refusal};
pub use release::Release;

use crate::{
    chain::Chain,
    event::{Body, Event},
    finding::Promise,
    ids::{CaseId, Digest, RecordId},
    ledger::{self, Entered},
    promise::{self, CLOCK_SKEW_MAX, PromisesKept},
    record::ReleaseRecord,
    rulebook::Rulebook,
};

/// How long ago, at most, a quorum of witnesses may have cosigned the checkpoint that a receipt rests on.
pub const WITNESSED_AGE_MAX: SignedDuration = SignedDuration::from_hours(72);

/// Longest time from a record's drawing up to its expiry.
pub const RECORD_LIFETIME_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Everything shown to the gate for one release, or for one batch of a transfer, except the keys.
#[derive(Debug, Clone)]
pub struct Shown<B = Body, R = ReleaseRecord> {
    /// The whole case or transfer, first to last.
    pub events: Vec<Event<B>>,
    /// The record.
    pub record: R,
    /// What hid the record in the docket.
    pub salt: Salt,
    /// That the record is in the docket.
    pub receipt: Receipt,
    /// That the receipt's checkpoint and the one the gate remembers are of one log: from the smaller to the larger.
    /// Empty where the gate remembers none, or the two are equal.
    pub consistency: Vec<Hash>,
}

/// What the gate remembers that bears on one decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// The largest checkpoint it accepted of each log, by origin.
    pub checkpoints: BTreeMap<String, Checkpoint>,
    /// Whether this record was used.
    pub used: bool,
    /// The case's chain when it was last released from: its length and its last header's hash.
    pub seen: Option<(u64, Digest)>,
    /// When this memory was put back from a backup last: it cannot know which of the records drawn up before were used.
    pub restored_at: Option<Timestamp>,
    /// Where it took keys of the record's accounts to, for transfers.
    pub moved: Vec<Moved>,
}

/// A release that may go ahead. Only [`decide`] makes one; it cannot be copied or stored.
///
/// ```compile_fail
/// fn forge(old: &casework::gate::Admitted) -> casework::gate::Admitted { old.clone() }
/// ```
#[derive(Debug)]
pub struct Admitted {
    included: Included<Release>,
    kept: PromisesKept,
    remember: Remember,
}

/// What must be durable before a key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remember {
    /// The record that is now used up.
    pub record: RecordId,
    /// Its digest.
    pub digest: Digest,
    /// Its case.
    pub case: CaseId,
    /// The case's chain as it was shown.
    pub seen: (u64, Digest),
    /// The checkpoint to remember, and the one it replaces; `None` where the one remembered is the larger.
    pub checkpoint: Option<(Checkpoint, Option<Checkpoint>)>,
    /// When.
    pub at: Timestamp,
    /// What the ledgers of the tenants concerned will say, in the same transaction.
    pub ledger: Vec<Entered>,
}

impl Admitted {
    /// The record, in the docket: what opens its keys.
    pub fn included(&self) -> &Included<Release> {
        &self.included
    }
    /// The record.
    pub fn record(&self) -> &ReleaseRecord {
        self.included.value().record()
    }
    /// What was found about each promise.
    pub fn kept(&self) -> &PromisesKept {
        &self.kept
    }
    /// What must be durable before a key opens.
    pub fn remember(&self) -> &Remember {
        &self.remember
    }
}

/// Decides.
///
/// # Errors
/// [`Refusal`], naming the promise or invariant that opening would break. Nothing is then to be opened.
pub fn decide(
    shown: Shown,
    policy: &TrustPolicy,
    rulebooks: &[&Rulebook],
    memory: &Memory,
    now: Timestamp,
) -> Result<Admitted, Refusal> {
    let Shown {
        events,
        record,
        salt,
        receipt,
        consistency,
    } = shown;
    usable_now(&record, memory, now)?;
    let rulebook = log::trusted_rulebook(record.rulebook.digest, policy, rulebooks)?;
    let chain: Chain = log::whole_chain(events, memory)?;
    let kept = promise::check(&chain, &record, rulebook, policy.reviewers(), now)?;
    moved::none_left_out(&chain, &record, &memory.moved)?;
    let (case, id, digest) = (record.case, record.id, record.digest()?);
    let entered = ledger::of_release(&record, digest, chain.case().file(), now);
    let shown = log::Logged {
        salt: &salt,
        receipt: &receipt,
        consistency: &consistency,
        index: kept.docket_index(),
        promise: Promise::P14,
    };
    let (included, checkpoint) = shown.check(Release::new(record), policy, memory, now)?;
    let remember = Remember {
        record: id,
        digest,
        case,
        seen: (chain.length(), chain.head()),
        checkpoint,
        at: now,
        ledger: entered,
    };
    Ok(Admitted {
        included,
        kept,
        remember,
    })
}

/// Not used before, not expired, not drawn up in the future, and not for longer than a record may live.
fn usable_now(record: &ReleaseRecord, memory: &Memory, now: Timestamp) -> Result<(), Refusal> {
    const HINT: &str = "draw up a new record";
    let refuse = |reason: String| Err(Refusal::invariant(2, reason, HINT));
    if memory.used {
        return refuse("the record was used before; each opens its keys once".to_owned());
    }
    // As late as a record may be dated that was drawn up before.
    let bar = |at: Timestamp| at.saturating_add(CLOCK_SKEW_MAX).unwrap_or(at);
    if memory.restored_at.is_some_and(|at| record.drawn_at <= bar(at)) {
        return refuse(
            "the record was drawn up before the gate's memory was restored from a backup".to_owned(),
        );
    }
    if now >= record.expires_at {
        return refuse(format!("the record expired at {}", record.expires_at));
    }
    if record.drawn_at > now.saturating_add(CLOCK_SKEW_MAX).unwrap_or(now) {
        return refuse("the record was drawn up in the future".to_owned());
    }
    if record.drawn_at.duration_until(record.expires_at) > RECORD_LIFETIME_MAX {
        return refuse("the record lives longer than the 30 days that one may".to_owned());
    }
    Ok(())
}
