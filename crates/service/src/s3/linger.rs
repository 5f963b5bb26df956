//! Reads on for a while when a request was answered before its body was read.
//!
//! A server that answers early and closes makes a client that is still sending see a broken pipe instead of the answer.
//! (A client that said `Expect: 100-continue` has sent nothing yet, and is left alone.)

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap,
    body::{Body, Frame, SizeHint},
};

use super::limits::{LINGER_BYTES_MAX, LINGER_TIMEOUT};

/// A request's body that is read on, within limits, after it was dropped.
pub(super) struct Linger<B: Body<Data = Bytes> + Send + Unpin + 'static> {
    inner: Option<B>,
    sending: bool,
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Linger<B> {
    pub(super) fn new(inner: B, headers: &HeaderMap) -> Self {
        Self {
            inner: Some(inner),
            sending: !headers.contains_key(hyper::header::EXPECT),
        }
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Body for Linger<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.sending = true;
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let frame = std::task::ready!(Pin::new(inner).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.inner = None;
        }
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }
    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Drop for Linger<B> {
    fn drop(&mut self) {
        let Some(mut inner) = self
            .inner
            .take()
            .filter(|inner| self.sending && !inner.is_end_stream())
        else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(tokio::time::timeout(LINGER_TIMEOUT, async move {
            let mut left = LINGER_BYTES_MAX;
            while let Some(Ok(frame)) = inner.frame().await {
                let here = frame.data_ref().map_or(0, |data| data.len() as u64);
                match left.checked_sub(here) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        }));
    }
}
