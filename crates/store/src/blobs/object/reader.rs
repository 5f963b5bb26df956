//! A blob on its way out of an object store: one request for all that is wanted of it, where nothing breaks off.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use object_store::{
    Error, GetOptions, GetRange, GetResult, ObjectStore as _, ObjectStoreExt as _, path::Path,
};
use tokio::{sync::Mutex, time::sleep};

use super::{Shared, errors};
use crate::blobs::{BlobError, BlobId, BlobReader};

/// What is wanted from no further in than this is asked for together with the beginning, in one request.
const NEAR_BYTES: u64 = 256 * 1024;
/// Otherwise so much of the beginning comes with the length: the header of a sealed body, and little else.
const HEAD_BYTES: u64 = 4 * 1024;
/// Bytes up to this far ahead are read and dropped rather than asked for anew.
const SKIP_BYTES_MAX: u64 = 64 * 1024;

/// A blob being read.
pub(super) struct ObjectReader {
    shared: Arc<Shared>,
    id: BlobId,
    path: Path,
    len: u64,
    /// Where reading is expected to end.
    end: u64,
    state: Mutex<State>,
}

/// The answer that is being read.
struct State {
    /// Offset in the blob of the next byte.
    at: u64,
    rest: Bytes,
    /// Where it should end, and what comes.
    answer: Option<(u64, BoxStream<'static, Result<Bytes, Error>>)>,
}

impl ObjectReader {
    pub(super) async fn open(shared: Arc<Shared>, id: BlobId, wanted: Range<u64>) -> Result<Self, BlobError> {
        let path = shared.blob(id);
        let first = if wanted.start <= NEAR_BYTES {
            wanted.end.max(HEAD_BYTES)
        } else {
            HEAD_BYTES
        };
        let (len, answer) = match ask(&shared, &path, 0..first).await {
            Ok(got) => (got.meta.size, Some((got.range.end, got.into_stream()))),
            Err(error) if errors::is_empty_range(&error) => {
                let meta = shared.cloud.head(&path).await;
                (meta.map_err(|error| shared.failed_blob(id, error))?.size, None)
            }
            Err(error) => return Err(shared.failed_blob(id, error)),
        };
        Ok(Self {
            end: wanted.end.min(len),
            shared,
            id,
            path,
            len,
            state: Mutex::new(State {
                at: 0,
                rest: Bytes::new(),
                answer,
            }),
        })
    }

    /// The next bytes of the blob from `state.at` on, never none.
    async fn next(&self, state: &mut State, needed_to: u64) -> Result<Bytes, Failure> {
        if !state.rest.is_empty() {
            return Ok(std::mem::take(&mut state.rest));
        }
        let answer = match &mut state.answer {
            Some((end, answer)) if *end > state.at => answer,
            _ => {
                let range = state.at..self.end.max(needed_to).min(self.len);
                let got = ask(&self.shared, &self.path, range).await?;
                if got.meta.size != self.len {
                    // Exchanged while it was read.
                    return Err(Failure::Short);
                }
                &mut state.answer.insert((got.range.end, got.into_stream())).1
            }
        };
        loop {
            match answer.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) => return Ok(bytes),
                Some(Err(error)) => return Err(Failure::Store(error)),
                None => return Err(Failure::BrokeOff),
            }
        }
    }

    async fn fill(&self, state: &mut State, offset: u64, into: &mut [u8]) -> Result<(), BlobError> {
        if offset < state.at || offset - state.at > SKIP_BYTES_MAX {
            state.answer = None;
            state.rest = Bytes::new();
            state.at = offset;
        }
        let end = offset + into.len() as u64;
        let mut tries = 0;
        while state.at < end {
            let before = state.at;
            match self.next(state, end).await {
                Ok(mut bytes) => {
                    // Up to the place that is wanted, then into it, and the rest is kept.
                    let skip = offset.saturating_sub(before).min(bytes.len() as u64);
                    let _ = bytes.split_to(usize::try_from(skip).unwrap_or(usize::MAX));
                    state.at += skip;
                    if bytes.is_empty() {
                        continue;
                    }
                    let missing = usize::try_from(end - state.at).unwrap_or(usize::MAX);
                    let taken = bytes.split_to(bytes.len().min(missing));
                    let start = into.len() - missing;
                    if let Some(space) = into.get_mut(start..start + taken.len()) {
                        space.copy_from_slice(&taken);
                    }
                    state.at += taken.len() as u64;
                    state.rest = bytes;
                    tries = 0;
                }
                Err(failure) => {
                    state.answer = None;
                    state.rest = Bytes::new();
                    tries += 1;
                    if tries > self.shared.patience.retries || matches!(failure, Failure::Short) {
                        return Err(self.given_up(failure));
                    }
                    sleep(self.shared.patience.wait(tries)).await;
                }
            }
        }
        Ok(())
    }

    fn given_up(&self, failure: Failure) -> BlobError {
        match failure {
            Failure::Short => BlobError::Short { id: self.id },
            Failure::Store(error) => self.shared.failed_blob(self.id, error),
            Failure::BrokeOff => BlobError::Unavailable {
                store: self.shared.name.clone(),
                reason: "its answers break off".to_owned(),
            },
        }
    }
}

/// Why no bytes came.
enum Failure {
    /// The answer ended before its end.
    BrokeOff,
    /// The blob is of another length than when it was opened.
    Short,
    Store(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

async fn ask(shared: &Shared, path: &Path, range: Range<u64>) -> Result<GetResult, Error> {
    // Always a range: its answer says how long the whole is, where the length of a body cut in half would not.
    let range = match range.end {
        u64::MAX => GetRange::Offset(range.start),
        _ => GetRange::Bounded(range),
    };
    let options = GetOptions {
        range: Some(range),
        ..GetOptions::default()
    };
    shared.cloud.get_opts(path, options).await
}

#[async_trait]
impl BlobReader for ObjectReader {
    fn len(&self) -> u64 {
        self.len
    }

    async fn read_at(&self, offset: u64, mut into: Vec<u8>) -> Result<Vec<u8>, BlobError> {
        let end = offset.checked_add(into.len() as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(BlobError::Short { id: self.id });
        }
        let mut state = self.state.lock().await;
        self.fill(&mut state, offset, &mut into).await?;
        Ok(into)
    }
}
