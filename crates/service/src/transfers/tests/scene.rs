//! Two regions, one customer, a bucket with mail of two people, and everybody who signs.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use casework::{
    demand::{Category, CountryCode},
    event::Actor,
    facts::TenantKind,
    ids::{AccountId, CaseId, ObjectId, ProviderId, RegionId, TenantId},
    rulebook::Rulebook,
    testkit::{TransferWorld, staff},
    transfer::{Data, Importer, Mode, TransferBody},
};
use ed25519_dalek::SigningKey;
use envelope::{
    case_file::CaseRoot,
    keys::{RegionRoot, WrappedAccount, WrappedChain},
    secrets::DeploymentKey,
};
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use jiff::SignedDuration;
use store::{
    blobs::{BlobId, DiskBlobs, RegionBlobs},
    gate_memory::GateMemory,
    testkit::database,
    transfers::TransferStore,
    vault::{Moved, VaultStore},
};

use crate::{
    app::{
        clock::{Clock as _, SteppedClock, SystemEntropy},
        ports::{DocketPort as _, Issued},
    },
    gate::{EmbeddedGate, Ledger, RegionRoots, owner::OwnerKeys},
    keys::{KeyProvider, Providers},
    transfers::{
        NewTransfer, OtherNode, Parts, Transfers,
        faults::{Faults, Injected, Step, When},
    },
    vault::{Mapping, NewBucket, PathRule, Principal, PutOptions, Target, Vault, VaultError},
};

use super::{
    doors::{Door, MemoryDocket},
    held::Holder,
};

pub(crate) const EU: &str = "eu-de";
pub(crate) const US: &str = "us-east";

pub(super) fn olga() -> Actor {
    Actor::Staff(staff("olga"))
}

pub(super) fn region(id: &str) -> RegionId {
    RegionId::new(id).unwrap()
}

pub(super) fn contoso() -> TenantId {
    TenantId::new("contoso").unwrap()
}

/// Bytes that differ with their number.
pub(super) fn body(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + len * 7) as u8).collect()
}

/// Fails once, at one step.
pub(super) struct Once {
    at: (Step, When),
    left: Mutex<bool>,
}

impl Once {
    pub(super) fn new(step: Step, when: When) -> Self {
        Self {
            at: (step, when),
            left: Mutex::new(true),
        }
    }
}

#[async_trait]
impl Faults for Once {
    async fn at(&self, step: Step, when: When) -> Result<(), Injected> {
        let mut left = self.left.lock().unwrap();
        if (step, when) == self.at && std::mem::take(&mut *left) {
            return Err(Injected(step, when));
        }
        Ok(())
    }
}

pub(crate) struct Scene {
    folder: tempfile::TempDir,
    pub(super) vault: Vault,
    pub(super) docket: Arc<MemoryDocket>,
    pub(super) gate: Arc<Door>,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) transfers: Transfers,
    pub(super) holder: Arc<Holder>,
    pub(super) who: Principal,
}

/// Two of them lie in the database, two in the blob store.
const OBJECTS: [(&str, usize); 4] = [
    ("mail/alice/1", 300_000),
    ("mail/alice/2", 10),
    ("mail/bob/1", 400_000),
    ("mail/bob/2", 0),
];

/// What a node has, beside what every one does.
pub(super) struct Node {
    pub(super) regions: Vec<&'static str>,
    pub(super) faults: Arc<dyn Faults>,
    pub(super) others: Vec<Arc<dyn OtherNode>>,
    /// Its gate's key, and those of other gates that it trusts.
    pub(super) key: Option<SigningKey>,
    pub(super) gates: Vec<(&'static str, [u8; 32])>,
    /// One docket for both nodes.
    pub(super) docket: Option<Arc<MemoryDocket>>,
}

impl Scene {
    pub(crate) async fn new(faults: Arc<dyn Faults>) -> Self {
        let node = Node {
            regions: vec![EU, US],
            faults,
            others: Vec::new(),
            key: None,
            gates: Vec::new(),
            docket: None,
        };
        Self::of(node).await
    }

    pub(super) async fn of(node: Node) -> Self {
        let Node {
            regions,
            faults,
            others,
            key,
            gates,
            docket,
        } = node;
        let folder = tempfile::tempdir().unwrap();
        let world = TransferWorld::new(Rulebook::builtin());
        let clock = Arc::new(SteppedClock::new(world.now));
        let gates = gates.into_iter().map(|(id, key)| (region(id), key));
        let (reviewers, policy) = (world.reviewers(), world.policy().with_gates(gates));
        let vaults = database(&folder.path().join("amparo.db")).await;
        let memory = database(&folder.path().join("gate.db")).await;
        let roots = [(EU, 1), (US, 2)]
            .into_iter()
            .filter(|(id, _)| regions.contains(id))
            .map(|(id, byte)| (region(id), RegionRoot::from_random([byte; 32])));
        let holder = Holder::new();
        let providers = Providers::new([Arc::clone(&holder) as Arc<dyn KeyProvider>]);
        let roots = Arc::new(RegionRoots::new(roots).with_providers(Arc::new(providers)));
        let ledger = Arc::new(Ledger::open(memory.clone(), Arc::new(jiff::Timestamp::now)));
        let mut blobs = RegionBlobs::default();
        for id in &regions {
            let store = DiskBlobs::open(&folder.path().join("blobs").join(id))
                .await
                .unwrap();
            blobs.insert(region(id), Arc::new(store));
        }
        let vault = Vault::new(
            VaultStore::new(vaults.clone()).await.unwrap(),
            blobs,
            Arc::new(OwnerKeys::new(Arc::clone(&roots), ledger)),
            DeploymentKey::from_random([3; 32]),
        );
        let reads = clock.clone();
        let gate = EmbeddedGate::new(
            roots,
            Arc::new(GateMemory::new(memory)),
            policy,
            Vec::new(),
            Arc::new(move || reads.now()),
        )
        .handing_over(key);
        let gate = Arc::new(gate);
        let docket = docket.unwrap_or_else(|| Arc::new(MemoryDocket::new(world.docket, clock.clone())));
        let gate = Arc::new(Door::new(gate, docket.clone()));
        let transfers = Transfers::new(Parts {
            store: TransferStore::new(vaults, Arc::new(CaseRoot::from_bytes([4; 32]))),
            docket: docket.clone(),
            vault: vault.clone(),
            gate: gate.clone(),
            others,
            reviewers,
            rulebook: Rulebook::builtin(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            faults,
        });
        Self {
            folder,
            vault,
            docket,
            gate,
            clock,
            transfers,
            holder,
            who: Principal::authenticated(contoso(), "AKTEST", "request-1"),
        }
    }

    pub(crate) async fn provision(&self, country: &str) {
        self.provision_held(country, None).await;
    }

    /// The same, with the customer's keys held by somebody from the beginning.
    pub(super) async fn provision_held(&self, country: &str, holder: Option<&ProviderId>) {
        let code = |code: &str| CountryCode::new(code).unwrap();
        self.vault.create_region(&region(EU), &code("DE")).await.unwrap();
        self.vault
            .create_region(&region(US), &code(country))
            .await
            .unwrap();
        self.vault
            .create_tenant(&contoso(), TenantKind::Enterprise, &code("DE"))
            .await
            .unwrap();
        if holder.is_some() {
            self.vault.set_holder(&contoso(), holder, true).await.unwrap();
        }
        let bucket = NewBucket {
            name: "box".to_owned(),
            region: region(EU),
            default_account: AccountId::new("shared").unwrap(),
            mapping: Mapping {
                rules: vec![PathRule {
                    template: "mail/{account}/{*}".to_owned(),
                    category: Category::Content,
                }],
            },
        };
        self.vault.create_bucket(&self.who, bucket).await.unwrap();
        for (key, len) in OBJECTS {
            self.put(key, &body(len)).await;
        }
    }

    pub(super) fn bucket() -> Data {
        Data::Bucket("box".to_owned())
    }
    pub(super) fn alice() -> Data {
        Data::Accounts(vec![AccountId::new("alice").unwrap()])
    }

    /// A transfer to the other region, which lies in that country; the vault is made with the first.
    pub(super) async fn opened(&self, country: &str, data: Data, marks: &[&str]) -> CaseId {
        self.opened_as(Mode::Move, country, data, marks).await
    }

    async fn opened_as(&self, mode: Mode, country: &str, data: Data, marks: &[&str]) -> CaseId {
        if self.vault.regions().await.unwrap().is_empty() {
            self.provision(country).await;
        }
        let (from, to) = match self.vault.serves(&region(EU)) {
            true => (EU, US),
            false => (US, EU),
        };
        let new = NewTransfer {
            tenant: contoso(),
            from: region(from),
            to: region(to),
            data,
            mode,
            categories: vec![Category::Content],
            purpose: "the customer opens an office there".to_owned(),
            importer: Importer {
                name: "Provider Inc".to_owned(),
                shown: marks
                    .iter()
                    .map(|mark| TransferWorld::shown(mark, "2024-01-01"))
                    .collect(),
            },
        };
        self.transfers.open(olga(), new).await.unwrap()
    }

    pub(super) async fn state(&self, transfer: CaseId, basis: &str) {
        let bases = vec![TransferWorld::adequacy(basis)];
        let body = TransferBody::BasisStated { bases };
        self.transfers.record(transfer, olga(), body).await.unwrap();
    }

    pub(super) async fn approved(&self, country: &str) -> CaseId {
        self.approved_for(country, Self::bucket()).await
    }

    pub(super) async fn approved_for(&self, country: &str, data: Data) -> CaseId {
        self.approved_as(Mode::Move, country, data).await
    }

    pub(super) async fn approved_as(&self, mode: Mode, country: &str, data: Data) -> CaseId {
        let transfer = self.opened_as(mode, country, data, &["us.dpf_certified"]).await;
        let basis = match country {
            "US" => "eu.adequacy.us.dpf",
            _ => "eu.adequacy.gb",
        };
        self.state(transfer, basis).await;
        let lifetime = SignedDuration::from_hours(24);
        let record = self.transfers.propose(transfer, olga(), lifetime).await.unwrap();
        for name in ["rita", "raj"] {
            let signature = TransferWorld::signature(name, &record);
            self.transfers
                .approve(transfer, record.id, &staff(name), &signature)
                .await
                .unwrap();
        }
        transfer
    }

    pub(super) async fn put(&self, key: &str, bytes: &[u8]) {
        let pieces: Vec<std::io::Result<Bytes>> = vec![Ok(Bytes::copy_from_slice(bytes))];
        let body = stream::iter(pieces);
        self.vault
            .put(&self.who, "box", key, PutOptions::default(), body)
            .await
            .unwrap();
    }
    pub(super) async fn try_put(
        &self,
        key: &str,
        body: BoxStream<'_, std::io::Result<Bytes>>,
    ) -> Result<(), VaultError> {
        let stored = self
            .vault
            .put(&self.who, "box", key, PutOptions::default(), body)
            .await;
        stored.map(|_| ())
    }
    pub(super) async fn delete(&self, key: &str) {
        self.vault.delete(&self.who, "box", key, None).await.unwrap();
    }
    pub(super) async fn get(&self, key: &str) -> Vec<u8> {
        let got = self
            .vault
            .get(&self.who, "box", key, None, &Default::default())
            .await
            .unwrap();
        let pieces: Vec<Bytes> = got.body.try_collect().await.unwrap();
        pieces.concat()
    }
    /// What a region's copy of an object reads as.
    pub(super) async fn copy(&self, key: &str, region: &str) -> Result<Vec<u8>, VaultError> {
        let region = self::region(region);
        let target = Target {
            key,
            version: None,
            copy_in: Some(&region),
        };
        let got = self
            .vault
            .get(&self.who, "box", target, None, &Default::default())
            .await?;
        assert_eq!(got.info.region, region, "{key}");
        let pieces: Vec<Bytes> = got.body.try_collect().await?;
        Ok(pieces.concat())
    }
    /// Every object reads where it lies, and from its copy in the other region.
    pub(super) async fn everything_is_copied(&self) {
        self.everything_reads(EU).await;
        for (key, len) in OBJECTS {
            assert_eq!(self.copy(key, US).await.unwrap(), body(len), "{key}");
        }
    }
    pub(super) async fn region_of(&self, key: &str) -> String {
        let info = self
            .vault
            .head(&self.who, "box", key, &Default::default())
            .await
            .unwrap();
        info.region.to_string()
    }

    pub(super) async fn everything_is_readable(&self) {
        for (key, len) in OBJECTS {
            assert_eq!(self.get(key).await, body(len), "{key}");
        }
    }
    pub(crate) async fn everything_reads(&self, lies_in: &str) {
        self.everything_is_readable().await;
        for (key, _) in OBJECTS {
            assert_eq!(self.region_of(key).await, lies_in, "{key}");
        }
    }

    /// The files of a region's blob store.
    pub(super) fn blobs(&self, region: &str) -> BTreeSet<String> {
        fn walk(folder: &Path, into: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, into);
                } else if entry.metadata().unwrap().len() > 1000 {
                    into.insert(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
        let mut found = BTreeSet::new();
        walk(&self.folder.path().join("blobs").join(region), &mut found);
        found
    }

    /// Loses a region's bodies.
    pub(super) fn lose(&self, region: &str) {
        std::fs::remove_dir_all(self.folder.path().join("blobs").join(region)).unwrap();
    }

    pub(super) async fn seq_of(&self, account: &str) -> i64 {
        let account = AccountId::new(account).unwrap();
        let found = self
            .vault
            .store()
            .account(&contoso(), &account, &region(EU))
            .await;
        found.unwrap().unwrap().seq
    }
    pub(super) async fn has_key(&self, account: &str, region: &str) -> bool {
        let account = AccountId::new(account).unwrap();
        let found = self
            .vault
            .store()
            .account(&contoso(), &account, &self::region(region))
            .await;
        found.unwrap().is_some_and(|row| row.key.is_some())
    }
    /// An object's piece in the blob store where everything lies at first.
    pub(super) async fn first_piece(&self) -> (ObjectId, u32, BlobId) {
        let scopes = self.vault.scopes(&contoso(), &Self::bucket()).await.unwrap();
        let store = self.vault.store();
        let rows = store.left_in(scopes[0], &region(EU), 0, 1).await.unwrap();
        let parts = store.parts(rows[0].id, None, 1).await.unwrap();
        (rows[0].id, parts[0].number, parts[0].blob)
    }
    pub(super) async fn moved(&self, transfer: CaseId) -> Moved {
        self.vault.store().moved_by(transfer).await.unwrap()
    }

    /// The key of an account's first object.
    pub(super) async fn key_of(&self, account: &AccountId) -> WrappedChain {
        let categories = [Category::Content];
        let scope = self.vault.store().scope(&contoso(), account, &categories, None);
        let first = std::pin::pin!(scope).next().await.unwrap().unwrap();
        first.object.chain.unwrap()
    }

    /// One object's key, and its account's in the other region.
    pub(super) async fn keys(&self) -> (Vec<WrappedChain>, Vec<WrappedAccount>) {
        let alice = AccountId::new("alice").unwrap();
        let chain = self.key_of(&alice).await;
        let (tenant, to) = (contoso(), region(US));
        let there = self
            .vault
            .account_there(&tenant, &alice, &chain.account, &to)
            .await;
        (vec![chain], vec![there.unwrap()])
    }

    pub(super) async fn issued(&self, transfer: CaseId) -> Issued {
        let chain = self.transfers.recorded(transfer).await.unwrap();
        let record = chain.matter().drawn().unwrap().id;
        let entry = self
            .transfers
            .parts
            .store
            .record_entry(record)
            .await
            .unwrap()
            .unwrap();
        self.docket.receipt(entry).await.unwrap().unwrap()
    }
}
