//! The customer's keyholder, over its real transport: what it answers, what it refuses, and what a gate believes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by stopping"
)]

mod held;
mod protocol;
#[path = "../s3/signer.rs"]
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the tests of S3 use the rest of it"
)]
mod signer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router, body::Bytes, extract::State, http::HeaderMap, response::IntoResponse as _, routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::{
    demand::CountryCode,
    facts::TenantKind,
    ids::{CaseId, Digest, ProviderId, RecordId},
    record::label,
    rulebook::Rulebook,
    testkit::World,
};
use ed25519_dalek::SigningKey;
use envelope::{
    keys::{RegionRoot, WrappedAccount, WrappedChain},
    opening_reason::OwnerRequest,
    secrets::DeploymentKey,
};
use jiff::{SignedDuration, Timestamp};
use service::{
    deployment::create_key,
    gate::{
        Clock, EmbeddedGate, Ledger, RegionRoots, ReleaseRequest,
        owner::{OwnerGate as _, OwnerKeys},
    },
    keys::{
        HolderError, KeyPlace, KeyProvider, Providers, Reason, Why,
        keyholder::{Keyholder, Server, decisions::Decisions, ledger, router, wire},
    },
    vault::Vault,
};
use store::{blobs::DiskBlobs, gate_memory::GateMemory, vault::VaultStore};

const GATE: [u8; 32] = [3; 32];

/// A clock that a test sets.
#[derive(Clone)]
struct Hands(Arc<Mutex<Timestamp>>);

impl Hands {
    fn new() -> Self {
        Self(Arc::new(Mutex::new("2026-11-22T10:00:00Z".parse().unwrap())))
    }
    fn clock(&self) -> Clock {
        let hands = Arc::clone(&self.0);
        Arc::new(move || *hands.lock().unwrap())
    }
    fn advance(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }
}

/// A customer's folder.
struct Customer {
    dir: tempfile::TempDir,
    hands: Hands,
}

impl Customer {
    fn new(allow: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        create_key(&dir.path().join("wrap.key")).unwrap();
        create_key(&dir.path().join("sign.key")).unwrap();
        let customer = Self {
            dir,
            hands: Hands::new(),
        };
        customer.allow(allow);
        customer
    }
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    /// Writes the configuration with this allow-list.
    fn allow(&self, allow: &str) {
        let gate = STANDARD.encode(SigningKey::from_bytes(&GATE).verifying_key().to_bytes());
        let text = format!(
            "schema = \"amparo.keyholder/1\"\nlisten = \"127.0.0.1:0\"\nkeys = [\"wrap.key\"]\nsigning_key = \"sign.key\"\n\
             log = \"log\"\ndecisions = \"decisions\"\ngates = [\"{gate}\"]\n{allow}"
        );
        std::fs::write(self.path("keyholder.toml"), text).unwrap();
    }
    fn open(&self) -> Arc<Server> {
        let opened = Server::open(&self.path("keyholder.toml"), self.hands.clock(), |_| {});
        Arc::new(opened.unwrap())
    }
    /// Serves; gives the URL, the public key of answers, and what stops it.
    async fn serve(&self) -> (String, String, tokio::task::JoinHandle<()>) {
        let server = self.open();
        let public = server.public();
        let (url, task) = serve(router(server)).await;
        (url, public, task)
    }
    fn log(&self) -> Vec<String> {
        let mut outcomes = Vec::new();
        ledger::check(&self.path("log"), |entry| outcomes.push(entry.outcome.clone())).unwrap();
        outcomes
    }
    fn gate(&self, url: &str, public: &str) -> Keyholder {
        gate(url, public, GATE, self.hands.clock())
    }
}

async fn serve(router: Router) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, task)
}

fn gate(url: &str, public: &str, seed: [u8; 32], clock: Clock) -> Keyholder {
    Keyholder::new(
        ProviderId::new("contoso-keys").unwrap(),
        url,
        reqwest::Client::builder(),
        SigningKey::from_bytes(&seed),
        wire::public_key(public).unwrap(),
        clock,
    )
    .unwrap()
}

fn place() -> KeyPlace {
    KeyPlace::tenant("eu-de", "contoso")
}

fn owner(account: &str) -> Reason {
    Reason::Owner {
        credential: "AK1".into(),
        request: "r1".into(),
        account: account.into(),
    }
}

fn release() -> Reason {
    Reason::Release {
        case: CaseId(uuid::Uuid::from_u128(1)),
        record: RecordId(uuid::Uuid::from_u128(2)),
        digest: Digest([5; 32]),
    }
}

const OWNER: &str = "[[allow]]\nreason = \"owner\"\ntenants = [\"contoso\"]\n";

fn why<T>(answer: Result<T, HolderError>) -> Why {
    answer.err().expect("the holder gave a key").why
}
