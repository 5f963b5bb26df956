//! The docket and its witnesses over HTTP.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response},
};
use service::docket::{Docket, DocketConfig, fault::NoFaults, witness, witness::Witness, witnesses};
use tower::ServiceExt as _;
use translog::witness::{AddCheckpoint, origin_hash};

use crate::office::{BATCH, ORIGIN, Office, enqueue, log_key, policy, witness_key};

async fn call(router: &Router, request: Request<Body>) -> (u16, String, Vec<u8>) {
    let response: Response<Body> = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let kind = response
        .headers()
        .get("content-type")
        .map_or(String::new(), |v| v.to_str().unwrap().to_owned());
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, kind, body.to_vec())
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_files_of_published_sizes_are_served() {
    let office = Office::new(BATCH);
    let docket = office.open().await;
    let router = docket.router();
    assert_eq!(call(&router, get("/checkpoint")).await.0, 404);
    docket.step().await.unwrap();
    let (status, kind, body) = call(&router, get("/checkpoint")).await;
    assert_eq!((status, kind.as_str()), (200, "text/plain; charset=utf-8"));
    assert_eq!(body, std::fs::read(office.path("log/checkpoint")).unwrap());
    let (status, kind, body) = call(&router, get("/tile/0/000.p/7")).await;
    assert_eq!(
        (status, kind.as_str(), body.len()),
        (200, "application/octet-stream", 7 * 32)
    );
    assert_eq!(call(&router, get("/tile/entries/000.p/7")).await.2.len(), 7 * 34);
    for absent in [
        "/tile/0/000",
        "/tile/0/000.p/8",
        "/tile/0/../checkpoint",
        "/tile/1/000.p/1",
        "/x",
    ] {
        assert_eq!(call(&router, get(absent)).await.0, 404, "{absent}");
    }
    // Written and signed, but not witnessed: not served.
    office.moods(crate::office::DOWN);
    docket.step().await.unwrap_err();
    assert!(office.path("log/tile/0/000.p/14").exists());
    assert_eq!(call(&router, get("/tile/0/000.p/14")).await.0, 404);
    office.moods(crate::office::WELL);
    docket.step().await.unwrap();
    assert_eq!(call(&router, get("/tile/0/000.p/14")).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docket_and_witnesses_talk_over_http() {
    let scratch = tempfile::tempdir().unwrap();
    let office = Office::new(BATCH);
    let mut urls = Vec::new();
    let mut servers = Vec::new();
    for n in 0..3 {
        let state = scratch.path().join(n.to_string());
        let logs = [log_key().verifier().clone()];
        let witness = Arc::new(Witness::open(witness_key(n), &logs, &state).unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        urls.push(format!("http://{}/", listener.local_addr().unwrap()));
        servers.push(tokio::spawn(async move {
            axum::serve(listener, witness::router(witness)).await.unwrap();
        }));
    }
    let policy = policy(&urls);
    let open = async || {
        let config = DocketConfig {
            key: log_key(),
            policy: policy.clone(),
            batch: BATCH,
            interval: std::time::Duration::from_millis(100),
            witnesses: witnesses::of_policy(&policy).unwrap(),
            faults: Arc::new(NoFaults),
        };
        Docket::open(office.store().await, config).await.unwrap()
    };
    let docket = open().await;
    let mut entries = enqueue(&docket, 0, 3).await;
    docket.step().await.unwrap();
    // One witness goes away and the log moves on.
    servers.pop().unwrap().abort();
    entries.extend(enqueue(&docket, 10, 3).await);
    docket.step().await.unwrap();
    drop(docket);
    let docket = open().await;
    docket.step().await.unwrap();
    office.check(&docket, &entries).await;
    // What a monitor sees is the newest checkpoint, cosigned.
    let url = format!("{}{}/checkpoint", urls[0], origin_hash(ORIGIN));
    let shown = reqwest::get(url).await.unwrap().text().await.unwrap();
    assert!(shown.starts_with(&format!("{ORIGIN}\n21\n")));
    // A second witness goes: no quorum.
    servers.pop().unwrap().abort();
    assert!(docket.step().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_witness_answers_each_status() {
    let office = Office::new(BATCH);
    let docket = office.open().await;
    docket.step().await.unwrap();
    docket.step().await.unwrap();
    let signed = office.published().await;
    let logs = [log_key().verifier().clone()];
    let witness = Arc::new(Witness::open(witness_key(5), &logs, &office.path("w5")).unwrap());
    let router = witness::router(witness);
    let post = async |body: String| {
        let request = Request::post("/add-checkpoint").body(Body::from(body)).unwrap();
        call(&router, request).await
    };
    let request = |old, proof, note: &str| {
        AddCheckpoint {
            old,
            proof,
            checkpoint: note.to_owned(),
        }
        .to_string()
    };
    let monitor = format!("/{}/checkpoint", origin_hash(ORIGIN));
    assert_eq!(call(&router, get(&monitor)).await.0, 404);
    assert_eq!(post(request(0, vec![], &signed[0].signed)).await.0, 200);
    let (status, _, body) = call(&router, get(&monitor)).await;
    assert_eq!(status, 200);
    assert!(String::from_utf8(body).unwrap().contains("witness.example/w5"));
    let (status, kind, body) = post(request(0, vec![], &signed[1].signed)).await;
    assert_eq!(
        (status, kind.as_str(), body.as_slice()),
        (409, "text/x.tlog.size", b"7\n".as_slice())
    );
    assert_eq!(post(request(7, vec![], &signed[1].signed)).await.0, 422);
    assert_eq!(post(request(99, vec![], &signed[1].signed)).await.0, 400);
    assert_eq!(post("nonsense".into()).await.0, 400);
    let stranger = signed[1].signed.replace(ORIGIN, "other.example");
    assert_eq!(post(request(7, vec![], &stranger)).await.0, 404);
    let forged = signed[1].signed.replace("\n14\n", "\n15\n");
    assert_eq!(post(request(7, vec![], &forged)).await.0, 403);
    let proof = docket.consistency(7, 14).await.unwrap();
    let (status, _, body) = post(request(7, proof, &signed[1].signed)).await;
    assert_eq!(status, 200);
    assert!(
        String::from_utf8(body)
            .unwrap()
            .starts_with("— witness.example/w5 ")
    );
    assert_eq!(call(&router, get("/add-checkpoint")).await.0, 405);
    assert_eq!(post("x".repeat(1 << 20)).await.0, 413);
    assert_eq!(call(&router, get("/abc/checkpoint")).await.0, 404);
}
