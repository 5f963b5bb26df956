//! P13 against whoever writes the database: category and date decide which demand may reach an object, so an object whose
//! row was altered opens for nobody.

use casework::{
    demand::Window,
    gate::Breach,
    ids::ObjectId,
    record::{AccountRef, ReleasedObject},
    rulebook::Rulebook,
    testkit::World,
};
use store::gate_memory::GateMemory;

use super::*;
use crate::{
    app::ports::VaultPort,
    gate::{EmbeddedGate, RegionRoots, ReleaseRequest},
};

/// What somebody with the database's file can do to every object of it.
async fn write_into(scene: &Scene, sql: &'static str) -> u64 {
    let database = store::testkit::database(&scene.folder.path().join("vault.db")).await;
    sqlx::query(sql)
        .execute(&database.pool)
        .await
        .unwrap()
        .rows_affected()
}

fn names_the_object(error: &VaultError, id: ObjectId) {
    let VaultError::Damaged { object, reason } = error else {
        panic!("not refused as damaged: {error:?}");
    };
    assert_eq!(*object, id);
    assert!(
        reason.contains("(P13)") && reason.contains("category"),
        "{reason}"
    );
}

const ALTERATIONS: [&str; 3] = [
    "UPDATE object SET category = 'subscriber'",
    "UPDATE object SET concerns_at = concerns_at + 1",
    "UPDATE object SET concerns_at = 0, category = 'traffic'",
];

#[tokio::test]
async fn p13_an_owner_reads_nothing_of_an_object_whose_row_was_altered() {
    for sql in ALTERATIONS {
        let scene = scene().await;
        let small = scene.put("mail/ann/1", b"inline").await.object;
        let large = scene.put("mail/ann/2", &body(200_000)).await.object;
        assert!(scene.get("mail/ann/1").await.is_ok());
        assert_eq!(write_into(&scene, sql).await, 2);
        let (vault, who, none) = (&scene.vault, &scene.alice, Conditions::default());
        for (key, id) in [("mail/ann/1", small), ("mail/ann/2", large)] {
            let refusals = [
                scene.get(key).await.err(),
                vault.head(who, "box", key, &none).await.err(),
                vault.tags(who, "box", key).await.err(),
                vault.put_tags(who, "box", key, Vec::new()).await.err(),
                vault
                    .copy(who, ("box", key), ("box", "copy"), CopyOptions::default())
                    .await
                    .err(),
            ];
            for refused in refusals {
                names_the_object(&refused.unwrap(), id);
            }
        }
    }
}

#[tokio::test]
async fn p13_an_upload_whose_row_was_altered_takes_no_part_and_becomes_no_object() {
    let scene = scene().await;
    let (vault, who) = (&scene.vault, &scene.alice);
    let begun = vault
        .create_upload(who, "box", "mail/ann/u", UploadOptions::default())
        .await
        .unwrap();
    let part = async || {
        let (options, body) = (PartOptions::default(), pieces(b"part", 4));
        vault
            .put_part(who, "box", "mail/ann/u", &begun.id, 1, options, body)
            .await
    };
    let completion = async |etag: String| {
        let part = CompletedPart {
            number: 1,
            etag,
            checksums: Vec::new(),
        };
        let completion = Completion {
            parts: vec![part],
            ..Completion::default()
        };
        vault
            .complete_upload(who, "box", "mail/ann/u", &begun.id, completion)
            .await
    };
    let etag = part().await.unwrap().etag;
    assert_eq!(
        write_into(&scene, "UPDATE upload SET category = 'subscriber'").await,
        1
    );
    assert!(matches!(part().await, Err(VaultError::Damaged { .. })));
    let refused = completion(etag.clone()).await;
    assert!(matches!(refused, Err(VaultError::Damaged { .. })), "{refused:?}");

    write_into(&scene, "UPDATE upload SET category = 'content'").await;
    completion(etag).await.unwrap();
    assert_eq!(scene.get("mail/ann/u").await.unwrap(), b"part");
    assert_eq!(write_into(&scene, ALTERATIONS[1]).await, 1);
    assert!(matches!(
        scene.get("mail/ann/u").await,
        Err(VaultError::Damaged { .. })
    ));
}

/// Every way in which category or date change with the owner's will: the object is wrapped anew, and opens.
#[tokio::test]
async fn what_its_owner_changes_stays_readable() {
    let scene = scene().await;
    let (vault, who) = (&scene.vault, &scene.alice);
    scene.put("mail/ann/1", b"text").await;
    vault
        .put_tags(who, "box", "mail/ann/1", vec![("k".into(), "v".into())])
        .await
        .unwrap();
    let relabel = |category: &str, at: &str| CopyOptions {
        replace_metadata: Some((
            Default::default(),
            [
                ("amparo-category".to_owned(), category.to_owned()),
                ("amparo-time".to_owned(), at.to_owned()),
            ]
            .into(),
        )),
        ..CopyOptions::default()
    };
    let before = vault
        .head(who, "box", "mail/ann/1", &Conditions::default())
        .await
        .unwrap();
    for (to, category, at) in [
        ("mail/ann/1", "traffic", "2001-02-03T04:05:06.000007Z"),
        ("users/ben", "content", "1969-12-31T23:59:59.999999Z"),
    ] {
        let copied = vault
            .copy(who, ("box", "mail/ann/1"), ("box", to), relabel(category, at))
            .await
            .unwrap();
        assert_ne!(copied.0.object, before.object);
        let info = vault.head(who, "box", to, &Conditions::default()).await.unwrap();
        assert_eq!(info.category.name(), category);
        assert_eq!(info.concerns_at, at.parse().unwrap());
        assert_eq!(scene.get(to).await.unwrap(), b"text");
    }
}

/// The attack whole: content from outside the warrant's window is dated into it, a record is drawn up, signed and logged on
/// what the database says, and every promise is kept on paper. The key does not open.
#[tokio::test]
async fn p13_the_gate_opens_no_object_that_was_dated_into_the_warrants_window() {
    let scene = scene().await;
    let (vault, who) = (&scene.vault, &scene.alice);
    let mut world = World::new(Rulebook::builtin(), 4);
    let account = world.objects[0].account.clone();
    assert_eq!(
        (account.tenant.as_str(), account.region.as_str()),
        ("contoso", US)
    );
    let mut us = bucket("american");
    us.region = account.region.clone();
    us.default_account = account.account.clone();
    vault.create_bucket(who, us).await.unwrap();
    let put = async |key: &str, at: &str| {
        let mut options = PutOptions::default();
        options.placement.concerns_at = Some(at.parse().unwrap());
        let stored = vault
            .put(who, "american", key, options, pieces(b"letter", 9))
            .await;
        stored.unwrap().object
    };
    let within = put("a", "2026-03-05T10:00:00Z").await;
    let outside = put("b", "2019-03-05T10:00:00Z").await;

    let window = world.demand.window;
    let found = in_scope(vault, &account, window).await;
    assert_eq!(found.iter().map(|o| o.object).collect::<Vec<_>>(), [within]);
    release(&mut world, vault, found).await.unwrap();

    // 2026-03-05T10:00:00Z.
    write_into(
        &scene,
        "UPDATE object SET concerns_at = 1772704800000000 WHERE concerns_at < 1700000000000000",
    )
    .await;
    let found = in_scope(vault, &account, window).await;
    assert!(
        found.iter().any(|object| object.object == outside),
        "the database says so"
    );
    let refusal = release(&mut world, vault, found).await.unwrap_err();
    assert_eq!(refusal.breach, Breach::Promise(casework::finding::Promise::P13));
    assert!(refusal.reason.contains(&outside.to_string()), "{refusal}");

    // And where the row is put back after the record was drawn up, the record is what is wrong.
    let mut found = in_scope(vault, &account, window).await;
    write_into(
        &scene,
        "UPDATE object SET concerns_at = 1551780000000000 WHERE seq = (SELECT max(seq) FROM object)",
    )
    .await;
    found.retain(|object| object.object == outside);
    let refusal = release(&mut world, vault, found).await.unwrap_err();
    assert_eq!(refusal.breach, Breach::Promise(casework::finding::Promise::P13));
    assert!(refusal.reason.contains(&outside.to_string()), "{refusal}");
}

async fn in_scope(vault: &Vault, account: &AccountRef, window: Option<Window>) -> Vec<ReleasedObject> {
    let content = &[Category::Content];
    VaultPort::scope(vault, account, content, window, 100)
        .await
        .unwrap()
}

/// Draws up, signs, logs and presents a release of these objects, in a case that keeps every promise.
async fn release(
    world: &mut World,
    vault: &Vault,
    objects: Vec<ReleasedObject>,
) -> std::result::Result<(), casework::gate::Refusal> {
    world.objects = objects;
    let keys = vault.keys(&world.objects).await.unwrap();
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(&steps, record);
    let memory = tempfile::tempdir().unwrap();
    let memory = store::testkit::database(&memory.path().join("gate.db")).await;
    let now = world.now;
    let roots = [(US, 2)].map(|(id, byte)| (region(id), RegionRoot::from_random([byte; 32])));
    let gate = EmbeddedGate::new(
        Arc::new(RegionRoots::new(roots)),
        Arc::new(GateMemory::new(memory.clone())),
        world.policy(),
        Vec::new(),
        Arc::new(move || now),
    );
    let opened = gate
        .release(ReleaseRequest {
            chain: shown.events,
            record: shown.record,
            salt: shown.salt,
            receipt: shown.receipt,
            consistency: shown.consistency,
            keys,
        })
        .await?;
    assert_eq!(opened.keys.len(), world.objects.len());
    Ok(())
}
