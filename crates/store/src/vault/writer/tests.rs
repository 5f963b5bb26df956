use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use super::*;
use crate::testkit::Server;

/// Nodes that are busy at once.
const NODES: usize = 4;
/// How long a change of theirs takes: with so many, there is always one under way.
const EACH: Duration = Duration::from_millis(40);

/// A change that needs no row of its own, and takes a while.
struct Slow;

#[async_trait]
impl Change for Slow {
    type Output = ();
    async fn apply(&self, _: &mut AnyConnection) -> Result<(), StoreError> {
        tokio::time::sleep(EACH).await;
        Ok(())
    }
    fn needs(&self) -> Needs {
        Needs::Rows(Vec::new())
    }
}

/// A change that needs everything.
struct Whole;

#[async_trait]
impl Change for Whole {
    type Output = ();
    async fn apply(&self, _: &mut AnyConnection) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_needs_the_whole_vault_gets_a_turn_among_busy_nodes() {
    let server = Server::start();
    let location = server.location("busy");
    let open = async || Database::open(location.clone()).await.unwrap();
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut nodes = Vec::new();
    for number in 0..NODES {
        let writer = Writer::start(open().await).await.unwrap();
        let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
        nodes.push(tokio::spawn(async move {
            // Out of step, so that their changes overlap.
            tokio::time::sleep(EACH * u32::try_from(number).unwrap() / 4).await;
            while !stop.load(Ordering::Relaxed) {
                writer.change(Slow).await.unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let whole = Writer::start(open().await).await.unwrap();
    for _ in 0..3 {
        let before = done.load(Ordering::Relaxed);
        while done.load(Ordering::Relaxed) < before + NODES {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let begun = Instant::now();
        whole.change(Whole).await.unwrap();
        let waited = begun.elapsed();
        assert!(waited < COURTESY_MAX * 2, "waited {waited:?}");
    }
    stop.store(true, Ordering::Relaxed);
    for node in nodes {
        node.await.unwrap();
    }

    // A wish that a node left behind when it died holds nobody up for long.
    let database = open().await;
    sqlx::query("INSERT INTO turn_wanted (name, until) SELECT 'dead', CAST(EXTRACT(EPOCH FROM now()) AS BIGINT) + 1000")
        .execute(&database.pool)
        .await
        .unwrap();
    let begun = Instant::now();
    whole.change(Slow).await.unwrap();
    assert!(begun.elapsed() >= COURTESY_MAX && begun.elapsed() < COURTESY_MAX * 5);
}
