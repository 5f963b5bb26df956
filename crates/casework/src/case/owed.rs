//! What must happen next: computed from the findings and the events, never kept as a list of its own.

mod further;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Case, CaseFile, GroundCourse};
use crate::{
    demand::NoticeTo,
    event::{Decision, RedirectOutcome},
    facts::RequesterCheck,
    finding::{ClockKind, DutyKind, Finding, Promise},
    ids::{RuleId, TenantId},
    sender::SenderCheck,
};

/// One thing that is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Owed {
    /// The promise that asks for it.
    pub promise: Promise,
    /// What kind of step it is.
    pub step: Step,
    /// In words, for the desk.
    pub text: String,
    /// The ground or duty it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The last day for it, where the findings name one; for a wait, its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Timestamp>,
}

/// Kinds of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is named for the step")]
pub enum Step {
    Parse,
    CallBack,
    Resolve,
    Assess,
    Clarify,
    Instructions,
    Redirect,
    RedirectAnswer,
    AnswerGag,
    EndGag,
    ReviewGag,
    Notify,
    BarNotice,
    AnswerGround,
    DecideObjection,
    Narrow,
    Reject,
    Wait,
    Propose,
    Approve,
    Log,
    Release,
    Deliver,
    LateNotice,
    Preserve,
    EndSnapshot,
    ActApart,
    EndMeasure,
    ReviewEmergency,
    AssessBreach,
    Close,
}

fn owe(promise: Promise, step: Step, text: impl Into<String>) -> Owed {
    Owed {
        promise,
        step,
        text: text.into(),
        rule: None,
        by: None,
    }
}

pub(super) fn owed(case: &Case, now: Timestamp) -> Vec<Owed> {
    let file = case.file();
    let mut list = Vec::new();
    match case {
        Case::Closed(_) => return list,
        Case::AwaitingParse(_) => {
            list.push(owe(
                Promise::P14,
                Step::Parse,
                "read the bytes as a demand, or reject them",
            ));
            call_back(file, &mut list);
        }
        Case::AwaitingResolution(_) => {
            call_back(file, &mut list);
            gags(case, now, &mut list);
            list.push(owe(
                Promise::P6,
                Step::Resolve,
                "look up each subject of the demand",
            ));
        }
        Case::AwaitingAssessment(_) => {
            call_back(file, &mut list);
            gags(case, now, &mut list);
            list.push(owe(
                Promise::P5,
                Step::Assess,
                "apply the rulebook to the demand as it now stands",
            ));
        }
        Case::AwaitingProposal(_) => {
            before_release(case, now, &mut list);
            // Asking for what is missing holds nothing up by itself: where it does, a bar says so.
            // Nor does freezing what there is, where something can be released.
            let open = file
                .judged()
                .is_some_and(|judged| !judged.assessment.releasable.is_empty());
            let waits = |step| match step {
                Step::Clarify | Step::ReviewGag => false,
                Step::Preserve => !open,
                _ => true,
            };
            if !list.iter().any(|owed| waits(owed.step)) {
                list.push(owe(Promise::P13, Step::Propose, "draw up the release record"));
            }
        }
        Case::AwaitingApproval(state) => {
            before_release(case, now, &mut list);
            let signed = file
                .drawn(state.record())
                .map_or(0, |drawn| drawn.approvals.len().min(1));
            let text = if signed == 0 {
                "two reviewers sign the record"
            } else {
                "a second reviewer signs the record"
            };
            list.push(owe(Promise::P7, Step::Approve, text));
        }
        Case::AwaitingLog(_) => {
            before_release(case, now, &mut list);
            list.push(owe(Promise::P14, Step::Log, "enter the record in the docket"));
        }
        Case::AwaitingRelease(_) => {
            before_release(case, now, &mut list);
            list.push(owe(Promise::P4, Step::Release, "present the record to the gate"));
        }
        Case::AwaitingDelivery(_) => {
            late_notices(file, now, &mut list);
            list.push(owe(
                Promise::P14,
                Step::Deliver,
                "hand the package over and record its receipt",
            ));
        }
        Case::AwaitingClosure(_) => {
            gags(case, now, &mut list);
            late_notices(file, now, &mut list);
            further::before_closing(file, &mut list);
            if list.is_empty() {
                list.push(owe(Promise::P14, Step::Close, "close the case"));
            }
        }
    }
    list
}

/// Everything that the gate will ask for before it opens a key.
fn before_release(case: &Case, now: Timestamp, list: &mut Vec<Owed>) {
    let file = case.file();
    let Some(judged) = file.judged() else { return };
    let findings = &judged.assessment.findings;
    if matches!(file.redirect().answered, Some((_, RedirectOutcome::Accepted))) {
        list.push(owe(
            Promise::P8,
            Step::Close,
            "the requester goes to the customer: close the case as redirected",
        ));
        return;
    }
    if file.scope().accounts.is_empty() {
        list.push(owe(
            Promise::P6,
            Step::Reject,
            "no account is named: reject the demand, or close it as without data",
        ));
    } else if judged.assessment.releasable.is_empty() {
        let own = further::own_course(file, findings, now);
        list.push(own.unwrap_or_else(|| {
            owe(
                Promise::P5,
                Step::Reject,
                "every category is barred: reject the demand, naming the rules",
            )
        }));
    } else if let Some(owed) = further::preserve(file, findings) {
        list.push(owed);
    }
    call_back(file, list);
    for finding in findings {
        duty(file, finding, list);
        if let Some(clock) = finding
            .clock
            .as_ref()
            .filter(|c| c.kind == ClockKind::NotBefore && now < c.at)
        {
            list.push(Owed {
                rule: Some(finding.rule.clone()),
                by: Some(clock.at),
                ..owe(
                    finding.promise,
                    Step::Wait,
                    "nothing may be produced before this date",
                )
            });
        }
    }
    gags(case, now, list);
    notices(file, now, list);
    for tenant in file.untold_of_a_measure() {
        let listed = file.has_duty(DutyKind::NotifyTenant);
        if !listed && !file.notice_forbidden(NoticeTo::Tenant, &tenant, now) {
            let text = format!("tell `{tenant}` what was done on its account");
            list.push(owe(Promise::P9, Step::Notify, text));
        }
    }
    for (rule, course) in file.grounds() {
        ground(rule, course, findings, list);
    }
}

/// What came by e-mail is called back, whatever the law says of it.
fn call_back(file: &CaseFile, list: &mut Vec<Owed>) {
    if !file.needs_call_back() {
        return;
    }
    let text = if file.sender().is_some_and(SenderCheck::is_suspect) {
        "call the authority back on a number found independently: the e-mail's sender is doubtful"
    } else {
        "call the authority back on a number found independently: it came by e-mail"
    };
    list.push(owe(Promise::P7, Step::CallBack, text));
}

fn duty(file: &CaseFile, finding: &Finding, list: &mut Vec<Owed>) {
    let Some(duty) = finding.duty else { return };
    let step = match duty {
        DutyKind::CallBack if file.requester() != RequesterCheck::Confirmed && !file.needs_call_back() => (
            Step::CallBack,
            "call the authority back on a number found independently",
        ),
        DutyKind::Redirect if !file.redirect().barred.is_empty() => return,
        DutyKind::Redirect if file.redirect().answered.is_some() => return,
        DutyKind::Redirect if file.redirect().asked.is_some() => (
            Step::RedirectAnswer,
            "record the requester's answer to the redirect, or that none came",
        ),
        DutyKind::Redirect => (Step::Redirect, "ask the requester to go to the customer"),
        DutyKind::Clarify => (
            Step::Clarify,
            "ask the requester for what is missing, and enter the corrected demand",
        ),
        DutyKind::ControllerInstructions
            if file
                .facts()
                .is_some_and(|facts| facts.controller_consents.is_none()) =>
        {
            (Step::Instructions, "obtain the controller's instructions")
        }
        DutyKind::CallBack
        | DutyKind::ControllerInstructions
        | DutyKind::Preserve
        | DutyKind::NotifyTenant
        | DutyKind::NotifyTenantAfterwards
        | DutyKind::DoNotTellTenant
        | DutyKind::DoNotTellPerson
        | DutyKind::ObjectToGag
        | DutyKind::ActApart
        | DutyKind::SeniorReview => return,
    };
    let awaited = file.redirect().answer_by;
    list.push(Owed {
        rule: Some(finding.rule.clone()),
        by: awaited.filter(|_| step.0 == Step::RedirectAnswer),
        ..owe(finding.promise, step.0, step.1)
    });
}

fn gags(case: &Case, now: Timestamp, list: &mut Vec<Owed>) {
    let file = case.file();
    reviews(case, now, list);
    for _ in file.gags_run_out(now).take(1) {
        list.push(owe(
            Promise::P9,
            Step::EndGag,
            "a gag has run out: record its end",
        ));
    }
    if file.silence_unanswered() {
        let text = "object to the prohibition of notice, or have counsel sign why there is no ground to";
        list.push(owe(Promise::P10, Step::AnswerGag, text));
    }
    for entry in file
        .gags()
        .iter()
        .filter(|gag| gag.objected.is_none() && gag.unopposed.is_empty())
    {
        list.push(owe(
            Promise::P10,
            Step::AnswerGag,
            format!(
                "object to the gag of event {}, or have counsel sign why there is no ground to",
                entry.seq
            ),
        ));
    }
}

/// Silences without a last day, from a while before the day on which somebody must look at them again.
fn reviews(case: &Case, now: Timestamp, list: &mut Vec<Owed>) {
    let soon = now.checked_add(super::due::REVIEW_NOTICE).unwrap_or(now);
    let dates = case.dates();
    let due = dates
        .iter()
        .filter(|due| due.kind == ClockKind::ReviewBy && due.at <= soon);
    for due in due {
        list.push(Owed {
            rule: Some(due.rule.clone()),
            by: Some(due.at),
            ..owe(
                Promise::P10,
                Step::ReviewGag,
                "look whether a silence without a last day must go on, and ask for its end",
            )
        });
    }
}

fn notices(file: &CaseFile, now: Timestamp, list: &mut Vec<Owed>) {
    if !file.has_duty(DutyKind::NotifyTenant) && !file.has_duty(DutyKind::DoNotTellTenant) {
        return;
    }
    let tenants: std::collections::BTreeSet<TenantId> = file
        .scope()
        .accounts
        .into_iter()
        .map(|(tenant, _)| tenant)
        .collect();
    for tenant in tenants.iter().filter(|tenant| !file.tenant_told(tenant)) {
        let gagged = file.notice_forbidden(NoticeTo::Tenant, tenant, now);
        let barred = file
            .notice_bars()
            .iter()
            .any(|bar| bar.to == NoticeTo::Tenant && bar.tenant == *tenant);
        match (gagged, barred) {
            (false, _) => {
                list.push(owe(
                    Promise::P9,
                    Step::Notify,
                    format!("tell `{tenant}` before anything is released"),
                ));
            }
            (true, false) => {
                let text = format!("record that a gag keeps `{tenant}` from being told");
                list.push(owe(Promise::P9, Step::BarNotice, text));
            }
            (true, true) => {}
        }
    }
}

/// Notices that a gag held up until after the release.
fn late_notices(file: &CaseFile, now: Timestamp, list: &mut Vec<Owed>) {
    for tenant in file
        .tenants_released()
        .into_iter()
        .filter(|tenant| file.owes_notice_to(tenant) && !file.tenant_told(tenant))
    {
        if !file.notice_forbidden(NoticeTo::Tenant, tenant, now) {
            list.push(owe(
                Promise::P9,
                Step::LateNotice,
                format!("tell `{tenant}` now: nothing forbids it any more"),
            ));
        } else {
            list.push(Owed {
                by: file
                    .gags()
                    .iter()
                    .filter(|gag| !gag.is_lifted())
                    .filter_map(|gag| file.gag_end(gag))
                    .max(),
                ..owe(
                    Promise::P9,
                    Step::Wait,
                    format!("tell `{tenant}` when the gag ends"),
                )
            });
        }
    }
}

fn ground(rule: &RuleId, course: &GroundCourse, findings: &[Finding], list: &mut Vec<Owed>) {
    let found_now = findings.iter().any(|finding| finding.rule == *rule);
    let step = match course.decided {
        _ if course.is_under_appeal() => Some((
            Step::DecideObjection,
            format!("record the decision on the appeal about `{rule}`"),
        )),
        Some((_, Decision::Won)) => {
            let text = format!("`{rule}` was upheld: narrow it away, or close the case");
            let covers = findings
                .iter()
                .any(|f| f.rule == *rule && !f.categories.is_empty());
            if covers { Some((Step::Narrow, text)) } else { None }
        }
        Some((seq, Decision::Partly)) if course.narrowed.is_none_or(|narrowed| narrowed < seq) => Some((
            Step::Narrow,
            format!("`{rule}` was upheld in part: narrow the scope accordingly"),
        )),
        Some(_) => None,
        None if !course.answers.is_empty() => None,
        None if course.settled.is_some() && !found_now => None,
        None if course.filed.is_some() => Some((
            Step::DecideObjection,
            format!("record the decision on the objection to `{rule}`"),
        )),
        None => Some((
            Step::AnswerGround,
            format!("object on `{rule}`, settle it by narrowing, or have counsel sign why not"),
        )),
    };
    if let Some((step, text)) = step {
        let by = findings
            .iter()
            .filter_map(|finding| finding.clock.as_ref())
            .filter(|clock| clock.kind == ClockKind::ObjectBy)
            .map(|clock| clock.at)
            .min();
        list.push(Owed {
            rule: Some(rule.clone()),
            by,
            ..owe(course.promise, step, text)
        });
    }
}
