//! Packages pushed to an authority's system: a real one, over HTTPS with mutual TLS, that does what each test tells it.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body as HttpBody, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use casework::{event::Actor, facts::RequesterCheck, ids::RecordId};
use futures::stream;
use hyper_util::service::TowerToHyperService;
use jiff::SignedDuration;
use tokio::net::TcpListener;

use super::*;
use crate::{
    app::tests::scene::staff,
    hi1::{Destination, Pusher},
    listener::{self, Door},
    paper::PaperReader,
    tls::{
        Audience, Caller, MutualTls, TlsServer,
        tests::{Authority, GOOD as YEARS},
    },
};

/// What the authority's system does with one message.
#[derive(Debug, Clone)]
enum Does {
    Takes,
    /// It takes it, and its answer is lost on the way.
    TakesAndBreaksOff,
    Refuses(u64),
    /// It refuses the whole message.
    RefusesAll(u64),
    Status(u16),
    Says(String),
    /// It answers as if to another transaction.
    MixesUp,
}

struct Theirs {
    does: Mutex<VecDeque<Does>>,
    came: Mutex<Vec<Value>>,
}

async fn deliver(State(theirs): State<Arc<Theirs>>, bytes: Bytes) -> Response {
    let message: Value = serde_json::from_slice(&bytes).unwrap();
    theirs.came.lock().unwrap().push(message.clone());
    let does = theirs.does.lock().unwrap().pop_front().unwrap_or(Does::Takes);
    let mut header = message["Header"].clone();
    let (sender, receiver) = (
        header["SenderIdentifier"].take(),
        header["ReceiverIdentifier"].take(),
    );
    (header["SenderIdentifier"], header["ReceiverIdentifier"]) = (receiver, sender);
    let id =
        &message["Payload"]["RequestPayload"]["ActionRequests"]["ActionRequest"][0]["DELIVER"]["Identifier"];
    let taken = json!({"ActionResponses": {"ActionResponse": [{"ActionIdentifier": 0, "DELIVERResponse": {"Identifier": id}}]}});
    let refused = |code: u64| json!({"ErrorCode": code, "ErrorDescription": "not like\nthis"});
    let payload = match does {
        Does::Takes => taken,
        Does::MixesUp => {
            header["TransactionIdentifier"] = json!("c02358b2-76cf-4ba4-a8eb-f6436ccaea2e");
            taken
        }
        Does::Refuses(code) => {
            json!({"ActionResponses": {"ActionResponse": [{"ActionIdentifier": 0, "ErrorInformation": refused(code)}]}})
        }
        Does::RefusesAll(code) => json!({"ErrorInformation": refused(code)}),
        Does::TakesAndBreaksOff => {
            let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))]);
            return (
                [(header::CONTENT_TYPE, "application/json")],
                HttpBody::from_stream(broken),
            )
                .into_response();
        }
        Does::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap();
            return (status, [(header::LOCATION, "/elsewhere")]).into_response();
        }
        Does::Says(text) => return ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
    };
    let answer = json!({"Header": header, "Payload": {"ResponsePayload": payload}});
    ([(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

/// The authority's system, and our office that pushes to it.
struct Exchange {
    office: Office,
    theirs: Arc<Theirs>,
    certificates: Authority,
    pusher: Pusher,
    at: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn destination(certificates: &Authority, at: SocketAddr, host: &str, private: bool) -> Destination {
    let mutual = MutualTls {
        certificate: certificates.path("hi1.provider.example.pem"),
        key: certificates.path("hi1.provider.example.key"),
        ca: certificates.path("ca.pem"),
        names: vec!["hi1.police.example".to_owned()],
    };
    let url = format!("https://{host}:{}/hi1", at.port()).parse().unwrap();
    Destination::open(url, private, mutual).unwrap()
}

impl Exchange {
    async fn new() -> Self {
        let certificates = Authority::new("for both sides");
        certificates.files("hi1.provider.example", YEARS);
        let theirs = Arc::new(Theirs {
            does: Mutex::default(),
            came: Mutex::default(),
        });
        let caller = Caller {
            ca: certificates.path("ca.pem"),
            names: vec!["hi1.provider.example".to_owned()],
        };
        let audience = Audience::Named {
            files: certificates.files("localhost", YEARS),
            callers: vec![caller],
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let door = Door {
            listener,
            tls: Some(TlsServer::open(audience).unwrap()),
        };
        let router = Router::new()
            .route("/hi1", post(deliver))
            .layer(axum::extract::DefaultBodyLimit::max(hi1::BYTES_MAX))
            .with_state(Arc::clone(&theirs));
        let serving = tokio::spawn(listener::serve(
            door,
            TowerToHyperService::new(router),
            std::future::pending(),
        ));
        let office = Office::new().await;
        let to = destination(&certificates, at, "localhost", true);
        let pusher = Pusher::new(office.hi1.clone(), vec![Some(to), None]);
        Self {
            office,
            theirs,
            certificates,
            pusher,
            at,
            serving,
        }
    }

    fn will(&self, does: &[Does]) {
        self.theirs.does.lock().unwrap().extend(does.iter().cloned());
    }

    fn came(&self) -> Vec<Value> {
        self.theirs.came.lock().unwrap().clone()
    }

    /// A task whose package the gate released: of two parts, where it is large.
    async fn released(&self, large: bool) -> (CaseId, RecordId) {
        self.released_by(&self.office.scene.desk, large).await
    }

    async fn released_by(&self, desk: &Desk, large: bool) -> (CaseId, RecordId) {
        let office = &self.office;
        if large {
            let bytes = (0..5 * 1024 * 1024_u32)
                .map(|number| (number % 251) as u8)
                .collect();
            office.scene.vault.keep(9, "large.bin", bytes);
        }
        office
            .send(&[create(authorisation(GOOD)), create(task("alice"))])
            .await;
        let case = office.cases().await[0];
        office.scene.judge(case).await;
        let record = office.scene.approved(case).await;
        desk.release(case, record).await.unwrap();
        (case, record)
    }

    async fn turn(&self) {
        self.pusher.turn(0).await.unwrap();
    }

    async fn notes(&self, case: CaseId) -> Vec<String> {
        let bodies = self.office.bodies(case).await.into_iter();
        bodies
            .filter_map(|body| match body {
                Body::Note { text } if text.starts_with("HI-1:") => Some(text),
                Body::Delivered { how, .. } => Some(format!("delivered: {how}")),
                _ => None,
            })
            .collect()
    }

    fn later(&self, minutes: i64) {
        self.office
            .scene
            .clock
            .advance(SignedDuration::from_mins(minutes));
    }
}

fn part(message: &Value) -> &Value {
    &message["Payload"]["RequestPayload"]["ActionRequests"]["ActionRequest"][0]["DELIVER"]
}

#[tokio::test]
async fn a_package_is_pushed_in_sequence_and_the_case_says_it_was_delivered() {
    let exchange = Exchange::new().await;
    let (case, record) = exchange.released(true).await;
    exchange.turn().await;
    let came = exchange.came();
    assert_eq!(came.len(), 2);
    let mut whole = Vec::new();
    for (number, message) in came.iter().enumerate() {
        hi1::parse(message.to_string().as_bytes()).unwrap();
        assert_eq!(
            message["Header"]["SenderIdentifier"]["UniqueIdentifier"],
            "ACTOR02"
        );
        assert_eq!(
            message["Header"]["ReceiverIdentifier"]["UniqueIdentifier"],
            "ACTOR01"
        );
        let object = &part(message)["HI1Object"];
        assert_eq!(part(message)["Identifier"], object["ObjectIdentifier"]);
        assert_eq!(object["AssociatedObjects"]["AssociatedObject"], json!([TASK]));
        assert_eq!(object["delivery:Reference"]["delivery:LDID"], "XX-ACTOR01-1234");
        assert_eq!(object["delivery:DeliveryID"], record.to_string());
        assert_eq!(object["delivery:SequenceNumber"], number);
        assert_eq!(object["delivery:LastSequence"], number == 1);
        let data = object["delivery:Delivery"]["delivery:BinaryData"]["delivery:Data"]
            .as_str()
            .unwrap();
        whole.extend(STANDARD.decode(data).unwrap());
    }
    let package = exchange.office.scene.desk.package(case, record).await.unwrap();
    assert_eq!(whole, std::fs::read(&package.path).unwrap());
    assert_eq!(
        exchange.notes(case).await,
        ["delivered: HI-1: delivered to the authority's system, which took each of 2 parts"]
    );
    // That is all: nothing is sent twice, and what the authority asks for it sees as received.
    exchange.later(600);
    exchange.turn().await;
    assert_eq!(exchange.came().len(), 2);
    let id = part(&came[0])["Identifier"].as_str().unwrap();
    assert_eq!(
        exchange.office.got(id).await["delivery:DeliveryStatus"]["common:Value"],
        "Received"
    );
    if let Some(data) = std::env::var_os("AMPARO_TESTDATA") {
        accepted_by_the_schemas(&std::path::Path::new(&data).join("etsi"), &came);
    }
    // Erasing the case leaves nothing of it.
    exchange.office.scene.desk.cases().erase(case).await.unwrap();
    let database = store::testkit::database(&exchange.office.scene.dir.path().join("amparo.db")).await;
    let left: i64 = sqlx::query_scalar("SELECT CAST(count(*) AS BIGINT) FROM hi1_pushes")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

/// ETSI's own schemas, by Python's validator.
fn accepted_by_the_schemas(etsi: &std::path::Path, messages: &[Value]) {
    use std::io::Write as _;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = root.join(".venv/bin/python");
    let python = if own.exists() { own } else { "python3".into() };
    let mut child = std::process::Command::new(python)
        .arg(root.join("tests/clients/hi1_schema.py"))
        .arg(etsi)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for message in messages {
        writeln!(stdin, "{message}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "run tests/clients/install first");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), vec!["accepted"; messages.len()]);
}

/// The answer is lost after the part was taken; meanwhile we start anew.
#[tokio::test]
async fn a_part_whose_answer_was_lost_is_delivered_once_and_the_case_says_so() {
    let exchange = Exchange::new().await;
    let (case, _) = exchange.released(true).await;
    exchange.will(&[Does::Takes, Does::TakesAndBreaksOff]);
    exchange.turn().await;
    assert_eq!(exchange.came().len(), 2);
    let [first] = &exchange.notes(case).await[..] else {
        panic!()
    };
    assert!(
        first.contains("could not be pushed to the authority's system"),
        "{first}"
    );

    // Not before its time; then again, by a new process, under the same identifiers.
    exchange.turn().await;
    assert_eq!(exchange.came().len(), 2);
    exchange.later(1);
    exchange.will(&[Does::Refuses(3010)]);
    let to = destination(&exchange.certificates, exchange.at, "localhost", true);
    let anew = Pusher::new(exchange.office.hi1.clone(), vec![Some(to)]);
    anew.turn(0).await.unwrap();
    let came = exchange.came();
    assert_eq!(came.len(), 3);
    assert_eq!(part(&came[1])["Identifier"], part(&came[2])["Identifier"]);
    assert_eq!(
        came[1]["Header"]["TransactionIdentifier"],
        came[2]["Header"]["TransactionIdentifier"]
    );
    assert_eq!(
        part(&came[1])["HI1Object"]["delivery:Delivery"],
        part(&came[2])["HI1Object"]["delivery:Delivery"]
    );
    assert_eq!(
        exchange.notes(case).await[1],
        "delivered: HI-1: delivered to the authority's system, which took each of 2 parts; 1 times a part was sent again, for its \
         answer had not come"
    );
}

#[tokio::test]
async fn a_refusal_stands_in_the_case_with_its_code_and_ends_the_push() {
    for does in [Does::Refuses(3008), Does::RefusesAll(3008), Does::Refuses(3010)] {
        let exchange = Exchange::new().await;
        let (case, record) = exchange.released(false).await;
        let code = if matches!(does, Does::Refuses(3010)) {
            3010
        } else {
            3008
        };
        exchange.will(&[does]);
        exchange.turn().await;
        exchange.later(600);
        exchange.turn().await;
        assert_eq!(exchange.came().len(), 1);
        let notes = exchange.notes(case).await;
        assert_eq!(
            notes,
            [format!(
                "HI-1: the authority's system refused part 1 of 1 of the package of record {record}, with error {code}: `not likethis`. It is not \
                 pushed again; it can still be fetched."
            )]
        );
        // And so it can.
        let id = part(&exchange.came()[0])["Identifier"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(exchange.office.got(&id).await["ObjectIdentifier"], id.as_str());
    }
}

#[tokio::test]
async fn whatever_is_no_answer_is_tried_again_later_and_noted_once() {
    let exchange = Exchange::new().await;
    let (case, _) = exchange.released(false).await;
    let long = "x".repeat(300 * 1024);
    exchange.will(&[
        Does::Status(307),
        Does::Status(503),
        Does::Says("<html>".to_owned()),
        Does::Says(long),
        Does::Says(json!({"Header": 1}).to_string()),
        Does::MixesUp,
        Does::Refuses(3003),
        Does::RefusesAll(3003),
    ]);
    for tries in 1..=8 {
        exchange.turn().await;
        assert_eq!(exchange.came().len(), tries);
        // Longer each time, up to an hour.
        exchange.later((1 << (tries - 1)).min(60) - 1);
        exchange.turn().await;
        assert_eq!(exchange.came().len(), tries);
        exchange.later(1);
    }
    let notes = exchange.notes(case).await;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("HTTP status 307"), "{notes:?}");
    exchange.turn().await;
    assert_eq!(exchange.came().len(), 9);
    assert!(exchange.notes(case).await[1].starts_with("delivered: "));
}

#[tokio::test]
async fn nobody_else_is_delivered_to() {
    let exchange = Exchange::new().await;
    let (case, _) = exchange.released(false).await;
    let tried = |to: Destination| {
        let pusher = Pusher::new(exchange.office.hi1.clone(), vec![Some(to)]);
        async move { pusher.turn(0).await.unwrap() }
    };
    // A private address that nobody allowed; then a certificate for another name.
    tried(destination(
        &exchange.certificates,
        exchange.at,
        "localhost",
        false,
    ))
    .await;
    exchange.later(1);
    tried(destination(
        &exchange.certificates,
        exchange.at,
        "127.0.0.1",
        true,
    ))
    .await;
    // Somebody who is vouched for by another, at the right address.
    exchange.later(2);
    let strangers = Authority::new("a stranger's");
    strangers.files("hi1.provider.example", YEARS);
    tried(destination(&strangers, exchange.at, "localhost", true)).await;
    assert_eq!(exchange.came(), Vec::<Value>::new());
    let notes = exchange.notes(case).await;
    assert!(
        notes.len() == 1 && notes[0].contains("an address that is not public"),
        "{notes:?}"
    );
    // A peer without an address is never pushed to.
    assert_eq!(exchange.pusher.places().collect::<Vec<_>>(), [0]);
    // And as none of it went out, "it exists" is no word of ours being there.
    exchange.later(4);
    exchange.will(&[Does::Refuses(3010)]);
    exchange.turn().await;
    assert!(exchange.notes(case).await[1].contains("with error 3010"));
}

#[tokio::test]
async fn what_comes_after_the_release_stops_the_push_between_two_parts() {
    let doubts = Body::RequesterChecked {
        outcome: RequesterCheck::Refuted,
        how: "called back: nobody there knows of it".to_owned(),
    };
    let withdraws = Body::Withdrawn {
        reason: "by letter".to_owned(),
    };
    let gag =
        json!({"court_ordered": true, "from": "2026-11-02", "until": "2027-02-02", "forbids": ["tenant"]});
    let gags = Body::GagRecorded {
        gag: serde_json::from_value(gag).unwrap(),
        document: None,
    };
    for (body, why) in [
        (doubts, "who asks is in doubt"),
        (withdraws, "the demand was withdrawn"),
        (gags, "a gag was recorded"),
    ] {
        let exchange = Exchange::new().await;
        let (case, record) = exchange.released(true).await;
        exchange.will(&[Does::Takes, Does::Status(503)]);
        exchange.turn().await;
        assert_eq!(exchange.came().len(), 2);
        let who = Actor::Staff(staff("ruth"));
        exchange
            .office
            .scene
            .desk
            .record(case, who, body.clone())
            .await
            .unwrap();
        for _ in 0..2 {
            exchange.later(120);
            exchange.turn().await;
        }
        assert_eq!(exchange.came().len(), 2, "{why}");
        let notes = exchange.notes(case).await;
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes[1].contains(why) && notes[1].contains(&record.to_string()),
            "{notes:?}"
        );
        assert!(
            notes[1].contains("1 parts of it were taken; whether one more was is not known"),
            "{notes:?}"
        );
        let id = part(&exchange.came()[1])["Identifier"]
            .as_str()
            .unwrap()
            .to_owned();
        if why.starts_with("who asks") {
            // Nor is it given to who fetches it.
            assert_eq!(code(&exchange.office.send(&[get(&id)]).await[0]), 3015);
            let clear = Body::RequesterChecked {
                outcome: RequesterCheck::Confirmed,
                how: "their own number, from the register".to_owned(),
            };
            let who = Actor::Staff(staff("ruth"));
            exchange.office.scene.desk.record(case, who, clear).await.unwrap();
            exchange.later(120);
            exchange.turn().await;
            assert_eq!(exchange.came().len(), 3);
            assert!(exchange.notes(case).await[2].starts_with("delivered: "));
        }
    }
}

/// We stopped after the last part was taken, before the case said so.
#[tokio::test]
async fn what_was_taken_whole_is_said_whatever_came_after() {
    let exchange = Exchange::new().await;
    let (case, _) = exchange.released(false).await;
    exchange.will(&[Does::Status(503)]);
    exchange.turn().await;
    exchange.later(120);
    let (store, name, now) = (
        exchange.office.hi1.store(),
        peer("ACTOR01").name(),
        exchange.office.hi1.now(),
    );
    let mut push = store.due_pushes(&name, now, 1).await.unwrap()[0];
    push.taken = 1;
    store.keep_push(&name, &push, now).await.unwrap();
    let withdraws = Body::Withdrawn {
        reason: "by letter".to_owned(),
    };
    let who = Actor::Staff(staff("ruth"));
    exchange
        .office
        .scene
        .desk
        .record(case, who, withdraws)
        .await
        .unwrap();
    exchange.turn().await;
    assert_eq!(exchange.came().len(), 1);
    let notes = exchange.notes(case).await;
    assert!(
        notes[1].contains("which took each of 1 parts, for record"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn what_somebody_should_look_at_first_is_not_pushed() {
    let exchange = Exchange::new().await;
    let absent = exchange.office.scene.dir.path().join("absent");
    let desk = exchange
        .office
        .scene
        .desk
        .clone()
        .reading_papers(PaperReader::at(absent));
    exchange
        .office
        .scene
        .vault
        .keep(5, "one.pdf", b"%PDF-1.7".to_vec());
    let (case, record) = exchange.released_by(&desk, false).await;
    let package = exchange.office.scene.desk.package(case, record).await.unwrap();
    assert!(!package.flags.is_empty());
    for _ in 0..2 {
        exchange.turn().await;
        exchange.later(120);
    }
    assert_eq!(exchange.came(), Vec::<Value>::new());
    let notes = exchange.notes(case).await;
    assert!(
        notes.len() == 1 && notes[0].contains("somebody should look at"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn what_the_authority_fetched_meanwhile_is_not_pushed() {
    let exchange = Exchange::new().await;
    let (case, _) = exchange.released(false).await;
    exchange.will(&[Does::Status(503)]);
    exchange.turn().await;
    let id = part(&exchange.came()[0])["Identifier"]
        .as_str()
        .unwrap()
        .to_owned();
    let has = json!({"@xsi:type": Kind::Delivery.type_name(), "ObjectIdentifier": id,
        "delivery:DeliveryDesiredStatus": entry("DeliveryDesiredStatus", "Received")});
    exchange.office.send(&[update(has)]).await;
    exchange.later(120);
    exchange.turn().await;
    assert_eq!(exchange.came().len(), 1);
    assert_eq!(exchange.notes(case).await.len(), 2);
}
