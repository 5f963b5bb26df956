//! A deployment that serves.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use hyper_util::service::TowerToHyperService;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::{Deployment, gate_port::LedgerDoor, gate_process, hi1_face, regions, storage::serve_objects};
use store::{gate_memory::OwedPolicy, peer_releases::PeerReleases};

use crate::{
    app::{clock::SystemEntropy, timer::keep_ticking},
    auth::Permissions,
    config::Listen,
    gate::{LedgerGate, remote::RemoteGate},
    hi1::{self, Hi1, Pusher, keep_pushing},
    http::{Api, router},
    link::{Address, BindError, Guard, Reception},
    listener::{self, Door},
    region::PeerService,
    tls::{Audience, TlsFiles, TlsServer},
    transfers::Transfers,
    vault::Vault,
};

/// Time between looks at what has fallen due: gags that end, late notices.
const TICK: Duration = Duration::from_secs(30);
/// Customers whose ledgers are kept in one transaction.
const TENANTS_AT_ONCE: u32 = 200;
/// A package that was last written to this long ago is not being written any more.
const UNFINISHED_PACKAGE_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest wait for requests under way when stopping.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// Why a deployment cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound.
    #[error("cannot listen on `{address}`; is another process using it?")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The permissions that this program carries do not validate: a defect of it.
    #[error(transparent)]
    Permissions(#[from] crate::auth::PermissionsError),
    /// A face's certificate or key.
    #[error("`{face}` cannot speak TLS")]
    Tls {
        /// Which, as the configuration names it.
        face: &'static str,
        /// Why.
        #[source]
        source: crate::tls::TlsError,
    },
    /// A key that an authority's system signs with.
    #[error("the key `{path}` of an authority's system cannot be used: {reason}")]
    Hi1Key {
        /// Where it is.
        path: String,
        /// Why, and what would do.
        reason: String,
    },
    /// The address for mail, or the maildir.
    #[error("`{place}` cannot be used for mail")]
    Mail {
        /// Which.
        place: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A list of hints.
    #[error(transparent)]
    Hints(#[from] crate::requesters::HintsError),
    /// The address for links cannot be bound.
    #[error(transparent)]
    Link(#[from] BindError),
    /// Another node is the desk.
    #[error(
        "another node runs the desk of this deployment; run `serve --storage` here, or stop the other one"
    )]
    DeskElsewhere,
    /// The desk's lease cannot be asked for.
    #[error("whether another node runs the desk cannot be told")]
    Lease(#[from] store::lease::LeaseError),
    /// The configuration names no region.
    #[error("the configuration names no region")]
    NoRegion,
    /// Half-written files of an earlier run cannot be swept.
    #[error("what an earlier run left half-written cannot be swept")]
    Sweep(#[source] crate::vault::VaultError),
}

/// A deployment that serves, until it is stopped.
pub struct Running {
    s3: SocketAddr,
    api: SocketAddr,
    link: Option<Address>,
    mail: Option<Address>,
    hi1: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Where S3 is served.
    pub fn s3(&self) -> SocketAddr {
        self.s3
    }
    /// Where the API is served, with the docket's files under `/docket`.
    pub fn api(&self) -> SocketAddr {
        self.api
    }
    /// Where nodes of other regions ask, where they may.
    pub fn link(&self) -> Option<&Address> {
        self.link.as_ref()
    }
    /// Where the mail server hands over demands by LMTP, where it does.
    pub fn mail(&self) -> Option<&Address> {
        self.mail.as_ref()
    }
    /// Where authorities' systems send, where they may.
    pub fn hi1(&self) -> Option<SocketAddr> {
        self.hi1
    }
    /// Stops taking requests, lets those under way end, and finishes the docket's batch.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = tokio::time::timeout(STOP_PATIENCE, task).await;
        }
    }
}

pub(super) async fn bind(
    face: &'static str,
    at: &Listen,
    dir: &std::path::Path,
) -> Result<(Door, SocketAddr), StartError> {
    let address = at.listen;
    let fail = |source| StartError::Listen { address, source };
    let open = |files: &TlsFiles| TlsServer::open(Audience::Public(files.within(dir)));
    let tls = at.tls.as_ref().map(open).transpose();
    let tls = tls.map_err(|source| StartError::Tls { face, source })?;
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    Ok((Door { listener, tls }, bound))
}

pub(super) fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut told = stop.subscribe();
    async move {
        let _ = told.wait_for(|stop| *stop).await;
    }
}

impl Deployment {
    /// Sweeps what an earlier run left half-written, then serves S3, the API and the docket's files, sequences the
    /// docket, and does what falls due.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(&self) -> BoxFuture<'_, Result<Running, StartError>> {
        // Boxed, as `Deployment::open_at` is.
        Box::pin(self.begin())
    }

    async fn begin(&self) -> Result<Running, StartError> {
        let (s3_door, s3) = bind("s3", &self.config.s3, self.layout.dir()).await?;
        let (api_door, api) = bind("api", &self.config.api, self.layout.dir()).await?;
        let hi1 = hi1_face::bind(&self.config, self.layout.dir()).await?;
        let hi1_to = hi1_face::destinations(&self.config, self.layout.dir())?;
        let hi1_peers = hi1_face::signing_peers(&self.config, self.layout.dir())?;
        sweep_packages(&self.layout.packages());
        let permissions = Arc::new(Permissions::load()?);
        let stop = watch::Sender::new(false);
        let mut tasks = Vec::new();

        if let Some(tls) = &api_door.tls {
            let (keeping, told) = (Arc::clone(tls).keep_current(), stopped(&stop));
            tasks.push(tokio::spawn(async move {
                tokio::select! { () = told => {}, () = keeping => {} }
            }));
        }
        if let Some(lease) = self.hold_desk().await? {
            let told = stopped(&stop);
            tasks.push(tokio::spawn(lease.keep(told)));
        }
        tasks.push(tokio::spawn(self.docket.clone().run(stopped(&stop))));
        serve_objects(&self.config, &self.vault, s3_door, &stop, &mut tasks)?;

        let state = Api::new(
            self.desk.clone(),
            self.tokens.clone(),
            permissions,
            Arc::new(self.vault.clone()),
            Arc::new(LedgerDoor(self.ledger.clone(), self.docket.clone())),
            self.transfers.clone(),
        );
        let app = router(state, Some(self.docket.router()));
        let told = stopped(&stop);
        tasks.push(tokio::spawn(async move {
            listener::serve(api_door, TowerToHyperService::new(app), told).await;
        }));

        let link = match self.bind_link().await? {
            None => None,
            Some((reception, tls)) => {
                let address = reception.address().clone();
                let service = PeerService::new(
                    self.vault.clone(),
                    regions::served(&self.config),
                    Arc::clone(&self.release),
                    Arc::clone(&self.ledger),
                    PeerReleases::new(self.database.clone()),
                );
                let told = stopped(&stop);
                tasks.push(tokio::spawn(async move {
                    let keeping = tokio::spawn(tls.keep_current());
                    reception.serve(Arc::new(service), told).await;
                    keeping.abort();
                }));
                Some(address)
            }
        };

        let hi1 = hi1.map(|(door, address)| {
            self.serve_hi1(door, (hi1_peers, hi1_to), &stop, &mut tasks);
            address
        });

        if let Some(gate) = self.remote.clone() {
            let (docket, ours, told) = (self.docket.clone(), self.trust_digest, stopped(&stop));
            tasks.push(tokio::spawn(async move {
                tokio::select! { () = told => {}, () = log_policies(gate, docket, ours) => {} }
            }));
        }
        let (vault, ledger, told) = (self.vault.clone(), self.ledger.clone(), stopped(&stop));
        tasks.push(tokio::spawn(keep_slots(vault, ledger, told)));

        let mail = self.start_mail(&stop, &mut tasks).await?;

        let (desk, clock, told) = (self.desk.clone(), self.clock.clone(), stopped(&stop));
        tasks.push(tokio::spawn(keep_ticking(desk, clock, TICK, told)));
        let (transfers, told) = (self.transfers.clone(), stopped(&stop));
        tasks.push(tokio::spawn(keep_noting_lapses(transfers, told)));
        Ok(Running {
            s3,
            api,
            link,
            mail,
            hi1,
            stop,
            tasks,
        })
    }
}

impl Deployment {
    /// Serves authorities' systems.
    fn serve_hi1(
        &self,
        door: Door,
        (peers, to): (Vec<hi1::Peer>, Vec<Option<hi1::Destination>>),
        stop: &watch::Sender<bool>,
        tasks: &mut Vec<JoinHandle<()>>,
    ) {
        let Some(us) = hi1_face::us(&self.config) else {
            return;
        };
        let face = Hi1::new(
            self.desk.clone(),
            self.objects.clone(),
            us,
            peers,
            Arc::new(SystemEntropy),
        );
        if let Some(tls) = &door.tls {
            let (keeping, told) = (Arc::clone(tls).keep_current(), stopped(stop));
            tasks.push(tokio::spawn(async move {
                tokio::select! { () = told => {}, () = keeping => {} }
            }));
        }
        let pusher = Pusher::new(face.clone(), to);
        for place in pusher.places() {
            let told = stopped(stop);
            tasks.push(tokio::spawn(keep_pushing(pusher.clone(), place, TICK, told)));
        }
        let told = stopped(stop);
        tasks.push(tokio::spawn(async move {
            listener::serve(door, TowerToHyperService::new(hi1::router(face)), told).await;
        }));
    }

    /// The listener for nodes of other regions, where the configuration has one and names any.
    async fn bind_link(&self) -> Result<Option<(Reception, Arc<TlsServer>)>, StartError> {
        let listen = self.config.link.as_ref().and_then(|link| link.listen);
        let audience = regions::audience(&self.config, self.layout.dir());
        let (Some(listen), Some(audience)) = (listen, audience) else {
            return Ok(None);
        };
        let tls = TlsServer::open(audience).map_err(|source| StartError::Tls { face: "link", source })?;
        let guard = Guard::Tls(Arc::clone(&tls));
        let reception = Reception::bind(&Address::Tcp(listen.to_string()), guard).await?;
        Ok(Some((reception, tls)))
    }
}

/// Puts each change of the gate's trust policy into the docket, for a gate of its own cannot, and confirms it to the gate. A
/// crash in between, and it is there twice. Never returns.
async fn log_policies(gate: RemoteGate, docket: crate::docket::Docket, ours: casework::ids::Digest) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Those that are in the docket, and whose confirmation may not have reached the gate.
    let mut entered = std::collections::BTreeSet::new();
    loop {
        ticks.tick().await;
        let owed = gate_process::owed_policies(&gate, ours).await;
        for OwedPolicy { number, digest } in owed {
            if !entered.contains(&number) {
                tracing::warn!(
                    number,
                    "the gate's trust.toml is not the one that was in force before"
                );
                if let Err(error) = docket.enqueue(super::POLICY_KIND, digest.0).await {
                    tracing::error!(%error, "the change of the trust policy is not in the docket yet");
                    break;
                }
                entered.insert(number);
            }
            match gate.policy_logged(number).await {
                Ok(()) => {
                    entered.remove(&number);
                }
                Err(error) => {
                    tracing::warn!(%error, "the gate was not told that the docket holds the change of its policy");
                    break;
                }
            }
        }
    }
}

/// Removes packages that were begun and never finished: their records are used up, and nobody can fetch them.
fn sweep_packages(folder: &std::path::Path) {
    let old = |meta: std::fs::Metadata| {
        meta.modified()
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > UNFINISHED_PACKAGE_AGE))
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let unfinished = entry.path().extension().is_some_and(|end| end == "part");
        if unfinished && entry.metadata().is_ok_and(old) {
            match std::fs::remove_file(entry.path()) {
                Ok(()) => tracing::info!("a package that was never finished was removed"),
                Err(error) => tracing::warn!(%error, "a package that was never finished stays"),
            }
        }
    }
}

/// Has every customer's ledger get the slots of days that are over, whether anything was opened or not.
async fn keep_slots(vault: Vault, ledger: Arc<dyn LedgerGate>, told: impl Future<Output = ()>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(told);
    loop {
        tokio::select! {
            () = &mut told => return,
            _ = ticks.tick() => {}
        }
        let mut after = None;
        loop {
            let tenants: Vec<_> = match vault.tenants(after.as_ref(), TENANTS_AT_ONCE).await {
                Ok(rows) => rows.into_iter().map(|row| row.id).collect(),
                Err(error) => {
                    tracing::error!(%error, "the customers cannot be listed");
                    break;
                }
            };
            if tenants.is_empty() {
                break;
            }
            if let Err(error) = ledger.keep_slots(&tenants).await {
                tracing::error!(%error, "the access ledgers cannot be kept");
                break;
            }
            after = tenants.last().cloned();
        }
    }
}

/// Has each transfer whose basis ended say so, when the service starts and on each new day: bases end with days.
async fn keep_noting_lapses(transfers: Transfers, told: impl Future<Output = ()>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(told);
    let mut noted = None;
    loop {
        tokio::select! {
            () = &mut told => return,
            _ = ticks.tick() => {}
        }
        let today = transfers.today();
        if noted == Some(today) {
            continue;
        }
        match transfers.note_lapses().await {
            Ok(lapsed) => {
                noted = Some(today);
                for transfer in lapsed {
                    tracing::warn!(%transfer, "the basis of a transfer ended; `amparo transfer register` says what hangs");
                }
            }
            Err(error) => tracing::error!(%error, "the transfers could not be looked at"),
        }
    }
}
