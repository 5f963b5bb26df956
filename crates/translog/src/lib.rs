//! Transparency logs as C2SP specifies them: tiles, checkpoints, cosignatures, witnesses, proofs, policies; and
//! [`included::Included`], the evidence that a value was logged and witnessed.
//!
//! Pure: no clock, no randomness, no input or output. Times are seconds since 1970 and come in as arguments. Reading is
//! strict: what parses also formats back to the same bytes, or it is refused, so no two texts mean the same. Nothing
//! panics on any input, and every length has a named limit. Read in this order.

pub mod merkle;
pub mod note;

pub mod checkpoint;
pub mod cosignature;
pub mod policy;

pub mod entry;
pub mod proof;

pub mod included;

pub mod tile;
pub mod tree;

pub mod audit;
pub mod witness;

mod armor;

pub use checkpoint::{Checkpoint, check_consistency};
pub use merkle::Hash;
