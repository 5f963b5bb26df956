//! A row from before a holder took over, put back by whoever writes the database: the gate remembers, and does not open it.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use casework::ids::ProviderId;
use envelope::held::{Custody, WrappedTenant};
use store::{
    gate_memory::GateMemory,
    vault::{StoreError, TenantKeyRow},
};
use zeroize::Zeroizing;

use super::*;
use crate::{
    gate::owner::GateError,
    keys::{Health, HolderError, KeyPlace, KeyProvider, Providers, Reason, Why},
    vault::rotation::Holder as Becomes,
};

/// Whoever holds a key beside the root.
struct Holder {
    id: ProviderId,
    away: AtomicBool,
    asked: Mutex<Vec<Reason>>,
}

impl Holder {
    fn new(id: &str) -> Arc<Self> {
        Arc::new(Self {
            id: ProviderId::new(id).unwrap(),
            away: AtomicBool::new(false),
            asked: Mutex::default(),
        })
    }
}

#[async_trait]
impl KeyProvider for Holder {
    fn id(&self) -> &ProviderId {
        &self.id
    }
    async fn wrap(
        &self,
        _: &KeyPlace,
        _: &Reason,
        secret: &[u8],
    ) -> std::result::Result<Vec<u8>, HolderError> {
        Ok([self.id.as_str().as_bytes(), secret].concat())
    }
    async fn unwrap(
        &self,
        _: &KeyPlace,
        reason: &Reason,
        blob: &[u8],
    ) -> std::result::Result<Zeroizing<Vec<u8>>, HolderError> {
        self.asked.lock().unwrap().push(reason.clone());
        let open = blob
            .strip_prefix(self.id.as_str().as_bytes())
            .filter(|_| !self.away.load(Ordering::SeqCst));
        let open = open.ok_or_else(|| HolderError::new(&self.id, Why::Away("it is stopped".to_owned())))?;
        Ok(Zeroizing::new(open.to_vec()))
    }
    async fn health(&self) -> std::result::Result<Health, HolderError> {
        Err(HolderError::new(&self.id, Why::Busy))
    }
}

/// A vault over `folder` whose gate was just started, with what it remembers in `memory`.
async fn started(folder: &Path, memory: &str, holders: &[&Arc<Holder>]) -> (Vault, GateMemory) {
    let database = store::testkit::database(&folder.join("vault.db")).await;
    let gate = store::testkit::database(&folder.join(memory)).await;
    let remembers = GateMemory::new(gate.clone());
    let providers = holders
        .iter()
        .map(|holder| Arc::clone(holder) as Arc<dyn KeyProvider>);
    let roots = [(EU, 1), (US, 2)].map(|(id, byte)| (region(id), RegionRoot::from_random([byte; 32])));
    let roots = RegionRoots::new(roots)
        .with_providers(Arc::new(Providers::new(providers)))
        .remembering(remembers.clone());
    let ledger = Arc::new(Ledger::open(gate, Arc::new(jiff::Timestamp::now)));
    let gate = Arc::new(OwnerKeys::new(Arc::new(roots), ledger));
    let store = VaultStore::new(database).await.unwrap();
    let key = DeploymentKey::from_random([3; 32]);
    (Vault::new(store, disk(folder).await, gate, key), remembers)
}

fn contoso() -> TenantId {
    TenantId::new("contoso").unwrap()
}

async fn rows(vault: &Vault) -> Vec<TenantKeyRow> {
    let (tenant, region) = (contoso(), region(EU));
    let rows = vault.store().tenant_keys(Some(&tenant), Some(&region), None, 10);
    rows.await.unwrap()
}

/// As whoever writes the database does it.
async fn put_back(vault: &Vault, keys: &[WrappedTenant]) {
    let there = rows(vault).await;
    let back = there.into_iter().zip(keys.iter().cloned()).collect();
    let done = vault.store().replace_tenant_keys(contoso(), region(EU), back);
    done.await.unwrap();
}

async fn letter(vault: &Vault) -> Result<Vec<u8>> {
    let read = vault
        .get(
            &principal("contoso"),
            "box",
            "mail/ann/1",
            None,
            &Conditions::default(),
        )
        .await?;
    collect(read.body).await
}

async fn write(vault: &Vault, key: &str) -> Result<Stored> {
    let body = pieces(b"dear", 4);
    vault
        .put(&principal("contoso"), "box", key, PutOptions::default(), body)
        .await
}

fn is_former<T: std::fmt::Debug>(outcome: Result<T>, holder: Option<&str>) {
    match outcome {
        Err(VaultError::Gate(GateError::FormerHolder {
            region,
            tenant,
            holder: named,
        })) => assert_eq!(
            (region.as_str(), tenant.as_str(), named.as_deref()),
            (EU, "contoso", holder)
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn invariant_03_a_row_from_before_a_holder_took_over_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (Holder::new("one"), Holder::new("two"));
    let holders = [&one, &two];
    let start = async |memory: &str| started(folder.path(), memory, &holders).await;
    let (vault, _) = start("gate.db").await;
    provision(&vault).await;
    write(&vault, "mail/ann/1").await.unwrap();
    let free = rows(&vault).await.remove(0).key;
    assert_eq!(free.custody(), Custody::default());

    // The holder takes over, and the gate takes note at once: nobody has to use the key first.
    assert_eq!(
        vault.set_holder(&contoso(), Some(&one.id), true).await.unwrap(),
        1
    );
    let held = rows(&vault).await.remove(0).key;
    let (vault, memory) = start("gate.db").await;
    let known = async || memory.custody(EU, "contoso").await.unwrap();
    assert_eq!(known().await, Some(held.custody()));
    assert_eq!((held.custody().change, held.holder()), (1, Some("one")));
    assert_eq!(letter(&vault).await.unwrap(), b"dear");

    // Put back, the old row opens for nothing, the holder is not asked, and the error names it.
    put_back(&vault, std::slice::from_ref(&free)).await;
    let (vault, _) = start("gate.db").await;
    one.asked.lock().unwrap().clear();
    is_former(letter(&vault).await, Some("one"));
    is_former(write(&vault, "mail/ann/2").await, Some("one"));
    is_former(write(&vault, "mail/new/1").await, Some("one"));
    is_former(vault.set_holder(&contoso(), None, false).await, Some("one"));
    let rotated = vault.rotate_tenant(&contoso(), &region(EU), &|_| {}).await;
    is_former(rotated, Some("one"));
    let (tenant, eu) = (contoso(), region(EU));
    let same = vault.rewrap_tenant_keys(Some(&tenant), Some(&eu), &Becomes::Same);
    is_former(same.await, Some("one"));
    assert_eq!(*one.asked.lock().unwrap(), []);
    let Err(VaultError::Gate(why)) = letter(&vault).await else {
        panic!("it opened");
    };
    let said = why.to_string();
    assert!(said.contains("before a change of holder: `one` holds"), "{said}");
    // Without the row, no first key is made that the holder does not hold.
    let made = vault.inner.gate.new_tenant_key(&eu, &tenant, None).await;
    assert!(matches!(made, Err(GateError::FormerHolder { .. })), "{made:?}");

    // What the change left opens again; and with the holder stopped, nothing does.
    put_back(&vault, std::slice::from_ref(&held)).await;
    vault.set_holder(&contoso(), Some(&one.id), true).await.unwrap();
    assert_eq!(letter(&vault).await.unwrap(), b"dear");
    one.away.store(true, Ordering::SeqCst);
    let (vault, _) = start("gate.db").await;
    assert!(matches!(
        letter(&vault).await,
        Err(VaultError::Gate(GateError::Holder(_)))
    ));
    one.away.store(false, Ordering::SeqCst);

    // From one holder to another, and to nobody: each time the one before is past.
    vault.set_holder(&contoso(), Some(&two.id), true).await.unwrap();
    let held_by_two = rows(&vault).await.remove(0).key;
    put_back(&vault, &[held]).await;
    let (vault, _) = start("gate.db").await;
    is_former(letter(&vault).await, Some("two"));
    put_back(&vault, std::slice::from_ref(&held_by_two)).await;
    vault.set_holder(&contoso(), None, false).await.unwrap();
    let freed = rows(&vault).await.remove(0).key;
    put_back(&vault, &[held_by_two]).await;
    let (vault, _) = start("gate.db").await;
    is_former(letter(&vault).await, None);
    put_back(&vault, &[freed]).await;
    assert_eq!(letter(&vault).await.unwrap(), b"dear");

    // A gate that never met the change cannot know of it: it takes the first row that it meets for the latest.
    put_back(&vault, &[free]).await;
    let (vault, _) = start("new.db").await;
    assert_eq!(letter(&vault).await.unwrap(), b"dear");
}

/// In the midst of a rotation a tenant has two keys: they change holder together, and what began from an older row fails.
#[tokio::test]
async fn a_tenants_keys_change_their_holder_together() {
    let folder = tempfile::tempdir().unwrap();
    let one = Holder::new("one");
    let (vault, _) = started(folder.path(), "gate.db", &[&one]).await;
    provision(&vault).await;
    write(&vault, "mail/ann/1").await.unwrap();
    let first = rows(&vault).await.remove(0);
    let next = async |row: &TenantKeyRow| {
        let gate = &vault.inner.gate;
        gate.next_tenant_key(&region(EU), &contoso(), &row.key)
            .await
            .unwrap()
    };
    let key = next(&first).await;
    vault
        .store()
        .add_tenant_version(first.clone(), key)
        .await
        .unwrap();
    // Only one of the two is not all of them.
    let one_alone = vec![(first.clone(), first.key.clone())];
    let refused = vault
        .store()
        .replace_tenant_keys(contoso(), region(EU), one_alone);
    assert!(matches!(refused.await, Err(StoreError::Rotated)));
    assert_eq!(
        vault.set_holder(&contoso(), Some(&one.id), true).await.unwrap(),
        2
    );
    let both = rows(&vault).await;
    assert!(both.iter().all(|row| row.key.custody() == both[0].key.custody()));
    let (vault_again, _) = started(folder.path(), "gate.db", &[&one]).await;
    assert_eq!(letter(&vault_again).await.unwrap(), b"dear");
    // A rotation that began before the change is not recorded after it: its key would be past.
    let stale = next(&both[1]).await;
    let mut before = both[1].clone();
    before.key = first.key;
    let refused = vault.store().add_tenant_version(before, stale).await;
    assert!(matches!(refused, Err(StoreError::Rotated)));
    // The rotation goes on where it was, and what it leaves is held.
    vault
        .rotate_tenant(&contoso(), &region(EU), &|_| {})
        .await
        .unwrap();
    let [last] = <[_; 1]>::try_from(rows(&vault).await).unwrap();
    assert_eq!(last.key.custody(), both[0].key.custody());
    let (vault, _) = started(folder.path(), "gate.db", &[&one]).await;
    assert_eq!(letter(&vault).await.unwrap(), b"dear");
}
