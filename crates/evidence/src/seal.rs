//! Encryption of a package to its recipient, in the age format (`age-encryption.org/v1`), so that an officer opens it
//! with the stock `age` program and nothing of ours.
//!
//! The age crate draws the file key and nonce from the operating system itself; there is no way to hand it random
//! bytes. It is the one place in the pure crates where that is so.

use std::{
    cell::Cell,
    io::{self, BufRead, Read, Write},
    iter,
    rc::Rc,
    str::FromStr,
};

use age::{
    DecryptError,
    stream::{StreamReader, StreamWriter},
    x25519,
};

/// Longest age header that is read, in bytes. One X25519 recipient needs about 200; this leaves room for eighty.
pub const HEADER_MAX: usize = 16 * 1024;

/// First bytes of every binary age file.
pub const MAGIC: &[u8] = b"age-encryption.org/";

/// Why a package was not encrypted.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The recipient is no X25519 recipient.
    #[error("`{input}` is not an age recipient ({reason}); it is the line that starts with `age1`")]
    Recipient {
        /// The text, cut to 80 characters.
        input: String,
        /// What age said.
        reason: &'static str,
    },
    /// age refused.
    #[error("the package could not be encrypted: {0}")]
    Age(#[from] age::EncryptError),
    /// Writing failed.
    #[error("writing the encrypted package failed: {0}")]
    Write(#[from] io::Error),
}

/// Why an encrypted package does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Reading failed for a reason outside the file.
    #[error("reading the encrypted package failed: {0}")]
    Read(io::Error),
    /// The identity does not fit, or the header's bytes are not those that were written.
    #[error("the package does not open: {0}")]
    Altered(&'static str),
}

/// A writer that encrypts to one recipient. Call [`Sealer::finish`], else the file is cut off and will not open.
pub struct Sealer<W: Write>(StreamWriter<W>);

/// Checks that a package could be encrypted to `recipient`, before anybody signs for it.
///
/// # Errors
/// [`SealError::Recipient`] when it is none.
pub fn check_recipient(recipient: &str) -> Result<(), SealError> {
    parse(recipient).map(|_| ())
}

fn parse(recipient: &str) -> Result<x25519::Recipient, SealError> {
    x25519::Recipient::from_str(recipient).map_err(|reason| SealError::Recipient {
        input: recipient.chars().take(80).collect(),
        reason,
    })
}

/// Starts an encrypted file in `writer` for `recipient` (`age1...`).
///
/// # Errors
/// When the recipient is none, or writing the header fails.
pub fn seal<W: Write>(recipient: &str, writer: W) -> Result<Sealer<W>, SealError> {
    let recipient = parse(recipient)?;
    let encryptor = age::Encryptor::with_recipients(iter::once(&recipient as &dyn age::Recipient))?;
    Ok(Sealer(encryptor.wrap_output(writer)?))
}

impl<W: Write> Sealer<W> {
    /// Writes the last chunk and gives the writer back.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(self) -> Result<W, SealError> {
        Ok(self.0.finish()?)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A private key that opens packages. Never printed.
pub struct Identity(x25519::Identity);

/// A text holds no `AGE-SECRET-KEY-1` line, or one that does not parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no usable age identity; give the file that `age-keygen` wrote, with its `AGE-SECRET-KEY-1...` line")]
pub struct BadIdentity;

impl Identity {
    /// Reads the first identity in a file as `age-keygen` writes it: comments with `#`, blank lines, one key a line.
    ///
    /// # Errors
    /// When there is none.
    pub fn parse(text: &str) -> Result<Self, BadIdentity> {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .find_map(|line| x25519::Identity::from_str(line).ok())
            .map(Self)
            .ok_or(BadIdentity)
    }
}

/// Opens an encrypted package for reading. Errors of the reader with kind `InvalidData` or `UnexpectedEof` mean that the
/// file was altered or cut off.
///
/// # Errors
/// When the header is not whole and authentic, or the identity is not the recipient's.
pub fn open<R: BufRead>(identity: &Identity, reader: R) -> Result<impl Read + use<R>, OpenError> {
    let budget = Rc::new(Cell::new(Some(HEADER_MAX)));
    let limited = HeaderLimit {
        inner: reader,
        left: Rc::clone(&budget),
    };
    let decryptor = age::Decryptor::new_buffered(limited).map_err(explain)?;
    if decryptor.is_scrypt() {
        return Err(OpenError::Altered(
            "it is locked with a passphrase, and no package ever is",
        ));
    }
    budget.set(None);
    let stream: StreamReader<_> = decryptor
        .decrypt(iter::once(&identity.0 as &dyn age::Identity))
        .map_err(explain)?;
    Ok(stream)
}

fn explain(error: DecryptError) -> OpenError {
    match error {
        DecryptError::Io(e) if crate::check::blames_bytes(&e) => {
            OpenError::Altered("its header is cut off or is no age header")
        }
        DecryptError::Io(e) => OpenError::Read(e),
        DecryptError::NoMatchingKeys => OpenError::Altered(
            "either this identity is not the recipient's, or the file's header was altered; the two cannot be told apart",
        ),
        DecryptError::InvalidMac => {
            OpenError::Altered("its header was altered (the authentication code is wrong)")
        }
        DecryptError::UnknownFormat => {
            OpenError::Altered("its header names an age version that does not exist")
        }
        _ => OpenError::Altered("its header is not a valid age header"),
    }
}

/// Stops a hostile file from making the header parser buffer without end.
struct HeaderLimit<R> {
    inner: R,
    /// Bytes the header may still take; `None` once it is read.
    left: Rc<Cell<Option<usize>>>,
}

impl<R: BufRead> BufRead for HeaderLimit<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.inner.fill_buf()?;
        match self.left.get() {
            None => Ok(buffer),
            Some(0) if !buffer.is_empty() => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "age header is too long",
            )),
            Some(left) => Ok(buffer.get(..left).unwrap_or(buffer)),
        }
    }
    fn consume(&mut self, amount: usize) {
        self.left
            .set(self.left.get().map(|left| left.saturating_sub(amount)));
        self.inner.consume(amount);
    }
}

impl<R: BufRead> Read for HeaderLimit<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left.get().is_none() {
            return self.inner.read(buf);
        }
        let available = self.fill_buf()?;
        let n = available.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), available.get(..n)) {
            to.copy_from_slice(from);
        }
        self.consume(n);
        Ok(n)
    }
}
