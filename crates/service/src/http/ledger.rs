//! A customer's access ledger: every opening of its keys.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use casework::{
    ids::TenantId,
    ledger::{Entry, heads::ShownSet},
};
use serde::{Deserialize, Serialize};
use store::ledger::PAGE_MAX;
use utoipa::{IntoParams, ToSchema};

use super::{Api, ApiError, Caller, ErrorBody, error};
use crate::auth::Action;

/// Where a page begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct LedgerQuery {
    /// The number of the last entry of the page before.
    after: Option<u64>,
    /// At most this many; never more than 200.
    limit: Option<u32>,
}

/// A page of the ledger.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct LedgerPage {
    /// In order. Each is as `docs/ledger.schema.json` describes it.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Entry>,
    /// Give it as `after` for the next page; absent where there is nothing more.
    next: Option<u64>,
}

/// Lists every opening of the customer's keys, as a hash chain. Places of a slot are given once no gag forbids it: fetch the
/// whole ledger again to see them.
#[utoipa::path(
    get, path = "/tenants/{tenant}/ledger", tag = "tenants", params(("tenant" = String, Path), LedgerQuery),
    security(("token" = [])),
    responses((status = 200, body = LedgerPage), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("tenant_ledger_read")))
)]
pub(super) async fn page(
    State(api): State<Api>,
    caller: Caller,
    Path(tenant): Path<TenantId>,
    Query(query): Query<LedgerQuery>,
) -> Result<Json<LedgerPage>, ApiError> {
    let _permit = api.permit_tenant(&caller, Action::TenantLedgerRead, &tenant)?;
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let entries = api
        .ledger
        .page(&tenant, query.after, limit)
        .await
        .map_err(error::port)?;
    // A page may be cut short by its size: only an empty one is the end.
    let next = entries.last().map(|last| last.header.seq);
    Ok(Json(LedgerPage { entries, next }))
}

/// Where a page of heads begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadsQuery {
    /// The docket's entry of the last set of the page before.
    after: Option<u64>,
}

/// A page of what the docket holds of the ledger.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct HeadsPage {
    /// In order: sets of heads, each with its receipt and this customer's head in it, as `docs/ledger.md` describes them.
    #[schema(value_type = Vec<Object>)]
    heads: Vec<ShownSet>,
    /// Give it as `after` for the next page; absent where there is nothing more.
    next: Option<u64>,
}

/// Shows how far the docket has committed to the customer's ledger: every 256th entry of the docket holds the heads of all
/// ledgers, and this opens the customer's own in each of them.
#[utoipa::path(
    get, path = "/tenants/{tenant}/ledger/heads", tag = "tenants", params(("tenant" = String, Path), HeadsQuery),
    security(("token" = [])),
    responses((status = 200, body = HeadsPage), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("tenant_ledger_read")))
)]
pub(super) async fn heads(
    State(api): State<Api>,
    caller: Caller,
    Path(tenant): Path<TenantId>,
    Query(query): Query<HeadsQuery>,
) -> Result<Json<HeadsPage>, ApiError> {
    let _permit = api.permit_tenant(&caller, Action::TenantLedgerRead, &tenant)?;
    let heads = api
        .ledger
        .heads(&tenant, query.after)
        .await
        .map_err(error::port)?;
    let next = heads.last().map(|last| last.set.index);
    Ok(Json(HeadsPage { heads, next }))
}
