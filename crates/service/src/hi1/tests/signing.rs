//! Signed messages: verified against the keys of the peer whose certificate was shown, and against no others.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use hi1::signature::{Algorithm, Key};

use super::*;

/// A key of the authority, by the number that it is made of.
struct Signer(SigningKey);

impl Signer {
    fn new(number: u8) -> Self {
        Self(SigningKey::from_bytes(&[number; 32]))
    }

    fn public(&self, id: &str, until: &str) -> Key {
        let x = URL_SAFE_NO_PAD.encode(self.0.verifying_key().as_bytes());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": id});
        let when = ("2020-01-01T00:00:00Z".parse().unwrap(), until.parse().unwrap());
        Key::from_jwk(id, Algorithm::EdDSA, when, jwk.to_string().as_bytes()).unwrap()
    }

    /// The message with its signature, under the key's name.
    fn sign(&self, message: &Value, header: &Value) -> String {
        let mut signed = message.clone();
        signed["Signature"] = json!({"protected": "", "signature": ""});
        let text = signed.to_string();
        let protected = URL_SAFE_NO_PAD.encode(header.to_string());
        let input = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(&text));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(input.as_bytes()).to_bytes());
        text.replace(r#""protected":"""#, &format!(r#""protected":"{protected}""#))
            .replace(r#""signature":"""#, &format!(r#""signature":"{signature}""#))
    }
}

fn named(kid: &str) -> Value {
    json!({"alg": "EdDSA", "kid": kid})
}

fn agreed(id: &str, required: bool, keys: Vec<Key>) -> Peer {
    Peer {
        signing: Signing { required, keys },
        ..peer(id)
    }
}

fn whole(answer: &Value) -> &Value {
    &answer["Payload"]["ResponsePayload"]["ErrorInformation"]
}

impl Office {
    async fn shown(&self, case: CaseId) -> Vec<(String, casework::ids::Digest)> {
        let bodies = self.bodies(case).await.into_iter();
        let shown = bodies.filter_map(|body| match body {
            Body::SignatureVerified { key, message, .. } => Some((key, message)),
            _ => None,
        });
        shown.collect()
    }
}

#[tokio::test]
async fn a_signed_message_is_verified_and_the_case_says_by_which_key() {
    const LATER: &str = "2100-01-01T00:00:00Z";
    let (theirs, others, old) = (Signer::new(1), Signer::new(2), Signer::new(3));
    let office = Office::with(vec![
        agreed(
            "ACTOR01",
            true,
            vec![
                theirs.public("k-1", LATER),
                old.public("k-old", "2021-01-01T00:00:00Z"),
            ],
        ),
        agreed("ACTOR03", false, vec![others.public("k-1", LATER)]),
    ])
    .await;
    let good = || office.message("ACTOR01", &[create(authorisation(GOOD)), create(task("alice"))]);
    // Unsigned where signatures are agreed; by another peer's key of the same name; by one that ended; by one not known.
    let refused = [
        (good().to_string(), 3005, "the message is not signed"),
        (
            others.sign(&good(), &named("k-1")),
            3007,
            "not one of the key `k-1`",
        ),
        (old.sign(&good(), &named("k-old")), 3007, "and not now"),
        (
            theirs.sign(&good(), &named("k-2")),
            3001,
            "`k-2`, which is not known",
        ),
        (
            theirs.sign(&good(), &json!({"alg": "none", "kid": "k-1"})),
            3007,
            "EdDSA alone",
        ),
        (
            theirs.sign(&good(), &json!({"alg": "HS256", "kid": "k-1"})),
            3007,
            "EdDSA alone",
        ),
        (
            theirs.sign(
                &good(),
                &json!({"alg": "EdDSA", "kid": "k-1", "crit": ["b64"], "b64": false}),
            ),
            3001,
            "`crit`",
        ),
        (
            theirs.sign(&good(), &named("k-1")).replace("alice", "bobby"),
            3007,
            "altered after it was signed",
        ),
        // Questions too.
        (
            office.message("ACTOR01", &[get(TASK)]).to_string(),
            3005,
            "not signed",
        ),
    ];
    for (message, code, what) in refused {
        let said = office.bytes(0, message.as_bytes()).await;
        assert_eq!(whole(&said)["ErrorCode"], code, "{said}");
        assert!(
            whole(&said)["ErrorDescription"].as_str().unwrap().contains(what),
            "{said}"
        );
    }
    // Well signed, and sent over another's connection.
    let message = theirs.sign(&good(), &named("k-1"));
    assert_eq!(
        whole(&office.bytes(1, message.as_bytes()).await)["ErrorCode"],
        3004
    );
    assert_eq!(office.cases().await, []);

    let answer = office.bytes(0, message.as_bytes()).await;
    assert_eq!(office.bytes(0, message.as_bytes()).await, answer);
    let [case] = office.cases().await[..] else {
        panic!("{answer}")
    };
    let opened = casework::ids::Digest::of(&[message.as_bytes()]);
    assert_eq!(office.shown(case).await, [("k-1".to_owned(), opened)]);
    // What was shown is whose system signed: whether an order is signed stays a reviewer's question.
    let demand = office
        .scene
        .desk
        .case(case)
        .await
        .unwrap()
        .demand
        .expect("it reads as a demand");
    assert!(!demand.showing.signed);
    // An amendment is shown as well, and does nothing beside it.
    let later = json!({"@xsi:type": Kind::LdTask.type_name(), "ObjectIdentifier": TASK, "task:Reference": "XX-ACTOR01-99"});
    let amended = theirs.sign(&office.message("ACTOR01", &[update(later)]), &named("k-1"));
    office.bytes(0, amended.as_bytes()).await;
    let of = casework::ids::Digest::of(&[amended.as_bytes()]);
    assert_eq!(
        office.shown(case).await,
        [("k-1".to_owned(), opened), ("k-1".to_owned(), of)]
    );
    // Nobody records such a thing by hand.
    let by_hand = Body::SignatureVerified {
        message: of,
        key: "k-1".into(),
        algorithm: "EdDSA".into(),
        key_sha256: of,
    };
    for actor in [
        casework::event::Actor::Requester,
        casework::event::Actor::Staff(crate::app::tests::scene::staff("ines")),
    ] {
        assert!(
            office
                .scene
                .desk
                .record(case, actor, by_hand.clone())
                .await
                .is_err()
        );
    }

    // Where they are not agreed to be signed, both are taken; and a signature that is there must hold.
    let ask = |sender| office.message(sender, &[get(TASK)]);
    let unsigned = office.raw(1, &ask("ACTOR03")).await;
    assert_eq!(whole(&unsigned), &Value::Null);
    let signed = office
        .bytes(1, others.sign(&ask("ACTOR03"), &named("k-1")).as_bytes())
        .await;
    assert_eq!(whole(&signed), &Value::Null);
    let wrong = office
        .bytes(1, theirs.sign(&ask("ACTOR03"), &named("k-1")).as_bytes())
        .await;
    assert_eq!(whole(&wrong)["ErrorCode"], 3007);
}
