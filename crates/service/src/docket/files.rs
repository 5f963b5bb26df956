//! The log's files over HTTP (C2SP tlog-tiles). A plain web server over the same directory serves the same.

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use translog::{tile::TileId, tree::TileReader as _};

use super::Docket;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// The checkpoint changes every interval.
const FRESH: &str = "no-cache";
/// A file's bytes never change.
const FOREVER: &str = "public, max-age=31536000, immutable";

pub(super) fn router(docket: Docket) -> Router {
    Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .with_state(docket)
}

async fn checkpoint(State(docket): State<Docket>) -> Response {
    match docket.checkpoint().await {
        Ok(Some(note)) => found(TEXT, FRESH, note.into_bytes()),
        Ok(None) => absent("nothing is published yet"),
        Err(error) => failed(&error),
    }
}

async fn tile(State(docket): State<Docket>, Path(path): Path<String>) -> Response {
    let Some(id) = TileId::parse(&format!("tile/{path}")) else {
        return absent("that is no tile's path");
    };
    // What no published checkpoint covers is nobody's business yet, even when its file is there.
    if id.leaves_end().is_none_or(|end| end > docket.published_size()) {
        return absent("the published log does not have that tile");
    }
    match docket.inner.store.with_files(move |files| files.read(&id)).await {
        Ok(Ok(Some(bytes))) => found(BYTES, FOREVER, bytes),
        Ok(Ok(None)) => absent("only the tiles of published sizes are kept; ask for the full one"),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

fn found(kind: &'static str, caching: &'static str, body: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, caching),
        // The log is public: pages elsewhere may check it.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body).into_response()
}

fn absent(why: &'static str) -> Response {
    (
        StatusCode::NOT_FOUND,
        [(header::CONTENT_TYPE, TEXT)],
        format!("{why}\n"),
    )
        .into_response()
}

fn failed(error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "a file of the docket could not be served");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
