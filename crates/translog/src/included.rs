//! Evidence that a value is in a witnessed log.

use crate::{
    checkpoint::Checkpoint,
    entry::{Committed, Opening, Salt, Uncommittable},
    merkle::{self, ProofError},
    policy::{NotWitnessed, Policy, Witnessed},
    proof::Receipt,
};

/// Why a receipt does not show that a value was logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotIncluded {
    /// The value has no canonical form.
    #[error(transparent)]
    Uncommittable(#[from] Uncommittable),
    /// The receipt's `extra` is missing or not the canonical opening of a docket entry.
    #[error("the receipt's `extra` line does not open a docket entry")]
    NoOpening,
    /// The receipt opens another entry than the one for this value and salt.
    #[error("the receipt is for another entry")]
    OtherEntry,
    /// The checkpoint does not meet the policy.
    #[error(transparent)]
    NotWitnessed(#[from] NotWitnessed),
    /// The path does not lead from the entry to the root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// A value whose commitment is in a log, under a checkpoint that a quorum of witnesses cosigned.
///
/// Only [`Included::verify`] makes one. It cannot be copied, stored or sent, so whoever holds one has checked.
///
/// ```compile_fail,E0451
/// # use translog::included::Included;
/// # fn forge<T>(value: T, witnessed: translog::policy::Witnessed) -> Included<T> {
/// Included { value, index: 0, witnessed }
/// # }
/// ```
/// ```compile_fail,E0277
/// # use translog::included::Included;
/// # fn send<T: serde::Serialize>() {}
/// send::<Included<u8>>();
/// ```
/// ```compile_fail,E0277
/// # use translog::included::Included;
/// # fn receive<T: serde::de::DeserializeOwned>() {}
/// receive::<Included<u8>>();
/// ```
/// ```compile_fail,E0277
/// # use translog::included::Included;
/// # fn copy<T: Clone>() {}
/// copy::<Included<u8>>();
/// ```
#[derive(Debug)]
pub struct Included<T> {
    value: T,
    index: u64,
    witnessed: Witnessed,
}

impl<T: Committed> Included<T> {
    /// Recomputes the value's commitment and checks the whole receipt against `policy`: opening, every signature,
    /// quorum, path. No byte of the receipt is left unchecked.
    ///
    /// # Errors
    /// When any of it does not hold.
    pub fn verify(value: T, salt: &Salt, receipt: &Receipt, policy: &Policy) -> Result<Self, NotIncluded> {
        let digest = value.digest()?;
        let opened = Opened::verify(receipt, policy)?;
        let opening = opened.opening();
        if opening.kind != T::KIND || opening.digest != digest || opening.salt != *salt {
            return Err(NotIncluded::OtherEntry);
        }
        Ok(Self {
            value,
            index: opened.index,
            witnessed: opened.witnessed,
        })
    }
}

impl<T> Included<T> {
    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Its entry's index in the log.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint that covers it.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.witnessed.checkpoint()
    }

    /// See [`Witnessed::witnessed_at`].
    pub fn witnessed_at(&self) -> u64 {
        self.witnessed.witnessed_at()
    }

    /// Gives the value back, and with it the evidence up.
    pub fn into_value(self) -> T {
        self.value
    }
}

/// A receipt of ours that verifies, seen without the value it is for: what `amparo verify receipt` shows.
#[derive(Debug)]
pub struct Opened {
    opening: Opening,
    index: u64,
    witnessed: Witnessed,
}

impl Opened {
    /// Checks a receipt of ours: the entry recomputes from `extra`, its path leads to the root, every signature is of
    /// a key that the policy names and is right, and the quorum is met.
    ///
    /// # Errors
    /// When any of it does not hold.
    pub fn verify(receipt: &Receipt, policy: &Policy) -> Result<Self, NotIncluded> {
        let extra = receipt.extra.as_deref().ok_or(NotIncluded::NoOpening)?;
        let opening = Opening::parse(extra).ok_or(NotIncluded::NoOpening)?;
        let witnessed = policy.check_strict(&receipt.checkpoint)?;
        let checkpoint = witnessed.checkpoint();
        let leaf = merkle::leaf_hash(&opening.commitment());
        merkle::check_inclusion(
            &leaf,
            receipt.index,
            checkpoint.size,
            &checkpoint.root,
            &receipt.path,
        )?;
        Ok(Self {
            opening,
            index: receipt.index,
            witnessed,
        })
    }

    /// Kind, salt and digest that the entry commits to.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The entry's index.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint and its witnesses.
    pub fn witnessed(&self) -> &Witnessed {
        &self.witnessed
    }
}
