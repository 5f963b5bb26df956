//! A message: header, and requests or their answers (`ts_103120_Core`).

use super::{
    CONCRETE,
    basis::{
        COUNTRY, ENDPOINT, ENTRY, FAILURE, FREE, LONG, MICRO_MOMENT, MOMENT, NATURAL, OPEN, POSITIVE, SHORT,
        TIMESPAN, UUID, VERSION,
    },
};
use crate::shape::{Shape, may, must};

pub(super) static MESSAGE: Shape = Shape::Annotated(&[
    must("Header", &HEADER),
    must("Payload", &PAYLOAD),
    may("Signature", &SIGNATURE),
    may("Signatures", &SIGNATURES),
]);

// The schema says nothing of a signature that is no object.
static SIGNATURE: Shape = Shape::IfObject(&[must("protected", &FREE), must("signature", &FREE)]);
static SIGNATURES: Shape = Shape::List(&ONE_SIGNATURE, 1);
static ONE_SIGNATURE: Shape = Shape::Loose(&[
    must("hash_algorithm", &FREE),
    must("algorithm", &FREE),
    may("public_key", &FREE),
    must("value", &FREE),
]);

static HEADER: Shape = Shape::Object(&[
    must("SenderIdentifier", &ENDPOINT),
    must("ReceiverIdentifier", &ENDPOINT),
    must("TransactionIdentifier", &UUID),
    must("Timestamp", &MICRO_MOMENT),
    must("Version", &VERSION),
    may("WorkflowIdentifier", &LONG),
]);

static PAYLOAD: Shape = Shape::Choice(&[
    Shape::Loose(&[must("RequestPayload", &REQUEST)]),
    Shape::Loose(&[must("ResponsePayload", &RESPONSE)]),
]);

static REQUEST: Shape = Shape::Object(&[must("ActionRequests", &ACTIONS)]);
static ACTIONS: Shape = Shape::Object(&[may("ActionRequest", &ACTION_LIST)]);
static ACTION_LIST: Shape = Shape::List(&ACTION, 1);
static ACTION: Shape = Shape::Action(&[
    may("GET", &IDENTIFIER),
    may("CREATE", &BARE_OBJECT),
    may("UPDATE", &BARE_OBJECT),
    may("LIST", &LIST),
    may("DELIVER", &DELIVER),
    may("GETCSPCONFIG", &NOTHING),
]);

static RESPONSE: Shape = Shape::Choice(&[
    Shape::Loose(&[must("ActionResponses", &ANSWERS)]),
    Shape::Loose(&[must("ErrorInformation", &FAILURE)]),
]);
static ANSWERS: Shape = Shape::Object(&[may("ActionResponse", &ANSWER_LIST)]);
static ANSWER_LIST: Shape = Shape::List(&ANSWER, 1);
static ANSWER: Shape = Shape::Action(&[
    may("GETResponse", &BARE_OBJECT),
    may("CREATEResponse", &DONE),
    may("UPDATEResponse", &DONE),
    may("LISTResponse", &LISTED),
    may("DELIVERResponse", &IDENTIFIER),
    may("ErrorInformation", &FAILURE),
    // What a provider publishes of itself is another schema's, and this one asks nobody for it.
    may("GETCSPCONFIGResponse", &OPEN),
]);

static NOTHING: Shape = Shape::Object(&[]);
static IDENTIFIER: Shape = Shape::Object(&[must("Identifier", &UUID)]);
static BARE_OBJECT: Shape = Shape::Object(&[must("HI1Object", &CONCRETE)]);
static DELIVER: Shape = Shape::Object(&[must("Identifier", &UUID), must("HI1Object", &CONCRETE)]);
static DONE: Shape = Shape::Object(&[must("Identifier", &UUID), may("HI1Object", &CONCRETE)]);
static LIST: Shape = Shape::Object(&[
    may("ObjectType", &ENTRY),
    may("LastChanged", &MOMENT),
    may("LastChangedTimespan", &TIMESPAN),
    may("MaximumObjectCount", &POSITIVE),
    may("Status", &ENTRY),
    may("CountryCode", &COUNTRY),
]);
static LISTED: Shape = Shape::Object(&[may("ListResponseRecord", &RECORDS)]);
static RECORDS: Shape = Shape::List(&RECORD, 0);
static RECORD: Shape = Shape::Object(&[
    must("ObjectType", &ENTRY),
    must("Identifier", &UUID),
    may("CountryCode", &COUNTRY),
    may("OwnerIdentifier", &SHORT),
    must("Generation", &NATURAL),
    may("ExternalIdentifier", &LONG),
    may("LastChanged", &MOMENT),
]);
