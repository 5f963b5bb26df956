//! Release records: drawn up, approved, released, fetched.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use casework::{
    event::PackageFlag,
    ids::{CaseId, Digest, RecordId},
    record::{Recipient, ReleaseRecord},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use utoipa::ToSchema;

use super::{Api, ApiError, Caller, ErrorBody, error::Read};
use crate::{
    app::{DeskError, PackageRef},
    auth::Action,
};

/// How many hours a record lives unless said.
const LIFE_HOURS: i64 = 7 * 24;

/// Bytes of a package read from the disk at a time.
const FETCH_BYTES: usize = 64 * 1024;

/// To whom, and until when.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Proposal {
    /// Name of the authority or officer.
    recipient: String,
    /// Its age recipient, `age1...`.
    age: String,
    /// Hours until the gate refuses the record; 168 unless said, at most 720.
    #[serde(default)]
    hours: Option<u32>,
}

/// Draws up the record of exactly what would be released. Nothing is opened.
#[utoipa::path(
    post, path = "/cases/{case}/records", tag = "releases", params(("case" = String, Path)), request_body = Proposal,
    security(("token" = [])),
    responses(
        (status = 201, description = "the record", body = Value), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_propose")))
)]
pub(super) async fn propose(
    State(api): State<Api>,
    caller: Caller,
    Path(case): Path<CaseId>,
    body: Read<Proposal>,
) -> Result<(StatusCode, Json<ReleaseRecord>), ApiError> {
    let permit = api.permit_case(&caller, Action::CasePropose, case).await?;
    let Proposal {
        recipient,
        age,
        hours,
    } = body.get()?;
    let life = SignedDuration::from_hours(hours.map_or(LIFE_HOURS, i64::from));
    let recipient = Recipient { name: recipient, age };
    let actor = permit.staff().actor();
    let record = api.desk(&permit).propose(case, actor, recipient, life).await?;
    Ok((StatusCode::CREATED, Json(record)))
}

/// Shows a record: what reviewers sign.
#[utoipa::path(
    get, path = "/cases/{case}/records/{record}", tag = "releases",
    params(("case" = String, Path), ("record" = String, Path)), security(("token" = [])),
    responses(
        (status = 200, body = Value), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_read")))
)]
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path((case, record)): Path<(CaseId, RecordId)>,
) -> Result<Json<ReleaseRecord>, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseRead, case).await?;
    Ok(Json(api.desk(&permit).release_record(case, record).await?))
}

/// The caller's own signature.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    /// Ed25519 over `amparo/approval/v1\n<digest>\n`, base64.
    signature: String,
}

/// Adds the caller's signature to a record. Two different reviewers are needed, neither of whom entered the demand.
#[utoipa::path(
    post, path = "/cases/{case}/records/{record}/approvals", tag = "releases",
    params(("case" = String, Path), ("record" = String, Path)), request_body = Approval, security(("token" = [])),
    responses(
        (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_approve")))
)]
pub(super) async fn approve(
    State(api): State<Api>,
    caller: Caller,
    Path((case, record)): Path<(CaseId, RecordId)>,
    body: Read<Approval>,
) -> Result<StatusCode, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseApprove, case).await?;
    let signature = body.get()?.signature;
    api.desk(&permit)
        .approve(case, record, permit.staff().id(), &signature)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A finished package.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Package {
    /// The record it answers.
    #[schema(value_type = String)]
    record: RecordId,
    /// SHA-256 of the encrypted file.
    #[schema(value_type = String)]
    digest: Digest,
    /// Its size in bytes.
    size: u64,
    /// What somebody must know of it before it is handed over: which PDFs in it hold text that nobody sees on their pages, or
    /// could not be checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    flags: Vec<PackageFlag>,
    /// How many flags there were more.
    #[serde(default)]
    more_flags: u64,
}

impl From<PackageRef> for Package {
    fn from(package: PackageRef) -> Self {
        Self {
            record: package.record,
            digest: package.digest,
            size: package.size,
            flags: package.flags,
            more_flags: package.more_flags,
        }
    }
}

/// Releases an approved record: docket, gate, package. Done twice, it answers the same. A release that takes longer than
/// a request may goes on by itself; ask again.
#[utoipa::path(
    post, path = "/cases/{case}/records/{record}/release", tag = "releases",
    params(("case" = String, Path), ("record" = String, Path)), security(("token" = [])),
    responses(
        (status = 200, body = Package), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, description = "refused by the gate, not in the docket yet, or under way", body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("case_release")))
)]
pub(super) async fn release(
    State(api): State<Api>,
    caller: Caller,
    Path((case, record)): Path<(CaseId, RecordId)>,
) -> Result<Json<Package>, ApiError> {
    let permit = api.permit_case(&caller, Action::CaseRelease, case).await?;
    let desk = api.desk(&permit).clone();
    // In a task of its own: a caller who hangs up does not stop a release between the gate and its record.
    let release = tokio::spawn(async move { desk.release(case, record).await });
    let package = release.await.map_err(|_| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the release was stopped",
            "ask again: it goes on where it stopped",
        )
    })??;
    Ok(Json(package.into()))
}

/// Fetches a package: encrypted to its recipient, whom alone it opens for.
#[utoipa::path(
    get, path = "/cases/{case}/records/{record}/package", tag = "releases",
    params(("case" = String, Path), ("record" = String, Path)), security(("token" = [])),
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)
    ),
    extensions(("x-amparo-action" = json!("package_fetch")))
)]
pub(super) async fn fetch(
    State(api): State<Api>,
    caller: Caller,
    Path((case, record)): Path<(CaseId, RecordId)>,
) -> Result<Response, ApiError> {
    let permit = api.permit_case(&caller, Action::PackageFetch, case).await?;
    let package = api.desk(&permit).package(case, record).await?;
    let missing = |source| DeskError::PackageFile { what: "read", source };
    let file = tokio::fs::File::open(&package.path).await.map_err(missing)?;
    let pieces = futures::stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; FETCH_BYTES];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, package.size.to_string()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{record}.tar.age\""),
        ),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}
