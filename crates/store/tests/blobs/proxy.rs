//! A proxy before the S3 server that does what networks and stores do on bad days.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Frame, Incoming},
    header,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answers this status and forwards nothing.
    Status(u16),
    /// Forwards, throws the answer away, and says 500: done, and the answer lost.
    Lost,
    /// Promises the whole body, and breaks off in its middle.
    BreaksOff,
    /// Promises half of the body, and gives that.
    Half,
    /// Answers after this time.
    Late(Duration),
    /// Answers with this body, whatever is stored.
    Stale(Bytes),
}

/// Which requests it befalls.
pub type Befalls = fn(&Method, &str) -> bool;

struct Plan {
    fault: Fault,
    befalls: Befalls,
    /// How many requests yet.
    left: usize,
}

/// A running proxy.
pub struct Proxy {
    pub address: String,
    plan: Arc<Mutex<Option<Plan>>>,
    task: tokio::task::JoinHandle<()>,
}

type Answer = Response<BoxBody<Bytes, std::io::Error>>;

impl Proxy {
    pub async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let plan: Arc<Mutex<Option<Plan>>> = Arc::default();
        let (server, planned) = (server.to_owned(), Arc::clone(&plan));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (server, planned) = (server.clone(), Arc::clone(&planned));
                tokio::spawn(async move {
                    let service =
                        service_fn(move |request| handle(server.clone(), Arc::clone(&planned), request));
                    let serving = hyper::server::conn::http1::Builder::new();
                    let _ = serving.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, plan, task }
    }

    /// From now on, the next `times` requests that it befalls meet this fault.
    pub fn plan(&self, fault: Fault, befalls: Befalls, times: usize) {
        *self.plan.lock().unwrap() = Some(Plan {
            fault,
            befalls,
            left: times,
        });
    }

    /// From now on, all is well. Gives how many planned faults did not happen.
    pub fn well(&self) -> usize {
        self.plan.lock().unwrap().take().map_or(0, |plan| plan.left)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn status(status: u16) -> Answer {
    let code = match status {
        503 => "SlowDown",
        403 => "AccessDenied",
        _ => "InternalError",
    };
    let text = format!("<Error><Code>{code}</Code><Message>on a bad day</Message></Error>");
    Response::builder()
        .status(status)
        .body(Full::from(text).map_err(|never| match never {}).boxed())
        .unwrap()
}

/// The range that was asked for, of another body.
fn stale(headers: &HeaderMap, other: Bytes) -> Answer {
    let range = headers[header::RANGE].to_str().unwrap();
    let (start, end) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let start: usize = start.parse().unwrap();
    let end = end
        .parse::<usize>()
        .map_or(other.len(), |end| (end + 1).min(other.len()));
    Response::builder()
        .status(206)
        .header(
            header::CONTENT_RANGE,
            format!("bytes {start}-{}/{}", end - 1, other.len()),
        )
        .header(header::LAST_MODIFIED, "Sun, 01 Nov 2026 00:00:00 GMT")
        .header(header::ETAG, "\"stale\"")
        .body(
            Full::from(other.slice(start..end))
                .map_err(|never| match never {})
                .boxed(),
        )
        .unwrap()
}

async fn handle(
    server: String,
    planned: Arc<Mutex<Option<Plan>>>,
    request: Request<Incoming>,
) -> Result<Answer, std::io::Error> {
    let fault = {
        let mut plan = planned.lock().unwrap();
        let path = request.uri().path_and_query().unwrap().as_str();
        match plan.as_mut() {
            Some(plan) if plan.left > 0 && (plan.befalls)(request.method(), path) => {
                plan.left -= 1;
                Some(plan.fault.clone())
            }
            _ => None,
        }
    };
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    match fault.clone() {
        Some(Fault::Status(code)) => return Ok(status(code)),
        Some(Fault::Stale(other)) => return Ok(stale(&parts.headers, other)),
        Some(Fault::Late(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    let url = format!("http://{server}{}", parts.uri.path_and_query().unwrap());
    let mut forward = reqwest::Client::new()
        .request(parts.method.clone(), url)
        .body(body);
    for (name, value) in &parts.headers {
        forward = forward.header(name, value);
    }
    let got = forward.send().await.map_err(std::io::Error::other)?;
    let (code, headers) = (got.status(), got.headers().clone());
    let body = got.bytes().await.map_err(std::io::Error::other)?;
    if matches!(fault, Some(Fault::Lost)) {
        return Ok(status(500));
    }
    let half = body.slice(..body.len() / 2);
    let mut answer = Response::builder().status(StatusCode::from_u16(code.as_u16()).unwrap());
    for (name, value) in &headers {
        if name != header::CONTENT_LENGTH && name != header::TRANSFER_ENCODING {
            answer = answer.header(name, value);
        }
    }
    let head = parts.method == Method::HEAD;
    let length = match (&fault, head) {
        (_, true) => headers.get(header::CONTENT_LENGTH).cloned(),
        (Some(Fault::Half), _) => Some(half.len().into()),
        _ => Some(body.len().into()),
    };
    if let Some(length) = length {
        answer = answer.header(header::CONTENT_LENGTH, length);
    }
    let body = match fault {
        Some(Fault::Half) => Full::from(half).map_err(|never| match never {}).boxed(),
        Some(Fault::BreaksOff) => {
            let frames = futures::stream::iter([
                Ok(Frame::data(half)),
                Err(std::io::Error::other("broken off on purpose")),
            ]);
            BoxBody::new(StreamBody::new(frames))
        }
        _ => Full::from(body).map_err(|never| match never {}).boxed(),
    };
    Ok(answer.body(body).unwrap())
}
