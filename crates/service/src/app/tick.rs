//! What the desk does by itself as time passes: demands left unread by a crash, gags that run out, notices that nothing
//! forbids any more, dates of the law that pass.

use casework::{
    case::{Due, Owed, Step},
    demand::NoticeTo,
    event::{Actor, Body, RedirectOutcome},
    ids::{CaseId, TenantId},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Desk, DeskError, Result,
    course::{Plan, own_notice_owed, progress},
    preserving::Kept,
};

/// Most cases that one tick looks at; the rest wait for the next.
pub const TICK_CASES_MAX: usize = 1_000;

/// Most dates of one case that one tick records.
const DATES_MAX: usize = 100;

/// A snapshot that waits for a demand that follows is looked at again after this long.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// A case that could not be advanced is looked at again after this long.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What a tick did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Cases looked at.
    pub looked_at: usize,
    /// Gags whose end was recorded.
    pub gags_ended: Vec<CaseId>,
    /// Notices sent because nothing forbids them any more.
    pub notices: Vec<(CaseId, TenantId)>,
    /// Dates of the law that passed, each recorded once.
    pub fell_due: Vec<(CaseId, Due)>,
    /// Redirects to which no answer came in the time given.
    pub redirects_unanswered: Vec<CaseId>,
    /// Snapshots whose time was over.
    pub snapshots_ended: Vec<CaseId>,
    /// What is owed and past its day.
    pub overdue: Vec<(CaseId, Owed)>,
    /// Cases that could not be advanced; they are tried again later.
    pub failed: Vec<CaseId>,
}

impl Desk {
    /// Shows the gate every case of which something is sealed in a customer's access ledger, and whose gags let that customer
    /// be told by now.
    async fn unseal(&self, now: Timestamp, done: &mut Ticked) -> Result<()> {
        let mut after = None;
        for _ in 0..TICK_CASES_MAX {
            let cases = self.parts.gate.sealed(after).await?;
            let Some(last) = cases.last() else { break };
            after = Some(*last);
            for case in cases {
                // A gate that serves several desks tells of cases that are not this one's.
                if let Err(error) = self.show_for_unsealing(case, now).await
                    && !matches!(error, DeskError::NotFound { .. })
                {
                    tracing::warn!(%case, code = error.code(), "a case's ledger entries stay sealed");
                    done.failed.push(case);
                }
            }
        }
        Ok(())
    }

    async fn show_for_unsealing(&self, case: CaseId, now: Timestamp) -> Result<()> {
        self.parts.cases.case(case).await?;
        let chain = self.chain(case).await?;
        let file = chain.case().file();
        let may_be_told = |bar: &casework::case::Notice| {
            bar.to == NoticeTo::Tenant && !file.notice_forbidden(NoticeTo::Tenant, &bar.tenant, now)
        };
        if file.notice_bars().iter().any(may_be_told) {
            self.parts.gate.unseal(case, chain.events().to_vec()).await?;
        }
        Ok(())
    }

    /// Does whatever has fallen due by `now`. Safe to call as often as one likes, and after any crash.
    ///
    /// # Errors
    /// When the list of cases cannot be read; a case that fails is listed and does not hold up the others.
    pub async fn tick(&self, now: Timestamp) -> Result<Ticked> {
        let mut done = Ticked::default();
        while done.looked_at < TICK_CASES_MAX {
            let due = self.parts.cases.due(now).await?;
            if due.is_empty() {
                break;
            }
            for case in due {
                done.looked_at = done.looked_at.saturating_add(1);
                if let Err(error) = self.advance(case, now, &mut done).await {
                    tracing::warn!(%case, code = error.code(), "a case could not be advanced");
                    done.failed.push(case);
                    let later = now.checked_add(RETRY_AFTER).unwrap_or(Timestamp::MAX);
                    let length = self.parts.cases.case(case).await?.length;
                    self.parts.cases.set_wake(case, length, Some(later)).await?;
                }
            }
        }
        self.unseal(now, &mut done).await?;
        Ok(done)
    }

    async fn advance(&self, case: CaseId, now: Timestamp, done: &mut Ticked) -> Result<()> {
        self.read(case).await?;
        self.end_gags(case, now, done).await?;
        self.send_notices(case, now, done).await?;
        self.note_dates(case, now, done).await?;
        self.end_redirect(case, now, done).await?;
        let kept = self.end_due_snapshot(case, now).await?;
        if kept == Kept::Ended {
            done.snapshots_ended.push(case);
        }
        let chain = self.chain(case).await?;
        let past = chain
            .case()
            .owed(now)
            .into_iter()
            .filter(|owed| owed.by.is_some_and(|by| by <= now));
        done.overdue.extend(
            past.filter(|owed| owed.step != Step::Wait)
                .map(|owed| (case, owed)),
        );
        // Whatever is still due now waits for a person; looking again before the next date changes nothing.
        let mut next = progress(&chain, now).wake_at.filter(|at| *at > now);
        if kept == Kept::WaitsForAnother {
            let soon = now.checked_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
            next = Some(next.map_or(soon, |next| next.min(soon)));
        }
        self.parts.cases.set_wake(case, chain.length(), next).await?;
        Ok(())
    }

    /// Records that no answer to a redirect came in the time given (P8).
    async fn end_redirect(&self, case: CaseId, now: Timestamp, done: &mut Ticked) -> Result<()> {
        let ended = self
            .step(case, |chain| {
                let redirect = chain.case().file().redirect();
                let over = redirect.answer_by.is_some_and(|by| by <= now) && redirect.answered.is_none();
                let open = !matches!(chain.case(), casework::case::Case::Closed(_));
                Ok((over && open && redirect.asked.is_some()).then(|| {
                    let outcome = RedirectOutcome::Unanswered;
                    Plan::new(Actor::System, Body::RedirectAnswered { outcome })
                }))
            })
            .await?;
        if ended.is_some() {
            done.redirects_unanswered.push(case);
        }
        Ok(())
    }

    async fn end_gags(&self, case: CaseId, now: Timestamp, done: &mut Ticked) -> Result<()> {
        let ended = self
            .step(case, |chain| {
                let file = chain.case().file();
                let run_out: Vec<String> = file
                    .gags_run_out(now)
                    .filter_map(|gag| gag.until())
                    .map(|day| format!("its last day, {day}, has passed"))
                    .collect();
                Ok((!run_out.is_empty()).then(|| {
                    let body = Body::GagEnded {
                        reason: run_out.join("; "),
                        gag: None,
                    };
                    Plan::new(Actor::System, body)
                }))
            })
            .await?;
        if ended.is_some() {
            done.gags_ended.push(case);
        }
        Ok(())
    }

    /// Records each date that passed. The chain itself refuses it twice, so a crash or a second desk changes nothing.
    async fn note_dates(&self, case: CaseId, now: Timestamp, done: &mut Ticked) -> Result<()> {
        for _ in 0..DATES_MAX {
            let mut noted = None;
            self.step(case, |chain| {
                noted = chain.case().fallen_due(now).into_iter().next();
                Ok(noted.as_ref().map(|due| {
                    let body = Body::FellDue {
                        rule: due.rule.clone(),
                        what: due.kind,
                        due: due.at,
                    };
                    Plan::new(Actor::System, body)
                }))
            })
            .await?;
            match noted {
                Some(due) => done.fell_due.push((case, due)),
                None => break,
            }
        }
        Ok(())
    }

    async fn send_notices(&self, case: CaseId, now: Timestamp, done: &mut Ticked) -> Result<()> {
        let chain = self.chain(case).await?;
        if !own_notice_owed(chain.case(), now) {
            return Ok(());
        }
        let file = chain.case().file();
        let mut tenants: Vec<TenantId> = file.tenants_released().into_iter().cloned().collect();
        let barred = file.notice_bars().iter().filter(|bar| bar.to == NoticeTo::Tenant);
        tenants.extend(barred.map(|bar| bar.tenant.clone()));
        tenants.sort();
        tenants.dedup();
        for tenant in tenants {
            // Asked of the chain on which it is written: a process that is slow to die may have told them since.
            let told = self
                .step(case, |chain| {
                    let file = chain.case().file();
                    if file.tenant_told(&tenant) || file.notice_forbidden(NoticeTo::Tenant, &tenant, now) {
                        return Ok(None);
                    }
                    let how = "letter, written when the gag had ended";
                    let plan = self.notice(chain, case, &Actor::System, &tenant, how, now)?;
                    Ok(Some(plan))
                })
                .await?;
            if told.is_some() {
                done.notices.push((case, tenant));
            }
        }
        Ok(())
    }
}
