//! What stands around s3s: admission, refusals, the guarded body, and the last word on every answer.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Version,
    body::{Body, Frame, Incoming, SizeHint},
    header::{self, HeaderValue},
};
use s3s::{S3Error, S3ErrorCode, StdError, service::S3Service, stream::DynByteStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    auth::{CALLER, Caller, RequestId},
    cors,
    digest::BodyDigest,
    fault::FaultSlot,
    form,
    intake::Intake,
    limits::{FORMS_MAX, OBJECT_BYTES_MAX, REQUESTS_MAX, RETRY_AFTER_SECONDS},
    linger::Linger,
    rechunk::Rechunker,
    refuse,
};
use crate::vault::Vault;

/// The S3 face as an HTTP service. Cheap to clone; clones share its limits.
#[derive(Clone)]
pub struct S3Face {
    s3: S3Service,
    vault: Vault,
    requests: Arc<Semaphore>,
    forms: Arc<Semaphore>,
}

impl S3Face {
    pub(super) fn new(s3: S3Service, vault: Vault) -> Self {
        Self {
            s3,
            vault,
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            forms: Arc::new(Semaphore::new(FORMS_MAX)),
        }
    }

    /// Answers one request. Never fails: what goes wrong is an answer.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Answer>
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
    {
        let id = request_id();
        let is_head = request.method() == Method::HEAD;
        let (parts, body) = request.into_parts();
        let expects = parts.version < Version::HTTP_2 && parts.headers.contains_key(header::EXPECT);
        let was_empty = body.is_end_stream();
        let body = Linger::new(body, &parts.headers);
        let request = Request::from_parts(parts, body);
        let (permit, response) = match Arc::clone(&self.requests).try_acquire_owned() {
            Ok(permit) => (Some(permit), self.admitted(request, &id).await),
            Err(_) => (None, slow_down()),
        };
        let mut response = finish(response, permit, &id, is_head);
        if expects && (was_empty || is_error(response.status())) {
            // A final answer where `100 Continue` was expected: botocore reuses such a connection with the state of this
            // answer, and misreads the next one. Amazon's servers close it too.
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn admitted<B>(&self, request: Request<B>, id: &str) -> Response<s3s::Body>
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
    {
        let (mut parts, body) = request.into_parts();
        if parts.method == Method::OPTIONS {
            return cors::preflight(&self.vault, &parts.uri, &parts.headers)
                .await
                .unwrap_or_else(respond);
        }
        let admitted = refuse::before_signature(&parts.uri, &parts.headers)
            .and_then(|()| announced_length(&parts.headers))
            .and_then(|()| BodyDigest::claimed(&parts.method, &parts.uri, &parts.headers));
        let digest = match admitted {
            Ok(digest) => digest,
            Err(error) => return respond(error),
        };
        let faults = FaultSlot::default();
        parts.extensions.insert(faults.clone());
        parts.extensions.insert(RequestId(id.to_owned()));
        let is_form = form::is_form(&parts.method, &parts.headers);
        let _held = match is_form
            .then(|| Arc::clone(&self.forms).try_acquire_owned())
            .transpose()
        {
            Ok(held) => held,
            Err(_) => return slow_down(),
        };
        let body = if is_form {
            let intake = Intake::new(body, None, None, faults.clone());
            match form::admit(&self.vault, &parts.headers, intake, &faults).await {
                Ok(form) => s3s::Body::from(form),
                Err(error) => return respond(error),
            }
        } else if body.is_end_stream() {
            s3s::Body::empty()
        } else {
            let rechunker = rechunker(&parts.headers);
            // A digest is of the content, not of its framing.
            let digest = digest.filter(|_| rechunker.is_none());
            let intake: DynByteStream = Box::pin(Intake::new(body, rechunker, digest, faults.clone()));
            s3s::Body::from(intake)
        };
        let origin = parts
            .headers
            .get(header::ORIGIN)
            .map(|origin| (origin.clone(), parts.method.clone(), parts.uri.clone()));
        let for_attributes = refuse::asks_for(&parts.uri, "attributes");
        let request = Request::from_parts(parts, body);
        let run = async {
            let response = self.s3.call(request).await;
            (
                response,
                CALLER.with(|caller| (caller.is_unknown(), caller.verified())),
            )
        };
        let (response, (unknown_key, who)) = CALLER.scope(Caller::default(), run).await;
        let mut response = match response {
            Ok(response) => response,
            Err(_) => return respond(S3Error::new(S3ErrorCode::InternalError)),
        };
        if let (Some((origin, method, uri)), Some(who)) = (origin, who) {
            cors::decorate(&self.vault, &who, &method, &uri, &origin, &mut response).await;
        }
        if is_error(response.status()) {
            if let Some(fault) = faults.get() {
                return respond(fault.to_s3_error());
            }
            if unknown_key && names_code(response.body(), "SignatureDoesNotMatch") {
                return respond(S3Error::with_message(
                    S3ErrorCode::InvalidAccessKeyId,
                    "the access key id you provided does not exist, or is disabled",
                ));
            }
        }
        if is_form && form::is_failed_condition(response.body()) {
            return respond(S3Error::with_message(
                S3ErrorCode::AccessDenied,
                "Invalid according to Policy: Policy Condition failed",
            ));
        }
        if for_attributes {
            without_quotes(response)
        } else {
            response
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for S3Face {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let face = self.clone();
        Box::pin(async move { Ok(face.answer(request).await) })
    }
}

/// An answer's body; it holds the request's place until it was sent.
pub struct Answer {
    inner: s3s::Body,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn rechunker(headers: &HeaderMap) -> Option<Rechunker> {
    let payload = headers.get("x-amz-content-sha256")?.as_bytes();
    if payload == b"STREAMING-UNSIGNED-PAYLOAD-TRAILER" {
        Some(Rechunker::new(false))
    } else if payload.starts_with(b"STREAMING-") {
        Some(Rechunker::new(true))
    } else {
        None
    }
}

/// Refuses before the first byte what would be too large in the end.
fn announced_length(headers: &HeaderMap) -> Result<(), S3Error> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let length = number("x-amz-decoded-content-length").or_else(|| number("content-length"));
    if length.is_some_and(|length| length > OBJECT_BYTES_MAX) {
        return Err(S3Error::with_message(
            S3ErrorCode::EntityTooLarge,
            "your proposed upload is larger than 5 GiB; use a multipart upload",
        ));
    }
    Ok(())
}

fn slow_down() -> Response<s3s::Body> {
    let mut response = respond(S3Error::with_message(
        S3ErrorCode::SlowDown,
        "too many requests are running already; reduce your request rate",
    ));
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    response
}

fn respond(error: S3Error) -> Response<s3s::Body> {
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = Response::new(s3s::Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// `GetObjectAttributes` is the one answer of S3 whose entity tag has no quotes; s3s writes them.
fn without_quotes(response: Response<s3s::Body>) -> Response<s3s::Body> {
    let text = response
        .body()
        .bytes()
        .and_then(|b| String::from_utf8(b.to_vec()).ok());
    let Some((before, tag, after)) = text.as_deref().and_then(|text| {
        let (before, rest) = text.split_once("<ETag>")?;
        let (tag, after) = rest.split_once("</ETag>")?;
        Some((
            before,
            tag.trim_matches('"')
                .trim_start_matches("&quot;")
                .trim_end_matches("&quot;"),
            after,
        ))
    }) else {
        return response;
    };
    let text = format!("{before}<ETag>{tag}</ETag>{after}");
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, s3s::Body::from(text))
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn names_code(body: &s3s::Body, code: &str) -> bool {
    body.bytes()
        .is_some_and(|b| contains(&b, format!("<Code>{code}</Code>").as_bytes()))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}

fn finish(
    response: Response<s3s::Body>,
    permit: Option<OwnedSemaphorePermit>,
    id: &str,
    is_head: bool,
) -> Response<Answer> {
    let (mut parts, mut body) = response.into_parts();
    if is_error(parts.status) || parts.status == StatusCode::NOT_MODIFIED {
        if is_head || parts.status == StatusCode::NOT_MODIFIED {
            parts.headers.remove(header::CONTENT_TYPE);
            parts.headers.remove(header::CONTENT_LENGTH);
            body = s3s::Body::empty();
        } else if let Some(text) = body.bytes() {
            parts.headers.remove(header::CONTENT_LENGTH);
            body = s3s::Body::from(complete_error(&text, id));
        }
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        parts.headers.insert("x-amz-request-id", value);
    }
    parts
        .headers
        .insert(header::SERVER, HeaderValue::from_static("Amparo"));
    Response::from_parts(
        parts,
        Answer {
            inner: body,
            _permit: permit,
        },
    )
}

/// Adds the request's id, and a message where s3s gave none: clients print both.
fn complete_error(text: &[u8], id: &str) -> Vec<u8> {
    let Some(head) = text.strip_suffix(b"</Error>") else {
        return text.to_vec();
    };
    let mut out = head.to_vec();
    if !contains(head, b"<Message>") {
        out.extend_from_slice(b"<Message>The request was refused.</Message>");
    }
    out.extend_from_slice(format!("<RequestId>{id}</RequestId></Error>").as_bytes());
    out
}

/// 16 random hex digits; when the system gives no randomness, requests go unnamed rather than unserved.
fn request_id() -> String {
    let mut bytes = [0; 8];
    let _ = getrandom::fill(&mut bytes);
    hex::encode_upper(bytes)
}
