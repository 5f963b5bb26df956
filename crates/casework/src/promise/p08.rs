//! P8, redirect first: the requester was asked to go to the customer and insisted, or counsel signed why not; and that
//! before the release was drawn up.

use std::fmt;

use super::{BrokenPromise, Hearing, InPlay};
use crate::{
    event::RedirectOutcome,
    finding::{DutyKind, Promise::P8},
};

/// Evidence about the redirect.
#[derive(Debug)]
pub enum RedirectFirst {
    /// The rulebook does not ask for one.
    NotOwed,
    /// Asked, and refused or not answered.
    Tried,
    /// Counsel signed why not.
    Barred,
}

impl fmt::Display for RedirectFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOwed => "the rulebook asks for no redirect",
            Self::Tried => "the requester was asked to go to the customer, and did not",
            Self::Barred => "counsel signed the legal reason against a redirect",
        })
    }
}

/// Looks for the attempt or counsel's reason.
///
/// # Errors
/// When there is neither, it came too late, or the requester went to the customer.
pub fn redirected_first(hearing: &Hearing<'_>, in_play: &InPlay) -> Result<RedirectFirst, BrokenPromise> {
    let redirect = hearing.file.redirect();
    let before = hearing.proposed_at();
    if matches!(redirect.answered, Some((_, RedirectOutcome::Accepted))) {
        return Err(BrokenPromise::new(
            P8,
            "the requester goes to the customer",
            "close the case as redirected",
        ));
    }
    let Some(duty) = in_play.duty(DutyKind::Redirect) else {
        return Ok(RedirectFirst::NotOwed);
    };
    if redirect.answered.is_some_and(|(seq, _)| seq < before) {
        return Ok(RedirectFirst::Tried);
    }
    let signed = |reason| {
        hearing
            .reviewers
            .counsel_signed(hearing.file.id(), "redirect", reason)
    };
    if redirect
        .barred
        .iter()
        .any(|reason| reason.seq < before && signed(reason))
    {
        return Ok(RedirectFirst::Barred);
    }
    let reason = if !redirect.barred.is_empty() {
        "the reason against a redirect does not bear counsel's signature, or came after the record".to_owned()
    } else if redirect.asked.is_some() {
        "the redirect was not answered before the record was drawn up".to_owned()
    } else {
        format!("`{}` asks for a redirect, and none was tried", duty.rule)
    };
    Err(BrokenPromise::new(
        P8,
        reason,
        "redirect the requester and record the answer, then draw up a new record",
    ))
}
