//! Where things lie in a deployment's folder.

use std::path::{Path, PathBuf};

use casework::ids::RegionId;

/// The paths of one deployment.
#[derive(Debug, Clone)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The layout of the deployment in `dir`.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.dir.join("amparo.toml")
    }
    /// Whom the gate and every verifier trust.
    pub fn trust(&self) -> PathBuf {
        self.dir.join("trust.toml")
    }
    /// Metadata, case files, the docket's queue.
    pub fn database(&self) -> PathBuf {
        self.dir.join("amparo.db")
    }
    /// Where the database is, when it is a server: its URL, which may hold a password.
    pub fn database_url(&self) -> PathBuf {
        self.keys().join("database.url")
    }
    /// What the gate remembers.
    pub fn gate_memory(&self) -> PathBuf {
        self.dir.join("gate.db")
    }
    /// What the deployment's own witness remembers.
    pub fn witness_state(&self) -> PathBuf {
        self.dir.join("witness")
    }
    /// The operator's lists of domains and courts.
    pub fn hints(&self) -> PathBuf {
        self.dir.join("hints")
    }
    /// Secret files.
    pub fn keys(&self) -> PathBuf {
        self.dir.join("keys")
    }
    /// A region's root key.
    pub fn root_key(&self, region: &RegionId) -> PathBuf {
        self.keys().join(format!("root-{region}.key"))
    }
    /// A generation of a region's root key, from 1.
    pub fn root_generation(&self, region: &RegionId, generation: u32) -> PathBuf {
        match generation {
            1 => self.root_key(region),
            later => self.keys().join(format!("root-{region}.{later}.key")),
        }
    }
    /// Signs what the gate asks customers' keyholders.
    pub fn gate_key(&self) -> PathBuf {
        self.keys().join("gate.key")
    }
    /// The root of the keys of case files.
    pub fn case_root(&self) -> PathBuf {
        self.keys().join("case-root.key")
    }
    /// Seals the secrets of S3 credentials.
    pub fn credential_key(&self) -> PathBuf {
        self.keys().join("credential.key")
    }
    /// Signs the docket's checkpoints.
    pub fn docket_key(&self) -> PathBuf {
        self.keys().join("docket.key")
    }
    /// Cosigns them, where no outside witness does.
    pub fn witness_key(&self) -> PathBuf {
        self.keys().join("witness.key")
    }
    /// Blobs of every region.
    pub fn blobs(&self) -> PathBuf {
        self.dir.join("blobs")
    }
    /// The docket's public files.
    pub fn docket(&self) -> PathBuf {
        self.dir.join("docket")
    }
    /// Finished packages, encrypted to their recipients.
    pub fn packages(&self) -> PathBuf {
        self.dir.join("packages")
    }
}
