//! How a ground to object ends. There are five ways, and no other:
//!
//! 1. filed and lost: what was challenged stands;
//! 2. filed and won: nothing that it touched is released, whatever anybody signs;
//! 3. filed and won in part: the scope was narrowed after the decision;
//! 4. settled by a narrowing that names it, and the rulebook no longer finds it on what remains. A requester's word that
//!    it agrees does not do: the gate cannot check it, counsel can sign it;
//! 5. answered by counsel's signed reason.
//!
//! A decision that was appealed is none: the ground is open again until the appeal is decided, or, where the decision was not
//! for the customer, counsel signs why the appeal is not pursued.
//!
//! A ground found once must end even if a later assessment no longer finds it: facts that make a ground go away are the
//! provider's own word.

use super::{BrokenPromise, Hearing, InPlay};
use crate::{
    case::GroundCourse,
    event::Decision,
    finding::{Effect, Promise},
    ids::RuleId,
};

const HINT: &str = "object and record the decision, narrow and assess again, or have counsel sign a reason";

/// Checks that every ground of the promises that `of` accepts has ended; returns how many there were.
pub(super) fn all_ended(
    hearing: &Hearing<'_>,
    in_play: &InPlay,
    blame: Promise,
    of: impl Fn(Promise) -> bool,
) -> Result<usize, BrokenPromise> {
    let grounds = hearing.file.grounds();
    for finding in in_play
        .all()
        .filter(|f| f.effect == Effect::Ground && of(f.promise))
    {
        if !grounds.contains_key(&finding.rule) {
            let reason = format!(
                "the law of today gives the ground `{}`, which no assessment of the case found",
                finding.rule
            );
            return Err(BrokenPromise::new(blame, reason, "assess the case again"));
        }
    }
    let mut count = 0;
    for (rule, course) in grounds.iter().filter(|(_, course)| of(course.promise)) {
        ended(hearing, in_play, rule, course).map_err(|reason| BrokenPromise::new(blame, reason, HINT))?;
        count += 1;
    }
    Ok(count)
}

fn ended(
    hearing: &Hearing<'_>,
    in_play: &InPlay,
    rule: &RuleId,
    course: &GroundCourse,
) -> Result<(), String> {
    if course.is_under_appeal() {
        let won = matches!(course.decided, Some((_, Decision::Won)));
        let since = course.appealed.unwrap_or(u64::MAX);
        let dropped = course.answers.iter().any(|answer| {
            answer.seq > since
                && hearing
                    .reviewers
                    .counsel_signed(hearing.file.id(), rule.as_str(), answer)
        });
        return if dropped && !won {
            Ok(())
        } else {
            Err(format!("the appeal about `{rule}` is not decided"))
        };
    }
    match course.decided {
        Some((_, Decision::Won)) => {
            let touched = hearing
                .record
                .categories
                .iter()
                .any(|c| course.categories.is_empty() || course.categories.contains(c));
            return if touched {
                Err(format!(
                    "the objection on `{rule}` was upheld, and the record releases what it touched"
                ))
            } else {
                Ok(())
            };
        }
        Some((seq, Decision::Partly)) => {
            return if course.narrowed.is_some_and(|narrowed| narrowed > seq) {
                Ok(())
            } else {
                Err(format!(
                    "the objection on `{rule}` was upheld in part, and the scope was not narrowed after"
                ))
            };
        }
        Some((_, Decision::Lost)) => return Ok(()),
        None => {}
    }
    if course.answers.iter().any(|a| {
        hearing
            .reviewers
            .counsel_signed(hearing.file.id(), rule.as_str(), a)
    }) {
        return Ok(());
    }
    if course.settled.is_some() && !in_play.still_finds(rule) {
        return Ok(());
    }
    Err(if course.filed.is_some() {
        format!("the objection on `{rule}` is not decided")
    } else if course.settled.is_some() {
        format!("the narrowing is said to settle `{rule}`, but the rulebook still finds it on what remains")
    } else if course.answers.is_empty() {
        format!("nothing was done about the ground `{rule}`")
    } else {
        format!("the reason given about the ground `{rule}` does not bear counsel's signature")
    })
}
