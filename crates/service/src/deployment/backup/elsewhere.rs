//! Where a restored deployment goes, where that is not where it was.

use std::{
    fs,
    path::{Path, PathBuf},
};

use store::{
    blobs::Location as BlobLocation,
    database::{Database, Location},
};
use zeroize::Zeroizing;

use super::{BackupError, file};
use crate::{
    config::{Config, DatabaseKind, Store},
    deployment::{Layout, OpenError, write_secret, write_secret_bytes},
};

/// Where rows are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsAt {
    /// In a SQLite file in the folder.
    Folder,
    /// On a server, as a `postgres://` URL; the database must be empty.
    Server(Location),
}

/// Where sealed bodies are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodiesAt {
    /// In the folder.
    Folder,
    /// In an object store or another folder, where each region gets a folder of its own.
    Store(BlobLocation),
}

/// Where a restored deployment goes; what is not said is as it was.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    /// Rows. Must be said where they were on a server: another deployment may still be using that one.
    pub rows: Option<RowsAt>,
    /// Sealed bodies of every region.
    pub bodies: Option<BodiesAt>,
    /// A folder with the keys, where the backup has none.
    pub keys: Option<PathBuf>,
}

impl Elsewhere {
    /// Makes sure that a server that is named can be reached and is empty.
    pub(super) async fn check(&self) -> Result<(), BackupError> {
        match &self.rows {
            Some(RowsAt::Server(location)) => Ok(Database::vacant(location).await?),
            _ => Ok(()),
        }
    }

    /// Brings keys and configuration in the new folder into line with where things go, and says where that is.
    pub(super) fn settle(&self, layout: &Layout) -> Result<Config, BackupError> {
        if let Some(keys) = &self.keys {
            copy_keys(keys, layout)?;
        }
        let mut config = Config::read(&layout.config()).map_err(OpenError::from)?;
        let before = config.clone();
        let rows = match (&self.rows, config.database) {
            (Some(rows), _) => rows.clone(),
            (None, DatabaseKind::File) => RowsAt::Folder,
            (None, DatabaseKind::Server) => return Err(BackupError::WhichDatabase),
        };
        let url = layout.database_url();
        if url.exists() {
            fs::remove_file(&url).map_err(file(&url))?;
        }
        config.database = match rows {
            RowsAt::Folder => DatabaseKind::File,
            RowsAt::Server(Location::File(path)) => {
                return Err(BackupError::Exists(path.display().to_string()));
            }
            RowsAt::Server(Location::Server(text)) => {
                write_secret(&url, text.as_bytes())?;
                DatabaseKind::Server
            }
        };
        for region in &mut config.regions {
            match &self.bodies {
                None => {}
                Some(BodiesAt::Folder) => region.store = Store::Disk,
                Some(BodiesAt::Store(location)) => {
                    region.store = Store::At(location.within(region.id.as_str()));
                }
            }
        }
        if config != before {
            rewrite(layout, &config)?;
        }
        Ok(config)
    }

    /// The server that the rows go to.
    pub(super) fn server(&self) -> Option<&Location> {
        match &self.rows {
            Some(RowsAt::Server(location)) => Some(location),
            _ => None,
        }
    }
}

/// The configuration as it was stays beside the new one, with its comments.
fn rewrite(layout: &Layout, config: &Config) -> Result<(), BackupError> {
    config.check().map_err(OpenError::from)?;
    let text = toml::to_string(config).map_err(|error| BackupError::Sql(Box::new(error)))?;
    let path = layout.config();
    let before = path.with_extension("toml.before");
    fs::rename(&path, &before).map_err(file(&before))?;
    write_secret_bytes(&path, text.as_bytes())?;
    Ok(())
}

/// Copies the files of keys, but not the URL of the database that was.
fn copy_keys(from: &Path, layout: &Layout) -> Result<(), BackupError> {
    let skip = layout.database_url();
    for entry in fs::read_dir(from).map_err(file(from))? {
        let path = entry.map_err(file(from))?.path();
        let Some(name) = path.file_name().filter(|_| path.is_file()) else {
            continue;
        };
        if Some(name) == skip.file_name() {
            continue;
        }
        let bytes = Zeroizing::new(fs::read(&path).map_err(file(&path))?);
        write_secret_bytes(&layout.keys().join(name), &bytes)?;
    }
    Ok(())
}
