//! What ETSI's schemas accept is read, what they refuse is refused, and what is written they accept. The schemas are not
//! part of this project: `AMPARO_TESTDATA` names the folder that has them, and without it these tests say so and pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod corpus;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use hi1::{
    Code, Failure, Kind, Message, Object,
    dictionary::{DICTIONARIES, Entry},
    message::{Action, Answer, ListRequest, Outcome, Payload, Record, Verb},
    parse, write,
};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Value, json};
use uuid::Uuid;

/// How many altered messages are judged by both.
const ALTERED: usize = 300;

fn etsi() -> Option<PathBuf> {
    let Some(data) = std::env::var_os("AMPARO_TESTDATA") else {
        eprintln!("AMPARO_TESTDATA is not set: ETSI's schemas are not compared with");
        return None;
    };
    Some(Path::new(&data).join("etsi"))
}

/// Python with the validator: that of the tests' clients, or the system's.
fn python(root: &Path) -> PathBuf {
    let own = root.join(".venv/bin/python");
    if own.exists() {
        own
    } else {
        PathBuf::from("python3")
    }
}

/// What the schemas say of each message.
fn judge(etsi: &Path, messages: &[Value]) -> Vec<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut child = Command::new(python(&root))
        .arg(root.join("tests/clients/hi1_schema.py"))
        .arg(etsi)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines: Vec<String> = messages.iter().map(|message| format!("{message}\n")).collect();
    let feeding = std::thread::spawn(move || {
        lines
            .iter()
            .for_each(|line| stdin.write_all(line.as_bytes()).unwrap())
    });
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    assert!(output.status.success(), "run tests/clients/install first");
    let verdicts: Vec<bool> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line == "accepted")
        .collect();
    assert_eq!(verdicts.len(), messages.len());
    verdicts
}

fn reads(message: &Value) -> Result<Message, String> {
    parse(message.to_string().as_bytes()).map_err(|malformed| malformed.to_string())
}

#[test]
fn the_published_examples_are_read() {
    let Some(etsi) = etsi() else { return };
    for name in ["request4", "request8_LPTaskObject", "response4"] {
        let bytes = std::fs::read(etsi.join(format!("examples/{name}.json"))).unwrap();
        let message = parse(&bytes).unwrap();
        assert_eq!(message.header.sender.to_string(), "XX/ACTOR01");
        // Written again, it says the same.
        assert_eq!(parse(&write::message(&message).unwrap()).unwrap(), message);
    }
}

#[test]
fn schemas_and_reader_agree() {
    let Some(etsi) = etsi() else { return };
    let mut messages = corpus::whole();
    let wholes = messages.len();
    messages.extend(corpus::table());
    let mut runner = TestRunner::deterministic();
    let altering = (
        0..wholes,
        proptest::collection::vec((any::<u32>(), any::<u32>()), 1..3),
    );
    while messages.len() < ALTERED {
        let (which, changes) = altering.new_tree(&mut runner).unwrap().current();
        let mut message = messages[which].clone();
        for (place, change) in changes {
            corpus::alter(&mut message, place, change);
        }
        messages.push(message);
    }
    let verdicts = judge(&etsi, &messages);
    let refused = verdicts.iter().filter(|accepted| !**accepted).count();
    assert!(verdicts[..wholes].iter().all(|accepted| *accepted));
    assert!(
        refused > ALTERED / 4 && refused < ALTERED * 9 / 10,
        "{refused} refused"
    );
    for (message, accepted) in messages.iter().zip(verdicts) {
        let read = reads(message);
        assert_eq!(read.is_ok(), accepted, "{read:?}\n{message}");
    }
}

#[test]
fn what_is_written_the_schemas_accept() {
    let Some(etsi) = etsi() else { return };
    let request = reads(&corpus::whole()[0]).unwrap();
    let header = write::answering(&request.header, "2026-11-22T08:00:00.1234567Z".parse().unwrap());
    assert_eq!(header.timestamp, "2026-11-22T08:00:00.123456Z");
    let id = Uuid::from_u128(9);
    let record = Record {
        object_type: Entry::etsi("ObjectType", "LDTask"),
        id,
        country: Some("XX".into()),
        owner: None,
        generation: 1,
        external: None,
        changed: Some("2026-11-22T08:00:00Z".into()),
    };
    let mut got: Vec<Object> = Kind::all()
        .filter(|kind| kind.is_supported())
        .map(|kind| Object::new(kind, id))
        .collect();
    for object in &mut got {
        let Some(statuses) = object.kind().statuses() else {
            continue;
        };
        let (_, values) = DICTIONARIES
            .iter()
            .find(|(name, _)| *name == statuses.dictionary)
            .unwrap();
        object.set_status(values[0], Some(&Failure::new(Code::BusinessLogic, "because")));
    }
    let outcomes = [
        Outcome::Created(id),
        Outcome::Updated(id),
        Outcome::Delivered(id),
        Outcome::Listed(vec![record]),
        Outcome::Listed(Vec::new()),
        Outcome::Failed(Failure::new(Code::NotFound, "x".repeat(70_000))),
    ];
    let outcomes = outcomes.into_iter().chain(got.iter().cloned().map(Outcome::Got));
    let answers: Vec<Answer> = (0..)
        .zip(outcomes)
        .map(|(id, outcome)| Answer { id, outcome })
        .collect();
    let listed = ListRequest {
        object_type: Some(Entry::etsi("ObjectType", "LDTask")),
        changed_since: Some("2026-11-22T08:00:00Z".parse().unwrap()),
        changed_before: Some("2026-11-23T08:00:00Z".parse().unwrap()),
        most: Some(3),
        status: None,
        country: Some("XX".into()),
    };
    let verbs = [
        Verb::List(listed),
        Verb::Get(id),
        Verb::GetConfiguration,
        Verb::List(ListRequest::default()),
    ];
    let verbs = verbs.into_iter().chain(got.into_iter().flat_map(|object| {
        [
            Verb::Create(object.clone()),
            Verb::Update(object.clone()),
            Verb::Deliver(id, object),
        ]
    }));
    let actions = (0..).zip(verbs).map(|(id, verb)| Action { id, verb }).collect();
    let payloads = [
        Payload::Response(answers),
        Payload::Response(Vec::new()),
        Payload::Request(actions),
        Payload::Refused(Failure::new(Code::Validation, "no")),
    ];
    let mut written = Vec::new();
    for payload in payloads {
        let message = Message {
            header: header.clone(),
            payload,
            signature: None,
        };
        let bytes = write::message(&message).unwrap();
        assert_eq!(parse(&bytes).unwrap(), message);
        written.push(serde_json::from_slice(&bytes).unwrap());
    }
    assert_eq!(judge(&etsi, &written), vec![true; written.len()]);
}

#[test]
fn dictionaries_are_as_published() {
    let Some(etsi) = etsi() else { return };
    let text = std::fs::read(etsi.join("dictionaries/etsi_dictionaries.json")).unwrap();
    let published: Value = serde_json::from_slice(&text).unwrap();
    for (name, values) in DICTIONARIES {
        assert_eq!(published["dictionaries"][name], json!(values), "{name}");
    }
}

#[test]
fn a_moment_that_is_none_is_refused() {
    // The schemas' pattern lets it pass; the type it restricts, xs:dateTime, does not.
    let mut message = corpus::whole().remove(0);
    message["Header"]["Timestamp"] = json!("2026-13-40T25:61:00.000000Z");
    assert!(reads(&message).unwrap_err().contains("`Header.Timestamp`"));
}

#[test]
fn errors_name_the_place_and_quote_nothing() {
    let mut message = corpus::whole().remove(0);
    let task = &mut message["Payload"]["RequestPayload"]["ActionRequests"]["ActionRequest"][1]["CREATE"]["HI1Object"];
    task["task:Reference"] = json!("suspect@example.org");
    let why = reads(&message).unwrap_err();
    assert!(
        why.contains("ActionRequest[1].CREATE.HI1Object.task:Reference"),
        "{why}"
    );
    assert!(!why.contains("suspect"), "{why}");
    let malformed = parse(message.to_string().as_bytes()).unwrap_err();
    assert!(malformed.failure.is(Code::Validation));
    assert_eq!(malformed.header.unwrap().sender.id, "ACTOR01");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn a_damaged_message_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), which in any::<prop::sample::Index>()) {
        static MESSAGES: LazyLock<Vec<String>> =
            LazyLock::new(|| corpus::whole().iter().map(ToString::to_string).collect());
        let mut bytes = which.get(MESSAGES.as_slice()).clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(message) = parse(&bytes) {
            let written = write::message(&message);
            prop_assert!(written.is_ok() || message.signature.is_some() || !supported(&message));
        }
    }
}

fn supported(message: &Message) -> bool {
    let Payload::Request(actions) = &message.payload else {
        return true;
    };
    actions.iter().all(|action| match &action.verb {
        Verb::Create(object) | Verb::Update(object) | Verb::Deliver(_, object) => {
            object.kind().is_supported()
        }
        _ => true,
    })
}
