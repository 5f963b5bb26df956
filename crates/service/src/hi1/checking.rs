//! Whether an action may be done, before any is.

use hi1::{
    Code, Failure, Kind, Object,
    dictionary::{self, ETSI},
    document,
    message::Endpoint,
};
use serde::Deserialize as _;

use super::{
    Hi1, Peer, Step,
    taking::{Sent, is_task},
};

fn fail<T>(code: Code, why: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(code, why))
}

impl Hi1 {
    /// Whether an object may be taken in.
    pub(super) async fn may_create(&self, sent: &Sent<'_>, object: &Object) -> Step<()> {
        if let Err(failure) = self.by_itself(sent, object) {
            return Ok(Err(failure));
        }
        if let Some((_, there)) = self.kept(sent.peer, object.id()).await?
            && !(sent.anew && there == *object)
        {
            return Ok(fail(Code::Exists, "an object of that identifier exists"));
        }
        self.linked(sent, object).await
    }

    /// What an object says that can be judged without looking anything up.
    fn by_itself(&self, sent: &Sent<'_>, object: &Object) -> Result<(), Failure> {
        let kind = object.kind();
        if !kind.is_supported() || kind == Kind::Delivery {
            return fail(
                Code::NotSupported,
                "objects of this type are not taken in; Authorisation, Document, Notification, LDTask and LPTask are",
            );
        }
        if sent
            .brings()
            .get(&object.id())
            .is_none_or(|known| !std::ptr::eq(*known, object))
        {
            return fail(Code::Exists, "the message creates two objects of that identifier");
        }
        if let Some(member) = kind
            .receivers_own()
            .iter()
            .find(|member| object.get(member).is_some())
        {
            return fail(
                Code::Improper,
                format!("`{member}` is the receiver's to set; say what is desired instead"),
            );
        }
        self.worded(sent.peer, object)?;
        if kind == Kind::LpTask && sent.peer.preservation.is_none() {
            return fail(
                Code::NotSupported,
                "preservation is not agreed with this authority",
            );
        }
        if is_task(object) {
            let tasks = sent.brings().values().filter(|other| is_task(other)).count();
            if tasks > 1 {
                return fail(
                    Code::NotSupported,
                    "a message opens one task: its bytes are what is kept and hashed; send each in a message of its own",
                );
            }
            let values = object.path(&["task:RequestDetails", "task:RequestValues", "task:RequestValue"]);
            if values.is_none() {
                return fail(
                    Code::Missing,
                    "the task names nobody: it lacks `task:RequestValues`",
                );
            }
            if desires_end(object) {
                return fail(Code::Improper, "a task is not created to be cancelled");
            }
        }
        Ok(())
    }

    /// Words, owners and contents, as they must be in any object that is kept.
    pub(super) fn worded(&self, peer: &Peer, object: &Object) -> Result<(), Failure> {
        let owner = object.text("OwnerIdentifier");
        let country = object.text("CountryCode");
        if owner.is_some_and(|owner| owner != peer.endpoint.id)
            || country.is_some_and(|country| country != peer.endpoint.country)
        {
            return fail(Code::Improper, "the object's owner is not its sender");
        }
        for entry in object.every_entry().iter().filter(|entry| entry.owner == ETSI) {
            if dictionary::values(&entry.name).is_some_and(|values| !values.contains(&entry.value.as_str())) {
                return fail(
                    Code::UnknownValue,
                    format!("ETSI's dictionary `{}` has no such value", short(&entry.name)),
                );
            }
        }
        if let (Some(desired), Some(statuses)) = (object.desired(), object.kind().statuses())
            && desired.of(statuses.desired_dictionary).is_none()
        {
            return fail(
                Code::UnknownValue,
                format!(
                    "`{}` takes values of ETSI's dictionary `{}`",
                    statuses.desired, statuses.desired_dictionary
                ),
            );
        }
        match object.kind() {
            Kind::Document => document::body(object).map(|_| ()),
            Kind::Authorisation => {
                let providers: Vec<Endpoint> = object.list_at(&["auth:AuthorisationCSPID", "auth:CSPID"]);
                if providers.is_empty() || providers.contains(&self.parts.us) {
                    Ok(())
                } else {
                    fail(
                        Code::Improper,
                        "the authorisation names other providers, and not this one",
                    )
                }
            }
            Kind::LdTask | Kind::LpTask => self.addressed(object),
            _ => Ok(()),
        }
    }

    fn addressed(&self, task: &Object) -> Result<(), Failure> {
        if task.provider().is_some_and(|provider| provider != self.parts.us) {
            return fail(Code::Improper, "`task:CSPID` names another provider");
        }
        let destinations = task.path(&["task:DeliveryDetails", "task:LDDeliveryDestination"]);
        let by_reference = destinations
            .and_then(|list| list.as_array())
            .into_iter()
            .flatten()
            .any(|one| {
                one.get("task:DestinationReference").is_some()
                    || one.get("task:EncryptionReference").is_some()
            });
        if by_reference {
            return fail(
                Code::NotSupported,
                "destinations and encryption by reference are not supported; packages are encrypted with age, and fetched",
            );
        }
        Ok(())
    }

    /// That what an object is associated with is there, or comes with it.
    pub(super) async fn linked(&self, sent: &Sent<'_>, object: &Object) -> Step<()> {
        let brings = sent.brings();
        for id in object.associated() {
            if id == object.id() {
                return Ok(fail(Code::Improper, "the object is associated with itself"));
            }
            if !brings.contains_key(&id) && self.kept(sent.peer, id).await?.is_none() {
                return Ok(fail(
                    Code::LinkMissing,
                    format!("the associated object `{id}` does not exist"),
                ));
            }
        }
        Ok(Ok(()))
    }

    /// Receiver's members in an update: as they stand, or not at all.
    pub(super) fn leaves_ours(update: &Object, stands: &Object) -> Result<(), Failure> {
        for member in update.kind().receivers_own() {
            if update
                .get(member)
                .is_some_and(|value| stands.get(member) != Some(value))
            {
                return fail(
                    Code::ChangeNotAllowed,
                    format!("`{member}` is the receiver's to set; say what is desired instead"),
                );
            }
        }
        Ok(())
    }
}

/// Whether the sender wants an object to be over.
pub(super) fn desires_end(object: &Object) -> bool {
    object
        .desired()
        .is_some_and(|desired| desired.value == "Cancelled")
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The value of a member that must be an entry.
pub(super) fn desired_value(object: &Object) -> Option<String> {
    let statuses = object.kind().statuses()?;
    let entry = dictionary::Entry::deserialize(object.get(statuses.desired)?).ok()?;
    Some(entry.value)
}
