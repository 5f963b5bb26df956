//! The fault table of the whole path from a demand's first byte to its package: every step fails, fails although it
//! persisted, or hangs until its caller gives up or the process dies. Afterwards the case can go on, nothing was
//! released that is not logged, and there is no half package.

use std::{sync::Arc, time::Duration};

use casework::{
    event::{Body, Channel},
    ids::{CaseId, RecordId},
};

use super::scene::{Scene, Script, demand, staff};
use crate::app::{
    DeskError,
    faults::{NoFaults, Step, When},
};

/// From the bytes to the package, as people would do it: whatever is done already is not done again.
async fn work(scene: &Scene) -> crate::app::Result<(CaseId, RecordId)> {
    let intake = scene
        .desk
        .intake(&demand("alice"), Channel::Paper, Some(staff("ines")))
        .await?;
    let case = intake.case;
    let view = scene.desk.case(case).await?;
    if !view.assessment_is_current && view.records.is_empty() {
        scene.judge(case).await;
    }
    let pending = scene.desk.pending_record(case).await?;
    let released = view
        .records
        .iter()
        .find(|record| record.released)
        .map(|record| record.record);
    let record = match pending.or(released) {
        Some(record) => scene.desk.release_record(case, record).await?,
        None => scene.propose(case).await,
    };
    for who in ["ruth", "sven"] {
        let view = scene.desk.case(case).await?;
        let signed = view
            .records
            .iter()
            .any(|r| r.record == record.id && r.approved_by.contains(&staff(who)));
        if !signed {
            scene.approve(case, &record, who).await?;
        }
    }
    match scene.desk.release(case, record.id).await {
        // The record was used by a release that died: people draw up a new one.
        Err(DeskError::GateRefused { .. } | DeskError::UsedUp { .. }) => {
            let record = scene.approved(case).await;
            scene.desk.release(case, record).await?;
            Ok((case, record))
        }
        other => other.map(|_| (case, record.id)),
    }
}

impl Script {
    /// Comes back when somebody has come by, for good.
    async fn hung(&self) {
        while !self.struck.load(std::sync::atomic::Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn nothing_half_done(scene: &Scene, context: &str) {
    let packages: Vec<String> = std::fs::read_dir(scene.dir.path().join("packages"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    for row in scene.desk.list(&Default::default()).await.unwrap() {
        let events = scene.desk.events(row.id).await.unwrap();
        for record in scene.desk.case(row.id).await.unwrap().records {
            let logged = events
                .iter()
                .position(|e| matches!(&e.body, Some(Body::Logged { record: r, .. }) if *r == record.record));
            let released = events.iter().position(
                |e| matches!(&e.body, Some(Body::Released { record: r, .. }) if *r == record.record),
            );
            let package = scene.desk.package(row.id, record.record).await;
            assert_eq!(
                package.is_ok(),
                released.is_some(),
                "{context}: visible exactly when released"
            );
            if let (Some(released), Ok(package)) = (released, package) {
                assert!(
                    logged.is_some_and(|logged| logged < released),
                    "{context}: released unlogged"
                );
                let bytes = std::fs::read(&package.path).unwrap();
                assert_eq!(casework::ids::Digest::of(&[&bytes]), package.digest, "{context}");
                assert!(
                    bytes.starts_with(b"age-encryption.org/v1"),
                    "{context}: in the clear"
                );
            }
            let used = scene.gate.used.lock().unwrap().contains(&record.record);
            let presented = logged.is_some();
            assert!(
                !used || presented,
                "{context}: keys opened for a record that is not logged"
            );
        }
    }
    for name in packages {
        assert!(
            name.starts_with('.') || name.ends_with(".tar.age"),
            "{context}: {name}"
        );
    }
}

#[tokio::test]
async fn every_step_may_fail_hang_or_die() {
    for step in Step::ALL {
        for when in [When::Before, When::After] {
            for hangs in [false, true] {
                let context = format!("{when:?} {step:?}, hangs: {hangs}");
                let script = Arc::new(Script {
                    step,
                    when,
                    hangs,
                    struck: Default::default(),
                });
                let mut scene = Scene::with(script.clone()).await;
                // What hangs is left there; what fails comes back by itself.
                let first = tokio::select! {
                    done = work(&scene) => Some(done),
                    () = script.hung(), if hangs => None,
                };
                assert!(
                    script.struck.load(std::sync::atomic::Ordering::Relaxed),
                    "{context}: never came by"
                );
                assert!(
                    !matches!(first, Some(Ok(_))),
                    "{context}: the fault went unnoticed"
                );
                nothing_half_done(&scene, &context).await;

                // The process dies here and another takes over.
                scene.restart(Arc::new(NoFaults)).await;
                let now = scene.desk.now();
                assert_eq!(scene.desk.tick(now).await.unwrap().failed, [], "{context}");
                nothing_half_done(&scene, &context).await;
                let (case, record) = work(&scene).await.unwrap_or_else(|e| panic!("{context}: {e:?}"));
                nothing_half_done(&scene, &context).await;
                assert!(scene.desk.package(case, record).await.is_ok(), "{context}");
                let released = scene.desk.events(case).await.unwrap();
                let released = released
                    .iter()
                    .filter(|e| matches!(e.body, Some(Body::Released { .. })))
                    .count();
                assert_eq!(released, 1, "{context}: released once");
                assert_eq!(
                    scene.desk.list(&Default::default()).await.unwrap().len(),
                    1,
                    "{context}: one case"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_same_desk_goes_on_after_a_failure_too() {
    for step in Step::ALL {
        let context = format!("{step:?}");
        let script = Arc::new(Script {
            step,
            when: When::After,
            hangs: false,
            struck: Default::default(),
        });
        let scene = Scene::with(script).await;
        assert!(work(&scene).await.is_err(), "{context}");
        work(&scene).await.unwrap_or_else(|e| panic!("{context}: {e:?}"));
        nothing_half_done(&scene, &context).await;
    }
}

#[tokio::test]
async fn a_record_that_lapses_while_its_package_is_made_is_not_released() {
    let script = Arc::new(Script {
        step: Step::SealPackage,
        when: When::After,
        hangs: false,
        struck: Default::default(),
    });
    let scene = Scene::with(script).await;
    assert!(work(&scene).await.is_err());
    let case = scene.desk.list(&Default::default()).await.unwrap()[0].id;
    let record = scene.desk.pending_record(case).await.unwrap().unwrap();
    let withdrawn = Body::Withdrawn {
        reason: "the requester has what it needs".into(),
    };
    scene
        .desk
        .record(case, casework::event::Actor::Staff(staff("ruth")), withdrawn)
        .await
        .unwrap();
    let refused = scene.desk.release(case, record).await;
    assert!(matches!(refused, Err(DeskError::UsedUp { .. })), "{refused:?}");
    assert!(scene.desk.package(case, record).await.is_err());
    assert_eq!(
        std::fs::read_dir(scene.dir.path().join("packages"))
            .unwrap()
            .count(),
        0
    );
    let last = scene.desk.events(case).await.unwrap().pop().unwrap();
    assert!(matches!(last.body, Some(Body::Note { .. })), "{last:?}");
}
