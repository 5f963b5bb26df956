//! A tenant's key that somebody else holds: what its owner and a release get when the holder answers, denies, is slow, wrong
//! or away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by stopping"
)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use casework::{
    gate::Breach,
    ids::{AccountId, Digest, ProviderId, RegionId, TenantId},
    record::label,
    rulebook::Rulebook,
    testkit::World,
};
use envelope::{
    held::WrappedTenant,
    keys::{Label, RegionRoot, WrappedAccount, WrappedChain},
    opening_reason::OwnerRequest,
};
use service::{
    gate::{
        EmbeddedGate, Ledger, RegionRoots, ReleaseRequest, RewrapAccounts, RewrapObjects,
        owner::{GateError, OwnerGate as _, OwnerKeys},
    },
    keys::{Health, HolderError, KeyPlace, KeyProvider, Providers, Reason, Why},
};
use store::gate_memory::GateMemory;
use zeroize::Zeroizing;

const PATIENCE: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Answers,
    Denies,
    Away,
    Slow,
    Wrong,
}

/// A holder in this process. What it wraps is bound to its place and to itself.
struct Holder {
    id: ProviderId,
    mood: Mutex<Mood>,
    asked: Mutex<Vec<(KeyPlace, Reason)>>,
}

impl Holder {
    fn new(id: &str) -> Arc<Self> {
        Arc::new(Self {
            id: ProviderId::new(id).unwrap(),
            mood: Mutex::new(Mood::Answers),
            asked: Mutex::default(),
        })
    }
    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
    fn asked(&self) -> Vec<(KeyPlace, Reason)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
    fn fail(&self, why: Why) -> HolderError {
        HolderError::new(&self.id, why)
    }
    fn seal(&self, place: &KeyPlace) -> Vec<u8> {
        [self.id.as_str().as_bytes(), &place.to_bytes()].concat()
    }
}

#[async_trait]
impl KeyProvider for Holder {
    fn id(&self) -> &ProviderId {
        &self.id
    }
    async fn wrap(&self, place: &KeyPlace, _: &Reason, secret: &[u8]) -> Result<Vec<u8>, HolderError> {
        Ok([self.seal(place).as_slice(), secret].concat())
    }
    async fn unwrap(
        &self,
        place: &KeyPlace,
        reason: &Reason,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HolderError> {
        self.asked.lock().unwrap().push((place.clone(), reason.clone()));
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Answers => {}
            Mood::Denies => return Err(self.fail(Why::Denied("not today".into()))),
            Mood::Away => return Err(self.fail(Why::Away("connection refused".into()))),
            Mood::Slow => std::future::pending().await,
            Mood::Wrong => return Ok(Zeroizing::new(vec![9; 60])),
        }
        let secret = blob.strip_prefix(self.seal(place).as_slice());
        let secret = secret.ok_or_else(|| self.fail(Why::NotHere))?;
        Ok(Zeroizing::new(secret.to_vec()))
    }
    async fn health(&self) -> Result<Health, HolderError> {
        Ok(Health {
            kind: "a test's".into(),
            weakness: None,
        })
    }
}

fn roots(holders: &[&Arc<Holder>], region: &RegionId) -> Arc<RegionRoots> {
    let holders = holders
        .iter()
        .map(|holder| Arc::clone(holder) as Arc<dyn KeyProvider>);
    let providers = Providers::with_patience(holders, PATIENCE);
    let roots = RegionRoots::new([(region.clone(), RegionRoot::from_random([1; 32]))]);
    Arc::new(roots.with_providers(Arc::new(providers)))
}

fn owner() -> OwnerRequest {
    OwnerRequest::new("contoso", "AKTEST", "request-7")
}

fn label_() -> Label {
    Label {
        category: "content".into(),
        concerns_at: 5,
    }
}

/// A ledger on a database of its own, which is gone with the folder.
async fn ledger() -> (tempfile::TempDir, Arc<Ledger>) {
    let folder = tempfile::tempdir().unwrap();
    let memory = store::testkit::database(&folder.path().join("gate.db")).await;
    (
        folder,
        Arc::new(Ledger::open(memory, Arc::new(jiff::Timestamp::now))),
    )
}

/// An object of `contoso`, whose key the holder holds too.
async fn object(door: &OwnerKeys, holder: Option<&ProviderId>) -> WrappedChain {
    let (region, tenant) = (RegionId::new("eu-de").unwrap(), TenantId::new("contoso").unwrap());
    let account = AccountId::new("alice").unwrap();
    let tenant_key = door.new_tenant_key(&region, &tenant, holder).await.unwrap();
    let account_key = door
        .new_account_key(&region, &tenant, &account, &tenant_key)
        .await
        .unwrap();
    let account = WrappedAccount {
        region: "eu-de".into(),
        tenant: "contoso".into(),
        account: "alice".into(),
        tenant_key,
        account_key,
    };
    let made = door.new_object_key(&owner(), &account, &[4; 16], &label_()).await;
    WrappedChain {
        account,
        object: [4; 16],
        label: label_(),
        object_key: made.unwrap().1,
    }
}

fn region() -> RegionId {
    RegionId::new("eu-de").unwrap()
}

#[tokio::test]
async fn the_holder_is_told_why_and_its_answer_is_kept_for_the_stated_time_alone() {
    let (_memory, ledger) = ledger().await;
    let holder = Holder::new("contoso-keys");
    let door = OwnerKeys::new(roots(&[&holder], &region()), Arc::clone(&ledger))
        .keeping_open(Duration::from_millis(400));
    let chain = object(&door, Some(&holder.id)).await;
    assert_eq!(chain.account.tenant_key.holder(), Some("contoso-keys"));
    let (place, reason) = holder.asked().pop().unwrap();
    assert_eq!(place, KeyPlace::tenant("eu-de", "contoso"));
    let expected = Reason::Owner {
        credential: "AKTEST".into(),
        request: "request-7".into(),
        account: "alice".into(),
    };
    assert_eq!(reason, expected);

    // Within the time it is not asked again, even if it would deny; after it, it is.
    holder.is(Mood::Denies);
    let until = std::time::Instant::now() + Duration::from_secs(20);
    let refused = loop {
        match door.open_object_key(&owner(), &chain).await {
            Ok(_) => assert!(
                std::time::Instant::now() < until,
                "the answer was kept for too long"
            ),
            Err(error) => break error,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(matches!(
        refused,
        GateError::Holder(HolderError {
            why: Why::Denied(_),
            ..
        })
    ));
    assert_eq!(
        refused.to_string(),
        "key provider `contoso-keys` said no: not today"
    );
}

#[tokio::test]
async fn without_the_holders_answer_nothing_opens_and_the_error_says_which_it_was() {
    let (_memory, ledger) = ledger().await;
    let holder = Holder::new("contoso-keys");
    let shared = roots(&[&holder], &region());
    let chain = object(
        &OwnerKeys::new(Arc::clone(&shared), Arc::clone(&ledger)),
        Some(&holder.id),
    )
    .await;
    for (mood, says) in [
        (Mood::Away, "does not answer"),
        (Mood::Slow, "did not answer within 300 ms"),
        (Mood::Denies, "said no"),
    ] {
        holder.is(mood);
        // A gate that was just started remembers nothing.
        let error = OwnerKeys::new(Arc::clone(&shared), Arc::clone(&ledger))
            .open_object_key(&owner(), &chain)
            .await
            .err()
            .unwrap();
        assert!(matches!(error, GateError::Holder(_)), "{mood:?}: {error}");
        assert!(error.to_string().contains(says), "{mood:?}: {error}");
    }
    holder.is(Mood::Wrong);
    let door = OwnerKeys::new(Arc::clone(&shared), Arc::clone(&ledger));
    assert_eq!(
        door.open_object_key(&owner(), &chain).await.err(),
        Some(GateError::Refused)
    );
    // Not in this gate's configuration; and another tenant's request does not reach the holder at all.
    holder.is(Mood::Answers);
    let without = OwnerKeys::new(roots(&[], &region()), Arc::clone(&ledger));
    let error = without.open_object_key(&owner(), &chain).await.err().unwrap();
    assert!(
        error.to_string().contains("not in this gate's configuration"),
        "{error}"
    );
    holder.asked();
    let other = OwnerRequest::new("fabrikam", "AKTEST", "request-8");
    assert_eq!(
        door.open_object_key(&other, &chain).await.err(),
        Some(GateError::Refused)
    );
    assert_eq!(holder.asked(), []);
}

#[tokio::test]
async fn a_key_moves_to_its_holder_and_back_and_to_another_without_its_objects() {
    let (_memory, ledger) = ledger().await;
    let (one, two) = (Holder::new("one"), Holder::new("two"));
    let shared = roots(&[&one, &two], &region());
    let door = OwnerKeys::new(Arc::clone(&shared), Arc::clone(&ledger));
    let mut chain = object(&door, None).await;
    let tenant = TenantId::new("contoso").unwrap();
    for holder in [Some(&one), Some(&two), None] {
        let to = holder.map(|holder| &holder.id);
        let moved = door
            .rewrap_tenant_key(&region(), &tenant, &chain.account.tenant_key, to)
            .await;
        chain.account.tenant_key = moved.unwrap();
        assert_eq!(chain.account.tenant_key.holder(), to.map(ProviderId::as_str));
        let fresh = OwnerKeys::new(Arc::clone(&shared), Arc::clone(&ledger));
        assert!(fresh.open_object_key(&owner(), &chain).await.is_ok());
    }
    // Each holder was told to whom the key went, itself and the next, and could have said no.
    let told = [one.asked(), two.asked()];
    for (holder, to) in [
        (&told[0], Some(&one)),
        (&told[0], Some(&two)),
        (&told[1], Some(&two)),
        (&told[1], None),
    ] {
        let change = Reason::HolderChange {
            to: to.map(|to| to.id.to_string()),
        };
        assert!(holder.iter().any(|(_, reason)| *reason == change));
    }
    // A holder that wraps into what it cannot open again is found out at once.
    one.is(Mood::Wrong);
    let moved = door
        .rewrap_tenant_key(&region(), &tenant, &chain.account.tenant_key, Some(&one.id))
        .await;
    assert!(matches!(
        moved,
        Err(GateError::Holder(HolderError {
            why: Why::Wrong(_),
            ..
        }))
    ));
}

#[tokio::test]
async fn account_and_object_keys_move_in_batches_and_open_to_the_same() {
    let (_memory, ledger) = ledger().await;
    let holder = Holder::new("contoso-keys");
    let shared = roots(&[&holder], &region());
    let door = OwnerKeys::new(Arc::clone(&shared), Arc::clone(&ledger));
    let chain = object(&door, Some(&holder.id)).await;
    let other = object(&door, Some(&holder.id)).await;
    // Under nobody's key, or another holder's, nothing of it is moved: that is no rotation. The holder is not even asked.
    let free = object(&door, None).await;
    holder.asked();
    let refused = door
        .rewrap_account_keys(RewrapAccounts {
            region: "eu-de".into(),
            tenant: "contoso".into(),
            from: chain.account.tenant_key.clone(),
            to: free.account.tenant_key.clone(),
            keys: vec![("alice".into(), chain.account.account_key.clone())],
        })
        .await;
    assert_eq!(refused.err(), Some(GateError::Refused));
    let refused = door
        .rewrap_object_keys(RewrapObjects {
            from: chain.account.clone(),
            to: free.account.clone(),
            keys: vec![([4; 16], label_(), chain.object_key.clone())],
        })
        .await;
    assert_eq!(refused.err(), Some(GateError::Refused));
    assert_eq!(holder.asked(), []);
    let moved = door
        .rewrap_account_keys(RewrapAccounts {
            region: "eu-de".into(),
            tenant: "contoso".into(),
            from: chain.account.tenant_key.clone(),
            to: other.account.tenant_key.clone(),
            keys: vec![("alice".into(), chain.account.account_key.clone())],
        })
        .await
        .unwrap();
    let mut after = chain.clone();
    after.account.tenant_key = other.account.tenant_key.clone();
    after.account.account_key = moved[0].clone();
    let moved = door
        .rewrap_object_keys(RewrapObjects {
            from: after.account.clone(),
            to: other.account.clone(),
            keys: vec![([4; 16], label_(), chain.object_key.clone())],
        })
        .await
        .unwrap();
    let mut newest = other.clone();
    newest.object_key = moved[0].clone();
    for chain in [&chain, &after, &newest] {
        let fresh = OwnerKeys::new(Arc::clone(&shared), Arc::clone(&ledger));
        let key = fresh.open_object_key(&owner(), chain).await.unwrap();
        let opening = |key| *envelope::content::Opening::of(key).unwrap().as_bytes();
        assert_eq!(
            opening(&key),
            opening(&door.open_object_key(&owner(), &chain.clone()).await.unwrap())
        );
    }
    // An object whose row was altered stops the batch, and is named.
    let mut altered = label_();
    altered.concerns_at += 1;
    let refused = door
        .rewrap_object_keys(RewrapObjects {
            from: after.account.clone(),
            to: other.account,
            keys: vec![([4; 16], altered, chain.object_key)],
        })
        .await;
    assert!(matches!(refused, Err(GateError::Altered { .. })));
}

/// The gate asks the holder itself, each time, after it decided and before the record is used up.
#[tokio::test]
async fn a_release_asks_the_holder_anew_and_a_no_leaves_the_record_unused() {
    let (_memory, ledger) = ledger().await;
    let mut world = World::new(Rulebook::builtin(), 3);
    let place = world.objects[0].account.clone();
    let holder = Holder::new("contoso-keys");
    let shared = roots(&[&holder], &place.region);
    let door = OwnerKeys::new(Arc::clone(&shared), Arc::clone(&ledger));
    let tenant_key = door
        .new_tenant_key(&place.region, &place.tenant, Some(&holder.id))
        .await
        .unwrap();
    let mut keys = Vec::new();
    for object in &mut world.objects {
        assert_eq!(
            (&object.account.region, &object.account.tenant),
            (&place.region, &place.tenant)
        );
        let account_key = door
            .new_account_key(&place.region, &place.tenant, &object.account.account, &tenant_key)
            .await
            .unwrap();
        let account = WrappedAccount {
            region: place.region.to_string(),
            tenant: place.tenant.to_string(),
            account: object.account.account.to_string(),
            tenant_key: tenant_key.clone(),
            account_key,
        };
        let owner = OwnerRequest::new(place.tenant.as_str(), "AK", "r");
        let (id, label) = (
            *object.object.0.as_bytes(),
            label(object.category, object.concerns_at),
        );
        let (_, object_key) = door.new_object_key(&owner, &account, &id, &label).await.unwrap();
        object.key = Digest(object_key.digest());
        keys.push(WrappedChain {
            account,
            object: id,
            label,
            object_key,
        });
    }
    let dir = tempfile::tempdir().unwrap();
    let database = store::testkit::database(&dir.path().join("gate.db")).await;
    let now = world.now;
    let gate = EmbeddedGate::new(
        shared,
        Arc::new(GateMemory::new(database.clone())),
        world.policy(),
        vec![],
        Arc::new(move || now),
    );
    let steps = world.steps();
    let record = world.record(&steps);
    let shown = world.show(&steps, record.clone());
    let request = || {
        let shown = shown.clone();
        ReleaseRequest {
            chain: shown.events,
            record: shown.record,
            salt: shown.salt,
            receipt: shown.receipt,
            consistency: shown.consistency,
            keys: keys.clone(),
        }
    };
    holder.asked();
    for (mood, says, hint) in [
        (
            Mood::Denies,
            "said no: not today",
            "for the key's holder to decide",
        ),
        (
            Mood::Away,
            "does not answer",
            "ask again when the provider answers",
        ),
        (
            Mood::Slow,
            "did not answer within",
            "ask again when the provider answers",
        ),
        (Mood::Wrong, "does not open", "not used up"),
    ] {
        holder.is(mood);
        let refusal = gate.release(request()).await.err().unwrap();
        assert_eq!(refusal.breach, Breach::Invariant(2), "{mood:?}");
        assert!(refusal.reason.contains(says), "{mood:?}: {refusal}");
        assert!(refusal.hint.contains(hint), "{mood:?}: {refusal}");
        let reason = Reason::Release {
            case: record.case,
            record: record.id,
            digest: record.digest().unwrap(),
        };
        // Once for each attempt, though the record names several objects.
        assert_eq!(
            holder.asked(),
            [(
                KeyPlace::tenant(place.region.as_str(), place.tenant.as_str()),
                reason
            )]
        );
    }
    holder.is(Mood::Answers);
    let opened = gate
        .release(request())
        .await
        .unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(opened.keys.len(), keys.len());
    assert_eq!(holder.asked().len(), 1);
    assert!(matches!(keys[0].account.tenant_key, WrappedTenant::Held(_)));
}
