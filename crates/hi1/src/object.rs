//! The objects of the standard: as they came, and what is read of them.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    code::Failure,
    dictionary::Entry,
    message::Endpoint,
    shape::{XSI_TYPE, whole},
    simple::moment,
};

/// Which object one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Kind {
    Authorisation,
    Document,
    Notification,
    LdTask,
    LpTask,
    Delivery,
    LiTask,
    TrafficPolicy,
    TrafficRule,
    LiDestination,
    LdDestination,
    Encryption,
}

const TYPES: &[(Kind, &str)] = &[
    (
        Kind::Authorisation,
        "{http://uri.etsi.org/03120/common/2020/09/Authorisation}AuthorisationObject",
    ),
    (
        Kind::Document,
        "{http://uri.etsi.org/03120/common/2020/09/Document}DocumentObject",
    ),
    (
        Kind::Notification,
        "{http://uri.etsi.org/03120/common/2016/02/Notification}NotificationObject",
    ),
    (
        Kind::LdTask,
        "{http://uri.etsi.org/03120/common/2020/09/Task}LDTaskObject",
    ),
    (
        Kind::LpTask,
        "{http://uri.etsi.org/03120/common/2020/09/Task}LPTaskObject",
    ),
    (
        Kind::Delivery,
        "{http://uri.etsi.org/03120/common/2019/10/Delivery}DeliveryObject",
    ),
    (
        Kind::LiTask,
        "{http://uri.etsi.org/03120/common/2020/09/Task}LITaskObject",
    ),
    (
        Kind::TrafficPolicy,
        "{http://uri.etsi.org/03120/common/2022/07/TrafficPolicy}TrafficPolicyObject",
    ),
    (
        Kind::TrafficRule,
        "{http://uri.etsi.org/03120/common/2022/07/TrafficPolicy}TrafficRuleObject",
    ),
    (
        Kind::LiDestination,
        "{http://uri.etsi.org/03120/common/2026/07/Destination}LIDestinationObject",
    ),
    (
        Kind::LdDestination,
        "{http://uri.etsi.org/03120/common/2026/07/Destination}LDDestinationObject",
    ),
    (
        Kind::Encryption,
        "{http://uri.etsi.org/03120/common/2026/01/Encryption}EncryptionObject",
    ),
];

impl Kind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        TYPES.iter().map(|(kind, _)| *kind)
    }
    /// The kind of this `@xsi:type`.
    pub fn named(name: &str) -> Option<Self> {
        TYPES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(kind, _)| *kind)
    }
    /// Its `@xsi:type`.
    pub fn type_name(self) -> &'static str {
        TYPES
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| *name)
    }
    /// Whether objects of this kind are read.
    pub fn is_supported(self) -> bool {
        self.object_type().is_some()
    }
    /// Its value in the dictionary `ObjectType`, where it is supported.
    pub fn object_type(self) -> Option<&'static str> {
        Some(match self {
            Self::Authorisation => "Authorisation",
            Self::Document => "Document",
            Self::Notification => "Notification",
            Self::LdTask => "LDTask",
            Self::LpTask => "LPTask",
            Self::Delivery => "Delivery",
            _ => return None,
        })
    }
    /// Names of the members with its status and desired status, and their dictionaries.
    pub fn statuses(self) -> Option<Statuses> {
        let of = |status, desired, dictionary, desired_dictionary| Statuses {
            status,
            desired,
            dictionary,
            desired_dictionary,
        };
        Some(match self {
            Self::Authorisation => of(
                "auth:AuthorisationStatus",
                "auth:AuthorisationDesiredStatus",
                "AuthorisationStatus",
                "AuthorisationDesiredStatus",
            ),
            Self::Document => of(
                "doc:DocumentStatus",
                "doc:DocumentDesiredStatus",
                "DocumentStatus",
                "DocumentDesiredStatus",
            ),
            Self::LdTask => of(
                "task:Status",
                "task:DesiredStatus",
                "LDTaskStatus",
                "LDTaskDesiredStatus",
            ),
            Self::LpTask => of(
                "task:Status",
                "task:DesiredStatus",
                "LPTaskStatus",
                "LPTaskDesiredStatus",
            ),
            Self::Delivery => of(
                "delivery:DeliveryStatus",
                "delivery:DeliveryDesiredStatus",
                "DeliveryStatus",
                "DeliveryDesiredStatus",
            ),
            _ => return None,
        })
    }
    /// Members that are the receiver's to set, whoever the sender is.
    pub fn receivers_own(self) -> &'static [&'static str] {
        match self {
            Self::Authorisation => &["auth:AuthorisationStatus", "auth:AuthorisationInvalidReason"],
            Self::Document => &["doc:DocumentStatus", "doc:DocumentInvalidReason"],
            Self::LdTask => &["task:Status", "task:StatusReason"],
            Self::LpTask => &["task:Status", "task:StatusReason", "task:PreservationExpiration"],
            Self::Delivery => &["delivery:DeliveryStatus"],
            _ => &[],
        }
    }
}

/// Where an object has its status, and from which dictionaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statuses {
    /// Member.
    pub status: &'static str,
    /// Member.
    pub desired: &'static str,
    /// Dictionary.
    pub dictionary: &'static str,
    /// Dictionary.
    pub desired_dictionary: &'static str,
}

/// An object as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    kind: Kind,
    id: Uuid,
    members: Map<String, Value>,
}

impl Object {
    /// An object of this kind, with no more than its id.
    pub fn new(kind: Kind, id: Uuid) -> Self {
        let mut members = Map::new();
        members.insert(XSI_TYPE.to_owned(), json!(kind.type_name()));
        members.insert("ObjectIdentifier".to_owned(), json!(id.to_string()));
        Self { kind, id, members }
    }

    /// Of a value that fits the grammar; `None` where it has no identifier.
    pub(crate) fn of(value: Value) -> Option<Self> {
        let Value::Object(members) = value else {
            return None;
        };
        let kind = Kind::named(members.get(XSI_TYPE)?.as_str()?)?;
        let id = members.get("ObjectIdentifier")?.as_str()?.parse().ok()?;
        Some(Self { kind, id, members })
    }

    /// Reads one that [`Object::to_json`] wrote.
    ///
    /// # Errors
    /// What does not fit.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let value = crate::json::read(bytes)?;
        crate::grammar::check_object(&value).map_err(|misfit| misfit.to_string())?;
        Self::of(value).ok_or_else(|| "it has no identifier".to_owned())
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        Value::Object(self.members.clone())
    }

    /// Which it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
    /// Its `ObjectIdentifier`.
    pub fn id(&self) -> Uuid {
        self.id
    }
    /// One member as it is.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }
    /// Sets a member.
    pub fn set(&mut self, name: &str, value: Value) {
        self.members.insert(name.to_owned(), value);
    }
    /// Takes a member away.
    pub fn remove(&mut self, name: &str) {
        self.members.remove(name);
    }
    /// A member's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }
    /// A member's moment.
    pub fn moment(&self, name: &str) -> Option<Timestamp> {
        moment(self.text(name)?)
    }
    /// A dictionary entry.
    pub fn entry(&self, name: &str) -> Option<Entry> {
        Entry::deserialize(self.get(name)?).ok()
    }
    /// `Generation`.
    pub fn generation(&self) -> Option<u64> {
        whole(self.get("Generation")?)
    }
    /// The desired status.
    pub fn desired(&self) -> Option<Entry> {
        self.entry(self.kind.statuses()?.desired)
    }
    /// Objects that it is associated with.
    pub fn associated(&self) -> Vec<Uuid> {
        self.path(&["AssociatedObjects", "AssociatedObject"])
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|id| id.as_str()?.parse().ok())
            .collect()
    }
    /// What lies at the end of these members.
    pub fn path(&self, names: &[&str]) -> Option<&Value> {
        let (first, rest) = names.split_first()?;
        rest.iter()
            .try_fold(self.get(first)?, |value, name| value.get(name))
    }
    /// The moment at the end of these members.
    pub fn moment_at(&self, names: &[&str]) -> Option<Timestamp> {
        moment(self.path(names)?.as_str()?)
    }
    /// Entries of the list at the end of these members.
    pub fn entries_at(&self, names: &[&str]) -> Vec<Entry> {
        self.list_at(names)
    }
    /// What can be read of the list at the end of these members.
    pub fn list_at<T: for<'de> Deserialize<'de>>(&self, names: &[&str]) -> Vec<T> {
        let list = self.path(names).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|item| T::deserialize(item).ok())
            .collect()
    }
    /// The endpoint that a task names as the provider.
    pub fn provider(&self) -> Option<Endpoint> {
        Endpoint::deserialize(self.get("task:CSPID")?).ok()
    }
    /// Every dictionary entry in it, however deep.
    pub fn every_entry(&self) -> Vec<Entry> {
        let mut found = Vec::new();
        let mut open: Vec<&Value> = self.members.values().collect();
        while let Some(value) = open.pop() {
            match value {
                Value::Object(members) => {
                    if let Ok(entry) = Entry::deserialize(value) {
                        found.push(entry);
                    }
                    open.extend(members.values());
                }
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        found
    }

    /// This object with the members of `update` in the place of its own: each whole, and those that `update` does not have
    /// as they were (TS 103 120 clause 6.4.7).
    pub fn updated(&self, update: &Self) -> Self {
        let mut merged = self.clone();
        for (name, value) in &update.members {
            merged.members.insert(name.clone(), value.clone());
        }
        merged
    }

    /// Sets the status, with a reason where there is one.
    pub fn set_status(&mut self, value: &str, reason: Option<&Failure>) {
        let Some(statuses) = self.kind.statuses() else {
            return;
        };
        self.set(statuses.status, json!(Entry::etsi(statuses.dictionary, value)));
        let member = match self.kind {
            Kind::LdTask | Kind::LpTask => "task:StatusReason",
            Kind::Authorisation => "auth:AuthorisationInvalidReason",
            Kind::Document => "doc:DocumentInvalidReason",
            _ => return,
        };
        match reason {
            Some(reason) => self.set(member, json!(reason)),
            None => self.remove(member),
        }
    }
}

/// One thing asked for: an identifier and what kind it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RequestValue {
    /// Which kind.
    #[serde(rename = "task:FormatType")]
    pub format: Format,
    /// The identifier.
    #[serde(rename = "task:Value")]
    pub value: String,
}

/// Kind of an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Format {
    /// Who names it.
    #[serde(rename = "task:FormatOwner")]
    pub owner: String,
    /// Its name.
    #[serde(rename = "task:FormatName")]
    pub name: String,
}

/// Who approved something, as far as it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Approval {
    /// Who.
    #[serde(rename = "common:ApproverDetails", default)]
    pub approver: Approver,
    /// When.
    #[serde(rename = "common:ApprovalTimestamp")]
    pub at: Option<String>,
    /// In an emergency.
    #[serde(rename = "common:ApprovalIsEmergency", default)]
    pub emergency: bool,
}

impl Approval {
    /// When it was given.
    pub fn given_at(&self) -> Option<Timestamp> {
        moment(self.at.as_deref()?)
    }
}

/// A person who approves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Approver {
    /// Name.
    #[serde(rename = "common:ApproverName")]
    pub name: Option<String>,
    /// Rank or role.
    #[serde(rename = "common:ApproverRole")]
    pub role: Option<String>,
}
