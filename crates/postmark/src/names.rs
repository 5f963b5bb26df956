//! The name service, or a record of what it said.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use mail_auth::{
    DnsError, DnssecStatus, Error, MX, MessageAuthenticator, Parameters, RecordSet, ResolverCache, Txt,
    common::parse::TxtRecordParser,
    dkim::Atps,
    dmarc::Dmarc,
    hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts},
    spf::Spf,
};

/// How long one question to the name service may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is asked.
const ATTEMPTS: usize = 2;

/// The name service cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the name service cannot be asked: {0}")]
pub struct NamesError(String);

/// Whom the checks ask: the name service, or a [`Zone`] alone.
pub struct Names {
    pub(crate) authenticator: MessageAuthenticator,
    zone: Option<Zone>,
}

impl Names {
    /// The name service at these servers; at those that the system asks where there are none.
    ///
    /// # Errors
    /// When the system's configuration cannot be read.
    pub fn live(servers: &[SocketAddr]) -> Result<Self, NamesError> {
        let fail = |error: &dyn std::fmt::Display| NamesError(error.to_string());
        if servers.is_empty() {
            return Ok(Self {
                authenticator: MessageAuthenticator::new_system_conf().map_err(|error| fail(&error))?,
                zone: None,
            });
        }
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.to_vec())
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let mut options = ResolverOpts::default();
        options.timeout = PATIENCE;
        options.attempts = ATTEMPTS;
        let authenticator = MessageAuthenticator::new(config, options).map_err(|error| fail(&error))?;
        Ok(Self {
            authenticator,
            zone: None,
        })
    }

    /// What a record of the name service says, and nothing else: nobody is asked.
    ///
    /// # Errors
    /// Never in practice.
    pub fn recorded(zone: Zone) -> Result<Self, NamesError> {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        Ok(Self {
            zone: Some(zone),
            ..Self::live(&[nobody])?
        })
    }

    pub(crate) fn about<P>(&self, what: P) -> Parameters<'_, P, Zone, Zone, Zone, Zone, Zone> {
        let zone = self.zone.as_ref();
        Parameters {
            params: what,
            cache_txt: zone,
            cache_mx: zone,
            cache_ptr: zone,
            cache_ipv4: zone,
            cache_ipv6: zone,
        }
    }
}

/// A record of what the name service said. What is not in it does not exist.
#[derive(Default)]
pub struct Zone {
    txt: HashMap<Box<str>, Txt>,
    ipv4: HashMap<Box<str>, RecordSet<Ipv4Addr>>,
}

impl Zone {
    /// With a text record. What it is for is told by its name, as the standards have it.
    #[must_use]
    pub fn txt(mut self, name: &str, text: &str) -> Self {
        let name = key(name);
        let read = if name.contains("._domainkey.") {
            mail_auth::common::verify::DomainKey::parse(text.as_bytes()).map(Txt::from)
        } else if name.starts_with("_dmarc.") {
            Dmarc::parse(text.as_bytes()).map(Txt::from)
        } else if name.contains("._atps.") {
            Atps::parse(text.as_bytes()).map(Txt::from)
        } else {
            Spf::parse(text.as_bytes()).map(Txt::from)
        };
        self.txt.insert(name, read.unwrap_or_else(Txt::Error));
        self
    }

    /// With a text record that the name service failed to give.
    #[must_use]
    pub fn failing(mut self, name: &str) -> Self {
        let failed = Txt::Error(Error::Dns(DnsError::Resolver("no answer".to_owned())));
        self.txt.insert(key(name), failed);
        self
    }

    /// With an address.
    #[must_use]
    pub fn address(mut self, name: &str, address: Ipv4Addr) -> Self {
        self.ipv4.insert(key(name), set(vec![address]));
        self
    }
}

fn key(name: &str) -> Box<str> {
    format!("{}.", name.trim_end_matches('.').to_ascii_lowercase()).into_boxed_str()
}

fn set<T>(rows: Vec<T>) -> RecordSet<T> {
    RecordSet {
        rrset: Arc::from(rows),
        dnssec_status: DnssecStatus::Indeterminate,
    }
}

fn absent() -> Txt {
    Txt::Error(Error::Dns(DnsError::RecordNotFound(
        mail_auth::hickory_resolver::proto::op::ResponseCode::NXDomain,
    )))
}

macro_rules! recorded {
    ($($key:ty => $value:ty, |$zone:ident, $name:ident| $found:expr;)*) => {$(
        impl ResolverCache<$key, $value> for Zone {
            fn get<Q>(&self, $name: &Q) -> Option<$value>
            where
                $key: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                let $zone = self;
                Some($found)
            }
            fn remove<Q>(&self, _: &Q) -> Option<$value>
            where
                $key: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                None
            }
            fn insert(&self, _: $key, _: $value, _: Instant) {}
        }
    )*};
}

recorded! {
    Box<str> => Txt, |zone, name| zone.txt.get(name).cloned().unwrap_or_else(absent);
    Box<str> => RecordSet<Ipv4Addr>, |zone, name| zone.ipv4.get(name).cloned().unwrap_or_else(|| set(Vec::new()));
    Box<str> => RecordSet<Ipv6Addr>, |_zone, _name| set(Vec::new());
    Box<str> => RecordSet<MX>, |_zone, _name| set(Vec::new());
    IpAddr => RecordSet<Box<str>>, |_zone, _name| set(Vec::new());
}
