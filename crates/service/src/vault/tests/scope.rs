use casework::{
    demand::Window,
    record::{AccountRef, ReleasedObject},
};
use envelope::{
    content::{ContentDigest, Opening, verify_commitment},
    keys::TenantKey,
    opening::OwnerAccount,
};
use sha2::Digest as _;

use super::*;
use crate::app::ports::VaultPort;

async fn put(scene: &Scene, key: &str, at: &str, bytes: &[u8]) {
    let mut options = PutOptions::default();
    options.headers.content_type = Some("message/rfc822".into());
    options.placement.concerns_at = Some(at.parse().unwrap());
    scene
        .vault
        .put(&scene.alice, "box", key, options, pieces(bytes, 9999))
        .await
        .unwrap();
}

fn ann() -> AccountRef {
    AccountRef {
        tenant: TenantId::new("contoso").unwrap(),
        account: account("ann"),
        region: region(EU),
    }
}

async fn scope(scene: &Scene, categories: &[Category], window: Option<Window>) -> Vec<ReleasedObject> {
    VaultPort::scope(&scene.vault, &ann(), categories, window, 10_000)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_scope_is_account_category_and_half_open_window() {
    let scene = scene().await;
    put(&scene, "mail/ann/before", "2001-12-31T23:59:59.999999Z", b"1").await;
    put(&scene, "mail/ann/first", "2002-01-01T00:00:00Z", b"2").await;
    put(&scene, "mail/ann/last", "2002-01-31T23:59:59.999999Z", b"3").await;
    put(&scene, "mail/ann/after", "2002-02-01T00:00:00Z", b"4").await;
    put(&scene, "mail/ben/in", "2002-01-15T00:00:00Z", b"5").await;
    put(&scene, "users/ann", "2002-01-15T00:00:00Z", b"6").await;
    let window = Window::new(
        "2002-01-01T00:00:00Z".parse().unwrap(),
        "2002-02-01T00:00:00Z".parse().unwrap(),
    )
    .unwrap();
    let names = async |found: Vec<ReleasedObject>| {
        let mut names = Vec::new();
        for object in found {
            let row = scene
                .vault
                .store()
                .object_by_id(object.object)
                .await
                .unwrap()
                .unwrap();
            names.push(row.key);
        }
        names.sort();
        names
    };
    let found = scope(&scene, &[Category::Content], Some(window)).await;
    assert_eq!(names(found).await, ["mail/ann/first", "mail/ann/last"]);
    let found = scope(&scene, &[Category::Content, Category::Subscriber], Some(window)).await;
    assert_eq!(
        names(found).await,
        ["mail/ann/first", "mail/ann/last", "users/ann"]
    );
    assert_eq!(scope(&scene, &[Category::Content], None).await.len(), 4);
    assert!(scope(&scene, &[Category::Traffic], None).await.is_empty());
    let elsewhere = AccountRef {
        region: region(US),
        ..ann()
    };
    let found = VaultPort::scope(&scene.vault, &elsewhere, &[Category::Content], None, 10)
        .await
        .unwrap();
    let places: Vec<_> = found
        .iter()
        .map(|object| object.account.region.as_str())
        .collect();
    assert_eq!(
        places, [EU; 4],
        "wherever it was asked for, each says where it lies"
    );
}

#[tokio::test]
async fn a_scope_goes_on_past_a_page() {
    let scene = scene().await;
    // Many at one instant, so that the page boundary falls among equals.
    for batch in (0..1300).collect::<Vec<_>>().chunks(100) {
        futures::future::join_all(batch.iter().map(async |n| {
            put(&scene, &format!("mail/ann/{n}"), "2002-01-01T00:00:00Z", b"x").await;
        }))
        .await;
    }
    let found = scope(&scene, &[Category::Content], None).await;
    assert_eq!(found.len(), 1300);
    assert!(found.windows(2).all(|pair| pair[0].object < pair[1].object));
}

/// What a record says of an object is what a stranger can recompute from its content and its opening.
#[tokio::test]
async fn a_scoped_object_reads_as_committed() {
    let scene = scene().await;
    let bytes = body(100_000);
    put(&scene, "mail/ann/1", "2002-01-01T00:00:00Z", &bytes).await;
    let found = scope(&scene, &[Category::Content], None).await;
    let object = &found[0];
    let chain = scene.vault.keys(&found).await.unwrap().remove(0);
    let (root, owner) = (RegionRoot::from_random([1; 32]), scene.alice.reason());
    let envelope::held::WrappedTenant::Root {
        wrapped: under_root, ..
    } = &chain.account.tenant_key
    else {
        panic!("nobody else holds the key");
    };
    let tenant = TenantKey::unwrap(&root, chain.account.place(), under_root).unwrap();
    let opened = OwnerAccount::open(&tenant, owner, &chain.account).unwrap();
    let key = opened.unwrap(owner, &chain).unwrap();
    let described = scene.vault.describe(object, &key).await.unwrap();
    assert_eq!(described.name, "mail/ann/1");
    assert_eq!(described.content_type.as_deref(), Some("message/rfc822"));
    assert_eq!(described.parts, [100_000]);
    let mut read = scene.vault.read(object, &key).await.unwrap();
    let mut seen = Vec::new();
    while let Some(piece) = read.try_next().await.unwrap() {
        seen.extend_from_slice(&piece);
    }
    assert_eq!(seen, bytes);
    let mut digest = ContentDigest::default();
    digest.part(object.size, &sha2::Sha256::digest(&seen).into());
    verify_commitment(
        &Opening::of(&key).unwrap(),
        &digest.finish(),
        &object.commitment.0,
    )
    .unwrap();

    // An object replaced after the record was drawn up is not the one that the record names.
    put(&scene, "mail/ann/1", "2002-01-01T00:00:00Z", b"other").await;
    assert!(scene.vault.keys(&found).await.is_err());
}

#[tokio::test]
async fn accounts_are_found_across_tenants() {
    let scene = scene().await;
    scene.put("mail/ann@x.example/1", b"x").await;
    let body = pieces(b"x", 1);
    let put = scene
        .vault
        .put(
            &scene.mallory,
            "box",
            "mail/ann@x.example/1",
            PutOptions::default(),
            body,
        )
        .await;
    put.unwrap();
    let tenant = scene.alice.tenant();
    scene
        .vault
        .add_alias(tenant, &account("ann@x.example"), "+49 170 1")
        .await
        .unwrap();
    let details = store::vault::AccountDetails {
        person_country: Some(country("FR")),
        us_person: Some(false),
        privileged: None,
    };
    scene
        .vault
        .describe_account(tenant, &account("ann@x.example"), details)
        .await
        .unwrap();
    assert_eq!(
        scene
            .vault
            .find_accounts("Ann@X.example", 10)
            .await
            .unwrap()
            .len(),
        2
    );
    assert!(
        scene
            .vault
            .find_accounts("ann@x.exampl", 10)
            .await
            .unwrap()
            .is_empty()
    );
    let found = scene.vault.find_accounts("+49 170 1", 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].us_person, found[0].region.as_str()), (Some(false), EU));
    assert_eq!(found[0].region_country, country("DE"));
}
