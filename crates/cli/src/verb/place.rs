//! Where the deployment is: the same option for every verb that opens one.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use casework::ids::{ProviderId, TenantId};
use service::{
    config::Config,
    deployment::{Deployment, read_credential},
    keys::configured::ProviderConfig,
    vault::Principal,
};
use store::blobs::Location;

/// Which deployment.
#[derive(Debug, Clone, clap::Args)]
pub struct Place {
    /// The deployment's folder.
    #[arg(
        long,
        global = true,
        env = "AMPARO_DATA",
        default_value = "data",
        value_name = "DIR"
    )]
    data: PathBuf,
}

impl Place {
    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.data
    }

    /// Opens it.
    ///
    /// # Errors
    /// When the folder is no deployment, or something in it cannot be read.
    pub async fn open(&self) -> anyhow::Result<Deployment> {
        open(&self.data).await
    }
}

/// As which customer. The provider has no other way into a customer's data (P4).
#[derive(Debug, Clone, clap::Args)]
pub struct Owner {
    /// The customer.
    #[arg(long)]
    tenant: TenantId,
    /// A file with one of the customer's access keys, as `amparo tenant key` writes it.
    #[arg(long, value_name = "FILE")]
    credential: PathBuf,
}

impl Owner {
    /// Signs in, as an S3 client would.
    ///
    /// # Errors
    /// When the file holds no access key, or one that is not this customer's.
    pub async fn sign_in(&self, deployment: &Deployment) -> anyhow::Result<Principal> {
        let credential = read_credential(&self.credential)?;
        Ok(deployment
            .sign_in(&self.tenant, &credential.id, &credential.secret)
            .await?)
    }
}

/// Reads where sealed bodies are to lie. Files are taken from the folder in which the command runs.
///
/// # Errors
/// When it names no store.
pub fn store(text: &str) -> anyhow::Result<Location> {
    let here = std::env::current_dir().context("the current folder is gone")?;
    Ok(Location::parse(text)?.under(&here))
}

/// Opens the deployment in `dir`.
///
/// # Errors
/// When the folder is no deployment, or something in it cannot be read.
pub async fn open(dir: &Path) -> anyhow::Result<Deployment> {
    Deployment::open(dir)
        .await
        .with_context(|| format!("cannot open the deployment in `{}`", dir.display()))
}

/// A key provider of the configuration.
///
/// # Errors
/// When the configuration names none of this id.
pub fn key_provider<'a>(config: &'a Config, id: &ProviderId) -> anyhow::Result<&'a ProviderConfig> {
    let found = config.key_providers.iter().find(|one| one.id() == id);
    found.with_context(|| {
        let known: Vec<_> = config
            .key_providers
            .iter()
            .map(|one| format!("`{}`", one.id()))
            .collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        format!("`amparo.toml` has no `[[key_provider]]` with the id `{id}`; it has {known}")
    })
}
