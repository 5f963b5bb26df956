//! How far every tenant's ledger has come, committed to in the docket.
//!
//! The first entry of every [`EVERY`] entries of the docket is a [`HeadSet`]: one commitment to the heads of all ledgers.
//! Its place is known before there is anything to commit to, so that each place can hold one set alone: a provider that
//! keeps two ledgers for a tenant can commit to one of them. A set is a sparse tree in which a tenant has one place,
//! derived from its id. What stands beside a tenant's path are hashes that nobody can tell from random bytes, whether there is
//! anything below them or not: who is shown its own head learns neither who else there is, nor how many, and the docket's
//! entry itself is a salted commitment like every other.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use translog::entry::{Committed, Salt, Uncommittable};

use crate::{
    canonical::{CanonicalError, digest, to_canonical_json},
    ids::{Digest, TenantId},
};

/// Of so many entries of the docket, the first is a set of heads: those whose index is a multiple of it.
pub const EVERY: u64 = 256;
/// Most ledgers of one set.
pub const HEADS_MAX: usize = 1_000_000;
/// Levels of the tree under its root: a place is so many bits.
pub const LEVELS: u32 = u64::BITS;

/// The schema tag of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeadsSchema {
    /// Version 1.
    #[serde(rename = "amparo.ledger-heads/1")]
    V1,
}

/// What the docket commits to: the heads of all ledgers at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadSet {
    /// Always `amparo.ledger-heads/1`.
    pub schema: HeadsSchema,
    /// The docket's origin.
    pub log: String,
    /// The docket's entry that holds it; a multiple of [`EVERY`].
    pub index: u64,
    /// The entry that holds the first set of this docket.
    pub first: u64,
    /// When it was made: no entry that it covers is dated later.
    pub at: Timestamp,
    /// Root of the tree.
    pub root: Digest,
}

/// One tenant's ledger in a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Whose it is.
    pub tenant: TenantId,
    /// The docket's entry that holds the first set with this tenant in it.
    pub since: u64,
    /// Entries of the ledger.
    pub length: u64,
    /// Hash of the last one's header; [`super::GENESIS`] where there is none.
    pub head: Digest,
}

/// How far a ledger has come, as whoever keeps it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewestHead {
    /// Whose it is.
    pub tenant: TenantId,
    /// Entries.
    pub length: u64,
    /// Hash of the last one's header; [`super::GENESIS`] where there is none.
    pub head: Digest,
    /// When the last one was written; none where there is none.
    pub at: Option<Timestamp>,
}

/// What shows a tenant its head in a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownHead {
    /// The head.
    pub head: Head,
    /// What hides it from the others.
    pub blind: Digest,
    /// What stands beside its path, from the root down: [`LEVELS`] hashes.
    pub path: Vec<Digest>,
}

/// A set with its place in the docket, and the tenant's head in it: one line of what a tenant fetches.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownSet {
    /// The set.
    pub set: HeadSet,
    /// The salt of the docket's commitment to it.
    pub salt: Salt,
    /// A C2SP tlog-proof of that entry.
    pub receipt: String,
    /// The tenant's head; none in the set before the first that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<ShownHead>,
}

/// Why heads are no set.
#[derive(Debug, thiserror::Error)]
pub enum NoSet {
    /// More than [`HEADS_MAX`].
    #[error("`{0}` ledgers are more than one set of heads may have")]
    TooMany(usize),
    /// One tenant twice, or two of one place.
    #[error("the ledgers of `{0}` and of `{1}` have one place among the heads")]
    SamePlace(TenantId, TenantId),
    /// A head cannot be hashed.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// The tree of a set. It is made again from the heads and the seed whenever somebody is shown theirs.
pub struct HeadTree {
    seed: Salt,
    heads: BTreeMap<u64, Head>,
    /// Leaves by place.
    leaves: Vec<(u64, Digest)>,
}

impl Committed for HeadSet {
    const KIND: &'static str = "ledger-heads";
    fn digest(&self) -> Result<[u8; 32], Uncommittable> {
        digest("amparo/ledger-heads/v1", self)
            .map(|digest| digest.0)
            .map_err(|error| Uncommittable(error.to_string()))
    }
}

impl HeadTree {
    /// The tree of these heads. `seed` is 32 fresh random bytes, known to whoever keeps the docket alone: it makes every
    /// hash that is not of a head, and hides the others.
    ///
    /// # Errors
    /// [`NoSet`].
    pub fn new(seed: Salt, heads: Vec<Head>) -> Result<Self, NoSet> {
        if heads.len() > HEADS_MAX {
            return Err(NoSet::TooMany(heads.len()));
        }
        let mut by_place: BTreeMap<u64, Head> = BTreeMap::new();
        for head in heads {
            let place = place(&head.tenant);
            if let Some(other) = by_place.get(&place) {
                return Err(NoSet::SamePlace(other.tenant.clone(), head.tenant));
            }
            by_place.insert(place, head);
        }
        let leaves: Result<_, CanonicalError> = by_place
            .iter()
            .map(|(place, head)| Ok((*place, leaf(head, &blind(&seed, *place))?)))
            .collect();
        let leaves = leaves?;
        Ok(Self {
            seed,
            heads: by_place,
            leaves,
        })
    }

    /// Its root.
    pub fn root(&self) -> Digest {
        self.below(&self.leaves, 0, 0)
    }

    /// What shows a tenant its head. `None` where it is not in the set.
    pub fn show(&self, tenant: &TenantId) -> Option<ShownHead> {
        let place = place(tenant);
        let head = self.heads.get(&place).filter(|head| head.tenant == *tenant)?;
        let mut path = Vec::new();
        let (mut here, mut prefix) = (self.leaves.as_slice(), 0);
        for level in 0..LEVELS {
            let bit = bit(level);
            let (left, right) = halves(here, bit);
            if place & bit == 0 {
                path.push(self.below(right, level + 1, prefix | bit));
                here = left;
            } else {
                path.push(self.below(left, level + 1, prefix));
                here = right;
                prefix |= bit;
            }
        }
        Some(ShownHead {
            head: head.clone(),
            blind: blind(&self.seed, place),
            path,
        })
    }

    /// The hash of what lies under a prefix. Where nothing does, one that the seed makes.
    fn below(&self, leaves: &[(u64, Digest)], level: u32, prefix: u64) -> Digest {
        match leaves.first() {
            None => Digest::of(&[
                b"amparo/ledger-heads/nothing/v1\n",
                &self.seed.0,
                &level.to_be_bytes(),
                &prefix.to_be_bytes(),
            ]),
            Some((_, leaf)) if level == LEVELS => *leaf,
            Some(_) => {
                let bit = bit(level);
                let (left, right) = halves(leaves, bit);
                node(
                    &self.below(left, level + 1, prefix),
                    &self.below(right, level + 1, prefix | bit),
                )
            }
        }
    }
}

impl ShownHead {
    /// The root of the tree that it is in. `None` where its path has another length.
    ///
    /// # Errors
    /// When the head has no JSON form.
    pub fn root(&self) -> Result<Option<Digest>, CanonicalError> {
        let place = place(&self.head.tenant);
        if u32::try_from(self.path.len()).ok() != Some(LEVELS) {
            return Ok(None);
        }
        let mut hash = leaf(&self.head, &self.blind)?;
        for (level, beside) in (0..LEVELS).zip(&self.path).rev() {
            hash = if place & bit(level) == 0 {
                node(&hash, beside)
            } else {
                node(beside, &hash)
            };
        }
        Ok(Some(hash))
    }
}

/// A tenant's place: the first 64 bits of `SHA-256("amparo/ledger-heads/place/v1\n" || id)`.
fn place(tenant: &TenantId) -> u64 {
    let hash = Digest::of(&[b"amparo/ledger-heads/place/v1\n", tenant.as_str().as_bytes()]);
    hash.0
        .iter()
        .take(8)
        .fold(0, |place, byte| (place << 8) | u64::from(*byte))
}

fn blind(seed: &Salt, place: u64) -> Digest {
    Digest::of(&[b"amparo/ledger-heads/blind/v1\n", &seed.0, &place.to_be_bytes()])
}

/// `SHA-256("amparo/ledger-heads/leaf/v1\n" || blind || canonical JSON)`.
fn leaf(head: &Head, blind: &Digest) -> Result<Digest, CanonicalError> {
    let head = to_canonical_json(head)?;
    Ok(Digest::of(&[b"amparo/ledger-heads/leaf/v1\n", &blind.0, &head]))
}

/// `SHA-256("amparo/ledger-heads/node/v1\n" || left || right)`.
fn node(left: &Digest, right: &Digest) -> Digest {
    Digest::of(&[b"amparo/ledger-heads/node/v1\n", &left.0, &right.0])
}

fn bit(level: u32) -> u64 {
    1u64.checked_shl((LEVELS - 1).saturating_sub(level)).unwrap_or(0)
}

/// A tenant's place among all, and what stands there.
type Leaf = (u64, Digest);

/// Those without a bit of the prefix, and those with it; they are sorted, and alike above it.
fn halves(leaves: &[Leaf], bit: u64) -> (&[Leaf], &[Leaf]) {
    let middle = leaves.partition_point(|(place, _)| place & bit == 0);
    leaves.split_at_checked(middle).unwrap_or((leaves, &[]))
}
