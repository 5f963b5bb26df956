//! `amparo key rotate`: a new key at one level, and what is below it moved.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use casework::ids::{AccountId, ProviderId, RegionId, TenantId};
use clap::ValueEnum;
use service::{
    config::Config,
    deployment::{Deployment, Layout, next_root, open_providers, remove_root, root_files, seal_root},
    vault::rotation::{Holder, Rotated},
};

use crate::{
    verb::place::{Place, key_provider},
    voice::{WARN, say},
};

/// Which key.
#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    /// The level.
    #[arg(long, value_enum)]
    level: Level,
    /// The region; for `provider`, every region unless given.
    #[arg(long, required_if_eq_any = [("level", "root"), ("level", "tenant"), ("level", "account")])]
    region: Option<RegionId>,
    /// The customer; for `root` and `provider`, every customer unless given.
    #[arg(long, required_if_eq_any = [("level", "tenant"), ("level", "account")])]
    tenant: Option<TenantId>,
    /// The account, for `account`.
    #[arg(long, required_if_eq("level", "account"))]
    account: Option<AccountId>,
    /// For `root`: the key provider that seals the new root; needed where one seals the old.
    #[arg(long = "with", value_name = "PROVIDER")]
    provider: Option<ProviderId>,
    /// For `root`: the gate's folder, where the gate has one of its own.
    #[arg(long, value_name = "DIR")]
    gate: Option<PathBuf>,
    /// For `root`: remove the older roots once everything is under the newest. Every gate must have been started since.
    #[arg(long)]
    forget_old: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// A region's root: tenants' keys move.
    Root,
    /// A holder's key: its wraps of tenants' keys are made anew.
    Provider,
    /// A customer's key in a region: its accounts' keys move.
    Tenant,
    /// An account's key in a region: its objects' keys move.
    Account,
}

pub(super) async fn run(what: Rotate, place: &Place) -> anyhow::Result<ExitCode> {
    let deployment = place.open().await?;
    let vault = deployment.vault();
    let shown = |moved| tracing::info!(moved, "keys moved");
    match (what.level, &what.region, &what.tenant, &what.account) {
        (Level::Root, Some(region), ..) => return root(&deployment, region, &what).await,
        (Level::Provider, region, tenant, _) => {
            let done = vault
                .rewrap_tenant_keys(tenant.as_ref(), region.as_ref(), &Holder::Same)
                .await?;
            return Ok(said(&done, "tenants' key(s) were wrapped anew"));
        }
        (Level::Tenant, Some(region), Some(tenant), _) => {
            let done = vault.rotate_tenant(tenant, region, &shown).await?;
            say!(
                "`{tenant}` has a new key in `{region}`; {} account key(s) were moved under it",
                done.moved
            );
        }
        (Level::Account, Some(region), Some(tenant), Some(account)) => {
            if let Some(case) = deployment.desk().open_case_about(tenant, account).await? {
                say!(
                    "{WARN}note:{WARN:#} case {case} is open and is about `{account}`: a release record drawn up before this must be drawn up \
                     anew"
                );
            }
            let done = vault.rotate_account(tenant, account, region, &shown).await?;
            say!(
                "`{account}` has a new key in `{region}`; {} object key(s) were moved under it",
                done.moved
            );
        }
        _ => bail!("this level needs `--region`, `--tenant` or `--account`; see `amparo key rotate --help`"),
    }
    Ok(ExitCode::SUCCESS)
}

async fn root(deployment: &Deployment, region: &RegionId, what: &Rotate) -> anyhow::Result<ExitCode> {
    let layout = match &what.gate {
        Some(dir) => Layout::at(dir),
        None => deployment.layout().clone(),
    };
    let layout = &layout;
    let files = root_files(layout, region);
    let Some((newest, older)) = files.split_first() else {
        bail!(
            "there is no root of region `{region}` in `{}`",
            layout.keys().display()
        );
    };
    if older.is_empty() {
        if newest.sealed && what.provider.is_none() {
            bail!("the root is sealed; name who seals the new one, with `--with PROVIDER`");
        }
        let config = Config::read(&layout.config())?;
        if let Some(provider) = &what.provider {
            key_provider(&config, provider)?;
        }
        let next = next_root(layout, region)?;
        if let Some(provider) = &what.provider {
            let clock: service::gate::Clock = std::sync::Arc::new(jiff::Timestamp::now);
            let providers = open_providers(layout, &config, &clock).await?;
            let sealed = seal_root(region, &next, &providers, provider).await;
            if sealed.is_err() {
                remove_root(&next.path).context("the new root is not sealed, and stays")?;
            }
            sealed?;
        }
        say!(
            "made root {} of `{region}`; nothing is under it yet. See that the gate's user owns the new file in `{}`, start every gate \
             anew, so that it knows it, then run this again",
            next.generation,
            layout.keys().display()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let done = deployment
        .vault()
        .rewrap_tenant_keys(None, Some(region), &Holder::Same)
        .await?;
    let code = said(&done, "tenants' key(s) are under the newest root");
    if !done.left.is_empty() {
        say!("the older root stays: what is left needs it. Run this again when those holders answer");
        return Ok(code);
    }
    if !what.forget_old {
        say!("the older root is still there: run this again with `--forget-old` to remove it");
        return Ok(code);
    }
    for file in older {
        remove_root(&file.path)?;
        say!("removed `{}`", file.path.display());
    }
    Ok(code)
}

fn said(done: &Rotated, what: &str) -> ExitCode {
    say!("{} {what}", done.moved);
    for (tenant, why) in &done.left {
        say!("{WARN}left:{WARN:#} `{tenant}`: {why}");
    }
    match done.left.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    }
}
