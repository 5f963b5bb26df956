//! Where a case stands: one type per state, named for what it awaits, and each step consumes the one before.
//!
//! A state is never stored. What is stored is the chain of events; [`Case::replay`] computes the state from it.
//! [`order`] says which event may follow, [`file`](CaseFile) keeps what the events said, [`owed`] what must happen next.

mod due;
mod file;
mod notice;
mod order;
mod owed;
mod scope;

use jiff::Timestamp;

pub use due::Due;
pub use file::{
    Approval, BREACH_NOTICE_WITHIN, CaseFile, Costs, Drawn, FailedNotice, Further, GagEntry, GroundCourse,
    Judged, MeasureCourse, Notice, Reasoned, RedirectCourse, Snapshot,
};
pub use notice::MayBeTold;
pub use order::NotNow;
pub use owed::{Owed, Step};
pub use scope::ScopeError;

use crate::{
    chain::Chain,
    demand::Demand,
    event::{Actor, Body, Event, Scope},
    facts::Facts,
    ids::{CaseId, RecordId},
};

/// A case in one of its states.
#[derive(Debug, Clone)]
pub enum Case {
    /// The bytes are kept; nobody has read them as a demand yet.
    AwaitingParse(AwaitingParse),
    /// There is a demand; its subjects are not looked up.
    AwaitingResolution(AwaitingResolution),
    /// The subjects are known; the rulebook was not applied to the demand as it now stands.
    AwaitingAssessment(AwaitingAssessment),
    /// The findings are current; duties and grounds are worked off until a release is drawn up.
    AwaitingProposal(AwaitingProposal),
    /// A release is drawn up; two reviewers have not signed it yet.
    AwaitingApproval(AwaitingApproval),
    /// Two reviewers signed; the record is not in the docket yet.
    AwaitingLog(AwaitingLog),
    /// The record is in the docket; the gate has not opened it.
    AwaitingRelease(AwaitingRelease),
    /// The package is made; it was not handed over yet.
    AwaitingDelivery(AwaitingDelivery),
    /// Handed over, rejected or withdrawn; something may still be owed, such as a late notice.
    AwaitingClosure(AwaitingClosure),
    /// Nothing is owed any more and nothing more is recorded.
    Closed(Closed),
}

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident { $($field:ident : $kind:ty),* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone)]
            pub struct $name { file: Box<CaseFile>, $($field: $kind,)* }
            impl $name {
                /// What the events have said so far.
                pub fn file(&self) -> &CaseFile { &self.file }
                $(
                    /// The record in question.
                    pub fn $field(&self) -> $kind { self.$field }
                )*
            }
        )*
        impl Case {
            /// What the events have said so far.
            pub fn file(&self) -> &CaseFile {
                match self { $(Case::$name(state) => &state.file,)* }
            }
            fn file_mut(&mut self) -> &mut CaseFile {
                match self { $(Case::$name(state) => &mut state.file,)* }
            }
            fn into_file(self) -> Box<CaseFile> {
                match self { $(Case::$name(state) => state.file,)* }
            }
            /// The state's name, as the desk and the API show it.
            pub fn name(&self) -> &'static str {
                match self { $(Case::$name(_) => stringify!($name),)* }
            }
        }
    };
}

states! {
    /// See [`Case::AwaitingParse`].
    AwaitingParse {}
    /// See [`Case::AwaitingResolution`].
    AwaitingResolution {}
    /// See [`Case::AwaitingAssessment`].
    AwaitingAssessment {}
    /// See [`Case::AwaitingProposal`].
    AwaitingProposal {}
    /// See [`Case::AwaitingApproval`].
    AwaitingApproval { record: RecordId }
    /// See [`Case::AwaitingLog`].
    AwaitingLog { record: RecordId }
    /// See [`Case::AwaitingRelease`].
    AwaitingRelease { record: RecordId }
    /// See [`Case::AwaitingDelivery`].
    AwaitingDelivery { record: RecordId }
    /// See [`Case::AwaitingClosure`].
    AwaitingClosure {}
    /// See [`Case::Closed`].
    Closed {}
}

impl AwaitingApproval {
    /// A signature was added: two different people make the record ready for the docket.
    fn approved(self) -> Case {
        let AwaitingApproval { file, record } = self;
        if file.drawn(record).is_some_and(Drawn::has_two_reviewers) {
            Case::AwaitingLog(AwaitingLog { file, record })
        } else {
            Case::AwaitingApproval(AwaitingApproval { file, record })
        }
    }
}
impl AwaitingLog {
    fn logged(self) -> AwaitingRelease {
        AwaitingRelease {
            file: self.file,
            record: self.record,
        }
    }
}
impl AwaitingRelease {
    fn released(self) -> AwaitingDelivery {
        AwaitingDelivery {
            file: self.file,
            record: self.record,
        }
    }
}
impl AwaitingDelivery {
    fn delivered(self) -> AwaitingClosure {
        AwaitingClosure { file: self.file }
    }
}

impl Case {
    /// The state that a verified chain leads to.
    pub fn replay(chain: &Chain) -> Case {
        chain.case().clone()
    }

    /// The case's id.
    pub fn id(&self) -> CaseId {
        self.file().id()
    }

    /// What the demand still covers: its subjects as resolved, cut by every narrowing. Empty before resolution.
    pub fn scope(&self) -> Scope {
        self.file().scope()
    }

    /// The demand as narrowed and the facts as checked: what the rulebook is applied to. `None` before resolution.
    pub fn as_it_stands(&self) -> Option<(Demand, Facts)> {
        self.file().as_it_stands()
    }

    /// Whether `actor` may record `body` now.
    ///
    /// # Errors
    /// [`NotNow`] with the promise that the step would break, the reason, and what to do first.
    pub fn may(&self, at: Timestamp, actor: &Actor, body: &Body) -> Result<(), NotNow> {
        order::may(self, at, actor, body)
    }

    /// What must happen next, in order. Empty for a closed case.
    pub fn owed(&self, now: Timestamp) -> Vec<Owed> {
        owed::owed(self, now)
    }

    /// The case that a first event opens.
    pub(crate) fn open(event: &Event, hash: crate::ids::Digest) -> Result<Case, NotNow> {
        let file = Box::new(CaseFile::open(event, hash)?);
        Ok(Case::AwaitingParse(AwaitingParse { file }))
    }

    /// The state after one more event. `hash` is its header's.
    pub(crate) fn step(mut self, event: &Event, hash: crate::ids::Digest) -> Result<Case, NotNow> {
        order::may(&self, event.header.at, &event.header.actor, &event.body)?;
        let moved = self.file_mut().take_in(event, hash);
        Ok(match (self, &event.body) {
            (case, Body::Closed { .. }) => Case::Closed(Closed {
                file: case.into_file(),
            }),
            (case @ Case::Closed(_), Body::Reopened { .. }) => case.reconsidered(),
            // What a further demand or a cost says changes nothing in a closed case.
            (case @ Case::Closed(_), _) => case,
            (case, Body::Withdrawn { .. } | Body::Rejected { .. } | Body::Superseded { .. }) => {
                Case::AwaitingClosure(AwaitingClosure {
                    file: case.into_file(),
                })
            }
            (case, Body::Proposed { record }) => Case::AwaitingApproval(AwaitingApproval {
                file: case.into_file(),
                record: record.id,
            }),
            (Case::AwaitingApproval(state), Body::Approved { .. }) => state.approved(),
            (Case::AwaitingLog(state), Body::Logged { .. }) => Case::AwaitingRelease(state.logged()),
            (Case::AwaitingRelease(state), Body::Released { .. }) => Case::AwaitingDelivery(state.released()),
            (Case::AwaitingDelivery(state), Body::Delivered { .. }) => {
                Case::AwaitingClosure(state.delivered())
            }
            (case @ (Case::AwaitingDelivery(_) | Case::AwaitingClosure(_)), _) => case,
            (case, _) if moved => case.reconsidered(),
            (case, _) => case,
        })
    }

    /// After something of substance changed, whatever was drawn up lapses: what reviewers signed must be what the case
    /// still says.
    fn reconsidered(self) -> Case {
        let mut file = self.into_file();
        file.lapse();
        if file.demand().is_none() {
            Case::AwaitingParse(AwaitingParse { file })
        } else if file.facts().is_none() {
            Case::AwaitingResolution(AwaitingResolution { file })
        } else if file.current_assessment().is_none() {
            Case::AwaitingAssessment(AwaitingAssessment { file })
        } else {
            Case::AwaitingProposal(AwaitingProposal { file })
        }
    }
}
