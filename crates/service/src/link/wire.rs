//! Frames: `id` (8 bytes), bytes of the message from here on (4), bytes in this frame (4), and those; big-endian.

use std::{
    collections::{HashMap, VecDeque},
    io,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, Message, PARTIAL_MAX, STALL_TIMEOUT,
    server::Limits,
    work::{Share, Work},
};

const HEADER_BYTES: usize = 16;
const BUFFER_BYTES: usize = 2 * (HEADER_BYTES + FRAME_BYTES_MAX);

/// Messages as they come in.
pub(super) struct Incoming<R> {
    io: R,
    buffer: Zeroizing<Vec<u8>>,
    start: usize,
    end: usize,
    partial: HashMap<u64, Partial>,
    /// Bytes that the partial messages were announced to have.
    announced: usize,
    /// Where a listener limits what it is asked.
    limited: Option<(Work, Limits)>,
}

struct Partial {
    bytes: Zeroizing<Vec<u8>>,
    total: usize,
    share: Option<Share>,
    until: Option<Instant>,
}

fn wrong(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    pub(super) fn new(io: R) -> Self {
        Self {
            io,
            buffer: Zeroizing::new(vec![0; BUFFER_BYTES]),
            start: 0,
            end: 0,
            partial: HashMap::new(),
            announced: 0,
            limited: None,
        }
    }

    /// The same, taking what messages need of `work` before it is there.
    pub(super) fn limited(mut self, work: Work, limits: Limits) -> Self {
        self.limited = Some((work, limits));
        self
    }

    /// When the first of the messages that were begun must be whole.
    fn until(&self) -> Option<Instant> {
        self.partial.values().filter_map(|partial| partial.until).min()
    }

    /// Reads on, for no longer than messages that were begun may take.
    async fn fill_in_time(&mut self, wanted: usize) -> io::Result<bool> {
        match self.until() {
            None => self.fill(wanted).await,
            Some(until) => timeout_at(until, self.fill(wanted)).await.map_err(|_| {
                io::Error::new(io::ErrorKind::TimedOut, "a message that was begun does not end")
            })?,
        }
    }

    /// Makes room for a message of so many bytes, of which the first frame is there.
    async fn begin(&mut self, id: u64, total: usize) -> io::Result<()> {
        if self.announced + total > MESSAGE_BYTES_MAX || self.partial.len() >= PARTIAL_MAX {
            return Err(wrong("more is announced than a connection may hold"));
        }
        let (share, until) = match &self.limited {
            Some((work, limits)) => (
                Some(work.take(total).await?),
                Some(Instant::now() + limits.request_timeout),
            ),
            None => (None, None),
        };
        self.announced += total;
        let partial = Partial {
            bytes: Zeroizing::new(Vec::with_capacity(total)),
            total,
            share,
            until,
        };
        self.partial.insert(id, partial);
        Ok(())
    }

    /// The next whole message; `None` at an orderly end.
    pub(super) async fn next(&mut self) -> io::Result<Option<(u64, Message)>> {
        loop {
            if !self.fill_in_time(HEADER_BYTES).await? {
                return if self.start == self.end && self.partial.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
            let (id, rest, length) = self.header().ok_or_else(|| wrong("a frame is cut short"))?;
            if length > FRAME_BYTES_MAX || length > rest || (length == 0 && rest != 0) {
                return Err(wrong("a frame has an impossible length"));
            }
            if !self.fill_in_time(HEADER_BYTES + length).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if !self.partial.contains_key(&id) {
                self.begin(id, rest).await?;
            }
            if let Some(message) = self.take(id, rest, length)? {
                return Ok(Some((id, message)));
            }
        }
    }

    fn header(&self) -> Option<(u64, usize, usize)> {
        let header = self
            .buffer
            .get(self.start..self.end)?
            .first_chunk::<HEADER_BYTES>()?;
        let (id, rest) = header.split_first_chunk::<8>()?;
        let (rest, length) = rest.split_first_chunk::<4>()?;
        let number = |bytes: [u8; 4]| usize::try_from(u32::from_be_bytes(bytes)).ok();
        Some((
            u64::from_be_bytes(*id),
            number(*rest)?,
            number(*length.first_chunk::<4>()?)?,
        ))
    }

    /// Reads until `wanted` bytes lie in the buffer; `false` where the peer ended before.
    async fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        while self.end - self.start < wanted {
            if self.start + wanted > BUFFER_BYTES {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.io.read(room).await? {
                0 => return Ok(false),
                read => self.end += read,
            }
        }
        Ok(true)
    }

    fn take(&mut self, id: u64, rest: usize, length: usize) -> io::Result<Option<Message>> {
        let from = self.start + HEADER_BYTES;
        let payload = self.buffer.get_mut(from..from + length).unwrap_or_default();
        let mut partial = match self.partial.remove(&id) {
            Some(partial) if partial.bytes.len() + rest == partial.total => partial,
            _ => return Err(wrong("the frames of a message do not fit together")),
        };
        partial.bytes.extend_from_slice(payload);
        payload.zeroize();
        self.start = from + length;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if partial.bytes.len() < partial.total {
            self.partial.insert(id, partial);
            return Ok(None);
        }
        self.announced -= partial.total;
        Ok(Some(Message::from_bytes(partial.bytes).taking(partial.share)))
    }
}

/// Writes messages as they are queued, a frame of each in turn, until the queue closes or the peer stops taking them.
pub(super) async fn write_queued<W: AsyncWrite + Unpin>(
    mut io: W,
    mut queue: mpsc::Receiver<(u64, Message)>,
) -> io::Result<()> {
    let mut going: VecDeque<(u64, Message, usize)> = VecDeque::new();
    let mut out = Zeroizing::new(Vec::with_capacity(BUFFER_BYTES));
    loop {
        if going.is_empty() {
            match queue.recv().await {
                Some((id, message)) => going.push_back((id, message, 0)),
                None => break,
            }
        }
        while going.len() < PARTIAL_MAX
            && let Ok((id, message)) = queue.try_recv()
        {
            going.push_back((id, message, 0));
        }
        while out.len() < FRAME_BYTES_MAX
            && let Some((id, message, at)) = going.pop_front()
        {
            let to = put_frame(&mut out, id, message.bytes(), at)?;
            if to < message.bytes().len() {
                going.push_back((id, message, to));
            }
        }
        let written = timeout(STALL_TIMEOUT, async {
            io.write_all(&out).await?;
            io.flush().await
        });
        written
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        out.as_mut_slice().zeroize();
        out.clear();
    }
    io.shutdown().await
}

/// Puts the message's next frame into `out`, which has the room, and gives where the one after it begins.
fn put_frame(out: &mut Vec<u8>, id: u64, message: &[u8], at: usize) -> io::Result<usize> {
    let rest = message.get(at..).unwrap_or_default();
    let frame = rest.get(..FRAME_BYTES_MAX).unwrap_or(rest);
    let number = |n: usize| u32::try_from(n).map_err(|_| wrong("a message is too long"));
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&number(rest.len())?.to_be_bytes());
    out.extend_from_slice(&number(frame.len())?.to_be_bytes());
    out.extend_from_slice(frame);
    Ok(at + frame.len())
}
