//! Which event may follow which. Illegal steps cannot be recorded, and a chain that holds one does not verify.
//!
//! This table is about order only. Whether a signature is good, whether the rulebook agrees, whether every duty was
//! done is for the promises, which the gate checks on the whole chain.

mod dates;
mod further;
mod gags;

use jiff::Timestamp;

use super::{Case, CaseFile};
use crate::{
    demand::NoticeTo,
    event::{
        Actor, Body, Channel, Decision, KEY_NAME_CHARS_MAX, Outcome, PACKAGE_FLAG_BYTES_MAX,
        PACKAGE_FLAGS_MAX, RedirectOutcome,
    },
    facts::Resolution,
    finding::Promise,
    ids::{RecordId, RuleId, TenantId},
    record::ReleaseRecord,
};

/// A step that the case does not allow now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{promise:?}: {reason}\nhint: {hint}")]
pub struct NotNow {
    /// The promise that the step would break.
    pub promise: Promise,
    /// Why not.
    pub reason: String,
    /// What to do first.
    pub hint: &'static str,
}

fn refuse(promise: Promise, reason: impl Into<String>, hint: &'static str) -> Result<(), NotNow> {
    Err(NotNow {
        promise,
        reason: reason.into(),
        hint,
    })
}

fn need(holds: bool, promise: Promise, reason: &str, hint: &'static str) -> Result<(), NotNow> {
    if holds {
        Ok(())
    } else {
        refuse(promise, reason, hint)
    }
}

pub(super) fn may(case: &Case, at: Timestamp, actor: &Actor, body: &Body) -> Result<(), NotNow> {
    use Promise::{P8, P11, P14};
    let file = case.file();
    if let Case::Closed(_) = case {
        return further::when_closed(case, at, actor, body);
    }
    match body {
        Body::Received { .. } => refuse(
            P14,
            "the demand was received already",
            "each demand is its own case",
        ),
        Body::Note { .. } | Body::RequesterChecked { .. } => Ok(()),
        Body::SenderChecked { .. } => need(
            *actor == Actor::System && file.channel() == Some(Channel::Email) && file.sender().is_none(),
            Promise::P7,
            "an e-mail's sender is checked once, when it comes, by the program itself",
            "record a check of the requester instead",
        ),
        Body::SignatureVerified { key, algorithm, .. } => need(
            *actor == Actor::System
                && file.channel() == Some(Channel::Hi1)
                && [key, algorithm]
                    .iter()
                    .all(|name| (1..=KEY_NAME_CHARS_MAX).contains(&name.chars().count())),
            Promise::P7,
            "the signature of a message that came over HI-1 is verified by the program itself",
            "record a check of the requester instead",
        ),
        Body::Withdrawn { .. } => open(case),
        Body::Rejected { .. } => {
            open(case)?;
            need(
                !matches!(case, Case::AwaitingDelivery(_)),
                P14,
                "data was released on this demand already",
                "deliver the package, or record what became of it",
            )
        }
        Body::Unreadable { .. } => need(
            matches!(case, Case::AwaitingParse(_)),
            P14,
            "the demand was read already",
            "record a note instead",
        ),
        Body::Parsed { demand } => {
            open(case)?;
            if let Err(error) = demand.served_by(at) {
                return refuse(P14, error.to_string(), "enter when it was served");
            }
            gags::reread(file, at, demand)?;
            undelivered(case)?;
            need(
                !file.has_released(),
                P14,
                "data was released on the demand as it was read",
                "open a new case for a corrected demand",
            )
        }
        Body::Resolved { facts } => {
            open(case)?;
            undelivered(case)?;
            let subjects = file.demand().map_or(usize::MAX, |demand| demand.subjects.len());
            need(
                file.demand().is_some(),
                P14,
                "there is no demand to look up yet",
                "parse the demand first",
            )?;
            need(
                facts.resolved.len() == subjects,
                Promise::P6,
                "each subject of the demand must be looked up, in its order",
                "give one result per subject",
            )
        }
        Body::Assessed { .. } => {
            // What was rejected or withdrawn may still be under a silence, whose dates go on.
            undelivered(case)?;
            need(
                file.facts().is_some(),
                Promise::P5,
                "the subjects are not looked up",
                "resolve them first",
            )
        }
        Body::Narrowed { scope, settles, .. } => {
            open(case)?;
            undelivered(case)?;
            need(
                file.facts().is_some(),
                P14,
                "the subjects are not looked up",
                "resolve them first",
            )?;
            known_grounds(file, settles)?;
            scope.within(&file.scope()).or_else(|wider| {
                refuse(
                    Promise::P13,
                    wider.to_string(),
                    "a scope only ever gets smaller; open a new case for more",
                )
            })
        }
        Body::Redirected { .. } | Body::RedirectBarred { .. } => {
            open(case)?;
            need(
                file.demand().is_some(),
                P8,
                "there is no demand yet",
                "parse the demand first",
            )?;
            counsel_reasons(actor, body, P8)
        }
        Body::RedirectAnswered { outcome } => {
            need(
                file.redirect().asked.is_some(),
                P8,
                "nobody was redirected",
                "record the attempt first",
            )?;
            let awaited = file.redirect().answer_by.is_some_and(|by| at < by);
            need(
                !awaited || *outcome != RedirectOutcome::Unanswered,
                P8,
                "the answer is still awaited",
                "wait until the day that the letter gave",
            )
        }
        Body::ObjectionFiled { grounds, .. } => {
            open(case)?;
            some_grounds(file, grounds)
        }
        Body::ObjectionDecided { grounds, .. } => {
            some_grounds(file, grounds)?;
            let filed = |rule| {
                file.grounds()
                    .get(rule)
                    .is_some_and(|course| course.filed.is_some())
            };
            need(
                grounds.iter().all(filed),
                P11,
                "no objection was filed on that ground",
                "record its filing first",
            )
        }
        Body::GroundAnswered { ground, .. } => {
            known_grounds(file, std::slice::from_ref(ground))?;
            counsel_reasons(actor, body, P11)
        }
        Body::GagRecorded { .. }
        | Body::GagObjected { .. }
        | Body::GagUnopposed { .. }
        | Body::GagDecided { .. }
        | Body::GagReviewed { .. }
        | Body::GagEnded { .. } => gags::step(file, at, actor, body),
        Body::Extended { on, until, .. } => dates::extended(file, at, *on, *until),
        Body::ProductionConfirmed { .. } => need(
            file.demand().is_some(),
            P14,
            "there is no demand yet",
            "parse the demand first",
        ),
        Body::FellDue { rule, what, due } => dates::fell_due(case, at, actor, (rule, *what, *due)),
        Body::Notified { .. } | Body::NoticeBarred { .. } => notice_step(file, at, body),
        Body::Linked { .. }
        | Body::FollowedBy { .. }
        | Body::Superseded { .. }
        | Body::Preserved { .. }
        | Body::SnapshotEnded { .. }
        | Body::MeasureTaken { .. }
        | Body::MeasureEnded { .. }
        | Body::NoticeServed { .. }
        | Body::NoticeFailed { .. }
        | Body::Appealed { .. }
        | Body::NotExecuted { .. }
        | Body::EmergencyReviewed { .. }
        | Body::BreachAssessed { .. }
        | Body::CostsClaimed { .. }
        | Body::CostsSettled { .. }
        | Body::Reopened { .. } => further::step(case, at, actor, body),
        Body::Proposed { record } => propose(case, record),
        Body::PackageFlagged { flags, .. } => {
            let fits = (1..=PACKAGE_FLAGS_MAX).contains(&flags.len())
                && flags.iter().all(|flag| flag.flag.len() <= PACKAGE_FLAG_BYTES_MAX);
            need(
                *actor == Actor::System && fits,
                P14,
                "what a package holds is flagged by the program that makes it, and within limits",
                "write a note instead",
            )?;
            release_step(case, body)
        }
        Body::Approved { .. }
        | Body::Logged { .. }
        | Body::Refused { .. }
        | Body::Released { .. }
        | Body::Delivered { .. } => release_step(case, body),
        Body::Closed { outcome } => close(case, *outcome),
    }
}

/// Not rejected, not withdrawn, and no other demand in its place.
fn open(case: &Case) -> Result<(), NotNow> {
    need(
        !case.file().is_ended(),
        Promise::P14,
        "the demand was rejected or withdrawn, or another took its place",
        "a new demand is a new case",
    )
}

fn undelivered(case: &Case) -> Result<(), NotNow> {
    need(
        !matches!(case, Case::AwaitingDelivery(_)),
        Promise::P14,
        "a package waits for its delivery",
        "record the delivery first",
    )
}

/// A reason instead of a step is counsel's to give, and says something.
fn counsel_reasons(actor: &Actor, body: &Body, promise: Promise) -> Result<(), NotNow> {
    let (Body::RedirectBarred { reason, .. }
    | Body::GagUnopposed { reason, .. }
    | Body::GroundAnswered { reason, .. }) = body
    else {
        return Ok(());
    };
    counsel_only(actor, promise)?;
    need(
        !reason.trim().is_empty(),
        promise,
        "the reason is empty",
        "say why, in words that a court could read",
    )
}

fn counsel_only(actor: &Actor, promise: Promise) -> Result<(), NotNow> {
    need(
        matches!(actor, Actor::Counsel(_)),
        promise,
        "that is counsel's to decide",
        "record it as counsel",
    )
}

fn known_grounds(file: &CaseFile, rules: &[RuleId]) -> Result<(), NotNow> {
    match rules.iter().find(|rule| !file.grounds().contains_key(rule)) {
        None => Ok(()),
        Some(rule) => refuse(
            Promise::P11,
            format!("no assessment of this case found the ground `{rule}`"),
            "name a ground from the findings",
        ),
    }
}

fn some_grounds(file: &CaseFile, rules: &[RuleId]) -> Result<(), NotNow> {
    need(
        !rules.is_empty(),
        Promise::P11,
        "no ground is named",
        "name the grounds",
    )?;
    known_grounds(file, rules)
}

fn notice_step(file: &CaseFile, at: Timestamp, body: &Body) -> Result<(), NotNow> {
    let p9 = Promise::P9;
    let Body::Notified { to, tenant, late, .. } = body else {
        need(
            file.demand().is_some(),
            p9,
            "there is no demand yet",
            "parse the demand first",
        )?;
        return match body {
            Body::NoticeBarred { tenant, .. } => concerned(file, tenant),
            _ => Ok(()),
        };
    };
    may_be_told(file, *to, tenant, at)?;
    need(
        *late == file.tenants_released().contains(tenant),
        p9,
        "a notice is late exactly when that customer's data was released before it",
        "set `late` to match",
    )
}

/// Somebody may be told of a customer's data: the demand concerns that customer, and nothing forbids it at that moment.
pub(super) fn may_be_told(
    file: &CaseFile,
    to: NoticeTo,
    tenant: &TenantId,
    at: Timestamp,
) -> Result<(), NotNow> {
    need(
        file.demand().is_some(),
        Promise::P9,
        "there is no demand to tell of",
        "parse the demand first",
    )?;
    concerned(file, tenant)?;
    need(
        !file.notice_forbidden(to, tenant, at),
        Promise::P9,
        "the law forbids telling them for now",
        "wait for the end of the gag; record the notice as barred meanwhile",
    )
}

/// A customer whom the demand does not concern must not learn of it.
fn concerned(file: &CaseFile, tenant: &TenantId) -> Result<(), NotNow> {
    let found = file.facts().is_some_and(|facts| {
        facts
            .resolved
            .iter()
            .any(|resolution| matches!(resolution, Resolution::One(one) if one.tenant == *tenant))
    });
    need(
        found || file.tenants_released().contains(tenant),
        Promise::P9,
        &format!("the demand is not about a customer `{tenant}`"),
        "look the subjects up, and name a customer whose account was found",
    )
}

fn propose(case: &Case, record: &ReleaseRecord) -> Result<(), NotNow> {
    let file = case.file();
    open(case)?;
    undelivered(case)?;
    let Some(judged) = file.current_assessment() else {
        return refuse(
            Promise::P5,
            "the rulebook was not applied to the demand as it now stands",
            "assess the case again",
        );
    };
    need(
        record.rulebook == judged.assessment.rulebook,
        Promise::P5,
        "the record names another rulebook or day than the assessment",
        "draw the record up from the current assessment",
    )?;
    need(
        !matches!(file.redirect().answered, Some((_, RedirectOutcome::Accepted))),
        Promise::P8,
        "the requester goes to the customer",
        "close the case as redirected",
    )?;
    need(
        record.case == file.id() && record.chain_head == file.head() && record.chain_length == file.length(),
        Promise::P14,
        "the record does not name this case's last event",
        "draw the record up on the chain as it is",
    )?;
    need(
        file.drawn(record.id).is_none(),
        Promise::P14,
        "a record of that id was drawn up before",
        "give each record an id of its own",
    )
}

fn release_step(case: &Case, body: &Body) -> Result<(), NotNow> {
    let (p7, p14) = (Promise::P7, Promise::P14);
    let is_pending = |record: &RecordId| {
        need(
            case.file().pending() == Some(*record),
            p14,
            "that record is not the one on its way",
            "a change to the case makes a record lapse; draw up a new one",
        )
    };
    match body {
        Body::Approved { record, .. } | Body::Refused { record, .. } => is_pending(record),
        Body::Logged { record, .. } => {
            is_pending(record)?;
            need(
                matches!(case, Case::AwaitingLog(_)),
                p7,
                "the record does not wait for the docket",
                "have two different reviewers sign it, once",
            )
        }
        Body::Released { record, .. } | Body::PackageFlagged { record, .. } => {
            is_pending(record)?;
            need(
                matches!(case, Case::AwaitingRelease(_)),
                p14,
                "the record is not in the docket",
                "log the record first",
            )
        }
        Body::Delivered { record, .. } => need(
            matches!(case, Case::AwaitingDelivery(state) if state.record() == *record),
            p14,
            "no package of that record waits for delivery",
            "name the record that was released",
        ),
        _ => Ok(()),
    }
}

fn close(case: &Case, outcome: Outcome) -> Result<(), NotNow> {
    let file = case.file();
    let fits = match outcome {
        Outcome::Disclosed | Outcome::PartlyDisclosed => file.has_released(),
        Outcome::Rejected | Outcome::Withdrawn => file.is_ended() && file.further().superseded_by().is_none(),
        Outcome::Redirected => {
            matches!(file.redirect().answered, Some((_, RedirectOutcome::Accepted))) && !file.has_released()
        }
        Outcome::NoData => {
            let nothing = file
                .drawn_up()
                .iter()
                .all(|drawn| drawn.record.objects.is_empty());
            file.facts().is_some() && nothing
        }
        Outcome::ObjectionUpheld => file
            .grounds()
            .values()
            .any(|course| matches!(course.decided, Some((_, Decision::Won))) && !course.is_under_appeal()),
        other => further::outcome_fits(file, other).unwrap_or(false),
    };
    need(
        fits,
        Promise::P14,
        "the case did not end that way",
        "name the outcome that the events show",
    )?;
    undelivered(case)?;
    let untold = file
        .tenants_released()
        .into_iter()
        .any(|tenant| file.owes_notice_to(tenant) && !file.tenant_told(tenant));
    need(
        !untold,
        Promise::P9,
        "a customer whose data was released was not told yet",
        "keep the case open until the notice may be sent",
    )?;
    further::may_close(file)?;
    gags::answered(file)
}
