//! A message: what is said, in JSON, and what is secret, as raw bytes after it.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{MESSAGE_BYTES_MAX, work::Share};

/// One request or answer. Zeroized when dropped; cannot be printed.
pub struct Message {
    bytes: Zeroizing<Vec<u8>>,
    /// What it takes of the listener's bytes in work, given back when it is dropped.
    share: Option<Share>,
}

/// A message that cannot be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Over [`MESSAGE_BYTES_MAX`].
    #[error("the message is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    /// Not what the other end of this protocol says.
    #[error("the message cannot be read: {0}")]
    Form(String),
}

const LENGTH_BYTES: usize = 4;

impl Message {
    /// A message that says `head` and carries `secret`.
    ///
    /// # Errors
    /// When it would be too long.
    pub fn new<T: Serialize>(head: &T, secret: &[u8]) -> Result<Self, MessageError> {
        let head = serde_json::to_vec(head).map_err(|error| MessageError::Form(error.to_string()))?;
        let total = LENGTH_BYTES + head.len() + secret.len();
        let length = u32::try_from(head.len()).map_err(|_| MessageError::TooLong)?;
        if total > MESSAGE_BYTES_MAX {
            return Err(MessageError::TooLong);
        }
        // Of its final size from the start: growing would leave copies of the secret behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(total));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(secret);
        Ok(Self::from_bytes(bytes))
    }

    /// Says nothing, which no protocol takes for an answer.
    pub(crate) fn empty() -> Self {
        Self::from_bytes(Zeroizing::default())
    }

    /// What it says.
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn head<T: DeserializeOwned>(&self) -> Result<T, MessageError> {
        let (head, _) = self
            .parts()
            .ok_or_else(|| MessageError::Form("it is cut short".to_owned()))?;
        // The library's own words could hold some of what was sent; a place is enough.
        serde_json::from_slice(head)
            .map_err(|error| MessageError::Form(format!("{:?} at byte {}", error.classify(), error.column())))
    }

    /// What it carries; empty where it carries nothing.
    pub fn secret(&self) -> &[u8] {
        self.parts().map_or(&[], |(_, secret)| secret)
    }

    fn parts(&self) -> Option<(&[u8], &[u8])> {
        let (length, rest) = self.bytes.split_first_chunk::<LENGTH_BYTES>()?;
        rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    pub(super) fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self { bytes, share: None }
    }
    /// The same, taking this share until it is dropped.
    pub(super) fn taking(mut self, share: Option<Share>) -> Self {
        self.share = share;
        self
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes)", self.bytes.len())
    }
}
