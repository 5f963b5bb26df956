//! Regions that other nodes serve, as the configuration names them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casework::ids::RegionId;

use super::gate_port::GateDoor;
use crate::{
    app::ports::{GatePort, VaultPort},
    config::Config,
    docket::Docket,
    region::{Gates, Peer, Vaults},
    tls::{Audience, Caller, MutualTls, TlsClient, TlsError},
};

/// Regions that this node serves.
pub(super) fn served(config: &Config) -> BTreeSet<RegionId> {
    config.regions.iter().map(|region| region.id.clone()).collect()
}

/// The other nodes: regions that are reached in the same way are one node's.
///
/// # Errors
/// When our certificate, or what vouches for theirs, cannot be used.
pub(super) fn peers(config: &Config, dir: &std::path::Path) -> Result<Vec<Peer>, TlsError> {
    let Some(link) = &config.link else {
        return Ok(Vec::new());
    };
    let mut nodes: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for peer in &config.peers {
        let way = (peer.at.to_string(), peer.ca.clone(), peer.name.clone());
        let (address, regions) = (peer.at.clone(), nodes.entry(way).or_default());
        regions.insert(peer.region.clone(), (peer.country.clone(), address));
    }
    let mut peers = Vec::with_capacity(nodes.len());
    for ((_, ca, name), regions) in nodes {
        let Some((_, address)) = regions.values().next().cloned() else {
            continue;
        };
        let mutual = MutualTls {
            certificate: link.tls.certificate.clone(),
            key: link.tls.key.clone(),
            ca,
            names: vec![name],
        };
        let tls = TlsClient::open(mutual.within(dir))?;
        let countries = regions
            .into_iter()
            .map(|(region, (country, _))| (region, country));
        peers.push(Peer::new(countries.collect(), address, tls));
    }
    Ok(peers)
}

/// Whom the link's listener admits: the nodes of the regions named, and nobody else.
pub(super) fn audience(config: &Config, dir: &std::path::Path) -> Option<Audience> {
    let link = config.link.as_ref()?;
    let callers = config.peers.iter().map(|peer| Caller {
        ca: dir.join(&peer.ca),
        names: vec![peer.name.clone()],
    });
    Some(Audience::Own {
        files: link.tls.within(dir),
        callers: callers.collect(),
    })
}

/// The desk's two ports over this node and the others.
pub(super) fn ports(
    config: &Config,
    here: (Arc<dyn VaultPort>, Arc<dyn GatePort>),
    peers: Vec<Peer>,
    docket: &Docket,
) -> (Arc<dyn VaultPort>, Arc<dyn GatePort>) {
    if peers.is_empty() {
        return here;
    }
    let door = |peer: &Peer| {
        let door = GateDoor::new(peer.gate(), peer.ledger(), docket.clone(), &config.docket.origin);
        (peer.regions().clone(), Arc::new(door) as Arc<dyn GatePort>)
    };
    let doors = peers.iter().map(door).collect();
    let gates = Gates::new(here.1, served(config), doors);
    let vaults = Vaults::new(here.0, served(config), peers);
    (Arc::new(vaults), Arc::new(gates))
}
