//! A listener: connections, their limits, and an orderly end. S3, the HTTP API and a witness are served alike, over TLS or,
//! on loopback, without.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    service::Service,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, Sleep},
};

use crate::{
    s3::limits::{
        CONNECTIONS_MAX, DRAIN_TIMEOUT, HEAD_READ_TIMEOUT, HEADER_BYTES_MAX, HEADERS_MAX, READ_BUFFER_BYTES,
        STREAMS_MAX, WINDOW_BYTES, WRITE_STALL_TIMEOUT,
    },
    tls::{KnownCaller, TlsServer},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Pause after a failed accept: it fails when file descriptors are exhausted, and at once again without a pause.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A bound address, with the TLS that is spoken there.
pub struct Door {
    /// Where connections come in.
    pub listener: TcpListener,
    /// What they speak; `None` is plain HTTP, for loopback alone.
    pub tls: Option<Arc<TlsServer>>,
}

impl From<TcpListener> for Door {
    fn from(listener: TcpListener) -> Self {
        Self { listener, tls: None }
    }
}

/// Serves `face` at `door` until `shutdown` completes; then lets running requests end for [`DRAIN_TIMEOUT`].
pub async fn serve<S, B>(door: impl Into<Door>, face: S, shutdown: impl Future<Output = ()> + Send)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Failure>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Failure>,
{
    let Door { listener, tls } = door.into();
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let builder = builder();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        // The place is taken before the connection, so that a full house leaves newcomers in the kernel's queue.
        let accepted = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (stream, face, builder) = (Patient::new(stream), face.clone(), builder.clone());
        let (tls, watcher) = (tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            // Broken connections are the network's daily bread; the requests on them were answered for themselves.
            let ended = match tls {
                None => {
                    let connection = builder.serve_connection(TokioIo::new(stream), face).into_owned();
                    watcher.watch(connection).await
                }
                Some(tls) => {
                    // Refused handshakes are in the log already.
                    let Ok(stream) = tls.accept(stream).await else {
                        return;
                    };
                    let face = Introduced {
                        caller: tls.caller_of(&stream),
                        face,
                    };
                    let connection = builder.serve_connection(TokioIo::new(stream), face).into_owned();
                    watcher.watch(connection).await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(error, "a connection broke");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            seconds = DRAIN_TIMEOUT.as_secs(),
            "requests were cut off at shutdown"
        );
    }
}

/// A face whose requests say who is at the other end of their connection, where the handshake proved it.
#[derive(Clone)]
struct Introduced<S> {
    caller: Option<KnownCaller>,
    face: S,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for Introduced<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(caller) = self.caller {
            request.extensions_mut().insert(caller);
        }
        self.face.call(request)
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(READ_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEAD_READ_TIMEOUT))
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX));
    builder
}

/// A connection that ends when its peer reads nothing for [`WRITE_STALL_TIMEOUT`]; else a client that stops reading
/// would keep its request's place for ever.
struct Patient {
    inner: TcpStream,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(inner: TcpStream) -> Self {
        Self { inner, stalled: None }
    }

    fn judge<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + WRITE_STALL_TIMEOUT)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.judge(cx, result)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.judge(cx, result)
    }
    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.judge(cx, result)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
