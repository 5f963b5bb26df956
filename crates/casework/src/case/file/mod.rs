//! The case file: what the events have said so far, gathered once while replaying. It judges nothing; signatures and
//! the rulebook are the promises' matter.

mod further;
mod intake;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};

pub use further::{BREACH_NOTICE_WITHIN, Costs, FailedNotice, Further, MeasureCourse, Snapshot};

use super::scope;
use crate::{
    canonical,
    demand::{Category, Demand, Extension, Gag, NoticeTo, Pause, Sequel},
    event::{Actor, Channel, Decision, PackageFlag, RedirectOutcome, Scope},
    facts::{Facts, RequesterCheck},
    finding::{Assessment, DutyKind, Finding, Promise},
    ids::{CaseId, Digest, RecordId, RuleId, StaffId, TenantId},
    record::ReleaseRecord,
    sender::SenderCheck,
};

/// Everything recorded in a case, in the shape in which the promises ask for it. `seq` is always the event's own.
#[derive(Debug, Clone)]
pub struct CaseFile {
    case: CaseId,
    head: Digest,
    length: u64,
    channel: Option<Channel>,
    sender: Option<SenderCheck>,
    entered_by: BTreeSet<StaffId>,
    demand: Option<Demand>,
    facts: Option<Facts>,
    requester: RequesterCheck,
    narrowed_to: Option<Scope>,
    judged: Option<Judged>,
    assessment_is_current: bool,
    grounds: BTreeMap<RuleId, GroundCourse>,
    redirect: RedirectCourse,
    gags: Vec<GagEntry>,
    gags_objected: Option<u64>,
    gags_unopposed: Vec<Reasoned>,
    /// Questions and objections, from their filing to their end.
    pauses: Vec<Pause>,
    extensions: Vec<Extension>,
    silence_reviewed_on: Option<Date>,
    silence_objected_on: Option<Date>,
    production_follows: bool,
    /// Dates that passed, by rule: each is recorded once.
    fallen: BTreeSet<(RuleId, Timestamp)>,
    notices: Vec<Notice>,
    notice_bars: Vec<Notice>,
    drawn: Vec<Drawn>,
    pending: Option<RecordId>,
    ended: bool,
    further: Further,
}

/// The last assessment, with the demand and facts to which it was applied.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Event that recorded it.
    pub seq: u64,
    /// What was found.
    pub assessment: Assessment,
    /// The demand as it stood.
    pub demand: Demand,
    /// The facts as they stood.
    pub facts: Facts,
    /// Events that brought the gags it was applied to, in the demand's order: findings name them by their place.
    pub gags: Vec<u64>,
}

/// A ground to object, from the assessment that found it to its end (P11, P12).
#[derive(Debug, Clone)]
pub struct GroundCourse {
    /// The promise it serves.
    pub promise: Promise,
    /// Every category that any assessment said it touches.
    pub categories: BTreeSet<Category>,
    /// First event that found it.
    pub found: u64,
    /// Event of the last objection filed on it.
    pub filed: Option<u64>,
    /// The last decision on it, and its event.
    pub decided: Option<(u64, Decision)>,
    /// Event of the last appeal against a decision on it.
    pub appealed: Option<u64>,
    /// Event of the last narrowing said to settle it.
    pub settled: Option<u64>,
    /// Event of the last narrowing of any kind after it was found.
    pub narrowed: Option<u64>,
    /// Counsel's reasons not to pursue it.
    pub answers: Vec<Reasoned>,
}

/// A reason signed by counsel, not yet verified.
#[derive(Debug, Clone)]
pub struct Reasoned {
    /// Event that recorded it.
    pub seq: u64,
    /// Who recorded it: the signature must be this counsel's.
    pub by: Actor,
    /// What it was about when it was recorded: [`CaseFile::matter`].
    pub matter: Option<Digest>,
    /// The reason.
    pub reason: String,
    /// Base64.
    pub signature: String,
}

/// The course of the redirect (P8).
#[derive(Debug, Clone, Default)]
pub struct RedirectCourse {
    /// Event of the last attempt.
    pub asked: Option<u64>,
    /// Until when the answer is awaited.
    pub answer_by: Option<Timestamp>,
    /// The last answer, and its event.
    pub answered: Option<(u64, RedirectOutcome)>,
    /// Counsel's reasons against asking.
    pub barred: Vec<Reasoned>,
}

/// One gag in the case's ledger (P10).
#[derive(Debug, Clone)]
pub struct GagEntry {
    /// Event that brought it: the demand's own, or one recorded later. Of several that one event brought, the next numbers
    /// are the others', so that each has one of its own.
    pub seq: u64,
    /// The gag.
    pub gag: Gag,
    /// SHA-256 of the order, where it came as one of its own.
    pub document: Option<Digest>,
    /// Event of the objection to it.
    pub objected: Option<u64>,
    /// Counsel's reasons against objecting.
    pub unopposed: Vec<Reasoned>,
    /// The decision on the objection.
    pub decision: Option<Decision>,
    /// Its last day, where a decision shortened it.
    pub shortened_to: Option<Date>,
    /// Its end was recorded.
    pub ended: bool,
    /// The day (UTC) on which it was struck down or its end was recorded.
    pub lifted_on: Option<Date>,
}

/// A notice given, or one that is barred.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Its event.
    pub seq: u64,
    /// Whom it is for.
    pub to: NoticeTo,
    /// Tenant concerned.
    pub tenant: TenantId,
    /// Given after the release.
    pub late: bool,
}

/// A release that was drawn up, and what became of it.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// Event that proposed it.
    pub seq: u64,
    /// The record.
    pub record: Box<ReleaseRecord>,
    /// Signatures, not yet verified.
    pub approvals: Vec<Approval>,
    /// Its index in the docket.
    pub logged: Option<u64>,
    /// What somebody must know of its package.
    pub flags: Vec<PackageFlag>,
    /// How many flags there were more.
    pub more_flags: u64,
    /// Event of its release.
    pub released: Option<u64>,
    /// Event of its delivery.
    pub delivered: Option<u64>,
}

/// One reviewer's signature, not yet verified.
#[derive(Debug, Clone)]
pub struct Approval {
    /// Its event.
    pub seq: u64,
    /// Who is said to have signed.
    pub reviewer: StaffId,
    /// Base64.
    pub signature: String,
}

impl Drawn {
    /// Whether two different people are named as having signed.
    pub fn has_two_reviewers(&self) -> bool {
        let mut names = self.approvals.iter().map(|approval| &approval.reviewer);
        names
            .next()
            .is_some_and(|first| names.any(|other| other != first))
    }
}

impl CaseFile {
    /// The case's id.
    pub fn id(&self) -> CaseId {
        self.case
    }
    /// Hash of the last event.
    pub fn head(&self) -> Digest {
        self.head
    }
    /// Number of events.
    pub fn length(&self) -> u64 {
        self.length
    }
    /// Staff who entered the demand or typed it in: never its reviewers (P7).
    pub fn entered_by(&self) -> &BTreeSet<StaffId> {
        &self.entered_by
    }
    /// The demand as parsed, before any narrowing.
    pub fn demand(&self) -> Option<&Demand> {
        self.demand.as_ref()
    }
    /// The facts as last resolved.
    pub fn facts(&self) -> Option<&Facts> {
        self.facts.as_ref()
    }
    /// The last check of who asks. What a `Resolved` event claims about it does not count.
    pub fn requester(&self) -> RequesterCheck {
        self.requester
    }
    /// By which road the demand came.
    pub fn channel(&self) -> Option<Channel> {
        self.channel
    }
    /// What was checked of an e-mail's sender when it came.
    pub fn sender(&self) -> Option<&SenderCheck> {
        self.sender.as_ref()
    }
    /// Whether nothing may be released before the authority was called back and confirmed: of every demand that came by
    /// e-mail, however good its signatures, for a mailbox that was honest yesterday may be stolen today (P7).
    pub fn needs_call_back(&self) -> bool {
        self.channel == Some(Channel::Email) && self.requester != RequesterCheck::Confirmed
    }
    /// The last assessment, current or not.
    pub fn judged(&self) -> Option<&Judged> {
        self.judged.as_ref()
    }
    /// The last assessment, if nothing it rests on has changed since.
    pub fn current_assessment(&self) -> Option<&Judged> {
        self.judged.as_ref().filter(|_| self.assessment_is_current)
    }
    /// Every ground that any assessment found.
    pub fn grounds(&self) -> &BTreeMap<RuleId, GroundCourse> {
        &self.grounds
    }
    /// The redirect's course.
    pub fn redirect(&self) -> &RedirectCourse {
        &self.redirect
    }
    /// Every gag, the demand's own first.
    pub fn gags(&self) -> &[GagEntry] {
        &self.gags
    }
    /// Notices given.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }
    /// Notices recorded as barred.
    pub fn notice_bars(&self) -> &[Notice] {
        &self.notice_bars
    }
    /// Releases drawn up, in order.
    pub fn drawn_up(&self) -> &[Drawn] {
        &self.drawn
    }
    /// One release drawn up.
    pub fn drawn(&self, record: RecordId) -> Option<&Drawn> {
        self.drawn.iter().find(|drawn| drawn.record.id == record)
    }
    /// The release now on its way, if any.
    pub fn pending(&self) -> Option<RecordId> {
        self.pending
    }
    /// Rejected or withdrawn: nothing may be released any more.
    pub fn is_ended(&self) -> bool {
        self.ended
    }
    /// Whether anything was released.
    pub fn has_released(&self) -> bool {
        self.drawn.iter().any(|drawn| drawn.released.is_some())
    }
    /// Tenants whose data was released.
    pub fn tenants_released(&self) -> BTreeSet<&TenantId> {
        self.drawn
            .iter()
            .filter(|drawn| drawn.released.is_some())
            .flat_map(|drawn| drawn.record.accounts.iter().map(|account| &account.tenant))
            .collect()
    }
    /// Whether `tenant` was told.
    pub fn tenant_told(&self, tenant: &TenantId) -> bool {
        self.notices
            .iter()
            .any(|notice| notice.to == NoticeTo::Tenant && notice.tenant == *tenant)
    }
    /// Whether the last assessment found this duty.
    pub fn has_duty(&self, duty: DutyKind) -> bool {
        self.judged
            .as_ref()
            .is_some_and(|judged| judged.assessment.findings.iter().any(|f| f.duty == Some(duty)))
    }

    /// What a signed reason of counsel is about, as it stands now: every gag of the ledger for `gag`, the demand as parsed
    /// for the redirect or a ground, and both for a ground against a gag. None before there is a demand.
    pub fn matter(&self, answers: &str) -> Option<Digest> {
        let demand = self.demand.as_ref()?;
        let gags: Vec<&Gag> = self.gags.iter().map(|entry| &entry.gag).collect();
        let against_a_gag = self
            .grounds
            .iter()
            .any(|(rule, course)| rule.as_str() == answers && course.promise == Promise::P10);
        let digest = if answers == "gag" {
            canonical::digest("amparo/matter/gags/v1", &gags)
        } else if against_a_gag && !gags.is_empty() {
            canonical::digest("amparo/matter/demand-and-gags/v1", &(demand, gags))
        } else {
            canonical::digest("amparo/matter/demand/v1", demand)
        };
        digest.ok()
    }
    /// Event of the last objection to a prohibition of notice, and counsel's reasons against objecting, whether or not
    /// the prohibition is in the ledger of gags: some instruments impose one by themselves.
    pub fn silence_answers(&self) -> (Option<u64>, &[Reasoned]) {
        (self.gags_objected, &self.gags_unopposed)
    }
    /// Whether the law imposes a silence that is in no gag of the ledger, and nobody has answered it.
    pub fn silence_unanswered(&self) -> bool {
        self.has_duty(DutyKind::ObjectToGag)
            && self.gags.is_empty()
            && self.gags_objected.is_none()
            && self.gags_unopposed.is_empty()
    }

    /// See [`super::Case::scope`].
    pub fn scope(&self) -> Scope {
        let (Some(demand), Some(facts)) = (&self.demand, &self.facts) else {
            return Scope {
                accounts: Vec::new(),
                categories: Vec::new(),
                window: None,
            };
        };
        let whole = Scope::of(demand, facts);
        match &self.narrowed_to {
            Some(narrowed) => whole.cut_by(narrowed),
            None => whole,
        }
    }

    /// See [`super::Case::as_it_stands`].
    pub fn as_it_stands(&self) -> Option<(Demand, Facts)> {
        let (demand, facts) = (self.demand.as_ref()?, self.facts.as_ref()?);
        let (mut demand, mut facts) = match &self.narrowed_to {
            Some(_) => scope::narrowed(demand, facts, &self.scope()),
            None => (demand.clone(), facts.clone()),
        };
        let mut gags = self.gags_judged().into_iter().map(|(_, gag)| gag);
        demand.gag = gags.next();
        demand.sequel = Sequel {
            gags: gags.collect(),
            pauses: self.pauses.clone(),
            extensions: self.extensions.clone(),
            silence_reviewed_on: self.silence_reviewed_on,
            silence_objected_on: self.silence_objected_on,
            production_follows: self.production_follows,
        };
        facts.requester = self.requester;
        Some((demand, facts))
    }

    /// [`CaseFile::as_it_stands`], cut to one customer's accounts: whether that customer is to be told may differ.
    pub fn as_it_stands_for(&self, tenant: &TenantId) -> Option<(Demand, Facts)> {
        let (demand, facts) = self.as_it_stands()?;
        let mut scope = self.scope();
        scope.accounts.retain(|(of, _)| of == tenant);
        Some(scope::narrowed(&demand, &facts, &scope))
    }

    /// The gags that the rulebook judges, each by itself, in the order in which they came, with the events that brought
    /// them. Where none is left, those that were: over, so that what began with them is seen to have ended.
    fn gags_judged(&self) -> Vec<(u64, Gag)> {
        let as_it_stands = |entry: &GagEntry| Gag {
            until: entry.until(),
            ..entry.gag.clone()
        };
        let over = |entry: &GagEntry| {
            let lifted = entry.lifted_on.and_then(|on| on.yesterday().ok());
            let until = match (entry.until(), lifted) {
                (Some(own), Some(lifted)) => Some(own.min(lifted)),
                (own, lifted) => own.or(lifted),
            };
            Gag {
                from: until.map_or(entry.gag.from, |until| entry.gag.from.min(until)),
                until,
                ..entry.gag.clone()
            }
        };
        let standing = self.gags.iter().filter(|entry| !entry.is_lifted());
        let standing: Vec<_> = standing.map(|entry| (entry.seq, as_it_stands(entry))).collect();
        if standing.is_empty() {
            self.gags.iter().map(|entry| (entry.seq, over(entry))).collect()
        } else {
            standing
        }
    }

    /// Renewals and extensions recorded.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// Dates that were recorded as passed.
    pub fn fallen(&self) -> &BTreeSet<(RuleId, Timestamp)> {
        &self.fallen
    }
}

impl GroundCourse {
    /// A ground just found and not yet dealt with.
    pub(crate) fn found(seq: u64, finding: &Finding) -> Self {
        Self {
            promise: finding.promise,
            categories: finding.categories.iter().copied().collect(),
            found: seq,
            filed: None,
            decided: None,
            appealed: None,
            settled: None,
            narrowed: None,
            answers: Vec::new(),
        }
    }

    /// Whether a decision on it was appealed, and the appeal is not decided.
    pub fn is_under_appeal(&self) -> bool {
        match (self.appealed, self.decided) {
            (Some(appealed), Some((decided, _))) => appealed > decided,
            (appealed, _) => appealed.is_some(),
        }
    }

    /// Whether something was done about it that can end it: it was decided, narrowed or answered. Whether that holds is for
    /// [`crate::promise`] to check.
    pub fn is_dealt_with(&self) -> bool {
        !self.is_under_appeal()
            && (self.decided.is_some() || self.settled.is_some() || !self.answers.is_empty())
    }

    /// The last event that filed, decided, settled or answered it.
    fn last_dealt_with(&self) -> Option<u64> {
        let decided = self.decided.map(|(seq, _)| seq);
        let answered = self.answers.iter().map(|answer| answer.seq).max();
        [self.filed, decided, self.settled, answered]
            .into_iter()
            .flatten()
            .max()
    }
}
