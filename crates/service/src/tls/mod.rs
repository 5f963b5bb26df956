//! TLS 1.3, and nothing older, for every face that leaves this machine.
//!
//! Three audiences. **The public** (S3, the API, a witness): X25519MLKEM768 first, X25519 and P-256 for clients that cannot.
//! **Our own** (the gate, other regions' nodes): X25519MLKEM768 or nothing, and both sides show a certificate of the
//! authority and with a name that the other was told to expect. **Named others** (authorities' systems): the public's key exchange,
//! and certificates as between our own.
//!
//! Certificates are judged when they are read ([`certificate`]) and when a peer shows them ([`verifier`]): one that ended,
//! has not begun, is for another name, is a stranger's, or has an RSA key under 2048 bits is refused with that reason.
//! Files are read again when they change or on SIGHUP, so that renewing a certificate stops nothing; what cannot be used
//! leaves the old one in force and says so.

pub mod certificate;
mod client;
mod provider;
mod refusal;
mod server;
#[cfg(test)]
pub(crate) mod tests;
mod verifier;

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::{
    certificate::{Certificate, CertificateError},
    client::TlsClient,
    refusal::Refused,
    server::{Audience, Caller, KnownCaller, TlsServer},
};

/// Longest a handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes under way at once on one listener; further connections wait their turn, unread.
pub const HANDSHAKES_MAX: usize = 256;
/// Time between looks at the files.
pub const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// A certificate that ends sooner than this is warned of.
pub const ENDS_SOON: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

/// A certificate and its key, as the configuration names them. Paths are relative to the deployment's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM: the certificate, then those between it and its authority.
    pub certificate: PathBuf,
    /// PEM: its private key (PKCS #8, SEC 1 or PKCS #1), readable by its owner alone.
    pub key: PathBuf,
}

impl TlsFiles {
    /// The same, with relative paths taken from `dir`.
    pub fn within(&self, dir: &std::path::Path) -> Self {
        Self {
            certificate: dir.join(&self.certificate),
            key: dir.join(&self.key),
        }
    }
}

/// A certificate for links between our own, and whom to expect at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutualTls {
    /// PEM: our certificate. It must be good for both sides of a link.
    pub certificate: PathBuf,
    /// PEM: its private key, readable by its owner alone.
    pub key: PathBuf,
    /// PEM: the authorities that vouch for the other end; the other end's own certificate pins it.
    pub ca: PathBuf,
    /// Names that the other end's certificate may have: one of them must fit.
    pub names: Vec<String>,
}

impl MutualTls {
    /// The same, with relative paths taken from `dir`.
    pub fn within(&self, dir: &std::path::Path) -> Self {
        Self {
            certificate: dir.join(&self.certificate),
            key: dir.join(&self.key),
            ca: dir.join(&self.ca),
            names: self.names.clone(),
        }
    }
    /// Our side of it.
    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        }
    }
}

/// Why TLS cannot be set up. Never holds any of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not PEM, or holds nothing of the kind wanted.
    #[error("`{path}` {reason}")]
    Pem {
        /// Which.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Others than its owner may read a private key.
    #[error(
        "the private key `{path}` can be read by others; run `chmod 600` on it, and get a new certificate if they did"
    )]
    Exposed {
        /// Which.
        path: String,
    },
    /// A certificate that may not be used.
    #[error("the certificate `{path}` {why}")]
    Certificate {
        /// Which.
        path: String,
        /// Why.
        why: CertificateError,
    },
    /// The key is not the certificate's.
    #[error("the private key `{key}` is not the one of the certificate `{certificate}`")]
    NotItsKey {
        /// Of the certificate.
        certificate: String,
        /// Of the key.
        key: String,
    },
    /// A name to expect that is none.
    #[error("`{0}` is neither a host name nor an address")]
    Name(String),
    /// No name to expect.
    #[error("say in `names` what the other end is called; an empty list admits nobody")]
    NoNames,
    /// What the TLS library says.
    #[error("TLS cannot be set up: {0}")]
    Library(String),
}
