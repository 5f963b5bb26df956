//! Blobs as files: `objects/<first two digits>/<name>`, written under `unfinished/` first.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{BlobError, BlobId, BlobReader, BlobStore, BlobWriter};

const SHARDS: u32 = 256;
/// What a blob may begin with before the bytes that are wanted of it.
const HEAD_BYTES: u64 = 4 * 1024;
/// Most of what is wanted that is read as soon as the file is open.
const AHEAD_BYTES: u64 = 264 * 1024;

/// Blobs in a folder.
pub struct DiskBlobs {
    root: Arc<PathBuf>,
    /// Held shared while open, so that only who is alone sweeps what looks unfinished.
    _lock: File,
}

impl DiskBlobs {
    /// Opens or creates the folder. When no other process has it open, half-written blobs are removed.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub async fn open(root: &Path) -> Result<Self, BlobError> {
        let root = root.to_owned();
        blocking(move || Self::open_now(root)).await
    }

    fn open_now(root: PathBuf) -> Result<Self, BlobError> {
        fs::create_dir_all(root.join("unfinished"))?;
        for shard in 0..SHARDS {
            fs::create_dir_all(shard_folder(&root, shard))?;
        }
        File::open(root.join("objects"))?.sync_all()?;
        File::open(&root)?.sync_all()?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))?;
        if lock.try_lock().is_ok() {
            sweep(&root, Duration::ZERO)?;
            lock.unlock()?;
        }
        lock.try_lock_shared().map_err(|_| BlobError::InUse {
            path: root.display().to_string(),
        })?;
        Ok(Self {
            root: Arc::new(root),
            _lock: lock,
        })
    }
}

fn shard_folder(root: &Path, shard: u32) -> PathBuf {
    root.join("objects").join(format!("{shard:02x}"))
}

fn final_path(root: &Path, id: BlobId) -> PathBuf {
    let [first, ..] = id.0;
    shard_folder(root, u32::from(first)).join(id.to_string())
}

fn sweep(root: &Path, age: Duration) -> Result<u64, BlobError> {
    let mut removed = 0;
    for entry in fs::read_dir(root.join("unfinished"))? {
        let entry = entry?;
        if older(&entry, age) && fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

fn older(entry: &fs::DirEntry, age: Duration) -> bool {
    let modified = entry.metadata().and_then(|m| m.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).unwrap_or_default() >= age)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    spawn_blocking(work).await.map_err(stopped)?
}

fn stopped(error: tokio::task::JoinError) -> BlobError {
    BlobError::Io(std::io::Error::other(error))
}

#[async_trait]
impl BlobStore for DiskBlobs {
    async fn create(&self, id: BlobId) -> Result<Box<dyn BlobWriter>, BlobError> {
        let root = Arc::clone(&self.root);
        let path = root.join("unfinished").join(id.to_string());
        let unfinished = path.clone();
        let file =
            blocking(move || Ok(OpenOptions::new().create_new(true).write(true).open(unfinished)?)).await?;
        Ok(Box::new(DiskWriter {
            file: Some(file),
            writing: None,
            unfinished: Some(path),
            to: final_path(&root, id),
        }))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn BlobReader>, BlobError> {
        self.open_for(id, 0..0).await
    }

    async fn open_for(&self, id: BlobId, wanted: Range<u64>) -> Result<Box<dyn BlobReader>, BlobError> {
        let path = final_path(&self.root, id);
        blocking(move || {
            let file = File::open(path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => BlobError::Missing { id },
                _ => error.into(),
            })?;
            let len = file.metadata()?.len();
            let mut ahead = vec![0; ahead(&wanted, len)];
            read_exactly(&file, &mut ahead, 0, id)?;
            Ok(Box::new(DiskReader {
                file: Arc::new(file),
                id,
                len,
                ahead,
            }) as Box<dyn BlobReader>)
        })
        .await
    }

    async fn delete(&self, id: BlobId) -> Result<(), BlobError> {
        let path = final_path(&self.root, id);
        blocking(move || match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        })
        .await
    }

    fn shards(&self) -> u32 {
        SHARDS
    }

    async fn list(&self, shard: u32, age: Duration) -> Result<Vec<BlobId>, BlobError> {
        let folder = shard_folder(&self.root, shard);
        blocking(move || {
            let mut found = Vec::new();
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let mut id = [0; 16];
                let named = entry
                    .file_name()
                    .to_str()
                    .map(|name| hex::decode_to_slice(name, &mut id));
                if matches!(named, Some(Ok(()))) && older(&entry, age) {
                    found.push(BlobId(id));
                }
            }
            Ok(found)
        })
        .await
    }

    async fn sweep_unfinished(&self, age: Duration) -> Result<u64, BlobError> {
        let root = Arc::clone(&self.root);
        blocking(move || sweep(&root, age)).await
    }
}

struct DiskWriter {
    file: Option<File>,
    /// The last write, so that the next bytes are received and encrypted meanwhile.
    writing: Option<JoinHandle<std::io::Result<File>>>,
    unfinished: Option<PathBuf>,
    to: PathBuf,
}

impl DiskWriter {
    async fn settle(&mut self) -> Result<File, BlobError> {
        if let Some(writing) = self.writing.take() {
            return Ok(writing.await.map_err(stopped)??);
        }
        self.file
            .take()
            .ok_or_else(|| BlobError::Io(std::io::Error::other("an earlier write failed")))
    }
}

#[async_trait]
impl BlobWriter for DiskWriter {
    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), BlobError> {
        let mut file = self.settle().await?;
        self.writing = Some(spawn_blocking(move || file.write_all(&bytes).map(|()| file)));
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), BlobError> {
        let file = self.settle().await?;
        let to = self.to.clone();
        let from = self.unfinished.clone();
        blocking(move || {
            file.sync_data()?;
            if let Some(from) = from {
                fs::rename(from, &to)?;
            }
            if let Some(folder) = to.parent() {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        })
        .await?;
        self.unfinished = None;
        Ok(())
    }
}

impl Drop for DiskWriter {
    fn drop(&mut self) {
        if let Some(path) = self.unfinished.take() {
            // A file that stays is swept later.
            let _ = fs::remove_file(path);
        }
    }
}

struct DiskReader {
    file: Arc<File>,
    id: BlobId,
    len: u64,
    /// The file's first bytes, read when it was opened: each further read is another visit to a thread that may block.
    ahead: Vec<u8>,
}

fn read_exactly(file: &File, into: &mut [u8], offset: u64, id: BlobId) -> Result<(), BlobError> {
    file.read_exact_at(into, offset)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => BlobError::Short { id },
            _ => error.into(),
        })
}

/// How many of a file's first bytes are read when it is opened.
fn ahead(wanted: &Range<u64>, len: u64) -> usize {
    let end = match wanted.start <= HEAD_BYTES {
        true => wanted.end.min(wanted.start + AHEAD_BYTES),
        false => HEAD_BYTES,
    };
    let none = wanted.is_empty();
    usize::try_from(if none { 0 } else { end.min(len) }).unwrap_or(0)
}

#[async_trait]
impl BlobReader for DiskReader {
    fn len(&self) -> u64 {
        self.len
    }

    async fn read_at(&self, offset: u64, mut into: Vec<u8>) -> Result<Vec<u8>, BlobError> {
        let file = Arc::clone(&self.file);
        let id = self.id;
        let end = offset.checked_add(into.len() as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(BlobError::Short { id });
        }
        let known = usize::try_from(offset)
            .ok()
            .and_then(|from| self.ahead.get(from..)?.get(..into.len()));
        if let Some(known) = known {
            into.copy_from_slice(known);
            return Ok(into);
        }
        blocking(move || {
            read_exactly(&file, &mut into, offset, id)?;
            Ok(into)
        })
        .await
    }
}
