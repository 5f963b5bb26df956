//! Dictionary entries, and the values that ETSI publishes (TS 103 120 version 1.23.1, `ETSIDictionaryDefinitions`).

use serde::{Deserialize, Serialize};

/// Who publishes the dictionaries here.
pub const ETSI: &str = "ETSI";

/// A value with its dictionary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who publishes the dictionary.
    #[serde(rename = "common:Owner")]
    pub owner: String,
    /// Which dictionary.
    #[serde(rename = "common:Name")]
    pub name: String,
    /// Which value.
    #[serde(rename = "common:Value")]
    pub value: String,
}

impl Entry {
    /// A value of ETSI's.
    pub fn etsi(name: &str, value: &str) -> Self {
        Self {
            owner: ETSI.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    /// The value, where it is one of this dictionary of ETSI's.
    pub fn of(&self, name: &str) -> Option<&str> {
        (self.owner == ETSI && self.name == name && values(name)?.contains(&self.value.as_str()))
            .then_some(self.value.as_str())
    }
}

/// The values of a dictionary of ETSI's, where it is one that messages here use.
pub fn values(name: &str) -> Option<&'static [&'static str]> {
    DICTIONARIES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, values)| *values)
}

/// Every dictionary that messages here use, with its values.
pub const DICTIONARIES: &[(&str, &[&str])] = &[
    (
        "ObjectType",
        &[
            "Authorisation",
            "Document",
            "Notification",
            "Task",
            "LDTask",
            "LPTask",
            "Delivery",
        ],
    ),
    ("AuthorisationLegalType", &["Manual"]),
    ("AuthorisationPriority", &["High", "Routine"]),
    (
        "AuthorisationStatus",
        &[
            "AwaitingApproval",
            "EmergencyApproval",
            "Approved",
            "Rejected",
            "Suspended",
            "Cancelled",
            "Expired",
            "Invalid",
            "CreatingForCSP",
            "SubmittedToCSP",
            "AwaitingUpdateApproval",
        ],
    ),
    (
        "AuthorisationDesiredStatus",
        &[
            "AwaitingApproval",
            "EmergencyApproval",
            "Approved",
            "Rejected",
            "Suspended",
            "Cancelled",
            "Expired",
            "CreatingForCSP",
            "SubmittedToCSP",
        ],
    ),
    (
        "AuthorisationFlag",
        &["IsEmergency", "IsConsensual", "IsTest", "IsDataAvailable"],
    ),
    (
        "AuthorisationTypeOfCase",
        &[
            "ChildExploitationOrChildSexualAbuse",
            "Corruption",
            "Cybercrime",
            "Defamation",
            "DrugsOrDrugTrafficking",
            "HarassmentOrThreatToPersonalSafety",
            "HateSpeech",
            "HumanTrafficking",
            "MissingPerson",
            "MoneyLaundering",
            "OtherFinancialCrimeOrFraud",
            "SexualAbuseOrExploitation",
            "Theft",
            "TerrorismOrThreatToPublicSafety",
            "ViolenceOrCrimeAgainstAPerson",
            "Other",
            "NotSpecified",
        ],
    ),
    (
        "DocumentStatus",
        &[
            "AwaitingApproval",
            "Approved",
            "Rejected",
            "Suspended",
            "Cancelled",
            "Expired",
            "Invalid",
        ],
    ),
    (
        "DocumentDesiredStatus",
        &[
            "AwaitingApproval",
            "Approved",
            "Rejected",
            "Suspended",
            "Cancelled",
            "Expired",
        ],
    ),
    ("DocumentType", &["Warrant", "TakedownRefinement"]),
    ("NotificationType", &["General"]),
    (
        "LDTaskStatus",
        &[
            "AwaitingApproval",
            "AwaitingDisclosure",
            "Disclosed",
            "DisclosureNotAvailable",
            "Rejected",
            "Cancelled",
            "Error",
            "Invalid",
        ],
    ),
    (
        "LDTaskDesiredStatus",
        &[
            "AwaitingApproval",
            "AwaitingDisclosure",
            "Disclosed",
            "Rejected",
            "Cancelled",
        ],
    ),
    (
        "RequestType",
        &[
            "SubscriberData",
            "UserIdentifyingData",
            "TrafficData",
            "StoredContentData",
            "SubscriberDataAndUserIdentifyingData",
            "TrafficDataAndStoredContentData",
            "Other",
        ],
    ),
    (
        "LDHandoverFormat",
        &[
            "TS102657",
            "EncapsulatedTS102657",
            "TS103120",
            "TS103705",
            "TS103707",
        ],
    ),
    ("LDTaskFlag", &["IsTest", "IsEmergency", "IsNonLocal", "IsLocal"]),
    (
        "LPTaskStatus",
        &[
            "AwaitingPreservation",
            "Preserved",
            "PreservationNotAvailable",
            "Rejected",
            "Cancelled",
            "Expired",
            "Error",
            "Invalid",
        ],
    ),
    (
        "LPTaskDesiredStatus",
        &["AwaitingPreservation", "Preserved", "Cancelled"],
    ),
    (
        "DeliveryStatus",
        &["Available", "Acknowledged", "Expired", "Error", "Received"],
    ),
    (
        "DeliveryDesiredStatus",
        &["Available", "Acknowledged", "Error", "Received"],
    ),
];
