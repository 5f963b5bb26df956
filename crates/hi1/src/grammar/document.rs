//! `ts_103120_Document`.

use super::basis::{APPROVALS, BASE64, COUNTRY, ENTRY, FAILURE, LONG, MOMENT, SHORT};
use crate::shape::{Member, Shape, may, must};

pub(super) static OWN: &[Member] = &[
    may("doc:DocumentReference", &LONG),
    may("doc:DocumentName", &LONG),
    may("doc:DocumentStatus", &ENTRY),
    may("doc:DocumentDesiredStatus", &ENTRY),
    may("doc:DocumentTimespan", &SPAN),
    may("doc:DocumentType", &ENTRY),
    may("doc:DocumentProperties", &PROPERTIES),
    may("doc:DocumentBody", &BODY),
    may("doc:DocumentSignature", &APPROVALS),
    may("doc:DocumentInvalidReason", &FAILURE),
    may("doc:NationalDocumentParameters", &NATIONAL),
];

static SPAN: Shape = Shape::Object(&[may("doc:StartTime", &MOMENT), may("doc:EndTime", &MOMENT)]);
static PROPERTIES: Shape = Shape::Object(&[may("doc:DocumentProperty", &PROPERTY_LIST)]);
static PROPERTY_LIST: Shape = Shape::List(&PROPERTY, 0);
static PROPERTY: Shape = Shape::Object(&[must("doc:PropertyType", &ENTRY), must("doc:PropertyValue", &LONG)]);
static BODY: Shape = Shape::Object(&[
    may("doc:Contents", &BASE64),
    may("doc:ContentType", &SHORT),
    may("doc:Checksum", &SHORT),
    may("doc:ChecksumType", &SHORT),
]);
static NATIONAL: Shape = Shape::Object(&[must("doc:CountryCode", &COUNTRY)]);
