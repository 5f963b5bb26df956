//! `ts_103120_Delivery`.

use super::basis::{ANY, BASE64, CHECKSUMS, ENTRY, FLAG, FREE, LONG, MICRO_MOMENT, NATURAL, SHORT, UUID};
use crate::{
    shape::{Member, Shape, may, must},
    simple::Simple,
};

pub(super) static OWN: &[Member] = &[
    may("delivery:Reference", &REFERENCE),
    may("delivery:DeliveryID", &UUID),
    may("delivery:SequenceNumber", &NATURAL),
    may("delivery:LastSequence", &FLAG),
    may("delivery:Manifest", &MANIFEST),
    may("delivery:Delivery", &DELIVERY),
    may("delivery:DeliveryStatus", &ENTRY),
    may("delivery:DeliveryDesiredStatus", &ENTRY),
    may("delivery:EncryptionDetails", &ENCRYPTION),
];

static LDID: Shape = Shape::Text(Simple::Ldid);
static LIID: Shape = Shape::Text(Simple::Liid);
static REFERENCE: Shape = Shape::Choice(&[
    Shape::Loose(&[must("delivery:LDID", &LDID)]),
    Shape::Loose(&[must("delivery:LIID", &LIID)]),
]);

static MANIFEST: Shape = Shape::Choice(&[
    Shape::Loose(&[must("delivery:Specification", &ENTRY)]),
    Shape::Loose(&[must("delivery:ExternalSchema", &EXTERNAL)]),
]);
static EXTERNAL: Shape = Shape::Object(&[
    may("delivery:ManifestID", &LONG),
    may("delivery:ManifestContents", &CONTENTS),
]);
static CONTENTS: Shape = Shape::Choice(&[
    Shape::Loose(&[must("delivery:BinaryData", &BINARY)]),
    Shape::Loose(&[must("delivery:XMLSchema", &XML_SCHEMA)]),
    Shape::Loose(&[must("delivery:JSONSchema", &ANY)]),
]);
static XML_SCHEMA: Shape = Shape::Object(&[must("delivery:schema", &ANY)]);

static DELIVERY: Shape = Shape::Choice(&[
    Shape::Loose(&[must("delivery:BinaryData", &BINARY)]),
    Shape::Loose(&[must("delivery:XMLData", &ANY)]),
    Shape::Loose(&[must("delivery:JSONData", &ANY)]),
    Shape::Loose(&[must("delivery:URL", &URL)]),
    Shape::Loose(&[must("delivery:DataExistence", &FLAG)]),
]);
static BINARY: Shape = Shape::Object(&[
    must("delivery:Data", &BASE64),
    may("delivery:ContentType", &SHORT),
    may("delivery:Checksum", &SHORT),
    may("delivery:ChecksumType", &SHORT),
    may("delivery:Checksums", &CHECKSUMS),
    may("delivery:OriginalFilename", &LONG),
    may("delivery:ContentLength", &NATURAL),
]);
static URL: Shape = Shape::Object(&[
    must("delivery:URL", &FREE),
    may("delivery:ContentLength", &NATURAL),
    may("delivery:ContentType", &LONG),
    may("delivery:Expiry", &MICRO_MOMENT),
    may("delivery:Checksum", &SHORT),
    may("delivery:OriginalFilename", &LONG),
    may("delivery:CSPDefinedIdentifier", &LONG),
    may("delivery:ChecksumType", &SHORT),
    may("delivery:Checksums", &CHECKSUMS),
]);
static ENCRYPTION: Shape = Shape::Object(&[
    may("delivery:EncryptionReference", &UUID),
    may("delivery:AdditionalInformation", &LONG),
]);
