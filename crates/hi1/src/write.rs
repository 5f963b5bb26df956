//! Writing messages. Nothing leaves that the grammar would refuse (TS 103 120 clause 9.2.1).

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use crate::{
    grammar,
    message::{Action, Answer, Header, Message, Outcome, Payload, Verb},
    object::Object,
    shape::{ACTION_IDENTIFIER, XSI_TYPE},
};

/// The prefixes that names here have.
const NAMESPACES: &[(&str, &str)] = &[
    ("@xmlns", "http://uri.etsi.org/03120/common/2019/10/Core"),
    ("@xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
    ("@xmlns:common", "http://uri.etsi.org/03120/common/2016/02/Common"),
    (
        "@xmlns:auth",
        "http://uri.etsi.org/03120/common/2020/09/Authorisation",
    ),
    ("@xmlns:task", "http://uri.etsi.org/03120/common/2020/09/Task"),
    ("@xmlns:doc", "http://uri.etsi.org/03120/common/2020/09/Document"),
    (
        "@xmlns:notification",
        "http://uri.etsi.org/03120/common/2016/02/Notification",
    ),
    (
        "@xmlns:delivery",
        "http://uri.etsi.org/03120/common/2019/10/Delivery",
    ),
];

/// A message that does not fit the standard was about to be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message to be sent does not fit its schema: {0}")]
pub struct Unfit(String);

/// Writes a message, unsigned.
///
/// # Errors
/// [`Unfit`]: what was put together is no message of the standard.
pub fn message(message: &Message) -> Result<Vec<u8>, Unfit> {
    let payload = match &message.payload {
        Payload::Request(actions) => {
            json!({"RequestPayload": {"ActionRequests": listed("ActionRequest", actions.iter().map(action))}})
        }
        Payload::Response(answers) => {
            json!({"ResponsePayload": {"ActionResponses": listed("ActionResponse", answers.iter().map(answer))}})
        }
        Payload::Refused(failure) => json!({"ResponsePayload": {"ErrorInformation": failure}}),
    };
    let mut whole = Map::new();
    for (name, uri) in NAMESPACES {
        whole.insert((*name).to_owned(), json!(uri));
    }
    whole.insert("Header".to_owned(), json!(message.header));
    whole.insert("Payload".to_owned(), payload);
    let whole = Value::Object(whole);
    grammar::check(&whole).map_err(|misfit| Unfit(misfit.to_string()))?;
    serde_json::to_vec(&whole).map_err(|error| Unfit(error.to_string()))
}

/// The list under its name; nothing where it is empty, for the schema takes no empty one.
fn listed(name: &str, items: impl Iterator<Item = Value>) -> Value {
    let items: Vec<Value> = items.collect();
    if items.is_empty() {
        json!({})
    } else {
        json!({name: items})
    }
}

fn action(action: &Action) -> Value {
    let (name, inner) = match &action.verb {
        Verb::Create(object) => ("CREATE", json!({"HI1Object": object.to_json()})),
        Verb::Update(object) => ("UPDATE", json!({"HI1Object": object.to_json()})),
        Verb::Get(id) => ("GET", json!({"Identifier": id.to_string()})),
        Verb::Deliver(id, object) => (
            "DELIVER",
            json!({"Identifier": id.to_string(), "HI1Object": object.to_json()}),
        ),
        Verb::GetConfiguration => ("GETCSPCONFIG", json!({})),
        Verb::List(asked) => {
            let mut inner = Map::new();
            let mut put = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    inner.insert(name.to_owned(), value);
                }
            };
            put("ObjectType", asked.object_type.as_ref().map(|entry| json!(entry)));
            put("LastChanged", asked.changed_since.map(|at| json!(moment(at))));
            let before = asked
                .changed_before
                .map(|at| json!({"common:EndTime": moment(at)}));
            put("LastChangedTimespan", before);
            put("MaximumObjectCount", asked.most.map(|most| json!(most)));
            put("Status", asked.status.as_ref().map(|entry| json!(entry)));
            put(
                "CountryCode",
                asked.country.as_ref().map(|country| json!(country)),
            );
            ("LIST", Value::Object(inner))
        }
    };
    json!({ACTION_IDENTIFIER: action.id, name: inner})
}

fn answer(answer: &Answer) -> Value {
    let (name, inner) = match &answer.outcome {
        Outcome::Created(id) => ("CREATEResponse", json!({"Identifier": id.to_string()})),
        Outcome::Updated(id) => ("UPDATEResponse", json!({"Identifier": id.to_string()})),
        Outcome::Got(object) => ("GETResponse", json!({"HI1Object": object.to_json()})),
        Outcome::Listed(records) => ("LISTResponse", json!({"ListResponseRecord": records})),
        Outcome::Delivered(id) => ("DELIVERResponse", json!({"Identifier": id.to_string()})),
        Outcome::Configuration => ("GETCSPCONFIGResponse", json!({})),
        Outcome::Failed(failure) => ("ErrorInformation", json!(failure)),
    };
    json!({ACTION_IDENTIFIER: answer.id, name: inner})
}

/// A moment as objects have it: to the second, in UTC.
pub fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// A moment as headers have it: to the microsecond, in UTC.
pub fn micro_moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%S.%6fZ")
        .to_string()
}

/// An object's bytes, as [`Object::read`] reads them.
///
/// # Errors
/// [`Unfit`]: what was put together is no object of the standard.
pub fn object(object: &Object) -> Result<Vec<u8>, Unfit> {
    let value = object.to_json();
    debug_assert!(value.get(XSI_TYPE).is_some(), "every object has its type");
    grammar::check_object(&value).map_err(|misfit| Unfit(misfit.to_string()))?;
    serde_json::to_vec(&value).map_err(|error| Unfit(error.to_string()))
}

/// The header of the answer to a request: the sides exchanged, its transaction and versions repeated.
pub fn answering(request: &Header, now: Timestamp) -> Header {
    Header {
        sender: request.receiver.clone(),
        receiver: request.sender.clone(),
        timestamp: micro_moment(now),
        ..request.clone()
    }
}
