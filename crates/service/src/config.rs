//! `amparo.toml`: the one configuration file. Unknown keys are refused; secrets are never in it, only paths.

mod hi1;

use std::{io::Read as _, net::SocketAddr, path::Path, time::Duration};

use casework::{demand::CountryCode, ids::RegionId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use store::{
    blobs::{BlobError, Location},
    docket::BATCH_MAX,
};

use crate::{
    docket::INTERVAL_MIN,
    keys::configured::{PROVIDERS_MAX, ProviderConfig},
    link::Address,
    region::PEERS_MAX,
    tls::{MutualTls, TlsFiles},
};

pub use self::hi1::{Hi1End, Hi1Key, Hi1Peer, KEYS_MAX as HI1_KEYS_MAX, Signatures};

/// Largest configuration file read, in bytes.
pub const BYTES_MAX: u64 = 256 * 1024;

const PLAIN: &str =
    "plain HTTP is served on loopback only; give it `tls = { certificate = \"...\", key = \"...\" }`";

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Always `amparo.config/1`.
    pub schema: Schema,
    /// Name of the provider, as letters say it.
    pub provider: String,
    /// Where metadata, case files and the docket's queue are kept.
    #[serde(default)]
    pub database: DatabaseKind,
    /// The S3 face.
    pub s3: Listen,
    /// The HTTP API, with the docket's files under `/docket`.
    pub api: Listen,
    /// The public log of commitments.
    pub docket: Docket,
    /// The gate, where it runs in a process of its own; else `amparo serve` is its own gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// This node's end of links to nodes of other regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkEnd>,
    /// Demands by e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailIntake>,
    /// Regions that other nodes serve.
    #[serde(default, rename = "peer", skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerRegion>,
    /// Where authorities' systems send, over HI-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi1: Option<Hi1End>,
    /// Authorities' systems that may.
    #[serde(default, rename = "hi1_peer", skip_serializing_if = "Vec::is_empty")]
    pub hi1_peers: Vec<Hi1Peer>,
    /// Regions this node serves, each with its own root key and blobs.
    #[serde(rename = "region")]
    pub regions: Vec<Region>,
    /// Who holds keys beside the gate. Read by the gate alone.
    #[serde(rename = "key_provider", default, skip_serializing_if = "Vec::is_empty")]
    pub key_providers: Vec<ProviderConfig>,
}

/// The schema tag of [`Config`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    /// Version 1.
    #[serde(rename = "amparo.config/1")]
    V1,
}

/// Which database a deployment uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// A SQLite file in the deployment's folder.
    #[default]
    File,
    /// A server; its URL is a secret, and stands in `keys/database.url`.
    Server,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and port; port 0 takes a free one. Without `tls` it is plain HTTP, so anything but loopback is refused.
    pub listen: SocketAddr,
    /// TLS 1.3 with this certificate and key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
}

impl Listen {
    /// Plain HTTP at `address`, which must be loopback.
    pub fn plain(address: SocketAddr) -> Self {
        Self {
            listen: address,
            tls: None,
        }
    }
    /// Whether nothing unencrypted leaves the machine.
    fn is_safe(&self) -> bool {
        self.tls.is_some() || self.listen.ip().is_loopback()
    }
    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// Where the gate answers, for the gate itself and for those who ask it. Each has a folder and a configuration of its own;
/// this part may read the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// `unix:PATH`, relative to the folder; or `HOST:PORT`, with `tls`.
    pub at: Address,
    /// Over TCP: our certificate, and whom to expect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<MutualTls>,
    /// On a unix socket: ids of the users whose processes may ask. None named: the gate's own user alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<u32>,
    /// On a unix socket: id of the user that the gate runs as, whom alone the server asks there. Not said: the owner of the
    /// folder that the socket lies in, or the server's own user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_as: Option<u32>,
}

/// This node's end of links to nodes of other regions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkEnd {
    /// Where the others ask; a node that only asks leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Our certificate, good for both sides of a connection.
    pub tls: TlsFiles,
}

/// How demands come in by e-mail: from the provider's own mail server, which has them from the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailIntake {
    /// Where that server hands them over by LMTP: `unix:PATH`, relative to the folder, or an address of loopback and a port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lmtp: Option<Address>,
    /// A maildir from which they are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maildir: Option<std::path::PathBuf>,
    /// Addresses for which LMTP takes mail; none named: whatever that server sends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// The name under which that server writes `Authentication-Results`, where it does, and takes out what strangers wrote
    /// under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results_of: Option<String>,
    /// Whether senders are checked here as well: SPF, DKIM, DMARC and ARC, by `amparo-postmark`, which asks the name service.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub check_senders: bool,
    /// The names under which that server writes `Received`. Only those fields say from where a message came, for SPF.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub received_by: Vec<String>,
    /// Name servers to ask; none: those that the system asks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub name_servers: Vec<SocketAddr>,
}

impl MailIntake {
    /// Whether mail is taken in from this machine alone.
    fn is_local(&self) -> bool {
        match &self.lmtp {
            Some(Address::Tcp(at)) => at.parse().is_ok_and(|at: SocketAddr| at.ip().is_loopback()),
            Some(Address::Unix(_)) | None => true,
        }
    }
}

/// A region that another node serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerRegion {
    /// Its id.
    pub region: RegionId,
    /// Whose law governs the place.
    pub country: CountryCode,
    /// Where its node answers links: `HOST:PORT`.
    pub at: Address,
    /// PEM: the authority of that node's certificate, or the certificate itself.
    pub ca: std::path::PathBuf,
    /// The name in that node's certificate.
    pub name: String,
    /// Where its S3 face is, such as `https://s3.eu.example`: clients are sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// The docket's rate. Both figures are public: they must not change with the number of demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Docket {
    /// The log's origin line, such as `provider.example/docket`.
    pub origin: String,
    /// Milliseconds between batches.
    pub interval_ms: u64,
    /// Entries in each batch, filler included.
    pub batch: u32,
    /// Run the witness whose key `init` made in this process. It adds no outside trust; `doctor` says so.
    #[serde(default)]
    pub own_witness: bool,
}

impl Docket {
    /// Time between batches.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }
}

/// One region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Its id, such as `eu-de`.
    pub id: RegionId,
    /// Whose law governs the place.
    pub country: CountryCode,
    /// Where its sealed bodies lie: `"disk"`, which is the deployment's own folder, or a [`Location`].
    #[serde(default, skip_serializing_if = "Store::is_disk")]
    pub store: Store,
}

/// Where a region's sealed bodies lie.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Store {
    /// In `blobs/` of the deployment's folder.
    #[default]
    Disk,
    /// In an object store, or another folder.
    At(Location),
}

impl Store {
    fn is_disk(&self) -> bool {
        *self == Self::Disk
    }
}

impl Serialize for Store {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Disk => serializer.serialize_str("disk"),
            Self::At(location) => location.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Store {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Store;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`\"disk\"` or `{ url = \"s3://bucket/prefix\" }`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Store, E> {
                match text {
                    "disk" => Ok(Store::Disk),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Store, A::Error> {
                Location::deserialize(de::value::MapAccessDeserializer::new(map)).map(Store::At)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration `{path}`")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is none.
    #[error("there is no deployment here: `{path}` is missing; `amparo init` makes one")]
    Missing {
        /// Which file.
        path: String,
    },
    /// The file is not this schema.
    #[error("`{path}` is not a configuration of this version: {reason}")]
    Parse {
        /// Which file.
        path: String,
        /// Where and why.
        reason: String,
    },
    /// A region's store cannot stand.
    #[error("the store of region `{region}` in the configuration cannot stand")]
    Store {
        /// Which region.
        region: RegionId,
        /// Why.
        #[source]
        source: BlobError,
    },
    /// A value cannot stand.
    #[error("`{key}` in the configuration cannot stand: {reason}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Why, and what would.
        reason: &'static str,
    },
}

impl Config {
    /// Reads and checks `path`.
    ///
    /// # Errors
    /// When the file is missing, too large, not this schema, or holds a value that cannot stand.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let read = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => ConfigError::Missing {
                path: path.display().to_string(),
            },
            _ => ConfigError::Read {
                path: path.display().to_string(),
                source,
            },
        };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(read)?;
        file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(read)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > BYTES_MAX {
            return Err(ConfigError::Parse {
                path: path.display().to_string(),
                reason: format!("it is larger than {BYTES_MAX} bytes"),
            });
        }
        let config: Self = toml::from_str(&text).map_err(|error| ConfigError::Parse {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        config.check()?;
        Ok(config)
    }

    /// Checks what types alone cannot say.
    ///
    /// # Errors
    /// At the first value that cannot stand.
    pub fn check(&self) -> Result<(), ConfigError> {
        let fail = |key, reason| Err(ConfigError::Value { key, reason });
        if self.regions.is_empty() {
            return fail("region", "name at least one region");
        }
        let mut ids: Vec<_> = self.regions.iter().map(|region| &region.id).collect();
        ids.sort();
        if ids.windows(2).any(|pair| pair.first() == pair.last()) {
            return fail("region", "two regions have the same id");
        }
        let mut places = Vec::new();
        for region in &self.regions {
            let Store::At(location) = &region.store else {
                continue;
            };
            let place = location.place().map_err(|source| ConfigError::Store {
                region: region.id.clone(),
                source,
            })?;
            if places.contains(&(place.clone(), &location.endpoint)) {
                return fail(
                    "region.store",
                    "two regions share a bucket and prefix; give each its own",
                );
            }
            places.push((place, &location.endpoint));
        }
        if self.s3.listen.port() != 0 && self.s3.listen == self.api.listen {
            return fail("api.listen", "S3 and the API need an address each");
        }
        if !self.s3.is_safe() {
            return fail("s3.listen", PLAIN);
        }
        if !self.api.is_safe() {
            return fail("api.listen", PLAIN);
        }
        if let Some(gate) = &self.gate {
            match (&gate.at, &gate.tls) {
                (Address::Tcp(_), None) => {
                    return fail(
                        "gate.tls",
                        "a gate over TCP needs `tls = { certificate, key, ca, names }`",
                    );
                }
                (Address::Unix(_), Some(_)) => {
                    return fail("gate.tls", "a unix socket takes no TLS; leave it out");
                }
                _ => {}
            }
        }
        let mut providers: Vec<_> = self.key_providers.iter().map(ProviderConfig::id).collect();
        providers.sort();
        if providers.windows(2).any(|pair| pair.first() == pair.last()) {
            return fail("key_provider", "two key providers have the same id");
        }
        if providers.len() > PROVIDERS_MAX {
            return fail("key_provider", "there are at most 1000 key providers");
        }
        self.check_peers()?;
        if self.mail.as_ref().is_some_and(|mail| !mail.is_local()) {
            return fail(
                "mail.lmtp",
                "LMTP is plain and asks nobody who they are: use `unix:PATH` or an address of loopback, such as `127.0.0.1:2424`",
            );
        }
        self.check_hi1()?;
        if self.docket.batch == 0 || self.docket.batch > BATCH_MAX {
            return fail("docket.batch", "use 1 to 4096 entries");
        }
        if self.docket.interval() < INTERVAL_MIN {
            return fail(
                "docket.interval_ms",
                "use at least 100 ms: a batch must be written and witnessed in it",
            );
        }
        if self.docket.origin.is_empty()
            || self
                .docket
                .origin
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || c == '+')
        {
            return fail(
                "docket.origin",
                "write a name such as `provider.example/docket`, without spaces or `+`",
            );
        }
        Ok(())
    }
}

impl Config {
    fn check_peers(&self) -> Result<(), ConfigError> {
        let fail = |key, reason| Err(ConfigError::Value { key, reason });
        if self.peers.len() > PEERS_MAX {
            return fail("peer", "there are at most 256 regions of other nodes");
        }
        if !self.peers.is_empty() && self.link.is_none() {
            return fail(
                "link",
                "a node with peers needs `tls = { certificate, key }` under `[link]`",
            );
        }
        let mut ids: Vec<_> = self.regions.iter().map(|region| &region.id).collect();
        ids.extend(self.peers.iter().map(|peer| &peer.region));
        ids.sort();
        if ids.windows(2).any(|pair| pair.first() == pair.last()) {
            return fail("peer.region", "a region is served by one node: it is named twice");
        }
        for peer in &self.peers {
            if !matches!(peer.at, Address::Tcp(_)) {
                return fail(
                    "peer.at",
                    "write `HOST:PORT`; another region is on another machine",
                );
            }
            let is_url = |url: &String| url.starts_with("https://") || url.starts_with("http://");
            if peer.endpoint.as_ref().is_some_and(|url| !is_url(url)) {
                return fail("peer.endpoint", "write a URL such as `https://s3.eu.example`");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
