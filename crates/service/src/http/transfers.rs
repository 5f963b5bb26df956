//! Transfers between regions as people read them, and opening one. The register says what hangs on a basis that ended;
//! [`super::transfer_steps`] works a transfer.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use casework::{
    ids::CaseId,
    rulebook::{BasisRow, Rulebook},
    transfer::{Entry, Hanging},
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use store::cases::{CaseStoreError, PAGE_MAX};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api, ApiError, Caller, ErrorBody,
    error::{self, Read},
};
use crate::{
    auth::Action,
    transfers::{NewTransfer, TransferError, TransferView, UNKNOWN_HINT},
};

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

/// Opens a transfer: what moves or is copied, from where, to where, what for, to whom. Countries are those of the regions and the customer.
#[utoipa::path(
    post, path = "/transfers", tag = "transfers", security(("token" = [])),
    request_body(content = Value, description = "`tenant`, `from`, `to`, `data` (`{\"bucket\": NAME}` or \
        `{\"accounts\": [...]}`), `mode` (`move` unless said, or `copy`), `categories`, `purpose`, `importer` (`{\"name\", \"shown\": [{\"mark\", \"how\", \
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
            TransferError::Unknown { what, named, all } => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "unknown",
                format!("no {what} `{named}` in the rulebook, which has: {all}"),
                UNKNOWN_HINT,
            ),
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
