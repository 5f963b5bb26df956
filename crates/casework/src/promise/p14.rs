//! P14, every order is tracked: the chain is whole from the demand's first byte, and the record is the one that this very
//! chain proposed, signed and logged.

use std::fmt;

use super::{BrokenPromise, CLOCK_SKEW_MAX, Hearing};
use crate::{case::Case, finding::Promise::P14};

/// Evidence that the chain is whole and leads to this record.
#[derive(Debug)]
pub struct WholeChain {
    events: u64,
    index: u64,
}

impl WholeChain {
    /// Where the chain says that the docket has the record.
    pub fn docket_index(&self) -> u64 {
        self.index
    }
}

impl fmt::Display for WholeChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events, linked and in order from receipt to the docket",
            self.events
        )
    }
}

/// Checks that the case awaits the release of exactly this record. The links themselves were verified when the
/// [`crate::chain::Chain`] was made.
///
/// # Errors
/// When the case ended, moved on, or never proposed this record.
pub fn chain_is_whole(hearing: &Hearing<'_>) -> Result<WholeChain, BrokenPromise> {
    const HINT: &str = "draw up a new record on the chain as it is";
    let broken = |reason: &str, hint| Err(BrokenPromise::new(P14, reason, hint));
    let (file, record) = (hearing.file, hearing.record);
    if file.is_ended() || matches!(hearing.chain.case(), Case::Closed(_)) {
        return broken(
            "the demand was rejected or withdrawn, or the case is closed",
            "nothing can be released",
        );
    }
    if record.case != file.id() {
        return broken("the record belongs to another case", HINT);
    }
    if hearing.chain.last_at() > hearing.now.saturating_add(CLOCK_SKEW_MAX).unwrap_or(hearing.now) {
        return broken(
            "the chain's last event lies in the future",
            "set the clocks right",
        );
    }
    let Some(drawn) = hearing.drawn() else {
        return broken("the case never proposed this record", HINT);
    };
    if *drawn.record != *record {
        return broken("the record is not the one that the case proposed", HINT);
    }
    let proposed = usize::try_from(drawn.seq)
        .ok()
        .and_then(|at| hearing.chain.events().get(at));
    if record.chain_length != drawn.seq || proposed.map(|event| event.header.prev) != Some(record.chain_head)
    {
        return broken("the record was drawn up on another chain", HINT);
    }
    if file.pending() != Some(record.id) {
        return broken(
            "the case moved on after the record was drawn up, or the record was released",
            HINT,
        );
    }
    let (Case::AwaitingRelease(_), Some(index)) = (hearing.chain.case(), drawn.logged) else {
        return broken(
            "the case does not await this record's release",
            "approve and log the record first",
        );
    };
    Ok(WholeChain {
        events: file.length(),
        index,
    })
}
