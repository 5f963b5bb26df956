//! The asking end: one connection, made when it is needed and again when it broke.

use std::{
    collections::HashMap,
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use super::{
    ASKING_MAX, Address, CONNECT_PAUSE, CONNECT_TIMEOUT, HELLO_TIMEOUT, LIFETIME, Message, MessageError,
    server::Hello,
    wire::{Incoming, write_queued},
};
use crate::tls::{Refused, TlsClient};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Nothing was sent.
    #[error("{0}")]
    NotReached(String),
    /// It was sent, and no answer came: whether it was done is not known.
    #[error("no answer came, so whether it was done is not known: {0}")]
    Unknown(String),
    /// It cannot be said or read.
    #[error(transparent)]
    Message(#[from] MessageError),
}

/// The asking end of a link.
pub struct Link {
    address: Address,
    tls: Option<TlsClient>,
    /// The user that the listening process must be of, on a unix socket.
    user: Option<u32>,
    protocol: &'static str,
    current: Mutex<Option<Arc<Connection>>>,
    /// One makes a connection, the others wait for it. Holds when and why the last try failed.
    making: tokio::sync::Mutex<Option<(Instant, LinkError)>>,
}

type Pending = Arc<Mutex<Waiting>>;

#[derive(Default)]
struct Waiting {
    asked: HashMap<u64, oneshot::Sender<Message>>,
    /// Why no more answers will come.
    over: Option<String>,
}

struct Connection {
    outgoing: mpsc::Sender<(u64, Message)>,
    pending: Pending,
    next: AtomicU64,
    since: Instant,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// A link to `address`, which speaks `protocol`. Nothing is connected yet. Over TCP, `tls` is needed.
    pub fn new(address: Address, tls: Option<TlsClient>, protocol: &'static str) -> Self {
        Self {
            address,
            tls,
            user: None,
            protocol,
            current: Mutex::default(),
            making: tokio::sync::Mutex::default(),
        }
    }

    /// The same, on a unix socket to a process of this user alone. Without it: of the user who owns the socket's folder, or of
    /// our own.
    #[must_use]
    pub fn to_user(mut self, user: Option<u32>) -> Self {
        self.user = user;
        self
    }

    /// Where it leads.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`LinkError`], which says whether anything was sent.
    pub async fn ask(&self, call: Message, patience: Duration) -> Result<Message, LinkError> {
        self.connection().await?.ask(call, patience).await
    }

    /// Asks, and once more where no answer came: for what may be done twice.
    ///
    /// # Errors
    /// As [`Link::ask`].
    pub async fn ask_again<F>(&self, call: F, patience: Duration) -> Result<Message, LinkError>
    where
        F: Fn() -> Result<Message, MessageError> + Send + Sync,
    {
        match self.ask(call()?, patience).await {
            Err(LinkError::Unknown(_)) => self.ask(call()?, patience).await,
            other => other,
        }
    }

    fn live(&self) -> Option<Arc<Connection>> {
        let current = lock(&self.current);
        let connection = current.as_ref()?;
        let usable = connection.since.elapsed() < LIFETIME && lock(&connection.pending).over.is_none();
        usable.then(|| Arc::clone(connection))
    }

    async fn connection(&self) -> Result<Arc<Connection>, LinkError> {
        if let Some(connection) = self.live() {
            return Ok(connection);
        }
        let mut failed = self.making.lock().await;
        if let Some(connection) = self.live() {
            return Ok(connection);
        }
        if let Some((at, error)) = &*failed
            && at.elapsed() < CONNECT_PAUSE
        {
            return Err(error.clone());
        }
        match self.connect().await {
            Ok(connection) => {
                *failed = None;
                let connection = Arc::new(connection);
                *lock(&self.current) = Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(reason) => {
                let error = LinkError::NotReached(format!("`{}` is not reached: {reason}", self.address));
                *failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<Connection, String> {
        let slow = |_| format!("no connection within {} s", CONNECT_TIMEOUT.as_secs());
        match &self.address {
            Address::Unix(path) => {
                let made = timeout(CONNECT_TIMEOUT, UnixStream::connect(path))
                    .await
                    .map_err(slow)?;
                let stream = made.map_err(|error| error.to_string())?;
                self.check_user(path, &stream)?;
                self.greet(stream).await
            }
            Address::Tcp(host) => {
                let tls = self.tls.as_ref().ok_or("it is not told what TLS to speak")?;
                let made = timeout(CONNECT_TIMEOUT, TcpStream::connect(host))
                    .await
                    .map_err(slow)?;
                let stream = made.map_err(|error| error.to_string())?;
                let _ = stream.set_nodelay(true);
                let stream = tls.connect(stream).await.map_err(|refused| refused.to_string())?;
                self.greet(stream).await
            }
        }
    }

    /// Nobody else may answer there: what is asked tells whom it is about.
    fn check_user(&self, path: &Path, stream: &UnixStream) -> Result<(), String> {
        // The kernel's word (SO_PEERCRED): who listens.
        let there = stream.peer_cred().map_err(|error| error.to_string())?.uid();
        let owner = |path: &Path| std::fs::metadata(path).map(|meta| meta.uid()).ok();
        let expected = match self.user {
            Some(user) => vec![user],
            None => [path.parent().and_then(owner), owner(Path::new("/proc/self"))]
                .into_iter()
                .flatten()
                .collect(),
        };
        match expected.contains(&there) {
            true => Ok(()),
            false => Err(format!(
                "a process of user {there} answers there, which is not whom we look for; say `runs_as = {there}` in `[gate]` \
                 if it is the gate's"
            )),
        }
    }

    async fn greet<I>(&self, io: I) -> Result<Connection, String>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (read, write) = tokio::io::split(io);
        let (outgoing, queue) = mpsc::channel(ASKING_MAX);
        let hello = Message::new(&Hello::of(self.protocol), &[]).map_err(|error| error.to_string())?;
        outgoing.try_send((0, hello)).map_err(|error| error.to_string())?;
        let writing = tokio::spawn(write_queued(write, queue));
        let mut incoming = Incoming::new(read);
        // Over TLS, the other end says only now what it thinks of our certificate.
        let greeted = timeout(HELLO_TIMEOUT, incoming.next())
            .await
            .map_err(|_| "it does not say what it speaks".to_owned())?
            .map_err(|error| said(&error))?;
        let (_, hello) = greeted.ok_or("it hung up")?;
        let hello: Hello = hello.head().map_err(|error| error.to_string())?;
        if let Some(reason) = hello.refused {
            return Err(reason);
        }
        if hello.protocol != self.protocol {
            let theirs: String = hello.protocol.chars().take(80).collect();
            return Err(format!("it speaks `{theirs}`, and `{}` is wanted", self.protocol));
        }
        let pending = Pending::default();
        tokio::spawn(hear(incoming, writing, Arc::clone(&pending)));
        Ok(Connection {
            outgoing,
            pending,
            next: AtomicU64::new(1),
            since: Instant::now(),
        })
    }
}

fn said(error: &io::Error) -> String {
    match error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        true => Refused::of(error).to_string(),
        false => error.to_string(),
    }
}

/// Hands answers to who waits for them, until there will be no more.
async fn hear<R: AsyncRead + Unpin>(
    mut incoming: Incoming<R>,
    mut writing: tokio::task::JoinHandle<io::Result<()>>,
    pending: Pending,
) {
    let reason = loop {
        let next = tokio::select! {
            next = incoming.next() => next,
            ended = &mut writing => break match ended {
                Ok(Err(error)) => said(&error),
                _ => "the connection was closed".to_owned(),
            },
        };
        match next {
            Ok(Some((id, answer))) => {
                let waiting = lock(&pending).asked.remove(&id);
                if let Some(waiting) = waiting {
                    let _ = waiting.send(answer);
                }
            }
            Ok(None) => break "the other end closed the connection".to_owned(),
            Err(error) => break said(&error),
        }
    };
    writing.abort();
    let mut pending = lock(&pending);
    pending.over = Some(reason);
    pending.asked.clear();
}

/// Takes a question back when nobody waits for its answer any more.
struct Asked<'a>(&'a Pending, u64);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        lock(self.0).asked.remove(&self.1);
    }
}

impl Connection {
    async fn ask(&self, call: Message, patience: Duration) -> Result<Message, LinkError> {
        let (tell, told) = oneshot::channel();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut pending = lock(&self.pending);
            if let Some(reason) = &pending.over {
                return Err(LinkError::NotReached(reason.clone()));
            }
            if pending.asked.len() >= ASKING_MAX {
                return Err(LinkError::NotReached(format!(
                    "{ASKING_MAX} requests are under way; try again"
                )));
            }
            pending.asked.insert(id, tell);
        }
        let _asked = Asked(&self.pending, id);
        let answered = async {
            self.outgoing
                .send((id, call))
                .await
                .map_err(|_| LinkError::NotReached(self.over()))?;
            told.await.map_err(|_| LinkError::Unknown(self.over()))
        };
        match timeout(patience, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(LinkError::Unknown(format!(
                "none within {} s",
                patience.as_secs()
            ))),
        }
    }

    fn over(&self) -> String {
        let reason = lock(&self.pending).over.clone();
        reason.unwrap_or_else(|| "the connection is being closed".to_owned())
    }
}
