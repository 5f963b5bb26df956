//! Every opening of a customer's key is in its access ledger, whatever S3 call it comes from.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use casework::{
    ids::ObjectId,
    ledger::{Actor, Body, Entry, Keys, Opening, Reason, check},
};
use store::ledger::{LedgerStore, PAGE_MAX};

use super::*;

async fn entries(scene: &Scene, tenant: &str) -> Vec<Entry> {
    let database = store::testkit::database(&scene.folder.path().join("vault.db")).await;
    let tenant = TenantId::new(tenant).unwrap();
    let entries = LedgerStore::new(database)
        .page(&tenant, None, PAGE_MAX)
        .await
        .unwrap();
    check(&entries).unwrap();
    entries
}

fn openings(entries: &[Entry]) -> impl Iterator<Item = &Opening> {
    entries.iter().filter_map(|entry| match &entry.body {
        Body::Opening { opening } => Some(opening),
        Body::Slot { .. } => None,
    })
}

/// Objects that entries tell of, once they tell of `count`.
async fn objects(scene: &Scene, count: usize) -> BTreeSet<ObjectId> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let entries = entries(scene, "contoso").await;
        let told: BTreeSet<_> = openings(&entries)
            .flat_map(|opening| opening.objects.clone())
            .collect();
        if told.len() == count || Instant::now() > until {
            assert_eq!(told.len(), count);
            return told;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn invariant_02_each_get_head_and_copy_is_in_the_ledger_with_who_why_and_which_object() {
    let scene = scene().await;
    let none = Conditions::default();
    for key in ["mail/alice/1", "mail/alice/2", "mail/bob/3", "mail/bob/never"] {
        scene.put(key, b"content").await;
    }
    scene.get("mail/alice/1").await.unwrap();
    scene
        .vault
        .head(&scene.alice, "box", "mail/alice/2", &none)
        .await
        .unwrap();
    let options = CopyOptions::default();
    let copied = scene
        .vault
        .copy(
            &scene.alice,
            ("box", "mail/bob/3"),
            ("box", "mail/bob/4"),
            options,
        )
        .await;
    copied.unwrap();
    let told = objects(&scene, 3).await;
    // Read again, they are the same three: an object is named once in an entry, and never one that was not opened.
    scene.get("mail/alice/1").await.unwrap();
    assert_eq!(objects(&scene, 3).await, told);

    let entries = entries(&scene, "contoso").await;
    let of_objects: Vec<_> = openings(&entries)
        .filter(|opening| opening.keys == Keys::Objects)
        .collect();
    for opening in &of_objects {
        let key = Actor::Tenant {
            access_key: "AKTEST".to_owned(),
        };
        assert_eq!((&opening.actor, &opening.reason), (&key, &Reason::OwnRequest));
        // The account's own key was entered before.
        let first =
            openings(&entries).find(|entry| entry.account == opening.account && entry.keys == Keys::Account);
        let first = first.unwrap();
        assert!(first.from <= opening.from && opening.until <= first.until);
    }
    // One durable write for an account's key, however often it is used.
    let accounts = openings(&entries).filter(|opening| opening.keys == Keys::Account);
    let mut seen = BTreeSet::new();
    for opening in accounts {
        assert!(
            seen.insert(opening.account.clone()),
            "{:?} twice",
            opening.account
        );
    }
    let other = self::entries(&scene, "fabrikam").await;
    assert!(openings(&other).all(|opening| opening.reason == Reason::Provisioning));
}

#[tokio::test]
async fn invariant_04_no_account_key_opens_while_the_ledger_cannot_be_written() {
    let scene = scene().await;
    scene.put("mail/alice/1", b"content").await;
    let folder = tempfile::tempdir().unwrap();
    let gone = store::testkit::database(&folder.path().join("gate.db")).await;
    let ledger = Arc::new(Ledger::open(gone.clone(), Arc::new(jiff::Timestamp::now)));
    gone.close().await;
    let roots = RegionRoots::new([(region(EU), RegionRoot::from_random([1; 32]))]);
    let gate = Arc::new(OwnerKeys::new(Arc::new(roots), ledger));
    let database = store::testkit::database(&scene.folder.path().join("vault.db")).await;
    let vault = Vault::new(
        VaultStore::new(database).await.unwrap(),
        disk(scene.folder.path()).await,
        gate,
        DeploymentKey::from_random([3; 32]),
    );
    let refused = vault
        .get(&scene.alice, "box", "mail/alice/1", None, &Conditions::default())
        .await;
    assert!(matches!(
        refused.err(),
        Some(VaultError::Gate(crate::gate::owner::GateError::NotEntered))
    ));
    scene.get("mail/alice/1").await.unwrap();
}
