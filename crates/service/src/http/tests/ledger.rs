//! A customer's access ledger, over the API.

use async_trait::async_trait;
use axum::http::StatusCode;
use casework::{
    ids::TenantId,
    ledger::{Entry, heads::ShownSet},
};
use serde_json::{Value, json};

use super::server;
use crate::app::ports::{LedgerPort, PortError};

/// One entry for each customer, which names it.
pub(super) struct Entries;

#[async_trait]
impl LedgerPort for Entries {
    async fn page(
        &self,
        tenant: &TenantId,
        after: Option<u64>,
        _limit: u32,
    ) -> Result<Vec<Entry>, PortError> {
        let at = "2026-11-22T00:00:00Z".parse().unwrap();
        let body = casework::ledger::Body::Slot {
            day: "2026-11-21".parse().unwrap(),
            places: vec![casework::ids::Digest([1; 32]); casework::ledger::PLACES],
        };
        let salt = casework::ids::Digest([2; 32]);
        let entry = Entry::after((0, casework::ledger::GENESIS), tenant, at, salt, body).unwrap();
        Ok(if after.is_none() { vec![entry] } else { Vec::new() })
    }

    async fn heads(&self, _: &TenantId, _: Option<u64>) -> Result<Vec<ShownSet>, PortError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_customer_fetches_its_own_ledger_page_by_page_and_no_other() {
    let server = server().await;
    let (status, page) = server
        .call(Some("tess"), "GET", "/tenants/contoso/ledger?limit=5", None)
        .await;
    assert_eq!(status, StatusCode::OK);
    let entries: Vec<Entry> = serde_json::from_value(page["entries"].clone()).unwrap();
    casework::ledger::check(&entries).unwrap();
    assert_eq!(
        (entries[0].header.tenant.as_str(), &page["next"]),
        ("contoso", &json!(0))
    );
    let (_, last) = server
        .call(Some("tess"), "GET", "/tenants/contoso/ledger?after=0", None)
        .await;
    assert_eq!((&last["entries"], &last["next"]), (&json!([]), &Value::Null));
    let (status, heads) = server
        .call(
            Some("tess"),
            "GET",
            "/tenants/contoso/ledger/heads?after=256",
            None,
        )
        .await;
    assert_eq!((status, &heads["heads"]), (StatusCode::OK, &json!([])));
    for (who, tenant) in [
        ("tess", "fabrikam"),
        ("fred", "contoso"),
        ("olga", "contoso"),
        ("nora", "contoso"),
    ] {
        for what in ["ledger", "ledger/heads"] {
            let path = format!("/tenants/{tenant}/{what}");
            let (status, _) = server.call(Some(who), "GET", &path, None).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{who} {path}");
        }
    }
}
