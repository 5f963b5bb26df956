//! `amparo tenant`: customers and their access keys.

use std::{path::PathBuf, process::ExitCode};

use casework::{demand::CountryCode, facts::TenantKind, ids::TenantId};
use clap::{Subcommand, ValueEnum};
use service::deployment::write_credential;
use store::vault::TenantRow;

use super::place::Place;
use crate::voice::{data, say};

/// Customers read from the database at a time.
const PAGE: u32 = 200;

/// Add customers, list them, and make access keys for them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amparo tenant add contoso --kind enterprise --country DE --data ./data\n  \
    amparo tenant key contoso --out contoso.s3 --data ./data\n\nExit codes: 0 done, 2 it could not be done."
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a customer, with a key of its own in every region.
    Add {
        /// Its id: lower-case letters, digits and hyphens.
        tenant: TenantId,
        /// What it is.
        #[arg(long, value_enum)]
        kind: Kind,
        /// Where it is established, as `DE`.
        #[arg(long, value_parser = |text: &str| CountryCode::new(text))]
        country: CountryCode,
    },
    /// List the customers.
    List,
    /// Make an access key. Its secret is written to a file and shown nowhere else.
    Key {
        /// The customer.
        tenant: TenantId,
        /// Where the key goes; nothing is overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Let an access key shorten and pass over retentions in governance mode, or no longer. No key may unless told so.
    MayBypassGovernance {
        /// Its id.
        id: String,
        /// Take the permission back.
        #[arg(long)]
        revoke: bool,
    },
    /// Disable an access key, at once.
    DisableKey {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Enterprise,
    PublicBody,
    Consumer,
}

impl From<Kind> for TenantKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Enterprise => Self::Enterprise,
            Kind::PublicBody => Self::PublicBody,
            Kind::Consumer => Self::Consumer,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When the deployment cannot be opened, or the change is refused.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let deployment = args.place.open().await?;
    let vault = deployment.vault();
    match args.verb {
        Verb::Add {
            tenant,
            kind,
            country,
        } => {
            vault.create_tenant(&tenant, kind.into(), &country).await?;
            say!("added `{tenant}`; give it an access key with `amparo tenant key {tenant} --out FILE`");
        }
        Verb::List => {
            let mut after = None;
            loop {
                let rows = vault.tenants(after.as_ref(), PAGE).await?;
                rows.iter().for_each(print);
                match rows.last() {
                    Some(last) => after = Some(last.id.clone()),
                    None => break,
                }
            }
        }
        Verb::Key { tenant, out } => {
            let key = vault.create_access_key(&tenant).await?;
            if let Err(error) = write_credential(&out, &key.id, &key.secret) {
                // A key whose secret nobody has is of no use; leave none behind.
                vault.disable_access_key(&key.id).await?;
                return Err(error.into());
            }
            say!("wrote access key `{}` to `{}`", key.id, out.display());
        }
        Verb::MayBypassGovernance { id, revoke } => {
            vault.permit_bypass(&id, !revoke).await?;
            let may = if revoke { "may no longer" } else { "may" };
            say!("`{id}` {may} pass over governance");
        }
        Verb::DisableKey { id } => {
            vault.disable_access_key(&id).await?;
            say!("disabled `{id}`");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(row: &TenantRow) {
    let kind = match row.kind {
        TenantKind::Enterprise => "enterprise",
        TenantKind::PublicBody => "public-body",
        TenantKind::Consumer => "consumer",
    };
    data!("{}\t{kind}\t{}", row.id, row.country.as_str());
}
