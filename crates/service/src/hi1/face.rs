//! The one route.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::StreamExt as _;
use hi1::{BYTES_MAX, Code, Failure};
use tokio::sync::OwnedSemaphorePermit;

use super::{BODY_STALL, BODY_TIMEOUT, Hi1, MESSAGE_TIMEOUT};
use crate::tls::KnownCaller;

/// Takes messages at `/`. Answers are of the standard, and so, as it asks (TS 103 120 clause 9), of status 200 whatever they
/// say.
pub fn router(face: Hi1) -> Router {
    Router::new().route("/", post(receive)).with_state(face)
}

async fn receive(State(face): State<Hi1>, request: Request) -> Response {
    let known = request.extensions().get::<KnownCaller>().copied();
    let Some((place, peer)) = known.and_then(|known| {
        let place = known.place();
        face.parts.peers.get(place).map(|peer| (place, peer))
    }) else {
        // The handshake lets nobody else in; a listener without it would be a defect of ours.
        return StatusCode::FORBIDDEN.into_response();
    };
    let refuse = |code, why: String| json(face.refused(peer, None, Failure::new(code, why)));
    let named = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = named
        .and_then(|named| named.split(';').next())
        .unwrap_or_default()
        .trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return refuse(
            Code::Encoding,
            "the content type is not `application/json`; messages are taken in JSON alone".to_owned(),
        );
    }
    // Its own turn first, then a place beside the others': one peer's messages, however slow and many, keep one place.
    let Some(turn) = face.turn(place).await else {
        return refuse(
            Code::Transient,
            "messages of yours are under way already, and this one waited too long for them; send it again in a moment".to_owned(),
        );
    };
    let bytes = match read(request.into_body()).await {
        Ok(bytes) => bytes,
        Err(Unread::TooLarge) => {
            return refuse(
                Code::TooLarge,
                format!("the message is larger than {BYTES_MAX} bytes"),
            );
        }
        Err(Unread::Broken) => {
            return refuse(Code::Transient, "the message broke off; send it again".to_owned());
        }
        Err(Unread::Slow) => {
            return refuse(
                Code::Transient,
                format!(
                    "the message took longer than {} s to arrive, or nothing of it came for {} s",
                    BODY_TIMEOUT.as_secs(),
                    BODY_STALL.as_secs()
                ),
            );
        }
    };
    // In a task of its own: a sender who hangs up stops nothing half-way.
    let worker = face.clone();
    let work = tokio::spawn(async move {
        let answer = worker.answer(place, &bytes).await;
        drop(turn);
        answer
    });
    match tokio::time::timeout(MESSAGE_TIMEOUT, work).await {
        Ok(Ok(answer)) => json(answer),
        Ok(Err(_)) | Err(_) => refuse(
            Code::Transient,
            "this takes longer than a request may; send the same message again for its answer".to_owned(),
        ),
    }
}

impl Hi1 {
    /// A peer's turn, and a place among the messages under way. `None` where it does not come in time, or too many wait.
    pub(super) async fn turn(&self, place: usize) -> Option<[OwnedSemaphorePermit; 2]> {
        let turn = self.parts.turns.get(place)?;
        let waiting = Arc::clone(&turn.waiting).try_acquire_owned().ok()?;
        let both = async {
            let working = Arc::clone(&turn.working).acquire_owned().await.ok()?;
            let slot = Arc::clone(&self.parts.slots).acquire_owned().await.ok()?;
            Some([working, slot])
        };
        let both = tokio::time::timeout(MESSAGE_TIMEOUT, both).await.ok()??;
        drop(waiting);
        Some(both)
    }
}

/// Why a message's bytes are not there.
enum Unread {
    TooLarge,
    Broken,
    Slow,
}

/// A body of at most [`BYTES_MAX`], within [`BODY_TIMEOUT`] and without a stall.
async fn read(body: Body) -> Result<Vec<u8>, Unread> {
    let whole = async {
        let mut body = body.into_data_stream();
        let mut bytes = Vec::new();
        loop {
            match tokio::time::timeout(BODY_STALL, body.next()).await {
                Err(_) => return Err(Unread::Slow),
                Ok(None) => return Ok(bytes),
                Ok(Some(Err(_))) => return Err(Unread::Broken),
                Ok(Some(Ok(piece))) if bytes.len().saturating_add(piece.len()) > BYTES_MAX => {
                    return Err(Unread::TooLarge);
                }
                Ok(Some(Ok(piece))) => bytes.extend_from_slice(&piece),
            }
        }
    };
    tokio::time::timeout(BODY_TIMEOUT, whole)
        .await
        .unwrap_or(Err(Unread::Slow))
}

fn json(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}
