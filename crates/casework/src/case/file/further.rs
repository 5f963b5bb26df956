//! What else happened in a case beside its way to a release: links to other cases, snapshots, measures, notices that failed,
//! a look back at an emergency, costs.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::CaseFile;
use crate::{
    demand::NoticeTo,
    event::{Body, CostClaim, CostOutcome, EmergencyFinding, Event, Measure, NoticeFailure, Relation, Scope},
    ids::{CaseId, Digest, SnapshotId, TenantId},
};

/// Within this time a breach is told to the supervisory authority (GDPR Art. 33(1)).
pub const BREACH_NOTICE_WITHIN: SignedDuration = SignedDuration::from_hours(72);

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Further {
    links: Vec<(CaseId, Relation)>,
    followed_by: Vec<CaseId>,
    superseded_by: Option<CaseId>,
    snapshots: Vec<Snapshot>,
    measures: Vec<MeasureCourse>,
    failed_notices: Vec<FailedNotice>,
    served: Vec<(NoticeTo, TenantId)>,
    emergency: Option<(Timestamp, EmergencyFinding, Option<Digest>)>,
    breach: Option<bool>,
    costs: Vec<Costs>,
    reopened: u32,
}

/// What was frozen.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Event that made it.
    pub seq: u64,
    /// Of what.
    pub scope: Scope,
    /// How many objects.
    pub objects: u64,
    /// Its end was recorded.
    pub ended: bool,
}

/// A measure, from its taking to its end.
#[derive(Debug, Clone)]
pub struct MeasureCourse {
    /// Event that took it.
    pub seq: u64,
    /// What.
    pub measure: Measure,
    /// Last day, where it has one.
    pub until: Option<Date>,
    /// Its end was recorded.
    pub ended: bool,
}

/// A notice that told nobody.
#[derive(Debug, Clone)]
pub struct FailedNotice {
    /// Its event.
    pub seq: u64,
    /// Whom it was for.
    pub to: NoticeTo,
    /// Tenant concerned.
    pub tenant: TenantId,
    /// Why.
    pub failure: NoticeFailure,
}

/// A claim for costs.
#[derive(Debug, Clone)]
pub struct Costs {
    /// Event that made it.
    pub seq: u64,
    /// The claim.
    pub claim: CostClaim,
    /// How it ended.
    pub outcome: Option<CostOutcome>,
}

impl Further {
    /// Earlier cases on which this one follows.
    pub fn links(&self) -> &[(CaseId, Relation)] {
        &self.links
    }
    /// Later cases that follow on this one beside it.
    pub fn followed_by(&self) -> &[CaseId] {
        &self.followed_by
    }
    /// The later case that took this one's place.
    pub fn superseded_by(&self) -> Option<CaseId> {
        self.superseded_by
    }
    /// Every snapshot made.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }
    /// The snapshot that still stands, if any.
    pub fn standing_snapshot(&self) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| !snapshot.ended)
    }
    /// Every measure taken.
    pub fn measures(&self) -> &[MeasureCourse] {
        &self.measures
    }
    /// Notices that told nobody.
    pub fn failed_notices(&self) -> &[FailedNotice] {
        &self.failed_notices
    }
    /// Whether a notice is known to have reached whom it was for.
    pub fn is_served(&self, to: NoticeTo, tenant: &TenantId) -> bool {
        self.served.iter().any(|(of, whose)| *of == to && whose == tenant)
    }
    /// What the emergency turned out to be, and the process that followed.
    pub fn emergency(&self) -> Option<(EmergencyFinding, Option<Digest>)> {
        self.emergency.map(|(_, finding, process)| (finding, process))
    }
    /// Claims for costs.
    pub fn costs(&self) -> &[Costs] {
        &self.costs
    }
    /// How often it was taken up again.
    pub fn reopened(&self) -> u32 {
        self.reopened
    }

    pub(super) fn take_in(&mut self, event: &Event) {
        let (seq, at) = (event.header.seq, event.header.at);
        match &event.body {
            Body::Linked { to, relation } => self.links.push((*to, *relation)),
            Body::FollowedBy { case } => self.followed_by.push(*case),
            Body::Superseded { by, .. } => self.superseded_by = Some(*by),
            Body::Preserved {
                snapshot,
                scope,
                objects,
                ..
            } => self.snapshots.push(Snapshot {
                id: *snapshot,
                seq,
                scope: scope.clone(),
                objects: *objects,
                ended: false,
            }),
            Body::SnapshotEnded { snapshot, .. } => {
                let of = self.snapshots.iter_mut().filter(|one| one.id == *snapshot);
                of.for_each(|one| one.ended = true);
            }
            Body::MeasureTaken { measure, until, .. } => self.measures.push(MeasureCourse {
                seq,
                measure: *measure,
                until: *until,
                ended: false,
            }),
            Body::MeasureEnded { measure, .. } => {
                let of = self.measures.iter_mut().filter(|one| one.seq == *measure);
                of.for_each(|one| one.ended = true);
            }
            Body::NoticeServed { to, tenant, .. } => self.served.push((*to, tenant.clone())),
            Body::NoticeFailed {
                to, tenant, failure, ..
            } => {
                self.served.retain(|(of, whose)| of != to || whose != tenant);
                self.failed_notices.push(FailedNotice {
                    seq,
                    to: *to,
                    tenant: tenant.clone(),
                    failure: *failure,
                });
            }
            Body::EmergencyReviewed { finding, process, .. } => {
                self.emergency = Some((at, *finding, *process));
            }
            Body::BreachAssessed { notified, .. } => self.breach = Some(*notified),
            Body::CostsClaimed { claim } => self.costs.push(Costs {
                seq,
                claim: claim.clone(),
                outcome: None,
            }),
            Body::CostsSettled { outcome, .. } => {
                let open = self.costs.iter_mut().find(|costs| costs.outcome.is_none());
                if let Some(costs) = open {
                    costs.outcome = Some(*outcome);
                }
            }
            Body::Reopened { .. } => self.reopened = self.reopened.saturating_add(1),
            _ => {}
        }
    }
}

impl CaseFile {
    /// Links, snapshots, measures and the like.
    pub fn further(&self) -> &Further {
        &self.further
    }

    /// Whether data was released on a claim of emergency, and nobody looked since whether there was one.
    pub fn owes_a_look_at_the_emergency(&self) -> bool {
        let claimed = self.demand().is_some_and(|demand| demand.emergency.is_some());
        claimed && self.has_released() && self.further.emergency.is_none()
    }

    /// Customers to be told of a measure that was taken on their accounts, and not told yet (P9).
    pub fn untold_of_a_measure(&self) -> Vec<TenantId> {
        if self.further.measures.is_empty() {
            return Vec::new();
        }
        let mut tenants: Vec<TenantId> = self.scope().accounts.into_iter().map(|(of, _)| of).collect();
        tenants.sort();
        tenants.dedup();
        tenants.retain(|tenant| self.owes_notice_to(tenant) && !self.tenant_told(tenant));
        tenants
    }

    /// Until when a breach is to be weighed: data went to somebody who is not who they said, and nobody has yet.
    pub fn owes_a_breach_assessment(&self) -> Option<Timestamp> {
        let (at, finding, _) = self.further.emergency?;
        let owed = finding == EmergencyFinding::Fraudulent && self.further.breach.is_none();
        owed.then(|| at.checked_add(BREACH_NOTICE_WITHIN).unwrap_or(at))
    }
}
