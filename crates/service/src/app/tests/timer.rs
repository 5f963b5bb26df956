//! The running desk's timer, by a clock that is set: what fell due while the process was down or dying happens once.

use std::{sync::Arc, time::Duration};

use casework::{
    demand::NoticeTo,
    event::{Actor, Body, Channel},
    ids::{CaseId, RuleId, TenantId},
};
use serde_json::json;

use super::scene::{Scene, demand, staff};
use crate::app::{faults::NoFaults, timer::keep_ticking};

const EVERY: Duration = Duration::from_millis(2);
/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn ruth() -> Actor {
    Actor::Staff(staff("ruth"))
}

/// A case that was released under a gag, with its customer kept from being told.
async fn silenced(scene: &Scene, reference: &str, until: &str) -> CaseId {
    let mut demand: serde_json::Value = serde_json::from_slice(&demand("alice")).unwrap();
    demand["reference"] = json!(reference);
    demand["showing"] = json!({ "signed": true, "probable_cause": true, "particularity": true });
    demand["gag"] = json!({
        "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true,
        "from": "2026-11-01", "until": until, "forbids": ["tenant"],
    });
    let bytes = demand.to_string().into_bytes();
    let desk = &scene.desk;
    let case = desk
        .intake(&bytes, Channel::Paper, Some(staff("ines")))
        .await
        .unwrap()
        .case;
    desk.resolve(case, ruth(), &[]).await.unwrap();
    desk.assess(case, Actor::System, None).await.unwrap();
    let barred = Body::NoticeBarred {
        to: NoticeTo::Tenant,
        tenant: TenantId::new("contoso").unwrap(),
        rule: RuleId::new("any.gag.do_not_tell_tenant").unwrap(),
    };
    desk.record(case, ruth(), barred).await.unwrap();
    let record = scene.approved(case).await;
    desk.release(case, record).await.unwrap();
    desk.deliver(case, ruth(), record, "by hand").await.unwrap();
    case
}

/// How often the customer was told, and the gag's end recorded.
async fn told(scene: &Scene, case: CaseId) -> (usize, usize) {
    let events = scene.desk.events(case).await.unwrap();
    let count = |is: fn(&Body) -> bool| events.iter().filter(|e| e.body.as_ref().is_some_and(is)).count();
    (
        count(|body| matches!(body, Body::Notified { .. })),
        count(|body| matches!(body, Body::GagEnded { .. })),
    )
}

fn run(scene: &Scene) -> tokio::task::JoinHandle<()> {
    let (desk, clock) = (scene.desk.clone(), scene.clock.clone());
    tokio::spawn(keep_ticking(desk, clock, EVERY, std::future::pending()))
}

async fn until_told(scene: &Scene, case: CaseId) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while told(scene, case).await.0 == 0 {
            tokio::time::sleep(EVERY).await;
        }
    });
    waited.await.expect("the notice goes out by itself");
}

#[tokio::test]
async fn a_crash_between_two_dates_neither_loses_nor_doubles_a_notice() {
    let mut scene = Scene::new().await;
    let first = silenced(&scene, "26-mj-1", "2026-11-30").await;
    let second = silenced(&scene, "26-mj-2", "2027-03-14").await;
    let timer = run(&scene);

    // The first gag ends in Washington at 05:00 UTC. The process dies again and again around that moment.
    scene.clock.set("2026-12-01T04:59:59Z".parse().unwrap());
    assert_eq!(told(&scene, first).await, (0, 0));
    timer.abort();
    scene.clock.set("2026-12-01T05:00:00Z".parse().unwrap());
    for patience in 0..12 {
        let timer = run(&scene);
        tokio::time::sleep(Duration::from_millis(patience)).await;
        timer.abort();
        let _ = timer.await;
        scene.restart(Arc::new(NoFaults)).await;
    }
    let timer = run(&scene);
    until_told(&scene, first).await;
    timer.abort();
    let _ = timer.await;
    assert_eq!(told(&scene, first).await, (1, 1));
    assert_eq!(told(&scene, second).await, (0, 0));

    // The second ends while nothing runs.
    scene.clock.set("2027-04-01T00:00:00Z".parse().unwrap());
    scene.restart(Arc::new(NoFaults)).await;
    // Two processes at once, as when an old one is slow to die.
    let timers = [run(&scene), run(&scene)];
    until_told(&scene, second).await;
    // A further look finds nothing left to do.
    let again = scene.desk.tick(scene.desk.now()).await.unwrap();
    assert_eq!((again.gags_ended, again.notices), (vec![], vec![]));
    for timer in timers {
        timer.abort();
        let _ = timer.await;
    }
    assert_eq!(told(&scene, first).await, (1, 1));
    assert_eq!(told(&scene, second).await, (1, 1));
    let letters = scene.desk.outbox().await.unwrap();
    let late = letters
        .iter()
        .filter(|letter| letter.kind == "late_notice")
        .count();
    assert_eq!(late, 2);
}
