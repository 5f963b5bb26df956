//! A tar file of a backup: written in one go, encrypted where a recipient is named, and digested as it lies on the disk.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Component, Path},
};

use evidence::seal::{self, Identity, Sealer};
use sha2::{Digest as _, Sha256};

use super::{BackupError, Part, file};

/// Most files in one archive.
const FILES_MAX: usize = 10_000_000;

struct Digesting<T> {
    inner: T,
    sha256: Sha256,
    bytes: u64,
}

impl<T> Digesting<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            sha256: Sha256::default(),
            bytes: 0,
        }
    }
    fn took(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.took(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.took(into.get(..read).unwrap_or_default());
        Ok(read)
    }
}

type Out = Digesting<BufWriter<File>>;

enum Sink {
    Clear(Out),
    Sealed(Sealer<Out>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(out) => out.write(bytes),
            Self::Sealed(out) => out.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(out) => out.flush(),
            Self::Sealed(out) => out.flush(),
        }
    }
}

/// An archive being written.
pub(super) struct Archive {
    builder: tar::Builder<Sink>,
    name: String,
    path: std::path::PathBuf,
    encrypted: bool,
}

impl Archive {
    /// Begins `folder/name`, with `.age` at its end where it is encrypted.
    pub(super) fn create(folder: &Path, name: &str, recipient: Option<&str>) -> Result<Self, BackupError> {
        let name = match recipient {
            Some(_) => format!("{name}.age"),
            None => name.to_owned(),
        };
        let path = folder.join(&name);
        let out = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(file(&path))?;
        let out = Digesting::new(BufWriter::new(out));
        let sink = match recipient {
            Some(recipient) => Sink::Sealed(seal::seal(recipient, out)?),
            None => Sink::Clear(out),
        };
        Ok(Self {
            builder: tar::Builder::new(sink),
            name,
            path,
            encrypted: recipient.is_some(),
        })
    }

    /// Adds bytes under a name.
    pub(super) fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        self.entry(name, bytes.len() as u64, bytes)
    }

    /// Adds a file under a name. One that grows meanwhile is taken as long as it was.
    pub(super) fn file(&mut self, name: &str, path: &Path) -> Result<(), BackupError> {
        let from = File::open(path).map_err(file(path))?;
        let length = from.metadata().map_err(file(path))?.len();
        self.entry(name, length, from.take(length))
    }

    fn entry(&mut self, name: &str, length: u64, from: impl Read) -> Result<(), BackupError> {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        header.set_entry_type(tar::EntryType::Regular);
        let added = self.builder.append_data(&mut header, name, from);
        added.map_err(file(&self.path))
    }

    /// Ends the archive, durably.
    pub(super) fn finish(self) -> Result<Part, BackupError> {
        let path = self.path;
        let sink = self.builder.into_inner().map_err(file(&path))?;
        let mut out = match sink {
            Sink::Clear(out) => out,
            Sink::Sealed(out) => out.finish()?,
        };
        out.flush().map_err(file(&path))?;
        let written = out
            .inner
            .into_inner()
            .map_err(|error| file(&path)(error.into_error()))?;
        written.sync_all().map_err(file(&path))?;
        Ok(Part {
            file: self.name,
            sha256: hex::encode(out.sha256.finalize()),
            bytes: out.bytes,
            encrypted: self.encrypted,
        })
    }
}

/// Unpacks an archive into a folder of its own, and checks that it was the one that was written.
pub(super) fn unpack(
    backup: &Path,
    part: &Part,
    identity: Option<&Identity>,
    to: &Path,
) -> Result<(), BackupError> {
    let damaged = |what: &str| BackupError::Damaged(format!("`{}` {what}", part.file));
    if part.file.contains('/') || part.file.starts_with('.') {
        return Err(damaged("is no name of a file"));
    }
    let path = backup.join(&part.file);
    let from = File::open(&path).map_err(|_| damaged("is missing"))?;
    if from.metadata().map_err(file(&path))?.len() != part.bytes {
        return Err(damaged("is not of the length that the manifest says"));
    }
    // Digested before anything of it is used.
    let mut digesting = Digesting::new(BufReader::new(from));
    io::copy(&mut digesting, &mut io::sink()).map_err(file(&path))?;
    if hex::encode(digesting.sha256.finalize()) != part.sha256 {
        return Err(damaged("is not what the manifest says"));
    }
    let from = BufReader::new(File::open(&path).map_err(file(&path))?);
    if !part.encrypted {
        return extract(from, to, &damaged);
    }
    extract(
        seal::open(identity.ok_or(BackupError::Identity)?, from)?,
        to,
        &damaged,
    )
}

fn extract(from: impl Read, to: &Path, damaged: &dyn Fn(&str) -> BackupError) -> Result<(), BackupError> {
    let mut archive = tar::Archive::new(from);
    let entries = archive.entries().map_err(|_| damaged("is no archive"))?;
    for (number, entry) in entries.enumerate() {
        let mut entry = entry.map_err(|_| damaged("is cut off or altered"))?;
        let name = entry
            .path()
            .map_err(|_| damaged("has a bad name in it"))?
            .into_owned();
        let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
        if number >= FILES_MAX || !plain || entry.header().entry_type() != tar::EntryType::Regular {
            return Err(damaged("holds what no backup holds"));
        }
        let path = to.join(&name);
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(file(folder))?;
        }
        let mut out = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(file(&path))?;
        io::copy(&mut entry, &mut out).map_err(|_| damaged("is cut off or altered"))?;
        out.sync_all().map_err(file(&path))?;
    }
    Ok(())
}
