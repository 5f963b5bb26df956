//! Working a case: each route records one step, or has the desk take one.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use casework::{
    event::{Body, Event},
    facts::Facts,
    finding::Assessment,
    ids::{CaseId, Digest, RuleId, TenantId},
};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Api, ApiError, Caller, ErrorBody, error::Read};
use crate::{
    app::{Choice, Filing, Learned},
    auth::Action,
};

/// An event that was recorded.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Recorded {
    /// The case.
    #[schema(value_type = String)]
    case: CaseId,
    /// Its number.
    seq: u64,
    /// Hash of its header, which the docket commits to.
    #[schema(value_type = String)]
    hash: Digest,
}

pub(super) fn recorded(event: &Event) -> Result<(StatusCode, Json<Recorded>), ApiError> {
    let hash = event.header.hash().map_err(crate::app::DeskError::from)?;
    Ok((
        StatusCode::CREATED,
        Json(Recorded {
            case: event.header.case,
            seq: event.header.seq,
            hash,
        }),
    ))
}

pub(super) type Answer = Result<(StatusCode, Json<Recorded>), ApiError>;

/// Records what a reviewer or counsel did, as an event body: `redirect_answered`, `narrowed`, `gag_recorded`,
/// `gag_objected`, `gag_decided`, `gag_ended`, `gag_reviewed`, `extended`, `production_confirmed`, `notice_barred`,
/// `notice_served`, `notice_failed`, `objection_decided`, `appealed`, `measure_taken` and `measure_ended` (counsel alone takes
/// one), `emergency_reviewed`, `breach_assessed`, `costs_settled`, `rejected`, `withdrawn`, `delivered`, `closed`, `reopened`,
/// `note`.
#[utoipa::path(
    post, path = "/cases/{case}/events", tag = "steps", params(("case" = String, Path)),
    request_body(content = Value, description = "an event body: `{\"kind\": ..., ...}`"), security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, description = "the case does not allow it now", body = ErrorBody),
        (status = 422, description = "a kind that is not recorded here", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn record(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Body>,
) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let body = body.get()?;
    if !matches!(
        body,
        Body::RedirectAnswered { .. }
            | Body::Narrowed { .. }
            | Body::GagRecorded { .. }
            | Body::GagObjected { .. }
            | Body::GagDecided { .. }
            | Body::GagEnded { .. }
            | Body::GagReviewed { .. }
            | Body::Extended { .. }
            | Body::ProductionConfirmed { .. }
            | Body::NoticeBarred { .. }
            | Body::NoticeServed { .. }
            | Body::NoticeFailed { .. }
            | Body::Appealed { .. }
            | Body::MeasureTaken { .. }
            | Body::MeasureEnded { .. }
            | Body::EmergencyReviewed { .. }
            | Body::BreachAssessed { .. }
            | Body::CostsSettled { .. }
            | Body::Reopened { .. }
            | Body::ObjectionFiled { .. }
            | Body::ObjectionDecided { .. }
            | Body::Rejected { .. }
            | Body::Withdrawn { .. }
            | Body::Delivered { .. }
            | Body::Closed { .. }
            | Body::Note { .. }
    ) {
        return Err(elsewhere());
    }
    let actor = permit.staff().actor();
    recorded(&api.desk(&permit).record(case, actor, body).await?)
}

/// Records what intake learned: `parsed` (a demand typed in), `requester_checked`, `withdrawn` or `note`. That the requester is
/// confirmed counts once a second, different person has said so, too: until then it stands as unchecked.
#[utoipa::path(
    post, path = "/cases/{case}/entries", tag = "steps", params(("case" = String, Path)),
    request_body(content = Value, description = "an event body: `{\"kind\": ..., ...}`"), security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_enter")))
)]
pub(super) async fn enter(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Body>,
) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseEnter, case).await?;
    let body = body.get()?;
    if !matches!(
        body,
        Body::Parsed { .. } | Body::RequesterChecked { .. } | Body::Withdrawn { .. } | Body::Note { .. }
    ) {
        return Err(elsewhere());
    }
    let actor = permit.staff().actor();
    let desk = api.desk(&permit);
    let event = match body {
        Body::RequesterChecked { outcome, how } => desk.check_in_words(case, actor, outcome, &how).await?,
        body => desk.record(case, actor, body).await?,
    };
    recorded(&event)
}

/// Counsel's signed reason: `redirect_barred`, `gag_unopposed` or `ground_answered`.
#[utoipa::path(
    post, path = "/cases/{case}/reasons", tag = "steps", params(("case" = String, Path)),
    request_body(content = Value, description = "an event body with counsel's signature"), security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_reason")))
)]
pub(super) async fn reason(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Body>,
) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseReason, case).await?;
    let body = body.get()?;
    if !matches!(
        body,
        Body::RedirectBarred { .. } | Body::GagUnopposed { .. } | Body::GroundAnswered { .. }
    ) {
        return Err(elsewhere());
    }
    let actor = permit.staff().actor();
    recorded(&api.desk(&permit).record(case, actor, body).await?)
}

/// Which accounts are meant where several match.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolve {
    /// One per ambiguous subject.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    choices: Vec<Choice>,
}

/// Looks up each subject of the demand.
#[utoipa::path(
    post, path = "/cases/{case}/resolve", tag = "steps", params(("case" = String, Path)), request_body = Resolve,
    security(("token" = [])),
    responses(
        (status = 200, description = "the facts", body = Value), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn resolve(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Resolve>,
) -> Result<Json<Facts>, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let choices = body.get()?.choices;
    let actor = permit.staff().actor();
    Ok(Json(api.desk(&permit).resolve(case, actor, &choices).await?))
}

/// What was learned since the look-up.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Knowledge {
    /// Of the people behind the accounts: `{"subject": 0, "person_country": "DE", "us_person": false, "privileged":
    /// true}`, one per account; what is absent stays as it was.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    learned: Vec<Learned>,
    /// Whether the controller consents, now that it was told (GDPR Art. 28(3)(a)).
    #[serde(default)]
    controller_consents: Option<bool>,
}

/// Records what was learned of the people behind the accounts, and what the controller said.
#[utoipa::path(
    post, path = "/cases/{case}/facts", tag = "steps", params(("case" = String, Path)), request_body = Knowledge,
    security(("token" = [])),
    responses(
        (status = 200, description = "the facts as they now stand", body = Value), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn learn(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Knowledge>,
) -> Result<Json<Facts>, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let Knowledge {
        learned,
        controller_consents,
    } = body.get()?;
    let actor = permit.staff().actor();
    let facts = api
        .desk(&permit)
        .learn(case, actor, &learned, controller_consents)
        .await?;
    Ok(Json(facts))
}

/// Of which day's law.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Assess {
    /// Today (UTC) unless said.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    as_of: Option<Date>,
}

/// Applies the rulebook to the demand as it now stands.
#[utoipa::path(
    post, path = "/cases/{case}/assess", tag = "steps", params(("case" = String, Path)), request_body = Assess,
    security(("token" = [])),
    responses(
        (status = 200, description = "what was found", body = Value), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn assess(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Assess>,
) -> Result<Json<Assessment>, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let as_of = body.get()?.as_of;
    let actor = permit.staff().actor();
    Ok(Json(api.desk(&permit).assess(case, actor, as_of).await?))
}

/// By what means.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Means {
    /// Such as `registered letter` or `the portal`.
    how: String,
    /// Until when the answer is awaited; none by then is recorded as `unanswered`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    answer_by: Option<Timestamp>,
}

/// Writes the letter that asks the requester to go to the customer, and records it.
#[utoipa::path(
    post, path = "/cases/{case}/redirect", tag = "steps", params(("case" = String, Path)), request_body = Means,
    security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn redirect(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Means>,
) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let Means { how, answer_by } = body.get()?;
    let actor = permit.staff().actor();
    let desk = api.desk(&permit);
    recorded(&desk.redirect_until(case, actor, &how, answer_by).await?)
}

/// Whom to tell.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Notice {
    /// The customer.
    #[schema(value_type = String)]
    tenant: TenantId,
    /// By what means.
    how: String,
}

/// Writes the notice to a customer, and records it. Refused while a gag forbids it.
#[utoipa::path(
    post, path = "/cases/{case}/notices", tag = "steps", params(("case" = String, Path)), request_body = Notice,
    security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn notify(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Notice>,
) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let notice = body.get()?;
    let actor = permit.staff().actor();
    recorded(
        &api.desk(&permit)
            .notify(case, actor, &notice.tenant, &notice.how)
            .await?,
    )
}

/// What is objected to, and where.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Objection {
    /// The grounds: rule ids from the findings.
    #[schema(value_type = Vec<String>)]
    grounds: Vec<RuleId>,
    /// The court or authority.
    forum: String,
    /// SHA-256 of what was filed; without it the desk's own summary is the filing.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    filing: Option<Digest>,
}

/// Records an objection, and draws up its summary unless another document was filed.
#[utoipa::path(
    post, path = "/cases/{case}/objections", tag = "steps", params(("case" = String, Path)),
    request_body = Objection, security(("token" = [])),
    responses(
        (status = 201, body = Recorded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_work")))
)]
pub(super) async fn object(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Objection>,
) -> Answer {
    let permit = api.permit_case(&caller, Action::CaseWork, case).await?;
    let Objection {
        grounds,
        forum,
        filing,
    } = body.get()?;
    let filing = filing.map_or(Filing::Summary, Filing::Document);
    let actor = permit.staff().actor();
    recorded(
        &api.desk(&permit)
            .object(case, actor, &grounds, &forum, &filing)
            .await?,
    )
}

fn elsewhere() -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "reserved",
        "an event of this kind is not recorded here",
        "GET /openapi.json says which route records it",
    )
}
