//! The messages by which a transfer goes from one node to another. What is secret in them is sealed: for the gate there
//! (keys), or under an object's key (bodies, metadata). The bytes of a body are the part after the head.

use casework::{
    demand::CountryCode,
    facts::TenantKind,
    gate::Refusal,
    ids::{AccountId, CaseId, Digest, ObjectId, TenantId},
};
use serde::{Deserialize, Serialize};
use store::vault::Traveller;

use crate::gate::{Batch, Offer, remote::PresentedTransfer};

/// Most objects of which the pieces are asked for, and which are brought, at once.
pub const OBJECTS_AT_ONCE: usize = 100;
/// Most accounts of which something may travel in one transfer.
pub const ACCOUNTS_MAX: usize = 10_000;

/// What is asked.
#[derive(Serialize, Deserialize)]
#[serde(tag = "across", rename_all = "snake_case", deny_unknown_fields)]
pub enum Across {
    /// Whether the transfer may come: the gate there decides, and what must be there is compared.
    Expect {
        /// The transfer, as the gate is shown it.
        presented: Box<PresentedTransfer>,
        /// What must be alike there.
        facts: Facts,
    },
    /// Which pieces of these objects are there whole.
    Pieces {
        /// The transfer.
        transfer: CaseId,
        /// At most [`OBJECTS_AT_ONCE`].
        objects: Vec<ObjectId>,
    },
    /// Bytes of a piece, in order; with the last of them it is read back there.
    Bytes {
        /// The transfer.
        transfer: CaseId,
        /// The object.
        object: ObjectId,
        /// The piece's number.
        number: u32,
        /// Where these bytes begin; at 0 the piece is begun anew.
        offset: u64,
        /// The whole piece's length.
        length: u64,
    },
    /// A public key of the gate there, for one batch.
    Offer {
        /// The transfer, as the gate is shown it.
        presented: Box<PresentedTransfer>,
    },
    /// Objects, at most [`OBJECTS_AT_ONCE`], with the keys of those that have one.
    Objects {
        /// The transfer.
        transfer: CaseId,
        /// Their keys; none where all are delete markers.
        batch: Option<Box<Batch>>,
        /// As they are recorded.
        objects: Vec<Traveller>,
    },
    /// Shows what was brought, all at once.
    Adopt {
        /// The transfer.
        transfer: CaseId,
        /// How many objects and delete markers.
        objects: u64,
        /// What all of them are.
        told: Digest,
    },
    /// Nothing of it is left on the other node.
    Welcome {
        /// The transfer.
        transfer: CaseId,
    },
    /// It does not come.
    TurnAway {
        /// The transfer.
        transfer: CaseId,
    },
}

/// What is answered.
#[derive(Serialize, Deserialize)]
#[serde(tag = "came", rename_all = "snake_case", deny_unknown_fields)]
pub enum Came {
    /// Done.
    Done,
    /// What differs there, in words.
    Differs {
        /// At most a few.
        what: Vec<String>,
    },
    /// Pieces that are there whole.
    Pieces {
        /// Object, number and digest.
        whole: Vec<(ObjectId, u32, Digest)>,
    },
    /// Bytes were taken; the piece's digest, where they were the last.
    Took {
        /// Of what was read back.
        digest: Option<Digest>,
    },
    /// The gate's offer.
    Offered {
        /// It.
        offer: Offer,
    },
    /// All is shown there; or something must be brought again.
    Adopted {
        /// Whether it is shown.
        here: bool,
    },
    /// Whether it is shown there, and so cannot be turned away any more.
    TurnedAway {
        /// Whether it is.
        here: bool,
    },
    /// The gate there refused, or what is there does.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// It could not be done.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What must be alike on both nodes before anything travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Whose data.
    pub tenant: TenantId,
    /// What the customer is, and where it is established; `None` where it is not there.
    pub customer: Option<(TenantKind, CountryCode)>,
    /// Buckets in which something lies.
    pub buckets: Vec<BucketFacts>,
    /// Accounts of which something lies there, at most [`ACCOUNTS_MAX`].
    pub accounts: Vec<AccountFacts>,
}

/// A bucket, but for where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketFacts {
    /// Its name.
    pub name: String,
    /// Account of objects that name none.
    pub default_account: AccountId,
    /// How a path yields account and category.
    pub mapping: String,
    /// Versions, locks, and the retention of what states none.
    pub keeping: String,
    /// What else was set, by name.
    pub settings: Vec<(String, String)>,
}

/// An account, as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFacts {
    /// Its id.
    pub id: AccountId,
    /// Where the person resides, whether a "United States person", whether bound by privilege.
    pub person: (Option<String>, Option<i64>, Option<i64>),
    /// Other identifiers.
    pub aliases: Vec<String>,
}

/// Most differences that are told at once.
const DIFFERENCES_MAX: usize = 5;

impl Facts {
    /// What is otherwise there than here, in words; empty where all is alike.
    pub fn differences(&self, there: &Facts) -> Vec<String> {
        let mut what = Vec::new();
        if there.customer.is_none() {
            what.push(format!("there is no customer `{}`", self.tenant));
        } else if self.customer != there.customer {
            what.push(format!(
                "customer `{}` is of another kind, or established in another country",
                self.tenant
            ));
        }
        for bucket in &self.buckets {
            match there.buckets.iter().find(|other| other.name == bucket.name) {
                None => what.push(format!("there is no bucket `{}`", bucket.name)),
                Some(other) if other != bucket => what.push(format!(
                    "bucket `{}` has another mapping, default account, versioning, lock or other setting",
                    bucket.name
                )),
                Some(_) => {}
            }
        }
        for account in &self.accounts {
            match there.accounts.iter().find(|other| other.id == account.id) {
                Some(other) if other != account => what.push(format!(
                    "account `{}` is described otherwise, or has other aliases",
                    account.id
                )),
                // One that is not there is made as it is described here.
                Some(_) | None => {}
            }
        }
        if what.len() > DIFFERENCES_MAX {
            let more = what.len().saturating_sub(DIFFERENCES_MAX);
            what.truncate(DIFFERENCES_MAX);
            what.push(format!("and {more} more"));
        }
        what
    }
}
