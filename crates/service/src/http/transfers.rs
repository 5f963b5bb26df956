//! Transfers between regions: each route records one step, or has the data moved. The register says what hangs on a basis
//! that ended.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use casework::{
    ids::{CaseId, Digest, RecordId},
    rulebook::{BasisRow, Rulebook},
    transfer::{Assessment, Basis, Entry, Hanging, Measure, TransferBody, TransferRecord},
};
use jiff::{SignedDuration, civil::Date};
use serde::{Deserialize, Serialize};
use store::cases::{CaseStoreError, PAGE_MAX};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api, ApiError, Caller, ErrorBody,
    error::{self, Read},
};
use crate::{
    auth::{Action, Permit},
    transfers::{NewTransfer, TransferError, TransferView},
};

/// How many days a record lives unless said.
const LIFE_DAYS: u8 = 7;

/// Which part of the register.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterQuery {
    /// The day whose law applies; today (UTC) unless said.
    #[param(value_type = Option<String>)]
    as_of: Option<Date>,
    /// Only transfers whose data moves or lies there without a basis on that day.
    #[serde(default)]
    hanging: bool,
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<CaseId>,
    /// At most this many are looked at; never more than 200.
    limit: Option<u32>,
}

/// A page of the register.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransferRegister {
    /// The day whose law was applied.
    #[schema(value_type = String)]
    as_of: Date,
    /// How many transfers of this page hang on a basis that does not hold on that day.
    hanging: usize,
    /// Oldest first: what moves, what it rests on, the verdict of the day, and whether it hangs.
    #[schema(value_type = Vec<Object>)]
    transfers: Vec<Entry>,
    /// Give it as `after` for the next page; absent on the last.
    #[schema(value_type = Option<String>)]
    next: Option<CaseId>,
}

/// The register: every transfer, what it rests on as of a day, and which hang on a basis that ended.
#[utoipa::path(
    get, path = "/transfers", tag = "transfers", params(RegisterQuery), security(("token" = [])),
    responses((status = 200, body = TransferRegister), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("transfer_read")))
)]
pub(super) async fn register(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<RegisterQuery>,
) -> Result<Json<TransferRegister>, ApiError> {
    let permit = api.permit(&caller, Action::TransferRead)?;
    let transfers = api.transfers(&permit);
    let as_of = query.as_of.unwrap_or_else(|| transfers.today());
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut entries, next) = transfers.page(as_of, query.after, limit).await?;
    let hangs = |entry: &Entry| entry.hanging != Hanging::No;
    let hanging = entries.iter().filter(|entry| hangs(entry)).count();
    if query.hanging {
        entries.retain(hangs);
    }
    Ok(Json(TransferRegister {
        as_of,
        hanging,
        transfers: entries,
        next,
    }))
}

/// What a transfer can rest on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransferBasis {
    /// Its id in the rulebook.
    id: String,
    /// Whose law it belongs to.
    regime: String,
    /// `adequacy`, `clauses`, `binding_rules` or `derogation`.
    kind: String,
    /// What lawyers call it.
    name: String,
    /// What must be shown of the importer beside.
    needs: Vec<String>,
    /// Where it is laid down.
    citation: String,
    /// First and last days on which it carried transfers; `null` where none is known.
    #[schema(value_type = Vec<Vec<String>>)]
    periods: Vec<(Option<Date>, Option<Date>)>,
}

/// As of which day.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct BasesQuery {
    /// Only bases in force on that day.
    #[param(value_type = Option<String>)]
    as_of: Option<Date>,
}

/// What a transfer can rest on, with the law behind it.
#[utoipa::path(
    get, path = "/transfers/bases", tag = "transfers", params(BasesQuery), security(("token" = [])),
    responses((status = 200, body = Vec<TransferBasis>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
    extensions(("x-amparo-action" = json!("transfer_read")))
)]
pub(super) async fn bases(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<BasesQuery>,
) -> Result<Json<Vec<TransferBasis>>, ApiError> {
    let _permit = api.permit(&caller, Action::TransferRead)?;
    let in_force = |row: &BasisRow| {
        row.periods().any(|(from, until)| {
            query.as_of.is_none_or(|day| {
                from.is_none_or(|from| from <= day) && until.is_none_or(|until| day <= until)
            })
        })
    };
    let rows = Rulebook::builtin().bases().filter(|(_, row)| in_force(row));
    let lines = rows.map(|(id, row)| TransferBasis {
        id: id.to_string(),
        regime: row.regime.clone(),
        kind: serde_json::to_value(row.kind)
            .ok()
            .and_then(|kind| kind.as_str().map(str::to_owned))
            .unwrap_or_default(),
        name: row.name.clone(),
        needs: row.needs.clone(),
        citation: row.citation.clone(),
        periods: row.periods().collect(),
    });
    Ok(Json(lines.collect()))
}

/// A transfer that was opened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransferOpened {
    /// Its id.
    #[schema(value_type = String)]
    transfer: CaseId,
}

/// Opens a transfer: what moves, from where, to where, what for, to whom. Countries are those of the regions and the customer.
#[utoipa::path(
    post, path = "/transfers", tag = "transfers", security(("token" = [])),
    request_body(content = Value, description = "`tenant`, `from`, `to`, `data` (`{\"bucket\": NAME}` or \
        `{\"accounts\": [...]}`), `categories`, `purpose`, `importer` (`{\"name\", \"shown\": [{\"mark\", \"how\", \
        \"checked_on\"}]}`)"),
    responses(
        (status = 201, body = TransferOpened), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, description = "no such region, customer or bucket", body = ErrorBody),
        (status = 422, description = "a mark that is not in the rulebook", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_open")))
)]
pub(super) async fn open(
    State(api): State<Api>,
    caller: Caller,
    body: Read<NewTransfer>,
) -> Result<(StatusCode, Json<TransferOpened>), ApiError> {
    let permit = api.permit(&caller, Action::TransferOpen)?;
    let actor = permit.staff().actor();
    let transfer = api.transfers(&permit).open(actor, body.get()?).await?;
    Ok((StatusCode::CREATED, Json(TransferOpened { transfer })))
}

/// Shows a transfer: where it stands, what it rests on, and whether it has a basis today.
#[utoipa::path(
    get, path = "/transfers/{transfer}", tag = "transfers", params(("transfer" = String, Path)),
    security(("token" = [])),
    responses(
        (status = 200, body = Value), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("transfer_read")))
)]
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(transfer): Path<CaseId>,
) -> Result<Json<TransferView>, ApiError> {
    let permit = api.permit(&caller, Action::TransferRead)?;
    Ok(Json(api.transfers(&permit).view(transfer).await?))
}

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

/// Why it is stopped.
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

/// What became of a move that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransferMoving {
    /// Whether nothing is left to move. Else it goes on: `GET /transfers/{transfer}` says how far it has come.
    done: bool,
    /// Objects moved, where it is done.
    objects: Option<u64>,
    /// Their bytes.
    bytes: Option<u64>,
}

/// Moves the data, or goes on moving it; needs a basis today, at each batch. Answers when it is done or under way. A move
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
    let status = match moved {
        Some(_) => StatusCode::OK,
        None => StatusCode::ACCEPTED,
    };
    let moving = TransferMoving {
        done: moved.is_some(),
        objects: moved.map(|moved| moved.objects),
        bytes: moved.map(|moved| moved.bytes),
    };
    Ok((status, Json(moving)))
}

impl From<TransferError> for ApiError {
    fn from(error: TransferError) -> Self {
        const AGAIN: &str = "look at the transfer's state, and ask again";
        let conflict = |code, message: String, hint: &str, promise: Option<String>| {
            ApiError::new(StatusCode::CONFLICT, code, message, hint).with_promise(promise)
        };
        match error {
            TransferError::NotFound { what, .. } => ApiError::not_found(what),
            TransferError::Store(CaseStoreError::NotFound { what, .. }) => ApiError::not_found(what),
            TransferError::NotNow {
                promise,
                reason,
                hint,
            } => conflict("not_now", reason, hint, Some(format!("{promise:?}"))),
            ref no_basis @ TransferError::NoBasis(_) => conflict(
                "no_basis",
                no_basis.to_string(),
                "state a basis that holds today, and have its record approved",
                Some("P19".to_owned()),
            ),
            TransferError::Refused(refusal) => conflict(
                "gate_refused",
                refusal.reason.clone(),
                &refusal.hint,
                Some(refusal.breach.to_string()),
            ),
            other @ (TransferError::NotLogged(_)
            | TransferError::Moving(_)
            | TransferError::ClaimLost(_)
            | TransferError::Busy(_)
            | TransferError::Contended(_)) => conflict("not_yet", other.to_string(), AGAIN, None),
            other @ TransferError::OtherCategory { .. } => {
                let hint = "open another transfer that names the category";
                conflict("other_category", other.to_string(), hint, Some("P19".to_owned()))
            }
            other @ TransferError::Invalid { .. } => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                other.to_string(),
                "`amparo transfer bases` and docs/transfers.md say what can be given",
            ),
            TransferError::Vault(crate::vault::VaultError::NoSuchBucket) => ApiError::not_found("bucket"),
            TransferError::Port(failed) => error::port(failed),
            TransferError::Store(failed) => error::store(failed),
            other => error::internal(&other),
        }
    }
}
