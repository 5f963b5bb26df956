//! A docket with three witnesses in a scratch directory, which can be crashed and opened again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use service::docket::{
    Docket, DocketConfig, DocketError,
    fault::{Faults, Moment, NoFaults, Step},
    witness::Witness,
    witnesses::{Answer, AskWitness, Unreachable},
};
use store::{
    database::{Database, Location},
    docket::{DocketStore, EntryId, LogDirectory, Signed},
};
use translog::{
    audit::audit,
    included::Opened,
    note::{KeyKind, SignerKey, VerifierKey},
    policy::Policy,
    tile::ENTRY_BYTES_MAX,
    witness::AddCheckpoint,
};

pub const ORIGIN: &str = "docket.example/test";
pub const BATCH: u32 = 7;

pub fn log_key() -> SignerKey {
    SignerKey::from_seed(ORIGIN, KeyKind::Log, &[1; 32].into()).unwrap()
}

pub fn witness_key(n: u8) -> SignerKey {
    SignerKey::from_seed(
        &format!("witness.example/w{n}"),
        KeyKind::Witness,
        &[10 + n; 32].into(),
    )
    .unwrap()
}

/// Two of three witnesses, at these URLs if there are any.
pub fn policy(urls: &[String]) -> Policy {
    let mut text = format!("log {}\n", log_key().verifier());
    for n in 0..3_u8 {
        let url = urls.get(usize::from(n)).map_or("", String::as_str);
        text += &format!("witness w{n} {} {url}\n", witness_key(n).verifier());
    }
    text += "group w 2 w0 w1 w2\nquorum w\n";
    Policy::parse(&text).unwrap()
}

/// How a witness behaves.
pub const WELL: u8 = 0;
pub const DOWN: u8 = 1;
/// Cosigns and keeps it, but the answer is lost.
pub const MUTE: u8 = 2;
pub const HANGS: u8 = 3;

pub struct LocalWitness {
    key: VerifierKey,
    pub witness: Arc<Witness>,
    pub mood: AtomicU8,
    pub requests: Mutex<Vec<String>>,
}

#[async_trait]
impl AskWitness for LocalWitness {
    fn key(&self) -> &VerifierKey {
        &self.key
    }
    async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Answer, Unreachable> {
        let mood = self.mood.load(Ordering::SeqCst);
        if mood == DOWN {
            return Err(Unreachable("down".into()));
        }
        let body = request.to_string();
        self.requests.lock().unwrap().push(body.clone());
        let (witness, now) = (self.witness.clone(), 1_700_000_000);
        let reply = tokio::task::spawn_blocking(move || witness.add_checkpoint(body.as_bytes(), now))
            .await
            .unwrap()
            .unwrap();
        match mood {
            MUTE => Err(Unreachable("mute".into())),
            HANGS => std::future::pending().await,
            _ => Ok(match reply.status {
                200 => Answer::Cosigned(reply.body.into_bytes()),
                409 => Answer::Conflict(reply.body.trim_end().parse().unwrap()),
                other => Answer::Refused(other),
            }),
        }
    }
}

/// Fails or hangs once, at one point.
pub struct Once {
    pub step: Step,
    pub moment: Moment,
    pub hang: bool,
    pub armed: AtomicBool,
}

#[async_trait]
impl Faults for Once {
    async fn fails(&self, step: Step, moment: Moment) -> bool {
        if (step, moment) != (self.step, self.moment) || !self.armed.swap(false, Ordering::SeqCst) {
            return false;
        }
        if self.hang {
            std::future::pending::<()>().await;
        }
        true
    }
}

pub struct Office {
    pub directory: tempfile::TempDir,
    pub witnesses: Vec<Arc<LocalWitness>>,
    pub batch: u32,
    /// A SQLite file, whatever engine the tests run on.
    on_file: bool,
    /// Every database that was opened, so that [`Office::close`] can close it.
    opened: Mutex<Vec<Database>>,
}

impl Office {
    pub fn new(batch: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let witnesses = (0..3_u8)
            .map(|n| {
                let state = directory.path().join(format!("w{n}"));
                let witness = Witness::open(witness_key(n), &[log_key().verifier().clone()], &state).unwrap();
                Arc::new(LocalWitness {
                    key: witness_key(n).verifier().clone(),
                    witness: Arc::new(witness),
                    mood: AtomicU8::new(WELL),
                    requests: Mutex::default(),
                })
            })
            .collect();
        Self {
            directory,
            witnesses,
            batch,
            on_file: false,
            opened: Mutex::default(),
        }
    }

    /// An office whose database is a file that the test can take away and put back.
    pub fn on_file(batch: u32) -> Self {
        Self {
            on_file: true,
            ..Self::new(batch)
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn moods(&self, mood: u8) {
        for witness in &self.witnesses {
            witness.mood.store(mood, Ordering::SeqCst);
        }
    }

    pub async fn database(&self) -> Database {
        let path = self.path("database");
        let place = if self.on_file {
            Location::from(&path)
        } else {
            store::testkit::location(&path)
        };
        let database = Database::open(place).await.unwrap();
        self.opened.lock().unwrap().push(database.clone());
        database
    }

    /// Closes every database that is open. A dropped one closes in the background, and its files come and go meanwhile.
    pub async fn close(&self) {
        let opened = std::mem::take(&mut *self.opened.lock().unwrap());
        for database in opened {
            database.close().await;
        }
    }

    pub async fn store(&self) -> DocketStore {
        DocketStore::open(self.database().await, &self.path("log")).unwrap()
    }

    pub async fn try_open(&self, faults: Arc<dyn Faults>) -> Result<Docket, DocketError> {
        let witnesses = self
            .witnesses
            .iter()
            .map(|w| Arc::clone(w) as Arc<dyn AskWitness>)
            .collect();
        let config = DocketConfig {
            key: log_key(),
            policy: policy(&[]),
            batch: self.batch,
            interval: Duration::from_millis(100),
            witnesses,
            faults,
        };
        Docket::open(self.store().await, config).await
    }

    pub async fn open(&self) -> Docket {
        self.try_open(Arc::new(NoFaults)).await.unwrap()
    }

    /// Every checkpoint that was published, oldest first.
    pub async fn published(&self) -> Vec<Signed> {
        let sql = "SELECT size, signed, witnessed FROM docket_checkpoint WHERE published = 1 ORDER BY size";
        let rows: Vec<(i64, String, Option<String>)> = sqlx::query_as(sql)
            .fetch_all(&self.database().await.pool)
            .await
            .unwrap();
        rows.into_iter()
            .map(|(size, signed, witnessed)| Signed {
                size: u64::try_from(size).unwrap(),
                signed,
                witnessed,
                published: true,
            })
            .collect()
    }

    /// Audits everything published, and finds every entry's receipt. Gives the log's size.
    pub async fn check(&self, docket: &Docket, entries: &[(EntryId, [u8; 32])]) -> u64 {
        let newest = docket.checkpoint().await.unwrap().unwrap();
        let earlier: Vec<String> = self
            .published()
            .await
            .into_iter()
            .map(|signed| signed.witnessed.unwrap())
            .collect();
        let directory = LogDirectory::at(&self.path("log"));
        assert_eq!(directory.checkpoint().unwrap().as_ref(), Some(&newest));
        let mut logged = BTreeMap::new();
        let audited = audit(&directory, docket.policy(), &newest, &earlier, |index, entry| {
            assert_eq!(entry.len(), 32);
            assert!(entry.len() <= ENTRY_BYTES_MAX);
            assert_eq!(
                logged.insert(entry.to_vec(), index),
                None,
                "an entry was logged twice"
            );
        })
        .unwrap();
        let size = audited.checkpoint().size;
        assert_eq!(size % u64::from(self.batch), 0);
        assert_eq!(earlier.len() as u64, size / u64::from(self.batch));
        for (id, digest) in entries {
            let issued = docket.receipt(*id).await.unwrap().unwrap();
            let opened = Opened::verify(&issued.receipt, docket.policy()).unwrap();
            assert_eq!(opened.opening().digest, *digest);
            assert_eq!(
                logged.get(opened.opening().commitment().as_slice()),
                Some(&opened.index())
            );
        }
        size
    }
}

pub async fn enqueue(docket: &Docket, from: u8, count: u8) -> Vec<(EntryId, [u8; 32])> {
    let mut entries = Vec::new();
    for n in from..from + count {
        entries.push((docket.enqueue("event", [n; 32]).await.unwrap(), [n; 32]));
    }
    entries
}

/// Every file below a directory with its length, by path.
pub fn listing(root: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                let path = entry.path().strip_prefix(root).unwrap().to_owned();
                found.insert(path, entry.metadata().unwrap().len());
            }
        }
    }
    found
}
