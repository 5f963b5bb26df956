//! A request's body as it comes off the wire, before s3s sees it: silence ends it, and `aws-chunked` framing is bounded.

use std::{
    collections::VecDeque,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::Stream;
use hyper::body::Body;
use s3s::{
    StdError,
    stream::{ByteStream, RemainingLength},
};
use tokio::time::{Instant, Sleep};

use super::{
    digest::BodyDigest,
    fault::{BodyFault, FaultSlot},
    limits::BODY_IDLE_TIMEOUT,
    rechunk::Rechunker,
};

/// The guarded body. Its first fault goes to the slot and ends it.
pub(super) struct Intake<B> {
    inner: B,
    idle: Pin<Box<Sleep>>,
    rechunker: Option<Rechunker>,
    digest: Option<BodyDigest>,
    ready: VecDeque<Bytes>,
    faults: FaultSlot,
    ended: bool,
}

impl<B> Intake<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// Guards `inner`; `rechunker` for an `aws-chunked` body, `digest` for one that is to be checked here.
    pub(super) fn new(
        inner: B,
        rechunker: Option<Rechunker>,
        digest: Option<BodyDigest>,
        faults: FaultSlot,
    ) -> Self {
        Self {
            inner,
            idle: Box::pin(tokio::time::sleep(BODY_IDLE_TIMEOUT)),
            rechunker,
            digest,
            ready: VecDeque::new(),
            faults,
            ended: false,
        }
    }

    fn fail(&mut self, fault: BodyFault) -> Poll<Option<Result<Bytes, StdError>>> {
        self.ended = true;
        self.ready.clear();
        Poll::Ready(Some(Err(Box::new(self.faults.set(fault)))))
    }
}

impl<B> Stream for Intake<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(bytes) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            let frame = match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(this.idle.as_mut().poll(cx));
                    return this.fail(BodyFault::Stalled);
                }
            };
            match frame {
                None => {
                    this.ended = true;
                    if this.rechunker.as_ref().is_some_and(|r| !r.is_complete()) {
                        return this.fail(BodyFault::Incomplete);
                    }
                }
                Some(Err(_)) => return this.fail(BodyFault::Incomplete),
                Some(Ok(frame)) => {
                    this.idle.as_mut().reset(Instant::now() + BODY_IDLE_TIMEOUT);
                    let Ok(data) = frame.into_data() else { continue };
                    if let Some(Err(fault)) = this.digest.as_mut().map(|d| d.update(&data)) {
                        return this.fail(fault);
                    }
                    match &mut this.rechunker {
                        None => this.ready.push_back(data),
                        Some(rechunker) => {
                            if let Err(fault) = rechunker.push(data, &mut this.ready) {
                                return this.fail(fault);
                            }
                        }
                    }
                }
            }
        }
    }
}

impl<B> ByteStream for Intake<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    fn remaining_length(&self) -> RemainingLength {
        if self.rechunker.is_some() {
            return RemainingLength::unknown();
        }
        self.inner.size_hint().into()
    }
}
