//! Sending messages to an authority's system: HTTPS with our certificate and their authority's, bounded, to the address that the
//! configuration names and nowhere else.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use reqwest::{Url, header::CONTENT_TYPE, redirect::Policy};

use crate::tls::{MutualTls, TlsClient, TlsError};

/// Longest wait for a connection, its handshake among it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a name's addresses.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for one message and its answer.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Most addresses of one name that are looked at.
const ADDRESSES_MAX: usize = 16;

/// Where an authority takes deliveries.
pub struct Destination {
    url: Url,
    host: String,
    private: bool,
    tls: TlsClient,
}

/// No answer came that could be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreached {
    pub(super) reason: String,
    /// The message may be there all the same.
    pub(super) may_be_there: bool,
}

impl Unreached {
    fn before(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            may_be_there: false,
        }
    }
    fn after(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            may_be_there: true,
        }
    }
}

impl Destination {
    /// An `https` address. Its host is what the certificate at the other end must be for, whatever names `mutual` lists.
    ///
    /// # Errors
    /// When certificates or keys cannot be used.
    pub fn open(url: Url, private: bool, mutual: MutualTls) -> Result<Self, TlsError> {
        let host = url
            .host_str()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_owned();
        let tls = TlsClient::open_named(MutualTls {
            names: vec![host.clone()],
            ..mutual
        })?;
        Ok(Self {
            url,
            host,
            private,
            tls,
        })
    }

    /// Sends one message and reads its answer.
    pub(super) async fn send(&self, message: Vec<u8>) -> Result<Vec<u8>, Unreached> {
        let addresses = self.addresses().await?;
        // Made anew each time: a renewed certificate is taken up, and no connection is left open in between.
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.config().as_ref().clone())
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(SEND_TIMEOUT)
            .resolve_to_addrs(&self.host, &addresses)
            .build()
            .map_err(|error| Unreached::before(error.without_url().to_string()))?;
        let request = client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(message);
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(Unreached::after(format!("it answered with HTTP status {status}")));
        }
        let named = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let essence = named
            .and_then(|named| named.split(';').next())
            .unwrap_or_default();
        if !essence.trim().eq_ignore_ascii_case("application/json") {
            return Err(Unreached::after("its answer is not `application/json`"));
        }
        let mut answer = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| failed(&error))? {
            if answer.len().saturating_add(piece.len()) > ANSWER_BYTES_MAX {
                return Err(Unreached::after(format!(
                    "its answer is longer than {ANSWER_BYTES_MAX} bytes"
                )));
            }
            answer.extend_from_slice(&piece);
        }
        Ok(answer)
    }

    /// The host's addresses, each of which must be one that may be sent to: what is judged is what is dialled.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Unreached> {
        let port = self.url.port_or_known_default().unwrap_or(443);
        let found: Vec<SocketAddr> = match self.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let asked = tokio::time::timeout(
                    RESOLVE_TIMEOUT,
                    tokio::net::lookup_host((self.host.as_str(), port)),
                );
                match asked.await {
                    Ok(Ok(found)) => found.take(ADDRESSES_MAX).collect(),
                    _ => return Err(Unreached::before("its name has no address")),
                }
            }
        };
        if found.is_empty() {
            return Err(Unreached::before("its name has no address"));
        }
        if !self.private && !found.iter().all(|address| is_public(address.ip())) {
            return Err(Unreached::before(
                "its name leads to an address that is not public; set `deliver_private` if it is to be so",
            ));
        }
        Ok(found)
    }
}

fn failed(error: &reqwest::Error) -> Unreached {
    let what = match () {
        () if error.is_connect() => return Unreached::before(format!("no connection: {}", cause(error))),
        () if error.is_timeout() => "no answer in time".to_owned(),
        () => format!("the connection broke: {}", cause(error)),
    };
    Unreached::after(what)
}

/// The innermost reason, which names no address.
fn cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// Whether an address is one of the public Internet: not of this machine, a private or shared network, a link, a
/// documentation, a benchmark, a tunnel or a group (IANA's special-purpose registries).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match (address.to_ipv4_mapped(), address.segments()) {
            (Some(inner), _) => is_public_v4(inner),
            // Global unicast, without Teredo, 6to4, documentation and what is set apart for protocols.
            (None, [0x2001, second, ..]) => second >= 0x0200 && second != 0x0db8,
            (None, [0x2002, ..]) => false,
            (None, [0x3fff, second, ..]) => second >= 0x1000,
            (None, [first, ..]) => first & 0xe000 == 0x2000,
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18..=19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_no_public_network_are_known() {
        for inside in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.19.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::a00:1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:a00:1::1",
            "3fff::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "1.1.1.1",
            "100.128.0.1",
            "172.32.0.1",
            "192.1.0.1",
            "198.20.0.1",
            "223.255.255.1",
            "::ffff:1.1.1.1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }
}
