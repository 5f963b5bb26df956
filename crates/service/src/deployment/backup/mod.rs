//! Backup and restore of a whole deployment, while it runs.
//!
//! A backup is a folder: `manifest.json`, written last; `metadata-*.tar`, everything but keys and blobs as of one moment,
//! encrypted to a recipient where one is named (`.age`); `keys-*.tar.age`, only when asked, only encrypted; and
//! `blobs/<first two digits>/<name>`, ciphertext as it lies in the stores. A later backup into the same folder copies only
//! the blobs that are not there yet.
//!
//! What makes it consistent: the gate's memory is copied first and the rows after it, so that the gate never remembers more
//! of a case than the rows have; from before the rows are copied until the end, nobody deletes a blob that they name; and the
//! docket's files are written as they are at the very size that the rows say.
//!
//! Rows are a SQLite file in a backup, whichever engine they were on: one from a server is made in one transaction that reads
//! ([`Database::snapshot`](store::database::Database::snapshot)), and a server is filled from one in one transaction that
//! writes. So a deployment can be restored onto the other engine, and bodies onto another store ([`Elsewhere`]).

mod archive;
mod docket;
mod elsewhere;
mod ledgers;
mod restore;
mod take;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{
    blobs::{BlobError, BlobId},
    database::{CarryError, DatabaseError},
    docket::DocketStoreError,
    gate_memory::MemoryError,
    vault::StoreError,
};

pub use self::{
    elsewhere::{BodiesAt, Elsewhere, RowsAt},
    ledgers::LedgersWalked,
    restore::{RestoreOptions, Restored, mark_gate, restore},
    take::{BackupOptions, Taken, take},
};
use super::{OpenError, SecretError};

/// Longest manifest read, in bytes.
const MANIFEST_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most blobs that a backup may be without, because the stores themselves lost or altered them.
const WITHOUT_MAX: usize = 10_000;
const MANIFEST: &str = "manifest.json";

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always `amparo.backup/1`.
    pub schema: Schema,
    /// Of which moment its rows are.
    pub made_at: Timestamp,
    /// When its keepers say that it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The key that signs the docket: whose deployment it is.
    pub docket_key: String,
    /// Entries in the docket.
    pub docket_size: u64,
    /// Everything but keys and blobs.
    pub metadata: Part,
    /// The keys, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Part>,
    /// Blobs that its rows name.
    pub blobs: u64,
    /// Bytes of those.
    pub blob_bytes: u64,
    /// Those of them that the stores had lost or altered before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

/// The schema tag of [`Manifest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    /// Version 1.
    #[serde(rename = "amparo.backup/1")]
    V1,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name in the backup's folder.
    pub file: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// Whether it is encrypted, in the age format.
    pub encrypted: bool,
}

/// Why a backup could not be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder.
    #[error("cannot read or write `{path}`")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The backup is not what was written, or not all of it.
    #[error("the backup cannot be restored: {0}; nothing was restored")]
    Damaged(String),
    /// What it is restored to is there.
    #[error("`{0}` exists already; name a new folder")]
    Exists(String),
    /// It is encrypted.
    #[error("the backup is encrypted; give the age identity with `--identity`")]
    Identity,
    /// The rows were on a server, and it is not said where they go.
    #[error(
        "the rows were on a database server; say with `--db` where they go: the `postgres://` URL of an empty database, or \
         `folder` for a file"
    )]
    WhichDatabase,
    /// Rows.
    #[error(transparent)]
    Carry(#[from] CarryError),
    /// Too many blobs are lost or altered.
    #[error("over 10000 blobs are missing or altered in the stores; run `amparo scrub`, and mend them first")]
    Ruined,
    /// Encryption.
    #[error("the backup cannot be encrypted")]
    Seal(#[from] evidence::seal::SealError),
    /// Decryption.
    #[error("the backup does not open; is it the identity that it was made for? nothing was restored")]
    Unseal(#[from] evidence::seal::OpenError),
    /// The deployment.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A statement.
    #[error("the database failed")]
    Sql(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The rows.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A store.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The docket.
    #[error(transparent)]
    Docket(#[from] DocketStoreError),
    /// The gate's memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A key file.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

fn file(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.display().to_string();
    move |source| BackupError::File { path, source }
}

/// Where a backup keeps a blob.
fn blob_path(backup: &Path, id: BlobId) -> PathBuf {
    let name = id.to_string();
    let folder = name.get(..2).unwrap_or_default().to_owned();
    backup.join("blobs").join(folder).join(name)
}

fn stopped(error: tokio::task::JoinError) -> BackupError {
    BackupError::Sql(Box::new(error))
}
