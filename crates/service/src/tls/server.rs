//! The listening side.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use jiff::Timestamp;
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    server::NoServerSessionStorage,
    version::TLS13,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    HANDSHAKE_TIMEOUT, HANDSHAKES_MAX, LOOK_AGAIN, MutualTls, Refused, TlsError, TlsFiles, certificate,
    certificate::Certificate, provider, verifier,
};

/// Protocols of a face that speaks HTTP.
const HTTP: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Who may come.
#[derive(Debug, Clone)]
pub enum Audience {
    /// Anybody's client, over HTTP; it proves who it is inside.
    Public(TlsFiles),
    /// Our own: both sides show a certificate.
    Own {
        /// Ours.
        files: TlsFiles,
        /// Who may come.
        callers: Vec<Caller>,
    },
    /// Others whom the configuration names, over HTTP: both sides show a certificate, and which of them one is, its
    /// certificate says. Their systems may not know the hybrid key exchange.
    Named {
        /// Ours.
        files: TlsFiles,
        /// Who may come.
        callers: Vec<Caller>,
    },
}

/// Somebody of our own: an authority, and the names that its certificate may have.
#[derive(Debug, Clone)]
pub struct Caller {
    /// PEM: the authorities.
    pub ca: PathBuf,
    /// One of them must fit.
    pub names: Vec<String>,
}

impl From<MutualTls> for Audience {
    fn from(mutual: MutualTls) -> Self {
        Self::Own {
            files: mutual.files(),
            callers: vec![Caller {
                ca: mutual.ca,
                names: mutual.names,
            }],
        }
    }
}

impl Audience {
    fn files(&self) -> TlsFiles {
        match self {
            Self::Public(files) | Self::Own { files, .. } | Self::Named { files, .. } => files.clone(),
        }
    }
    fn paths(&self) -> Vec<PathBuf> {
        let files = self.files();
        let mut paths = vec![files.certificate, files.key];
        paths.extend(self.callers().iter().map(|caller| caller.ca.clone()));
        paths
    }
    fn callers(&self) -> &[Caller] {
        match self {
            Self::Public(_) => &[],
            Self::Own { callers, .. } | Self::Named { callers, .. } => callers,
        }
    }
}

/// A caller whom the handshake proved, by its place in the configuration. Made here alone; a listener puts it into the
/// requests of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownCaller(usize);

impl KnownCaller {
    /// Its place in the configuration.
    pub fn place(self) -> usize {
        self.0
    }
}

/// TLS of one listener. Reads its files again when they change.
#[derive(Debug)]
pub struct TlsServer {
    audience: Audience,
    current: RwLock<Current>,
    handshakes: Semaphore,
}

#[derive(Debug, Clone)]
struct Current {
    config: Arc<ServerConfig>,
    /// Where both sides show a certificate.
    clients: Option<Arc<verifier::OwnClients>>,
    stamps: Stamps,
}

/// When each file was last changed and how long it is; `None` where it cannot be seen.
pub(super) type Stamps = Vec<Option<(SystemTime, u64)>>;

pub(super) fn stamps<P: AsRef<Path>>(paths: &[P]) -> Stamps {
    let stamp = |path: &P| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    paths.iter().map(stamp).collect()
}

impl TlsServer {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`]: what cannot be read, may not be used, or does not belong together.
    pub fn open(audience: Audience) -> Result<Arc<Self>, TlsError> {
        let stamps = stamps(&audience.paths());
        let (config, clients) = config(&audience)?;
        let current = Current {
            config,
            clients,
            stamps,
        };
        Ok(Arc::new(Self {
            audience,
            current: RwLock::new(current),
            handshakes: Semaphore::new(HANDSHAKES_MAX),
        }))
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// [`Refused`], with the reason. It is in the log as well.
    pub async fn accept<I>(&self, io: I) -> Result<TlsStream<I>, Refused>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let done = timeout(HANDSHAKE_TIMEOUT, async {
            let _turn = self.handshakes.acquire().await;
            TlsAcceptor::from(self.config()).accept(io).await
        });
        let refused = match done.await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => Refused::of(&error),
            Err(_) => Refused::slow(),
        };
        // The public's scanners knock all day; what our own cannot do, somebody must see.
        match self.audience {
            Audience::Public(_) => tracing::info!(reason = refused.0, "a TLS handshake was refused"),
            Audience::Own { .. } | Audience::Named { .. } => {
                tracing::warn!(reason = refused.0, "a TLS handshake was refused")
            }
        }
        Err(refused)
    }

    /// Who is at the other end: the names of its certificate, of those that were to be expected. Empty for the public.
    pub fn names_of<I>(&self, stream: &TlsStream<I>) -> Vec<String> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let shown = stream.get_ref().1.peer_certificates();
        match (&current.clients, shown.and_then(|chain| chain.split_first())) {
            (Some(clients), Some((own, above))) => clients.names_of(own, above, UnixTime::now()),
            _ => Vec::new(),
        }
    }

    /// Which of the callers is at the other end, by its place in the configuration; none for the public, and none where a
    /// certificate fits several.
    pub fn caller_of<I>(&self, stream: &TlsStream<I>) -> Option<KnownCaller> {
        let clients = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            current.clients.clone()?
        };
        let (end_entity, intermediates) = stream.get_ref().1.peer_certificates()?.split_first()?;
        clients.which(end_entity, intermediates).map(KnownCaller)
    }

    fn config(&self) -> Arc<ServerConfig> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current.config)
    }

    /// Reads the files again if they changed, or anyway. Gives whether they were taken up.
    ///
    /// # Errors
    /// When what is there now cannot be used: what was in force stays.
    pub fn reload(&self, anyway: bool) -> Result<bool, TlsError> {
        let found = stamps(&self.audience.paths());
        {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            if !anyway && current.stamps == found {
                return Ok(false);
            }
            // Also where it cannot be used: it is complained of once, not every time.
            current.stamps = found;
        }
        let (config, clients) = config(&self.audience)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        (current.config, current.clients) = (config, clients);
        Ok(true)
    }

    /// Keeps looking for new files, every [`LOOK_AGAIN`] and on SIGHUP, and says when the certificate ends soon. Never
    /// returns.
    pub async fn keep_current(self: Arc<Self>) {
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut warned = None;
        loop {
            self.warn_of_the_end(&mut warned);
            let told = async {
                match &mut hangup {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            let anyway = tokio::select! {
                _ = told => true,
                () = tokio::time::sleep(LOOK_AGAIN) => false,
            };
            let path = self.audience.files().certificate;
            match self.reload(anyway) {
                Ok(true) => tracing::info!(certificate = %path.display(), "a certificate was taken up"),
                Ok(false) => {}
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a new certificate cannot be used; the one before stays in force"
                ),
            }
        }
    }

    /// Once a day.
    fn warn_of_the_end(&self, warned: &mut Option<Timestamp>) {
        let now = Timestamp::now();
        let day = jiff::SignedDuration::from_hours(24);
        if warned.is_some_and(|last| last.duration_until(now) < day) {
            return;
        }
        let path = self.audience.files().certificate;
        if let Ok(certificate) = certificate::first_of(&path)
            && certificate.ends_soon(now)
        {
            tracing::warn!(certificate = %path.display(), ends = %certificate.ends, "a certificate ends soon; renew it");
            *warned = Some(now);
        }
    }
}

type Configured = (Arc<ServerConfig>, Option<Arc<verifier::OwnClients>>);

fn config(audience: &Audience) -> Result<Configured, TlsError> {
    let files = audience.files();
    let (chain, key) = identity(&files)?;
    let clients = match audience {
        Audience::Public(_) => None,
        Audience::Own { callers, .. } | Audience::Named { callers, .. } => {
            Some(Arc::new(verifier::OwnClients::new(callers)?))
        }
    };
    let provider = match audience {
        Audience::Own { .. } => provider::own(),
        Audience::Public(_) | Audience::Named { .. } => provider::public(),
    };
    let begun = builder(provider)?;
    let begun = match &clients {
        None => begun.with_no_client_auth(),
        Some(clients) => begun.with_client_cert_verifier(Arc::clone(clients) as _),
    };
    let mut config = begun
        .with_single_cert(chain, key)
        .map_err(|error| not_its_key(&files, &error))?;
    if !matches!(audience, Audience::Own { .. }) {
        config.alpn_protocols = HTTP.iter().map(|name| name.to_vec()).collect();
    }
    if clients.is_some() {
        // A resumed session is not judged again: every link shows its certificate anew.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok((Arc::new(config), clients))
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, TlsError> {
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| TlsError::Library(error.to_string()))
}

/// The certificate and key of our side, each good, and belonging together.
pub(super) fn identity(
    files: &TlsFiles,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = certificate::usable_chain(&files.certificate, Timestamp::now())?;
    let key = certificate::private_key(&files.key)?;
    Ok((chain, key))
}

pub(super) fn not_its_key(files: &TlsFiles, error: &rustls::Error) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => TlsError::NotItsKey {
            certificate: files.certificate.display().to_string(),
            key: files.key.display().to_string(),
        },
        other => TlsError::Library(other.to_string()),
    }
}

impl Certificate {
    /// The certificate of our side, for what asks about it.
    ///
    /// # Errors
    /// When files cannot be used.
    pub fn of(files: &TlsFiles) -> Result<Self, TlsError> {
        identity(files)?;
        certificate::first_of(&files.certificate)
    }
}
