//! A node that stores and serves objects, and does nothing else.
//!
//! Any number of them work on one database server and one object store per region: what they know of each other is in
//! the database. The desk and the docket are one node's ([`super::Deployment`]).

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc};

use casework::ids::{Digest, RegionId};
use envelope::secrets::DeploymentKey;
use futures::future::BoxFuture;
use store::{
    database::{Database, Engine},
    vault::VaultStore,
};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    Layout, OpenError, StartError, docket_key, open_gate, place, read_key, read_trust, regions,
    running::{STOP_PATIENCE, bind, stopped},
    stores,
};
use crate::{
    app::clock::SystemClock,
    config::{Config, Store},
    gate::{Ledger, NoAnswer, remote::RemoteGate},
    listener::Door,
    s3::{S3Config, serve},
    vault::{
        Vault,
        lifecycle::{DAY, EXPIRE_EVERY},
    },
};

/// An open storage node.
pub struct StorageNode {
    layout: Layout,
    config: Config,
    vault: Vault,
    own_ledger: Option<Arc<Ledger>>,
    databases: Vec<Database>,
    remote: Option<RemoteGate>,
    trust_digest: Digest,
}

/// A storage node that serves, until it is stopped.
pub struct RunningStorage {
    s3: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl StorageNode {
    /// Opens the folder of a storage node: the configuration, `trust.toml` and keys of the deployment that it belongs to.
    ///
    /// # Errors
    /// When the database is a file, which is one node's alone, or as [`super::Deployment::open`].
    pub fn open(dir: &Path) -> BoxFuture<'_, Result<Self, OpenError>> {
        // Boxed, as `Deployment::open_at` is.
        Box::pin(Self::open_in(dir))
    }

    async fn open_in(dir: &Path) -> Result<Self, OpenError> {
        let layout = Layout::at(dir);
        let config = Config::read(&layout.config())?;
        let (trust, digest) = read_trust(&layout.trust())?;
        let database = Database::open(place(&layout, &config)?).await?;
        if database.engine() != Engine::Postgres {
            return Err(OpenError::NotShared);
        }
        if config
            .regions
            .iter()
            .any(|region| matches!(region.store, Store::Disk))
        {
            return Err(OpenError::OwnDisk);
        }
        let gate = open_gate(&layout, &config, &trust, digest, &(Arc::new(SystemClock) as _)).await?;
        let store = VaultStore::new(database.clone()).await?;
        let blobs = stores::open(&layout, &config, docket_key(&layout, &config)?.verifier()).await?;
        let sealing = DeploymentKey::from_random(*read_key(&layout.credential_key())?);
        Ok(Self {
            vault: Vault::new(store, blobs, gate.owner, sealing),
            own_ledger: gate.own_ledger,
            databases: std::iter::once(database).chain(gate.memory).collect(),
            remote: gate.remote,
            trust_digest: digest,
            layout,
            config,
        })
    }

    /// As [`super::Deployment::remote_gate_answers`].
    pub async fn remote_gate_answers(&self) -> Option<Result<bool, NoAnswer>> {
        let digest = self.remote.as_ref()?.policy_digest().await;
        Some(digest.map(|digest| digest == self.trust_digest))
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Closes the databases.
    pub async fn close(&self) {
        if let Some(ledger) = &self.own_ledger
            && let Err(error) = ledger.flush().await
        {
            tracing::error!(%error, "the last second's openings are not in the access ledger");
        }
        for database in &self.databases {
            database.close().await;
        }
    }

    /// Serves S3.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(&self) -> BoxFuture<'_, Result<RunningStorage, StartError>> {
        // Boxed, as `Deployment::open_at` is.
        Box::pin(self.begin())
    }

    async fn begin(&self) -> Result<RunningStorage, StartError> {
        let (door, s3) = bind("s3", &self.config.s3, self.layout.dir()).await?;
        let stop = watch::Sender::new(false);
        let mut tasks = Vec::new();
        serve_objects(&self.config, &self.vault, door, &stop, &mut tasks)?;
        Ok(RunningStorage { s3, stop, tasks })
    }
}

impl RunningStorage {
    /// Where S3 is served.
    pub fn s3(&self) -> SocketAddr {
        self.s3
    }
    /// Stops taking requests and lets those under way end.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = tokio::time::timeout(STOP_PATIENCE, task).await;
        }
    }
}

/// Serves S3 behind `door`, keeps its certificate current, and sweeps what was left half-written.
pub(super) fn serve_objects(
    config: &Config,
    vault: &Vault,
    door: Door,
    stop: &watch::Sender<bool>,
    tasks: &mut Vec<JoinHandle<()>>,
) -> Result<(), StartError> {
    let region = config.regions.first().ok_or(StartError::NoRegion)?.id.clone();
    if let Some(tls) = &door.tls {
        let (keeping, told) = (Arc::clone(tls).keep_current(), stopped(stop));
        tasks.push(tokio::spawn(async move {
            tokio::select! { () = told => {}, () = keeping => {} }
        }));
    }
    let (sweeping, told) = (vault.clone().keep_swept(), stopped(stop));
    tasks.push(tokio::spawn(async move {
        tokio::select! { () = told => {}, _ = sweeping => {} }
    }));
    let (expiring, told) = (vault.clone().keep_expiring(EXPIRE_EVERY, DAY), stopped(stop));
    tasks.push(tokio::spawn(async move {
        tokio::select! { () = told => {}, () = expiring => {} }
    }));
    let faces = S3Config::new(region).among(regions::served(config), elsewhere(config));
    let (vault, told) = (vault.clone(), stopped(stop));
    tasks.push(tokio::spawn(async move {
        if let Err(error) = serve(door, vault, faces, told).await {
            tracing::error!(%error, "S3 is no longer served");
        }
    }));
    Ok(())
}

/// Where the S3 faces of other regions are, as far as that was said.
fn elsewhere(config: &Config) -> BTreeMap<RegionId, Option<String>> {
    let regions = config.peers.iter();
    regions
        .map(|peer| (peer.region.clone(), peer.endpoint.clone()))
        .collect()
}
