//! `amparo tenant`: customers and their access keys.

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use casework::{
    demand::CountryCode,
    facts::TenantKind,
    ids::{ProviderId, TenantId},
};
use clap::{Subcommand, ValueEnum};
use service::{
    deployment::{Deployment, write_credential},
    keys::configured::ProviderConfig,
};
use store::vault::TenantRow;

use super::place::{Place, key_provider};
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
        /// Who holds its keys beside the regions' roots: a `[[key_provider]]` of the configuration.
        #[arg(long, value_name = "PROVIDER")]
        keys: Option<ProviderId>,
    },
    /// Have a customer's keys held by a key provider beside the regions' roots, or by nobody but them. No object is rewritten.
    Keys {
        /// The customer.
        tenant: TenantId,
        /// The key provider, or `none`.
        #[arg(long, value_name = "PROVIDER")]
        holder: String,
    },
    /// Destroy a customer's keys in every region: everything of it is unreadable from then on, for everybody and for good.
    /// Backups that hold the wrapped keys are not reached.
    Destroy {
        /// The customer.
        tenant: TenantId,
        /// The customer once more.
        #[arg(long, value_name = "TENANT")]
        confirm: TenantId,
        /// Where the statement about it goes, whose digest is in the docket.
        #[arg(long, value_name = "FILE")]
        statement: Option<PathBuf>,
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
            keys,
        } => {
            let holder = keys.map(|id| holder(&deployment, id)).transpose()?;
            vault.create_tenant(&tenant, kind.into(), &country).await?;
            if let Some((id, customer)) = holder {
                vault.set_holder(&tenant, Some(&id), customer).await?;
            }
            say!("added `{tenant}`; give it an access key with `amparo tenant key {tenant} --out FILE`");
        }
        Verb::Keys { tenant, holder: to } => {
            let to = match to.as_str() {
                "none" => None,
                id => Some(holder(&deployment, ProviderId::new(id)?)?),
            };
            let (id, customer) = to.map_or((None, false), |(id, customer)| (Some(id), customer));
            let moved = vault.set_holder(&tenant, id.as_ref(), customer).await?;
            match id {
                Some(id) => say!("{moved} key(s) of `{tenant}` are held by `{id}` beside the roots"),
                None => say!("{moved} key(s) of `{tenant}` are under the regions' roots alone"),
            }
        }
        Verb::Destroy {
            tenant,
            confirm,
            statement,
        } => {
            if confirm != tenant {
                bail!("`--confirm {confirm}` is not `{tenant}`");
            }
            if let Some(case) = deployment.desk().open_case_of(&tenant).await? {
                say!("refused: case {case} is open and is about an account of `{tenant}`");
                return Ok(ExitCode::from(1));
            }
            let destroyed = deployment.destroy(&tenant, None).await?;
            super::account::destroyed_keys(&destroyed, statement.as_deref())?;
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

/// A key provider of the configuration, and whether it is the customer itself.
fn holder(deployment: &Deployment, id: ProviderId) -> anyhow::Result<(ProviderId, bool)> {
    let found = key_provider(deployment.config(), &id)?;
    let customer = matches!(found, ProviderConfig::Keyholder { .. });
    Ok((id, customer))
}

fn print(row: &TenantRow) {
    let kind = match row.kind {
        TenantKind::Enterprise => "enterprise",
        TenantKind::PublicBody => "public-body",
        TenantKind::Consumer => "consumer",
    };
    data!("{}\t{kind}\t{}", row.id, row.country.as_str());
}
