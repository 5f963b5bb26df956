//! What a scrub finds, without a key.

use std::time::Duration;

use store::blobs::BlobId;

use super::{rclone::Rclone, *};
use crate::vault::scrub::{Finding, Progress, ScrubOptions, Told};

async fn scrub(vault: &Vault, options: &ScrubOptions) -> (Vec<Finding>, Progress) {
    let (mut found, mut progress) = (Vec::new(), Progress::default());
    let told = |told: Told<'_>| {
        if let Told::Finding(finding) = told {
            found.push(finding);
        }
    };
    vault.scrub(options, &mut progress, told).await.unwrap();
    (found, progress)
}

/// Even the youngest orphan.
fn all() -> ScrubOptions {
    ScrubOptions {
        orphan_age: Some(Duration::ZERO),
        ..ScrubOptions::default()
    }
}

async fn store_of(folder: &Path, server: Option<&Rclone>) -> Arc<dyn BlobStore> {
    match server {
        None => disk(folder).await,
        Some(server) => {
            let location = server.location(&server.address, "p");
            let opened =
                store::blobs::ObjectBlobs::open(&location, "test", store::blobs::Patience::default());
            Arc::new(opened.unwrap())
        }
    }
}

async fn overwrite(store: &dyn BlobStore, id: BlobId, bytes: &[u8]) {
    store.delete(id).await.unwrap();
    let mut writer = store.create(id).await.unwrap();
    writer.write(bytes.to_vec()).await.unwrap();
    writer.finish().await.unwrap();
}

async fn finds_everything(server: Option<Rclone>) {
    let folder = tempfile::tempdir().unwrap();
    let store = store_of(folder.path(), server.as_ref()).await;
    let vault = open(folder.path(), Arc::clone(&store)).await;
    provision(&vault).await;
    let scene = Scene {
        folder,
        vault,
        alice: principal("contoso"),
        mallory: principal("fabrikam"),
    };
    for number in 0..5 {
        scene
            .put(&format!("large-{number}"), &body(300_000 + number))
            .await;
        scene.put(&format!("small-{number}"), &body(1000 + number)).await;
    }
    scene.put("empty", b"").await;
    let upload = scene
        .vault
        .create_upload(&scene.alice, "box", "up", UploadOptions::default())
        .await
        .unwrap();
    let part = scene.vault.put_part(
        &scene.alice,
        "box",
        "up",
        &upload.id,
        1,
        PartOptions::default(),
        pieces(&body(100_000), 50_000),
    );
    part.await.unwrap();

    let (found, progress) = scrub(&scene.vault, &all()).await;
    assert_eq!(found, []);
    let tally = &progress.tally;
    assert_eq!((tally.objects, tally.blobs, tally.undigested), (11, 6, 0));
    assert!(tally.bytes > 5 * 300_000 + 100_000);

    let rows = scene.vault.store().kept_parts(None).await.unwrap();
    let large: Vec<_> = rows.iter().filter(|part| part.number == 0).collect();
    let [missing, flipped, cut, swapped, ..] = large.as_slice() else {
        panic!("five blobs");
    };
    let read = async |id| {
        let reader = store.open(id).await.unwrap();
        let len = usize::try_from(reader.len()).unwrap();
        reader.read_at(0, vec![0; len]).await.unwrap()
    };
    store.delete(missing.blob).await.unwrap();
    let mut bytes = read(flipped.blob).await;
    bytes[123_456] ^= 4;
    overwrite(&*store, flipped.blob, &bytes).await;
    let bytes = read(cut.blob).await;
    overwrite(&*store, cut.blob, &bytes[..bytes.len() - 1]).await;
    let bytes = vec![7; read(swapped.blob).await.len()];
    overwrite(&*store, swapped.blob, &bytes).await;
    let orphan = BlobId([0xcd; 16]);
    overwrite(&*store, orphan, b"nobody's").await;
    let database = store::testkit::database(&scene.folder.path().join("vault.db")).await;
    let changed = "UPDATE inline SET body = digest WHERE object = (SELECT MIN(object) FROM inline)";
    assert_eq!(database.execute(changed).await.unwrap(), 1);

    let (found, progress) = scrub(&scene.vault, &all()).await;
    let kinds: Vec<&str> = found
        .iter()
        .map(|finding| match finding {
            Finding::Missing { blob, .. } if *blob == missing.blob.to_string() => "missing",
            Finding::Altered {
                blob: Some(blob),
                differs: "digest",
                ..
            } if *blob == flipped.blob.to_string() => "flipped",
            Finding::Altered {
                blob: Some(blob),
                differs: "digest",
                ..
            } if *blob == swapped.blob.to_string() => "swapped",
            Finding::Altered {
                blob: Some(blob),
                differs: "length",
                ..
            } if *blob == cut.blob.to_string() => "cut",
            Finding::Altered { blob: None, .. } => "inline",
            Finding::Orphan { blob, .. } if *blob == orphan.to_string() => "orphan",
            other => panic!("{other:?}"),
        })
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    assert_eq!(
        kinds,
        ["cut", "flipped", "inline", "missing", "orphan", "swapped"]
    );
    assert_eq!(progress.tally.findings, 6);

    // A young orphan is nobody's business yet, and another region is not looked at.
    let (found, _) = scrub(&scene.vault, &ScrubOptions::default()).await;
    assert_eq!(found.len(), 5);
    let elsewhere = ScrubOptions {
        region: Some(region(US)),
        ..ScrubOptions::default()
    };
    assert_eq!(scrub(&scene.vault, &elsewhere).await.0, []);

    // Orphans go, and nothing else.
    let repair = ScrubOptions {
        repair_orphans: true,
        ..all()
    };
    let (found, progress) = scrub(&scene.vault, &repair).await;
    assert_eq!(
        (found.len(), progress.tally.findings, progress.tally.deleted),
        (6, 5, 1)
    );
    assert!(scene.get("large-4").await.is_ok());
    assert_eq!(scrub(&scene.vault, &all()).await.0.len(), 5);
}

#[tokio::test]
async fn a_scrub_finds_everything_in_a_folder() {
    finds_everything(None).await;
}

#[tokio::test]
async fn a_scrub_finds_everything_in_an_object_store() {
    finds_everything(Some(Rclone::start())).await;
}

/// What is replaced and deleted while it looks is no finding; after a break it goes on where it was.
#[tokio::test]
async fn a_scrub_beside_writers_finds_nothing_and_goes_on_after_a_break() {
    let scene = scene().await;
    for number in 0..150 {
        scene.put(&format!("k-{number}"), &body(70_000 + number)).await;
    }
    let (vault, who) = (scene.vault.clone(), scene.alice.clone());
    let writer = tokio::spawn(async move {
        for number in 0..u32::MAX {
            let key = format!("k-{}", number % 150);
            let put = vault.put(
                &who,
                "box",
                &key,
                PutOptions::default(),
                pieces(&body(80_000), 80_000),
            );
            put.await.unwrap();
            vault
                .delete(&who, "box", &format!("k-{}", (number + 7) % 150), None)
                .await
                .unwrap();
        }
    });
    let mut pages = 0;
    let mut broken_off = Progress::default();
    for _ in 0..3 {
        let mut progress = Progress::default();
        let told = |told: Told<'_>| match told {
            Told::Finding(finding) => panic!("{finding:?}"),
            Told::Progress(progress) => {
                pages += 1;
                if pages == 3 {
                    broken_off = progress.clone();
                }
            }
        };
        let options = ScrubOptions::default();
        scene.vault.scrub(&options, &mut progress, told).await.unwrap();
    }
    writer.abort();
    let text = serde_json::to_string(&broken_off).unwrap();
    let mut again: Progress = serde_json::from_str(&text).unwrap();
    assert_eq!(again, broken_off);
    let before = again.tally.objects;
    assert!(before > 0);
    scene
        .vault
        .scrub(&ScrubOptions::default(), &mut again, |_| {})
        .await
        .unwrap();
    assert!(again.tally.blobs > 0);
}

/// A store that is away is no finding: it could not be looked at.
#[tokio::test]
async fn a_store_that_is_away_is_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    let server = Rclone::start();
    let location = server.location(&server.address, "p");
    let patience = store::blobs::Patience {
        retries: 1,
        ..store::blobs::Patience::default()
    };
    let store = store::blobs::ObjectBlobs::open(&location, "test", patience).unwrap();
    let vault = open(folder.path(), Arc::new(store)).await;
    provision(&vault).await;
    let who = principal("contoso");
    let put = vault.put(
        &who,
        "box",
        "k",
        PutOptions::default(),
        pieces(&body(90_000), 90_000),
    );
    put.await.unwrap();
    drop(server);
    let mut progress = Progress::default();
    let done = vault
        .scrub(&all(), &mut progress, |told| {
            assert!(!matches!(told, Told::Finding(_)));
        })
        .await;
    assert!(matches!(done, Err(VaultError::Unavailable(_))));
}
