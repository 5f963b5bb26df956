use casework::{
    demand::NoticeTo,
    gate::Memory,
    ids::{Digest, ObjectId, RecordId},
    ledger::{Actor, Body, Entry, Keys, Opening, PLACES, Reason, check, continues, telling},
    rulebook::Rulebook,
    testkit::World,
};
use jiff::SignedDuration;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

fn opening(of: &str, reason: Reason, sealed: Option<CaseId>) -> Entered {
    Entered {
        tenant: tenant(of),
        sealed,
        opening: Opening {
            actor: Actor::Provider,
            reason,
            keys: Keys::Objects,
            region: "us-east".parse().unwrap(),
            account: Some("alice".parse().unwrap()),
            from: at("2026-11-20T12:00:00Z"),
            until: at("2026-11-20T12:00:00Z"),
            objects: vec![ObjectId(uuid::Uuid::from_u128(1))],
        },
    }
}

fn release(case: CaseId, record: u128) -> Reason {
    Reason::Release {
        case,
        record: RecordId(uuid::Uuid::from_u128(record)),
        digest: Digest([4; 32]),
    }
}

async fn store(dir: &std::path::Path) -> LedgerStore {
    LedgerStore::new(crate::testkit::database(&dir.join("gate.db")).await)
}

async fn whole(store: &LedgerStore, of: &str) -> Vec<Entry> {
    store.page(&tenant(of), None, PAGE_MAX).await.unwrap()
}

/// A case whose gag ends on 30 November, and its chain.
fn gagged() -> (World, Vec<casework::event::Event>) {
    let mut world = World::new(Rulebook::builtin(), 2);
    world.demand.gag = Some(World::gag(Some("2026-11-30")));
    let steps = world.steps();
    let record = world.record(&steps);
    let events = world.show(&steps, record).events;
    (world, events)
}

#[tokio::test]
async fn p10_a_sealed_release_looks_like_nothing_and_opens_when_its_gag_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let (world, events) = gagged();
    let both = [tenant("contoso"), tenant("fabrikam")];
    store.keep_slots(&both, at("2026-11-20T08:00:00Z")).await.unwrap();
    // One customer had a gagged release, the other nothing at all.
    let sealed = [opening("contoso", release(world.case, 9), Some(world.case))];
    store.enter(&sealed, at("2026-11-20T12:00:00Z")).await.unwrap();
    assert_eq!(
        whole(&store, "contoso").await,
        [],
        "nothing is seen on the day itself"
    );
    store.keep_slots(&both, at("2026-11-23T07:00:00Z")).await.unwrap();

    let (with, without) = (whole(&store, "contoso").await, whole(&store, "fabrikam").await);
    let form = |entries: &[Entry]| -> Vec<_> {
        entries
            .iter()
            .map(|entry| {
                let Body::Slot { day, places } = &entry.body else {
                    panic!("an opening is seen")
                };
                assert_eq!(entry.opened, []);
                let bytes = serde_json::to_vec(entry).unwrap().len();
                (entry.header.seq, entry.header.at, *day, places.len(), bytes)
            })
            .collect()
    };
    let bytes_of_name = "fabrikam".len() - "contoso".len();
    let mut expected = form(&with);
    expected.iter_mut().for_each(|line| line.4 += bytes_of_name);
    assert_eq!(expected, form(&without), "the two ledgers are of one form");
    assert_eq!(expected.len(), 3);
    assert_eq!(expected[0].3, PLACES);
    check(&with).unwrap();

    // While the gag stands, by the gate's clock, the case shown changes nothing; a minute after its last day it does.
    let forbidden = |time: &str| {
        let chain = casework::chain::Chain::verify(events.clone()).unwrap();
        let file = chain.case().file();
        file.notice_forbidden(NoticeTo::Tenant, &tenant("contoso"), at(time))
    };
    assert!(forbidden("2026-11-30T12:00:00Z"));
    assert!(!forbidden("2026-12-02T00:00:00Z"));
    for (time, opened) in [("2026-11-30T12:00:00Z", 0), ("2026-12-02T00:00:00Z", 1)] {
        let from = store.sealed_from(world.case).await.unwrap();
        assert_eq!(from, [tenant("contoso")]);
        let telling = telling(world.case, events.clone(), &Memory::default(), from, at(time)).unwrap();
        store.unseal(&telling).await.unwrap();
        let now = whole(&store, "contoso").await;
        assert_eq!(check(&now).unwrap().opened, opened, "{time}");
        continues(&now, &with).unwrap();
    }
    let now = whole(&store, "contoso").await;
    assert_eq!(
        now[0].opened[0].content.openings[0].opening.reason,
        release(world.case, 9)
    );
    assert_eq!(store.sealed(None).await.unwrap(), []);
    assert_eq!(check(&whole(&store, "fabrikam").await).unwrap().opened, 0);
}

#[tokio::test]
async fn p10_the_end_of_one_gag_tells_nothing_of_another_of_the_same_day() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let (world, events) = gagged();
    let other = |number| CaseId(uuid::Uuid::from_u128(number));
    let noon = at("2026-11-20T12:00:00Z");
    store.keep_slots(&[tenant("contoso")], noon).await.unwrap();
    // More cases than there are places: the last of them share one.
    let cases = (0..11).map(|number| {
        if number == 0 {
            world.case
        } else {
            other(100 + number)
        }
    });
    for (record, case) in (1..).zip(cases) {
        let sealed = [opening("contoso", release(case, record), Some(case))];
        store.enter(&sealed, noon).await.unwrap();
    }
    store
        .keep_slots(&[tenant("contoso")], noon + SignedDuration::from_hours(24))
        .await
        .unwrap();
    let from = store.sealed_from(world.case).await.unwrap();
    let december = at("2026-12-02T00:00:00Z");
    let telling = telling(world.case, events, &Memory::default(), from, december).unwrap();
    store.unseal(&telling).await.unwrap();
    let entries = whole(&store, "contoso").await;
    check(&entries).unwrap();
    let opened = &entries[0].opened;
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].content.openings.len(), 1, "of that case alone");
    assert_eq!(store.sealed(None).await.unwrap().len(), 10);
}

#[tokio::test]
async fn invariant_05_entries_are_never_changed_and_clocks_that_go_back_break_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let own = [opening("contoso", Reason::Provisioning, None)];
    for time in [
        "2026-11-20T12:00:00Z",
        "2026-11-22T12:00:00Z",
        "2026-11-21T12:00:00Z",
        "2026-11-23T00:00:00Z",
    ] {
        store.enter(&own, at(time)).await.unwrap();
    }
    let entries = whole(&store, "contoso").await;
    let checked = check(&entries).unwrap();
    assert_eq!((checked.openings, checked.slots), (4, 3));
    let page = store.page(&tenant("contoso"), Some(1), 2).await.unwrap();
    assert_eq!(page, entries[2..4]);
    for change in [
        "UPDATE ledger_entries SET seq = 100 WHERE seq = 1",
        "DELETE FROM ledger_entries",
        "DELETE FROM ledger_chains",
        "UPDATE ledger_chains SET length = 1",
    ] {
        assert!(
            sqlx::query(change).execute(&store.database.pool).await.is_err(),
            "{change}"
        );
    }
    let far = at("2126-01-01T00:00:00Z");
    assert!(matches!(
        store.enter(&own, far).await,
        Err(LedgerStoreError::Clock(_))
    ));
}
