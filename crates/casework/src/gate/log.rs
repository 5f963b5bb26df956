//! What every door of the gate asks of chain and docket: a trusted rulebook, a chain that was not cut, a log that was not
//! forked, and witnesses who saw it lately.

use jiff::Timestamp;
use translog::{
    Checkpoint, Hash, check_consistency,
    entry::{Committed, Salt},
    included::{Included, NotIncluded},
    policy::NotWitnessed,
    proof::Receipt,
};

use super::{Memory, Refusal, TrustPolicy, WITNESSED_AGE_MAX};
use crate::{
    chain::{BrokenChain, Matter, MatterChain},
    event::Event,
    finding::Promise,
    ids::Digest,
    promise::CLOCK_SKEW_MAX,
    rulebook::Rulebook,
};

/// The rulebook of that digest, if the policy trusts it and it is at hand.
pub(crate) fn trusted_rulebook<'a>(
    digest: Digest,
    policy: &TrustPolicy,
    rulebooks: &[&'a Rulebook],
) -> Result<&'a Rulebook, Refusal> {
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

/// The chain shown, which holds together and goes on from the one shown before.
pub(crate) fn whole_chain<M: Matter>(
    events: Vec<Event<M::Body>>,
    memory: &Memory,
) -> Result<MatterChain<M>, Refusal> {
    let chain = MatterChain::verify(events).map_err(broken_chain)?;
    not_rolled_back(&chain, memory)?;
    Ok(chain)
}

/// What is shown to prove that a record is in the docket, and where its chain says that it is.
pub(crate) struct Logged<'a> {
    pub salt: &'a Salt,
    pub receipt: &'a Receipt,
    pub consistency: &'a [Hash],
    /// As the chain says.
    pub index: u64,
    /// What a chain that says otherwise breaks.
    pub promise: Promise,
}

/// The checkpoint to remember, and the one that it replaces.
pub(crate) type NewCheckpoint = Option<(Checkpoint, Option<Checkpoint>)>;

impl Logged<'_> {
    /// The record is in the docket, at the place that its chain names; the witnesses saw it lately; and it is the log that
    /// the gate remembers.
    pub(crate) fn check<T: Committed>(
        &self,
        record: T,
        policy: &TrustPolicy,
        memory: &Memory,
        now: Timestamp,
    ) -> Result<(Included<T>, NewCheckpoint), Refusal> {
        let included =
            Included::verify(record, self.salt, self.receipt, policy.docket()).map_err(not_included)?;
        fresh(&included, now)?;
        if included.index() != self.index {
            return Err(Refusal::promise(
                self.promise,
                "the chain names another place in the docket than the receipt",
                "log the record, and record the index it was given",
            ));
        }
        let checkpoint = same_log(included.checkpoint(), memory, self.consistency)?;
        Ok((included, checkpoint))
    }
}

/// The chain shown goes on from the one shown before: nothing recorded then was taken back.
pub(crate) fn not_rolled_back<M: Matter>(chain: &MatterChain<M>, memory: &Memory) -> Result<(), Refusal> {
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

/// The witnesses saw the checkpoint lately.
fn fresh<T: Committed>(included: &Included<T>, now: Timestamp) -> Result<(), Refusal> {
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
fn same_log(shown: &Checkpoint, memory: &Memory, proof: &[Hash]) -> Result<NewCheckpoint, Refusal> {
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

pub(crate) fn broken_chain(broken: BrokenChain) -> Refusal {
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
