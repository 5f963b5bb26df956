//! The files of a source, one after the other, whatever holds them.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use liblzma::{read::XzDecoder, stream::Stream};
use serde::Serialize;

use super::{
    DEPTH_MAX, ENTRIES_MAX, ImportError, NAMES_MAX, Source, SourceKind, UNPACK_MEMORY_MAX,
    archive::{EntryKind, TarReader},
    show,
};

/// `CONCATENATED` of liblzma: several streams in one file are one file.
const CONCATENATED: u32 = 0x08;

/// One file of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path inside the source, parts joined by `/`, text that is no UTF-8 made so lossily.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When it was last written, as far as the source says so.
    pub modified: Option<Timestamp>,
}

/// What was passed over, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Links, hard or symbolic: never followed.
    pub links: u64,
    /// Devices, pipes, sockets.
    pub special: u64,
    /// Paths that are absolute or climb with `..`.
    pub unsafe_paths: u64,
    /// Files that are no mail, when importing mail.
    pub not_mail: u64,
    /// Messages over the size limit.
    pub oversized: u64,
    /// Names of what `not_mail` and `oversized` count, at most [`NAMES_MAX`] in all, with the reason.
    pub names: Vec<(String, &'static str)>,
}

impl PassedOver {
    pub(super) fn name(&mut self, name: &str, reason: &'static str) {
        if self.names.len() < NAMES_MAX {
            self.names.push((name.chars().take(256).collect(), reason));
        }
    }
}

/// The files of a source. `Read` gives the content of the one last returned by [`Entries::next_entry`].
pub struct Entries {
    holder: Holder,
    passed: PassedOver,
}

enum Holder {
    Folder {
        root: PathBuf,
        stack: Vec<Vec<PathBuf>>,
        current: Option<BufReader<File>>,
        seen: u64,
    },
    Archive(TarReader<Box<dyn Read + Send>>),
    Single {
        path: PathBuf,
        current: Option<BufReader<File>>,
    },
}

impl Entries {
    /// Opens a source.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(source: &Source) -> Result<Self, ImportError> {
        let open = |path: &Path| {
            File::open(path)
                .map(BufReader::new)
                .map_err(|cause| ImportError::Read {
                    name: show(path),
                    cause,
                })
        };
        let holder = match source.kind {
            SourceKind::Folder => Holder::Folder {
                root: source.path.clone(),
                stack: vec![list(&source.path)?],
                current: None,
                seen: 0,
            },
            SourceKind::Tar => Holder::Archive(TarReader::new(Box::new(open(&source.path)?))),
            SourceKind::TarXz => {
                let stream = Stream::new_stream_decoder(UNPACK_MEMORY_MAX, CONCATENATED).map_err(|e| {
                    ImportError::Read {
                        name: show(&source.path),
                        cause: io::Error::other(e),
                    }
                })?;
                let xz = XzDecoder::new_stream(open(&source.path)?, stream);
                Holder::Archive(TarReader::new(Box::new(xz)))
            }
            SourceKind::File => Holder::Single {
                path: source.path.clone(),
                current: None,
            },
        };
        Ok(Self {
            holder,
            passed: PassedOver::default(),
        })
    }

    /// The next file, in the archive's order, or in a folder's byte order of names; `None` at the end.
    ///
    /// # Errors
    /// When the source cannot be read on, or passes a limit.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ImportError> {
        match &mut self.holder {
            Holder::Single { path, current } => {
                if current.is_some() {
                    return Ok(None);
                }
                let error = |cause| ImportError::Read {
                    name: show(path),
                    cause,
                };
                let file = File::open(&path).map_err(error)?;
                let meta = file.metadata().map_err(error)?;
                *current = Some(BufReader::new(file));
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                Ok(Some(Entry {
                    name,
                    size: meta.len(),
                    modified: modified(&meta),
                }))
            }
            Holder::Archive(archive) => {
                while let Some(head) = archive.next_head()? {
                    match head.kind {
                        EntryKind::Folder => {}
                        EntryKind::Link => self.passed.links += 1,
                        EntryKind::Special => self.passed.special += 1,
                        EntryKind::File => match inside(&head.path) {
                            None => {
                                self.passed.unsafe_paths += 1;
                                self.passed.name(&head.path, "its path leads out of the archive");
                            }
                            Some(name) => {
                                let modified = head.modified.and_then(|t| Timestamp::from_second(t).ok());
                                return Ok(Some(Entry {
                                    name,
                                    size: head.size,
                                    modified,
                                }));
                            }
                        },
                    }
                }
                Ok(None)
            }
            Holder::Folder {
                root,
                stack,
                current,
                seen,
            } => {
                while let Some(level) = stack.last_mut() {
                    let Some(path) = level.pop() else {
                        stack.pop();
                        continue;
                    };
                    *seen += 1;
                    if *seen > ENTRIES_MAX {
                        return Err(ImportError::Limit {
                            limit: ENTRIES_MAX,
                            what: "entries",
                        });
                    }
                    let error = |cause| ImportError::Read {
                        name: show(&path),
                        cause,
                    };
                    let meta = std::fs::symlink_metadata(&path).map_err(error)?;
                    if meta.is_symlink() {
                        self.passed.links += 1;
                    } else if meta.is_dir() {
                        if stack.len() >= DEPTH_MAX {
                            return Err(ImportError::Limit {
                                limit: DEPTH_MAX as u64,
                                what: "levels of folders",
                            });
                        }
                        stack.push(list(&path)?);
                    } else if !meta.is_file() {
                        self.passed.special += 1;
                    } else {
                        let file = File::open(&path).map_err(error)?;
                        *current = Some(BufReader::new(file));
                        let relative = path.strip_prefix(root.as_path()).unwrap_or(&path);
                        let parts: Vec<_> = relative
                            .components()
                            .map(|c| c.as_os_str().to_string_lossy().into_owned())
                            .collect();
                        return Ok(Some(Entry {
                            name: parts.join("/"),
                            size: meta.len(),
                            modified: modified(&meta),
                        }));
                    }
                }
                Ok(None)
            }
        }
    }

    /// What was passed over so far.
    pub fn passed(&self) -> &PassedOver {
        &self.passed
    }

    pub(super) fn passed_mut(&mut self) -> &mut PassedOver {
        &mut self.passed
    }
}

impl Read for Entries {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.holder {
            Holder::Archive(archive) => archive.read(buf),
            Holder::Folder {
                current: Some(file), ..
            }
            | Holder::Single {
                current: Some(file), ..
            } => file.read(buf),
            Holder::Folder { .. } | Holder::Single { .. } => Ok(0),
        }
    }
}

/// Entries of a folder in descending order, so that `pop` gives them ascending.
fn list(path: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let error = |cause| ImportError::Read {
        name: show(path),
        cause,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path).map_err(error)? {
        paths.push(entry.map_err(error)?.path());
        if paths.len() as u64 > ENTRIES_MAX {
            return Err(ImportError::Limit {
                limit: ENTRIES_MAX,
                what: "entries",
            });
        }
    }
    paths.sort_unstable_by(|a, b| b.cmp(a));
    Ok(paths)
}

fn modified(meta: &std::fs::Metadata) -> Option<Timestamp> {
    Timestamp::try_from(meta.modified().ok()?).ok()
}

/// A path in an archive as a relative name; `None` where it is absolute, climbs, or is empty.
fn inside(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.is_empty() || parts.contains(&"..") || parts.len() > DEPTH_MAX {
        return None;
    }
    Some(parts.join("/"))
}
