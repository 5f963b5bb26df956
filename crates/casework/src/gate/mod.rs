//! The gate's decision: given what is shown and what the gate remembers, may these keys open?
//!
//! Pure. The shell reads its memory before, and makes the decision durable after, before any key opens: see
//! `service::gate`. Nothing shown is believed; chain, promises, log and times are all recomputed.

mod policy;
mod refusal;
mod release;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use translog::{
    Checkpoint, Hash, check_consistency,
    entry::Salt,
    included::{Included, NotIncluded},
    policy::NotWitnessed,
    proof::Receipt,
};

pub use policy::{KEYS_MAX, POLICY_BYTES_MAX, PolicyError, RULEBOOKS_MAX, TrustPolicy};
pub use refusal::{Breach, Refusal};
pub use release::Release;

use crate::{
    chain::{BrokenChain, Chain},
    event::Event,
    finding::Promise,
    ids::{CaseId, Digest, RecordId},
    promise::{self, CLOCK_SKEW_MAX, PromisesKept},
    record::ReleaseRecord,
    rulebook::Rulebook,
};

/// How long ago, at most, a quorum of witnesses may have cosigned the checkpoint that a receipt rests on.
pub const WITNESSED_AGE_MAX: SignedDuration = SignedDuration::from_hours(72);

/// Longest time from a record's drawing up to its expiry.
pub const RECORD_LIFETIME_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Everything shown to the gate for one release, except the keys.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The whole case, first to last.
    pub events: Vec<Event>,
    /// The record.
    pub record: ReleaseRecord,
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
    let rulebook = trusted_rulebook(&record, policy, rulebooks)?;
    let chain = Chain::verify(events).map_err(broken_chain)?;
    not_rolled_back(&chain, memory)?;
    let kept = promise::check(&chain, &record, rulebook, policy.reviewers(), now)?;
    let (case, id, digest) = (record.case, record.id, record.digest()?);
    let included =
        Included::verify(Release::new(record), &salt, &receipt, policy.docket()).map_err(not_included)?;
    fresh(&included, now)?;
    if included.index() != kept.docket_index() {
        return Err(Refusal::promise(
            Promise::P14,
            "the chain names another place in the docket than the receipt",
            "log the record, and record the index it was given",
        ));
    }
    let checkpoint = same_log(included.checkpoint(), memory, &consistency)?;
    let remember = Remember {
        record: id,
        digest,
        case,
        seen: (chain.length(), chain.head()),
        checkpoint,
        at: now,
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

fn trusted_rulebook<'a>(
    record: &ReleaseRecord,
    policy: &TrustPolicy,
    rulebooks: &[&'a Rulebook],
) -> Result<&'a Rulebook, Refusal> {
    let digest = record.rulebook.digest;
    let refuse = |reason, hint| {
        Err(Refusal::promise(
            Promise::P5,
            format!("rulebook `{digest}` {reason}"),
            hint,
        ))
    };
    if !policy.rulebooks().contains(&digest) {
        return refuse(
            "is not one that the policy trusts",
            "assess under a trusted rulebook, or add its digest",
        );
    }
    match rulebooks.iter().find(|rulebook| rulebook.digest() == digest) {
        Some(rulebook) => Ok(rulebook),
        None => refuse("is not at hand", "give the gate its files"),
    }
}

/// The chain shown goes on from the one shown at the case's last release: nothing recorded then was taken back.
fn not_rolled_back(chain: &Chain, memory: &Memory) -> Result<(), Refusal> {
    let Some((length, head)) = memory.seen else {
        return Ok(());
    };
    if chain.continues(length, &head) {
        return Ok(());
    }
    Err(Refusal::promise(
        Promise::P14,
        "the chain is not a continuation of the one that this case showed before",
        "show every event of the case",
    ))
}

fn fresh(included: &Included<Release>, now: Timestamp) -> Result<(), Refusal> {
    const HINT: &str = "fetch a new receipt from the docket";
    let seconds = i64::try_from(included.witnessed_at()).unwrap_or(i64::MAX);
    let witnessed = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    if witnessed > now.saturating_add(CLOCK_SKEW_MAX).unwrap_or(now) {
        return Err(Refusal::invariant(
            4,
            "the witnesses saw the checkpoint in the future",
            "set the clocks right",
        ));
    }
    if witnessed.duration_until(now) > WITNESSED_AGE_MAX {
        let reason = format!("the witnesses last saw the checkpoint at {witnessed}, too long ago");
        return Err(Refusal::invariant(4, reason, HINT));
    }
    Ok(())
}

/// Checks that the receipt's checkpoint and the remembered one are of one history, in either order: a receipt from
/// before the last release is good as long as the log that the gate knows still begins with it.
#[allow(
    clippy::type_complexity,
    reason = "the pair is what is remembered, and what it replaces"
)]
fn same_log(
    shown: &Checkpoint,
    memory: &Memory,
    proof: &[Hash],
) -> Result<Option<(Checkpoint, Option<Checkpoint>)>, Refusal> {
    let Some(known) = memory.checkpoints.get(&shown.origin) else {
        return Ok(Some((shown.clone(), None)));
    };
    let grown = shown.size > known.size;
    let (old, new) = if grown { (known, shown) } else { (shown, known) };
    if let Err(error) = check_consistency(old, new, proof) {
        let reason = format!(
            "the docket shown, of {} entries, is not the one remembered, of {}: {error}",
            shown.size, known.size
        );
        return Err(Refusal::invariant(
            3,
            reason,
            "prove the two consistent; if that cannot be done, the log was forked or rolled back: stop and investigate",
        ));
    }
    Ok(grown.then(|| (shown.clone(), Some(known.clone()))))
}

fn broken_chain(broken: BrokenChain) -> Refusal {
    const HINT: &str = "show every event of the case, as it was recorded";
    match broken {
        BrokenChain::Step { at, why } => {
            Refusal::promise(why.promise, format!("event {at}: {}", why.reason), why.hint)
        }
        other => Refusal::promise(Promise::P14, other.to_string(), HINT),
    }
}

fn not_included(error: NotIncluded) -> Refusal {
    match error {
        NotIncluded::NotWitnessed(NotWitnessed::NoQuorum) => Refusal::invariant(
            4,
            "no quorum of witnesses cosigned the checkpoint",
            "wait for the witnesses",
        ),
        other => Refusal::invariant(
            2,
            other.to_string(),
            "log the record, and present its own receipt",
        ),
    }
}
