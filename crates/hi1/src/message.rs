//! Messages: read whole, or refused with what is wrong and where.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    ACTIONS_MAX,
    code::{Code, Failure},
    dictionary::Entry,
    grammar, json,
    object::Object,
    shape::{ACTION_IDENTIFIER, whole},
    signature::key_named,
    simple::{micro_moment, moment},
};

/// A side of the exchange.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// ISO 3166-1 alpha-2, or `XX` in tests.
    #[serde(rename = "CountryCode")]
    pub country: String,
    /// Unique within the country.
    #[serde(rename = "UniqueIdentifier")]
    pub id: String,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.country, self.id)
    }
}

/// Versions spoken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Of the standard.
    #[serde(rename = "ETSIVersion")]
    pub etsi: String,
    /// Whose national profile.
    #[serde(rename = "NationalProfileOwner")]
    pub profile_owner: String,
    /// Which version of it.
    #[serde(rename = "NationalProfileVersion")]
    pub profile: String,
}

/// A message's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Who sends.
    #[serde(rename = "SenderIdentifier")]
    pub sender: Endpoint,
    /// Who is meant.
    #[serde(rename = "ReceiverIdentifier")]
    pub receiver: Endpoint,
    /// The request's own id; its answer repeats it.
    #[serde(rename = "TransactionIdentifier")]
    pub transaction: Uuid,
    /// When it was sent, as text of the form that the standard asks for.
    #[serde(rename = "Timestamp")]
    pub timestamp: String,
    /// Versions spoken.
    #[serde(rename = "Version")]
    pub version: Version,
    /// Which workflow it belongs to.
    #[serde(
        rename = "WorkflowIdentifier",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub workflow: Option<String>,
}

impl Header {
    /// When it was sent.
    pub fn sent_at(&self) -> Option<Timestamp> {
        micro_moment(&self.timestamp)
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its header.
    pub header: Header,
    /// What it says.
    pub payload: Payload,
    /// It bears a signature: of a JWS, or of the older form. With the name of its key, where it tells one.
    pub signature: Option<Signature>,
}

/// A signature as it came. Nothing of it is verified: see [`crate::signature::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// What its protected header calls the key.
    pub key: Option<String>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Actions asked for.
    Request(Vec<Action>),
    /// Their answers.
    Response(Vec<Answer>),
    /// The whole request was refused.
    Refused(Failure),
}

/// One action asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Its number in the message.
    pub id: u64,
    /// What it asks.
    pub verb: Verb,
}

/// What an action asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Take this object in.
    Create(Object),
    /// Change it.
    Update(Object),
    /// Give it.
    Get(Uuid),
    /// Say which there are.
    List(ListRequest),
    /// Take this delivery.
    Deliver(Uuid, Object),
    /// Say how the provider is set up.
    GetConfiguration,
}

/// Which objects to list. What is absent excludes nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListRequest {
    /// Of this type.
    pub object_type: Option<Entry>,
    /// Changed since.
    pub changed_since: Option<Timestamp>,
    /// Changed before.
    pub changed_before: Option<Timestamp>,
    /// At most so many.
    pub most: Option<u64>,
    /// With this status.
    pub status: Option<Entry>,
    /// Of this country.
    pub country: Option<String>,
}

/// The answer to one action.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The action's number.
    pub id: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The object was taken in.
    Created(Uuid),
    /// The object was changed.
    Updated(Uuid),
    /// Here it is.
    Got(Object),
    /// These there are.
    Listed(Vec<Record>),
    /// The delivery was taken.
    Delivered(Uuid),
    /// How the provider is set up; not read.
    Configuration,
    /// Refused.
    Failed(Failure),
}

/// One object in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its type.
    #[serde(rename = "ObjectType")]
    pub object_type: Entry,
    /// Its id.
    #[serde(rename = "Identifier")]
    pub id: Uuid,
    /// Country of its owner.
    #[serde(rename = "CountryCode", default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Its owner.
    #[serde(rename = "OwnerIdentifier", default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How often it was changed, from 1 on.
    #[serde(rename = "Generation")]
    pub generation: u64,
    /// The owner's own id.
    #[serde(
        rename = "ExternalIdentifier",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub external: Option<String>,
    /// When it was last changed.
    #[serde(rename = "LastChanged", default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
}

/// Why bytes are no message. Quotes none of their values.
#[derive(Debug, Clone, PartialEq)]
pub struct Malformed {
    /// What the sender is told.
    pub failure: Failure,
    /// The header, where it at least can be read: the answer repeats its transaction.
    pub header: Option<Box<Header>>,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.failure.description)
    }
}
impl std::error::Error for Malformed {}

/// Reads one message.
///
/// # Errors
/// [`Malformed`]: too large or too deep, no JSON, a key that stands twice, or not of the form that the standard gives it.
pub fn parse(bytes: &[u8]) -> Result<Message, Malformed> {
    let refuse = |code, why: String, header| Malformed {
        failure: Failure::new(code, why),
        header,
    };
    let value = json::read(bytes).map_err(|why| {
        let code = if bytes.len() > json::BYTES_MAX {
            Code::TooLarge
        } else {
            Code::Validation
        };
        refuse(code, format!("the message cannot be read: {why}"), None)
    })?;
    let header = || {
        let header = Header::deserialize(value.get("Header")?).ok()?;
        header.sent_at().is_some().then(|| Box::new(header))
    };
    let why = match grammar::check(&value) {
        Err(misfit) => format!("the message does not fit its schema: {misfit}"),
        Ok(()) => match of(&value) {
            Ok(message) => return Ok(message),
            Err(why) => why,
        },
    };
    Err(refuse(Code::Validation, why, header()))
}

/// A message of a value that fits the grammar.
fn of(value: &Value) -> Result<Message, String> {
    let unread = || "a part of the message cannot be read".to_owned();
    let header = value.get("Header").ok_or_else(unread)?;
    let header = Header::deserialize(header).map_err(|_| "the message's header cannot be read".to_owned())?;
    let payload = value.get("Payload").ok_or_else(unread)?;
    // Where both stand, the schema accepts exactly one: the one that fits.
    let payload = match (payload.get("RequestPayload"), payload.get("ResponsePayload")) {
        (Some(_), Some(_)) => return Err("a message is a request or an answer, not both".to_owned()),
        (Some(request), None) => {
            let list = list(request, "ActionRequests", "ActionRequest")?;
            Payload::Request(
                list.iter()
                    .map(action)
                    .collect::<Option<_>>()
                    .ok_or_else(unread)?,
            )
        }
        (None, Some(response)) => match (response.get("ActionResponses"), response.get("ErrorInformation")) {
            (Some(_), None) => {
                let list = list(response, "ActionResponses", "ActionResponse")?;
                Payload::Response(
                    list.iter()
                        .map(answer)
                        .collect::<Option<_>>()
                        .ok_or_else(unread)?,
                )
            }
            (None, Some(failure)) => Payload::Refused(Failure::deserialize(failure).map_err(|_| unread())?),
            _ => return Err("an answer has actions or an error, not both".to_owned()),
        },
        (None, None) => return Err(unread()),
    };
    let signature = match (value.get("Signature"), value.get("Signatures")) {
        (None, None) => None,
        (Some(jws), _) => Some(Signature { key: key_named(jws) }),
        (None, Some(_)) => Some(Signature { key: None }),
    };
    Ok(Message {
        header,
        payload,
        signature,
    })
}

fn list<'a>(value: &'a Value, outer: &str, inner: &str) -> Result<&'a [Value], String> {
    let list = value.get(outer).and_then(|outer| outer.get(inner));
    let list = list.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if list.len() > ACTIONS_MAX {
        return Err(format!(
            "the message has {} actions; {ACTIONS_MAX} are the most",
            list.len()
        ));
    }
    Ok(list)
}

fn id(value: &Value, name: &str) -> Option<Uuid> {
    value.get(name)?.as_str()?.parse().ok()
}

/// An object may be anything where its kind is not supported, also without an identifier: then none is made up.
fn object(value: &Value) -> Option<Object> {
    let mut value = value.get("HI1Object")?.clone();
    if id(&value, "ObjectIdentifier").is_none() {
        value.as_object_mut()?.insert(
            "ObjectIdentifier".to_owned(),
            Value::String(Uuid::nil().to_string()),
        );
    }
    Object::of(value)
}

/// The one member that is not the action's number.
fn one_of(value: &Value) -> Option<(u64, &str, &Value)> {
    let number = whole(value.get(ACTION_IDENTIFIER)?)?;
    let (name, inner) = value
        .as_object()?
        .iter()
        .find(|(name, _)| *name != ACTION_IDENTIFIER)?;
    Some((number, name, inner))
}

fn action(value: &Value) -> Option<Action> {
    let (number, name, inner) = one_of(value)?;
    let verb = match name {
        "CREATE" => Verb::Create(object(inner)?),
        "UPDATE" => Verb::Update(object(inner)?),
        "GET" => Verb::Get(id(inner, "Identifier")?),
        "DELIVER" => Verb::Deliver(id(inner, "Identifier")?, object(inner)?),
        "GETCSPCONFIG" => Verb::GetConfiguration,
        "LIST" => {
            let at = |value: Option<&Value>| moment(value?.as_str()?);
            let span = inner.get("LastChangedTimespan");
            let since = at(inner.get("LastChanged"));
            let from = at(span.and_then(|span| span.get("common:StartTime")));
            Verb::List(ListRequest {
                object_type: entry(inner, "ObjectType"),
                changed_since: since.max(from),
                changed_before: at(span.and_then(|span| span.get("common:EndTime"))),
                most: inner.get("MaximumObjectCount").and_then(whole),
                status: entry(inner, "Status"),
                country: inner
                    .get("CountryCode")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            })
        }
        _ => return None,
    };
    Some(Action { id: number, verb })
}

fn entry(value: &Value, name: &str) -> Option<Entry> {
    Entry::deserialize(value.get(name)?).ok()
}

fn answer(value: &Value) -> Option<Answer> {
    let (number, name, inner) = one_of(value)?;
    let outcome = match name {
        "CREATEResponse" => Outcome::Created(id(inner, "Identifier")?),
        "UPDATEResponse" => Outcome::Updated(id(inner, "Identifier")?),
        "GETResponse" => Outcome::Got(object(inner)?),
        "DELIVERResponse" => Outcome::Delivered(id(inner, "Identifier")?),
        "GETCSPCONFIGResponse" => Outcome::Configuration,
        "ErrorInformation" => Outcome::Failed(Failure::deserialize(inner).ok()?),
        "LISTResponse" => {
            let records = inner.get("ListResponseRecord").and_then(Value::as_array);
            let records = records
                .into_iter()
                .flatten()
                .map(|record| Record::deserialize(record).ok());
            Outcome::Listed(records.collect::<Option<_>>()?)
        }
        _ => return None,
    };
    Some(Answer { id: number, outcome })
}
