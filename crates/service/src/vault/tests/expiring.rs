//! Lifecycles against what happens while they are carried out.

use jiff::{Timestamp, ToSpan as _};
use store::vault::Standing;

use super::*;
use crate::vault::lifecycle::{DAY, Expiry, LifecycleRule};

async fn put(vault: &Vault, who: &Principal, key: &str, bytes: &[u8]) -> Stored {
    let put = vault.put(who, "box", key, PutOptions::default(), pieces(bytes, 9999));
    put.await.unwrap()
}

async fn rule(vault: &Vault, who: &Principal, rule: LifecycleRule) {
    let rule = LifecycleRule {
        id: "rule".into(),
        enabled: true,
        ..rule
    };
    let lifecycle = Setting::Lifecycle(Some(Lifecycle { rules: vec![rule] }));
    vault.set(who, "box", lifecycle).await.unwrap();
}

async fn listed(scene: &Scene, key: &str) -> Vec<VersionEntry> {
    let query = VersionQuery {
        prefix: key.to_owned(),
        max_keys: 100,
        ..VersionQuery::default()
    };
    let page = scene.vault.list_versions(&scene.alice, "box", &query).await;
    page.unwrap().versions
}

async fn remove(scene: &Scene, key: &str, version: Option<VersionId>) {
    let deletion = Deletion {
        key: key.to_owned(),
        version,
        ..Deletion::default()
    };
    let removed = scene.vault.remove(&scene.alice, "box", deletion).await;
    removed.unwrap();
}

/// What a run does to a version that it listed, however much later.
async fn expire_one(scene: &Scene, entry: &VersionEntry, standing: Standing) -> u64 {
    let bucket = scene.vault.find_bucket(&scene.alice, "box").await.unwrap();
    let (mut count, mut locked) = (0, 0);
    let done = scene
        .vault
        .expire_one(&bucket, entry, standing, &mut count, &mut locked);
    done.await.unwrap();
    count
}

#[tokio::test]
async fn versions_that_are_to_stay_do_so_where_a_page_ends_with_one_removed() {
    let scene = scene().await;
    let (vault, alice) = (&scene.vault, &scene.alice);
    vault.set_versioning(alice, "box", true).await.unwrap();
    for content in [b"1", b"2", b"3", b"4", b"5", b"6"] {
        put(vault, alice, "k", content).await;
    }
    let kept: Vec<_> = listed(&scene, "k").await.iter().take(3).map(|v| v.id).collect();
    let old = LifecycleRule {
        old_days: Some(1),
        old_kept: Some(2),
        ..LifecycleRule::default()
    };
    rule(vault, alice, old).await;
    let later = Timestamp::now() + 72.hours();
    // The fourth is the first to go.
    let expired = vault.expire_by(later, DAY, 4).await.unwrap();
    assert_eq!(expired.old, 3);
    let there: Vec<_> = listed(&scene, "k").await.iter().map(|v| v.id).collect();
    assert_eq!(there, kept);
    assert_eq!(vault.expire_by(later, DAY, 1).await.unwrap().old, 0);
}

#[tokio::test]
async fn what_took_the_place_of_an_expired_version_stays() {
    let scene = scene().await;
    let (vault, alice) = (&scene.vault, &scene.alice);
    vault.set_versioning(alice, "box", true).await.unwrap();
    // Its marker is taken away: it is the latest again.
    put(vault, alice, "hidden", b"content").await;
    remove(&scene, "hidden", None).await;
    let seen = listed(&scene, "hidden").await;
    remove(&scene, "hidden", Some(seen[0].version)).await;
    assert_eq!(expire_one(&scene, &seen[1], Standing::Old).await, 0);
    // The marker hides something again.
    remove(&scene, "lone", None).await;
    let lone = listed(&scene, "lone").await;
    put(vault, alice, "lone", b"content").await;
    assert_eq!(expire_one(&scene, &lone[0], Standing::LoneMarker).await, 0);
    assert_eq!(listed(&scene, "lone").await.len(), 2);
    // The version `null` is another one by now: a marker's, an old one's and the latest's.
    vault.set_versioning(alice, "box", false).await.unwrap();
    remove(&scene, "null", None).await;
    let marker = listed(&scene, "null").await;
    put(vault, alice, "null", b"first").await;
    assert_eq!(expire_one(&scene, &marker[0], Standing::LoneMarker).await, 0);
    let first = listed(&scene, "null").await;
    put(vault, alice, "null", b"second").await;
    assert_eq!(expire_one(&scene, &first[0], Standing::Latest).await, 0);
    assert_eq!(expire_one(&scene, &first[0], Standing::Old).await, 0);
    for key in ["hidden", "lone", "null"] {
        let head = vault.head(alice, "box", key, &Conditions::default()).await;
        assert!(head.is_ok(), "{key}: {head:?}");
    }
    // What still stands as it was seen goes.
    let now = listed(&scene, "null").await;
    assert_eq!(expire_one(&scene, &now[0], Standing::Latest).await, 1);
    let marker = listed(&scene, "null").await;
    assert_eq!(expire_one(&scene, &marker[0], Standing::LoneMarker).await, 1);
    assert!(listed(&scene, "null").await.is_empty());
}

#[tokio::test]
async fn one_buckets_error_keeps_no_other_from_its_lifecycle() {
    let scene = scene().await;
    let vault = &scene.vault;
    for who in [&scene.alice, &scene.mallory] {
        put(vault, who, "k", b"content").await;
        let expires = LifecycleRule {
            expires: Some(Expiry::Days(1)),
            ..LifecycleRule::default()
        };
        rule(vault, who, expires).await;
    }
    let database = store::testkit::database(&scene.folder.path().join("vault.db")).await;
    sqlx::query("UPDATE bucket_setting SET document = '?' WHERE bucket = (SELECT min(seq) FROM bucket)")
        .execute(&database.pool)
        .await
        .unwrap();
    vault
        .expire(Timestamp::now() + 72.hours(), DAY)
        .await
        .unwrap_err();
    let head = vault
        .head(&scene.mallory, "box", "k", &Conditions::default())
        .await;
    assert!(matches!(head, Err(VaultError::NoSuchKey)), "{head:?}");
}
