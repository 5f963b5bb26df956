//! Between two nodes: two databases, two stores, two gates, and what goes between them.

mod gates;

use std::sync::{Mutex, OnceLock};

use async_trait::async_trait;
use casework::{
    demand::{Category, CountryCode},
    facts::TenantKind,
    ids::{AccountId, CaseId, RegionId},
    record::AccountRef,
    transfer::{Data, Mode},
};
use ed25519_dalek::SigningKey;
use translog::Hash;

use super::{
    scene::{Node, contoso},
    *,
};
use crate::{
    app::ports::{Issued, PortError, VaultPort as _},
    gate::{EmbeddedGate, ReleaseGate},
    region::{
        Arrivals,
        across::{Across, Came},
    },
    transfers::{Ailment, OtherNode, faults::Faults},
    vault::{
        Deletion, Lock, Mapping, NewBucket, PathRule, PutOptions, Retention, RetentionMode, VersionId,
        VersionQuery,
    },
};

/// The node that data goes to, as the mover reaches it.
struct There {
    at: &'static str,
    arrivals: Mutex<Option<Arc<Arrivals>>>,
    gate: OnceLock<Arc<EmbeddedGate>>,
    docket: OnceLock<Arc<super::doors::MemoryDocket>>,
    country: CountryCode,
    /// What fails once: a message of this kind, before or after it was done there.
    fails: Mutex<Option<(&'static str, When)>>,
    heard: Mutex<Vec<&'static str>>,
}

const KINDS: [&str; 7] = [
    "expect", "pieces", "bytes", "offer", "objects", "adopt", "welcome",
];

fn kind(across: &Across) -> &'static str {
    match across {
        Across::Expect { .. } => "expect",
        Across::Pieces { .. } => "pieces",
        Across::Bytes { .. } => "bytes",
        Across::Offer { .. } => "offer",
        Across::Objects { .. } => "objects",
        Across::Adopt { .. } => "adopt",
        Across::Welcome { .. } => "welcome",
        Across::TurnAway { .. } => "turn_away",
    }
}

#[async_trait]
impl OtherNode for There {
    fn country(&self, at: &RegionId) -> Option<&CountryCode> {
        (*at == region(self.at)).then_some(&self.country)
    }
    async fn bring(&self, across: Across, bytes: &[u8]) -> Result<Came, PortError> {
        let kind = kind(&across);
        self.heard.lock().unwrap().push(kind);
        let fails = {
            let mut fails = self.fails.lock().unwrap();
            fails.take_if(|(at, _)| *at == kind).map(|(_, when)| when)
        };
        let away = || PortError {
            part: "other node",
            reason: "it is away".to_owned(),
        };
        if fails == Some(When::Before) {
            return Err(away());
        }
        // As it goes over the link.
        let said = serde_json::to_vec(&across).unwrap();
        let across = serde_json::from_slice(&said).unwrap();
        let arrivals = self.arrivals.lock().unwrap().clone().unwrap();
        let came = arrivals.answer("here.test", across, bytes).await;
        let said = serde_json::to_vec(&came).unwrap();
        match fails {
            Some(When::After) => Err(away()),
            _ => Ok(serde_json::from_slice(&said).unwrap()),
        }
    }
    async fn consistency(&self, _: &Issued) -> Result<Vec<Hash>, PortError> {
        let (docket, gate) = (self.docket.get().unwrap(), self.gate.get().unwrap());
        Ok(docket.consistency_with(gate).await)
    }
}

impl There {
    fn new(at: &'static str, country: &str) -> Arc<Self> {
        Arc::new(Self {
            at,
            arrivals: Mutex::default(),
            gate: OnceLock::new(),
            docket: OnceLock::new(),
            country: CountryCode::new(country).unwrap(),
            fails: Mutex::default(),
            heard: Mutex::default(),
        })
    }
    fn leads_to(&self, scene: &Scene) {
        assert!(self.gate.set(Arc::clone(&scene.gate.gate)).is_ok());
        assert!(self.docket.set(Arc::clone(&scene.docket)).is_ok());
        self.restarts(scene);
    }
    fn restarts(&self, scene: &Scene) {
        let door: Arc<dyn ReleaseGate> = scene.gate.gate.clone();
        let anew = Arrivals::new(scene.vault.clone(), [region(self.at)], door);
        *self.arrivals.lock().unwrap() = Some(Arc::new(anew));
    }
}

struct Two {
    here: Scene,
    there: Scene,
    link: Arc<There>,
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn public(byte: u8) -> [u8; 32] {
    key(byte).verifying_key().to_bytes()
}

fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

impl Two {
    async fn new(faults: Arc<dyn Faults>) -> Self {
        Self::trusting(faults, public(21), public(22)).await
    }

    /// With these keys taken for those of the gates here and there.
    async fn trusting(faults: Arc<dyn Faults>, of_here: [u8; 32], of_there: [u8; 32]) -> Self {
        Self::made(faults, (of_here, of_there), (false, false)).await
    }

    /// And the customer's keys held by somebody else here, there, or both.
    async fn made(
        faults: Arc<dyn Faults>,
        (of_here, of_there): ([u8; 32], [u8; 32]),
        held: (bool, bool),
    ) -> Self {
        let (link, back) = (There::new(US, "FR"), There::new(EU, "DE"));
        let there = Scene::of(Node {
            regions: vec![US],
            faults: Arc::new(NoFaults),
            others: vec![back.clone()],
            key: Some(key(22)),
            gates: vec![(EU, of_here)],
            docket: None,
        })
        .await;
        let here = Scene::of(Node {
            regions: vec![EU],
            faults,
            others: vec![link.clone()],
            key: Some(key(21)),
            gates: vec![(US, of_there)],
            docket: Some(Arc::clone(&there.docket)),
        })
        .await;
        link.leads_to(&there);
        back.leads_to(&here);
        let two = Self { here, there, link };
        two.provision(held).await;
        two
    }

    /// The same customer and accounts on both, with an empty bucket there, and everything that moves with an object here.
    async fn provision(&self, (held_here, held_there): (bool, bool)) {
        let code = |code: &str| CountryCode::new(code).unwrap();
        for (scene, at, country, is_held) in [
            (&self.here, EU, "DE", held_here),
            (&self.there, US, "FR", held_there),
        ] {
            scene
                .vault
                .create_region(&region(at), &code(country))
                .await
                .unwrap();
            scene
                .vault
                .create_tenant(&contoso(), TenantKind::Enterprise, &code("DE"))
                .await
                .unwrap();
            if is_held {
                let holder = Some(&scene.holder.id);
                scene.vault.set_holder(&contoso(), holder, true).await.unwrap();
            }
            let bucket = NewBucket {
                name: "box".to_owned(),
                region: region(at),
                default_account: account("shared"),
                mapping: Mapping {
                    rules: vec![PathRule {
                        template: "mail/{account}/{*}".to_owned(),
                        category: Category::Content,
                    }],
                },
            };
            scene
                .vault
                .create_locking_bucket(&scene.who, bucket)
                .await
                .unwrap();
            for name in ["alice", "bob"] {
                scene
                    .vault
                    .create_account(&contoso(), &account(name), Some(&region(at)), None)
                    .await
                    .unwrap();
            }
        }
        // Some of it lies in the database, some in the blob store.
        self.put("mail/alice/1", &body(300_000), Lock::default()).await;
        self.put("mail/alice/1", &body(1_200_000), held()).await;
        self.put("mail/alice/2", &body(10), retained()).await;
        self.put("mail/alice/gone", &body(300_001), Lock::default()).await;
        self.here
            .vault
            .delete(&self.here.who, "box", "mail/alice/gone", None)
            .await
            .unwrap();
        self.put("mail/bob/1", &body(400_000), Lock::default()).await;
    }

    async fn put(&self, key: &str, bytes: &[u8], lock: Lock) {
        let options = PutOptions {
            lock,
            ..PutOptions::default()
        };
        let pieces: Vec<std::io::Result<Bytes>> = vec![Ok(Bytes::copy_from_slice(bytes))];
        let put = self
            .here
            .vault
            .put(&self.here.who, "box", key, options, stream::iter(pieces));
        put.await.unwrap();
    }

    async fn approved(&self, data: Data) -> CaseId {
        self.here.approved_as(Mode::Move, "US", data).await
    }

    async fn start(&self, transfer: CaseId) -> Result<Moved, TransferError> {
        self.here.transfers.start(transfer, olga(), |_, _| ()).await
    }

    /// The other node's process ends, and another begins: what was being written is gone.
    fn restart_there(&self) {
        self.link.restarts(&self.there);
    }

    /// Everything of alice reads there, with versions, locks and markers, and is not to be had here.
    async fn alice_is_there(&self) {
        assert_eq!(listed(&self.there, "mail/alice/").await, EXPECTED);
        for (key, bytes) in [("mail/alice/1", body(1_200_000)), ("mail/alice/2", body(10))] {
            assert_eq!(self.there.get(key).await, bytes, "{key}");
        }
        let gone = read(&self.there, "mail/alice/gone").await;
        assert!(matches!(gone, Err(VaultError::Deleted { .. })));
        let said = read(&self.here, "mail/alice/1").await.unwrap_err();
        assert!(
            matches!(&said, VaultError::Elsewhere { region } if region.as_str() == US),
            "{said:?}"
        );
        assert!(!self.here.has_key("alice", EU).await, "its keys here are gone");
        // Its locks hold there.
        for (key, lock) in [("mail/alice/1", held()), ("mail/alice/2", retained())] {
            let kept = self.there.vault.lock(&self.there.who, "box", key).await.unwrap();
            assert_eq!(kept, lock, "{key}");
            let latest = newest(&self.there, key).await;
            let removed = self.there.vault.remove(
                &self.there.who,
                "box",
                Deletion {
                    key: key.to_owned(),
                    version: Some(latest),
                    bypass_governance: true,
                    ..Deletion::default()
                },
            );
            assert!(matches!(removed.await, Err(VaultError::Locked)), "{key}");
        }
    }

    /// Nothing was changed here but what is on its way.
    async fn all_is_here(&self) {
        assert_eq!(listed(&self.here, "mail/alice/").await, EXPECTED);
        assert_eq!(self.here.get("mail/alice/1").await, body(1_200_000));
        assert_eq!(listed(&self.there, "mail/").await, []);
    }
}

fn held() -> Lock {
    Lock {
        retention: None,
        legal_hold: true,
    }
}

fn retained() -> Lock {
    let until: Timestamp = "2090-01-01T00:00:00Z".parse().unwrap();
    Lock {
        retention: Some(Retention {
            mode: RetentionMode::Compliance,
            until,
        }),
        legal_hold: false,
    }
}

/// Keys of alice in the order of listings: whether each is the latest, whether a marker, and its size.
const EXPECTED: [(&str, bool, bool, u64); 5] = [
    ("mail/alice/1", true, false, 1_200_000),
    ("mail/alice/1", false, false, 300_000),
    ("mail/alice/2", true, false, 10),
    ("mail/alice/gone", true, true, 0),
    ("mail/alice/gone", false, false, 300_001),
];

async fn listed(scene: &Scene, prefix: &str) -> Vec<(&'static str, bool, bool, u64)> {
    let query = VersionQuery {
        prefix: prefix.to_owned(),
        max_keys: 100,
        ..VersionQuery::default()
    };
    let page = scene
        .vault
        .list_versions(&scene.who, "box", &query)
        .await
        .unwrap();
    page.versions
        .into_iter()
        .map(|it| (&*it.key.leak(), it.latest, it.marker, it.size))
        .collect()
}

async fn read(scene: &Scene, key: &str) -> Result<Vec<u8>, VaultError> {
    let conditions = crate::vault::Conditions::default();
    let got = scene.vault.get(&scene.who, "box", key, None, &conditions).await?;
    let pieces: Vec<Bytes> = futures::TryStreamExt::try_collect(got.body).await?;
    Ok(pieces.concat())
}

async fn newest(scene: &Scene, key: &str) -> VersionId {
    let query = VersionQuery {
        prefix: key.to_owned(),
        max_keys: 1,
        ..VersionQuery::default()
    };
    let page = scene
        .vault
        .list_versions(&scene.who, "box", &query)
        .await
        .unwrap();
    page.versions[0].version
}

#[tokio::test]
async fn p19_an_account_goes_to_another_node_with_versions_and_locks() {
    let two = Two::new(Arc::new(NoFaults)).await;
    let transfer = two.approved(Scene::alice()).await;
    let mut heard = Vec::new();
    let moved = two
        .here
        .transfers
        .start(transfer, olga(), |moved, _| heard.push(moved))
        .await
        .unwrap();
    assert_eq!((moved.objects, heard.last().unwrap().objects), (4, 4));
    two.alice_is_there().await;
    assert_eq!(two.here.get("mail/bob/1").await, body(400_000));
    // Done, it answers the same; and there it is data as any other.
    assert_eq!(two.start(transfer).await.unwrap(), moved);
    two.there.put("mail/alice/new", &body(7)).await;
    two.here.put("mail/alice/new", &body(8)).await;
    for scene in [&two.here, &two.there] {
        scene
            .vault
            .sweep(std::time::Duration::ZERO, std::time::Duration::ZERO)
            .await
            .unwrap();
    }
    assert_eq!(two.there.get("mail/alice/1").await, body(1_200_000));
    assert_eq!(two.there.blobs(US).len(), 3, "nothing was brought twice");
    assert_eq!(two.here.blobs(EU).len(), 1);
    let view = two.here.transfers.view(transfer).await.unwrap();
    assert_eq!((view.stage, view.there.objects), (Stage::Done, 4));
    // A release finds it there, and nowhere else.
    let found = |scene: &Scene, at: &str| {
        let (vault, at) = (scene.vault.clone(), region(at));
        async move {
            let account = AccountRef {
                tenant: contoso(),
                account: account("alice"),
                region: at,
            };
            vault
                .scope(&account, &[Category::Content], None, 100)
                .await
                .unwrap()
                .len()
        }
    };
    assert_eq!((found(&two.here, EU).await, found(&two.there, US).await), (1, 5));
}

#[tokio::test]
async fn p19_a_bucket_goes_whole_and_leaves_its_sign() {
    let two = Two::new(Arc::new(NoFaults)).await;
    let transfer = two.approved(Scene::bucket()).await;
    assert_eq!(two.start(transfer).await.unwrap().objects, 5);
    assert_eq!(listed(&two.there, "mail/alice/").await, EXPECTED);
    assert_eq!(two.there.get("mail/bob/1").await, body(400_000));
    let sign = two.here.vault.bucket(&two.here.who, "box").await.unwrap();
    assert_eq!(sign.region, region(US));
    assert_eq!(two.here.blobs(EU).len(), 0);
}

/// What left comes back: its signs go, and everything is as it was.
#[tokio::test]
async fn p19_what_left_comes_back() {
    for data in [Scene::alice(), Scene::bucket()] {
        let two = Two::new(Arc::new(NoFaults)).await;
        let transfer = two.approved(data.clone()).await;
        two.start(transfer).await.unwrap();
        let back = two.there.approved_as(Mode::Move, "US", data.clone()).await;
        two.there.transfers.start(back, olga(), |_, _| ()).await.unwrap();
        two.all_is_here().await;
        assert_eq!(two.here.get("mail/bob/1").await, body(400_000));
        two.here.put("mail/alice/9", &body(9)).await;
        let region = two.here.vault.bucket(&two.here.who, "box").await.unwrap().region;
        assert_eq!(region.as_str(), EU);
        let held = two.here.vault.lock(&two.here.who, "box", "mail/alice/1").await;
        assert_eq!(held.unwrap(), self::held());
        assert_eq!(two.there.blobs(US).len(), 0);
    }
}

/// Whatever fails here, and wherever it stops: nothing is missing or doubled, and started again it goes on.
#[tokio::test]
async fn p19_it_goes_on_after_a_fault_here_at_any_step() {
    for step in Step::ACROSS {
        for when in [When::Before, When::After] {
            let two = Two::new(Arc::new(Once::new(step, when))).await;
            let transfer = two.approved(Scene::alice()).await;
            let failed = two.start(transfer).await;
            assert!(
                matches!(failed, Err(TransferError::Injected(_))),
                "{step:?} {when:?}: {failed:?}"
            );
            somewhere(&two).await;
            for scene in [&two.here, &two.there] {
                let ages = (std::time::Duration::ZERO, std::time::Duration::ZERO);
                scene.vault.sweep(ages.0, ages.1).await.unwrap();
            }
            two.restart_there();
            let moved = two.start(transfer).await;
            let moved = moved.unwrap_or_else(|error| panic!("{step:?} {when:?}: {error}"));
            assert_eq!(moved.objects, 4, "{step:?} {when:?}");
            two.alice_is_there().await;
        }
    }
}

/// Whatever is not heard of the other node, whether it was done there or not.
#[tokio::test]
async fn p19_it_goes_on_after_any_answer_got_lost() {
    for kind in KINDS {
        for when in [When::Before, When::After] {
            let two = Two::new(Arc::new(NoFaults)).await;
            let transfer = two.approved(Scene::alice()).await;
            *two.link.fails.lock().unwrap() = Some((kind, when));
            let first = two.start(transfer).await;
            assert!(
                two.link.fails.lock().unwrap().is_none(),
                "{kind} {when:?} came by"
            );
            somewhere(&two).await;
            if first.is_err() {
                two.restart_there();
                let moved = two.start(transfer).await;
                moved.unwrap_or_else(|error| panic!("{kind} {when:?}: {error}"));
            }
            two.alice_is_there().await;
        }
    }
}

/// Seen here or there, or twice; never nowhere.
async fn somewhere(two: &Two) {
    for (key, bytes) in [("mail/alice/1", body(1_200_000)), ("mail/alice/2", body(10))] {
        let mut seen = 0;
        for scene in [&two.here, &two.there] {
            if let Ok(got) = read(scene, key).await {
                assert_eq!(got, bytes, "{key}");
                seen += 1;
            }
        }
        assert!(seen > 0, "{key} is nowhere");
    }
}

#[tokio::test]
async fn p19_what_is_on_its_way_is_changed_by_nobody_until_it_is_over() {
    let two = Two::new(Arc::new(Once::new(Step::Adopt, When::Before))).await;
    let transfer = two.approved(Scene::alice()).await;
    two.start(transfer).await.unwrap_err();
    let (here, there) = (&two.here, &two.there);
    let busy = |said: Result<(), VaultError>| assert!(matches!(said, Err(VaultError::Busy)), "{said:?}");
    let one = || stream::iter(vec![Ok(Bytes::from_static(b"x"))]).boxed();
    for scene in [here, there] {
        busy(scene.try_put("mail/alice/9", one()).await);
    }
    busy(
        here.vault
            .delete(&here.who, "box", "mail/alice/1", None)
            .await
            .map(|_| ()),
    );
    let version = newest(here, "mail/alice/gone").await;
    let marker = Deletion {
        key: "mail/alice/gone".to_owned(),
        version: Some(version),
        ..Deletion::default()
    };
    busy(here.vault.remove(&here.who, "box", marker).await.map(|_| ()));
    assert!(
        here.vault
            .destroy_account(&contoso(), &account("alice"))
            .await
            .is_err()
    );
    here.put("mail/bob/2", &body(3)).await;
    there.put("mail/bob/2", &body(3)).await;
    two.all_is_here_but_bob().await;
    // Whoever looks after the other node is told why.
    let ailing = there.transfers.ailing().await.unwrap().1;
    assert!(
        matches!(&ailing[..], [one] if matches!(&one.ailment, Ailment::Coming { node } if node == "here.test")),
        "{ailing:?}"
    );
    // Stopped, everything is as it was, on both.
    let stop = TransferBody::Stopped {
        reason: "not now".to_owned(),
    };
    here.transfers.record(transfer, olga(), stop).await.unwrap();
    here.put("mail/alice/9", &body(9)).await;
    there.put("mail/alice/9", &body(9)).await;
    assert_eq!(here.get("mail/alice/1").await, body(1_200_000));
    for scene in [here, there] {
        assert!(scene.transfers.ailing().await.unwrap().1.is_empty());
    }
}

impl Two {
    async fn all_is_here_but_bob(&self) {
        assert_eq!(listed(&self.here, "mail/alice/").await, EXPECTED);
        assert_eq!(listed(&self.there, "mail/alice/").await, []);
    }
}

/// A basis that ends while the data is frozen: it is given up; where the other node shows it, it is finished.
#[tokio::test]
async fn p19_without_a_basis_it_goes_no_further_and_nothing_stays_frozen() {
    for (step, is_there) in [
        (Step::SendBody, false),
        (Step::HandOver, false),
        (Step::NoteShown, true),
    ] {
        let two = Two::new(Arc::new(Once::new(step, When::Before))).await;
        let transfer = two.approved(Scene::alice()).await;
        two.start(transfer).await.unwrap_err();
        let stop = TransferBody::Lapsed {
            rules: Vec::new(),
            explanation: "it was annulled".to_owned(),
        };
        two.here
            .transfers
            .step(transfer, |_| {
                Ok(Some(super::super::course::Plan::new(Actor::System, stop.clone())))
            })
            .await
            .unwrap();
        let ailing = two.here.transfers.ailing().await.unwrap().1;
        assert!(
            ailing.iter().any(|one| matches!(one.ailment, Ailment::Frozen(_))),
            "{ailing:?}"
        );
        assert!(two.start(transfer).await.is_err());
        match is_there {
            true => two.alice_is_there().await,
            false => {
                two.all_is_here().await;
                two.here.put("mail/alice/9", &body(9)).await;
            }
        }
        two.there.put("mail/alice/8", &body(9)).await;
    }
}

/// Who stored nothing cannot be frozen, and what comes of theirs meanwhile would be told to nobody.
#[tokio::test]
async fn p19_an_account_that_stored_nothing_does_not_go_along() {
    let two = Two::new(Arc::new(NoFaults)).await;
    let data = Data::Accounts([account("alice"), account("nobody")].into());
    let transfer = two.approved(data).await;
    let said = two.start(transfer).await.unwrap_err();
    assert!(said.to_string().contains("stored nothing here"), "{said}");
    assert!(two.link.heard.lock().unwrap().is_empty());
    two.all_is_here().await;
}

#[tokio::test]
async fn p19_what_differs_there_refuses_it_before_it_begins() {
    let two = Two::new(Arc::new(NoFaults)).await;
    two.here
        .vault
        .add_alias(&contoso(), &account("alice"), "a@contoso.example")
        .await
        .unwrap();
    let transfer = two.approved(Scene::alice()).await;
    let said = two.start(transfer).await.unwrap_err();
    assert!(said.is_refusal(), "{said}");
    assert!(
        said.to_string()
            .contains("account `alice` is described otherwise"),
        "{said}"
    );
    two.all_is_here().await;
    assert_eq!(*two.link.heard.lock().unwrap(), ["expect", "turn_away"]);
    two.there
        .vault
        .add_alias(&contoso(), &account("alice"), "a@contoso.example")
        .await
        .unwrap();
    two.start(transfer).await.unwrap();
    two.alice_is_there().await;
}

#[tokio::test]
async fn p19_a_copy_stays_on_one_node() {
    let two = Two::new(Arc::new(NoFaults)).await;
    let new = crate::transfers::NewTransfer {
        tenant: contoso(),
        from: region(EU),
        to: region(US),
        data: Scene::alice(),
        mode: Mode::Copy,
        categories: vec![Category::Content],
        purpose: "nearer".to_owned(),
        importer: casework::transfer::Importer {
            name: "Provider Inc".to_owned(),
            shown: Vec::new(),
        },
    };
    let said = two.here.transfers.open(olga(), new).await.unwrap_err();
    assert!(
        said.to_string()
            .contains("a copy is made between regions of one node"),
        "{said}"
    );
}
