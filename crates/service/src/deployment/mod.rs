//! A deployment: one folder with everything in it, opened, and served.

pub mod backup;
mod create;
mod desk_lease;
mod destruction;
mod docket_port;
mod gate_port;
mod gate_process;
mod hi1_face;
mod layout;
mod mail;
mod regions;
mod retirement;
mod roots;
mod running;
mod secrets;
mod split;
mod storage;
mod stores;
mod tenants;

use std::{path::Path, sync::Arc};

use casework::{
    gate::{PolicyError, TrustPolicy},
    ids::{Digest, TenantId},
    rulebook::Rulebook,
};
use envelope::{case_file::CaseRoot, secrets::DeploymentKey};
use futures::future::BoxFuture;
use store::{
    blobs::BlobError,
    cases::CaseStore,
    database::{Database, DatabaseError, Location, LocationError},
    docket::{DocketStore, DocketStoreError},
    gate_memory::{GateMemory, MemoryError, OwedPolicy, PolicySeen},
    hi1::Hi1Store,
    transfers::TransferStore,
    vault::{StoreError, VaultStore},
};
use subtle::ConstantTimeEq as _;
use translog::note::{KeyError, KeyKind, SignerKey};

pub use self::{
    create::{CreateError, NewDeployment, NewWitness, create},
    destruction::{DESTROYED_KIND, DestroyError, Destruction},
    gate_process::{GateProcess, GateProcessError},
    layout::Layout,
    retirement::{Answered, Retirement, RetirementError, RetirementOrder},
    roots::{
        RootError, RootFile, gate_key, next_root, open_providers, open_roots, remove_root, root_files,
        seal_root,
    },
    running::{Running, StartError},
    secrets::{
        CredentialFile, SecretError, create_key, read_credential, read_key, read_secret, read_text,
        wipe_secret, write_credential, write_secret, write_secret_bytes,
    },
    split::{SplitError, split},
    storage::{RunningStorage, StorageNode},
};
use crate::{
    app::{
        Desk, Parts,
        clock::{Clock, SystemClock, SystemEntropy},
        faults::NoFaults,
        ports::GatePort,
    },
    auth::Tokens,
    config::{Config, ConfigError, DatabaseKind},
    docket::{Docket, DocketConfig, DocketError, fault, witness::WitnessError, witnesses},
    gate::{
        EmbeddedGate, Ledger, LedgerGate, ReleaseGate,
        owner::{OwnerGate, OwnerKeys},
        remote::RemoteGate,
    },
    transfers::{self, Transfers},
    vault::{Principal, ProvisionError, Vault, VaultError},
};

/// What the docket calls a change of the trust policy: an entry that commits to the SHA-256 of the new file.
pub const POLICY_KIND: &str = "policy";

/// Longest trust policy file read, in bytes.
const TRUST_BYTES_MAX: u64 = 256 * 1024;

/// Why a deployment cannot be opened. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key file.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The trust policy cannot be read.
    #[error("cannot read the trust policy `{path}`")]
    Trust {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The trust policy cannot stand.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The database's URL.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// A storage node over a database that is a file.
    #[error(
        "a storage node shares its database with others; this deployment's is a file, made without `--db`"
    )]
    NotShared,
    /// A storage node whose bodies would lie in its own folder.
    #[error(
        "a storage node shares its object store with others; a region here keeps bodies in the folder. Give each a `store` \
         that every node reaches"
    )]
    OwnDisk,
    /// The vault's metadata.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blobs.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The docket's store.
    #[error(transparent)]
    DocketStore(#[from] DocketStoreError),
    /// The docket.
    #[error(transparent)]
    Docket(#[from] DocketError),
    /// A key's name.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The deployment's own witness.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// Witnesses that cannot be asked.
    #[error("the witnesses cannot be asked")]
    Witnesses(#[from] witnesses::Unreachable),
    /// The certificate for the link to the gate.
    #[error("the gate cannot be asked")]
    GateTls(#[source] crate::tls::TlsError),
    /// The certificate for links to other regions, or what vouches for theirs.
    #[error("the nodes of other regions cannot be asked")]
    LinkTls(#[source] crate::tls::TlsError),
    /// The gate's memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A region's root, or a key provider.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A region could not be set up.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
}

/// Why somebody could not sign in as a customer. Does not say whether the credential exists.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown, disabled, or the wrong secret.
    #[error("the credential is not valid; use an access key of the customer and its secret")]
    Refused,
    /// The credential is another customer's.
    #[error("the credential is not one of `{0}`")]
    OtherTenant(TenantId),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// An open deployment.
pub struct Deployment {
    layout: Layout,
    config: Config,
    trust: TrustPolicy,
    clock: Arc<dyn Clock>,
    vault: Vault,
    docket: Docket,
    desk: Desk,
    objects: Hi1Store,
    transfers: Transfers,
    tokens: Tokens,
    database: Database,
    databases: Vec<Database>,
    ledger: Arc<dyn LedgerGate>,
    /// The ledger, where the gate is in this process.
    own_ledger: Option<Arc<Ledger>>,
    policy: PolicySeen,
    remote: Option<RemoteGate>,
    release: Arc<dyn ReleaseGate>,
    trust_digest: Digest,
}

impl Deployment {
    /// Opens the deployment in `dir` with the machine's clock.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is changed then but migrations that were due.
    pub fn open(dir: &Path) -> BoxFuture<'_, Result<Self, OpenError>> {
        Self::open_at(dir, Arc::new(SystemClock))
    }

    /// Opens the deployment with a clock of the caller's, which the gate reads as well.
    ///
    /// # Errors
    /// As [`Deployment::open`].
    pub fn open_at(dir: &Path, clock: Arc<dyn Clock>) -> BoxFuture<'_, Result<Self, OpenError>> {
        // Boxed, so that this is compiled with this crate and optimised, and not with each program that opens one.
        Box::pin(Self::open_in(dir, clock))
    }

    async fn open_in(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let layout = Layout::at(dir);
        let config = Config::read(&layout.config())?;
        let (trust, trust_digest) = read_trust(&layout.trust())?;
        let database = Database::open(place(&layout, &config)?).await?;
        let gate = open_gate(&layout, &config, &trust, trust_digest, &clock).await?;

        let store = VaultStore::new(database.clone()).await?;
        let blobs = stores::open(&layout, &config, docket_key(&layout, &config)?.verifier()).await?;
        let sealing = DeploymentKey::from_random(*read_key(&layout.credential_key())?);
        let vault = Vault::new(store, blobs, Arc::clone(&gate.owner), sealing);
        let known = vault.regions().await?;
        for region in config
            .regions
            .iter()
            .filter(|region| !known.iter().any(|(id, _)| *id == region.id))
        {
            vault.create_region(&region.id, &region.country).await?;
        }

        let docket = open_docket(&layout, &config, &trust, &database).await?;
        docket.commit_heads_of(Arc::new(gate_port::LedgerTold(Arc::clone(&gate.ledger))));
        if let PolicySeen::New { before } = gate.policy {
            tracing::warn!(
                policies_before = before,
                "trust.toml is not the one that was in force until now"
            );
        }
        if let Some(remembers) = &gate.remembers {
            // Until it is in the docket's queue for good, it is owed, also to who opens the deployment next.
            for OwedPolicy { number, digest } in remembers.owed_policies().await? {
                docket.enqueue(POLICY_KIND, digest.0).await?;
                remembers.policy_logged(number).await?;
            }
        }
        let door = Arc::new(gate_port::GateDoor::new(
            Arc::clone(&gate.release),
            Arc::clone(&gate.ledger),
            docket.clone(),
            &config.docket.origin,
        ));
        let root = Arc::new(CaseRoot::from_bytes(*read_key(&layout.case_root())?));
        let peers = regions::peers(&config, layout.dir()).map_err(OpenError::LinkTls)?;
        let others = peers.iter().map(|peer| {
            let other = gate_port::OtherDoor::new(peer.clone(), docket.clone(), &config.docket.origin);
            Arc::new(other) as Arc<dyn transfers::OtherNode>
        });
        let transfers = Transfers::new(transfers::Parts {
            store: TransferStore::new(database.clone(), Arc::clone(&root)),
            docket: Arc::new(docket.clone()),
            vault: vault.clone(),
            gate: door.clone(),
            others: others.collect(),
            reviewers: trust.reviewers().clone(),
            rulebook: Rulebook::builtin(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            faults: Arc::new(transfers::faults::NoFaults),
        });
        let objects = Hi1Store::new(database.clone(), Arc::clone(&root));
        let cases = CaseStore::new(database.clone(), root);
        let tokens = Tokens::new(cases.clone(), clock.clone(), Arc::new(SystemEntropy));
        let here: Arc<dyn GatePort> = door;
        let (vaults, gates) = regions::ports(&config, (Arc::new(vault.clone()), here), peers, &docket);
        let desk = Desk::new(Parts {
            provider: config.provider.clone(),
            cases,
            docket: Arc::new(docket.clone()),
            vault: vaults,
            gate: gates,
            reviewers: trust.reviewers().clone(),
            rulebook: Rulebook::builtin(),
            packages: layout.packages(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            faults: Arc::new(NoFaults),
        });
        let desk = match hi1_face::reader(&config, &objects) {
            Some(reader) => desk.reading_hi1(reader),
            None => desk,
        };
        Ok(Self {
            layout,
            config,
            trust,
            clock,
            vault,
            docket,
            desk,
            objects,
            transfers,
            tokens,
            databases: std::iter::once(database.clone()).chain(gate.memory).collect(),
            database,
            ledger: gate.ledger,
            own_ledger: gate.own_ledger,
            policy: gate.policy,
            remote: gate.remote,
            release: gate.release,
            trust_digest,
        })
    }

    /// Closes the databases, so that everything is in their own files. Nothing may be using the deployment any more.
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

    /// Where its files are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
    /// Whom its gate trusts.
    pub fn trust(&self) -> &TrustPolicy {
        &self.trust
    }
    /// Whether the trust policy was in force before this deployment was opened. A new one is committed to in the docket.
    pub fn policy_seen(&self) -> PolicySeen {
        self.policy
    }
    /// For a gate in a process of its own: whether it answers, and goes by the same trust policy.
    pub async fn remote_gate_answers(&self) -> Option<Result<bool, crate::gate::NoAnswer>> {
        let gate = self.remote.as_ref()?;
        let digest = gate.policy_digest().await;
        Some(digest.map(|digest| digest == self.trust_digest))
    }
    /// The vault.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }
    /// The docket.
    pub fn docket(&self) -> &Docket {
        &self.docket
    }
    /// The desk.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }
    /// Transfers between regions.
    pub fn transfers(&self) -> &Transfers {
        &self.transfers
    }
    /// Staff and their tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Signs in as a customer with one of its access keys, as its S3 client would: what runs on the provider's machine
    /// has no other way to a customer's data either (P4).
    ///
    /// # Errors
    /// When the credential is unknown, disabled, wrong, or another customer's.
    pub async fn sign_in(&self, tenant: &TenantId, id: &str, secret: &str) -> Result<Principal, SignInError> {
        let credential = self.vault.credential(id).await?.ok_or(SignInError::Refused)?;
        if !bool::from(credential.secret.as_bytes().ct_eq(secret.as_bytes())) {
            return Err(SignInError::Refused);
        }
        if credential.tenant != *tenant {
            return Err(SignInError::OtherTenant(tenant.clone()));
        }
        let who = Principal::authenticated(credential.tenant.clone(), &credential.id, "local");
        Ok(who.bypassing(credential.bypass_governance))
    }
}

/// The gate as this process reaches it.
struct OpenGate {
    owner: Arc<dyn OwnerGate>,
    release: Arc<dyn ReleaseGate>,
    ledger: Arc<dyn LedgerGate>,
    own_ledger: Option<Arc<Ledger>>,
    policy: PolicySeen,
    memory: Option<Database>,
    /// The gate's memory, where the gate is in this process.
    remembers: Option<GateMemory>,
    remote: Option<RemoteGate>,
}

/// A gate in this process; or, where the configuration names one of its own, the way to it. Then no root key is read here,
/// and the gate's memory is not opened.
async fn open_gate(
    layout: &Layout,
    config: &Config,
    trust: &TrustPolicy,
    trust_digest: Digest,
    clock: &Arc<dyn Clock>,
) -> Result<OpenGate, OpenError> {
    if let Some(gate) = &config.gate {
        let remote = gate_process::remote(gate, layout.dir()).map_err(OpenError::GateTls)?;
        return Ok(OpenGate {
            owner: Arc::new(remote.clone()),
            release: Arc::new(remote.clone()),
            ledger: Arc::new(remote.clone()),
            own_ledger: None,
            policy: PolicySeen::InForce,
            memory: None,
            remembers: None,
            remote: Some(remote),
        });
    }
    let reads = Arc::clone(clock);
    let time: crate::gate::Clock = Arc::new(move || reads.now());
    let roots = open_roots(layout, config, &time).await?;
    let memory = Database::open(&layout.gate_memory()).await?;
    let remembers = GateMemory::new(memory.clone());
    let roots = Arc::new(roots.remembering(remembers.clone()));
    let policy = remembers.policy(trust_digest, clock.now()).await?;
    let release = EmbeddedGate::new(
        Arc::clone(&roots),
        Arc::new(remembers.clone()),
        trust.clone(),
        Vec::new(),
        Arc::clone(&time),
    )
    .handing_over(roots::handing_key(layout, config, trust)?);
    let ledger = Arc::new(Ledger::open(memory.clone(), time));
    Ok(OpenGate {
        owner: Arc::new(OwnerKeys::new(roots, Arc::clone(&ledger))),
        release: Arc::new(release),
        ledger: ledger.clone(),
        own_ledger: Some(ledger),
        policy,
        memory: Some(memory),
        remembers: Some(remembers),
        remote: None,
    })
}

/// Where the deployment's database is.
fn place(layout: &Layout, config: &Config) -> Result<Location, OpenError> {
    match config.database {
        DatabaseKind::File => Ok(Location::from(&layout.database())),
        DatabaseKind::Server => Ok(read_text(&layout.database_url())?.parse()?),
    }
}

fn read_trust(path: &Path) -> Result<(TrustPolicy, Digest), OpenError> {
    use std::io::Read as _;
    let fail = |source| OpenError::Trust {
        path: path.display().to_string(),
        source,
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .map_err(fail)?
        .take(TRUST_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(fail)?;
    Ok((TrustPolicy::parse(&text)?, Digest::of(&[text.as_bytes()])))
}

/// The key that signs the docket's checkpoints.
fn docket_key(layout: &Layout, config: &Config) -> Result<SignerKey, OpenError> {
    let seed = read_key(&layout.docket_key())?;
    Ok(SignerKey::from_seed(&config.docket.origin, KeyKind::Log, &seed)?)
}

/// Opens the docket. The deployment's own witness is added when it is served: only one process may run it.
async fn open_docket(
    layout: &Layout,
    config: &Config,
    trust: &TrustPolicy,
    database: &Database,
) -> Result<Docket, OpenError> {
    let key = docket_key(layout, config)?;
    let mut asked = witnesses::of_policy(trust.docket())?;
    if config.docket.own_witness {
        asked.push(Arc::new(docket_port::OwnWitness::new(
            layout,
            &config.docket.origin,
            key.verifier().clone(),
        )?));
    }
    let store = DocketStore::open(database.clone(), &layout.docket())?;
    let docket = DocketConfig {
        key,
        policy: trust.docket().clone(),
        batch: config.docket.batch,
        interval: config.docket.interval(),
        witnesses: asked,
        faults: Arc::new(fault::NoFaults),
    };
    Ok(Docket::open(store, docket).await?)
}
