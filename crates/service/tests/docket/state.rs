//! What the docket refuses to go on from, and how entries come in and wait.

use std::{fs, sync::Arc, time::Duration};

use service::docket::{Docket, DocketConfig, DocketError, fault::NoFaults, witness::Witness};
use translog::{
    Checkpoint, check_consistency,
    note::{KeyKind, Note, SignerKey},
    witness::AddCheckpoint,
};

use crate::office::{BATCH, Office, enqueue, listing, log_key, policy, witness_key};

fn checkpoint(note: &str) -> Checkpoint {
    Checkpoint::parse(Note::parse(note).unwrap().text()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overflow_waits_its_turn() {
    let office = Office::new(4);
    let docket = office.open().await;
    let entries = enqueue(&docket, 0, 10).await;
    for (steps, done) in [(1, 4), (2, 8), (3, 10)] {
        docket.step().await.unwrap();
        for (n, (id, _)) in entries.iter().enumerate() {
            let issued = docket.receipt(*id).await.unwrap();
            assert_eq!(issued.is_some(), n < done, "entry {n} after {steps} steps");
        }
    }
    assert_eq!(office.check(&docket, &entries).await, 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_commits_with_the_callers_transaction() {
    let office = Office::new(BATCH);
    let docket = office.open().await;
    let database = office.database().await;
    let mut rolled_back = database.begin().await.unwrap();
    let lost = Docket::enqueue_in(&mut rolled_back, "event", [1; 32])
        .await
        .unwrap();
    rolled_back.rollback().await.unwrap();
    let mut kept = database.begin().await.unwrap();
    let id = Docket::enqueue_in(&mut kept, "event", [2; 32]).await.unwrap();
    kept.commit().await.unwrap();
    docket.step().await.unwrap();
    assert_eq!(docket.find("event", &[1; 32]).await.unwrap(), None);
    assert_eq!(docket.find("event", &[2; 32]).await.unwrap(), Some(id));
    office.check(&docket, &[(id, [2; 32])]).await;
    // The number of the one that was rolled back is free again, or unknown.
    assert!(lost == id || matches!(docket.receipt(lost).await, Err(DocketError::UnknownEntry(_))));
    let mut refused = database.begin().await.unwrap();
    assert!(
        Docket::enqueue_in(&mut refused, "No Kind", [3; 32])
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_by_itself_and_waiters_are_woken() {
    let office = Office::new(BATCH);
    let docket = office.open().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(docket.clone().run(async {
        let _ = stopped.await;
    }));
    let entries = enqueue(&docket, 0, 5).await;
    for (id, _) in &entries {
        let issued = docket.wait(*id, Duration::from_secs(20)).await.unwrap();
        assert!(issued.receipt.extra.is_some());
    }
    stop.send(()).unwrap();
    running.await.unwrap();
    office.check(&docket, &entries).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consistency_proofs_hold_between_all_published_sizes() {
    let office = Office::new(100);
    let docket = office.open().await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        docket.step().await.unwrap();
        seen.push(checkpoint(&docket.checkpoint().await.unwrap().unwrap()));
    }
    for old in &seen {
        for new in seen.iter().filter(|new| new.size >= old.size) {
            let proof = docket.consistency(old.size, new.size).await.unwrap();
            check_consistency(old, new, &proof).unwrap();
        }
    }
    assert!(matches!(
        docket.consistency(5, 700).await,
        Err(DocketError::NotPublished(700))
    ));
    assert!(docket.consistency(500, 400).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_are_not_signed_on() {
    let office = Office::new(BATCH);
    let docket = office.open().await;
    docket.step().await.unwrap();
    drop(docket);
    for path in listing(&office.path("log")).into_keys() {
        let path = office.path("log").join(path);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[8] ^= 1;
        // `checkpoint` is written anew; a bundle's bytes are found by an audit or when the tree is read on.
        fs::write(&path, &bad).unwrap();
        let name = path.to_string_lossy().into_owned();
        if name.contains("tile/0") {
            let opened = office.try_open(Arc::new(NoFaults)).await;
            assert!(matches!(opened, Err(DocketError::Damaged(_))), "{name}");
        }
        fs::write(&path, &good).unwrap();
    }
    office.open().await.step().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolled_back_database_is_refused() {
    let office = Office::on_file(BATCH);
    let docket = office.open().await;
    docket.step().await.unwrap();
    drop(docket);
    office.close().await;
    let saved = office.path("saved");
    fs::create_dir(&saved).unwrap();
    let files = || {
        fs::read_dir(office.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("database"))
    };
    for file in files() {
        fs::copy(file.path(), saved.join(file.file_name())).unwrap();
    }
    let docket = office.open().await;
    docket.step().await.unwrap();
    drop(docket);
    office.close().await;
    for file in files() {
        fs::remove_file(file.path()).unwrap();
    }
    for file in fs::read_dir(&saved).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), office.path(&file.file_name().to_string_lossy())).unwrap();
    }
    let opened = office.try_open(Arc::new(NoFaults)).await;
    assert!(matches!(
        opened,
        Err(DocketError::RolledBack {
            seen: 14,
            signed: 7,
            ..
        })
    ));
    // Even without the published file the witnesses remember: what is signed now is a fork, and stays unpublished.
    fs::remove_file(office.path("log/checkpoint")).unwrap();
    let docket = office.open().await;
    assert!(docket.step().await.is_err());
    assert!(docket.step().await.is_err());
    assert_eq!(docket.published_size(), 7);
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused() {
    let office = Office::new(BATCH);
    let config = |key, batch, interval| DocketConfig {
        key,
        policy: policy(&[]),
        batch,
        interval: Duration::from_millis(interval),
        witnesses: Vec::new(),
        faults: Arc::new(NoFaults),
    };
    let stranger = SignerKey::from_seed("other.example", KeyKind::Log, &[9; 32].into()).unwrap();
    for config in [
        config(stranger, 8, 1000),
        config(log_key(), 0, 1000),
        config(log_key(), 70_000, 1000),
        config(log_key(), 8, 1),
    ] {
        let opened = Docket::open(office.store().await, config).await;
        assert!(matches!(opened, Err(DocketError::Config(_))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_witness_cosigns_one_of_two_at_a_time_and_remembers() {
    let office = Office::new(BATCH);
    let docket = office.open().await;
    for _ in 0..3 {
        docket.step().await.unwrap();
    }
    let signed = office.published().await;
    let directory = office.path("another");
    let logs = [log_key().verifier().clone()];
    let witness = Arc::new(Witness::open(witness_key(7), &logs, &directory).unwrap());
    let request = |old: u64, proof, note: &str| {
        let request = AddCheckpoint {
            old,
            proof,
            checkpoint: note.into(),
        };
        request.to_string().into_bytes()
    };
    let first = request(0, vec![], &signed[0].signed);
    assert_eq!(witness.add_checkpoint(&first, 50).unwrap().status, 200);
    // The race that the specification describes: two requests from the same old size.
    let small = request(7, docket.consistency(7, 14).await.unwrap(), &signed[1].signed);
    let large = request(7, docket.consistency(7, 21).await.unwrap(), &signed[2].signed);
    let mut threads = Vec::new();
    for n in 0..8 {
        let witness = witness.clone();
        let body = if n % 2 == 0 { small.clone() } else { large.clone() };
        threads.push(std::thread::spawn(move || {
            witness.add_checkpoint(&body, 60).unwrap().status
        }));
    }
    let mut statuses: Vec<u16> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    // Nobody else may use its state, and opened again it remembers.
    assert!(Witness::open(witness_key(7), &logs, &directory).is_err());
    let hash = translog::witness::origin_hash(crate::office::ORIGIN);
    let kept = witness.latest(&hash).unwrap();
    drop(witness);
    let witness = Witness::open(witness_key(7), &logs, &directory).unwrap();
    assert_eq!(witness.latest(&hash).unwrap(), kept);
    assert_eq!(witness.add_checkpoint(&first, 70).unwrap().status, 409);
    drop(witness);
    // A state that another key made is not gone on from.
    assert!(Witness::open(witness_key(8), &logs, &directory).is_err());
}
