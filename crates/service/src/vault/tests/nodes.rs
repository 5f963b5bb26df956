//! Several nodes on one database and one blob store: nothing is lost, nothing is doubled, and a database that goes away in
//! mid-transaction takes nothing acknowledged with it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use store::testkit::Server;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn only_if(etag: Option<&str>) -> PutOptions {
    PutOptions {
        conditions: WriteConditions {
            if_match: etag.map(|etag| EtagMatch::Tags(vec![etag.to_owned()])),
            if_none_match: etag.is_none().then_some(EtagMatch::Any),
        },
        ..PutOptions::default()
    }
}

async fn two_nodes() -> (Scene, Vault) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = disk(folder.path()).await;
    let vault = open(folder.path(), blobs.clone()).await;
    let other = open(folder.path(), blobs).await;
    provision(&vault).await;
    let scene = Scene {
        folder,
        vault,
        alice: principal("contoso"),
        mallory: principal("fabrikam"),
    };
    (scene, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_that_make_the_same_object_exactly_one_succeeds() {
    let (scene, other) = two_nodes().await;
    let mut tasks = Vec::new();
    for vault in [scene.vault.clone(), other.clone()] {
        let alice = scene.alice.clone();
        tasks.push(tokio::spawn(async move {
            let mut made = Vec::new();
            for number in 0..40_u32 {
                // Every second one is too large for its row, so that blobs are at stake too.
                let bytes = body(if number.is_multiple_of(2) { 100 } else { 100_000 });
                let key = format!("mail/person-{}/{number}", number % 5);
                let put = vault.put(&alice, "box", &key, only_if(None), pieces(&bytes, 70_000));
                match put.await {
                    Ok(_) => made.push(key),
                    Err(VaultError::PreconditionFailed) => {}
                    Err(other) => panic!("{key}: {other:?}"),
                }
            }
            made
        }));
    }
    let mut winners = BTreeMap::new();
    for task in tasks {
        for key in task.await.unwrap() {
            *winners.entry(key).or_insert(0) += 1;
        }
    }
    assert_eq!(winners.len(), 40);
    assert!(winners.values().all(|times| *times == 1), "{winners:?}");
    for key in winners.keys() {
        let number: u32 = key.rsplit('/').next().unwrap().parse().unwrap();
        let bytes = body(if number.is_multiple_of(2) { 100 } else { 100_000 });
        assert_eq!(scene.get(key).await.unwrap(), bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_that_two_nodes_raise_loses_no_step() {
    const STEPS: u32 = 25;
    let (scene, other) = two_nodes().await;
    scene.put("counter", b"0").await;
    let mut tasks = Vec::new();
    for vault in [scene.vault.clone(), other.clone()] {
        let alice = scene.alice.clone();
        tasks.push(tokio::spawn(async move {
            let mut done = 0;
            while done < STEPS {
                let got = vault
                    .get(&alice, "box", "counter", None, &Conditions::default())
                    .await
                    .unwrap();
                let etag = got.info.etag.clone();
                let now: u32 = String::from_utf8(collect(got.body).await.unwrap())
                    .unwrap()
                    .parse()
                    .unwrap();
                let next = (now + 1).to_string();
                let put = vault.put(
                    &alice,
                    "box",
                    "counter",
                    only_if(Some(&etag)),
                    pieces(next.as_bytes(), 9),
                );
                match put.await {
                    Ok(_) => done += 1,
                    Err(VaultError::PreconditionFailed) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        scene.get("counter").await.unwrap(),
        (2 * STEPS).to_string().as_bytes()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_deleted_on_one_node_takes_no_object_of_the_other_with_it() {
    let (scene, other) = two_nodes().await;
    for round in 0..10 {
        let name = format!("brief-{round}");
        scene
            .vault
            .create_bucket(&scene.alice, bucket(&name))
            .await
            .unwrap();
        let (put, deleted) = tokio::join!(
            other.put(
                &scene.alice,
                &name,
                "a",
                PutOptions::default(),
                pieces(b"kept?", 5)
            ),
            scene.vault.delete_bucket(&scene.alice, &name),
        );
        match (&put, &deleted) {
            (Ok(_), Err(VaultError::BucketNotEmpty)) => {
                let got = scene
                    .vault
                    .get(&scene.alice, &name, "a", None, &Conditions::default())
                    .await;
                assert_eq!(collect(got.unwrap().body).await.unwrap(), b"kept?");
            }
            (Err(VaultError::NoSuchBucket), Ok(())) => {}
            _ => panic!("put {put:?}, deleted {deleted:?}"),
        }
    }
}

/// The server is killed as by a power cut, again and again, while a node writes. What was acknowledged is there; what was
/// not is there whole or not at all; and the node goes on by itself when the server is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_fails_over_in_mid_transaction_loses_nothing_acknowledged() {
    let mut server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let vault = open_at(server.location("vault"), disk(folder.path()).await).await;
    provision(&vault).await;
    let alice = principal("contoso");
    let writer = tokio::spawn({
        let (vault, alice) = (vault.clone(), alice.clone());
        async move {
            let mut acknowledged = Vec::new();
            let mut failed = Vec::new();
            let begun = Instant::now();
            let mut number = 0_usize;
            // Until two hundred are in, at least one failed, and then a hundred more.
            while acknowledged.len() < 200 || failed.is_empty() || acknowledged.len() < failed.len() + 300 {
                assert!(
                    begun.elapsed() < PATIENCE,
                    "{} in, {} failed",
                    acknowledged.len(),
                    failed.len()
                );
                let bytes = body(if number.is_multiple_of(3) { 90_000 } else { 50 });
                let key = format!("mail/p/{number}");
                let put = vault.put(&alice, "box", &key, PutOptions::default(), pieces(&bytes, 70_000));
                match put.await {
                    Ok(_) => acknowledged.push(number),
                    Err(_) => {
                        failed.push(number);
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
                number += 1;
            }
            (acknowledged, failed)
        }
    });
    let server = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(300));
            server.kill();
            server.run();
        }
        server
    })
    .await
    .unwrap();
    let (acknowledged, failed) = writer.await.unwrap();
    assert!(!failed.is_empty(), "no write met the failure");
    for number in acknowledged.iter().chain(&failed) {
        let key = format!("mail/p/{number}");
        let got = vault.get(&alice, "box", &key, None, &Conditions::default()).await;
        let whole = body(if number.is_multiple_of(3) { 90_000 } else { 50 });
        match got {
            Ok(download) => assert_eq!(collect(download.body).await.unwrap(), whole, "{key}"),
            Err(VaultError::NoSuchKey) => assert!(failed.contains(number), "`{key}` was acknowledged"),
            Err(other) => panic!("{key}: {other:?}"),
        }
    }
    drop(server);
}
