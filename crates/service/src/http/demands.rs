//! Handing in a demand.

use axum::{
    Json,
    body::{Bytes, to_bytes},
    extract::{Query, Request, State},
    http::StatusCode,
};
use casework::event::Channel;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Api, ApiError, Caller, ErrorBody};
use crate::{
    app::DEMAND_BYTES_MAX,
    auth::{Action, Role},
};

/// How a demand arrived.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Road {
    /// `portal`, `api`, `email`, `hi1`, `command_line` or `paper`; `api` unless said. Requesters' own are always `api`.
    #[param(value_type = Option<String>)]
    channel: Option<Channel>,
}

/// What became of the bytes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Received {
    /// The case.
    #[schema(value_type = String)]
    case: casework::ids::CaseId,
    /// The same bytes had opened it before.
    duplicate: bool,
    /// SHA-256 of the bytes.
    #[schema(value_type = String)]
    bytes: casework::ids::Digest,
    /// Hash of the case's first header, which the docket commits to.
    #[schema(value_type = String)]
    header: casework::ids::Digest,
    /// SHA-256 of the letter of receipt.
    #[schema(value_type = String)]
    receipt: casework::ids::Digest,
}

/// Hands in a demand's bytes exactly as they arrived, readable or not. The same bytes twice are one case.
#[utoipa::path(
    post, path = "/demands", tag = "demands", params(Road), security(("token" = [])),
    request_body(
        content = Vec<u8>, content_type = "application/octet-stream",
        description = "the document; read as `#/components/schemas/Demand` where it is one; at most 8 MiB"
    ),
    responses(
        (status = 201, description = "a case was opened", body = Received),
        (status = 200, description = "these bytes opened a case before", body = Received),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 413, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("demand_submit")))
)]
pub(super) async fn submit(
    State(api): State<Api>,
    caller: Caller,
    Query(road): Query<Road>,
    request: Request,
) -> Result<(StatusCode, Json<Received>), ApiError> {
    let permit = api.permit(&caller, Action::DemandSubmit)?;
    let staff = permit.staff();
    let (channel, entered_by) = match staff.role() {
        Role::Requester => (Channel::Api, None),
        _ => (road.channel.unwrap_or(Channel::Api), Some(staff.id().clone())),
    };
    // The body is read only now: nobody without a permit makes the service hold eight megabytes.
    let bytes = read(request).await?;
    let intake = api.desk(&permit).intake(&bytes, channel, entered_by).await?;
    let status = if intake.duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let received = Received {
        case: intake.case,
        duplicate: intake.duplicate,
        bytes: intake.bytes,
        header: intake.header,
        receipt: intake.receipt,
    };
    Ok((status, Json(received)))
}

async fn read(request: Request) -> Result<Bytes, ApiError> {
    to_bytes(request.into_body(), DEMAND_BYTES_MAX)
        .await
        .map_err(|_| {
            ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("the demand is larger than {DEMAND_BYTES_MAX} bytes"),
                "send less, or hand it in on paper",
            )
        })
}
