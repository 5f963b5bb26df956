//! One letter: as text, as data, or set as a PDF.

use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use casework::ids::{CaseId, Digest, RecordId, TenantId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Api, ApiError, Caller, ErrorBody, cases::text};
use crate::{
    app::letters::{Kind, Said},
    auth::Action,
};

/// What is said for a letter that is drawn up now, where the case does not know it. For a letter of the case file: nothing.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LetterQuery {
    /// The language; `en` unless said.
    language: Option<String>,
    /// The customer to be told.
    #[param(value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// The court or authority addressed.
    forum: Option<String>,
    /// The gag objected to, by the number of the event that brought it.
    gag: Option<u64>,
    /// The release; the last unless said.
    #[param(value_type = Option<String>)]
    record: Option<RecordId>,
    /// Who signs.
    signed_by: Option<String>,
    /// The post that they hold.
    post: Option<String>,
    /// Whom to reach, and how.
    contact: Option<String>,
    /// What a wrong disclosure is likely to lead to.
    consequences: Option<String>,
    /// What is done against that.
    measures: Option<String>,
    /// Why a notification comes late.
    delay: Option<String>,
}

impl From<LetterQuery> for Said {
    fn from(query: LetterQuery) -> Self {
        Self {
            language: query.language,
            tenant: query.tenant,
            forum: query.forum,
            gag: query.gag,
            record: query.record,
            signed_by: query.signed_by,
            post: query.post,
            contact: query.contact,
            consequences: query.consequences,
            measures: query.measures,
            delay: query.delay,
        }
    }
}

/// In what form somebody wants a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Text,
    Data,
    Pdf,
}

/// A letter: as text, as data (`amparo.letter/1`), or as PDF/A, by `Accept`. Named by the SHA-256 of its text it is one of the case
/// file, as it was drawn up. Named by a kind it is drawn up from the case as it now stands: it is not kept, nothing is recorded,
/// and nobody is told.
#[utoipa::path(
    get, path = "/cases/{case}/letters/{letter}", tag = "letters",
    params(
        ("case" = String, Path),
        ("letter" = String, Path, description = "SHA-256 of its text, or a kind such as `redirect`"),
        LetterQuery
    ),
    security(("token" = [])),
    responses(
        (status = 200, content(
            (String = "text/plain"), (serde_json::Value = "application/json"), (String = "application/pdf")
        )),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 406, description = "PDFs are not set here", body = ErrorBody),
        (status = 409, description = "the case does not allow it, or lacks a fact that it needs", body = ErrorBody),
        (status = 422, description = "it cannot be set as a PDF", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_read")))
)]
pub(super) async fn letter(
    State(api): State<Api>,
    caller: Caller,
    Path((case, letter)): Path<(CaseId, String)>,
    Query(query): Query<LetterQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseRead, case).await?;
    let desk = api.desk(&permit);
    let wanted = wanted(&headers)?;
    let form = match Kind::named(&letter) {
        Some(kind) => {
            let drawn = desk.draw_letter(case, kind, &query.into()).await?;
            if wanted == Wanted::Text {
                return Ok(text(drawn.text));
            }
            drawn.form
        }
        None => {
            let digest: Digest = letter.parse().map_err(|_| ApiError::not_found("letter"))?;
            if wanted == Wanted::Text {
                return Ok(text(desk.letter(case, digest).await?));
            }
            desk.letter_form(case, digest).await?
        }
    };
    Ok(match wanted {
        Wanted::Pdf => {
            let pdf = desk.set_letter(&form).await?;
            ([(header::CONTENT_TYPE, "application/pdf")], pdf).into_response()
        }
        _ => axum::Json(form).into_response(),
    })
}

/// What `Accept` names first of what there is; text where it names nothing, or anything.
fn wanted(headers: &HeaderMap) -> Result<Wanted, ApiError> {
    let Some(accept) = headers.get(header::ACCEPT) else {
        return Ok(Wanted::Text);
    };
    let accept = accept.to_str().unwrap_or_default().to_ascii_lowercase();
    let kinds = accept.split(',').filter_map(|kind| kind.split(';').next());
    kinds
        .filter_map(|kind| match kind.trim() {
            "text/plain" | "text/*" | "*/*" => Some(Wanted::Text),
            "application/json" => Some(Wanted::Data),
            "application/pdf" => Some(Wanted::Pdf),
            _ => None,
        })
        .next()
        .ok_or_else(|| {
            ApiError::new(
                StatusCode::NOT_ACCEPTABLE,
                "not_acceptable",
                "a letter is to be had as text, as data or as a PDF",
                "ask for `text/plain`, `application/json` or `application/pdf`",
            )
        })
}
