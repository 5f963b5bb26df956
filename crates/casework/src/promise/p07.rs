//! P7, every demand is reviewed: two different people signed exactly this record, and neither entered the demand.
//!
//! Whoever drew the record up may be one of the two: the promise asks for two pairs of eyes that did not enter the
//! demand, and a small team has no third. Two names with one key are one person.
//!
//! What came by e-mail was also called back: a sender's address is never proof of who asks.

use std::fmt;

use super::{BrokenPromise, Hearing, InPlay};
use crate::{
    event::approval_message,
    finding::{DutyKind, Promise::P7},
    ids::StaffId,
};

/// Evidence of two reviews.
#[derive(Debug)]
pub struct TwoReviewers {
    first: StaffId,
    second: StaffId,
}

impl fmt::Display for TwoReviewers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "signed by `{}` and `{}`, who did not enter the demand",
            self.first, self.second
        )
    }
}

/// Verifies the signatures.
///
/// # Errors
/// When fewer than two different reviewers signed, or none is senior where the rulebook asks for one.
pub fn two_reviewed(hearing: &Hearing<'_>, in_play: &InPlay) -> Result<TwoReviewers, BrokenPromise> {
    const HINT: &str = "have two reviewers sign this very record, neither being who entered the demand";
    let digest = hearing
        .record
        .digest()
        .map_err(|error| BrokenPromise::new(P7, error.to_string(), "draw up a new record"))?;
    let message = approval_message(&digest);
    let mut signed: Vec<&StaffId> = Vec::new();
    let mut passed_over = 0_usize;
    for approval in hearing.drawn().map_or(&[][..], |drawn| &drawn.approvals) {
        let reviewer = &approval.reviewer;
        let key = hearing.reviewers.keys.get(reviewer);
        let counted = signed
            .iter()
            .any(|other| *other == reviewer || hearing.reviewers.keys.get(other) == key);
        if counted
            || hearing.file.entered_by().contains(reviewer)
            || !hearing
                .reviewers
                .reviewer_signed(reviewer, &message, &approval.signature)
        {
            passed_over = passed_over.saturating_add(1);
        } else {
            signed.push(reviewer);
        }
    }
    if hearing.file.needs_call_back() {
        return Err(BrokenPromise::new(
            P7,
            "the demand came by e-mail, and who asks was not confirmed",
            "call the authority on a number found independently, and record what it said",
        ));
    }
    let [first, second, ..] = signed.as_slice() else {
        let reason = format!(
            "{} reviewer(s) count as having signed the record, and two are needed ({passed_over} signature(s) do not count)",
            signed.len()
        );
        return Err(BrokenPromise::new(P7, reason, HINT));
    };
    if let Some(finding) = in_play.duty(DutyKind::SeniorReview)
        && !signed
            .iter()
            .any(|reviewer| hearing.reviewers.senior.contains(*reviewer))
    {
        let reason = format!("`{}` asks for a senior reviewer, and none signed", finding.rule);
        return Err(BrokenPromise::new(P7, reason, "have a senior reviewer sign"));
    }
    Ok(TwoReviewers {
        first: (*first).clone(),
        second: (*second).clone(),
    })
}
