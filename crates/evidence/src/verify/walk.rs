//! The walk through the archive: blocks, headers, padding, statements, objects, each in the one form it may have.

use std::io::{self, BufReader, Read};

use casework::{ids::ObjectId, record::ReleasedObject};

use super::{Stop, wrong};
use crate::{
    check::{Failure, Point, blames_bytes},
    fingerprint::Fingerprint,
    statement::{ObjectDetail, STATEMENT_MAX},
    ustar::{self, BLOCK},
};

/// The archive, read once from front to back.
pub(super) struct Walk<R> {
    pub(super) reader: BufReader<R>,
    pub(super) at: u64,
}

impl<R: Read> Walk<R> {
    pub(super) fn stop(&self, error: io::Error, path: &str) -> Stop {
        if blames_bytes(&error) {
            let how = if error.kind() == io::ErrorKind::UnexpectedEof {
                "cut off"
            } else {
                "altered"
            };
            let reason = format!("the package is {how} here, at byte {} of the archive", self.at);
            Stop::Fail(wrong(Point::Form, path, reason))
        } else {
            Stop::Unread(error)
        }
    }

    pub(super) fn block(&mut self, path: &str) -> Result<[u8; BLOCK], Stop> {
        let block = ustar::read_block(&mut self.reader).map_err(|e| self.stop(e, path))?;
        let block = block.ok_or_else(|| self.stop(io::ErrorKind::UnexpectedEof.into(), path))?;
        self.at += BLOCK as u64;
        Ok(block)
    }

    /// Reads the header that must stand here, for an entry of this path, and of this size where that is known.
    pub(super) fn header(&mut self, path: &str, size: Option<u64>) -> Result<u64, Stop> {
        let block = self.block(path)?;
        let fail = |reason: &str| Stop::from(wrong(Point::Form, path, reason.to_owned()));
        let claimed = ustar::claimed_size(&block).ok_or_else(|| fail("its header cannot be read"))?;
        let size = size.unwrap_or(claimed);
        let expected = ustar::header(path, size).map_err(|e| fail(&e.to_string()))?;
        if block != expected {
            let found = block.split(|b| *b == 0).next().unwrap_or_default();
            let found: String = String::from_utf8_lossy(found)
                .chars()
                .take(100)
                .filter(|c| !c.is_control())
                .collect();
            return Err(fail(&if found == path {
                "its header is not the one it must have".to_owned()
            } else {
                format!("it must stand here and does not; found `{found}`")
            }));
        }
        Ok(size)
    }

    pub(super) fn padding(&mut self, path: &str, size: u64) -> Result<(), Stop> {
        let mut rest = [0; BLOCK];
        let wanted = rest.get_mut(..ustar::padding(size)).unwrap_or_default();
        self.reader.read_exact(wanted).map_err(|e| self.stop(e, path))?;
        self.at += wanted.len() as u64;
        if wanted.iter().any(|b| *b != 0) {
            return Err(wrong(Point::Form, path, "what follows it is not empty".to_owned()).into());
        }
        Ok(())
    }

    /// Reads a statement whole.
    pub(super) fn statement(&mut self, path: &str, max: u64) -> Result<Vec<u8>, Stop> {
        let size = self.header(path, None)?;
        if size > max {
            let reason = format!("it claims {size} bytes; at most {max} are read");
            return Err(wrong(Point::Form, path, reason).into());
        }
        let mut bytes = Vec::new();
        let read = self
            .reader
            .by_ref()
            .take(size)
            .read_to_end(&mut bytes)
            .map_err(|e| self.stop(e, path))?;
        self.at += read as u64;
        if read as u64 != size {
            return Err(self.stop(io::ErrorKind::UnexpectedEof.into(), path));
        }
        self.padding(path, size)?;
        Ok(bytes)
    }

    /// Reads a statement that must be exactly these bytes.
    pub(super) fn same(&mut self, path: &str, expected: &[u8]) -> Result<(), Stop> {
        let fail = || {
            wrong(
                Point::Index,
                path,
                "it does not say what the package holds".to_owned(),
            )
        };
        let bytes = self.statement(path, (expected.len() as u64).max(STATEMENT_MAX))?;
        if bytes == expected {
            Ok(())
        } else {
            Err(fail().into())
        }
    }

    pub(super) fn object(
        &mut self,
        path: &str,
        object: &ReleasedObject,
        detail: &ObjectDetail,
    ) -> Result<crate::fingerprint::Print, Stop> {
        let in_object = |stop: Stop, id: ObjectId| match stop {
            Stop::Fail(failure) => Stop::Fail(Failure {
                object: Some(id),
                ..failure
            }),
            stop => stop,
        };
        let result = (|| {
            self.header(path, Some(object.size))?;
            let mut fingerprint = Fingerprint::new(&detail.parts);
            let mut buffer = vec![0; 64 * 1024];
            let mut left = object.size;
            while left > 0 {
                let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                let room = buffer.get_mut(..wanted).unwrap_or_default();
                let n = match self.reader.read(room) {
                    Ok(0) => return Err(self.stop(io::ErrorKind::UnexpectedEof.into(), path)),
                    Ok(n) => n,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(e) => return Err(self.stop(e, path)),
                };
                fingerprint.update(room.get(..n).unwrap_or_default());
                self.at += n as u64;
                left -= n as u64;
            }
            self.padding(path, object.size)?;
            fingerprint
                .finish()
                .ok_or_else(|| self.stop(io::ErrorKind::UnexpectedEof.into(), path))
        })();
        result.map_err(|stop| in_object(stop, object.object))
    }

    /// The two empty blocks, and then nothing.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        let fail = |reason: &str| {
            Stop::from(Failure {
                check: Point::Complete,
                object: None,
                path: None,
                reason: reason.to_owned(),
            })
        };
        for _ in 0..2 {
            if self.block("the archive's end")?.iter().any(|b| *b != 0) {
                return Err(fail("something was added after the manifest"));
            }
        }
        match self.reader.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(fail("something was added after the archive's end")),
            Err(e) => Err(self.stop(e, "the archive's end")),
        }
    }
}
