//! P10, gag orders are challenged: each gag that the case ever had was objected to, or counsel signed why not.

use std::fmt;

use super::{BrokenPromise, Hearing, InPlay, ground};
use crate::finding::{DutyKind, Promise::P10};

/// Evidence about gags.
#[derive(Debug)]
pub struct GagsAnswered {
    gags: usize,
    grounds: usize,
}

impl fmt::Display for GagsAnswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} gag(s), each objected to or answered by counsel; {} ground(s) against them ended",
            self.gags, self.grounds
        )
    }
}

/// Looks for an answer to each gag, and for the end of each ground against one.
///
/// # Errors
/// When one has none.
pub fn gags_answered(hearing: &Hearing<'_>, in_play: &InPlay) -> Result<GagsAnswered, BrokenPromise> {
    let gags = hearing.file.gags();
    for gag in gags {
        let unopposed = gag
            .unopposed
            .iter()
            .any(|r| hearing.reviewers.counsel_signed(hearing.file.id(), "gag", r));
        if gag.objected.is_none() && !unopposed {
            let reason = if gag.unopposed.is_empty() {
                format!("nothing was done about the gag of event {}", gag.seq)
            } else {
                format!(
                    "the reason not to object to the gag of event {} does not bear counsel's signature",
                    gag.seq
                )
            };
            return Err(BrokenPromise::new(
                P10,
                reason,
                "object to the gag, or have counsel sign why there is no ground",
            ));
        }
    }
    let (objected, reasons) = hearing.file.silence_answers();
    if gags.is_empty() && objected.is_none() {
        let signed = |reason| hearing.reviewers.counsel_signed(hearing.file.id(), "gag", reason);
        if let Some(duty) = in_play.duty(DutyKind::ObjectToGag)
            && !reasons.iter().any(signed)
        {
            let reason = format!(
                "`{}` imposes silence, and nobody objected or signed why not",
                duty.rule
            );
            return Err(BrokenPromise::new(
                P10,
                reason,
                "object to it, or have counsel sign why there is no ground",
            ));
        }
    }
    let grounds = ground::all_ended(hearing, in_play, P10, |promise| promise == P10)?;
    Ok(GagsAnswered {
        gags: gags.len(),
        grounds,
    })
}
