//! P11, every demand with a lawful basis for it is challenged: each ground that any assessment found has ended.

use std::fmt;

use super::{BrokenPromise, Hearing, InPlay, ground};
use crate::finding::Promise::{P10, P11, P12};

/// Evidence that grounds ended.
#[derive(Debug)]
pub struct GroundsEnded {
    count: usize,
}

impl fmt::Display for GroundsEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ground(s) to object, each ended", self.count)
    }
}

/// Checks every ground except those against gags (P10) and of place and conflicting law (P12), which those promises
/// check the same way.
///
/// # Errors
/// When one has not ended.
pub fn grounds_ended(hearing: &Hearing<'_>, in_play: &InPlay) -> Result<GroundsEnded, BrokenPromise> {
    let count = ground::all_ended(hearing, in_play, P11, |promise| promise != P10 && promise != P12)?;
    Ok(GroundsEnded { count })
}
