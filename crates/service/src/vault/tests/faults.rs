//! What a PUT leaves when it fails at any step: all of the object, or nothing, and what was there before.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use store::blobs::{BlobError, BlobId, BlobReader, BlobWriter};

use super::*;

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
    disk: Arc<DiskBlobs>,
    fault: Fault,
    armed: Arc<AtomicBool>,
}

struct FaultyWriter {
    inner: Box<dyn BlobWriter>,
    fault: Fault,
    writes: u32,
}

fn broken() -> BlobError {
    BlobError::Io(std::io::Error::other("injected"))
}

#[async_trait]
impl BlobStore for Faulty {
    async fn create(&self, id: BlobId) -> std::result::Result<Box<dyn BlobWriter>, BlobError> {
        if !self.armed.load(Ordering::SeqCst) {
            return self.disk.create(id).await;
        }
        if self.fault == Fault::Create {
            return Err(broken());
        }
        Ok(Box::new(FaultyWriter {
            inner: self.disk.create(id).await?,
            fault: self.fault,
            writes: 0,
        }))
    }
    async fn open(&self, id: BlobId) -> std::result::Result<Box<dyn BlobReader>, BlobError> {
        self.disk.open(id).await
    }
    async fn delete(&self, id: BlobId) -> std::result::Result<(), BlobError> {
        self.disk.delete(id).await
    }
    fn shards(&self) -> u32 {
        self.disk.shards()
    }
    async fn list(&self, shard: u32, age: Duration) -> std::result::Result<Vec<BlobId>, BlobError> {
        self.disk.list(shard, age).await
    }
    async fn sweep_unfinished(&self, age: Duration) -> std::result::Result<u64, BlobError> {
        self.disk.sweep_unfinished(age).await
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
                std::future::pending().await
            }
            _ => self.inner.finish().await,
        }
    }
}

async fn forbid_rows(folder: &Path, forbid: bool) {
    let database = store::testkit::database(&folder.join("vault.db")).await;
    let sql = if forbid {
        "CREATE TRIGGER injected BEFORE INSERT ON object BEGIN SELECT RAISE(ABORT, 'injected'); END"
    } else {
        "DROP TRIGGER injected"
    };
    sqlx_execute(&database, sql).await;
}

async fn sqlx_execute(database: &Database, sql: &'static str) {
    database.execute(sql).await.unwrap();
}

/// Invariant 7, for a PUT over an object that is there.
#[tokio::test]
async fn a_failed_put_leaves_what_was_there() {
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
        let folder = tempfile::tempdir().unwrap();
        let armed = Arc::new(AtomicBool::new(false));
        let faulty = Faulty {
            disk: disk(folder.path()).await,
            fault,
            armed: Arc::clone(&armed),
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
        let done = tokio::time::timeout(Duration::from_millis(500), put(&new)).await;
        match (fault, done) {
            (Fault::CrashBeforeRecord, Err(_)) => {}
            (Fault::Full, Ok(Err(VaultError::DiskFull))) => {}
            (_, Ok(Err(VaultError::Store(_)))) => {}
            (fault, other) => panic!("{fault:?}: {:?}", other.map(|r| r.err())),
        }
        armed.store(false, Ordering::SeqCst);
        if fault == Fault::Record {
            forbid_rows(folder.path(), false).await;
        }

        // As after a crash: everything is opened anew, and what is left over is swept.
        drop(vault);
        let vault = open(folder.path(), disk(folder.path()).await).await;
        let got = vault
            .get(&who, "box", "k", None, &Conditions::default())
            .await
            .unwrap();
        assert_eq!(got.info.etag, etag, "{fault:?}");
        assert_eq!(collect(got.body).await.unwrap(), old, "{fault:?}");
        vault.sweep(Duration::ZERO, Duration::ZERO).await.unwrap();
        assert_eq!(blob_files(folder.path()).len(), 1, "{fault:?}");
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

/// One bad change does not take down those that share its transaction.
#[tokio::test]
async fn a_failed_change_fails_alone() {
    let scene = scene().await;
    let database = store::testkit::database(&scene.folder.path().join("vault.db")).await;
    sqlx_execute(
        &database,
        "CREATE TRIGGER injected BEFORE INSERT ON object WHEN NEW.key = CAST('bad' AS BLOB) \
         BEGIN SELECT RAISE(ABORT, 'injected'); END",
    )
    .await;
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
