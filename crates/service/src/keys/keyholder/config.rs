//! The keyholder's configuration: one file of the customer's, read anew for each request, so that a change of the allow-list
//! counts from the next one.

use std::{
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    allow::{self, Allow, BadRule},
    ledger::LedgerError,
    wire::NoPublicKey,
};
use crate::{deployment::SecretError, tls::TlsFiles};

/// Largest configuration read, in bytes.
pub const BYTES_MAX: u64 = 1024 * 1024;
/// Most gates.
pub const GATES_MAX: usize = 100;

/// The whole file. Paths are from the file's own folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyholderConfig {
    /// Always `amparo.keyholder/1`.
    pub schema: Schema,
    /// Where to listen. Without `tls` it is plain HTTP, so loopback only.
    pub listen: SocketAddr,
    /// TLS 1.3 with this certificate and key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// Files of the keys that wrap, 32 bytes in base64: the first wraps, the others still open.
    pub keys: Vec<PathBuf>,
    /// File of the key that signs answers.
    pub signing_key: PathBuf,
    /// The log, one line for each request.
    pub log: PathBuf,
    /// Folder of what waits for a person.
    pub decisions: PathBuf,
    /// Public keys of the gates that may ask, base64.
    pub gates: Vec<String>,
    /// What they may ask for. Empty: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Allow>,
}

/// The schema tag of [`KeyholderConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    /// Version 1.
    #[serde(rename = "amparo.keyholder/1")]
    V1,
}

/// Why a keyholder cannot run.
#[derive(Debug, thiserror::Error)]
pub enum KeyholderError {
    /// The file cannot be read.
    #[error("cannot read the keyholder's configuration `{path}`; `amparo keyholder new` makes one")]
    Read {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The folder or the file cannot be written.
    #[error("cannot write `{path}`; name a new folder")]
    Write {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not this schema.
    #[error("`{path}` is not a keyholder's configuration of this version: {reason}")]
    Parse {
        /// Which.
        path: String,
        /// Where and why.
        reason: String,
    },
    /// Another keyholder than the one whose configuration it is.
    #[error("this is the keyholder `{keyholder}`; say so with `--confirm` to destroy its keys for good")]
    Unconfirmed {
        /// Its public key.
        keyholder: String,
    },
    /// A value cannot stand.
    #[error("`{key}` in the keyholder's configuration cannot stand: {reason}")]
    Value {
        /// Which.
        key: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A rule cannot stand.
    #[error(transparent)]
    Rule(#[from] BadRule),
    /// A gate's key.
    #[error("a key under `gates` cannot be used: {0}")]
    Gate(#[from] NoPublicKey),
    /// A key file.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A key that the cipher does not take.
    #[error(transparent)]
    Key(#[from] envelope::keys::KeyError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LedgerError),
}

impl KeyholderConfig {
    /// Reads and checks `path`. Its paths come back whole.
    ///
    /// # Errors
    /// When it is missing, too large, not this schema, or holds a value that cannot stand.
    pub fn read(path: &Path) -> Result<Self, KeyholderError> {
        let name = || path.display().to_string();
        let fail = |source| KeyholderError::Read { path: name(), source };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(fail)?;
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(fail)?;
        let mut config: Self = toml::from_str(&text).map_err(|error| KeyholderError::Parse {
            path: name(),
            reason: error.to_string(),
        })?;
        config.check()?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for file in
            config
                .keys
                .iter_mut()
                .chain([&mut config.signing_key, &mut config.log, &mut config.decisions])
        {
            *file = folder.join(&*file);
        }
        config.tls = config.tls.map(|files| files.within(folder));
        Ok(config)
    }

    fn check(&self) -> Result<(), KeyholderError> {
        let fail = |key, reason| Err(KeyholderError::Value { key, reason });
        if self.tls.is_none() && !self.listen.ip().is_loopback() {
            return fail(
                "listen",
                "plain HTTP is served on loopback only; give it `tls = { certificate = \"...\", key = \"...\" }`",
            );
        }
        if self.keys.is_empty() {
            return fail("keys", "name at least one key file");
        }
        if self.gates.is_empty() || self.gates.len() > GATES_MAX {
            return fail("gates", "name 1 to 100 gates that may ask");
        }
        allow::check(&self.allow)?;
        Ok(())
    }
}
