//! Where blobs lie, as a configuration says it.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::BlobError;

/// Longest URL of a store, in bytes.
pub const URL_BYTES_MAX: usize = 1024;

/// Where blobs lie. It holds no secret: credentials are a path, or come from the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, or `file:///folder`. The prefix may be left
    /// out. One bucket and prefix serves one region of one deployment.
    pub url: String,
    /// The service's own address, such as `https://s3.eu-central-1.example`, where it is not the provider's public one.
    /// Plain `http` is for loopback alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The region that requests are signed for; of S3 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A file of its owner's alone (mode 0600). S3: lines `access_key_id=`, `secret_access_key=` and, for temporary ones,
    /// `session_token=`. Azure: `account_name=`, `access_key=`. Google: the service account's JSON. Without it, what the
    /// environment gives: the provider's customary variables, or the machine's own role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PathBuf>,
    /// A PEM file of certificates to trust beside the system's, for a service with a certificate of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// Which kind of store an URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// S3, or what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

/// A location that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A bucket or container, and a prefix in it, which may be empty.
    Bucket {
        /// Whose protocol.
        service: Service,
        /// Its name.
        bucket: String,
        /// The prefix, without slashes around it.
        prefix: String,
    },
}

impl Location {
    /// The store at an URL, with nothing else said of it.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            endpoint: None,
            region: None,
            credentials: None,
            ca: None,
        }
    }

    /// Reads what the command line takes: an URL, and after `?` any of `endpoint=`, `region=`, `credentials=` and `ca=`,
    /// between `&`s: `s3://bucket/prefix?endpoint=http://127.0.0.1:9000&credentials=/etc/amparo/s3`.
    ///
    /// # Errors
    /// When a word is none of these, or the location cannot stand.
    pub fn parse(text: &str) -> Result<Self, BlobError> {
        let (url, options) = text.split_once('?').unwrap_or((text, ""));
        let mut location = Self::at(url);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "endpoint" => location.endpoint = Some(value.to_owned()),
                "region" => location.region = Some(value.to_owned()),
                "credentials" => location.credentials = Some(value.into()),
                "ca" => location.ca = Some(value.into()),
                _ => {
                    return Err(bad(
                        text,
                        "only `endpoint`, `region`, `credentials` and `ca` may follow the `?`",
                    ));
                }
            }
        }
        location.place()?;
        Ok(location)
    }

    /// A place of its own inside this one.
    #[must_use]
    pub fn within(&self, name: &str) -> Self {
        Self {
            url: format!("{}/{name}", self.url.trim_end_matches('/')),
            ..self.clone()
        }
    }

    /// Relative paths in it taken from `folder`.
    #[must_use]
    pub fn under(&self, folder: &Path) -> Self {
        Self {
            credentials: self.credentials.as_ref().map(|path| folder.join(path)),
            ca: self.ca.as_ref().map(|path| folder.join(path)),
            ..self.clone()
        }
    }

    /// Checks it and says what it names.
    ///
    /// # Errors
    /// When the URL names no store, or the endpoint would carry requests in the clear beyond this machine (P2).
    pub fn place(&self) -> Result<Place, BlobError> {
        let url = self.url.as_str();
        if url.len() > URL_BYTES_MAX {
            return Err(bad("", "its URL is longer than 1024 bytes"));
        }
        if url.contains(['?', '#', '@']) || url.chars().any(char::is_whitespace) {
            return Err(bad(
                url,
                "write the bucket and the prefix alone; credentials go into a file",
            ));
        }
        if let Some(path) = url.strip_prefix("file:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') || self.endpoint.is_some() || self.credentials.is_some() {
                return Err(bad(url, "a folder is `file:///its/whole/path` and nothing else"));
            }
            return Ok(Place::Folder(path.into()));
        }
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| bad(url, "it begins with none of `s3://`, `gs://`, `az://`, `file:`"))?;
        let service = match scheme {
            "s3" => Service::S3,
            "gs" => Service::Google,
            "az" => Service::Azure,
            _ => return Err(bad(url, "use `s3://`, `gs://`, `az://` or `file:`")),
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let named = !bucket.is_empty()
            && bucket
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let plain = prefix
            .split('/')
            .all(|part| part != "." && part != ".." && (prefix.is_empty() || !part.is_empty()));
        if !named || !plain {
            return Err(bad(url, "write it as `s3://bucket/prefix`"));
        }
        if let Some(endpoint) = &self.endpoint {
            clear_only_here(endpoint)?;
        }
        Ok(Place::Bucket {
            service,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// Whether an endpoint is plain HTTP, which it may be on loopback alone.
pub(super) fn clear_only_here(endpoint: &str) -> Result<bool, BlobError> {
    let url = Url::parse(endpoint).map_err(|_| bad(endpoint, "its endpoint is no URL"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(bad(
            "",
            "its endpoint is an address alone; credentials go into a file",
        ));
    }
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(false),
        "http" if here => Ok(true),
        _ => Err(bad(
            endpoint,
            "an endpoint beyond this machine is reached over `https` alone",
        )),
    }
}

fn bad(url: &str, reason: &'static str) -> BlobError {
    BlobError::Location {
        url: url.chars().take(128).collect(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_understood_or_refused() {
        let bucket = |service, bucket: &str, prefix: &str| Place::Bucket {
            service,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        for (text, place) in [
            ("s3://box", bucket(Service::S3, "box", "")),
            ("s3://box/", bucket(Service::S3, "box", "")),
            ("s3://box/a/b/", bucket(Service::S3, "box", "a/b")),
            ("gs://box/a", bucket(Service::Google, "box", "a")),
            ("az://box", bucket(Service::Azure, "box", "")),
            (
                "s3://box?endpoint=http://127.0.0.1:9000&region=eu-1&credentials=keys/s3",
                bucket(Service::S3, "box", ""),
            ),
            ("file:///srv/blobs", Place::Folder("/srv/blobs".into())),
            ("file:/srv/blobs", Place::Folder("/srv/blobs".into())),
        ] {
            assert_eq!(Location::parse(text).unwrap().place().unwrap(), place, "{text}");
        }
        for text in [
            "",
            "box",
            "ftp://box",
            "s3://",
            "s3:///a",
            "s3://box/../a",
            "s3://box//a",
            "s3://key:secret@box",
            "s3://bo x",
            "file:relative",
            "s3://box?secret=x",
            "s3://box?endpoint=nowhere",
        ] {
            assert!(Location::parse(text).is_err(), "{text}");
        }
    }

    /// Ciphertext too goes over the network encrypted alone: who reads along would see sizes, times and credentials' ids.
    #[test]
    fn p02_no_store_is_reached_in_the_clear_beyond_this_machine() {
        for (endpoint, fine) in [
            ("https://s3.example", true),
            ("http://127.0.0.1:9000", true),
            ("http://[::1]:9000", true),
            ("http://localhost:9000", true),
            ("http://s3.example", false),
            ("http://10.0.0.7:9000", false),
            ("http://127.0.0.1.example", false),
            ("http://localhost.example", false),
            ("ftp://127.0.0.1", false),
            ("https://key:secret@s3.example", false),
        ] {
            let location = Location {
                endpoint: Some(endpoint.to_owned()),
                ..Location::at("s3://box")
            };
            assert_eq!(location.place().is_ok(), fine, "{endpoint}");
        }
    }
}
