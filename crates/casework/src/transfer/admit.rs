//! The gate's decision on a transfer: given what is shown and what the gate remembers, may these keys be re-wrapped?
//!
//! Pure, like [`crate::gate::decide`], and as distrustful: chain, verdict, signatures, log and times are recomputed. A
//! record moves keys in many batches, and so is not used up by the first.

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};
use translog::included::Included;

use super::{
    Based, BasedRecord, Stage, Transfer, TransferBody, TransferChain, TransferRecord,
    transfer_approval_message,
};
use crate::{
    event::Actor,
    finding::Promise,
    gate::{Memory, Refusal, Remember, Shown, TrustPolicy, log},
    ids::StaffId,
    ledger,
    promise::{CLOCK_SKEW_MAX, Reviewers},
    rulebook::Rulebook,
};

/// Everything shown to the gate for one batch of a transfer, except the keys.
pub type ShownTransfer = Shown<TransferBody, TransferRecord>;

/// A transfer that may go ahead. Only [`admit`] makes one; it cannot be copied or stored.
#[derive(Debug)]
pub struct AdmittedTransfer {
    included: Included<BasedRecord>,
    remember: Remember,
}

impl AdmittedTransfer {
    /// The record, in the docket and with its basis: what re-wraps keys.
    pub fn included(&self) -> &Included<BasedRecord> {
        &self.included
    }
    /// The record.
    pub fn record(&self) -> &TransferRecord {
        self.included.value().record()
    }
    /// The evidence that it has a basis today.
    pub fn based(&self) -> &Based {
        self.included.value().based()
    }
    /// What must be durable before a key is re-wrapped.
    pub fn remember(&self) -> &Remember {
        &self.remember
    }
}

/// Decides.
///
/// # Errors
/// [`Refusal`], naming the promise or invariant that moving would break. Nothing is then to be re-wrapped.
pub fn admit(
    shown: ShownTransfer,
    policy: &TrustPolicy,
    rulebooks: &[&Rulebook],
    memory: &Memory,
    now: Timestamp,
) -> Result<AdmittedTransfer, Refusal> {
    let Shown {
        events,
        record,
        salt,
        receipt,
        consistency,
    } = shown;
    usable_now(&record, now)?;
    let rulebook = log::trusted_rulebook(record.rulebook.digest, policy, rulebooks)?;
    let chain: TransferChain = log::whole_chain(events, memory)?;
    if chain.last_at() > now.saturating_add(CLOCK_SKEW_MAX).unwrap_or(now) {
        return Err(Refusal::invariant(
            4,
            "an event of the transfer is dated in the future",
            "set the clocks right",
        ));
    }
    let transfer = chain.matter();
    let index = ready(transfer, &record)?;
    approved(transfer, &record, policy.reviewers())?;
    let today = now.to_zoned(TimeZone::UTC).date();
    let based = Based::of(transfer, rulebook, policy.reviewers(), today).map_err(|verdict| {
        let against = verdict
            .reasons
            .iter()
            .max_by_key(|reason| reason.outcome)
            .map_or_else(String::new, |reason| {
                format!("`{}`: {}", reason.rule, reason.explanation)
            });
        Refusal::promise(
            Promise::P19,
            format!("the transfer has no basis on {today}: {against}"),
            "state a basis that holds, and have its record approved",
        )
    })?;
    let (id, digest, case) = (record.id, record.digest()?, record.transfer);
    let entered = ledger::of_transfer(&record, digest, now);
    let other = || Refusal::promise(Promise::P19, "the record is of another transfer", "show its own");
    let based = BasedRecord::new(record, based).ok_or_else(other)?;
    let shown = log::Logged {
        salt: &salt,
        receipt: &receipt,
        consistency: &consistency,
        index,
        promise: Promise::P19,
    };
    let (included, checkpoint) = shown.check(based, policy, memory, now)?;
    let remember = Remember {
        record: id,
        digest,
        case,
        seen: (chain.length(), chain.head()),
        checkpoint,
        at: now,
        ledger: entered,
    };
    Ok(AdmittedTransfer { included, remember })
}

fn usable_now(record: &TransferRecord, now: Timestamp) -> Result<(), Refusal> {
    const HINT: &str = "draw up a new record, and have it approved";
    if now >= record.expires_at {
        let reason = format!("the record expired at {}", record.expires_at);
        return Err(Refusal::promise(Promise::P19, reason, HINT));
    }
    if record.drawn_at > now.saturating_add(CLOCK_SKEW_MAX).unwrap_or(now) {
        let reason = "the record was drawn up in the future";
        return Err(Refusal::promise(Promise::P19, reason, HINT));
    }
    Ok(())
}

/// The transfer is moving, and on this very record; returns where the chain says that the docket has it.
fn ready(transfer: &Transfer, record: &TransferRecord) -> Result<u64, Refusal> {
    let drawn = transfer.drawn() == Some(record);
    match transfer.logged_at() {
        Some(index) if drawn && transfer.stage() == Stage::Running => Ok(index),
        _ => Err(Refusal::promise(
            Promise::P19,
            "the transfer is not moving on this record",
            "start the transfer on its approved record",
        )),
    }
}

/// Two different people signed exactly this record, and neither opened the transfer. Two names with one key are one
/// person.
fn approved(transfer: &Transfer, record: &TransferRecord, reviewers: &Reviewers) -> Result<(), Refusal> {
    let message = transfer_approval_message(&record.digest()?);
    let opener: Option<&StaffId> = match transfer.opened_by() {
        Actor::Staff(id) | Actor::Counsel(id) => Some(id),
        _ => None,
    };
    let opener_key = opener.and_then(|id| reviewers.keys.get(id));
    let keys: BTreeSet<&[u8; 32]> = transfer
        .approvals()
        .iter()
        .filter(|approval| {
            opener != Some(&approval.reviewer)
                && reviewers.reviewer_signed(&approval.reviewer, &message, &approval.signature)
        })
        .filter_map(|approval| reviewers.keys.get(&approval.reviewer))
        .filter(|key| Some(*key) != opener_key)
        .collect();
    if keys.len() < 2 {
        return Err(Refusal::promise(
            Promise::P19,
            format!(
                "{} reviewer(s) count as having signed the record, and two are needed",
                keys.len()
            ),
            "have two reviewers sign this very record, neither of whom opened the transfer",
        ));
    }
    Ok(())
}
