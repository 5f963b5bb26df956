use super::*;

/// Invariant 2 and the isolation of tenants: another tenant's things answer exactly as what does not exist.
#[tokio::test]
async fn a_foreign_object_is_a_missing_object() {
    let scene = scene().await;
    scene
        .vault
        .create_bucket(&scene.alice, bucket("hers"))
        .await
        .unwrap();
    let put = scene
        .vault
        .put(
            &scene.alice,
            "hers",
            "k",
            PutOptions::default(),
            pieces(b"secret", 9),
        )
        .await;
    put.unwrap();
    scene.put("k", b"secret").await;
    let (vault, who) = (&scene.vault, &scene.mallory);
    let none = Conditions::default();
    for (foreign, missing) in [("hers", "nobodys")] {
        let errors = async |bucket: &str| {
            let put = vault
                .put(who, bucket, "k", PutOptions::default(), pieces(b"x", 1))
                .await;
            [
                vault.head(who, bucket, "k", &none).await.err(),
                vault.get(who, bucket, "k", None, &none).await.err(),
                vault.bucket(who, bucket).await.err(),
                vault.list(who, bucket, &ListQuery::default()).await.err(),
                vault.delete(who, bucket, "k", None).await.err(),
                vault.delete_bucket(who, bucket).await.err(),
                vault.tags(who, bucket, "k").await.err(),
                vault
                    .copy(who, (bucket, "k"), ("box", "k"), CopyOptions::default())
                    .await
                    .err(),
                vault
                    .create_upload(who, bucket, "k", UploadOptions::default())
                    .await
                    .err(),
                put.err(),
            ]
            .map(|error| error.map(|e| format!("{e:?}")))
        };
        let seen = errors(foreign).await;
        assert!(
            seen.iter().all(|error| error.as_deref() == Some("NoSuchBucket")),
            "{seen:?}"
        );
        assert_eq!(seen, errors(missing).await);
    }
    // A bucket of the same name is her own, and empty.
    assert!(matches!(
        vault.get(who, "box", "k", None, &none).await,
        Err(VaultError::NoSuchKey)
    ));
    assert!(
        vault
            .list(
                who,
                "box",
                &ListQuery {
                    max_keys: 9,
                    ..ListQuery::default()
                }
            )
            .await
            .unwrap()
            .objects
            .is_empty()
    );
    // The upload of another does not exist either, even where key and bucket name are the same.
    let upload = vault
        .create_upload(&scene.alice, "box", "u", UploadOptions::default())
        .await
        .unwrap();
    let abort = vault.abort_upload(who, "box", "u", &upload.id).await;
    assert!(matches!(abort, Err(VaultError::NoSuchUpload)));
}

#[tokio::test]
async fn a_destroyed_account_is_gone_for_good() {
    let scene = scene().await;
    let big = body(300_000);
    scene.put("mail/ann/small", b"secret").await;
    scene.put("mail/ann/big", &big).await;
    scene.put("mail/ben/1", b"stays").await;
    let upload = UploadOptions::default();
    let upload = scene
        .vault
        .create_upload(&scene.alice, "box", "mail/ann/u", upload)
        .await
        .unwrap();
    assert_eq!(scene.get("mail/ann/big").await.unwrap(), big);
    scene
        .vault
        .destroy_account(scene.alice.tenant(), &account("ann"))
        .await
        .unwrap();

    for key in ["mail/ann/small", "mail/ann/big"] {
        assert!(matches!(scene.get(key).await, Err(VaultError::AccountDestroyed)));
        let head = scene
            .vault
            .head(&scene.alice, "box", key, &Conditions::default())
            .await;
        assert!(matches!(head, Err(VaultError::AccountDestroyed)));
    }
    let put = scene
        .vault
        .put(
            &scene.alice,
            "box",
            "mail/ann/2",
            PutOptions::default(),
            pieces(b"x", 1),
        )
        .await;
    assert!(matches!(put, Err(VaultError::AccountDestroyed)));
    let part = PartOptions::default();
    let part = scene
        .vault
        .put_part(
            &scene.alice,
            "box",
            "mail/ann/u",
            &upload.id,
            1,
            part,
            pieces(b"x", 1),
        )
        .await;
    assert!(matches!(part, Err(VaultError::AccountDestroyed)));
    assert_eq!(scene.get("mail/ben/1").await.unwrap(), b"stays");
    assert!(scene.vault.find_accounts("ann", 10).await.unwrap().is_empty());
    // Names can still be listed and deleted.
    scene
        .vault
        .delete(&scene.alice, "box", "mail/ann/small", None)
        .await
        .unwrap();

    // It survives a restart.
    let folder = scene.folder;
    drop(scene.vault);
    let vault = open(folder.path(), disk(folder.path()).await).await;
    let get = vault
        .get(&scene.alice, "box", "mail/ann/big", None, &Conditions::default())
        .await;
    assert!(matches!(get, Err(VaultError::AccountDestroyed)));
}

/// The wrapped key of a destroyed account stands nowhere on the disk: not in a free page, not in the write-ahead log.
#[tokio::test]
async fn a_destroyed_key_leaves_the_disk() {
    // SQLite's file, whatever the others run on: a server's files are its operator's.
    let folder = tempfile::tempdir().unwrap();
    let place = Location::from(&folder.path().join("vault.db"));
    let vault = open_at(place, disk(folder.path()).await).await;
    provision(&vault).await;
    let scene = Scene {
        folder,
        vault,
        alice: principal("contoso"),
        mallory: principal("fabrikam"),
    };
    scene.put("mail/ann/1", b"secret").await;
    let found = scene
        .vault
        .store()
        .account(scene.alice.tenant(), &account("ann"), &region(EU))
        .await
        .unwrap();
    let wrapped = found.unwrap().key.unwrap().0.account_key;
    let on_disk = || {
        let files = files(scene.folder.path());
        files.iter().any(|file| {
            let bytes = std::fs::read(file).unwrap();
            bytes.windows(60).any(|window| window == wrapped.as_bytes())
        })
    };
    assert!(on_disk(), "the test looks in the right place");
    scene
        .vault
        .destroy_account(scene.alice.tenant(), &account("ann"))
        .await
        .unwrap();
    assert!(!on_disk());
}

/// A blob in another's place does not open: every place has a key and a context of its own.
#[tokio::test]
async fn exchanged_blobs_do_not_open() {
    let scene = scene().await;
    scene.put("a", &body(200_000)).await;
    let first = blob_files(scene.folder.path());
    scene.put("b", &body(200_000)).await;
    let mut all = blob_files(scene.folder.path());
    all.retain(|path| !first.contains(path));
    std::fs::copy(&first[0], &all[0]).unwrap();
    assert!(matches!(scene.get("b").await, Err(VaultError::Damaged { .. })));
    assert!(scene.get("a").await.is_ok());
}

/// Nothing that was altered is given out.
#[tokio::test]
async fn altered_bodies_end_in_an_error() {
    let scene = scene().await;
    let bytes = body(700_000);
    scene.put("a", &bytes).await;
    let file = &blob_files(scene.folder.path())[0];
    let whole = std::fs::read(file).unwrap();
    for at in [0, 30, 100, 350_000, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(file, &changed).unwrap();
        assert!(
            matches!(scene.get("a").await, Err(VaultError::Damaged { .. })),
            "{at}"
        );
    }
    std::fs::write(file, &whole[..whole.len() - 16_400]).unwrap();
    assert!(matches!(scene.get("a").await, Err(VaultError::Damaged { .. })));
    std::fs::remove_file(file).unwrap();
    assert!(matches!(scene.get("a").await, Err(VaultError::Damaged { .. })));
}

#[tokio::test]
async fn access_keys_open_under_their_deployment_alone() {
    let scene = scene().await;
    let tenant = scene.alice.tenant();
    let key = scene.vault.create_access_key(tenant).await.unwrap();
    assert_eq!((key.id.len(), key.secret.len()), (20, 40));
    let found = scene.vault.credential(&key.id).await.unwrap().unwrap();
    assert_eq!(
        (found.tenant.clone(), found.secret.as_str()),
        (tenant.clone(), key.secret.as_str())
    );
    assert!(scene.vault.credential("AKNOBODY").await.unwrap().is_none());
    scene.vault.disable_access_key(&key.id).await.unwrap();
    assert!(scene.vault.credential(&key.id).await.unwrap().is_none());
    let taken = scene.vault.add_access_key(tenant, &key.id, "secret").await;
    assert!(matches!(taken, Err(ProvisionError::Exists { .. })));
}
