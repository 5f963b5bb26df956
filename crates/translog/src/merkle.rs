//! RFC 6962 hashing, and checking of inclusion and consistency proofs.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::armor;

/// Largest tree that is read or written. A consistency proof for it has at most 63 hashes, which is what a witness
/// takes.
pub const SIZE_MAX: u64 = 1 << 62;

/// Most hashes in one proof (tlog-witness: "MUST NOT send more than 63 consistency proof lines").
pub const PROOF_MAX: usize = 63;

/// A SHA-256 hash in a tree. Written in standard base64, as every log format writes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

/// Why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not below the tree size.
    #[error("index `{index}` is not in a tree of size `{size}`")]
    IndexOutside {
        /// The index claimed.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The older size is larger than the newer.
    #[error("a tree of size `{old}` cannot be older than one of size `{new}`")]
    SizesReversed {
        /// The size said to be older.
        old: u64,
        /// The size said to be newer.
        new: u64,
    },
    /// A size above [`SIZE_MAX`].
    #[error("tree size `{0}` is above the limit of 2^62")]
    SizeAboveLimit(u64),
    /// The number of hashes is not the number this proof has.
    #[error("the proof has the wrong number of hashes (`{0}`)")]
    WrongLength(usize),
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root hash")]
    WrongRoot,
    /// Two checkpoints of different logs.
    #[error("the checkpoints are of different logs, `{0}` and `{1}`")]
    OtherLog(String, String),
}

/// The hash of one entry: SHA-256(0x00 || entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new_with_prefix([0]).chain_update(entry).finalize().into())
}

/// The hash of two subtrees: SHA-256(0x01 || left || right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(
        Sha256::new_with_prefix([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// The root of the tree without entries: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The root over equally tall neighbouring subtrees, left to right. For leaf hashes this is RFC 6962's tree hash.
pub fn root_of(hashes: &[Hash]) -> Hash {
    if hashes.is_empty() {
        return empty_root();
    }
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        // A last hash without a neighbour moves up as it is: that is RFC 6962's split at the largest power of two.
        row = row
            .chunks(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(node_hash(left, right)),
                [single] => Some(*single),
                _ => None,
            })
            .collect();
    }
    row.first().copied().unwrap_or_else(empty_root)
}

/// Checks that `leaf` is entry `index` of the tree of `size` entries with `root` (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// When the proof does not show it.
pub fn check_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    root: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if size > SIZE_MAX {
        return Err(ProofError::SizeAboveLimit(size));
    }
    if index >= size {
        return Err(ProofError::IndexOutside { index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(ProofError::WrongLength(path.len()));
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::WrongLength(path.len()));
    }
    if hash != *root {
        return Err(ProofError::WrongRoot);
    }
    Ok(())
}

/// Checks that the tree of `old_size` entries with `old_root` is a beginning of the tree of `new_size` entries with
/// `new_root` (RFC 9162 section 2.1.4.2). The empty tree is a beginning of every tree, by an empty proof.
///
/// # Errors
/// When the proof does not show it.
pub fn check_growth(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if new_size > SIZE_MAX {
        return Err(ProofError::SizeAboveLimit(new_size));
    }
    if old_size > new_size {
        return Err(ProofError::SizesReversed {
            old: old_size,
            new: new_size,
        });
    }
    let wrong_length = ProofError::WrongLength(proof.len());
    if old_size == 0 || old_size == new_size {
        let same_size = old_size == new_size;
        if !proof.is_empty() {
            return Err(wrong_length);
        }
        let empty_is_empty = old_size != 0 || *old_root == empty_root();
        if !empty_is_empty || (same_size && old_root != new_root) {
            return Err(ProofError::WrongRoot);
        }
        return Ok(());
    }
    let (first, rest) = if old_size.is_power_of_two() {
        // The old root is itself a subtree of the new tree, so the proof leaves it out.
        (old_root, proof)
    } else {
        proof.split_first().ok_or_else(|| wrong_length.clone())?
    };
    let (mut node, mut last) = (old_size - 1, new_size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length);
    }
    if old_hash != *old_root || new_hash != *new_root {
        return Err(ProofError::WrongRoot);
    }
    Ok(())
}

impl Hash {
    /// Reads 44 characters of base64.
    pub fn from_base64(text: &str) -> Option<Self> {
        armor::from_base64_32(text).map(Self)
    }
}
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&armor::to_base64(&self.0))
    }
}
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}
impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}
impl TryFrom<String> for Hash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::from_base64(&text).ok_or("a tree hash is 44 characters of base64")
    }
}
