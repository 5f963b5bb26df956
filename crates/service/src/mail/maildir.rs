//! Taking messages from a maildir: from `new/`, kept, and only then moved to `cur/`.
//!
//! A crash at any point leaves a message in `new/`, or kept, or both: the same bytes again are the same case, and it is
//! moved the next time.

use std::{
    fs::{self, File},
    future::Future,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{MAIL_BYTES_MAX, MailError, lmtp::Inbox};

/// Time between looks.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// Most messages taken in one look.
pub const LOOK_MAX: usize = 1_000;

/// A maildir.
#[derive(Debug, Clone)]
pub struct Maildir {
    path: PathBuf,
}

/// What one look came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Kept and moved to `cur/`.
    pub kept: usize,
    /// Moved to `held/`, for a person: too large, empty, or no file.
    pub held: usize,
    /// Left in `new/`, to be tried again.
    pub left: usize,
}

impl Maildir {
    /// The maildir at `path`; its folders are made where they are missing.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        for folder in ["new", "cur", "tmp", "held"] {
            fs::create_dir_all(path.join(folder))?;
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Takes what lies in `new/`, oldest name first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn look<I: Inbox>(&self, inbox: &I) -> io::Result<Look> {
        let mut names: Vec<_> = fs::read_dir(self.path.join("new"))?
            .filter_map(Result::ok)
            .map(|entry| entry.file_name())
            .filter(|name| !name.to_string_lossy().starts_with('.'))
            .collect();
        names.sort();
        names.truncate(LOOK_MAX);
        let mut look = Look::default();
        for name in names {
            let from = self.path.join("new").join(&name);
            let raw = match read(&from) {
                Ok(Some(raw)) => raw,
                Ok(None) => {
                    self.hold(&from, &name)?;
                    look.held += 1;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    tracing::error!(%error, "a message in the maildir cannot be read");
                    look.left += 1;
                    continue;
                }
            };
            match inbox.keep(&raw, None).await {
                Ok(_) => {
                    let mut read = name.clone();
                    if !name.to_string_lossy().contains(":2,") {
                        read.push(":2,S");
                    }
                    fs::rename(&from, self.path.join("cur").join(read))?;
                    look.kept += 1;
                }
                Err(MailError::TooLarge | MailError::Empty) => {
                    self.hold(&from, &name)?;
                    look.held += 1;
                }
                Err(error) => {
                    tracing::error!(%error, "a message in the maildir could not be kept; it stays");
                    look.left += 1;
                }
            }
        }
        Ok(look)
    }

    fn hold(&self, from: &Path, name: &std::ffi::OsStr) -> io::Result<()> {
        tracing::warn!("a message in the maildir is too large or no file; it is held for a person");
        fs::rename(from, self.path.join("held").join(name))
    }

    /// Looks again and again until `told`.
    pub async fn serve<I: Inbox>(self, inbox: I, told: impl Future<Output = ()> + Send) {
        tokio::pin!(told);
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut told => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = &mut told => return,
                look = self.look(&inbox) => {
                    if let Err(error) = look {
                        tracing::error!(%error, "the maildir cannot be read");
                    }
                }
            }
        }
    }
}

/// A message's bytes; `None` for what is no plain file, empty, or too large.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let metadata = fs::symlink_metadata(path)?;
    let most = u64::try_from(MAIL_BYTES_MAX).unwrap_or(u64::MAX);
    if !metadata.file_type().is_file() || metadata.len() == 0 || metadata.len() > most {
        return Ok(None);
    }
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let mut raw = Vec::new();
    file.take(most + 1).read_to_end(&mut raw)?;
    Ok((raw.len() <= MAIL_BYTES_MAX && !raw.is_empty()).then_some(raw))
}
