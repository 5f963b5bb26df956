//! A case's further course: links between demands, snapshots, the form of Annex III, costs.

use axum::extract::{Path, State};
use casework::{
    event::{CostLine, Relation},
    ids::CaseId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api, Caller, ErrorBody,
    error::Read,
    steps::{Answer, Recorded, recorded},
};
use crate::{app::NotExecuting, auth::Action};

/// Which earlier demand, and how this one follows on it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    /// The earlier case.
    #[schema(value_type = String)]
    to: CaseId,
    /// `amends` or `supersedes`: nothing is released on the earlier one any more. `follows_up`: it goes on beside this one.
    #[schema(value_type = String)]
    relation: Relation,
}

/// Records that this demand follows on an earlier one, in both cases.
#[utoipa::path(
    post, path = "/cases/{case}/links", tag = "steps", params(("case" = String, Path)), request_body = Link,
    security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, description = "another authority's demand", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn link(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Link>,
) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let Link { to, relation } = body.get()?;
    let actor = permit.staff().actor();
    recorded(&api.desk(&permit).link(case, actor, to, relation).await?)
}

/// Freezes what there is now of the accounts that the demand names. Only where the law as last applied asks for it.
#[utoipa::path(
    post, path = "/cases/{case}/snapshot", tag = "steps", params(("case" = String, Path)), security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn preserve(State(api): State<Api>, caller: Caller, Path(case): Path<CaseId>) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let actor = permit.staff().actor();
    recorded(&api.desk(&permit).preserve(case, actor).await?)
}

/// Why a snapshot ends.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Thaw {
    /// Such as `the request was withdrawn`.
    reason: String,
}

/// Ends the snapshot that stands: what its owner had deleted meanwhile is gone. The desk does it by itself when its time is over.
#[utoipa::path(
    post, path = "/cases/{case}/snapshot/end", tag = "steps", params(("case" = String, Path)), request_body = Thaw,
    security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn thaw(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Thaw>,
) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let reason = body.get()?.reason;
    let actor = permit.staff().actor();
    recorded(&api.desk(&permit).end_snapshot(case, actor, &reason).await?)
}

/// Fills in the form of Annex III of Regulation (EU) 2023/1543 and records it, with the grounds that it raises.
#[utoipa::path(
    post, path = "/cases/{case}/non-execution", tag = "steps", params(("case" = String, Path)),
    request_body(content = Value, description = "`reasons`, `explanation`, `contact`; where they apply `third_country`, \
        `clarification`, `preservation`, `enforcing`, `grounds`"),
    security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, description = "no European order, or the form does not hold together", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn not_execute(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<NotExecuting>,
) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let said = body.get()?;
    let actor = permit.staff().actor();
    recorded(&api.desk(&permit).not_execute(case, actor, said).await?)
}

/// What answering cost.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Costs {
    /// Three letters of ISO 4217.
    currency: String,
    /// `{"what": "searching, 3 hours", "minor": 24000}`: each in the currency's smallest unit.
    #[schema(value_type = Vec<Object>)]
    lines: Vec<CostLine>,
}

/// Records that the authority is asked to pay what answering cost, by the law that gives it.
#[utoipa::path(
    post, path = "/cases/{case}/costs", tag = "steps", params(("case" = String, Path)), request_body = Costs,
    security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, description = "no law gives costs", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn claim_costs(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Costs>,
) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let Costs { currency, lines } = body.get()?;
    let actor = permit.staff().actor();
    recorded(
        &api.desk(&permit)
            .claim_costs(case, actor, &currency, lines)
            .await?,
    )
}
