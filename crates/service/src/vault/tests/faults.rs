//! What a PUT leaves when it fails at any step: all of the object, or nothing, and what was there before.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use store::blobs::{BlobError, BlobId, BlobReader, BlobWriter, ObjectBlobs, Patience};
use tokio::sync::Notify;

use super::{rclone::Rclone, *};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Create,
    FirstWrite,
    SecondWrite,
    Finish,
    /// The blob is durable, and the answer an error.
    FinishAfterPersist,
    Full,
    /// The row cannot be written.
    Record,
    /// The request is dropped after the blob was made durable.
    CrashBeforeRecord,
}

struct Faulty {
    inner: Arc<dyn BlobStore>,
    fault: Fault,
    armed: Arc<AtomicBool>,
    crash: Arc<Notify>,
}

struct FaultyWriter {
    inner: Box<dyn BlobWriter>,
    fault: Fault,
    writes: u32,
    crash: Arc<Notify>,
}

fn broken() -> BlobError {
    BlobError::Io(std::io::Error::other("injected"))
}

#[async_trait]
impl BlobStore for Faulty {
    async fn create(&self, id: BlobId) -> std::result::Result<Box<dyn BlobWriter>, BlobError> {
        if !self.armed.load(Ordering::SeqCst) {
            return self.inner.create(id).await;
        }
        if self.fault == Fault::Create {
            return Err(broken());
        }
        Ok(Box::new(FaultyWriter {
            inner: self.inner.create(id).await?,
            fault: self.fault,
            writes: 0,
            crash: Arc::clone(&self.crash),
        }))
    }
    async fn open(&self, id: BlobId) -> std::result::Result<Box<dyn BlobReader>, BlobError> {
        self.inner.open(id).await
    }
    async fn delete(&self, id: BlobId) -> std::result::Result<(), BlobError> {
        self.inner.delete(id).await
    }
    fn shards(&self) -> u32 {
        self.inner.shards()
    }
    async fn list(&self, shard: u32, age: Duration) -> std::result::Result<Vec<BlobId>, BlobError> {
        self.inner.list(shard, age).await
    }
    async fn sweep_unfinished(&self, age: Duration) -> std::result::Result<u64, BlobError> {
        self.inner.sweep_unfinished(age).await
    }
}

#[async_trait]
impl BlobWriter for FaultyWriter {
    async fn write(&mut self, bytes: Vec<u8>) -> std::result::Result<(), BlobError> {
        self.writes += 1;
        match (self.fault, self.writes) {
            (Fault::FirstWrite, 1) | (Fault::SecondWrite, 2) => Err(broken()),
            (Fault::Full, 2) => Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into()),
            _ => self.inner.write(bytes).await,
        }
    }
    async fn finish(self: Box<Self>) -> std::result::Result<(), BlobError> {
        match self.fault {
            Fault::Finish => Err(broken()),
            Fault::FinishAfterPersist => {
                self.inner.finish().await?;
                Err(broken())
            }
            Fault::CrashBeforeRecord => {
                self.inner.finish().await?;
                self.crash.notify_one();
                std::future::pending().await
            }
            _ => self.inner.finish().await,
        }
    }
}

async fn forbid_rows(folder: &Path, forbid: bool) {
    let database = store::testkit::database(&folder.join("vault.db")).await;
    if forbid {
        store::testkit::refuse_rows(&database, "object", None).await;
    } else {
        store::testkit::admit_rows(&database, "object").await;
    }
}

/// Where blobs lie, whatever becomes of the vault over them.
struct Ground {
    folder: tempfile::TempDir,
    server: Option<Rclone>,
}

impl Ground {
    async fn blobs(&self) -> Arc<dyn BlobStore> {
        match &self.server {
            None => disk(self.folder.path()).await,
            Some(server) => object_store(server),
        }
    }
    fn stored(&self) -> usize {
        match &self.server {
            None => blob_files(self.folder.path()).len(),
            Some(server) => files(&server.files("p").join("objects")).len(),
        }
    }
}

fn object_store(server: &Rclone) -> Arc<ObjectBlobs> {
    let location = server.location(&server.address, "p");
    Arc::new(ObjectBlobs::open(&location, "test", Patience::default()).unwrap())
}

#[tokio::test]
async fn a_failed_put_leaves_what_was_there() {
    every_fault(|| None).await;
}

#[tokio::test]
async fn a_failed_put_leaves_what_was_there_in_an_object_store() {
    every_fault(|| Some(Rclone::start())).await;
}

/// Invariant 7, for a PUT over an object that is there.
async fn every_fault(server: impl Fn() -> Option<Rclone>) {
    let faults = [
        Fault::Create,
        Fault::FirstWrite,
        Fault::SecondWrite,
        Fault::Finish,
        Fault::FinishAfterPersist,
        Fault::Full,
        Fault::Record,
        Fault::CrashBeforeRecord,
    ];
    for fault in faults {
        let ground = Ground {
            folder: tempfile::tempdir().unwrap(),
            server: server(),
        };
        let folder = &ground.folder;
        let armed = Arc::new(AtomicBool::new(false));
        let crash = Arc::new(Notify::new());
        let faulty = Faulty {
            inner: ground.blobs().await,
            fault,
            armed: Arc::clone(&armed),
            crash: Arc::clone(&crash),
        };
        let vault = open(folder.path(), Arc::new(faulty)).await;
        provision(&vault).await;
        let who = principal("contoso");
        let (old, new) = (body(400_000), body(800_000));
        let put = |bytes: &[u8]| {
            let (vault, who, bytes) = (vault.clone(), who.clone(), pieces(bytes, 100_000));
            async move { vault.put(&who, "box", "k", PutOptions::default(), bytes).await }
        };
        let etag = put(&old).await.unwrap().etag;

        armed.store(true, Ordering::SeqCst);
        if fault == Fault::Record {
            forbid_rows(folder.path(), true).await;
        }
        let done = tokio::select! {
            done = put(&new) => Some(done),
            () = crash.notified() => None,
        };
        match (fault, done) {
            (Fault::CrashBeforeRecord, None) => {}
            (Fault::Full, Some(Err(VaultError::DiskFull))) => {}
            (_, Some(Err(VaultError::Store(_)))) => {}
            (fault, other) => panic!("{fault:?}: {:?}", other.map(|r| r.err())),
        }
        armed.store(false, Ordering::SeqCst);
        if fault == Fault::Record {
            forbid_rows(folder.path(), false).await;
        }

        // As after a crash: everything is opened anew, and what is left over is swept.
        drop(vault);
        let vault = open(folder.path(), ground.blobs().await).await;
        let got = vault
            .get(&who, "box", "k", None, &Conditions::default())
            .await
            .unwrap();
        assert_eq!(got.info.etag, etag, "{fault:?}");
        assert_eq!(collect(got.body).await.unwrap(), old, "{fault:?}");
        vault.sweep(Duration::ZERO, Duration::ZERO).await.unwrap();
        assert_eq!(ground.stored(), 1, "{fault:?}");
        let got = vault
            .get(&who, "box", "k", None, &Conditions::default())
            .await
            .unwrap();
        assert_eq!(collect(got.body).await.unwrap(), old, "{fault:?}");

        // And the vault works on.
        vault
            .put(&who, "box", "k", PutOptions::default(), pieces(&new, 100_000))
            .await
            .unwrap();
    }
}

/// The store is not trusted: other data under a name, old data, cut data are found by whoever opens them.
#[tokio::test]
async fn what_an_object_store_alters_or_exchanges_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let server = Rclone::start();
    let vault = open(folder.path(), object_store(&server)).await;
    provision(&vault).await;
    let scene = Scene {
        folder,
        vault,
        alice: principal("contoso"),
        mallory: principal("fabrikam"),
    };
    let (first, second) = (body(300_000), body(300_000 + 1));
    let stored = |known: &[std::path::PathBuf]| {
        let mut found = files(&server.files("p").join("objects"));
        found.retain(|path| !known.contains(path));
        found.pop().unwrap()
    };
    scene.put("first", &first).await;
    let first_file = stored(&[]);
    scene.put("second", &second[..300_000]).await;
    let second_file = stored(std::slice::from_ref(&first_file));
    let name = first_file.file_name().unwrap().to_str().unwrap();
    let (store, name) = (object_store(&server), BlobId::parse(name).unwrap());
    let exchange = async |bytes: &[u8]| {
        store.delete(name).await.unwrap();
        let mut writer = store.create(name).await.unwrap();
        writer.write(bytes.to_vec()).await.unwrap();
        writer.finish().await.unwrap();
    };
    let sealed = std::fs::read(&first_file).unwrap();
    let of_second = std::fs::read(&second_file).unwrap();
    let mut flipped = sealed.clone();
    flipped[200_000] ^= 1;
    let cut = &sealed[..sealed.len() - 1000];
    for altered in [of_second.as_slice(), &flipped, cut, b""] {
        exchange(altered).await;
        assert!(matches!(
            scene.get("first").await,
            Err(VaultError::Damaged { .. })
        ));
        assert_eq!(scene.get("second").await.unwrap(), second[..300_000]);
    }
    store.delete(name).await.unwrap();
    assert!(matches!(
        scene.get("first").await,
        Err(VaultError::Damaged { .. })
    ));
    exchange(&sealed).await;
    assert_eq!(scene.get("first").await.unwrap(), first);
}

/// A store that is away is an answer to try again, for reading and writing; what lies in rows is there all the same.
#[tokio::test]
async fn a_store_that_is_away_is_said_to_be_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = Rclone::start();
    let patience = Patience {
        retries: 1,
        ..Patience::default()
    };
    let location = server.location(&server.address, "p");
    let blobs = Arc::new(ObjectBlobs::open(&location, "test", patience).unwrap());
    let vault = open(folder.path(), blobs).await;
    provision(&vault).await;
    let scene = Scene {
        folder,
        vault,
        alice: principal("contoso"),
        mallory: principal("fabrikam"),
    };
    scene.put("large", &body(300_000)).await;
    scene.put("small", b"in its row").await;
    drop(server);
    assert!(matches!(
        scene.get("large").await,
        Err(VaultError::Unavailable(_))
    ));
    let put = scene
        .vault
        .put(
            &scene.alice,
            "box",
            "large",
            PutOptions::default(),
            pieces(&body(400_000), 100_000),
        )
        .await;
    assert!(matches!(put, Err(VaultError::Unavailable(_))));
    scene.put("small too", b"in its row").await;
    assert_eq!(scene.get("small").await.unwrap(), b"in its row");
}

/// One bad change does not take down those that share its transaction.
#[tokio::test]
async fn a_failed_change_fails_alone() {
    let scene = scene().await;
    let database = store::testkit::database(&scene.folder.path().join("vault.db")).await;
    store::testkit::refuse_rows(&database, "object", Some(("key", b"bad"))).await;
    let puts = (0..64).map(|n| {
        let (vault, who) = (scene.vault.clone(), scene.alice.clone());
        let key = if n % 16 == 3 {
            "bad".to_owned()
        } else {
            format!("good-{n}")
        };
        async move {
            let put = vault
                .put(&who, "box", &key, PutOptions::default(), pieces(b"x", 1))
                .await;
            (key, put.is_ok())
        }
    });
    for (key, stored) in futures::future::join_all(puts).await {
        assert_eq!(stored, key != "bad", "{key}");
        assert_eq!(scene.get(&key).await.is_ok(), stored, "{key}");
    }
}

/// A caller that gives up in the middle of a body leaves no file.
#[tokio::test]
async fn an_abandoned_body_leaves_nothing() {
    let scene = scene().await;
    let endless = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from(vec![7; 100_000])), ()))
    });
    let put = scene
        .vault
        .put(&scene.alice, "box", "k", PutOptions::default(), endless);
    assert!(
        tokio::time::timeout(Duration::from_millis(200), put)
            .await
            .is_err()
    );
    for _ in 0..50 {
        if blob_files(scene.folder.path()).is_empty() {
            assert!(matches!(scene.get("k").await, Err(VaultError::NoSuchKey)));
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the file stays");
}
