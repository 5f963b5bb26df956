//! The ledger of gags.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use casework::ids::CaseId;
use serde::{Deserialize, Serialize};
use store::cases::CaseFilter;
use utoipa::{IntoParams, ToSchema};

use super::{Api, ApiError, Caller, ErrorBody};
use crate::{app::GagLine, auth::Action};

/// Most cases whose gags one page gives.
const CASES_MAX: u32 = 50;

/// Which cases' gags.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct GagQuery {
    /// Of open cases alone, or of closed ones alone.
    open: Option<bool>,
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    before: Option<CaseId>,
    /// Of at most this many cases; never more than 50.
    limit: Option<u32>,
}

/// A page of the ledger.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct GagPage {
    /// By case, newest first; may be empty on any page.
    #[schema(value_type = Vec<Object>)]
    gags: Vec<GagLine>,
    /// Give it as `before` for the next page; absent on the last.
    #[schema(value_type = Option<String>)]
    next: Option<CaseId>,
}

/// Lists prohibitions of notice: who imposed which, what it forbids to whom, until when, and what was done about it.
#[utoipa::path(
    get, path = "/gags", tag = "gags", params(GagQuery), security(("token" = [])),
    responses((status = 200, body = GagPage), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("cases_list")))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<GagQuery>,
) -> Result<Json<GagPage>, ApiError> {
    let permit = api.permit(&caller, Action::CasesList)?;
    let filter = CaseFilter {
        open: query.open,
        told: None,
        before: query.before,
        limit: query.limit.unwrap_or(CASES_MAX).clamp(1, CASES_MAX),
    };
    let (gags, next) = api.desk(&permit).gag_page(&filter).await?;
    Ok(Json(GagPage { gags, next }))
}

/// The prohibitions of notice of one case, in the order in which they came; the law's own last.
#[utoipa::path(
    get, path = "/cases/{case}/gags", tag = "gags", params(("case" = String, Path)), security(("token" = [])),
    responses(
        (status = 200, body = Vec<Value>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_read")))
)]
pub(super) async fn of_case(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Json<Vec<GagLine>>, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseRead, case).await?;
    Ok(Json(api.desk(&permit).gags(case).await?))
}
