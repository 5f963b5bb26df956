//! Making a backup.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use envelope::chunked::sealed_len;
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use store::{
    blobs::{BlobError, Digesting, RegionBlobs},
    database::Database,
    docket::DocketStore,
    vault::{BackupMade, KeptAfter, KeptPart, VaultStore},
};
use tokio::task::spawn_blocking;
use translog::witness::origin_hash;

use super::{
    BackupError, MANIFEST, Manifest, Part, Schema, WITHOUT_MAX, archive::Archive, blob_path, docket, file,
    stopped,
};
use crate::{
    config::Config,
    deployment::{Layout, docket_key, place, stores},
};

/// Blobs copied side by side.
const IN_FLIGHT: usize = 4;
/// Bytes of a blob copied at once.
const COPY_BYTES: u64 = 1024 * 1024;
/// How long blobs stay after a backup that died; it is renewed while one runs.
const HOLD: SignedDuration = SignedDuration::from_hours(1);
/// Time between renewals, and how many of them may fail one after the other: some hold is left then.
const RENEW: Duration = Duration::from_secs(10 * 60);
const RENEWALS_LOST_MAX: u32 = 3;

/// What a backup is to hold.
#[derive(Debug, Clone, Default)]
pub struct BackupOptions {
    /// An age recipient (`age1...`) to whom metadata is encrypted.
    pub recipient: Option<String>,
    /// Whether the keys are in it too; then there must be a recipient.
    pub keys: bool,
    /// How long it will be kept.
    pub kept_for: Option<Duration>,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Taken {
    /// What it says of itself.
    pub manifest: Manifest,
    /// SHA-256 of the manifest, in hex: kept elsewhere, it shows that nothing in the backup was exchanged.
    pub digest: String,
    /// Blobs that were copied, and were not there from an earlier backup.
    pub copied: u64,
}

/// What became of one blob.
enum Copied {
    /// So many bytes; whether they were copied now.
    Sound(u64, bool),
    /// The store has lost or altered it.
    Without(String),
}

/// Backs up the deployment in `dir` into the folder `out`, which may hold earlier backups of it. It may be serving.
///
/// # Errors
/// When something cannot be read or written. What was there before stays restorable.
pub async fn take(dir: &Path, out: &Path, options: &BackupOptions) -> Result<Taken, BackupError> {
    if let Some(recipient) = &options.recipient {
        evidence::seal::check_recipient(recipient)?;
    } else if options.keys {
        return Err(BackupError::Identity);
    }
    let layout = Layout::at(dir);
    let config = Config::read(&layout.config()).map_err(crate::deployment::OpenError::from)?;
    let key = docket_key(&layout, &config)?;
    let blobs = stores::open(&layout, &config, key.verifier()).await?;
    private_folder(out)?;
    let live = Database::open(place(&layout, &config)?).await?;
    let rows = VaultStore::new(live.clone()).await?;
    let now = Timestamp::now();
    let hold = format!("backup {now}");
    let made = backup(&layout, &config, &live, &blobs, (out, now), options);
    let made = held(&rows, &hold, made).await;
    let released = rows.release_blobs(Some(&hold)).await;
    let (mut manifest, copied) = made?;
    released?;
    manifest.docket_key = key.verifier().to_string();
    let digest = write_manifest(out, &manifest)?;
    rows.note_backup(BackupMade {
        made_at: manifest.made_at,
        expires_at: manifest.expires_at,
    })
    .await?;
    live.close().await;
    Ok(Taken {
        manifest,
        digest,
        copied,
    })
}

/// Does `work` while no blob that rows stop naming is deleted.
async fn held<T>(
    rows: &VaultStore,
    hold: &str,
    work: impl Future<Output = Result<T, BackupError>>,
) -> Result<T, BackupError> {
    let until = || {
        let now = Timestamp::now();
        now.saturating_add(HOLD).unwrap_or(now)
    };
    rows.hold_blobs(hold, until()).await?;
    let renewing = async {
        let mut lost = 0;
        loop {
            tokio::time::sleep(RENEW).await;
            match rows.hold_blobs(hold, until()).await {
                Ok(()) => lost = 0,
                Err(error) if lost == RENEWALS_LOST_MAX => return error,
                Err(_) => lost += 1,
            }
        }
    };
    tokio::select! {
        done = work => done,
        error = renewing => Err(error.into()),
    }
}

async fn backup(
    layout: &Layout,
    config: &Config,
    live: &Database,
    blobs: &RegionBlobs,
    (out, now): (&Path, Timestamp),
    options: &BackupOptions,
) -> Result<(Manifest, u64), BackupError> {
    // Snapshots are as secret as what they are of: they stay in the deployment's own folder, and go.
    let work = Work::create(layout)?;
    // A gate of its own keeps its memory in a folder of its own, which is backed up there.
    if config.gate.is_none() {
        let memory = Database::open(&layout.gate_memory()).await?;
        memory.snapshot(&work.0.join("gate.db")).await?;
        memory.close().await;
    }
    live.snapshot(&work.0.join("amparo.db")).await?;

    let copy = Database::open(&work.0.join("amparo.db")).await?;
    let kept = VaultStore::new(copy.clone()).await?;
    let log = DocketStore::open(copy.clone(), &layout.docket())?;
    let (newest, before) = log.newest().await?;
    let published = log.newest_published().await?;
    let size = newest.as_ref().map_or(0, |newest| newest.size);
    // What the deployment's own witness is to remember is what these rows say that it cosigned. Its own file may be ahead of
    // them, or behind, and either would stop the docket.
    let witness = [newest, before]
        .into_iter()
        .flatten()
        .find_map(|one| one.witnessed);
    let witness = witness.filter(|_| config.docket.own_witness);

    let (mut count, mut bytes, mut copied, mut without) = (0, 0, 0, Vec::new());
    let mut after = KeptAfter::default();
    loop {
        let page = kept.kept_blobs(&mut after).await?;
        if page.is_empty() {
            break;
        }
        let mut copies =
            stream::iter(page.iter().map(|part| copy_blob(blobs, part, out))).buffer_unordered(IN_FLIGHT);
        while let Some(done) = copies.next().await {
            count += 1;
            match done? {
                Copied::Sound(length, now) => {
                    bytes += length;
                    copied += u64::from(now);
                }
                Copied::Without(blob) => without.push(blob),
            }
        }
        if without.len() > WITHOUT_MAX {
            return Err(BackupError::Ruined);
        }
    }
    drop((kept, log));
    copy.close().await;

    let (layout, config, work, out) = (layout.clone(), config.clone(), work, out.to_owned());
    let origin = config.docket.origin.clone();
    let recipient = options.recipient.clone();
    let keys = options.keys;
    let stamp = now.strftime("%Y%m%dT%H%M%S%.6fZ").to_string();
    let sizes = [size, published.as_ref().map_or(size, |published| published.size)];
    let checkpoint = published.and_then(|published| published.witnessed);
    let (metadata, keys) = spawn_blocking(move || {
        let metadata = metadata(
            &layout,
            &work,
            &out,
            &stamp,
            recipient.as_deref(),
            witness.map(|note| (witness_file(&config), note)),
            sizes,
            checkpoint,
        )?;
        let keys = match (keys, &recipient) {
            (true, Some(recipient)) => Some(archive_keys(&layout, &out, &stamp, recipient)?),
            _ => None,
        };
        Ok::<_, BackupError>((metadata, keys))
    })
    .await
    .map_err(stopped)??;
    let expires_at = options
        .kept_for
        .map(|time| now.saturating_add(time).unwrap_or(Timestamp::MAX));
    let manifest = Manifest {
        schema: Schema::V1,
        made_at: now,
        expires_at,
        docket_key: origin,
        docket_size: size,
        metadata,
        keys,
        blobs: count,
        blob_bytes: bytes,
        without,
    };
    Ok((manifest, copied))
}

/// A folder for snapshots, removed at the end.
struct Work(PathBuf, #[allow(dead_code, reason = "held while it lives")] File);

impl Work {
    fn create(layout: &Layout) -> Result<Self, BackupError> {
        let path = layout.dir().join(".backup");
        let locked = layout.dir().join(".backup.lock");
        let lock = File::create(&locked).map_err(file(&locked))?;
        lock.try_lock().map_err(|error| file(&locked)(error.into()))?;
        // What one that died left behind.
        if path.exists() {
            fs::remove_dir_all(&path).map_err(file(&path))?;
        }
        private_folder(&path)?;
        Ok(Self(path, lock))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn private_folder(path: &Path) -> Result<(), BackupError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(file(path))
}

/// Small files of a folder, by name.
fn files_in(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, BackupError> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(found);
    };
    for entry in entries {
        let entry = entry.map_err(file(folder))?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let within = files_in(&path)?;
            found.extend(
                within
                    .into_iter()
                    .map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)),
            );
        } else {
            found.push((name, fs::read(&path).map_err(file(&path))?));
        }
    }
    Ok(found)
}

#[allow(clippy::too_many_arguments, reason = "one call, above")]
fn metadata(
    layout: &Layout,
    work: &Work,
    out: &Path,
    stamp: &str,
    recipient: Option<&str>,
    witness: Option<(String, String)>,
    sizes: [u64; 2],
    checkpoint: Option<String>,
) -> Result<Part, BackupError> {
    let mut archive = Archive::create(out, &format!("metadata-{stamp}.tar"), recipient)?;
    archive.file("amparo.toml", &layout.config())?;
    archive.file("trust.toml", &layout.trust())?;
    archive.file("amparo.db", &work.0.join("amparo.db"))?;
    let memory = work.0.join("gate.db");
    if memory.exists() {
        archive.file("gate.db", &memory)?;
    }
    if let Some((name, note)) = witness {
        archive.bytes(&name, note.as_bytes())?;
    }
    let log = store::docket::LogDirectory::at(&layout.docket());
    let [size, published] = sizes;
    docket::add(&mut archive, &log, size)?;
    if published != size {
        docket::add_partial(&mut archive, &log, published, size)?;
    }
    if let Some(checkpoint) = checkpoint {
        archive.bytes("docket/checkpoint", checkpoint.as_bytes())?;
    }
    let packages = fs::read_dir(layout.packages()).map_err(file(&layout.packages()))?;
    for entry in packages {
        let entry = entry.map_err(file(&layout.packages()))?;
        let unfinished = entry.path().extension().is_some_and(|end| end == "part");
        if !unfinished && entry.path().is_file() {
            archive.file(
                &format!("packages/{}", entry.file_name().to_string_lossy()),
                &entry.path(),
            )?;
        }
    }
    archive.finish()
}

/// Where a witness keeps what it cosigned of the docket.
fn witness_file(config: &Config) -> String {
    format!("witness/{}/checkpoint", origin_hash(&config.docket.origin))
}

fn archive_keys(layout: &Layout, out: &Path, stamp: &str, recipient: &str) -> Result<Part, BackupError> {
    let mut archive = Archive::create(out, &format!("keys-{stamp}.tar"), Some(recipient))?;
    for (name, bytes) in files_in(&layout.keys())? {
        let bytes = zeroize::Zeroizing::new(bytes);
        archive.bytes(&format!("keys/{name}"), &bytes)?;
    }
    archive.finish()
}

async fn copy_blob(blobs: &RegionBlobs, part: &KeptPart, out: &Path) -> Result<Copied, BackupError> {
    let name = part.blob.to_string();
    let length = sealed_len(part.size).map_err(|error| BackupError::Sql(Box::new(error)))?;
    let to = blob_path(out, part.blob);
    if fs::metadata(&to).is_ok_and(|there| there.len() == length) {
        return Ok(Copied::Sound(length, false));
    }
    let Some(region) = &part.region else {
        return Ok(Copied::Without(name));
    };
    let reader = match blobs.of(region)?.open_for(part.blob, 0..length).await {
        Ok(reader) if reader.len() == length => reader,
        Ok(_) | Err(BlobError::Missing { .. }) => return Ok(Copied::Without(name)),
        Err(other) => return Err(other.into()),
    };
    let beside = to.with_extension("part");
    if let Some(folder) = to.parent() {
        private_folder(folder)?;
    }
    let mut into = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)
        .map_err(file(&beside))?;
    let mut digesting = Digesting::default();
    let mut offset = 0;
    while offset < length {
        let next = COPY_BYTES.min(length - offset);
        let buffer = vec![0; usize::try_from(next).unwrap_or_default()];
        let piece = match reader.read_at(offset, buffer).await {
            Ok(piece) => piece,
            Err(BlobError::Short { .. }) => return Ok(Copied::Without(name)),
            Err(other) => return Err(other.into()),
        };
        digesting.update(&piece);
        let written = spawn_blocking(move || into.write_all(&piece).map(|()| into)).await;
        into = written.map_err(stopped)?.map_err(file(&beside))?;
        offset += next;
    }
    if part.digest.is_some_and(|digest| digest != digesting.finish()) {
        let _ = fs::remove_file(&beside);
        return Ok(Copied::Without(name));
    }
    let done = spawn_blocking(move || {
        into.sync_data()?;
        fs::rename(&beside, &to)?;
        to.parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    });
    done.await.map_err(stopped)?.map_err(file(out))?;
    Ok(Copied::Sound(length, true))
}

/// Last: a backup is one once its manifest is there, and the one before stays until then.
fn write_manifest(out: &Path, manifest: &Manifest) -> Result<String, BackupError> {
    let path = out.join(MANIFEST);
    let beside = out.join("manifest.part");
    let mut text = serde_json::to_vec_pretty(manifest).map_err(|error| BackupError::Sql(Box::new(error)))?;
    text.push(b'\n');
    let mut into = File::create(&beside).map_err(file(&beside))?;
    into.write_all(&text)
        .and_then(|()| into.sync_all())
        .map_err(file(&beside))?;
    fs::rename(&beside, &path).map_err(file(&path))?;
    File::open(out)
        .and_then(|folder| folder.sync_all())
        .map_err(file(out))?;
    Ok(hex::encode(Sha256::digest(&text)))
}
