//! Invariant 9: what the public sees does not depend on how many demands there were.

use std::collections::BTreeMap;

use crate::office::{Office, listing};

/// All that is visible from outside: files and their sizes after each step, and the shape of every request to a
/// witness.
async fn transcript(batch: u32, real: &[u32]) -> (Vec<BTreeMap<std::path::PathBuf, u64>>, Vec<Vec<usize>>) {
    let office = Office::new(batch);
    let docket = office.open().await;
    let mut seen = Vec::new();
    let mut entries = Vec::new();
    for count in real {
        for _ in 0..*count {
            let digest = [entries.len() as u8; 32];
            entries.push((docket.enqueue("event", digest).await.unwrap(), digest));
        }
        docket.step().await.unwrap();
        seen.push(listing(&office.path("log")));
    }
    office.check(&docket, &entries).await;
    let requests = office
        .witnesses
        .iter()
        .map(|witness| {
            let requests = witness.requests.lock().unwrap();
            requests.iter().map(String::len).collect()
        })
        .collect();
    (seen, requests)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_09_the_transcript_has_one_shape() {
    const BATCH: u32 = 32;
    // Ten steps cross a full tile.
    let none = transcript(BATCH, &[0; 10]).await;
    let one = transcript(BATCH, &[0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).await;
    let full = transcript(BATCH, &[BATCH; 10]).await;
    let bursts = transcript(BATCH, &[0, 70, 0, 0, 5, 0, 40, 0, 0, 0]).await;
    assert_eq!(none, one);
    assert_eq!(none, full);
    assert_eq!(none, bursts);
    let last = none.0.last().unwrap();
    assert!(last.contains_key(std::path::Path::new("tile/entries/000")));
    assert!(
        !last
            .keys()
            .any(|path| path.to_string_lossy().contains("entries/000.p"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_09_a_receipts_index_tells_no_count() {
    // A single entry lands anywhere in its batch, not at its beginning.
    let office = Office::new(256);
    let docket = office.open().await;
    let mut offsets = Vec::new();
    for n in 0..12 {
        let id = docket.enqueue("event", [n; 32]).await.unwrap();
        docket.step().await.unwrap();
        offsets.push(docket.receipt(id).await.unwrap().unwrap().receipt.index % 256);
    }
    // Below 64 twelve times by chance: once in 16 million runs.
    assert!(offsets.iter().any(|offset| *offset >= 64), "{offsets:?}");
}
