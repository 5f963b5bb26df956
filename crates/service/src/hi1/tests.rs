//! What an authority's system meets, over a real database and a desk whose gate and vault a test can look into.

use std::sync::Arc;

use ::hi1::Kind;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::{
    demand::{AuthorityKind, Category, CountryCode},
    event::Body,
    ids::CaseId,
};
use envelope::case_file::CaseRoot;
use serde_json::{Value, json};
use store::cases::CaseFilter;

use super::*;
use crate::app::{clock::SystemEntropy, tests::scene::Scene};

mod pushing;
mod signing;
mod strained;

const AUTHORISATION: &str = "7dbbc880-8750-4d3c-abe7-ea4a17646045";
const TASK: &str = "2b36a78b-b628-416d-bd22-404e68a0cd36";

struct Office {
    scene: Scene,
    hi1: Hi1,
    sent: std::sync::atomic::AtomicU32,
}

fn endpoint(id: &str) -> Endpoint {
    Endpoint {
        country: "XX".into(),
        id: id.into(),
    }
}

fn peer(id: &str) -> Peer {
    Peer {
        endpoint: endpoint(id),
        authority: format!("Authority {id}"),
        kind: AuthorityKind::Court,
        country: CountryCode::new("US").unwrap(),
        disclosure: "us.warrant.sca".parse().unwrap(),
        preservation: Some("us.preserve.2703f".parse().unwrap()),
        signing: Signing::default(),
    }
}

fn entry(name: &str, value: &str) -> Value {
    json!({"common:Owner": "ETSI", "common:Name": name, "common:Value": value})
}

fn authorisation(end: &str) -> Value {
    json!({
        "@xsi:type": Kind::Authorisation.type_name(), "ObjectIdentifier": AUTHORISATION,
        "auth:AuthorisationReference": "W000001",
        "auth:AuthorisationTimespan": {"auth:StartTime": "2025-12-01T12:00:00Z", "auth:EndTime": end},
        "auth:AuthorisationApprovalDetails": [{"common:ApprovalTimestamp": "2026-10-30T12:00:00Z",
            "common:ApproverDetails": {"common:ApproverName": "A. Judge", "common:ApproverRole": "Judge"}}],
    })
}

fn task(value: &str) -> Value {
    json!({
        "@xsi:type": Kind::LdTask.type_name(), "ObjectIdentifier": TASK,
        "AssociatedObjects": {"AssociatedObject": [AUTHORISATION]},
        "task:Reference": "XX-ACTOR01-1234",
        "task:DesiredStatus": entry("LDTaskDesiredStatus", "Disclosed"),
        "task:RequestDetails": {
            "task:Type": entry("RequestType", "StoredContentData"),
            "task:StartTime": "2026-01-01T00:00:00Z", "task:EndTime": "2026-02-01T00:00:00Z",
            "task:RequestValues": {"task:RequestValue": [{
                "task:FormatType": {"task:FormatOwner": "ETSI", "task:FormatName": "EmailAddress"},
                "task:Value": value,
            }]},
        },
    })
}

fn create(object: Value) -> Value {
    json!({"CREATE": {"HI1Object": object}})
}
fn update(object: Value) -> Value {
    json!({"UPDATE": {"HI1Object": object}})
}
fn get(id: &str) -> Value {
    json!({"GET": {"Identifier": id}})
}

const GOOD: &str = "2027-12-01T12:00:00Z";

impl Office {
    async fn new() -> Self {
        Self::with(vec![peer("ACTOR01"), peer("ACTOR03")]).await
    }

    async fn with(peers: Vec<Peer>) -> Self {
        let mut scene = Scene::new().await;
        let database = store::testkit::database(&scene.dir.path().join("amparo.db")).await;
        let store = Hi1Store::new(database, Arc::new(CaseRoot::from_bytes([1; 32])));
        let us = endpoint("ACTOR02");
        let reader = Reader::new(store.clone(), us.clone(), peers.clone());
        scene.desk = scene.desk.clone().reading_hi1(Arc::new(reader));
        let hi1 = Hi1::new(scene.desk.clone(), store, us, peers, Arc::new(SystemEntropy));
        Self {
            scene,
            hi1,
            sent: std::sync::atomic::AtomicU32::new(0),
        }
    }

    fn message(&self, sender: &str, actions: &[Value]) -> Value {
        let number = self.sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let numbered = actions.iter().enumerate().map(|(number, action)| {
            let mut action = action.clone();
            action["ActionIdentifier"] = json!(number);
            action
        });
        json!({
            "Header": {
                "SenderIdentifier": {"CountryCode": "XX", "UniqueIdentifier": sender},
                "ReceiverIdentifier": {"CountryCode": "XX", "UniqueIdentifier": "ACTOR02"},
                "TransactionIdentifier": format!("c02358b2-76cf-4ba4-a8eb-{number:012x}"),
                "Timestamp": "2026-11-02T09:00:00.000000Z",
                "Version": {"ETSIVersion": "V1.23.1", "NationalProfileOwner": "XX", "NationalProfileVersion": "v1.0"},
            },
            "Payload": {"RequestPayload": {"ActionRequests": {"ActionRequest": numbered.collect::<Vec<_>>()}}},
        })
    }

    /// What is answered to a message, whole.
    async fn raw(&self, place: usize, message: &Value) -> Value {
        self.bytes(place, message.to_string().as_bytes()).await
    }

    async fn bytes(&self, place: usize, message: &[u8]) -> Value {
        let answer = self.hi1.answer(place, message).await;
        hi1::parse(&answer).expect("answers are of the standard");
        serde_json::from_slice(&answer).unwrap()
    }

    /// The answers to the first peer's actions.
    async fn send(&self, actions: &[Value]) -> Vec<Value> {
        let answer = self.raw(0, &self.message("ACTOR01", actions)).await;
        let list = &answer["Payload"]["ResponsePayload"]["ActionResponses"]["ActionResponse"];
        list.as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    async fn got(&self, id: &str) -> Value {
        self.send(&[get(id)]).await[0]["GETResponse"]["HI1Object"].clone()
    }

    async fn status(&self) -> String {
        self.got(TASK).await["task:Status"]["common:Value"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn cases(&self) -> Vec<CaseId> {
        let filter = CaseFilter {
            limit: 100,
            ..CaseFilter::default()
        };
        self.scene
            .desk
            .list(&filter)
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.id)
            .collect()
    }

    async fn bodies(&self, case: CaseId) -> Vec<Body> {
        let events = self.scene.desk.events(case).await.unwrap();
        events.into_iter().filter_map(|event| event.body).collect()
    }
}

fn code(answer: &Value) -> u64 {
    answer["ErrorInformation"]["ErrorCode"]
        .as_u64()
        .unwrap_or_else(|| panic!("not refused: {answer}"))
}

#[tokio::test]
async fn a_task_runs_from_its_message_to_a_package_and_desires_move_nothing() {
    let office = Office::new().await;
    let message = office.message("ACTOR01", &[create(authorisation(GOOD)), create(task("alice"))]);
    let answer = office.raw(0, &message).await;
    assert_eq!(
        answer["Payload"]["ResponsePayload"]["ActionResponses"]["ActionResponse"],
        json!([{"ActionIdentifier": 0, "CREATEResponse": {"Identifier": AUTHORISATION}},
            {"ActionIdentifier": 1, "CREATEResponse": {"Identifier": TASK}}])
    );
    // The same bytes twice are one case, and the same answer.
    assert_eq!(office.raw(0, &message).await, answer);
    let cases = office.cases().await;
    let [case] = cases[..] else { panic!("{cases:?}") };
    let bytes = message.to_string().into_bytes();
    assert_eq!(office.scene.desk.cases().demand(case).await.unwrap(), bytes);
    let demand = office
        .scene
        .desk
        .case(case)
        .await
        .unwrap()
        .demand
        .expect("it reads as a demand");
    assert_eq!(demand.categories, [Category::Content]);
    assert_eq!(demand.reference.as_deref(), Some("XX-ACTOR01-1234"));
    assert_eq!(demand.requester.authority, "Authority ACTOR01");
    assert!(
        !demand.showing.signed,
        "nothing is taken as shown that nobody looked at"
    );

    // It is theirs alone.
    let theirs = office
        .raw(1, &office.message("ACTOR03", &[get(TASK), json!({"LIST": {}})]))
        .await;
    let theirs = &theirs["Payload"]["ResponsePayload"]["ActionResponses"]["ActionResponse"];
    assert_eq!(code(&theirs[0]), 3014);
    assert_eq!(theirs[1]["LISTResponse"]["ListResponseRecord"], json!([]));

    assert_eq!(office.status().await, "AwaitingApproval");
    office.scene.judge(case).await;
    let desires = json!({"@xsi:type": Kind::LdTask.type_name(), "ObjectIdentifier": TASK,
        "task:DesiredStatus": entry("LDTaskDesiredStatus", "AwaitingDisclosure")});
    assert_eq!(
        office.send(&[update(desires)]).await[0]["UPDATEResponse"]["Identifier"],
        TASK
    );
    assert_eq!(office.status().await, "AwaitingApproval");
    let record = office.scene.approved(case).await;
    assert_eq!(office.status().await, "AwaitingDisclosure");
    let listed = json!({"LIST": {"ObjectType": entry("ObjectType", "Delivery")}});
    assert_eq!(
        office.send(std::slice::from_ref(&listed)).await[0]["LISTResponse"]["ListResponseRecord"],
        json!([])
    );

    let package = office.scene.desk.release(case, record).await.unwrap();
    assert_eq!(office.status().await, "Disclosed");
    let records = office.send(&[listed]).await[0]["LISTResponse"]["ListResponseRecord"].clone();
    let id = records[0]["Identifier"].as_str().unwrap();
    let delivery = office.got(id).await;
    let data = delivery["delivery:Delivery"]["delivery:BinaryData"]["delivery:Data"]
        .as_str()
        .unwrap();
    assert_eq!(
        STANDARD.decode(data).unwrap(),
        std::fs::read(&package.path).unwrap()
    );
    assert_eq!(delivery["delivery:DeliveryStatus"]["common:Value"], "Available");
    assert!(
        !office
            .bodies(case)
            .await
            .iter()
            .any(|body| matches!(body, Body::Delivered { .. }))
    );
    let has = json!({"@xsi:type": Kind::Delivery.type_name(), "ObjectIdentifier": id,
        "delivery:DeliveryDesiredStatus": entry("DeliveryDesiredStatus", "Received")});
    office.send(&[update(has)]).await;
    assert_eq!(
        office.got(id).await["delivery:DeliveryStatus"]["common:Value"],
        "Received"
    );
    assert!(
        office
            .bodies(case)
            .await
            .iter()
            .any(|body| matches!(body, Body::Delivered { .. }))
    );
    let late = json!({"@xsi:type": Kind::LdTask.type_name(), "ObjectIdentifier": TASK,
        "task:DesiredStatus": entry("LDTaskDesiredStatus", "Cancelled")});
    assert_eq!(code(&office.send(&[update(late)]).await[0]), 3012);
}

#[tokio::test]
async fn a_window_that_outruns_its_authorisation_waits_for_a_person_and_may_be_amended() {
    let office = Office::new().await;
    office
        .send(&[
            create(authorisation("2026-01-15T00:00:00Z")),
            create(task("alice")),
        ])
        .await;
    let case = office.cases().await[0];
    assert!(office.scene.desk.case(case).await.unwrap().demand.is_none());
    let told = office.got(TASK).await["task:StatusReason"]["ErrorDescription"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        told.contains("its authorisation ends at 2026-01-15T00:00:00Z"),
        "{told}"
    );
    assert_eq!(office.status().await, "AwaitingApproval");

    // The authority extends its authorisation: now it reads.
    let longer = json!({"@xsi:type": Kind::Authorisation.type_name(), "ObjectIdentifier": AUTHORISATION,
        "auth:AuthorisationTimespan": {"auth:StartTime": "2025-12-01T12:00:00Z", "auth:EndTime": GOOD}});
    assert_eq!(
        office.send(&[update(longer)]).await[0]["UPDATEResponse"]["Identifier"],
        AUTHORISATION
    );
    assert!(office.scene.desk.case(case).await.unwrap().demand.is_some());
    assert_eq!(office.got(TASK).await.get("task:StatusReason"), None);
    assert_eq!(office.got(AUTHORISATION).await["Generation"], 2);
    // What stands is not amended into what could not stand.
    let shorter = json!({"@xsi:type": Kind::Authorisation.type_name(), "ObjectIdentifier": AUTHORISATION,
        "auth:AuthorisationTimespan": {"auth:EndTime": "2026-01-15T00:00:00Z"}});
    assert_eq!(code(&office.send(&[update(shorter)]).await[0]), 3008);

    let cancelled = json!({"@xsi:type": Kind::LdTask.type_name(), "ObjectIdentifier": TASK,
        "task:DesiredStatus": entry("LDTaskDesiredStatus", "Cancelled")});
    office.send(&[update(cancelled)]).await;
    assert_eq!(office.status().await, "Cancelled");
    assert!(
        office
            .bodies(case)
            .await
            .iter()
            .any(|body| matches!(body, Body::Withdrawn { .. }))
    );
}

#[tokio::test]
async fn a_preservation_never_runs_through_disclosure() {
    let office = Office::new().await;
    let preserve = json!({
        "@xsi:type": Kind::LpTask.type_name(), "ObjectIdentifier": TASK,
        "task:DesiredStatus": entry("LPTaskDesiredStatus", "Preserved"),
        "task:RequestDetails": task("alice")["task:RequestDetails"],
        "task:DesiredPreservationExpiration": GOOD,
    });
    office.send(&[create(preserve)]).await;
    let case = office.cases().await[0];
    let demand = office.scene.desk.case(case).await.unwrap().demand.unwrap();
    assert_eq!(demand.instrument.as_str(), "us.preserve.2703f");
    let who = casework::event::Actor::Staff(crate::app::tests::scene::staff("ruth"));
    office.scene.desk.resolve(case, who.clone(), &[]).await.unwrap();
    let assessment = office.scene.desk.assess(case, who, None).await.unwrap();
    assert_eq!(assessment.releasable, []);
    // What it desires is not what it is.
    assert_eq!(office.status().await, "AwaitingPreservation");
}

#[tokio::test]
async fn what_cannot_stand_is_refused_with_its_reason_and_opens_nothing() {
    let office = Office::new().await;
    let with = |mut object: Value, name: &str, value: Value| {
        object[name] = value;
        object
    };
    let document = |body: Value| {
        json!({"@xsi:type": Kind::Document.type_name(), "ObjectIdentifier": "f1205c94-4f56-4d97-9717-39410073979b",
            "AssociatedObjects": {"AssociatedObject": [AUTHORISATION]}, "doc:DocumentBody": body})
    };
    let pdf = STANDARD.encode(b"%PDF-1.7");
    let refused = [
        (
            document(json!({"doc:Contents": pdf, "doc:Checksum": "00", "doc:ChecksumType": "SHA-256"})),
            3007,
        ),
        (
            document(json!({"doc:Contents": pdf, "doc:ContentType": "image/png"})),
            3007,
        ),
        (
            with(task("alice"), "@xsi:type", json!(Kind::LiTask.type_name())),
            3001,
        ),
        (
            with(task("alice"), "task:Status", entry("LDTaskStatus", "Disclosed")),
            3007,
        ),
        (
            with(
                task("alice"),
                "task:DesiredStatus",
                entry("LDTaskDesiredStatus", "Now"),
            ),
            3009,
        ),
        (with(task("alice"), "OwnerIdentifier", json!("ACTOR03")), 3007),
        (
            with(
                task("alice"),
                "task:CSPID",
                json!({"CountryCode": "XX", "UniqueIdentifier": "ELSE"}),
            ),
            3007,
        ),
        (with(task("alice"), "task:RequestDetails", json!({})), 3005),
        (
            with(
                task("alice"),
                "AssociatedObjects",
                json!({"AssociatedObject": ["f1205c94-4f56-4d97-9717-39410073979b"]}),
            ),
            3016,
        ),
    ];
    for (object, expected) in refused {
        let answers = office
            .send(&[create(authorisation(GOOD)), create(object.clone())])
            .await;
        assert_eq!(code(&answers[1]), expected, "{object}");
        // All or nothing: the authorisation beside it was not taken in either.
        assert_eq!(code(&answers[0]), 3018);
    }
    for (action, expected) in [
        (get(TASK), 3014),
        (update(task("alice")), 3011),
        (json!({"GETCSPCONFIG": {}}), 3001),
        (
            json!({"DELIVER": {"Identifier": TASK, "HI1Object": task("alice")}}),
            3001,
        ),
    ] {
        assert_eq!(code(&office.send(&[action]).await[0]), expected);
    }
    // Of the whole message.
    let whole = |answer: &Value| answer["Payload"]["ResponsePayload"]["ErrorInformation"].clone();
    let good = || office.message("ACTOR01", &[create(authorisation(GOOD)), create(task("alice"))]);
    let mut signed = good();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(br#"{"alg":"ES256","kid":"k-1"}"#);
    signed["Signature"] = json!({"protected": header, "signature": "AA"});
    let said = whole(&office.raw(0, &signed).await);
    assert_eq!(said["ErrorCode"], 3001);
    assert!(
        said["ErrorDescription"]
            .as_str()
            .unwrap()
            .contains("`k-1`, which is not known"),
        "{said}"
    );
    // Another's certificate, another receiver, a number twice, and no message at all.
    assert_eq!(whole(&office.raw(1, &good()).await)["ErrorCode"], 3004);
    let mut elsewhere = good();
    elsewhere["Header"]["ReceiverIdentifier"]["UniqueIdentifier"] = json!("ELSE");
    assert_eq!(whole(&office.raw(0, &elsewhere).await)["ErrorCode"], 3004);
    let mut twice = good();
    twice["Payload"]["RequestPayload"]["ActionRequests"]["ActionRequest"][1]["ActionIdentifier"] = json!(0);
    assert_eq!(whole(&office.raw(0, &twice).await)["ErrorCode"], 3002);
    assert_eq!(
        whole(&office.raw(0, &json!({"Header": 1})).await)["ErrorCode"],
        3020
    );
    assert_eq!(office.cases().await, []);

    // After all that, the good one is taken; and its objects exist from then on.
    office.raw(0, &good()).await;
    assert_eq!(code(&office.send(&[create(authorisation(GOOD))]).await[0]), 3010);
    assert_eq!(office.cases().await.len(), 1);
}

#[tokio::test]
async fn what_a_person_entered_is_not_overwritten_by_a_message() {
    let office = Office::new().await;
    office
        .send(&[
            create(authorisation("2026-01-15T00:00:00Z")),
            create(task("alice")),
        ])
        .await;
    let case = office.cases().await[0];
    let demand = casework::demand::parse(&crate::app::tests::scene::demand("alice")).unwrap();
    let who = casework::event::Actor::Staff(crate::app::tests::scene::staff("ines"));
    let body = Body::Parsed {
        demand: Box::new(demand.clone()),
    };
    office.scene.desk.record(case, who, body).await.unwrap();
    let longer = json!({"@xsi:type": Kind::Authorisation.type_name(), "ObjectIdentifier": AUTHORISATION,
        "auth:AuthorisationTimespan": {"auth:EndTime": GOOD}});
    assert_eq!(code(&office.send(&[update(longer)]).await[0]), 3008);
    // What is only desired is kept, and changes nothing.
    let desires = json!({"@xsi:type": Kind::LdTask.type_name(), "ObjectIdentifier": TASK,
        "task:DesiredStatus": entry("LDTaskDesiredStatus", "AwaitingDisclosure")});
    assert_eq!(
        office.send(&[update(desires)]).await[0]["UPDATEResponse"]["Identifier"],
        TASK
    );
    assert_eq!(office.scene.desk.case(case).await.unwrap().demand, Some(demand));
}
