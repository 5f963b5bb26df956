//! Working a message's actions off: all that would change anything, or none of it.

use std::collections::BTreeMap;

use casework::{
    event::{Actor, Body, Channel},
    ids::{CaseId, Digest},
};
use hi1::{
    Code, Failure, Kind, Object,
    message::{Action, Answer, Header, Outcome, Verb},
    signature::Verified,
    write,
};
use store::hi1::NewObject;
use uuid::Uuid;

use super::{
    Hi1, Peer, Step, Trouble,
    amending::closed,
    giving::{Given, brief},
};

/// A message under way.
pub(super) struct Sent<'a> {
    pub(super) peer: &'a Peer,
    pub(super) header: &'a Header,
    pub(super) bytes: &'a [u8],
    /// By what the message is kept.
    pub(super) name: [u8; 32],
    pub(super) actions: &'a [Action],
    /// What its signature shows.
    pub(super) signed: Option<Verified>,
    /// These bytes came before, and got no answer: what was done of them is done.
    pub(super) anew: bool,
}

/// What became of a message.
pub(super) struct Taken {
    pub(super) answers: Vec<Answer>,
    /// The case that it opened or concerned.
    pub(super) case: Option<CaseId>,
    /// All that would change anything was done.
    pub(super) whole: bool,
    /// Some of it was, or may have been.
    pub(super) begun: bool,
}

impl<'a> Sent<'a> {
    /// Objects that the message brings.
    pub(super) fn brings(&self) -> BTreeMap<Uuid, &'a Object> {
        let created = self.actions.iter().filter_map(|action| match &action.verb {
            Verb::Create(object) => Some((object.id(), object)),
            _ => None,
        });
        created.collect()
    }

    /// By what an event of the case names the message.
    pub(super) fn named(&self) -> String {
        format!(
            "HI-1 message of SHA-256 {}, transaction {}",
            Digest::of(&[self.bytes]),
            self.header.transaction
        )
    }
}

impl Hi1 {
    /// Works a message's actions off.
    pub(super) async fn take(&self, sent: &Sent<'_>) -> Result<Taken, Trouble> {
        let mut failures: BTreeMap<u64, Failure> = BTreeMap::new();
        for action in sent.actions {
            let judged = match &action.verb {
                Verb::Create(object) => self.may_create(sent, object).await?,
                Verb::Update(object) => self.may_update(sent, object).await?,
                _ => Ok(()),
            };
            if let Err(failure) = judged {
                failures.insert(action.id, failure);
            }
        }
        let mut whole = failures.is_empty();
        let (mut case, mut begun) = (None, sent.anew);
        let (mut answers, mut given) = (BTreeMap::new(), Given::default());
        // Tasks last: what belongs to one is there when it is read.
        let mut order: Vec<&Action> = sent.actions.iter().collect();
        order.sort_by_key(|action| match &action.verb {
            Verb::Create(object) | Verb::Update(object) => u8::from(is_task(object)),
            _ => 2,
        });
        for action in order {
            let outcome = match (&action.verb, failures.remove(&action.id)) {
                (_, Some(failure)) => Err(failure),
                (Verb::Create(_) | Verb::Update(_), None) if !whole => Err(Failure::new(
                    Code::LinkFailed,
                    "not done, for another action of this message was refused; nothing of it was taken in",
                )),
                (Verb::Create(object), None) => {
                    begun = true;
                    let opened = self.create(sent, object).await?;
                    case = case.or(opened);
                    Ok(Outcome::Created(object.id()))
                }
                (Verb::Update(object), None) => match self.update(sent, object, &mut begun).await? {
                    Ok(concerned) => {
                        case = case.or(concerned);
                        Ok(Outcome::Updated(object.id()))
                    }
                    Err(failure) => {
                        whole = false;
                        Err(failure)
                    }
                },
                (Verb::Get(id), None) => self.get(sent.peer, *id, &mut given).await?.map(Outcome::Got),
                (Verb::List(asked), None) => self.list(sent.peer, asked).await?.map(Outcome::Listed),
                (Verb::Deliver(..), None) => Err(Failure::new(
                    Code::NotSupported,
                    "deliveries go from the provider to the authority: once released, LIST and GET the Delivery objects",
                )),
                (Verb::GetConfiguration, None) => Err(Failure::new(
                    Code::NotSupported,
                    "GETCSPCONFIG is not supported; the provider's own page says what is",
                )),
            };
            let outcome = outcome.unwrap_or_else(Outcome::Failed);
            answers.insert(
                action.id,
                Answer {
                    id: action.id,
                    outcome,
                },
            );
        }
        // In the order in which they were asked.
        let ordered = sent
            .actions
            .iter()
            .filter_map(|action| answers.remove(&action.id));
        Ok(Taken {
            answers: ordered.collect(),
            case,
            whole,
            begun,
        })
    }

    /// Takes an object in that was checked. Gives the case that it opened, or that it belongs to.
    async fn create(&self, sent: &Sent<'_>, object: &Object) -> Result<Option<CaseId>, Trouble> {
        let (peer, id) = (sent.peer.name(), object.id());
        let new = NewObject {
            peer: &peer,
            id,
            kind: object.kind().object_type().unwrap_or_default(),
            at: self.now(),
            case: None,
            bytes: &write::object(object)?,
            brief: &brief(object)?,
        };
        // Before it is there, so that no case's end leaves what brought it.
        self.store().brought(&peer, id, &sent.name).await?;
        self.store().add(new, &self.key()?, self.three_nonces()?).await?;
        if is_task(object) {
            return self.open(sent, object).await.map(Some);
        }
        let mut concerned = None;
        for task in object.associated() {
            self.store().link(&peer, id, task).await?;
            let Some((stored, other)) = self.kept(sent.peer, task).await? else {
                continue;
            };
            if !is_task(&other) {
                continue;
            }
            // A task of this very message is not opened yet; it finds the link when it is.
            let Some(case) = stored.case else { continue };
            self.store().belongs(&peer, id, case).await?;
            self.show_signature(case, sent).await?;
            self.note(case, &arrived(sent, object)).await.or_else(closed)?;
            if object.kind() == Kind::Authorisation {
                self.desk().reread(case).await?;
            }
            concerned = Some(case);
        }
        Ok(concerned)
    }

    /// Opens a task's case over the message's bytes, with all that belongs to it.
    async fn open(&self, sent: &Sent<'_>, task: &Object) -> Result<CaseId, Trouble> {
        let (peer, id) = (sent.peer.name(), task.id());
        let mut belonging = task.associated();
        // Objects of the same message that name the task, or name what the task names.
        for (other, object) in sent.brings() {
            let names = object.associated();
            if !is_task(object) && (names.contains(&id) || names.iter().any(|name| belonging.contains(name)))
            {
                belonging.push(other);
            }
        }
        // Documents that came for an authorisation belong to its tasks.
        for named in task.associated() {
            belonging.extend(self.store().of_task(&peer, named).await?);
        }
        belonging.retain(|other| *other != id);
        belonging.sort();
        belonging.dedup();
        for other in &belonging {
            self.store().link(&peer, *other, id).await?;
        }
        let intake = self.desk().intake(sent.bytes, Channel::Hi1, None).await?;
        self.store().belongs(&peer, id, intake.case).await?;
        self.show_signature(intake.case, sent).await?;
        for other in belonging {
            self.store().belongs(&peer, other, intake.case).await?;
        }
        Ok(intake.case)
    }

    pub(super) async fn note(&self, case: CaseId, text: &str) -> Result<(), Trouble> {
        let text = text.to_owned();
        self.desk()
            .record(case, Actor::Requester, Body::Note { text })
            .await?;
        Ok(())
    }
}

pub(super) fn is_task(object: &Object) -> bool {
    matches!(object.kind(), Kind::LdTask | Kind::LpTask)
}

/// What the case says of an object that came later.
fn arrived(sent: &Sent<'_>, object: &Object) -> String {
    let kind = object.kind().object_type().unwrap_or("object");
    let body = hi1::document::body(object).ok().flatten();
    let contents = body.map_or_else(String::new, |body| {
        format!(", contents of SHA-256 {}", body.sha256)
    });
    format!(
        "the authority added {kind} {}{contents}, by {}",
        object.id(),
        sent.named()
    )
}

/// A step that may be refused where somebody else's step came first.
pub(super) fn refused(code: Code, why: &str) -> Step<Option<CaseId>> {
    Ok(Err(Failure::new(code, why)))
}
