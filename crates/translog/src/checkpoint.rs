//! Checkpoints: a log's name, size and root hash (C2SP tlog-checkpoint v1.0.0).

use std::fmt;

use crate::{
    armor,
    merkle::{self, Hash, ProofError, SIZE_MAX},
    note::NAME_BYTES_MAX,
};

/// A log at one size.
///
/// Extension lines are not read: nobody can audit them, ML-DSA cosignatures do not cover them, and deployed witnesses
/// refuse them. A checkpoint that has some is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's identity, such as `docket.provider.example`.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root hash over them.
    pub root: Hash,
}

/// Why a note's text is not a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not three lines, each ending in a newline.
    #[error("a checkpoint is three lines: origin, size, root hash; extension lines are not accepted")]
    Lines,
    /// The origin is empty, too long, or holds a control character.
    #[error("the checkpoint's origin is empty, longer than 255 bytes, or holds a control character")]
    Origin,
    /// The size is not a plain decimal number within the limit.
    #[error("`{0}` is not a tree size; it is a decimal number without leading zeroes, at most 2^62")]
    Size(String),
    /// The root hash is not 32 bytes of base64.
    #[error("the checkpoint's root hash is not 32 bytes in base64")]
    Root,
    /// Size zero with another root than the empty tree's.
    #[error("a checkpoint of size `0` must have the empty tree's root hash")]
    EmptyRoot,
}

impl Checkpoint {
    /// Reads a note's text. Its [`Display`](fmt::Display) gives the same bytes back.
    ///
    /// # Errors
    /// When it is malformed. An empty tree with a wrong root is left to the caller: see [`Checkpoint::check_empty`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        if !origin_usable(origin) {
            return Err(CheckpointError::Origin);
        }
        let wrong_size = || CheckpointError::Size(size.chars().take(32).collect());
        let size = armor::from_decimal(size)
            .filter(|size| *size <= SIZE_MAX)
            .ok_or_else(wrong_size)?;
        let root = Hash::from_base64(root).ok_or(CheckpointError::Root)?;
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
        })
    }

    /// Refuses size zero with a root that is not the empty tree's (RFC 6962 section 2.1).
    ///
    /// # Errors
    /// When that is the case.
    pub fn check_empty(&self) -> Result<(), CheckpointError> {
        if self.size == 0 && self.root != merkle::empty_root() {
            return Err(CheckpointError::EmptyRoot);
        }
        Ok(())
    }
}
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

/// Whether `origin` can stand in a checkpoint.
pub(crate) fn origin_usable(origin: &str) -> bool {
    !origin.is_empty() && origin.len() <= NAME_BYTES_MAX && !origin.chars().any(char::is_control)
}

/// Checks that `old` is a beginning of `new`, of the same log.
///
/// # Errors
/// When the proof does not show it, or the origins differ.
pub fn check_consistency(old: &Checkpoint, new: &Checkpoint, proof: &[Hash]) -> Result<(), ProofError> {
    if old.origin != new.origin {
        return Err(ProofError::OtherLog(old.origin.clone(), new.origin.clone()));
    }
    merkle::check_growth(old.size, &old.root, new.size, &new.root, proof)
}
