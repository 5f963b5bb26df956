//! The answering end.

use std::{
    collections::BTreeSet,
    future::Future,
    io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener, UnixStream},
    sync::{Semaphore, mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use super::{
    ANSWERING_MAX, Address, CONNECTIONS_MAX, DRAIN_TIMEOUT, HANDSHAKE_TIMEOUT, HANDSHAKES_MAX, HELLO_TIMEOUT,
    IN_WORK_BYTES_MAX, LIFETIME_MAX, Message, REQUEST_TIMEOUT, STALL_TIMEOUT,
    wire::{Incoming, write_queued},
    work::Work,
};
use crate::tls::TlsServer;

/// Pause after a failed accept: it fails when file descriptors are exhausted, and at once again without a pause.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What each end says first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hello {
    pub(super) protocol: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
}

impl Hello {
    pub(super) fn of(protocol: &str) -> Self {
        Self {
            protocol: protocol.to_owned(),
            refused: None,
        }
    }
}

/// Who is at the other end of a connection, as the listener knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// On a unix socket: a process of this user, by the kernel's word.
    User(u32),
    /// Over TLS: whoever has a certificate of these names, of those that were to be expected.
    Named(Vec<String>),
}

impl Asker {
    /// The names of its certificate; none on a unix socket.
    pub fn names(&self) -> &[String] {
        match self {
            Self::User(_) => &[],
            Self::Named(names) => names,
        }
    }
}

/// What answers requests.
#[async_trait]
pub trait Answers: Send + Sync + 'static {
    /// What it speaks, with its version, such as `amparo.gate/1`.
    fn protocol(&self) -> &'static str;
    /// Answers one request. What cannot be read is answered too.
    async fn answer(&self, asker: &Asker, call: Message) -> Message;
}

/// How much a listener takes at once, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections of those who may ask.
    pub connections: usize,
    /// Handshakes under way.
    pub handshakes: usize,
    /// Longest a handshake may take.
    pub handshake_timeout: Duration,
    /// Bytes of requests and answers in work.
    pub in_work_bytes: usize,
    /// Longest wait for such bytes.
    pub in_work_timeout: Duration,
    /// Longest that a request may take to come in.
    pub request_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            handshakes: HANDSHAKES_MAX,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            in_work_bytes: IN_WORK_BYTES_MAX,
            in_work_timeout: STALL_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
        }
    }
}

/// Who may ask.
pub enum Guard {
    /// On a unix socket: processes of these users.
    Users(BTreeSet<u32>),
    /// Over TCP: whoever shows a certificate that this accepts.
    Tls(Arc<TlsServer>),
}

/// Why a link cannot be listened for.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be bound.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// Which.
        address: Address,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process answers there.
    #[error("another process answers on `{0}`; stop it first")]
    Taken(Address),
    /// The address and the guard do not fit.
    #[error("`{0}` needs mutual TLS; a unix socket takes none")]
    Guard(Address),
}

/// A bound address, and who may come.
pub struct Reception {
    listener: Listener,
    address: Address,
    limits: Limits,
}

enum Listener {
    Unix(UnixListener, BTreeSet<u32>, PathBuf),
    Tcp(TcpListener, Arc<TlsServer>),
}

impl Reception {
    /// Binds. A socket file that nobody answers on is replaced; the new one is its owner's alone unless other users may
    /// ask, and then whoever is not named is turned away before a byte of theirs is read.
    ///
    /// # Errors
    /// See [`BindError`].
    pub async fn bind(address: &Address, guard: Guard) -> Result<Self, BindError> {
        let fail = |source| BindError::Listen {
            address: address.clone(),
            source,
        };
        let (listener, address) = match (address, guard) {
            (Address::Unix(path), Guard::Users(users)) => {
                if is_answered(path).await {
                    return Err(BindError::Taken(address.clone()));
                }
                let listener = UnixListener::bind(path).map_err(fail)?;
                let own = std::fs::metadata(path).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
                let own = own.map_err(fail)?;
                let mode = if users.iter().all(|user| *user == own) {
                    0o600
                } else {
                    0o666
                };
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(fail)?;
                (Listener::Unix(listener, users, path.clone()), address.clone())
            }
            (Address::Tcp(host), Guard::Tls(tls)) => {
                let listener = TcpListener::bind(host).await.map_err(fail)?;
                let bound = listener.local_addr().map_err(fail)?;
                (Listener::Tcp(listener, tls), Address::Tcp(bound.to_string()))
            }
            _ => return Err(BindError::Guard(address.clone())),
        };
        Ok(Self {
            listener,
            address,
            limits: Limits::default(),
        })
    }

    /// The same, with other limits.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where it listens; port 0 has become a free one.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Answers until `shutdown` completes; then lets answers under way go out, for [`DRAIN_TIMEOUT`] at most.
    pub async fn serve(self, answers: Arc<dyn Answers>, shutdown: impl Future<Output = ()> + Send) {
        let limits = self.limits;
        let places = Arc::new(Semaphore::new(limits.connections));
        let handshakes = Arc::new(Semaphore::new(limits.handshakes));
        let work = Work::new(limits.in_work_bytes, limits.in_work_timeout);
        let stop = watch::Sender::new(());
        let mut connections = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            // Who comes over TLS is a stranger until the handshake is over, and takes a place only then.
            let waits_for = match &self.listener {
                Listener::Unix(..) => &places,
                Listener::Tcp(..) => &handshakes,
            };
            let next = async {
                let turn = Arc::clone(waits_for).acquire_owned().await;
                (self.listener.accept().await, turn)
            };
            let (accepted, turn) = tokio::select! {
                () = &mut shutdown => break,
                next = next => next,
            };
            while connections.try_join_next().is_some() {}
            let accepted = match accepted {
                Ok(Some(accepted)) => accepted,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let mut served = Served {
                answers: Arc::clone(&answers),
                asker: Asker::Named(Vec::new()),
                work: work.clone(),
                limits,
            };
            let (told, places) = (stop.subscribe(), Arc::clone(&places));
            connections.spawn(async move {
                let ended = match accepted {
                    Accepted::Unix(stream, user) => {
                        served.asker = Asker::User(user);
                        let ended = served.converse(stream, told).await;
                        drop(turn);
                        ended
                    }
                    Accepted::Tcp(stream, tls) => {
                        let shaken = timeout(limits.handshake_timeout, tls.accept(stream)).await;
                        drop(turn);
                        let stream = match shaken {
                            Ok(Ok(stream)) => stream,
                            // It is in the log.
                            Ok(Err(_)) => return,
                            Err(_) => {
                                tracing::warn!("a TLS handshake took too long");
                                return;
                            }
                        };
                        served.asker = Asker::Named(tls.names_of(&stream));
                        let Ok(Ok(_place)) = timeout(HELLO_TIMEOUT, places.acquire_owned()).await else {
                            tracing::warn!("as many are connected as may be; one more was turned away");
                            return;
                        };
                        served.converse(stream, told).await
                    }
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "a link broke");
                }
            });
        }
        if let Listener::Unix(_, _, path) = &self.listener {
            let _ = std::fs::remove_file(path);
        }
        drop(self.listener);
        let _ = stop.send(());
        let drained = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(DRAIN_TIMEOUT, drained).await;
    }
}

/// Whether somebody answers on this socket; a file that nobody answers on is removed.
async fn is_answered(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    if !is_socket {
        return false;
    }
    match UnixStream::connect(path).await {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let _ = std::fs::remove_file(path);
            false
        }
        Err(_) => true,
    }
}

enum Accepted {
    Unix(UnixStream, u32),
    Tcp(tokio::net::TcpStream, Arc<TlsServer>),
}

impl Listener {
    /// The next connection; `None` where its peer is not one who may ask.
    async fn accept(&self) -> io::Result<Option<Accepted>> {
        match self {
            Self::Unix(listener, users, _) => {
                let (stream, _) = listener.accept().await?;
                // The kernel's word (SO_PEERCRED), not the peer's.
                let user = stream.peer_cred()?.uid();
                if users.contains(&user) {
                    return Ok(Some(Accepted::Unix(stream, user)));
                }
                tracing::warn!(user, "a process of a user who may not ask was turned away");
                Ok(None)
            }
            Self::Tcp(listener, tls) => {
                let (stream, _) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                Ok(Some(Accepted::Tcp(stream, Arc::clone(tls))))
            }
        }
    }
}

/// What writes to a connection ends with it, whatever answers are still being made.
struct Writing(JoinHandle<io::Result<()>>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What serves one connection.
struct Served {
    answers: Arc<dyn Answers>,
    asker: Asker,
    work: Work,
    limits: Limits,
}

impl Served {
    /// One connection, from hello to its end.
    async fn converse<I>(self, io: I, stop: watch::Receiver<()>) -> io::Result<()>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let answers = Arc::clone(&self.answers);
        let (read, write) = tokio::io::split(io);
        let (outgoing, queue) = mpsc::channel(ANSWERING_MAX);
        let mut writing = Writing(tokio::spawn(write_queued(write, queue)));
        let mut incoming = Incoming::new(read).limited(self.work.clone(), self.limits);
        let greeted = timeout(HELLO_TIMEOUT, incoming.next()).await;
        let Some((_, hello)) = greeted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? else {
            return Ok(());
        };
        let mut ours = Hello::of(answers.protocol());
        let theirs = hello.head::<Hello>().ok().map(|hello| hello.protocol);
        drop(hello);
        let welcome = theirs.as_deref() == Some(answers.protocol());
        if !welcome {
            let reason = format!(
                "`{}` is spoken here; are both of one version?",
                answers.protocol()
            );
            ours.refused = Some(reason);
        }
        if let Ok(hello) = Message::new(&ours, &[]) {
            let _ = outgoing.send((0, hello)).await;
        }
        let ended = if welcome {
            self.answer_all(&mut incoming, outgoing, stop).await
        } else {
            drop(outgoing);
            Ok(())
        };
        let written = timeout(DRAIN_TIMEOUT, &mut writing.0).await;
        ended?;
        match written {
            Ok(Ok(written)) => written,
            _ => Ok(()),
        }
    }

    /// Answers until the asker ends, the listener stops, or the connection is as old as one may be.
    async fn answer_all<R: AsyncRead + Unpin>(
        self,
        incoming: &mut Incoming<R>,
        outgoing: mpsc::Sender<(u64, Message)>,
        mut stop: watch::Receiver<()>,
    ) -> io::Result<()> {
        let Self {
            answers, asker, work, ..
        } = self;
        let asker = Arc::new(asker);
        let answering = Arc::new(Semaphore::new(ANSWERING_MAX));
        let until = tokio::time::Instant::now() + LIFETIME_MAX;
        while let Ok(turn) = Arc::clone(&answering).acquire_owned().await {
            let next = tokio::select! {
                _ = stop.changed() => break,
                () = tokio::time::sleep_until(until) => break,
                next = incoming.next() => next?,
            };
            let Some((id, call)) = next else { break };
            let (answers, outgoing) = (Arc::clone(&answers), outgoing.clone());
            let (asker, work) = (Arc::clone(&asker), work.clone());
            // To its end even where the asker is gone: what was begun is finished.
            tokio::spawn(async move {
                let answer = answers.answer(&asker, call).await;
                // An answer for which there is no room is as one that never came.
                match work.take(answer.bytes().len()).await {
                    Ok(share) => {
                        let _ = outgoing.send((id, answer.taking(Some(share)))).await;
                    }
                    Err(error) => tracing::warn!(%error, "an answer was given up"),
                }
                drop(turn);
            });
        }
        Ok(())
    }
}
