//! What a snapshot keeps, who finds it meanwhile, and its end; and addresses that lead to accounts.

use casework::{
    ids::SnapshotId,
    record::{AccountRef, ReleasedObject},
};
use store::vault::AddressUse;

use super::*;
use crate::app::ports::VaultPort;

const CONTENT: [Category; 1] = [Category::Content];

fn ann() -> AccountRef {
    AccountRef {
        tenant: TenantId::new("contoso").unwrap(),
        account: account("ann"),
        region: region(EU),
    }
}

fn snapshot(number: u128) -> SnapshotId {
    SnapshotId(uuid::Uuid::from_u128(number))
}

async fn put(scene: &Scene, key: &str, bytes: &[u8]) {
    let put = scene.vault.put(
        &scene.alice,
        "box",
        key,
        PutOptions::default(),
        pieces(bytes, 9999),
    );
    put.await.unwrap();
}

async fn remove(scene: &Scene, key: &str) {
    let deletion = Deletion {
        key: key.to_owned(),
        ..Deletion::default()
    };
    scene.vault.remove(&scene.alice, "box", deletion).await.unwrap();
}

async fn live(scene: &Scene) -> Vec<ReleasedObject> {
    VaultPort::scope(&scene.vault, &ann(), &CONTENT, None, 100)
        .await
        .unwrap()
}

async fn kept(scene: &Scene, number: u128) -> Vec<ReleasedObject> {
    let ann = ann();
    let kept = scene.vault.preserved(snapshot(number), &ann, &CONTENT, None, 100);
    kept.await.unwrap()
}

async fn freeze(scene: &Scene, number: u128) -> u64 {
    let accounts = [ann()];
    let frozen = VaultPort::preserve(&scene.vault, snapshot(number), &accounts, &CONTENT, None);
    frozen.await.unwrap().objects
}

#[tokio::test]
async fn what_was_preserved_outlives_its_owners_deletion_out_of_sight_until_the_snapshot_ends() {
    let scene = scene().await;
    // One in the database, one in the blob store; one that is overwritten, one that is left alone.
    put(&scene, "mail/ann/small", b"first").await;
    put(&scene, "mail/ann/large", &body(300_000)).await;
    put(&scene, "mail/ann/over", b"before").await;
    put(&scene, "mail/ann/left", b"left").await;
    put(&scene, "mail/ben/other", b"not asked for").await;
    assert_eq!(freeze(&scene, 1).await, 4);
    // What comes later is not covered; the same snapshot once more is what it was.
    put(&scene, "mail/ann/later", b"later").await;
    assert_eq!(freeze(&scene, 1).await, 4);
    assert!(kept(&scene, 1).await.is_empty());

    for key in [
        "mail/ann/small",
        "mail/ann/large",
        "mail/ann/later",
        "mail/ben/other",
    ] {
        remove(&scene, key).await;
    }
    put(&scene, "mail/ann/over", b"after").await;
    // Its owner sees nothing of it, and an ordinary release finds nothing.
    let names: Vec<String> = scene
        .vault
        .list_buckets(&scene.alice)
        .await
        .unwrap()
        .into_iter()
        .map(|bucket| bucket.name)
        .collect();
    assert_eq!(names, ["box"]);
    let get = scene
        .vault
        .get(
            &scene.alice,
            "box",
            ("mail/ann/small", None),
            None,
            &Conditions::default(),
        )
        .await;
    assert!(matches!(get, Err(VaultError::NoSuchKey)));
    assert_eq!(live(&scene).await.len(), 2);
    assert_eq!(kept(&scene, 1).await.len(), 3);
    assert!(kept(&scene, 2).await.is_empty());
    // Its keys are there for the gate, and its name for the package.
    assert_eq!(scene.vault.keys(&kept(&scene, 1).await).await.unwrap().len(), 3);
    let row = scene
        .vault
        .store()
        .object_by_id(kept(&scene, 1).await[0].object)
        .await
        .unwrap()
        .unwrap();
    assert!(row.key.starts_with("mail/ann/"), "{}", row.key);
    // A bucket that is empty for its owner can go, and the account's keys cannot.
    for key in ["mail/ann/over", "mail/ann/left"] {
        remove(&scene, key).await;
    }
    scene.vault.delete_bucket(&scene.alice, "box").await.unwrap();
    let destroyed = scene.vault.destroy_account(&ann().tenant, &ann().account).await;
    assert!(
        matches!(destroyed, Err(ProvisionError::Vault(VaultError::Locked))),
        "{destroyed:?}"
    );
    assert_eq!(kept(&scene, 1).await.len(), 4);

    scene.vault.thaw(snapshot(1)).await.unwrap();
    assert!(kept(&scene, 1).await.is_empty() && live(&scene).await.is_empty());
    assert!(scene.vault.store().object_by_id(row.id).await.unwrap().is_none());
    // Twice does no harm.
    scene.vault.thaw(snapshot(1)).await.unwrap();
    scene
        .vault
        .destroy_account(&ann().tenant, &ann().account)
        .await
        .unwrap();
}

#[tokio::test]
async fn of_two_snapshots_the_last_lets_go_and_versions_are_kept_too() {
    let scene = scene().await;
    scene
        .vault
        .set_versioning(&scene.alice, "box", true)
        .await
        .unwrap();
    put(&scene, "mail/ann/1", b"one").await;
    put(&scene, "mail/ann/1", b"two").await;
    assert_eq!(freeze(&scene, 1).await, 2);
    assert_eq!(freeze(&scene, 2).await, 2);
    for object in live(&scene).await {
        let deletion = Deletion {
            key: "mail/ann/1".to_owned(),
            version: Some(VersionId::Id(object.object)),
            ..Deletion::default()
        };
        scene.vault.remove(&scene.alice, "box", deletion).await.unwrap();
    }
    assert!(live(&scene).await.is_empty());
    scene.vault.thaw(snapshot(1)).await.unwrap();
    assert_eq!((kept(&scene, 1).await.len(), kept(&scene, 2).await.len()), (0, 2));
    // What its owner deleted is in no snapshot that is made afterwards.
    assert_eq!(freeze(&scene, 3).await, 0);
    scene.vault.thaw(snapshot(2)).await.unwrap();
    assert!(kept(&scene, 2).await.is_empty());
}

#[tokio::test]
async fn an_address_at_a_moment_leads_to_who_had_it_by_port_and_time() {
    let scene = scene().await;
    put(&scene, "mail/ann/1", b"x").await;
    put(&scene, "mail/ben/1", b"x").await;
    let used = |ports: Option<(u16, u16)>, from: &str, until: &str| AddressUse {
        address: "203.0.113.7".parse().unwrap(),
        ports,
        from: from.parse().unwrap(),
        until: until.parse().unwrap(),
    };
    let (first, noon, last) = (
        "2026-10-01T00:00:00Z",
        "2026-10-01T12:00:00Z",
        "2026-10-02T00:00:00Z",
    );
    let tenant = ann().tenant;
    for (who, used) in [
        ("ann", used(Some((1024, 2047)), first, noon)),
        ("ben", used(Some((2048, 4095)), first, noon)),
        ("ann", used(None, noon, last)),
    ] {
        scene
            .vault
            .add_address_use(&tenant, &account(who), used)
            .await
            .unwrap();
    }
    let nobody = scene
        .vault
        .add_address_use(&tenant, &account("nobody"), used(None, first, last))
        .await;
    assert!(nobody.is_err());
    let found = async |address: &str, port: Option<u16>, at: &str| {
        let found = scene
            .vault
            .accounts_at(address.parse().unwrap(), port, at.parse().unwrap())
            .await
            .unwrap();
        let names: Vec<String> = found.iter().map(|found| found.account.to_string()).collect();
        names.join(" ")
    };
    let morning = "2026-10-01T11:59:59Z";
    assert_eq!(found("203.0.113.7", Some(1024), first).await, "ann");
    assert_eq!(found("203.0.113.7", Some(4095), morning).await, "ben");
    assert_eq!(found("203.0.113.7", Some(4096), morning).await, "");
    // Without its port a shared address is several people.
    assert_eq!(found("203.0.113.7", None, morning).await, "ann ben");
    assert_eq!(found("::ffff:203.0.113.7", Some(4095), noon).await, "ann");
    assert_eq!(found("203.0.113.7", None, last).await, "");
    assert_eq!(found("203.0.113.8", None, noon).await, "");
    let store = scene.vault.store();
    assert_eq!(store.forget_address_uses(noon.parse().unwrap()).await.unwrap(), 2);
    assert_eq!(found("203.0.113.7", None, morning).await, "");
}
