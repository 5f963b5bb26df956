//! The end of a key provider's key: refused while anything is under it, stated and in the docket's queue when it is done, and
//! nothing is wrapped under it again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by stopping"
)]

use std::path::Path;

use casework::{
    demand::CountryCode,
    facts::TenantKind,
    ids::{AccountId, ProviderId, RegionId, TenantId},
};
use service::{
    deployment::{
        Deployment, NewDeployment, Retirement, RetirementError, RetirementOrder, create, open_providers,
        read_key, root_files, seal_root,
    },
    keys::{
        EndOrder,
        keyholder::{self, ending},
        sealed_file,
    },
    vault::{Mapping, NewBucket, PutOptions},
};
use store::vault::StoreError;

const PASSPHRASE: &str = "correct horse battery";

fn config(keyholder: &str) -> String {
    let file = |id: &str, file: &str| {
        format!(
            "[[key_provider]]\nkind = \"file\"\nid = \"{id}\"\nfile = \"{file}\"\npassphrase = {{ file = \"phrase\" }}\n"
        )
    };
    let providers = [
        file("old", "old.age"),
        file("same", "old.age"),
        file("new", "new.age"),
    ]
    .concat();
    format!(
        r#"
schema = "amparo.config/1"
provider = "Example Cloud"
[s3]
listen = "127.0.0.1:0"
[api]
listen = "127.0.0.1:0"
[docket]
origin = "retirement.example/docket"
interval_ms = 100
batch = 4
[[region]]
id = "eu-de"
country = "DE"
{providers}
[[key_provider]]
kind = "keyholder"
id = "theirs"
url = "http://127.0.0.1:1"
key = "{keyholder}"
"#
    )
}

fn id(name: &str) -> ProviderId {
    ProviderId::new(name).unwrap()
}

fn order(name: &str) -> RetirementOrder {
    RetirementOrder {
        provider: id(name),
        gate: None,
        end: EndOrder { waiting_days: 7 },
        receipt: None,
    }
}

async fn deployment(dir: &Path, keyholder: &str) -> Deployment {
    let data = dir.join("data");
    let new = NewDeployment {
        config: toml::from_str(&config(keyholder)).unwrap(),
        database: None,
        witnesses: Vec::new(),
        reviewers: casework::promise::Reviewers::default(),
    };
    create(&data, new).unwrap();
    service::deployment::write_secret(&data.join("phrase"), PASSPHRASE.as_bytes()).unwrap();
    for file in ["old.age", "new.age"] {
        sealed_file::create(&data.join(file), PASSPHRASE).unwrap();
    }
    let deployment = Deployment::open(&data).await.unwrap();
    for name in ["contoso", "fabrikam"] {
        let (tenant, country) = (TenantId::new(name).unwrap(), CountryCode::new("DE").unwrap());
        let vault = deployment.vault();
        vault
            .create_tenant(&tenant, TenantKind::Enterprise, &country)
            .await
            .unwrap();
        // A customer's key is made with its first bucket.
        let access = vault.create_access_key(&tenant).await.unwrap();
        let who = deployment
            .sign_in(&tenant, &access.id, &access.secret)
            .await
            .unwrap();
        let bucket = NewBucket {
            name: format!("{name}-box"),
            region: RegionId::new("eu-de").unwrap(),
            default_account: AccountId::new("shared").unwrap(),
            mapping: Mapping { rules: Vec::new() },
        };
        vault.create_bucket(&who, bucket).await.unwrap();
        let body = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"x"))]);
        vault
            .put(&who, &format!("{name}-box"), "key", PutOptions::default(), body)
            .await
            .unwrap();
    }
    deployment
}

/// A keyholder's folder, and its public key.
fn holder(dir: &Path) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let folder = dir.join("holder");
    keyholder::create(
        &folder,
        &STANDARD.encode(
            ed25519_dalek::SigningKey::from_bytes(&[9; 32])
                .verifying_key()
                .to_bytes(),
        ),
    )
    .unwrap();
    let signs = ed25519_dalek::SigningKey::from_bytes(&read_key(&folder.join("sign.key")).unwrap());
    STANDARD.encode(signs.verifying_key().to_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_providers_key_ends_only_when_no_row_and_no_root_is_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let holder = holder(dir.path());
    let deployment = deployment(dir.path(), &holder).await;
    let (vault, layout) = (deployment.vault(), deployment.layout().clone());
    let tenant = TenantId::new("contoso").unwrap();
    vault.set_holder(&tenant, Some(&id("old")), false).await.unwrap();

    // Also by the other name that the configuration has for the very same key.
    for name in ["old", "same"] {
        let refused = deployment.retire(&order(name)).await.err().unwrap();
        let RetirementError::Store(StoreError::StillHeld {
            held,
            looked_at,
            first,
        }) = &refused
        else {
            panic!("{refused}");
        };
        assert_eq!(
            (*held, *looked_at, first.as_str()),
            (1, 2, "`contoso` in `eu-de`")
        );
    }
    assert_eq!(vault.store().retired_providers().await.unwrap(), []);
    assert!(layout.dir().join("old.age").exists());
    vault.set_holder(&tenant, Some(&id("new")), false).await.unwrap();

    // Nor while it seals a root.
    let region = RegionId::new("eu-de").unwrap();
    let clock: service::gate::Clock = std::sync::Arc::new(jiff::Timestamp::now);
    let providers = open_providers(&layout, deployment.config(), &clock)
        .await
        .unwrap();
    let [root] = <[_; 1]>::try_from(root_files(&layout, &region)).unwrap();
    let sealed = seal_root(&region, &root, &providers, &id("same")).await.unwrap();
    let refused = deployment.retire(&order("old")).await.err().unwrap();
    assert!(
        matches!(&refused, RetirementError::Seals(path) if *path == sealed),
        "{refused}"
    );
    std::fs::rename(&sealed, dir.path().join("elsewhere")).unwrap();

    let (statement, entry) = deployment.retire(&order("old")).await.unwrap();
    assert!(!layout.dir().join("old.age").exists());
    assert_eq!((statement.wrapped_keys, statement.sealed_roots), (2, 0));
    assert_eq!(
        (statement.kind.as_str(), &statement.also[..]),
        ("file", &[id("same")][..])
    );
    assert_eq!(
        statement.answer.as_ref().unwrap().ended.said,
        "overwritten and removed"
    );
    // Order and outcome are in the docket's queue, each by its digest.
    let ordered = Retirement {
        answer: None,
        ..statement.clone()
    };
    for (kind, of, is) in [
        ("key-end-ordered", &ordered, None),
        ("key-end-answered", &statement, entry),
    ] {
        let found = deployment
            .docket()
            .find(kind, &of.digest().unwrap().0)
            .await
            .unwrap();
        assert!(found.is_some() && is.is_none_or(|is| Some(is) == found), "{kind}");
    }
    // Nothing comes under it any more, by whichever name.
    for name in ["old", "same"] {
        assert!(
            vault.set_holder(&tenant, Some(&id(name)), false).await.is_err(),
            "{name}"
        );
        let held = vault.store().holder(&tenant).await.unwrap();
        assert_eq!(held, Some(id("new")));
    }
    let again = deployment.retire(&order("old")).await.unwrap();
    assert_eq!((again.0, again.1), (statement, None));
    deployment.close().await;
}

/// The customer's own is destroyed by the customer, and its receipt is what is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyholders_end_is_the_customers_to_sign() {
    let dir = tempfile::tempdir().unwrap();
    let public = holder(dir.path());
    let deployment = deployment(dir.path(), &public).await;
    let refused = deployment.retire(&order("theirs")).await.err().unwrap();
    assert!(matches!(refused, RetirementError::Customers));

    let config = dir.path().join("holder/keyholder.toml");
    let wraps = dir.path().join("holder/wrap.key");
    assert!(ending::destroy(&config, "another", jiff::Timestamp::now()).is_err());
    assert!(wraps.exists());
    let receipt = ending::destroy(&config, &public, jiff::Timestamp::now()).unwrap();
    assert!(!wraps.exists());
    let altered = String::from_utf8(receipt.clone())
        .unwrap()
        .replace("destroyed", "destroyet");
    for bad in [b"{}".to_vec(), altered.into_bytes()] {
        let with = RetirementOrder {
            receipt: Some(bad),
            ..order("theirs")
        };
        let refused = deployment.retire(&with).await.err().unwrap();
        assert!(matches!(refused, RetirementError::Receipt(_)), "{refused}");
    }
    let with = RetirementOrder {
        receipt: Some(receipt),
        ..order("theirs")
    };
    let (statement, _) = deployment.retire(&with).await.unwrap();
    let said = statement.answer.unwrap().ended.said;
    assert_eq!(said["statement"]["keyholder"], public.as_str());
    assert_eq!(said["statement"]["destroyed"].as_array().unwrap().len(), 1);
    deployment.close().await;
}
