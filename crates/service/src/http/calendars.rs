//! Calendar feeds: the desk's dates for a person's own calendar.

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Api, ApiError, Caller, ErrorBody, error};
use crate::auth::Action;

/// Where a feed is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Feed {
    /// The path of the feed at this API. Whoever knows it reads the dates: it is shown once.
    path: String,
}

/// Makes the caller's calendar feed, in place of the one that they had.
#[utoipa::path(
    post, path = "/me/calendar", tag = "calendar", security(("token" = [])),
    responses((status = 201, body = Feed), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("calendar_read")))
)]
pub(super) async fn subscribe(
    State(api): State<Api>,
    caller: Caller,
) -> Result<(StatusCode, Json<Feed>), ApiError> {
    let permit = api.permit(&caller, Action::CalendarRead)?;
    let issued = api.tokens.feeds().issue(permit.staff().id()).await;
    let feed = issued.map_err(error::issue)?;
    let path = format!("/calendars/{}", feed.reveal());
    Ok((StatusCode::CREATED, Json(Feed { path })))
}

/// Withdraws the caller's calendar feed.
#[utoipa::path(
    delete, path = "/me/calendar", tag = "calendar", security(("token" = [])),
    responses(
        (status = 204, description = "there is none any more"), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("calendar_read")))
)]
pub(super) async fn unsubscribe(State(api): State<Api>, caller: Caller) -> Result<StatusCode, ApiError> {
    let permit = api.permit(&caller, Action::CalendarRead)?;
    api.tokens
        .feeds()
        .withdraw(permit.staff().id())
        .await
        .map_err(error::store)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The dates of the desk as an iCalendar file (RFC 5545). No token: the address is the secret. It names cases by their ids
/// and says what is due; no person, customer, authority or instrument is in it.
#[utoipa::path(
    get, path = "/calendars/{feed}", tag = "calendar", params(("feed" = String, Path)),
    responses(
        (status = 200, content_type = "text/calendar", body = String),
        (status = 404, description = "no such feed, or withdrawn", body = ErrorBody)
    )
)]
pub(super) async fn fetch(State(api): State<Api>, Path(feed): Path<String>) -> Result<Response, ApiError> {
    let missing = || ApiError::not_found("calendar");
    let subscriber = api
        .tokens
        .feeds()
        .authenticate(&feed)
        .await
        .map_err(|_| missing())?;
    let permit = subscriber.permit(&api.permissions).map_err(|_| missing())?;
    let text = api.desk(&permit).calendar(permit.staff().role()).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, text).into_response())
}
