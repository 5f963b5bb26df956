//! Messages that fit the schemas, in which everything occurs that is read; messages that do not; and ways to alter them.

use hi1::Kind;
use serde_json::{Map, Value, json};

const ID: &str = "7dbbc880-8750-4d3c-abe7-ea4a17646045";

fn entry(name: &str, value: &str) -> Value {
    json!({"common:Owner": "ETSI", "common:Name": name, "common:Value": value})
}

fn message(payload: Value) -> Value {
    json!({
        "@xmlns": "http://uri.etsi.org/03120/common/2019/10/Core",
        "Header": {
            "SenderIdentifier": {"CountryCode": "XX", "UniqueIdentifier": "ACTOR01"},
            "ReceiverIdentifier": {"CountryCode": "XX", "UniqueIdentifier": "ACTOR02"},
            "TransactionIdentifier": "c02358b2-76cf-4ba4-a8eb-f6436ccaea2e",
            "Timestamp": "2026-09-30T13:37:00.000000+02:00",
            "Version": {"ETSIVersion": "V1.23.1", "NationalProfileOwner": "XX", "NationalProfileVersion": "v1.0"},
            "WorkflowIdentifier": "NewDisclosure",
        },
        "Payload": payload,
    })
}

fn actions(list: &[Value]) -> Value {
    let numbered = list.iter().enumerate().map(|(number, verb)| {
        let mut action = verb.clone();
        action["ActionIdentifier"] = json!(number);
        action
    });
    message(json!({"RequestPayload": {"ActionRequests": {"ActionRequest": numbered.collect::<Vec<_>>()}}}))
}

fn object(kind: Kind, own: Value) -> Value {
    let mut object = json!({
        "@xsi:type": kind.type_name(),
        "ObjectIdentifier": ID,
        "CountryCode": "XX",
        "OwnerIdentifier": "ACTOR01",
        "Generation": 1,
        "ExternalIdentifier": "W-1",
        "AssociatedObjects": {"AssociatedObject": ["2b36a78b-b628-416d-bd22-404e68a0cd36"]},
        "LastChanged": "2026-09-30T12:00:00Z",
        "NationalHandlingParameters": {"CountryCode": "XX"},
    });
    object
        .as_object_mut()
        .unwrap()
        .extend(own.as_object().unwrap().clone());
    object
}

fn approvals() -> Value {
    json!([{
        "common:ApprovalType": "Judicial", "common:ApprovalDescription": "order", "common:ApprovalReference": "12",
        "common:ApproverDetails": {
            "common:ApproverName": "A. Judge", "common:ApproverRole": "Judge",
            "common:ApproverIdentity": {"common:NationalApproverIdentity": {"common:CountryCode": "XX"}},
            "common:ApproverContactDetails": [{
                "common:Name": "A", "common:EmailAddress": "a@court.example", "common:PhoneNumber": "44123",
                "common:Languages": [{"common:ISO639Set1LanguageIdentifier": "en"}],
            }],
        },
        "common:ApprovalTimestamp": "2026-09-29T12:00:00Z",
        "common:ApprovalIsEmergency": false,
        "common:ApprovalDigitalSignature": {"common:NationalDigitalSignature": {"common:CountryCode": "XX"}},
        "common:ApprovalNationalDetails": {"common:CountryCode": "XX"},
    }])
}

fn values() -> Value {
    json!({"task:RequestValue": [{
        "task:FormatType": {"task:FormatOwner": "ETSI", "task:FormatName": "InternationalE164"},
        "task:Value": "442079460223",
    }]})
}

/// Every object that is read, with every member that it may have.
pub fn objects() -> Vec<Value> {
    let failure = json!({"ErrorCode": 3000, "ErrorDescription": "no"});
    vec![
        object(
            Kind::Authorisation,
            json!({
                "auth:AuthorisationReference": "W000001",
                "auth:AuthorisationLegalType": entry("AuthorisationLegalType", "Manual"),
                "auth:AuthorisationPriority": entry("AuthorisationPriority", "High"),
                "auth:AuthorisationStatus": entry("AuthorisationStatus", "Approved"),
                "auth:AuthorisationDesiredStatus": entry("AuthorisationDesiredStatus", "Approved"),
                "auth:AuthorisationTimespan": {"auth:StartTime": "2026-09-30T12:00:00Z", "auth:EndTime": "2026-12-01T12:00:00Z"},
                "auth:AuthorisationCSPID": {"auth:CSPID": [{"CountryCode": "XX", "UniqueIdentifier": "ACTOR02"}]},
                "auth:AuthorisationCreationTimestamp": "2026-09-30T12:00:00Z",
                "auth:AuthorisationServedTimestamp": "2026-09-30T12:00:00Z",
                "auth:AuthorisationTerminationTimestamp": "2026-09-30T12:00:00Z",
                "auth:AuthorisationApprovalDetails": approvals(),
                "auth:AuthorisationInvalidReason": failure,
                "auth:AuthorisationFlags": {"auth:AuthorisationFlag": [entry("AuthorisationFlag", "IsEmergency")]},
                "auth:AuthorisationManualInformation": "see attached",
                "auth:NationalAuthorisationParameters": {"auth:CountryCode": "XX"},
                "auth:AuthorisationJurisdiction": "XX",
                "auth:AuthorisationTypeOfCase": entry("AuthorisationTypeOfCase", "Theft"),
                "auth:AuthorisationLegalEntity": "Court",
            }),
        ),
        object(
            Kind::LdTask,
            json!({
                "task:Reference": "XX-ACTOR01-1234",
                "task:Status": entry("LDTaskStatus", "AwaitingApproval"),
                "task:StatusReason": failure,
                "task:DesiredStatus": entry("LDTaskDesiredStatus", "Disclosed"),
                "task:RequestDetails": {
                    "task:Type": entry("RequestType", "SubscriberData"),
                    "task:StartTime": "2026-09-30T12:00:00Z", "task:EndTime": "2026-12-30T12:00:00Z",
                    "task:ObservedTime": "2026-10-30T12:00:00Z", "task:ObservedTimes": ["2026-10-30T12:00:00Z"],
                    "task:RequestValues": values(),
                    "task:Subtype": {"task:RequestSubtype": [entry("S", "V")]},
                    "task:TargetIdentifierSubtype": entry("S", "V"),
                },
                "task:DeliveryDetails": {"task:LDDeliveryDestination": [
                    {"task:DeliveryAddress": {"task:IPv4Address": "192.0.2.0"}, "task:DestinationReference": ID,
                     "task:EncryptionReference": ID, "task:EncryptionDetails": {"task:CountryCode": "XX"},
                     "task:LDHandoverFormat": entry("LDHandoverFormat", "TS103120"),
                     "task:LDDeliveryProfile": entry("S", "V"), "task:NationalDeliveryParameters": {"task:CountryCode": "XX"}},
                    {"task:DeliveryAddress": {"task:IPv6Address": "2001:0db8:0000:0000:0000:0000:0000:0001"}},
                    {"task:DeliveryAddress": {"task:E164Number": "442079460223"}},
                    {"task:DeliveryAddress": {"task:EmailAddress": "a.b@court.example"}},
                    {"task:DeliveryAddress": {"task:URL": "https://hi1.example/"}},
                    {"task:DeliveryAddress": {"task:EndpointID": {"CountryCode": "XX", "UniqueIdentifier": "ACTOR01"}}},
                ]},
                "task:ApprovalDetails": approvals(),
                "task:CSPID": {"CountryCode": "XX", "UniqueIdentifier": "ACTOR02"},
                "task:HandlingProfile": entry("S", "V"),
                "task:Flags": {"task:LDTaskFlag": [entry("LDTaskFlag", "IsTest")]},
                "task:AlternativePreservationReferences": {"task:AlternativePreservationReference": [
                    {"task:ReferenceValue": "P1", "task:NatureOfReference": "n", "task:TransmissionTime": "2026-10-30T12:00:00Z"}]},
                "task:NationalLDTaskingParameters": {"task:CountryCode": "XX"},
                "task:Deadlines": {"task:LDDeadline": [{"task:DateTime": "2026-12-30T12:00:00Z",
                    "task:NatureOfDeadline": entry("S", "V"), "task:OtherInformation": "o"}]},
                "task:ManualInformation": "m",
            }),
        ),
        object(
            Kind::LpTask,
            json!({
                "task:Status": entry("LPTaskStatus", "AwaitingPreservation"),
                "task:StatusReason": failure,
                "task:DesiredStatus": entry("LPTaskDesiredStatus", "Preserved"),
                "task:RequestDetails": {"task:Type": entry("RequestType", "TrafficData"),
                    "task:StartTime": "2026-05-01T12:00:00Z", "task:EndTime": "2026-05-02T12:00:00Z",
                    "task:RequestValues": values(), "task:Subtype": {"task:RequestSubtype": [entry("S", "V")]}},
                "task:DesiredPreservationExpiration": "2026-12-30T12:00:00Z",
                "task:PreservationExpiration": "2026-12-30T12:00:00Z",
                "task:CSPID": {"CountryCode": "XX", "UniqueIdentifier": "ACTOR02"},
                "task:NationalLPTaskingParameters": {"task:CountryCode": "XX"},
            }),
        ),
        object(
            Kind::Document,
            json!({
                "doc:DocumentReference": "r", "doc:DocumentName": "warrant.pdf",
                "doc:DocumentStatus": entry("DocumentStatus", "Approved"),
                "doc:DocumentDesiredStatus": entry("DocumentDesiredStatus", "Approved"),
                "doc:DocumentTimespan": {"doc:StartTime": "2026-09-30T12:00:00Z", "doc:EndTime": "2026-12-01T12:00:00Z"},
                "doc:DocumentType": entry("DocumentType", "Warrant"),
                "doc:DocumentProperties": {"doc:DocumentProperty": [{"doc:PropertyType": entry("S", "V"), "doc:PropertyValue": "v"}]},
                "doc:DocumentBody": {"doc:Contents": "JVBERi0xLjcK", "doc:ContentType": "application/pdf",
                    "doc:Checksum": "00", "doc:ChecksumType": "SHA-256"},
                "doc:DocumentSignature": approvals(),
                "doc:DocumentInvalidReason": failure,
                "doc:NationalDocumentParameters": {"doc:CountryCode": "XX"},
            }),
        ),
        object(
            Kind::Notification,
            json!({
                "notification:NotificationDetails": "d",
                "notification:NotificationType": entry("NotificationType", "General"),
                "notification:NewNotification": true,
                "notification:NotificationTimestamp": "2026-12-01T12:00:00Z",
                "notification:StatusOfAssociatedObjects": {"notification:AssociatedObjectStatus": [
                    {"notification:AssociatedObject": ID, "notification:Status": entry("S", "V"), "notification:Details": "d"}]},
                "notification:NationalNotificationParameters": {"notification:CountryCode": "XX"},
            }),
        ),
        object(
            Kind::Delivery,
            json!({
                "delivery:Reference": {"delivery:LDID": "XX-ACTOR01-1234"},
                "delivery:DeliveryID": ID, "delivery:SequenceNumber": 0, "delivery:LastSequence": true,
                "delivery:Manifest": {"delivery:Specification": entry("ManifestSpecification", "TS103707")},
                "delivery:Delivery": {"delivery:BinaryData": {"delivery:Data": "AAAA", "delivery:ContentType": "application/x-age",
                    "delivery:Checksum": "00", "delivery:ChecksumType": "SHA-256",
                    "delivery:Checksums": {"common:ChecksumAndType": [{"common:Checksum": "0", "common:ChecksumType": "SHA-256"}]},
                    "delivery:OriginalFilename": "p.tar.age", "delivery:ContentLength": 3}},
                "delivery:DeliveryStatus": entry("DeliveryStatus", "Available"),
                "delivery:DeliveryDesiredStatus": entry("DeliveryDesiredStatus", "Received"),
                "delivery:EncryptionDetails": {"delivery:EncryptionReference": ID, "delivery:AdditionalInformation": "age"},
            }),
        ),
        object(
            Kind::Delivery,
            json!({
                "delivery:Reference": {"delivery:LIID": "LIID-1"},
                "delivery:Manifest": {"delivery:ExternalSchema": {"delivery:ManifestID": "m",
                    "delivery:ManifestContents": {"delivery:XMLSchema": {"delivery:schema": {}}}}},
                "delivery:Delivery": {"delivery:URL": {"delivery:URL": "https://p.example/", "delivery:ContentLength": 1,
                    "delivery:Expiry": "2026-12-01T12:00:00.000000Z"}},
            }),
        ),
    ]
}

/// Messages that fit.
pub fn whole() -> Vec<Value> {
    let objects = objects();
    let mut all = vec![actions(
        &[0, 1].map(|number| json!({"CREATE": {"HI1Object": objects[number].clone()}})),
    )];
    for object in &objects {
        all.push(actions(&[json!({"CREATE": {"HI1Object": object}})]));
        all.push(actions(&[
            json!({"UPDATE": {"HI1Object": object}}),
            json!({"DELIVER": {"Identifier": ID, "HI1Object": object}}),
        ]));
        all.push(message(
            json!({"ResponsePayload": {"ActionResponses": {"ActionResponse": [
                {"ActionIdentifier": 0, "GETResponse": {"HI1Object": object}},
                {"ActionIdentifier": 1, "CREATEResponse": {"Identifier": ID, "HI1Object": object}},
                {"ActionIdentifier": 2, "UPDATEResponse": {"Identifier": ID}},
            ]}}}),
        ));
    }
    all.push(actions(&[
        json!({"GET": {"Identifier": ID}}),
        json!({"LIST": {"ObjectType": entry("ObjectType", "LDTask"), "LastChanged": "2026-12-01T12:00:00Z",
            "LastChangedTimespan": {"common:StartTime": "2026-12-01T12:00:00Z", "common:EndTime": "2026-12-01T12:00:00Z"},
            "MaximumObjectCount": 1, "Status": entry("LDTaskStatus", "Disclosed"), "CountryCode": "XX"}}),
        json!({"GETCSPCONFIG": {}}),
    ]));
    all.push(message(json!({"ResponsePayload": {"ActionResponses": {"ActionResponse": [
        {"ActionIdentifier": 0, "LISTResponse": {"ListResponseRecord": [{"ObjectType": entry("ObjectType", "LDTask"),
            "Identifier": ID, "CountryCode": "XX", "OwnerIdentifier": "A", "Generation": 1, "ExternalIdentifier": "e",
            "LastChanged": "2026-12-01T12:00:00Z"}]}},
        {"ActionIdentifier": 1, "DELIVERResponse": {"Identifier": ID}},
        {"ActionIdentifier": 2, "ErrorInformation": {"ErrorCode": 3001, "ErrorDescription": "no"}},
    ]}}})));
    all.push(message(
        json!({"ResponsePayload": {"ErrorInformation": {"ErrorCode": 3020, "ErrorDescription": "no"}}}),
    ));
    let mut signed = actions(&[json!({"GET": {"Identifier": ID}})]);
    signed["Signature"] = json!({"protected": "e30", "signature": "AA"});
    signed["Signatures"] =
        json!([{"hash_algorithm": "SHA-256", "algorithm": "RSA", "public_key": "k", "value": "v"}]);
    all.push(signed);
    all
}

/// Places in a first message, and what is put there: some of it fits, some does not.
pub fn table() -> Vec<Value> {
    let first = "/Payload/RequestPayload/ActionRequests/ActionRequest/0";
    let task = "/Payload/RequestPayload/ActionRequests/ActionRequest/1/CREATE/HI1Object";
    let address = format!("{task}/task:DeliveryDetails/task:LDDeliveryDestination/0/task:DeliveryAddress");
    let header = "/Header".to_owned();
    let places: Vec<(String, Value)> = vec![
        (format!("{header}/Timestamp"), json!("2026-09-30T13:37:00Z")),
        (format!("{header}/Timestamp"), json!("2026-09-30T13:37:00.000000")),
        (format!("{header}/Version/ETSIVersion"), json!("1.23.1")),
        (format!("{header}/Version/ETSIVersion"), json!("V1.23")),
        (
            format!("{header}/TransactionIdentifier"),
            json!("C02358B2-76CF-4BA4-A8EB-F6436CCAEA2E"),
        ),
        (format!("{header}/SenderIdentifier/CountryCode"), json!("xx")),
        (format!("{header}/SenderIdentifier/UniqueIdentifier"), json!("")),
        (
            format!("{header}/SenderIdentifier/UniqueIdentifier"),
            json!("é".repeat(65_535)),
        ),
        (
            format!("{header}/SenderIdentifier/UniqueIdentifier"),
            json!("é".repeat(65_536)),
        ),
        (format!("{header}/SenderIdentifier"), json!({"CountryCode": "XX"})),
        (format!("{first}/ActionIdentifier"), json!(1.0)),
        (format!("{first}/ActionIdentifier"), json!(1.5)),
        (format!("{first}/ActionIdentifier"), json!(-1)),
        (format!("{first}/ActionIdentifier"), json!("0")),
        (first.to_owned(), json!({"ActionIdentifier": 0})),
        (
            first.to_owned(),
            json!({"ActionIdentifier": 0, "GET": {"Identifier": ID}, "LIST": {}}),
        ),
        (
            first.to_owned(),
            json!({"ActionIdentifier": 0, "GET": {"Identifier": ID}, "GETCSPCONFIG": 7}),
        ),
        (first.to_owned(), json!({"ActionIdentifier": 0, "LIST": {}})),
        (
            first.to_owned(),
            json!({"ActionIdentifier": 0, "LIST": {"MaximumObjectCount": 0}}),
        ),
        (
            first.to_owned(),
            json!({"ActionIdentifier": 0, "GETCSPCONFIG": {}}),
        ),
        (
            first.to_owned(),
            json!({"ActionIdentifier": 0, "CANCEL": {"Identifier": ID}}),
        ),
        (format!("{task}/task:Reference"), json!("XX-ACTOR01-")),
        (format!("{task}/task:Reference"), json!("XX--1")),
        (format!("{task}/task:Reference"), json!("XX---")),
        (format!("{task}/task:Reference"), json!("xx-a-b")),
        (format!("{task}/task:Reference"), json!("XX-é-ß")),
        (format!("{task}/@xsi:type"), json!("task:LDTaskObject")),
        (format!("{task}/ObjectIdentifier"), json!("2b36a78b")),
        (format!("{task}/AssociatedObjects"), json!({})),
        (format!("{task}/task:RequestDetails"), json!({})),
        (
            format!("{task}/task:RequestDetails/task:RequestValues/task:RequestValue"),
            json!([]),
        ),
        (format!("{task}/task:Flags"), json!({"task:LDTaskFlag": []})),
        (format!("{task}/auth:AuthorisationReference"), json!("W")),
        (address.clone(), json!({})),
        (
            address.clone(),
            json!({"task:IPv4Address": "192.0.2.0", "task:FQDN": "a.example"}),
        ),
        (
            address.clone(),
            json!({"task:IPv4Address": "192.0.2.256", "task:FQDN": "a.example"}),
        ),
        (
            address.clone(),
            json!({"task:IPv4Address": "192.0.2.0", "task:Else": 1}),
        ),
        (address.clone(), json!({"task:IPv6Address": "::1"})),
        (address.clone(), json!({"task:IPAddressPort": {"a": 1}})),
        (address.clone(), json!({"task:EmailAddress": "a@-b.example"})),
        (address.clone(), json!({"task:EmailAddress": "a@b@c"})),
        (address, json!({"task:E164Number": "1234567890123456"})),
        (
            "/Payload".to_owned(),
            json!({"RequestPayload": {"ActionRequests": {}}}),
        ),
        (
            "/Payload".to_owned(),
            json!({"RequestPayload": {"ActionRequests": {"ActionRequest": []}}}),
        ),
        (
            "/Payload".to_owned(),
            json!({"RequestPayload": {"ActionRequests": {}}, "Else": 1}),
        ),
        ("/Payload".to_owned(), json!({"RequestPayload": {}})),
        (
            "/Payload".to_owned(),
            json!({"ResponsePayload": {"ActionResponses": {}}}),
        ),
        (
            "/Payload".to_owned(),
            json!({"ResponsePayload": {"ErrorInformation": {"ErrorCode": 1}}}),
        ),
        ("/Payload".to_owned(), json!({})),
        ("/Signature".to_owned(), json!({"protected": "x"})),
        ("/Signature".to_owned(), json!("anything")),
        (
            "/Signature".to_owned(),
            json!({"protected": "x", "signature": "y", "z": 1}),
        ),
        ("/Signatures".to_owned(), json!([])),
        ("/@xmlns:else".to_owned(), json!("u")),
        ("/@xmlns:else".to_owned(), json!(1)),
        ("/Else".to_owned(), json!("u")),
    ];
    places
        .into_iter()
        .map(|(place, value)| {
            let mut message = whole().remove(0);
            put(&mut message, &place, value);
            message
        })
        .chain([json!(null), json!([]), json!("x"), json!({})])
        .collect()
}

fn put(message: &mut Value, place: &str, value: Value) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    match message.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        other => other[name] = value,
    }
}

/// Every place in a message.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, inner)| places(inner, format!("{at}/{}", name.replace('~', "~0")), found)),
        Value::Array(items) => {
            (0..)
                .zip(items)
                .for_each(|(number, inner): (usize, _)| places(inner, format!("{at}/{number}"), found));
        }
        _ => {}
    }
    found.push(at);
}

/// Changes something, somewhere. What the two are known to judge differently does not come about: moments that are none,
/// kinds that are not supported, and a request and an answer in one.
pub fn alter(message: &mut Value, place: u32, change: u32) {
    let mut all = Vec::new();
    places(message, String::new(), &mut all);
    let at = all[place as usize % all.len()].clone();
    let target = message.pointer_mut(&at).unwrap();
    let pool = [
        json!(null),
        json!(true),
        json!(0),
        json!(1.0),
        json!(1.5),
        json!(-1),
        json!(""),
        json!("x"),
        json!("XX"),
        json!(ID),
        json!("2026-12-01T12:00:00Z"),
        json!("2026-12-01T12:00:00.000000+01:00"),
        json!({}),
        json!([]),
        json!("y".repeat(255)),
        json!("é".repeat(255)),
        json!("y".repeat(256)),
        json!("AA=="),
        json!("192.0.2.1"),
        json!("XX-A-1"),
        entry("S", "V"),
        json!([ID]),
        json!([{}]),
    ];
    let pick = |number: u32| pool[number as usize % pool.len()].clone();
    let names = [
        "Generation",
        "Else",
        "@else",
        "task:Status",
        "common:Value",
        "ObjectIdentifier",
        "CountryCode",
    ];
    let rest = change / 8;
    match (change % 8, target) {
        (0 | 1, target) => *target = pick(rest),
        (2, Value::Object(members)) => drop_one(members, rest),
        (3, Value::Object(members)) => {
            members.insert(names[rest as usize % names.len()].to_owned(), pick(rest / 16));
        }
        (4, Value::Object(members)) => {
            let name = members.keys().nth(rest as usize % members.len().max(1)).cloned();
            if let Some(name) = name {
                let value = members.remove(&name).unwrap();
                members.insert(format!("{name}x"), value);
            }
        }
        (5, Value::Array(items)) => items.clear(),
        (6, Value::Array(items)) => items.push(pick(rest)),
        (_, Value::String(text)) => text.push_str(["x", " ", "=", "é", "1"][rest as usize % 5]),
        (_, Value::Object(members)) => drop_one(members, rest),
        (_, target) => *target = pick(rest),
    }
}

fn drop_one(members: &mut Map<String, Value>, number: u32) {
    let name = members
        .keys()
        .nth(number as usize % members.len().max(1))
        .cloned();
    if let Some(name) = name {
        members.remove(&name);
    }
}
