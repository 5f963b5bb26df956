//! A backup of a deployment that serves, and what comes of restoring it: all of it, or nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod alterations;
mod engines;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use age::secrecy::ExposeSecret as _;
use bytes::Bytes;
use casework::{
    demand::CountryCode,
    event::Channel,
    facts::TenantKind,
    ids::{AccountId, CaseId, RecordId, RegionId, TenantId},
};
use evidence::seal::Identity;
use futures::{TryStreamExt as _, stream};
use service::{
    deployment::{
        Deployment, NewDeployment,
        backup::{BackupError, BackupOptions, Manifest, RestoreOptions, mark_gate, restore, take},
        create,
    },
    vault::{
        Conditions, Mapping, NewBucket, Principal, PutOptions, Vault,
        scrub::{Progress, ScrubOptions, Told},
    },
};
use store::{
    database::{Database, Location},
    gate_memory::{GateMemory, Remembers as _},
};
use tokio::task::JoinHandle;

const CONFIG: &str = r#"
schema = "amparo.config/1"
provider = "Example Cloud"
[s3]
listen = "127.0.0.1:0"
[api]
listen = "127.0.0.1:0"
[docket]
origin = "backup.example/docket"
interval_ms = 100
batch = 4
[[region]]
id = "eu-de"
country = "DE"
"#;

/// Objects that nobody touches while the backup is made.
const STABLE: usize = 12;

fn body(number: usize) -> Vec<u8> {
    let length = [0, 100, 70_000, 300_000][number % 4] + number;
    (0..length)
        .map(|at| (at * 31 + number * 7 + at / 251) as u8)
        .collect()
}

/// Signs in as an S3 client would: nobody else gets at content.
async fn who(deployment: &Deployment) -> Principal {
    let tenant = TenantId::new("contoso").unwrap();
    deployment
        .sign_in(&tenant, "AKTEST", "secret-of-contoso")
        .await
        .unwrap()
}

async fn put(vault: &Vault, who: &Principal, key: &str, bytes: Vec<u8>) {
    let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from(bytes))]);
    vault
        .put(who, "box", key, PutOptions::default(), body)
        .await
        .unwrap();
}

async fn get(vault: &Vault, who: &Principal, key: &str) -> Vec<u8> {
    let got = vault
        .get(who, "box", key, None, &Conditions::default())
        .await
        .unwrap();
    got.body.try_collect::<Vec<_>>().await.unwrap().concat()
}

async fn published(deployment: &Deployment, above: u64) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if let Some(note) = deployment.docket().checkpoint().await.unwrap() {
            let size = note.lines().nth(1).unwrap().parse().unwrap();
            if size > above {
                return size;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the docket stands still");
}

async fn set_up(dir: &Path, database: Option<Location>) -> Deployment {
    let new = NewDeployment {
        config: toml::from_str(CONFIG).unwrap(),
        database,
        witnesses: Vec::new(),
        reviewers: casework::promise::Reviewers::default(),
    };
    create(dir, new).unwrap();
    let deployment = Deployment::open(dir).await.unwrap();
    let vault = deployment.vault();
    let (tenant, country) = (TenantId::new("contoso").unwrap(), CountryCode::new("DE").unwrap());
    vault
        .create_tenant(&tenant, TenantKind::Enterprise, &country)
        .await
        .unwrap();
    vault
        .add_access_key(&tenant, "AKTEST", "secret-of-contoso")
        .await
        .unwrap();
    let who = who(&deployment).await;
    let bucket = NewBucket {
        name: "box".to_owned(),
        region: RegionId::new("eu-de").unwrap(),
        default_account: AccountId::new("shared").unwrap(),
        mapping: Mapping { rules: Vec::new() },
    };
    vault.create_bucket(&who, bucket).await.unwrap();
    for number in 0..STABLE {
        put(vault, &who, &format!("stable-{number}"), body(number)).await;
    }
    deployment
}

/// Stores, replaces and deletes until it is aborted.
async fn keep_busy(live: &Deployment) -> JoinHandle<()> {
    let (vault, writing) = (live.vault().clone(), who(live).await);
    tokio::spawn(async move {
        for round in 0..usize::MAX {
            let key = format!("busy-{}", round % 9);
            put(&vault, &writing, &key, body(1000 + round)).await;
            if round % 5 == 4 {
                vault
                    .delete(&writing, "box", &format!("busy-{}", (round + 3) % 9), None)
                    .await
                    .unwrap();
            }
        }
    })
}

/// All that must be right in a restored deployment, and that it goes on: stores, and continues the very log that its
/// witness saw.
async fn is_whole(deployment: &Deployment, manifest: &Manifest) {
    let owner = who(deployment).await;
    let (cases, wrong) = deployment.desk().check_all().await.unwrap();
    assert_eq!((cases, wrong.len()), (1, 0));
    for number in 0..STABLE {
        assert_eq!(
            get(deployment.vault(), &owner, &format!("stable-{number}")).await,
            body(number)
        );
    }
    let mut progress = Progress::default();
    let found = |told: Told<'_>| {
        if let Told::Finding(finding) = told {
            panic!("{finding:?}");
        }
    };
    let whole = ScrubOptions {
        orphan_age: Some(Duration::ZERO),
        ..ScrubOptions::default()
    };
    deployment
        .vault()
        .scrub(&whole, &mut progress, found)
        .await
        .unwrap();
    assert_eq!(progress.tally.blobs, manifest.blobs);

    let running = deployment.start().await.unwrap();
    put(deployment.vault(), &owner, "new", body(3)).await;
    assert_eq!(get(deployment.vault(), &owner, "new").await, body(3));
    deployment
        .vault()
        .delete(&owner, "box", "new", None)
        .await
        .unwrap();
    published(deployment, manifest.docket_size).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_is_backed_up_while_it_serves_and_restored() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, out, to) = (
        scratch.path().join("data"),
        scratch.path().join("backup"),
        scratch.path().join("restored"),
    );
    let live = set_up(&data, None).await;
    let running = live.start().await.unwrap();
    published(&live, 0).await;
    live.desk()
        .intake(b"a demand that nobody can read", Channel::Paper, None)
        .await
        .unwrap();
    let writer = keep_busy(&live).await;

    let age = age::x25519::Identity::generate();
    let options = BackupOptions {
        recipient: Some(age.to_public().to_string()),
        keys: true,
        kept_for: Some(Duration::from_secs(30 * 24 * 3600)),
    };
    let identity = || Identity::parse(age.to_string().expose_secret()).unwrap();
    let first = take(&data, &out, &options).await.unwrap();
    assert!(first.manifest.without.is_empty());
    assert_eq!(first.copied, first.manifest.blobs);
    let second = take(&data, &out, &options).await.unwrap();
    assert!(second.manifest.without.is_empty());
    assert!(
        second.copied < second.manifest.blobs,
        "what is there is not copied again"
    );
    writer.abort();
    let _ = writer.await;
    running.stop().await;
    live.close().await;
    drop(live);
    // The original is gone.
    fs::rename(&data, scratch.path().join("gone")).unwrap();

    for (what, altered) in alterations::alterations(&out) {
        let undo = altered.apply();
        let options = RestoreOptions {
            identity: Some(identity()),
            ..RestoreOptions::default()
        };
        let failed = restore(&out, &to, options).await.err();
        assert!(
            matches!(failed, Some(BackupError::Damaged(_) | BackupError::Unseal(_))),
            "{what}: {failed:?}"
        );
        nothing_is_there(&to, what);
        undo();
    }
    for (what, options) in [
        ("no identity", RestoreOptions::default()),
        (
            "another's identity",
            RestoreOptions {
                identity: Some(
                    Identity::parse(age::x25519::Identity::generate().to_string().expose_secret()).unwrap(),
                ),
                ..RestoreOptions::default()
            },
        ),
        (
            "the manifest of another backup",
            RestoreOptions {
                identity: Some(identity()),
                digest: Some(first.digest.clone()),
                ..RestoreOptions::default()
            },
        ),
    ] {
        assert!(restore(&out, &to, options).await.is_err(), "{what}");
        nothing_is_there(&to, what);
    }

    let options = RestoreOptions {
        identity: Some(identity()),
        digest: Some(second.digest.clone()),
        ..RestoreOptions::default()
    };
    let restored = restore(&out, &to, options).await.unwrap();
    assert!(restored.keys);
    assert_eq!(restored.copied, second.manifest.blobs);
    let size = restored.docket.unwrap();
    assert!(size > 0 && size <= second.manifest.docket_size);
    let walked = restored.ledgers.unwrap();
    assert_eq!(walked.ledgers, 1);
    assert!(walked.entries > 0 && walked.sets > 0);
    // The rows are copied after the gate's memory: a set that came between covers more.
    assert!(
        walked
            .faults
            .iter()
            .all(|fault| fault.contains("the last ones are lost")),
        "{:?}",
        walked.faults
    );
    let again = RestoreOptions {
        identity: Some(identity()),
        ..RestoreOptions::default()
    };
    assert!(matches!(
        restore(&out, &to, again).await,
        Err(BackupError::Exists(_))
    ));

    let deployment = Deployment::open(&to).await.unwrap();
    is_whole(&deployment, &second.manifest).await;
    deployment.close().await;
}

/// An old memory would let a record be used twice: the gate is told that it is old.
#[tokio::test]
async fn invariant_02_a_restored_gate_knows_that_it_was_restored() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, out, to) = (
        scratch.path().join("data"),
        scratch.path().join("backup"),
        scratch.path().join("restored"),
    );
    let deployment = set_up(&data, None).await;
    deployment.close().await;
    let before = jiff::Timestamp::now();
    take(&data, &out, &BackupOptions::default()).await.unwrap();
    let recall = async |dir: &Path| {
        let memory = GateMemory::new(Database::open(&dir.join("gate.db")).await.unwrap());
        let (record, case) = (RecordId(uuid::Uuid::nil()), CaseId(uuid::Uuid::nil()));
        memory.recall(record, case).await.unwrap().restored_at
    };
    assert_eq!(recall(&data).await, None);
    restore(&out, &to, RestoreOptions::default()).await.unwrap();
    let first = recall(&to).await.unwrap();
    assert!(first >= before);
    mark_gate(&to).await.unwrap();
    assert!(recall(&to).await.unwrap() > first);
    assert!(mark_gate(scratch.path()).await.is_err());
    // Without keys it does not open, and says which is missing.
    let failed = Deployment::open(&to).await.err().unwrap();
    assert!(failed.to_string().contains("keys/"), "{failed}");
    // What was destroyed may be in a backup: the vault knows until when.
    let rows = store::vault::VaultStore::new(Database::open(&data.join("amparo.db")).await.unwrap())
        .await
        .unwrap();
    let last = rows.last_backup(jiff::Timestamp::now()).await.unwrap().unwrap();
    assert_eq!(last.expires_at, None);
    assert!(!rows.blobs_held(jiff::Timestamp::now()).await.unwrap());
}

/// An access ledger that was cut off or altered is restored as it is, and told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_walks_the_access_ledgers_and_says_what_does_not_hold() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let deployment = set_up(&data, None).await;
    let running = deployment.start().await.unwrap();
    published(&deployment, 0).await;
    running.stop().await;
    deployment.close().await;
    drop(deployment);

    for (round, (alter, told)) in [
        (
            "UPDATE ledger_entries SET entry = CAST(replace(CAST(entry AS TEXT), '\"provider\"', '\"Provider\"') AS BLOB)",
            "holds a bad entry",
        ),
        (
            "UPDATE ledger_entries SET entry = CAST(replace(CAST(entry AS TEXT), '\"eu-de\"', '\"eu-fr\"') AS BLOB)",
            "does not hold",
        ),
        (
            "DELETE FROM ledger_entries WHERE seq = (SELECT max(seq) FROM ledger_entries)",
            "its end is missing",
        ),
        ("DELETE FROM ledger_entries", "the last ones are lost"),
    ]
    .into_iter()
    .enumerate()
    {
        let (copy, out, to) = (
            scratch.path().join(format!("copy-{round}")),
            scratch.path().join(format!("backup-{round}")),
            scratch.path().join(format!("restored-{round}")),
        );
        let copied = std::process::Command::new("cp").arg("-a").arg(&data).arg(&copy).status();
        assert!(copied.unwrap().success());
        let memory = Database::open(&copy.join("gate.db")).await.unwrap();
        for trigger in ["ledger_entries_stay_as_they_are", "ledger_entries_stay"] {
            let drop = sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"));
            sqlx::query(drop).execute(&memory.pool).await.unwrap();
        }
        let altered = sqlx::query(alter).execute(&memory.pool).await.unwrap();
        assert!(altered.rows_affected() > 0);
        memory.close().await;
        take(&copy, &out, &BackupOptions::default()).await.unwrap();
        let restored = restore(&out, &to, RestoreOptions::default()).await.unwrap();
        let faults = restored.ledgers.unwrap().faults;
        assert!(faults.iter().any(|fault| fault.contains(told)), "{alter}: {faults:?}");
        let walked = mark_gate(&to).await.unwrap();
        assert_eq!(walked.sets, 0);
    }
}

fn nothing_is_there(to: &Path, what: &str) {
    let staged = PathBuf::from(format!("{}.restoring", to.display()));
    assert!(!to.exists() && !staged.exists(), "{what}: something was left");
}
