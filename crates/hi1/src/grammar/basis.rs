//! What the other forms are made of: simple types, dictionary entries, approvals, and what every object has.

use crate::{
    shape::{Member, Shape, XSI_TYPE, may, must},
    simple::Simple,
};

pub(super) static FREE: Shape = Shape::Text(Simple::Free);
pub(super) static SHORT: Shape = Shape::Text(Simple::Short);
pub(super) static LONG: Shape = Shape::Text(Simple::Long);
pub(super) static UUID: Shape = Shape::Text(Simple::Uuid);
pub(super) static COUNTRY: Shape = Shape::Text(Simple::Country);
pub(super) static MOMENT: Shape = Shape::Text(Simple::Moment);
pub(super) static MICRO_MOMENT: Shape = Shape::Text(Simple::MicroMoment);
pub(super) static E164: Shape = Shape::Text(Simple::E164);
pub(super) static WIDE_EMAIL: Shape = Shape::Text(Simple::WideEmail);
pub(super) static BASE64: Shape = Shape::Text(Simple::Base64);
pub(super) static NATURAL: Shape = Shape::Whole(0);
pub(super) static POSITIVE: Shape = Shape::Whole(1);
pub(super) static FLAG: Shape = Shape::Flag;
pub(super) static ANY: Shape = Shape::Any;
pub(super) static OPEN: Shape = Shape::Open;

static ETSI_VERSION: Shape = Shape::Text(Simple::EtsiVersion);
static LANGUAGE: Shape = Shape::Text(Simple::Language);

pub(super) static ENDPOINT: Shape =
    Shape::Object(&[must("CountryCode", &COUNTRY), must("UniqueIdentifier", &LONG)]);

pub(super) static VERSION: Shape = Shape::Object(&[
    must("ETSIVersion", &ETSI_VERSION),
    must("NationalProfileOwner", &SHORT),
    must("NationalProfileVersion", &SHORT),
]);

pub(super) static ENTRY: Shape = Shape::Object(&[
    must("common:Owner", &SHORT),
    must("common:Name", &SHORT),
    must("common:Value", &SHORT),
]);

pub(super) static FAILURE: Shape =
    Shape::Object(&[must("ErrorCode", &NATURAL), must("ErrorDescription", &LONG)]);

pub(super) static TIMESPAN: Shape =
    Shape::Object(&[may("common:StartTime", &MOMENT), may("common:EndTime", &MOMENT)]);

pub(super) static CHECKSUMS: Shape = Shape::Object(&[may("common:ChecksumAndType", &CHECKSUM_LIST)]);
static CHECKSUM_LIST: Shape = Shape::List(&CHECKSUM, 1);
static CHECKSUM: Shape = Shape::Object(&[
    must("common:Checksum", &SHORT),
    must("common:ChecksumType", &SHORT),
]);

static NATIONAL: Shape = Shape::Object(&[must("CountryCode", &COUNTRY)]);
static COMMON_NATIONAL: Shape = Shape::Object(&[must("common:CountryCode", &COUNTRY)]);

static ASSOCIATED: Shape = Shape::Object(&[may("AssociatedObject", &UUIDS)]);
static UUIDS: Shape = Shape::List(&UUID, 0);

/// What every object has. Its type is judged before.
pub(super) static ALL: &[Member] = &[
    must(XSI_TYPE, &FREE),
    must("ObjectIdentifier", &UUID),
    may("CountryCode", &COUNTRY),
    may("OwnerIdentifier", &SHORT),
    may("Generation", &NATURAL),
    may("ExternalIdentifier", &LONG),
    may("AssociatedObjects", &ASSOCIATED),
    may("LastChanged", &MOMENT),
    may("NationalHandlingParameters", &NATIONAL),
];

pub(super) static APPROVALS: Shape = Shape::List(&APPROVAL, 0);
static APPROVAL: Shape = Shape::Object(&[
    may("common:ApprovalType", &LONG),
    may("common:ApprovalDescription", &LONG),
    may("common:ApprovalReference", &LONG),
    may("common:ApproverDetails", &APPROVER),
    may("common:ApprovalTimestamp", &MOMENT),
    may("common:ApprovalIsEmergency", &FLAG),
    may("common:ApprovalDigitalSignature", &SIGNATURE),
    may("common:ApprovalNationalDetails", &COMMON_NATIONAL),
]);
static APPROVER: Shape = Shape::Object(&[
    may("common:ApproverName", &LONG),
    may("common:ApproverRole", &LONG),
    may("common:ApproverIdentity", &IDENTITY),
    may("common:ApproverContactDetails", &CONTACTS),
]);
static SIGNATURE: Shape = Shape::Loose(&[must("common:NationalDigitalSignature", &COMMON_NATIONAL)]);
static IDENTITY: Shape = Shape::Loose(&[must("common:NationalApproverIdentity", &COMMON_NATIONAL)]);
static CONTACTS: Shape = Shape::List(&CONTACT, 0);
static CONTACT: Shape = Shape::Object(&[
    may("common:Name", &LONG),
    may("common:Role", &LONG),
    may("common:EmailAddress", &WIDE_EMAIL),
    may("common:PhoneNumber", &E164),
    may("common:FaxNumber", &E164),
    may("common:Address", &LONG),
    may("common:Languages", &LANGUAGES),
    may("common:ApproverAlternateName", &LONG),
    may("common:ApproverEmailAddress", &WIDE_EMAIL),
    may("common:ApproverPhoneNumber", &E164),
]);
static LANGUAGES: Shape = Shape::List(&SPOKEN, 0);
static SPOKEN: Shape = Shape::Loose(&[must("common:ISO639Set1LanguageIdentifier", &LANGUAGE)]);
