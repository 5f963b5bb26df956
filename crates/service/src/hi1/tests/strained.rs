//! What an authority's system may ask too much of, and what is left when something fails half-way.

use std::time::Duration;

use super::*;

const DOCUMENT: &str = "f1205c94-4f56-4d97-9717-39410073979b";

fn document(id: &str, belongs_to: &str, bytes: usize) -> Value {
    json!({"@xsi:type": Kind::Document.type_name(), "ObjectIdentifier": id,
        "ExternalIdentifier": format!("letter {id}"),
        "AssociatedObjects": {"AssociatedObject": [belongs_to]},
        "doc:DocumentBody": {"doc:Contents": STANDARD.encode(vec![b'a'; bytes]), "doc:ContentType": "text/plain"}})
}

async fn database(office: &Office) -> store::database::Database {
    store::testkit::database(&office.scene.dir.path().join("amparo.db")).await
}

async fn count(office: &Office, of: &'static str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("SELECT CAST(count(*) AS BIGINT) FROM {of}"));
    sqlx::query_scalar(sql)
        .fetch_one(&database(office).await.pool)
        .await
        .unwrap()
}

/// The object was changed, and then something failed: the case still has the demand of before.
#[tokio::test]
async fn an_amendment_that_was_half_done_is_taken_up_where_it_stopped() {
    let office = Office::new().await;
    office
        .send(&[
            create(authorisation("2026-01-15T00:00:00Z")),
            create(task("alice")),
        ])
        .await;
    let case = office.cases().await[0];
    let longer = json!({"@xsi:type": Kind::Authorisation.type_name(), "ObjectIdentifier": AUTHORISATION, "Generation": 1,
        "auth:AuthorisationTimespan": {"auth:StartTime": "2025-12-01T12:00:00Z", "auth:EndTime": GOOD}});
    let peer = peer("ACTOR01");
    let id = AUTHORISATION.parse().unwrap();
    let (stored, stands) = office.hi1.kept(&peer, id).await.unwrap().unwrap();
    let mut half = stands;
    half.set(
        "auth:AuthorisationTimespan",
        longer["auth:AuthorisationTimespan"].clone(),
    );
    let (bytes, brief) = (write::object(&half).unwrap(), giving::brief(&half).unwrap());
    let name = peer.name();
    let replaced = office.hi1.store().replace(
        &name,
        &stored,
        (&bytes, &brief),
        office.hi1.now(),
        office.hi1.nonces().unwrap(),
    );
    assert!(replaced.await.unwrap());
    assert!(office.scene.desk.case(case).await.unwrap().demand.is_none());

    // Sent again, in a message of its own: the generation that it names is not the one that stands, and what it says does.
    let again = office.send(&[update(longer.clone())]).await;
    assert_eq!(again[0]["UPDATEResponse"]["Identifier"], AUTHORISATION);
    assert!(office.scene.desk.case(case).await.unwrap().demand.is_some());
    assert_eq!(office.got(AUTHORISATION).await["Generation"], 2);
    // Once more changes nothing, and something else under the old generation is refused as ever.
    let events = office.bodies(case).await.len();
    office.send(&[update(longer.clone())]).await;
    let parsed = |bodies: Vec<Body>| {
        bodies
            .iter()
            .filter(|body| matches!(body, Body::Parsed { .. }))
            .count()
    };
    assert_eq!(parsed(office.bodies(case).await), 1);
    assert!(office.bodies(case).await.len() >= events);
    let mut other = longer;
    other["auth:AuthorisationTimespan"]["auth:EndTime"] = json!("2028-01-01T00:00:00Z");
    assert_eq!(code(&office.send(&[update(other)]).await[0]), 3008);
}

#[tokio::test]
async fn a_list_opens_no_contents_and_an_answer_gives_what_it_has_room_for() {
    let office = Office::new().await;
    office
        .send(&[create(authorisation(GOOD)), create(task("alice"))])
        .await;
    let ids: Vec<String> = (0..4)
        .map(|number| format!("f1205c94-4f56-4d97-9717-39410073979{number}"))
        .collect();
    for id in &ids {
        let large = office.send(&[create(document(id, TASK, 5 * 1024 * 1024))]).await;
        assert_eq!(large[0]["CREATEResponse"]["Identifier"], id.as_str());
    }
    let gets: Vec<Value> = ids.iter().map(|id| get(id)).collect();
    let answers = office.send(&gets).await;
    let given = answers
        .iter()
        .filter(|answer| answer.get("GETResponse").is_some())
        .count();
    assert_eq!(given, 1, "8 MiB hold one of them");
    assert_eq!(code(&answers[3]), 3022);
    assert_eq!(office.got(&ids[3]).await["ObjectIdentifier"], ids[3].as_str());

    // Contents that nobody can open are in nobody's way.
    sqlx::query("UPDATE hi1_objects SET sealed = brief WHERE kind = 'Document'")
        .execute(&database(&office).await.pool)
        .await
        .unwrap();
    let listed = json!({"LIST": {"ObjectType": entry("ObjectType", "Document")}});
    let records = office.send(&[listed]).await[0]["LISTResponse"]["ListResponseRecord"].clone();
    let records = records.as_array().unwrap();
    assert_eq!(records.len(), 4);
    assert_eq!(records[0]["ExternalIdentifier"], format!("letter {}", ids[0]));
    let broken = office.raw(0, &office.message("ACTOR01", &[get(&ids[0])])).await;
    assert_eq!(
        broken["Payload"]["ResponsePayload"]["ErrorInformation"]["ErrorCode"],
        3003
    );
    // What was kept before lists had anything of their own is opened one by one.
    sqlx::query("UPDATE hi1_objects SET brief = NULL WHERE kind <> 'Document'")
        .execute(&database(&office).await.pool)
        .await
        .unwrap();
    let tasks = json!({"LIST": {"ObjectType": entry("ObjectType", "LDTask")}});
    let records = office.send(&[tasks]).await[0]["LISTResponse"]["ListResponseRecord"].clone();
    assert_eq!(
        records[0]["ObjectIdentifier"]
            .as_str()
            .or(records[0]["Identifier"].as_str()),
        Some(TASK)
    );
}

#[tokio::test]
async fn erasing_a_case_leaves_no_message_that_brought_something_of_it() {
    let office = Office::new().await;
    // A letter comes before there is a task, and is amended; then the task comes, and another letter after it.
    office
        .send(&[
            create(authorisation(GOOD)),
            create(document(DOCUMENT, AUTHORISATION, 10)),
        ])
        .await;
    let amended = json!({"@xsi:type": Kind::Document.type_name(), "ObjectIdentifier": DOCUMENT, "ExternalIdentifier": "a letter"});
    office.send(&[update(amended)]).await;
    office.send(&[create(task("alice"))]).await;
    let later = "f1205c94-4f56-4d97-9717-394100739799";
    office.send(&[create(document(later, TASK, 10))]).await;
    // Of another case altogether.
    let preserve = json!({
        "@xsi:type": Kind::LpTask.type_name(), "ObjectIdentifier": "2b36a78b-b628-416d-bd22-404e68a0cd37",
        "task:RequestDetails": task("alice")["task:RequestDetails"], "task:DesiredPreservationExpiration": GOOD,
    });
    office.send(&[create(preserve)]).await;
    assert_eq!(count(&office, "hi1_messages").await, 5);
    let mut of_task = Vec::new();
    for case in office.cases().await {
        let demand = office.scene.desk.case(case).await.unwrap().demand.unwrap();
        if demand.instrument.as_str() == "us.warrant.sca" {
            of_task.push(case);
        }
    }
    let [case] = of_task[..] else {
        panic!("{of_task:?}")
    };
    office.scene.desk.cases().erase(case).await.unwrap();
    for (table, left) in [("hi1_messages", 1), ("hi1_objects", 1), ("hi1_brought", 1)] {
        assert_eq!(count(&office, table).await, left, "{table}");
    }
    assert_eq!(code(&office.send(&[get(DOCUMENT)]).await[0]), 3014);
}

/// However many messages a peer has under way, it keeps one place; and others find theirs.
#[tokio::test]
async fn one_peers_messages_wait_for_each_other_and_for_nobody_else() {
    let office = Office::new().await;
    let first = office.hi1.turn(0).await.expect("nobody else is there");
    let mut waiting = Vec::new();
    for _ in 0..MESSAGES_MAX {
        let hi1 = office.hi1.clone();
        waiting.push(tokio::spawn(async move { hi1.turn(0).await.map(drop) }));
    }
    // Those that are too many hear so at once.
    let mut turned_away = 0;
    while turned_away < MESSAGES_MAX - WAITING_MAX {
        tokio::task::yield_now().await;
        turned_away = waiting.iter().filter(|one| one.is_finished()).count();
    }
    let other = tokio::time::timeout(Duration::from_secs(30), office.hi1.turn(1)).await;
    assert!(other.expect("it waits for nobody").is_some());
    drop(first);
    let mut had_theirs = 0;
    for one in waiting {
        had_theirs += usize::from(one.await.unwrap().is_some());
    }
    assert_eq!(had_theirs, WAITING_MAX);
}
