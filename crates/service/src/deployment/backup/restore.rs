//! Putting a deployment back, onto a machine that has nothing of it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use casework::ledger::heads::EVERY;
use envelope::chunked::sealed_len;
use evidence::seal::Identity;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use store::{
    blobs::{BlobError, Digesting, RegionBlobs},
    database::{Database, Location},
    docket::{DocketStore, LogDirectory},
    gate_memory::GateMemory,
    vault::{KeptAfter, KeptPart, VaultStore},
};
use tokio::task::spawn_blocking;
use translog::{audit::audit, note::VerifierKey};

use super::{
    BackupError, Elsewhere, MANIFEST, MANIFEST_BYTES_MAX, Manifest,
    archive::unpack,
    blob_path, file,
    ledgers::{Docket, LedgersWalked, walk},
    stopped,
};
use crate::deployment::{Layout, read_trust, stores};

/// Blobs copied side by side.
const IN_FLIGHT: usize = 4;
/// Bytes of a blob copied at once.
const COPY_BYTES: u64 = 256 * 1024;

/// How to restore.
#[derive(Default)]
pub struct RestoreOptions {
    /// Opens what is encrypted.
    pub identity: Option<Identity>,
    /// SHA-256 that the manifest must have, in hex, as the backup printed it.
    pub digest: Option<String>,
    /// Where it goes.
    pub to: Elsewhere,
}

/// A deployment that was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the backup said of itself.
    pub manifest: Manifest,
    /// Whether its keys are in the folder.
    pub keys: bool,
    /// Rows that were written to a database server and read back; `None` where they are a file in the folder.
    pub rows: Option<u64>,
    /// Blobs that were written to their stores; the others were there.
    pub copied: u64,
    /// Entries of the docket, each of which was hashed again, up to a checkpoint that the trust policy's witnesses signed;
    /// `None` when nothing was published yet.
    pub docket: Option<u64>,
    /// The access ledgers, each of which was walked from its first entry; `None` where a gate of its own keeps them.
    pub ledgers: Option<LedgersWalked>,
}

/// Restores a backup into `to`, which must not exist. Everything is checked against the manifest, the rows and the trust
/// policy first; only then does `to` come to be. The gate's memory is marked as restored: it refuses every record that was
/// drawn up before now, for it cannot know which were used since the backup.
///
/// Blobs in an object store are looked for where the configuration says, and written where they are missing. A database
/// server must be empty; it is filled last, in one transaction.
///
/// # Errors
/// When the backup is damaged, not whole, or not the one of the digest given, or the database is not empty; nothing is left
/// of the try then, but blobs in object stores and empty tables.
pub async fn restore(backup: &Path, to: &Path, options: RestoreOptions) -> Result<Restored, BackupError> {
    let manifest = read_manifest(backup, options.digest.as_deref())?;
    let mut staged = to.as_os_str().to_owned();
    staged.push(".restoring");
    let staged = PathBuf::from(staged);
    for path in [to, &staged] {
        if path.exists() {
            return Err(BackupError::Exists(path.display().to_string()));
        }
    }
    let mut staging = Staging(Some(staged.clone()));
    options.to.check().await?;
    let restored = fill(backup, &staged, manifest, options.identity, &options.to).await?;
    fs::rename(&staged, to).map_err(file(to))?;
    staging.0 = None;
    if let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)
            .and_then(|parent| parent.sync_all())
            .map_err(file(parent))?;
    }
    Ok(restored)
}

/// Marks the gate's memory in `folder` as put back from a backup, and walks the access ledgers in it, without what a docket
/// committed to.
///
/// # Errors
/// When there is none, or it cannot be read or written.
pub async fn mark_gate(folder: &Path) -> Result<LedgersWalked, BackupError> {
    let memory = gate_memory(folder).await?;
    GateMemory::new(memory.clone()).restored(Timestamp::now()).await?;
    let walked = walk(&memory, None).await;
    memory.close().await;
    walked
}

async fn gate_memory(folder: &Path) -> Result<Database, BackupError> {
    let path = Layout::at(folder).gate_memory();
    if !path.is_file() {
        return Err(damaged(format!(
            "the gate's memory `{}` is missing",
            path.display()
        )));
    }
    Ok(Database::open(&path).await?)
}

/// What is half restored goes, unless it became whole.
struct Staging(Option<PathBuf>);

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = fs::remove_dir_all(path);
        }
    }
}

fn damaged(what: impl Into<String>) -> BackupError {
    BackupError::Damaged(what.into())
}

fn read_manifest(backup: &Path, digest: Option<&str>) -> Result<Manifest, BackupError> {
    let path = backup.join(MANIFEST);
    let mut text = Vec::new();
    let from = File::open(&path)
        .map_err(|_| damaged("it has no `manifest.json`: it was never finished, or is no backup"))?;
    from.take(MANIFEST_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(file(&path))?;
    if text.len() as u64 > MANIFEST_BYTES_MAX {
        return Err(damaged("its manifest is too long"));
    }
    if digest.is_some_and(|digest| digest != hex::encode(Sha256::digest(&text))) {
        return Err(damaged("its manifest is not the one of the digest given"));
    }
    serde_json::from_slice(&text).map_err(|error| damaged(format!("its manifest does not read ({error})")))
}

async fn fill(
    backup: &Path,
    to: &Path,
    manifest: Manifest,
    identity: Option<Identity>,
    elsewhere: &Elsewhere,
) -> Result<Restored, BackupError> {
    fs::DirBuilder::new().mode(0o700).create(to).map_err(file(to))?;
    let (from, into, parts) = (backup.to_owned(), to.to_owned(), manifest.clone());
    let keys = spawn_blocking(move || {
        unpack(&from, &parts.metadata, identity.as_ref(), &into)?;
        match (&parts.keys, &identity) {
            (Some(keys), Some(_)) => unpack(&from, keys, identity.as_ref(), &into).map(|()| true),
            _ => Ok(false),
        }
    })
    .await
    .map_err(stopped)??;
    let layout = Layout::at(to);
    for folder in [layout.keys(), layout.blobs(), layout.docket(), layout.packages()] {
        fs::create_dir_all(&folder).map_err(file(&folder))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(file(&folder))?;
    }
    let config = elsewhere.settle(&layout)?;
    let (trust, _) = read_trust(&layout.trust())?;
    let (docket, heads) = check_docket(&layout, trust.docket().clone()).await?;

    let owner = VerifierKey::parse(&manifest.docket_key)
        .map_err(|_| damaged("its manifest names no docket's key"))?;
    let blobs = stores::open(&layout, &config, &owner).await?;
    let database = Database::open(&layout.database()).await?;
    let rows = VaultStore::new(database.clone()).await?;
    rows.release_blobs(None).await?;
    let copied = bring_blobs(backup, &rows, &blobs, &manifest).await?;
    drop(rows);
    let ledgers = match config.gate {
        Some(_) => None,
        None => {
            let memory = gate_memory(to).await?;
            GateMemory::new(memory.clone()).restored(Timestamp::now()).await?;
            let log = Docket {
                store: DocketStore::open(database.clone(), &layout.docket())?,
                origin: config.docket.origin.clone(),
                entries: heads,
            };
            let walked = walk(&memory, Some(&log)).await;
            memory.close().await;
            Some(walked?)
        }
    };
    let rows = match elsewhere.server() {
        Some(server) => Some(fill_server(server, &database, &layout).await?),
        None => None,
    };
    database.close().await;
    Ok(Restored {
        manifest,
        keys: keys || elsewhere.keys.is_some(),
        rows,
        copied,
        docket,
        ledgers,
    })
}

/// Moves the rows from their file to a server.
async fn fill_server(server: &Location, rows: &Database, layout: &Layout) -> Result<u64, BackupError> {
    let filled = Database::open(server.clone()).await?;
    let count = filled.fill(rows).await;
    filled.close().await;
    let count = count?;
    rows.close().await;
    for end in ["", "-wal", "-shm"] {
        let path = PathBuf::from(format!("{}{end}", layout.database().display()));
        if path.exists() {
            fs::remove_file(&path).map_err(file(&path))?;
        }
    }
    Ok(count)
}

/// Every entry is hashed again, up to the checkpoint that was published. Gives the docket's size, and those of its entries
/// that hold heads of access ledgers.
async fn check_docket(
    layout: &Layout,
    policy: translog::policy::Policy,
) -> Result<(Option<u64>, BTreeMap<u64, Vec<u8>>), BackupError> {
    let log = LogDirectory::at(&layout.docket());
    let checked = spawn_blocking(move || {
        let mut heads = BTreeMap::new();
        let shown = log.checkpoint().map_err(|error| damaged(error.to_string()))?;
        let Some(shown) = shown else {
            return Ok((None, heads));
        };
        let audited = audit(&log, &policy, &shown, &[], |index, entry| {
            if index % EVERY == 0 {
                heads.insert(index, entry.to_vec());
            }
        });
        let audited = audited.map_err(|error| damaged(format!("its docket does not verify: {error}")))?;
        Ok((Some(audited.checkpoint().size), heads))
    });
    checked.await.map_err(stopped)?
}

async fn bring_blobs(
    backup: &Path,
    rows: &VaultStore,
    blobs: &RegionBlobs,
    manifest: &Manifest,
) -> Result<u64, BackupError> {
    let (mut after, mut count, mut copied) = (KeptAfter::default(), 0, 0);
    loop {
        let page = rows.kept_blobs(&mut after).await?;
        if page.is_empty() {
            break;
        }
        let mut copies = stream::iter(page.iter().map(|part| bring(backup, part, blobs, manifest)))
            .buffer_unordered(IN_FLIGHT);
        while let Some(done) = copies.next().await {
            count += 1;
            copied += u64::from(done?);
        }
    }
    if count != manifest.blobs {
        return Err(damaged("its rows name other blobs than its manifest counts"));
    }
    Ok(copied)
}

/// Writes a blob to its store, where it is not there; `true` when it wrote it.
async fn bring(
    backup: &Path,
    part: &KeptPart,
    blobs: &RegionBlobs,
    manifest: &Manifest,
) -> Result<bool, BackupError> {
    let name = part.blob.to_string();
    if manifest.without.contains(&name) {
        return Ok(false);
    }
    let Some(region) = &part.region else {
        return Err(damaged(format!("blob `{name}` belongs to no object")));
    };
    let length = sealed_len(part.size).map_err(|error| damaged(error.to_string()))?;
    let path = blob_path(backup, part.blob);
    let from = File::open(&path).map_err(|_| damaged(format!("blob `{name}` is missing")))?;
    if from.metadata().map_err(file(&path))?.len() != length {
        return Err(damaged(format!(
            "blob `{name}` is not of the length that its row says"
        )));
    }
    let store = blobs.of(region)?;
    let there = match store.open_for(part.blob, 0..0).await {
        Ok(reader) => reader.len() == length,
        Err(BlobError::Missing { .. }) => false,
        Err(other) => return Err(other.into()),
    };
    let mut writer = if there {
        None
    } else {
        Some(store.create(part.blob).await?)
    };
    let mut digesting = Digesting::default();
    let mut from = from.take(length);
    let mut left = length;
    while left > 0 {
        let next = COPY_BYTES.min(left);
        let mut piece = vec![0; usize::try_from(next).unwrap_or_default()];
        let read = spawn_blocking(move || from.read_exact(&mut piece).map(|()| (from, piece))).await;
        let (rest, piece) = read.map_err(stopped)?.map_err(file(&path))?;
        from = rest;
        left -= next;
        digesting.update(&piece);
        if let Some(writer) = &mut writer {
            writer.write(piece).await?;
        }
    }
    // Before it is made visible.
    if part.digest.is_some_and(|digest| digest != digesting.finish()) {
        return Err(damaged(format!("blob `{name}` is not what was stored")));
    }
    match writer {
        Some(writer) => writer.finish().await.map(|()| true).map_err(BackupError::from),
        None => Ok(false),
    }
}
