//! Errors as callers see them: `{"error": {"code", "message", "hint"}}`. Causes go to the log under the request's id,
//! never to the caller.

use axum::{
    Json,
    extract::{FromRequest, Request},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use store::cases::CaseStoreError;
use utoipa::ToSchema;

use crate::{
    app::{DeskError, ports::PortError},
    auth::{IssueError, NotSignedIn, PermissionsError},
};

/// An error, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The promise that stands against the step, such as `P7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<String>,
}

/// An error with its status.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    detail: ErrorDetail,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>, hint: &str) -> Self {
        Self {
            status,
            detail: ErrorDetail {
                code: code.to_owned(),
                message: message.into(),
                hint: hint.to_owned(),
                promise: None,
            },
        }
    }

    /// The request cannot be read.
    pub(super) fn invalid(message: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message, hint)
    }

    /// With the promise that stands against the step.
    pub(super) fn with_promise(mut self, promise: Option<String>) -> Self {
        self.detail.promise = promise;
        self
    }

    /// There is nothing here for this caller, whether it exists or not.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("no such {what}"),
            "check the address",
        )
    }

    pub(super) fn is_forbidden(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.detail })).into_response()
    }
}

impl From<DeskError> for ApiError {
    fn from(error: DeskError) -> Self {
        let status = match &error {
            DeskError::NotFound { .. } => StatusCode::NOT_FOUND,
            DeskError::NotNow { .. }
            | DeskError::NoData
            | DeskError::Unwritten { .. }
            | DeskError::Releasing { .. }
            | DeskError::UsedUp { .. }
            | DeskError::GateRefused { .. }
            | DeskError::Contended { .. }
            | DeskError::NotLogged { .. } => StatusCode::CONFLICT,
            DeskError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            DeskError::Invalid { .. } | DeskError::Reserved { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            DeskError::Store(CaseStoreError::Erased(_)) => StatusCode::GONE,
            DeskError::Store(CaseStoreError::Full { .. }) => StatusCode::CONFLICT,
            DeskError::Port(_) => StatusCode::SERVICE_UNAVAILABLE,
            DeskError::Unset(error) if error.is_of_the_letter() => StatusCode::UNPROCESSABLE_ENTITY,
            DeskError::Unset(_) => StatusCode::NOT_ACCEPTABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let message = if status.is_server_error() {
            log(&error);
            "the service could not do this".to_owned()
        } else {
            error.to_string()
        };
        let mut answer = Self::new(status, error.code(), message, error.hint());
        answer.detail.promise = error.promise().map(|promise| format!("{promise:?}"));
        answer
    }
}

/// A JSON body that is looked at only after its sender was allowed in: whoever may not do a thing does not learn what the
/// thing looks like.
pub(super) struct Read<T>(Result<T, ApiError>);

impl<T> Read<T> {
    pub(super) fn get(self) -> Result<T, ApiError> {
        self.0
    }
}

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequest<S> for Read<T> {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let read = Json::<T>::from_request(request, state).await;
        Ok(Self(read.map(|Json(value)| value).map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let limit = super::JSON_BYTES_MAX;
                let message = format!("the body is larger than {limit} bytes");
                return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message, "send less");
            }
            // The parser's own words may quote the body, which may name a person.
            let hint = "send JSON of the form that GET /openapi.json describes, with its content type";
            ApiError::invalid("the body cannot be read", hint)
        })))
    }
}

pub(super) fn port(error: PortError) -> ApiError {
    DeskError::from(error).into()
}

pub(super) fn store(error: CaseStoreError) -> ApiError {
    DeskError::from(error).into()
}

/// A token or feed that was not issued.
pub(super) fn issue(error: IssueError) -> ApiError {
    match error {
        IssueError::NotEnrolled(_) => NotSignedIn::NoValidToken.into(),
        IssueError::Store(error) => store(error),
        IssueError::Entropy(error) => {
            log(&error);
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no_entropy",
                "the service could not do this",
                "try again in a moment",
            )
        }
    }
}

impl From<NotSignedIn> for ApiError {
    fn from(error: NotSignedIn) -> Self {
        match error {
            NotSignedIn::NoValidToken => Self::new(
                StatusCode::UNAUTHORIZED,
                "not_signed_in",
                "the request carries no valid token",
                "send `Authorization: Bearer amparo_...`",
            ),
            NotSignedIn::Store(error) => store(error),
        }
    }
}

impl From<PermissionsError> for ApiError {
    fn from(error: PermissionsError) -> Self {
        match error {
            PermissionsError::Denied { .. } => Self::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                error.to_string(),
                "ask somebody whose role allows it",
            ),
            PermissionsError::Unusable(_) => internal(&error),
        }
    }
}

/// Something failed here that the caller is not told of.
pub(super) fn internal(error: &dyn std::error::Error) -> ApiError {
    log(error);
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the service could not do this",
        "the service's log names the cause",
    )
}

/// Causes, in full, for the operator. By construction none of them quotes a demand or a person.
fn log(error: &dyn std::error::Error) {
    let mut causes = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        source = cause.source();
    }
    tracing::error!(%causes, "a request failed");
}

pub(super) async fn no_such_route(method: Method, uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(128).collect();
    ApiError::new(
        StatusCode::NOT_FOUND,
        "no_such_route",
        format!("no route `{method} {path}`"),
        "GET /openapi.json lists the routes",
    )
}
