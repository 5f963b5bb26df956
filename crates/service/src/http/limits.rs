//! What one caller, and all together, may take up.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Api, ApiError};

/// Largest JSON body, in bytes. Demands have a limit of their own.
pub const JSON_BYTES_MAX: usize = 1024 * 1024;

/// Longest time one request may take to be answered; bodies that stream out may take longer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Most requests under way at once; one more is turned away at once rather than queued.
pub const REQUESTS_MAX: usize = 256;

pub(super) async fn bound(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Ok(_slot) = api.slots.clone().try_acquire_owned() else {
        return ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            format!("{REQUESTS_MAX} requests are under way, the most at once"),
            "try again in a moment",
        )
        .into_response();
    };
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            format!("the request took longer than {} s", REQUEST_TIMEOUT.as_secs()),
            "ask again; whatever was recorded stays recorded",
        )
        .into_response(),
    }
}
