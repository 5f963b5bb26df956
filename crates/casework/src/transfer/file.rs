//! What the events of a transfer have said so far, and where it stands.

use serde::Serialize;

use super::{Assessment, Basis, Measure, Opening, TransferBody, TransferRecord, order};
use crate::{
    canonical::CanonicalError,
    case::NotNow,
    chain::Matter,
    event::{Actor, Event},
    finding::Promise,
    ids::{CaseId, Digest, RecordId, RuleId, StaffId},
};
use jiff::Timestamp;

/// A transfer: computed from its chain, never stored.
#[derive(Debug, Clone)]
pub struct Transfer {
    id: CaseId,
    opened_by: Actor,
    opened_at: Timestamp,
    opening: Box<Opening>,
    bases: Vec<Basis>,
    assessment: Option<Box<Assessment>>,
    measures: Vec<Measure>,
    decisions: Vec<Decision>,
    drawn: Option<Box<TransferRecord>>,
    approvals: Vec<Approval>,
    logged_at: Option<u64>,
    moved: Option<(u64, u64)>,
    lapsed: Option<Lapse>,
    stage: Stage,
    pub(super) head: Digest,
    pub(super) length: u64,
}

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Basis, assessment and measures are being recorded; nothing is drawn up, or what was has lapsed.
    Open,
    /// A record is drawn up and waits for two signatures.
    AwaitingApproval,
    /// It is signed and waits for the docket.
    AwaitingLog,
    /// The docket has it; nothing moves yet.
    Ready,
    /// Data is moving.
    Running,
    /// All of it lies in the other region.
    Done,
    /// Stopped for good.
    Stopped,
    /// A copy was given up, and is being deleted.
    Withdrawing,
    /// A copy was given up, and is deleted.
    Withdrawn,
}

/// What was recorded when the basis ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lapse {
    /// When it was recorded.
    pub at: Timestamp,
    /// The rules that said so.
    pub rules: Vec<RuleId>,
    /// In words.
    pub explanation: String,
}

/// A reviewer's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// Whose.
    pub reviewer: StaffId,
    /// Over the record, base64.
    pub signature: String,
}

/// Counsel's decision where no rule decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Who recorded it.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// Over the matter as it stood, base64.
    pub signature: String,
    /// The matter as it stood.
    pub matter: Digest,
}

#[derive(Serialize)]
struct AsItStands<'a> {
    opening: &'a Opening,
    bases: &'a [Basis],
    assessment: Option<&'a Assessment>,
    measures: &'a [Measure],
}

impl Transfer {
    /// Its id.
    pub fn id(&self) -> CaseId {
        self.id
    }
    /// What moves, from where, to where.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }
    /// Who opened it.
    pub fn opened_by(&self) -> &Actor {
        &self.opened_by
    }
    /// When.
    pub fn opened_at(&self) -> Timestamp {
        self.opened_at
    }
    /// The bases stated last.
    pub fn bases(&self) -> &[Basis] {
        &self.bases
    }
    /// The assessment recorded last.
    pub fn assessment(&self) -> Option<&Assessment> {
        self.assessment.as_deref()
    }
    /// The measures recorded last.
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }
    /// What counsel decided, in order.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }
    /// The record drawn up last, as long as it has not lapsed.
    pub fn drawn(&self) -> Option<&TransferRecord> {
        self.drawn.as_deref()
    }
    /// Who signed it.
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }
    /// Its index in the docket.
    pub fn logged_at(&self) -> Option<u64> {
        self.logged_at
    }
    /// Objects and bytes moved, as last recorded.
    pub fn moved(&self) -> Option<(u64, u64)> {
        self.moved
    }
    /// Where it stands.
    pub fn stage(&self) -> Stage {
        self.stage
    }
    /// Whether some data may have moved.
    pub fn has_moved(&self) -> bool {
        self.moved.is_some()
    }
    /// That its basis ended, unless basis, assessment, measures or a decision were recorded since.
    pub fn lapsed(&self) -> Option<&Lapse> {
        self.lapsed.as_ref()
    }
    /// Number of events.
    pub fn length(&self) -> u64 {
        self.length
    }
    /// Hash of the last header.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// What counsel's decision is about: the transfer as it stands. It changes with basis, assessment and measures.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn matter(&self) -> Result<Digest, CanonicalError> {
        let as_it_stands = AsItStands {
            opening: &self.opening,
            bases: &self.bases,
            assessment: self.assessment.as_deref(),
            measures: &self.measures,
        };
        crate::canonical::digest("amparo/transfer-matter/v1", &as_it_stands)
    }

    /// Whoever was signed for must sign again: what was signed is not what now stands. Data that has moved stays moved.
    fn lapse(&mut self) {
        self.drawn = None;
        self.approvals.clear();
        self.logged_at = None;
        if !matches!(self.stage, Stage::Done | Stage::Withdrawing | Stage::Withdrawn) {
            self.stage = Stage::Open;
        }
    }

    /// What it rests on was recorded anew, and is to be judged anew.
    fn stands_otherwise(&mut self) {
        self.lapse();
        self.lapsed = None;
    }

    fn has_two_reviewers(&self) -> bool {
        let first = self.approvals.first();
        self.approvals
            .iter()
            .any(|other| first.is_some_and(|first| first.reviewer != other.reviewer))
    }

    fn take_in(&mut self, event: &Event<TransferBody>) {
        match &event.body {
            TransferBody::Opened { .. } | TransferBody::Note { .. } => {}
            TransferBody::BasisStated { bases } => {
                self.bases.clone_from(bases);
                self.stands_otherwise();
            }
            TransferBody::Assessed { assessment } => {
                self.assessment = Some(assessment.clone());
                self.stands_otherwise();
            }
            TransferBody::MeasuresTaken { measures } => {
                self.measures.clone_from(measures);
                self.stands_otherwise();
            }
            TransferBody::Decided { reason, signature } => {
                if let Ok(matter) = self.matter() {
                    self.decisions.push(Decision {
                        by: event.header.actor.clone(),
                        reason: reason.clone(),
                        signature: signature.clone(),
                        matter,
                    });
                }
                self.stands_otherwise();
            }
            TransferBody::Proposed { record } => {
                self.lapse();
                self.drawn = Some(record.clone());
                self.stage = Stage::AwaitingApproval;
            }
            TransferBody::Approved {
                reviewer, signature, ..
            } => {
                self.approvals.push(Approval {
                    reviewer: reviewer.clone(),
                    signature: signature.clone(),
                });
                if self.has_two_reviewers() {
                    self.stage = Stage::AwaitingLog;
                }
            }
            TransferBody::Logged { index, .. } => {
                self.logged_at = Some(*index);
                self.stage = Stage::Ready;
            }
            TransferBody::Started { .. } => {
                self.moved = Some(self.moved.unwrap_or_default());
                self.stage = Stage::Running;
            }
            TransferBody::Progress { objects, bytes } | TransferBody::Verified { objects, bytes } => {
                self.moved = Some((*objects, *bytes));
            }
            TransferBody::Done { .. } => self.stage = Stage::Done,
            TransferBody::Stopped { .. } => {
                self.lapse();
                self.stage = Stage::Stopped;
            }
            TransferBody::Withdrawn { .. } => {
                self.lapse();
                self.stage = Stage::Withdrawing;
            }
            TransferBody::CopyRemoved { .. } => self.stage = Stage::Withdrawn,
            TransferBody::Lapsed { rules, explanation } => {
                self.lapse();
                self.lapsed = Some(Lapse {
                    at: event.header.at,
                    rules: rules.clone(),
                    explanation: explanation.clone(),
                });
            }
            TransferBody::Refused { .. } => {}
        }
    }

    /// Whether this record is the one on its way.
    pub(super) fn is_drawn(&self, record: RecordId) -> bool {
        self.drawn().is_some_and(|drawn| drawn.id == record)
    }
}

impl Matter for Transfer {
    type Body = TransferBody;

    fn open(event: &Event<TransferBody>, hash: Digest) -> Result<Self, NotNow> {
        let TransferBody::Opened { opening } = &event.body else {
            return Err(NotNow {
                promise: Promise::P19,
                reason: "a transfer begins with being opened".to_owned(),
                hint: "open it first",
            });
        };
        order::opens(&event.header.actor, opening)?;
        Ok(Self {
            id: event.header.case,
            opened_by: event.header.actor.clone(),
            opened_at: event.header.at,
            opening: opening.clone(),
            bases: Vec::new(),
            assessment: None,
            measures: Vec::new(),
            decisions: Vec::new(),
            drawn: None,
            approvals: Vec::new(),
            logged_at: None,
            moved: None,
            lapsed: None,
            stage: Stage::Open,
            head: hash,
            length: 1,
        })
    }

    fn may(&self, at: Timestamp, actor: &Actor, body: &TransferBody) -> Result<(), NotNow> {
        order::may(self, at, actor, body)
    }

    fn step(mut self, event: &Event<TransferBody>, hash: Digest) -> Result<Self, NotNow> {
        order::may(&self, event.header.at, &event.header.actor, &event.body)?;
        self.take_in(event);
        self.head = hash;
        self.length = self.length.saturating_add(1);
        Ok(self)
    }
}
