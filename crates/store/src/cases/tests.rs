use casework::{
    event::{Actor, Body, Channel, Event, Header},
    ids::StaffId,
};

use super::*;

const SECRET: &str = "alice@contoso.example wrote to a very particular person";

struct Scratch {
    store: CaseStore,
    dir: tempfile::TempDir,
}

async fn scratch() -> Scratch {
    let dir = tempfile::tempdir().unwrap();
    let database = crate::testkit::database(&dir.path().join("amparo.db")).await;
    let store = CaseStore::new(database, Arc::new(CaseRoot::from_bytes([5; 32])));
    Scratch { store, dir }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn event(case: CaseId, seq: u64, prev: Digest, body: Body) -> Event {
    let salt = Digest([seq as u8; 32]);
    Event {
        header: Header::over(
            case,
            seq,
            at(seq as i64),
            Actor::Staff(StaffId::new("ines").unwrap()),
            prev,
            &salt,
            &body,
        )
        .unwrap(),
        salt,
        body,
    }
}

fn received(case: CaseId, bytes: &[u8]) -> Event {
    let body = Body::Received {
        bytes: Digest::of(&[bytes]),
        size: bytes.len() as u64,
        channel: Channel::CommandLine,
        entered_by: None,
    };
    event(case, 0, Digest([0; 32]), body)
}

fn note(case: CaseId, after: &Event, text: &str) -> Event {
    let prev = after.header.hash().unwrap();
    event(case, after.header.seq + 1, prev, Body::Note { text: text.into() })
}

async fn open(store: &CaseStore, case: CaseId, bytes: &[u8]) -> (Admission, Event) {
    let first = received(case, bytes);
    let mut tx = store.begin().await.unwrap();
    let new = NewCase {
        key: CaseKey::from_random([case.0.as_bytes()[15]; 32]),
        key_nonce: [1; 12],
        demand: bytes,
        demand_nonce: [2; 12],
        first: &first,
        first_nonce: [3; 12],
        docket_entry: Some(7),
        progress: &Progress {
            stage: "awaiting_parse".into(),
            ..Progress::default()
        },
    };
    let admission = store.open_case(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
    (admission, first)
}

async fn append(store: &CaseStore, event: &Event, progress: &Progress) -> Result<(), CaseStoreError> {
    let mut tx = store.begin().await?;
    store
        .append(&mut tx, event, [event.header.seq as u8 + 10; 12], None, progress)
        .await?;
    tx.commit().await?;
    Ok(())
}

fn id(number: u8) -> CaseId {
    CaseId(uuid::Uuid::from_bytes([number; 16]))
}

#[tokio::test]
async fn what_was_recorded_is_read_back_and_nothing_of_it_lies_in_the_clear() {
    let scratch = scratch().await;
    let store = &scratch.store;
    let (admission, first) = open(store, id(1), SECRET.as_bytes()).await;
    assert_eq!(admission, Admission::Opened);
    let second = note(id(1), &first, SECRET);
    let progress = Progress {
        stage: "awaiting_resolution".into(),
        wake_at: Some(at(60)),
        told: vec![TenantId::new("contoso").unwrap()],
        closed_at: None,
    };
    append(store, &second, &progress).await.unwrap();
    let events = store.events(id(1)).await.unwrap();
    assert_eq!(events[0].docket_entry, Some(7));
    let events: Vec<Event> = events.into_iter().map(|e| e.into_event().unwrap()).collect();
    assert_eq!(events, [first, second.clone()]);
    assert_eq!(store.demand(id(1)).await.unwrap(), SECRET.as_bytes());
    let mut tx = store.begin().await.unwrap();
    let letter = NewLetter {
        case: id(1),
        kind: "notice",
        text: SECRET,
        form: SECRET.as_bytes(),
        at: at(3),
    };
    let name = store
        .keep_letter(&mut tx, letter, [[77; 12], [78; 12]])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.letter(id(1), name).await.unwrap(), SECRET);
    let form = store.letter_form(id(1), name).await.unwrap();
    assert_eq!(form.as_deref(), Some(SECRET.as_bytes()));
    assert_eq!(store.outbox().await.unwrap().len(), 1);
    store.letter_sent(id(1), name, at(4)).await.unwrap();
    assert_eq!(store.outbox().await.unwrap(), []);

    let row = store.case(id(1)).await.unwrap();
    assert_eq!((row.length, row.stage.as_str()), (2, "awaiting_resolution"));
    assert_eq!(row.head, second.header.hash().unwrap());
    assert_eq!(store.due(at(59)).await.unwrap(), []);
    assert_eq!(store.due(at(60)).await.unwrap(), [id(1)]);
    assert!(
        store
            .was_told(id(1), &TenantId::new("contoso").unwrap())
            .await
            .unwrap()
    );
    assert!(
        !store
            .was_told(id(1), &TenantId::new("fabrikam").unwrap())
            .await
            .unwrap()
    );

    for file in std::fs::read_dir(scratch.dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for needle in ["very particular", "contoso.example"] {
            assert!(
                !bytes.windows(needle.len()).any(|w| w == needle.as_bytes()),
                "found `{needle}`"
            );
        }
    }
}

#[tokio::test]
async fn the_same_bytes_twice_are_one_case() {
    let scratch = scratch().await;
    open(&scratch.store, id(1), b"demand").await;
    assert_eq!(
        open(&scratch.store, id(2), b"demand").await.0,
        Admission::Known(id(1))
    );
    assert!(scratch.store.case(id(2)).await.is_err());
    assert_eq!(open(&scratch.store, id(2), b"demand ").await.0, Admission::Opened);
}

#[tokio::test]
async fn of_many_appends_at_once_one_wins_and_the_chain_does_not_fork() {
    let scratch = scratch().await;
    let (_, first) = open(&scratch.store, id(1), b"demand").await;
    let attempts = (0..8).map(|n| {
        let store = scratch.store.clone();
        let event = note(id(1), &first, &format!("remark {n}"));
        tokio::spawn(async move { append(&store, &event, &Progress::default()).await })
    });
    let outcomes = futures::future::join_all(attempts).await;
    let won = outcomes.iter().filter(|o| o.as_ref().unwrap().is_ok()).count();
    assert_eq!(won, 1);
    for lost in outcomes.into_iter().map(Result::unwrap).filter_map(Result::err) {
        assert!(matches!(lost, CaseStoreError::Moved(_)), "{lost:?}");
    }
    assert_eq!(scratch.store.events(id(1)).await.unwrap().len(), 2);
    // The right number on the wrong head is a fork all the same.
    let second = scratch
        .store
        .events(id(1))
        .await
        .unwrap()
        .remove(1)
        .into_event()
        .unwrap();
    let mut forked = note(id(1), &second, "fork");
    forked.header.prev = Digest([9; 32]);
    assert!(matches!(
        append(&scratch.store, &forked, &Progress::default()).await,
        Err(CaseStoreError::Moved(_))
    ));
}

#[tokio::test]
async fn erasing_takes_the_content_and_leaves_the_chain() {
    let scratch = scratch().await;
    let store = &scratch.store;
    let (_, first) = open(store, id(1), SECRET.as_bytes()).await;
    let second = note(id(1), &first, SECRET);
    append(store, &second, &Progress::default()).await.unwrap();
    store.erase(id(1)).await.unwrap();
    let events = store.events(id(1)).await.unwrap();
    assert!(events.iter().all(|event| event.opened.is_none()));
    assert_eq!(events[1].header.prev, events[0].header.hash().unwrap());
    assert_eq!(
        store.case(id(1)).await.unwrap().head,
        events[1].header.hash().unwrap()
    );
    assert!(store.case(id(1)).await.unwrap().erased);
    assert!(matches!(
        store.demand(id(1)).await,
        Err(CaseStoreError::Erased(_))
    ));
    let more = note(id(1), &second, "too late");
    assert!(matches!(
        append(store, &more, &Progress::default()).await,
        Err(CaseStoreError::Erased(_))
    ));
}

#[tokio::test]
async fn events_cannot_be_changed_or_removed_even_by_hand() {
    let scratch = scratch().await;
    open(&scratch.store, id(1), b"demand").await;
    for statement in ["DELETE FROM events", "UPDATE events SET sealed = x'00'"] {
        assert!(
            sqlx::query(statement).execute(&scratch.store.pool).await.is_err(),
            "{statement}"
        );
    }
}

#[tokio::test]
async fn lists_page_from_the_newest() {
    let scratch = scratch().await;
    for n in 1..=5 {
        open(&scratch.store, id(n), &[n]).await;
    }
    let mut filter = CaseFilter {
        limit: 2,
        open: Some(true),
        ..CaseFilter::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = scratch.store.list(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.before = Some(last.id);
        seen.extend(page.iter().map(|row| row.id));
    }
    assert_eq!(seen, [id(5), id(4), id(3), id(2), id(1)]);
    filter = CaseFilter {
        open: Some(false),
        ..CaseFilter::default()
    };
    assert_eq!(scratch.store.list(&filter).await.unwrap(), []);
}

#[tokio::test]
async fn a_package_shows_only_once_its_release_has_ended() {
    let scratch = scratch().await;
    let store = &scratch.store;
    open(store, id(1), b"demand").await;
    let record = casework::ids::RecordId(uuid::Uuid::from_bytes([8; 16]));
    let digest = Digest([4; 32]);
    let sealed = Sealed {
        digest,
        size: 10,
        flags: Some("what to know".to_owned()),
    };
    assert!(store.package_sealed(record, &sealed).await.is_err());
    let mut tx = store.begin().await.unwrap();
    store.log_release(&mut tx, record, id(1), 3).await.unwrap();
    tx.commit().await.unwrap();
    store.package_sealed(record, &sealed).await.unwrap();
    assert!(store.package(id(1), record).await.is_err());
    let mut tx = store.begin().await.unwrap();
    let row = store.release(&mut tx, record).await.unwrap().unwrap();
    assert_eq!(
        (row.docket_entry, row.package, row.ended),
        (3, Some(sealed.clone()), false)
    );
    let package = PackageRow {
        record,
        case: id(1),
        path: "p".into(),
        digest,
        size: 10,
        made_at: at(9),
    };
    store.end_release(&mut tx, record, Some(&package)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.package(id(1), record).await.unwrap(), package);
    assert!(store.package(id(2), record).await.is_err());
    assert!(store.package_sealed(record, &sealed).await.is_err());
    // The case has the flags by then, under its own key.
    let mut tx = store.begin().await.unwrap();
    let row = store.release(&mut tx, record).await.unwrap().unwrap();
    assert_eq!(row.package.unwrap().flags, None);
}

#[tokio::test]
async fn tokens_carry_their_person() {
    let scratch = scratch().await;
    let store = &scratch.store;
    let person = PersonRow {
        id: StaffId::new("ines").unwrap(),
        role: "reviewer".into(),
        tenant: None,
        created_at: at(0),
        disabled_at: None,
    };
    store.add_person(&person).await.unwrap();
    assert!(matches!(
        store.add_person(&person).await,
        Err(CaseStoreError::Exists(_))
    ));
    store
        .add_token([1; 8], &person.id, [2; 32], at(0), at(100))
        .await
        .unwrap();
    let token = store.token([1; 8]).await.unwrap().unwrap();
    assert_eq!(
        (token.hash, token.person.role.as_str(), token.revoked_at),
        ([2; 32], "reviewer", None)
    );
    assert_eq!(store.token([9; 8]).await.unwrap(), None);
    store.revoke_token([1; 8], at(5)).await.unwrap();
    assert_eq!(
        store.token([1; 8]).await.unwrap().unwrap().revoked_at,
        Some(at(5))
    );
    store.disable_person(&person.id, at(6)).await.unwrap();
    assert_eq!(store.people().await.unwrap()[0].disabled_at, Some(at(6)));
}
