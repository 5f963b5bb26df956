//! The docket: a public log to which every interval adds exactly one batch of a fixed size, so that what it shows says
//! nothing about how much there was to log.
//!
//! Trust: the log's key signs only what is durable, and nothing is published that a quorum of witnesses has not seen.
//! Whoever holds this process can stop the docket, but cannot show two people two histories.

pub mod fault;
mod files;
pub mod heads;
mod sequencer;
pub mod witness;
pub mod witnesses;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use store::docket::{
    AnyConnection, BATCH_MAX, DocketStore, DocketStoreError, ENQUEUE_MAX, EntryId, NewEntry,
};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use translog::{
    Hash,
    checkpoint::Checkpoint,
    entry::{Opening, Salt},
    included::{NotIncluded, Opened},
    note::{KeyKind, Note, SignerKey},
    policy::Policy,
    proof::Receipt,
    tree::{Edge, Prover},
};

use fault::{Faults, Step};
use heads::LedgerHeads;
use witnesses::AskWitness;

/// Shortest interval between batches.
pub const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Most entries that wait in memory to be committed together; more wait for room.
const COMMIT_QUEUE_MAX: usize = 8192;

/// How a docket runs.
pub struct DocketConfig {
    /// The log's key; its name is the log's origin.
    pub key: SignerKey,
    /// The policy that receipts must meet. It must list the log's key.
    pub policy: Policy,
    /// Entries in every batch.
    pub batch: u32,
    /// Time between batches. Batch and interval are public; change them on announced dates only.
    pub interval: Duration,
    /// Whom to ask for cosignatures: [`witnesses::of_policy`].
    pub witnesses: Vec<Arc<dyn AskWitness>>,
    /// [`fault::NoFaults`], but for tests.
    pub faults: Arc<dyn Faults>,
}

/// A receipt and what opens its entry.
#[derive(Debug, Clone)]
pub struct IssuedReceipt {
    /// The receipt, which verifies under the docket's policy.
    pub receipt: Receipt,
    /// What hides the entry; also within the receipt.
    pub salt: Salt,
}

/// Why the docket refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum DocketError {
    /// The configuration cannot work.
    #[error("the docket's configuration is wrong: {0}")]
    Config(&'static str),
    /// Tables or files failed.
    #[error(transparent)]
    Store(#[from] DocketStoreError),
    /// As [`DocketError::Store`], for entries that were committed together.
    #[error("the entry could not be enqueued: {0}")]
    Enqueue(Arc<DocketStoreError>),
    /// The log's files cannot be read or do not fit.
    #[error("the log's files are damaged: {0}; restore them from a copy, and do not sign on")]
    Damaged(String),
    /// Somebody has seen more of this log than its database knows.
    #[error(
        "{who} has seen `{seen}` entries, but this docket has signed `{signed}`: its database was rolled back; restore the newer one"
    )]
    RolledBack {
        /// Who.
        who: String,
        /// How many it saw.
        seen: u64,
        /// How many this docket signed.
        signed: u64,
    },
    /// Too few witnesses cosigned; nothing is published.
    #[error("{got} of {asked} witnesses cosigned the checkpoint of size `{size}`, which is no quorum: {why}")]
    NoQuorum {
        /// How many cosigned.
        got: usize,
        /// How many were asked.
        asked: usize,
        /// The checkpoint's size.
        size: u64,
        /// What the others said.
        why: String,
    },
    /// No such entry.
    #[error("there is no docket entry `{0:?}`")]
    UnknownEntry(EntryId),
    /// The receipt did not come in time. The entry stays enqueued.
    #[error("the docket entry is not witnessed yet; ask again")]
    NotYet,
    /// A size that is not published.
    #[error("the docket has not published size `{0}`")]
    NotPublished(u64),
    /// A receipt that we made does not verify.
    #[error("the receipt does not verify")]
    Receipt(#[from] NotIncluded),
    /// The operating system gave no randomness.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// The docket is shutting down.
    #[error("the docket is shutting down")]
    Closed,
    /// A fault that a test injected.
    #[error("injected fault at {0:?}")]
    Injected(Step),
}

type Result<T> = std::result::Result<T, DocketError>;

/// The docket. Cheap to clone.
#[derive(Clone)]
pub struct Docket {
    inner: Arc<Inner>,
}

struct Inner {
    store: DocketStore,
    config: DocketConfig,
    commits: mpsc::Sender<Enqueue>,
    published: watch::Sender<u64>,
    /// The edge of the tree as signed; none when it must be read again.
    edge: Mutex<Option<Edge>>,
    /// Who keeps the access ledgers; none where nobody does.
    heads: OnceLock<Arc<dyn LedgerHeads>>,
}

struct Enqueue {
    entry: NewEntry,
    done: oneshot::Sender<std::result::Result<EntryId, Arc<DocketStoreError>>>,
}

impl Docket {
    /// Opens the docket, checks that its files give the root it signed last, and publishes again what was published.
    /// Sequences nothing yet: see [`Docket::run`].
    ///
    /// # Errors
    /// When the configuration is wrong, the store fails, the files are damaged, or the database was rolled back.
    pub async fn open(store: DocketStore, config: DocketConfig) -> Result<Self> {
        check_config(&config)?;
        let (newest, previous) = store.newest().await?;
        let signed = newest.as_ref().map_or(0, |newest| newest.size);
        let edge = sequencer::load_edge(&store, newest.as_ref()).await?;
        let shown = store
            .with_files(|files| files.checkpoint())
            .await?
            .map_err(DocketStoreError::from)?;
        if let Some(shown) = shown {
            let text = Note::parse(&shown).map_err(|e| DocketError::Damaged(e.to_string()))?;
            let shown = Checkpoint::parse(text.text()).map_err(|e| DocketError::Damaged(e.to_string()))?;
            if shown.size > signed {
                return Err(DocketError::RolledBack {
                    who: "the published checkpoint".into(),
                    seen: shown.size,
                    signed,
                });
            }
        }
        let published = [&newest, &previous]
            .into_iter()
            .flatten()
            .find(|checkpoint| checkpoint.published)
            .map_or(0, |checkpoint| checkpoint.size);
        let (commits, queue) = mpsc::channel(COMMIT_QUEUE_MAX);
        tokio::spawn(commit(store.clone(), queue));
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                config,
                commits,
                published: watch::Sender::new(published),
                edge: Mutex::new(Some(edge)),
                heads: OnceLock::new(),
            }),
        })
    }

    /// Has the docket commit to the heads of these access ledgers from now on ([`heads`]). What is given a second time is
    /// passed over.
    pub fn commit_heads_of(&self, ledgers: Arc<dyn LedgerHeads>) {
        let _ = self.inner.heads.set(ledgers);
    }

    /// Enqueues a commitment to `digest`, durably before it returns. Entries enqueued at the same time share one
    /// commit.
    ///
    /// # Errors
    /// When it could not be made durable; it may be enqueued all the same.
    pub async fn enqueue(&self, kind: &'static str, digest: [u8; 32]) -> Result<EntryId> {
        let entry = new_entry(kind, digest)?;
        let (done, result) = oneshot::channel();
        let sent = self.inner.commits.send(Enqueue { entry, done }).await;
        sent.map_err(|_| DocketError::Closed)?;
        result
            .await
            .map_err(|_| DocketError::Closed)?
            .map_err(DocketError::Enqueue)
    }

    /// An entry to be enqueued by who has a transaction on the docket's database.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn entry(kind: &'static str, digest: [u8; 32]) -> Result<NewEntry> {
        new_entry(kind, digest)
    }

    /// As [`Docket::enqueue`], within the caller's transaction: the entry is enqueued exactly when it commits.
    ///
    /// # Errors
    /// When the database fails or the queue is full; roll back then.
    pub async fn enqueue_in(
        transaction: &mut AnyConnection,
        kind: &'static str,
        digest: [u8; 32],
    ) -> Result<EntryId> {
        let entry = new_entry(kind, digest)?;
        let ids = store::docket::enqueue_in(transaction, std::slice::from_ref(&entry)).await?;
        ids.first().copied().ok_or(DocketError::Closed)
    }

    /// The receipt for an entry, or `None` while it waits to be sequenced and witnessed. It is verified before it is
    /// given out.
    ///
    /// # Errors
    /// When there is no such entry, or store or files fail.
    pub async fn receipt(&self, id: EntryId) -> Result<Option<IssuedReceipt>> {
        let store = &self.inner.store;
        let entry = store.entry(id).await?.ok_or(DocketError::UnknownEntry(id))?;
        let Some(index) = entry.position else {
            return Ok(None);
        };
        // The newest, not the first that has the entry: the gate asks that its witnesses were asked lately.
        let newest = store.newest_published().await?;
        let Some(over) = newest.filter(|newest| newest.size > index) else {
            return Ok(None);
        };
        let Some(checkpoint) = over.witnessed else {
            return Ok(None);
        };
        let path = self
            .prove(over.size, move |prover| prover.inclusion(index))
            .await?;
        let opening = Opening {
            kind: entry.kind,
            salt: entry.salt.clone(),
            digest: entry.digest,
        };
        let receipt = Receipt {
            extra: Some(opening.to_bytes()),
            index,
            path,
            checkpoint,
        };
        Opened::verify(&receipt, &self.inner.config.policy)?;
        Ok(Some(IssuedReceipt {
            receipt,
            salt: entry.salt,
        }))
    }

    /// The entry that commits to a digest, if there is one: for callers that kept no [`EntryId`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, kind: &str, digest: &[u8; 32]) -> Result<Option<EntryId>> {
        Ok(self.inner.store.find(kind, digest).await?)
    }

    /// Waits for an entry's receipt, at most `timeout`.
    ///
    /// # Errors
    /// [`DocketError::NotYet`] when it does not come in time; otherwise as [`Docket::receipt`].
    pub async fn wait(&self, id: EntryId, timeout: Duration) -> Result<IssuedReceipt> {
        let mut published = self.inner.published.subscribe();
        let waiting = async {
            loop {
                published.borrow_and_update();
                if let Some(receipt) = self.receipt(id).await? {
                    return Ok(receipt);
                }
                published.changed().await.map_err(|_| DocketError::Closed)?;
            }
        };
        tokio::time::timeout(timeout, waiting)
            .await
            .unwrap_or(Err(DocketError::NotYet))
    }

    /// The proof that the log of `from` entries is a beginning of the log of `to` entries.
    ///
    /// # Errors
    /// When `to` is not published or smaller than `from`, or the files fail.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>> {
        // From the store: another process may be the one that publishes.
        let newest = self.inner.store.newest_published().await?;
        if newest.is_none_or(|newest| to > newest.size) || from > to {
            return Err(DocketError::NotPublished(to.max(from)));
        }
        self.prove(to, move |prover| prover.consistency(from)).await
    }

    /// The published checkpoint with its cosignatures, if there is one yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checkpoint(&self) -> Result<Option<String>> {
        let newest = self.inner.store.newest_published().await?;
        Ok(newest.and_then(|signed| signed.witnessed))
    }

    /// The size last published as this process knows it; zero before the first.
    pub fn published_size(&self) -> u64 {
        *self.inner.published.borrow()
    }

    /// The policy that receipts meet.
    pub fn policy(&self) -> &Policy {
        &self.inner.config.policy
    }

    /// Entries in every batch.
    pub fn batch(&self) -> u32 {
        self.inner.config.batch
    }

    /// Time between batches.
    pub fn interval(&self) -> Duration {
        self.inner.config.interval
    }

    /// `GET /checkpoint` and `GET /tile/...`, as tlog-tiles says. Only what a published checkpoint covers is served.
    pub fn router(&self) -> axum::Router {
        files::router(self.clone())
    }

    async fn prove<T: Send + 'static>(
        &self,
        size: u64,
        work: impl FnOnce(
            &mut Prover<'_, store::docket::LogDirectory>,
        ) -> std::result::Result<T, translog::tree::TreeError<store::docket::FileError>>
        + Send
        + 'static,
    ) -> Result<T> {
        let proven = self
            .inner
            .store
            .with_files(move |files| work(&mut Prover::new(files, size)?))
            .await?;
        proven.map_err(|e| DocketError::Damaged(e.to_string()))
    }
}

/// Commits what was enqueued meanwhile in one transaction, over and over.
async fn commit(store: DocketStore, mut queue: mpsc::Receiver<Enqueue>) {
    let mut together = Vec::new();
    while queue.recv_many(&mut together, ENQUEUE_MAX).await > 0 {
        let (entries, waiting): (Vec<_>, Vec<_>) = together
            .drain(..)
            .map(|Enqueue { entry, done }| (entry, done))
            .unzip();
        // Whoever no longer waits for an answer does not need one.
        match store.enqueue(&entries).await {
            Ok(ids) => {
                for (done, id) in waiting.into_iter().zip(ids) {
                    let _ = done.send(Ok(id));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for done in waiting {
                    let _ = done.send(Err(error.clone()));
                }
            }
        }
    }
}

fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|_| DocketError::Randomness)
}

fn new_entry(kind: &'static str, digest: [u8; 32]) -> Result<NewEntry> {
    let mut salt = [0; 32];
    random(&mut salt)?;
    Ok(NewEntry {
        kind,
        salt: Salt(salt),
        digest,
        enqueued_at: jiff::Timestamp::now().as_second(),
    })
}

fn check_config(config: &DocketConfig) -> Result<()> {
    if config.batch == 0 || config.batch > BATCH_MAX {
        return Err(DocketError::Config("a batch has 1 to 65,536 entries"));
    }
    if config.interval < INTERVAL_MIN {
        return Err(DocketError::Config("the interval is at least 100 milliseconds"));
    }
    let key = config.key.verifier();
    if key.kind() != KeyKind::Log || !config.policy.logs().iter().any(|log| log.key == *key) {
        return Err(DocketError::Config(
            "the policy does not list the docket's key as a log",
        ));
    }
    Ok(())
}
