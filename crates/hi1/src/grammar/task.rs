//! `ts_103120_Task`: disclosure and preservation.

use super::basis::{
    APPROVALS, COUNTRY, E164, ENDPOINT, ENTRY, FAILURE, FREE, LONG, MOMENT, OPEN, SHORT, UUID,
};
use crate::{
    shape::{Member, Shape, may, must},
    simple::Simple,
};

/// `LDTaskObject`.
pub(super) static DISCLOSURE: &[Member] = &[
    may("task:Reference", &LDID),
    may("task:Status", &ENTRY),
    may("task:StatusReason", &FAILURE),
    may("task:DesiredStatus", &ENTRY),
    may("task:RequestDetails", &REQUEST),
    may("task:DeliveryDetails", &DELIVERY),
    may("task:ApprovalDetails", &APPROVALS),
    may("task:CSPID", &ENDPOINT),
    may("task:HandlingProfile", &ENTRY),
    may("task:Flags", &FLAGS),
    may("task:AlternativePreservationReferences", &PRESERVED),
    may("task:NationalLDTaskingParameters", &NATIONAL),
    may("task:Deadlines", &DEADLINES),
    may("task:ManualInformation", &LONG),
];

/// `LPTaskObject`.
pub(super) static PRESERVATION: &[Member] = &[
    may("task:Status", &ENTRY),
    may("task:StatusReason", &FAILURE),
    may("task:DesiredStatus", &ENTRY),
    may("task:RequestDetails", &LP_REQUEST),
    may("task:DesiredPreservationExpiration", &MOMENT),
    may("task:PreservationExpiration", &MOMENT),
    may("task:CSPID", &ENDPOINT),
    may("task:NationalLPTaskingParameters", &NATIONAL),
];

static LDID: Shape = Shape::Text(Simple::Ldid);

static REQUEST: Shape = Shape::Object(&[
    may("task:Type", &ENTRY),
    may("task:StartTime", &MOMENT),
    may("task:EndTime", &MOMENT),
    may("task:ObservedTime", &MOMENT),
    may("task:ObservedTimes", &MOMENTS),
    may("task:RequestValues", &VALUES),
    may("task:Subtype", &SUBTYPE),
    may("task:TargetIdentifierSubtype", &ENTRY),
]);
static LP_REQUEST: Shape = Shape::Object(&[
    may("task:Type", &ENTRY),
    may("task:StartTime", &MOMENT),
    may("task:EndTime", &MOMENT),
    may("task:RequestValues", &VALUES),
    may("task:Subtype", &SUBTYPE),
    may("task:TargetIdentifierSubtype", &ENTRY),
]);
static MOMENTS: Shape = Shape::List(&MOMENT, 0);
static VALUES: Shape = Shape::Object(&[may("task:RequestValue", &VALUE_LIST)]);
static VALUE_LIST: Shape = Shape::List(&VALUE, 1);
static VALUE: Shape = Shape::Object(&[must("task:FormatType", &FORMAT), must("task:Value", &LONG)]);
static FORMAT: Shape = Shape::Object(&[must("task:FormatOwner", &SHORT), must("task:FormatName", &SHORT)]);
static SUBTYPE: Shape = Shape::Object(&[may("task:RequestSubtype", &SUBTYPES)]);
static SUBTYPES: Shape = Shape::List(&ENTRY, 1);

static DELIVERY: Shape = Shape::Object(&[may("task:LDDeliveryDestination", &DESTINATIONS)]);
static DESTINATIONS: Shape = Shape::List(&DESTINATION, 1);
static DESTINATION: Shape = Shape::Object(&[
    may("task:DeliveryAddress", &ADDRESS),
    may("task:DestinationReference", &UUID),
    may("task:EncryptionReference", &UUID),
    may("task:EncryptionDetails", &NATIONAL),
    may("task:LDHandoverFormat", &ENTRY),
    may("task:LDDeliveryProfile", &ENTRY),
    may("task:NationalDeliveryParameters", &NATIONAL),
]);
static ADDRESS: Shape = Shape::Choice(&[
    Shape::Loose(&[must("task:IPv4Address", &IPV4)]),
    Shape::Loose(&[must("task:IPv6Address", &IPV6)]),
    // Of these two, TS 103 280 says in XML alone what is in them.
    Shape::Loose(&[must("task:IPAddressPort", &OPEN)]),
    Shape::Loose(&[must("task:IPAddressPortRange", &OPEN)]),
    Shape::Loose(&[must("task:E164Number", &E164)]),
    Shape::Loose(&[must("task:FTPAddress", &FREE)]),
    Shape::Loose(&[must("task:URL", &FREE)]),
    Shape::Loose(&[must("task:FQDN", &LONG)]),
    Shape::Loose(&[must("task:EmailAddress", &EMAIL)]),
    Shape::Loose(&[must("task:EndpointID", &ENDPOINT)]),
    Shape::Loose(&[must("task:DeliveryInformationID", &LONG)]),
]);
static IPV4: Shape = Shape::Text(Simple::Ipv4);
static IPV6: Shape = Shape::Text(Simple::Ipv6);
static EMAIL: Shape = Shape::Text(Simple::Email);

static FLAGS: Shape = Shape::Object(&[may("task:LDTaskFlag", &ENTRIES)]);
static ENTRIES: Shape = Shape::List(&ENTRY, 0);
static PRESERVED: Shape = Shape::Object(&[may("task:AlternativePreservationReference", &PRESERVED_LIST)]);
static PRESERVED_LIST: Shape = Shape::List(&PRESERVED_ONE, 1);
static PRESERVED_ONE: Shape = Shape::Object(&[
    must("task:ReferenceValue", &LONG),
    may("task:NatureOfReference", &LONG),
    may("task:TransmissionTime", &MOMENT),
]);
static NATIONAL: Shape = Shape::Object(&[must("task:CountryCode", &COUNTRY)]);
static DEADLINES: Shape = Shape::Object(&[may("task:LDDeadline", &DEADLINE_LIST)]);
static DEADLINE_LIST: Shape = Shape::List(&DEADLINE, 0);
static DEADLINE: Shape = Shape::Object(&[
    may("task:DateTime", &MOMENT),
    may("task:NatureOfDeadline", &ENTRY),
    may("task:OtherInformation", &LONG),
]);
