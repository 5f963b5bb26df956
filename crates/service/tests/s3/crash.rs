//! Invariant 7: a crash at any instruction loses nothing that was acknowledged.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{noise::Noise, server::Server};

const ROUNDS: u64 = 6;
const WRITERS: u64 = 4;

/// What was acknowledged for a key, and what was sent after that and never answered: either may be there.
#[derive(Default)]
struct Written {
    acknowledged: Option<(u64, usize)>,
    unanswered: Vec<(u64, usize)>,
}

type Ledger = Arc<Mutex<HashMap<String, Written>>>;

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::default();
    let mut noise = Noise::new(u64::from(std::process::id()));
    for round in 0..ROUNDS {
        let server = Server::start(directory.path());
        check(&server, &ledger).await;
        assert_eq!(
            leftovers(directory.path()),
            Vec::<PathBuf>::new(),
            "round {round}"
        );
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write(
                    server.signer(0),
                    ledger.clone(),
                    writer,
                    round * 100 + noise.next() % 50,
                ))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(200 + noise.next() % 1300)).await;
        server.kill();
        for writer in writers {
            writer.await.unwrap();
        }
    }
    let server = Server::start(directory.path());
    let checked = check(&server, &ledger).await;
    println!("{checked} acknowledged objects read back after {ROUNDS} kills");
    assert!(checked > 50, "only {checked} objects were written");
    assert_eq!(leftovers(directory.path()), Vec::<PathBuf>::new());
}

/// Writes until the server is gone.
async fn write(signer: super::signer::Signer, ledger: Ledger, writer: u64, seed: u64) {
    let http = reqwest::Client::new();
    let mut noise = Noise::new(seed * WRITERS + writer);
    if !alive(signer.sign("PUT", "/crash", &[], b""), &http).await {
        return;
    }
    loop {
        // Some keys are written again and again, most once.
        let key = match noise.next() % 4 {
            0 => format!("hot-{writer}"),
            _ => format!("{writer}-{:016x}", noise.next()),
        };
        let size = match noise.next() % 20 {
            0 => 3 << 20,
            n if n < 10 => noise.next() % 2000,
            _ => noise.next() % 200_000,
        } as usize;
        let content = (noise.next(), size);
        let body = Noise::bytes(content.0, size);
        ledger
            .lock()
            .unwrap()
            .entry(key.clone())
            .or_default()
            .unanswered
            .push(content);
        if !alive(signer.sign("PUT", &format!("/crash/{key}"), &[], &body), &http).await {
            return;
        }
        let mut ledger = ledger.lock().unwrap();
        let written = ledger.entry(key).or_default();
        written.unanswered.clear();
        written.acknowledged = Some(content);
    }
}

/// Sends; `false` when the server is gone.
async fn alive(request: super::signer::Signed, http: &reqwest::Client) -> bool {
    let mut builder = http.request(request.method, request.url).body(request.body);
    for (name, value) in request.headers {
        builder = builder.header(name, value);
    }
    match builder.send().await {
        Err(_) => false,
        Ok(response) => {
            let status = response.status();
            assert!(status.is_success() || status == 409, "{status}");
            true
        }
    }
}

/// Reads everything back that was ever acknowledged.
async fn check(server: &Server, ledger: &Ledger) -> usize {
    let http = reqwest::Client::new();
    let signer = server.signer(0);
    let written = std::mem::take(&mut *ledger.lock().unwrap());
    let mut checked = 0;
    let mut settled = HashMap::new();
    for (key, written) in written {
        let answer = signer
            .sign("GET", &format!("/crash/{key}"), &[], b"")
            .send(&http)
            .await;
        let found = written
            .unanswered
            .iter()
            .chain(&written.acknowledged)
            .find(|(seed, size)| answer.status == 200 && answer.body == Noise::bytes(*seed, *size))
            .copied();
        if written.acknowledged.is_some() {
            assert!(
                found.is_some(),
                "{key}: {} {} bytes",
                answer.status,
                answer.body.len()
            );
            checked += 1;
        } else {
            assert!(
                found.is_some() || answer.status == 404,
                "{key}: {}",
                answer.status
            );
        }
        if found.is_some() {
            settled.insert(
                key,
                Written {
                    acknowledged: found,
                    unanswered: Vec::new(),
                },
            );
        }
    }
    ledger.lock().unwrap().extend(settled);
    checked
}

/// Files that an interrupted write left.
fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let unfinished = std::fs::read_dir(folder.join("blobs/unfinished")).unwrap();
    unfinished.map(|entry| entry.unwrap().path()).collect()
}
