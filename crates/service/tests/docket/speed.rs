//! Durable throughput, printed. Not a gate: machines differ. `cargo nextest run --run-ignored only docket_speed`.

use std::time::Instant;

use crate::office::{Office, enqueue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn docket_speed() {
    const BATCH: u32 = 10_000;
    const BATCHES: u32 = 5;
    let office = Office::new(BATCH);
    let docket = office.open().await;
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..BATCHES * BATCH / 1000 {
        let docket = docket.clone();
        // A thousand callers, each waiting for its own entry to be durable.
        tasks.push(tokio::spawn(async move {
            let all = (0..1000).map(|_| docket.enqueue("event", [1; 32]));
            futures::future::try_join_all(all).await.unwrap()
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let total = f64::from(BATCH * BATCHES);
    let enqueued = started.elapsed().as_secs_f64();
    println!("enqueued, each durable on return: {:.0}/s", total / enqueued);
    let started = Instant::now();
    for _ in 0..BATCHES {
        let batch = Instant::now();
        docket.step().await.unwrap();
        println!("batch of {BATCH}: {:?}", batch.elapsed());
    }
    let sequenced = started.elapsed().as_secs_f64();
    println!(
        "sequenced, signed, cosigned by 3, published: {:.0}/s",
        total / sequenced
    );
    println!("both: {:.0}/s", total / (enqueued + sequenced));
    let last = enqueue(&docket, 1, 1).await;
    docket.step().await.unwrap();
    let started = Instant::now();
    docket.receipt(last[0].0).await.unwrap().unwrap();
    println!("receipt: {:?}", started.elapsed());
}
