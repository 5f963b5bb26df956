//! Metadata of the vault: who may store, and what is stored where.
//!
//! The store is not trusted with content: what is secret in a row is sealed under the object's key, and wrapped keys open
//! only for their own place, and an object's only for the category and time in its row. It is trusted to keep names and
//! sizes, to show every row, and to forget a wrapped key when told to.

mod account;
mod address;
mod adopt;
mod arrive;
mod bucket;
mod condition;
mod copies;
mod copy_change;
mod depart;
mod destroy;
mod hold;
mod list;
mod lock;
mod object;
mod preserve;
mod provision;
mod record;
mod relocate;
mod retire;
mod rotate;
mod rotate_change;
mod row;
mod scope;
mod scrub;
mod superseded;
mod travel;
mod upload;
mod version;
mod version_list;
mod writer;

use casework::ids::IdError;

use crate::database::{Database, is_disk_full};

pub(crate) use self::destroy::KEY_TABLES;
pub use self::{
    account::{AccountDetails, AccountRow},
    address::AddressUse,
    adopt::{Adopted, Arriving},
    arrive::{Arrival, ArrivalStage, BroughtPiece, NewAccount},
    bucket::{BucketRow, NewBucketRow},
    condition::{EtagMatch, WriteConditions},
    copies::CopyRow,
    depart::Departure,
    destroy::{Destroyed, DestroyedKey, Statement},
    hold::BackupMade,
    list::{ListEntry, ListPage, ListRequest, UploadPage},
    lock::{DefaultRetention, Lock, LockChange, Period, Retention, RetentionMode},
    object::{ObjectRow, PartRow},
    preserve::{Frozen, Preserving, SNAPSHOT_OBJECTS_MAX, THAW_BATCH},
    provision::{AccessKeyRow, NewAccess, TenantRow},
    record::{Freed, NewObject, NewPart, Written},
    relocate::{Copying, Left, Moved, Relocation, Scope},
    retire::{RetiredProvider, RetirementEntry},
    rotate::{AccountKeyRow, MovedAccount, MovedObject, ObjectKeyRow, Table, TenantKeyRow},
    scope::{SCOPE_PAGE, ScopedObject},
    scrub::{KeptAfter, KeptObject, KeptPart, WALK_PAGE},
    travel::{Hex, Leaving, Piece, TRAVELLERS_MAX, Traveller, all_told},
    upload::{CompleteUpload, NewUpload, UploadRow},
    version::{MarkerRow, Removal, RemovalConditions, Removed, Seen, Standing, VersionId, Versioning},
    version_list::{VersionEntry, VersionPage},
};

/// Why the metadata store refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No such tenant.
    #[error("no such tenant")]
    NoSuchTenant,
    /// No such region.
    #[error("no such region")]
    NoSuchRegion,
    /// No such account.
    #[error("no such account")]
    NoSuchAccount,
    /// No such access key.
    #[error("no such access key; check the id, for a key that is not disabled goes on working")]
    NoSuchAccessKey,
    /// No such bucket.
    #[error("no such bucket")]
    NoSuchBucket,
    /// No such object.
    #[error("no such object")]
    NoSuchKey,
    /// No such upload.
    #[error("no such upload")]
    NoSuchUpload,
    /// A part is not there as the caller saw it.
    #[error("part {number} is not there")]
    NoSuchPart {
        /// Its number.
        number: u32,
    },
    /// It exists already, and differs.
    #[error("`{what}` exists already")]
    Exists {
        /// What.
        what: String,
    },
    /// The bucket holds objects.
    #[error("the bucket is not empty")]
    NotEmpty,
    /// The tenant has as many buckets as it may.
    #[error("the tenant has {max} buckets, as many as it may")]
    TooManyBuckets {
        /// The limit.
        max: u32,
    },
    /// A condition on the object that is there does not hold.
    #[error("a precondition does not hold")]
    Precondition,
    /// The key has no such version.
    #[error("no such version")]
    NoSuchVersion,
    /// Retention or legal hold forbid it.
    #[error("it is under retention or legal hold")]
    Locked,
    /// More objects than one snapshot may have.
    #[error(
        "a snapshot has at most {SNAPSHOT_OBJECTS_MAX} objects; narrow the accounts, categories or dates"
    )]
    SnapshotTooLarge,
    /// The bucket's objects cannot be locked.
    #[error("objects of this bucket cannot be locked; configure object lock first")]
    NoLocks,
    /// The bucket keeps no versions.
    #[error("the bucket keeps no versions; enable versioning first")]
    NoVersions,
    /// The bucket must go on keeping versions, because its objects can be locked.
    #[error("versioning cannot be suspended where objects can be locked")]
    NeedsVersions,
    /// The account's key was destroyed.
    #[error("the account's key was destroyed")]
    AccountDestroyed,
    /// The bucket was moved to another region while something was stored in it.
    #[error("the bucket was moved to another region in between; try again")]
    BucketMoved,
    /// It is on its way to another node, or from one.
    #[error("it is being transferred to another node, or from one; try again when that is done")]
    Frozen,
    /// Something lies already where a transfer brings something.
    #[error("objects lie here already at {0} of the keys that are brought; delete or move them first")]
    Taken(u64),
    /// The other node is not where it says it is.
    #[error("the transfer does not come from that node, or is not coming any more")]
    NotComing,
    /// The two nodes have one database.
    #[error(
        "both nodes have one database, so nothing can leave it; serve both regions by one node for the transfer"
    )]
    OneDatabase,
    /// A key was replaced meanwhile, and what was wrapped under the old one cannot be recorded any more.
    #[error("a key was rotated meanwhile; try again")]
    Rotated,
    /// A provider that is to be retired still holds keys.
    #[error(
        "{held} of {looked_at} wrapped keys of customers are held by it, that of {first} first; move them with \
         `amparo tenant keys`, or destroy them with `amparo tenant destroy`"
    )]
    StillHeld {
        /// Wrapped keys that it holds.
        held: u64,
        /// Wrapped keys that there are.
        looked_at: u64,
        /// Whose the first of them is.
        first: String,
    },
    /// The key of the provider was destroyed, or is about to be.
    #[error(
        "key provider `{provider}` is retired, and its key destroyed; name another with `amparo tenant keys`"
    )]
    ProviderRetired {
        /// Which.
        provider: String,
    },
    /// The disk is full; nothing of the change was kept.
    #[error("the disk is full; free some space and try again")]
    DiskFull,
    /// A row holds what no version of this program wrote.
    #[error("the database holds a row that makes no sense: {0}")]
    Nonsense(&'static str),
    /// The writer is gone: the service is shutting down.
    #[error("the database no longer takes changes; the service is stopping")]
    Stopped,
    /// The database failed. Whether the change was kept is not known.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if is_disk_full(&error) {
            Self::DiskFull
        } else if is_frozen(&error) {
            Self::Frozen
        } else {
            Self::Database(error)
        }
    }
}

/// Whether a trigger of the tables that a transfer freezes refused.
fn is_frozen(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.message().contains("frozen for a transfer"))
}

impl From<IdError> for StoreError {
    fn from(_: IdError) -> Self {
        Self::Nonsense("an identifier")
    }
}

/// Metadata of the vault. Cheap to clone.
#[derive(Clone)]
pub struct VaultStore {
    database: Database,
    writer: writer::Writer,
}

impl VaultStore {
    /// The store in a migrated database. Starts the task through which every change goes: changes that arrive while one
    /// transaction is committed share the next one, so that many small writers pay for one `fsync`.
    ///
    /// # Errors
    /// When a connection cannot be opened.
    pub async fn new(database: Database) -> Result<Self, StoreError> {
        let writer = writer::Writer::start(database.clone()).await?;
        Ok(Self { database, writer })
    }
}
