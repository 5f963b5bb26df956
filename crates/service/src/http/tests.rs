use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use casework::{
    event::Channel,
    ids::{CaseId, TenantId},
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::{
    app::{
        clock::SystemEntropy,
        ports::{Added, PortError, TenantEntry},
        tests::scene::{Scene, demand, staff},
    },
    auth::Role,
    transfers::{faults::NoFaults, tests::scene::Scene as Moving},
};

mod calendars;
mod ledger;
mod story;
mod transfers;
use ledger::Entries;

#[derive(Default)]
struct Register(std::sync::Mutex<Vec<TenantEntry>>);

#[async_trait]
impl TenantsPort for Register {
    async fn add(&self, tenant: &TenantEntry) -> Result<Added, PortError> {
        let mut tenants = self.0.lock().unwrap();
        if tenants.iter().any(|known| known.id == tenant.id) {
            return Ok(Added::Taken);
        }
        tenants.push(tenant.clone());
        Ok(Added::New)
    }
    async fn list(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantEntry>, PortError> {
        let tenants = self.0.lock().unwrap();
        let later = tenants
            .iter()
            .filter(|tenant| after.is_none_or(|after| tenant.id > *after));
        Ok(later.take(limit as usize).cloned().collect())
    }
}

struct Server {
    scene: Scene,
    moving: Moving,
    router: Router,
    tokens: BTreeMap<&'static str, String>,
}

/// Who signs in: their id, role and customer.
const PEOPLE: [(&str, Role, Option<&str>); 10] = [
    ("ines", Role::Intake, None),
    ("ruth", Role::Reviewer, None),
    ("sven", Role::SeniorReviewer, None),
    ("clara", Role::Counsel, None),
    ("aud", Role::Auditor, None),
    ("olga", Role::Operator, None),
    ("tess", Role::TenantAdmin, Some("contoso")),
    ("fred", Role::TenantAdmin, Some("fabrikam")),
    ("nora", Role::TenantAdmin, None),
    ("req", Role::Requester, None),
];

async fn server() -> Server {
    let scene = Scene::new().await;
    let moving = Moving::new(Arc::new(NoFaults)).await;
    let tokens = Tokens::new(
        scene.desk.cases().clone(),
        scene.clock.clone(),
        Arc::new(SystemEntropy),
    );
    let mut issued = BTreeMap::new();
    for (id, role, tenant) in PEOPLE {
        let tenant = tenant.map(|tenant| TenantId::new(tenant).unwrap());
        tokens.enrol(staff(id), role, tenant).await.unwrap();
        let token = tokens
            .issue(&staff(id), SignedDuration::from_hours(1))
            .await
            .ok()
            .unwrap();
        issued.insert(id, token.reveal().to_owned());
    }
    let permissions = Arc::new(Permissions::load().unwrap());
    let api = Api::new(
        scene.desk.clone(),
        tokens,
        permissions,
        Arc::new(Register::default()),
        Arc::new(Entries),
        moving.transfers.clone(),
    );
    Server {
        scene,
        moving,
        router: router(api, None),
        tokens: issued,
    }
}

impl Server {
    async fn call(
        &self,
        who: Option<&str>,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let (status, bytes) = self
            .raw(who, method, path, body.map(|body| body.to_string().into_bytes()))
            .await;
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn raw(
        &self,
        who: Option<&str>,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> (StatusCode, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(who) = who {
            let token = self.tokens.get(who).cloned().unwrap_or_else(|| who.to_owned());
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (
            status,
            to_bytes(response.into_body(), 64 << 20).await.unwrap().to_vec(),
        )
    }
}

struct Operation {
    method: String,
    path: String,
    action: Option<String>,
    public: bool,
    body: bool,
}

fn operations() -> Vec<Operation> {
    let document = description();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                action: operation["x-amparo-action"].as_str().map(str::to_owned),
                public: operation["security"] == json!([{}]),
                body: !operation["requestBody"].is_null(),
            });
        }
    }
    assert!(all.len() > 20, "{}", all.len());
    all
}

fn fill(path: &str, case: CaseId) -> String {
    path.replace("{case}", &case.to_string())
        .replace("{record}", "0197a1de-0000-7000-8000-000000000000")
        .replace("{seq}", "0")
        .replace("{letter}", &"ab".repeat(32))
        .replace("{tenant}", "contoso")
        .replace("{transfer}", "0197a1de-0000-7000-8000-000000000001")
}

#[tokio::test]
async fn every_route_turns_away_who_is_not_signed_in_or_not_allowed() {
    let server = server().await;
    let case = server.scene.ready().await;
    let forged = format!("amparo_{}_{}", "00".repeat(8), "00".repeat(32));
    let right_id = format!("{}{}", &server.tokens["ruth"][..24], "00".repeat(32));
    let mut unswept = Vec::new();
    for operation in operations() {
        let name = format!("{} {}", operation.method, operation.path);
        let path = fill(&operation.path, case);
        let body = operation.body.then(|| json!({}));
        let Some(action) = &operation.action else {
            if operation.public {
                let (status, _) = server.call(None, &operation.method, &path, body).await;
                assert_eq!(status, StatusCode::OK, "{name}");
            } else {
                unswept.push(name);
            }
            continue;
        };
        for token in [
            None,
            Some("nonsense"),
            Some(forged.as_str()),
            Some(right_id.as_str()),
        ] {
            let (status, answer) = server.call(token, &operation.method, &path, body.clone()).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{name}: {answer}");
            assert_eq!(answer["error"]["code"], "not_signed_in", "{name}");
        }
        let mut allowed = 0;
        for (id, role, tenant) in PEOPLE {
            let may = grants(role, tenant).contains(&action.as_str());
            let (status, answer) = server
                .call(Some(id), &operation.method, &path, body.clone())
                .await;
            let refused = status == StatusCode::FORBIDDEN
                || (action == "tenant_case_read" && status == StatusCode::NOT_FOUND);
            assert_eq!(refused, !may, "{name} as {id} ({role}): {status} {answer}");
            allowed += usize::from(may);
        }
        assert!(allowed > 0 || action == "tenant_case_read", "{name}: nobody may");
    }
    assert_eq!(
        unswept.join("\n"),
        include_str!("unswept.txt").trim(),
        "list the gap, or close it"
    );
}

/// Who may do what, written down a second time: the policies must say the same. (`contoso` was told of no case here.)
fn grants(role: Role, tenant: Option<&str>) -> Vec<&'static str> {
    let mut actions = vec!["me"];
    actions.extend(match role {
        Role::Intake => &[
            "demand_submit",
            "cases_list",
            "case_read",
            "case_enter",
            "calendar_read",
        ][..],
        Role::Reviewer | Role::SeniorReviewer => &[
            "cases_list",
            "case_read",
            "case_enter",
            "case_work",
            "case_propose",
            "case_approve",
            "case_release",
            "package_fetch",
            "outbox_read",
            "calendar_read",
            "transfer_approve",
            "transfer_read",
        ],
        Role::Counsel => &[
            "cases_list",
            "case_read",
            "case_work",
            "case_reason",
            "calendar_read",
            "transfer_decide",
            "transfer_read",
            "transfer_work",
        ],
        Role::Auditor => &["cases_list", "case_read", "calendar_read", "transfer_read"],
        Role::Operator => &[
            "tenants_list",
            "tenant_create",
            "transfer_open",
            "transfer_read",
            "transfer_start",
            "transfer_work",
        ],
        Role::TenantAdmin if tenant == Some("contoso") => &["tenant_cases_list", "tenant_ledger_read"],
        Role::TenantAdmin => &[],
        Role::Requester => &["demand_submit"],
    });
    actions
}

#[tokio::test]
async fn bodies_have_limits_and_errors_do_not_repeat_them() {
    let server = server().await;
    let case = server.scene.ready().await;
    let large = vec![b'x'; crate::app::DEMAND_BYTES_MAX + 1];
    let (status, _) = server.raw(Some("ines"), "POST", "/demands", Some(large)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let events = format!("/cases/{case}/events");
    let large = json!({"kind": "note", "text": "x".repeat(JSON_BYTES_MAX)});
    assert_eq!(
        server.call(Some("ruth"), "POST", &events, Some(large)).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let odd = json!({"kind": "alice@contoso.example did it"});
    let (status, answer) = server.call(Some("ruth"), "POST", &events, Some(odd)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!answer.to_string().contains("alice"), "{answer}");
    for kind in ["received", "resolved", "released"] {
        let (status, _) = server
            .call(Some("ruth"), "POST", &events, Some(json!({"kind": kind})))
            .await;
        assert!(status.is_client_error(), "{kind}");
    }
    let reason = json!({"kind": "redirect_barred", "reason": "r", "signature": "s"});
    let (status, _) = server.call(Some("clara"), "POST", &events, Some(reason)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, answer) = server.call(None, "GET", "/nowhere", None).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::NOT_FOUND, &json!("no_such_route"))
    );
    let missing = format!("/cases/{}", uuid::Uuid::nil());
    assert_eq!(
        server.call(Some("ruth"), "GET", &missing, None).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn tokens_end() {
    let server = server().await;
    let me = |who| server.call(Some(who), "GET", "/me", None);
    assert_eq!(me("ruth").await.1["role"], "reviewer");
    server
        .scene
        .desk
        .cases()
        .disable_person(&staff("ruth"), server.scene.desk.now())
        .await
        .unwrap();
    assert_eq!(me("ruth").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(me("sven").await.0, StatusCode::OK);
    server.scene.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(me("sven").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn customers_are_registered_once_and_listed_in_pages() {
    let server = server().await;
    for id in ["contoso", "fabrikam"] {
        let tenant = json!({"id": id, "kind": "enterprise", "country": "DE"});
        let (status, _) = server
            .call(Some("olga"), "POST", "/tenants", Some(tenant.clone()))
            .await;
        assert_eq!(status, StatusCode::CREATED);
        assert_eq!(
            server
                .call(Some("olga"), "POST", "/tenants", Some(tenant))
                .await
                .0,
            StatusCode::CONFLICT
        );
    }
    let (_, page) = server.call(Some("olga"), "GET", "/tenants?limit=1", None).await;
    assert_eq!(page["next"], "contoso");
    let (_, page) = server
        .call(Some("olga"), "GET", "/tenants?limit=1&after=contoso", None)
        .await;
    assert_eq!(page["tenants"][0]["id"], "fabrikam");
}

#[tokio::test]
async fn too_many_requests_at_once_are_turned_away() {
    let server = server().await;
    let held = server
        .scene
        .desk
        .intake(&demand("alice"), Channel::Api, None)
        .await
        .unwrap();
    assert!(!held.duplicate);
    let permissions = Arc::new(Permissions::load().unwrap());
    let tokens = Tokens::new(
        server.scene.desk.cases().clone(),
        server.scene.clock.clone(),
        Arc::new(SystemEntropy),
    );
    let api = Api::new(
        server.scene.desk.clone(),
        tokens,
        permissions,
        Arc::new(Register::default()),
        Arc::new(Entries),
        server.moving.transfers.clone(),
    );
    let slots = api.slots.clone();
    let router = router(api, None);
    let health = || Request::get("/health").body(Body::empty()).unwrap();
    let all = slots.try_acquire_many(REQUESTS_MAX as u32).unwrap();
    assert_eq!(
        router.clone().oneshot(health()).await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    drop(all);
    assert_eq!(router.oneshot(health()).await.unwrap().status(), StatusCode::OK);
}

/// The committed description is the one the code gives. `AMPARO_BLESS=1` writes it anew.
#[test]
fn the_committed_description_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&description()).unwrap());
    if std::env::var_os("AMPARO_BLESS").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == now,
        "docs/openapi.json is out of date: run this test with AMPARO_BLESS=1 and look at the change"
    );
}

/// What leaves the API: JSON of its own schemas, letters and receipts as text, letters as PDFs, and one thing of bytes, a package that is
/// encrypted to its recipient. No schema has a field for a key or for content.
#[test]
fn p03_p04_no_route_leads_to_content_or_keys() {
    let document = description();
    let mut other = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for response in operation["responses"].as_object().unwrap().values() {
                let kinds = response["content"]
                    .as_object()
                    .into_iter()
                    .flat_map(|kinds| kinds.keys());
                let kinds = kinds.filter(|kind| *kind != "application/json");
                other.extend(kinds.map(|kind| format!("{method} {path} {kind}")));
            }
        }
    }
    assert_eq!(
        other,
        [
            "get /calendars/{feed} text/calendar",
            "get /cases/{case}/events/{seq}/receipt text/plain",
            "get /cases/{case}/letters/{letter} text/plain",
            "get /cases/{case}/letters/{letter} application/pdf",
            "get /cases/{case}/records/{record}/package application/octet-stream",
        ]
    );
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let fields = schema["properties"]
            .as_object()
            .into_iter()
            .flat_map(|fields| fields.keys());
        for field in fields {
            for word in ["key", "secret", "plaintext", "body", "bytes_of"] {
                assert!(!field.contains(word), "{name}.{field}");
            }
        }
    }
}
