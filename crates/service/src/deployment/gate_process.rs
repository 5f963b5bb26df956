//! The gate in a process of its own: root keys, the gate's memory and the trust policy, behind a link.

use std::{future::Future, path::Path, sync::Arc};

use casework::ids::Digest;
use futures::future::BoxFuture;
use jiff::Timestamp;
use store::{
    database::Database,
    gate_memory::{GateMemory, OwedPolicy, PolicySeen},
};

use super::{Layout, OpenError, open_roots, read_trust, roots::handing_key};
use crate::{
    config::{Config, Gate},
    gate::{
        Clock, EmbeddedGate, Ledger,
        owner::OwnerKeys,
        remote::{GateService, RemoteGate},
    },
    link::{Address, BindError, Guard, Reception},
    tls::{TlsClient, TlsError, TlsServer},
};

/// Why a gate cannot run.
#[derive(Debug, thiserror::Error)]
pub enum GateProcessError {
    /// The configuration does not say where it is to answer.
    #[error(
        "`amparo.toml` has no `[gate]`; write `at = \"unix:PATH\"` there, or make one with `amparo gate split`"
    )]
    NotConfigured,
    /// Its folder.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its certificate.
    #[error("the gate cannot speak TLS")]
    Tls(#[from] TlsError),
    /// Its address.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// A gate that is open, and bound to its address.
pub struct GateProcess {
    reception: Reception,
    service: Arc<GateService>,
    tls: Option<Arc<TlsServer>>,
    memory: Database,
    ledger: Arc<Ledger>,
    policy: PolicySeen,
}

impl GateProcess {
    /// Opens the gate of the deployment in `dir`, and binds.
    ///
    /// # Errors
    /// See [`GateProcessError`].
    pub fn open(dir: &Path) -> BoxFuture<'_, Result<Self, GateProcessError>> {
        // Boxed, as `Deployment::open_at` is.
        Box::pin(Self::open_in(dir))
    }

    async fn open_in(dir: &Path) -> Result<Self, GateProcessError> {
        let layout = Layout::at(dir);
        let config = Config::read(&layout.config()).map_err(OpenError::from)?;
        let gate = config.gate.as_ref().ok_or(GateProcessError::NotConfigured)?;
        let (trust, digest) = read_trust(&layout.trust())?;
        let clock: Clock = Arc::new(Timestamp::now);
        let roots = open_roots(&layout, &config, &clock)
            .await
            .map_err(OpenError::from)?;
        let memory = Database::open(&layout.gate_memory())
            .await
            .map_err(OpenError::from)?;
        let remembers = GateMemory::new(memory.clone());
        let roots = Arc::new(roots.remembering(remembers.clone()));
        let policy = remembers
            .policy(digest, Timestamp::now())
            .await
            .map_err(OpenError::from)?;
        let ledger = Arc::new(Ledger::open(memory.clone(), Arc::clone(&clock)));
        let owed = (digest, remembers.clone());
        let key = handing_key(&layout, &config, &trust).map_err(OpenError::from)?;
        let release = EmbeddedGate::new(Arc::clone(&roots), Arc::new(remembers), trust, Vec::new(), clock)
            .handing_over(key);
        let owner = Arc::new(OwnerKeys::new(roots, Arc::clone(&ledger)));
        let service = GateService::new(owner, Arc::new(release), ledger.clone(), owed);
        let (guard, tls) = guard(gate, dir)?;
        Ok(Self {
            reception: Reception::bind(&gate.at.within(dir), guard).await?,
            service: Arc::new(service),
            tls,
            memory,
            ledger,
            policy,
        })
    }

    /// Where it answers.
    pub fn address(&self) -> &Address {
        self.reception.address()
    }

    /// Whether its trust policy was in force before. A new one is owed to the docket until the server confirms that it is there.
    pub fn policy_seen(&self) -> PolicySeen {
        self.policy
    }

    /// Answers until `shutdown` completes.
    pub fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> BoxFuture<'static, ()> {
        self.serve_until(Box::pin(shutdown))
    }

    // Boxed, as `Deployment::open_at` is.
    fn serve_until(self, shutdown: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        Box::pin(self.answer(shutdown))
    }

    async fn answer(self, shutdown: BoxFuture<'static, ()>) {
        let keeping = self.tls.map(|tls| tokio::spawn(tls.keep_current()));
        self.reception.serve(self.service, shutdown).await;
        if let Some(keeping) = keeping {
            keeping.abort();
        }
        if let Err(error) = self.ledger.flush().await {
            tracing::error!(%error, "the last second's openings are not in the access ledger");
        }
        self.memory.close().await;
    }
}

fn guard(gate: &Gate, dir: &Path) -> Result<(Guard, Option<Arc<TlsServer>>), TlsError> {
    match &gate.tls {
        Some(mutual) => {
            let tls = TlsServer::open(mutual.within(dir).into())?;
            Ok((Guard::Tls(Arc::clone(&tls)), Some(tls)))
        }
        None => {
            let mut users: std::collections::BTreeSet<u32> = gate.users.iter().copied().collect();
            if users.is_empty() {
                // Files of the folder are its user's, so what it owns says who we are.
                users.extend(std::fs::metadata(dir).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta)));
            }
            Ok((Guard::Users(users), None))
        }
    }
}

/// The gate that the configuration names, for a process that holds no root keys.
///
/// # Errors
/// When its certificate cannot be used.
pub(super) fn remote(gate: &Gate, dir: &Path) -> Result<RemoteGate, TlsError> {
    let tls = gate
        .tls
        .as_ref()
        .map(|mutual| TlsClient::open(mutual.within(dir)));
    Ok(RemoteGate::new(
        gate.at.within(dir),
        tls.transpose()?,
        gate.runs_as,
    ))
}

/// Says in the log where the two processes go by different trust policies, and gives the changes of the gate's that it has
/// nobody's word for that they are in the docket.
pub(super) async fn owed_policies(gate: &RemoteGate, ours: Digest) -> Vec<OwedPolicy> {
    let Ok((digest, owed)) = gate.policy().await else {
        return Vec::new();
    };
    if digest != ours {
        tracing::warn!("the gate's trust.toml is not this process's; the gate goes by its own");
    }
    owed
}
