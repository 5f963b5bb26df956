//! A transfer worked through the API, and the register that says what hangs on a basis that ended.

use casework::{
    testkit::TransferWorld,
    transfer::{TransferRecord, signed_decision},
};

use super::*;
use crate::app::tests::scene::sign;

async fn enrol(server: &mut Server, people: &[(&'static str, Role)]) {
    let tokens = Tokens::new(
        server.scene.desk.cases().clone(),
        server.scene.clock.clone(),
        Arc::new(SystemEntropy),
    );
    for (id, role) in people {
        tokens.enrol(staff(id), *role, None).await.unwrap();
        let token = tokens
            .issue(&staff(id), SignedDuration::from_hours(1))
            .await
            .ok()
            .unwrap();
        server.tokens.insert(id, token.reveal().to_owned());
    }
}

fn opening() -> Value {
    json!({
        "tenant": "contoso", "from": "eu-de", "to": "us-east", "data": {"bucket": "box"}, "categories": ["content"],
        "purpose": "the customer opens an office there", "importer": {"name": "Provider Ltd"}
    })
}

/// Opened by `olga`, on a basis that holds until 27 December 2031, approved; its id.
async fn approved(server: &Server) -> String {
    let (status, opened) = server
        .call(Some("olga"), "POST", "/transfers", Some(opening()))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{opened}");
    let transfer = opened["transfer"].as_str().unwrap().to_owned();
    let at = |rest: &str| format!("/transfers/{transfer}{rest}");
    let unknown = json!({"bases": [{"kind": "adequacy", "decision": "eu.adequacy.atlantis"}]});
    let (status, refused) = server
        .call(Some("olga"), "POST", &at("/bases"), Some(unknown))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    let said = refused["error"]["message"].as_str().unwrap();
    assert!(
        said.contains("eu.adequacy.gb") && !said.contains("eu.scc"),
        "{said}"
    );
    let (status, none) = server
        .call(Some("olga"), "POST", &at("/records"), Some(json!({})))
        .await;
    assert_eq!(
        (status, &none["error"]["code"]),
        (StatusCode::CONFLICT, &json!("no_basis")),
        "{none}"
    );
    let basis = json!({"bases": [{"kind": "adequacy", "decision": "eu.adequacy.gb"}]});
    let (status, view) = server
        .call(Some("clara"), "POST", &at("/bases"), Some(basis))
        .await;
    assert_eq!(
        (status, &view["verdict"]["outcome"]),
        (StatusCode::CREATED, &json!("based")),
        "{view}"
    );
    let (status, drawn) = server
        .call(Some("olga"), "POST", &at("/records"), Some(json!({"days": 2})))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{drawn}");
    let record: TransferRecord = serde_json::from_value(drawn["record"].clone()).unwrap();
    assert_eq!(drawn["digest"], json!(record.digest().unwrap()));
    for who in ["rita", "raj"] {
        let of = at(&format!("/records/{}/approvals", record.id));
        let others = json!({"signature": TransferWorld::signature("carl", &record)});
        let (status, answer) = server.call(Some(who), "POST", &of, Some(others)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        let own = json!({"signature": TransferWorld::signature(who, &record)});
        let (status, answer) = server.call(Some(who), "POST", &of, Some(own)).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    }
    transfer
}

#[tokio::test]
async fn p19_a_transfer_is_worked_and_the_register_says_what_hangs_on_a_basis_that_ended() {
    let mut server = server().await;
    enrol(&mut server, &[("rita", Role::Reviewer), ("raj", Role::Reviewer)]).await;
    server.moving.provision("GB").await;
    let transfer = approved(&server).await;
    let at = |rest: &str| format!("/transfers/{transfer}{rest}");
    let (status, moved) = server.call(Some("olga"), "POST", &at("/start"), None).await;
    assert_eq!(status, StatusCode::OK, "{moved}");
    assert_eq!((&moved["done"], &moved["objects"]), (&json!(true), &json!(4)));
    server.moving.everything_reads("us-east").await;
    let (_, view) = server.call(Some("aud"), "GET", &at(""), None).await;
    assert_eq!(
        (&view["stage"], &view["left"]["objects"]),
        (&json!("done"), &json!(0)),
        "{view}"
    );

    let register = |query: &'static str| {
        let server = &server;
        async move {
            server
                .call(Some("clara"), "GET", &format!("/transfers{query}"), None)
                .await
                .1
        }
    };
    let last = register("?as_of=2031-12-27").await;
    assert_eq!(
        (&last["hanging"], &last["transfers"][0]["hanging"]),
        (&json!(0), &json!("no")),
        "{last}"
    );
    assert_eq!(
        register("?as_of=2031-12-27&hanging=true").await["transfers"],
        json!([])
    );
    let after = register("?as_of=2031-12-28&hanging=true").await;
    assert_eq!(after["transfers"][0]["hanging"], json!("lying_there"), "{after}");
    assert_eq!(
        after["transfers"][0].get("lapsed"),
        None,
        "nobody recorded it yet"
    );

    // The day comes: it is recorded once, by the service itself.
    server.moving.clock.set("2031-12-28T00:00:00Z".parse().unwrap());
    let noted = server.moving.transfers.note_lapses().await.unwrap();
    assert_eq!(
        noted.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [transfer.as_str()]
    );
    assert_eq!(server.moving.transfers.note_lapses().await.unwrap(), []);
    let today = register("?hanging=true").await;
    assert_eq!(
        (&today["as_of"], &today["hanging"]),
        (&json!("2031-12-28"), &json!(1))
    );
    assert_eq!(
        today["transfers"][0]["lapsed"]["at"],
        json!("2031-12-28T00:00:00Z"),
        "{today}"
    );
    assert!(
        today["transfers"][0]["lapsed"]["rules"][0]
            .as_str()
            .unwrap()
            .starts_with("eu.")
    );

    // Counsel may try; a rule that bars stays.
    let (_, view) = server.call(Some("clara"), "GET", &at(""), None).await;
    let matter = view["matter"].as_str().unwrap().parse().unwrap();
    let message = signed_decision(transfer.parse().unwrap(), &matter, "we need it");
    let decision = json!({"reason": "we need it", "signature": sign("clara", &message)});
    let (status, view) = server
        .call(Some("clara"), "POST", &at("/decisions"), Some(decision))
        .await;
    assert_eq!(
        (status, &view["verdict"]["outcome"]),
        (StatusCode::CREATED, &json!("barred")),
        "{view}"
    );
}

#[tokio::test]
async fn the_register_comes_in_pages() {
    let server = server().await;
    server.moving.provision("GB").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (_, opened) = server
            .call(Some("olga"), "POST", "/transfers", Some(opening()))
            .await;
        ids.push(opened["transfer"].as_str().unwrap().to_owned());
    }
    ids.sort();
    let (_, first) = server.call(Some("olga"), "GET", "/transfers?limit=2", None).await;
    assert_eq!(first["transfers"].as_array().unwrap().len(), 2);
    assert_eq!(first["next"], json!(ids[1]));
    let (_, second) = server
        .call(
            Some("olga"),
            "GET",
            &format!("/transfers?limit=2&after={}", ids[1]),
            None,
        )
        .await;
    assert_eq!(
        (&second["transfers"][0]["transfer"], &second["next"]),
        (&json!(ids[2]), &Value::Null)
    );
    let (status, bases) = server
        .call(Some("olga"), "GET", "/transfers/bases?as_of=2020-07-16", None)
        .await;
    assert_eq!(status, StatusCode::OK);
    let has = |id: &str| bases.as_array().unwrap().iter().any(|basis| basis["id"] == id);
    assert!(has("eu.adequacy.jp") && !has("eu.adequacy.us.dpf"), "{bases}");
}
