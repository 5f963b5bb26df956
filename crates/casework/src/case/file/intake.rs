//! Taking events in: how each one changes the case file. What may follow what is [`crate::case::NotNow`]'s matter.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    Approval, CaseFile, Drawn, Further, GagEntry, GroundCourse, Judged, Notice, Reasoned, RedirectCourse,
};
use crate::{
    case::NotNow,
    demand::{Extension, GAGS_MAX, Gag, PAUSES_MAX, Pause},
    event::{Body, Decision, Event, Scope},
    facts::{Facts, RequesterCheck, Resolution},
    finding::{Assessment, Effect, Promise},
    ids::{Digest, RecordId, RuleId, TenantId},
};

impl CaseFile {
    pub(in crate::case) fn open(event: &Event, hash: Digest) -> Result<Self, NotNow> {
        let Body::Received { channel, .. } = &event.body else {
            return Err(NotNow {
                promise: Promise::P14,
                reason: "a case begins with the demand's receipt".to_owned(),
                hint: "record the bytes received first",
            });
        };
        Ok(Self {
            case: event.header.case,
            head: hash,
            length: 1,
            channel: Some(*channel),
            sender: None,
            entered_by: event.body.entered_by(&event.header.actor).cloned().collect(),
            demand: None,
            facts: None,
            requester: RequesterCheck::Unchecked,
            narrowed_to: None,
            judged: None,
            assessment_is_current: false,
            grounds: BTreeMap::new(),
            redirect: RedirectCourse::default(),
            gags: Vec::new(),
            gags_objected: None,
            gags_unopposed: Vec::new(),
            pauses: Vec::new(),
            extensions: Vec::new(),
            silence_reviewed_on: None,
            silence_objected_on: None,
            production_follows: false,
            fallen: BTreeSet::new(),
            notices: Vec::new(),
            notice_bars: Vec::new(),
            drawn: Vec::new(),
            pending: None,
            ended: false,
            further: Further::default(),
        })
    }

    pub(in crate::case) fn lapse(&mut self) {
        self.pending = None;
    }

    fn drawn_mut(&mut self, record: RecordId) -> Option<&mut Drawn> {
        self.drawn.iter_mut().find(|drawn| drawn.record.id == record)
    }

    /// Takes in an event that [`super::order::may`] allowed. True where the case must be considered afresh: a release
    /// on its way lapses.
    pub(in crate::case) fn take_in(&mut self, event: &Event, hash: Digest) -> bool {
        let (seq, at) = (event.header.seq, event.header.at);
        self.head = hash;
        self.length = self.length.saturating_add(1);
        self.further.take_in(event);
        match &event.body {
            Body::Parsed { demand } => {
                self.entered_by
                    .extend(event.body.entered_by(&event.header.actor).cloned());
                self.begin_anew(at);
                for gag in demand.gags() {
                    self.enter_gag(seq, gag, None);
                }
                self.demand = Some(demand.as_ref().clone());
                self.changed()
            }
            Body::Resolved { facts } => {
                // The requester was asked to go to these customers, not to others.
                if self
                    .facts
                    .as_ref()
                    .is_some_and(|before| tenants(before) != tenants(facts))
                {
                    self.redirect = RedirectCourse::default();
                }
                self.facts = Some(facts.clone());
                self.changed()
            }
            Body::SenderChecked { check } => {
                self.sender = Some(check.as_ref().clone());
                false
            }
            Body::RequesterChecked { outcome, .. } => {
                self.requester = *outcome;
                self.changed()
            }
            Body::Narrowed { scope, settles, .. } => {
                self.narrow(seq, scope, settles);
                self.changed()
            }
            Body::GagRecorded { gag, document } => self.enter_gag(seq, gag, *document) && self.changed(),
            Body::GagReviewed { .. } => {
                self.silence_reviewed_on = Some(day_of(at));
                self.changed()
            }
            Body::Extended { clock, on, until, .. } => {
                self.extensions.push(Extension {
                    clock: clock.clone(),
                    on: *on,
                    until: *until,
                });
                self.changed()
            }
            Body::ProductionConfirmed { .. } => {
                self.production_follows = true;
                self.changed()
            }
            Body::FellDue { rule, due, .. } => {
                self.fallen.insert((rule.clone(), *due));
                false
            }
            Body::Assessed { assessment } => {
                self.assessed(seq, assessment);
                true
            }
            Body::ObjectionFiled { grounds, .. } | Body::NotExecuted { grounds, .. } => {
                self.for_grounds(grounds, |course| course.filed = Some(seq));
                self.open_pauses(grounds, at);
                true
            }
            Body::ObjectionDecided { grounds, outcome, .. } => {
                self.for_grounds(grounds, |course| course.decided = Some((seq, *outcome)));
                self.end_pauses(at, |by| grounds.contains(by));
                true
            }
            Body::Appealed { grounds, .. } => {
                self.for_grounds(grounds, |course| course.appealed = Some(seq));
                true
            }
            Body::GroundAnswered {
                ground,
                reason,
                signature,
            } => {
                let answer = reasoned(event, self.matter(ground.as_str()), reason, signature);
                if let Some(course) = self.grounds.get_mut(ground) {
                    course.answers.push(answer);
                }
                // An objection that is not pursued lets the clocks run on.
                self.end_pauses(at, |by| by == ground);
                false
            }
            Body::Redirected { answer_by, .. } => {
                self.redirect.asked = Some(seq);
                self.redirect.answer_by = *answer_by;
                self.redirect.answered = None;
                true
            }
            Body::RedirectAnswered { outcome } => {
                self.redirect.answered = Some((seq, *outcome));
                true
            }
            Body::RedirectBarred { reason, signature } => {
                let barred = reasoned(event, self.matter("redirect"), reason, signature);
                self.redirect.barred.push(barred);
                false
            }
            Body::Withdrawn { .. } | Body::Rejected { .. } | Body::Superseded { .. } => {
                self.ended = true;
                self.pending = None;
                false
            }
            Body::Reopened { .. } => {
                self.ended = false;
                self.changed()
            }
            Body::NoticeFailed { to, tenant, .. } => {
                self.notices
                    .retain(|notice| notice.to != *to || notice.tenant != *tenant);
                true
            }
            other => {
                self.take_in_gag_or_notice(event, other, at);
                self.take_in_release(seq, other);
                false
            }
        }
    }

    fn take_in_gag_or_notice(&mut self, event: &Event, body: &Body, at: Timestamp) {
        let seq = event.header.seq;
        match body {
            Body::GagObjected { gag, .. } => {
                self.gags_objected = Some(seq);
                self.silence_objected_on.get_or_insert(day_of(at));
                self.gags
                    .iter_mut()
                    .filter(|g| g.objected.is_none() && gag.is_none_or(|number| number == g.seq))
                    .for_each(|g| g.objected = Some(seq));
            }
            Body::GagUnopposed { reason, signature } => {
                let answer = reasoned(event, self.matter("gag"), reason, signature);
                self.gags_unopposed.push(answer.clone());
                self.gags
                    .iter_mut()
                    .for_each(|g| g.unopposed.push(answer.clone()));
            }
            Body::GagDecided { outcome, until, gag } => {
                let meant = |g: &&mut GagEntry| {
                    g.objected.is_some() && !g.ended && gag.is_none_or(|number| number == g.seq)
                };
                for entry in self.gags.iter_mut().filter(meant) {
                    entry.decision = Some(*outcome);
                    if *outcome == Decision::Won {
                        entry.lifted_on.get_or_insert(day_of(at));
                    }
                    entry.shortened_to = until.or(entry.shortened_to);
                }
            }
            Body::GagEnded { gag, .. } => self.end_gags(at, *gag),
            Body::Notified { to, tenant, late, .. } => {
                self.notices.push(Notice {
                    seq,
                    to: *to,
                    tenant: tenant.clone(),
                    late: *late,
                });
            }
            Body::NoticeBarred { to, tenant, .. } => {
                self.notice_bars.push(Notice {
                    seq,
                    to: *to,
                    tenant: tenant.clone(),
                    late: false,
                });
            }
            _ => {}
        }
    }

    fn take_in_release(&mut self, seq: u64, body: &Body) {
        match body {
            Body::Proposed { record } => {
                self.pending = Some(record.id);
                self.drawn.push(Drawn {
                    seq,
                    record: record.clone(),
                    approvals: Vec::new(),
                    logged: None,
                    flags: Vec::new(),
                    more_flags: 0,
                    released: None,
                    delivered: None,
                });
            }
            Body::Approved {
                record,
                reviewer,
                signature,
            } => {
                if let Some(drawn) = self.drawn_mut(*record) {
                    drawn.approvals.push(Approval {
                        seq,
                        reviewer: reviewer.clone(),
                        signature: signature.clone(),
                    });
                }
            }
            Body::Logged { record, index } => {
                if let Some(drawn) = self.drawn_mut(*record) {
                    drawn.logged = Some(*index);
                }
            }
            Body::PackageFlagged { record, flags, more } => {
                if let Some(drawn) = self.drawn_mut(*record) {
                    drawn.flags.clone_from(flags);
                    drawn.more_flags = *more;
                }
            }
            Body::Released { record, .. } => {
                self.pending = None;
                if let Some(drawn) = self.drawn_mut(*record) {
                    drawn.released = Some(seq);
                }
            }
            Body::Delivered { record, .. } => {
                if let Some(drawn) = self.drawn_mut(*record) {
                    drawn.delivered = Some(seq);
                }
            }
            _ => {}
        }
    }

    /// A demand read anew is another demand: who was called back, asked, told and answered was so about the one before.
    /// Gags and grounds stay, for they may bind and must end all the same; what was done about them counts no more.
    fn begin_anew(&mut self, at: Timestamp) {
        // A corrected demand is the answer to whatever was asked.
        self.end_pauses(at, |_| true);
        self.facts = None;
        self.requester = RequesterCheck::Unchecked;
        self.narrowed_to = None;
        self.redirect = RedirectCourse::default();
        self.notices.clear();
        self.notice_bars.clear();
        self.gags_objected = None;
        self.gags_unopposed.clear();
        for entry in &mut self.gags {
            entry.objected = None;
            entry.unopposed.clear();
        }
        for course in self.grounds.values_mut() {
            course.filed = None;
            course.decided = None;
            course.appealed = None;
            course.settled = None;
            course.narrowed = None;
            course.answers.clear();
        }
    }

    /// What an assessment rests on changed: it has to be made again.
    fn changed(&mut self) -> bool {
        self.assessment_is_current = false;
        true
    }

    fn assessed(&mut self, seq: u64, assessment: &Assessment) {
        let last_gag = self.gags.iter().map(|entry| entry.seq).max();
        for finding in assessment
            .findings
            .iter()
            .filter(|finding| finding.effect == Effect::Ground)
        {
            let course = self
                .grounds
                .entry(finding.rule.clone())
                .or_insert_with(|| GroundCourse::found(seq, finding));
            course.categories.extend(&finding.categories);
            // What was filed or answered against one gag says nothing of a gag that came later.
            if !finding.gags.is_empty()
                && last_gag.is_some_and(|gag| course.last_dealt_with().is_some_and(|dealt| dealt < gag))
            {
                *course = GroundCourse::found(seq, finding);
            }
        }
        self.assessment_is_current = true;
        let gags = self.gags_judged().into_iter().map(|(seq, _)| seq).collect();
        self.judged = self.as_it_stands().map(|(demand, facts)| Judged {
            seq,
            assessment: assessment.clone(),
            demand,
            facts,
            gags,
        });
    }

    fn open_pauses(&mut self, grounds: &[RuleId], at: Timestamp) {
        for by in grounds {
            let open = self
                .pauses
                .iter()
                .any(|pause| pause.by == *by && pause.until.is_none());
            if !open && self.pauses.len() < PAUSES_MAX {
                self.pauses.push(Pause {
                    by: by.clone(),
                    from: at,
                    until: None,
                });
            }
        }
    }

    fn end_pauses(&mut self, at: Timestamp, which: impl Fn(&RuleId) -> bool) {
        for pause in self.pauses.iter_mut().filter(|pause| which(&pause.by)) {
            pause.until.get_or_insert(at);
        }
    }

    fn narrow(&mut self, seq: u64, scope: &Scope, settles: &[RuleId]) {
        self.narrowed_to = Some(scope.clone());
        for (rule, course) in &mut self.grounds {
            course.narrowed = Some(seq);
            if settles.contains(rule) {
                course.settled = Some(seq);
            }
        }
    }

    fn for_grounds(&mut self, rules: &[RuleId], mut f: impl FnMut(&mut GroundCourse)) {
        for rule in rules {
            if let Some(course) = self.grounds.get_mut(rule) {
                f(course);
            }
        }
    }

    /// False where the ledger has this very gag already: entering the demand's own a second time changes nothing, and
    /// brings nothing back that a court lifted or that ran out.
    fn enter_gag(&mut self, seq: u64, gag: &Gag, document: Option<Digest>) -> bool {
        if self.gags.len() >= GAGS_MAX || self.gags.iter().any(|entry| entry.gag == *gag) {
            return false;
        }
        let taken = self.gags.iter().filter(|entry| entry.seq >= seq).count();
        self.gags.push(GagEntry {
            seq: seq.saturating_add(u64::try_from(taken).unwrap_or(0)),
            gag: gag.clone(),
            document,
            objected: None,
            unopposed: Vec::new(),
            decision: None,
            shortened_to: None,
            ended: false,
            lifted_on: None,
        });
        true
    }

    /// Ends the gag named; where none is, those whose own date has come; where none has, a court or the authority ended
    /// the only one that stood.
    fn end_gags(&mut self, at: Timestamp, gag: Option<u64>) {
        let run_out: BTreeSet<u64> = self.gags_run_out(at).map(|entry| entry.seq).collect();
        for entry in &mut self.gags {
            let meant = match gag {
                Some(number) => entry.seq == number,
                None => run_out.is_empty() || run_out.contains(&entry.seq),
            };
            if meant {
                entry.ended = true;
                entry.lifted_on.get_or_insert(day_of(at));
            }
        }
    }
}

/// The day of an instant, in UTC.
fn day_of(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

fn tenants(facts: &Facts) -> BTreeSet<&TenantId> {
    let ones = facts.resolved.iter().filter_map(|resolution| match resolution {
        Resolution::One(one) => Some(&one.tenant),
        _ => None,
    });
    ones.collect()
}

fn reasoned(event: &Event, matter: Option<Digest>, reason: &str, signature: &str) -> Reasoned {
    Reasoned {
        seq: event.header.seq,
        by: event.header.actor.clone(),
        matter,
        reason: reason.to_owned(),
        signature: signature.to_owned(),
    }
}
