//! Who really asks, confirmed in words alone: by two different people, each for themselves.
//!
//! A call on a number of the register is [`crate::requesters::Registry::call_back`], and one person's is enough.

use casework::{
    chain::Chain,
    event::{Actor, Body, Event},
    facts::RequesterCheck,
    ids::CaseId,
};

use super::{Desk, Result, course::Plan};

/// How the first person's word begins, which confirms nobody yet.
const ONE_WORD: &str = "in words, and nobody else has confirmed it yet: ";

impl Desk {
    /// Records that somebody confirmed who asks without a number of the register. The first person's word leaves the requester
    /// unconfirmed; a second, different person's counts. Anything but a confirmation counts at once.
    ///
    /// # Errors
    /// When the case does not allow it.
    pub async fn check_in_words(
        &self,
        case: CaseId,
        actor: Actor,
        outcome: RequesterCheck,
        how: &str,
    ) -> Result<Event> {
        self.must(case, |chain| {
            let (outcome, how) = match (outcome, first_word(chain, &actor)) {
                (RequesterCheck::Confirmed, Some(first)) => (
                    RequesterCheck::Confirmed,
                    format!("{how}; before, by somebody else: {first}"),
                ),
                (RequesterCheck::Confirmed, None) => (RequesterCheck::Unchecked, format!("{ONE_WORD}{how}")),
                (other, _) => (other, how.to_owned()),
            };
            Ok(Plan::new(actor.clone(), Body::RequesterChecked { outcome, how }))
        })
        .await
    }
}

/// What another person said last of who asks, in words, about the demand as it was last read.
fn first_word(chain: &Chain, actor: &Actor) -> Option<String> {
    let last = chain
        .events()
        .iter()
        .rev()
        .take_while(|event| !matches!(event.body, Body::Parsed { .. }))
        .find(|event| matches!(event.body, Body::RequesterChecked { .. }))?;
    match &last.body {
        Body::RequesterChecked {
            outcome: RequesterCheck::Unchecked,
            how,
        } if last.header.actor != *actor => how.strip_prefix(ONE_WORD).map(str::to_owned),
        _ => None,
    }
}
