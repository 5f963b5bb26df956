//! What every store must do.

use std::{sync::Arc, time::Duration};

use store::blobs::{BlobError, BlobId, BlobStore, DiskBlobs, ObjectBlobs, PART_BYTES, Patience};

use super::{body, rclone::Rclone};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(DiskBlobs::open(folder.path()).await.unwrap());
    conforms(store).await;
}

#[tokio::test]
async fn an_s3_server_conforms() {
    let server = Rclone::start();
    let location = server.location(&server.address, "deep/er");
    let store = Arc::new(ObjectBlobs::open(&location, "us", Patience::default()).unwrap());
    conforms(store).await;
}

fn id(number: u8) -> BlobId {
    BlobId([number; 16])
}

async fn write(store: &dyn BlobStore, id: BlobId, bytes: &[u8]) {
    let mut writer = store.create(id).await.unwrap();
    for piece in bytes.chunks(270_336) {
        writer.write(piece.to_vec()).await.unwrap();
    }
    writer.finish().await.unwrap();
}

async fn read(store: &dyn BlobStore, id: BlobId) -> Vec<u8> {
    let reader = store.open(id).await.unwrap();
    let mut found = Vec::new();
    while (found.len() as u64) < reader.len() {
        let next = (reader.len() - found.len() as u64).min(300_000);
        let piece = vec![0; usize::try_from(next).unwrap()];
        found.extend(reader.read_at(found.len() as u64, piece).await.unwrap());
    }
    found
}

async fn all(store: &dyn BlobStore, age: Duration) -> Vec<BlobId> {
    let mut found = Vec::new();
    for shard in 0..store.shards() {
        // An S3 server takes a request for each: the shards in use are enough.
        if shard < 16 || shard == 0xee {
            found.extend(store.list(shard, age).await.unwrap());
        }
    }
    found.sort_unstable();
    found
}

async fn conforms(store: Arc<dyn BlobStore>) {
    let store = &*store;
    // Whole, at every boundary, and in no other order than it was written.
    let sizes = [
        1,
        5_000,
        270_336,
        PART_BYTES - 1,
        PART_BYTES,
        PART_BYTES + 1,
        2 * PART_BYTES + 12_345,
    ];
    for (number, size) in (0..).zip(sizes) {
        let bytes = body(size);
        write(store, id(number), &bytes).await;
        assert!(read(store, id(number)).await == bytes, "{size} bytes differ");
    }

    // Nothing is there before it is finished, and nothing stays of what is not.
    for size in [1_000, 3 * PART_BYTES] {
        let unborn = id(0xee);
        let mut writer = store.create(unborn).await.unwrap();
        for piece in body(size).chunks(1_000_000) {
            writer.write(piece.to_vec()).await.unwrap();
        }
        assert!(matches!(
            store.open(unborn).await.err(),
            Some(BlobError::Missing { .. })
        ));
        drop(writer);
        assert!(matches!(
            store.open(unborn).await.err(),
            Some(BlobError::Missing { .. })
        ));
    }

    // Ranges, near and far, forwards, backwards, and asked for ahead.
    let bytes = body(2 * PART_BYTES + 12_345);
    let long = id(6);
    let reader = store.open(long).await.unwrap();
    assert_eq!(reader.len(), bytes.len() as u64);
    for (start, len) in [
        (0, 1),
        (0, 65_536),
        (65_536, 65_536),
        (200_000, 10),
        (10_000_000, 500_000),
        (3, 3),
        (bytes.len() - 7, 7),
        (bytes.len(), 0),
    ] {
        let got = reader.read_at(start as u64, vec![0; len]).await.unwrap();
        assert!(got == bytes[start..start + len], "{start}+{len}");
        for wanted in [start as u64..(start + len) as u64, 0..0, 0..u64::MAX] {
            let reader = store.open_for(long, wanted).await.unwrap();
            let got = reader.read_at(start as u64, vec![0; len]).await.unwrap();
            assert!(got == bytes[start..start + len], "{start}+{len}");
        }
    }
    for (start, len) in [(bytes.len() as u64 - 1, 2), (u64::MAX, 1)] {
        let got = reader.read_at(start, vec![0; len]).await;
        assert!(matches!(got, Err(BlobError::Short { .. })));
    }

    // Lists by age, each blob in one shard.
    let found = all(store, Duration::ZERO).await;
    assert_eq!(found, (0..7).map(id).collect::<Vec<_>>());
    assert_eq!(all(store, HOUR).await, []);

    // Deleting is said once or often.
    for _ in 0..2 {
        store.delete(id(3)).await.unwrap();
        assert!(matches!(
            store.open(id(3)).await.err(),
            Some(BlobError::Missing { .. })
        ));
    }

    // What a crash left unfinished is swept once it is old enough.
    let mut lost = store.create(id(0xee)).await.unwrap();
    for piece in body(2 * PART_BYTES).chunks(1_000_000) {
        lost.write(piece.to_vec()).await.unwrap();
    }
    std::mem::forget(lost);
    assert_eq!(store.sweep_unfinished(HOUR).await.unwrap(), 0);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let mut swept = 0;
    while swept == 0 && std::time::Instant::now() < deadline {
        swept += store.sweep_unfinished(Duration::ZERO).await.unwrap();
    }
    assert!(swept >= 1);
    assert_eq!(store.sweep_unfinished(Duration::ZERO).await.unwrap(), 0);
    assert_eq!(all(store, Duration::ZERO).await.len(), 6);

    // Side by side.
    let many = (100..116).map(|number| async move {
        write(store, id(number), &body(400_000 + usize::from(number))).await;
        read(store, id(number)).await == body(400_000 + usize::from(number))
    });
    assert!(futures::future::join_all(many).await.into_iter().all(|same| same));
}

/// A sweep deletes what its own database does not name, so no two deployments may share a place.
#[tokio::test]
async fn a_place_has_one_owner() {
    let server = Rclone::start();
    let location = server.location(&server.address, "a");
    let open = |owner| ObjectBlobs::open(&location, owner, Patience::default()).unwrap();
    write(&open("first"), id(1), b"mine").await;
    write(&open("first"), id(2), b"mine too").await;
    let second = open("second");
    for failed in [
        second.create(id(3)).await.err(),
        second.delete(id(1)).await.err(),
        second.list(1, Duration::ZERO).await.err(),
        second.sweep_unfinished(Duration::ZERO).await.err(),
    ] {
        assert!(matches!(failed, Some(BlobError::Foreign { owner, .. }) if owner == "first"));
    }
    // Another prefix, which begins alike.
    let location = server.location(&server.address, "a/b");
    let third = ObjectBlobs::open(&location, "third", Patience::default()).unwrap();
    write(&third, id(3), b"theirs").await;
    assert_eq!(open("first").list(3, Duration::ZERO).await.unwrap(), []);
}

/// What the cloud sees: names that say nothing.
#[tokio::test]
async fn names_in_the_cloud_are_random() {
    let server = Rclone::start();
    let location = server.location(&server.address, "p");
    let store = ObjectBlobs::open(&location, "us", Patience::default()).unwrap();
    write(&store, id(0xab), b"x").await;
    let path = server.files("p").join("objects/ab").join("ab".repeat(16));
    assert_eq!(std::fs::read(path).unwrap(), b"x");
}
