//! Rotation: everything opens before, during and after, a stop in the middle loses nothing, and the old key is gone at the end.

use std::{
    future::Future as _,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use futures::future::poll_fn;

use super::*;
use crate::{
    gate::{Ledger, RegionRoots},
    vault::rotation::Holder,
};

fn tenant() -> TenantId {
    TenantId::new("contoso").unwrap()
}

fn quiet(_: u64) {}

/// The digests of the keys above an account's objects: tenant's and account's.
async fn above(vault: &Vault, name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let store = vault.store();
    let versions = store
        .account_versions(&tenant(), &account(name), &region(EU))
        .await
        .unwrap();
    let bytes = |keys: &envelope::keys::WrappedAccount| {
        (keys.tenant_key.to_bytes(), keys.account_key.as_bytes().to_vec())
    };
    versions.iter().map(|(_, keys)| bytes(keys)).collect()
}

async fn eleven(scene: &Scene) -> Vec<(String, Vec<u8>)> {
    let mut stored = Vec::new();
    for n in 0..11 {
        let bytes = super::body(10 + n * 20_000);
        scene.put(&format!("mail/ann/{n}"), &bytes).await;
        stored.push((format!("mail/ann/{n}"), bytes));
    }
    stored
}

/// With a door that remembers nothing, as after a restart.
async fn all_open(scene: &Scene, stored: &[(String, Vec<u8>)]) {
    let database = store::testkit::database(&scene.folder.path().join("vault.db")).await;
    let vault = over(scene, database, &[(EU, 1), (US, 2)]).await;
    for (key, bytes) in stored {
        let got = vault
            .get(&scene.alice, "box", key, None, &Conditions::default())
            .await
            .unwrap();
        assert_eq!(&collect(got.body).await.unwrap(), bytes, "{key}");
    }
}

/// A vault over the same metadata and blobs, whose gate has these roots.
async fn over(scene: &Scene, database: Database, roots: &[(&str, u8)]) -> Vault {
    let roots = roots
        .iter()
        .map(|(id, byte)| (region(id), RegionRoot::from_random([*byte; 32])));
    let ledger = Arc::new(Ledger::open(database.clone(), Arc::new(jiff::Timestamp::now)));
    let gate = Arc::new(OwnerKeys::new(Arc::new(RegionRoots::new(roots)), ledger));
    let store = VaultStore::new(database).await.unwrap();
    let sealing = DeploymentKey::from_random([3; 32]);
    Vault::new(store, scene.vault.blobs().clone(), gate, sealing)
}

#[tokio::test]
async fn an_accounts_key_is_replaced_without_touching_a_body() {
    let scene = scene().await;
    let mut stored = eleven(&scene).await;
    let upload = scene
        .vault
        .create_upload(&scene.alice, "box", "mail/ann/parts", UploadOptions::default())
        .await
        .unwrap();
    let blobs = |scene: &Scene| {
        let mut files = blob_files(scene.folder.path());
        files.sort();
        files
            .iter()
            .map(|file| std::fs::read(file).unwrap())
            .collect::<Vec<_>>()
    };
    let (before, old) = (blobs(&scene), above(&scene.vault, "ann").await);
    let moved = scene
        .vault
        .rotate_account(&tenant(), &account("ann"), &region(EU), &quiet)
        .await
        .unwrap();
    assert_eq!(moved.moved, 12);
    assert_eq!(blobs(&scene), before);
    let new = above(&scene.vault, "ann").await;
    assert_eq!(new.len(), 1);
    assert_ne!(new[0].1, old[0].1);
    // What was begun under the old key ends under the new one; so does what comes after.
    let part = scene
        .vault
        .put_part(
            &scene.alice,
            "box",
            "mail/ann/parts",
            &upload.id,
            1,
            PartOptions::default(),
            pieces(b"tail", 4),
        )
        .await
        .unwrap();
    let completion = Completion {
        parts: vec![CompletedPart {
            number: 1,
            etag: part.etag.clone(),
            checksums: Vec::new(),
        }],
        ..Completion::default()
    };
    scene
        .vault
        .complete_upload(&scene.alice, "box", "mail/ann/parts", &upload.id, completion)
        .await
        .unwrap();
    stored.push(("mail/ann/parts".into(), b"tail".to_vec()));
    scene.put("mail/ann/after", b"after").await;
    stored.push(("mail/ann/after".into(), b"after".to_vec()));
    all_open(&scene, &stored).await;
    // Again, from the new one.
    let again = scene
        .vault
        .rotate_account(&tenant(), &account("ann"), &region(EU), &quiet)
        .await;
    assert_eq!(again.unwrap().moved, 13);
    all_open(&scene, &stored).await;
}

#[tokio::test]
async fn invariant_07_a_rotation_that_stops_in_the_middle_loses_nothing_and_goes_on() {
    let scene = scene().await;
    let mut stored = eleven(&scene).await;
    let old = above(&scene.vault, "ann").await;
    let stopped = AtomicBool::new(false);
    let stop = |moved: u64| {
        if moved >= 6 {
            stopped.store(true, Ordering::SeqCst);
        }
    };
    let (who, of, at) = (tenant(), account("ann"), region(EU));
    {
        let mut rotating = Box::pin(scene.vault.rotate_account(&who, &of, &at, &stop));
        poll_fn(|context| {
            let polled = rotating.as_mut().poll(context);
            match stopped.load(Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => polled.map(|_| ()),
            }
        })
        .await;
    }
    let between = above(&scene.vault, "ann").await;
    assert_eq!(between.len(), 2, "both keys are there");
    assert_eq!(between[1], old[0]);
    all_open(&scene, &stored).await;
    scene.put("mail/ann/between", b"between").await;
    stored.push(("mail/ann/between".into(), b"between".to_vec()));
    let rest = scene.vault.rotate_account(&who, &of, &at, &quiet).await.unwrap();
    assert!((1..11).contains(&rest.moved), "{rest:?}");
    let after = above(&scene.vault, "ann").await;
    assert_eq!(
        after,
        [between[0].clone()],
        "no third key was made, and the old one is gone"
    );
    all_open(&scene, &stored).await;
}

#[tokio::test]
async fn objects_stored_while_it_runs_are_not_left_behind() {
    let scene = scene().await;
    let mut stored = eleven(&scene).await;
    let (who, of, at) = (tenant(), account("ann"), region(EU));
    let writing = async {
        let mut stored = Vec::new();
        for n in 0..20 {
            let (key, bytes) = (format!("mail/ann/w{n}"), super::body(100 + n));
            scene.put(&key, &bytes).await;
            stored.push((key, bytes));
        }
        stored
    };
    let (rotated, more) = tokio::join!(scene.vault.rotate_account(&who, &of, &at, &quiet), writing);
    rotated.unwrap();
    stored.extend(more);
    all_open(&scene, &stored).await;
    assert_eq!(above(&scene.vault, "ann").await.len(), 1);
}

#[tokio::test]
async fn a_tenants_key_is_replaced_above_its_accounts() {
    let scene = scene().await;
    let mut stored = eleven(&scene).await;
    for name in ["bob", "cem", "dan", "eve"] {
        scene.put(&format!("mail/{name}/1"), name.as_bytes()).await;
        stored.push((format!("mail/{name}/1"), name.as_bytes().to_vec()));
    }
    let old = above(&scene.vault, "ann").await;
    let moved = scene
        .vault
        .rotate_tenant(&tenant(), &region(EU), &quiet)
        .await
        .unwrap();
    assert_eq!(moved.moved, 5);
    let new = above(&scene.vault, "ann").await;
    assert_ne!(new[0].0, old[0].0);
    assert_ne!(new[0].1, old[0].1);
    all_open(&scene, &stored).await;
    // The keys it had are not on the disk any more.
    let keys = scene
        .vault
        .store()
        .tenant_keys(Some(&tenant()), None, None, 10)
        .await
        .unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(
        scene
            .vault
            .rotate_tenant(&tenant(), &region(EU), &quiet)
            .await
            .unwrap()
            .moved,
        5
    );
    scene.put("mail/fay/1", b"fay").await;
    stored.push(("mail/fay/1".into(), b"fay".to_vec()));
    all_open(&scene, &stored).await;
}

/// With both roots at hand everything opens; once every tenant's key is under the new one, the old one is of no use.
#[tokio::test]
async fn a_regions_root_is_replaced_above_its_tenants() {
    let scene = scene().await;
    let stored = eleven(&scene).await;
    let with = async |roots: &[u8]| {
        let database = store::testkit::database(&scene.folder.path().join("vault.db")).await;
        let roots: Vec<_> = roots.iter().map(|byte| (EU, *byte)).collect();
        over(&scene, database, &roots).await
    };
    let read = async |vault: &Vault| {
        for (key, bytes) in &stored {
            let got = vault
                .get(&scene.alice, "box", key, None, &Conditions::default())
                .await?;
            assert_eq!(&collect(got.body).await?, bytes);
        }
        Ok::<_, VaultError>(())
    };
    assert!(read(&with(&[9]).await).await.is_err());
    let both = with(&[9, 1]).await;
    read(&both).await.unwrap();
    let done = both
        .rewrap_tenant_keys(None, Some(&region(EU)), &Holder::Same)
        .await
        .unwrap();
    assert_eq!((done.moved, done.left), (2, vec![]));
    read(&with(&[9]).await).await.unwrap();
    assert!(read(&with(&[1]).await).await.is_err());
}
