//! Versions, locks, and what follows from them for listings, releases and erasure.

use casework::record::{AccountRef, ReleasedObject};
use jiff::{Timestamp, ToSpan as _};

use super::*;
use crate::{
    app::ports::VaultPort,
    vault::lifecycle::{DAY, Expired, Expiry, LifecycleRule},
};

async fn versioned() -> Scene {
    let scene = scene().await;
    scene
        .vault
        .set_versioning(&scene.alice, "box", true)
        .await
        .unwrap();
    scene
}

async fn put(scene: &Scene, key: &str, bytes: &[u8]) -> Stored {
    let options = PutOptions::default();
    let body = pieces(bytes, 9999);
    let put = scene.vault.put(&scene.alice, "box", key, options, body);
    put.await.unwrap()
}

async fn get(scene: &Scene, key: &str, version: Option<VersionId>) -> Result<Vec<u8>> {
    let read = scene
        .vault
        .get(&scene.alice, "box", (key, version), None, &Conditions::default())
        .await?;
    let body: Vec<Bytes> = read.body.try_collect().await?;
    Ok(body.concat())
}

async fn remove(scene: &Scene, key: &str, version: Option<VersionId>, bypass: bool) -> Result<Deleted> {
    let deletion = Deletion {
        key: key.to_owned(),
        version,
        bypass_governance: bypass,
        ..Deletion::default()
    };
    scene.vault.remove(&scene.alice, "box", deletion).await
}

async fn listed(scene: &Scene, max: u32) -> Vec<(String, VersionId, bool, bool)> {
    let mut query = VersionQuery {
        max_keys: max,
        ..VersionQuery::default()
    };
    let mut all = Vec::new();
    loop {
        let page = scene
            .vault
            .list_versions(&scene.alice, "box", &query)
            .await
            .unwrap();
        assert!(page.versions.len() <= max as usize);
        all.extend(
            page.versions
                .into_iter()
                .map(|v| (v.key, v.version, v.latest, v.marker)),
        );
        match page.next {
            Some(next) => query.after = Some(next),
            None => return all,
        }
    }
}

#[tokio::test]
async fn what_is_overwritten_and_deleted_stays_until_it_is_named() {
    let scene = scene().await;
    let plain = put(&scene, "k", b"before versions").await;
    assert_eq!(plain.version, None);
    scene
        .vault
        .set_versioning(&scene.alice, "box", true)
        .await
        .unwrap();
    let first = put(&scene, "k", b"first").await.version.unwrap();
    let large = body(300_000);
    let second = put(&scene, "k", &large).await.version.unwrap();
    assert_eq!(get(&scene, "k", None).await.unwrap(), large);
    assert_eq!(get(&scene, "k", Some(first)).await.unwrap(), b"first");
    let null = Some(VersionId::Null);
    assert_eq!(get(&scene, "k", null).await.unwrap(), b"before versions");

    let hidden = remove(&scene, "k", None, false).await.unwrap();
    assert!(hidden.marker);
    let marker = hidden.version.unwrap();
    let gone = get(&scene, "k", None).await;
    assert!(matches!(gone, Err(VaultError::Deleted { named: false, .. })));
    let named = get(&scene, "k", Some(marker)).await;
    assert!(matches!(named, Err(VaultError::Deleted { named: true, .. })));
    let list = scene
        .vault
        .list(
            &scene.alice,
            "box",
            &ListQuery {
                max_keys: 10,
                ..ListQuery::default()
            },
        )
        .await
        .unwrap();
    assert!(list.objects.is_empty());
    let expected = [
        ("k".to_owned(), marker, true, true),
        ("k".to_owned(), second, false, false),
        ("k".to_owned(), first, false, false),
        ("k".to_owned(), VersionId::Null, false, false),
    ];
    for page in [1, 2, 3, 100] {
        assert_eq!(listed(&scene, page).await, expected, "pages of {page}");
    }

    // Removing the marker brings the newest version back; removing that, the one before.
    let lifted = remove(&scene, "k", Some(marker), false).await.unwrap();
    assert!(lifted.marker);
    assert_eq!(get(&scene, "k", None).await.unwrap(), large);
    remove(&scene, "k", Some(second), false).await.unwrap();
    assert_eq!(get(&scene, "k", None).await.unwrap(), b"first");
    assert!(matches!(
        get(&scene, "k", Some(second)).await,
        Err(VaultError::NoSuchVersion)
    ));
    let VersionId::Id(second) = second else {
        panic!("a version has an id")
    };
    let row = scene.vault.store().object_by_id(second).await.unwrap();
    assert!(row.is_none(), "a removed version's wrapped key is gone");

    // Suspended: what is written replaces the version `null` and no other.
    scene
        .vault
        .set_versioning(&scene.alice, "box", false)
        .await
        .unwrap();
    let plain = put(&scene, "k", b"suspended").await;
    assert_eq!(plain.version, Some(VersionId::Null));
    put(&scene, "k", b"again").await;
    let names: Vec<_> = listed(&scene, 10).await.into_iter().map(|v| v.1).collect();
    assert_eq!(names, [VersionId::Null, first]);
    let hidden = remove(&scene, "k", None, false).await.unwrap();
    assert_eq!((hidden.version, hidden.marker), (Some(VersionId::Null), true));
    assert_eq!(get(&scene, "k", Some(first)).await.unwrap(), b"first");
    let deleted = scene.vault.delete_bucket(&scene.alice, "box").await;
    assert!(matches!(deleted, Err(VaultError::BucketNotEmpty)));
    remove(&scene, "k", null, false).await.unwrap();
    remove(&scene, "k", Some(first), false).await.unwrap();
    scene.vault.delete_bucket(&scene.alice, "box").await.unwrap();
}

#[tokio::test]
async fn a_copy_reads_the_version_it_names() {
    let scene = versioned().await;
    let first = put(&scene, "k", b"first").await.version;
    put(&scene, "k", b"second").await;
    let source = Source {
        bucket: "box",
        target: ("k", first).into(),
    };
    let (stored, from) = scene
        .vault
        .copy(&scene.alice, source, ("box", "k"), CopyOptions::default())
        .await
        .unwrap();
    assert_eq!(from, first);
    assert_ne!(stored.version, first);
    assert_eq!(get(&scene, "k", None).await.unwrap(), b"first");
    assert_eq!(listed(&scene, 10).await.len(), 3);
}

fn ann() -> AccountRef {
    AccountRef {
        tenant: TenantId::new("contoso").unwrap(),
        account: account("ann"),
        region: region(EU),
    }
}

async fn scope(scene: &Scene) -> Vec<ReleasedObject> {
    VaultPort::scope(&scene.vault, &ann(), &[Category::Content], None, 100)
        .await
        .unwrap()
}

/// An overwritten or hidden version is still data of the account: a release can reach it, and destruction does.
#[tokio::test]
async fn a_scope_holds_every_version_and_no_marker() {
    let scene = versioned().await;
    let first = put(&scene, "mail/ann/1", b"first").await;
    let second = put(&scene, "mail/ann/1", b"second").await;
    remove(&scene, "mail/ann/1", None, false).await.unwrap();
    remove(&scene, "mail/ann/never-there", None, false).await.unwrap();
    let mut found: Vec<_> = scope(&scene).await.iter().map(|o| o.object).collect();
    found.sort();
    let mut expected = [first.object, second.object];
    expected.sort();
    assert_eq!(found, expected);

    remove(&scene, "mail/ann/1", first.version, false).await.unwrap();
    let left = scope(&scene).await;
    assert_eq!(left.iter().map(|o| o.object).collect::<Vec<_>>(), [second.object]);
    assert!(scene.vault.keys(&left).await.is_ok());
    scene
        .vault
        .destroy_account(scene.alice.tenant(), &account("ann"))
        .await
        .unwrap();
    assert!(scope(&scene).await.is_empty());
    assert!(matches!(
        get(&scene, "mail/ann/1", second.version).await,
        Err(VaultError::AccountDestroyed)
    ));
}

async fn locking() -> Scene {
    let mut scene = scene().await;
    scene.vault.delete_bucket(&scene.alice, "box").await.unwrap();
    scene
        .vault
        .create_locking_bucket(&scene.alice, bucket("box"))
        .await
        .unwrap();
    scene.alice = scene.alice.clone().bypassing(true);
    scene
}

fn retention(mode: RetentionMode) -> Lock {
    Lock {
        retention: Some(Retention {
            mode,
            until: Timestamp::now() + 24.hours(),
        }),
        legal_hold: false,
    }
}

async fn put_locked(scene: &Scene, key: &str, lock: Lock) -> Result<Stored> {
    let options = PutOptions {
        lock,
        ..PutOptions::default()
    };
    let body = pieces(b"locked", 9);
    scene.vault.put(&scene.alice, "box", key, options, body).await
}

#[tokio::test]
async fn what_is_locked_cannot_be_removed() {
    let scene = locking().await;
    let hold = Lock {
        retention: None,
        legal_hold: true,
    };
    let governed = put_locked(&scene, "g", retention(RetentionMode::Governance))
        .await
        .unwrap();
    let complied = put_locked(&scene, "c", retention(RetentionMode::Compliance))
        .await
        .unwrap();
    let held = put_locked(&scene, "h", hold).await.unwrap();
    let locked = |result: Result<Deleted>| matches!(result, Err(VaultError::Locked));
    for (key, version) in [
        ("g", governed.version),
        ("c", complied.version),
        ("h", held.version),
    ] {
        assert!(locked(remove(&scene, key, version, false).await), "{key}");
        // A marker hides it and removes nothing.
        let marker = remove(&scene, key, None, false).await.unwrap();
        remove(&scene, key, marker.version, false).await.unwrap();
        assert_eq!(get(&scene, key, None).await.unwrap(), b"locked");
    }
    assert!(locked(remove(&scene, "c", complied.version, true).await));
    assert!(locked(remove(&scene, "h", held.version, true).await));

    // The header alone does nothing: the access key must be permitted.
    let mut unpermitted = locking().await;
    let governed_there = put_locked(&unpermitted, "g", retention(RetentionMode::Governance))
        .await
        .unwrap();
    unpermitted.alice = unpermitted.alice.clone().bypassing(false);
    assert!(locked(
        remove(&unpermitted, "g", governed_there.version, true).await
    ));
    remove(&scene, "g", governed.version, true).await.unwrap();

    // Neither the account's key nor the bucket can be taken from under it, nor versioning switched off.
    let destroyed = scene
        .vault
        .destroy_account(scene.alice.tenant(), &account("shared"))
        .await;
    assert!(matches!(
        destroyed,
        Err(ProvisionError::Vault(VaultError::Locked))
    ));
    let suspended = scene.vault.set_versioning(&scene.alice, "box", false).await;
    assert!(matches!(suspended, Err(VaultError::NeedsVersions)));
    assert!(scene.vault.delete_bucket(&scene.alice, "box").await.is_err());

    let lift = async |hold| {
        scene
            .vault
            .change_lock(&scene.alice, "box", "h", None, Some(hold), false)
            .await
    };
    lift(false).await.unwrap();
    remove(&scene, "h", held.version, false).await.unwrap();
    let shorter = Some(Some(Retention {
        mode: RetentionMode::Compliance,
        until: Timestamp::now() + 1.hour(),
    }));
    let shortened = scene
        .vault
        .change_lock(&scene.alice, "box", "c", shorter, None, true)
        .await;
    assert!(matches!(shortened, Err(VaultError::Locked)));
}

#[tokio::test]
async fn a_bucket_gives_its_retention_and_none_without_object_lock() {
    let scene = locking().await;
    let default = DefaultRetention {
        mode: RetentionMode::Compliance,
        period: Period::Days(2),
    };
    scene
        .vault
        .set_object_lock(&scene.alice, "box", Some(default))
        .await
        .unwrap();
    let stored = put_locked(&scene, "k", Lock::default()).await.unwrap();
    let lock = scene.vault.lock(&scene.alice, "box", "k").await.unwrap();
    let until = stored.last_modified + 48.hours();
    assert_eq!(
        lock.retention,
        Some(Retention {
            mode: RetentionMode::Compliance,
            until
        })
    );
    let own = retention(RetentionMode::Governance);
    put_locked(&scene, "k", own).await.unwrap();
    let lock = scene.vault.lock(&scene.alice, "box", "k").await.unwrap();
    assert_eq!(lock.retention.map(|r| r.mode), Some(RetentionMode::Governance));

    let plain = versioned().await;
    assert!(matches!(
        put_locked(&plain, "k", own).await,
        Err(VaultError::NoLocks)
    ));
}

#[tokio::test]
async fn lifecycles_expire_what_no_lock_keeps() {
    let scene = locking().await;
    let stored = put(&scene, "tmp/old", b"1").await;
    let newer = put(&scene, "tmp/old", b"2").await;
    put(&scene, "keep", b"3").await;
    let held = put_locked(&scene, "tmp/held", retention(RetentionMode::Compliance))
        .await
        .unwrap();
    put(&scene, "tmp/held", b"newer").await;
    let upload = scene
        .vault
        .create_upload(&scene.alice, "box", "tmp/upload", UploadOptions::default())
        .await
        .unwrap();
    let rule = LifecycleRule {
        id: "tmp".into(),
        enabled: true,
        prefix: "tmp/".into(),
        expires: Some(Expiry::Days(1)),
        old_days: Some(1),
        upload_days: Some(1),
        ..LifecycleRule::default()
    };
    scene
        .vault
        .set(
            &scene.alice,
            "box",
            Setting::Lifecycle(Some(Lifecycle { rules: vec![rule] })),
        )
        .await
        .unwrap();
    let now = Timestamp::now();
    let expire = async |now| scene.vault.expire(now, DAY).await.unwrap();
    assert_eq!(expire(now).await, Expired::default());
    let later = now + 72.hours();
    let first = expire(later).await;
    let expected = Expired {
        latest: 2,
        old: 1,
        uploads: 1,
        locked: 1,
    };
    assert_eq!(first, expected);
    assert!(matches!(
        get(&scene, "tmp/old", stored.version).await,
        Err(VaultError::NoSuchVersion)
    ));
    assert!(get(&scene, "tmp/old", newer.version).await.is_ok());
    assert!(get(&scene, "tmp/held", held.version).await.is_ok());
    assert_eq!(get(&scene, "keep", None).await.unwrap(), b"3");
    let abort = scene
        .vault
        .abort_upload(&scene.alice, "box", "tmp/upload", &upload.id)
        .await;
    assert!(matches!(abort, Err(VaultError::NoSuchUpload)));
}
