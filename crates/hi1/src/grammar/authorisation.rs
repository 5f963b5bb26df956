//! `ts_103120_Authorisation`.

use super::basis::{APPROVALS, COUNTRY, ENDPOINT, ENTRY, FAILURE, LONG, MOMENT, SHORT};
use crate::shape::{Member, Shape, may, must};

pub(super) static OWN: &[Member] = &[
    may("auth:AuthorisationReference", &LONG),
    may("auth:AuthorisationLegalType", &ENTRY),
    may("auth:AuthorisationPriority", &ENTRY),
    may("auth:AuthorisationStatus", &ENTRY),
    may("auth:AuthorisationDesiredStatus", &ENTRY),
    may("auth:AuthorisationTimespan", &SPAN),
    may("auth:AuthorisationCSPID", &PROVIDERS),
    may("auth:AuthorisationCreationTimestamp", &MOMENT),
    may("auth:AuthorisationServedTimestamp", &MOMENT),
    may("auth:AuthorisationTerminationTimestamp", &MOMENT),
    may("auth:AuthorisationApprovalDetails", &APPROVALS),
    may("auth:AuthorisationInvalidReason", &FAILURE),
    may("auth:AuthorisationFlags", &FLAGS),
    may("auth:AuthorisationManualInformation", &LONG),
    may("auth:NationalAuthorisationParameters", &NATIONAL),
    may("auth:AuthorisationJurisdiction", &LONG),
    may("auth:AuthorisationTypeOfCase", &ENTRY),
    may("auth:AuthorisationLegalEntity", &SHORT),
];

static SPAN: Shape = Shape::Object(&[may("auth:StartTime", &MOMENT), may("auth:EndTime", &MOMENT)]);
static PROVIDERS: Shape = Shape::Object(&[may("auth:CSPID", &PROVIDER_LIST)]);
static PROVIDER_LIST: Shape = Shape::List(&ENDPOINT, 1);
static FLAGS: Shape = Shape::Object(&[may("auth:AuthorisationFlag", &ENTRIES)]);
static ENTRIES: Shape = Shape::List(&ENTRY, 0);
static NATIONAL: Shape = Shape::Object(&[must("auth:CountryCode", &COUNTRY)]);
