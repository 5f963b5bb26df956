//! Where a database is: a file, or a server.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::Engine;

/// Where a database is. It may hold a password, so it prints without one.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    File(PathBuf),
    /// A server, as a `postgres://` URL.
    Server(String),
}

/// A URL that names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Neither `sqlite:` nor `postgres://`.
    #[error("`{0}` is no database: write `sqlite:PATH` or `postgres://user@host/database`")]
    Scheme(String),
    /// Not a URL.
    #[error("the database's URL cannot be read: {0}")]
    Url(String),
    /// A server beyond this machine without TLS.
    #[error("`{0}` goes over the network without checked TLS; add `?sslmode=verify-full`")]
    NoTls(String),
}

impl Location {
    pub(super) fn engine(&self) -> Engine {
        match self {
            Self::File(_) => Engine::Sqlite,
            Self::Server(_) => Engine::Postgres,
        }
    }

    /// The URL for the driver.
    pub(super) fn url(&self) -> String {
        match self {
            Self::File(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let escaped: String = path
                    .to_string_lossy()
                    .chars()
                    .map(|c| match c {
                        '%' => "%25".to_owned(),
                        '?' => "%3F".to_owned(),
                        '#' => "%23".to_owned(),
                        ' ' => "%20".to_owned(),
                        other => other.to_string(),
                    })
                    .collect();
                format!("sqlite://{escaped}?mode=rwc")
            }
            Self::Server(url) => url.clone(),
        }
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}
impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl FromStr for Location {
    type Err = LocationError;

    /// Reads `sqlite:PATH` or `postgres://...`. A server that is not on this machine must be reached over TLS that checks
    /// its name (`sslmode=verify-full`).
    fn from_str(text: &str) -> Result<Self, LocationError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Self::File(path.trim_start_matches("//").into()));
        }
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            let scheme = text.split(':').next().unwrap_or_default();
            return Err(LocationError::Scheme(scheme.to_owned()));
        }
        let location = Self::Server(text.to_owned());
        let options = sqlx::postgres::PgConnectOptions::from_str(text)
            .map_err(|error| LocationError::Url(error.to_string()))?;
        let host = options.get_host();
        let here = options.get_socket().is_some()
            || host.starts_with('/')
            || host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let checked = matches!(options.get_ssl_mode(), sqlx::postgres::PgSslMode::VerifyFull);
        if here || checked {
            Ok(location)
        } else {
            Err(LocationError::NoTls(location.to_string()))
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
                // Credentials end at the last `@` before the path; options after `?` may hold a password too.
                let rest = rest.split('?').next().unwrap_or_default();
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                let host = authority.rsplit('@').next().unwrap_or_default();
                write!(f, "{scheme}://{host}/{path}")
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_reads_and_never_prints_its_password() {
        for (text, shown) in [
            ("sqlite:/data/amparo.db", "/data/amparo.db"),
            ("sqlite:///data/amparo.db", "/data/amparo.db"),
            (
                "postgres://amparo:s3cret@127.0.0.1:5433/a",
                "postgres://127.0.0.1:5433/a",
            ),
            (
                "postgres://amparo@localhost/a?password=s3cret",
                "postgres://localhost/a",
            ),
            (
                "postgres://u:s3cret@db.example/a?sslmode=verify-full",
                "postgres://db.example/a",
            ),
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!(location.to_string(), shown);
            assert_eq!(format!("{location:?}"), shown);
        }
    }

    #[test]
    fn p02_a_server_elsewhere_is_reached_over_checked_tls_only() {
        for text in [
            "postgres://u:p@db.example/a",
            "postgres://u:p@db.example/a?sslmode=require",
            "postgres://u:p@10.0.0.7/a?sslmode=prefer",
        ] {
            let error = text.parse::<Location>().unwrap_err();
            assert!(matches!(error, LocationError::NoTls(_)), "{error}");
            assert!(!error.to_string().contains("u:p"));
        }
        assert!(matches!(
            "mysql://db".parse::<Location>(),
            Err(LocationError::Scheme(_))
        ));
    }
}
