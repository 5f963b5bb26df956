//! Reading cases.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use casework::{
    case::Owed,
    ids::{CaseId, Digest},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::cases::{CaseFilter, CaseRow, PAGE_MAX, StoredLetter};
use utoipa::{IntoParams, ToSchema};

use super::{Api, ApiError, Caller, ErrorBody};
use crate::{
    app::{CaseView, EventView},
    auth::Action,
};

/// One line of a list of cases.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct CaseLine {
    /// The case.
    #[schema(value_type = String)]
    case: CaseId,
    /// When the demand was received.
    #[schema(value_type = String)]
    opened_at: Timestamp,
    /// What it waits for.
    stage: String,
    /// When it was closed.
    #[schema(value_type = Option<String>)]
    closed_at: Option<Timestamp>,
    /// When something next falls due.
    #[schema(value_type = Option<String>)]
    wake_at: Option<Timestamp>,
    /// Number of events.
    events: u64,
    /// Its content was erased.
    erased: bool,
}

impl From<CaseRow> for CaseLine {
    fn from(row: CaseRow) -> Self {
        Self {
            case: row.id,
            opened_at: row.opened_at,
            stage: row.stage,
            closed_at: row.closed_at,
            wake_at: row.wake_at,
            events: row.length,
            erased: row.erased,
        }
    }
}

/// Which cases.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseQuery {
    /// Only open ones, or only closed ones.
    open: Option<bool>,
    /// The last case of the page before.
    #[param(value_type = Option<String>)]
    before: Option<CaseId>,
    /// At most this many; never more than 200.
    limit: Option<u32>,
}

/// A page of cases.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct CasePage {
    /// Newest first.
    cases: Vec<CaseLine>,
    /// Give it as `before` for the next page; absent on the last.
    #[schema(value_type = Option<String>)]
    next: Option<CaseId>,
}

/// Lists cases.
#[utoipa::path(
    get, path = "/cases", tag = "cases", params(CaseQuery), security(("token" = [])),
    responses((status = 200, body = CasePage), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("cases_list")))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<CaseQuery>,
) -> Result<Json<CasePage>, ApiError> {
    let permit = api.permit(&caller, Action::CasesList)?;
    let filter = CaseFilter {
        open: query.open,
        told: None,
        before: query.before,
        limit: query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX),
    };
    let rows = api.desk(&permit).list(&filter).await?;
    let full = rows.len() >= usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|row| row.id);
    let cases = rows.into_iter().map(CaseLine::from).collect();
    Ok(Json(CasePage { cases, next }))
}

/// Shows one case in full: demand, facts, scope, findings, records, and what is owed.
#[utoipa::path(
    get, path = "/cases/{case}", tag = "cases", params(("case" = String, Path)), security(("token" = [])),
    responses(
        (status = 200, body = Value), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 410, description = "erased", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_read")))
)]
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Json<CaseView>, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseRead, case).await?;
    Ok(Json(api.desk(&permit).case(case).await?))
}

/// What must happen next in a case, with the promise that asks for it.
#[utoipa::path(
    get, path = "/cases/{case}/owed", tag = "cases", params(("case" = String, Path)), security(("token" = [])),
    responses(
        (status = 200, body = Vec<Value>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_read")))
)]
pub(super) async fn owed(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Json<Vec<Owed>>, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseRead, case).await?;
    Ok(Json(api.desk(&permit).owed(case).await?))
}

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    /// From this number on.
    from: Option<u64>,
    /// At most this many; never more than 200.
    limit: Option<u32>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventPage {
    /// In order.
    #[schema(value_type = Vec<Object>)]
    events: Vec<EventView>,
    /// Give it as `from` for the next page; absent on the last.
    next: Option<u64>,
}

/// The events of a case, in order; headers alone once it was erased.
#[utoipa::path(
    get, path = "/cases/{case}/events", tag = "cases", params(("case" = String, Path), EventQuery),
    security(("token" = [])),
    responses(
        (status = 200, body = EventPage), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_read")))
)]
pub(super) async fn events(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Query(query): Query<EventQuery>,
) -> Result<Json<EventPage>, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseRead, case).await?;
    let all = api.desk(&permit).events(case).await?;
    let from = query.from.unwrap_or(0);
    let limit = usize::try_from(query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX)).unwrap_or(1);
    let mut rest = all.into_iter().filter(|event| event.seq >= from);
    let events: Vec<EventView> = rest.by_ref().take(limit).collect();
    let next = rest.next().map(|event| event.seq);
    Ok(Json(EventPage { events, next }))
}

/// The docket's receipt for one event, as a `tlog-proof` file that anybody can check with `amparo verify receipt`.
#[utoipa::path(
    get, path = "/cases/{case}/events/{seq}/receipt", tag = "docket",
    params(("case" = String, Path), ("seq" = u64, Path)), security(("token" = [])),
    responses(
        (status = 200, content_type = "text/plain", body = String),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "not in the witnessed docket yet", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_read")))
)]
pub(super) async fn event_receipt(
    State(api): State<Api>,
    caller: Caller,
    Path((case, seq)): Path<(CaseId, u64)>,
) -> Result<Response, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseRead, case).await?;
    match api.desk(&permit).event_receipt(case, seq).await? {
        Some(receipt) => Ok(text(receipt)),
        None => Err(ApiError::new(
            StatusCode::CONFLICT,
            "not_logged",
            format!("event {seq} is not in the witnessed docket yet"),
            "ask again after the docket's next batch",
        )),
    }
}

/// A letter, without its text.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct LetterLine {
    /// The case.
    #[schema(value_type = String)]
    case: CaseId,
    /// SHA-256 of its text.
    #[schema(value_type = String)]
    letter: Digest,
    /// Its kind: `receipt`, `redirect`, `notice`, ...
    kind: String,
    /// When it was drawn up.
    #[schema(value_type = String)]
    made_at: Timestamp,
    /// When it was sent.
    #[schema(value_type = Option<String>)]
    sent_at: Option<Timestamp>,
}

impl From<StoredLetter> for LetterLine {
    fn from(letter: StoredLetter) -> Self {
        Self {
            case: letter.case,
            letter: letter.digest,
            kind: letter.kind,
            made_at: letter.made_at,
            sent_at: letter.sent_at,
        }
    }
}

/// The letters of a case, oldest first.
#[utoipa::path(
    get, path = "/cases/{case}/letters", tag = "letters", params(("case" = String, Path)), security(("token" = [])),
    responses(
        (status = 200, body = Vec<LetterLine>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_read")))
)]
pub(super) async fn letters(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Json<Vec<LetterLine>>, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseRead, case).await?;
    let letters = api.desk(&permit).letters(case).await?;
    Ok(Json(letters.into_iter().map(LetterLine::from).collect()))
}

/// Marks a letter as sent. Sending it is the provider's: by its portal, its mail or the post.
#[utoipa::path(
    post, path = "/cases/{case}/letters/{letter}/sent", tag = "letters",
    params(("case" = String, Path), ("letter" = String, Path, description = "SHA-256 of its text")),
    security(("token" = [])),
    responses(
        (status = 204, description = "it is marked"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn letter_sent(
    State(api): State<Api>,
    caller: Caller,
    Path((case, letter)): Path<(CaseId, Digest)>,
) -> Result<StatusCode, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    api.desk(&permit).letter_sent(case, letter).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Letters not yet sent, oldest first, at most 200.
#[utoipa::path(
    get, path = "/outbox", tag = "letters", security(("token" = [])),
    responses((status = 200, body = Vec<LetterLine>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("outbox_read")))
)]
pub(super) async fn outbox(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<Vec<LetterLine>>, ApiError> {
    let permit = api.permit(&caller, Action::OutboxRead)?;
    let letters = api.desk(&permit).outbox().await?;
    Ok(Json(letters.into_iter().map(LetterLine::from).collect()))
}

pub(super) fn text(body: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}
