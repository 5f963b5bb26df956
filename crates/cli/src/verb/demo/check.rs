//! The checks of a stranger, on files alone.

use std::path::Path;

use anyhow::Context as _;
use casework::gate::TrustPolicy;
use evidence::{
    seal::{self, Identity},
    verify::verify_package,
};
use translog::{included::Opened, policy::Policy, proof::Receipt};

use super::provider::buffered;

/// Proves a package; gives how many checks it took.
pub fn package(package: &Path, identity: &Path, policy: &TrustPolicy) -> anyhow::Result<usize> {
    let identity = Identity::parse(std::fs::read_to_string(identity)?.trim())?;
    let opened = seal::open(&identity, buffered(package)?)?;
    let proven = verify_package(opened, policy)?;
    Ok(proven.checks().len())
}

/// Proves a receipt.
pub fn receipt(receipt: &Path, policy: &Policy) -> anyhow::Result<()> {
    let bytes = std::fs::read(receipt).with_context(|| format!("cannot read `{}`", receipt.display()))?;
    Opened::verify(&Receipt::parse_bytes(&bytes)?, policy)?;
    Ok(())
}

/// Recomputes the docket from its entries; gives its size.
pub fn log(dir: &Path, policy: &Policy) -> anyhow::Result<u64> {
    let directory = store::docket::LogDirectory::at(dir);
    let newest = directory
        .checkpoint()?
        .context("the docket has published no checkpoint")?;
    let audited = translog::audit::audit(&directory, policy, &newest, &[], |_, _| {})?;
    Ok(audited.checkpoint().size)
}
