use std::{collections::BTreeSet, sync::Arc, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::{
    event::Event,
    ids::{AccountId, CaseId, Digest, RegionId, TenantId},
    ledger::Entry,
    rulebook::Rulebook,
    testkit::World,
};
use envelope::{
    keys::{AccountKey, Label, Place, RegionRoot, TenantKey, WrappedAccount, WrappedChain},
    opening_reason::OwnerRequest,
};
use store::{database::Database, gate_memory::GateMemory, peer_releases::PeerReleases};

use super::{
    calls::{Answer, Call, OWNER_BYTES_MAX, Owner},
    *,
};
use crate::{
    gate::{
        EmbeddedGate, Ledger, LedgerGate, NotReleased, RegionRoots, ReleaseGate, ReleaseRequest,
        ledger::LedgerError,
        owner::{GateError, OwnerGate as _, OwnerKeys},
    },
    link::{Address, Answers as _, Asker, Guard, Message, Reception},
};

const ROOT: [u8; 32] = [0xa1; 32];
const TENANT: [u8; 32] = [0xb2; 32];
const ACCOUNT: [u8; 32] = [0xc3; 32];

/// The server, on the gate's socket.
const OURSELVES: Asker = Asker::User(0);

/// A node of another region.
fn west() -> Asker {
    Asker::Named(vec!["west.example".to_owned()])
}

struct Scene {
    service: Arc<GateService>,
    release: Arc<dyn ReleaseGate>,
    ledger: Arc<Ledger>,
    database: Database,
    account: WrappedAccount,
    owner: OwnerRequest,
    world: World,
    _dir: tempfile::TempDir,
}

async fn scene() -> Scene {
    let world = World::new(Rulebook::builtin(), 2);
    let account = &world.objects[0].account;
    let place = Place {
        region: account.region.as_str(),
        tenant: account.tenant.as_str(),
    };
    let (root, tenant, key) = (
        RegionRoot::from_random(ROOT),
        TenantKey::from_random(TENANT),
        AccountKey::from_random(ACCOUNT),
    );
    let wrapped = WrappedAccount {
        region: place.region.to_owned(),
        tenant: place.tenant.to_owned(),
        account: account.account.as_str().to_owned(),
        tenant_key: tenant.wrap(&root, place, [1; 12]).unwrap().into(),
        account_key: key
            .wrap(&tenant, place, account.account.as_str(), [2; 12])
            .unwrap(),
    };
    let roots = Arc::new(RegionRoots::new([(account.region.clone(), root)]));
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(&dir.path().join("gate.db")).await.unwrap();
    let release = EmbeddedGate::new(
        Arc::clone(&roots),
        Arc::new(GateMemory::new(database.clone())),
        world.policy(),
        vec![],
        Arc::new(|| "2026-11-20T12:00:00Z".parse().unwrap()),
    );
    let release: Arc<dyn ReleaseGate> = Arc::new(release);
    let ledger = Arc::new(Ledger::open(database.clone(), Arc::new(jiff::Timestamp::now)));
    let memory = GateMemory::new(database.clone());
    for digest in [8, 9] {
        let now = jiff::Timestamp::UNIX_EPOCH;
        memory.policy(Digest([digest; 32]), now).await.unwrap();
    }
    let policy = (Digest([9; 32]), memory);
    Scene {
        service: Arc::new(GateService::new(
            Arc::new(OwnerKeys::new(roots, Arc::clone(&ledger))),
            Arc::clone(&release),
            ledger.clone(),
            policy,
        )),
        release,
        ledger,
        database,
        owner: OwnerRequest::new(place.tenant, "AKEXAMPLE", "request-1"),
        account: wrapped,
        world,
        _dir: dir,
    }
}

fn label() -> Label {
    Label {
        category: "content".to_owned(),
        concerns_at: 0,
    }
}

/// Every call that there is, as well formed as can be, and what is answered holds no key but an object's.
#[tokio::test]
async fn p03_no_message_of_the_gate_carries_a_root_tenant_or_account_key() {
    let mut scene = scene().await;
    let region = RegionId::new(&scene.account.region).unwrap();
    let tenant = TenantId::new(&scene.account.tenant).unwrap();
    let account = AccountId::new(&scene.account.account).unwrap();
    let (object, owner) = ([7; 16], || (&scene.owner).into());
    let made = ask(
        &scene,
        &Call::NewObjectKey {
            owner: owner(),
            account: scene.account.clone(),
            object,
            label: label(),
        },
    )
    .await;
    let (Answer::Wrapped { key }, secret) = read(&made) else {
        panic!("no key was made")
    };
    assert_eq!(secret, 32);
    let chain = WrappedChain {
        account: scene.account.clone(),
        object,
        label: label(),
        object_key: key.clone(),
    };
    let steps = scene.world.steps();
    let mut record = scene.world.record(&steps);
    record.objects.truncate(1);
    let shown = scene.world.show(&steps, record);
    let calls = [
        Call::OpenObjectKey {
            owner: owner(),
            chain: chain.clone(),
        },
        Call::NewTenantKey {
            region: region.clone(),
            tenant: tenant.clone(),
            holder: None,
        },
        Call::NextTenantKey {
            region: region.clone(),
            tenant: tenant.clone(),
            key: scene.account.tenant_key.clone(),
        },
        Call::NewAccountKey {
            region: region.clone(),
            tenant: tenant.clone(),
            account: account.clone(),
            tenant_key: scene.account.tenant_key.clone(),
        },
        Call::RewrapTenantKey {
            region: region.clone(),
            tenant: tenant.clone(),
            key: scene.account.tenant_key.clone(),
            holder: None,
        },
        Call::RewrapAccountKeys(crate::gate::RewrapAccounts {
            region: scene.account.region.clone(),
            tenant: scene.account.tenant.clone(),
            from: scene.account.tenant_key.clone(),
            to: scene.account.tenant_key.clone(),
            keys: vec![(scene.account.account.clone(), scene.account.account_key.clone())],
        }),
        Call::RewrapObjectKeys(Box::new(crate::gate::RewrapObjects {
            from: scene.account.clone(),
            to: scene.account.clone(),
            keys: vec![(object, label(), key)],
        })),
        Call::Release(Box::new(
            ReleaseRequest {
                chain: shown.events,
                record: shown.record,
                salt: shown.salt,
                receipt: shown.receipt,
                consistency: shown.consistency,
                keys: vec![chain],
            }
            .into(),
        )),
        Call::Observe {
            case: CaseId(uuid::Uuid::nil()),
            headers: Vec::new(),
        },
        Call::Known {
            case: CaseId(uuid::Uuid::nil()),
        },
        Call::Remembered {
            origin: "docket.test".to_owned(),
        },
        Call::Policy,
        Call::PolicyLogged { number: 2 },
        Call::Ledger {
            tenant: tenant.clone(),
            after: None,
            limit: 10,
        },
        Call::Heads { after: None },
        Call::KeepSlots {
            tenants: vec![tenant.clone()],
        },
        Call::Sealed { after: None },
        Call::Unseal {
            case: CaseId(uuid::Uuid::nil()),
            chain: Vec::new(),
        },
        Call::ForgetAccount { tenant, account },
    ];
    let mut answers = vec![made];
    for call in &calls {
        answers.push(ask(&scene, call).await);
    }
    answers.push(
        scene
            .service
            .answer(&OURSELVES, Message::new(&"nothing of the kind", &[]).unwrap())
            .await,
    );
    for answer in &answers {
        let (said, secret) = read(answer);
        let gives_a_key = matches!(said, Answer::Wrapped { .. } | Answer::Opened);
        assert!(secret == 0 || (secret == 32 && gives_a_key));
        let head = answer.head::<serde_json::Value>().unwrap().to_string();
        for key in [ROOT, TENANT, ACCOUNT] {
            assert_ne!(answer.secret(), key);
            for form in [
                hex::encode(key),
                STANDARD.encode(key),
                format!("{key:?}").replace(' ', ""),
            ] {
                assert!(!head.contains(form.trim_end_matches('=')), "{head}");
            }
        }
    }
}

/// What another region's node reaches is the release door: no owner can be spoken for over that link.
#[tokio::test]
async fn p04_the_owners_door_is_not_to_be_had_by_another_regions_node() {
    let scene = scene().await;
    let peers = PeerReleases::new(scene.database.clone());
    let service = GateService::for_releases(Arc::clone(&scene.release), scene.ledger.clone(), peers);
    let case = CaseId(uuid::Uuid::nil());
    let owner = || (&scene.owner).into();
    let calls = [
        Call::NewObjectKey {
            owner: owner(),
            account: scene.account.clone(),
            object: [7; 16],
            label: label(),
        },
        Call::OpenObjectKey {
            owner: owner(),
            chain: WrappedChain {
                account: scene.account.clone(),
                object: [7; 16],
                label: label(),
                object_key: scene.account.account_key.clone(),
            },
        },
        Call::NewTenantKey {
            region: RegionId::new(&scene.account.region).unwrap(),
            tenant: TenantId::new(&scene.account.tenant).unwrap(),
            holder: None,
        },
        Call::ForgetAccount {
            tenant: TenantId::new(&scene.account.tenant).unwrap(),
            account: AccountId::new(&scene.account.account).unwrap(),
        },
        Call::Policy,
        Call::PolicyLogged { number: 2 },
        Call::Ledger {
            tenant: TenantId::new(&scene.account.tenant).unwrap(),
            after: None,
            limit: 1,
        },
        Call::Heads { after: None },
        Call::KeepSlots { tenants: Vec::new() },
        // Nor can it say, or hear, how far our cases have come.
        Call::Observe {
            case,
            headers: Vec::new(),
        },
        Call::Known { case },
    ];
    for call in &calls {
        let answer = service.answer(&west(), Message::new(call, &[]).unwrap()).await;
        assert!(matches!(read(&answer), (Answer::Failed { .. }, 0)));
    }
    let remembered = Call::Remembered {
        origin: "docket.test".to_owned(),
    };
    let answer = service
        .answer(&west(), Message::new(&remembered, &[]).unwrap())
        .await;
    assert!(matches!(read(&answer).0, Answer::Remembered { checkpoint: None }));
}

/// What our own desk had released stays sealed from other nodes, who cannot even hear of it; what they had released
/// themselves they may show again.
#[tokio::test]
async fn p11_another_regions_node_unseals_only_what_it_had_released() {
    let scene = scene().await;
    let (ours, theirs) = (CaseId(uuid::Uuid::from_u128(1)), CaseId(uuid::Uuid::from_u128(2)));
    let asked = Arc::new(Asked {
        sealed: vec![ours, theirs],
        unsealed: std::sync::Mutex::default(),
    });
    let peers = PeerReleases::new(scene.database.clone());
    peers.note(theirs, west().names()).await.unwrap();
    let service = GateService::for_releases(Arc::clone(&scene.release), asked.clone(), peers);
    let ask =
        async |asker: &Asker, call| read(&service.answer(asker, Message::new(&call, &[]).unwrap()).await).0;
    // A third node is told of neither, and unseals neither: it is not the one that had it released.
    let north = Asker::Named(vec!["north.example".to_owned()]);
    for (asker, may) in [(north, &[][..]), (OURSELVES, &[]), (west(), &[theirs])] {
        let told = ask(&asker, Call::Sealed { after: None }).await;
        assert!(
            matches!(told, Answer::Sealed { cases } if cases == may),
            "{asker:?}"
        );
        for case in [ours, theirs] {
            let chain = Vec::new();
            assert!(matches!(
                ask(&asker, Call::Unseal { case, chain }).await,
                Answer::Done
            ));
        }
        assert_eq!(*asked.unsealed.lock().unwrap(), may, "{asker:?}");
    }
}

/// A ledger that says what is asked of it.
struct Asked {
    sealed: Vec<CaseId>,
    unsealed: std::sync::Mutex<Vec<CaseId>>,
}

#[async_trait::async_trait]
impl LedgerGate for Asked {
    async fn page(&self, _: &TenantId, _: Option<u64>, _: u32) -> Result<Vec<Entry>, LedgerError> {
        Ok(Vec::new())
    }
    async fn heads(
        &self,
        _: Option<&TenantId>,
    ) -> Result<Vec<casework::ledger::heads::NewestHead>, LedgerError> {
        Ok(Vec::new())
    }
    async fn keep_slots(&self, _: &[TenantId]) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn sealed(&self, after: Option<CaseId>) -> Result<Vec<CaseId>, LedgerError> {
        let cases = self.sealed.iter().copied();
        Ok(cases
            .filter(|case| after.is_none_or(|after| *case > after))
            .collect())
    }
    async fn unseal(&self, case: CaseId, _: Vec<Event>) -> Result<(), LedgerError> {
        self.unsealed.lock().unwrap().push(case);
        Ok(())
    }
}

async fn ask(scene: &Scene, call: &Call) -> Message {
    scene
        .service
        .answer(&OURSELVES, Message::new(call, &[]).unwrap())
        .await
}

fn read(message: &Message) -> (Answer, usize) {
    (message.head().unwrap(), message.secret().len())
}

/// Over a socket: the two doors answer as they do in one process, and the owner of another tenant opens nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_02_a_gate_of_its_own_opens_what_one_in_the_same_process_would() {
    let mut scene = scene().await;
    let dir = tempfile::tempdir().unwrap();
    let own = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    let address = Address::Unix(dir.path().join("gate.sock"));
    let reception = Reception::bind(&address, Guard::Users(BTreeSet::from([own])))
        .await
        .unwrap();
    let serving = tokio::spawn(reception.serve(scene.service.clone(), std::future::pending()));
    let gate = RemoteGate::new(address, None, None);

    let mut keys = Vec::new();
    for object in &mut scene.world.objects {
        let id = *object.object.0.as_bytes();
        let label = casework::record::label(object.category, object.concerns_at);
        let made = gate
            .new_object_key(&scene.owner, &scene.account, &id, &label)
            .await;
        let (key, wrapped) = made.unwrap();
        let chain = WrappedChain {
            account: scene.account.clone(),
            object: id,
            label,
            object_key: wrapped,
        };
        let opened = gate.open_object_key(&scene.owner, &chain).await.unwrap();
        assert_eq!(opened.for_a_link(), key.for_a_link());
        let other = OwnerRequest::new("fabrikam", "AKOTHER", "request-2");
        assert_eq!(
            gate.open_object_key(&other, &chain).await.err(),
            Some(GateError::Refused)
        );
        let mut relabelled = chain.clone();
        relabelled.label.category = "subscriber".to_owned();
        let refused = gate
            .open_object_key(&scene.owner, &relabelled)
            .await
            .err()
            .unwrap();
        assert!(matches!(refused, GateError::Altered { .. }), "{refused}");
        object.key = Digest(chain.object_key.digest());
        keys.push(chain);
    }
    let steps = scene.world.steps();
    let record = scene.world.record(&steps);
    let shown = scene.world.show(&steps, record);
    let request = |keys: Vec<WrappedChain>, consistency| ReleaseRequest {
        chain: shown.events.clone(),
        record: shown.record.clone(),
        salt: shown.salt.clone(),
        receipt: shown.receipt.clone(),
        consistency,
        keys,
    };
    // Nothing without everything: a key too few, the case cut short, another receipt.
    let mut cut = request(keys.clone(), shown.consistency.clone());
    cut.chain.pop();
    let mut elsewhere = request(keys.clone(), shown.consistency.clone());
    elsewhere.receipt.index += 1;
    for wrong in [request(keys[..1].to_vec(), vec![]), cut, elsewhere] {
        let refused = gate.release(wrong).await.err().unwrap();
        assert!(matches!(refused, NotReleased::Refused(_)), "{refused}");
    }
    let opened = gate
        .release(request(keys.clone(), shown.consistency.clone()))
        .await
        .unwrap();
    assert_eq!((opened.keys.len(), opened.kept.len()), (keys.len(), 10));
    for ((object, key), chain) in opened.keys.iter().zip(&keys) {
        assert_eq!(object.0.as_bytes(), &chain.object);
        let owned = gate.open_object_key(&scene.owner, chain).await.unwrap();
        assert_eq!(key.for_a_link(), owned.for_a_link());
    }
    let again = gate
        .release(request(keys.clone(), shown.consistency.clone()))
        .await
        .err()
        .unwrap();
    assert!(again.to_string().contains("used before"), "{again}");
    assert!(gate.remembered("docket.test").await.unwrap().is_some());
    let case = shown.record.case;
    // What was released for goes on from there or not at all: a length that nothing leads to locks no case.
    let known = gate.known(case).await.unwrap();
    let mut made_up = shown.events.last().unwrap().header.clone();
    made_up.seq += 1000;
    for headers in [vec![made_up.clone()], {
        made_up.seq -= 999;
        vec![made_up]
    }] {
        assert!(gate.observe(case, headers).await.is_err());
    }
    assert_eq!(gate.known(case).await.unwrap(), known);
    let mut named_too_long = Owner::from(&scene.owner);
    named_too_long.request = "r".repeat(OWNER_BYTES_MAX + 1);
    let call = Call::OpenObjectKey {
        owner: named_too_long,
        chain: keys[0].clone(),
    };
    assert!(matches!(
        read(&ask(&scene, &call).await),
        (Answer::Failed { .. }, 0)
    ));
    // The new policy is told until somebody says that the docket has it.
    for _ in 0..2 {
        let (digest, owed) = gate.policy().await.unwrap();
        assert_eq!((owed.len(), owed[0].number, owed[0].digest), (1, 2, digest));
    }
    gate.policy_logged(2).await.unwrap();
    assert_eq!(gate.policy().await.unwrap().1, []);

    let rounds = 2000_u32;
    let begun = Instant::now();
    for _ in 0..rounds {
        gate.open_object_key(&scene.owner, &keys[0]).await.unwrap();
    }
    let one = begun.elapsed() / rounds;
    let begun = Instant::now();
    let many = (0..rounds).map(|_| gate.open_object_key(&scene.owner, &keys[0]));
    futures::future::join_all(many).await;
    eprintln_times(one, begun.elapsed() / rounds);

    serving.abort();
    let _ = serving.await;
    assert_eq!(
        gate.open_object_key(&scene.owner, &keys[0]).await.err(),
        Some(GateError::Unreachable)
    );
    let away = gate.release(request(keys, vec![])).await.err().unwrap();
    assert!(matches!(away, NotReleased::NoAnswer(_)), "{away}");
}

#[allow(clippy::print_stderr, reason = "a measurement, shown with --no-capture")]
fn eprintln_times(one: Duration, at_once: Duration) {
    eprintln!("one after the other {one:?}, many at once {at_once:?}");
}
