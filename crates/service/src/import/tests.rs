//! Import into a real vault.

use std::{path::Path, sync::Arc};

use casework::{
    demand::{Category, CountryCode},
    facts::TenantKind,
    ids::{AccountId, RegionId, TenantId},
};
use envelope::{keys::RegionRoot, secrets::DeploymentKey};
use futures::TryStreamExt as _;
use store::{blobs::DiskBlobs, vault::VaultStore};

use super::{Progress, Source, date::UNDATED_AT, import_files, import_mail, mail_key, messages};
use crate::{
    gate::{Ledger, RegionRoots, owner::OwnerKeys},
    vault::{Conditions, Mapping, NewBucket, ObjectInfo, Principal, Vault},
};

async fn vault(folder: &Path) -> (Vault, Principal) {
    let region = RegionId::new("eu-de").unwrap();
    let database = store::testkit::database(&folder.join("vault.db")).await;
    let blobs = Arc::new(DiskBlobs::open(&folder.join("blobs")).await.unwrap());
    let roots = RegionRoots::new([(region.clone(), RegionRoot::from_random([1; 32]))]);
    let memory = store::testkit::database(&folder.join("gate.db")).await;
    let ledger = Arc::new(Ledger::open(memory, Arc::new(jiff::Timestamp::now)));
    let gate = Arc::new(OwnerKeys::new(Arc::new(roots), ledger));
    let store = VaultStore::new(database).await.unwrap();
    let vault = Vault::new(store, blobs, gate, DeploymentKey::from_random([3; 32]));
    let country = CountryCode::new("DE").unwrap();
    let tenant = TenantId::new("contoso").unwrap();
    vault.create_region(&region, &country).await.unwrap();
    vault
        .create_tenant(&tenant, TenantKind::Enterprise, &country)
        .await
        .unwrap();
    let owner = Principal::authenticated(tenant, "AKTEST", "import");
    let bucket = NewBucket {
        name: "mail".to_owned(),
        region,
        default_account: AccountId::new("shared").unwrap(),
        mapping: Mapping { rules: Vec::new() },
    };
    vault.create_bucket(&owner, bucket).await.unwrap();
    (vault, owner)
}

async fn fetch(vault: &Vault, owner: &Principal, key: &str) -> (ObjectInfo, Vec<u8>) {
    let got = vault
        .get(owner, "mail", key, None, &Conditions::default())
        .await
        .unwrap();
    let pieces: Vec<bytes::Bytes> = got.body.try_collect().await.unwrap();
    (got.info, pieces.concat())
}

#[tokio::test]
async fn hostile_mail_comes_back_from_the_vault_byte_for_byte() {
    let root = std::env::var("AMPARO_TESTDATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
    let path = Path::new(&root).join("mail/stalwart-eml-json.tar.xz");
    if !path.exists() {
        println!("skipped: hostile_mail_comes_back_from_the_vault_byte_for_byte (no test data)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (vault, owner) = vault(dir.path()).await;
    let alice = AccountId::new("alice").unwrap();
    let source = Source::detect(path).unwrap();
    let mut last = Progress { objects: 0, bytes: 0 };
    let report = import_mail(&vault, &owner, "mail", &alice, source.clone(), &mut |p| last = p)
        .await
        .unwrap();
    let expected: Vec<_> = messages(&source).unwrap().map(Result::unwrap).collect();
    assert_eq!(report.stored, expected.len() as u64);
    assert_eq!((last.objects, last.bytes), (report.stored, report.bytes));
    let dated = report.dated_by_date + report.dated_by_received + report.dated_by_mbox_line + report.undated;
    assert_eq!(dated, report.stored);
    assert_eq!(report.broken, expected.iter().filter(|m| m.broken).count() as u64);
    for message in &expected {
        let (info, bytes) = fetch(&vault, &owner, &mail_key(&alice, message)).await;
        assert_eq!(bytes, message.bytes, "{}", message.name);
        assert_eq!(
            info.concerns_at,
            message.date.unwrap_or(UNDATED_AT),
            "{}",
            message.name
        );
        assert_eq!((&info.account, info.category), (&alice, Category::Content));
        assert_eq!(info.user_metadata["amparo-dated"], message.how_dated.as_str());
    }
}

#[tokio::test]
async fn files_come_in_as_they_are_and_a_damaged_archive_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (vault, owner) = vault(dir.path()).await;
    let alice = AccountId::new("alice").unwrap();
    let files = dir.path().join("files");
    std::fs::create_dir_all(files.join("sub")).unwrap();
    let large: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::write(files.join("sub/large.bin"), &large).unwrap();
    std::fs::write(files.join("empty"), b"").unwrap();
    let report = import_files(
        &vault,
        &owner,
        "mail",
        &alice,
        Source::detect(&files).unwrap(),
        &mut |_| {},
    )
    .await
    .unwrap();
    assert_eq!(
        (report.stored, report.bytes, report.dated_by_file),
        (2, 700_000, 2)
    );
    let (info, bytes) = fetch(&vault, &owner, "files/alice/sub/large.bin").await;
    assert_eq!(bytes, large);
    assert_ne!(info.concerns_at, UNDATED_AT);
    assert!(fetch(&vault, &owner, "files/alice/empty").await.1.is_empty());

    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(700_000);
    archive
        .append_data(&mut header, "large.bin", large.as_slice())
        .unwrap();
    let bytes = archive.into_inner().unwrap();
    let cut = dir.path().join("cut.tar");
    std::fs::write(&cut, &bytes[..300_000]).unwrap();
    let source = Source::detect(&cut).unwrap();
    let failed = import_files(&vault, &owner, "mail", &alice, source, &mut |_| {})
        .await
        .unwrap_err();
    assert!(failed.to_string().contains("large.bin"), "{failed}");
    let absent = vault
        .head(&owner, "mail", "files/alice/large.bin", &Conditions::default())
        .await;
    assert!(absent.is_err(), "half a file was stored");
}
