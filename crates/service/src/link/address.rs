//! Where a link leads.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// `unix:PATH`, or `HOST:PORT` with mutual TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// A socket on this machine.
    Unix(PathBuf),
    /// A host name or address, and a port.
    Tcp(String),
}

/// Not an address of a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address; write `unix:PATH` or `HOST:PORT`")]
pub struct NoAddress(String);

impl Address {
    /// The same, with a relative path taken from `dir`.
    pub fn within(&self, dir: &std::path::Path) -> Self {
        match self {
            Self::Unix(path) => Self::Unix(dir.join(path)),
            tcp @ Self::Tcp(_) => tcp.clone(),
        }
    }
}

impl FromStr for Address {
    type Err = NoAddress;
    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let fail = || NoAddress(text.chars().take(200).collect());
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err(fail())
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(fail)?;
        if host.is_empty() || host.contains(char::is_whitespace) || port.parse::<u16>().is_err() {
            return Err(fail());
        }
        Ok(Self::Tcp(text.to_owned()))
    }
}

impl TryFrom<String> for Address {
    type Error = NoAddress;
    fn try_from(text: String) -> Result<Self, NoAddress> {
        text.parse()
    }
}
impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(host) => f.write_str(host),
        }
    }
}
