//! Customers: the register, and what a customer sees of the cases it was told of.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use casework::{
    demand::{Category, CountryCode, Window},
    event::{Body, Scope},
    facts::TenantKind,
    ids::{CaseId, InstrumentId, TenantId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::cases::{CaseFilter, PAGE_MAX};
use utoipa::{IntoParams, ToSchema};

use super::{Api, ApiError, Caller, ErrorBody, cases::CaseLine, error};
use crate::{
    app::ports::{Added, TenantEntry},
    auth::Action,
};

/// A customer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tenant {
    /// Its id: lower-case letters, digits and hyphens.
    #[schema(value_type = String)]
    id: TenantId,
    /// `enterprise`, `public_body` or `consumer`.
    #[schema(value_type = String)]
    kind: TenantKind,
    /// Where it is established: two upper-case letters.
    #[schema(value_type = String)]
    country: CountryCode,
}

/// A page of customers.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct TenantPage {
    /// By id.
    tenants: Vec<Tenant>,
    /// Give it as `after` for the next page; absent on the last.
    next: Option<String>,
}

/// Where a page begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantQuery {
    /// The last id of the page before.
    #[param(value_type = Option<String>)]
    after: Option<TenantId>,
    /// At most this many; never more than 200.
    limit: Option<u32>,
}

/// Lists customers.
#[utoipa::path(
    get, path = "/tenants", tag = "tenants", params(TenantQuery), security(("token" = [])),
    responses((status = 200, body = TenantPage), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("tenants_list")))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<TenantQuery>,
) -> Result<Json<TenantPage>, ApiError> {
    let _permit = api.permit(&caller, Action::TenantsList)?;
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let found = api
        .tenants
        .list(query.after.as_ref(), limit)
        .await
        .map_err(error::port)?;
    let full = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = found.last().filter(|_| full).map(|last| last.id.to_string());
    let tenants = found
        .into_iter()
        .map(|tenant| Tenant {
            id: tenant.id,
            kind: tenant.kind,
            country: tenant.country,
        })
        .collect();
    Ok(Json(TenantPage { tenants, next }))
}

/// Adds a customer, with a key of its own in every region.
#[utoipa::path(
    post, path = "/tenants", tag = "tenants", request_body = Tenant, security(("token" = [])),
    responses(
        (status = 201, body = Tenant), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, description = "the id is taken", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("tenant_create")))
)]
pub(super) async fn add(
    State(api): State<Api>,
    caller: Caller,
    body: error::Read<Tenant>,
) -> Result<(StatusCode, Json<Tenant>), ApiError> {
    let _permit = api.permit(&caller, Action::TenantCreate)?;
    let tenant = body.get()?;
    let entry = TenantEntry {
        id: tenant.id.clone(),
        kind: tenant.kind,
        country: tenant.country.clone(),
    };
    match api.tenants.add(&entry).await.map_err(error::port)? {
        Added::New => Ok((StatusCode::CREATED, Json(tenant))),
        Added::Taken => Err(ApiError::new(
            StatusCode::CONFLICT,
            "exists",
            format!("there is a tenant `{}` already", entry.id),
            "choose another id",
        )),
    }
}

/// Where a page of cases begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ToldQuery {
    /// The last case of the page before.
    #[param(value_type = Option<String>)]
    before: Option<CaseId>,
    /// At most this many; never more than 200.
    limit: Option<u32>,
}

/// A page of cases that a customer was told of.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct ToldPage {
    /// Newest first.
    cases: Vec<CaseLine>,
    /// Give it as `before` for the next page; absent on the last.
    #[schema(value_type = Option<String>)]
    next: Option<CaseId>,
}

/// Lists the cases that the customer was told of.
#[utoipa::path(
    get, path = "/tenants/{tenant}/cases", tag = "tenants", params(("tenant" = String, Path), ToldQuery),
    security(("token" = [])),
    responses((status = 200, body = ToldPage), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("tenant_cases_list")))
)]
pub(super) async fn told_cases(
    State(api): State<Api>,
    caller: Caller,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ToldQuery>,
) -> Result<Json<ToldPage>, ApiError> {
    let permit = api.permit_tenant(&caller, Action::TenantCasesList, &tenant)?;
    let filter = CaseFilter {
        told: Some(tenant),
        before: query.before,
        limit: query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX),
        open: None,
    };
    let rows = api.desk(&permit).list(&filter).await?;
    let full = rows.len() >= usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|row| row.id);
    let cases = rows.into_iter().map(CaseLine::from).collect();
    Ok(Json(ToldPage { cases, next }))
}

/// A case as the customer sees it: what was asked of its data, and what left. Nothing of other customers, of counsel's
/// reasons or of the desk's own notes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct ToldCase {
    /// The case.
    #[schema(value_type = String)]
    case: CaseId,
    /// When the demand was received.
    #[schema(value_type = String)]
    received_at: Timestamp,
    /// What the case waits for.
    stage: String,
    /// Who asks.
    authority: Option<String>,
    /// Its country.
    country: Option<String>,
    /// Under which instrument.
    #[schema(value_type = Option<String>)]
    instrument: Option<InstrumentId>,
    /// The requester's own reference.
    reference: Option<String>,
    /// The customer's accounts that the demand, as it stands, covers.
    accounts: Vec<String>,
    /// The categories it covers.
    #[schema(value_type = Vec<String>)]
    categories: Vec<Category>,
    /// The time it concerns.
    #[schema(value_type = Option<Object>)]
    window: Option<Window>,
    /// How many of the customer's objects were released.
    released_objects: usize,
    /// When each notice was given.
    #[schema(value_type = Vec<String>)]
    told_at: Vec<Timestamp>,
}

/// Shows a case to a customer that was told of it. To any other customer there is no such case.
#[utoipa::path(
    get, path = "/tenants/{tenant}/cases/{case}", tag = "tenants",
    params(("tenant" = String, Path), ("case" = String, Path)), security(("token" = [])),
    responses((status = 200, body = ToldCase), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("tenant_case_read")))
)]
pub(super) async fn told_case(
    State(api): State<Api>,
    caller: Caller,
    Path((tenant, case)): Path<(TenantId, CaseId)>,
) -> Result<Json<ToldCase>, ApiError> {
    let permit = api.permit_case(&caller, Action::TenantCaseRead, case).await;
    let permit = permit.map_err(|error| {
        if hidden(&caller, &error) {
            ApiError::not_found("case")
        } else {
            error
        }
    })?;
    if permit.staff().tenant() != Some(&tenant) {
        return Err(ApiError::not_found("case"));
    }
    let desk = api.desk(&permit);
    let view = desk.case(case).await?;
    let events = desk.events(case).await?;
    let told_at = events
        .iter()
        .filter(|event| matches!(&event.body, Some(Body::Notified { tenant: told, .. }) if *told == tenant));
    let Scope {
        accounts,
        categories,
        window,
    } = view.scope;
    let own = accounts
        .into_iter()
        .filter(|(of, _)| *of == tenant)
        .map(|(_, account)| account.to_string());
    let released = desk.released_objects(case, &tenant).await?;
    let demand = view.demand;
    Ok(Json(ToldCase {
        case,
        received_at: view.opened_at,
        stage: view.stage,
        authority: demand.as_ref().map(|demand| demand.requester.authority.clone()),
        country: demand
            .as_ref()
            .map(|demand| demand.requester.country.as_str().to_owned()),
        instrument: demand.as_ref().map(|demand| demand.instrument.clone()),
        reference: demand.and_then(|demand| demand.reference),
        accounts: own.collect(),
        categories,
        window,
        released_objects: released,
        told_at: told_at.map(|event| event.at).collect(),
    }))
}

/// A customer does not learn from a refusal that a case exists.
fn hidden(caller: &Caller, error: &ApiError) -> bool {
    caller.0.tenant().is_some() && error.is_forbidden()
}
