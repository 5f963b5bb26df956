//! What goes between two gates: an offer, and a batch that is sealed to it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::{
    gate::Refusal,
    ids::{Digest, RegionId},
};
use envelope::{handing::Handed, keys::WrappedAccount};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::broken;

/// A public key to which the keys of one batch may be sealed, for one transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The record's digest.
    pub record: Digest,
    /// The region that the keys leave.
    pub from: RegionId,
    /// The region that they go to.
    pub to: RegionId,
    /// Nothing is opened after this.
    pub until: Timestamp,
    pub(super) share: Share,
    pub(super) signature: String,
}

/// Keys of objects, sealed to an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The offer's digest.
    pub offer: Digest,
    /// The record's digest.
    pub record: Digest,
    /// The keys, at most [`KEYS_MAX`](crate::gate::transfer::KEYS_MAX).
    pub keys: Vec<Handed>,
    pub(super) share: Share,
    /// Who holds the tenant's key beside the root, where they come from.
    pub(super) holder: Option<String>,
    pub(super) signature: String,
}

/// A batch for the gate that it goes to.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakingOver {
    /// The keys.
    pub batch: Batch,
    /// Their accounts' keys here.
    pub to: Vec<WrappedAccount>,
    /// Each object's sealed metadata, in the order of the keys, in base64: its key opens it.
    pub metadata: Vec<String>,
}

/// One side's part of the exchange; written as base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Share(pub(super) Vec<u8>);

/// Longer than either side's part is.
const SHARE_BYTES_MAX: usize = 2048;

impl From<Share> for String {
    fn from(share: Share) -> String {
        STANDARD.encode(share.0)
    }
}
impl TryFrom<String> for Share {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD.decode(text).map_err(|_| "a share is base64")?;
        match bytes.len() <= SHARE_BYTES_MAX {
            true => Ok(Self(bytes)),
            false => Err("a share is too long"),
        }
    }
}

impl Offer {
    pub(super) fn message(&self) -> Vec<u8> {
        let Self {
            record,
            from,
            to,
            until,
            share,
            signature: _,
        } = self;
        let share = hex::encode(&share.0);
        let until = until.as_microsecond();
        format!("amparo/key-offer/v1\n{record}\n{from}\n{to}\n{until}\n{share}\n").into_bytes()
    }
    pub(super) fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.message()).into())
    }
}

impl Batch {
    pub(super) fn message(&self) -> Result<Vec<u8>, Refusal> {
        let keys = serde_json::to_vec(&self.keys).map_err(|error| broken(error.to_string()))?;
        let keys = Digest(Sha256::digest(keys).into());
        let holder = self.holder.as_deref().unwrap_or("-");
        let (offer, record, share) = (&self.offer, &self.record, hex::encode(&self.share.0));
        Ok(format!("amparo/key-batch/v1\n{offer}\n{record}\n{share}\n{holder}\n{keys}\n").into_bytes())
    }
}

/// The digest of what a batch's key is for.
pub(super) fn about(offer: &Digest, share: &Share) -> [u8; 32] {
    Sha256::new_with_prefix(b"amparo/key-batch-about/v1\n")
        .chain_update(offer.0)
        .chain_update(&share.0)
        .finalize()
        .into()
}
