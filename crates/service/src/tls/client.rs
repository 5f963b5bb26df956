//! The calling side of a link between our own.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    ClientConfig,
    client::{Resumption, WantsClientCert},
    pki_types::ServerName,
    version::TLS13,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    HANDSHAKE_TIMEOUT, MutualTls, Refused, TlsError, certificate, provider,
    server::{Stamps, identity, not_its_key, stamps},
    verifier,
};

/// Whom a connection goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Toward {
    /// Our own.
    Own,
    /// Another's system that the configuration names, over HTTP: it may not know the hybrid key exchange.
    Named,
}

/// TLS towards one peer of ours, or one that the configuration names. Reads its files again when they changed.
#[derive(Debug)]
pub struct TlsClient {
    mutual: MutualTls,
    name: ServerName<'static>,
    toward: Toward,
    current: Mutex<(Arc<ClientConfig>, Stamps)>,
}

impl TlsClient {
    /// Reads the files. The peer must have the first of the names listed.
    ///
    /// # Errors
    /// [`TlsError`]: what cannot be read, may not be used, or does not belong together.
    pub fn open(mutual: MutualTls) -> Result<Self, TlsError> {
        Self::toward(mutual, Toward::Own)
    }

    /// The same, towards another's system: the public's key exchange, X25519MLKEM768 first.
    ///
    /// # Errors
    /// As [`TlsClient::open`].
    pub fn open_named(mutual: MutualTls) -> Result<Self, TlsError> {
        Self::toward(mutual, Toward::Named)
    }

    fn toward(mutual: MutualTls, toward: Toward) -> Result<Self, TlsError> {
        let stamps = stamps(&paths(&mutual));
        let name = verifier::names(&mutual.names)?;
        let name = name.into_iter().next().ok_or(TlsError::NoNames)?;
        let config = config(&mutual, toward)?;
        Ok(Self {
            mutual,
            name,
            toward,
            current: Mutex::new((config, stamps)),
        })
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// [`Refused`], with the reason.
    pub async fn connect<I>(&self, io: I) -> Result<TlsStream<I>, Refused>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = TlsConnector::from(self.config());
        match timeout(HANDSHAKE_TIMEOUT, connector.connect(self.name.clone(), io)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(Refused::of(&error)),
            Err(_) => Err(Refused::slow()),
        }
    }

    /// What is in force; new files are taken up first, and where they cannot be used, the log says so.
    pub fn config(&self) -> Arc<ClientConfig> {
        let found = stamps(&paths(&self.mutual));
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.1 != found {
            current.1 = found;
            match config(&self.mutual, self.toward) {
                Ok(config) => current.0 = config,
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a new certificate cannot be used; the one before stays in force"
                ),
            }
        }
        Arc::clone(&current.0)
    }
}

fn paths(mutual: &MutualTls) -> [&std::path::Path; 3] {
    [&mutual.certificate, &mutual.key, &mutual.ca]
}

fn config(mutual: &MutualTls, toward: Toward) -> Result<Arc<ClientConfig>, TlsError> {
    let offered = match toward {
        Toward::Own => provider::own(),
        Toward::Named => provider::public(),
    };
    let (chain, key) = identity(&mutual.files())?;
    let server = verifier::OwnServer::new(certificate::authorities(&mutual.ca)?)?;
    let builder: rustls::ConfigBuilder<ClientConfig, WantsClientCert> =
        ClientConfig::builder_with_provider(offered)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| TlsError::Library(error.to_string()))?
            .dangerous() // of the library's naming: ours is its own verifier, with strength before it
            .with_custom_certificate_verifier(Arc::new(server));
    let mut config = builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| not_its_key(&mutual.files(), &error))?;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
