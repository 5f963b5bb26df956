//! The face for authorities' systems, as the configuration names them.

use std::{net::SocketAddr, sync::Arc};

use hi1::message::Endpoint;
use store::hi1::Hi1Store;
use tokio::net::TcpListener;

use super::running::StartError;
use crate::{
    config::Config,
    hi1::{Peer, Reader},
    listener::Door,
    tls::{Audience, Caller, TlsServer},
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
        })
    };
    config.hi1_peers.iter().filter_map(peer).collect()
}

/// What the desk reads messages with; without `[hi1]` there are none.
pub(super) fn reader(config: &Config, store: &Hi1Store) -> Option<Arc<Reader>> {
    Some(Arc::new(Reader::new(store.clone(), us(config)?, peers(config))))
}

/// The listener, where the configuration has one.
pub(super) async fn bind(
    config: &Config,
    dir: &std::path::Path,
) -> Result<Option<(Door, SocketAddr)>, StartError> {
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
