//! The one route.

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use hi1::{BYTES_MAX, Code, Failure};

use super::{Hi1, MESSAGE_TIMEOUT, MESSAGES_MAX};
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
    let Ok(slot) = face.parts.slots.clone().try_acquire_owned() else {
        return refuse(
            Code::Transient,
            format!("{MESSAGES_MAX} messages are under way, the most at once; send it again in a moment"),
        );
    };
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
            Code::NotSupported,
            "the content type is not `application/json`; messages are taken in JSON alone".to_owned(),
        );
    }
    let read = tokio::time::timeout(MESSAGE_TIMEOUT, to_bytes(request.into_body(), BYTES_MAX)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            return refuse(
                Code::TooLarge,
                format!("the message is larger than {BYTES_MAX} bytes, or broke off"),
            );
        }
        Err(_) => {
            return refuse(
                Code::Transient,
                format!(
                    "the message took longer than {} s to arrive",
                    MESSAGE_TIMEOUT.as_secs()
                ),
            );
        }
    };
    // In a task of its own: a sender who hangs up stops nothing half-way.
    let worker = face.clone();
    let work = tokio::spawn(async move {
        let answer = worker.answer(place, &bytes).await;
        drop(slot);
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

fn json(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}
