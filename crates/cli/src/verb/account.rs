//! `amparo account`: what is known of an account's person, and its end.

use std::process::ExitCode;

use anyhow::bail;
use casework::{
    demand::CountryCode,
    ids::{AccountId, TenantId},
};
use clap::Subcommand;
use jiff::Timestamp;
use service::vault::AccountDetails;
use store::vault::BackupMade;

use super::place::Place;
use crate::voice::say;

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
    },
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
        Verb::Destroy {
            tenant,
            account,
            confirm,
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
            vault.destroy_account(&tenant, &account).await?;
            say!("destroyed the keys of `{account}`; a running server forgets them within a minute");
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
