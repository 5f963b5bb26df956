//! The face for authorities' systems, as the configuration names them.

use std::{io::Read as _, net::SocketAddr, path::Path, sync::Arc};

use hi1::{
    message::Endpoint,
    signature::{KEY_BYTES_MAX, Key},
};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};
use store::hi1::Hi1Store;
use tokio::net::TcpListener;

use super::running::StartError;
use crate::{
    config::{Config, Hi1Key, Signatures},
    hi1::{Destination, Peer, Reader, Signing},
    listener::Door,
    tls::{Audience, Caller, MutualTls, TlsServer},
};

/// How messages call this provider.
pub(super) fn us(config: &Config) -> Option<Endpoint> {
    config.hi1.as_ref().map(|end| Endpoint {
        country: end.country.clone(),
        id: end.id.clone(),
    })
}

/// Who may send.
pub(super) fn peers(config: &Config) -> Vec<Peer> {
    let peer = |peer: &crate::config::Hi1Peer| {
        Some(Peer {
            endpoint: Endpoint {
                country: peer.country.clone(),
                id: peer.id.clone(),
            },
            authority: peer.authority.clone(),
            kind: peer.kind,
            // The configuration was checked to name one.
            country: peer.of_country()?,
            disclosure: peer.disclosure.clone(),
            preservation: peer.preservation.clone(),
            signing: Signing::default(),
        })
    };
    config.hi1_peers.iter().filter_map(peer).collect()
}

/// The same, with what is agreed of their signatures.
pub(super) fn signing_peers(config: &Config, dir: &Path) -> Result<Vec<Peer>, StartError> {
    let mut peers = peers(config);
    // In the same order, with the same left out.
    let known = config.hi1_peers.iter().filter(|peer| peer.of_country().is_some());
    for (peer, configured) in peers.iter_mut().zip(known) {
        peer.signing.required = configured.signatures == Signatures::Required;
        for agreed in &configured.keys {
            let key = key(agreed, dir).map_err(|reason| StartError::Hi1Key {
                path: dir.join(&agreed.file).display().to_string(),
                reason,
            })?;
            peer.signing.keys.push(key);
        }
    }
    Ok(peers)
}

/// Where packages are pushed to, with a place for each of [`peers`].
pub(super) fn destinations(config: &Config, dir: &Path) -> Result<Vec<Option<Destination>>, StartError> {
    let Some(end) = &config.hi1 else {
        return Ok(Vec::new());
    };
    let known = config.hi1_peers.iter().filter(|peer| peer.of_country().is_some());
    let open = |peer: &crate::config::Hi1Peer| {
        let Some(url) = peer.destination() else {
            return Ok(None);
        };
        let mutual = MutualTls {
            certificate: end.tls.certificate.clone(),
            key: end.tls.key.clone(),
            ca: peer.ca.clone(),
            names: peer.names.clone(),
        };
        let opened = Destination::open(url, peer.deliver_private, mutual.within(dir));
        opened
            .map(Some)
            .map_err(|source| StartError::Tls { face: "hi1", source })
    };
    known.map(open).collect()
}

fn key(agreed: &Hi1Key, dir: &Path) -> Result<Key, String> {
    let file = std::fs::File::open(dir.join(&agreed.file)).map_err(|error| error.to_string())?;
    let most = u64::try_from(KEY_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() > KEY_BYTES_MAX {
        return Err(format!("it is larger than {KEY_BYTES_MAX} bytes"));
    }
    let when = (agreed.from, agreed.until);
    let is_jwk = bytes.trim_ascii_start().starts_with(b"{");
    let key = if is_jwk {
        Key::from_jwk(&agreed.id, agreed.algorithm, when, &bytes)
    } else {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&bytes)
            .map_err(|_| "it is neither a JWK nor PEM with the label `PUBLIC KEY`".to_owned())?;
        Key::from_spki(&agreed.id, agreed.algorithm, when, &der)
    };
    key.map_err(|error| error.to_string())
}

/// What the desk reads messages with; without `[hi1]` there are none.
pub(super) fn reader(config: &Config, store: &Hi1Store) -> Option<Arc<Reader>> {
    Some(Arc::new(Reader::new(store.clone(), us(config)?, peers(config))))
}

/// The listener, where the configuration has one.
pub(super) async fn bind(config: &Config, dir: &Path) -> Result<Option<(Door, SocketAddr)>, StartError> {
    let Some(end) = &config.hi1 else {
        return Ok(None);
    };
    // In the order of [`peers`], whose places a certificate's is.
    let known = config.hi1_peers.iter().filter(|peer| peer.of_country().is_some());
    let callers = known.map(|peer| Caller {
        ca: dir.join(&peer.ca),
        names: peer.names.clone(),
    });
    let audience = Audience::Named {
        files: end.tls.within(dir),
        callers: callers.collect(),
    };
    let tls = TlsServer::open(audience).map_err(|source| StartError::Tls { face: "hi1", source })?;
    let address = end.listen;
    let fail = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    let door = Door {
        listener,
        tls: Some(tls),
    };
    Ok(Some((door, bound)))
}
