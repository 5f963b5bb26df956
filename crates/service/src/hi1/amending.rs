//! Updates: what an authority amends or withdraws, as events of its case.

use casework::{
    event::{Actor, Body},
    ids::{CaseId, RecordId},
};
use hi1::{Code, Failure, Kind, Object, write};
use store::hi1::{Hi1Store, StoredObject};
use uuid::Uuid;

use super::{
    AUTHORISATIONS_MAX, Hi1, Peer, Step, Trouble,
    checking::{desired_value, desires_end},
    giving::brief,
    mirror::Standing,
    opened, reading,
    taking::{Sent, is_task, refused},
};
use crate::app::{DeskError, is_entered};

impl Hi1 {
    /// Whether an object may be changed so.
    pub(super) async fn may_update(&self, sent: &Sent<'_>, update: &Object) -> Step<()> {
        let fail = |code, why: &str| Ok(Err(Failure::new(code, why)));
        let Some((stored, stands)) = self.kept(sent.peer, update.id()).await? else {
            return fail(Code::UpdateMissing, "there is no such object of yours");
        };
        if stands.kind() != update.kind() {
            return fail(Code::ChangeNotAllowed, "an object's type does not change");
        }
        let merged = amended(&stands, update);
        // What an update says already is no change of it: it came before, and was not worked off to its end.
        if merged != stands && update.generation().is_some_and(|seen| seen < stored.generation) {
            return fail(
                Code::ImproperChange,
                "the object was changed since the generation that the update names; GET it first",
            );
        }
        let shown = match self.shown(sent.peer, &stored, &stands).await? {
            Ok(shown) => shown,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Err(failure) = Self::leaves_ours(update, &shown) {
            return Ok(Err(failure));
        }
        if update.kind() == Kind::Delivery {
            return Ok(acknowledges(update, &shown));
        }
        if let Err(failure) = self.worded(sent.peer, &merged) {
            return Ok(Err(failure));
        }
        if let Err(failure) = self.linked(sent, &merged).await? {
            return Ok(Err(failure));
        }
        if is_task(update) {
            return self.may_amend_task(sent.peer, &stored, (&stands, &merged)).await;
        }
        if update.kind() == Kind::Authorisation {
            return self.may_amend_authorisation(sent.peer, &stands, &merged).await;
        }
        Ok(Ok(()))
    }

    async fn may_amend_task(
        &self,
        peer: &Peer,
        stored: &StoredObject,
        (stands, merged): (&Object, &Object),
    ) -> Step<()> {
        let Some(case) = stored.case else {
            return Ok(Err(Failure::new(
                Code::Transient,
                "the task's case is not open yet; send its CREATE again",
            )));
        };
        let Some(mirrored) = self.mirrored(case).await? else {
            return over("the case was erased");
        };
        match mirrored.standing {
            Standing::Reviewed | Standing::Held | Standing::Approved => {}
            _ => return over("the task is over, or was disclosed; send a new one"),
        }
        if desires_end(merged) || substance(merged) == substance(stands) {
            return Ok(Ok(()));
        }
        let authorisations = self.authorisations(peer, merged).await?;
        self.still_reads(peer, case, merged, &authorisations).await
    }

    async fn may_amend_authorisation(&self, peer: &Peer, stands: &Object, merged: &Object) -> Step<()> {
        if let Some(value @ ("Rejected" | "Suspended" | "Expired")) = desired_value(merged).as_deref() {
            return Ok(Err(Failure::new(
                Code::NotSupported,
                format!("an authorisation is not made `{value}` here; cancel it, or its tasks"),
            )));
        }
        if desires_end(merged) || substance(merged) == substance(stands) {
            return Ok(Ok(()));
        }
        for id in self.store().tasks_of(&peer.name(), merged.id()).await? {
            let Some((stored, task)) = self.kept(peer, id).await? else {
                continue;
            };
            let Some(case) = stored.case else { continue };
            let open = self.mirrored(case).await?.is_some_and(|mirrored| {
                matches!(
                    mirrored.standing,
                    Standing::Reviewed | Standing::Held | Standing::Approved
                )
            });
            if !open || !is_task(&task) {
                continue;
            }
            let mut authorisations = self.authorisations(peer, &task).await?;
            authorisations.retain(|other| other.id() != merged.id());
            authorisations.push(merged.clone());
            if let Err(failure) = self.still_reads(peer, case, &task, &authorisations).await? {
                return Ok(Err(failure));
            }
        }
        Ok(Ok(()))
    }

    /// A demand that stands is not amended into one that a person must look at first: the one that stands would be worked on
    /// meanwhile.
    async fn still_reads(
        &self,
        peer: &Peer,
        case: CaseId,
        task: &Object,
        authorisations: &[Object],
    ) -> Step<()> {
        let view = self.desk().case(case).await?;
        if view.demand.is_none() {
            return Ok(Ok(()));
        }
        let events = self.desk().events(case).await?;
        let bodies = events
            .iter()
            .filter_map(|event| Some((&event.actor, event.body.as_ref()?)));
        if is_entered(bodies) {
            return Ok(Err(Failure::new(
                Code::ImproperChange,
                "a person entered the demand from what was sent, and it is not amended by a message; cancel it and send a new task",
            )));
        }
        let read = reading::read(peer, &self.parts.us, task, authorisations, view.opened_at);
        Ok(read.map(|_| ()).map_err(|held| {
            Failure::new(
                Code::ImproperChange,
                format!("as amended the task could not stand ({held}); nothing was changed"),
            )
        }))
    }

    /// The authorisations that belong to a task.
    async fn authorisations(&self, peer: &Peer, task: &Object) -> Result<Vec<Object>, Trouble> {
        let mut ids = self.store().of_task(&peer.name(), task.id()).await?;
        ids.extend(task.associated());
        ids.sort();
        ids.dedup();
        authorisations(self.store(), peer, ids).await
    }

    /// Changes an object as was checked. Gives the case that it concerns.
    /// `begun` is set before anything is done.
    pub(super) async fn update(
        &self,
        sent: &Sent<'_>,
        update: &Object,
        begun: &mut bool,
    ) -> Step<Option<CaseId>> {
        let peer = sent.peer.name();
        let Some((stored, stands)) = self.kept(sent.peer, update.id()).await? else {
            return refused(Code::UpdateMissing, "there is no such object of yours");
        };
        let merged = amended(&stands, update);
        // What is only desired, or only told, makes no other demand. What stands as the update has it may be of an update that
        // was not worked off to its end: reading it once more changes nothing where it was.
        let reads_anew = (is_task(&merged) || merged.kind() == Kind::Authorisation)
            && (merged == stands || substance(&merged) != substance(&stands));
        if merged != stands {
            let (bytes, brief) = (write::object(&merged)?, brief(&merged)?);
            self.store().brought(&peer, update.id(), &sent.name).await?;
            let nonces = self.nonces()?;
            let replaced = self
                .store()
                .replace(&peer, &stored, (&bytes, &brief), self.now(), nonces)
                .await?;
            if !replaced {
                return refused(
                    Code::Transient,
                    "the object was changed meanwhile; send the message again",
                );
            }
        }
        *begun = true;
        if merged.kind() == Kind::Delivery {
            self.acknowledge(stored.case, &merged).await?;
            return Ok(Ok(stored.case));
        }
        let tasks = if is_task(&merged) {
            for id in merged.associated() {
                self.store().link(&peer, id, merged.id()).await?;
            }
            vec![merged.id()]
        } else {
            self.store().tasks_of(&peer, merged.id()).await?
        };
        let kind = merged.kind().object_type().unwrap_or("object");
        let mut concerned = None;
        for task in tasks {
            let Some((task, what)) = self.kept(sent.peer, task).await? else {
                continue;
            };
            if !is_task(&what) {
                continue;
            }
            let Some(case) = task.case else { continue };
            concerned = concerned.or(Some(case));
            self.show_signature(case, sent).await?;
            let ends = desires_end(&merged) && (is_task(&merged) || merged.kind() == Kind::Authorisation);
            self.note(
                case,
                &format!(
                    "the authority amended {kind} {}, by {}",
                    merged.id(),
                    sent.named()
                ),
            )
            .await
            .or_else(closed)?;
            let done = if ends {
                self.withdraw(case, sent).await
            } else if reads_anew {
                self.desk().reread(case).await.map_err(Trouble::from)
            } else {
                Ok(())
            };
            match done {
                Err(Trouble::Desk(DeskError::NotNow { reason, .. } | DeskError::Invalid { reason, .. }))
                    if is_task(&merged) =>
                {
                    return refused(Code::UpdateOver, &reason);
                }
                // Another of its tasks is over: the authorisation is changed all the same.
                Err(Trouble::Desk(DeskError::NotNow { .. } | DeskError::Invalid { .. })) => {}
                other => other?,
            }
        }
        Ok(Ok(concerned))
    }

    async fn withdraw(&self, case: CaseId, sent: &Sent<'_>) -> Result<(), Trouble> {
        let reason = format!("the authority cancelled it, by {}", sent.named());
        self.desk()
            .record(case, Actor::Requester, Body::Withdrawn { reason })
            .await?;
        Ok(())
    }

    /// Records that the authority has a package, when it says so of the last part.
    async fn acknowledge(&self, case: Option<CaseId>, delivery: &Object) -> Result<(), Trouble> {
        let record = delivery
            .text("delivery:DeliveryID")
            .and_then(|id| id.parse::<RecordId>().ok());
        let last = delivery
            .get("delivery:LastSequence")
            .and_then(|last| last.as_bool());
        let has = matches!(
            desired_value(delivery).as_deref(),
            Some("Received" | "Acknowledged")
        );
        let (Some(case), Some(record), Some(true), true) = (case, record, last, has) else {
            return Ok(());
        };
        let how = "HI-1: fetched, and acknowledged by the authority's system";
        match self.desk().deliver(case, Actor::Requester, record, how).await {
            // It was recorded before.
            Ok(()) | Err(DeskError::NotNow { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Of these objects the authorisations: one more than [`AUTHORISATIONS_MAX`] at most, so that whoever reads sees that there are
/// too many.
pub(super) async fn authorisations(
    store: &Hi1Store,
    peer: &Peer,
    ids: Vec<Uuid>,
) -> Result<Vec<Object>, Trouble> {
    let kind = Kind::Authorisation.object_type();
    let mut found = Vec::new();
    for id in ids {
        let known = store.weigh(&peer.name(), id).await?;
        if known.is_none_or(|(known, _)| Some(known.as_str()) != kind) {
            continue;
        }
        if let Some(stored) = store.object(&peer.name(), id).await? {
            found.push(opened(stored)?.1);
        }
        if found.len() > AUTHORISATIONS_MAX {
            break;
        }
    }
    Ok(found)
}

/// An object as an update has it, without what is computed for every answer.
fn amended(stands: &Object, update: &Object) -> Object {
    let mut merged = stands.updated(update);
    for member in update
        .kind()
        .receivers_own()
        .iter()
        .chain(&["Generation", "LastChanged"])
    {
        merged.remove(member);
    }
    merged
}

/// An object without what its sender only desires, and what it only calls it.
fn substance(object: &Object) -> Object {
    let mut substance = object.clone();
    if let Some(statuses) = object.kind().statuses() {
        substance.remove(statuses.desired);
    }
    for member in [
        "ExternalIdentifier",
        "CountryCode",
        "OwnerIdentifier",
        "Generation",
        "LastChanged",
    ]
    .iter()
    .chain(object.kind().receivers_own())
    {
        substance.remove(member);
    }
    substance
}

fn over(why: &str) -> Step<()> {
    Ok(Err(Failure::new(Code::UpdateOver, why)))
}

/// A case that is closed takes no note.
pub(super) fn closed(trouble: Trouble) -> Result<(), Trouble> {
    match trouble {
        Trouble::Desk(DeskError::NotNow { .. }) => Ok(()),
        other => Err(other),
    }
}

/// All that an authority may say of a delivery: that it has it, or that something is wrong with it.
fn acknowledges(update: &Object, shown: &Object) -> Result<(), Failure> {
    let desired = desired_value(update);
    if !matches!(desired.as_deref(), Some("Received" | "Acknowledged" | "Error")) {
        return Err(Failure::new(
            Code::Improper,
            "of a delivery one may say that it is `Received`, `Acknowledged` or in `Error`",
        ));
    }
    let merged = shown.updated(update).to_json();
    let (merged, shown) = (merged.as_object().cloned(), shown.to_json());
    let others = merged
        .into_iter()
        .flatten()
        .filter(|(name, _)| name != "delivery:DeliveryDesiredStatus");
    for (name, value) in others {
        if shown.get(&name) != Some(&value) {
            return Err(Failure::new(
                Code::ChangeNotAllowed,
                "a delivery's contents are not the authority's to change",
            ));
        }
    }
    Ok(())
}
