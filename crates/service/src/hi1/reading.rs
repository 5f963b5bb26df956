//! A task as a demand: what it says is taken as said, what it does not say is not guessed, and where it cannot stand as it is
//! a person is told why.

use async_trait::async_trait;
use casework::demand::{
    self, AuthorityKind, Category, Demand, DemandSchema, Emergency, Issuer, Requester, Sequel, Showing,
    Subject, Window,
};
use hi1::{
    Kind, Object,
    dictionary::ETSI,
    message::{Endpoint, Payload, Verb},
    object::{Approval, RequestValue},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use store::hi1::Hi1Store;

use super::{AUTHORISATIONS_MAX, Peer, amending::authorisations, opened};
use crate::app::{ReadsHi1, ports::PortError};

/// Reads kept messages for the desk.
pub struct Reader {
    store: Hi1Store,
    us: Endpoint,
    peers: Vec<Peer>,
}

impl Reader {
    /// Over the objects kept, for the peers configured.
    pub fn new(store: Hi1Store, us: Endpoint, peers: Vec<Peer>) -> Self {
        Self { store, us, peers }
    }

    async fn current(
        &self,
        peer: &Peer,
        bytes: &[u8],
    ) -> Result<Option<(Object, Vec<Object>)>, super::Trouble> {
        let Some(id) = hi1::parse(bytes).ok().as_ref().and_then(task_of).map(Object::id) else {
            return Ok(None);
        };
        let Some(task) = self.store.object(&peer.name(), id).await? else {
            return Ok(None);
        };
        let (_, task) = opened(task)?;
        let linked = self.store.of_task(&peer.name(), id).await?;
        Ok(Some((task, authorisations(&self.store, peer, linked).await?)))
    }
}

/// The one task that a message brings.
pub(super) fn task_of(message: &hi1::Message) -> Option<&Object> {
    let Payload::Request(actions) = &message.payload else {
        return None;
    };
    actions.iter().find_map(|action| match &action.verb {
        Verb::Create(object) if matches!(object.kind(), Kind::LdTask | Kind::LpTask) => Some(object),
        _ => None,
    })
}

#[async_trait]
impl ReadsHi1 for Reader {
    async fn read(&self, bytes: &[u8], received_at: Timestamp) -> Result<Result<Demand, String>, PortError> {
        let header = hi1::parse(bytes).map(|message| message.header);
        let sender = header.ok().map(|header| header.sender);
        let Some(peer) = self
            .peers
            .iter()
            .find(|peer| Some(&peer.endpoint) == sender.as_ref())
        else {
            return Ok(Err(
                "held for a person: its sender is in the configuration no more".to_owned(),
            ));
        };
        let current = self.current(peer, bytes).await.map_err(|trouble| PortError {
            part: "store of HI-1 objects",
            reason: trouble.to_string(),
        })?;
        let Some((task, authorisations)) = current else {
            return Ok(Err("held for a person: the message's task is not kept".to_owned()));
        };
        Ok(read(peer, &self.us, &task, &authorisations, received_at).map_err(|held| held.to_string()))
    }
}

/// Why a task waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held(Vec<String>);

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "held for a person: {}", self.0.join("; "))
    }
}

/// The demand that a task makes, with the authorisations that belong to it.
pub(super) fn read(
    peer: &Peer,
    us: &Endpoint,
    task: &Object,
    authorisations: &[Object],
    received_at: Timestamp,
) -> Result<Demand, Held> {
    let mut held = Vec::new();
    let discloses = task.kind() == Kind::LdTask;
    let window = window(task, &mut held);
    if discloses {
        authorised(task, authorisations, received_at, &mut held);
    } else if let Some(until) = task.moment("task:DesiredPreservationExpiration")
        && until <= received_at
    {
        held.push(format!("it asks to preserve until {until}, which is over"));
    }
    if task.provider().is_some_and(|provider| provider != *us) {
        held.push("it names another provider".to_owned());
    }
    let flags = task.entries_at(&["task:Flags", "task:LDTaskFlag"]);
    let flags: Vec<_> = flags
        .into_iter()
        .chain(
            authorisations
                .iter()
                .flat_map(|auth| auth.entries_at(&["auth:AuthorisationFlags", "auth:AuthorisationFlag"])),
        )
        .collect();
    let flagged = |value: &str| flags.iter().any(|flag| flag.owner == ETSI && flag.value == value);
    if flagged("IsTest") {
        held.push("it says of itself that it is a test".to_owned());
    }
    let categories = categories(task, discloses, &mut held);
    let subjects = subjects(task, &mut held);
    let approvals = approvals(task, authorisations);
    let emergency =
        (flagged("IsEmergency") || approvals.iter().any(|approval| approval.emergency)).then(|| Emergency {
            // Whose life is in danger, if anybody's, it does not say.
            danger_to_life: false,
            statement: "the message is flagged as an emergency".to_owned(),
        });
    let instrument = match (discloses, &peer.preservation) {
        (true, _) => Some(peer.disclosure.clone()),
        (false, preservation) => preservation.clone(),
    };
    let Some(instrument) = instrument else {
        held.push("no instrument of preservation is configured for this authority".to_owned());
        return Err(Held(held));
    };
    if !held.is_empty() {
        return Err(Held(held));
    }
    let issued_on = approvals.iter().filter_map(Approval::given_at).max().map(day);
    let demand = Demand {
        schema: DemandSchema::V1,
        instrument,
        reference: reference(task, authorisations),
        served_at: received_at,
        requester: Requester {
            authority: peer.authority.clone(),
            country: peer.country.clone(),
            kind: peer.kind,
            officer: None,
            email: None,
        },
        issuer: approvals.iter().find_map(issuer),
        issued_on,
        return_on: return_on(task),
        subjects,
        categories,
        location: false,
        window,
        items: items(task, authorisations),
        showing: Showing::default(),
        gag: None,
        emergency,
        offence: None,
        epoc: None,
        sequel: Sequel::default(),
    };
    // As strictly as any other demand is read: its limits and its dates hold here too.
    let bytes = serde_json::to_vec(&demand).map_err(|error| Held(vec![error.to_string()]))?;
    demand::parse(&bytes).map_err(|error| Held(vec![error.to_string()]))
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn window(task: &Object, held: &mut Vec<String>) -> Option<Window> {
    let at = |name| task.moment_at(&["task:RequestDetails", name]);
    match (at("task:StartTime"), at("task:EndTime")) {
        (None, None) => None,
        (Some(from), Some(until)) => match Window::new(from, until) {
            Ok(window) => Some(window),
            Err(error) => {
                held.push(error.to_string());
                None
            }
        },
        _ => {
            held.push("its window of time has one end and not the other".to_owned());
            None
        }
    }
}

/// That the task stays within an authorisation that holds.
fn authorised(task: &Object, authorisations: &[Object], received_at: Timestamp, held: &mut Vec<String>) {
    if authorisations.is_empty() {
        held.push("no authorisation belongs to it".to_owned());
    }
    if authorisations.len() > AUTHORISATIONS_MAX {
        held.push(format!(
            "more than {AUTHORISATIONS_MAX} authorisations belong to it"
        ));
    }
    let asked = |name| task.moment_at(&["task:RequestDetails", name]);
    for authorisation in authorisations {
        let end_of = |name| authorisation.moment_at(&["auth:AuthorisationTimespan", name]);
        let (start, end) = (end_of("auth:StartTime"), end_of("auth:EndTime"));
        if let (Some(start), Some(from)) = (start, asked("task:StartTime"))
            && from < start
        {
            held.push(format!(
                "it asks for data from {from} on, and its authorisation begins at {start}"
            ));
        }
        if let (Some(end), Some(until)) = (end, asked("task:EndTime"))
            && until > end
        {
            held.push(format!(
                "it asks for data until {until}, and its authorisation ends at {end}"
            ));
        }
        if let Some(end) = end
            && end <= received_at
        {
            held.push(format!("its authorisation ended at {end}, before it came"));
        }
        if let Some(desired) = authorisation.desired()
            && matches!(
                desired.value.as_str(),
                "Rejected" | "Suspended" | "Cancelled" | "Expired"
            )
        {
            held.push(format!("its authorisation is to be `{}`", desired.value));
        }
    }
}

fn categories(task: &Object, discloses: bool, held: &mut Vec<String>) -> Vec<Category> {
    use hi1::dictionary::Entry;
    let Some(kind) = task
        .path(&["task:RequestDetails", "task:Type"])
        .and_then(|value| serde::Deserialize::deserialize(value).ok())
        .map(|entry: Entry| entry.of("RequestType").map(str::to_owned))
    else {
        // What is preserved need not be sorted yet.
        if discloses {
            held.push("it does not say which kind of data it asks for".to_owned());
        }
        return Vec::new();
    };
    match kind.as_deref() {
        Some("SubscriberData") => vec![Category::Subscriber],
        Some("UserIdentifyingData") => vec![Category::Identification],
        Some("TrafficData") => vec![Category::Traffic],
        Some("StoredContentData") => vec![Category::Content],
        Some("SubscriberDataAndUserIdentifyingData") => vec![Category::Subscriber, Category::Identification],
        Some("TrafficDataAndStoredContentData") => vec![Category::Traffic, Category::Content],
        _ => {
            held.push("the kind of data that it asks for is none of ETSI's".to_owned());
            Vec::new()
        }
    }
}

fn subjects(task: &Object, held: &mut Vec<String>) -> Vec<Subject> {
    let values: Vec<RequestValue> =
        task.list_at(&["task:RequestDetails", "task:RequestValues", "task:RequestValue"]);
    if values.len() > demand::SUBJECTS_MAX {
        held.push(format!("it names {} identifiers", values.len()));
        return Vec::new();
    }
    let observed = task.moment_at(&["task:RequestDetails", "task:ObservedTime"]);
    let mut subjects = Vec::with_capacity(values.len());
    for (number, RequestValue { format, value }) in values.into_iter().enumerate() {
        let known = if format.owner == ETSI {
            format.name.as_str()
        } else {
            ""
        };
        match known {
            "InternationalE164" | "GPSIMSISDN" => subjects.push(Subject::Phone { value }),
            "EmailAddress" | "InternationalizedEmailAddress" | "NAI" | "SUPINAI" | "GPSINAI" | "IMPU" | "IMPI"
            | "SIPURI" | "TELURI" | "IMSI" | "SUPIIMSI" | "IMEI" | "IMEICheckDigit" | "IMEISV" | "PEIIMEI"
            | "PEIIMEICheckDigit" | "PEIIMEISV" | "ICCID" | "EUICCID" | "MACAddress" | "EUI64"
            | "ServiceAccessIdentifier" => subjects.push(Subject::Account { value }),
            "IPv4Address" | "IPv6Address" => match (value.parse(), observed) {
                (Ok(address), Some(at)) => subjects.push(Subject::Ip {
                    address,
                    port: None,
                    at,
                }),
                _ => held.push(format!(
                    "identifier {number} is an address without the moment at which it was seen, or none at all"
                )),
            },
            _ => held.push(format!("what kind of identifier number {number} is, is not known")),
        }
    }
    subjects
}

fn approvals(task: &Object, authorisations: &[Object]) -> Vec<Approval> {
    let of_task = task.list_at(&["task:ApprovalDetails"]);
    let of_others = authorisations
        .iter()
        .flat_map(|object| object.list_at(&["auth:AuthorisationApprovalDetails"]));
    of_others.chain(of_task).collect()
}

fn issuer(approval: &Approval) -> Option<Issuer> {
    Some(Issuer {
        kind: AuthorityKind::Unknown,
        name: approval
            .approver
            .name
            .clone()
            .filter(|name| !name.trim().is_empty())?,
        title: approval
            .approver
            .role
            .clone()
            .filter(|role| !role.trim().is_empty()),
        validated_by: None,
    })
}

fn reference(task: &Object, authorisations: &[Object]) -> Option<String> {
    let of_authorisation = || {
        let mut all = authorisations.iter();
        all.find_map(|object| object.text("auth:AuthorisationReference"))
    };
    task.text("task:Reference")
        .or_else(of_authorisation)
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
}

/// The nearest deadline that the task names.
fn return_on(task: &Object) -> Option<Date> {
    let deadlines = task.path(&["task:Deadlines", "task:LDDeadline"])?.as_array()?;
    let days = deadlines.iter().filter_map(|deadline| {
        let at: Timestamp = deadline.get("task:DateTime")?.as_str()?.parse().ok()?;
        Some(day(at))
    });
    days.min()
}

fn items(task: &Object, authorisations: &[Object]) -> Vec<String> {
    let mut items = Vec::new();
    let mut add = |text: Option<&str>| {
        items.extend(
            text.map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
        );
    };
    add(task.text("task:ManualInformation"));
    for object in authorisations {
        add(object.text("auth:AuthorisationManualInformation"));
        if let Some(kind) = object.entry("auth:AuthorisationTypeOfCase") {
            add(Some(&format!("type of case: {}", kind.value)));
        }
    }
    items
}
