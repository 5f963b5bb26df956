//! Invariant 7: whatever fails, hangs or crashes, and wherever, one log goes on and no acknowledged entry is lost.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use service::docket::{
    DocketError,
    fault::{Moment, STEPS, Step},
};
use tokio::time::timeout;

use crate::office::{BATCH, DOWN, MUTE, Office, Once, WELL, enqueue, listing};

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Fails,
    Hangs,
    Crashes,
    /// Crashes, and files that were never signed for are torn.
    CrashesAndTears,
}

async fn scenario(step: Step, moment: Moment, how: How) {
    let office = Office::new(BATCH);
    let mut entries = Vec::new();
    // One sound batch first; the seventh ends within a tile, and partial tiles change on every batch.
    let docket = office.open().await;
    entries.extend(enqueue(&docket, 0, 3).await);
    docket.step().await.unwrap();
    drop(docket);
    let faults = Arc::new(Once {
        step,
        moment,
        hang: how == How::Hangs,
        armed: AtomicBool::new(true),
    });
    let mut docket = office.try_open(faults).await.unwrap();
    entries.extend(enqueue(&docket, 10, 9).await);
    if how == How::Hangs {
        assert!(timeout(Duration::from_millis(700), docket.step()).await.is_err());
    } else {
        let failed = docket.step().await;
        assert!(
            matches!(failed, Err(DocketError::Injected(at)) if at == step),
            "{failed:?}"
        );
    }
    entries.extend(enqueue(&docket, 30, 2).await);
    if matches!(how, How::Crashes | How::CrashesAndTears) {
        drop(docket);
        let unsigned =
            matches!(step, Step::Stage | Step::Write) || (step, moment) == (Step::Sign, Moment::Before);
        if how == How::CrashesAndTears && unsigned {
            for path in listing(&office.path("log")).into_keys() {
                if path.to_string_lossy().ends_with(".p/14") {
                    std::fs::write(office.path("log").join(path), b"torn").unwrap();
                }
            }
        }
        docket = office.open().await;
    }
    let before = docket.published_size();
    for _ in 0..3 {
        docket.step().await.unwrap();
    }
    assert!(docket.published_size() > before);
    let size = office.check(&docket, &entries).await;
    // Each step adds one batch: none was doubled or skipped by the fault.
    let staged = u64::from(!(step == Step::Stage && moment == Moment::Before));
    assert_eq!(size, u64::from(BATCH) * (1 + staged + 3));
    // And it can be opened again.
    drop(docket);
    let docket = office.open().await;
    assert_eq!(office.check(&docket, &entries).await, size);
}

macro_rules! fault_table {
    ($($name:ident: $how:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            for step in STEPS {
                for moment in [Moment::Before, Moment::After] {
                    println!("{step:?} {moment:?}");
                    scenario(step, moment, How::$how).await;
                }
            }
        }
    )*};
}

fault_table! {
    invariant_7_each_step_fails: Fails;
    invariant_7_each_step_hangs: Hangs;
    invariant_7_each_step_crashes: Crashes;
    invariant_7_each_step_crashes_and_tears_files: CrashesAndTears;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_published_without_a_quorum() {
    let office = Office::new(BATCH);
    let docket = office.open().await;
    let mut entries = enqueue(&docket, 0, 2).await;
    docket.step().await.unwrap();
    let published = docket.checkpoint().await.unwrap();
    for mood in [DOWN, MUTE] {
        office.moods(mood);
        entries.extend(enqueue(&docket, 20 + mood * 10, 2).await);
        for _ in 0..3 {
            assert!(matches!(docket.step().await, Err(DocketError::NoQuorum { .. })));
        }
        assert_eq!(docket.checkpoint().await.unwrap(), published);
        let last = entries.last().unwrap().0;
        assert!(docket.receipt(last).await.unwrap().is_none());
        let wait = docket.wait(last, Duration::from_millis(20)).await;
        assert!(matches!(wait, Err(DocketError::NotYet)));
    }
    // One witness of the two that are needed is not enough; two are.
    office.witnesses[0]
        .mood
        .store(WELL, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(docket.step().await, Err(DocketError::NoQuorum { .. })));
    office.witnesses[2]
        .mood
        .store(WELL, std::sync::atomic::Ordering::SeqCst);
    docket.step().await.unwrap();
    docket.step().await.unwrap();
    office.check(&docket, &entries).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_hangs_does_not_hold_up_a_quorum() {
    let office = Office::new(BATCH);
    let docket = office.open().await;
    office.witnesses[1]
        .mood
        .store(crate::office::HANGS, std::sync::atomic::Ordering::SeqCst);
    let entries = enqueue(&docket, 0, 2).await;
    let started = std::time::Instant::now();
    docket.step().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(4));
    office.check(&docket, &entries).await;
}
