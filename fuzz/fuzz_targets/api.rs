//! The HTTP API, called in this process, over a deployment of its own. What is fuzzed is requests in words, zero bytes between
//! them: who asks, method and target, and after an empty line the body. `{case}` and `{transfer}` stand for one that there is.
#![no_main]

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use axum::{Router, body::Body, http::Request};
use casework::{
    ids::{StaffId, TenantId},
    ledger::{Entry, heads::ShownSet},
    promise::Reviewers,
};
use http_body_util::BodyExt as _;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use service::{
    app::ports::{LedgerPort, PortError},
    auth::{Permissions, Role},
    deployment::{Deployment, NewDeployment, create},
    http::{Api, router},
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

/// After so many requests a new deployment is made, so that none grows without end.
const REQUESTS_OF_A_DEPLOYMENT: usize = 3_000;
/// Most requests of one input.
const REQUESTS_MAX: usize = 6;
const PEOPLE: [(&str, Role); 8] = [
    ("ines", Role::Intake),
    ("ruth", Role::Reviewer),
    ("sven", Role::SeniorReviewer),
    ("clara", Role::Counsel),
    ("aud", Role::Auditor),
    ("olga", Role::Operator),
    ("tess", Role::TenantAdmin),
    ("req", Role::Requester),
];
const CONFIG: &str = "schema = \"amparo.config/1\"\nprovider = \"Example Cloud\"\n[s3]\nlisten = \"127.0.0.1:9000\"\n\
    [api]\nlisten = \"127.0.0.1:9001\"\n[docket]\norigin = \"example.org/docket\"\ninterval_ms = 600000\nbatch = 8\n\
    [[region]]\nid = \"eu-de\"\ncountry = \"DE\"\n[[region]]\nid = \"us-east\"\ncountry = \"US\"\n";
const DEMAND: &str = include_str!("../../docs/examples/warrant.json");

struct NoLedger;

#[async_trait]
impl LedgerPort for NoLedger {
    async fn page(&self, _: &TenantId, _: Option<u64>, _: u32) -> Result<Vec<Entry>, PortError> {
        Ok(Vec::new())
    }
    async fn heads(&self, _: &TenantId, _: Option<u64>) -> Result<Vec<ShownSet>, PortError> {
        Ok(Vec::new())
    }
}

struct Scene {
    runtime: Runtime,
    router: Router,
    tokens: BTreeMap<&'static str, String>,
    case: String,
    transfer: String,
    asked: usize,
    _deployment: Deployment,
    _folder: TempDir,
}

thread_local! {
    static SCENE: RefCell<Option<Scene>> = const { RefCell::new(None) };
}

impl Scene {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = TempDir::new_in("/dev/shm").expect("a folder in memory");
        let dir = folder.path().join("amparo");
        let (deployment, tokens) = runtime.block_on(async {
            let new = NewDeployment {
                config: toml::from_str(CONFIG).expect("a configuration"),
                witnesses: Vec::new(),
                database: None,
                reviewers: Reviewers::default(),
            };
            create(&dir, new).expect("a deployment");
            let deployment = Deployment::open(&dir).await.expect("it opens");
            let mut tokens = BTreeMap::new();
            for (id, role) in PEOPLE {
                let staff: StaffId = id.parse().expect("an id");
                let tenant = (role == Role::TenantAdmin).then(|| "contoso".parse().expect("a tenant"));
                deployment
                    .tokens()
                    .enrol(staff.clone(), role, tenant)
                    .await
                    .expect("a person");
                let token = deployment
                    .tokens()
                    .issue(&staff, jiff::SignedDuration::from_hours(24))
                    .await;
                tokens.insert(id, token.expect("a token").reveal().to_owned());
            }
            (deployment, tokens)
        });
        let api = Api::new(
            deployment.desk().clone(),
            deployment.tokens().clone(),
            Arc::new(Permissions::load().expect("permissions")),
            Arc::new(deployment.vault().clone()),
            Arc::new(NoLedger),
            deployment.transfers().clone(),
        );
        let router = router(api, None);
        let mut scene = Self {
            runtime,
            router,
            tokens,
            case: String::new(),
            transfer: String::new(),
            asked: 0,
            _deployment: deployment,
            _folder: folder,
        };
        scene.ask("olga POST /tenants\n\n{\"id\":\"contoso\",\"kind\":\"enterprise\",\"country\":\"DE\"}");
        let opened = scene
            .ask(&format!("ines POST /demands\n\n{DEMAND}"))
            .unwrap_or_default();
        scene.case = opened["case"]
            .as_str()
            .unwrap_or("0192f0c0-0000-7000-8000-000000000001")
            .to_owned();
        scene.transfer = scene.case.clone();
        scene
    }

    fn ask(&mut self, said: &str) -> Option<Value> {
        self.asked += 1;
        let said = said
            .replace("{case}", &self.case)
            .replace("{transfer}", &self.transfer);
        let (head, body) = said.split_once("\n\n").unwrap_or((&said, ""));
        let mut words = head.splitn(3, ' ');
        let (who, method, target) = (words.next()?, words.next()?, words.next()?);
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("content-type", "application/json");
        if let Some(token) = self.tokens.get(who) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body.to_owned())).ok()?;
        let answer = self.runtime.block_on(async {
            let answer = self.router.clone().oneshot(request).await.expect("it answers");
            let status = answer.status();
            let body = answer.into_body().collect().await.expect("in memory").to_bytes();
            let text = String::from_utf8_lossy(&body);
            assert!(status.as_u16() != 500, "a fault of ours: {text}");
            serde_json::from_slice::<Value>(&body).ok()
        });
        if method == "POST"
            && target == "/transfers"
            && let Some(id) = answer.as_ref().and_then(|made| made["transfer"].as_str())
        {
            self.transfer = id.to_owned();
        }
        answer
    }
}

fuzz_target!(|said: &str| {
    SCENE.with_borrow_mut(|scene| {
        let mut one = match scene.take() {
            Some(one) if one.asked < REQUESTS_OF_A_DEPLOYMENT => one,
            _ => Scene::new(),
        };
        for request in said.split('\0').take(REQUESTS_MAX) {
            one.ask(request);
        }
        *scene = Some(one);
    });
});
