//! The log's files, as they are served: `checkpoint` and `tile/...` under one directory.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use translog::{
    note::NOTE_BYTES_MAX,
    tile::{TileId, TileKind, WIDTH},
    tree::{TileFile, TileReader},
};

/// Longest file that is read: a bundle of 256 entries of 65,535 bytes.
pub const FILE_BYTES_MAX: u64 = 256 * (2 + 65_535);
/// Threads that write one batch's files: waiting for the disk is most of the work.
const WRITERS: usize = 8;
const CHECKPOINT: &str = "checkpoint";

/// A file of the log could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the log's file `{path}` failed")]
pub struct FileError {
    path: PathBuf,
    source: io::Error,
}

/// A log's directory. Also reads logs that others wrote. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogDirectory {
    root: PathBuf,
    /// The size last published, so that a late writer cannot turn `checkpoint` back.
    published: Arc<Mutex<u64>>,
}

impl LogDirectory {
    /// The log under `root`, which is not looked at yet.
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            published: Arc::default(),
        }
    }

    /// The log under `root`, made if it is not there.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn create(root: &Path) -> Result<Self, FileError> {
        fs::create_dir_all(root).map_err(fault(root))?;
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync(parent)?;
        }
        Ok(Self::at(root))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The published checkpoint, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, is too long, or is not text.
    pub fn checkpoint(&self) -> Result<Option<String>, FileError> {
        let path = self.root.join(CHECKPOINT);
        let Some(bytes) = read(&path, NOTE_BYTES_MAX as u64)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes);
        text.map(Some)
            .map_err(|_| fault(&path)(io::ErrorKind::InvalidData.into()))
    }

    /// Writes files so that they are durable when this returns: their bytes, their names, and every directory made for
    /// them. Files that are there already are written over.
    ///
    /// # Errors
    /// When any of it fails; some files may be there then.
    pub fn write(&self, files: &[TileFile]) -> Result<(), FileError> {
        let mut directories = BTreeSet::new();
        for file in files {
            let path = self.root.join(file.id.to_string());
            directories.extend(
                path.ancestors()
                    .skip(1)
                    .take_while(|directory| directory.starts_with(&self.root))
                    .map(Path::to_owned),
            );
        }
        // A directory sorts after its parent.
        for directory in &directories {
            match fs::create_dir(directory) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(fault(directory)(e)),
                _ => (),
            }
        }
        in_parallel(files, |file| self.write_one(file))?;
        let directories: Vec<PathBuf> = directories.into_iter().collect();
        in_parallel(&directories, |directory| sync(directory))
    }

    /// Publishes a checkpoint of `size`: readers see the old one or this, whole. A smaller size than one published
    /// through this value before is passed over.
    ///
    /// # Errors
    /// When it cannot be written; readers may see either then.
    pub fn publish(&self, size: u64, note: &str) -> Result<(), FileError> {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if size < *published {
            return Ok(());
        }
        let (path, temporary) = (self.root.join(CHECKPOINT), self.root.join("checkpoint.new"));
        let mut file = File::create(&temporary).map_err(fault(&temporary))?;
        file.write_all(note.as_bytes()).map_err(fault(&temporary))?;
        file.sync_all().map_err(fault(&temporary))?;
        fs::rename(&temporary, &path).map_err(fault(&path))?;
        sync(&self.root)?;
        *published = size;
        Ok(())
    }

    /// Removes the partial files whose full ones came with the growth from `old` to `new` entries, as tlog-tiles
    /// allows.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn sweep(&self, old: u64, new: u64) -> Result<(), FileError> {
        let mut kinds = vec![TileKind::Entries];
        kinds.extend((0..8).map(|level| TileKind::Hashes { level }));
        for kind in kinds {
            let level = match kind {
                TileKind::Hashes { level } => u32::from(level),
                TileKind::Entries => 0,
            };
            let full = |size: u64| (size >> (8 * level)) / WIDTH;
            for index in full(old)..full(new) {
                let Some(id) = TileId::new(kind, index, 256) else {
                    continue;
                };
                let partial = self.root.join(format!("{id}.p"));
                match fs::remove_dir_all(&partial) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fault(&partial)(e)),
                    _ => (),
                }
            }
        }
        Ok(())
    }

    fn write_one(&self, file: &TileFile) -> Result<(), FileError> {
        let path = self.root.join(file.id.to_string());
        let mut handle = File::create(&path).map_err(fault(&path))?;
        handle.write_all(&file.bytes).map_err(fault(&path))?;
        handle.sync_all().map_err(fault(&path))
    }
}

impl TileReader for LogDirectory {
    type Error = FileError;

    fn read(&self, id: &TileId) -> Result<Option<Vec<u8>>, FileError> {
        read(&self.root.join(id.to_string()), FILE_BYTES_MAX)
    }
}

fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault(path)(e)),
    };
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, limit + 1), &mut bytes).map_err(fault(path))?;
    if bytes.len() as u64 > limit {
        return Err(fault(path)(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(bytes))
}

fn sync(directory: &Path) -> Result<(), FileError> {
    let handle = File::open(directory).map_err(fault(directory))?;
    handle.sync_all().map_err(fault(directory))
}

/// Runs `work` over all of `items` on a few threads, and gives the first fault.
fn in_parallel<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> Result<(), FileError> + Sync,
) -> Result<(), FileError> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..WRITERS.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = work(item) {
                        failed
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .get_or_insert(error);
                        return;
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn fault(path: &Path) -> impl FnOnce(io::Error) -> FileError + use<> {
    let path = path.to_owned();
    move |source| FileError { path, source }
}
