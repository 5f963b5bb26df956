//! Which step of a case's further course may follow which: links to other demands, snapshots, measures, appeals, notices that
//! failed, a look back at an emergency, costs, taking a closed case up again.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{NotNow, counsel_only, need, open, refuse, some_grounds, undelivered};
use crate::{
    case::{Case, CaseFile},
    event::{Actor, Body, CostOutcome, EmergencyFinding, MEASURES_MAX, Measure, Outcome},
    finding::{DutyKind, Effect, Promise},
    ids::{CaseId, RuleId},
};

const P14: Promise = Promise::P14;

/// Most other cases to which one may be linked, each way.
const LINKS_MAX: usize = 64;
/// Most snapshots of one case.
const SNAPSHOTS_MAX: usize = 16;
/// Most claims for costs of one case.
const CLAIMS_MAX: usize = 16;
/// How often a case may be taken up again.
const REOPENED_MAX: u32 = 16;

/// What may still be recorded in a closed case: that it is taken up again, that another follows on it, and what was paid.
pub(super) fn when_closed(case: &Case, at: Timestamp, actor: &Actor, body: &Body) -> Result<(), NotNow> {
    match body {
        Body::Reopened { .. } | Body::FollowedBy { .. } | Body::CostsSettled { .. } => {
            step(case, at, actor, body)
        }
        _ => refuse(
            P14,
            "the case is closed",
            "open a new case for a new demand, or take this one up again",
        ),
    }
}

pub(super) fn step(case: &Case, at: Timestamp, actor: &Actor, body: &Body) -> Result<(), NotNow> {
    let file = case.file();
    match body {
        Body::Linked { to, .. } => {
            open(case)?;
            has_demand(file)?;
            other_case(file, *to)?;
            let known = file.further().links().iter().any(|(linked, _)| linked == to);
            limit(known, file.further().links().len())
        }
        Body::FollowedBy { case: later } => {
            other_case(file, *later)?;
            let known = file.further().followed_by().contains(later);
            limit(known, file.further().followed_by().len())
        }
        Body::Superseded { by, relation } => {
            open(case)?;
            undelivered(case)?;
            other_case(file, *by)?;
            need(
                relation.replaces(),
                P14,
                "a demand that comes beside this one does not take its place",
                "record that it follows",
            )
        }
        Body::Preserved { .. } | Body::SnapshotEnded { .. } => snapshot(case, body),
        Body::MeasureTaken { .. } | Body::MeasureEnded { .. } => measure(case, at, actor, body),
        Body::NoticeServed { to, tenant, how } => {
            said(how)?;
            given(file, *to, tenant)
        }
        Body::NoticeFailed { to, tenant, what, .. } => {
            said(what)?;
            given(file, *to, tenant)
        }
        Body::Appealed { grounds, .. } => appealed(case, grounds),
        Body::NotExecuted { form, grounds } => {
            open(case)?;
            let Some(demand) = file.demand() else {
                return has_demand(file);
            };
            if let Err(error) = form.check(demand) {
                return refuse(Promise::P11, error.reason, error.hint);
            }
            some_grounds_or_none(file, grounds)
        }
        Body::EmergencyReviewed {
            text,
            process,
            finding,
        } => {
            said(text)?;
            need(
                file.has_released() && file.demand().is_some_and(|demand| demand.emergency.is_some()),
                P14,
                "nothing was released on a claim of emergency",
                "record a note instead",
            )?;
            need(
                process.is_none() || *finding != EmergencyFinding::Fraudulent,
                P14,
                "legal process of the authority and a stranger in its name do not go together",
                "leave the process out",
            )
        }
        Body::BreachAssessed { reason, .. } => {
            said(reason)?;
            need(
                file.has_released(),
                P14,
                "nothing was released",
                "record a note instead",
            )
        }
        Body::CostsClaimed { .. } | Body::CostsSettled { .. } => costs(file, body),
        Body::Reopened { reason } => reopened(case, reason),
        _ => Ok(()),
    }
}

fn has_demand(file: &CaseFile) -> Result<(), NotNow> {
    need(
        file.demand().is_some(),
        P14,
        "there is no demand yet",
        "parse the demand first",
    )
}

fn said(words: &str) -> Result<(), NotNow> {
    need(
        !words.trim().is_empty(),
        P14,
        "it says nothing",
        "say what was found, in words",
    )
}

fn other_case(file: &CaseFile, other: CaseId) -> Result<(), NotNow> {
    need(
        other != file.id(),
        P14,
        "a case does not follow on itself",
        "name the other case",
    )
}

fn limit(known: bool, length: usize) -> Result<(), NotNow> {
    need(
        !known,
        P14,
        "that link is recorded already",
        "nothing is to be recorded",
    )?;
    need(
        length < LINKS_MAX,
        P14,
        &format!("the case has {LINKS_MAX} links, the most that one may"),
        "link to the newest of them instead",
    )
}

/// Whoever was told of this case, and not already found not to have been.
fn given(file: &CaseFile, to: crate::demand::NoticeTo, tenant: &crate::ids::TenantId) -> Result<(), NotNow> {
    need(
        file.notices()
            .iter()
            .any(|notice| notice.to == to && notice.tenant == *tenant),
        Promise::P9,
        "no notice to them is on its way",
        "record the notice first",
    )
}

fn snapshot(case: &Case, body: &Body) -> Result<(), NotNow> {
    let file = case.file();
    if let Body::SnapshotEnded { snapshot, .. } = body {
        return need(
            file.further()
                .snapshots()
                .iter()
                .any(|one| one.id == *snapshot && !one.ended),
            P14,
            "no such snapshot stands",
            "nothing is to be recorded",
        );
    }
    let Body::Preserved { snapshot, scope, .. } = body else {
        return Ok(());
    };
    open(case)?;
    need(
        file.current_assessment().is_some() && file.has_duty(DutyKind::Preserve),
        P14,
        "the law as last applied asks nobody to preserve anything",
        "assess the case, and see whether its instrument preserves",
    )?;
    need(
        file.further().standing_snapshot().is_none(),
        P14,
        "a snapshot stands already; what comes after it is not covered",
        "end that one first, or open a case for the new request",
    )?;
    need(
        file.further().snapshots().len() < SNAPSHOTS_MAX
            && file.further().snapshots().iter().all(|one| one.id != *snapshot),
        P14,
        "the case has as many snapshots as it may, or one of that id",
        "open a case for a further request",
    )?;
    let accounts = &file.scope().accounts;
    need(
        !scope.accounts.is_empty() && scope.accounts.iter().all(|account| accounts.contains(account)),
        Promise::P6,
        "the snapshot is of accounts that the demand does not name, or of none",
        "look the subjects up, and freeze those that were found",
    )
}

/// Outside the disclosure of stored data, and only where the rulebook says that the instrument is for that; challenged first,
/// and decided by counsel.
fn measure(case: &Case, at: Timestamp, actor: &Actor, body: &Body) -> Result<(), NotNow> {
    let file = case.file();
    if let Body::MeasureEnded { measure, reason } = body {
        said(reason)?;
        return need(
            file.further()
                .measures()
                .iter()
                .any(|one| one.seq == *measure && !one.ended),
            P14,
            "no such measure stands",
            "name it by the event that took it",
        );
    }
    let Body::MeasureTaken {
        what, from, until, ..
    } = body
    else {
        return Ok(());
    };
    open(case)?;
    said(what)?;
    counsel_only(actor, Promise::P4)?;
    let Some(judged) = file.current_assessment() else {
        return refuse(
            Promise::P5,
            "the rulebook was not applied to the demand as it now stands",
            "assess the case first",
        );
    };
    let findings = &judged.assessment.findings;
    let key = findings
        .iter()
        .any(|finding| finding.promise == Promise::P3 && finding.effect == Effect::Bar);
    need(
        !key,
        Promise::P3,
        "it asks for a key, for decryption or for an ability, and none is given to anybody",
        "reject it, and object",
    )?;
    // What it is not for bars every disclosure on it, by P4 or P13. Any other bar says that it is no order.
    let barred = findings.iter().find(|finding| {
        finding.effect == Effect::Bar && !matches!(finding.promise, Promise::P4 | Promise::P13)
    });
    if let Some(barred) = barred {
        return refuse(
            barred.promise,
            format!("`{}` bars it", barred.rule),
            "reject the demand, or have it mended and assess it again",
        );
    }
    need(
        file.has_duty(DutyKind::ActApart) && judged.assessment.releasable.is_empty(),
        Promise::P4,
        "the demand's instrument is for no such measure",
        "see `amparo rulebook explain` for what its instrument is for",
    )?;
    let grounds = file.grounds();
    if let Some((rule, _)) = grounds.iter().find(|(_, course)| !course.is_dealt_with()) {
        return refuse(
            Promise::P11,
            format!("nothing has come yet of the ground `{rule}`"),
            "object and record the decision, narrow, or have counsel sign why not; then act",
        );
    }
    need(
        !grounds
            .values()
            .any(|course| matches!(course.decided, Some((_, crate::event::Decision::Won)))),
        Promise::P11,
        "an objection to the demand was upheld",
        "close the case with that",
    )?;
    need(
        file.further().measures().len() < MEASURES_MAX,
        P14,
        &format!("the case has {MEASURES_MAX} measures, the most that one may"),
        "open a further case that refers to it",
    )?;
    let today = at
        .checked_add(SignedDuration::from_hours(24))
        .unwrap_or(at)
        .to_zoned(TimeZone::UTC)
        .date();
    need(
        *from <= today && until.is_none_or(|until| until >= *from),
        P14,
        "its days lie in the future, or run backwards",
        "record a measure once it is taken, with its last day",
    )
}

fn appealed(case: &Case, grounds: &[RuleId]) -> Result<(), NotNow> {
    let file = case.file();
    open(case)?;
    undelivered(case)?;
    some_grounds(file, grounds)?;
    let decided = |rule| {
        file.grounds()
            .get(rule)
            .is_some_and(|course| course.decided.is_some() && !course.is_under_appeal())
    };
    need(
        grounds.iter().all(decided),
        Promise::P11,
        "no decision on that ground is there to appeal, or it is under appeal already",
        "record the decision first",
    )
}

fn some_grounds_or_none(file: &CaseFile, grounds: &[RuleId]) -> Result<(), NotNow> {
    if grounds.is_empty() {
        return Ok(());
    }
    some_grounds(file, grounds)
}

fn costs(file: &CaseFile, body: &Body) -> Result<(), NotNow> {
    let open = file.further().costs().iter().any(|costs| costs.outcome.is_none());
    match body {
        Body::CostsClaimed { claim } => {
            has_demand(file)?;
            need(
                !open && file.further().costs().len() < CLAIMS_MAX,
                P14,
                "a claim is open already, or the case has as many as it may",
                "record how the open one ended first",
            )?;
            need(
                claim.adds_up(),
                P14,
                "the claim names no law, leaves a line empty, or does not add up",
                "give the law, each line with its sum, their total, and the currency's three letters",
            )
        }
        Body::CostsSettled { outcome, paid, .. } => {
            need(open, P14, "no claim is open", "record the claim first")?;
            need(
                (*outcome == CostOutcome::Paid) == paid.as_ref().is_some_and(|paid| paid.minor > 0),
                P14,
                "what was paid and how the claim ended do not go together",
                "give the sum exactly where it was paid",
            )
        }
        _ => Ok(()),
    }
}

fn reopened(case: &Case, reason: &str) -> Result<(), NotNow> {
    let file = case.file();
    said(reason)?;
    need(
        matches!(case, Case::Closed(_)),
        P14,
        "the case is not closed",
        "nothing is to be recorded",
    )?;
    need(
        file.further().superseded_by().is_none(),
        P14,
        "another demand took its place",
        "work that one's case",
    )?;
    need(
        file.further().reopened() < REOPENED_MAX,
        P14,
        &format!("the case was taken up {REOPENED_MAX} times, as often as one may"),
        "open a new case",
    )
}

/// Whether a case ended in a way that has nothing to do with disclosure; `None` for outcomes of disclosure.
pub(super) fn outcome_fits(file: &CaseFile, outcome: Outcome) -> Option<bool> {
    let further = file.further();
    let took = |measure| further.measures().iter().any(|one| one.measure == measure);
    Some(match outcome {
        Outcome::Preserved => !further.snapshots().is_empty() && !file.has_released(),
        Outcome::Superseded => further.superseded_by().is_some(),
        Outcome::Intercepted => took(Measure::Interception),
        Outcome::Frozen => took(Measure::Freezing),
        Outcome::Removed => took(Measure::Removal),
        Outcome::AbilityRefused => {
            let asked = file.judged().is_some_and(|judged| {
                let mut findings = judged.assessment.findings.iter();
                findings.any(|finding| finding.promise == Promise::P3 && finding.effect == Effect::Bar)
            });
            asked && file.is_ended() && !file.has_released()
        }
        _ => return None,
    })
}

/// What keeps a case open beside its notices and gags.
pub(super) fn may_close(file: &CaseFile) -> Result<(), NotNow> {
    need(
        file.further().standing_snapshot().is_none(),
        P14,
        "a snapshot stands",
        "end it, or wait until its time is over",
    )?;
    need(
        file.further()
            .measures()
            .iter()
            .all(|one| one.ended || one.measure == Measure::Removal),
        P14,
        "a measure still runs",
        "record its end first",
    )?;
    need(
        file.untold_of_a_measure().is_empty(),
        Promise::P9,
        "a customer whose account a measure was taken on was not told yet",
        "tell them, or keep the case open until they may be told",
    )?;
    need(
        !file.owes_a_look_at_the_emergency(),
        Promise::P7,
        "data was released on a claim of emergency, and nobody looked since whether there was one",
        "ask for the legal process behind it, and record what was found",
    )?;
    need(
        file.owes_a_breach_assessment().is_none(),
        Promise::P15,
        "data went to somebody who is not who they said, and nobody has weighed that as a breach",
        "record the assessment, and whether the supervisory authority was told",
    )
}
