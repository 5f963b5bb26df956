//! What comes of each call when an object store has a bad day: a row for each.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use store::blobs::{BlobError, BlobId, BlobStore, ObjectBlobs, PART_BYTES, Patience};

use super::{
    body,
    proxy::{Befalls, Fault, Proxy},
    rclone::Rclone,
};

/// Short, so that a store that stays away is given up within the test's time.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(2),
    reply: Duration::from_millis(1500),
    retries: 2,
    whole: Duration::from_secs(10),
    backoff: Duration::from_millis(10),
    backoff_max: Duration::from_millis(50),
};
/// Longer than [`PATIENCE`] waits for an answer.
const LATE: Duration = Duration::from_millis(2500);
/// More often than anybody tries.
const ALWAYS: usize = 1000;

const SMALL: BlobId = BlobId([1; 16]);
const LARGE: BlobId = BlobId([2; 16]);

struct Scene {
    server: Rclone,
    proxy: Proxy,
    store: ObjectBlobs,
}

async fn scene() -> Scene {
    let server = Rclone::start();
    let proxy = Proxy::before(&server.address).await;
    let location = server.location(&proxy.address, "p");
    let store = ObjectBlobs::open(&location, "us", PATIENCE).unwrap();
    Scene { server, proxy, store }
}

impl Scene {
    async fn write(&self, id: BlobId, bytes: &[u8]) -> Result<(), BlobError> {
        let mut writer = self.store.create(id).await?;
        for piece in bytes.chunks(1_000_000) {
            writer.write(piece.to_vec()).await?;
        }
        writer.finish().await
    }
    async fn read(&self, id: BlobId) -> Result<Vec<u8>, BlobError> {
        let known = if id == SMALL {
            1_500_000
        } else {
            2 * PART_BYTES as u64 + 1000
        };
        // As one reads who knows the length from the row: the answer's own range then says what the whole is.
        let reader = self.store.open_for(id, 0..known).await?;
        reader
            .read_at(0, vec![0; usize::try_from(reader.len()).unwrap()])
            .await
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// As if nothing had been.
    Done,
    /// Said that it is away, to be tried again.
    Away,
    /// Said that it will not have us.
    Refused,
}

fn outcome<T>(result: &Result<T, BlobError>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(BlobError::Unavailable { .. }) => Outcome::Away,
        Err(BlobError::Refused { .. }) => Outcome::Refused,
        Err(other) => panic!("{other:?}"),
    }
}

const GETS: Befalls = |method, path| method == Method::GET && path.contains("/objects/");
const PUTS: Befalls = |method, path| method == Method::PUT && path.contains("/objects/");
const PARTS: Befalls = |method, path| method == Method::PUT && path.contains("partNumber=");
const BEGINS: Befalls = |method, path| method == Method::POST && path.contains("uploads");
const COMPLETES: Befalls = |method, path| method == Method::POST && path.contains("uploadId=");
const NOTES: Befalls = |method, path| method == Method::PUT && path.contains("/unfinished/");
const DELETES: Befalls = |method, _| method == Method::DELETE;
const LISTS: Befalls = |method, path| method == Method::GET && path.contains("list-type");

#[tokio::test]
async fn reads_on_bad_days() {
    use Outcome::{Away, Done, Refused};
    let scene = scene().await;
    let bytes = body(1_500_000);
    scene.write(SMALL, &bytes).await.unwrap();
    for (fault, times, wanted) in [
        (Fault::Status(503), 2, Done),
        (Fault::Status(503), ALWAYS, Away),
        (Fault::Status(500), 1, Done),
        (Fault::Status(429), ALWAYS, Away),
        (Fault::Status(403), ALWAYS, Refused),
        (Fault::BreaksOff, 1, Done),
        (Fault::BreaksOff, 2, Done),
        (Fault::Half, 1, Done),
        (Fault::Half, 2, Done),
        (Fault::Late(LATE), 1, Done),
        (Fault::Late(LATE), ALWAYS, Away),
    ] {
        scene.proxy.plan(fault.clone(), GETS, times);
        let begun = Instant::now();
        let read = scene.read(SMALL).await;
        assert_eq!(outcome(&read), wanted, "{fault:?} {times} times");
        if let Ok(read) = read {
            assert!(read == bytes, "{fault:?} {times} times: other bytes");
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{fault:?}: never given up"
        );
        assert!(scene.proxy.well() != times, "{fault:?}: did not happen");
        assert!(scene.read(SMALL).await.unwrap() == bytes);
    }
    // Halves of halves: each answer brings something, so reading goes on, up to the last byte, which has no half.
    scene.proxy.plan(Fault::Half, GETS, ALWAYS);
    assert_eq!(outcome(&scene.read(SMALL).await), Outcome::Away);
    scene.proxy.well();

    // Data that is not what was stored is for its reader to find out, who can: nothing here holds a key. What shows is a
    // length that changes under a reader.
    let reader = scene.store.open_for(SMALL, 0..100).await.unwrap();
    scene
        .proxy
        .plan(Fault::Stale(Bytes::from(body(1_400_000))), GETS, ALWAYS);
    let far = reader.read_at(1_000_000, vec![0; 1000]).await;
    assert!(matches!(far, Err(BlobError::Short { .. })));
    let other = scene.read(SMALL).await.unwrap();
    assert!(other == body(1_400_000));
}

#[tokio::test]
async fn writes_on_bad_days() {
    use Outcome::{Away, Done, Refused};
    let scene = scene().await;
    let (small, large) = (body(300_000), body(2 * PART_BYTES + 1000));
    // Claims the place, so that no row meets that.
    scene.write(SMALL, b"x").await.unwrap();
    scene.store.delete(SMALL).await.unwrap();
    for (id, befalls, fault, times, wanted) in [
        (SMALL, PUTS, Fault::Status(503), 2, Done),
        (SMALL, PUTS, Fault::Status(503), ALWAYS, Away),
        (SMALL, PUTS, Fault::Status(403), ALWAYS, Refused),
        (SMALL, PUTS, Fault::Lost, 1, Done),
        (SMALL, PUTS, Fault::Late(LATE), ALWAYS, Away),
        (LARGE, BEGINS, Fault::Status(503), 1, Done),
        (LARGE, BEGINS, Fault::Status(503), ALWAYS, Away),
        (LARGE, NOTES, Fault::Status(503), ALWAYS, Away),
        (LARGE, PARTS, Fault::Status(503), 2, Done),
        (LARGE, PARTS, Fault::Status(503), ALWAYS, Away),
        (LARGE, PARTS, Fault::Lost, 1, Done),
        (LARGE, COMPLETES, Fault::Status(503), 1, Done),
        (LARGE, COMPLETES, Fault::Status(503), ALWAYS, Away),
        (LARGE, COMPLETES, Fault::Lost, 1, Done),
        (LARGE, COMPLETES, Fault::Lost, ALWAYS, Done),
    ] {
        let bytes = if id == SMALL { &small } else { &large };
        let row = format!("{fault:?} {times} times at {id}");
        scene.proxy.plan(fault, befalls, times);
        let written = scene.write(id, bytes).await;
        assert_eq!(outcome(&written), wanted, "{row}: {written:?}");
        assert!(scene.proxy.well() != times, "{row}: did not happen");
        match wanted {
            Done => assert!(scene.read(id).await.unwrap() == *bytes, "{row}"),
            _ => assert!(
                matches!(scene.read(id).await, Err(BlobError::Missing { .. })) || id == SMALL,
                "{row}: half a blob is there"
            ),
        }
        scene.store.delete(id).await.unwrap();
        // No upload stays behind, at the latest once it is swept.
        scene.store.sweep_unfinished(Duration::ZERO).await.unwrap();
        let notes = scene.server.files("p").join("unfinished");
        let notes = std::fs::read_dir(notes).map_or(0, Iterator::count);
        assert_eq!(notes, 0, "{row}");
    }
}

#[tokio::test]
async fn other_calls_on_bad_days() {
    let scene = scene().await;
    scene.write(SMALL, b"x").await.unwrap();
    scene.proxy.plan(Fault::Status(503), DELETES, 2);
    scene.store.delete(SMALL).await.unwrap();
    scene.proxy.plan(Fault::Status(503), DELETES, ALWAYS);
    let deleted = scene.store.delete(SMALL).await;
    assert_eq!(outcome(&deleted), Outcome::Away);
    scene.proxy.plan(Fault::Status(503), LISTS, 2);
    assert_eq!(scene.store.list(1, Duration::ZERO).await.unwrap(), []);
    scene.proxy.plan(Fault::Status(503), LISTS, ALWAYS);
    let listed = scene.store.list(1, Duration::ZERO).await;
    assert_eq!(outcome(&listed), Outcome::Away);
    scene.proxy.well();

    // A bucket that is gone is no reason to call each blob missing.
    let location = store::blobs::Location {
        url: "s3://no-such-bucket/p".to_owned(),
        ..scene.server.location(&scene.server.address, "p")
    };
    let elsewhere = ObjectBlobs::open(&location, "us", PATIENCE).unwrap();
    let opened = elsewhere.open(SMALL).await.err().unwrap();
    assert!(matches!(opened, BlobError::Refused { .. }), "{opened:?}");
    // Nobody answers behind it.
    drop(scene.server);
    let begun = Instant::now();
    assert_eq!(outcome(&scene.store.list(1, Duration::ZERO).await), Outcome::Away);
    assert!(begun.elapsed() < Duration::from_secs(20));
}
