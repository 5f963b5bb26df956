//! `amparo account`: what is known of an account's person, and its end.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use casework::{
    demand::CountryCode,
    ids::{AccountId, TenantId},
};
use clap::Subcommand;
use jiff::Timestamp;
use service::{deployment::Destruction, vault::AccountDetails};
use store::vault::{AddressUse, BackupMade};

use super::place::Place;
use crate::voice::{data, say};

/// State what is known of an account's person, or destroy an account for good.
#[derive(Debug, clap::Args)]
#[command(after_help = "An account comes into being with its first object.\n\n\
    Examples:\n  amparo account describe contoso alice@contoso.example --person-country DE --us-person false\n  \
    amparo account alias contoso alice@contoso.example +4930123456\n  \
    amparo account destroy contoso alice@contoso.example --confirm alice@contoso.example\n\n\
    Exit codes: 0 done, 1 refused because a case is open, 2 it could not be done.")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// State what is known of the person. What is left out counts as unknown again.
    Describe {
        /// The customer.
        tenant: TenantId,
        /// Its account.
        account: AccountId,
        /// Where the person resides, as `DE`.
        #[arg(long, value_parser = |text: &str| CountryCode::new(text))]
        person_country: Option<CountryCode>,
        /// Whether the person is a United States person (18 U.S.C. 2523(a)(2)).
        #[arg(long, value_name = "BOOL")]
        us_person: Option<bool>,
        /// Whether the person is bound by professional privilege.
        #[arg(long, value_name = "BOOL")]
        privileged: Option<bool>,
    },
    /// Record another identifier by which a demand may name the account, such as a telephone number.
    Alias {
        /// The customer.
        tenant: TenantId,
        /// Its account.
        account: AccountId,
        /// The identifier.
        alias: String,
    },
    /// Record that the account used an internet address for a time: a demand that names the address at a moment then leads to
    /// it. Without ports the address was the account's alone.
    Address {
        /// The customer.
        tenant: TenantId,
        /// Its account.
        account: AccountId,
        /// The address.
        address: IpAddr,
        /// First and last source port, where many shared the address: `1024-2047`.
        #[arg(long, value_parser = ports, value_name = "FIRST-LAST")]
        ports: Option<(u16, u16)>,
        /// First instant.
        #[arg(long, value_name = "TIME")]
        from: Timestamp,
        /// First instant after.
        #[arg(long, value_name = "TIME")]
        until: Timestamp,
    },
    /// Forget which accounts used which addresses before a moment.
    ForgetAddresses {
        /// Everything that ended before it goes.
        #[arg(long, value_name = "TIME")]
        before: Timestamp,
    },
    /// Destroy the account's keys: all its objects are unreadable from then on, for everybody and for good. Refused while
    /// an open case is about the account. Backups that hold the wrapped key are not reached.
    Destroy {
        /// The customer.
        tenant: TenantId,
        /// Its account.
        account: AccountId,
        /// The account once more.
        #[arg(long, value_name = "ACCOUNT")]
        confirm: AccountId,
        /// Where the statement about it goes, whose digest is in the docket.
        #[arg(long, value_name = "FILE")]
        statement: Option<PathBuf>,
    },
}

/// Says what was destroyed, and writes the statement about it.
///
/// # Errors
/// When the file cannot be written; the keys are destroyed all the same.
pub(super) fn destroyed_keys(
    (statement, entry): &(Destruction, store::docket::EntryId),
    file: Option<&Path>,
) -> anyhow::Result<()> {
    say!(
        "destroyed {} key(s); a running server forgets open ones within a minute",
        statement.keys.len()
    );
    let text = serde_json::to_string(statement)?;
    match file {
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?
        }
        None => data!("{text}"),
    }
    say!(
        "the docket will hold its digest {} as entry {}: once published, `amparo key receipt {}` gives the proof",
        statement.digest()?,
        entry.0,
        entry.0
    );
    Ok(())
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    const FORM: &str = "write the first and the last, as `1024-2047`";
    let (first, last) = text.split_once('-').ok_or(FORM)?;
    let ports = (first.parse().map_err(|_| FORM)?, last.parse().map_err(|_| FORM)?);
    if ports.0 > ports.1 {
        return Err(FORM.to_owned());
    }
    Ok(ports)
}

/// Runs the verb.
///
/// # Errors
/// When there is no such account, or the change fails.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let deployment = args.place.open().await?;
    let vault = deployment.vault();
    match args.verb {
        Verb::Describe {
            tenant,
            account,
            person_country,
            us_person,
            privileged,
        } => {
            let details = AccountDetails {
                person_country,
                us_person,
                privileged,
            };
            vault.describe_account(&tenant, &account, details).await?;
            say!(
                "recorded; cases that looked the account up before keep what they saw: `amparo case resolve` looks again"
            );
        }
        Verb::Alias {
            tenant,
            account,
            alias,
        } => {
            vault.add_alias(&tenant, &account, &alias).await?;
            say!("a demand that names `{alias}` now means `{account}`");
        }
        Verb::Address {
            tenant,
            account,
            address,
            ports,
            from,
            until,
        } => {
            if from >= until {
                bail!("`--until {until}` does not come after `--from {from}`");
            }
            let used = AddressUse {
                address,
                ports,
                from,
                until,
            };
            vault.add_address_use(&tenant, &account, used).await?;
            say!("a demand that names `{address}` within that time now means `{account}`");
        }
        Verb::ForgetAddresses { before } => {
            let count = vault.store().forget_address_uses(before).await?;
            say!("forgot {count} use(s) of addresses");
        }
        Verb::Destroy {
            tenant,
            account,
            confirm,
            statement,
        } => {
            if confirm != account {
                bail!("`--confirm {confirm}` is not `{account}`");
            }
            if let Some(case) = deployment.desk().open_case_about(&tenant, &account).await? {
                say!(
                    "refused: case {case} is open and is about `{account}`; what a demand is about is kept until it ends"
                );
                return Ok(ExitCode::from(1));
            }
            let destroyed = deployment.destroy(&tenant, Some(&account)).await?;
            destroyed_keys(&destroyed, statement.as_deref())?;
            match vault.store().last_backup(Timestamp::now()).await? {
                None => {}
                Some(BackupMade {
                    expires_at: Some(at), ..
                }) => say!(
                    "its data is gone for good once the last backup that may hold those keys is, by {at}"
                ),
                Some(BackupMade { made_at, .. }) => say!(
                    "its data is not gone while a backup holds those keys: nobody said when the one of {made_at} ends \
                     (`amparo backup --keep-days`)"
                ),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
