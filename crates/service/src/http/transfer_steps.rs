//! Working a transfer: each route records one step, or has the data moved.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use casework::{
    ids::{CaseId, Digest, RecordId},
    transfer::{Assessment, Basis, Measure, TransferBody, TransferRecord},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use store::{cases::CaseStoreError, vault::Moved};
use utoipa::ToSchema;

use super::{
    Api, ApiError, Caller, ErrorBody,
    error::{self, Read},
};
use crate::{
    auth::{Action, Permit},
    transfers::TransferView,
};

/// How many days a record lives unless said.
const LIFE_DAYS: u8 = 7;

/// Records what somebody said, and shows the transfer as it then stands.
async fn said(
    api: &Api,
    permit: &Permit<'_>,
    transfer: CaseId,
    body: TransferBody,
) -> Result<(StatusCode, Json<TransferView>), ApiError> {
    let transfers = api.transfers(permit);
    transfers.record(transfer, permit.staff().actor(), body).await?;
    Ok((StatusCode::CREATED, Json(transfers.view(transfer).await?)))
}

/// What a transfer rests on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatedBases {
    /// One for each law that asks for one; docs/transfers.md has each kind. Replaces what was stated before.
    #[schema(value_type = Vec<Object>)]
    bases: Vec<Basis>,
}

/// States the legal bases. A record on its way lapses.
#[utoipa::path(
    post, path = "/transfers/{transfer}/bases", tag = "transfers", params(("transfer" = String, Path)),
    request_body = StatedBases, security(("token" = [])),
    responses(
        (status = 201, description = "the transfer", body = Value), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, description = "a basis that is not in the rulebook", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_work")))
)]
pub(super) async fn state(
    State(api): State<Api>,
    caller: Caller,
    Path(transfer): Path<CaseId>,
    body: Read<StatedBases>,
) -> Result<(StatusCode, Json<TransferView>), ApiError> {
    let permit = api.permit(&caller, Action::TransferWork)?;
    let StatedBases { bases } = body.get()?;
    said(&api, &permit, transfer, TransferBody::BasisStated { bases }).await
}

/// Records the assessment, after the EDPB's six steps. A record on its way lapses.
#[utoipa::path(
    post, path = "/transfers/{transfer}/assessment", tag = "transfers", params(("transfer" = String, Path)),
    request_body(content = Value, description = "the assessment; docs/transfers.md has its form"),
    security(("token" = [])),
    responses(
        (status = 201, description = "the transfer", body = Value), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, description = "a use case that is not in the rulebook", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_work")))
)]
pub(super) async fn assess(
    State(api): State<Api>,
    caller: Caller,
    Path(transfer): Path<CaseId>,
    body: Read<Assessment>,
) -> Result<(StatusCode, Json<TransferView>), ApiError> {
    let permit = api.permit(&caller, Action::TransferWork)?;
    let assessment = Box::new(body.get()?);
    said(&api, &permit, transfer, TransferBody::Assessed { assessment }).await
}

/// What supplements a basis.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SupplementaryMeasures {
    /// Each with its `kind` (`technical`, `contractual`, `organisational`) and `what` it is.
    #[schema(value_type = Vec<Object>)]
    measures: Vec<Measure>,
}

/// Records the supplementary measures. A record on its way lapses.
#[utoipa::path(
    post, path = "/transfers/{transfer}/measures", tag = "transfers", params(("transfer" = String, Path)),
    request_body = SupplementaryMeasures, security(("token" = [])),
    responses(
        (status = 201, description = "the transfer", body = Value), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_work")))
)]
pub(super) async fn supplement(
    State(api): State<Api>,
    caller: Caller,
    Path(transfer): Path<CaseId>,
    body: Read<SupplementaryMeasures>,
) -> Result<(StatusCode, Json<TransferView>), ApiError> {
    let permit = api.permit(&caller, Action::TransferWork)?;
    let SupplementaryMeasures { measures } = body.get()?;
    said(&api, &permit, transfer, TransferBody::MeasuresTaken { measures }).await
}

/// Counsel's decision where no rule decides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CounselsDecision {
    /// Why.
    reason: String,
    /// Ed25519 over `amparo/transfer-decision/v1\n<transfer>\n<matter>\n<reason>`, base64.
    signature: String,
}

/// Records counsel's signed decision about the transfer as it stands (`matter`). It never decides against a rule that bars.
#[utoipa::path(
    post, path = "/transfers/{transfer}/decisions", tag = "transfers", params(("transfer" = String, Path)),
    request_body = CounselsDecision, security(("token" = [])),
    responses(
        (status = 201, description = "the transfer", body = Value), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_decide")))
)]
pub(super) async fn decide(
    State(api): State<Api>,
    caller: Caller,
    Path(transfer): Path<CaseId>,
    body: Read<CounselsDecision>,
) -> Result<(StatusCode, Json<TransferView>), ApiError> {
    let permit = api.permit(&caller, Action::TransferDecide)?;
    let CounselsDecision { reason, signature } = body.get()?;
    said(
        &api,
        &permit,
        transfer,
        TransferBody::Decided { reason, signature },
    )
    .await
}

/// Why it is stopped, or given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferStop {
    /// In words.
    reason: String,
}

/// Stops a transfer for good. What was moved stays where it is.
#[utoipa::path(
    post, path = "/transfers/{transfer}/stop", tag = "transfers", params(("transfer" = String, Path)),
    request_body = TransferStop, security(("token" = [])),
    responses(
        (status = 201, description = "the transfer", body = Value), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_work")))
)]
pub(super) async fn stop(
    State(api): State<Api>,
    caller: Caller,
    Path(transfer): Path<CaseId>,
    body: Read<TransferStop>,
) -> Result<(StatusCode, Json<TransferView>), ApiError> {
    let permit = api.permit(&caller, Action::TransferWork)?;
    let TransferStop { reason } = body.get()?;
    said(&api, &permit, transfer, TransferBody::Stopped { reason }).await
}

/// Until when it may be approved and moved on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferProposal {
    /// Days until the gate refuses the record; 7 unless said, at most 30.
    #[serde(default)]
    days: Option<u8>,
}

/// What reviewers sign.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransferDrawn {
    /// The record's digest.
    #[schema(value_type = String)]
    digest: Digest,
    /// The record.
    #[schema(value_type = Object)]
    record: TransferRecord,
}

/// Draws up exactly what would move, for two people to sign, neither of whom opened the transfer. Needs a basis today.
#[utoipa::path(
    post, path = "/transfers/{transfer}/records", tag = "transfers", params(("transfer" = String, Path)),
    request_body = TransferProposal, security(("token" = [])),
    responses(
        (status = 201, body = TransferDrawn), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, description = "it has no basis today", body = ErrorBody),
        (status = 422, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_work")))
)]
pub(super) async fn propose(
    State(api): State<Api>,
    caller: Caller,
    Path(transfer): Path<CaseId>,
    body: Read<TransferProposal>,
) -> Result<(StatusCode, Json<TransferDrawn>), ApiError> {
    let permit = api.permit(&caller, Action::TransferWork)?;
    let days = i64::from(body.get()?.days.unwrap_or(LIFE_DAYS));
    let life = SignedDuration::from_hours(days.saturating_mul(24));
    let actor = permit.staff().actor();
    let record = api.transfers(&permit).propose(transfer, actor, life).await?;
    let digest = record
        .digest()
        .map_err(|_| error::store(CaseStoreError::Corrupt("record")))?;
    Ok((StatusCode::CREATED, Json(TransferDrawn { digest, record })))
}

/// The caller's own signature.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferSignature {
    /// Ed25519 over `amparo/transfer-approval/v1\n<digest>\n`, base64.
    signature: String,
}

/// Adds the caller's signature to a record. Two different reviewers are needed, neither of whom opened the transfer.
#[utoipa::path(
    post, path = "/transfers/{transfer}/records/{record}/approvals", tag = "transfers",
    params(("transfer" = String, Path), ("record" = String, Path)), request_body = TransferSignature,
    security(("token" = [])),
    responses(
        (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_approve")))
)]
pub(super) async fn approve(
    State(api): State<Api>,
    caller: Caller,
    Path((transfer, record)): Path<(CaseId, RecordId)>,
    body: Read<TransferSignature>,
) -> Result<StatusCode, ApiError> {
    let permit = api.permit(&caller, Action::TransferApprove)?;
    let TransferSignature { signature } = body.get()?;
    let transfers = api.transfers(&permit);
    transfers
        .approve(transfer, record, permit.staff().id(), &signature)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What became of work that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransferMoving {
    /// Whether nothing is left to do. Else it goes on: `GET /transfers/{transfer}` says how far it has come.
    done: bool,
    /// Objects moved, copied, or copies deleted, where it is done.
    objects: Option<u64>,
    /// Their bytes.
    bytes: Option<u64>,
}

/// Moves or copies the data, or goes on; needs a basis today, at each batch. Answers when it is done or under way. A move
/// that a restart cut off goes on when it is started again.
#[utoipa::path(
    post, path = "/transfers/{transfer}/start", tag = "transfers", params(("transfer" = String, Path)),
    security(("token" = [])),
    responses(
        (status = 200, description = "done", body = TransferMoving), (status = 202, description = "under way", body = TransferMoving),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "not approved, no basis, refused by the gate, or moving already", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_start")))
)]
pub(super) async fn start(
    State(api): State<Api>,
    caller: Caller,
    Path(transfer): Path<CaseId>,
) -> Result<(StatusCode, Json<TransferMoving>), ApiError> {
    let permit = api.permit(&caller, Action::TransferStart)?;
    let actor = permit.staff().actor();
    let moved = api.transfers(&permit).start_beside(transfer, actor).await?;
    Ok(answer(moved))
}

/// Gives a copy up: what it copied is deleted, with every key that only it needed, and the original stays. Needs no approval.
/// Answers when it is done or under way; one that a restart cut off goes on when it is asked for again.
#[utoipa::path(
    post, path = "/transfers/{transfer}/withdrawal", tag = "transfers", params(("transfer" = String, Path)),
    request_body = TransferStop, security(("token" = [])),
    responses(
        (status = 200, description = "done", body = TransferMoving), (status = 202, description = "under way", body = TransferMoving),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "it moved, copied nothing, or is being worked on already", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_start")))
)]
pub(super) async fn withdraw(
    State(api): State<Api>,
    caller: Caller,
    Path(transfer): Path<CaseId>,
    body: Read<TransferStop>,
) -> Result<(StatusCode, Json<TransferMoving>), ApiError> {
    let permit = api.permit(&caller, Action::TransferStart)?;
    let TransferStop { reason } = body.get()?;
    let actor = permit.staff().actor();
    let gone = api
        .transfers(&permit)
        .withdraw_beside(transfer, actor, reason)
        .await?;
    Ok(answer(gone))
}

fn answer(done: Option<Moved>) -> (StatusCode, Json<TransferMoving>) {
    let status = match done {
        Some(_) => StatusCode::OK,
        None => StatusCode::ACCEPTED,
    };
    let moving = TransferMoving {
        done: done.is_some(),
        objects: done.map(|done| done.objects),
        bytes: done.map(|done| done.bytes),
    };
    (status, Json(moving))
}
