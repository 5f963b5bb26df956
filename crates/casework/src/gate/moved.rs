//! What the gate itself knows of data that moved, or was copied: it took the keys there. A record whose accounts were looked
//! up before would leave out what went where the look-up did not see it, and that region's law was not judged. The desk looks
//! first, at the objects; this is what is left where it did not, and rests on the clocks of both being right.

use jiff::Timestamp;

use super::Refusal;
use crate::{
    chain::Chain,
    event::Body,
    facts::Resolution,
    finding::Promise,
    record::{AccountRef, ReleaseRecord},
};

/// Keys of an account that the gate took to another region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The account, and where its keys went.
    pub to: AccountRef,
    /// When last.
    pub at: Timestamp,
}

/// Nothing of the record's accounts moved, since they were looked up, to a region that the look-up did not know of.
///
/// # Errors
/// Where something did.
pub(super) fn none_left_out(chain: &Chain, record: &ReleaseRecord, moved: &[Moved]) -> Result<(), Refusal> {
    let Some(facts) = chain.case().file().facts() else {
        return Ok(());
    };
    // What is learned of people is recorded later than the look-up that it leaves as it was.
    let recorded = chain
        .events()
        .iter()
        .rev()
        .find(|event| matches!(event.body, Body::Resolved { .. }))
        .map(|event| event.header.at);
    let looked_up = facts.looked_up_at.into_iter().chain(recorded).min();
    for Moved { to, at } in moved {
        let same = |account: &AccountRef| account.tenant == to.tenant && account.account == to.account;
        let Some(place) = record.accounts.iter().position(same) else {
            continue;
        };
        let known = facts.resolved.iter().any(|resolution| {
            matches!(resolution, Resolution::One(found)
                if found.tenant == to.tenant && found.account == to.account && found.knows_of(&to.region))
        });
        if !known && looked_up.is_none_or(|looked_up| *at >= looked_up) {
            return Err(Refusal::promise(
                Promise::P12,
                format!(
                    "data of account {} of the record came to lie in region `{}` since the accounts were looked up",
                    place.saturating_add(1),
                    to.region
                ),
                "look the accounts up again, assess the case, and draw up a new record",
            ));
        }
    }
    Ok(())
}
