//! The part of the configuration about authorities' systems.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

use casework::{
    demand::{AuthorityKind, CountryCode},
    ids::InstrumentId,
    rulebook::{InstrumentKind, Rulebook},
};
use hi1::signature::Algorithm;
use jiff::Timestamp;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};
use crate::{
    hi1::{PEERS_MAX, is_public},
    tls::TlsFiles,
};

/// Where authorities' systems send, and how their messages call this provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hi1End {
    /// Address and port. There is no plain HTTP here.
    pub listen: SocketAddr,
    /// Our certificate and key.
    pub tls: TlsFiles,
    /// Country in this provider's own identifier: two upper-case letters, `XX` in tests.
    pub country: String,
    /// This provider's own identifier: the receiver that messages name.
    pub id: String,
}

/// An authority's system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hi1Peer {
    /// PEM: who vouches for its certificate; the certificate itself pins it.
    pub ca: PathBuf,
    /// Names that its certificate may have: one of them must fit.
    pub names: Vec<String>,
    /// Country in its identifier: two upper-case letters, `XX` in tests.
    pub country: String,
    /// The country whose authority it is, where that is another than its identifier says, or `XX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority_country: Option<CountryCode>,
    /// Its identifier: the sender that its messages name.
    pub id: String,
    /// The authority, as letters say it.
    pub authority: String,
    /// What kind of body the authority is.
    pub kind: AuthorityKind,
    /// The instrument that its disclosure tasks are.
    pub disclosure: InstrumentId,
    /// The instrument that its preservation tasks are; without it they are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preservation: Option<InstrumentId>,
    /// Where packages are pushed to: an `https` address. Without it the authority fetches them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_to: Option<String>,
    /// Whether that may lead to an address of a private network.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deliver_private: bool,
    /// Whether its messages must be signed.
    #[serde(default, skip_serializing_if = "Signatures::is_optional")]
    pub signatures: Signatures,
    /// The keys that it signs with. Without one, a signed message is refused.
    #[serde(default, rename = "key", skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Hi1Key>,
}

/// Whether messages must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signatures {
    /// One that is there is verified.
    #[default]
    Optional,
    /// One must be there.
    Required,
}

impl Signatures {
    fn is_optional(&self) -> bool {
        *self == Self::Optional
    }
}

/// A public key that was agreed with an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hi1Key {
    /// What messages call it: `kid` of their signatures.
    pub id: String,
    /// A JWK, or PEM with the label `PUBLIC KEY`.
    pub file: PathBuf,
    /// The one algorithm that it signs by.
    pub algorithm: Algorithm,
    /// From when it is taken.
    pub from: Timestamp,
    /// Until when, that moment excluded.
    pub until: Timestamp,
}

/// Most keys of one authority's system, those that ended among them.
pub const KEYS_MAX: usize = 16;

impl Hi1Peer {
    /// Where packages are pushed to, where it can be.
    pub fn destination(&self) -> Option<Url> {
        let text = self.deliver_to.as_deref()?;
        let url = (text.len() <= URL_BYTES_MAX)
            .then(|| Url::parse(text).ok())
            .flatten()?;
        let plain = url.scheme() == "https"
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let address: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let reachable = self.deliver_private || address.is_none_or(is_public);
        (plain && reachable).then_some(url)
    }

    fn check_keys(&self) -> Result<(), ConfigError> {
        let fail = |key, reason| Err(ConfigError::Value { key, reason });
        if self.keys.len() > KEYS_MAX {
            return fail("hi1_peer.key", "an authority's system has at most 16 keys");
        }
        let mut ids = BTreeSet::new();
        if !self.keys.iter().all(|key| ids.insert(&key.id)) {
            return fail(
                "hi1_peer.key.id",
                "two keys of one authority's system have the same name",
            );
        }
        if self.keys.iter().any(|key| key.from >= key.until) {
            return fail("hi1_peer.key.until", "a key ends after it begins");
        }
        if self.signatures == Signatures::Required && self.keys.is_empty() {
            return fail(
                "hi1_peer.signatures",
                "name the keys that it signs with, as `[[hi1_peer.key]]`",
            );
        }
        Ok(())
    }

    /// The country whose authority it is.
    pub fn of_country(&self) -> Option<CountryCode> {
        self.authority_country
            .clone()
            .or_else(|| CountryCode::new(self.country.clone()).ok())
    }
}

/// Longest address, in bytes.
const URL_BYTES_MAX: usize = 2048;

/// Longest identifier of an endpoint, in characters; the standard's is 65,535.
const ID_CHARS_MAX: usize = 255;

impl Config {
    pub(super) fn check_hi1(&self) -> Result<(), ConfigError> {
        let fail = |key, reason| Err(ConfigError::Value { key, reason });
        let Some(end) = &self.hi1 else {
            return if self.hi1_peers.is_empty() {
                Ok(())
            } else {
                fail(
                    "hi1",
                    "authorities' systems need `[hi1]` with `listen`, `tls`, `country` and `id`",
                )
            };
        };
        if self.hi1_peers.is_empty() {
            return fail(
                "hi1_peer",
                "name at least one authority's system, or leave `[hi1]` out",
            );
        }
        if self.hi1_peers.len() > PEERS_MAX {
            return fail("hi1_peer", "there are at most 1000 authorities' systems");
        }
        let is_id =
            |id: &str| !id.trim().is_empty() && id.chars().count() <= ID_CHARS_MAX && !id.contains('/');
        let is_country = |code: &str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_country(&end.country) {
            return fail("hi1.country", "write two upper-case letters");
        }
        if !is_id(&end.id) {
            return fail("hi1.id", "write 1 to 255 characters without `/`");
        }
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        for peer in &self.hi1_peers {
            if !is_id(&peer.id) {
                return fail("hi1_peer.id", "write 1 to 255 characters without `/`");
            }
            if !is_country(&peer.country) {
                return fail("hi1_peer.country", "write two upper-case letters");
            }
            if peer.of_country().is_none() {
                return fail(
                    "hi1_peer.authority_country",
                    "say whose authority it is: its identifier names no country",
                );
            }
            if peer.authority.trim().is_empty() {
                return fail("hi1_peer.authority", "name the authority");
            }
            if !ids.insert((&peer.country, &peer.id)) {
                return fail("hi1_peer.id", "two authorities' systems have the same identifier");
            }
            if peer.names.is_empty() || !peer.names.iter().all(|name| names.insert((&peer.ca, name))) {
                return fail(
                    "hi1_peer.names",
                    "each needs a name of its own: a certificate says which of them one is",
                );
            }
            peer.check_keys()?;
            if peer.deliver_to.is_some() != peer.destination().is_some() {
                return fail(
                    "hi1_peer.deliver_to",
                    "write an `https` address without a user's name; one of a private network needs `deliver_private = true`",
                );
            }
            if peer.deliver_private && peer.deliver_to.is_none() {
                return fail("hi1_peer.deliver_private", "it belongs to a `deliver_to`");
            }
            let course = |instrument| Rulebook::builtin().course(instrument);
            if course(&peer.disclosure) != InstrumentKind::Disclosure {
                return fail(
                    "hi1_peer.disclosure",
                    "name an instrument of disclosure that the rulebook has",
                );
            }
            if peer
                .preservation
                .as_ref()
                .is_some_and(|instrument| course(instrument) != InstrumentKind::Preservation)
            {
                return fail(
                    "hi1_peer.preservation",
                    "name an instrument of preservation that the rulebook has",
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = r#"
ca = "ca.pem"
names = ["hi1.police.example"]
country = "DE"
id = "POLICE-01"
authority = "Federal Police"
kind = "police"
disclosure = "eu.domestic_order"
"#;

    fn peer(more: &str) -> Hi1Peer {
        toml::from_str(&format!("{PEER}{more}")).unwrap()
    }

    #[test]
    fn an_address_to_deliver_to_is_https_and_public_or_said_not_to_be() {
        let to = |text: &str, private: bool| {
            peer(&format!("deliver_to = {text:?}\ndeliver_private = {private}\n")).destination()
        };
        for good in [
            "https://hi1.police.example/",
            "https://hi1.police.example:9443/in?case=hi1",
            "https://1.1.1.1/",
        ] {
            assert!(to(good, false).is_some(), "{good}");
        }
        for bad in [
            "http://hi1.police.example/",
            "ftp://hi1.police.example/",
            "https://",
            "hi1.police.example",
            "https://user@hi1.police.example/",
            "https://user:word@hi1.police.example/",
            "https://hi1.police.example/#a",
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest",
        ] {
            assert!(to(bad, false).is_none(), "{bad}");
        }
        assert!(to("https://10.0.0.1/", true).is_some());
        assert!(to("http://10.0.0.1/", true).is_none());
    }

    #[test]
    fn keys_have_names_of_their_own_and_a_time() {
        let key = |id: &str, from: &str, until: &str| {
            format!(
                "[[key]]\nid = {id:?}\nfile = \"k.pem\"\nalgorithm = \"ES256\"\nfrom = {from:?}\nuntil = {until:?}\n"
            )
        };
        let (from, until) = ("2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
        let good = key("a", from, until) + &key("b", from, until);
        peer(&format!("signatures = \"required\"\n{good}"))
            .check_keys()
            .unwrap();
        for bad in [
            "signatures = \"required\"\n".to_owned(),
            key("a", from, until) + &key("a", from, until),
            key("a", until, from),
            (0..=KEYS_MAX)
                .map(|number| key(&number.to_string(), from, until))
                .collect(),
        ] {
            assert!(peer(&bad).check_keys().is_err(), "{bad}");
        }
        // No shared secret and no `none` is an algorithm.
        for algorithm in ["HS256", "none", "RS1"] {
            let text = format!("{PEER}{}", key("a", from, until).replace("ES256", algorithm));
            assert!(toml::from_str::<Hi1Peer>(&text).is_err());
        }
    }
}
