//! Counting and hashing bytes on their way through.

use std::io::{self, Write};

use casework::ids::Digest;
use sha2::Digest as _;

/// Length and SHA-256 of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// In bytes.
    pub size: u64,
    /// Over all of them.
    pub sha256: Digest,
}

impl Measure {
    /// Measures bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            size: bytes.len() as u64,
            sha256: Digest::of(&[bytes]),
        }
    }
}

/// A writer that measures what passes through it.
pub struct Measuring<W> {
    inner: W,
    hasher: sha2::Sha256,
    size: u64,
}

impl<W> Measuring<W> {
    /// Measures what is written to `inner` from now on.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: sha2::Sha256::new(),
            size: 0,
        }
    }
    /// The writer, and what went through.
    pub fn finish(self) -> (W, Measure) {
        (
            self.inner,
            Measure {
                size: self.size,
                sha256: Digest(self.hasher.finalize().into()),
            },
        )
    }
}

impl<W: Write> Write for Measuring<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buf)?;
        self.hasher.update(buf.get(..n).unwrap_or_default());
        self.size += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
