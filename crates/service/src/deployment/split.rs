//! Splitting a deployment: what only the gate needs moves to a folder of the gate's own.

use std::{
    fs::{self, DirBuilder, Metadata, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::{Layout, root_files};
use crate::{
    config::{Config, ConfigError, Gate},
    link::Address,
};

/// Why a deployment cannot be split.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It has a gate already.
    #[error("`[gate]` in `{0}` says that the gate is elsewhere already")]
    Split(PathBuf),
    /// Somebody serves or works on it.
    #[error("`{0}` is being served, or worked on; stop that first")]
    InUse(PathBuf),
    /// The folder for the gate is there already.
    #[error("`{0}` is there already; name a new folder")]
    Taken(PathBuf),
    /// The configuration cannot be written as TOML.
    #[error("the configuration cannot be written")]
    Toml(#[from] toml::ser::Error),
    /// A file cannot be written or moved.
    #[error("cannot write or move `{path}`; what was moved is in the new folder, and nothing was destroyed")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

#[derive(serde::Serialize)]
struct GatePart {
    gate: Gate,
}

/// Makes `to` the gate's folder: root keys and the gate's memory move, configuration and trust policy are copied, and both
/// configurations then say where the gate answers. The deployment must not be running. Each file is whole in its new
/// place before the old one goes, and belongs to whom it belonged; in the gate's folder nobody else may read it.
///
/// # Errors
/// See [`SplitError`].
pub fn split(data: &Path, to: &Path, at: Address, users: Vec<u32>) -> Result<(), SplitError> {
    let (from, gate) = (Layout::at(data), Layout::at(to));
    let mut config = Config::read(&from.config())?;
    if config.gate.is_some() {
        return Err(SplitError::Split(from.config()));
    }
    // Whoever has the deployment open holds this lock shared.
    let lock = from.blobs().join("lock");
    let lock = fs::File::open(&lock).ok();
    if lock.as_ref().is_some_and(|file| file.try_lock().is_err()) {
        return Err(SplitError::InUse(data.to_owned()));
    }
    if to.exists() {
        return Err(SplitError::Taken(to.to_owned()));
    }
    let part = Gate {
        at,
        tls: None,
        users,
        runs_as: None,
    };
    config.gate = Some(part.clone());
    config.check()?;
    let text = fs::read_to_string(from.config()).map_err(failed(&from.config()))?;
    let text = format!(
        "{}\n\n{}",
        text.trim_end(),
        toml::to_string(&GatePart { gate: part })?
    );

    let of = |path: &Path| fs::metadata(path).map_err(failed(path));
    for (folder, like) in [(to.to_owned(), data.to_owned()), (gate.keys(), from.keys())] {
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(failed(&folder))?;
        if of(&folder)?.uid() == 0 {
            let like = of(&like)?;
            std::os::unix::fs::chown(&folder, Some(like.uid()), Some(like.gid())).map_err(failed(&folder))?;
        }
    }
    let was = of(&from.config())?;
    write_new(&gate.config(), text.as_bytes(), &was, OWN)?;
    let trust = fs::read(from.trust()).map_err(failed(&from.trust()))?;
    write_new(&gate.trust(), &trust, &of(&from.trust())?, OWN)?;
    for region in &config.regions {
        for root in root_files(&from, &region.id) {
            relocate(&root.path, &moved(&gate, &root.path))?;
        }
    }
    if from.gate_key().exists() {
        relocate(&from.gate_key(), &gate.gate_key())?;
    }
    let memory = from.gate_memory();
    for end in ["", "-wal", "-shm"] {
        let name = |path: PathBuf| PathBuf::from(format!("{}{end}", path.display()));
        let old = name(memory.clone());
        if old.exists() {
            relocate(&old, &name(gate.gate_memory()))?;
        }
    }
    // Last: until now the deployment would start as before, and say which key is missing.
    let new = data.join("amparo.toml.new");
    write_new(&new, text.as_bytes(), &was, ANY)?;
    fs::rename(&new, from.config()).map_err(failed(&from.config()))?;
    sync(data)
}

/// The same name among the gate's keys.
fn moved(gate: &Layout, path: &Path) -> PathBuf {
    gate.keys().join(path.file_name().unwrap_or_default())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> SplitError {
    let path = path.to_owned();
    move |source| SplitError::Write { path, source }
}

/// Copies durably, then removes. Across file systems too; the old name goes, what its disk keeps of it does not.
fn relocate(from: &Path, to: &Path) -> Result<(), SplitError> {
    let bytes = zeroize::Zeroizing::new(fs::read(from).map_err(failed(from))?);
    let was = fs::metadata(from).map_err(failed(from))?;
    write_new(to, &bytes, &was, OWN)?;
    fs::remove_file(from).map_err(failed(from))
}

/// What a file's mode may be: its owner's alone, or as it was.
const OWN: u32 = 0o700;
const ANY: u32 = 0o777;

/// A new file of the owner and the mode that `was` had, as far as `may` lets it: it may be root who splits, and another who
/// serves.
fn write_new(path: &Path, bytes: &[u8], was: &Metadata, may: u32) -> Result<(), SplitError> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        // Only root gives files away.
        if file.metadata()?.uid() == 0 {
            std::os::unix::fs::fchown(&file, Some(was.uid()), Some(was.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(was.mode() & may))?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(failed(path))?;
    path.parent().map_or(Ok(()), sync)
}

fn sync(folder: &Path) -> Result<(), SplitError> {
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed(folder))
}
